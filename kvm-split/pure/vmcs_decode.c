// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a worker's VMCS to values for the real one.
 *
 * Invariant: first everything is checked, without effect; then real values are
 * computed, which cannot fail.  A real value depends on the worker's complete
 * VMCS, never on which fields happened to be dirty.
 */
#include "vmcs_policy.h"

/*
 * PE, MP, EM, TS, WP, AM, PG.  CD and NW are loaded by neither VM entry nor
 * exit: they would stay.
 */
#define CR0_GUEST		0x8005000full
#define CR0_FORCED		(BIT(4) | BIT(5))	/* ET, NE */
#define CR0_GUEST_OWNED		(BIT(3) | BIT(16))	/* TS, WP */
/* PVI, TSD, DE, PGE, PCE, OSFXSR, OSXMMEXCPT, FSGSBASE. */
#define CR4_GUEST_OWNED		0x1078eull

#define EFER_LME_LMA		(BIT(8) | BIT(10))
#define EFER_GUEST		(BIT(0) | BIT(11) | EFER_LME_LMA)

#define EXCEPTIONS_FORCED	(BIT(1) | BIT(17) | BIT(18)) /* DB, AC, MC */
#define PROC_HLT		BIT(7)
#define PROC_MOV_DR		BIT(23)
#define ENTRY_IA32E		BIT(9)
#define ENTRY_LOAD_EFER		BIT(15)
#define DEBUGCTL_BTF		BIT(1)
#define DR7_ENABLES		0xffull
/* Blocking by STI, MOV SS, NMI; not by SMI, not the enclave bit. */
#define INTERRUPTIBILITY_GUEST	(BIT(0) | BIT(1) | BIT(3))
#define ACTIVITY_HLT		1

#define INTR_VALID		BIT(31)
#define INTR_ERROR_CODE		BIT(11)
#define INTR_RESERVED		0x7ffff000u
#define INTR_TYPE(info)		((info) >> 8 & 7)
#define INTR_VECTOR(info)	((info) & 0xff)
#define INTR_TYPE_RESERVED	1
#define INTR_TYPE_NMI		2
#define INTR_TYPE_EXCEPTION	3
#define INTR_TYPE_SOFTWARE(t)	((t) >= 4 && (t) <= 6)
#define INTR_TYPE_OTHER		7
#define INTR_MAX_INSN		15
/* DF, TS, NP, SS, GP, PF, AC, CP push an error code. */
#define ERROR_CODE_VECTORS	0x227d00

static u64 width_mask(unsigned int slot)
{
	u8 width = ksplit_fields[slot].width;

	return width == 8 ? ~0ull : (1ull << (8 * width)) - 1;
}

static u64 merged(const struct ksplit_hw *hw, enum ksplit_ctl i, u64 want)
{
	return (want & hw->ctl[i].allowed1) | hw->ctl[i].allowed0;
}

static u64 real_proc(const struct ksplit_hw *hw, const struct ksplit_vmcs_state *s)
{
	u64 proc = merged(hw, KSPLIT_CTL_PROC, s->want[KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL]);

	/* Otherwise the guest would have the host's debug registers. */
	return s->debugregs ? proc : proc | PROC_MOV_DR;
}

/*
 * A worker that does not ask for "load EFER" wants what the CPU then does: the
 * host's EFER with LME and LMA as "IA-32e mode guest".  The stub always loads
 * it, so that the host's comes back at exit.
 */
static u64 real_efer(const struct ksplit_hw *hw, const struct ksplit_vmcs_state *s)
{
	u64 entry = s->want[KSPLIT_S_VM_ENTRY_CONTROLS];
	u64 efer = s->want[KSPLIT_S_GUEST_IA32_EFER];

	if (!(entry & ENTRY_LOAD_EFER))
		efer = entry & ENTRY_IA32E ? ~0ull : ~EFER_LME_LMA;
	return efer & hw->efer_allowed & EFER_GUEST;
}

