// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arbitration: the table of who says what, and the two axioms over generated files of
 * provider and tenant.
 */
#include <check.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../run_suite.h"
#include "common/array_size.h"
#include "files.h"

#define PAIRS	2000	/* of files */

/* --------------------------------------------------------- the table ----- */

#define P	OWNER_PROVIDER
#define T	OWNER_TENANT
#define B	OWNER_BOTH
#define NONE	VERDICT_NONE
#define ALLOW	VERDICT_ALLOW
#define DENY	VERDICT_DENY
#define ASK	VERDICT_ASK

/* By hand, from kvm-split-policy.conf(5). */
static const struct {
	enum policy_op op;
	enum owner owner;
	enum verdict def, no_answer, provider, tenant;
	int allowed;
	enum owner whose;
} table[] = {
	/* the provider's */
	{ OP_VM_START, P, ALLOW, DENY, ALLOW, DENY, 1, P },
	{ OP_VM_START, P, ALLOW, DENY, DENY, ALLOW, 0, P },
	{ OP_VM_START, P, ALLOW, DENY, NONE, DENY, 1, P },
	{ OP_VM_START, P, DENY, ALLOW, NONE, ALLOW, 0, P },
	/* the provider's, who wants to hear the tenant */
	{ OP_VM_START, P, ALLOW, DENY, ASK, ALLOW, 1, B },
	{ OP_VM_START, P, ALLOW, DENY, ASK, DENY, 0, T },
	{ OP_VM_START, P, ALLOW, DENY, ASK, NONE, 0, T },
	{ OP_VM_START, P, DENY, ALLOW, ASK, NONE, 1, P },
	/* the tenant's */
	{ OP_VM_START, T, DENY, DENY, NONE, ALLOW, 1, T },
	{ OP_VM_START, T, ALLOW, DENY, NONE, DENY, 0, T },
	{ OP_VM_START, T, ALLOW, DENY, ALLOW, DENY, 0, T },
	{ OP_VM_START, T, ALLOW, DENY, DENY, ALLOW, 0, P },
	{ OP_VM_START, T, ALLOW, DENY, NONE, NONE, 0, T },
	{ OP_VM_START, T, ALLOW, ALLOW, NONE, NONE, 1, P },
	{ OP_VM_START, T, DENY, ALLOW, NONE, NONE, 0, P },
	/* both's */
	{ OP_VM_START, B, ALLOW, DENY, NONE, ALLOW, 1, B },
	{ OP_VM_START, B, DENY, DENY, NONE, ALLOW, 0, P },
	{ OP_VM_START, B, DENY, DENY, ALLOW, ALLOW, 1, B },
	{ OP_VM_START, B, ALLOW, DENY, ALLOW, DENY, 0, T },
	{ OP_VM_START, B, ALLOW, DENY, DENY, ALLOW, 0, P },
	/* looks */
	{ OP_SAVE, T, ALLOW, ALLOW, ALLOW, NONE, 0, T },
	{ OP_SAVE, T, ALLOW, ALLOW, NONE, NONE, 0, T },
	{ OP_SAVE, T, DENY, DENY, NONE, ALLOW, 1, T },
	{ OP_SAVE, T, ALLOW, ALLOW, DENY, ALLOW, 0, P },
	{ OP_SAVE, B, DENY, ALLOW, NONE, ALLOW, 0, P },
	{ OP_SCREENSHOT, P, ALLOW, ALLOW, ALLOW, NONE, 0, T },	/* no file can say that */
};

static struct opinion opinion_of(enum verdict v)
{
	return (struct opinion){
		.verdict = v, .max_vcpus = POLICY_NO_LIMIT, .max_memory = POLICY_NO_LIMIT,
	};
}

START_TEST(by_table)
{
	const struct arbitration a = {
		table[_i].op, table[_i].owner, table[_i].def, table[_i].no_answer,
	};
	const struct opinion provider = opinion_of(table[_i].provider);
	const struct opinion tenant = opinion_of(table[_i].tenant);
	struct decision d;

	arbiter_decide(&a, &provider, &tenant, &d);
	ck_assert_int_eq(d.allowed, table[_i].allowed);
	ck_assert_int_eq(d.whose, table[_i].whose);
	ck_assert_int_eq(d.opinion.verdict, d.allowed ? ALLOW : DENY);
}
END_TEST

