// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMX back end of KVM: a VMCS is an array, VM entry is ops->run().
 *
 * Invariants:
 *  - A VMCS page is run by one vCPU only, always under the same index of the
 *    stub: 0 for vmcs01, 1 for vmcs02. The stub's copy is cleared before a new
 *    page is run under an index, so no field of the page before survives.
 *  - A shadow VMCS page is never run. KVM writes all its fields when it is new,
 *    and reads after a run what L1 may have written since.
 *  - A flush of linear translations is a flag of the next run, never a call; a
 *    flush of guest-physical ones is a call, mmu_backend.c's.
 *  - A run that the stub refuses ends the VM, with a line that says why.
 */
#define pr_fmt(fmt) "libkvm: " fmt

#include <linux/kvm_host.h>
#include <linux/percpu.h>
#include <linux/printk.h>

#include "vmx/nested.h"
#include "vmx/vmx.h"
#include "vmx/x86_ops.h"
#include "x86.h"

#include "calls/call.h"
#include "calls/fpu.h"
#include "personality/personality.h"
#include "backend.h"
#include "libkvm.h"

/**
 * struct split_vmcs - KVM's VMCS page
 * @v:		what VMREAD and VMWRITE see, and the stub
 * @vcpu_fd:	the vCPU that the page belongs to; known at its first run
 * @index:	the stub's number of this VMCS
 * @root:	the EPT root that was last told to the page allocator
 * @ran:	the stub has been told of this page
 * @flush:	linear translations to be dropped before the next run
 */
struct split_vmcs {
	struct ksplit_vmcs v;
	int vcpu_fd;
	u32 index;
	u64 root;
	bool ran;
	bool flush;
};
static_assert(sizeof(struct split_vmcs) <= PAGE_SIZE);

/* The last run of the vCPU that this thread serves. */
struct split_run {
	struct ksplit_run run;
	bool backing;
};
static DEFINE_PER_CPU(struct split_run, split_run);

/* Slots that the back end itself reads. */
#define SLOT(field)	split_vmcs_slot(field)

static struct split_vmcs *vmcs_page(struct loaded_vmcs *loaded)
{
	return (struct split_vmcs *)loaded->vmcs;
}

static void set_field(struct ksplit_vmcs *v, unsigned int slot, u64 value)
{
	v->field[slot] = value;
	v->valid[slot / 64] |= BIT_ULL(slot % 64);
}

/* ------------------------------------------------------ the VMCS itself -- */

/**
 * split_vmcs_fill() - VMREAD of a field whose value the array does not hold
 * @v:		the current VMCS
 * @slot:	the field's slot
 *
 * A field that was never written, of a VMCS that never ran, reads 0 as after
 * VMCLEAR of a zeroed region.
 *
 * Returns the value; 0, with the VM marked as broken, if the stub refuses.
 */
u64 split_vmcs_fill(struct ksplit_vmcs *v, unsigned int slot)
{
	struct split_vmcs *page = container_of(v, struct split_vmcs, v);
	struct kvm_vcpu *vcpu = kvm_get_running_vcpu();
	struct ksplit_fill fill = {
		.vmcs = (unsigned long)v,
		.vmcs_index = page->index,
		.slot = slot,
	};
	int r;

	if (!page->ran) {
		set_field(v, slot, 0);
		return 0;
	}
	do {
		r = ksplit_ops->fill(page->vcpu_fd, &fill);
	} while (r == -EINTR);
	if (r < 0 && vcpu && !vcpu->kvm->vm_bugged) {
		pr_err("VM %d vCPU %d: VMCS slot %u cannot be read: %d\n",
		       split_vm_fd(vcpu->kvm), vcpu->vcpu_id, slot, r);
		kvm_vm_bugged(vcpu->kvm);
	}
	if (r < 0 || !(v->valid[slot / 64] & BIT_ULL(slot % 64)))
		set_field(v, slot, 0);
	return v->field[slot];
}

/*
 * VMCLEAR: KVM does it before the first use of a page, where there is nothing
 * to clear, and before a VMCS moves to another CPU, which is the stub's
 * business.
 */
void vmcs_clear(struct vmcs *vmcs)
{
}

/* VMPTRLD: current_vmcs, which not every caller sets, is all that accesses use. */
void vmcs_load(struct vmcs *vmcs)
{
	this_cpu_write(current_vmcs, vmcs);
}

