// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of rules: what is taken, what is refused and with which words, and which rule
 * matches what.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../run_suite.h"
#include "common/array_size.h"
#include "files.h"

#define MiB	(1ll << 20)

/* The group "students" is known, of "ghosts" nobody can tell. */
static int is_member(const char *group, const void *context)
{
	return !strcmp(group, "ghosts") ? -1 : !strcmp(group, context);
}

static const struct request small = {
	.op = OP_VM_START, .tenant = "alice", .domain = "web1", .exe = "/usr/bin/qemu",
	.vms = 1, .vcpus = 2, .memory = 512 * MiB,
};

static struct rules load(const char *text, enum rules_kind kind)
{
	struct rules r;

	ck_assert_msg(!load_text("rules.conf", text, kind, &r), "%s", complaints);
	return r;
}

static struct opinion opinion_on(const char *text, const struct request *q, enum rules_kind kind)
{
	const struct rules_context context = { is_member, "students", NULL, NULL };
	struct rules r = load(text, kind);
	struct opinion o;

	rules_opinion(&r, q, &context, &o);
	rules_free(&r);
	return o;
}

START_TEST(defaults)
{
	struct rules r = load("", RULES_PROVIDER);
	int op;

	ck_assert_int_eq(r.def, VERDICT_ALLOW);
	ck_assert_int_eq(r.no_answer, VERDICT_DENY);
	for (op = 0; op < POLICY_NR_OPS; op++)
		ck_assert_int_eq(r.owner[op], policy_is_look(op) ? OWNER_TENANT : OWNER_PROVIDER);
	rules_free(&r);
	ck_assert(!rules_load("none.conf", RULES_TENANT, 0, &r, keep_complaint));
	ck_assert_int_eq(r.def, VERDICT_NONE);
	rules_free(&r);
	ck_assert(rules_load("none.conf", RULES_TENANT, 1, &r, keep_complaint));
}
END_TEST

START_TEST(all_keys)
{
	struct rules r = load("default: deny\nno-answer: allow\n"
			      "owners: { save: both, vm-start: tenant }\n"
			      "rules:\n"
			      "- on: [ vm-start, save ]\n"
			      "  if: { tenant: [ bob, '@students' ], domain: [ 'web*' ],\n"
			      "        exe: [ /usr/bin/qemu ], unit: [ x ], vms-over: 3,\n"
			      "        vcpus-over: 4, memory-over: 2G }\n"
			      "  do: allow\n"
			      "  why: because\n"
			      "  max-vcpus: 8\n"
			      "  max-memory: 4G\n"
			      "- { on: '*', do: ask }\n", RULES_PROVIDER);

	ck_assert_int_eq(r.def, VERDICT_DENY);
	ck_assert_int_eq(r.no_answer, VERDICT_ALLOW);
	ck_assert_int_eq(r.owner[OP_SAVE], OWNER_BOTH);
	ck_assert_int_eq(r.owner[OP_VM_START], OWNER_TENANT);
	ck_assert_uint_eq(r.nr, 2);
	ck_assert_uint_eq(r.rule[0].line, 5);
	ck_assert_uint_eq(r.rule[0].ops, 1u << OP_VM_START | 1u << OP_SAVE);
	ck_assert_str_eq(r.rule[0].why, "because");
	ck_assert_int_eq(r.rule[0].max_vcpus, 8);
	ck_assert_int_eq(r.rule[0].max_memory, 4096 * MiB);
	ck_assert_uint_eq(r.rule[1].line, 13);
	ck_assert_int_eq(r.rule[1].verdict, VERDICT_ASK);
	ck_assert(rules_names_group(&r));
	rules_free(&r);
}
END_TEST

