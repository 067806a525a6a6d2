// SPDX-License-Identifier: GPL-2.0-only
/*
 * From events to reactions.
 *
 * Invariants, which tests/unit/policy_events tries to break:
 * - A tenant's rule sees events of that tenant alone, and acts on its VMs alone.
 * - What a tenant does changes nothing of another's counts, ladders and budgets.  Each
 *   tenant has tables of its own; where all are taken, a new tenant gets those of one
 *   of whom nothing need be known any more, or none, and then its events are dropped.
 * - In a tenant's table the entry goes that is forgotten first anyway.  One VM fills at
 *   most one entry for each rule, so it cannot push out those of many others.
 * - A ladder is climbed a step at a time.
 * - No more than a rule's budget of reactions for one tenant within any of its windows,
 *   however many VMs there are and whatever was pushed out.
 * - Whatever comes, memory is what events_new() allocated.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/events/events.h"

/* The last @size times of something, the oldest of which is the next to go. */
struct ring {
	uint64_t times[EVENTS_MAX_COUNT];
	uint8_t nr, next;
};

/**
 * struct key - whose a state is; apart from it, because all are looked through
 * @vm:		0: all VMs of the tenant
 * @until:	when nothing of this matters any more
 * @rule:	number of the rule in the tenant's list
 * @used:	it is one
 */
struct key {
	uint64_t vm, until;
	uint8_t rule, used;
};

/**
 * struct state - what a rule knows of a VM, or of all VMs of a tenant
 * @seen:	events that there was no reaction to
 * @last:	when there was a reaction
 * @fired:	there was one
 * @level:	of the ladder that is next
 */
struct state {
	struct ring seen;
	uint64_t last;
	uint8_t fired, level;
};

struct tenant {
	uint32_t uid;
	unsigned int nr_rules;
	const struct event_rule *rules[EVENTS_MAX_RULES];
	struct ring budgets[EVENTS_MAX_RULES];
	struct key keys[EVENTS_STATES];
	struct state states[EVENTS_STATES];
};

/* The first tenant is the host; @uids and @until are theirs, apart as keys are. */
struct event_engine {
	const struct event_rule *rules;
	size_t nr_rules;
	uint64_t now;
	struct event_counts counts;
	unsigned int nr_tenants, max_tenants;
	uint32_t uids[EVENTS_MAX_TENANTS + 1];
	uint64_t until[EVENTS_MAX_TENANTS + 1];
	struct tenant tenants[];
};

/* -------------------------------------------------------------- times ---- */

static void ring_add(struct ring *r, unsigned int size, uint64_t time)
{
	r->times[r->next] = time;
	r->next = (r->next + 1) % size;
	if (r->nr < size)
		r->nr++;
}

/* Whether there are @size of them, none older than @window. */
static int ring_full(const struct ring *r, unsigned int size, uint64_t now, uint64_t window)
{
	return r->nr == size && now - r->times[r->next] <= window;
}

