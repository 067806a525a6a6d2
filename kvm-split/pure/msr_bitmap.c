// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MSR bitmap (SDM vol. 3, 25.6.9).  Everything exits but the table below.
 */
#include "msr_bitmap.h"

/* The 64-bit word of the bitmap that holds an MSR's bit for RDMSR, for WRMSR; the bit. */
#define READ_WORD(msr)	(((msr) >= 0xc0000000 ? 128 : 0) + ((msr) & 0x1fff) / 64)
#define WRITE_WORD(msr)	(256 + READ_WORD(msr))
#define MASK(msr)	BIT_ULL((msr) % 64)

#define SYSENTER	(MASK(MSR_IA32_SYSENTER_CS) | MASK(MSR_IA32_SYSENTER_ESP) | \
			 MASK(MSR_IA32_SYSENTER_EIP))
#define BASES		(MASK(MSR_FS_BASE) | MASK(MSR_GS_BASE) | MASK(MSR_KERNEL_GS_BASE))

const struct ksplit_pass_word ksplit_pass_words[KSPLIT_NR_MSR_WORDS] = {
	{ READ_WORD(MSR_IA32_TSC), MASK(MSR_IA32_TSC) },	/* offset and scaling apply */
	{ READ_WORD(MSR_IA32_SPEC_CTRL), MASK(MSR_IA32_SPEC_CTRL) },	/* hot in guest kernels */
	{ READ_WORD(MSR_IA32_SYSENTER_CS), SYSENTER },	/* VMCS fields */
	{ READ_WORD(KSPLIT_X2APIC_MSR), ~0ull },	/* what is not virtualized exits: fast/x2apic.h */
	{ READ_WORD(MSR_FS_BASE), BASES },	/* VMCS fields; KERNEL_GS_BASE: hot, switched */
	/* PRED_CMD: a barrier, no state; FLUSH_CMD likewise. */
	{ WRITE_WORD(MSR_IA32_SPEC_CTRL), MASK(MSR_IA32_SPEC_CTRL) | MASK(MSR_IA32_PRED_CMD) },
	{ WRITE_WORD(MSR_IA32_FLUSH_CMD), MASK(MSR_IA32_FLUSH_CMD) },
	{ WRITE_WORD(MSR_IA32_SYSENTER_CS), SYSENTER },
	{ WRITE_WORD(KSPLIT_X2APIC_MSR), KSPLIT_X2APIC_WRITE },
	{ WRITE_WORD(MSR_FS_BASE), BASES },
};

/**
 * ksplit_msr_bitmap_build() - the real MSR bitmap
 * @real: 4 KiB; overwritten, a moment with every bit set included: no CPU may
 *	be in the guest with it
 * @worker: the words ksplit_pass_words[] of the worker's bitmap; all ones
 *	intercept everything
 */
void ksplit_msr_bitmap_build(u64 real[512], const u64 worker[KSPLIT_NR_MSR_WORDS])
{
	memset(real, 0xff, 4096);
	for (unsigned int i = 0; i < KSPLIT_NR_MSR_WORDS; i++)
		real[ksplit_pass_words[i].word] = worker[i] | ~ksplit_pass_words[i].mask;
}