static const struct {
	const char *text, *said;
	int tenant;
} mistakes[] = {
	{ "defalt: allow\n", "rules.conf:1: unknown key 'defalt'" },
	{ "default: ask\n", "rules.conf:1: default: 'ask' is not allow or deny" },
	{ "default: allow\ndefault: deny\n", ":2: default was set in line 1 already" },
	{ "no-answer: none\n", ":1: no-answer: 'none' is not allow or deny" },
	{ "owners:\n  save: provider\n",
	  ":2: save: the provider alone cannot permit a look into a tenant's VM" },
	{ "owners:\n  screenshot: provider\n", ":2: screenshot: the provider alone" },
	{ "owners:\n  migrate-out: provider\n", ":2: migrate-out: the provider alone" },
	{ "owners:\n  fly: tenant\n", ":2: unknown key 'fly'" },
	{ "owners:\n  save: me\n", ":2: save: 'me' is not provider, tenant or both" },
	{ "rules: allow\n", ":1: rules: a list is needed" },
	{ "rules:\n- allow\n", ":2: lines 'key: value' are needed" },
	{ "rules:\n- { do: allow }\n", ":2: a rule needs 'on' and 'do'" },
	{ "rules:\n- { on: save }\n", ":2: a rule needs 'on' and 'do'" },
	{ "rules:\n- { on: fly, do: allow }\n", ":2: on: there is no decision 'fly'" },
	{ "rules:\n- { on: [ save, fly ], do: allow }\n", ":2: on: there is no decision 'fly'" },
	{ "rules:\n- { on: save, do: maybe }\n", ":2: do: 'maybe' is not allow, ask or deny" },
	{ "rules:\n- { on: save, do: ask }\n", ":2: do: 'ask' is not allow or deny", 1 },
	{ "rules:\n- { on: save, do: deny, max-vcpus: 1 }\n", ":2: a rule that denies has no limits" },
	{ "rules:\n- on: save\n  do: deny\n  if: { colour: red }\n", ":4: unknown key 'colour'" },
	{ "rules:\n- on: save\n  do: deny\n  if: { tenant: [ '../x' ] }\n", ":4: tenant: '../x'" },
	{ "rules:\n- on: save\n  do: deny\n  if: { tenant: [ x ] }\n", ":4: unknown key 'tenant'", 1 },
	{ "rules:\n- on: save\n  do: deny\n  if: { domain: x }\n", ":4: domain: a list is needed" },
	{ "rules:\n- on: save\n  do: deny\n  if: { vms-over: -1 }\n", ":4: vms-over: '-1'" },
	{ "rules:\n- on: save\n  do: deny\n  if: { memory-over: 4 }\n", ":4: memory-over: '4'" },
	{ "owners: { }\n", ":1: unknown key 'owners'", 1 },
	{ "rules: [ }\n", "rules.conf:1: " },
};

START_TEST(mistake)
{
	const enum rules_kind kind = mistakes[_i].tenant ? RULES_TENANT : RULES_PROVIDER;
	struct rules r;

	ck_assert_int_eq(load_text("rules.conf", mistakes[_i].text, kind, &r), -1);
	ck_assert_msg(strstr(complaints, mistakes[_i].said), "%s", complaints);
	ck_assert_ptr_null(r.rule);
}
END_TEST

/* @verdict of the rules to the request above; @line: of the rule */
static const struct {
	const char *rules;
	enum verdict verdict;
	unsigned long line;
} looks[] = {
	{ "", VERDICT_NONE, 0 },
	{ "- { on: '*', do: deny }", VERDICT_DENY, 2 },
	{ "- { on: save, do: deny }", VERDICT_NONE, 0 },
	{ "- { on: vm-start, do: allow }\n- { on: vm-start, do: deny }", VERDICT_ALLOW, 2 },
	{ "- { on: save, do: allow }\n- { on: vm-start, do: deny }", VERDICT_DENY, 3 },
	{ "- { on: vm-start, if: { tenant: [ bob ] }, do: deny }", VERDICT_NONE, 0 },
	{ "- { on: vm-start, if: { tenant: [ alice ] }, do: deny }", VERDICT_DENY, 2 },
	{ "- { on: vm-start, if: { tenant: [ '*' ] }, do: deny }", VERDICT_DENY, 2 },
	{ "- { on: vm-start, if: { tenant: [ '@students' ] }, do: deny }", VERDICT_DENY, 2 },
	{ "- { on: vm-start, if: { tenant: [ '@staff' ] }, do: deny }", VERDICT_NONE, 0 },
	/* What nobody can tell never helps. */
	{ "- { on: vm-start, if: { tenant: [ '@ghosts' ] }, do: deny }", VERDICT_DENY, 2 },
	{ "- { on: vm-start, if: { tenant: [ '@ghosts' ] }, do: allow }", VERDICT_NONE, 0 },
	{ "- { on: vm-start, if: { tenant: [ '@ghosts' ] }, do: ask }", VERDICT_NONE, 0 },
	{ "- { on: vm-start, if: { domain: [ 'db*', 'web?' ] }, do: deny }", VERDICT_DENY, 2 },
	{ "- { on: vm-start, if: { domain: [ 'web' ] }, do: deny }", VERDICT_NONE, 0 },
	{ "- { on: vm-start, if: { exe: [ '/usr/bin/*' ] }, do: deny }", VERDICT_DENY, 2 },
	{ "- { on: vm-start, if: { unit: [ '*' ] }, do: deny }", VERDICT_NONE, 0 },
	{ "- { on: vm-start, if: { vms-over: 0 }, do: deny }", VERDICT_DENY, 2 },
	{ "- { on: vm-start, if: { vms-over: 1 }, do: deny }", VERDICT_NONE, 0 },
	{ "- { on: vm-start, if: { vcpus-over: 1 }, do: deny }", VERDICT_DENY, 2 },
	{ "- { on: vm-start, if: { vcpus-over: 2 }, do: deny }", VERDICT_NONE, 0 },
	{ "- { on: vm-start, if: { memory-over: 511M }, do: deny }", VERDICT_DENY, 2 },
	{ "- { on: vm-start, if: { memory-over: 512M }, do: deny }", VERDICT_NONE, 0 },
	/* All conditions of a rule. */
	{ "- { on: vm-start, if: { vms-over: 0, vcpus-over: 2 }, do: deny }", VERDICT_NONE, 0 },
};

