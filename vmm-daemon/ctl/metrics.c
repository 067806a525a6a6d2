// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-splitctl metrics: what list, status and stats show, for Prometheus.
 */
#include <stdio.h>
#include <unistd.h>

#include "../statfs/counters.h"
#include "common/config.h"
#include "common/daemon.h"
#include "ctl.h"
#include "prometheus.h"

static void to_stderr(const char *line)
{
	fprintf(stderr, "kvm-splitctl: %s\n", line);
}

static void set_limit(json_t *row, const char *key, int64_t n)
{
	if (n != CONFIG_NO_LIMIT)
		json_object_set_new(row, key, json_integer(n));
}

static void add_limits(json_t *row, const struct config *c)
{
	const char *name = json_string_value(json_object_get(row, "tenant"));
	const struct settings *s = name ? config_settings(c, name) : NULL;

	if (!s)
		return;
	set_limit(row, "max-vms", s->n[CONFIG_MAX_VMS]);
	set_limit(row, "max-vcpus", s->n[CONFIG_MAX_VCPUS]);
	set_limit(row, "max-memory", s->n[CONFIG_MAX_MEMORY]);
	set_limit(row, "max-memory-sum", s->n[CONFIG_MAX_MEMORY_SUM]);
}

static json_t *tenants(const json_t *host)
{
	json_t *rows = tenants_of(host), *row;
	struct config config;
	size_t i;
	int r = config_load(CONFIG_FILE, &config, to_stderr);

	json_array_foreach(rows, i, row) {
		json_object_set_new(row, "up",
				    json_boolean(json_is_integer(json_object_get(row, "supervisor"))));
		if (!r)
			add_limits(row, &config);
	}
	if (!r)
		config_free(&config);
	return rows;
}

/*
 * KVM's counters of a worker's VMs, added up.  The names are the worker's: with what
 * stands before them none of them is a member that somebody else's word is for.
 */
static void add_kvm_counters(json_t *row)
{
	long pid = json_integer_value(json_object_get(row, "vm"));
	unsigned long long id[COUNTERS_VMS];
	char key[sizeof("kvm.") + COUNTER_NAME];
	int n = counters_vms(proc_dir, pid, id);
	static struct counters c;
	json_int_t sum;
	unsigned int i;

	while (n--) {
		if (counters_read(proc_dir, pid, id[n], &c))
			continue;
		for (i = 0; i < c.nr; i++) {
			snprintf(key, sizeof(key), "kvm.%s", c.c[i].name);
			sum = json_integer_value(json_object_get(row, key)) + c.c[i].value;
			json_object_set_new(row, key, json_integer(sum));
		}
	}
}

static json_t *vms(const json_t *host)
{
	json_t *rows = host_vms(host, 0), *row;
	size_t i;

	json_array_foreach(rows, i, row)
		add_kvm_counters(row);
	return rows;
}

/* The stub's counters, or nothing but that there are none. */
static void add_counters(json_t *facts, const json_t *host)
{
	json_t *stats = access("/dev/kvm-split", F_OK) ? NULL : stats_read();
	json_t *launcher = json_object_get(host, "launcher"), *exits = json_array(), *v;
	const char *key;

	json_object_set_new(facts, "host",
			    json_pack("[{s:b, s:b}]", "stub", stats != NULL,
				      "launcher", json_is_integer(launcher)));
	json_object_foreach(json_object_get(stats, "exits"), key, v) {
		json_object_set(v, "reason", json_object_get(v, "name"));
		json_array_append(exits, v);
	}
	json_object_set_new(facts, "exits", exits);
	if (stats)
		json_object_set_new(facts, "counters",
				    json_pack("[O]", json_object_get(stats, "counters")));
	json_decref(stats);
}

int cmd_metrics(int argc, char **argv)
{
	json_t *host, *facts;

	if (argc > 1 || as_json)
		return EXIT_USAGE;
	host = host_scan();
	facts = json_pack("{s:[{s:s, s:i}], s:o, s:o}",
			  "build", "version", KVM_SPLIT_VERSION, "one", 1,
			  "tenants", tenants(host), "vms", vms(host));
	add_counters(facts, host);
	prometheus_print(stdout, facts);
	json_decref(facts);
	json_decref(host);
	return fflush(stdout) ? EXIT_OS : 0;
}
