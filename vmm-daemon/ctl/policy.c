// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-splitctl policy: what the rules say to a request, and why.  "test" looks at files,
 * "explain" asks the service that runs, "log" shows what it decided.
 */
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/daemon.h"
#include "ctl.h"
#include "policy/rules/rules.h"
#include "policy/wire/client.h"
#include "policy/wire/message.h"

#define PATIENCE_MS	10000	/* with the service */

static const struct option longopts[] = {
	{ "op",		  required_argument, NULL, 'o' },
	{ "tenant",	  required_argument, NULL, 't' },
	{ "domain",	  required_argument, NULL, 'd' },
	{ "exe",	  required_argument, NULL, 'e' },
	{ "unit",	  required_argument, NULL, 'u' },
	{ "vm",		  required_argument, NULL, 'v' },
	{ "vms",	  required_argument, NULL, 'n' },
	{ "vcpus",	  required_argument, NULL, 'c' },
	{ "memory",	  required_argument, NULL, 'm' },
	{ "rules",	  required_argument, NULL, 'R' },
	{ "tenant-rules", required_argument, NULL, 'T' },
	{ "socket",	  required_argument, NULL, 's' },
	{ }
};

struct asked {
	struct request q;
	const char *rules, *tenant_rules, *socket;
	int has_op;
};

static int number(const char *text, int64_t *ret)
{
	*ret = parse_number(text, INT32_MAX);
	return *ret < 0 ? -1 : 0;
}

static int set_op(struct asked *a, const char *name)
{
	int op = policy_op_by_name(name);

	if (op >= 0)
		a->q.op = op;
	a->has_op = op >= 0;
	return op < 0 ? -1 : 0;
}

static int set_option(struct asked *a, int c)
{
	switch (c) {
	case 'o':
		return set_op(a, optarg);
	case 't':
		a->q.tenant = optarg;
		return 0;
	case 'd':
		a->q.domain = optarg;
		return 0;
	case 'e':
		a->q.exe = optarg;
		return 0;
	case 'u':
		a->q.unit = optarg;
		return 0;
	case 'v':
		return number(optarg, &a->q.worker);
	case 'n':
		return number(optarg, &a->q.vms);
	case 'c':
		return number(optarg, &a->q.vcpus);
	case 'm':
		a->q.memory = config_parse_size(optarg);
		return a->q.memory < 0 ? -1 : 0;
	case 'R':
		a->rules = optarg;
		return 0;
	case 'T':
		a->tenant_rules = optarg;
		return 0;
	case 's':
		a->socket = optarg;
		return 0;
	}
	return -1;
}

/* -1, and a sentence, if that is no request. */
static int parse(int argc, char **argv, struct asked *ret)
{
	const struct passwd *pw = getpwuid(getuid());
	int c;

	*ret = (struct asked){
		.q = {
			.worker = POLICY_UNKNOWN, .vms = POLICY_UNKNOWN,
			.vcpus = POLICY_UNKNOWN, .memory = POLICY_UNKNOWN,
		},
		.rules = POLICY_FILE, .socket = POLICY_SOCKET,
	};
	ret->q.tenant = pw ? pw->pw_name : NULL;
	optind = 1;
	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		if (!set_option(ret, c))
			continue;
		if (c != '?')
			fprintf(stderr, "kvm-splitctl: policy: '%s' is not possible\n", optarg);
		return -1;
	}
	if (optind != argc || !ret->has_op || !ret->q.tenant) {
		fprintf(stderr, "kvm-splitctl: policy: --op is needed, and a tenant\n");
		return -1;
	}
	return 0;
}

/* Prints what Explain returns; the status is that of the verdict. */
static int show(json_t *answer)
{
	const char *verdict = json_string_value(json_object_get(answer, "verdict"));
	const char *whose = json_string_value(json_object_get(answer, "whose"));
	const char *reason = json_string_value(json_object_get(answer, "reason"));
	const char *file = json_string_value(json_object_get(answer, "file"));
	json_t *line;
	size_t i;

	if (as_json) {
		print_json(answer);
	} else {
		json_array_foreach(json_object_get(answer, "trace"), i, line)
			printf("%s\n", json_string_value(line));
		printf("%s, by %s%s%s", verdict, whose ? whose : "tenant",
		       reason && *reason ? ": " : "", reason ? reason : "");
		if (file)
			printf(" (%s:%" JSON_INTEGER_FORMAT ")", file,
			       json_integer_value(json_object_get(answer, "line")));
		printf("\n");
	}
	return verdict && !strcmp(verdict, "allow") ? 0 : 1;
}

/* --------------------------------------------------------------- test ---- */

static void complain(const char *line)
{
	fprintf(stderr, "%s\n", line);
}

static void add_line(const char *line, void *to)
{
	json_array_append_new(to, json_text(line));
}

static json_t *decide(const struct rules *provider, const struct rules *tenant,
		      const struct request *q)
{
	const struct arbitration how = rules_arbitration(provider, q->op);
	json_t *trace = json_array(), *answer;
	struct opinion p, t = { .max_vcpus = POLICY_NO_LIMIT, .max_memory = POLICY_NO_LIMIT };
	struct decision d;

	rules_ask(provider, q, add_line, trace, &p);
	if (tenant && arbiter_asks_tenant(&how, &p))
		rules_ask(tenant, q, add_line, trace, &t);
	arbiter_decide(&how, &p, &t, &d);
	arbiter_limits(q, &d);
	answer = message_decision(&d);
	json_object_set_new(answer, "trace", trace);
	return answer;
}

static int test(const struct asked *a)
{
	struct rules provider, tenant;
	json_t *answer;
	int r;

	if (a->q.worker != POLICY_UNKNOWN) {
		fprintf(stderr, "kvm-splitctl: policy: who a VM's client is, only the service knows\n");
		return EXIT_USAGE;
	}
	if (rules_load(a->rules, RULES_PROVIDER, 0, &provider, complain))
		return EXIT_CONFIG;
	if (a->tenant_rules && rules_load(a->tenant_rules, RULES_TENANT, 1, &tenant, complain)) {
		rules_free(&provider);
		return EXIT_CONFIG;
	}
	answer = decide(&provider, a->tenant_rules ? &tenant : NULL, &a->q);
	r = show(answer);
	json_decref(answer);
	rules_free(&provider);
	if (a->tenant_rules)
		rules_free(&tenant);
	return r;
}

/* ------------------------------------------------------------ explain ---- */

static int explain(const struct asked *a)
{
	char error[POLICY_REASON];
	json_t *answer;
	int r = client_call(a->socket, POLICY_INTERFACE ".Explain", message_request(&a->q),
			    PATIENCE_MS, &answer, error, sizeof(error));

	if (r) {
		fprintf(stderr, "kvm-splitctl: %s: %s\n", a->socket, error);
		return r == -EREMOTEIO || r == -EBADMSG ? EXIT_PROTOCOL : EXIT_OS;
	}
	r = show(answer);
	json_decref(answer);
	return r;
}

int cmd_policy(int argc, char **argv)
{
	struct asked a;

	if (argc < 2)
		return EXIT_USAGE;
	if (!strcmp(argv[1], "log"))
		return log_of_unit("kvm-split-policyd.service", argc - 1, argv + 1);
	if ((strcmp(argv[1], "test") && strcmp(argv[1], "explain")) ||
	    parse(argc - 1, argv + 1, &a))
		return EXIT_USAGE;
	return strcmp(argv[1], "test") ? explain(&a) : test(&a);
}
