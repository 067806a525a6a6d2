// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules and requests: the first rule that matches says what holds.
 *
 * Invariant: what cannot be told never helps the asker.  A condition about something
 * that is not known does not hold, but for a group of which nobody knows the members:
 * that one holds in a rule that denies.
 */
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/rules/file.h"
#include "policy/rules/rules.h"

/* A look at one rule: what it is about, and what has come out so far. */
struct look {
	const struct rule *rule;
	const struct request *q;
	const struct rules_context *context;
	const char *failed;	/* condition that does not hold, NULL: all do */
};

static void check_tenant(struct look *l)
{
	int in;

	if (!l->rule->tenants)
		return;
	in = config_in_list(l->rule->tenants, l->q->tenant, l->context->is_member,
			    l->context->groups);
	if (!in || (in < 0 && l->rule->verdict != VERDICT_DENY))
		l->failed = "tenant";
}

static void check_glob(struct look *l, enum rule_glob which, const char *value)
{
	char **glob = l->rule->globs[which];

	if (!glob)
		return;
	for (; value && *glob; glob++)
		if (!fnmatch(*glob, value, 0))
			return;
	l->failed = rule_glob_name(which);
}

static void check_over(struct look *l, enum rule_over which, int64_t value)
{
	if (l->rule->over[which] != POLICY_UNKNOWN && value <= l->rule->over[which])
		l->failed = rule_over_name(which);
}

/* NULL, or which of the rule's conditions does not hold. */
static const char *failing(const struct rule *rule, const struct request *q,
			   const struct rules_context *context)
{
	struct look l = { rule, q, context, NULL };

	if (!(rule->ops & 1u << q->op))
		return "on";
	check_tenant(&l);
	check_glob(&l, GLOB_DOMAIN, q->domain);
	check_glob(&l, GLOB_EXE, q->exe);
	check_glob(&l, GLOB_UNIT, q->unit);
	check_over(&l, OVER_VMS, q->vms);
	check_over(&l, OVER_VCPUS, q->vcpus);
	check_over(&l, OVER_MEMORY, q->memory);
	return l.failed;
}

static void __attribute__((format(printf, 4, 5)))
trace(const struct rules *r, unsigned long line, const struct rules_context *context,
      const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	if (!context->trace)
		return;
	n = snprintf(text, sizeof(text), line ? "%s:%lu: " : "%s: ", r->file, line);
	if (n < (int)sizeof(text)) {
		va_start(ap, fmt);
		vsnprintf(text + n, sizeof(text) - n, fmt, ap);
		va_end(ap);
	}
	context->trace(text, context->to);
}

static void take(const struct rules *r, const struct rule *rule, struct opinion *ret)
{
	ret->verdict = rule->verdict;
	ret->max_vcpus = rule->max_vcpus;
	ret->max_memory = rule->max_memory;
	ret->file = r->file;
	ret->line = rule->line;
	policy_set_reason(ret, rule->why ? rule->why : "");
}

/**
 * rules_opinion() - what a file says to a request
 * @r:		the file
 * @q:		the request
 * @context:	who is in which group, who wants to know how it came about
 * @ret:	gets the first matching rule's verdict.  If there is none: in a tenant's
 *		file the default, in the provider's none, as its default is the arbiter's
 */
void rules_opinion(const struct rules *r, const struct request *q,
		   const struct rules_context *context, struct opinion *ret)
{
	const struct rule *rule;
	const char *failed;

	memset(ret, 0, sizeof(*ret));
	ret->max_vcpus = ret->max_memory = POLICY_NO_LIMIT;
	for (rule = r->rule; rule < r->rule + r->nr; rule++) {
		failed = failing(rule, q, context);
		if (!failed) {
			take(r, rule, ret);
			trace(r, rule->line, context, "matches: %s",
			      policy_verdict_name(rule->verdict));
			return;
		}
		if (rule->ops & 1u << q->op)
			trace(r, rule->line, context, "does not match: %s", failed);
	}
	trace(r, 0, context, "no rule matches: %s", policy_verdict_name(r->def));
	if (r->kind == RULES_TENANT)
		ret->verdict = r->def;
}

/**
 * rules_arbitration() - what the provider's file says of a kind of decision
 * @r:		the provider's
 * @op:		the kind
 */
struct arbitration rules_arbitration(const struct rules *r, enum policy_op op)
{
	return (struct arbitration){
		.op = op, .owner = r->owner[op], .def = r->def, .no_answer = r->no_answer,
	};
}

/**
 * rules_names_group() - does a rule depend on who is in a group?
 * @r:		the file
 *
 * Return: 1 or 0: nobody needs to look up a tenant's groups.
 */
int rules_names_group(const struct rules *r)
{
	const struct rule *rule;
	char **t;

	for (rule = r->rule; rule < r->rule + r->nr; rule++)
		for (t = rule->tenants; t && *t; t++)
			if (**t == '@')
				return 1;
	return 0;
}
