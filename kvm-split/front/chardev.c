// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/kvm and the files that a client gets from it: system, VM, vCPU and
 * statistics.  Their ioctls become calls of a worker's (call.c).
 *
 * Invariants: of an ioctl's argument the worker gets what KVM reads and gives
 * what KVM writes, no more (pure/tails.c).  A client's files and descriptors are
 * made by its own thread, named and numbered by the stub; the VMs, vCPUs and
 * pages behind them are made for the client that asks, before the worker hears
 * of it.  Whatever a worker made for a client, and whatever becomes of the
 * client, the worker is told when it is gone.
 *
 * No compat ioctls in this version: a 32-bit client gets -ENOTTY.
 */
#include <linux/cdev.h>
#include <linux/moduleparam.h>

#include "front.h"

static const struct file_operations client_fops;

/* ------------------------------------------------ client's objects -- */

static struct ksplit_file *file_alloc(struct ksplit_session *session, enum ksplit_kind kind)
{
	struct ksplit_file *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return NULL;
	kref_get(&session->ref);
	atomic_inc(&session->files);
	f->session = session;
	f->chan = &session->chan;
	f->gone.n.kind = kind;
	f->gone.n.op = KSPLIT_OP_RELEASE;
	return f;
}

/* @told: the worker knows the file, and is to hear that it is gone. */
static void file_free(struct ksplit_file *f, bool told)
{
	struct ksplit_file old = *f;

	if (!told || !ksplit_call_queue(f->chan, &f->gone))
		kfree(f);
	if (atomic_dec_and_test(&old.session->files))
		ksplit_channel_close(&old.session->chan);
	if (!IS_ERR_OR_NULL(old.vcpu))
		ksplit_vcpu_put(old.vcpu);
	if (!IS_ERR_OR_NULL(old.vm))
		ksplit_vm_put(old.vm);
	ksplit_session_put(old.session);
}

static int client_release(struct inode *inode, struct file *file)
{
	file_free(file->private_data, true);
	return 0;
}

/* A descriptor for what a call made, or an error and no file. */
static long file_install(struct ksplit_file *f, const struct ksplit_vcpu *vcpu)
{
	const char *stats = f->gone.n.kind == KSPLIT_FILE_STATS ? "-stats" : "";
	struct file *file;
	char name[32];
	int fd;

	snprintf(name, sizeof(name), vcpu ? "kvm-vcpu%s:%u" : "kvm-vm%s", stats, vcpu ? vcpu->id : 0);
	file = anon_inode_getfile_fmode(name, &client_fops, f, O_RDWR, FMODE_PREAD);
	if (IS_ERR(file)) {
		file_free(f, true);
		return PTR_ERR(file);
	}
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		fput(file);
	else
		fd_install(fd, file);
	return fd;
}

/* -------------------------------------------------- building calls -- */

/* What the call is to make exists before the worker hears of it. */
static int make_new(struct ksplit_call *call)
{
	struct ksplit_file *new, *f = call->f;
	enum ksplit_kind kind = KSPLIT_FILE_NONE;

	if (!f->vm && call->n.cmd == KVM_CREATE_VM)
		kind = KSPLIT_FILE_VM;
	if (call->n.kind == KSPLIT_FILE_VM && call->n.cmd == KVM_CREATE_VCPU)
		kind = KSPLIT_FILE_VCPU;
	if (f->vm && call->n.cmd == KVM_GET_STATS_FD)
		kind = KSPLIT_FILE_STATS;
	if (kind == KSPLIT_FILE_NONE)
		return 0;
	new = file_alloc(f->session, kind);
	if (!new)
		return -ENOMEM;
	call->new = new;
	if (kind == KSPLIT_FILE_VM) {
		new->vm = ksplit_vm_create(f->session, current->mm);
		/* What bounds the client bounds its worker, too. */
		return PTR_ERR_OR_ZERO(new->vm) ?:
		       cgroup_follow(current, f->session->worker, true);
	}
	new->vm = f->vm;
	kref_get(&f->vm->ref);
	if (kind == KSPLIT_FILE_STATS)
		return 0;
	new->vcpu = ksplit_vcpu_create(f->vm, call->n.arg);
	/* Without a vCPU nobody looks at it. */
	new->chan = &new->vcpu->chan;
	return PTR_ERR_OR_ZERO(new->vcpu);
}

