/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a worker may put in a VMCS.  docs/vmcs-policy.md is generated from this
 * table and these rules.
 *
 * Invariant: ksplit_decode() is the only way from a worker's value to a value
 * that is written into a real VMCS.
 */
#ifndef KSPLIT_VMCS_POLICY_H
#define KSPLIT_VMCS_POLICY_H

#include "env.h"

/**
 * enum ksplit_class - who decides a field's value
 * @KSPLIT_NEVER:	nobody: not used in this version, never written
 * @KSPLIT_STUB:	the stub; what the worker writes is ignored
 * @KSPLIT_HOST:	host state: the stub; what the worker writes is ignored
 * @KSPLIT_CTL:	controls: the worker's wish, merged with the policy
 * @KSPLIT_GUEST:	the worker: guest state and plain values, checked
 * @KSPLIT_EXIT:	the CPU: read-only exit information
 * @KSPLIT_ADDR:	the worker names memory of its own, which the stub reads
 *			(EPT_POINTER, MSR_BITMAP, VMCS_LINK_POINTER), pins
 *			(VIRTUAL_APIC_PAGE_ADDR, POSTED_INTR_DESC_ADDR), takes
 *			for its own page's name (APIC_ACCESS_ADDR) or ignores
 *			(VMREAD_BITMAP, VMWRITE_BITMAP); never written as it is
 */
enum ksplit_class {
	KSPLIT_NEVER, KSPLIT_STUB, KSPLIT_HOST, KSPLIT_CTL, KSPLIT_GUEST, KSPLIT_EXIT,
	KSPLIT_ADDR,
};

/**
 * enum ksplit_group - fields that are read together
 * @KSPLIT_G_NONE:	the CPU never changes it: what the worker wrote is valid
 * @KSPLIT_G_EXIT:	reason, interruption information, IDT vectoring
 * @KSPLIT_G_BASIC:	RIP, RFLAGS, interruptibility, guest interrupt status
 * @KSPLIT_G_RSP:	RSP
 * @KSPLIT_G_INSN:	length of the instruction that exited
 * @KSPLIT_G_QUAL:	exit qualification
 * @KSPLIT_G_ADDR:	guest physical address
 * @KSPLIT_G_ERROR:	error codes of interruption and IDT vectoring,
 *			VM-instruction error
 * @KSPLIT_G_VMX:	VM-exit instruction information, guest linear address,
 *			I/O RCX, RSI, RDI, RIP
 * @KSPLIT_G_CR:	CR0, CR3, CR4
 * @KSPLIT_G_PDPTR:	PDPTEs
 * @KSPLIT_G_MODE:	access rights of CS and SS, base of CS
 * @KSPLIT_G_SEG:	the other 29 fields of segments
 * @KSPLIT_G_DT:	GDTR, IDTR
 * @KSPLIT_G_SYSENTER:	SYSENTER MSRs
 * @KSPLIT_G_ENTRY:	VM-entry interruption information
 * @KSPLIT_G_MISC:	DR7, DEBUGCTL, activity, pending debug exceptions
 * @KSPLIT_G_SHADOW:	what L1 may write in a shadow VMCS; no field's own group
 */
enum ksplit_group {
	KSPLIT_G_NONE, KSPLIT_G_EXIT, KSPLIT_G_BASIC, KSPLIT_G_RSP, KSPLIT_G_INSN,
	KSPLIT_G_QUAL, KSPLIT_G_ADDR, KSPLIT_G_ERROR, KSPLIT_G_VMX, KSPLIT_G_CR,
	KSPLIT_G_PDPTR, KSPLIT_G_MODE, KSPLIT_G_SEG, KSPLIT_G_DT, KSPLIT_G_SYSENTER,
	KSPLIT_G_ENTRY, KSPLIT_G_MISC, KSPLIT_G_SHADOW, KSPLIT_NR_GROUPS
};

#define KSPLIT_GROUP(name)	(1u << KSPLIT_G_##name)

/* KSPLIT_S_GUEST_RIP and so on: the slots. */
enum {
#define F(encoding, name, ...)	KSPLIT_S_##name = KSPLIT_SLOT(encoding)
#include "vmcs_fields.h"
#undef F
};

/**
 * struct ksplit_field - one slot; KSPLIT_NEVER: or of no field
 * @encoding:	SDM encoding
 * @cls:	enum ksplit_class
 * @group:	enum ksplit_group
 */
struct ksplit_field {
	u32 encoding;
	u8 cls;
	u8 group;
};

extern const struct ksplit_field ksplit_fields[KSPLIT_NR_SLOTS];

/* The control words that are merged. */
enum ksplit_ctl {
	KSPLIT_CTL_PIN, KSPLIT_CTL_PROC, KSPLIT_CTL_PROC2, KSPLIT_CTL_EXIT,
	KSPLIT_CTL_ENTRY, KSPLIT_NR_CTLS
};

/**
 * enum ksplit_decision - what becomes of a control bit
 * @KSPLIT_BIT_MAY:	the worker chooses, if the CPU has it
 * @KSPLIT_BIT_MUST:	set; the CPU must be able to
 * @KSPLIT_BIT_FORCE:	set if the CPU can
 * @KSPLIT_BIT_FAST:	as MAY, with CONFIG_KVM_SPLIT_FAST
 * @KSPLIT_BIT_SHOWN:	clear, although the synthetic capability MSRs show the
 *			worker that it may be set: upstream KVM insists on it
 *
 * Every other bit is clear unless the CPU demands it.
 */
