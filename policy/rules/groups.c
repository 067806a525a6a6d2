// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules with the user database behind them.
 */
#include <pwd.h>

#include "common/members.h"
#include "policy/rules/rules.h"

/* Of a tenant whose groups nobody knows. */
static int nobody_knows(const char *group, const void *context)
{
	return -1;
}

/**
 * rules_ask() - rules_opinion() with the groups that the tenant is in
 * @r:		the file
 * @q:		the request
 * @trace:	told of each rule, NULL: nobody wants to know
 * @to:		for @trace
 * @ret:	gets the opinion
 *
 * Context: waits for the user database if a rule names a group, and only then.
 */
void rules_ask(const struct rules *r, const struct request *q, rules_trace_t trace, void *to,
	       struct opinion *ret)
{
	const struct passwd *pw = rules_names_group(r) ? getpwnam(q->tenant) : NULL;
	struct members groups = { NULL, 0 };
	struct rules_context context = { nobody_knows, &groups, trace, to };

	if (pw && !members_find(q->tenant, pw->pw_gid, &groups))
		context.is_member = members_are_in;
	rules_opinion(r, q, &context, ret);
	members_free(&groups);
}
