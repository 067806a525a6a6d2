// SPDX-License-Identifier: GPL-2.0-only
/*
 * VM and vCPU objects and their descriptors.
 *
 * Invariants: a vCPU holds its VM, a VM its session; the hardware of a vCPU is
 * released when its descriptor and the client's file of it are both gone, a
 * VM's memory when the last vCPU is; every call comes from the address space
 * that serves the session.
 */
#include <linux/anon_inodes.h>

#include "pure/kvm_run.h"
#include "vmx.h"

static const struct file_operations ksplit_vm_fops;
static const struct file_operations ksplit_vcpu_fops;
static atomic_t ksplit_vm_ids;

/* ---------------------------------------------------------- vCPU -- */

static void ksplit_vcpu_release_ref(struct kref *ref)
{
	struct ksplit_vcpu *vcpu = container_of(ref, struct ksplit_vcpu, ref);
	struct ksplit_vm *vm = vcpu->vm;

	/* Unless it never got there. */
	xa_cmpxchg(&vm->vcpus, vcpu->nr, vcpu, NULL, 0);
	/* Kickers and notifiers walk vm->vcpus under RCU. */
	synchronize_rcu();
	/* There may be the news of a file whose vCPU no worker took. */
	ksplit_channel_kill(&vcpu->chan);
	ksplit_root_unload(vcpu);
	ksplit_vcpu_free_hw(vcpu);
	atomic_dec(&vm->session->quota->nr_vcpus);
	ksplit_count_add(vcpus, -1);
	kfree(vcpu);
	ksplit_vm_put(vm);
}

/**
 * ksplit_vcpu_put - drops a reference
 * @vcpu: the vCPU
 *
 * Context: may sleep.
 */
void ksplit_vcpu_put(struct ksplit_vcpu *vcpu)
{
	kref_put(&vcpu->ref, ksplit_vcpu_release_ref);
}

static int ksplit_vcpu_file_release(struct inode *inode, struct file *file)
{
	struct ksplit_vcpu *vcpu = file->private_data;

	/* The worker gave it up: nobody will serve its calls any more. */
	ksplit_vm_kill(vcpu->vm);
	ksplit_channel_kill(&vcpu->chan);
	ksplit_vcpu_put(vcpu);
	return 0;
}

static long ksplit_vcpu_locked_ioctl(struct ksplit_vcpu *vcpu, unsigned int cmd, void __user *argp)
{
	if (READ_ONCE(vcpu->vm->dead))
		return -ESHUTDOWN;
	ksplit_windows_sync(vcpu->vm);

	switch (cmd) {
	case KSPLIT_RUN:
		return ksplit_vcpu_run(vcpu, argp);
	case KSPLIT_FILL:
		return ksplit_vcpu_fill(vcpu, argp);
	case KSPLIT_VMCLEAR:
		return ksplit_vcpu_vmclear(vcpu, (unsigned long)argp);
	case KSPLIT_FPU_GET:
	case KSPLIT_FPU_SET:
		return ksplit_vcpu_fpu(vcpu, argp, cmd == KSPLIT_FPU_SET);
	}
	return -ENOTTY;
}

/* What a thread of the vCPU's sleeps in for others; see ksplit_vcpu_interrupt(). */
static long ksplit_vcpu_wait(struct ksplit_vcpu *vcpu, unsigned int cmd, void __user *argp)
{
	long r = -EINTR;

	WRITE_ONCE(vcpu->faults, cmd != KSPLIT_NEXT);
	/* Before a look at what interrupts: who interrupts writes, then looks for us. */
	smp_store_mb(vcpu->sleeper, current);
	ksplit_windows_sync(vcpu->vm);
	if (cmd == KSPLIT_NEXT)
		r = ksplit_channel_next(&vcpu->chan, argp);
	/* A look at a window cannot be given up: KVM is in the midst of it. */
	else if (cmd == KSPLIT_WINDOW_FAULT || !READ_ONCE(vcpu->interrupted))
		r = ksplit_window_fault(vcpu->vm, argp, cmd == KSPLIT_WINDOW_FAULT);
	WRITE_ONCE(vcpu->sleeper, NULL);
	/* Of what the client wrote before its call KVM must not read an older page. */
	ksplit_windows_sync(vcpu->vm);
	return r;
}

