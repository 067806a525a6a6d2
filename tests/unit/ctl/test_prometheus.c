// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-splitctl metrics: the rules of Prometheus' text format hold whatever tenants
 * and workers are called; the dashboard asks for nothing that is not there.
 */
#include <check.h>
#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../run_suite.h"
#include "common/array_size.h"
#include "ctl/prometheus.h"

#define MAX_LINES	2000

static char text[1 << 18];

/* The text of these facts, which are freed. */
static void print(json_t *facts)
{
	FILE *f = fmemopen(text, sizeof(text), "w");

	ck_assert_ptr_nonnull(facts);
	ck_assert_ptr_nonnull(f);
	prometheus_print(f, facts);
	fclose(f);
	json_decref(facts);
}

static const char *read_all(const char *path)
{
	static char all[1 << 18];
	FILE *f = fopen(path, "r");
	size_t n;

	ck_assert_msg(f != NULL, "%s", path);
	n = fread(all, 1, sizeof(all) - 1, f);
	all[n] = '\0';
	fclose(f);
	return all;
}

static int matches(const char *pattern, const char *string)
{
	regex_t r;
	int no;

	ck_assert_int_eq(regcomp(&r, pattern, REG_EXTENDED | REG_NOSUB), 0);
	no = regexec(&r, string, 0, NULL, 0);
	regfree(&r);
	return !no;
}

static void need_line(const char *line)
{
	char *at = strstr(text, line);

	ck_assert_msg(at && (at == text || at[-1] == '\n') && at[strlen(line)] == '\n',
		      "no line '%s' in:\n%s", line, text);
}

static json_t *tenant(const char *name, int uid)
{
	return json_pack("{s:s, s:i, s:b, s:i, s:i, s:i, s:I, s:I, s:i, s:i}", "tenant", name,
			 "uid", uid, "up", 1, "workers", 2, "vms", 1, "vcpus", 4,
			 "memory", (json_int_t)1 << 40, "rss", (json_int_t)1 << 33,
			 "max-vms", 64, "max-vcpus", 512);
}

static json_t *vm(const char *name, int pid)
{
	return json_pack("{s:s, s:i, s:i, s:i, s:f, s:f, s:i, s:i}", "tenant", name, "uid", 1000,
			 "vm", pid, "vcpus", 2, "cpu", 0.07, "age", 12345.5, "kvm.exits", 99,
			 "kvm.nonsense", 1);
}

/* Everything is there, and names that nobody should have. */
static json_t *all_facts(void)
{
	return json_pack("{s:[{s:s, s:i}], s:[{s:b, s:b}], s:[{s:i, s:i, s:i}],"
			 " s:[{s:s, s:i, s:i}, {s:s, s:i, s:i}], s:[o, o, o, o], s:[o, o]}",
			 "build", "version", "1", "one", 1, "host", "stub", 1, "launcher", 0,
			 "counters", "vms", 2, "exits", 7, "ept_pages", 3,
			 "exits", "reason", "HLT", "count", 5, "ring0", 2,
			 "reason", "77", "count", 2, "ring0", 0,
			 "tenants", tenant("alice", 1000), tenant("a\"b\\c\nd", 1001),
			 tenant("alice", 1002), tenant("kvmsplit_vms 7\n# TYPE x y", 1003),
			 "vms", vm("alice", 500), vm("alice", 501));
}

/* ------------------------------------------------------------- format ---- */

#define LABEL	"[a-z_][a-z0-9_]*=\"([^\"\\\\]|\\\\[\\\\n\"])*\""

static const char sample_of[] =
	"^[a-z_][a-z0-9_]*(\\{" LABEL "(," LABEL ")*\\})? -?[0-9]+(\\.[0-9]+)?(e[+-]?[0-9]+)?$";