/*
 * INVVPID. The stub has a VPID per VMCS of its own; KVM's number only says which
 * VMCS of the running vCPU is meant. vmcs02 has runs under vmcs01's number, too:
 * those of a nested guest for which no VPID is used.
 */
void __invvpid(unsigned long ext, u16 vpid, gva_t gva)
{
	struct kvm_vcpu *vcpu = kvm_get_running_vcpu();
	struct vcpu_vmx *vmx;

	if (!vcpu)
		return;
	vmx = to_vmx(vcpu);
	if (ext == VMX_VPID_EXTENT_ALL_CONTEXT || vpid == vmx->vpid)
		vmcs_page(&vmx->vmcs01)->flush = true;
	if (vmx->nested.vmcs02.vmcs)
		vmcs_page(&vmx->nested.vmcs02)->flush = true;
}

/* INVEPT. Combined translations of this vCPU hang on its VPIDs, too. */
void __invept(unsigned long ext, u64 eptp, gpa_t gpa)
{
	struct kvm_vcpu *vcpu = kvm_get_running_vcpu();

	__invvpid(VMX_VPID_EXTENT_ALL_CONTEXT, 0, 0);
	if (vcpu)
		split_invept(vcpu->kvm, ext == VMX_EPT_EXTENT_GLOBAL ? 0 : eptp & PAGE_MASK);
}

/* ---------------------------------------------------------------- entry -- */

/* Index into vcpu_vmx.guest_uret_msrs[] by enum ksplit_run_msr; -1: none. */
static int split_uret_slot[KSPLIT_MSR_TSC_AUX + 1];

static void fill_msrs(struct vcpu_vmx *vmx, struct ksplit_run *run)
{
	struct split_cpu_regs *regs = this_cpu_ptr(&split_cpu_regs);
	int i;

	run->msr_mask = BIT(KSPLIT_MSR_KERNEL_GS_BASE);
	run->msr[KSPLIT_MSR_KERNEL_GS_BASE] = regs->msr[KSPLIT_MSR_KERNEL_GS_BASE];

	for (i = KSPLIT_MSR_STAR; i <= KSPLIT_MSR_TSC_AUX; i++) {
		int slot = split_uret_slot[i];

		if (slot < 0 || !vmx->guest_uret_msrs[slot].load_into_hardware)
			continue;
		run->msr_mask |= BIT(i);
		run->msr[i] = regs->msr[i];
	}

	if (boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL)) {
		run->msr_mask |= BIT(KSPLIT_MSR_SPEC_CTRL);
		run->msr[KSPLIT_MSR_SPEC_CTRL] = vmx->spec_ctrl;
	}
}

/*
 * vmx_update_hv_timer() has put the time that is left into the VMCS, for a CPU
 * that enters right now. The stub wants the deadline itself. 0 means that KVM
 * forces an exit, or that the deadline has passed, which the stub sees as well;
 * the first must not be asked for then, since it hides the timer's exit.
 */
static void fill_timer(struct vcpu_vmx *vmx, struct ksplit_run *run)
{
	run->tsc_deadline = ~0ull;
	if (!(vmx->loaded_vmcs->controls_shadow.pin & PIN_BASED_VMX_PREEMPTION_TIMER))
		return;
	if (!vmx->loaded_vmcs->hv_timer_soft_disabled)
		run->tsc_deadline = vmx->hv_deadline_tsc;
	if (!vmcs_read32(VMX_PREEMPTION_TIMER_VALUE) && run->tsc_deadline > rdtsc())
		run->flags |= KSPLIT_RUN_EXIT_AT_ONCE;
}

static void fill_run(struct kvm_vcpu *vcpu, struct split_vmcs *page,
		     struct ksplit_run *run)
{
	struct split_cpu_regs *regs = this_cpu_ptr(&split_cpu_regs);
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	run->vmcs = (unsigned long)&page->v;
	run->vmcs_index = page->index;
	run->flags = vcpu->arch.mmu->root_role.direct ? 0 : KSPLIT_RUN_SHADOW_ROOT;

