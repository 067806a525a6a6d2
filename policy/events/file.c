// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules about events from a file, see kvm-split-events.conf(5).
 *
 * Invariant: what is taken from a file is what events_new() takes.
 */
#include <string.h>

#include "common/array_size.h"
#include "common/daemon.h"
#include "policy/events/file.h"

/**
 * struct reader - a file while it is read
 * @f:		must be the first member
 * @owner:	of the rules
 * @rules:	what there is, the last one of which is being read
 * @nr:		how many
 * @max:	how many there may be
 */
struct reader {
	struct yaml_file f;
	uint32_t owner;
	struct event_rule *rules;
	size_t nr, max;
};

static struct reader *reader_of(struct yaml_file *f)
{
	return (struct reader *)f;
}

static struct event_rule *rule_of(struct yaml_file *f)
{
	return &reader_of(f)->rules[reader_of(f)->nr - 1];
}

static const struct event_rule defaults = {
	.count = 1, .window = 60 * EVENTS_SECOND, .forget = 3600 * EVENTS_SECOND,
	.budget = 4, .budget_window = 3600 * EVENTS_SECOND,
};

/* ------------------------------------------------------------- values ---- */

static void refuse(struct yaml_file *f, const char *key, const yaml_node_t *node,
		   const char *text, const char *valid)
{
	yaml_complain(f, yaml_line(node), "%s: '%s' is not %s", key, text, valid);
}

