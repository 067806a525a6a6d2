// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy's tables: classes of fields, control words, the capabilities that
 * follow from them, and what is stored after which exit.
 *
 * Invariant: what the synthetic capability MSRs deny, ksplit_decode() denies.
 */
#include "vmcs_policy.h"

const struct ksplit_field ksplit_fields[KSPLIT_NR_SLOTS] = {
#define F(e, name, c, g)						\
	[KSPLIT_S_##name] = { .encoding = (e), .cls = KSPLIT_##c, .group = KSPLIT_G_##g }
#include "vmcs_fields.h"
#undef F
};

static const struct {
	u8 word;
	u8 decision;
	u32 mask;
} controls[] = {
#define CTL(word, mask, decision, ...)					\
	{ KSPLIT_CTL_##word, KSPLIT_BIT_##decision, mask },
#include "vmcs_controls.h"
#undef CTL
};

#define CTL_MSRS(name, word)						\
	{								\
		.msr = MSR_IA32_VMX_##name##_CTLS,			\
		.true_msr = MSR_IA32_VMX_TRUE_##name##_CTLS,		\
		.default1 = word##_ALWAYSON_WITHOUT_TRUE_MSR,		\
	}

/* Per control word: its capability MSR, the TRUE one, the default1 bits. */
static const struct {
	u16 msr;
	u16 true_msr;
	u32 default1;
} ctl_msrs[KSPLIT_NR_CTLS] = {
	[KSPLIT_CTL_PIN] = CTL_MSRS(PINBASED, PIN_BASED),
	[KSPLIT_CTL_PROC] = CTL_MSRS(PROCBASED, CPU_BASED),
	[KSPLIT_CTL_PROC2] = { MSR_IA32_VMX_PROCBASED_CTLS2, MSR_IA32_VMX_PROCBASED_CTLS2 },
	[KSPLIT_CTL_EXIT] = CTL_MSRS(EXIT, VM_EXIT),
	[KSPLIT_CTL_ENTRY] = CTL_MSRS(ENTRY, VM_ENTRY),
};

#define MISC_TIMER_RATE		0x1full
/* MSR_IA32_VMX_EPT_VPID_CAP: INVVPID's half is the upper one. */
#define VPID_BIT(name)		(VMX_VPID_##name##_BIT << 32)
#define EPT_VPID_OF_CPU		(VMX_EPT_EXECUTE_ONLY_BIT | VMX_EPT_AD_BIT)
/* What the stub itself uses (back/vmx.h). */
#define EPT_VPID_NEEDED							\
	(VMX_EPT_PAGE_WALK_4_BIT | VMX_EPTP_WB_BIT | VMX_EPT_INVEPT_BIT | \
	 VMX_EPT_EXTENT_GLOBAL_BIT | VPID_BIT(INVVPID) |		\
	 VPID_BIT(EXTENT_SINGLE_CONTEXT))
/* The worker's tables and its TLB are the stub's software: always there. */
#define EPT_VPID_SOFTWARE						\
	(EPT_VPID_NEEDED | VMX_EPT_2MB_PAGE_BIT | VMX_EPT_1GB_PAGE_BIT | \
	 VMX_EPT_EXTENT_CONTEXT_BIT | VPID_BIT(EXTENT_INDIVIDUAL_ADDR) | \
	 VPID_BIT(EXTENT_GLOBAL_CONTEXT) | VPID_BIT(EXTENT_SINGLE_NON_GLOBAL))

/**
 * ksplit_policy() - the bits of a control word that share a decision
 * @word: the control word
 * @decision: what becomes of the bits
 *
 * Return: the bits.
 */
u32 ksplit_policy(enum ksplit_ctl word, enum ksplit_decision decision)
{
	u32 bits = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(controls); i++) {
		if (controls[i].word == word && controls[i].decision == decision)
			bits |= controls[i].mask;
	}
	return bits;
}

static int ksplit_ctl_init(struct ksplit_hw *hw, enum ksplit_ctl i)
{
	bool has_true = hw->msr[0] & VMX_BASIC_TRUE_CTLS;
	u16 src = has_true ? ctl_msrs[i].true_msr : ctl_msrs[i].msr;
	u64 cap = hw->msr[KSPLIT_VMX_MSR(src)];
	u32 lo = i == KSPLIT_CTL_PROC2 ? 0 : (u32)cap;
	u32 hi = cap >> 32;
	u32 may = ksplit_policy(i, KSPLIT_BIT_MAY) |
		  (hw->fast ? ksplit_policy(i, KSPLIT_BIT_FAST) : 0);
	u32 must = ksplit_policy(i, KSPLIT_BIT_MUST) |
		   (ksplit_policy(i, KSPLIT_BIT_FORCE) & hi);
	u64 shown;

	if (must & ~hi || lo & ~hi)
		return -EOPNOTSUPP;
	/* The CPU must not insist on what the policy forbids. */
	if (lo & ~(ctl_msrs[i].default1 | must | may))
		return -EOPNOTSUPP;

	hw->ctl[i].allowed0 = lo | must;
	hw->ctl[i].allowed1 = lo | must | (may & hi);

	shown = hw->ctl[i].allowed1 | (ksplit_policy(i, KSPLIT_BIT_SHOWN) & hi);
	cap = shown << 32 | hw->ctl[i].allowed0;
	hw->synthetic[KSPLIT_VMX_MSR(ctl_msrs[i].true_msr)] = cap;
	cap |= ctl_msrs[i].default1 & shown;
	hw->synthetic[KSPLIT_VMX_MSR(ctl_msrs[i].msr)] = cap;
	return 0;
}

/**
 * ksplit_caps_init() - derive what workers may use from what the CPU has
 * @hw: msr, cr4_allowed, fast are read; ctl and synthetic are filled
 *
 * Once at boot.
 *
 * Return: 0, or -EOPNOTSUPP for a CPU without a control that the policy sets
 * always, without EPT write-back or 4 levels, global INVEPT or single-context
 * INVVPID (SDM vol. 3, appendix A).
 */
int ksplit_caps_init(struct ksplit_hw *hw)
{
	u64 *out = hw->synthetic;
	const u64 *msr = hw->msr;
	int i, err;

	memset(out, 0, sizeof(hw->synthetic));
	for (i = 0; i < KSPLIT_NR_CTLS; i++) {
		err = ksplit_ctl_init(hw, i);
		if (err)
			return err;
	}
	if (!(hw->ctl[KSPLIT_CTL_PROC2].allowed1 & SECONDARY_EXEC_UNRESTRICTED_GUEST))
		return -EOPNOTSUPP;
	if (EPT_VPID_NEEDED & ~msr[KSPLIT_VMX_MSR(MSR_IA32_VMX_EPT_VPID_CAP)])
		return -EOPNOTSUPP;

	/* Revision 1, a 4 KiB region, write-back. */
	out[0] = 1 | 4096ull << 32 | 6ull << 50 | (msr[0] & VMX_BASIC_INOUT) |
		 VMX_BASIC_TRUE_CTLS;
	i = KSPLIT_VMX_MSR(MSR_IA32_VMX_MISC);
	out[i] = msr[i] & (MISC_TIMER_RATE | VMX_MISC_SAVE_EFER_LMA |
			   VMX_MISC_ACTIVITY_HLT | VMX_MISC_ZERO_LEN_INS |
			   VMX_MISC_VMWRITE_SHADOW_RO_FIELDS);
	/* CR0 and CR4 fixed bits, and the highest field index, as they are. */
	for (i++; i <= KSPLIT_VMX_MSR(MSR_IA32_VMX_VMCS_ENUM); i++)
		out[i] = msr[i];
	out[KSPLIT_VMX_MSR(MSR_IA32_VMX_CR4_FIXED1)] &=
		ksplit_cr4_guest(hw) | KSPLIT_CR4_FORCED;
	i = KSPLIT_VMX_MSR(MSR_IA32_VMX_EPT_VPID_CAP);
	out[i] = (msr[i] & EPT_VPID_OF_CPU) | EPT_VPID_SOFTWARE;
	return 0;
}

/* What an exit stores besides KSPLIT_G_EXIT and KSPLIT_G_BASIC, if it is not INSN. */
#define INSN	KSPLIT_GROUP(INSN)
#define QUAL	(KSPLIT_GROUP(QUAL) | INSN)
#define MODE	KSPLIT_GROUP(MODE)
#define VMX	(KSPLIT_GROUP(VMX) | QUAL | MODE)
#define ENTER	(INSN | MODE | KSPLIT_GROUP(CR) | KSPLIT_GROUP(MISC))
#define ERROR	(KSPLIT_GROUP(ERROR) | QUAL)

static const u32 exit_groups[] = {
	[EXIT_REASON_EXCEPTION_NMI] = ERROR,
	[EXIT_REASON_TASK_SWITCH] = ERROR,
	[EXIT_REASON_INVLPG] = QUAL,
	/* VMX instructions: KVM wants to know CPL, VMLAUNCH and VMRESUME more */
	[EXIT_REASON_VMCLEAR] = VMX,
	[EXIT_REASON_VMLAUNCH] = ENTER,
	[EXIT_REASON_VMPTRLD ... EXIT_REASON_VMREAD] = VMX,
	[EXIT_REASON_VMRESUME] = ENTER,
	[EXIT_REASON_VMWRITE] = VMX,
	[EXIT_REASON_VMOFF] = INSN | MODE,
	[EXIT_REASON_VMON] = VMX,
	[EXIT_REASON_CR_ACCESS ... EXIT_REASON_DR_ACCESS] = QUAL,
	[EXIT_REASON_IO_INSTRUCTION] = QUAL | MODE,	/* the linear RIP */
	[EXIT_REASON_INVALID_STATE ... EXIT_REASON_MSR_LOAD_FAIL] = QUAL,
	/* emulated, but for EOI */
	[EXIT_REASON_APIC_ACCESS] = QUAL | MODE | KSPLIT_GROUP(CR),
	[EXIT_REASON_EOI_INDUCED] = QUAL,
	[EXIT_REASON_GDTR_IDTR ... EXIT_REASON_LDTR_TR] = VMX,
	[EXIT_REASON_EPT_VIOLATION] = KSPLIT_GROUP(QUAL) | KSPLIT_GROUP(ADDR),
	/* MMIO, which is emulated */
	[EXIT_REASON_EPT_MISCONFIG] = KSPLIT_GROUP(ADDR) | MODE | KSPLIT_GROUP(CR),
	[EXIT_REASON_INVEPT] = VMX,
	[EXIT_REASON_INVVPID] = VMX,
	[EXIT_REASON_APIC_WRITE] = QUAL,
	[EXIT_REASON_INVPCID] = VMX,
	[EXIT_REASON_NOTIFY] = QUAL,
};

/**
 * ksplit_exit_groups() - fields to store for the worker after an exit
 * @exit_reason: the whole 32-bit field; only the basic reason counts
 * @nested: of a guest's guest: its hypervisor sees most of these exits, and with
 *	    each what nested VMX copies
 *
 * Reasons that are unknown here store as little as an instruction's; the worker
 * fetches more with KSPLIT_FILL.
 *
 * Return: bitmap of 1 << enum ksplit_group.
 */
u32 ksplit_exit_groups(u32 exit_reason, bool nested)
{
	u32 basic = exit_reason & 0xffff;
	u32 groups = basic < ARRAY_SIZE(exit_groups) ? exit_groups[basic] : 0;

	groups = KSPLIT_GROUP(EXIT) | KSPLIT_GROUP(BASIC) | (groups ?: INSN);
	if (nested)
		groups |= VMX | KSPLIT_GROUP(RSP) | KSPLIT_GROUP(CR) | KSPLIT_GROUP(MISC);
	return groups;
}
