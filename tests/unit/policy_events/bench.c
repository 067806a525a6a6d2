// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many events a second the engine stands: EVENTS_MAX_RULES rules that all match,
 * as many tenants as it has room for, more VMs each than their tables hold.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "policy/events/events.h"

#define EVENTS	200000

static const struct event_rule rule = {
	.owner = EVENTS_PROVIDER, .kinds = 1 << EVENT_WORKER_CRASHED, .count = 3,
	.window = 60 * EVENTS_SECOND, .steps = { STEP_ALERT, STEP_STOP }, .nr_steps = 2,
	.cool_down = EVENTS_SECOND, .forget = 60 * EVENTS_SECOND,
	.budget = EVENTS_MAX_COUNT, .budget_window = EVENTS_SECOND, .file = "bench",
};

static double run(unsigned int nr_rules, unsigned int tenants, unsigned int vms)
{
	struct event event = { .kind = EVENT_WORKER_CRASHED };
	struct reaction reactions[EVENTS_MAX_RULES];
	struct event_rule rules[EVENTS_MAX_RULES];
	struct event_engine *e;
	clock_t start;
	unsigned int i;

	for (i = 0; i < nr_rules; i++)
		rules[i] = rule;
	e = events_new(rules, nr_rules, EVENTS_MAX_TENANTS);
	if (!e)
		exit(EXIT_FAILURE);
	start = clock();
	for (i = 0; i < EVENTS; i++) {
		event.tenant = 1000 + i % tenants;
		event.vm = 1 + i / tenants % vms;
		event.time = i * (EVENTS_SECOND / 1000);
		events_feed(e, &event, reactions);
	}
	events_free(e);
	return EVENTS / ((double)(clock() - start) / CLOCKS_PER_SEC);
}

int main(void)
{
	static const struct {
		unsigned int rules, tenants, vms;
	} cases[] = {
		{ 1, 1, 1 }, { 8, 16, 8 }, { 32, 1, 1 }, { 32, 512, 8 }, { 32, 1, 1000 },
		{ 32, 1024, 1 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		printf("%2u rules, %4u tenants with %4u VMs: %8.0f events a second of CPU time\n",
		       cases[i].rules, cases[i].tenants, cases[i].vms,
		       run(cases[i].rules, cases[i].tenants, cases[i].vms));
	return 0;
}
