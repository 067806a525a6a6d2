// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes of an exit: consumed here, or reported to the worker.
 *
 * Invariant: an event whose delivery the exit interrupted is either put back
 * for the next entry or reported as IDT-vectoring information, never both.
 */
#include <linux/uaccess.h>

#include <asm/cpu.h>

#include "vmx.h"

/* ------------------------------------------------------------ exits -- */

/* #AC that the host's split-lock detection raised, not the guest's. */
static bool ksplit_split_lock(struct ksplit_hw_vmcs *v)
{
	unsigned long rip, ss_ar, cr0, rflags;

	if (!boot_cpu_has(X86_FEATURE_SPLIT_LOCK_DETECT))
		return false;
	scoped_guard(preempt) {
		ksplit_vmcs_load(v);
		rip = vmx_read(GUEST_RIP);
		ss_ar = vmx_read(GUEST_SS_AR_BYTES);
		cr0 = vmx_read(GUEST_CR0);
		rflags = vmx_read(GUEST_RFLAGS);
	}
	if (((ss_ar >> 5) & 3) == 3 && (cr0 & X86_CR0_AM) && (rflags & X86_EFLAGS_AC))
		return false;
	return handle_guest_split_lock(rip);
}

static int ksplit_handle_ept(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v,
			     struct ksplit_exit *e)
{
	u64 gpa;

	scoped_guard(preempt) {
		ksplit_vmcs_load(v);
		gpa = vmx_read(GUEST_PHYSICAL_ADDRESS);
		e->qualification = vmx_read(EXIT_QUALIFICATION);
	}
	return ksplit_ept_fault(vcpu, e, gpa);
}

/**
 * ksplit_handle_exit - deals with an exit as far as the stub can
 * @vcpu: its mutex is held
 * @v: the VMCS that exited
 * @e: the exit
 *
 * Context: the worker's thread, may sleep.
 * Return: 1 if the stub consumed the exit, 0 if it is the worker's, or -errno
 * if the stub could not deal with it now.
 */
int ksplit_handle_exit(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v,
		       struct ksplit_exit *e)
{
	if (e->fail) {
		vcpu->run.exit_flags |= KSPLIT_EXIT_VMFAIL;
		return 0;
	}
	if (e->reason & VMX_EXIT_REASONS_FAILED_VMENTRY)
		return 0;

	switch ((u16)e->reason) {
	case EXIT_REASON_EXTERNAL_INTERRUPT:
		return 1;
	case EXIT_REASON_EXCEPTION_NMI:
		switch (e->intr_info & (INTR_INFO_INTR_TYPE_MASK | INTR_INFO_VECTOR_MASK)) {
		case INTR_TYPE_NMI_INTR | NMI_VECTOR:
		case INTR_TYPE_HARD_EXCEPTION | MC_VECTOR:
			return 1;
		case INTR_TYPE_HARD_EXCEPTION | AC_VECTOR:
			return ksplit_split_lock(v);
		}
		return 0;
	case EXIT_REASON_PREEMPTION_TIMER:
		/* Armed for a kick, or for less than the deadline. */
		return e->at_once || rdtsc() < vcpu->run.tsc_deadline;
	case EXIT_REASON_EPT_VIOLATION:
		return ksplit_handle_ept(vcpu, v, e);
	case EXIT_REASON_EPT_MISCONFIG:
	case EXIT_REASON_IO_INSTRUCTION:
		return ksplit_doorbell_rung(vcpu, v, e);
	}
	return 0;
}

/* ---------------------------------------------------------- report -- */

/**
 * ksplit_store_vmcs - stores fields into the worker's VMCS
 * @vmcs: of the worker
 * @e: value and stored
 * @invalid: bit per slot that is no longer valid there
 *
 * Return: 0, -EFAULT.
 */
int ksplit_store_vmcs(struct ksplit_vmcs __user *vmcs,
		      const struct ksplit_exit *e, const u64 *invalid)
{
	unsigned int word, slot;
	u64 valid;

	if (!user_access_begin(vmcs, sizeof(*vmcs)))
		return -EFAULT;
	for (word = 0; word < KSPLIT_SLOT_WORDS; word++) {
		unsafe_get_user(valid, &vmcs->valid[word], fault);
		valid = (valid & ~invalid[word]) | e->stored[word];
		unsafe_put_user(valid, &vmcs->valid[word], fault);
		ksplit_for_each_slot(slot, word, e->stored[word])
			unsafe_put_user(e->value[slot], &vmcs->field[slot], fault);
	}
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/**
 * ksplit_wishes - why the worker is to look at this vCPU
 * @vcpu: the vCPU
 *
 * Return: KSPLIT_EXIT_*; a kick is reported once.
 */
u32 ksplit_wishes(struct ksplit_vcpu *vcpu)
{
	return (xchg(&vcpu->kicked, false) ? KSPLIT_EXIT_KICKED : 0) |
	       (READ_ONCE(vcpu->interrupted) ? KSPLIT_EXIT_SIGNAL : 0);
}

/**
 * ksplit_report - tells the worker of an exit
 * @vcpu: its mutex is held
 * @v: the VMCS that exited
 * @e: the exit
 * @arg: the worker's struct ksplit_run
 *
 * Return: 0, -EFAULT.
 */
int ksplit_report(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v,
		  struct ksplit_exit *e, struct ksplit_run __user *arg)
{
	struct ksplit_run *run = &vcpu->run;
	int r;

	if (!e->fail) {
		guard(preempt)();
		ksplit_vmcs_load(v);
		ksplit_vmcs_read_groups(ksplit_exit_groups((u16)e->reason, v != vcpu->vmcs),
					e->value, e->stored);
	}
	if ((u16)e->reason == EXIT_REASON_EPT_VIOLATION)
		e->value[KSPLIT_S_EXIT_QUALIFICATION] = e->qualification;
	/* Not the vector of a host's interrupt. */
	e->value[KSPLIT_S_VM_EXIT_INTR_INFO] = e->intr_info;
	e->value[KSPLIT_S_VM_EXIT_REASON] = e->reason;
	ksplit_slot_set(e->stored, KSPLIT_S_VM_EXIT_REASON);
	e->value[KSPLIT_S_IDT_VECTORING_INFO_FIELD] = e->idt_info;
	ksplit_slot_set(e->stored, KSPLIT_S_IDT_VECTORING_INFO_FIELD);

	memcpy(run->regs, vcpu->regs, sizeof(run->regs));
	run->exit_flags |= ksplit_wishes(vcpu);
	run->run_delay = current->sched_info.run_delay;
	run->exits = vcpu->exits;

	r = ksplit_store_vmcs((void __user *)run->vmcs, e, ksplit_volatile);
	if (r)
		return r;
	return copy_to_user(arg, run, sizeof(*run)) ? -EFAULT : 0;
}
