// SPDX-License-Identifier: GPL-2.0-only
/*
 * policy/wire: a message of an asker's or of a tenant's service.
 *
 * Properties: what is taken is no deeper than it may be and can be written; a request
 * that is taken comes back the same; numbers are not negative; an opinion is one that
 * a tenant may have, with a reason that does nothing to a terminal.
 */
#include "fuzz.h"
#include "policy/wire/message.h"
#include "policy/wire/wire.h"

static int depth(const json_t *o)
{
	int most = 0, n;
	const char *key;
	json_t *v;
	size_t i;

	json_object_foreach((json_t *)o, key, v) {
		n = depth(v);
		most = n > most ? n : most;
	}
	json_array_foreach(o, i, v) {
		n = depth(v);
		most = n > most ? n : most;
	}
	return most + (json_is_object(o) || json_is_array(o));
}

static void same(const char *a, const char *b)
{
	EQ(!a, !b);
	if (a)
		EQ(strcmp(a, b), 0);
}

static void check_request(const json_t *parameters)
{
	struct request q, again;
	json_t *m;

	if (message_to_request(parameters, &q))
		return;
	HOLDS(q.op < POLICY_NR_OPS && *q.tenant);
	HOLDS(q.vms >= POLICY_UNKNOWN && q.vcpus >= POLICY_UNKNOWN);
	HOLDS(q.memory >= POLICY_UNKNOWN && q.worker >= POLICY_UNKNOWN);
	m = message_request(&q);
	HOLDS(!message_to_request(m, &again));
	EQ(again.op, q.op);
	EQ(again.worker, q.worker);
	EQ(again.vms, q.vms);
	EQ(again.vcpus, q.vcpus);
	EQ(again.memory, q.memory);
	same(again.tenant, q.tenant);
	same(again.domain, q.domain);
	same(again.exe, q.exe);
	same(again.unit, q.unit);
	json_decref(m);
}

static void check_opinion(const json_t *parameters)
{
	char why[2 * POLICY_REASON];
	struct opinion o;
	const char *c;

	message_refusal(parameters, why, sizeof(why));
	for (c = why; *c; c++)
		HOLDS((unsigned char)*c >= 0x20 && *c != 0x7f);
	if (message_to_opinion(parameters, &o))
		return;
	HOLDS(o.verdict != VERDICT_ASK && o.max_vcpus >= 0 && o.max_memory >= 0 && !o.file);
	for (c = o.reason; *c; c++)
		HOLDS((unsigned char)*c >= 0x20 && *c != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_call call;
	json_t *message, *result;
	const char *error;
	char *text;

	if (wire_parse((const char *)data, size, &message))
		return 0;
	HOLDS(depth(message) <= WIRE_DEPTH);
	text = json_dumps(message, JSON_COMPACT);
	HOLDS(text);
	free(text);
	if (!wire_call(message, &call))
		check_request(call.parameters);
	if (!wire_result(message, &result, &error) && !error)
		check_opinion(result);
	json_decref(message);
	return 0;
}
