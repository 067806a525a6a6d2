// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/kvm and the files that a client gets from it: system, VM, vCPU, device
 * and statistics.  Their ioctls become calls of a worker's (call.c).
 *
 * Invariants: the direction bits of an ioctl mean nothing here.  A client's
 * descriptors are made by its own thread, their numbers by the stub; the pages
 * that it maps are the stub's.  Whatever a worker made for a client, and
 * whatever becomes of the client, the worker is told when it is gone.
 *
 * No compat ioctls in this version: a 32-bit client gets -ENOTTY.
 */
#include <linux/cdev.h>
#include <linux/ctype.h>
#include <linux/moduleparam.h>

#include "front.h"

DEFINE_FREE(vm, struct ksplit_vm *, _T ? ksplit_vm_put(_T) : (void)0)
DEFINE_FREE(vcpu, struct ksplit_vcpu *, _T ? ksplit_vcpu_put(_T) : (void)0)

static const struct file_operations client_fops;

/* ------------------------------------------------ client's objects -- */

static void file_free(struct ksplit_file *f)
{
	if (f->call)
		ksplit_call_put(f->call);
	if (f->vcpu)
		ksplit_vcpu_put(f->vcpu);
	if (f->vm)
		ksplit_vm_put(f->vm);
	ksplit_session_put(f->session);
	kfree(f);
}

/* Tells the worker that nobody holds the file any more. */
static void file_release(struct ksplit_file *f)
{
	/* A dead VM's worker may hold that call still, and hears of nothing. */
	if (!f->vcpu || !READ_ONCE(f->vm->dead)) {
		f->call->n.op = KSPLIT_OP_RELEASE;
		ksplit_call_queue(f->chan, f->call);
	}
	if (atomic_dec_and_test(&f->session->files))
		ksplit_channel_close(&f->session->chan);
	file_free(f);
}

static int client_release(struct inode *inode, struct file *file)
{
	file_release(file->private_data);
	return 0;
}

/* Makes what is behind a client's file. */
static struct ksplit_file *file_make(struct ksplit_session *session, u32 kind, u64 handle,
				     struct ksplit_vm *vm, struct ksplit_vcpu *vcpu)
{
	struct ksplit_file *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return ERR_PTR(-ENOMEM);
	kref_get(&session->ref);
	f->session = session;
	f->chan = vcpu ? &vcpu->chan : &session->chan;
	f->vm = vm;
	if (vm)
		kref_get(&vm->ref);
	f->vcpu = vcpu;
	if (vcpu)
		kref_get(&vcpu->ref);
	f->call = ksplit_call_alloc(session, 0);
	if (f->call && vcpu)
		f->call->run = alloc_pages_exact(KSPLIT_RUN_ALLOC, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!f->call || (vcpu && !f->call->run)) {
		file_free(f);
		return ERR_PTR(-ENOMEM);
	}
	f->call->n = (struct ksplit_next){
		.op = KSPLIT_OP_IOCTL, .cmd = KVM_RUN, .kind = kind, .handle = handle,
	};
	atomic_inc(&session->files);
	return f;
}

/* What kind of file a call makes if it succeeds. */
static enum ksplit_kind creates(u32 cmd)
{
	switch (cmd) {
	case KVM_CREATE_VM:
		return KSPLIT_FILE_VM;
	case KVM_CREATE_VCPU:
		return KSPLIT_FILE_VCPU;
	case KVM_CREATE_DEVICE:
		return KSPLIT_FILE_DEVICE;
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
	if (cmd == KVM_CREATE_DEVICE && cd->flags & KVM_CREATE_DEVICE_TEST)
		return true;
	return creates(cmd) == KSPLIT_FILE_NONE && cmd != KVM_CREATE_GUEST_MEMFD;
}

/**
 * ksplit_client_file() - Check a reply's result, make the file it gives
 * @call: the call
 * @n: the reply
 *
 * Context: the worker's.
 * Return: a file, NULL if it gives none; -EINVAL (a result that this call may
 * not have), -EBADF (that call makes no such file, or it is not an object of
 * this session and client), -ENOMEM.
 */
struct file *ksplit_client_file(struct ksplit_call *call, const struct ksplit_next *n)
{
	struct ksplit_vcpu *vcpu __free(vcpu) = NULL;
	struct ksplit_vm *vm __free(vm) = NULL;
	struct ksplit_file *new, *f = call->f;
	bool stats = n->new_kind == KSPLIT_FILE_STATS;
	char name[KSPLIT_NAME_MAX] = "";
	struct file *file;

