/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the files of kvm-vmmd:
 *
 *	options.c	the command line
 *	starter.c	how a worker comes to be
 *	workers.c	those that start, that are ready, that died
 *	links.c		what they ask
 *	asker.c		the process that asks the policy service
 *	supervisor.c	set-up and what wakes it up
 */
#ifndef KSPLIT_SUPERVISOR_H
#define KSPLIT_SUPERVISOR_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/backoff.h"
#include "common/config.h"
#include "common/confine.h"
#include "common/spawn.h"

#define NR_RECENT	32
#define MAX_PASSED	16	/* words for a worker */
#define MAX_ASKED	4	/* questions to the policy service at one time */

/**
 * enum avoid - why a worker should not get a user
 * @AVOID_NOT:	it may
 * @AVOID_OLD:	a worker of an earlier supervisor may have it: once there is no other
 * @AVOID_TAKEN: an account has it: never
 */
enum avoid { AVOID_NOT, AVOID_OLD, AVOID_TAKEN };

/**
 * enum link_state - what a worker waits for
 * @LINK_QUIET:	nothing
 * @LINK_WAITS:	that the policy service can be asked
 * @LINK_ASKED:	its word
 */
enum link_state { LINK_QUIET, LINK_WAITS, LINK_ASKED };

/**
 * struct link - a worker that asks
 * @pid:	0: none
 * @fd:		socket to it, -1: it has closed it, or must not ask any more
 * @state:	see there
 * @memory:	that its guests have, bytes
 */
struct link {
	pid_t pid;
	int fd;
	enum link_state state;
	uint64_t memory;
};

/* To the process that asks the policy service. */
struct policy_order {
	pid_t worker;
	int vms;		/* of the tenant, this one included */
};

/**
 * struct policy_word - what that process says
 * @worker:	whose question it was
 * @error:	0; a negative errno: no word of the service, -ENOENT: there is no service
 * @allowed:	yes
 * @max_vcpus:	for so many at most
 * @max_memory:	and so many bytes
 * @why:	it is no, or there is no word
 */
struct policy_word {
	pid_t worker;
	int error;
	int allowed;
	uint32_t max_vcpus;
	uint64_t max_memory;
	char why[320];
};

struct supervisor {
	int tenant;
	int signals;
	int notify;		/* -1: nobody to tell */
	char worker[PATH_MAX];
	char *for_worker[MAX_PASSED + 1];	/* options, NULL at the end */
	int nr_for_worker;
	int program;		/* the worker's, for a file system that has none */
	int no_overcommit;	/* vm.overcommit_memory is 2 */
	struct starter starter;

	/* what workers ask */
	struct link links[TENANT_UIDS];
	unsigned int next_link;	/* whose turn it is */
	uint64_t max_memory_sum;	/* bytes */
	struct pace refusals;	/* in the log */
	enum config_policy policy;
	const char *policyd;	/* socket of the policy service */
	struct pace questions;	/* for it */
	unsigned int nr_asked;
	struct { pid_t pid; int fd; } asker;

	/* users of workers; uid_first -1: not used */
	long long uid_first, uid_last, uid_next;
	pid_t holder[TENANT_UIDS];	/* of each of them, 0: nobody */
	unsigned char avoid[TENANT_UIDS];	/* enum avoid, of each of them */

	pid_t starting;		/* 0: none */
	int ready;		/* socket to it, -1 */
	long long deadline;	/* when it is stuck, ms */
	int nr_living;		/* workers, the starting and the spare one included */
	pid_t spare;		/* one of them waits for a client; 0: none */

	struct backoff backoff;
	struct pace pace;
	long long told_of_pace;	/* when it was logged, ms */
	long long spare_delay;	/* ms */
	long long spare_at;	/* when a spare is due, ms; 0: none is missed */
	long long idle;		/* how long it may serve nobody, ms; 0: for ever */
	long long idle_since;	/* ms */

	/* workers that are not known to be good yet */
	struct {
		pid_t pid;	/* 0: none, or counted as failed */
		long long started;	/* ms */
	} recent[NR_RECENT];
	unsigned int next_recent;
};

/* options.c */
void parse_options(struct supervisor *s, int argc, char **argv);
void pass(struct supervisor *s, char *word);

/* starter.c */
void start_starter(const struct supervisor *s, struct starter *ret);
pid_t order_worker(const struct supervisor *s, long long uid, int ready);

/* workers.c */
void start_worker(struct supervisor *s);
void on_ready(struct supervisor *s);
void on_stuck(struct supervisor *s);
void on_worker_end(struct supervisor *s, pid_t pid, int status);
int is_idle(const struct supervisor *s);

/* links.c */
void links_init(struct supervisor *s);
void link_begin(struct supervisor *s, pid_t pid, int fd);
void link_end(struct supervisor *s, pid_t pid);
int link_interest(const struct link *l);
long long links_wait(const struct supervisor *s, long long now);
void links_ask(struct supervisor *s);
void on_question(struct supervisor *s, struct link *l);
void on_policy(struct supervisor *s);

/* asker.c */
void start_asker(struct supervisor *s);

#endif /* KSPLIT_SUPERVISOR_H */