static long ksplit_vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ksplit_vcpu *vcpu = file->private_data;
	void __user *argp = (void __user *)arg;
	long r;

	if (current->mm != vcpu->vm->session->worker_mm)
		return -EIO;

	/* The client or another process runs here next: VMSCAPE, see docs/threat-model.md. */
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER) &&
	    (cmd == KSPLIT_NEXT || cmd == KSPLIT_BLOCK))
		this_cpu_write(x86_ibpb_exit_to_user, true);

	switch (cmd) {
	case KSPLIT_KICK:
		if (!arg || !ksplit_apic_notify(vcpu))
			ksplit_vcpu_kick(vcpu);
		return 0;
	case KSPLIT_NEXT:
	case KSPLIT_WINDOW_FAULT:
	case KSPLIT_FAULT_IN:
		return ksplit_vcpu_wait(vcpu, cmd, argp);
	case KSPLIT_HWPOISON:
		return ksplit_hwpoison(vcpu, arg);
	case KSPLIT_COPY:
		return ksplit_copy(&vcpu->chan, argp);
	case KSPLIT_BLOCK:
		return ksplit_vcpu_block(vcpu, argp);
	case KSPLIT_DIRTY:
		return ksplit_vcpu_dirty(vcpu, argp);
	}

	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	r = ksplit_vcpu_locked_ioctl(vcpu, cmd, argp);
	mutex_unlock(&vcpu->mutex);
	return r;
}

static const struct file_operations ksplit_vcpu_fops = {
	.release = ksplit_vcpu_file_release,
	.unlocked_ioctl = ksplit_vcpu_ioctl,
};

/**
 * ksplit_vcpu_create - makes a vCPU
 * @vm: the VM
 * @id: KVM's vCPU id
 *
 * Context: process context of the client.
 * Return: the vCPU, -EINVAL, -ENOSPC (the quota's), -EBUSY (KSPLIT_MAX_VCPUS), -ENOMEM.
 */
struct ksplit_vcpu *ksplit_vcpu_create(struct ksplit_vm *vm, unsigned long id)
{
	struct ksplit_quota *quota = vm->session->quota;
	struct ksplit_vcpu *vcpu;
	int r;

	if (id > U32_MAX)
		return ERR_PTR(-EINVAL);
	vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	kref_init(&vcpu->ref);
	kref_get(&vm->ref);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->cpu = -1;
	mutex_init(&vcpu->mutex);
	init_waitqueue_head(&vcpu->wq);
	ksplit_channel_init(&vcpu->chan);
	ksplit_count(vcpus);
	/* The place is taken before anything is made for it. */
	if (atomic_inc_return(&quota->nr_vcpus) > READ_ONCE(quota->max_vcpus)) {
		ksplit_vm_err(vm, "limit of %u vCPUs reached", quota->max_vcpus);
		r = -ENOSPC;
	} else {
		r = ksplit_vcpu_init_hw(vcpu);
	}
	if (!r)
		r = xa_alloc(&vm->vcpus, &vcpu->nr, vcpu, XA_LIMIT(0, KSPLIT_MAX_VCPUS - 1),
			     GFP_KERNEL_ACCOUNT);
	if (r) {
		ksplit_vcpu_put(vcpu);
		return ERR_PTR(r);
	}
	return vcpu;
}

/* ------------------------------------------------------------ VM -- */

static void ksplit_vm_release_ref(struct kref *ref)
{
	struct ksplit_vm *vm = container_of(ref, struct ksplit_vm, ref);
	struct ksplit_session *session = vm->session;

	scoped_guard(mutex, &session->lock)
		list_del(&vm->node);
	ksplit_mem_destroy(vm);
	ksplit_fast_free(&vm->fast);
	mmdrop(vm->owner);
	xa_destroy(&vm->vcpus);
	free_page((unsigned long)vm->ring);
	ksplit_count_add(vms, -1);
	kfree(vm);
	atomic_dec(&session->nr_vms);
	ksplit_hw_put();
	ksplit_session_put(session);
}

/**
 * ksplit_vm_put - drops a reference
 * @vm: the VM
 *
 * Context: may sleep.
 */
void ksplit_vm_put(struct ksplit_vm *vm)
{
	kref_put(&vm->ref, ksplit_vm_release_ref);
}

/**
 * ksplit_vm_kill - ends a VM: no entry, no sleep, no call from now on
 * @vm: the VM
 *
 * Context: does not sleep; not from interrupts.
 */
void ksplit_vm_kill(struct ksplit_vm *vm)
{
	struct ksplit_vcpu *vcpu;
	unsigned long nr;

	WRITE_ONCE(vm->dead, true);
	guard(rcu)();
	xa_for_each(&vm->vcpus, nr, vcpu) {
		ksplit_vcpu_kick(vcpu);
		ksplit_channel_kill(&vcpu->chan);
	}
}