	if (n->new_kind == KSPLIT_FILE_NONE)
		return result_allowed(call, n) ? NULL : ERR_PTR(-EINVAL);
	if (n->new_kind == KSPLIT_FILE_VM)
		vm = ksplit_vm_from_fd(f->session, n->new_fd);
	if (n->new_kind == KSPLIT_FILE_VCPU)
		vcpu = ksplit_vcpu_from_fd(f->session, n->new_fd);
	/* A VM comes of the open of /dev/kvm, all else of a VM. */
	if (n->new_kind != creates(call->n.cmd) || !vm != !!f->vm ||
	    (vm && vm->owner != READ_ONCE(call->client->mm)) ||
	    (n->new_kind == KSPLIT_FILE_VCPU && (!vcpu || vcpu->vm != f->vm)))
		return ERR_PTR(-EBADF);
	new = file_make(f->session, n->new_kind, n->new_handle, vm ?: f->vm, vcpu);
	if (IS_ERR(new))
		return ERR_CAST(new);
	for (int i = 0; i < KSPLIT_NAME_MAX - 1 && n->new_name[i]; i++)
		name[i] = isalnum(n->new_name[i]) || n->new_name[i] == ':' ? n->new_name[i] : '-';
	file = anon_inode_getfile_fmode(name, &client_fops, new, stats ? O_RDONLY : O_RDWR,
					stats ? FMODE_PREAD : 0);
	if (IS_ERR(file))
		file_release(new);
	return file;
}

/* -------------------------------------------------- building calls -- */

/* How large the slot is whose dirty bitmap the call is about. */
static void find_slot_pages(struct ksplit_call *call)
{
	s64 key = ksplit_copy_slot(call->n.cmd, call->data, call->n.prefetched);
	struct ksplit_slot *slot;

	if (key < 0)
		return;
	guard(spinlock)(&call->f->vm->mmu_lock);
	list_for_each_entry(slot, &call->f->vm->slots, node)
		if (slot->key == key)
			call->slot_pages = slot->size >> PAGE_SHIFT;
}

/* The stub enters the slot itself: a window can be of nothing else. */
static int prepare_slot(struct ksplit_call *call)
{
	struct kvm_userspace_memory_region *mem = (void *)call->data;
	int r;

	if (!call->n.prefetched)
		return -EFAULT;
	call->slot = (struct ksplit_slot_change){
		.key = mem->slot, .gpa = mem->guest_phys_addr, .size = mem->memory_size,
		.hva = mem->userspace_addr, .flags = mem->flags,
	};
	r = ksplit_slot_prepare(call->f->vm, &call->slot);
	call->slot_prepared = !r;
	return r;
}

/* Reads the argument, once, whatever the direction bits say. */
static int read_argument(struct ksplit_call *call)
{
	if (!copy_from_user(call->data, u64_to_user_ptr(call->n.arg), call->out_max))
		call->n.prefetched = call->out_max;
	if (call->n.kind != KSPLIT_FILE_VM)
		return 0;
	find_slot_pages(call);
	if (call->n.cmd == KVM_SET_USER_MEMORY_REGION ||
	    call->n.cmd == KVM_SET_USER_MEMORY_REGION2)
		return prepare_slot(call);
	return 0;
}

/* What the reply brought becomes the client's, in the client's own thread. */
static long finish(struct ksplit_call *call, void __user *out)
{
	struct kvm_create_device __user *device = out;
	int fd;

	if (copy_to_user(out, call->data + call->out_max, call->out_len))
		return -EFAULT;
	if (!call->new_file)
		return call->result;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	if (call->n.cmd == KVM_CREATE_DEVICE && put_user(fd, &device->fd)) {
		put_unused_fd(fd);
		return -EFAULT;
	}
	fd_install(fd, call->new_file);
	call->new_file = NULL;
	return call->n.cmd == KVM_CREATE_DEVICE ? 0 : fd;
}

/*
 * Has the worker serve a new call.  @arg: ioctl argument, or file offset; @out: where
 * @size bytes, at most, of a reply go.
 */
static long forward(struct file *file, u32 op, u32 cmd, u64 arg, void __user *out, u32 size)
{
	struct ksplit_file *f = file->private_data;
	struct ksplit_call *call = ksplit_call_alloc(f->session, 2 * size);
	long r = 0;

	if (!call)
		return -ENOMEM;
	call->client = get_task_struct(current);
	call->file = get_file(file);
	call->f = f;
	call->out_max = size;
	call->n = (struct ksplit_next){
		.op = op, .cmd = cmd, .arg = arg, .len = size,
		.kind = f->call->n.kind, .handle = f->call->n.handle,
	};
	if (op == KSPLIT_OP_IOCTL)
		r = read_argument(call);
	if (!r)
		r = ksplit_call_serve(f->chan, call, f->vcpu);
	if (!r)
		r = finish(call, out);
	ksplit_call_put(call);
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
	long r;

	if (f->sigset_active)
		sigprocmask(SIG_SETMASK, &f->sigset, &current->real_blocked);
	r = ksplit_call_serve(f->chan, f->call, f->vcpu) ?: f->call->result;
	if (f->sigset_active) {
		sigprocmask(SIG_SETMASK, &current->real_blocked, NULL);
		sigemptyset(&current->real_blocked);
	}
	return r;
}

static long locked_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
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
	return forward(file, KSPLIT_OP_IOCTL, cmd, arg, argp,
		       min(_IOC_SIZE(cmd), KSPLIT_PREFETCH_MAX));
}

/* A vCPU's calls are made one at a time, as under upstream's vcpu->mutex. */
static long client_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ksplit_file *f = file->private_data;
	long r;

	if (f->vcpu && wait_on_bit_lock(&f->busy, 0, TASK_KILLABLE | TASK_FREEZABLE))
		return -EINTR;
	r = locked_ioctl(file, cmd, arg);
	if (f->vcpu)
		clear_and_wake_up_bit(0, &f->busy);
	return r;
}

static ssize_t client_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct ksplit_file *f = file->private_data;
	ssize_t r;

	if (f->call->n.kind != KSPLIT_FILE_STATS)
		return -EINVAL;
	r = forward(file, KSPLIT_OP_READ, 0, *pos, buf, min(size, KSPLIT_READ_MAX));
	if (r > 0)
		*pos += r;
	return r;
}

static int client_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ksplit_file *f = file->private_data;

	if (!f->vcpu)
		return -ENODEV;
	return vm_iomap_memory(vma, __pa(f->call->run), KSPLIT_RUN_SIZE);
}

static int client_open(struct inode *inode, struct file *file)
{
	struct ksplit_session *session = ksplit_tenant_take(file->f_cred->fsuid);
	struct ksplit_file *f;

	if (IS_ERR(session))
		return PTR_ERR(session);
	f = file_make(session, KSPLIT_FILE_SYSTEM, 0, NULL, NULL);
	if (IS_ERR(f))
		ksplit_channel_close(&session->chan);
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
