// SPDX-License-Identifier: GPL-2.0-only
/*
 * worker/worker.c, parse_options(): kvm-vmm's command line, NULs between its words.
 *
 * Properties, if it is accepted: descriptors and limits are numbers of their ranges;
 * libkvm is asked to hide no more features than there are numbers.
 */
#include "command_line.h"

/* Its parser is static; the rest of it is not run. */
#define main(...)	worker_main(__VA_ARGS__)
#include "worker/worker.c"
#undef main

const char *ksplit_log_who;
int ksplit_log_highest;
__u64 ksplit_window_most;
static unsigned int hidden;

int ksplit_hide_feature(unsigned int bit)
{
	HOLDS(bit <= INT_MAX);
	hidden++;
	return bit < 32 * 32 ? 0 : -1;
}

void ksplit_no_smt(void)
{
}

const char *ksplit_stats_name(unsigned int i)
{
	return NULL;
}

/* How many numbers the words could hold. */
static unsigned int nr_numbers(void)
{
	unsigned int n = 0;

	for (int i = 1; i < nr_words; i++)
		for (const char *c = words[i]; c; c = strchr(c, ','), c = c ? c + 1 : NULL)
			n++;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	static char *taken[MAX_WORDS + 2];

	hidden = ksplit_window_most = 0;
	take_words(&in, "kvm-vmm");
	memcpy(taken, words, sizeof(words));
	parsing = true;
	if (!setjmp(ended)) {
		struct options o = parse_options(nr_words, words);

		HOLDS(o.tenant_fd >= 0 && o.tenant_fd <= 1 << 20);
		HOLDS(o.supervisor_fd >= -1 && o.supervisor_fd <= 1 << 20);
		HOLDS(ksplit_window_most <= LLONG_MAX);
		HOLDS(hidden <= nr_numbers());
	}
	parsing = false;
	free_words(taken, nr_words);
	return 0;
}
