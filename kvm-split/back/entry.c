// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entering a guest: host state, and what the hardware does not switch.
 *
 * Invariants: host MSRs, debug registers, XCR0, XSS and PKRU are the host's
 * again before interrupts are on; an event whose delivery an exit interrupted
 * is put back before the next entry; no entry takes place once a kicker has
 * seen that the vCPU is not in guest mode.
 */
#include <linux/resume_user_mode.h>
#include <trace/events/ipi.h>

#include <asm/cpu_entry_area.h>
#include <asm/fpu/xcr.h>
#include <asm/fred.h>
#include <asm/mce.h>
#include <asm/mmu_context.h>

#include "vmx.h"
#include "vmx/run_flags.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

bool __vmx_vcpu_run(struct ksplit_vcpu *vcpu, unsigned long *regs, unsigned int flags);
void vmx_update_host_rsp(struct ksplit_vcpu *vcpu, unsigned long host_rsp);
void vmx_spec_ctrl_restore_host(struct ksplit_vcpu *vcpu, unsigned int flags);
void vmx_do_nmi_irqoff(void);
asmlinkage void vmx_vmexit(void);

/* Which event it is: of interruption information, and of IDT-vectoring information. */
#define KSPLIT_EVENT		(INTR_INFO_INTR_TYPE_MASK | INTR_INFO_VECTOR_MASK)

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
		if (ksplit_fields[slot].cls == KSPLIT_HOST)
			ksplit_write_slot(slot, 0);

	vmx_write(VIRTUAL_PROCESSOR_ID, v->vpid);
	vmx_write(MSR_BITMAP, __pa(v->msr_bitmap));
	ksplit_write_slot(KSPLIT_S_VMREAD_BITMAP, __pa_symbol(ksplit_shadow_exits[0]));
	ksplit_write_slot(KSPLIT_S_VMWRITE_BITMAP, __pa_symbol(ksplit_shadow_exits[1]));

	vmx_write(HOST_CR0, read_cr0());
	vmx_write(HOST_CS_SELECTOR, __KERNEL_CS);
	vmx_write(HOST_SS_SELECTOR, __KERNEL_DS);
	vmx_write(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	store_idt(&idt);
	vmx_write(HOST_IDTR_BASE, idt.address);
	vmx_write(HOST_RIP, (unsigned long)vmx_vmexit);
	vmx_write(HOST_IA32_SYSENTER_CS, native_read_msr(MSR_IA32_SYSENTER_CS));
	vmx_write(HOST_IA32_SYSENTER_EIP, native_read_msr(MSR_IA32_SYSENTER_EIP));
	vmx_write(HOST_IA32_PAT, native_read_msr(MSR_IA32_CR_PAT));
	vmx_write(HOST_IA32_EFER, native_read_msr(MSR_EFER));

	/* Values that no field is ever to have, but for the link pointer: all get written. */
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

/* L1TF: what ring 0 left in L1D must not be there when a guest runs. */
static __always_inline void ksplit_flush_l1d(void)
{
	if (l1tf_vmx_mitigation == VMENTER_L1D_FLUSH_COND)
		native_wrmsrl(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
}

static noinstr void ksplit_enter_exit(struct ksplit_vcpu *vcpu,
				      unsigned int flags, struct ksplit_exit *e)
{
	unsigned long value = 0;

	guest_state_enter_irqoff();

	/* As in-tree, after everything that the host loads. */
	ksplit_flush_l1d();
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

/* Of the host's, what an entry replaces. */
struct ksplit_host_state {
	u64 xcr0;
	u64 debugctl;
	u32 pkru;
	u32 msrs;		/* bit per enum ksplit_run_msr */
	bool debugregs;		/* the guest has its own */
};

/*
 * Saves the host's, then loads the guest's values of what hardware does not
 * switch.  Interrupts off.
 */
static void ksplit_load_guest(struct ksplit_vcpu *vcpu, struct ksplit_host_state *host)
{
	const u64 *real = vcpu->current_vmcs->state.real;
	const u64 *host_msr = this_cpu_ptr(&ksplit_cpu)->host_msr;
	struct ksplit_run *run = &vcpu->run;

	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
	host->debugctl = get_debugctlmsr();
	host->debugregs = run->flags & KSPLIT_RUN_DEBUGREGS ||
			  !(real[KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL] & CPU_BASED_MOV_DR_EXITING);

	for (unsigned int i = KSPLIT_MSR_STAR; i <= KSPLIT_MSR_TSC_AUX; i++) {
		/* SYSCALL's are out of a guest's reach without EFER.SCE. */
		if (run->msr[i] == host_msr[i] ||
		    (i != KSPLIT_MSR_TSC_AUX && !(real[KSPLIT_S_GUEST_IA32_EFER] & EFER_SCE)))
			continue;
		wrmsrl(ksplit_syscall_msrs[i], run->msr[i]);
		host->msrs |= BIT(i);
	}
	wrmsrl(MSR_KERNEL_GS_BASE, run->msr[KSPLIT_MSR_KERNEL_GS_BASE]);

	if (cpu_feature_enabled(X86_FEATURE_XSAVE)) {
		host->xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
		if (run->xcr0 != host->xcr0)
			xsetbv(XCR_XFEATURE_ENABLED_MASK, run->xcr0);
	}
	if (ksplit_host_xss)
		wrmsrl(MSR_IA32_XSS, 0);
	if (cpu_feature_enabled(X86_FEATURE_OSPKE)) {
		host->pkru = rdpkru();
		wrpkru(run->pkru);
	}

	if (host->debugregs) {
		set_debugreg(0, 7);
		for (unsigned int i = 0; i < ARRAY_SIZE(run->dr); i++)
			set_debugreg(run->dr[i], i);
		set_debugreg(run->dr6, 6);
	} else if (hw_breakpoint_active()) {
		set_debugreg(0, 7);
	}
}

static void ksplit_load_host(struct ksplit_vcpu *vcpu, const struct ksplit_host_state *host)
{
	struct ksplit_run *run = &vcpu->run;

	if (host->debugctl)
		update_debugctlmsr(host->debugctl);
	if (host->debugregs) {
		for (unsigned int i = 0; i < ARRAY_SIZE(run->dr); i++)
			get_debugreg(run->dr[i], i);
		get_debugreg(run->dr6, 6);
		set_debugreg(DR6_RESERVED, 6);
	}
	if (hw_breakpoint_active())
		hw_breakpoint_restore();

	if (cpu_feature_enabled(X86_FEATURE_OSPKE)) {
		run->pkru = rdpkru();
		wrpkru(host->pkru);
	}
	if (ksplit_host_xss)
		wrmsrl(MSR_IA32_XSS, ksplit_host_xss);
	if (cpu_feature_enabled(X86_FEATURE_XSAVE) && run->xcr0 != host->xcr0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, host->xcr0);

	/* The guest may write it without an exit. */
	rdmsrl(MSR_KERNEL_GS_BASE, run->msr[KSPLIT_MSR_KERNEL_GS_BASE]);
	wrmsrl(MSR_KERNEL_GS_BASE, current->thread.gsbase);
	for (unsigned int i = KSPLIT_MSR_STAR; i <= KSPLIT_MSR_TSC_AUX; i++)
		if (host->msrs & BIT(i))
			wrmsrl(ksplit_syscall_msrs[i], this_cpu_read(ksplit_cpu.host_msr[i]));
	run->msr[KSPLIT_MSR_SPEC_CTRL] = vcpu->spec_ctrl;
	/* VM exit sets GDTR's limit to 64 KiB and clobbers the TSS's. */
	invalidate_tss_limit();
	load_fixmap_gdt(smp_processor_id());
}

/*
 * The host's performance counters, as atomic_switch_perf_msrs().  VM entry itself
 * changes them: an NMI of theirs before it would turn them on again.  PEBS would
 * write its records to where the guest's tables map the address; it can be late,
 * so it is off a while before.  Interrupts off.
 */
static void ksplit_switch_perf(struct ksplit_hw_vmcs *v)
{
	static struct kvm_pmu none;	/* of the guest's */
	struct perf_guest_switch_msr *msrs;
	int nr = 0, n = 0;

	msrs = perf_guest_get_msrs(&nr, &none);
	for (int i = 0; msrs && i < nr && n < KSPLIT_PERF_MSRS; i++) {
		if (msrs[i].host == msrs[i].guest)
			continue;
		if (msrs[i].msr == MSR_IA32_PEBS_ENABLE)
			wrmsrl(MSR_IA32_PEBS_ENABLE, 0);
		v->perf_guest[n].index = msrs[i].msr;
		v->perf_guest[n].value = msrs[i].guest;
		v->perf_host[n].index = msrs[i].msr;
		v->perf_host[n++].value = msrs[i].host;
	}
	if (v->host.perf != n) {
		vmx_write(VM_ENTRY_MSR_LOAD_ADDR, __pa(v->perf_guest));
		vmx_write(VM_ENTRY_MSR_LOAD_COUNT, n);
		vmx_write(VM_EXIT_MSR_LOAD_ADDR, __pa(v->perf_host));
		vmx_write(VM_EXIT_MSR_LOAD_COUNT, n);
		v->host.perf = n;
	}
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

/* The VMCS is current. */
static void ksplit_block_nmi(bool block)
{
	u32 info = vmx_read(GUEST_INTERRUPTIBILITY_INFO) & ~GUEST_INTR_STATE_NMI;

	vmx_write(GUEST_INTERRUPTIBILITY_INFO, block ? info | GUEST_INTR_STATE_NMI : info);
}

/* Puts back the event whose delivery the last exit interrupted. */
static void ksplit_requeue_event(struct ksplit_exit *e)
{
	u32 info = e->idt_info;

	/* In real mode VM entry takes no error code, though emulators report one. */
	if (info & VECTORING_INFO_DELIVER_CODE_MASK && !(vmx_read(GUEST_CR0) & X86_CR0_PE))
		info &= ~VECTORING_INFO_DELIVER_CODE_MASK;
	if (info & VECTORING_INFO_VALID_MASK) {
		vmx_write(VM_ENTRY_INTR_INFO_FIELD, info &
			  (INTR_INFO_VALID_MASK | INTR_INFO_DELIVER_CODE_MASK | KSPLIT_EVENT));
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

/* Makes a VMCS current and writes what is due in it.  Preemption off. */
static void ksplit_prepare_entry(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v)
{
	ksplit_vmcs_load(v);
	if (!v->prepared)
		ksplit_prepare_vmcs(v);
	ksplit_vmcs_apply(v);
	ksplit_write_host(v);
	ksplit_write_changed(&v->host.eptp, EPT_POINTER, vcpu->root->eptp);
	ksplit_write_changed(&v->host.link, VMCS_LINK_POINTER,
			     ksplit_shadows(v) ? __pa(v->shadow) : ~0ul);
}

/*
 * Enters guest mode as far as kickers see it, and drops translations that are out
 * of date.  Interrupts off.  Returns 0, -EAGAIN, -ESHUTDOWN.
 */
static int ksplit_sync_tlb(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v)
{
	int cpu = smp_processor_id();
	u64 gen;

	if (vcpu->cpu != cpu) {
		/* What this CPU knows of the vCPU is of unknown age. */
		vcpu->tlb_gen = 0;
		vcpu->vmcs[0].flush_vpid = true;
		vcpu->vmcs[1].flush_vpid = true;
		WRITE_ONCE(vcpu->cpu, cpu);
	}
	/*
	 * From here on a kicker sends an IPI, which the entry takes as an
	 * exit.  Pairs with the barriers in ksplit_vcpu_kick() and
	 * ksplit_vm_kick_sync(): they write, then look at in_guest.
	 */
	WRITE_ONCE(vcpu->in_guest, 1 + ksplit_apic_posts(v));
	smp_mb();	/* see above */
	if (READ_ONCE(vcpu->vm->dead))
		return -ESHUTDOWN;
	if (READ_ONCE(vcpu->root->dead) || read_thread_flags() & KSPLIT_WORK)
		return -EAGAIN;

	gen = atomic64_read(&vcpu->vm->tlb_gen);
	if ((vcpu->tlb_gen != gen && vmx_invept_global()) ||
	    (v->flush_vpid && vmx_invvpid(v->vpid))) {
		/* Pages that are no longer the VM's might still be in the TLB. */
		ksplit_vm_err(vcpu->vm, "INVEPT or INVVPID failed, the VM is dead");
		ksplit_vm_kill(vcpu->vm);
		return -ESHUTDOWN;
	}
	vcpu->tlb_gen = gen;
	v->flush_vpid = false;
	return 0;
}

/*
 * An IRET that faults has unblocked NMIs all the same; it is executed again (as
 * vmx_recover_nmi_blocking(); SDM vol. 3, 28.2.3).  The bit is undefined if an
 * event was being delivered, and for a double fault.
 */
static bool ksplit_nmi_unblocked(const struct ksplit_exit *e)
{
	if (e->idt_info & VECTORING_INFO_VALID_MASK ||
	    (e->intr_info & KSPLIT_EVENT) == (INTR_TYPE_HARD_EXCEPTION | DF_VECTOR))
		return false;
	return (e->intr_info | ((u16)e->reason == EXIT_REASON_EPT_VIOLATION ?
				vmx_read(EXIT_QUALIFICATION) : 0)) & INTR_INFO_UNBLOCK_NMI;
}

/* Notes what the entry brought.  Interrupts off, the host's state is back. */
static void ksplit_after_exit(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v,
			      struct ksplit_exit *e)
{
	if (unlikely(e->fail)) {
		vcpu->run.instruction_error = vmx_read(VM_INSTRUCTION_ERROR);
		e->reason = ~0u;
	} else {
		e->entered = true;
		e->idt_info = 0;
		if (!(e->reason & VMX_EXIT_REASONS_FAILED_VMENTRY)) {
			v->launched = true;
			e->idt_info = vmx_read(IDT_VECTORING_INFO_FIELD);
			if (ksplit_nmi_unblocked(e))
				ksplit_block_nmi(true);
		}
	}
	/* A machine check must be seen on this CPU. */
	if ((u16)e->reason == EXIT_REASON_MCE_DURING_VMENTRY ||
	    (e->intr_info & KSPLIT_EVENT) == (INTR_TYPE_HARD_EXCEPTION | MC_VECTOR)) {
		struct pt_regs regs = { .cs = 3, .flags = X86_EFLAGS_IF };

		if (IS_ENABLED(CONFIG_X86_MCE))
			do_machine_check(&regs);
	}
	trace_kvm_exit(vcpu->id, e->reason, e->idt_info, e->intr_info);
	ksplit_count(exits);
	this_cpu_inc(ksplit_stats.exits[min_t(u32, (u16)e->reason,
				ARRAY_SIZE(ksplit_stats.exits) - 1)]);
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
	struct ksplit_host_state host = { };
	unsigned int flags = 0;
	int r;

	guard(preempt)();
	ksplit_prepare_entry(vcpu, v);

	local_irq_disable();
	r = ksplit_sync_tlb(vcpu, v);
	if (r) {
		WRITE_ONCE(vcpu->in_guest, false);
		local_irq_enable();
		return r;
	}
	/* On the CPU where the guest then runs. */
	if (vcpu->ibpb)
		indirect_branch_prediction_barrier();
	vcpu->ibpb = false;

	e->at_once = READ_ONCE(vcpu->kicked) || (vcpu->run.flags & KSPLIT_RUN_EXIT_AT_ONCE);
	e->intr_info = 0;
	ksplit_arm_timer(vcpu, e);
	ksplit_apic_enter(v);
	if (e->requeue)
		ksplit_requeue_event(e);
	/* CR3 may change its PCID until the last moment. */
	ksplit_write_changed(&v->host.cr3, HOST_CR3, __get_current_cr3_fast());
	ksplit_write_changed(&v->host.cr4, HOST_CR4, cr4_read_shadow());
	ksplit_switch_perf(v);
	trace_kvm_entry(vcpu->id, e->at_once);

	vcpu->spec_ctrl = vcpu->run.msr[KSPLIT_MSR_SPEC_CTRL];
	if (v->launched)
		flags |= VMX_RUN_VMRESUME;
	/* Write bits of low MSRs are in the third kilobyte. */
	if (!test_bit(2048 * 8 + MSR_IA32_SPEC_CTRL, (unsigned long *)v->msr_bitmap))
		flags |= VMX_RUN_SAVE_SPEC_CTRL;

	guest_timing_enter_irqoff();
	ksplit_load_guest(vcpu, &host);
	ksplit_enter_exit(vcpu, flags, e);
	ksplit_load_host(vcpu, &host);
	WRITE_ONCE(vcpu->in_guest, false);
	ksplit_after_exit(vcpu, v, e);
	ksplit_apic_interrupt(v, e);

	/*
	 * The host's interrupts are taken here, the one that caused the exit
	 * included, and with it the tick that accounts the guest's time: not
	 * before the instruction after STI has ended, hence the one between.
	 */
	local_irq_enable();
	vcpu->exits++;
	local_irq_disable();
	guest_timing_exit_irqoff();
	local_irq_enable();
	return 0;
}
