// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entering a guest: host state, and what the hardware does not switch.
 *
 * Invariants: host MSRs, debug registers, XCR0, XSS and PKRU are the host's
 * again before interrupts are on; an event whose delivery an exit interrupted
 * is put back before the next entry; no entry takes place once a kicker has
 * seen that the vCPU is not in guest mode.
 */
#include <linux/kvm_host.h>
#include <linux/resume_user_mode.h>
#include <linux/smp.h>
#include <trace/events/ipi.h>

#include <asm/cpu_entry_area.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/fred.h>
#include <asm/mce.h>
#include <asm/mmu_context.h>
#include <asm/nospec-branch.h>
#include <asm/spec-ctrl.h>
#include <asm/tlbflush.h>

#include "vmx.h"
#include "vmx/run_flags.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

bool __vmx_vcpu_run(struct ksplit_vcpu *vcpu, unsigned long *regs, unsigned int flags);
void vmx_update_host_rsp(struct ksplit_vcpu *vcpu, unsigned long host_rsp);
void vmx_spec_ctrl_restore_host(struct ksplit_vcpu *vcpu, unsigned int flags);
void vmx_do_nmi_irqoff(void);
asmlinkage void vmx_vmexit(void);

/* IDT-vectoring information: what may be injected again as it is. */
#define KSPLIT_EVENT_MASK	(INTR_INFO_VALID_MASK | \
				 INTR_INFO_DELIVER_CODE_MASK | \
				 INTR_INFO_INTR_TYPE_MASK | \
				 INTR_INFO_VECTOR_MASK)

/* Worker's MSRs that WRMSR loads and restores around an entry. */
const u32 ksplit_syscall_msrs[] = {
	[KSPLIT_MSR_STAR] = MSR_STAR,
	[KSPLIT_MSR_LSTAR] = MSR_LSTAR,
	[KSPLIT_MSR_CSTAR] = MSR_CSTAR,
	[KSPLIT_MSR_SYSCALL_MASK] = MSR_SYSCALL_MASK,
	[KSPLIT_MSR_TSC_AUX] = MSR_TSC_AUX,
};


/* ------------------------------------------------------ host state -- */

static void ksplit_write_slot(unsigned int slot, u64 value)
{
	if (ksplit_slot_test(ksplit_hw.supported, slot))
		vmx_write(ksplit_fields[slot].encoding, value);
}