enum ksplit_decision {
	KSPLIT_BIT_MAY, KSPLIT_BIT_MUST, KSPLIT_BIT_FORCE, KSPLIT_BIT_FAST, KSPLIT_BIT_SHOWN,
};

u32 ksplit_policy(enum ksplit_ctl word, enum ksplit_decision decision);

#define KSPLIT_VMX_MSR(msr)	((msr) - MSR_IA32_VMX_BASIC)

/**
 * struct ksplit_hw - the processor, as found at boot
 * @msr:	real VMX capability MSRs from 0x480, 0 where the CPU has none
 * @supported:	slots of fields that exist, found by VMREAD and VMWRITE
 * @maxphyaddr:	physical address bits
 * @virt_bits:	linear address bits: 48 or 57
 * @cr4_allowed: CR4 bits that a guest may have; bits outside of the policy's
 *		own list are ignored
 * @efer_allowed: the host's EFER; a guest may have these of SCE, LME, LMA, NX
 * @debugctl:	DEBUGCTL bits of the host that must stay on in the guest
 *		(FREEZE_IN_SMM)
 * @spec_ctrl:	bits that WRMSR(SPEC_CTRL) accepts, 0: no such MSR
 * @xcr0:	XCR0 features that a guest may enable
 * @has_tsc_aux: TSC_AUX exists
 * @fast:	controls of KSPLIT_BIT_FAST may be used
 * @ctl:	out: real control = (wanted & allowed1) | allowed0
 * @synthetic:	out: the capability MSRs that a worker is shown
 */
struct ksplit_hw {
	u64 msr[KSPLIT_NR_VMX_MSRS];
	u64 supported[KSPLIT_SLOT_WORDS];
	u8 maxphyaddr;
	u8 virt_bits;
	bool has_tsc_aux;
	bool fast;
	u64 cr4_allowed;
	u64 efer_allowed;
	u64 debugctl;
	u64 spec_ctrl;
	u64 xcr0;
	struct {
		u32 allowed0;
		u32 allowed1;
	} ctl[KSPLIT_NR_CTLS];
	u64 synthetic[KSPLIT_NR_VMX_MSRS];
};

int ksplit_caps_init(struct ksplit_hw *hw);

/* CR4: MCE (without it a machine check is a shutdown) and VMXE stay set. */
#define KSPLIT_CR4_FORCED	(X86_CR4_MCE | X86_CR4_VMXE)
/* Not SMXE, KL, CET, PKS, UINTR, LAM_SUP, FRED. */
#define KSPLIT_CR4_GUEST						\
	(X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE |		\
	 X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PCE |	\
	 X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_UMIP |		\
	 X86_CR4_LA57 | X86_CR4_FSGSBASE | X86_CR4_PCIDE |		\
	 X86_CR4_OSXSAVE | X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE)

static inline u64 ksplit_cr4_guest(const struct ksplit_hw *hw)
{
	return hw->cr4_allowed & KSPLIT_CR4_GUEST;
}

/**
 * struct ksplit_vmcs_state - the stub's copy of a worker's VMCS
 * @want:	the worker's values
 * @real:	what decode last gave for the real VMCS, which takes as many bits as
 *		the field has.  Slots with a group mean nothing once the guest has run
 * @write:	slots whose @real has to be VMWRITten; the caller clears them
 * @pending:	in: slots that the worker wrote, their values in @want; decode
 *		clears them unless it refuses
 * @debugregs:	in: this run switches DR0-DR3 and DR6
 *		(KSPLIT_RUN_DEBUGREGS).  Without, MOV DR exits and DR7 enables
 *		no breakpoint
 * @had_debugregs: decode's own: @debugregs of the last decode
 * @fresh:	decode's own: nothing was decoded since reset
 */
struct ksplit_vmcs_state {
	u64 want[KSPLIT_NR_SLOTS];
	u64 real[KSPLIT_NR_SLOTS];
	u64 write[KSPLIT_SLOT_WORDS];
	u64 pending[KSPLIT_SLOT_WORDS];
	bool debugregs;
	bool had_debugregs;
	bool fresh;
};

void ksplit_vmcs_reset(struct ksplit_vmcs_state *s);
int ksplit_decode(const struct ksplit_hw *hw, struct ksplit_vmcs_state *s, u32 *ret_bad);

u32 ksplit_exit_groups(u32 exit_reason, bool nested);

static inline bool ksplit_slot_test(const u64 *map, unsigned int slot)
{
	return map[slot / 64] >> (slot % 64) & 1;
}

static inline void ksplit_slot_set(u64 *map, unsigned int slot)
{
	map[slot / 64] |= 1ull << (slot % 64);
}

/* Over the slots of the bits set in one word of a map. */
#define ksplit_for_each_slot(slot, word, bits)					\
	for (u64 __todo = (bits);						\
	     __todo && ((slot) = (word) * 64 + __builtin_ctzll(__todo), true);	\
	     __todo &= __todo - 1)

#endif /* KSPLIT_VMCS_POLICY_H */
