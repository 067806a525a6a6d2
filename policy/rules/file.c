// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading a file of rules; kvm-split-policy.conf(5) has its keys.
 *
 * Invariants: a file counts as a whole or not at all; no file makes the provider the
 * one who permits a look into a tenant's VM.
 */
#include <stdlib.h>
#include <string.h>

#include "common/array_size.h"
#include "common/daemon.h"
#include "policy/rules/file.h"
#include "policy/rules/rules.h"

#define MAX_VCPUS	65536

/* A file while it is read, and the rule at hand. */
struct reading {
	struct yaml_file f;
	struct rules *rules;
	struct rule *rule;
};

/* The one whose first member this is. */
static struct reading *reading_of(struct yaml_file *f)
{
	return (struct reading *)f;
}

struct key {
	const char *name;
	void (*set)(struct yaml_file *f, const char *name, const yaml_node_t *value);
	int provider;		/* not of a tenant's file */
	int which;		/* rule_glob or rule_over */
};

static int find_key(const struct key *keys, size_t nr, struct yaml_file *f, const char *name)
{
	const int provider = reading_of(f)->rules->kind == RULES_PROVIDER;
	size_t i;

	for (i = 0; i < nr; i++)
		if (!strcmp(keys[i].name, name) && (provider || !keys[i].provider))
			return i;
	return -1;
}

/* ------------------------------------------------------ conditions ------- */

static void set_tenants(struct yaml_file *f, const char *name, const yaml_node_t *value)
{
	config_users(f, name, value, &reading_of(f)->rule->tenants);
}

static void add_glob(struct yaml_file *f, const char *key, const yaml_node_t *node, void *to)
{
	const char *text = yaml_text(f, key, node);
	char **list = to;

	while (*list)
		list++;
	*list = text ? strdup(text) : NULL;
}

static void set_glob(struct yaml_file *f, const char *name, const yaml_node_t *value);

static void set_over(struct yaml_file *f, const char *name, const yaml_node_t *value);

static const struct key conditions[] = {
	{ "tenant", set_tenants, 1, 0 },
	{ "domain", set_glob, 0, GLOB_DOMAIN },
	{ "exe", set_glob, 0, GLOB_EXE },
	{ "unit", set_glob, 0, GLOB_UNIT },
	{ "vms-over", set_over, 0, OVER_VMS },
	{ "vcpus-over", set_over, 0, OVER_VCPUS },
	{ "memory-over", set_over, 0, OVER_MEMORY },
};

static int condition(struct yaml_file *f, const char *name)
{
	return find_key(conditions, ARRAY_SIZE(conditions), f, name);
}

static void set_glob(struct yaml_file *f, const char *name, const yaml_node_t *value)
{
	char ***list = &reading_of(f)->rule->globs[conditions[condition(f, name)].which];

	*list = calloc(yaml_length(value) + 1, sizeof(**list));
	if (*list)
		yaml_list(f, name, value, add_glob, *list);
	else
		yaml_complain(f, 0, "no memory");
}

/* A size if it is one of memory, else a number; POLICY_UNKNOWN, and a complaint, if neither. */
static int64_t number(struct yaml_file *f, const char *name, const yaml_node_t *value, int memory)
{
	const char *text = yaml_text(f, name, value);
	int64_t n;

	if (!text)
		return POLICY_UNKNOWN;
	n = memory ? config_parse_size(text) : parse_number(text, MAX_VCPUS);
	if (n < 0)
		yaml_complain(f, yaml_line(value), "%s: '%s' is not %s", name, text,
			      memory ? "a size (at least 1M; with K, M, G or T)" :
				       "a number up to 65536");
	return n;
}

static void set_over(struct yaml_file *f, const char *name, const yaml_node_t *value)
{
	const int which = conditions[condition(f, name)].which;

	reading_of(f)->rule->over[which] = number(f, name, value, which == OVER_MEMORY);
}

static void set_condition(struct yaml_file *f, int k, const char *name, const yaml_node_t *value)
{
	conditions[k].set(f, name, value);
}

/* The two below count on the order of conditions[]: tenant, patterns, numbers. */

/**
 * rule_glob_name() - the name of a condition
 * @which:	which of those that are patterns
 */
const char *rule_glob_name(enum rule_glob which)
{
	return conditions[1 + which].name;
}

/**
 * rule_over_name() - the name of a condition
 * @which:	which of those that are numbers
 */
const char *rule_over_name(enum rule_over which)
{
	return conditions[4 + which].name;
}

/* ----------------------------------------------------------- rules ------- */

