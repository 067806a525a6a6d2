// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files in force, and what they say.
 *
 * Invariant: a file with a mistake changes nothing.
 */
#include <stdio.h>
#include <string.h>

#include "policy/policyd/policyd.h"

/**
 * judge_load() - read the files
 *
 * The old ones stay in force if there is a mistake, which the log is told.
 *
 * Return: 0 or -1.
 */
int judge_load(void)
{
	struct config config = { 0 };
	struct rules rules;

	if (rules_load(p.rules_file, p.own ? RULES_TENANT : RULES_PROVIDER, 0, &rules,
		       policyd_report))
		return -1;
	if (!p.own && config_load(p.config_file, &config, policyd_report)) {
		rules_free(&rules);
		return -1;
	}
	config_keep(&config, &p.config);
	config_free(&p.config);
	rules_free(&p.rules);
	p.config = config;
	p.rules = rules;
	return 0;
}

static void add_line(const char *line, void *to)
{
	if (json_array_size(to) < MAX_TRACE)
		json_array_append_new(to, json_string(line));
}

/**
 * judge_opinion() - what the own rules say
 * @q:		the request
 * @trace:	array for a line on each rule, NULL
 * @ret:	gets the opinion
 */
void judge_opinion(const struct request *q, json_t *trace, struct opinion *ret)
{
	rules_ask(&p.rules, q, trace ? add_line : NULL, trace, ret);
}

/**
 * judge_socket() - where a tenant's service listens
 * @tenant:	user
 * @ret:	gets the path, with the user's name for %u
 * @size:	of @ret
 *
 * Return: 0; -1: the tenant has none.
 */
int judge_socket(const char *tenant, char *ret, size_t size)
{
	const struct settings *s = config_settings(&p.config, tenant);
	const char *path = s ? s->policy_socket : "", *percent = strstr(path, "%u");
	int n;

	if (percent)
		n = snprintf(ret, size, "%.*s%s%s", (int)(percent - path), path, tenant, percent + 2);
	else
		n = snprintf(ret, size, "%s", path);
	return !n || n >= (int)size ? -1 : 0;
}
