// SPDX-License-Identifier: GPL-2.0-only
/*
 * icount: print the time stamp counter, and how much of it CPU 0.. spent idle,
 * as "TSC IDLE". In the testbed one tick of the TSC is one instruction, or one
 * tick of waiting; TSC minus IDLE is therefore the number of instructions
 * executed (on one CPU). icount LABEL prints "LABEL TSC IDLE". An emulator that
 * counts (scripts/bochs/counting) writes its counts down as well.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

/* Ticks a millisecond, as scripts/testbed told the kernel. */
static unsigned long long tsc_khz(void)
{
	unsigned long long khz = 0;
	char line[4096], *p;
	FILE *f = fopen("/proc/cmdline", "r");

	if (f && fgets(line, sizeof(line), f)) {
		p = strstr(line, "tsc_early_khz=");
		if (p)
			khz = strtoull(p + strlen("tsc_early_khz="), NULL, 10);
	}
	if (f)
		fclose(f);
	return khz;
}

static unsigned long long idle_ns(void)
{
	unsigned long long sum = 0, ns;
	char line[256];
	FILE *f = fopen("/proc/timer_list", "r");

	if (!f)
		return 0;
	/* Idle, and idle while somebody waits for the disk. */
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " .idle_sleeptime : %llu", &ns) == 1 ||
		    sscanf(line, " .iowait_sleeptime : %llu", &ns) == 1)
			sum += ns;
	fclose(f);
	return sum;
}

int main(int argc, char **argv)
{
	unsigned long long idle = idle_ns();

	asm volatile("xchg %bx, %bx");
	if (argc > 1)
		printf("%s ", argv[1]);
	printf("%llu %llu\n", __rdtsc(), idle / 1000 * tsc_khz() / 1000);
	return 0;
}
