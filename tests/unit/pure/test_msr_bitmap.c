// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MSR bitmap.
 */
#include "common.h"
#include "msr_bitmap.h"

#define PASS_READ	1
#define PASS_WRITE	2

static u64 real[512], worker[512];

/* SDM vol. 3, 25.6.9: four kilobytes of bits, by byte. */
static bool intercepted(const u64 *bitmap, u32 msr, bool write)
{
	const u8 *p = (const u8 *)bitmap;

	p += (write ? 2048 : 0) + (msr >= 0xc0000000 ? 1024 : 0);
	return p[(msr & 0x1fff) / 8] >> (msr & 7) & 1;
}

/*
 * What may be passed through at most; apart from the stub's own list.  SDM vol. 4:
 * TSC, SPEC_CTRL, PRED_CMD, FLUSH_CMD, SYSENTER, FS, GS and kernel GS base.
 */
static unsigned int rights(u32 msr)
{
	switch (msr) {
	case 0x10:
		return PASS_READ;
	case 0x49:
	case 0x10b:
		return PASS_WRITE;
	case 0x48:
	case 0x174 ... 0x176:
	case 0xc0000100 ... 0xc0000102:
		return PASS_READ | PASS_WRITE;
	default:
		return 0;
	}
}

static void build(void)
{
	u64 words[KSPLIT_NR_MSR_WORDS];
	unsigned int i;

	for (i = 0; i < KSPLIT_NR_MSR_WORDS; i++)
		words[i] = worker[ksplit_pass_words[i].word];
	memset(real, 0x5a, sizeof(real));
	ksplit_msr_bitmap_build(real, words);
}

/*
 * Every MSR, both ways: passed iff expected and not intercepted by the worker.  A
 * word of the worker's that the stub does not read would show as intercepted.
 */
static void check_all(void)
{
	u32 i;

	for (i = 0; i < 0x4000; i++) {
		u32 msr = i < 0x2000 ? i : 0xc0000000 + i - 0x2000;
		unsigned int r = rights(msr);

		EQ(intercepted(real, msr, false),
		   !(r & PASS_READ) || intercepted(worker, msr, false));
		EQ(intercepted(real, msr, true),
		   !(r & PASS_WRITE) || intercepted(worker, msr, true));
	}
}

START_TEST(extremes)
{
	unsigned int i;

	memset(worker, 0xff, sizeof(worker));
	build();
	for (i = 0; i < 512; i++)
		EQ(real[i], ~0ull);
	memset(worker, 0, sizeof(worker));
	build();
	check_all();
	/* The x2APIC's MSRs are the host's APIC; so is TSC_DEADLINE. */
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

	for (round = 0; round < 300; round++) {
		for (i = 0; i < 512; i++)
			worker[i] = rnd_value();
		build();
		check_all();
	}
}
END_TEST

MAIN("pure/msr_bitmap", extremes, words, random_bitmaps)