/* A counter is a total and nothing else is; units are base units. */
static void check_name(const char *name, const char *type)
{
	ck_assert_msg(matches("^kvmsplit_[a-z][a-z0-9_]*$", name), "%s", name);
	ck_assert_msg(!strcmp(type, "counter") || !strcmp(type, "gauge"), "%s: %s", name, type);
	ck_assert_msg(matches("_total$", name) == !strcmp(type, "counter"), "%s: %s", name, type);
	ck_assert_msg(!matches("_(ms|us|ns|kb|mb|pages|percent)(_total)?$", name), "%s", name);
}

START_TEST(rules_of_the_format)
{
	char *lines[MAX_LINES], family[128] = "", help[128] = "", type[32], *line, *rest;
	char seen[MAX_LINES][128];
	unsigned int n = 0, nr_seen = 0, samples = 0, i;

	print(all_facts());
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
	for (rest = text; (line = strsep(&rest, "\n")) && rest;) {
		ck_assert_uint_lt(n, MAX_LINES);
		for (i = 0; i < n; i++)
			ck_assert_msg(strcmp(lines[i], line) != 0, "twice: %s", line);
		lines[n++] = line;
		if (sscanf(line, "# HELP %127s", help) == 1) {
			ck_assert_msg(matches("^# HELP [^ ]+ [A-Za-z].*[.]$", line), "%s", line);
			for (i = 0; i < nr_seen; i++)
				ck_assert_msg(strcmp(seen[i], help) != 0, "twice: %s", help);
			memcpy(seen[nr_seen++], help, sizeof(help));
		} else if (sscanf(line, "# TYPE %127s %31s", family, type) == 2) {
			ck_assert_str_eq(family, help);
			check_name(family, type);
		} else {
			ck_assert_msg(matches(sample_of, line), "no sample: %s", line);
			ck_assert_str_eq(family, help);
			ck_assert_uint_eq(strcspn(line, "{ "), strlen(family));
			ck_assert_msg(!strncmp(line, family, strlen(family)), "%s", line);
			samples++;
		}
	}
	ck_assert_uint_gt(nr_seen, 50);
	ck_assert_uint_gt(samples, 40);
}
END_TEST

/* The same labels twice make Prometheus refuse everything. */
START_TEST(no_series_twice)
{
	char *series[MAX_LINES], *line, *rest = text;
	unsigned int n = 0, i;

	print(all_facts());
	while ((line = strsep(&rest, "\n")) && rest) {
		if (*line == '#')
			continue;
		*strrchr(line, ' ') = '\0';
		for (i = 0; i < n; i++)
			ck_assert_msg(strcmp(series[i], line) != 0, "twice: %s", line);
		series[n++] = line;
	}
	ck_assert_uint_gt(n, 40);
}
END_TEST

START_TEST(values_and_escapes)
{
	print(all_facts());
	need_line("kvmsplit_build_info{version=\"1\"} 1");
	need_line("kvmsplit_stub_up 1");
	need_line("kvmsplit_launcher_up 0");
	need_line("kvmsplit_vms 2");
	need_line("kvmsplit_ept_bytes 12288");
	need_line("kvmsplit_exits_by_reason_total{reason=\"HLT\"} 5");
	need_line("kvmsplit_exits_by_reason_ring0_total{reason=\"77\"} 0");
	need_line("kvmsplit_tenant_guest_memory_bytes{tenant=\"alice\",uid=\"1002\"} 1099511627776");
	need_line("kvmsplit_tenant_workers{tenant=\"a\\\"b\\\\c\\nd\",uid=\"1001\"} 2");
	need_line("kvmsplit_vm_worker_cpu_seconds_total{tenant=\"alice\",uid=\"1000\",vm=\"500\"} 0.07");
	need_line("kvmsplit_vm_age_seconds{tenant=\"alice\",uid=\"1000\",vm=\"501\"} 12345.5");
	need_line("kvmsplit_vm_exits_total{tenant=\"alice\",uid=\"1000\",vm=\"500\"} 99");
	/* Names of workers' counters make no metric. */
	ck_assert_ptr_null(strstr(text, "nonsense"));
}
END_TEST

