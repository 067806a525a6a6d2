// SPDX-License-Identifier: GPL-2.0-only
/*
 * pure/values.c: the values of a run that are not in the VMCS.
 *
 * Properties: what is accepted faults in no WRMSR, XSETBV or MOV DR (SDM vol. 1, 13.3;
 * vol. 4); an MSR that the worker does not name is 0; nothing but MSRs changes, and
 * only if all is well; what was accepted once is accepted again, unchanged.
 */
#include "fuzz.h"
#include "cpu.h"
#include "values.h"

static bool canonical(u64 va, u32 bits)
{
	s64 high = (s64)va >> (bits - 1);

	return high == 0 || high == -1;
}

/* The rules of XSETBV, for what guests may have. */
static void check_xcr0(u64 xcr0, u64 allowed)
{
	HOLDS(xcr0 & 1);
	EQ(xcr0 & ~(allowed | 1), 0);
	/* x87, SSE, AVX, MPX, AVX-512, PKRU. */
	EQ(xcr0 & ~0x2ffull, 0);
	if (xcr0 & 4)
		HOLDS(xcr0 & 2);
	EQ(!(xcr0 & 8), !(xcr0 & 0x10));
	HOLDS(!(xcr0 & 0xe0) || ((xcr0 & 0xe0) == 0xe0 && xcr0 & 4));
}

static void check_msrs(const struct ksplit_hw *hw, const struct ksplit_run *run)
{
	HOLDS(canonical(run->msr[KSPLIT_MSR_KERNEL_GS_BASE], hw->virt_bits));
	HOLDS(canonical(run->msr[KSPLIT_MSR_LSTAR], hw->virt_bits));
	HOLDS(canonical(run->msr[KSPLIT_MSR_CSTAR], hw->virt_bits));
	EQ(run->msr[KSPLIT_MSR_SYSCALL_MASK] >> 32, 0);
	EQ(run->msr[KSPLIT_MSR_TSC_AUX] >> 32, 0);
	EQ(run->msr[KSPLIT_MSR_SPEC_CTRL] & ~hw->spec_ctrl, 0);
	if (run->msr_mask & 1 << KSPLIT_MSR_TSC_AUX)
		HOLDS(hw->has_tsc_aux);
	if (run->msr_mask & 1 << KSPLIT_MSR_SPEC_CTRL)
		HOLDS(hw->spec_ctrl);
	for (int i = 1; i < KSPLIT_NR_RUN_MSRS; i++)
		if (!(run->msr_mask & 1 << i))
			EQ(run->msr[i], 0);
}

static void take_cpu(struct input *in, struct ksplit_hw *hw)
{
	u8 cpu = take_number(in, 1);

	make_cpu(hw);
	hw->virt_bits = cpu & 1 ? 57 : 48;
	hw->has_tsc_aux = cpu & 2;
	hw->spec_ctrl = cpu & 4 ? take_number(in, 2) : 0;
	hw->xcr0 = cpu & 8 ? take_number(in, 8) : 0x2ff;
}

static void take_run(struct input *in, struct ksplit_run *run)
{
	memset(run, 0, sizeof(*run));
	run->vmcs_index = take_number(in, 1);
	run->flags = take_number(in, 4);
	run->msr_mask = take_number(in, 4);
	run->xcr0 = take_number(in, 8);
	run->xss = take_number(in, 1);
	for (int i = 0; i < KSPLIT_NR_RUN_MSRS; i++)
		run->msr[i] = take_number(in, 8);
	run->dr6 = take_number(in, 8);
	take(in, run->regs, sizeof(run->regs));
	run->cr2 = take_number(in, 8);
	run->tsc_deadline = take_number(in, 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct ksplit_run run, before;
	struct ksplit_hw hw;
	int err;

	take_cpu(&in, &hw);
	take_run(&in, &run);
	before = run;
	err = ksplit_check_run_values(&hw, &run);
	if (err) {
		EQ(err, -EINVAL);
		return 0;
	}
	HOLDS(run.vmcs_index < KSPLIT_NR_VMCS);
	EQ(run.flags >> 5, 0);
	EQ(run.msr_mask >> KSPLIT_NR_RUN_MSRS, 0);
	EQ(run.dr6 >> 32, 0);
	EQ(run.xss, 0);
	check_xcr0(run.xcr0, hw.xcr0);
	check_msrs(&hw, &run);
	for (int i = 0; i < KSPLIT_NR_RUN_MSRS; i++)
		HOLDS(!run.msr[i] || run.msr[i] == before.msr[i]);
	memcpy(before.msr, run.msr, sizeof(run.msr));
	EQ(memcmp(&run, &before, sizeof(run)), 0);
	EQ(ksplit_check_run_values(&hw, &run), 0);
	EQ(memcmp(&run, &before, sizeof(run)), 0);
	return 0;
}