/* "90s", "10m", "1h", "7d" in nanoseconds; -1 */
static long long parse_time(const char *text)
{
	static const struct {
		char unit;
		int seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	size_t i, len = strlen(text);
	char digits[8] = "";
	long long n;

	if (len < 2 || len > sizeof(digits))
		return -1;
	memcpy(digits, text, len - 1);
	for (i = 0; i < ARRAY_SIZE(units); i++) {
		if (units[i].unit != text[len - 1])
			continue;
		n = parse_number(digits, EVENTS_MAX_TIME / EVENTS_SECOND / units[i].seconds);
		return n < 0 ? -1 : n * units[i].seconds * (long long)EVENTS_SECOND;
	}
	return -1;
}

static void set_time(struct yaml_file *f, const char *key, const yaml_node_t *node,
		     uint64_t *ret)
{
	const char *text = yaml_text(f, key, node);
	long long n = text ? parse_time(text) : -1;

	if (n >= 0)
		*ret = n;
	else if (text)
		refuse(f, key, node, text, "a time of 7d at most, as 90s, 10m or 1h");
}

static void set_count(struct yaml_file *f, const char *key, const yaml_node_t *node,
		      unsigned int *ret)
{
	const char *text = yaml_text(f, key, node);
	long long n = text ? parse_number(text, EVENTS_MAX_COUNT) : -1;

	if (n > 0)
		*ret = n;
	else if (text)
		refuse(f, key, node, text, "a number from 1 to 16");
}

/* One of two words; @ret gets which. */
static void set_word(struct yaml_file *f, const char *key, const yaml_node_t *node,
		     const char *no, const char *yes, int *ret)
{
	const char *text = yaml_text(f, key, node);

	if (!text)
		return;
	*ret = !strcmp(text, yes);
	if (!*ret && strcmp(text, no))
		yaml_complain(f, yaml_line(node), "%s: '%s' is neither %s nor %s", key, text, no,
			      yes);
}

static void add_kind(struct yaml_file *f, const char *key, const yaml_node_t *node, void *to)
{
	const char *text = yaml_text(f, key, node);
	int kind = text ? events_kind_by_name(text) : -1;

	if (kind >= 0)
		rule_of(f)->kinds |= 1u << kind;
	else if (text)
		refuse(f, key, node, text, "a kind of event");
}

static void add_step(struct yaml_file *f, const char *key, const yaml_node_t *node, void *to)
{
	const char *text = yaml_text(f, key, node);
	int step = text ? events_step_by_name(text) : -1;
	struct event_rule *r = rule_of(f);

	if (!text)
		return;
	if (step < 0)
		refuse(f, key, node, text, "something to do");
	else if (r->nr_steps && (int)r->steps[r->nr_steps - 1] >= step)
		yaml_complain(f, yaml_line(node), "%s: '%s' is not stronger than '%s' before it",
			      key, text, events_step_name(r->steps[r->nr_steps - 1]));
	else
		r->steps[r->nr_steps++] = step;
}

/* --------------------------------------------------------------- keys ---- */

enum key { ON, COUNT, WITHIN, PER, DO, COOL_DOWN, FORGET, BUDGET, BUDGET_TIME, DRY_RUN, NR_KEYS };

static const char * const names[NR_KEYS] = {
	[ON] = "on", [COUNT] = "count", [WITHIN] = "within", [PER] = "per", [DO] = "do",
	[COOL_DOWN] = "cool-down", [FORGET] = "forget", [BUDGET] = "budget",
	[BUDGET_TIME] = "budget-time", [DRY_RUN] = "dry-run",
};

static int find_key(struct yaml_file *f, const char *name)
{
	int k;

	for (k = 0; k < NR_KEYS; k++)
		if (!strcmp(names[k], name))
			return k;
	return -1;
}

static void set_key(struct yaml_file *f, int key, const char *name, const yaml_node_t *value)
{
	struct event_rule *r = rule_of(f);

	switch (key) {
	case ON:
		return yaml_list(f, name, value, add_kind, NULL);
	case COUNT:
		return set_count(f, name, value, &r->count);
	case WITHIN:
		return set_time(f, name, value, &r->window);
	case PER:
		return set_word(f, name, value, "vm", "tenant", &r->per_tenant);
	case DO:
		return yaml_list(f, name, value, add_step, NULL);
	case COOL_DOWN:
		return set_time(f, name, value, &r->cool_down);
	case FORGET:
		return set_time(f, name, value, &r->forget);
	case BUDGET:
		return set_count(f, name, value, &r->budget);
	case BUDGET_TIME:
		return set_time(f, name, value, &r->budget_window);
	case DRY_RUN:
		return set_word(f, name, value, "no", "yes", &r->dry_run);
	}
}

static void read_rule(struct yaml_file *f, const char *key, const yaml_node_t *node, void *to)
{
	static const struct yaml_keys keys = { find_key, set_key };
	struct reader *reader = reader_of(f);
	unsigned long lines[YAML_MAX_KEYS];
	struct event_rule *r;

	if (reader->nr == reader->max) {
		yaml_complain(f, yaml_line(node), "%s: more than %zu", key, reader->max);
		return;
	}
	r = &reader->rules[reader->nr++];
	*r = defaults;
	r->owner = reader->owner;
	r->file = f->path;
	r->line = yaml_line(node);
	yaml_mapping(f, node, &keys, lines);
	if (!lines[ON] || !lines[DO])
		yaml_complain(f, r->line, "a rule needs 'on' and 'do'");
	else if (!f->errors && (!r->kinds || !r->nr_steps))
		yaml_complain(f, r->line, "a rule without a kind of event or anything to do");
}

static int find_rules(struct yaml_file *f, const char *name)
{
	return strcmp(name, "rules") ? -1 : 0;
}

static void set_rules(struct yaml_file *f, int key, const char *name, const yaml_node_t *value)
{
	/* "rules:" with nothing but comments below it */
	if (value->type == YAML_SCALAR_NODE && !value->data.scalar.length)
		return;
	yaml_list(f, name, value, read_rule, NULL);
}

static void read_root(struct yaml_file *f, const yaml_node_t *root)
{
	static const struct yaml_keys keys = { find_rules, set_rules };
	unsigned long lines[YAML_MAX_KEYS];

	yaml_mapping(f, root, &keys, lines);
}

/**
 * events_read() - read a file of rules
 * @path:	of a file, which need not be there; the rules keep it
 * @owner:	uid of the tenant whose rules they are, or EVENTS_PROVIDER
 * @ret:	EVENTS_PROVIDER_RULES or EVENTS_TENANT_RULES rules
 * @report:	called with each complaint, "FILE:LINE: reason"
 *
 * Return: how many rules; -1 if there was a complaint: then none of them counts.
 */
int events_read(const char *path, uint32_t owner, struct event_rule *ret,
		config_report_t report)
{
	struct reader r = {
		.f = { .path = path, .report = report }, .owner = owner, .rules = ret,
		.max = owner == EVENTS_PROVIDER ? EVENTS_PROVIDER_RULES : EVENTS_TENANT_RULES,
	};

	yaml_read(&r.f, 0, read_root);
	return r.f.errors ? -1 : (int)r.nr;
}
