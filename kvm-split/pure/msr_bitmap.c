// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MSR bitmap (SDM vol. 3, 25.6.9).  Everything exits but the table below.
 */
#include "msr_bitmap.h"

#define RW	(KSPLIT_PASS_READ | KSPLIT_PASS_WRITE)

const struct ksplit_pass_msr ksplit_pass_msrs[KSPLIT_NR_PASS_MSRS] = {
	{ MSR_IA32_TSC, KSPLIT_PASS_READ },	/* offset and scaling apply */
	{ MSR_IA32_SPEC_CTRL, RW },		/* hot in guest kernels */
	{ MSR_IA32_PRED_CMD, KSPLIT_PASS_WRITE }, /* a barrier, no state */
	{ MSR_IA32_FLUSH_CMD, KSPLIT_PASS_WRITE }, /* likewise */
	{ MSR_IA32_SYSENTER_CS, RW },		/* VMCS field */
	{ MSR_IA32_SYSENTER_ESP, RW },		/* VMCS field */
	{ MSR_IA32_SYSENTER_EIP, RW },		/* VMCS field */
	{ MSR_FS_BASE, RW },			/* VMCS field */
	{ MSR_GS_BASE, RW },			/* VMCS field */
	{ MSR_KERNEL_GS_BASE, RW },		/* hot, switched */
};

#define WORDS_PER_KILOBYTE	128

/* The 64-bit word of the bitmap that holds an MSR's bit. */
#define WORD(msr, write)						\
	(((msr) >= 0xc0000000 ? WORDS_PER_KILOBYTE : 0) +		\
	 ((write) ? 2 * WORDS_PER_KILOBYTE : 0) + ((msr) & 0x1fff) / 64)

const u16 ksplit_msr_words[KSPLIT_NR_MSR_WORDS] = {
	WORD(MSR_IA32_TSC, 0),		/* and nothing else */
	WORD(MSR_IA32_SPEC_CTRL, 0),
	WORD(MSR_IA32_SYSENTER_CS, 0),	/* to SYSENTER_EIP */
	WORD(MSR_FS_BASE, 0),		/* to KERNEL_GS_BASE */
	WORD(MSR_IA32_SPEC_CTRL, 1),	/* and PRED_CMD */
	WORD(MSR_IA32_FLUSH_CMD, 1),
	WORD(MSR_IA32_SYSENTER_CS, 1),
	WORD(MSR_FS_BASE, 1),
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