START_TEST(sizes)
{
	const struct arbitration a = { OP_VM_START, OWNER_BOTH, ALLOW, DENY };
	const struct request q = { .op = OP_VM_START, .vcpus = 4, .memory = 1 << 20 };
	struct opinion provider = opinion_of(ALLOW), tenant = opinion_of(ALLOW);
	struct decision d;

	provider.max_vcpus = 4;
	provider.max_memory = 1 << 21;
	tenant.max_vcpus = 8;
	tenant.max_memory = 1 << 20;
	arbiter_decide(&a, &provider, &tenant, &d);
	ck_assert_int_eq(d.opinion.max_vcpus, 4);
	ck_assert_int_eq(d.opinion.max_memory, 1 << 20);
	arbiter_limits(&q, &d);
	ck_assert(d.allowed);
	d.opinion.max_vcpus = 3;
	arbiter_limits(&q, &d);
	ck_assert(!d.allowed);
	ck_assert_int_eq(d.opinion.verdict, DENY);
	ck_assert_str_eq(d.opinion.reason, "more vCPUs than max-vcpus");
}
END_TEST

/* -------------------------------------------------------- the axioms ----- */

static char text[8192];

static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
}

static const char *pick(const char * const *from, size_t nr)
{
	return from[random() % nr];
}

#define PICK(...)	pick((const char *[]){ __VA_ARGS__ },	\
			     ARRAY_SIZE(((const char *[]){ __VA_ARGS__ })))

static const char *any_op(void)
{
	return policy_op_name(random() % POLICY_NR_OPS);
}

static int sometimes(void)
{
	return random() % 3 == 0;
}

static void say_rule(int provider)
{
	say("- on: [ %s%s%s ]\n  do: %s\n  if:\n", any_op(), sometimes() ? ", '*', " : ", ", any_op(),
	    provider ? PICK("allow", "allow", "ask", "deny") : PICK("allow", "deny"));
	if (provider && sometimes())
		say("    tenant: [ %s ]\n", PICK("alice", "bob", "'@students'", "'@ghosts'", "'*'"));
	if (sometimes())
		say("    domain: [ %s ]\n", PICK("web", "db", "'*'"));
	if (sometimes())
		say("    vcpus-over: %ld\n", random() % 4);
	if (sometimes())
		say("    memory-over: %ldM\n", 1 + random() % 4);
}

/* A file of rules; @first: a rule that comes before all others */
static void say_file(int provider, const char *first)
{
	int n = random() % 6, op;

	text[0] = '\0';
	if (sometimes())
		say("default: %s\n", PICK("allow", "deny"));
	if (provider && !sometimes())
		say("no-answer: %s\n", PICK("allow", "allow", "deny"));
	say("%s", provider ? "owners:\n" : "");
	for (op = 0; provider && op < POLICY_NR_OPS; op++)
		if (!sometimes())
			say("  %s: %s\n", policy_op_name(op),
			    policy_is_look(op) ? PICK("tenant", "both") :
						 PICK("provider", "tenant", "both"));
	say("rules:\n%s", first);
	while (n--)
		say_rule(provider);
}

static int is_member(const char *group, const void *context)
{
	return strcmp(group, "ghosts") ? random() % 2 : -1;
}

static const struct rules_context context = { .is_member = is_member };

static struct request any_request(void)
{
	return (struct request){
		.op = random() % POLICY_NR_OPS, .tenant = PICK("alice", "bob"),
		.domain = PICK("web", "db", NULL), .vms = 1,
		.vcpus = random() % 6 - 1, .memory = (random() % 6) << 20,
	};
}

