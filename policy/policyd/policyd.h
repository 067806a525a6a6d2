/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the files of kvm-split-policyd:
 *
 *	options.c	the command line
 *	judge.c		what the files in force say
 *	askers.c	who asks, and the calls that there are
 *	looker.c	the process that looks who a worker's client is
 *	tenants.c	the question to a tenant's own service
 *	policyd.c	set-up and what wakes it up
 */
#ifndef POLICY_POLICYD_H
#define POLICY_POLICYD_H

#include <sys/types.h>

#include "policy/rules/rules.h"
#include "policy/wire/message.h"
#include "policy/wire/wire.h"

#define MAX_ASKERS	64	/* connections */
#define MAX_PER_USER	8	/* of them, root's are not counted */
#define KEPT_PLACES	16	/* of them, for root and supervisors */
#define MAX_PER_TENANT	8	/* questions to one tenant's service at one time */
#define MAX_TRACE	100	/* lines of Explain: a message has WIRE_MAX bytes */
#define ANSWER_MS	1000	/* that a tenant's service has */
#define PATIENCE_MS	30000	/* with an asker that neither asks nor reads */

/**
 * struct asker - a connection, and its question to a tenant while there is one
 * @wire:	the connection; no descriptor: unused
 * @uid:	who is at the other end
 * @until:	it is closed if it does nothing until then, ms
 * @tenant:	connection to the tenant's service; no descriptor: nobody is asked
 * @due:	when the tenant has said nothing, ms
 * @call:	the call that is not answered yet; @q refers to it
 * @oneway:	nobody wants the answer
 * @worker:	a worker's supervisor asks, about that worker
 * @trace:	lines of Explain, NULL
 * @q:		the request
 * @provider:	opinion
 */
struct asker {
	struct wire wire;
	uid_t uid;
	long long until;
	struct wire tenant;
	long long due;
	json_t *call;
	int oneway;
	int worker;
	json_t *trace;
	struct request q;
	struct opinion provider;
};

struct policyd {
	int own;		/* a tenant's: rules of that user, who asks nobody */
	const char *rules_file;
	const char *config_file;
	const char *socket_path;
	long long idle;		/* how long it may serve nobody, ms; 0: for ever */
	long long idle_since;	/* ms */

	struct rules rules;
	struct config config;
	int listener;
	int signals;
	int notify;
	struct asker askers[MAX_ASKERS];
};

extern struct policyd p;

#define for_each_asker(a) for (a = p.askers; a < p.askers + MAX_ASKERS; a++)

/* options.c */
void parse_options(int argc, char **argv);

/* policyd.c */
void policyd_report(const char *line);

/* judge.c */
int judge_load(void);
void judge_opinion(const struct request *q, json_t *trace, struct opinion *ret);
int judge_socket(const char *tenant, char *ret, size_t size);

/* askers.c */
void asker_accept(void);
void asker_ready(struct asker *a);
void asker_answer(struct asker *a, const struct opinion *tenant);
void asker_end(struct asker *a);

/* tenants.c */
void tenant_ask(struct asker *a);
void tenant_ready(struct asker *a);
void tenant_silent(struct asker *a, const char *why);

#endif /* POLICY_POLICYD_H */
