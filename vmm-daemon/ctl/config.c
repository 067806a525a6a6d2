// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-splitctl config check.
 */
#include <stdio.h>
#include <string.h>

#include "common/config.h"
#include "common/daemon.h"
#include "ctl.h"

static json_t *complaints;

static void collect(const char *line)
{
	json_array_append_new(complaints, json_text(line));
}

int cmd_config(int argc, char **argv)
{
	json_t *each;
	size_t i;
	int r;

	if (argc < 2 || argc > 3 || strcmp(argv[1], "check"))
		return EXIT_USAGE;
	complaints = json_array();
	r = config_check(argv[2], collect);
	if (as_json) {
		print_json(json_pack("{s:b, s:O}", "ok", !r, "complaints", complaints));
		return r ? EXIT_CONFIG : 0;
	}
	json_array_foreach(complaints, i, each)
		fprintf(stderr, "%s\n", json_string_value(each));
	return r ? EXIT_CONFIG : 0;
}