	BUILD_BUG_ON(VCPU_REGS_R15 + 1 != ARRAY_SIZE(run->regs));
	memcpy(run->regs, vcpu->arch.regs, sizeof(run->regs));
	run->cr2 = vcpu->arch.cr2;
	/* As kvm_load_guest_xsave_state(): without OSXSAVE the guest cannot tell. */
	run->xcr0 = ksplit_info()->xcr0 | XFEATURE_MASK_FP;
	if (kvm_is_cr4_bit_set(vcpu, X86_CR4_OSXSAVE))
		run->xcr0 = vcpu->arch.xcr0;
	run->xss = 0;
	run->pkru = vcpu->arch.pkru;
	if (vcpu->arch.switch_db_regs) {
		run->flags |= KSPLIT_RUN_DEBUGREGS;
		memcpy(run->dr, regs->dr, sizeof(run->dr));
		run->dr6 = regs->dr[6];
	}
	fill_msrs(vmx, run);
	fill_timer(vmx, run);

	if (page->flush)
		run->flags |= KSPLIT_RUN_FLUSH_VPID;
	if (regs->barrier)
		run->flags |= KSPLIT_RUN_IBPB;
}

static void take_run(struct kvm_vcpu *vcpu, struct split_vmcs *page,
		     struct ksplit_run *run, unsigned int flags)
{
	struct split_cpu_regs *regs = this_cpu_ptr(&split_cpu_regs);
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	unsigned long rsp = vcpu->arch.regs[VCPU_REGS_RSP];

	memcpy(vcpu->arch.regs, run->regs, sizeof(run->regs));
	vcpu->arch.regs[VCPU_REGS_RSP] = rsp;
	vcpu->arch.cr2 = run->cr2;
	vcpu->arch.pkru = run->pkru;
	if (run->flags & KSPLIT_RUN_DEBUGREGS) {
		memcpy(regs->dr, run->dr, sizeof(run->dr));
		regs->dr[6] = run->dr6;
	}
	regs->msr[KSPLIT_MSR_KERNEL_GS_BASE] = run->msr[KSPLIT_MSR_KERNEL_GS_BASE];
	if (flags & VMX_RUN_SAVE_SPEC_CTRL)
		vmx->spec_ctrl = run->msr[KSPLIT_MSR_SPEC_CTRL];
	regs->barrier = 0;
	page->flush = false;
	/* This thread was scheduled out and in, as kvm_sched_in() would have heard. */
	if (ksplit_thread_waited(0, run->run_delay)) {
		vcpu->scheduled_out = true;
		kvm_arch_vcpu_load(vcpu, vcpu->cpu);
		vcpu->scheduled_out = false;
	}
}

/*
 * What KVM tells vCPUs in xAPIC mode only: with which address its tables mean the
 * APIC-access page.
 */
static void name_apic_page(struct kvm *kvm)
{
	if (kvm->arch.apic_access_memslot_enabled)
		vmcs_write64(APIC_ACCESS_ADDR,
			     gfn_to_hva(kvm, APIC_DEFAULT_PHYS_BASE >> PAGE_SHIFT));
}

/* The page is new to the stub: no field of the one before it may survive. */
static int first_run(struct kvm_vcpu *vcpu, struct split_vmcs *page)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	int r;

	page->vcpu_fd = vmcs_page(&vmx->vmcs01)->vcpu_fd;
	page->index = vmx->loaded_vmcs == &vmx->vmcs01 ? 0 : 1;
	r = ksplit_ops->vmclear(page->vcpu_fd, page->index);
	if (r)
		return r;
	page->ran = true;
	if (!page->index)
		name_apic_page(vcpu->kvm);
	return 0;
}

/* Slots of a shadow VMCS that L1 writes without an exit. */
static u64 split_shadow_slots[KSPLIT_SLOT_WORDS];

static void shadow_setup(void)
{
	static const u32 fields[] __initconst = {
#define SHADOW_FIELD_RW(field, name) field,
#include "vmx/vmcs_shadow_fields.h"
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(fields); i++)
		split_shadow_slots[SLOT(fields[i]) / 64] |= BIT_ULL(SLOT(fields[i]) % 64);
}

/* L1 is about to run with it. */
static void expose_shadow(struct split_vmcs *shadow, struct split_vmcs *page)
{
	int i;

	shadow->vcpu_fd = page->vcpu_fd;
	shadow->index = KSPLIT_NR_VMCS + page->index;
	shadow->ran = true;
	for (i = 0; i < KSPLIT_SLOT_WORDS; i++)
		shadow->v.valid[i] &= ~split_shadow_slots[i];
}

