// SPDX-License-Identifier: GPL-2.0-only
/*
 * pure/msr_bitmap.c: a worker's MSR bitmap.
 *
 * Property: a guest accesses an MSR without an exit if that harms no host (by the
 * SDM, passed_msrs.h, and the secondary controls) and the worker's bitmap says so; every
 * MSR is looked at.
 */
#include "fuzz.h"
#include "msr_bitmap.h"

UNCOUNTED_BEGIN
#include "passed_msrs.h"
UNCOUNTED_END

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static u64 real[512], worker[512];
	u64 words[KSPLIT_NR_MSR_WORDS];
	struct input in = { data, size };
	u32 proc2;
	int i;

	proc2 = take_number(&in, 4);
	memset(worker, take_number(&in, 1) & 1 ? 0xff : 0, sizeof(worker));
	for (i = 0; i < KSPLIT_NR_MSR_WORDS; i++)
		worker[ksplit_pass_words[i].word] = take_number(&in, 8);
	/* Anywhere else, too. */
	while (in.left)
		worker[take_number(&in, 2) % 512] = take_number(&in, 8);
	for (i = 0; i < KSPLIT_NR_MSR_WORDS; i++)
		words[i] = worker[ksplit_pass_words[i].word];
	ksplit_x2apic_words(words, proc2);
	ksplit_msr_bitmap_build(real, words);
	check_all_msrs(real, worker, proc2);
	return 0;
}