/* The value for the real VMCS of a CTL or GUEST slot. */
static u64 real_value(const struct ksplit_hw *hw,
		      const struct ksplit_vmcs_state *s, unsigned int slot)
{
	u64 want = s->want[slot] & width_mask(slot);

	switch (slot) {
	case KSPLIT_S_PIN_BASED_VM_EXEC_CONTROL:
		return merged(hw, KSPLIT_CTL_PIN, want);
	case KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL:
		return real_proc(hw, s);
	case KSPLIT_S_SECONDARY_VM_EXEC_CONTROL:
		return merged(hw, KSPLIT_CTL_PROC2, want);
	case KSPLIT_S_VM_EXIT_CONTROLS:
		return merged(hw, KSPLIT_CTL_EXIT, want);
	case KSPLIT_S_VM_ENTRY_CONTROLS:
		return merged(hw, KSPLIT_CTL_ENTRY, want);
	case KSPLIT_S_EXCEPTION_BITMAP:
		return want | EXCEPTIONS_FORCED;
	case KSPLIT_S_CR0_GUEST_HOST_MASK:
		return want | ~CR0_GUEST_OWNED;
	case KSPLIT_S_CR4_GUEST_HOST_MASK:
		return want | ~(CR4_GUEST_OWNED & ksplit_cr4_guest(hw));
	case KSPLIT_S_GUEST_CR0:
		return (want & CR0_GUEST) | CR0_FORCED;
	case KSPLIT_S_GUEST_CR4:
		return (want & ksplit_cr4_guest(hw)) | KSPLIT_CR4_FORCED;
	case KSPLIT_S_GUEST_IA32_EFER:
		return real_efer(hw, s);
	case KSPLIT_S_GUEST_DR7:
		want &= 0xffffffff;
		return s->debugregs ? want : want & ~DR7_ENABLES;
	case KSPLIT_S_GUEST_IA32_DEBUGCTL:
		return (want & DEBUGCTL_BTF) | hw->debugctl;
	case KSPLIT_S_GUEST_INTERRUPTIBILITY_INFO:
		return want & INTERRUPTIBILITY_GUEST;
	case KSPLIT_S_TSC_MULTIPLIER:
		return want ? want : 1ull << 48;
	default:
		return want;
	}
}

static bool event_valid(u32 info, u32 insn_len)
{
	u32 type = INTR_TYPE(info);
	u32 vector = INTR_VECTOR(info);

	if (info & INTR_RESERVED || type == INTR_TYPE_RESERVED)
		return false;
	if (type == INTR_TYPE_NMI && vector != 2)
		return false;
	if (type == INTR_TYPE_EXCEPTION && vector > 31)
		return false;
	if (type == INTR_TYPE_OTHER && vector)
		return false;
	if (info & INTR_ERROR_CODE &&
	    (type != INTR_TYPE_EXCEPTION || !(ERROR_CODE_VECTORS >> vector & 1)))
		return false;
	return !INTR_TYPE_SOFTWARE(type) || insn_len <= INTR_MAX_INSN;
}

/*
 * Values that are refused.  What merely makes VM entry fail passes: the CPU
 * tells the worker.
 */
static int check(const struct ksplit_hw *hw, const struct ksplit_vmcs_state *s,
		 const u64 *todo, u32 *ret_bad)
{
	u64 activity = s->want[KSPLIT_S_GUEST_ACTIVITY_STATE];
	u32 event = s->want[KSPLIT_S_VM_ENTRY_INTR_INFO_FIELD];
	u32 insn_len = s->want[KSPLIT_S_VM_ENTRY_INSTRUCTION_LEN];

	/* Shutdown and wait-for-SIPI block interrupts: the CPU would be lost. */
	if (ksplit_slot_test(todo, KSPLIT_S_GUEST_ACTIVITY_STATE) &&
	    (activity > ACTIVITY_HLT ||
	     (activity == ACTIVITY_HLT && real_proc(hw, s) & PROC_HLT))) {
		*ret_bad = ksplit_fields[KSPLIT_S_GUEST_ACTIVITY_STATE].encoding;
		return -EINVAL;
	}
	if (ksplit_slot_test(todo, KSPLIT_S_VM_ENTRY_INTR_INFO_FIELD) &&
	    event & INTR_VALID && !event_valid(event, insn_len)) {
		*ret_bad = ksplit_fields[KSPLIT_S_VM_ENTRY_INTR_INFO_FIELD].encoding;
		return -EINVAL;
	}
	return 0;
}