static int ksplit_vm_file_release(struct inode *inode, struct file *file)
{
	struct ksplit_vm *vm = file->private_data;

	ksplit_vm_kill(vm);
	ksplit_vm_put(vm);
	return 0;
}

static long ksplit_vm_coalesce(struct ksplit_vm *vm, struct kvm_coalesced_mmio __user *arg)
{
	struct kvm_coalesced_mmio write;

	if (copy_from_user(&write, arg, sizeof(write)))
		return -EFAULT;
	guard(spinlock)(&vm->session->chan.lock);
	return ksplit_ring_put(vm->ring, &write);
}

static long ksplit_vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ksplit_vm *vm = file->private_data;
	void __user *argp = (void __user *)arg;

	if (current->mm != vm->session->worker_mm)
		return -EIO;
	if (READ_ONCE(vm->dead))
		return -ESHUTDOWN;
	ksplit_windows_sync(vm);

	switch (cmd) {
	case KSPLIT_WINDOW_FAULT:
		return ksplit_window_fault(vm, argp, true);
	case KSPLIT_FLUSH:
		return ksplit_flush(vm, argp);
	case KSPLIT_COALESCE:
		return ksplit_vm_coalesce(vm, argp);
	case KSPLIT_IOEVENTFD:
		return ksplit_doorbell(vm, argp);
	}
	return -ENOTTY;
}

static const struct file_operations ksplit_vm_fops = {
	.release = ksplit_vm_file_release,
	.unlocked_ioctl = ksplit_vm_ioctl,
	.mmap = ksplit_vm_mmap,
};

/**
 * ksplit_vm_create - makes a VM
 * @session: whose worker calls
 * @owner: the client's address space, whose memory becomes guest memory
 *
 * Context: process context of the client.
 * Return: the VM, -ENOMEM, -EMFILE (KSPLIT_MAX_VMS), -EBUSY (another hypervisor has a CPU).
 */
struct ksplit_vm *ksplit_vm_create(struct ksplit_session *session, struct mm_struct *owner)
{
	struct ksplit_vm *vm;
	int r;

	r = ksplit_hw_get();
	if (r)
		return ERR_PTR(r);
	vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm) {
		ksplit_hw_put();
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&vm->ref);
	kref_get(&session->ref);
	vm->session = session;
	INIT_LIST_HEAD(&vm->node);
	mmgrab(owner);
	vm->owner = owner;
	vm->id = (u32)atomic_inc_return(&ksplit_vm_ids);
	xa_init_flags(&vm->vcpus, XA_FLAGS_ALLOC);
	mutex_init(&vm->slots_lock);
	INIT_LIST_HEAD(&vm->slots);
	spin_lock_init(&vm->mmu_lock);
	INIT_LIST_HEAD(&vm->roots);
	INIT_LIST_HEAD(&vm->dead_roots);
	ksplit_fast_init(&vm->fast);
	atomic64_set(&vm->tlb_gen, 1);
	ksplit_count(vms);

	/* The place is taken before anything is made for it. */
	if (atomic_inc_return(&session->nr_vms) > KSPLIT_MAX_VMS) {
		ksplit_vm_err(vm, "one open of /dev/kvm has %u VMs already", KSPLIT_MAX_VMS);
		r = -EMFILE;
	} else {
		vm->ring = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		r = vm->ring ? ksplit_mem_init(vm) : -ENOMEM;
	}
	if (r) {
		ksplit_vm_put(vm);
		return ERR_PTR(r);
	}
	scoped_guard(mutex, &session->lock)
		list_add(&vm->node, &session->vms);
	return vm;
}

/**
 * ksplit_vm_fd - gives a VM, or one of its vCPUs, to its worker
 * @vm: the VM
 * @vcpu: the vCPU, or NULL
 *
 * The descriptor takes over one reference of the caller's: to the vCPU, or to
 * the VM.  When it is closed the VM is dead.
 *
 * Context: process context of the worker.
 * Return: the descriptor, -EMFILE, -ENOMEM.
 */
int ksplit_vm_fd(struct ksplit_vm *vm, struct ksplit_vcpu *vcpu)
{
	int r = vcpu ? anon_inode_getfd("kvm-split-vcpu", &ksplit_vcpu_fops, vcpu,
					O_RDWR | O_CLOEXEC) :
		       anon_inode_getfd("kvm-split-vm", &ksplit_vm_fops, vm, O_RDWR | O_CLOEXEC);

	if (r < 0 && vcpu)
		ksplit_vcpu_put(vcpu);
	else if (r < 0)
		ksplit_vm_put(vm);
	return r;
}
