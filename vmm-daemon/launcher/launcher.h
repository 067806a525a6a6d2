/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the files of kvm-split-launcher:
 *
 *	options.c	the command line
 *	params.c	parameters of in-tree KVM's modules
 *	policy.c	who may have virtual machines
 *	refusals.c	what the log says of users who may not
 *	ids.c		which users a tenant's processes run as
 *	tenants.c	the table of tenants and what happens to one
 *	starter.c	how a supervisor comes to be
 *	events.c	what wakes the launcher up
 *	launcher.c	set-up
 */
#ifndef KSPLIT_LAUNCHER_H
#define KSPLIT_LAUNCHER_H

#include <limits.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "common/backoff.h"
#include "common/config.h"
#include "common/spawn.h"

#define MAX_TENANTS	448	/* the kernel has 512, users who wait included */
#define MAX_NAME	64	/* of a user */

/**
 * enum tenant_state - what there is of a user's supervisor
 * @T_UNUSED:	the entry is free
 * @T_IDLE:	nothing; the entry remembers failures
 * @T_HELD:	nothing yet, and a user waits: it may start at @due
 * @T_COMING:	its service is being started and asks for the tenant, by @due
 * @T_RUNS:	it runs
 * @T_LEAVES:	it is about to end, and a user waits for the next one
 */
enum tenant_state { T_UNUSED, T_IDLE, T_HELD, T_COMING, T_RUNS, T_LEAVES };

/**
 * struct tenant - a user who has, or had, a supervisor
 * @state:	of the supervisor
 * @due:	see @state, ms
 * @uid:	the user
 * @name:	the user's name, or number
 * @settings:	of the running supervisor
 * @pid:	of the running supervisor
 * @pidfd:	likewise, of a service; -1: it is a child
 * @helper:	systemctl, 0: none
 * @proven:	if it ends before that, it has failed, ms
 * @backoff:	after failures
 */
struct tenant {
	enum tenant_state state;
	long long due;
	uid_t uid;
	char name[MAX_NAME];
	struct settings settings;
	pid_t pid;
	int pidfd;
	pid_t helper;
	long long proven;
	struct backoff backoff;
};

struct launcher {
	const char *device;
	const char *run_dir;
	const char *config_file;
	const char *instance;
	const char *systemctl;		/* NULL: fork */
	char supervisor[PATH_MAX];
	char *spare_delay, *idle;	/* NULL: kvm-vmmd's defaults */
	int any_uid;
	int namespaces;

	struct config config;
	struct starter starter;
	int control;
	int signals;
	int socket;
	int notify;
	char ready_file[PATH_MAX];
	struct tenant tenants[MAX_TENANTS];
};

extern struct launcher l;

#define for_each_tenant(t) for (t = l.tenants; t < l.tenants + MAX_TENANTS; t++)

/**
 * struct handover - what the launcher tells an instance or its starter
 * @uid:	the tenant
 * @service:	first of the users that its processes run as
 * @error:	errno: there is no descriptor with it, -EAGAIN: ask again
 * @settings:	of the tenant
 */
struct handover {
	uint32_t uid;
	uint32_t service;
	uint32_t error;
	struct settings settings;
};

/* options.c */
void parse_options(int argc, char **argv);

/* launcher.c */
struct sockaddr_un socket_address(void);
void config_report(const char *line);

/* policy.c */
int policy(uid_t uid, char *ret_name, struct settings *ret);

/* refusals.c */
int refusal_is_news(uid_t uid, long long now, unsigned int *ret_unsaid);
void __attribute__((format(printf, 2, 3))) log_refusal(uid_t uid, const char *fmt, ...);

/* params.c */
int params_nested(void);
void params_read(void);

/* ids.c */
uint64_t ids_end(uint64_t base);
uint64_t ids_first(uint64_t base, uid_t uid, unsigned int place);
int ids_by_place(uint64_t base, uid_t uid);
void ids_warn(uint64_t base);
int ids_taken(uid_t uid);
unsigned int ids_accounts(uid_t first, long long until, unsigned char *ret_taken);
unsigned int ids_living(uid_t first, unsigned char *ret_living);

/* tenants.c */
uid_t service_uid(const struct tenant *t);
void on_want(uid_t uid);
int on_instance_wants(const char *name, const struct ucred *peer, int pidfd, struct handover *ret);
void on_due(struct tenant *t);
void on_service_end(struct tenant *t);
void on_child(struct tenant *t, pid_t pid, int status);
void stop_supervisor(struct tenant *t);

/* starter.c */
void start_starter(void);
pid_t order_supervisor(const struct tenant *t, uid_t service, int fd);
pid_t order_service(const struct tenant *t);
void __attribute__((noreturn)) be_instance(void);

/* events.c */
void step(void);

#endif /* KSPLIT_LAUNCHER_H */