START_TEST(look)
{
	char text[512];
	struct opinion o;

	snprintf(text, sizeof(text), "rules:\n%s\n", looks[_i].rules);
	o = opinion_on(text, &small, RULES_PROVIDER);
	ck_assert_int_eq(o.verdict, looks[_i].verdict);
	ck_assert_uint_eq(o.line, looks[_i].line);
}
END_TEST

/* A number that the asker did not tell is not over anything. */
START_TEST(unknown_facts)
{
	struct request q = { .op = OP_SAVE, .tenant = "x", .vms = -1, .vcpus = -1, .memory = -1 };
	struct opinion o = opinion_on("rules:\n- { on: save, if: { vms-over: 0 }, do: deny }\n"
				      "- { on: save, if: { domain: [ '*' ] }, do: deny }\n",
				      &q, RULES_TENANT);

	ck_assert_int_eq(o.verdict, VERDICT_NONE);
	o = opinion_on("default: deny\n", &q, RULES_TENANT);
	ck_assert_int_eq(o.verdict, VERDICT_DENY);
}
END_TEST

static void keep_trace(const char *line, void *to)
{
	strcat(strcat(to, line), "\n");
}

START_TEST(trace)
{
	char lines[1024] = "";
	const struct rules_context context = { is_member, "students", keep_trace, lines };
	struct rules r = load("rules:\n- { on: save, do: deny }\n"
			      "- { on: vm-start, if: { domain: [ db ] }, do: deny }\n"
			      "- { on: vm-start, do: allow, why: all may }\n", RULES_PROVIDER);
	struct opinion o;

	rules_opinion(&r, &small, &context, &o);
	ck_assert_str_eq(lines, "rules.conf:3: does not match: domain\n"
				"rules.conf:4: matches: allow\n");
	ck_assert_str_eq(o.file, "rules.conf");
	ck_assert_str_eq(o.reason, "all may");
	rules_free(&r);
}
END_TEST

START_TEST(reasons)
{
	char text[400];
	struct opinion o;

	policy_set_reason(&o, "a\nb\x1b[1m\xc2\x9b\xc3\xa4\x7f");
	ck_assert_str_eq(o.reason, "a?b?[1m??\xc3\xa4?");
	/* A cut leaves whole characters. */
	memset(text, 'x', sizeof(text));
	memcpy(text + POLICY_REASON - 2, "\xe2\x82\xac", 4);
	policy_set_reason(&o, text);
	ck_assert_uint_eq(strlen(o.reason), POLICY_REASON - 2);
	ck_assert_int_eq(o.reason[POLICY_REASON - 3], 'x');
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy: rules");
	TCase *t = tcase_create("rules");

	tcase_add_test(t, defaults);
	tcase_add_test(t, all_keys);
	tcase_add_loop_test(t, mistake, 0, ARRAY_SIZE(mistakes));
	tcase_add_loop_test(t, look, 0, ARRAY_SIZE(looks));
	tcase_add_test(t, unknown_facts);
	tcase_add_test(t, trace);
	tcase_add_test(t, reasons);
	suite_add_tcase(s, t);
	return run_suite(s);
}
