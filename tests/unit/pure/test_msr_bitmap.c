// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MSR bitmap.
 */
#include "common.h"
#include "msr_bitmap.h"
#include "passed_msrs.h"

static u64 real[512], worker[512];

static void build(u32 proc2)
{
	u64 words[KSPLIT_NR_MSR_WORDS];
	unsigned int i;

	for (i = 0; i < KSPLIT_NR_MSR_WORDS; i++)
		words[i] = worker[ksplit_pass_words[i].word];
	ksplit_x2apic_words(words, proc2);
	memset(real, 0x5a, sizeof(real));
	ksplit_msr_bitmap_build(real, words);
}

START_TEST(extremes)
{
	unsigned int i;

	memset(worker, 0xff, sizeof(worker));
	build(~0u);
	for (i = 0; i < 512; i++)
		EQ(real[i], ~0ull);
	memset(worker, 0, sizeof(worker));
	build(~0u);
	check_all_msrs(real, worker, ~0u);
	/* ICR, timer, LVTs; all above 0x83f; TSC_DEADLINE. */
	HOLDS(intercepted(real, 0x830, true) && intercepted(real, 0x838, true));
	for (i = 0x832; i < 0x838; i++)
		HOLDS(intercepted(real, i, true));
	for (i = 0x840; i < 0x900; i++)
		HOLDS(intercepted(real, i, false) && intercepted(real, i, true));
	HOLDS(intercepted(real, 0x6e0, true));
	build(~(1u << 4));
	check_all_msrs(real, worker, ~(1u << 4));
	/* Without the mode the x2APIC's MSRs are the host's APIC; so is TSC_DEADLINE. */
	for (i = 0x800; i < 0x900; i++)
		HOLDS(intercepted(real, i, false) && intercepted(real, i, true));
	HOLDS(intercepted(real, 0x6e0, true));
	/* DEBUGCTL, DS_AREA, PAT, EFER, XSS, PERF_GLOBAL_CTRL, TSC. */
	HOLDS(intercepted(real, 0x1d9, true));
	HOLDS(intercepted(real, 0x600, true));
	HOLDS(intercepted(real, 0x277, true));
	HOLDS(intercepted(real, 0xc0000080, true));
	HOLDS(intercepted(real, 0xda0, true));
	HOLDS(intercepted(real, 0x38f, true));
	HOLDS(intercepted(real, 0x10, true));
}
END_TEST

START_TEST(words)
{
	unsigned int i;

	/* 0x800 / 64, and the same of the second two kilobytes. */
	ck_assert_uint_eq(ksplit_pass_words[KSPLIT_X2APIC_READS].word, 32);
	ck_assert_uint_eq(ksplit_pass_words[KSPLIT_X2APIC_WRITES].word, 256 + 32);
	for (i = 1; i < KSPLIT_NR_MSR_WORDS; i++)
		ck_assert_uint_lt(ksplit_pass_words[i - 1].word, ksplit_pass_words[i].word);
	ck_assert_uint_lt(ksplit_pass_words[i - 1].word, 512);
	/* No word for nothing. */
	for (i = 0; i < KSPLIT_NR_MSR_WORDS; i++)
		HOLDS(ksplit_pass_words[i].mask);
}
END_TEST

START_TEST(random_bitmaps)
{
	unsigned int round, i;
	u32 proc2;

	for (round = 0; round < 300; round++) {
		for (i = 0; i < 512; i++)
			worker[i] = rnd_value();
		proc2 = rnd();
		build(proc2);
		check_all_msrs(real, worker, proc2);
	}
}
END_TEST

MAIN("pure/msr_bitmap", extremes, words, random_bitmaps)
