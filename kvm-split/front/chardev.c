// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/kvm and the files that a client gets from it: system, VM, vCPU and
 * statistics.  Their ioctls become calls of a worker's (call.c).
 *
 * Invariants: the direction bits of an ioctl mean nothing here.  A client's
 * files and descriptors are made by its own thread, named and numbered by the
 * stub; the pages that it maps are the stub's.  Whatever a worker made for a client, and
 * whatever becomes of the client, the worker is told when it is gone.
 *
 * No compat ioctls in this version: a 32-bit client gets -ENOTTY.
 */
#include <linux/cdev.h>
#include <linux/moduleparam.h>

#include "front.h"

static const struct file_operations client_fops;

/* ------------------------------------------------ client's objects -- */

/* A file that nothing is behind yet but the session. */
static struct ksplit_file *file_alloc(struct ksplit_session *session)
{
	struct ksplit_file *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return ERR_PTR(-ENOMEM);
	if (atomic_inc_return(&session->files) > KSPLIT_MAX_FILES) {
		atomic_dec(&session->files);
		kfree(f);
		return ERR_PTR(-EMFILE);
	}
	kref_get(&session->ref);
	f->session = session;
	f->chan = &session->chan;
	return f;
}

/* Tells the worker, if it has something behind it, and frees it. */
static void file_release(struct ksplit_file *f)
{
	struct ksplit_session *session = f->session;
	struct ksplit_vcpu *vcpu = f->vcpu;
	struct ksplit_vm *vm = f->vm;

	if (f->gone.n.kind == KSPLIT_FILE_NONE)
		kfree(f);
	else
		ksplit_call_gone(f);
	if (atomic_dec_and_test(&session->files))
		ksplit_channel_close(&session->chan);
	if (vcpu)
		ksplit_vcpu_put(vcpu);
	if (vm)
		ksplit_vm_put(vm);
	ksplit_session_put(session);
}

static int client_release(struct inode *inode, struct file *file)
{
	file_release(file->private_data);
	return 0;
}

/* What kind of file a call makes if it succeeds. */
static enum ksplit_kind creates(u32 cmd)
{
	switch (cmd) {
	case KVM_CREATE_VM:
		return KSPLIT_FILE_VM;
	case KVM_CREATE_VCPU:
		return KSPLIT_FILE_VCPU;
	case KVM_GET_STATS_FD:
		return KSPLIT_FILE_STATS;
	}
	return KSPLIT_FILE_NONE;
}

/*
 * A result that a client would use as a descriptor comes with a file; one that
 * it would use as an offset into a mapping is the stub's.
 */
static bool result_allowed(struct ksplit_call *call, const struct ksplit_next *n)
{
	const struct kvm_create_device *cd = (void *)call->data;
	u32 cmd = call->n.cmd;

	/* -512 and beyond are the kernel's own (ERESTARTSYS). */
	if (n->result < 0)
		return n->result > -512;
	if (call->n.op == KSPLIT_OP_READ)
		return n->result <= n->out_len;
	/* Nothing is ever put into the ring. */
	if (cmd == KVM_CHECK_EXTENSION && call->n.arg == KVM_CAP_COALESCED_MMIO)
		return !n->result;
	/* No version has a device that a worker could make. */
	if (cmd == KVM_CREATE_DEVICE)
		return call->n.prefetched && cd->flags & KVM_CREATE_DEVICE_TEST;
	return creates(cmd) == KSPLIT_FILE_NONE && cmd != KVM_CREATE_GUEST_MEMFD;
}

/**
 * ksplit_client_accept() - Check a reply, take the file it gives
 * @call: the call
 * @n: the reply
 * @vm: of this session that it names, or NULL
 * @vcpu: of this session that it names, or NULL
 *
 * Context: under the channel's lock.
 * Return: 0; -EINVAL (a result that this call may not have); -EBADF (that call
 * makes no such file, or not for this client).
 */
int ksplit_client_accept(struct ksplit_call *call, const struct ksplit_next *n,
			 struct ksplit_vm *vm, struct ksplit_vcpu *vcpu)
{
	struct ksplit_file *new = call->new, *f = call->f;

	if (n->new_kind == KSPLIT_FILE_NONE)
		return result_allowed(call, n) ? 0 : -EINVAL;
	/* A VM comes of the open of /dev/kvm, all else of a VM. */
	if (n->new_kind != creates(call->n.cmd) || !vm != !!f->vm ||
	    (vm && vm->owner != call->client->mm) ||
	    (n->new_kind == KSPLIT_FILE_VCPU && (!vcpu || vcpu->vm != f->vm)))
		return -EBADF;
	new->gone.n.kind = n->new_kind;
	new->gone.n.handle = n->new_handle;
	new->vm = vm ?: f->vm;
	kref_get(&new->vm->ref);
	if (vcpu) {
		new->vcpu = vcpu;
		new->chan = &vcpu->chan;
		kref_get(&vcpu->ref);
	}
	return 0;
}

