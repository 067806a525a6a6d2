// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-splitctl list and status: tenants and VMs, from /proc and the configuration.
 */
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config.h"
#include "common/daemon.h"
#include "ctl.h"

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

int cmd_list(int argc, char **argv)
{
	static const struct column columns[] = {
		{ "vm", "VM", PLAIN }, { "tenant", "TENANT", PLAIN },
		{ "client", "CLIENT", PLAIN }, { "vcpus", "VCPUS", PLAIN },
		{ "memory", "MEMORY", BYTES }, { "rss", "RSS", BYTES },
		{ "cpu", "CPU TIME", SECONDS }, { "age", "AGE", SECONDS }, { }
	};
	int idle = 0;
	json_t *vms;

	if (argc == 2 && !strcmp(argv[1], "--all"))
		idle = 1;
	else if (argc > 1)
		return EXIT_USAGE;
	vms = host_vms(host_scan(), idle);
	if (as_json)
		print_json(vms);
	else
		print_table(vms, columns);
	return 0;
}

static void to_stderr(const char *line)
{
	fprintf(stderr, "kvm-splitctl: %s\n", line);
}

static json_t *limit(int64_t n)
{
	return n == CONFIG_NO_LIMIT ? json_null() : json_integer(n);
}

static json_t *settings_of(const struct settings *s)
{
	json_t *hidden = json_array();
	unsigned int bit;

	for (bit = 0; bit < CONFIG_FEATURE_WORDS * 32; bit++)
		if (s->hidden[bit / 32] >> (bit % 32) & 1)
			json_array_append_new(hidden, json_string(config_feature_name(bit)));
	return json_pack("{s:I, s:I, s:o, s:o, s:b, s:I, s:s, s:o}",
			 "max-vms", (json_int_t)s->n[CONFIG_MAX_VMS],
			 "max-vcpus", (json_int_t)s->n[CONFIG_MAX_VCPUS],
			 "max-memory", limit(s->n[CONFIG_MAX_MEMORY]),
			 "max-memory-sum", limit(s->n[CONFIG_MAX_MEMORY_SUM]),
			 "nested", (int)s->n[CONFIG_NESTED],
			 "log-level", (json_int_t)s->n[CONFIG_LOG_LEVEL],
			 "policy", config_policy_name(s->n[CONFIG_POLICY]),
			 "hide-cpu-features", hidden);
}

/* A user with a supervisor or workers, made on first sight. */
static json_t *tenant_row(json_t *rows, const json_t *process)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		if (number(row, "uid") == number(process, "uid"))
			return row;
	row = json_pack("{s:O, s:O, s:n, s:i, s:i, s:i, s:i, s:i}",
			"tenant", json_object_get(process, "tenant"),
			"uid", json_object_get(process, "uid"), "supervisor", "workers", 0,
			"vms", 0, "vcpus", 0, "memory", 0, "rss", 0);
	json_array_append_new(rows, row);
	return row;
}

static void add(json_t *row, const char *key, json_int_t more)
{
	json_object_set_new(row, key, json_integer(number(row, key) + more));
}

/**
 * tenants_of() - users with a supervisor or workers
 * @host:	of host_scan()
 *
 * Return: an array of objects, with sums of what their workers have.
 */
json_t *tenants_of(const json_t *host)
{
	json_t *rows = json_array(), *p;
	size_t i;

	json_array_foreach(json_object_get(host, "supervisors"), i, p)
		json_object_set(tenant_row(rows, p), "supervisor",
				json_object_get(p, "supervisor"));
	json_array_foreach(json_object_get(host, "workers"), i, p) {
		json_t *row = tenant_row(rows, p);

		add(row, "workers", 1);
		add(row, "vms", number(p, "vms"));
		add(row, "vcpus", number(p, "vcpus"));
		add(row, "memory", number(p, "memory"));
		add(row, "rss", number(p, "rss"));
	}
	return rows;
}

static int host_status(json_t *host)
{
	static const struct column columns[] = {
		{ "tenant", "TENANT", PLAIN }, { "uid", "UID", PLAIN },
		{ "supervisor", "SUPERVISOR", PLAIN }, { "workers", "WORKERS", PLAIN },
		{ "vms", "VMS", PLAIN }, { "vcpus", "VCPUS", PLAIN },
		{ "memory", "MEMORY", BYTES }, { "rss", "RSS", BYTES }, { }
	};
	json_t *tenants = tenants_of(host), *launcher = json_object_get(host, "launcher");
	int stub = !access("/dev/kvm-split", F_OK);

	if (as_json) {
		print_json(json_pack("{s:b, s:O, s:o}", "stub", stub, "launcher", launcher,
				     "tenants", tenants));
		return stub && !json_is_null(launcher) ? 0 : EXIT_NO_STUB;
	}
	printf("stub: %s\n", stub ? "in this kernel" : "not in this kernel");
	if (json_is_null(launcher))
		printf("launcher: not running\n\n");
	else
		printf("launcher: %lld\n\n", (long long)json_integer_value(launcher));
	print_table(tenants, columns);
	return stub && !json_is_null(launcher) ? 0 : EXIT_NO_STUB;
}

static int tenant_status(json_t *host, const char *name)
{
	struct passwd *pw = getpwnam(name);
	long long uid = pw ? (long long)pw->pw_uid : parse_number(name, UINT32_MAX - 1);
	const struct settings *s = NULL;
	struct config config;
	json_t *row, *workers, *o, *none;
	size_t i;

	if (uid < 0) {
		fprintf(stderr, "kvm-splitctl: no tenant or VM is called '%s'\n", name);
		return 1;
	}
	/* Its file has the name of a user who has one. */
	pw = getpwuid(uid);
	name = pw ? pw->pw_name : name;
	none = json_pack("{s:o, s:I}", "tenant", json_text(name), "uid", (json_int_t)uid);
	o = json_deep_copy(tenant_row(tenants_of(host), none));
	if (!config_load(CONFIG_FILE, &config, to_stderr))
		s = config_settings(&config, name);
	json_object_set_new(o, "settings", s ? settings_of(s) : json_null());
	workers = json_array();
	json_array_foreach(json_object_get(host, "workers"), i, row)
		if (number(row, "uid") == uid)
			json_array_append(workers, json_object_get(row, "vm"));
	json_object_set_new(o, "worker_pids", workers);
	if (as_json)
		print_json(o);
	else
		print_pairs(o);
	return 0;
}

/* A VM is called by its worker's process id, or its client's. */
static json_t *find_vm(const json_t *host, const char *name)
{
	long long pid = parse_number(name, 1 << 30);
	json_t *w;
	size_t i;

	if (pid < 0)
		return NULL;
	json_array_foreach(json_object_get(host, "workers"), i, w)
		if (number(w, "vm") == pid || number(w, "client") == pid)
			return w;
	return NULL;
}

int cmd_status(int argc, char **argv)
{
	json_t *host, *vm;

	if (argc > 2)
		return EXIT_USAGE;
	host = host_scan();
	if (argc < 2)
		return host_status(host);
	vm = find_vm(host, argv[1]);
	if (!vm)
		return tenant_status(host, argv[1]);
	json_object_set_new(vm, "private", host_private(number(vm, "vm")));
	json_object_set_new(vm, "threads", host_threads(number(vm, "vm")));
	if (as_json)
		print_json(vm);
	else
		print_pairs(vm);
	return 0;
}
