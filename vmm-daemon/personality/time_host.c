// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readings of a clock together with the TSC, for timekeeper.c.
 */
#include <x86intrin.h>

#include "host.h"

#define TRIES	8

static unsigned long long tsc(void)
{
	unsigned long long t;

	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
}

struct host_tsc_pair host_tsc_pair(int clock)
{
	struct host_tsc_pair best = { .error = ~0ULL };
	int i;

	for (i = 0; i < TRIES; i++) {
		unsigned long long before = tsc();
		host_ns_t ns = host_clock_ns(clock);
		unsigned long long after = tsc();

		if ((after - before) / 2 >= best.error)
			continue;
		best.error = (after - before) / 2;
		best.tsc = before + best.error;
		best.ns = ns;
	}
	return best;
}
