// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-splitctl config check: kvm-split.conf and files of rules.
 */
#include <stdio.h>
#include <string.h>

#include "common/config.h"
#include "common/daemon.h"
#include "ctl.h"
#include "policy/rules/rules.h"

static json_t *complaints;

static void collect(const char *line)
{
	json_array_append_new(complaints, json_text(line));
}

static int check_rules(const char *file, enum rules_kind kind, int must_exist)
{
	struct rules rules;

	if (rules_load(file, kind, must_exist, &rules, collect))
		return -1;
	rules_free(&rules);
	return 0;
}

/* Which file it is, its name says; without one, all that are installed. */
static int check(const char *file)
{
	const char *slash = file ? strrchr(file, '/') : NULL;
	const char *name = slash ? slash + 1 : file;

	if (!file)
		return config_check(NULL, collect) | check_rules(POLICY_FILE, RULES_PROVIDER, 0);
	if (!strcmp(name, "policy.conf"))
		return check_rules(file, RULES_PROVIDER, 1);
	if (!strcmp(name, "tenant-policy.conf"))
		return check_rules(file, RULES_TENANT, 1);
	return config_check(file, collect);
}

int cmd_config(int argc, char **argv)
{
	json_t *each;
	size_t i;
	int r;

	if (argc < 2 || argc > 3 || strcmp(argv[1], "check"))
		return EXIT_USAGE;
	complaints = json_array();
	r = check(argv[2]);
	if (as_json) {
		print_json(json_pack("{s:b, s:O}", "ok", !r, "complaints", complaints));
		return r ? EXIT_CONFIG : 0;
	}
	json_array_foreach(complaints, i, each)
		fprintf(stderr, "%s\n", json_string_value(each));
	return r ? EXIT_CONFIG : 0;
}
