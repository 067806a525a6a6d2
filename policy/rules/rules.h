/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file of rules: the provider's, or a tenant's.
 */
#ifndef POLICY_RULES_H
#define POLICY_RULES_H

#include <stddef.h>

#include "common/config.h"
#include "policy/arbiter/arbiter.h"
#include "policy/policy.h"

#define POLICY_FILE	"/etc/kvm-split/policy.conf"	/* the provider's */

enum rules_kind { RULES_PROVIDER, RULES_TENANT };

/**
 * struct rule - one of a file
 * @line:	where it begins
 * @ops:	kinds of decisions, one bit each
 * @verdict:	what it says; VERDICT_NONE: a mistake
 * @why:	reason, NULL
 * @tenants:	users; NULL: all
 * @globs:	patterns of domain, exe and unit; NULL: any
 * @over:	more than so many VMs, vCPUs, bytes; POLICY_UNKNOWN: no matter
 * @max_vcpus:	what is allowed at most
 * @max_memory:	likewise, bytes
 */
struct rule {
	unsigned long line;
	uint32_t ops;
	enum verdict verdict;
	char *why;
	char **tenants;
	char **globs[3];
	int64_t over[3];
	int64_t max_vcpus, max_memory;
};

/**
 * struct rules - a file of them
 * @file:	its path, as rules_load() got it
 * @kind:	whose it is
 * @rule:	in the file's order; the first one that matches counts
 * @nr:		how many
 * @def:	what holds where none matches
 * @no_answer:	what holds if the tenant is asked and says nothing
 * @owner:	whose answer each kind of decision is
 */
struct rules {
	const char *file;
	enum rules_kind kind;
	struct rule *rule;
	size_t nr;
	enum verdict def, no_answer;
	enum owner owner[POLICY_NR_OPS];
};

/**
 * typedef rules_trace_t - told of each rule on this kind of decision
 * @line:	"FILE:LINE: what it came to"
 * @context:	of rules_opinion()
 */
typedef void (*rules_trace_t)(const char *line, void *context);

/**
 * struct rules_context - what a look at rules may use
 * @is_member:	tells of which groups the tenant is a member
 * @groups:	for @is_member
 * @trace:	told of each rule; NULL: nobody wants to know
 * @to:		for @trace
 */
struct rules_context {
	config_member_t is_member;
	const void *groups;
	rules_trace_t trace;
	void *to;
};

int rules_load(const char *file, enum rules_kind kind, int must_exist, struct rules *ret,
	       config_report_t report);
void rules_free(struct rules *r);
void rules_opinion(const struct rules *r, const struct request *q,
		   const struct rules_context *context, struct opinion *ret);
void rules_ask(const struct rules *r, const struct request *q, rules_trace_t trace, void *to,
	       struct opinion *ret);
struct arbitration rules_arbitration(const struct rules *r, enum policy_op op);
int rules_names_group(const struct rules *r);

#endif /* POLICY_RULES_H */