/**
 * ksplit_result_allowed() - Whether a call may have a result
 * @call: the call
 * @n: the reply
 *
 * What a client would use as a descriptor is the stub's, and so is what it would
 * use as an offset into a mapping.
 */
bool ksplit_result_allowed(const struct ksplit_call *call, const struct ksplit_next *n)
{
	/* -512 and beyond are the kernel's own (ERESTARTSYS). */
	if (n->result < 0)
		return n->result > -512;
	if (call->n.op == KSPLIT_OP_READ)
		return n->result <= n->out_len;
	switch (call->n.cmd) {
	case KVM_CREATE_VM:
	case KVM_CREATE_VCPU:
	case KVM_GET_STATS_FD:
	case KVM_CREATE_DEVICE:
	case KVM_CREATE_GUEST_MEMFD:
		return call->new;
	case KVM_CHECK_EXTENSION:
		return call->n.arg != KVM_CAP_COALESCED_MMIO ||
		       n->result == KVM_COALESCED_MMIO_PAGE_OFFSET;
	}
	return true;
}

/*
 * What the session's last call lowered is low: its worker need not hear of it
 * again.  QEMU does that twice, and a UART at each character.
 */
static int set_line(struct ksplit_call *call)
{
	struct kvm_irq_level *line = (void *)call->data;	/* the answer follows */
	struct ksplit_vm *vm = call->f->vm;
	int r;

	scoped_guard(spinlock, &call->f->chan->lock) {
		if (vm->low_id == call->f->chan->next_id && !memcmp(vm->low, line, sizeof(*line))) {
			memcpy(line, vm->low, sizeof(vm->low));
			call->n.out_len = sizeof(*line);
			return 0;
		}
	}
	r = ksplit_call_serve(call);
	guard(spinlock)(&call->f->chan->lock);
	if (!r && !line->level && !call->n.result && call->n.out_len == sizeof(*line)) {
		memcpy(vm->low, line, sizeof(vm->low));
		vm->low_id = call->n.id;
	}
	return r;
}

