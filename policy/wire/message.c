// SPDX-License-Identifier: GPL-2.0-only
/*
 * io.kvmsplit.Policy in JSON.
 *
 * Invariant: a member of another type than the interface has is a mistake of the whole
 * message; null, or a member that is missing where it may be, says nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/wire/message.h"

/* A member that may be missing. */
static void add_text(json_t *to, const char *key, const char *text)
{
	if (text)
		json_object_set_new(to, key, json_string(text));
}

static void add_number(json_t *to, const char *key, int64_t n, int64_t nothing)
{
	if (n != nothing)
		json_object_set_new(to, key, json_integer(n));
}

/**
 * message_request() - the parameters of Decide and Explain
 * @q:		the request
 */
json_t *message_request(const struct request *q)
{
	json_t *vm = json_pack("{s:s}", "tenant", q->tenant), *client = json_object();

	add_text(vm, "domain", q->domain);
	add_text(client, "exe", q->exe);
	add_text(client, "unit", q->unit);
	if (json_object_size(client))
		json_object_set(vm, "client", client);
	json_decref(client);
	add_number(vm, "worker", q->worker, POLICY_UNKNOWN);
	add_number(vm, "vms", q->vms, POLICY_UNKNOWN);
	add_number(vm, "vcpus", q->vcpus, POLICY_UNKNOWN);
	add_number(vm, "memory", q->memory, POLICY_UNKNOWN);
	return json_pack("{s:s, s:o}", "op", policy_op_name(q->op), "vm", vm);
}

/* A string that may be missing or null; 0: it is something else. */
static int get_text(const json_t *from, const char *key, const char **ret)
{
	const json_t *v = json_object_get(from, key);

	*ret = json_string_value(v);
	return !v || json_is_null(v) || *ret;
}

/* A number from 0 that may be missing or null; 0: it is something else. */
static int get_number(const json_t *from, const char *key, int64_t nothing, int64_t *ret)
{
	const json_t *v = json_object_get(from, key);

	*ret = json_is_integer(v) ? json_integer_value(v) : nothing;
	return !v || json_is_null(v) || (json_is_integer(v) && *ret >= 0);
}

/**
 * message_to_request() - a request from the parameters of Decide and Explain
 * @parameters:	valid as long as the request is; NULL: none
 * @ret:	gets the request
 *
 * Return: NULL, or which parameter is wrong.
 */
const char *message_to_request(const json_t *parameters, struct request *ret)
{
	const char *op = json_string_value(json_object_get(parameters, "op"));
	const json_t *vm = json_object_get(parameters, "vm");
	const json_t *client = json_object_get(vm, "client");
	int nr = op ? policy_op_by_name(op) : -1;

	if (nr < 0)
		return "op";
	ret->op = nr;
	ret->tenant = json_string_value(json_object_get(vm, "tenant"));
	if (!ret->tenant || !*ret->tenant)
		return "vm.tenant";
	if (client && !json_is_null(client) && !json_is_object(client))
		return "vm.client";
	if (!get_text(vm, "domain", &ret->domain) || !get_text(client, "exe", &ret->exe) ||
	    !get_text(client, "unit", &ret->unit) ||
	    !get_number(vm, "worker", POLICY_UNKNOWN, &ret->worker) ||
	    !get_number(vm, "vms", POLICY_UNKNOWN, &ret->vms) ||
	    !get_number(vm, "vcpus", POLICY_UNKNOWN, &ret->vcpus) ||
	    !get_number(vm, "memory", POLICY_UNKNOWN, &ret->memory))
		return "vm";
	return NULL;
}

/**
 * message_opinion() - what Decide returns, of an opinion
 * @o:		the opinion
 */
json_t *message_opinion(const struct opinion *o)
{
	json_t *m = json_pack("{s:s, s:s}", "verdict", policy_verdict_name(o->verdict),
			      "reason", o->reason);

	if (o->file) {
		add_text(m, "file", o->file);
		add_number(m, "line", o->line, 0);
	}
	add_number(m, "max_vcpus", o->max_vcpus, POLICY_NO_LIMIT);
	add_number(m, "max_memory", o->max_memory, POLICY_NO_LIMIT);
	return m;
}

/**
 * message_decision() - what Decide returns, of a decision
 * @d:		the decision
 */
json_t *message_decision(const struct decision *d)
{
	json_t *m = message_opinion(&d->opinion);

	add_text(m, "whose", policy_owner_name(d->whose));
	return m;
}

/**
 * message_refusal() - why something is denied
 * @parameters:	of a reply, a decision
 * @ret:	gets "denied by provider: too big", say
 * @size:	of @ret
 */
void message_refusal(const json_t *parameters, char *ret, size_t size)
{
	const char *whose = json_string_value(json_object_get(parameters, "whose"));
	const char *reason = json_string_value(json_object_get(parameters, "reason"));
	char why[2 * POLICY_REASON];

	snprintf(why, sizeof(why), "denied by %s%s%s", whose ? whose : "policy",
		 reason && *reason ? ": " : "", reason ? reason : "");
	policy_clean(ret, size, why);
}

/**
 * message_to_opinion() - an opinion from what Decide returned
 * @parameters:	of the reply; NULL: none
 * @ret:	gets the opinion.  Its rule is not taken over: that is in a file of the
 *		other side's, if it is anywhere
 *
 * Return: 0, or -EBADMSG: that is none.
 */
int message_to_opinion(const json_t *parameters, struct opinion *ret)
{
	const char *verdict = json_string_value(json_object_get(parameters, "verdict"));
	const char *reason;
	int v = verdict ? policy_verdict_by_name(verdict) : -1;

	memset(ret, 0, sizeof(*ret));
	if (v < 0 || v == VERDICT_ASK || !get_text(parameters, "reason", &reason) ||
	    !get_number(parameters, "max_vcpus", POLICY_NO_LIMIT, &ret->max_vcpus) ||
	    !get_number(parameters, "max_memory", POLICY_NO_LIMIT, &ret->max_memory))
		return -EBADMSG;
	ret->verdict = v;
	policy_set_reason(ret, reason ? reason : "");
	return 0;
}
