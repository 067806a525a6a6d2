// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running a vCPU.
 *
 * KSPLIT_RUN is decode, apply, enter.  Decode copies what the worker wrote and
 * checks the complete result without effect; apply and enter (entry.c) cannot
 * fail on a value.  An exit that the stub consumes (exit.c: host interrupts,
 * NMIs, machine checks, split locks, EPT violations that it can resolve, a timer
 * that only re-arms) enters again; every other one returns to the worker.
 *
 * Invariants: a kick enters and leaves at once, it never skips an entry; after a
 * return with -EINTR nothing has been entered.
 */
#include <linux/uaccess.h>
#include <trace/events/ipi.h>

#include "pure/values.h"
#include "vmx.h"

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
			unsafe_get_user(words[i], bitmap + ksplit_pass_words[i].word, fault);
		user_access_end();
	}
	ksplit_x2apic_words(words, v->state.real[KSPLIT_S_SECONDARY_VM_EXEC_CONTROL]);
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
	return ksplit_fetch_msr_bitmap(v) ?: ksplit_fetch_shadow(vcpu, v) ?: ksplit_apic_pin(v);

refuse:
	ksplit_vm_err(vcpu->vm, "vCPU %u: run refused: field %#x: %d", vcpu->id, bad, r);
	run->backing = bad;
	if (put_user(run->backing, &arg->backing))
		return -EFAULT;
	return r;
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

/* ---------------------------------------------------------- ioctls -- */

/* Whether the worker is to look at this vCPU. */
static bool ksplit_wanted(struct ksplit_vcpu *vcpu)
{
	return READ_ONCE(vcpu->kicked) || READ_ONCE(vcpu->interrupted) || READ_ONCE(vcpu->vm->dead);
}

/*
 * Enters until an exit is the worker's.  One that the stub consumed, or could not
 * deal with, is reported as a host interrupt if it has to be, as one after a bus
 * lock: KVM deals with an event that it interrupted by itself.
 */
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
			r = ksplit_root_load(vcpu, root, vcpu->run.flags & KSPLIT_RUN_SHADOW_ROOT);
		if (!r)
			r = ksplit_enter(vcpu, v, e);
		if (r == -EAGAIN)
			continue;
		if (r) {
			/* An entry that took place has to be reported. */
			if (!e->entered || r == -ESHUTDOWN)
				return r;
			break;
		}
		r = ksplit_handle_exit(vcpu, v, e);
		/* Nothing of it must be lost: the guest faults again. */
		if (r < 0)
			break;
		if (!r) {
			ksplit_count(exits_worker);
			return 0;
		}
		ksplit_count(exits_ring0);
		this_cpu_inc(ksplit_stats.exits_ring0[min_t(u32, (u16)e->reason,
				ARRAY_SIZE(ksplit_stats.exits_ring0) - 1)]);
		if (e->at_once || e->reason & KSPLIT_REASON_BUS_LOCK || ksplit_wanted(vcpu) ||
		    signal_pending(current))
			break;
		e->requeue = true;
	}
	e->reason = EXIT_REASON_EXTERNAL_INTERRUPT | (e->reason & KSPLIT_REASON_BUS_LOCK);
	return 0;
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
		vcpu->ibpb = true;
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
	/* What the guest knows of by now KVM must not read in an older page. */
	ksplit_windows_sync(vcpu->vm);
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
	if (ksplit_fields[fill.slot].cls == KSPLIT_NEVER)
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
	if (block.pad)
		return -EINVAL;
	r = wait_event_interruptible_hrtimeout(vcpu->wq, ksplit_wanted(vcpu),
					       min_t(u64, block.timeout_ns, KTIME_MAX));
	/* A halted guest makes no other call. */
	ksplit_windows_sync(vcpu->vm);
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
 * Return: 0, -EINVAL for an image that XRSTOR would not take, -EFAULT, -ENOMEM.
 */
long ksplit_vcpu_fpu(struct ksplit_vcpu *vcpu, struct ksplit_fpu __user *arg, bool set)
{
	void *image __free(kvfree) = NULL;
	const size_t size = ksplit_info.xstate_size;
	struct ksplit_fpu fpu;

	if (copy_from_user(&fpu, arg, sizeof(fpu)))
		return -EFAULT;
	if (fpu.pad)
		return -EINVAL;
	/* Without XSAVE as well the kernel writes the header behind the FXSAVE area. */
	image = kvzalloc(vcpu->fpu.uabi_size, GFP_KERNEL_ACCOUNT);
	if (!image)
		return -ENOMEM;
	if (!set) {
		fpu_copy_guest_fpstate_to_uabi(&vcpu->fpu, image, size, ksplit_hw.xcr0, fpu.pkru);
		return copy_to_user((void __user *)fpu.buf, image, size) ? -EFAULT : 0;
	}
	if (copy_from_user(image, (void __user *)fpu.buf, size))
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
	smp_mb();	/* write, then look at in_guest: see ksplit_sync_tlb() */
	if (READ_ONCE(vcpu->in_guest)) {
		guard(preempt)();
		cpu = READ_ONCE(vcpu->cpu);
		if (cpu != smp_processor_id() && cpu_online(cpu))
			smp_send_reschedule(cpu);
	}
	wake_up_interruptible(&vcpu->wq);
}

/**
 * ksplit_vcpu_interrupt - a kick, and a thread that waits for others wakes up
 * @vcpu: the vCPU
 *
 * Context: any that may not sleep included.
 */
void ksplit_vcpu_interrupt(struct ksplit_vcpu *vcpu)
{
	struct task_struct *sleeper;

	ksplit_vcpu_kick(vcpu);
	/* The kick's barrier is ours, too.  A thread is not freed under RCU. */
	guard(rcu)();
	sleeper = READ_ONCE(vcpu->sleeper);
	if (sleeper)
		set_notify_signal(sleeper);
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
 * Context: under mmu_lock, interrupts on.
 */
void ksplit_vm_kick_sync(struct ksplit_vm *vm)
{
	struct ksplit_vcpu *vcpu;
	unsigned long nr;

	smp_mb();	/* write, then look at in_guest: see ksplit_sync_tlb() */
	guard(rcu)();
	cpumask_clear(&vm->kick_mask);
	xa_for_each(&vm->vcpus, nr, vcpu)
		if (READ_ONCE(vcpu->in_guest))
			cpumask_set_cpu(READ_ONCE(vcpu->cpu), &vm->kick_mask);
	on_each_cpu_mask(&vm->kick_mask, ksplit_ack, NULL, true);
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
		r = ksplit_vmcs_alloc(&vcpu->vmcs[i], vcpu);
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
