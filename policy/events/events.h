/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events and reactions: what happened to whom, rules, and what is to be done about it.
 *
 * No I/O, no clock: whoever feeds the engine says what time it is, and whoever gets a
 * reaction carries it out.
 */
#ifndef POLICY_EVENTS_H
#define POLICY_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#define EVENTS_MAX_RULES	32	/* that hold for one tenant: the provider's and its own */
#define EVENTS_MAX_COUNT	16	/* events that a rule waits for, reactions of a budget */
#define EVENTS_MAX_TIME		(7 * 86400ull * EVENTS_SECOND)	/* of a rule's times */
#define EVENTS_MAX_TENANTS	512	/* with a state; the kernel has as many */
#define EVENTS_STATES		256	/* of one tenant: rules times VMs that they watch */
#define EVENTS_SECOND		1000000000ull

#define EVENTS_HOST		UINT32_MAX	/* nobody's: the host's own events */
#define EVENTS_PROVIDER		UINT32_MAX	/* whose rule it is */

/* Kinds of events; kvm-split-events.conf(5) says what each means. */
enum event_kind {
	EVENT_WORKER_CRASHED,
	EVENT_CALL_FORBIDDEN,
	EVENT_RUN_REFUSED,
	EVENT_LIMIT_REACHED,
	EVENT_CLIENT_CRASHED,
	EVENT_GUEST_PANICKED,
	EVENT_WATCHDOG,
	EVENT_IO_ERROR,
	EVENT_AUDIT,
	EVENT_PRESSURE,
	EVENT_UNIT_FAILED,
	EVENT_NR_KINDS
};

/* Steps of a ladder, the mildest first. */
enum event_step {
	STEP_OBSERVE,
	STEP_ALERT,		/* the last one that acts on no VM */
	STEP_REPLACE_WORKER,
	STEP_CUT_LINK,
	STEP_PAUSE,
	STEP_SNAPSHOT,
	STEP_MIGRATE,
	STEP_STOP,
	EVENT_NR_STEPS
};

/**
 * struct event - something happened
 * @kind:	what
 * @tenant:	uid of the tenant whom it happened to, or EVENTS_HOST
 * @vm:		number of its VM, the same in all events of this VM; 0: not known
 * @time:	when it was fed, nanoseconds of a clock that does not go back
 */
struct event {
	enum event_kind kind;
	uint32_t tenant;
	uint64_t vm;
	uint64_t time;
};

/**
 * struct event_rule - what to do about events
 * @owner:	uid of the tenant whose rule it is, or EVENTS_PROVIDER
 * @kinds:	bits of the kinds that it is about
 * @per_tenant:	count what happens to all of a tenant's VMs together
 * @count:	how many events it takes, 1 to EVENTS_MAX_COUNT
 * @window:	in which they have to be, nanoseconds
 * @steps:	what to do, one after the other, each milder than the next
 * @nr_steps:	how many
 * @cool_down:	no reaction for so long after one, nanoseconds
 * @forget:	after so long without a reaction the ladder begins anew
 * @budget:	reactions for a tenant in @budget_window, 1 to EVENTS_MAX_COUNT
 * @budget_window: nanoseconds
 * @dry_run:	only say what would be done
 * @file:	where it stands
 * @line:	where it stands
 */
struct event_rule {
	uint32_t owner;
	uint32_t kinds;
	int per_tenant;
	unsigned int count;
	uint64_t window;
	enum event_step steps[EVENT_NR_STEPS];
	unsigned int nr_steps;
	uint64_t cool_down, forget;
	unsigned int budget;
	uint64_t budget_window;
	int dry_run;
	const char *file;
	unsigned long line;
};

/**
 * struct reaction - something is to be done
 * @step:	what
 * @act:	do it; 0: only say so, the rule is on trial
 * @tenant:	whose VM, or EVENTS_HOST
 * @vm:		which, 0: all of this tenant's
 * @rule:	why
 */
struct reaction {
	enum event_step step;
	int act;
	uint32_t tenant;
	uint64_t vm;
	const struct event_rule *rule;
};

/**
 * struct event_counts - what an engine has done
 * @events:	fed
 * @reactions:	returned
 * @suppressed:	reactions that a budget forbade
 * @dropped:	events of tenants for whom there was no room
 */
struct event_counts {
	uint64_t events, reactions, suppressed, dropped;
};

struct event_engine;

struct event_engine *events_new(const struct event_rule *rules, size_t nr,
				unsigned int max_tenants);
void events_free(struct event_engine *e);
size_t events_feed(struct event_engine *e, const struct event *event, struct reaction *ret);
const struct event_counts *events_counts(const struct event_engine *e);

const char *events_kind_name(enum event_kind kind);
int events_kind_by_name(const char *name);
const char *events_step_name(enum event_step step);
int events_step_by_name(const char *name);
int events_reason(const struct reaction *r, char *buf, size_t size);

#endif /* POLICY_EVENTS_H */
