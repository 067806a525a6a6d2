// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of rules: what is taken, what is refused and with which words; what is taken
 * from damaged files is what the engine takes.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../run_suite.h"
#include "common/array_size.h"
#include "policy/events/file.h"

static struct event_rule rules[EVENTS_PROVIDER_RULES];
static char complaints[4096];

static void report(const char *line)
{
	size_t n = strlen(complaints);

	snprintf(complaints + n, sizeof(complaints) - n, "%s\n", line);
}

static void put(const char *text, size_t len)
{
	int fd = open("rules.conf", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_int_ge(fd, 0);
	fchmod(fd, 0644);
	ck_assert_int_eq(write(fd, text, len), len);
	close(fd);
}

static int read_text(const char *text, uint32_t owner)
{
	complaints[0] = '\0';
	put(text, strlen(text));
	return events_read("rules.conf", owner, rules, report);
}

START_TEST(all_keys)
{
	static const char text[] = "rules:\n"
		"  - on: [ io-error, audit ]\n    count: 3\n    within: 90s\n    per: tenant\n"
		"    do: [ alert, stop ]\n    cool-down: 0s\n    forget: 2h\n    budget: 16\n"
		"    budget-time: 7d\n    dry-run: yes\n"
		"  - { on: [ watchdog ], do: [ snapshot ] }\n";
	const struct event_rule *r = rules;

	ck_assert_msg(read_text(text, 1000) == 2, "%s", complaints);
	ck_assert_uint_eq(r->owner, 1000);
	ck_assert_uint_eq(r->kinds, 1u << EVENT_IO_ERROR | 1u << EVENT_AUDIT);
	ck_assert_uint_eq(r->count, 3);
	ck_assert_uint_eq(r->window, 90 * EVENTS_SECOND);
	ck_assert_int_eq(r->per_tenant, 1);
	ck_assert_uint_eq(r->nr_steps, 2);
	ck_assert_int_eq(r->steps[1], STEP_STOP);
	ck_assert_uint_eq(r->cool_down, 0);
	ck_assert_uint_eq(r->forget, 7200 * EVENTS_SECOND);
	ck_assert_uint_eq(r->budget, 16);
	ck_assert_uint_eq(r->budget_window, EVENTS_MAX_TIME);
	ck_assert_int_eq(r->dry_run, 1);
	ck_assert_str_eq(r->file, "rules.conf");
	ck_assert_uint_eq(r->line, 2);
	r++;
	ck_assert_uint_eq(r->line, 12);
	ck_assert_uint_eq(r->count, 1);
	ck_assert_int_eq(r->per_tenant, 0);
	ck_assert_int_eq(r->dry_run, 0);
	ck_assert_uint_eq(r->budget, 4);
}
END_TEST

#define RULE(more)	"rules:\n  - on: [ audit ]\n    do: [ alert ]\n    " more "\n"

static const struct {
	const char *text, *complaint;
} bad[] = {
	{ "rule: []\n", ":1: unknown key 'rule'" },
	{ "rules: alert\n", ":1: rules: a list is needed" },
	{ "rules: [ alert ]\n", ":1: lines 'key: value' are needed" },
	{ "rules:\n  - on: [ audit ]\n", ":2: a rule needs 'on' and 'do'" },
	{ "rules:\n  - do: [ alert ]\n", ":2: a rule needs 'on' and 'do'" },
	{ "rules:\n  - { on: [ ], do: [ alert ] }\n", ":2: a rule without a kind" },
	{ "rules:\n  - { on: [ audit ], do: [ ] }\n", ":2: a rule without a kind" },
	{ "rules:\n  - { on: [ boredom ], do: [ alert ] }\n", ":2: on: 'boredom' is not a kind" },
	{ "rules:\n  - { on: [ audit ], do: [ pray ] }\n", ":2: do: 'pray' is not something" },
	{ "rules:\n  - { on: [ audit ], do: [ stop, pause ] }\n",
		":2: do: 'pause' is not stronger than 'stop' before it" },
	{ RULE("count: 0"), ":4: count: '0' is not a number from 1 to 16" },
	{ RULE("count: 17"), ":4: count: '17'" },
	{ RULE("budget: -1"), ":4: budget: '-1'" },
	{ RULE("within: 8d"), ":4: within: '8d' is not a time of 7d" },
	{ RULE("within: 5"), ":4: within: '5'" },
	{ RULE("within: m"), ":4: within: 'm'" },
	{ RULE("within: 99999999s"), ":4: within: '99999999s'" },
	{ RULE("per: host"), ":4: per: 'host' is neither vm nor tenant" },
	{ RULE("dry-run: true"), ":4: dry-run: 'true' is neither no nor yes" },
	{ RULE("on: [ audit ]"), ":4: on was set in line 2 already" },
};

START_TEST(mistakes)
{
	ck_assert_int_eq(read_text(bad[_i].text, EVENTS_PROVIDER), -1);
	ck_assert_msg(!strncmp(complaints, "rules.conf:", 11) &&
		      strstr(complaints, bad[_i].complaint), "%s", complaints);
}
END_TEST

START_TEST(too_many)
{
	char text[4096] = "rules:\n";
	unsigned int i;

	for (i = 0; i < EVENTS_TENANT_RULES; i++)
		strcat(text, "  - { on: [ audit ], do: [ alert ] }\n");
	ck_assert_int_eq(read_text(text, 1000), EVENTS_TENANT_RULES);
	for (; i < EVENTS_PROVIDER_RULES; i++)
		strcat(text, "  - { on: [ audit ], do: [ alert ] }\n");
	ck_assert_int_eq(read_text(text, 1000), -1);
	ck_assert_ptr_nonnull(strstr(complaints, ":10: rules: more than 8"));
	ck_assert_int_eq(read_text(text, EVENTS_PROVIDER), EVENTS_PROVIDER_RULES);
	strcat(text, "  - { on: [ audit ], do: [ alert ] }\n");
	ck_assert_int_eq(read_text(text, EVENTS_PROVIDER), -1);
	/* The most of both is what an engine takes for one tenant. */
	ck_assert_int_eq(EVENTS_PROVIDER_RULES + EVENTS_TENANT_RULES, EVENTS_MAX_RULES);
}
END_TEST

START_TEST(nothing)
{
	unlink("rules.conf");
	ck_assert_int_eq(events_read("rules.conf", 1000, rules, report), 0);
	ck_assert_int_eq(read_text("", 1000), 0);
	ck_assert_int_eq(read_text("rules:\n  # none\n", 1000), 0);
}
END_TEST

START_TEST(example)
{
	struct event_engine *e;

	complaints[0] = '\0';
	ck_assert_msg(events_read(EXAMPLES "/events.conf", EVENTS_PROVIDER, rules, report) == 3,
		      "%s", complaints);
	e = events_new(rules, 3, 1);
	ck_assert_ptr_nonnull(e);
	events_free(e);
}
END_TEST

static unsigned int dice(unsigned int n)
{
	static uint64_t seed = 1;

	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % n;
}

START_TEST(damaged)
{
	static const char * const pieces[] = {
		"  - on: [ audit, io-error ]\n    do: [ alert, stop ]\n", "    count: 3\n",
		"    within: 10m\n", "    dry-run: yes\n", "rules:\n", "  - ", "[", "]", "{", "}",
		"    per: tenant\n", "    budget: 2\n", "\"", ": ", "\n", "\t", "&a ", "*a", "---\n",
	};
	int taken = 0, refused = 0, n;
	unsigned int round, i;
	char text[1024];

	for (round = 0; round < 5000; round++) {
		snprintf(text, sizeof(text), "rules:\n");
		for (i = dice(6); i; i--)
			strcat(text, pieces[dice(dice(4) ? 4 : ARRAY_SIZE(pieces))]);
		if (!dice(3))
			text[dice(strlen(text))] = 1 + dice(255);
		n = read_text(text, EVENTS_PROVIDER);
		ck_assert(!!complaints[0] == (n < 0));
		if (n >= 0) {
			struct event_engine *e = events_new(rules, n, 1);

			ck_assert_msg(e != NULL, "%s", text);
			events_free(e);
		}
		taken += n > 0;
		refused += n < 0;
	}
	ck_assert_int_gt(taken, 100);
	ck_assert_int_gt(refused, 1000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_events_file");
	TCase *t = tcase_create("file");

	tcase_set_timeout(t, 300);
	tcase_add_test(t, all_keys);
	tcase_add_loop_test(t, mistakes, 0, ARRAY_SIZE(bad));
	tcase_add_test(t, too_many);
	tcase_add_test(t, nothing);
	tcase_add_test(t, example);
	tcase_add_test(t, damaged);
	suite_add_tcase(s, t);
	return run_suite(s);
}