/* After VMCLEAR nothing is known of a VMCS: write what is the stub's. */
static void ksplit_prepare_vmcs(struct ksplit_hw_vmcs *v)
{
	struct desc_ptr idt;

	for (unsigned int slot = 0; slot < KSPLIT_NR_SLOTS; slot++)
		if (ksplit_fields[slot].cls == KSPLIT_HOST ||
		    ksplit_fields[slot].cls == KSPLIT_ADDR)
			ksplit_write_slot(slot, 0);

	ksplit_write_slot(KSPLIT_S_VIRTUAL_PROCESSOR_ID, v->vpid);
	ksplit_write_slot(KSPLIT_S_MSR_BITMAP, __pa(v->msr_bitmap));
	ksplit_write_slot(KSPLIT_S_VMREAD_BITMAP, __pa_symbol(ksplit_shadow_exits[0]));
	ksplit_write_slot(KSPLIT_S_VMWRITE_BITMAP, __pa_symbol(ksplit_shadow_exits[1]));

	ksplit_write_slot(KSPLIT_S_HOST_CR0, read_cr0());
	ksplit_write_slot(KSPLIT_S_HOST_CS_SELECTOR, __KERNEL_CS);
	ksplit_write_slot(KSPLIT_S_HOST_SS_SELECTOR, __KERNEL_DS);
	ksplit_write_slot(KSPLIT_S_HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	store_idt(&idt);
	ksplit_write_slot(KSPLIT_S_HOST_IDTR_BASE, idt.address);
	ksplit_write_slot(KSPLIT_S_HOST_RIP, (unsigned long)vmx_vmexit);
	ksplit_write_slot(KSPLIT_S_HOST_IA32_SYSENTER_CS, native_read_msr(MSR_IA32_SYSENTER_CS));
	ksplit_write_slot(KSPLIT_S_HOST_IA32_SYSENTER_EIP, native_read_msr(MSR_IA32_SYSENTER_EIP));
	ksplit_write_slot(KSPLIT_S_HOST_IA32_PAT, native_read_msr(MSR_IA32_CR_PAT));
	ksplit_write_slot(KSPLIT_S_HOST_IA32_EFER, native_read_msr(MSR_EFER));

	/* No CPU, no value that is ever wanted, but for the link pointer. */
	memset(&v->host, 0xff, sizeof(v->host));
	v->host.link = 0;
	v->prepared = true;
}

static void ksplit_write_changed(unsigned long *last, unsigned long field, unsigned long value)
{
	if (*last != value)
		vmx_write(field, value);
	*last = value;
}

/* Host state that depends on CPU and thread.  Preemption off. */
static void ksplit_write_host(struct ksplit_hw_vmcs *v)
{
	int cpu = smp_processor_id();

	if (v->host.cpu != cpu) {
		vmx_write(HOST_TR_BASE, (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
		vmx_write(HOST_GDTR_BASE, (unsigned long)get_current_gdt_ro());
		vmx_write(HOST_GS_BASE, cpu_kernelmode_gs_base(cpu));
		if (IS_ENABLED(CONFIG_IA32_EMULATION))
			vmx_write(HOST_IA32_SYSENTER_ESP,
				  (unsigned long)(cpu_entry_stack(cpu) + 1));
		v->host.cpu = cpu;
	}
	current_save_fsgs();
	ksplit_write_changed(&v->host.fs_base, HOST_FS_BASE, current->thread.fsbase);
}

/* ----------------------------------------------------------- entry -- */

void noinstr vmx_update_host_rsp(struct ksplit_vcpu *vcpu, unsigned long host_rsp)
{
	struct ksplit_hw_vmcs *v = vcpu->current_vmcs;

	if (unlikely(v->host.rsp != host_rsp)) {
		v->host.rsp = host_rsp;
		VMX_INSN("vmwrite %[value], %[field]",
			 [field] "r" ((unsigned long)HOST_RSP),
			 [value] "r" (host_rsp));
	}
}

void noinstr vmx_spec_ctrl_restore_host(struct ksplit_vcpu *vcpu, unsigned int flags)
{
	u64 hostval = this_cpu_read(x86_spec_ctrl_current);

	if (!cpu_feature_enabled(X86_FEATURE_MSR_SPEC_CTRL))
		return;

	if (flags & VMX_RUN_SAVE_SPEC_CTRL)
		vcpu->spec_ctrl = __rdmsr(MSR_IA32_SPEC_CTRL);

	/* Legacy IBRS must be written after an exit whatever its value. */
	if (cpu_feature_enabled(X86_FEATURE_KERNEL_IBRS) || vcpu->spec_ctrl != hostval)
		native_wrmsrl(MSR_IA32_SPEC_CTRL, hostval);

	barrier_nospec();
}

static noinstr void ksplit_enter_exit(struct ksplit_vcpu *vcpu,
				      unsigned int flags, struct ksplit_exit *e)
{
	unsigned long value = 0;

	guest_state_enter_irqoff();

	if (vcpu->run.cr2 != native_read_cr2())
		native_write_cr2(vcpu->run.cr2);
	e->fail = __vmx_vcpu_run(vcpu, vcpu->regs, flags);
	vcpu->run.cr2 = native_read_cr2();

	if (likely(!e->fail)) {
		vmx_read_ok(VM_EXIT_REASON, &value);
		e->reason = value;
		if ((u16)e->reason == EXIT_REASON_EXCEPTION_NMI &&
		    !(e->reason & VMX_EXIT_REASONS_FAILED_VMENTRY)) {
			vmx_read_ok(VM_EXIT_INTR_INFO, &value);
			e->intr_info = value;
			/* Before anything can unblock NMIs. */
			if ((e->intr_info & (INTR_INFO_VALID_MASK | INTR_INFO_INTR_TYPE_MASK)) ==
			    (INTR_INFO_VALID_MASK | INTR_TYPE_NMI_INTR)) {
				if (cpu_feature_enabled(X86_FEATURE_FRED))
					fred_entry_from_kvm(EVENT_TYPE_NMI, NMI_VECTOR);
				else
					vmx_do_nmi_irqoff();
			}
		}
	}

	guest_state_exit_irqoff();
}

/* Guest values of what hardware does not switch.  Interrupts off. */
static void ksplit_load_guest(struct ksplit_vcpu *vcpu, struct ksplit_cpu *c, bool debugregs)
{
	struct ksplit_run *run = &vcpu->run;

	for (unsigned int i = KSPLIT_MSR_STAR; i <= KSPLIT_MSR_TSC_AUX; i++) {
		if (run->msr[i] != c->host_msr[i]) {
			wrmsrl(ksplit_syscall_msrs[i], run->msr[i]);
			ksplit_count(wrmsrs);
		}
	}
	wrmsrl(MSR_KERNEL_GS_BASE, run->msr[KSPLIT_MSR_KERNEL_GS_BASE]);
	ksplit_count(wrmsrs);

	if (cpu_feature_enabled(X86_FEATURE_XSAVE) && run->xcr0 &&
	    run->xcr0 != xgetbv(XCR_XFEATURE_ENABLED_MASK))
		xsetbv(XCR_XFEATURE_ENABLED_MASK, run->xcr0);
	if (ksplit_host_xss)
		wrmsrl(MSR_IA32_XSS, 0);
	if (cpu_feature_enabled(X86_FEATURE_OSPKE))
		wrpkru(run->pkru);

	if (debugregs) {
		set_debugreg(0, 7);
		for (unsigned int i = 0; i < ARRAY_SIZE(run->dr); i++)
			set_debugreg(run->dr[i], i);
		set_debugreg(run->dr6, 6);
	} else if (hw_breakpoint_active()) {
		set_debugreg(0, 7);
	}
}

static void ksplit_load_host(struct ksplit_vcpu *vcpu, struct ksplit_cpu *c, bool debugregs,
			     u64 host_xcr0, u32 host_pkru, u64 host_debugctl)
{
	struct ksplit_run *run = &vcpu->run;

	if (host_debugctl)
		update_debugctlmsr(host_debugctl);
	if (debugregs) {
		for (unsigned int i = 0; i < ARRAY_SIZE(run->dr); i++)
			get_debugreg(run->dr[i], i);
		get_debugreg(run->dr6, 6);
		set_debugreg(DR6_RESERVED, 6);
	}
	if (hw_breakpoint_active())
		hw_breakpoint_restore();

	if (cpu_feature_enabled(X86_FEATURE_OSPKE)) {
		run->pkru = rdpkru();
		wrpkru(host_pkru);
	}
	if (ksplit_host_xss)
		wrmsrl(MSR_IA32_XSS, ksplit_host_xss);
	if (cpu_feature_enabled(X86_FEATURE_XSAVE) && run->xcr0 && run->xcr0 != host_xcr0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, host_xcr0);

	/* The guest may write it without an exit. */
	rdmsrl(MSR_KERNEL_GS_BASE, run->msr[KSPLIT_MSR_KERNEL_GS_BASE]);
	wrmsrl(MSR_KERNEL_GS_BASE, current->thread.gsbase);
	ksplit_count(wrmsrs);
	for (unsigned int i = KSPLIT_MSR_STAR; i <= KSPLIT_MSR_TSC_AUX; i++) {
		if (run->msr[i] != c->host_msr[i]) {
			wrmsrl(ksplit_syscall_msrs[i], c->host_msr[i]);
			ksplit_count(wrmsrs);
		}
	}
	/* VM exit sets GDTR's limit to 64 KiB and clobbers the TSS's. */
	invalidate_tss_limit();
	load_fixmap_gdt(smp_processor_id());
}

/* Has the next entry leave at once, or at the deadline.  Interrupts off. */
static void ksplit_arm_timer(struct ksplit_vcpu *vcpu, struct ksplit_exit *e)
{
	u64 delta = ~0ull, now;

	if (!(ksplit_hw.ctl[KSPLIT_CTL_PIN].allowed1 & PIN_BASED_VMX_PREEMPTION_TIMER)) {
		if (e->at_once)
			smp_send_reschedule(smp_processor_id());
		return;
	}
	if (e->at_once) {
		delta = 0;
	} else if (vcpu->run.tsc_deadline != ~0ull) {
		now = rdtsc();
		delta = vcpu->run.tsc_deadline > now ?
			(vcpu->run.tsc_deadline - now) >>
			(ksplit_hw.msr[KSPLIT_VMX_MSR(MSR_IA32_VMX_MISC)] & 31) : 0;
	}
	vmx_write(VMX_PREEMPTION_TIMER_VALUE, min_t(u64, delta, U32_MAX));
}

/**
 * ksplit_block_nmi - sets or clears blocking by NMI
 * @block: which of them
 *
 * Context: the VMCS is current, preemption off.
 */
void ksplit_block_nmi(bool block)
{
	u32 info = vmx_read(GUEST_INTERRUPTIBILITY_INFO) & ~GUEST_INTR_STATE_NMI;

	vmx_write(GUEST_INTERRUPTIBILITY_INFO, block ? info | GUEST_INTR_STATE_NMI : info);
}

/* Puts back the event whose delivery the last exit interrupted. */
static void ksplit_requeue_event(struct ksplit_exit *e)
{
	u32 info = e->idt_info;

	if (info & VECTORING_INFO_VALID_MASK) {
		vmx_write(VM_ENTRY_INTR_INFO_FIELD, info & KSPLIT_EVENT_MASK);
		if (info & VECTORING_INFO_DELIVER_CODE_MASK)
			vmx_write(VM_ENTRY_EXCEPTION_ERROR_CODE,
				  vmx_read(IDT_VECTORING_ERROR_CODE));
		switch (info & VECTORING_INFO_TYPE_MASK) {
		case INTR_TYPE_SOFT_INTR:
		case INTR_TYPE_PRIV_SW_EXCEPTION:
		case INTR_TYPE_SOFT_EXCEPTION:
			vmx_write(VM_ENTRY_INSTRUCTION_LEN, vmx_read(VM_EXIT_INSTRUCTION_LEN));
			break;
		case INTR_TYPE_NMI_INTR:
			ksplit_block_nmi(false);
			break;
		}
	} else if (e->nmi_unblocked) {
		ksplit_block_nmi(true);
	}
	e->requeue = false;
}

/* What has to be done before an entry. */
#define KSPLIT_WORK	(_TIF_NEED_RESCHED | _TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL | \
			 _TIF_NOTIFY_RESUME)

/**
 * ksplit_handle_work - reschedules and the like
 *
 * Context: the worker's thread, may sleep.
 * Return: 0, or -EINTR if a signal of the worker's waits.
 */
int ksplit_handle_work(void)
{
	unsigned long work;

	while ((work = read_thread_flags()) & KSPLIT_WORK) {
		if (work & (_TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL))
			return -EINTR;
		if (work & _TIF_NEED_RESCHED)
			schedule();
		if (work & _TIF_NOTIFY_RESUME)
			resume_user_mode_work(NULL);
	}
	return 0;
}

/* L1TF: what ring 0 left in L1D must not be there when a guest runs. */
static void ksplit_flush_l1d(void)
{
	if (l1tf_vmx_mitigation == VMENTER_L1D_FLUSH_COND)
		native_wrmsrl(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
}

/**
 * ksplit_enter - one entry, or none if something came up that goes first
 * @vcpu: its mutex is held
 * @v: which of its VMCSs, decoded
 * @e: what the entry brought
 *
 * Context: the worker's thread, interrupts on.
 * Return: 0 (look at @e), -EAGAIN (handle work, try again) or -ESHUTDOWN.
 */
int ksplit_enter(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v, struct ksplit_exit *e)
{
	struct ksplit_run *run = &vcpu->run;
	unsigned int flags = 0;
	struct ksplit_cpu *c;
	u64 host_xcr0 = 0, host_debugctl;
	u32 host_pkru = 0;
	bool debugregs;
	u64 gen;

	preempt_disable();
	c = this_cpu_ptr(&ksplit_cpu);
	ksplit_vmcs_load(v);
	if (!v->prepared)
		ksplit_prepare_vmcs(v);
	ksplit_vmcs_apply(v);
	ksplit_write_host(v);
	ksplit_write_changed(&v->host.eptp, EPT_POINTER, vcpu->root->eptp);
	ksplit_write_changed(&v->host.link, VMCS_LINK_POINTER,
			     ksplit_shadows(v) ? __pa(v->shadow) : ~0ul);

	local_irq_disable();
	vcpu->cpu = smp_processor_id();
	if (vcpu->last_cpu != vcpu->cpu) {
		/* What this CPU knows of the vCPU is of unknown age. */
		vcpu->tlb_gen = 0;
		vcpu->vmcs[0].flush_vpid = true;
		vcpu->vmcs[1].flush_vpid = true;
		vcpu->last_cpu = vcpu->cpu;
	}
	/*
	 * From here on a kicker sends an IPI, which the entry takes as an
	 * exit.  Pairs with the barriers in ksplit_vcpu_kick() and
	 * ksplit_vm_kick_sync(): they write, then look at in_guest.
	 */
	WRITE_ONCE(vcpu->in_guest, true);
	smp_mb();	/* see above */
	if (READ_ONCE(vcpu->vm->dead) || READ_ONCE(vcpu->root->dead) ||
	    read_thread_flags() & KSPLIT_WORK) {
		WRITE_ONCE(vcpu->in_guest, false);
		local_irq_enable();
		preempt_enable();
		return READ_ONCE(vcpu->vm->dead) ? -ESHUTDOWN : -EAGAIN;
	}
	gen = atomic64_read(&vcpu->vm->tlb_gen);
	if (vcpu->tlb_gen != gen) {
		vmx_invept_global();
		vcpu->tlb_gen = gen;
	}
	if (v->flush_vpid) {
		vmx_invvpid(v->vpid);
		v->flush_vpid = false;
	}

	e->at_once = READ_ONCE(vcpu->kicked) || (run->flags & KSPLIT_RUN_EXIT_AT_ONCE);
	ksplit_arm_timer(vcpu, e);
	if (e->requeue)
		ksplit_requeue_event(e);
	/* CR3 may change its PCID until the last moment. */
	ksplit_write_changed(&v->host.cr3, HOST_CR3, __get_current_cr3_fast());
	ksplit_write_changed(&v->host.cr4, HOST_CR4, cr4_read_shadow());
	trace_kvm_entry(vcpu->id);
	ksplit_flush_l1d();

	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
	if (cpu_feature_enabled(X86_FEATURE_XSAVE))
		host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	if (cpu_feature_enabled(X86_FEATURE_OSPKE))
		host_pkru = rdpkru();
	host_debugctl = get_debugctlmsr();
	debugregs = (run->flags & KSPLIT_RUN_DEBUGREGS) ||
		    !(v->state.real[KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL] & CPU_BASED_MOV_DR_EXITING);
	vcpu->spec_ctrl = run->msr[KSPLIT_MSR_SPEC_CTRL];
	if (v->launched)
		flags |= VMX_RUN_VMRESUME;
	/* Write bits of low MSRs are in the third kilobyte. */
	if (!test_bit(2048 * 8 + MSR_IA32_SPEC_CTRL, (unsigned long *)v->msr_bitmap))
		flags |= VMX_RUN_SAVE_SPEC_CTRL;
	vcpu->current_vmcs = v;

	guest_timing_enter_irqoff();
	ksplit_load_guest(vcpu, c, debugregs);
	ksplit_enter_exit(vcpu, flags, e);
	ksplit_load_host(vcpu, c, debugregs, host_xcr0, host_pkru, host_debugctl);
	WRITE_ONCE(vcpu->in_guest, false);
	run->msr[KSPLIT_MSR_SPEC_CTRL] = vcpu->spec_ctrl;

	if (unlikely(e->fail)) {
		run->instruction_error = vmx_read(VM_INSTRUCTION_ERROR);
		e->reason = ~0u;
	} else {
		e->entered = true;
		e->idt_info = 0;
		if (!(e->reason & VMX_EXIT_REASONS_FAILED_VMENTRY)) {
			v->launched = true;
			e->idt_info = vmx_read(IDT_VECTORING_INFO_FIELD);
		}
	}
	/* A machine check must be seen on this CPU. */
	if ((u16)e->reason == EXIT_REASON_MCE_DURING_VMENTRY ||
	    ((u16)e->reason == EXIT_REASON_EXCEPTION_NMI &&
	     (e->intr_info & (INTR_INFO_VALID_MASK | INTR_INFO_INTR_TYPE_MASK |
			      INTR_INFO_VECTOR_MASK)) ==
	     (INTR_INFO_VALID_MASK | INTR_TYPE_HARD_EXCEPTION | MC_VECTOR))) {
		struct pt_regs regs = { .cs = 3, .flags = X86_EFLAGS_IF };

		if (IS_ENABLED(CONFIG_X86_MCE))
			do_machine_check(&regs);
	}
	trace_kvm_exit(vcpu->id, e->reason, e->idt_info, e->intr_info);
	vcpu->exits++;
	ksplit_count(exits);
	this_cpu_inc(ksplit_stats.exits[min_t(u32, (u16)e->reason,
				ARRAY_SIZE(ksplit_stats.exits) - 1)]);

	/* A host interrupt that caused the exit is taken here. */
	local_irq_enable();
	/* Account the guest's time before the tick that ended it is. */
	local_irq_disable();
	guest_timing_exit_irqoff();
	local_irq_enable();
	preempt_enable();
	return 0;
}
