// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-splitctl stats and top: the stub's counters, and what VMs do with the CPU.
 *
 * The counters are the host's: the stub does not count for each VM.
 */
#include <asm/vmx.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/array_size.h"
#include "common/daemon.h"
#include "ctl.h"

static const struct {
	unsigned int reason;
	const char *name;
} reasons[] = { VMX_EXIT_REASONS };

static const char *reason_name(unsigned int reason)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].reason == reason)
			return reasons[i].name;
	return NULL;
}

/* "exit_30" counts exits of a reason, "exit_30_ring0" those that stayed in ring 0. */
static void add_exit(json_t *exits, const char *key, json_int_t value)
{
	unsigned int reason;
	const char *name;
	char number[16];
	int end = 0;
	json_t *o;

	if (sscanf(key, "exit_%u%n", &reason, &end) != 1)
		return;
	name = reason_name(reason);
	snprintf(number, sizeof(number), "%u", reason);
	name = name ? name : number;
	o = json_object_get(exits, name);
	if (!o) {
		o = json_pack("{s:s, s:i}", "name", name, "reason", reason);
		json_object_set_new(exits, name, o);
	}
	json_object_set_new(o, key[end] ? "ring0" : "count", json_integer(value));
}

/**
 * stats_read() - the stub's counters
 *
 * Return: "counters", and "exits" by the name of their reason; NULL, with a line on
 * stderr, if there are none.
 */
json_t *stats_read(void)
{
	FILE *f = fopen(stats_file, "re");
	json_t *counters, *exits;
	long long value;
	char key[64];

	if (!f) {
		fprintf(stderr, "kvm-splitctl: %s: %s\n", stats_file, strerror(errno));
		return NULL;
	}
	counters = json_object();
	exits = json_object();
	while (fscanf(f, "%63s %lld", key, &value) == 2) {
		if (!strncmp(key, "exit_", 5))
			add_exit(exits, key, value);
		else
			json_object_set_new(counters, key, json_integer(value));
	}
	fclose(f);
	return json_pack("{s:o, s:o}", "counters", counters, "exits", exits);
}

int cmd_stats(int argc, char **argv)
{
	static const struct column columns[] = {
		{ "name", "EXIT", PLAIN }, { "count", "COUNT", PLAIN },
		{ "ring0", "IN RING 0", PLAIN }, { }
	};
	json_t *stats, *rows, *v;
	const char *key;

	if (argc > 1)
		return EXIT_USAGE;
	stats = stats_read();
	if (!stats)
		return EXIT_NO_STUB;
	if (as_json) {
		print_json(stats);
		return 0;
	}
	print_pairs(json_object_get(stats, "counters"));
	putchar('\n');
	rows = json_array();
	json_object_foreach(json_object_get(stats, "exits"), key, v)
		json_array_append(rows, v);
	print_table(rows, columns);
	return 0;
}

/* ----------------------------------------------------------------- top --- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

/* Each VM's share of a CPU since @before, busiest first. */
static json_t *shares(const json_t *vms, const json_t *before, double span)
{
	json_t *sorted = json_array(), *vm, *old;
	size_t i, j;

	json_array_foreach(vms, i, vm) {
		double used = number(vm, "cpu"), share;

		json_array_foreach(before, j, old)
			if (number(old, "vm") == number(vm, "vm"))
				used -= number(old, "cpu");
		share = 100 * used / span;
		json_object_set_new(vm, "share", json_real(share));
		for (j = 0; j < json_array_size(sorted); j++)
			if (number(json_array_get(sorted, j), "share") < share)
				break;
		json_array_insert(sorted, j, vm);
	}
	return sorted;
}

static json_t *rates(const json_t *now, const json_t *before, double span)
{
	static const char * const names[] = {
		"exits", "exits_worker", "exits_ring0", "calls", "fills", "kicks",
	};
	json_t *r = json_object();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		double d = number(json_object_get(now, "counters"), names[i]) -
			   number(json_object_get(before, "counters"), names[i]);

		json_object_set_new(r, names[i], json_real(d / span));
	}
	return r;
}

static void print_sample(const json_t *vms, const json_t *rate)
{
	static const struct column columns[] = {
		{ "vm", "VM", PLAIN }, { "tenant", "TENANT", PLAIN },
		{ "vcpus", "VCPUS", PLAIN }, { "memory", "MEMORY", BYTES },
		{ "rss", "RSS", BYTES }, { "share", "%CPU", PLAIN },
		{ "cpu", "TIME", SECONDS }, { }
	};
	const char *key;
	json_t *v;

	if (isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", stdout);
	printf("per second:");
	json_object_foreach((json_t *)rate, key, v)
		printf(" %s %.0f", key, json_real_value(v));
	printf("\n\n");
	print_table(vms, columns);
	putchar('\n');
	fflush(stdout);
}

int cmd_top(int argc, char **argv)
{
	json_t *host, *stats, *vms, *old_host, *old_stats, *old_vms, *rate;
	double delay = 2, then, now;
	long rounds = -1;
	int c;

	while ((c = getopt(argc, argv, "d:n:")) != -1) {
		if (c == 'd')
			delay = atof(optarg);
		else if (c == 'n')
			rounds = parse_number(optarg, 1 << 30);
		else
			return EXIT_USAGE;
	}
	if (optind != argc || !(delay >= 0.1) || delay > 3600 || !rounds)
		return EXIT_USAGE;
	old_stats = stats_read();
	if (!old_stats)
		return EXIT_NO_STUB;
	old_host = host_scan();
	old_vms = host_vms(old_host, 0);
	then = seconds();
	while (rounds < 0 || rounds--) {
		usleep(delay * 1e6);
		stats = stats_read();
		if (!stats)
			return EXIT_NO_STUB;
		host = host_scan();
		vms = host_vms(host, 0);
		now = seconds();
		rate = rates(stats, old_stats, now - then);
		json_decref(old_stats);
		vms = shares(vms, old_vms, now - then);
		if (as_json) {
			json_t *sample = json_pack("{s:o, s:O}", "rates", rate, "vms", vms);

			/* One sample a line. */
			json_dumpf(sample, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
			putchar('\n');
			fflush(stdout);
			json_incref(rate);
			json_decref(sample);
		} else {
			print_sample(vms, rate);
		}
		json_decref(rate);
		json_decref(old_vms);
		json_decref(old_host);
		old_stats = stats;
		old_host = host;
		old_vms = vms;
		then = now;
	}
	return 0;
}
