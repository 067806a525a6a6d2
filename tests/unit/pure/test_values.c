// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values that reach WRMSR, XSETBV and MOV DR.
 */
#include "common.h"
#include "values.h"

static struct ksplit_hw hw;
static struct ksplit_run run;

static void setup(void)
{
	make_cpu(&hw);
	memset(&run, 0, sizeof(run));
	run.xcr0 = 1;
}

static int check(void)
{
	return ksplit_check_run_values(&hw, &run);
}

static int check_msr(enum ksplit_run_msr i, u64 value)
{
	int err;

	run.msr_mask = 1 << i;
	run.msr[i] = value;
	err = check();
	if (!err)
		ck_assert_uint_eq(run.msr[i], value);
	run.msr[i] = value;
	run.msr_mask = 0;
	/* What is not in the mask is 0 in the guest, but for what is always loaded. */
	if (i == KSPLIT_MSR_KERNEL_GS_BASE) {
		ck_assert_int_eq(check(), err);
		ck_assert_uint_eq(run.msr[i], value);
	} else {
		ck_assert_int_eq(check(), 0);
		ck_assert_uint_eq(run.msr[i], 0);
	}
	run.msr[i] = 0;
	return err;
}

START_TEST(canonical)
{
	ck_assert(ksplit_canonical(0, 48));
	ck_assert(ksplit_canonical(0x7fffffffffff, 48));
	ck_assert(!ksplit_canonical(0x800000000000, 48));
	ck_assert(!ksplit_canonical(0xffff7fffffffffff, 48));
	ck_assert(ksplit_canonical(0xffff800000000000, 48));
	ck_assert(ksplit_canonical(~0ull, 48));
	ck_assert(ksplit_canonical(0x800000000000, 57));
	ck_assert(!ksplit_canonical(0x100000000000000, 57));
	ck_assert(ksplit_canonical(0xff00000000000000, 57));
}
END_TEST

START_TEST(xcr0)
{
	static const u16 good[] = { 1, 3, 7, 0xe7, 0x1b, 0x1f, 0x201, 0x2ff };
	static const u32 bad[] = { 0, 2, 5, 9, 0x11, 0x23, 0x27, 0x63, 0xe3,
				   0x101, 0x401, 0x20001, 0x60001, 0x80000001 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(good); i++)
		ck_assert(ksplit_xcr0_valid(good[i], ~0ull));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert(!ksplit_xcr0_valid(bad[i], ~0ull));
	ck_assert(!ksplit_xcr0_valid(7, 3));
	ck_assert(ksplit_xcr0_valid(1, 0));
}
END_TEST

START_TEST(msrs)
{
	const u64 noncanonical = 0x8000000000000000;

	setup();
	ck_assert_int_eq(check_msr(KSPLIT_MSR_KERNEL_GS_BASE, ~0ull), 0);
	ck_assert_int_ne(check_msr(KSPLIT_MSR_KERNEL_GS_BASE, noncanonical), 0);
	ck_assert_int_ne(check_msr(KSPLIT_MSR_LSTAR, noncanonical), 0);
	ck_assert_int_ne(check_msr(KSPLIT_MSR_CSTAR, noncanonical), 0);
	ck_assert_int_eq(check_msr(KSPLIT_MSR_STAR, noncanonical), 0);
	ck_assert_int_eq(check_msr(KSPLIT_MSR_SYSCALL_MASK, 0xffffffff), 0);
	ck_assert_int_ne(check_msr(KSPLIT_MSR_SYSCALL_MASK, 1ull << 32), 0);
	ck_assert_int_eq(check_msr(KSPLIT_MSR_TSC_AUX, 0xffffffff), 0);
	ck_assert_int_ne(check_msr(KSPLIT_MSR_TSC_AUX, 1ull << 32), 0);
	ck_assert_int_eq(check_msr(KSPLIT_MSR_SPEC_CTRL, 7), 0);
	ck_assert_int_ne(check_msr(KSPLIT_MSR_SPEC_CTRL, 8), 0);
	/* MSRs that the CPU does not have fault with any value. */
	hw.spec_ctrl = 0;
	hw.has_tsc_aux = false;
	ck_assert_int_ne(check_msr(KSPLIT_MSR_SPEC_CTRL, 0), 0);
	ck_assert_int_ne(check_msr(KSPLIT_MSR_TSC_AUX, 0), 0);
	run.msr_mask = 1 << KSPLIT_NR_RUN_MSRS;
	ck_assert_int_ne(check(), 0);
}
END_TEST

START_TEST(others)
{
	setup();
	ck_assert_int_eq(check(), 0);
	run.xss = 1 << 8;
	ck_assert_int_eq(check(), -EINVAL);
	setup();
	run.dr6 = 0xffff0ff0;
	ck_assert_int_eq(check(), 0);
	run.dr6 = 1ull << 32;
	ck_assert_int_eq(check(), -EINVAL);
	setup();
	run.vmcs_index = KSPLIT_NR_VMCS;
	ck_assert_int_eq(check(), -EINVAL);
	setup();
	run.flags = KSPLIT_RUN_FLAGS;
	ck_assert_int_eq(check(), 0);
	run.flags = KSPLIT_RUN_FLAGS + 1;
	ck_assert_int_eq(check(), -EINVAL);
	setup();
	run.xcr0 = 2;
	ck_assert_int_eq(check(), -EINVAL);
}
END_TEST

/* Whatever passes is a value that the instructions accept. */
START_TEST(random_values)
{
	unsigned int round, i, ok = 0;

	for (round = 0; round < 1000000; round++) {
		setup();
		hw.spec_ctrl = rnd() % 8;
		hw.has_tsc_aux = rnd() % 2;
		hw.xcr0 = rnd_value();
		run.xcr0 = rnd() % 2 ? 7 : rnd_value();
		run.xss = rnd() % 8 ? 0 : rnd_value();
		run.dr6 = rnd() % 2 ? 0 : rnd_value();
		run.vmcs_index = rnd() % 3;
		run.msr_mask = rnd() % 2 ? 0 : rnd_value();
		for (i = 0; i < KSPLIT_NR_RUN_MSRS; i++)
			run.msr[i] = rnd_value();
		if (check())
			continue;
		ok++;
		HOLDS(run.vmcs_index < 2 && !run.xss && !(run.dr6 >> 32));
		HOLDS(run.xcr0 & 1 && !(run.xcr0 & ~(hw.xcr0 | 1)));
		HOLDS(!(run.xcr0 & ~0x2ffull));
		for (i = 0; i < KSPLIT_NR_RUN_MSRS; i++) {
			u64 v = run.msr[i];

			if (!(run.msr_mask >> i & 1) && i != KSPLIT_MSR_KERNEL_GS_BASE) {
				HOLDS(!v);
				continue;
			}
			if (i == KSPLIT_MSR_KERNEL_GS_BASE ||
			    i == KSPLIT_MSR_LSTAR || i == KSPLIT_MSR_CSTAR)
				HOLDS(v >> 47 == 0 || v >> 47 == 0x1ffff);
			if (i == KSPLIT_MSR_SYSCALL_MASK ||
			    i == KSPLIT_MSR_TSC_AUX)
				HOLDS(!(v >> 32));
			if (i == KSPLIT_MSR_SPEC_CTRL)
				HOLDS(hw.spec_ctrl && !(v & ~hw.spec_ctrl));
		}
	}
	ck_assert_uint_gt(ok, 1000);
}
END_TEST

MAIN("pure/values", canonical, xcr0, msrs, others, random_values)
