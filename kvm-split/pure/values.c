// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks of the values that a run puts into registers of the host's CPU.
 */
#include "values.h"

/**
 * ksplit_canonical() - whether an address is canonical
 * @va: linear address
 * @virt_bits: 48 or 57
 *
 * WRMSR of a base register faults on others (SDM vol. 1, 3.3.7.1).
 */
bool ksplit_canonical(u64 va, u32 virt_bits)
{
	u32 shift = 64 - virt_bits;

	return (u64)((s64)(va << shift) >> shift) == va;
}

/**
 * ksplit_xcr0_valid() - whether XSETBV accepts a value
 * @xcr0: the value
 * @allowed: features that guests may enable; x87 always is
 *
 * SDM vol. 1, 13.3.
 */
bool ksplit_xcr0_valid(u64 xcr0, u64 allowed)
{
	u64 mpx = xcr0 & XCR0_MPX;
	u64 avx512 = xcr0 & XCR0_AVX512;

	return xcr0 & XCR0_X87 && !(xcr0 & ~((allowed | XCR0_X87) & KSPLIT_XCR0_GUEST)) &&
	       (!(xcr0 & XCR0_AVX) || xcr0 & XCR0_SSE) &&
	       (!mpx || mpx == XCR0_MPX) &&
	       (!avx512 || (avx512 == XCR0_AVX512 && xcr0 & XCR0_AVX));
}

static bool msr_valid(const struct ksplit_hw *hw, enum ksplit_run_msr i, u64 value)
{
	switch (i) {
	case KSPLIT_MSR_STAR:
		return true;
	case KSPLIT_MSR_KERNEL_GS_BASE:
	case KSPLIT_MSR_LSTAR:
	case KSPLIT_MSR_CSTAR:
		return ksplit_canonical(value, hw->virt_bits);
	case KSPLIT_MSR_SYSCALL_MASK:
		return value <= 0xffffffff;
	case KSPLIT_MSR_TSC_AUX:
		return hw->has_tsc_aux && value <= 0xffffffff;
	case KSPLIT_MSR_SPEC_CTRL:
		return hw->spec_ctrl && !(value & ~hw->spec_ctrl);
	default:
		return false;
	}
}

/**
 * ksplit_check_run_values() - check a run's values that are not in the VMCS
 * @hw: the processor
 * @run: the stub's copy; MSRs that are not to be loaded become 0, so that no
 *	guest has the host's values
 *
 * GPRs, CR2, PKRU and the deadline may be anything.
 *
 * Return: 0, or -EINVAL.
 */
int ksplit_check_run_values(const struct ksplit_hw *hw, struct ksplit_run *run)
{
	/* Guests write it at will, so it is always switched. */
	u32 i, mask = run->msr_mask | BIT(KSPLIT_MSR_KERNEL_GS_BASE);

	if (run->vmcs_index >= KSPLIT_NR_VMCS || run->flags & ~KSPLIT_RUN_FLAGS)
		return -EINVAL;
	if (run->xss || !ksplit_xcr0_valid(run->xcr0, hw->xcr0))
		return -EINVAL;
	/* MOV to DR6 faults on the high half, and ignores other fixed bits. */
	if (run->dr6 >> 32)
		return -EINVAL;
	if (run->msr_mask >> KSPLIT_NR_RUN_MSRS)
		return -EINVAL;
	for (i = 0; i < KSPLIT_NR_RUN_MSRS; i++) {
		if (!(mask >> i & 1))
			run->msr[i] = 0;
		else if (!msr_valid(hw, i, run->msr[i]))
			return -EINVAL;
	}
	return 0;
}