/* What is not known is left out, and not 0 or somebody else's. */
START_TEST(unknown_is_left_out)
{
	json_t *nobody = json_pack("{s:n, s:n, s:i, s:i}", "tenant", "uid", "vm", 500, "vcpus", 1);

	print(json_pack("{s:[{s:b}], s:[o], s:[{s:s, s:i, s:n}]}", "host", "stub", 0,
			"vms", nobody, "tenants", "tenant", "bob", "uid", 5, "vcpus"));
	need_line("kvmsplit_stub_up 0");
	ck_assert_ptr_null(strstr(text, "\nkvmsplit_vm_"));
	ck_assert_ptr_null(strstr(text, "\nkvmsplit_tenant_"));
	ck_assert_ptr_null(strstr(text, "\nkvmsplit_runs_total"));
	need_line("# TYPE kvmsplit_runs_total counter");
}
END_TEST

/* ------------------------------------------------------------- others ---- */

/* Whatever the stub counts is a metric: the list in its header is the kernel's, too. */
START_TEST(all_counters_of_the_stub)
{
	const char *p = strstr(read_all(STUB_HEADER), "#define KSPLIT_STATS(X)");
	json_t *counters = json_object();
	unsigned int n = 0, found = 0;
	char name[32], *line;
	int end;

	ck_assert_ptr_nonnull(p);
	for (p = strchr(p, '\n'); sscanf(p, " X(%31[a-z0-9_])%n", name, &end) == 1; n++) {
		json_object_set_new(counters, name, json_integer(1));
		p += end + strspn(p + end, " \t\\");
	}
	ck_assert_uint_gt(n, 20);
	print(json_pack("{s:[o]}", "counters", counters));
	for (line = text; line && *line; line = strchr(line, '\n'), line += !!line)
		found += *line != '#';
	ck_assert_uint_eq(found, n);
}
END_TEST

static int is_metric(const char *name)
{
	char type[160];

	snprintf(type, sizeof(type), "# TYPE %s ", name);
	return strstr(text, type) != NULL;
}

/* Each metric that a query names, in any panel or variable of the dashboard. */
static unsigned int check_queries(const json_t *o)
{
	unsigned int n = 0;
	const char *key;
	char name[128];
	json_t *v;
	size_t i;

	if (json_is_array(o))
		json_array_foreach(o, i, v)
			n += check_queries(v);
	json_object_foreach((json_t *)o, key, v) {
		const char *p = json_string_value(v);

		for (; p && (p = strstr(p, "kvmsplit_")); p += strlen(name), n++) {
			ck_assert_int_eq(sscanf(p, "%127[a-z0-9_]", name), 1);
			ck_assert_msg(is_metric(name), "%s: no metric %s", key, name);
		}
		n += check_queries(v);
	}
	return n;
}

START_TEST(dashboard)
{
	json_error_t error;
	json_t *o = json_load_file(DASHBOARD, JSON_REJECT_DUPLICATES, &error), *panel, *other;
	size_t i, j;

	ck_assert_msg(o != NULL, "%s:%d: %s", DASHBOARD, error.line, error.text);
	print(json_object());
	ck_assert_uint_gt(check_queries(o), 10);
	json_array_foreach(json_object_get(o, "panels"), i, panel) {
		ck_assert(json_is_string(json_object_get(panel, "title")));
		json_array_foreach(json_object_get(o, "panels"), j, other)
			ck_assert(i == j || !json_equal(json_object_get(panel, "id"),
							json_object_get(other, "id")));
	}
	json_decref(o);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("prometheus");
	TCase *t = tcase_create("prometheus");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, rules_of_the_format);
	tcase_add_test(t, no_series_twice);
	tcase_add_test(t, values_and_escapes);
	tcase_add_test(t, unknown_is_left_out);
	tcase_add_test(t, all_counters_of_the_stub);
	tcase_add_test(t, dashboard);
	suite_add_tcase(s, t);
	return run_suite(s);
}
