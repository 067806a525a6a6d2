// SPDX-License-Identifier: GPL-2.0-only
/*
 * Words for kinds and steps, in rule files and in the log.
 */
#include <stdio.h>
#include <string.h>

#include "policy/events/events.h"

static const char * const kinds[EVENT_NR_KINDS] = {
	[EVENT_WORKER_CRASHED] = "worker-crashed",
	[EVENT_CALL_FORBIDDEN] = "call-forbidden",
	[EVENT_RUN_REFUSED] = "run-refused",
	[EVENT_LIMIT_REACHED] = "limit-reached",
	[EVENT_CLIENT_CRASHED] = "client-crashed",
	[EVENT_GUEST_PANICKED] = "guest-panicked",
	[EVENT_WATCHDOG] = "watchdog",
	[EVENT_IO_ERROR] = "io-error",
	[EVENT_AUDIT] = "audit",
	[EVENT_PRESSURE] = "pressure",
	[EVENT_UNIT_FAILED] = "unit-failed",
};

static const char * const steps[EVENT_NR_STEPS] = {
	[STEP_OBSERVE] = "observe",
	[STEP_ALERT] = "alert",
	[STEP_REPLACE_WORKER] = "replace-worker",
	[STEP_CUT_LINK] = "cut-link",
	[STEP_PAUSE] = "pause",
	[STEP_SNAPSHOT] = "snapshot",
	[STEP_MIGRATE] = "migrate",
	[STEP_STOP] = "stop",
};

static int find(const char *const *names, int nr, const char *name)
{
	int i;

	for (i = 0; i < nr; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

/**
 * events_kind_name() - a kind's name
 * @kind:	the kind
 */
const char *events_kind_name(enum event_kind kind)
{
	return kinds[kind];
}

/**
 * events_kind_by_name() - a kind of events
 * @name:	its name
 *
 * Return: the kind, -1: there is no such.
 */
int events_kind_by_name(const char *name)
{
	return find(kinds, EVENT_NR_KINDS, name);
}

/**
 * events_step_name() - a step's name
 * @step:	the step
 */
const char *events_step_name(enum event_step step)
{
	return steps[step];
}

/**
 * events_step_by_name() - a step of a ladder
 * @name:	its name
 *
 * Return: the step, -1: there is no such.
 */
int events_step_by_name(const char *name)
{
	return find(steps, EVENT_NR_STEPS, name);
}

/**
 * events_reason() - a reaction in one sentence, for the log
 * @r:		the reaction
 * @buf:	out
 * @size:	of @buf, bytes
 *
 * Return: as snprintf().
 */
int events_reason(const struct reaction *r, char *buf, size_t size)
{
	const struct event_rule *rule = r->rule;
	char whose[64];

	if (r->tenant == EVENTS_HOST)
		snprintf(whose, sizeof(whose), "host");
	else if (!r->vm)
		snprintf(whose, sizeof(whose), "tenant %u", r->tenant);
	else
		snprintf(whose, sizeof(whose), "tenant %u VM %llu", r->tenant,
			 (unsigned long long)r->vm);
	return snprintf(buf, size, "%s: %s%s (%s:%lu: %u within %llu s)", whose,
			r->act ? "" : "on trial, not done: ", events_step_name(r->step),
			rule->file, rule->line, rule->count,
			(unsigned long long)(rule->window / EVENTS_SECOND));
}
