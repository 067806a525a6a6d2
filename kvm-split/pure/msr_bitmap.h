/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The MSRs that a guest may access without a VM exit, and the real MSR bitmap
 * made from that list and the worker's bitmap.
 *
 * Invariant: a bit of the real bitmap is clear only if the list allows it and
 * the worker's bitmap, after ksplit_x2apic_words(), has it clear.
 */
#ifndef KSPLIT_MSR_BITMAP_H
#define KSPLIT_MSR_BITMAP_H

#include "env.h"
#include "../fast/x2apic.h"

/**
 * struct ksplit_pass_word - 64 bits of the bitmap with MSRs that may be passed through
 * @word:	which, in ascending order; the others of a worker's do not matter
 * @mask:	the bits of these MSRs
 *
 * For each of them but TSC (read only), PRED_CMD and FLUSH_CMD (commands) the
 * stub has to give the host its value back after every exit; FS_BASE, GS_BASE
 * and SYSENTER are VMCS fields.
 */
struct ksplit_pass_word {
	u16 word;
	u64 mask;
};

#define KSPLIT_NR_MSR_WORDS	10

extern const struct ksplit_pass_word ksplit_pass_words[KSPLIT_NR_MSR_WORDS];

void ksplit_msr_bitmap_build(u64 real[512], const u64 worker[KSPLIT_NR_MSR_WORDS]);

#endif /* KSPLIT_MSR_BITMAP_H */