/* Gives a vCPU its pages: it has one file, ever. */
static int make_run(struct ksplit_vcpu *vcpu)
{
	void *run = kzalloc(KSPLIT_RUN_SIZE, GFP_KERNEL_ACCOUNT);

	if (!run)
		return -ENOMEM;
	if (!cmpxchg(&vcpu->chan.kvm_run, NULL, run))
		return 0;
	kfree(run);
	return -EIO;
}

/* A descriptor for what a call on @f made, which it takes over, or an error. */
static int file_install(struct ksplit_file *f, struct ksplit_file *new)
{
	static const char * const names[2][2] = {
		{ "kvm-vm", "kvm-vcpu:%u" }, { "kvm-vm-stats", "kvm-vcpu-stats:%u" },
	};
	const struct ksplit_vcpu *vcpu = new->vcpu ?: f->vcpu;
	bool stats = new->gone.n.kind == KSPLIT_FILE_STATS;
	struct file *file;
	char name[32];
	int fd;

	fd = new->vcpu ? make_run(new->vcpu) : 0;
	if (!fd)
		fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	snprintf(name, sizeof(name), names[stats][!!vcpu], vcpu ? vcpu->id : 0);
	file = anon_inode_getfile_fmode(name, &client_fops, new, stats ? O_RDONLY : O_RDWR,
					stats ? FMODE_PREAD : 0);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}

/* -------------------------------------------------- building calls -- */

/* How large a memory slot is, in pages. */
static u64 slot_pages(struct ksplit_vm *vm, u32 key)
{
	struct ksplit_slot *slot;

	guard(spinlock)(&vm->mmu_lock);
	list_for_each_entry(slot, &vm->slots, node)
		if (slot->key == key)
			return slot->size >> PAGE_SHIFT;
	return 0;
}

/* The stub enters the slot itself: a window can be of nothing else. */
static long set_slot(struct ksplit_call *call)
{
	struct kvm_userspace_memory_region *mem = (void *)call->data;
	struct ksplit_vm *vm = call->f->vm;
	struct ksplit_slot_change slot;
	int r;

	if (!call->n.prefetched)
		return -EFAULT;
	slot = (struct ksplit_slot_change){
		.key = mem->slot, .gpa = mem->guest_phys_addr, .size = mem->memory_size,
		.hva = mem->userspace_addr, .flags = mem->flags,
	};
	r = ksplit_slot_prepare(vm, &slot);
	if (r)
		return r;
	r = ksplit_call_serve(call);
	ksplit_slot_finish(vm, &slot, !r && !call->result);
	return r;
}

/* Makes a call with what it needs; @new: what it may make. */
static long make_call(struct ksplit_call *call)
{
	u32 cmd = call->n.op == KSPLIT_OP_IOCTL ? call->n.cmd : 0;
	bool of_vm = call->n.kind == KSPLIT_FILE_VM;

	/* The argument is read once, whatever the direction bits say. */
	if (cmd && !copy_from_user(call->data, u64_to_user_ptr(call->n.arg), call->n.len))
		call->n.prefetched = call->n.len;
	if (of_vm && (cmd == KVM_SET_USER_MEMORY_REGION || cmd == KVM_SET_USER_MEMORY_REGION2))
		return set_slot(call);
	if (of_vm && cmd == KVM_GET_DIRTY_LOG && call->n.prefetched)
		call->slot_pages = slot_pages(call->f->vm, *(u32 *)call->data);
	if (creates(cmd) != KSPLIT_FILE_NONE) {
		call->new = file_alloc(call->f->session);
		if (IS_ERR(call->new))
			return PTR_ERR(call->new);
	}
	return ksplit_call_serve(call);
}

/*
 * Has the worker serve a new call.  @arg: ioctl argument, or file offset; @out: where
 * @size bytes, at most, of a reply go.
 */
static long forward(struct ksplit_file *f, u32 op, u32 cmd, u64 arg, void __user *out, u32 size)
{
	u8 *data __free(kfree) = kmalloc(2 * size, GFP_KERNEL_ACCOUNT);
	struct ksplit_call call = {
		.f = f, .data = data,
		.n = {
			.op = op, .cmd = cmd, .arg = arg, .len = size,
			.kind = f->gone.n.kind, .handle = f->gone.n.handle,
		},
	};
	long r;

	if (!data)
		return -ENOMEM;
	r = make_call(&call) ?: call.result;
	if (copy_to_user(out, data + size, call.out_len))
		r = -EFAULT;
	if (IS_ERR_OR_NULL(call.new))
		return r;
	if (r >= 0 && call.new->gone.n.kind != KSPLIT_FILE_NONE) {
		r = file_install(f, call.new);
		if (r >= 0)
			return r;
	}
	file_release(call.new);
	return r;
}

/* ---------------------------------------------- client's operations -- */