static void add_op(struct yaml_file *f, const char *key, const yaml_node_t *node, void *to)
{
	const char *text = yaml_text(f, key, node);
	uint32_t *ops = to;
	int op;

	if (!text)
		return;
	op = policy_op_by_name(text);
	if (!strcmp(text, "*"))
		*ops = ~0u;
	else if (op < 0)
		yaml_complain(f, yaml_line(node), "%s: there is no decision '%s'", key, text);
	else
		*ops |= 1u << op;
}

static void set_on(struct yaml_file *f, const char *name, const yaml_node_t *value)
{
	uint32_t *ops = &reading_of(f)->rule->ops;

	if (value->type == YAML_SCALAR_NODE)
		add_op(f, name, value, ops);
	else
		yaml_list(f, name, value, add_op, ops);
}

static void set_if(struct yaml_file *f, const char *name, const yaml_node_t *value)
{
	static const struct yaml_keys keys = { condition, set_condition };
	unsigned long lines[YAML_MAX_KEYS];

	yaml_mapping(f, value, &keys, lines);
}

/* @ask: may it be? */
static enum verdict verdict_of(struct yaml_file *f, const char *name, const yaml_node_t *value,
			       int ask)
{
	const char *text = yaml_text(f, name, value);
	int v = text ? policy_verdict_by_name(text) : VERDICT_NONE;

	if (v == VERDICT_ALLOW || v == VERDICT_DENY || (ask && v == VERDICT_ASK))
		return v;
	if (text)
		yaml_complain(f, yaml_line(value), "%s: '%s' is not allow%s deny", name, text,
			      ask ? ", ask or" : " or");
	return VERDICT_NONE;
}

static void set_do(struct yaml_file *f, const char *name, const yaml_node_t *value)
{
	struct reading *r = reading_of(f);

	r->rule->verdict = verdict_of(f, name, value, r->rules->kind == RULES_PROVIDER);
}

static void set_why(struct yaml_file *f, const char *name, const yaml_node_t *value)
{
	const char *text = yaml_text(f, name, value);

	if (text && strlen(text) >= POLICY_REASON)
		yaml_complain(f, yaml_line(value), "%s: longer than %d bytes", name,
			      POLICY_REASON - 1);
	else if (text)
		reading_of(f)->rule->why = strdup(text);
}

static void set_max_vcpus(struct yaml_file *f, const char *name, const yaml_node_t *value)
{
	reading_of(f)->rule->max_vcpus = number(f, name, value, 0);
}

static void set_max_memory(struct yaml_file *f, const char *name, const yaml_node_t *value)
{
	reading_of(f)->rule->max_memory = number(f, name, value, 1);
}

enum { RULE_ON, RULE_IF, RULE_DO, RULE_WHY, RULE_MAX_VCPUS, RULE_MAX_MEMORY };

static const struct key rule_keys[] = {
	[RULE_ON] = { "on", set_on, 0, 0 },
	[RULE_IF] = { "if", set_if, 0, 0 },
	[RULE_DO] = { "do", set_do, 0, 0 },
	[RULE_WHY] = { "why", set_why, 0, 0 },
	[RULE_MAX_VCPUS] = { "max-vcpus", set_max_vcpus, 0, 0 },
	[RULE_MAX_MEMORY] = { "max-memory", set_max_memory, 0, 0 },
};

static int rule_key(struct yaml_file *f, const char *name)
{
	return find_key(rule_keys, ARRAY_SIZE(rule_keys), f, name);
}

static void set_rule_key(struct yaml_file *f, int k, const char *name, const yaml_node_t *value)
{
	rule_keys[k].set(f, name, value);
}

static void check_rule(struct yaml_file *f, const struct rule *rule, const unsigned long *lines)
{
	if (!lines[RULE_ON] || !lines[RULE_DO])
		yaml_complain(f, rule->line, "a rule needs 'on' and 'do'");
	else if (rule->verdict == VERDICT_DENY && (lines[RULE_MAX_VCPUS] || lines[RULE_MAX_MEMORY]))
		yaml_complain(f, rule->line, "a rule that denies has no limits");
}

static void add_rule(struct yaml_file *f, const char *key, const yaml_node_t *node, void *to)
{
	static const struct yaml_keys keys = { rule_key, set_rule_key };
	unsigned long lines[YAML_MAX_KEYS];
	struct rules *rules = to;
	struct rule *rule = &rules->rule[rules->nr++];
	int i;

	rule->line = yaml_line(node);
	rule->max_vcpus = rule->max_memory = POLICY_NO_LIMIT;
	for (i = 0; i < (int)ARRAY_SIZE(rule->over); i++)
		rule->over[i] = POLICY_UNKNOWN;
	reading_of(f)->rule = rule;
	yaml_mapping(f, node, &keys, lines);
	check_rule(f, rule, lines);
}

