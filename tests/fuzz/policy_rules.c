// SPDX-License-Identifier: GPL-2.0-only
/*
 * policy/rules and policy/arbiter: the provider's file, and after a NUL a tenant's.
 *
 * Properties, for requests of every kind: files that are refused are complained of, in
 * lines that do nothing to a terminal, and others are not; what the provider denies is
 * denied; a look is allowed only if the tenant allowed it; who asks nobody decides as
 * the file says; limits are the lower ones; reasons are whole characters that do nothing
 * to a terminal.
 */
#include "files.h"
#include "policy/arbiter/arbiter.h"
#include "policy/rules/rules.h"

#define PROVIDER	"etc/policy.conf"
#define TENANT		"etc/tenant-policy.conf"

static unsigned int complaints;

static void clean(const char *text)
{
	for (; *text; text++)
		HOLDS((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void report(const char *line)
{
	complaints++;
	clean(line);
}

static bool load(const char *file, enum rules_kind kind, struct rules *ret)
{
	int r;

	complaints = 0;
	r = rules_load(file, kind, 1, ret, report);
	EQ(r, complaints ? -1 : 0);
	return !r;
}

/* In some groups, not in others, and of some nobody knows. */
static int is_member(const char *group, const void *context)
{
	return (unsigned char)*group % 3 - 1;
}

static void told(const char *line, void *to)
{
	HOLDS(strstr(line, ": "));
}

static void check_opinion(const struct rules *r, const struct opinion *o)
{
	clean(o->reason);
	HOLDS(!o->file || (o->file == r->file && o->line));
	HOLDS(o->max_vcpus >= 0 && o->max_memory >= 0);
	HOLDS(r->kind == RULES_PROVIDER || o->verdict != VERDICT_ASK);
}

static void check(const struct rules *provider, const struct rules *tenant, const struct request *q)
{
	static const struct rules_context context = { is_member, NULL, told, NULL };
	const struct arbitration how = rules_arbitration(provider, q->op);
	struct opinion p, t;
	struct decision d;

	rules_opinion(provider, q, &context, &p);
	rules_opinion(tenant, q, &context, &t);
	check_opinion(provider, &p);
	check_opinion(tenant, &t);
	arbiter_decide(&how, &p, &t, &d);
	clean(d.opinion.reason);
	HOLDS(d.opinion.max_vcpus <= p.max_vcpus && d.opinion.max_memory <= p.max_memory);
	if (p.verdict == VERDICT_DENY)
		HOLDS(!d.allowed && d.whose == OWNER_PROVIDER);
	if (policy_is_look(q->op) && t.verdict != VERDICT_ALLOW)
		HOLDS(!d.allowed);
	arbiter_limits(q, &d);
	HOLDS(!d.allowed || (q->memory <= d.opinion.max_memory && q->vcpus <= d.opinion.max_vcpus));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct request q = {
		.tenant = "alice", .domain = "web", .exe = "/usr/bin/qemu-system-x86_64",
		.worker = POLICY_UNKNOWN, .vms = 2, .vcpus = 4, .memory = 1ll << 31,
	};
	struct rules provider, tenant;

	put_string(&in, PROVIDER);
	put_file(TENANT, in.at, in.left);
	if (!load(PROVIDER, RULES_PROVIDER, &provider))
		return 0;
	if (load(TENANT, RULES_TENANT, &tenant)) {
		for (q.op = 0; q.op < POLICY_NR_OPS; q.op++)
			check(&provider, &tenant, &q);
		rules_free(&tenant);
	}
	rules_free(&provider);
	return 0;
}
