/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The MSRs that a guest may access without a VM exit, and the real MSR bitmap
 * made from that list and the worker's bitmap.
 *
 * Invariant: a bit of the real bitmap is clear only if the list allows it and
 * the worker's bitmap has it clear.
 */
#ifndef KSPLIT_MSR_BITMAP_H
#define KSPLIT_MSR_BITMAP_H

#include "env.h"

#define KSPLIT_PASS_READ	1
#define KSPLIT_PASS_WRITE	2

/**
 * struct ksplit_pass_msr - an MSR that may be passed through
 * @msr:	index
 * @rights:	KSPLIT_PASS_*
 *
 * For each of them but TSC (read only), PRED_CMD and FLUSH_CMD (commands) the
 * stub has to give the host its value back after every exit; FS_BASE, GS_BASE
 * and SYSENTER are VMCS fields.
 */
struct ksplit_pass_msr {
	u32 msr;
	u32 rights;
};

#define KSPLIT_NR_PASS_MSRS	10
#define KSPLIT_NR_MSR_WORDS	8

extern const struct ksplit_pass_msr ksplit_pass_msrs[KSPLIT_NR_PASS_MSRS];
/* Which 64-bit words of the worker's bitmap matter, in ascending order. */
extern const u16 ksplit_msr_words[KSPLIT_NR_MSR_WORDS];

void ksplit_msr_bitmap_build(u64 real[512], const u64 worker[KSPLIT_NR_MSR_WORDS]);

#endif /* KSPLIT_MSR_BITMAP_H */
