// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running a vCPU.
 *
 * KSPLIT_RUN is decode, apply, enter.  Decode copies what the worker wrote and
 * checks the complete result without effect; apply and enter cannot fail on a
 * value.  An exit that the stub consumes (host interrupts, NMIs, machine
 * checks, split locks, EPT violations that it can resolve, a timer that only
 * re-arms) enters again; every other one returns to the worker.
 *
 * Invariants: host MSRs, debug registers, XCR0, XSS and PKRU are the host's
 * again before interrupts are on; an event whose delivery an exit interrupted
 * is either put back for the next entry or reported as IDT-vectoring
 * information, never both; a kick enters and leaves at once, it never skips an
 * entry; after a return with -EINTR nothing has been entered.
 */
#include <linux/hrtimer.h>
#include <linux/kvm_host.h>
#include <linux/resume_user_mode.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <trace/events/ipi.h>

#include <asm/cpu.h>
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

#include "pure/msr_bitmap.h"
#include "pure/values.h"
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
/* Exit qualification of an EPT violation: NMI unblocked by IRET. */
#define KSPLIT_QUAL_NMI_UNBLOCKED	BIT_ULL(12)

/* Worker's MSRs that WRMSR loads and restores around an entry. */
const u32 ksplit_syscall_msrs[] = {
	[KSPLIT_MSR_STAR] = MSR_STAR,
	[KSPLIT_MSR_LSTAR] = MSR_LSTAR,
	[KSPLIT_MSR_CSTAR] = MSR_CSTAR,
	[KSPLIT_MSR_SYSCALL_MASK] = MSR_SYSCALL_MASK,
	[KSPLIT_MSR_TSC_AUX] = MSR_TSC_AUX,
};

/* What one entry brought, on the stack of KSPLIT_RUN. */
struct ksplit_exit {
	u32 reason;			/* full */
	u32 intr_info;
	u32 idt_info;
	bool fail;
	bool at_once;			/* this entry was to leave at once */
	bool requeue;			/* idt_info is to be injected again */
	bool nmi_unblocked;
	bool entered;
	bool own_qualification;		/* not hardware's but this: */
	u64 qualification;
	u64 stored[KSPLIT_SLOT_WORDS];
	u64 value[KSPLIT_NR_SLOTS];
};

/* ---------------------------------------------------------- decode -- */

