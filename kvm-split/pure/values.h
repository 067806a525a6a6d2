/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values of a worker's that reach WRMSR, XSETBV or MOV DR in ring 0.
 *
 * Invariant: a struct ksplit_run that passed ksplit_check_run_values() cannot
 * make one of these instructions fault.
 */
#ifndef KSPLIT_VALUES_H
#define KSPLIT_VALUES_H

#include "vmcs_policy.h"

#define KSPLIT_RUN_FLAGS						\
	(KSPLIT_RUN_FLUSH_VPID | KSPLIT_RUN_EXIT_AT_ONCE |		\
	 KSPLIT_RUN_DEBUGREGS | KSPLIT_RUN_SHADOW_ROOT | KSPLIT_RUN_IBPB)

#define XCR0_X87	BIT_ULL(0)
#define XCR0_SSE	BIT_ULL(1)
#define XCR0_AVX	BIT_ULL(2)
#define XCR0_MPX	(BIT_ULL(3) | BIT_ULL(4))
#define XCR0_AVX512	(BIT_ULL(5) | BIT_ULL(6) | BIT_ULL(7))
#define XCR0_PKRU	BIT_ULL(9)
/* Not AMX: its state is 8 KiB and needs the host's consent per process. */
#define KSPLIT_XCR0_GUEST	(XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_MPX | \
				 XCR0_AVX512 | XCR0_PKRU)

bool ksplit_canonical(u64 va, u32 virt_bits);
bool ksplit_xcr0_valid(u64 xcr0, u64 allowed);
int ksplit_check_run_values(const struct ksplit_hw *hw, struct ksplit_run *run);

#endif /* KSPLIT_VALUES_H */
