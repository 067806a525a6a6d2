/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The processor of the tests of pure/.
 */
#ifndef TESTS_PURE_CPU_H
#define TESTS_PURE_CPU_H

#include "vmcs_policy.h"

/* The capability MSRs of a Skylake server, newer secondary controls added. */
static inline void make_cpu(struct ksplit_hw *hw)
{
	static const u64 msr[KSPLIT_NR_VMX_MSRS] = {
		0x00da040000000004, 0x000000ff00000016, 0xfff9fffe0401e172,
		0x01ffffff00036dff, 0x0003ffff000011ff, 0x000000007004c1e7,
		0x0000000080000021, 0x00000000ffffffff, 0x0000000000002000,
		0x00000000003767ff, 0x000000000000002e, 0xd7ffffff00000000,
		0x00000f0106734141, 0x000000ff00000016, 0xfff9fffe04006172,
		0x01ffffff00036dfb, 0x0003ffff000011fb, 0x0000000000000001,
	};

	memset(hw, 0, sizeof(*hw));
	memcpy(hw->msr, msr, sizeof(msr));
	memset(hw->supported, 0xff, sizeof(hw->supported));
	hw->maxphyaddr = 46;
	hw->virt_bits = 48;
	hw->has_tsc_aux = true;
	hw->fast = true;
	hw->cr4_allowed = ~0ull;
	hw->efer_allowed = 0xd01;
	hw->debugctl = 1 << 14;
	hw->spec_ctrl = 7;
	hw->xcr0 = 0x2ff;
}

#endif /* TESTS_PURE_CPU_H */
