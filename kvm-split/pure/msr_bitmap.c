// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MSR bitmap (SDM vol. 3, 25.6.9).  Everything exits but the table below.
 */
#include "msr_bitmap.h"

#define RW	(KSPLIT_PASS_READ | KSPLIT_PASS_WRITE)

const struct ksplit_pass_msr ksplit_pass_msrs[KSPLIT_NR_PASS_MSRS] = {
	{ 0x010, KSPLIT_PASS_READ },	/* TSC: offset and scaling apply */
	{ 0x048, RW },			/* SPEC_CTRL: hot in guest kernels */
	{ 0x049, KSPLIT_PASS_WRITE },	/* PRED_CMD: a barrier, no state */
	{ 0x10b, KSPLIT_PASS_WRITE },	/* FLUSH_CMD: likewise */
	{ 0x174, RW },			/* SYSENTER_CS: VMCS field */
	{ 0x175, RW },			/* SYSENTER_ESP: VMCS field */
	{ 0x176, RW },			/* SYSENTER_EIP: VMCS field */
	{ 0xc0000100, RW },		/* FS_BASE: VMCS field */
	{ 0xc0000101, RW },		/* GS_BASE: VMCS field */
	{ 0xc0000102, RW },		/* KERNEL_GS_BASE: hot, switched */
};

#define WORDS_PER_KILOBYTE	128

/* The 64-bit word of the bitmap that holds an MSR's bit. */
#define WORD(msr, write)						\
	(((msr) >= 0xc0000000 ? WORDS_PER_KILOBYTE : 0) +		\
	 ((write) ? 2 * WORDS_PER_KILOBYTE : 0) + ((msr) & 0x1fff) / 64)

const u16 ksplit_msr_words[KSPLIT_NR_MSR_WORDS] = {
	WORD(0x010, 0),		/* and nothing else */
	WORD(0x048, 0),
	WORD(0x174, 0),		/* to 0x176 */
	WORD(0xc0000100, 0),	/* to 0xc0000102 */
	WORD(0x048, 1),		/* and 0x049 */
	WORD(0x10b, 1),
	WORD(0x174, 1),
	WORD(0xc0000100, 1),
};

static void merge(u64 *real, const u64 *worker, u32 msr, bool write)
{
	u16 word = WORD(msr, write);

	for (unsigned int i = 0; i < KSPLIT_NR_MSR_WORDS; i++) {
		if (ksplit_msr_words[i] == word)
			real[word] &= worker[i] | ~BIT_ULL(msr % 64);
	}
}

/**
 * ksplit_msr_bitmap_build() - the real MSR bitmap
 * @real: 4 KiB; overwritten, a moment with every bit set included: no CPU may
 *	be in the guest with it
 * @worker: the words ksplit_msr_words[] of the worker's bitmap; all ones
 *	intercept everything
 */
void ksplit_msr_bitmap_build(u64 real[512], const u64 worker[KSPLIT_NR_MSR_WORDS])
{
	const struct ksplit_pass_msr *p = ksplit_pass_msrs;

	memset(real, 0xff, 4096);
	for (; p < ksplit_pass_msrs + KSPLIT_NR_PASS_MSRS; p++) {
		if (p->rights & KSPLIT_PASS_READ)
			merge(real, worker, p->msr, false);
		if (p->rights & KSPLIT_PASS_WRITE)
			merge(real, worker, p->msr, true);
	}
}