/* Adds the slots whose value follows from a dirty one. */
static void add_dependents(const struct ksplit_vmcs_state *s, u64 *todo)
{
	u32 event = s->want[KSPLIT_S_VM_ENTRY_INTR_INFO_FIELD];

	ksplit_slot_set(todo, KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL);
	ksplit_slot_set(todo, KSPLIT_S_GUEST_IA32_EFER);
	if (s->debugregs != s->had_debugregs)
		ksplit_slot_set(todo, KSPLIT_S_GUEST_DR7);
	if (ksplit_slot_test(todo, KSPLIT_S_VM_ENTRY_INTR_INFO_FIELD) && event & INTR_VALID) {
		ksplit_slot_set(todo, KSPLIT_S_VM_ENTRY_EXCEPTION_ERROR_CODE);
		ksplit_slot_set(todo, KSPLIT_S_VM_ENTRY_INSTRUCTION_LEN);
	}
}

/* Whether the VMCS may hold something else than the last real value. */
static bool must_write(const struct ksplit_vmcs_state *s, unsigned int slot)
{
	/* The stub injects events of its own and leaves their values behind. */
	return s->fresh || ksplit_fields[slot].cpu_writes ||
	       slot == KSPLIT_S_VM_ENTRY_EXCEPTION_ERROR_CODE ||
	       slot == KSPLIT_S_VM_ENTRY_INSTRUCTION_LEN;
}

static void apply(const struct ksplit_hw *hw, struct ksplit_vmcs_state *s, unsigned int slot)
{
	u8 cls = ksplit_fields[slot].cls;
	u64 value;

	if (cls != KSPLIT_CTL && cls != KSPLIT_GUEST)
		return;
	value = real_value(hw, s, slot);
	if (s->real[slot] == value && !must_write(s, slot))
		return;
	s->real[slot] = value;
	ksplit_slot_set(s->write, slot);
}

/**
 * ksplit_decode() - check a worker's VMCS and compute the real values
 * @hw: the processor
 * @s: the VMCS; @s->want and @s->pending hold what the worker wrote; slots
 *	whose class is neither KSPLIT_CTL nor KSPLIT_GUEST are ignored
 * @ret_bad: encoding of the refused field, set on error only
 *
 * Before every run, written or not: @s->debugregs counts as well.  On error
 * @s->real and @s->write are untouched, and @s->pending is kept for the next
 * call.  The caller serializes calls for one @s.
 *
 * Return: 0, or -EINVAL.
 */
int ksplit_decode(const struct ksplit_hw *hw, struct ksplit_vmcs_state *s, u32 *ret_bad)
{
	u64 todo[KSPLIT_SLOT_WORDS];
	u64 any = s->fresh || s->debugregs != s->had_debugregs;
	unsigned int i, slot;
	int err;

	for (i = 0; i < KSPLIT_SLOT_WORDS; i++) {
		todo[i] = s->fresh ? ~0ull : s->pending[i];
		any |= todo[i];
	}
	if (!any)
		return 0;

	err = check(hw, s, todo, ret_bad);
	if (err)
		return err;

	add_dependents(s, todo);
	for (i = 0; i < KSPLIT_SLOT_WORDS; i++) {
		ksplit_for_each_slot(slot, i, todo[i])
			apply(hw, s, slot);
		s->write[i] &= hw->supported[i];
		s->pending[i] = 0;
	}
	s->had_debugregs = s->debugregs;
	s->fresh = false;
	return 0;
}

/* What a field of class STUB always holds; VPID is the caller's. */
static u64 stub_value(unsigned int slot)
{
	switch (slot) {
	case KSPLIT_S_XSS_EXIT_BITMAP:
	case KSPLIT_S_ENCLS_EXITING_BITMAP:
	case KSPLIT_S_ENCLV_EXITING_BITMAP:
		return ~0ull;
	case KSPLIT_S_VMX_PREEMPTION_TIMER_VALUE:
		return 0xffffffff;
	default:
		return 0;
	}
}

/**
 * ksplit_vmcs_reset() - the state after VMCLEAR
 * @s: becomes all zeros as the worker sees it
 *
 * Every KSPLIT_STUB slot but the VPID gets its fixed value and is marked in
 * @s->write; the next ksplit_decode() computes and marks every CTL and GUEST
 * slot, and unmarks the slots that the CPU does not have.
 */
void ksplit_vmcs_reset(struct ksplit_vmcs_state *s)
{
	memset(s, 0, sizeof(*s));
	s->fresh = true;
	for (unsigned int i = 0; i < KSPLIT_NR_SLOTS; i++) {
		if (ksplit_fields[i].cls != KSPLIT_STUB || i == KSPLIT_S_VIRTUAL_PROCESSOR_ID)
			continue;
		s->real[i] = stub_value(i);
		ksplit_slot_set(s->write, i);
	}
}