static int run_vcpu(struct kvm_vcpu *vcpu, struct split_vmcs *page,
		    struct ksplit_run *run, unsigned int flags)
{
	u64 root;
	int r;

	if (unlikely(!page->ran)) {
		r = first_run(vcpu, page);
		if (r)
			return r;
	}

	root = vmcs_read64(EPT_POINTER) & PAGE_MASK;
	if (unlikely(root != page->root)) {
		ksplit_page_set_root(root);
		page->root = root;
	}

	if (secondary_exec_controls_get(to_vmx(vcpu)) & SECONDARY_EXEC_SHADOW_VMCS)
		expose_shadow((struct split_vmcs *)to_vmx(vcpu)->vmcs01.shadow_vmcs, page);
	ksplit_fpu_flush(vcpu);
	fill_run(vcpu, page, run);
	do {
		r = ksplit_ops->run(page->vcpu_fd, run);
	} while (r == -EINTR);
	if (!r)
		take_run(vcpu, page, run, flags);
	return r;
}

static void dead(struct kvm_vcpu *vcpu, struct ksplit_run *run, int r)
{
	if (vcpu->kvm->vm_bugged)
		return;
	if (r == -EINVAL)
		pr_err("VM %d vCPU %d: the stub refuses VMCS field or value 0x%llx\n",
		       split_vm_fd(vcpu->kvm), vcpu->vcpu_id, run->backing);
	else
		pr_err("VM %d vCPU %d: run failed: %d\n",
		       split_vm_fd(vcpu->kvm), vcpu->vcpu_id, r);
	kvm_vm_bugged(vcpu->kvm);
}

/**
 * split_vcpu_enter_exit() - enter the guest, come back with an exit
 * @vcpu:	loaded on this thread
 * @flags:	VMX_RUN_*
 *
 * Stands in for vmx_vcpu_enter_exit(): the same results in @vcpu and in the
 * VMCS. Interrupts, NMIs and machine checks that ended guest mode have been
 * handled by the host already.
 *
 * Context: interrupts "off".
 */
void split_vcpu_enter_exit(struct kvm_vcpu *vcpu, unsigned int flags)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	struct split_vmcs *page = vmcs_page(vmx->loaded_vmcs);
	struct split_run *s = this_cpu_ptr(&split_run);
	int r;

	s->backing = false;
	r = run_vcpu(vcpu, page, &s->run, flags);
	if (unlikely(r)) {
		dead(vcpu, &s->run, r);
		s->run.exit_flags = KSPLIT_EXIT_VMFAIL;
		s->run.instruction_error = 0;
	}

	vcpu->arch.regs_avail &= ~VMX_REGS_LAZY_LOAD_SET;
	vmx->idt_vectoring_info = 0;

	if (s->run.exit_flags & KSPLIT_EXIT_SIGNAL)
		ksplit_thread_signal(1);

	vmx->fail = !!(s->run.exit_flags & KSPLIT_EXIT_VMFAIL);
	if (unlikely(vmx->fail)) {
		vmx->exit_reason.full = EXIT_REASON_UNDEFINED;
		set_field(&page->v, SLOT(VM_INSTRUCTION_ERROR),
			  s->run.instruction_error);
		return;
	}

	s->backing = s->run.exit_flags & KSPLIT_EXIT_BACKING;
	vmx->exit_reason.full = vmcs_read32(VM_EXIT_REASON);
	if (likely(!vmx->exit_reason.failed_vmentry))
		vmx->idt_vectoring_info = vmcs_read32(IDT_VECTORING_INFO_FIELD);
}

/* ---------------------------------------------------------- backing exits -- */

/* Whether the exit in hand says that the owner's page is not there. */
bool split_exit_is_backing(struct kvm_vcpu *vcpu)
{
	return this_cpu_ptr(&split_run)->backing;
}

/**
 * split_handle_backing() - bring in the owner's page behind a slot
 * @vcpu:	its last exit was EPT_VIOLATION with KSPLIT_EXIT_BACKING
 *
 * What the MMU's fault handler would find out from get_user_pages(): KVM's
 * tables map the address, the owner's page is absent, read-only or poisoned.
 *
 * Returns 1 (enter again), or a negative errno for KVM_RUN.
 */
