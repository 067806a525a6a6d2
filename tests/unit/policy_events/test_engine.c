// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine of policy/events: counts, ladders, budgets; one tenant against another;
 * and generated rules and events against a model that remembers everything.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../run_suite.h"
#include "common/array_size.h"
#include "policy/events/events.h"

#define S		EVENTS_SECOND
#define ALICE		1000u
#define BOB		1001u
#define CRASHED		(1u << EVENT_WORKER_CRASHED)

static struct reaction reactions[EVENTS_MAX_RULES];

/* Three crashes within ten seconds: alert, then replace, then stop. */
static struct event_rule three(void)
{
	return (struct event_rule){
		.owner = EVENTS_PROVIDER, .kinds = CRASHED, .count = 3, .window = 10 * S,
		.steps = { STEP_ALERT, STEP_REPLACE_WORKER, STEP_STOP }, .nr_steps = 3,
		.cool_down = 0, .forget = 100 * S, .budget = 16, .budget_window = 100 * S,
		.file = "events.conf", .line = 7,
	};
}

static struct event_rule at_once(uint32_t owner)
{
	struct event_rule r = three();

	r.owner = owner;
	r.count = 1;
	return r;
}

static struct event_engine *engine(const struct event_rule *rules, size_t nr)
{
	struct event_engine *e = events_new(rules, nr, 4);

	ck_assert_ptr_nonnull(e);
	return e;
}

static size_t feed(struct event_engine *e, uint32_t tenant, uint64_t vm, uint64_t time)
{
	struct event event = { EVENT_WORKER_CRASHED, tenant, vm, time };

	return events_feed(e, &event, reactions);
}

/* --------------------------------------------------------- one by one ---- */

START_TEST(count_and_window)
{
	struct event_rule r = three();
	struct event_engine *e = engine(&r, 1);
	struct event other = { EVENT_IO_ERROR, ALICE, 5, 2 * S };

	ck_assert_uint_eq(feed(e, ALICE, 5, 1 * S), 0);
	ck_assert_uint_eq(events_feed(e, &other, reactions), 0);
	ck_assert_uint_eq(feed(e, ALICE, 6, 2 * S), 0);
	ck_assert_uint_eq(feed(e, ALICE, 5, 3 * S), 0);
	/* One too late, so it counts with the second one only. */
	ck_assert_uint_eq(feed(e, ALICE, 5, 11 * S + 1), 0);
	ck_assert_uint_eq(feed(e, ALICE, 5, 13 * S), 1);
	ck_assert_int_eq(reactions[0].step, STEP_ALERT);
	ck_assert_uint_eq(reactions[0].tenant, ALICE);
	ck_assert_uint_eq(reactions[0].vm, 5);
	ck_assert_int_eq(reactions[0].act, 1);
	ck_assert_ptr_eq(reactions[0].rule, &r);
	ck_assert_uint_eq(events_counts(e)->events, 6);
	ck_assert_uint_eq(events_counts(e)->reactions, 1);
	events_free(e);
}
END_TEST

START_TEST(per_tenant)
{
	struct event_rule r = three();
	struct event_engine *e;

	r.per_tenant = 1;
	e = engine(&r, 1);
	ck_assert_uint_eq(feed(e, ALICE, 5, S), 0);
	ck_assert_uint_eq(feed(e, BOB, 7, S), 0);
	ck_assert_uint_eq(feed(e, ALICE, 0, S), 0);
	ck_assert_uint_eq(feed(e, ALICE, 6, S), 1);
	ck_assert_uint_eq(reactions[0].vm, 0);
	ck_assert_uint_eq(reactions[0].tenant, ALICE);
	events_free(e);
}
END_TEST

START_TEST(ladder)
{
	static const enum event_step want[] = {
		STEP_ALERT, STEP_REPLACE_WORKER, STEP_STOP, STEP_STOP,
	};
	struct event_rule r = at_once(EVENTS_PROVIDER);
	struct event_engine *e = engine(&r, 1);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(want); i++) {
		ck_assert_uint_eq(feed(e, ALICE, 5, i * S), 1);
		ck_assert_int_eq(reactions[0].step, want[i]);
	}
	/* Another VM begins at the beginning; so does this one, once it was calm. */
	ck_assert_uint_eq(feed(e, ALICE, 6, 4 * S), 1);
	ck_assert_int_eq(reactions[0].step, STEP_ALERT);
	ck_assert_uint_eq(feed(e, ALICE, 5, 103 * S), 1);
	ck_assert_int_eq(reactions[0].step, STEP_STOP);
	ck_assert_uint_eq(feed(e, ALICE, 5, 203 * S + 1), 1);
	ck_assert_int_eq(reactions[0].step, STEP_ALERT);
	events_free(e);
}
END_TEST