/* A call on a VM, with what the stub has to know of memory slots. */
static int vm_call(struct ksplit_call *call)
{
	struct ksplit_slot_change change = {};
	struct ksplit_vm *vm = call->f->vm;
	int r;

	switch (call->n.prefetched ? call->n.cmd : 0) {
	case KVM_SET_USER_MEMORY_REGION:
	case KVM_SET_USER_MEMORY_REGION2:
		/* The stub enters the slot itself: a window can be of nothing else. */
		change.mem = *(struct kvm_userspace_memory_region *)call->data;
		r = ksplit_slot_prepare(vm, &change);
		if (r)
			return r;
		r = ksplit_call_serve(call);
		ksplit_slot_finish(vm, &change, !r && !call->n.result);
		return r;
	case KVM_IRQ_LINE_STATUS:
		return set_line(call);
	case KVM_GET_DIRTY_LOG:
		call->slot_pages = ksplit_slot_pages(vm, *(u32 *)call->data);
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
	/* The argument is read once, if KVM reads it. */
	if (op == KSPLIT_OP_IOCTL && ksplit_arg_access(cmd) & KSPLIT_TO_WORKER &&
	    !copy_from_user(data, out, size))
		call.n.prefetched = size;
	r = make_new(&call) ?:
	    (f->gone.n.kind == KSPLIT_FILE_VM ? vm_call(&call) : ksplit_call_serve(&call)) ?:
	    call.n.result;
	if (call.n.out_len && copy_to_user(out, data + size, call.n.out_len))
		r = -EFAULT;
	if (!call.new)
		return r;
	call.new->gone.n.handle = call.n.new_handle;
	if (r >= 0)
		return file_install(call.new, call.new->vcpu ?: f->vcpu);
	file_free(call.new, false);
	return r;
}

/* ---------------------------------------------- client's operations -- */

static long set_sigmask(struct ksplit_file *f, struct kvm_signal_mask __user *arg)
{
	sigset_t set;
	u32 len;

	if (arg) {
		if (get_user(len, &arg->len) || copy_from_user(&set, arg->sigset, sizeof(set)))
			return -EFAULT;
		if (len != sizeof(set))
			return -EINVAL;
		f->sigset = set;
		sigdelsetmask(&f->sigset, sigmask(SIGKILL) | sigmask(SIGSTOP));
	}
	f->sigset_active = arg;
	return 0;
}

/* The signal mask as upstream's kvm_sigset_activate() does it. */
static long run(struct ksplit_file *f)
{
	bool sigset = f->sigset_active;
	long r;

	if (sigset)
		sigprocmask(SIG_SETMASK, &f->sigset, &current->real_blocked);
	ksplit_count(calls_run);
	r = forward(f, KSPLIT_OP_IOCTL, KVM_RUN, current->sched_info.run_delay, NULL, 0);
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
	if (f->vcpu && cmd == KVM_RUN)
		return arg ? -EINVAL : run(f);
	if (f->vcpu && cmd == KVM_SET_SIGNAL_MASK)
		return set_sigmask(f, argp);
	if (!f->vm && cmd == KVM_GET_VCPU_MMAP_SIZE)
		return arg ? -EINVAL : 3 * PAGE_SIZE;
	return forward(f, KSPLIT_OP_IOCTL, cmd, arg, argp, min(_IOC_SIZE(cmd), KSPLIT_PREFETCH_MAX));
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
	struct page *pages[3];		/* kvm_run, PIO data, coalesced ring */

	if (!f->vcpu)
		return -ENODEV;
	if (vma->vm_pgoff >= KVM_DIRTY_LOG_PAGE_OFFSET)
		return ksplit_vcpu_mmap(f->vcpu, vma);
	pages[0] = virt_to_page(f->chan->kvm_run);
	pages[1] = pages[0] + 1;
	pages[2] = virt_to_page(f->vm->ring);
	return vm_map_pages(vma, pages, ARRAY_SIZE(pages));
}

static int client_open(struct inode *inode, struct file *file)
{
	struct ksplit_session *session = ksplit_tenant_take(file->f_cred->fsuid);
	struct ksplit_file *f;

	if (IS_ERR(session))
		return PTR_ERR(session);
	f = file_alloc(session, KSPLIT_FILE_SYSTEM);
	if (!f)
		ksplit_channel_close(&session->chan);
	ksplit_session_put(session);
	file->private_data = f;
	return f ? 0 : -ENOMEM;
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

/* Parameters of kvm and kvm_intel, read-only, for tools that look there. */
#define PARAM(module, name, type, value) \
	__module_param_call(module ".", name, &param_ops_##type, &value, 0444, -1, 0)

static bool yes, no;

PARAM("kvm", enable_pmu, bool, no);
PARAM("kvm", force_emulation_prefix, byte, no);
PARAM("kvm_intel", enable_apicv, bool, no);
PARAM("kvm_intel", ept, bool, yes);
PARAM("kvm_intel", nested, bool, yes);
PARAM("kvm_intel", unrestricted_guest, bool, yes);
PARAM("kvm_intel", vpid, bool, yes);

/**
 * ksplit_front_init() - Make /dev/kvm-split and /dev/kvm
 *
 * Called once the back is ready to run guests.
 *
 * /dev/kvm is a misc device as upstream's, for its name, number and sysfs directory.  But
 * misc_open() holds a lock of all misc devices over ->open(), which here waits
 * for a worker: the more specific cdev of the same number comes first.
 *
 * Return: 0 or -errno.
 */
int __init ksplit_front_init(void)
{
	/*
	 * What guests get, whatever the command line said: the stub needs EPT,
	 * VPID and unrestricted guest, and offers no worker the APICv controls.
	 */
	yes = true;
	no = false;
	cdev_init(&kvm_cdev, &client_fops);
	return misc_register(&ksplit_control_dev) ?:
	       cdev_add(&kvm_cdev, MKDEV(MISC_MAJOR, KVM_MINOR), 1) ?: misc_register(&kvm_dev);
}