int split_handle_backing(struct kvm_vcpu *vcpu)
{
	struct split_run *s = this_cpu_ptr(&split_run);
	struct ksplit_fault fault = {
		.addr = s->run.backing,
		.write = s->run.backing_write,
	};
	int fd = vmcs_page(&to_vmx(vcpu)->vmcs01)->vcpu_fd;
	gpa_t gpa;
	int r;

	s->backing = false;
	gpa = vmcs_read64(GUEST_PHYSICAL_ADDRESS);
	kvm_vcpu_srcu_read_unlock(vcpu);
	ksplit_idle_enter();
	r = ksplit_ops->fault_in(fd, &fault);
	ksplit_idle_exit();
	kvm_vcpu_srcu_read_lock(vcpu);

	switch (r) {
	case 0:
	case -EAGAIN:
	case -EINTR:
		/* -EINTR: a signal of the client shows at the next entry. */
		return 1;
	case -EHWPOISON:
		r = ksplit_ops->hwpoison(fd, fault.addr);
		/* The signal is the client's: KVM_RUN ends as if it were here. */
		ksplit_thread_signal(1);
		return r < 0 ? r : 1;
	case -EFAULT:
		/* The GPA of a nested guest means nothing to the client. */
		if (!is_guest_mode(vcpu))
			kvm_prepare_memory_fault_exit(vcpu, gpa & PAGE_MASK,
						      PAGE_SIZE, fault.write,
						      false, false);
		return -EFAULT;
	default:
		pr_err("VM %d vCPU %d: page at 0x%llx cannot be brought in: %d\n",
		       split_vm_fd(vcpu->kvm), vcpu->vcpu_id, fault.addr, r);
		kvm_vm_bugged(vcpu->kvm);
		return -EIO;
	}
}

/* ----------------------------------------------------------- vt_x86_ops -- */

/*
 * Interrupts and NMIs that ended guest mode were handled by the host before the
 * stub returned; a kick looks like an interrupt.  It may come after an EPT
 * violation that the stub dealt with, and so while an event is delivered.  No
 * processor does that, and vmx_handle_exit() would give up; the event is queued
 * again by now.
 */
static void split_handle_exit_irqoff(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (vmx->emulation_required || vmx->fail ||
	    vmx->exit_reason.basic != EXIT_REASON_EXTERNAL_INTERRUPT)
		return;
	if (!(vmx->idt_vectoring_info & VECTORING_INFO_VALID_MASK))
		vcpu->arch.at_instruction_boundary = true;
	vmx->idt_vectoring_info = 0;
}

static int split_vcpu_create(struct kvm_vcpu *vcpu)
{
	struct vmm_call *call = vmm_call_current();
	int r = vmx_vcpu_create(vcpu);

	if (!r)
		vmcs_page(&to_vmx(vcpu)->vmcs01)->vcpu_fd =
			call ? call->back_fd : -1;
	return r;
}

/* The stub has compared the host's CPUs, and takes in no other ones. */
static int split_check_processor_compat(void)
{
	return 0;
}

/* What these name for a nested guest is the client's memory; the stub takes the worker's. */
static void hide_nested_apicv(struct nested_vmx_msrs *nested)
{
	nested->pinbased_ctls_high &= ~PIN_BASED_POSTED_INTR;
	nested->procbased_ctls_high &= ~CPU_BASED_TPR_SHADOW;
	nested->secondary_ctls_high &= ~(SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES |
					 SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE |
					 SECONDARY_EXEC_APIC_REGISTER_VIRT |
					 SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY);
}

static int split_hardware_setup(void)
{
	int i, r;

	kvm_caps.supported_xcr0 &= ksplit_info()->xcr0;
	r = vmx_hardware_setup();
	hide_nested_apicv(&vmcs_config.nested);
	split_hide();
	shadow_setup();
	for (i = KSPLIT_MSR_STAR; i <= KSPLIT_MSR_TSC_AUX; i++)
		split_uret_slot[i] = kvm_find_user_return_msr(split_run_msr[i]);
	return r;
}

/**
 * split_vmx_setup() - put the back end into KVM's table of vendor operations
 *
 * Context: before vmx_init().
 */
void split_vmx_setup(void)
{
	split_mmu_setup(&vt_x86_ops);
	vt_x86_ops.check_processor_compatibility = split_check_processor_compat;
	vt_x86_ops.vcpu_create = split_vcpu_create;
	vt_x86_ops.handle_exit_irqoff = split_handle_exit_irqoff;
	vt_init_ops.hardware_setup = split_hardware_setup;
}