START_TEST(cool_down)
{
	struct event_rule r = at_once(EVENTS_PROVIDER);
	struct event_engine *e;

	r.cool_down = 5 * S;
	e = engine(&r, 1);
	ck_assert_uint_eq(feed(e, ALICE, 5, S), 1);
	ck_assert_uint_eq(feed(e, ALICE, 5, 6 * S - 1), 0);
	ck_assert_uint_eq(feed(e, ALICE, 5, 6 * S), 1);
	ck_assert_int_eq(reactions[0].step, STEP_REPLACE_WORKER);
	events_free(e);
}
END_TEST

START_TEST(budget)
{
	struct event_rule r = at_once(EVENTS_PROVIDER);
	struct event_engine *e;

	r.budget = 2;
	e = engine(&r, 1);
	ck_assert_uint_eq(feed(e, ALICE, 1, 1 * S), 1);
	ck_assert_uint_eq(feed(e, ALICE, 2, 2 * S), 1);
	ck_assert_uint_eq(feed(e, ALICE, 3, 101 * S), 0);
	ck_assert_uint_eq(events_counts(e)->suppressed, 1);
	/* Of this tenant; of this window. */
	ck_assert_uint_eq(feed(e, BOB, 1, 101 * S), 1);
	ck_assert_uint_eq(feed(e, ALICE, 3, 101 * S + 1), 1);
	ck_assert_uint_eq(feed(e, ALICE, 3, 101 * S + 2), 0);
	events_free(e);
}
END_TEST

START_TEST(owners)
{
	struct event_rule r[] = {
		at_once(ALICE), at_once(BOB), at_once(EVENTS_PROVIDER),
	};
	struct event_engine *e = engine(r, ARRAY_SIZE(r));

	ck_assert_uint_eq(feed(e, ALICE, 5, S), 2);
	ck_assert_ptr_eq(reactions[0].rule, &r[0]);
	ck_assert_ptr_eq(reactions[1].rule, &r[2]);
	ck_assert_uint_eq(feed(e, BOB, 5, S), 2);
	ck_assert_ptr_eq(reactions[0].rule, &r[1]);
	ck_assert_uint_eq(feed(e, 1002, 5, S), 1);
	ck_assert_ptr_eq(reactions[0].rule, &r[2]);
	events_free(e);
}
END_TEST

/* What happened to nobody's VM is no reason to touch one. */
START_TEST(host)
{
	struct event_rule r[] = { at_once(EVENTS_PROVIDER), at_once(ALICE) };
	struct event_engine *e;
	unsigned int i;

	r[0].per_tenant = 1;
	r[0].steps[0] = STEP_OBSERVE;
	e = engine(r, ARRAY_SIZE(r));
	for (i = 0; i < 5; i++) {
		ck_assert_uint_eq(feed(e, EVENTS_HOST, 0, i * S), 1);
		ck_assert_int_eq(reactions[0].step, i ? STEP_ALERT : STEP_OBSERVE);
		ck_assert_uint_eq(reactions[0].vm, 0);
	}
	events_free(e);
}
END_TEST

START_TEST(on_trial)
{
	struct event_rule r = at_once(EVENTS_PROVIDER);
	struct event_engine *e;
	char text[256];

	r.dry_run = 1;
	e = engine(&r, 1);
	feed(e, ALICE, 5, S);
	ck_assert_uint_eq(feed(e, ALICE, 5, S), 1);
	ck_assert_int_eq(reactions[0].act, 0);
	ck_assert_int_eq(reactions[0].step, STEP_REPLACE_WORKER);
	events_reason(&reactions[0], text, sizeof(text));
	ck_assert_str_eq(text, "tenant 1000 VM 5: on trial, not done: replace-worker "
			 "(events.conf:7: 1 within 10 s)");
	events_free(e);
}
END_TEST

START_TEST(time_does_not_go_back)
{
	struct event_rule r = three();
	struct event_engine *e = engine(&r, 1);

	feed(e, ALICE, 5, 50 * S);
	feed(e, ALICE, 5, 1 * S);
	ck_assert_uint_eq(feed(e, ALICE, 5, 60 * S), 1);
	events_free(e);
}
END_TEST