/* Takes over the fields that the worker wrote. */
static int ksplit_fetch_vmcs(u64 *values, u64 *slots, struct ksplit_vmcs __user *vmcs)
{
	unsigned int word, slot;
	u64 dirty;

	if (!user_access_begin(vmcs, sizeof(*vmcs)))
		return -EFAULT;
	for (word = 0; word < KSPLIT_SLOT_WORDS; word++) {
		unsafe_get_user(dirty, &vmcs->dirty[word], fault);
		if (!dirty)
			continue;
		ksplit_for_each_slot(slot, word, dirty)
			unsafe_get_user(values[slot], &vmcs->field[slot], fault);
		slots[word] |= dirty;
		unsafe_put_user(0, &vmcs->dirty[word], fault);
	}
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/* The real MSR bitmap, from the few words of the worker's that matter. */
static int ksplit_fetch_msr_bitmap(struct ksplit_hw_vmcs *v)
{
	u64 __user *bitmap = (void __user *)v->state.want[KSPLIT_S_MSR_BITMAP];
	u64 words[KSPLIT_NR_MSR_WORDS], changed = 0;

	memset(words, 0xff, sizeof(words));
	if (bitmap) {
		if (!user_access_begin(bitmap, PAGE_SIZE))
			return -EFAULT;
		for (unsigned int i = 0; i < KSPLIT_NR_MSR_WORDS; i++)
			unsafe_get_user(words[i], bitmap + ksplit_msr_words[i], fault);
		user_access_end();
	}
	for (unsigned int i = 0; i < KSPLIT_NR_MSR_WORDS; i++)
		changed |= words[i] ^ v->msr_words[i];
	if (changed) {
		ksplit_msr_bitmap_build(v->msr_bitmap, words);
		memcpy(v->msr_words, words, sizeof(words));
	}
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/* VMCS shadowing, as the real controls have it. */
static bool ksplit_shadows(const struct ksplit_hw_vmcs *v)
{
	return v->state.real[KSPLIT_S_SECONDARY_VM_EXEC_CONTROL] & SECONDARY_EXEC_SHADOW_VMCS;
}

/* What the worker wrote for the guest to read, at once: it is taken for written. */
static int ksplit_fetch_shadow(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v)
{
	struct ksplit_exit *e = vcpu->exit;
	int r;

	if (!ksplit_shadows(v))
		return 0;
	memset(e->stored, 0, sizeof(e->stored));
	r = ksplit_fetch_vmcs(e->value, e->stored,
			      (void __user *)v->state.want[KSPLIT_S_VMCS_LINK_POINTER]);
	if (memchr_inv(e->stored, 0, sizeof(e->stored))) {
		guard(preempt)();
		ksplit_shadow_move(v, e->value, e->stored, true);
	}
	return r;
}

static int ksplit_decode_run(struct ksplit_vcpu *vcpu, struct ksplit_run __user *arg,
			     struct ksplit_hw_vmcs **ret_vmcs)
{
	struct ksplit_run *run = &vcpu->run;
	struct ksplit_hw_vmcs *v;
	u32 bad = ~0u;
	int r;

	if (copy_from_user(run, arg, offsetof(struct ksplit_run, exit_flags)))
		return -EFAULT;
	memset(&run->exit_flags, 0, sizeof(*run) - offsetof(struct ksplit_run, exit_flags));
	r = ksplit_check_run_values(&ksplit_hw, run);
	if (r)
		goto refuse;

	v = &vcpu->vmcs[array_index_nospec(run->vmcs_index, KSPLIT_NR_VMCS)];
	r = ksplit_fetch_vmcs(v->state.want, v->state.pending, (void __user *)run->vmcs);
	if (r)
		return r;
	v->state.debugregs = run->flags & KSPLIT_RUN_DEBUGREGS;
	r = ksplit_decode(&ksplit_hw, &v->state, &bad);
	if (r)
		goto refuse;
	*ret_vmcs = v;
	return ksplit_fetch_msr_bitmap(v) ?: ksplit_fetch_shadow(vcpu, v);

refuse:
	ksplit_vm_err(vcpu->vm, "vCPU %u: run refused: field %#x: %d", vcpu->id, bad, r);
	run->backing = bad;
	if (put_user(run->backing, &arg->backing))
		return -EFAULT;
	return r;
}

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

/*
 * VM exit loads null DS, ES and LDTR and cannot load FS or GS selectors of a
 * user's; a 64-bit worker has no use for any.
 */
static bool ksplit_segments_null(void)
{
	u16 ds, es, fs, gs;
	unsigned long ldt;

	savesegment(ds, ds);
	savesegment(es, es);
	savesegment(fs, fs);
	savesegment(gs, gs);
	store_ldt(ldt);
	return !(ds | es | fs | gs | (u16)ldt);
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
		if (run->msr_mask & BIT(i) && run->msr[i] != c->host_msr[i]) {
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
		if (run->msr_mask & BIT(i) && run->msr[i] != c->host_msr[i]) {
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

static void ksplit_block_nmi(bool block)
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

/* Reschedules and the like; -EINTR if a signal of the worker's waits. */
static int ksplit_handle_work(void)
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

/*
 * One entry, or none if something came up that has to be handled before.
 * Returns 0 (look at *e), -EAGAIN (handle work, try again) or -ESHUTDOWN.
 */
static int ksplit_enter(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v, struct ksplit_exit *e)
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
	vcpu->spec_ctrl = run->msr_mask & BIT(KSPLIT_MSR_SPEC_CTRL) ?
			  run->msr[KSPLIT_MSR_SPEC_CTRL] :
			  this_cpu_read(x86_spec_ctrl_current);
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
	if (run->msr_mask & BIT(KSPLIT_MSR_SPEC_CTRL))
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
	struct ksplit_ept_fault fault = { };
	int r;

	scoped_guard(preempt) {
		ksplit_vmcs_load(v);
		fault.gpa = vmx_read(GUEST_PHYSICAL_ADDRESS);
		fault.qualification = vmx_read(EXIT_QUALIFICATION);
	}
	e->nmi_unblocked = fault.qualification & KSPLIT_QUAL_NMI_UNBLOCKED;

	ksplit_count(ept_faults);
	r = ksplit_ept_fault(vcpu, &fault);
	switch (r) {
	case KSPLIT_FAULT_DONE:
		return 1;
	case KSPLIT_FAULT_BACKING:
		vcpu->run.exit_flags |= KSPLIT_EXIT_BACKING;
		vcpu->run.backing = fault.backing;
		vcpu->run.backing_write = fault.backing_write;
		return 0;
	case KSPLIT_FAULT_MISCONFIG:
		e->reason = EXIT_REASON_EPT_MISCONFIG;
		return 0;
	case KSPLIT_FAULT_VIOLATION:
		e->qualification = fault.qualification;
		e->own_qualification = true;
		return 0;
	}
	return r;
}

/* Returns 1 if the stub consumed the exit, 0 if it is the worker's, or an error. */
static int ksplit_handle_exit(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v,
			      struct ksplit_exit *e)
{
	e->nmi_unblocked = false;
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
	}
	return 0;
}

/* ---------------------------------------------------------- report -- */

/* Stores an exit into the worker's VMCS. */
static int ksplit_store_vmcs(struct ksplit_vmcs __user *vmcs,
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

/* Why the worker is to look at this vCPU; a kick is reported once. */
static u32 ksplit_wishes(struct ksplit_vcpu *vcpu)
{
	return (xchg(&vcpu->kicked, false) ? KSPLIT_EXIT_KICKED : 0) |
	       (READ_ONCE(vcpu->interrupted) ? KSPLIT_EXIT_SIGNAL : 0);
}

static int ksplit_report(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v,
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
	if (e->own_qualification)
		e->value[KSPLIT_S_EXIT_QUALIFICATION] = e->qualification;
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

/* ---------------------------------------------------------- ioctls -- */

/* Whether the worker is to look at this vCPU. */
static bool ksplit_wanted(struct ksplit_vcpu *vcpu)
{
	return READ_ONCE(vcpu->kicked) || READ_ONCE(vcpu->interrupted) || READ_ONCE(vcpu->vm->dead);
}

/*
 * Reports an exit that the stub consumed as a host interrupt.  KVM deals with
 * an interrupted event by itself, but does not expect an interrupt to unblock
 * NMIs.
 */
static int ksplit_leave(struct ksplit_hw_vmcs *v, struct ksplit_exit *e)
{
	if (e->nmi_unblocked && !(e->idt_info & VECTORING_INFO_VALID_MASK)) {
		guard(preempt)();
		ksplit_vmcs_load(v);
		ksplit_block_nmi(true);
	}
	e->reason = EXIT_REASON_EXTERNAL_INTERRUPT;
	return 0;
}

static int ksplit_run_loop(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v,
			   struct ksplit_exit *e)
{
	u64 root = v->state.want[KSPLIT_S_EPT_POINTER] & PAGE_MASK;
	int r;

	for (;;) {
		/* Whatever its client is bound to now. */
		if (time_after(jiffies, vcpu->followed)) {
			vcpu->followed = jiffies;
			ksplit_channel_follow(&vcpu->chan);
		}
		r = ksplit_handle_work();
		if (!r)
			r = ksplit_root_load(vcpu, root);
		if (!r)
			r = ksplit_enter(vcpu, v, e);
		if (r == -EAGAIN)
			continue;
		if (r) {
			/* An entry that took place has to be reported. */
			if (!e->entered || r == -ESHUTDOWN)
				return r;
			return ksplit_leave(v, e);
		}
		r = ksplit_handle_exit(vcpu, v, e);
		if (r <= 0) {
			if (!r)
				ksplit_count(exits_worker);
			return r;
		}
		ksplit_count(exits_ring0);
		this_cpu_inc(ksplit_stats.exits_ring0[min_t(u32, (u16)e->reason,
				ARRAY_SIZE(ksplit_stats.exits_ring0) - 1)]);
		if (e->at_once || ksplit_wanted(vcpu) || signal_pending(current))
			return ksplit_leave(v, e);
		e->requeue = true;
	}
}

/**
 * ksplit_vcpu_run - KSPLIT_RUN
 * @vcpu: its mutex is held
 * @arg: the worker's struct ksplit_run
 *
 * Context: the worker's thread.
 * Return: see struct ksplit_run.
 */
long ksplit_vcpu_run(struct ksplit_vcpu *vcpu, struct ksplit_run __user *arg)
{
	struct ksplit_hw_vmcs *v;
	struct ksplit_exit *e = vcpu->exit;
	int r;

	ksplit_count(runs);
	if (signal_pending(current))
		return -EINTR;
	if (!ksplit_segments_null())
		return -EINVAL;
	r = ksplit_decode_run(vcpu, arg, &v);
	if (r)
		return r;

	memcpy(vcpu->regs, vcpu->run.regs, sizeof(vcpu->run.regs));
	if (vcpu->run.flags & KSPLIT_RUN_FLUSH_VPID)
		v->flush_vpid = true;
	/* L1 must be safe from L2, as in in-tree KVM; or the guest's own that was emulated. */
	if ((vcpu->last_index && !vcpu->run.vmcs_index) || vcpu->run.flags & KSPLIT_RUN_IBPB)
		indirect_branch_prediction_barrier();
	vcpu->last_index = vcpu->run.vmcs_index;

	memset(e, 0, offsetof(struct ksplit_exit, value));
	fpu_swap_kvm_fpstate(&vcpu->fpu, true);
	r = ksplit_run_loop(vcpu, v, e);
	fpu_swap_kvm_fpstate(&vcpu->fpu, false);

	/*
	 * VMSCAPE: the worker holds nothing but this VM's data, so a guest
	 * needs no barrier towards it, but L2 does towards L1's memory that
	 * the worker has mapped.
	 */
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER) && vcpu->run.vmcs_index)
		this_cpu_write(x86_ibpb_exit_to_user, true);
	if (r)
		return r;
	return ksplit_report(vcpu, v, e, arg);
}

/**
 * ksplit_vcpu_fill - KSPLIT_FILL
 * @vcpu: its mutex is held
 * @arg: the worker's struct ksplit_fill
 *
 * Return: 0, -EINVAL for a slot or VMCS that does not exist, -EFAULT.
 */
long ksplit_vcpu_fill(struct ksplit_vcpu *vcpu, struct ksplit_fill __user *arg)
{
	static const u64 none[KSPLIT_SLOT_WORDS];
	struct ksplit_exit *e = vcpu->exit;
	struct ksplit_hw_vmcs *v;
	struct ksplit_fill fill;

	ksplit_count(fills);
	if (copy_from_user(&fill, arg, sizeof(fill)))
		return -EFAULT;
	if (fill.vmcs_index >= 2 * KSPLIT_NR_VMCS || fill.slot >= KSPLIT_NR_SLOTS)
		return -EINVAL;
	v = &vcpu->vmcs[fill.vmcs_index % KSPLIT_NR_VMCS];
	fill.slot = array_index_nospec(fill.slot, KSPLIT_NR_SLOTS);
	if (!ksplit_fields[fill.slot].present)
		return -EINVAL;

	memset(e, 0, offsetof(struct ksplit_exit, value));
	if (fill.vmcs_index >= KSPLIT_NR_VMCS) {
		guard(preempt)();
		ksplit_shadow_move(v, e->value, e->stored, false);
	} else if (ksplit_slot_test(ksplit_volatile, fill.slot) && v->prepared) {
		guard(preempt)();
		ksplit_vmcs_load(v);
		ksplit_vmcs_read_groups(BIT(ksplit_fields[fill.slot].group), e->value, e->stored);
	} else {
		/* The CPU does not change it: what was wanted last. */
		e->value[fill.slot] = v->state.want[fill.slot];
		ksplit_slot_set(e->stored, fill.slot);
	}
	return ksplit_store_vmcs((void __user *)fill.vmcs, e, none);
}

/**
 * ksplit_vcpu_vmclear - KSPLIT_VMCLEAR
 * @vcpu: its mutex is held
 * @index: which VMCS
 *
 * Return: 0 or -EINVAL.
 */
long ksplit_vcpu_vmclear(struct ksplit_vcpu *vcpu, unsigned long index)
{
	struct ksplit_hw_vmcs *v;

	if (index >= KSPLIT_NR_VMCS)
		return -EINVAL;
	v = &vcpu->vmcs[array_index_nospec(index, KSPLIT_NR_VMCS)];
	ksplit_vmcs_clear(v);
	v->launched = false;
	v->prepared = false;
	v->flush_vpid = true;
	ksplit_vmcs_reset(&v->state);
	return 0;
}

/**
 * ksplit_vcpu_block - KSPLIT_BLOCK
 * @vcpu: the vCPU; its mutex is not needed
 * @arg: the worker's struct ksplit_block
 *
 * Return: see struct ksplit_block.
 */
long ksplit_vcpu_block(struct ksplit_vcpu *vcpu, struct ksplit_block __user *arg)
{
	struct ksplit_block block;
	int r;

	ksplit_count(blocks);
	if (copy_from_user(&block, arg, sizeof(block)))
		return -EFAULT;
	r = wait_event_interruptible_hrtimeout(vcpu->wq, ksplit_wanted(vcpu),
					       min_t(u64, block.timeout_ns, KTIME_MAX));
	if (READ_ONCE(vcpu->vm->dead))
		return -ESHUTDOWN;
	if (r && r != -ETIME)
		return -EINTR;
	block.exit_flags = ksplit_wishes(vcpu);
	return copy_to_user(arg, &block, sizeof(block)) ? -EFAULT : 0;
}

/**
 * ksplit_vcpu_fpu - KSPLIT_FPU_GET and KSPLIT_FPU_SET
 * @vcpu: its mutex is held
 * @arg: the worker's struct ksplit_fpu
 * @set: which of them
 *
 * Return: 0, -EINVAL for an image or size that does not fit, -EFAULT, -ENOMEM.
 */
long ksplit_vcpu_fpu(struct ksplit_vcpu *vcpu, struct ksplit_fpu __user *arg, bool set)
{
	void *image __free(kvfree) = NULL;
	struct ksplit_fpu fpu;

	if (copy_from_user(&fpu, arg, sizeof(fpu)))
		return -EFAULT;
	if (fpu.len != ksplit_info.xstate_size || fpu.xcr0 & ~ksplit_hw.xcr0)
		return -EINVAL;
	image = kvzalloc(fpu.len, GFP_KERNEL_ACCOUNT);
	if (!image)
		return -ENOMEM;
	if (!set) {
		fpu_copy_guest_fpstate_to_uabi(&vcpu->fpu, image, fpu.len,
					       ksplit_hw.xcr0, fpu.pkru);
		return copy_to_user((void __user *)fpu.buf, image, fpu.len) ? -EFAULT : 0;
	}
	if (copy_from_user(image, (void __user *)fpu.buf, fpu.len))
		return -EFAULT;
	return fpu_copy_uabi_to_guest_fpstate(&vcpu->fpu, image, ksplit_hw.xcr0, &fpu.pkru) ?:
	       put_user(fpu.pkru, &arg->pkru);
}

/* ------------------------------------------------------------ kicks -- */

/**
 * ksplit_vcpu_kick - the next entry leaves at once, a sleep ends
 * @vcpu: the vCPU
 *
 * Context: any.
 */
void ksplit_vcpu_kick(struct ksplit_vcpu *vcpu)
{
	int cpu;

	ksplit_count(kicks);
	WRITE_ONCE(vcpu->kicked, true);
	smp_mb();	/* write, then look at in_guest: see ksplit_enter() */
	if (READ_ONCE(vcpu->in_guest)) {
		guard(preempt)();
		cpu = READ_ONCE(vcpu->cpu);
		if (cpu != smp_processor_id() && cpu_online(cpu))
			smp_send_reschedule(cpu);
	}
	wake_up_interruptible(&vcpu->wq);
}

static void ksplit_ack(void *unused)
{
}

/**
 * ksplit_vm_kick_sync - has every vCPU leave guest mode once
 * @vm: the VM
 *
 * A vCPU that enters afterwards sees what the caller wrote before the call.
 *
 * Context: interrupts on; may hold spinlocks.
 */
void ksplit_vm_kick_sync(struct ksplit_vm *vm)
{
	struct ksplit_vcpu *vcpu;
	unsigned long nr;
	int cpu;

	smp_mb();	/* write, then look at in_guest: see ksplit_enter() */
	guard(rcu)();
	xa_for_each(&vm->vcpus, nr, vcpu) {
		if (!READ_ONCE(vcpu->in_guest))
			continue;
		cpu = READ_ONCE(vcpu->cpu);
		if (cpu >= 0)
			smp_call_function_single(cpu, ksplit_ack, NULL, 1);
	}
}

/* ------------------------------------------------------ life cycle -- */

/**
 * ksplit_vcpu_init_hw - VMCSs and xstate of a new vCPU
 * @vcpu: zeroed
 *
 * Return: 0, -ENOMEM, -ENOSPC.  ksplit_vcpu_free_hw() frees also after an
 * error.
 */
int ksplit_vcpu_init_hw(struct ksplit_vcpu *vcpu)
{
	int r;

	vcpu->exit = kvzalloc(sizeof(*vcpu->exit), GFP_KERNEL_ACCOUNT);
	vcpu->chan.kvm_run = (void *)__get_free_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_COMP,
						      KSPLIT_RUN_ORDER);
	if (!vcpu->exit || !vcpu->chan.kvm_run)
		return -ENOMEM;
	for (unsigned int i = 0; i < KSPLIT_NR_VMCS; i++) {
		r = ksplit_vmcs_alloc(&vcpu->vmcs[i]);
		if (r)
			return r;
	}
	return fpu_alloc_guest_fpstate(&vcpu->fpu) ? 0 : -ENOMEM;
}

/**
 * ksplit_vcpu_free_hw - undoes ksplit_vcpu_init_hw()
 * @vcpu: no thread uses it
 */
void ksplit_vcpu_free_hw(struct ksplit_vcpu *vcpu)
{
	for (unsigned int i = 0; i < KSPLIT_NR_VMCS; i++)
		ksplit_vmcs_free(&vcpu->vmcs[i]);
	if (vcpu->fpu.fpstate)
		fpu_free_guest_fpstate(&vcpu->fpu);
	free_pages((unsigned long)vcpu->chan.kvm_run, KSPLIT_RUN_ORDER);
	kvfree(vcpu->exit);
	kvfree(vcpu->ring);
}
