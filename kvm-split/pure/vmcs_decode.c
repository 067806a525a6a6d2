// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a worker's VMCS to values for the real one.
 *
 * What a guest can cause ends as the processor ends it: a value that VM entry
 * refuses goes to the processor, which tells the worker.  Refused here is only
 * what a worker invents.
 *
 * Invariant: first everything is checked, without effect; then real values are
 * computed, which cannot fail.  A real value depends on the worker's complete
 * VMCS, never on which fields happened to be dirty.
 */
#include "vmcs_policy.h"

/* CD and NW are loaded by neither VM entry nor exit: they would stay. */
#define CR0_GUEST		(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | \
				 X86_CR0_WP | X86_CR0_AM | X86_CR0_PG)
#define CR0_FORCED		(X86_CR0_ET | X86_CR0_NE)
#define CR0_GUEST_OWNED		(X86_CR0_TS | X86_CR0_WP)
#define CR4_GUEST_OWNED		(X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PGE | \
				 X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | \
				 X86_CR4_FSGSBASE)

#define EFER_LME_LMA		((u64)(EFER_LME | EFER_LMA))
#define EFER_GUEST		(EFER_SCE | EFER_NX | EFER_LME_LMA)

#define EXCEPTIONS_FORCED	(BIT(X86_TRAP_DB) | BIT(X86_TRAP_AC) | BIT(X86_TRAP_MC))
#define DR7_ENABLES		0xffull
/* SMI: the CPU refuses it.  Not the enclave bit. */
#define INTERRUPTIBILITY_GUEST	(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS | \
				 GUEST_INTR_STATE_SMI | GUEST_INTR_STATE_NMI)
/* No CPU accepts an event of this type. */
#define EVENT_BAD		(INTR_INFO_VALID_MASK | INTR_TYPE_RESERVED)

static u64 merged(const struct ksplit_hw *hw, enum ksplit_ctl i, u64 want)
{
	return (want & hw->ctl[i].allowed1) | hw->ctl[i].allowed0;
}

static u64 real_proc(const struct ksplit_hw *hw, const struct ksplit_vmcs_state *s)
{
	u64 proc = merged(hw, KSPLIT_CTL_PROC, s->want[KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL]);

	/* Otherwise the guest would have the host's TPR, or its debug registers. */
	if (!(proc & CPU_BASED_TPR_SHADOW))
		proc |= CPU_BASED_CR8_LOAD_EXITING | CPU_BASED_CR8_STORE_EXITING;
	return s->debugregs ? proc : proc | CPU_BASED_MOV_DR_EXITING;
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

	if (!(entry & VM_ENTRY_LOAD_IA32_EFER))
		efer = entry & VM_ENTRY_IA32E_MODE ? ~0ull : ~EFER_LME_LMA;
	return efer & hw->efer_allowed & EFER_GUEST;
}

/* Reserved bits, other events than MTF: later CPUs know some. */
static bool event_unknown(u64 event)
{
	return event & INTR_INFO_VALID_MASK &&
	       (event & INTR_INFO_RESVD_BITS_MASK ||
		((event & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_OTHER_EVENT &&
		 event & INTR_INFO_VECTOR_MASK));
}

/* The value for the real VMCS of a CTL or GUEST slot. */
static u64 real_value(const struct ksplit_hw *hw,
		      const struct ksplit_vmcs_state *s, unsigned int slot)
{
	u64 want = s->want[slot];

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
		want |= KSPLIT_CR4_FORCED;
		/* No CPU accepts bit 63. */
		return want & ~(ksplit_cr4_guest(hw) | KSPLIT_CR4_FORCED) ? BIT_ULL(63) : want;
	case KSPLIT_S_GUEST_IA32_EFER:
		return real_efer(hw, s);
	case KSPLIT_S_GUEST_DR7:
		want &= 0xffffffff;
		return s->debugregs ? want : want & ~DR7_ENABLES;
	case KSPLIT_S_GUEST_IA32_DEBUGCTL:
		return (want & DEBUGCTLMSR_BTF) | hw->debugctl;
	case KSPLIT_S_GUEST_INTERRUPTIBILITY_INFO:
		/* No CPU accepts bit 31. */
		return want & ~INTERRUPTIBILITY_GUEST ? want | BIT(31) : want;
	case KSPLIT_S_VM_ENTRY_INTR_INFO_FIELD:
		return event_unknown(want) ? EVENT_BAD : want;
	default:
		return want;
	}
}

/* Adds the slots whose value follows from a dirty one. */
static void add_dependents(const struct ksplit_vmcs_state *s, u64 *todo)
{
	u32 event = s->want[KSPLIT_S_VM_ENTRY_INTR_INFO_FIELD];

	ksplit_slot_set(todo, KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL);
	ksplit_slot_set(todo, KSPLIT_S_GUEST_IA32_EFER);
	if (s->debugregs != s->had_debugregs)
		ksplit_slot_set(todo, KSPLIT_S_GUEST_DR7);
	if (ksplit_slot_test(todo, KSPLIT_S_VM_ENTRY_INTR_INFO_FIELD) &&
	    event & INTR_INFO_VALID_MASK) {
		ksplit_slot_set(todo, KSPLIT_S_VM_ENTRY_EXCEPTION_ERROR_CODE);
		ksplit_slot_set(todo, KSPLIT_S_VM_ENTRY_INSTRUCTION_LEN);
	}
}

/* Whether the VMCS may hold something else than the last real value. */
static bool must_write(const struct ksplit_vmcs_state *s, unsigned int slot)
{
	/* The stub injects events of its own and leaves their values behind. */
	return s->fresh || ksplit_fields[slot].group ||
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

	for (i = 0; i < KSPLIT_SLOT_WORDS; i++) {
		todo[i] = s->fresh ? ~0ull : s->pending[i];
		any |= todo[i];
	}
	if (!any)
		return 0;

	/* HLT exits, and other states block interrupts: the CPU would be lost. */
	if (s->want[KSPLIT_S_GUEST_ACTIVITY_STATE] != GUEST_ACTIVITY_ACTIVE) {
		*ret_bad = ksplit_fields[KSPLIT_S_GUEST_ACTIVITY_STATE].encoding;
		return -EINVAL;
	}

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