START_TEST(no_rules)
{
	struct event_rule good = three(), bad[EVENTS_MAX_RULES + 1];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = at_once(i ? EVENTS_PROVIDER : ALICE);
	ck_assert_ptr_null(events_new(bad, ARRAY_SIZE(bad), 4));
	ck_assert_int_eq(errno, EINVAL);
	/* As many, but not for one tenant. */
	bad[1].owner = BOB;
	events_free(engine(bad, ARRAY_SIZE(bad)));
	ck_assert_ptr_null(events_new(&good, 1, 0));
	ck_assert_ptr_null(events_new(&good, 1, EVENTS_MAX_TENANTS + 1));
#define REFUSED(what)						\
	do {							\
		bad[0] = good;					\
		bad[0].what;					\
		ck_assert_msg(!events_new(bad, 1, 4), #what);	\
	} while (0)
	REFUSED(kinds = 0);
	REFUSED(kinds = 1u << EVENT_NR_KINDS);
	REFUSED(count = 0);
	REFUSED(count = EVENTS_MAX_COUNT + 1);
	REFUSED(budget = 0);
	REFUSED(budget = EVENTS_MAX_COUNT + 1);
	REFUSED(nr_steps = 0);
	REFUSED(nr_steps = EVENT_NR_STEPS + 1);
	REFUSED(steps[1] = STEP_ALERT);
	REFUSED(steps[2] = EVENT_NR_STEPS);
	REFUSED(window = EVENTS_MAX_TIME + 1);
	REFUSED(forget = UINT64_MAX);
	events_free(engine(NULL, 0));
}
END_TEST

START_TEST(names)
{
	int i;

	for (i = 0; i < EVENT_NR_KINDS; i++)
		ck_assert_int_eq(events_kind_by_name(events_kind_name(i)), i);
	for (i = 0; i < EVENT_NR_STEPS; i++)
		ck_assert_int_eq(events_step_by_name(events_step_name(i)), i);
	ck_assert_int_eq(events_kind_by_name("alert"), -1);
	ck_assert_int_eq(events_step_by_name(""), -1);
}
END_TEST

/* ------------------------------------------------------------ tenants ---- */

/* Those of whom something is known keep their places. */
START_TEST(no_room)
{
	struct event_rule r = three();
	struct event_engine *e = engine(&r, 1);
	uint32_t uid;

	feed(e, ALICE, 5, 1 * S);
	feed(e, ALICE, 5, 1 * S);
	for (uid = 2000; uid < 2100; uid++)
		feed(e, uid, 1, 2 * S);
	ck_assert_uint_eq(events_counts(e)->dropped, 97);
	ck_assert_uint_eq(feed(e, EVENTS_HOST, 1, 2 * S), 0);
	ck_assert_uint_eq(events_counts(e)->dropped, 97);
	ck_assert_uint_eq(feed(e, ALICE, 5, 3 * S), 1);
	/* What they knew is no matter any more: there is room for as many again. */
	for (uid = 3000; uid < 3005; uid++)
		feed(e, uid, 1, 104 * S);
	ck_assert_uint_eq(events_counts(e)->dropped, 98);
	events_free(e);
}
END_TEST

static uint64_t seed;

static unsigned int dice(unsigned int n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % n;
}

/* A rule with times of a few seconds. */
static struct event_rule any_rule(uint32_t owner, unsigned long line)
{
	struct event_rule r = {
		.owner = owner, .kinds = 1 + dice(7), .per_tenant = !dice(3),
		.count = 1 + dice(4), .window = dice(20) * S, .cool_down = dice(10) * S,
		.forget = dice(40) * S, .budget = 1 + dice(5), .budget_window = dice(60) * S,
		.dry_run = !dice(4), .file = "f", .line = line,
	};
	unsigned int step;

	for (step = 0; step < EVENT_NR_STEPS; step++)
		if (dice(2) || (step == STEP_STOP && !r.nr_steps))
			r.steps[r.nr_steps++] = step;
	return r;
}

static struct event any_event(unsigned int tenants, unsigned int vms, uint64_t *time)
{
	*time += dice(3) * S / 2;
	return (struct event){ dice(4), ALICE + dice(tenants), dice(vms), *time };
}

static int same_reaction(const struct reaction *a, const struct reaction *b)
{
	return a->step == b->step && a->act == b->act && a->tenant == b->tenant &&
	       a->vm == b->vm && a->rule == b->rule;
}

/* What Alice gets with and without others that flood the engine is the same. */
START_TEST(floods_of_others)
{
	struct event_rule rules[12];
	struct event_engine *alone, *among;
	struct reaction both[EVENTS_MAX_RULES];
	unsigned int i, k, found = 0;
	uint64_t time = 0;

	seed = _i;
	for (i = 0; i < ARRAY_SIZE(rules); i++)
		rules[i] = any_rule(dice(2) ? EVENTS_PROVIDER : ALICE + dice(3), i);
	alone = engine(rules, ARRAY_SIZE(rules));
	among = engine(rules, ARRAY_SIZE(rules));
	for (i = 0; i < 300; i++) {
		struct event event = any_event(1, 5, &time);
		size_t n = events_feed(alone, &event, reactions);

		ck_assert_uint_eq(events_feed(among, &event, both), n);
		for (k = 0; k < n; k++)
			ck_assert(same_reaction(&both[k], &reactions[k]));
		found += n;
		for (k = 0; k < 20; k++) {
			struct event flood = {
				dice(EVENT_NR_KINDS), dice(5) ? BOB + dice(3) : EVENTS_HOST,
				dice(1000), time
			};

			events_feed(among, &flood, both);
		}
	}
	ck_assert_uint_gt(found, 0);
	events_free(alone);
	events_free(among);
}
END_TEST

/* -------------------------------------------------------------- model ---- */

#define EVENTS	300

/* Everything that ever happened, in its order. */
static struct {
	struct event event;
	struct {
		int fired;
		enum event_step step;
	} of[8];		/* by rule */
} history[EVENTS];
static unsigned int nr_history;

static int same(const struct event_rule *r, const struct event *a, const struct event *b)
{
	return a->tenant == b->tenant && (r->per_tenant || a->vm == b->vm);
}

static int relevant(const struct event_rule *r, const struct event *e)
{
	return (r->kinds >> e->kind & 1) && (r->per_tenant || e->vm) &&
	       (r->owner == EVENTS_PROVIDER || r->owner == e->tenant);
}

/* Steps climbed by reactions that followed each other without a break. */
static unsigned int climbed(const struct event_rule *r, unsigned int k, const struct event *now)
{
	uint64_t time = now->time;
	unsigned int i = nr_history, n = 0;

	while (i--) {
		if (!history[i].of[k].fired || !same(r, &history[i].event, now))
			continue;
		if (time - history[i].event.time > r->forget)
			break;
		time = history[i].event.time;
		n++;
	}
	return n < r->nr_steps ? n : r->nr_steps - 1;
}

/* Events since the last reaction, within the window, this one included. */
static unsigned int counted(const struct event_rule *r, unsigned int k, const struct event *now,
			    int *ret_cooling)
{
	unsigned int i = nr_history, n = 1;

	*ret_cooling = 0;
	while (i--) {
		const struct event *e = &history[i].event;

		if (!relevant(r, e) || !same(r, e, now))
			continue;
		if (history[i].of[k].fired) {
			*ret_cooling = now->time - e->time < r->cool_down;
			break;
		}
		n += now->time - e->time <= r->window;
	}
	return n;
}

static unsigned int spent(const struct event_rule *r, unsigned int k, const struct event *now)
{
	unsigned int i, n = 0;

	for (i = 0; i < nr_history; i++)
		n += history[i].of[k].fired && history[i].event.tenant == now->tenant &&
		     now->time - history[i].event.time <= r->budget_window;
	return n;
}

/* Whether there is a reaction, and which. */
static int model(const struct event_rule *r, unsigned int k, const struct event *now)
{
	int cooling;

	if (!relevant(r, now) || counted(r, k, now, &cooling) < r->count || cooling ||
	    spent(r, k, now) >= r->budget)
		return 0;
	history[nr_history].of[k].step = r->steps[climbed(r, k, now)];
	return 1;
}

START_TEST(as_the_model)
{
	struct event_rule rules[8];
	struct event_engine *e;
	unsigned int k, n, found = 0;
	uint64_t time = 0;

	seed = 1000 + _i;
	for (k = 0; k < ARRAY_SIZE(rules); k++)
		rules[k] = any_rule(dice(2) ? EVENTS_PROVIDER : ALICE + dice(3), k);
	e = engine(rules, ARRAY_SIZE(rules));
	for (nr_history = 0; nr_history < EVENTS; nr_history++) {
		struct event event = any_event(3, 4, &time);

		memset(&history[nr_history], 0, sizeof(history[0]));
		events_feed(e, &event, reactions);
		for (k = n = 0; k < ARRAY_SIZE(rules); k++) {
			if (!model(&rules[k], k, &event))
				continue;
			history[nr_history].of[k].fired = 1;
			ck_assert_ptr_eq(reactions[n].rule, &rules[k]);
			ck_assert_int_eq(reactions[n].step, history[nr_history].of[k].step);
			ck_assert_int_eq(reactions[n].act, !rules[k].dry_run);
			ck_assert_uint_eq(reactions[n].tenant, event.tenant);
			ck_assert_uint_eq(reactions[n].vm, rules[k].per_tenant ? 0 : event.vm);
			n++;
		}
		found += n;
		history[nr_history].event = event;
		ck_assert_uint_eq(events_counts(e)->reactions, found);
	}
	ck_assert_uint_gt(found, 0);
	events_free(e);
}
END_TEST

/* ------------------------------------------------- more than there is ---- */

static int step_index(const struct event_rule *r, enum event_step step)
{
	unsigned int i;

	for (i = 0; i < r->nr_steps; i++)
		if (r->steps[i] == step)
			return i;
	return -1;
}

#define FEW	3		/* tenants */
#define MANY	400		/* VMs of each: more than EVENTS_STATES */

/* Tables overflow: what is promised holds all the same. */
START_TEST(promises)
{
	static uint64_t spent_at[6][FEW][20000];
	static int climbed_to[6][FEW][MANY];
	unsigned int nr_spent[6][FEW] = { 0 }, i, j, k, n, found = 0;
	struct event_rule rules[6];
	struct event_engine *e;
	uint64_t time = 0;

	seed = 5000 + _i;
	memset(climbed_to, -1, sizeof(climbed_to));
	for (k = 0; k < ARRAY_SIZE(rules); k++)
		rules[k] = any_rule(dice(2) ? EVENTS_PROVIDER : ALICE + dice(FEW), k);
	e = engine(rules, ARRAY_SIZE(rules));
	for (i = 0; i < 20000; i++) {
		struct event event = any_event(FEW, MANY, &time);
		unsigned int tenant = event.tenant - ALICE;

		/* Some VMs have more than one event in a row. */
		event.vm = dice(2) ? event.vm : dice(6);
		n = events_feed(e, &event, reactions);
		for (j = 0; j < n; j++) {
			const struct reaction *r = &reactions[j];
			int *last, step = step_index(r->rule, r->step);

			k = r->rule - rules;
			last = &climbed_to[k][tenant][r->vm];
			ck_assert_uint_eq(r->tenant, event.tenant);
			ck_assert(r->vm == (r->rule->per_tenant ? 0 : event.vm));
			ck_assert(r->rule->owner == EVENTS_PROVIDER ||
				  r->rule->owner == event.tenant);
			ck_assert_int_eq(r->act, !r->rule->dry_run);
			ck_assert_int_ge(step, 0);
			ck_assert_int_le(step, *last + 1);
			*last = step;
			spent_at[k][tenant][nr_spent[k][tenant]++] = time;
			if (nr_spent[k][tenant] > r->rule->budget)
				ck_assert_uint_gt(time - spent_at[k][tenant][nr_spent[k][tenant] - 1 -
									     r->rule->budget],
						  r->rule->budget_window);
		}
		found += n;
	}
	ck_assert_uint_gt(found, 0);
	events_free(e);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_events");
	TCase *t = tcase_create("engine");

	tcase_set_timeout(t, 300);
	tcase_add_test(t, count_and_window);
	tcase_add_test(t, per_tenant);
	tcase_add_test(t, ladder);
	tcase_add_test(t, cool_down);
	tcase_add_test(t, budget);
	tcase_add_test(t, owners);
	tcase_add_test(t, host);
	tcase_add_test(t, on_trial);
	tcase_add_test(t, time_does_not_go_back);
	tcase_add_test(t, no_rules);
	tcase_add_test(t, names);
	tcase_add_test(t, no_room);
	tcase_add_loop_test(t, floods_of_others, 0, 20);
	tcase_add_loop_test(t, as_the_model, 0, 60);
	tcase_add_loop_test(t, promises, 0, 10);
	suite_add_tcase(s, t);
	return run_suite(s);
}