static long set_sigmask(struct ksplit_file *f, struct kvm_signal_mask __user *arg)
{
	sigset_t sigset;
	u32 len;

	if (arg) {
		if (get_user(len, &arg->len))
			return -EFAULT;
		if (len != sizeof(sigset))
			return -EINVAL;
		if (copy_from_user(&sigset, arg->sigset, sizeof(sigset)))
			return -EFAULT;
		sigdelsetmask(&sigset, sigmask(SIGKILL) | sigmask(SIGSTOP));
		f->sigset = sigset;
	}
	f->sigset_active = arg;
	return 0;
}

/* The signal mask as upstream's kvm_sigset_activate() does it. */
static long run(struct ksplit_file *f)
{
	struct ksplit_call call = {
		.f = f,
		.n = {
			.op = KSPLIT_OP_IOCTL, .cmd = KVM_RUN,
			.kind = KSPLIT_FILE_VCPU, .handle = f->gone.n.handle,
		},
	};
	bool sigset = f->sigset_active;
	long r;

	if (sigset)
		sigprocmask(SIG_SETMASK, &f->sigset, &current->real_blocked);
	r = ksplit_call_serve(&call) ?: call.result;
	if (sigset) {
		sigprocmask(SIG_SETMASK, &current->real_blocked, NULL);
		sigemptyset(&current->real_blocked);
	}
	return r;
}

/* What two threads ask of one vCPU, its worker's thread takes in turn. */
static long client_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ksplit_file *f = file->private_data;
	void __user *argp = (void __user *)arg;

	if (f->vm && (f->vm->owner != current->mm || READ_ONCE(f->vm->dead)))
		return -EIO;
	if (_IOC_TYPE(cmd) != KVMIO)
		return f->vcpu ? -EINVAL : -ENOTTY;
	if (f->vcpu && cmd == KVM_RUN)
		return arg ? -EINVAL : run(f);
	if (f->vcpu && cmd == KVM_SET_SIGNAL_MASK)
		return set_sigmask(f, argp);
	if (!f->vm && cmd == KVM_GET_VCPU_MMAP_SIZE)
		return arg ? -EINVAL : KSPLIT_RUN_SIZE;
	return forward(f, KSPLIT_OP_IOCTL, cmd, arg, argp,
		       min(_IOC_SIZE(cmd), KSPLIT_PREFETCH_MAX));
}

static ssize_t client_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct ksplit_file *f = file->private_data;
	ssize_t r;

	if (f->gone.n.kind != KSPLIT_FILE_STATS)
		return -EINVAL;
	r = forward(f, KSPLIT_OP_READ, 0, *pos, buf, min(size, KSPLIT_PREFETCH_MAX));
	if (r > 0)
		*pos += r;
	return r;
}

static int client_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ksplit_file *f = file->private_data;

	if (!f->vcpu)
		return -ENODEV;
	return vm_iomap_memory(vma, __pa(f->chan->kvm_run), KSPLIT_RUN_SIZE);
}

static int client_open(struct inode *inode, struct file *file)
{
	struct ksplit_session *session = ksplit_tenant_take(file->f_cred->fsuid);
	struct ksplit_file *f;

	if (IS_ERR(session))
		return PTR_ERR(session);
	f = file_alloc(session);
	if (IS_ERR(f))
		ksplit_channel_close(&session->chan);
	else
		f->gone.n.kind = KSPLIT_FILE_SYSTEM;
	ksplit_session_put(session);
	file->private_data = f;
	return PTR_ERR_OR_ZERO(f);
}

static const struct file_operations client_fops = {
	.open = client_open,		/* of /dev/kvm only */
	.release = client_release,
	.unlocked_ioctl = client_ioctl,
	.read = client_read,
	.mmap = client_mmap,
	.llseek = noop_llseek,
};

static struct miscdevice kvm_dev = {
	.minor = KVM_MINOR,
	.name = "kvm",
	.fops = &client_fops,
};

static struct cdev kvm_cdev;

/* Parameters of kvm_intel, read-only, for tools that look there. */
#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "kvm_intel."

static bool nested, ept, unrestricted_guest, vpid, enable_apicv;

module_param(nested, bool, 0444);
module_param(ept, bool, 0444);
module_param(unrestricted_guest, bool, 0444);
module_param(vpid, bool, 0444);
module_param(enable_apicv, bool, 0444);

/**
 * ksplit_chardev_init() - Make /dev/kvm
 *
 * A misc device as upstream's, for its name, number and sysfs directory.  But
 * misc_open() holds a lock of all misc devices over ->open(), which here waits
 * for a worker: the more specific cdev of the same number comes first.
 *
 * Return: 0 or -errno.
 */
int __init ksplit_chardev_init(void)
{
	/*
	 * What guests get, whatever the command line said: the stub needs EPT,
	 * VPID and unrestricted guest, and offers no worker the APICv controls.
	 */
	nested = true;
	ept = true;
	unrestricted_guest = true;
	vpid = true;
	enable_apicv = false;
	cdev_init(&kvm_cdev, &client_fops);
	return cdev_add(&kvm_cdev, MKDEV(MISC_MAJOR, KVM_MINOR), 1) ?: misc_register(&kvm_dev);
}
