/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What no worker can make of a VMCS on the processor of cpu.h.
 */
#ifndef TESTS_PURE_HARMLESS_H
#define TESTS_PURE_HARMLESS_H

#include "vmcs_policy.h"

#ifndef HOLDS	/* the fuzzers have their own */
#include "holds.h"
#endif

/*
 * What must hold of real values whatever a worker does; written from the policy
 * table, not from the code.
 */
static inline void assert_harmless(const struct ksplit_hw *hw, const struct ksplit_vmcs_state *s)
{
	const u64 *r = s->real;
	u32 pin = r[KSPLIT_S_PIN_BASED_VM_EXEC_CONTROL];
	u32 proc = r[KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL];
	u32 proc2 = r[KSPLIT_S_SECONDARY_VM_EXEC_CONTROL];
	u32 exit = r[KSPLIT_S_VM_EXIT_CONTROLS];
	u32 entry = r[KSPLIT_S_VM_ENTRY_CONTROLS];
	u32 event = r[KSPLIT_S_VM_ENTRY_INTR_INFO_FIELD];
	unsigned int i;

	for (i = 0; i < KSPLIT_NR_SLOTS; i++) {
		u8 cls = ksplit_fields[i].cls;

		if (cls == KSPLIT_CTL || cls == KSPLIT_GUEST)
			continue;
		/* Only the stub's own constants. */
		if (cls != KSPLIT_STUB || i == KSPLIT_S_VIRTUAL_PROCESSOR_ID) {
			EQ(r[i], 0);
			HOLDS(!ksplit_slot_test(s->write, i));
		} else if (i == KSPLIT_S_XSS_EXIT_BITMAP ||
			   i == KSPLIT_S_ENCLS_EXITING_BITMAP ||
			   i == KSPLIT_S_ENCLV_EXITING_BITMAP) {
			EQ(r[i], ~0ull);
		} else if (i == KSPLIT_S_VMX_PREEMPTION_TIMER_VALUE) {
			EQ(r[i], 0xffffffff);
		} else {
			EQ(r[i], 0);
		}
	}
	/* External interrupt, NMI, virtual NMI. */
	EQ(pin & 0x29, 0x29);
	/* Posted interrupts, TPR shadow and the rest of APIC virtualization. */
	HOLDS(hw->fast || !(pin & 0x80 || proc & 1 << 21 || proc2 & 0x311));
	/* RDPMC, all I/O, MSR bitmaps; no I/O bitmaps, 3rd. */
	EQ(proc & 0x93020800, 0x91000800);
	/* CR8 is the host's TPR but for a TPR shadow. */
	HOLDS(proc & 1 << 21 || (proc & 0x180000) == 0x180000);
	if (!s->debugregs) {
		HOLDS(proc & 1 << 23);
		EQ(r[KSPLIT_S_GUEST_DR7] & 0xff, 0);
	}
	/* HLT, MWAIT, MONITOR. */
	EQ(proc & 0x20000480, 0x20000480);
	/* EPT, VPID, WBINVD, ENCLS, ENCLV. */
	EQ(proc2 & 0x10008062, 0x10008062);
	/* PML, #VE, PT, MBEC, SPP, user wait, PCONFIG. */
	EQ(proc2 & 0x0dee0000, 0);
	/* Debug, 64-bit host, PAT and EFER both ways. */
	EQ(exit & 0x003c0204, 0x003c0204);
	EQ(exit & 0xffc09000, 0);
	EQ(entry & 0xc004, 0xc004);
	EQ(entry & 0xffff2c00, 0);
	/* #DB, #AC, #MC. */
	EQ(r[KSPLIT_S_EXCEPTION_BITMAP] & 0x60002, 0x60002);
	/* CR0: the guest owns at most TS and WP; CD and NW clear. */
	EQ(~r[KSPLIT_S_CR0_GUEST_HOST_MASK] & ~0x10008ull, 0);
	EQ(r[KSPLIT_S_GUEST_CR0] & 0x60000000, 0);
	EQ(r[KSPLIT_S_GUEST_CR0] & 0x20, 0x20);
	/* CR4: MCE and VMXE set; SMXE, PKS, CET, UINTR, LAM, FRED clear, or no entry. */
	EQ(~r[KSPLIT_S_CR4_GUEST_HOST_MASK] & ~0x1078eull, 0);
	if (r[KSPLIT_S_GUEST_CR4] != 1ull << 63) {
		EQ(r[KSPLIT_S_GUEST_CR4] & 0x2040, 0x2040);
		EQ(r[KSPLIT_S_GUEST_CR4] & ~0x773fffull, 0);
		EQ(r[KSPLIT_S_GUEST_CR4] & ~(hw->cr4_allowed | 0x2040), 0);
	}
	EQ(r[KSPLIT_S_GUEST_IA32_EFER] & ~0xd01ull, 0);
	EQ(r[KSPLIT_S_GUEST_IA32_DEBUGCTL] & ~2ull, hw->debugctl);
	EQ(r[KSPLIT_S_GUEST_DR7] >> 32, 0);
	/* No enclave bit, and none of a later CPU's, but in vain. */
	if (r[KSPLIT_S_GUEST_INTERRUPTIBILITY_INFO] & ~0xfull)
		HOLDS(r[KSPLIT_S_GUEST_INTERRUPTIBILITY_INFO] & 1u << 31);
	EQ(r[KSPLIT_S_GUEST_ACTIVITY_STATE], 0);
	if (event & 1u << 31)
		EQ(event & 0x7ffff000, 0);
}

#endif /* TESTS_PURE_HARMLESS_H */