/* What the files say together; @ret_tenant: the tenant's own word */
static struct decision decide(const struct rules *provider, const struct rules *tenant,
			      const struct request *q, enum verdict *ret_tenant)
{
	struct arbitration a = rules_arbitration(provider, q->op);
	struct opinion p, t;
	struct decision d;

	rules_opinion(provider, q, &context, &p);
	rules_opinion(tenant, q, &context, &t);
	if (random() % 4 == 0)	/* dead, slow or lying */
		t.verdict = VERDICT_NONE;
	arbiter_decide(&a, &p, &t, &d);
	arbiter_limits(q, &d);
	*ret_tenant = t.verdict;
	return d;
}

static void load(int provider, const char *first, struct rules *ret)
{
	say_file(provider, first);
	ck_assert_msg(!load_text(provider ? "provider.conf" : "tenant.conf", text,
				 provider ? RULES_PROVIDER : RULES_TENANT, ret),
		      "%s%s", complaints, text);
}

/* The provider puts a refusal before everything else: nothing is allowed any more. */
START_TEST(the_provider_can_always_refuse)
{
	struct rules provider, tenant;
	enum verdict said;
	int i, j;

	srandom(20250101);
	for (i = 0; i < PAIRS; i++) {
		load(1, "- { on: '*', do: deny }\n", &provider);
		load(0, "", &tenant);
		for (j = 0; j < 20; j++) {
			struct request q = any_request();
			struct decision d = decide(&provider, &tenant, &q, &said);

			ck_assert_msg(!d.allowed && d.whose == OWNER_PROVIDER, "pair %d", i);
		}
		rules_free(&provider);
		rules_free(&tenant);
	}
}
END_TEST

/* Whatever the provider's file says, who looks in has the tenant's word. */
START_TEST(the_provider_can_never_permit_a_look)
{
	int i, j, looks = 0, refused = 0;
	struct rules provider, tenant;
	enum verdict said;

	srandom(20250102);
	for (i = 0; i < PAIRS; i++) {
		load(1, sometimes() ? "- { on: '*', do: allow }\n" : "", &provider);
		load(0, "", &tenant);
		for (j = 0; j < 20; j++) {
			struct request q = any_request();
			struct decision d = decide(&provider, &tenant, &q, &said);

			if (!policy_is_look(q.op))
				continue;
			ck_assert_msg(!d.allowed || said == VERDICT_ALLOW, "pair %d: %s", i,
				      policy_op_name(q.op));
			looks += d.allowed;
			refused += !d.allowed;
		}
		rules_free(&provider);
		rules_free(&tenant);
	}
	/* The files are such that both happens. */
	ck_assert_int_gt(looks, PAIRS / 10);
	ck_assert_int_gt(refused, PAIRS / 10);
}
END_TEST

/* Each of all opinions: nobody raises what the other allows. */
START_TEST(limits_are_the_lower_ones)
{
	int i, allowed = 0;

	srandom(20250103);
	for (i = 0; i < 20 * PAIRS; i++) {
		const struct arbitration a = {
			random() % POLICY_NR_OPS, random() % 3, 1 + random() % 2, 1 + random() % 2,
		};
		struct opinion provider = opinion_of(random() % 4);
		struct opinion tenant = opinion_of(random() % 3);
		struct decision d;

		provider.max_vcpus = random() % 8;
		tenant.max_vcpus = random() % 8;
		arbiter_decide(&a, &provider, &tenant, &d);
		allowed += d.allowed;
		ck_assert_int_le(d.opinion.max_vcpus, provider.max_vcpus);
		if (d.allowed && arbiter_asks_tenant(&a, &provider))
			ck_assert_int_le(d.opinion.max_vcpus, tenant.max_vcpus);
	}
	ck_assert_int_gt(allowed, PAIRS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy: arbiter");
	TCase *t = tcase_create("arbiter");

	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, by_table, 0, ARRAY_SIZE(table));
	tcase_add_test(t, sizes);
	tcase_add_test(t, the_provider_can_always_refuse);
	tcase_add_test(t, the_provider_can_never_permit_a_look);
	tcase_add_test(t, limits_are_the_lower_ones);
	suite_add_tcase(s, t);
	return run_suite(s);
}