/* ------------------------------------------------------------ file ------- */

static void set_rules(struct yaml_file *f, const char *name, const yaml_node_t *value)
{
	struct rules *rules = reading_of(f)->rules;

	if (value->type == YAML_SCALAR_NODE && !value->data.scalar.length)
		return;		/* nothing but comments below it */
	rules->rule = calloc(yaml_length(value) + 1, sizeof(*rules->rule));
	if (rules->rule)
		yaml_list(f, name, value, add_rule, rules);
	else
		yaml_complain(f, 0, "no memory");
}

static void set_default(struct yaml_file *f, const char *name, const yaml_node_t *value)
{
	reading_of(f)->rules->def = verdict_of(f, name, value, 0);
}

static void set_no_answer(struct yaml_file *f, const char *name, const yaml_node_t *value)
{
	reading_of(f)->rules->no_answer = verdict_of(f, name, value, 0);
}

static void set_owner(struct yaml_file *f, int op, const char *name, const yaml_node_t *value)
{
	const char *text = yaml_text(f, name, value);
	int owner = text ? policy_owner_by_name(text) : OWNER_TENANT;

	if (owner < 0)
		yaml_complain(f, yaml_line(value), "%s: '%s' is not provider, tenant or both",
			      name, text);
	else if (owner == OWNER_PROVIDER && policy_is_look(op))
		yaml_complain(f, yaml_line(value),
			      "%s: the provider alone cannot permit a look into a tenant's VM",
			      name);
	else
		reading_of(f)->rules->owner[op] = owner;
}

static int owner_key(struct yaml_file *f, const char *name)
{
	return policy_op_by_name(name);
}

static void set_owners(struct yaml_file *f, const char *name, const yaml_node_t *value)
{
	static const struct yaml_keys keys = { owner_key, set_owner };
	unsigned long lines[YAML_MAX_KEYS];

	_Static_assert(POLICY_NR_OPS <= YAML_MAX_KEYS, "a line for each");
	yaml_mapping(f, value, &keys, lines);
}

static const struct key file_keys[] = {
	{ "default", set_default, 0, 0 },
	{ "no-answer", set_no_answer, 1, 0 },
	{ "owners", set_owners, 1, 0 },
	{ "rules", set_rules, 0, 0 },
};

static int file_key(struct yaml_file *f, const char *name)
{
	return find_key(file_keys, ARRAY_SIZE(file_keys), f, name);
}

static void set_file_key(struct yaml_file *f, int k, const char *name, const yaml_node_t *value)
{
	file_keys[k].set(f, name, value);
}

static void read_root(struct yaml_file *f, const yaml_node_t *root)
{
	static const struct yaml_keys keys = { file_key, set_file_key };
	unsigned long lines[YAML_MAX_KEYS];

	yaml_mapping(f, root, &keys, lines);
}

static void set_defaults(struct rules *r, enum rules_kind kind)
{
	int op;

	r->kind = kind;
	r->def = kind == RULES_PROVIDER ? VERDICT_ALLOW : VERDICT_NONE;
	r->no_answer = VERDICT_DENY;
	for (op = 0; op < POLICY_NR_OPS; op++)
		r->owner[op] = policy_is_look(op) ? OWNER_TENANT : OWNER_PROVIDER;
}

/**
 * rules_load() - read a file of rules
 * @file:	its path; opinions refer to it, so it must stay valid
 * @kind:	whose it is
 * @must_exist:	a file that is not there is a mistake, not one without rules
 * @ret:	gets the rules, for rules_free()
 * @report:	called with each complaint, "FILE:LINE: reason"
 *
 * Return: 0; -1, with nothing in @ret, if there was a complaint.
 */
int rules_load(const char *file, enum rules_kind kind, int must_exist, struct rules *ret,
	       config_report_t report)
{
	struct reading r = { .f = { .path = file, .report = report }, .rules = ret };

	memset(ret, 0, sizeof(*ret));
	set_defaults(ret, kind);
	ret->file = file;
	yaml_read(&r.f, must_exist, read_root);
	if (!r.f.errors)
		return 0;
	rules_free(ret);
	return -1;
}

/**
 * rules_free() - free what rules_load() made
 * @r:		the rules
 */
void rules_free(struct rules *r)
{
	struct rule *rule;
	size_t i;

	for (rule = r->rule; rule < r->rule + r->nr; rule++) {
		config_free_users(rule->tenants);
		for (i = 0; i < ARRAY_SIZE(rule->globs); i++)
			config_free_users(rule->globs[i]);
		free(rule->why);
	}
	free(r->rule);
	memset(r, 0, sizeof(*r));
}