static uint64_t max_time(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* For how long a rule's state matters. */
static uint64_t memory_of(const struct event_rule *r)
{
	return max_time(max_time(r->window, r->budget_window),
			max_time(r->cool_down, r->forget));
}

/* -------------------------------------------------------------- rules ---- */

static int valid_steps(const struct event_rule *r)
{
	unsigned int i;

	if (!r->nr_steps || r->nr_steps > EVENT_NR_STEPS)
		return 0;
	for (i = 0; i < r->nr_steps; i++)
		if (r->steps[i] >= EVENT_NR_STEPS || (i && r->steps[i] <= r->steps[i - 1]))
			return 0;
	return 1;
}

static int valid_rule(const struct event_rule *r)
{
	return r->kinds && !(r->kinds >> EVENT_NR_KINDS) && valid_steps(r) &&
	       r->count && r->count <= EVENTS_MAX_COUNT &&
	       r->budget && r->budget <= EVENTS_MAX_COUNT &&
	       memory_of(r) <= EVENTS_MAX_TIME;
}

static int concerns(const struct event_rule *r, uint32_t tenant)
{
	return r->owner == EVENTS_PROVIDER || r->owner == tenant;
}

static size_t count_rules(const struct event_rule *rules, size_t nr, uint32_t tenant)
{
	size_t i, n = 0;

	for (i = 0; i < nr; i++)
		n += concerns(&rules[i], tenant);
	return n;
}

static void begin_tenant(struct event_engine *e, unsigned int place, uint32_t uid)
{
	struct tenant *t = &e->tenants[place];
	size_t i;

	memset(t, 0, sizeof(*t));
	t->uid = uid;
	e->uids[place] = uid;
	e->until[place] = 0;
	for (i = 0; i < e->nr_rules; i++)
		if (concerns(&e->rules[i], uid))
			t->rules[t->nr_rules++] = &e->rules[i];
}

/**
 * events_new() - make an engine
 * @rules:	must stay as they are for as long as the engine is used
 * @nr:		how many
 * @max_tenants: of whom something is remembered at one time, 1 to EVENTS_MAX_TENANTS
 *
 * Return: the engine; NULL with errno: EINVAL, a rule is none or more than
 * EVENTS_MAX_RULES hold for a tenant; ENOMEM.
 */
struct event_engine *events_new(const struct event_rule *rules, size_t nr,
				unsigned int max_tenants)
{
	struct event_engine *e;
	size_t i;

	errno = EINVAL;
	if (!max_tenants || max_tenants > EVENTS_MAX_TENANTS)
		return NULL;
	for (i = 0; i < nr; i++)
		if (!valid_rule(&rules[i]) ||
		    count_rules(rules, nr, rules[i].owner) > EVENTS_MAX_RULES)
			return NULL;
	/* Pages of it are there once they are used. */
	e = calloc(1, sizeof(*e) + (max_tenants + 1) * sizeof(e->tenants[0]));
	if (!e)
		return NULL;
	e->rules = rules;
	e->nr_rules = nr;
	e->max_tenants = max_tenants + 1;
	e->nr_tenants = 1;
	begin_tenant(e, 0, EVENTS_HOST);
	return e;
}

/**
 * events_free() - free an engine
 * @e:		the engine, or NULL
 */
void events_free(struct event_engine *e)
{
	free(e);
}

/**
 * events_counts() - what an engine has done
 * @e:		the engine
 */
const struct event_counts *events_counts(const struct event_engine *e)
{
	return &e->counts;
}

/* ------------------------------------------------------------- tables ---- */

/* A place for a new tenant; -1: something is known of all that have one. */
static int free_tenant(struct event_engine *e)
{
	unsigned int i;

	if (e->nr_tenants < e->max_tenants)
		return e->nr_tenants++;
	for (i = 1; i < e->nr_tenants; i++)
		if (e->until[i] < e->now)
			return i;
	return -1;
}

/* The tenant's place, -1: there is none. */
static int find_tenant(struct event_engine *e, uint32_t uid)
{
	unsigned int i;
	int place;

	for (i = 0; i < e->nr_tenants; i++)
		if (e->uids[i] == uid)
			return i;
	place = free_tenant(e);
	if (place >= 0)
		begin_tenant(e, place, uid);
	return place;
}

/* Whether @a goes before @b when there has to be room. */
static int less_useful(const struct key *a, const struct key *b)
{
	return a->used != b->used ? !a->used : a->until < b->until;
}

/* What the tenant's rule number @rule knows of a VM, made on first sight. */
static struct state *find_state(struct tenant *t, unsigned int rule, uint64_t vm, uint64_t until)
{
	struct key *k, *victim = t->keys;
	struct state *s;

	for (k = t->keys; k < t->keys + EVENTS_STATES; k++) {
		if (k->used && k->rule == rule && k->vm == vm) {
			k->until = until;
			return &t->states[k - t->keys];
		}
		if (less_useful(k, victim))
			victim = k;
	}
	*victim = (struct key){ .vm = vm, .until = until, .rule = rule, .used = 1 };
	s = &t->states[victim - t->keys];
	memset(s, 0, sizeof(*s));
	return s;
}

/* ---------------------------------------------------------- reactions ---- */

/* What the rule's ladder says now.  Nobody's event is no reason to touch a VM. */
static enum event_step next_step(const struct event_rule *r, const struct state *s,
				 uint32_t tenant)
{
	enum event_step step = r->steps[s->level];

	return tenant == EVENTS_HOST && step > STEP_ALERT ? STEP_ALERT : step;
}

/* Returns whether the rule wants a reaction now. */
static int count_event(const struct event_rule *r, struct state *s, uint64_t now)
{
	ring_add(&s->seen, r->count, now);
	if (s->fired && now - s->last > r->forget)
		s->level = 0;
	return ring_full(&s->seen, r->count, now, r->window) &&
	       (!s->fired || now - s->last >= r->cool_down);
}

static struct reaction fire(struct tenant *t, unsigned int rule, struct state *s, uint64_t vm,
			    uint64_t now)
{
	const struct event_rule *r = t->rules[rule];
	struct reaction reaction = {
		next_step(r, s, t->uid), !r->dry_run, t->uid, vm, r
	};

	ring_add(&t->budgets[rule], r->budget, now);
	memset(&s->seen, 0, sizeof(s->seen));
	s->fired = 1;
	s->last = now;
	if (s->level + 1u < r->nr_steps)
		s->level++;
	return reaction;
}

/* Returns 1 and a reaction, or 0. */
static int apply_rule(struct event_engine *e, unsigned int place, unsigned int rule,
		      const struct event *event, struct reaction *ret)
{
	struct tenant *t = &e->tenants[place];
	const struct event_rule *r = t->rules[rule];
	uint64_t vm = r->per_tenant ? 0 : event->vm, until = e->now + memory_of(r);
	struct state *s;

	if (!(r->kinds >> event->kind & 1) || (!r->per_tenant && !vm))
		return 0;
	e->until[place] = max_time(e->until[place], until);
	s = find_state(t, rule, vm, until);
	if (!count_event(r, s, e->now))
		return 0;
	if (ring_full(&t->budgets[rule], r->budget, e->now, r->budget_window)) {
		e->counts.suppressed++;
		return 0;
	}
	*ret = fire(t, rule, s, vm, e->now);
	return 1;
}

/**
 * events_feed() - something happened
 * @e:		the engine
 * @event:	what; a time before that of an event fed earlier counts as that
 * @ret:	EVENTS_MAX_RULES reactions
 *
 * Return: how many reactions there are to it, in the order of the rules.
 */
size_t events_feed(struct event_engine *e, const struct event *event, struct reaction *ret)
{
	unsigned int i;
	size_t n = 0;
	int place;

	e->counts.events++;
	e->now = max_time(e->now, event->time);
	place = event->kind < EVENT_NR_KINDS ? find_tenant(e, event->tenant) : -1;
	if (place < 0) {
		e->counts.dropped++;
		return 0;
	}
	for (i = 0; i < e->tenants[place].nr_rules; i++)
		n += apply_rule(e, place, i, event, ret + n);
	e->counts.reactions += n;
	return n;
}
