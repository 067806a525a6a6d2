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

static const struct file_operations ksplit_client_fops;

/* ------------------------------------------------ client's objects -- */

static struct ksplit_file *ksplit_file_alloc(struct ksplit_session *session, enum ksplit_kind kind)
{
	struct ksplit_file *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return NULL;
	kref_get(&session->ref);
	atomic_inc(&session->files);
	f->session = session;
	f->chan = &session->chan;
	f->kind = kind;
	return f;
}

/* @told: the worker knows the file, and is to hear that it is gone. */
static void ksplit_file_free(struct ksplit_file *f, bool told)
{
	struct ksplit_call *news;

	if (told) {
		/* What cannot fail must not, and this is small. */
		news = kzalloc(sizeof(*news), GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
		news->n.op = KSPLIT_OP_RELEASE;
		news->n.kind = f->kind;
		news->n.handle = f->handle;
		if (!ksplit_call_queue(f->chan, news))
			kfree(news);
	}
	if (atomic_dec_and_test(&f->session->files))
		ksplit_session_end(f->session);
	if (!IS_ERR_OR_NULL(f->vcpu))
		ksplit_vcpu_put(f->vcpu);
	if (!IS_ERR_OR_NULL(f->vm))
		ksplit_vm_put(f->vm);
	ksplit_session_put(f->session);
	kfree(f);
}

static int ksplit_client_release(struct inode *inode, struct file *file)
{
	ksplit_file_free(file->private_data, true);
	return 0;
}

/* A descriptor for what a call made, or an error and no file. */
static long ksplit_file_install(struct ksplit_file *f, const struct ksplit_vcpu *vcpu)
{
	const char *stats = f->kind == KSPLIT_FILE_STATS ? "-stats" : "";
	struct file *file;
	char name[32];
	int fd;

	if (vcpu)
		snprintf(name, sizeof(name), "kvm-vcpu%s:%u", stats, vcpu->id);
	else
		snprintf(name, sizeof(name), "kvm-vm%s", stats);
	file = anon_inode_getfile_fmode(name, &ksplit_client_fops, f, O_RDWR, FMODE_PREAD);
	if (IS_ERR(file)) {
		ksplit_file_free(f, true);
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
static int ksplit_make_new(struct ksplit_call *call)
{
	struct ksplit_file *new, *f = call->f;
	enum ksplit_kind kind;

	if (f->kind == KSPLIT_FILE_SYSTEM && call->n.cmd == KVM_CREATE_VM)
		kind = KSPLIT_FILE_VM;
	else if (f->kind == KSPLIT_FILE_VM && call->n.cmd == KVM_CREATE_VCPU)
		kind = KSPLIT_FILE_VCPU;
	else if (f->vm && call->n.cmd == KVM_GET_STATS_FD)
		kind = KSPLIT_FILE_STATS;
	else
		return 0;
	new = ksplit_file_alloc(f->session, kind);
	if (!new)
		return -ENOMEM;
	call->new = new;
	if (kind == KSPLIT_FILE_VM) {
		new->vm = ksplit_vm_create(f->session, current->mm);
		if (IS_ERR(new->vm))
			return PTR_ERR(new->vm);
		/* What bounds the client bounds its worker, too. */
		return cgroup_follow(current, f->session->worker, true);
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

/*
 * What the session's last call lowered is low: its worker need not hear of it
 * again.  QEMU does that twice, and a UART at each character.
 */
static int ksplit_set_line(struct ksplit_call *call)
{
	const struct kvm_irq_level *line = (void *)call->in;
	struct kvm_irq_level *answer = (void *)call->out;
	struct ksplit_channel *chan = call->f->chan;
	struct ksplit_vm *vm = call->f->vm;
	int r;

	scoped_guard(spinlock, &chan->lock) {
		if (vm->low_id == chan->next_id && !memcmp(&vm->low_line, line, sizeof(*line))) {
			*answer = vm->low_answer;
			call->n.out_len = sizeof(*answer);
			return 0;
		}
	}
	r = ksplit_call_serve(call);
	guard(spinlock)(&chan->lock);
	if (!r && !line->level && !call->n.result && call->n.out_len == sizeof(*answer)) {
		vm->low_line = *line;
		vm->low_answer = *answer;
		vm->low_id = call->n.id;
	}
	return r;
}

/* A call on a VM, with what the stub has to know of memory slots. */
static int ksplit_vm_call(struct ksplit_call *call)
{
	struct ksplit_slot_change change = {};
	struct ksplit_vm *vm = call->f->vm;
	int r;

	switch (call->n.prefetched ? call->n.cmd : 0) {
	case KVM_SET_USER_MEMORY_REGION:
	case KVM_SET_USER_MEMORY_REGION2:
		/* The stub enters the slot itself: a window can be of nothing else. */
		change.mem = *(struct kvm_userspace_memory_region *)call->in;
		r = ksplit_slot_prepare(vm, &change);
		if (r)
			return r;
		r = ksplit_call_serve(call);
		ksplit_slot_finish(vm, &change, !r && !call->n.result);
		return r;
	case KVM_IRQ_LINE_STATUS:
		return ksplit_set_line(call);
	case KVM_GET_DIRTY_LOG:
		call->slot_pages = ksplit_slot_pages(vm, *(u32 *)call->in);
	}
	return ksplit_call_serve(call);
}

/*
 * Has the worker serve a new call.  @arg: ioctl argument, or file offset; @out: where
 * @size bytes, at most, of a reply go.
 */
static long ksplit_forward(struct ksplit_file *f, u32 op, u32 cmd, u64 arg, void __user *out, u32 size)
{
	/* The argument, and room for the answer. */
	u8 *data __free(kfree) = kmalloc(2 * size, GFP_KERNEL_ACCOUNT);
	struct ksplit_call call = {
		.f = f,
		.in = data,
		.out = data + size,
		.n = {
			.op = op,
			.cmd = cmd,
			.arg = arg,
			.len = size,
			.kind = f->kind,
			.handle = f->handle,
		},
	};
	long r;

	if (!data)
		return -ENOMEM;
	/* The argument is read once, if KVM reads it. */
	if (op == KSPLIT_OP_IOCTL && ksplit_arg_access(cmd) & KSPLIT_TO_WORKER &&
	    !copy_from_user(data, out, size)) {
		call.n.prefetched = size;
		if (ksplit_arg_read(cmd) < size)
			memset(data + ksplit_arg_read(cmd), 0, size - ksplit_arg_read(cmd));
	}
	r = ksplit_make_new(&call);
	if (!r && f->kind == KSPLIT_FILE_VM)
		r = ksplit_vm_call(&call);
	else if (!r)
		r = ksplit_call_serve(&call);
	if (!r)
		r = call.n.result;
	if (call.n.out_len && copy_to_user(out, call.out, call.n.out_len))
		r = -EFAULT;
	if (!call.new)
		return r;
	call.new->handle = call.n.new_handle;
	if (r >= 0)
		return ksplit_file_install(call.new, call.new->vcpu ?: f->vcpu);
	ksplit_file_free(call.new, false);
	return r;
}

/* ---------------------------------------------- client's operations -- */

static long ksplit_set_sigmask(struct ksplit_file *f, struct kvm_signal_mask __user *arg)
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
static long ksplit_vcpu_call(struct ksplit_file *f)
{
	bool sigset = f->sigset_active;
	long r;

	if (sigset)
		sigprocmask(SIG_SETMASK, &f->sigset, &current->real_blocked);
	r = ksplit_forward(f, KSPLIT_OP_IOCTL, KVM_RUN, current->sched_info.run_delay, NULL, 0);
	if (sigset) {
		sigprocmask(SIG_SETMASK, &current->real_blocked, NULL);
		sigemptyset(&current->real_blocked);
	}
	return r;
}

/* What two threads ask of one vCPU, its worker's thread takes in turn. */
static long ksplit_client_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ksplit_file *f = file->private_data;
	void __user *argp = (void __user *)arg;

	if (f->vm && (f->vm->owner != current->mm || READ_ONCE(f->vm->dead)))
		return -EIO;
	if (f->vcpu && cmd == KVM_RUN)
		return arg ? -EINVAL : ksplit_vcpu_call(f);
	if (f->vcpu && cmd == KVM_SET_SIGNAL_MASK)
		return ksplit_set_sigmask(f, argp);
	if (!f->vm && cmd == KVM_GET_VCPU_MMAP_SIZE)
		return arg ? -EINVAL : KSPLIT_RUN_SIZE;
	return ksplit_forward(f, KSPLIT_OP_IOCTL, cmd, arg, argp, min(_IOC_SIZE(cmd), KSPLIT_PREFETCH_MAX));
}

static ssize_t ksplit_client_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct ksplit_file *f = file->private_data;
	ssize_t r;

	if (f->kind != KSPLIT_FILE_STATS)
		return -EINVAL;
	r = ksplit_forward(f, KSPLIT_OP_READ, 0, *pos, buf, min(size, KSPLIT_PREFETCH_MAX));
	if (r > 0)
		*pos += r;
	return r;
}

/* The pages of a vCPU, as upstream has them, each the stub's. */
static vm_fault_t ksplit_client_fault(struct vm_fault *vmf)
{
	struct ksplit_file *f = vmf->vma->vm_file->private_data;
	struct page *page = NULL;

	if (vmf->pgoff == KVM_COALESCED_MMIO_PAGE_OFFSET)
		page = virt_to_page(f->vm->ring);
	else if (vmf->pgoff < KVM_COALESCED_MMIO_PAGE_OFFSET)
		page = virt_to_page(f->chan->kvm_run) + vmf->pgoff;
	else if (vmf->pgoff >= KVM_DIRTY_LOG_PAGE_OFFSET)
		page = ksplit_vcpu_ring_page(f->vcpu, vmf->pgoff - KVM_DIRTY_LOG_PAGE_OFFSET);
	if (!page)
		return VM_FAULT_SIGBUS;
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct ksplit_client_vm_ops = {
	.fault = ksplit_client_fault,
};

static int ksplit_client_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ksplit_file *f = file->private_data;

	if (!f->vcpu)
		return -ENODEV;
	/* A dirty ring is for its owner to read and write, nothing else. */
	if (READ_ONCE(f->vcpu->ring) && (vma->vm_flags & (VM_SHARED | VM_EXEC)) != VM_SHARED &&
	    vma->vm_pgoff + vma_pages(vma) > KVM_DIRTY_LOG_PAGE_OFFSET)
		return -EINVAL;
	vma->vm_ops = &ksplit_client_vm_ops;
	return 0;
}

static int ksplit_client_open(struct inode *inode, struct file *file)
{
	struct ksplit_session *session = ksplit_tenant_take(file->f_cred);
	struct ksplit_file *f;

	if (IS_ERR(session))
		return PTR_ERR(session);
	f = ksplit_file_alloc(session, KSPLIT_FILE_SYSTEM);
	if (!f)
		ksplit_session_end(session);
	ksplit_session_put(session);
	file->private_data = f;
	return f ? 0 : -ENOMEM;
}

static const struct file_operations ksplit_client_fops = {
	.open = ksplit_client_open,		/* of /dev/kvm only */
	.release = ksplit_client_release,
	.unlocked_ioctl = ksplit_client_ioctl,
	.read = ksplit_client_read,
	.mmap = ksplit_client_mmap,
	.llseek = noop_llseek,
};

static struct miscdevice ksplit_kvm_dev = {
	.minor = KVM_MINOR,
	.name = "kvm",
	.fops = &ksplit_client_fops,
};

static struct cdev ksplit_kvm_cdev;

/* --------------------------------------------- module parameters -- */

/*
 * Parameters of kvm and kvm_intel, read-only, for tools that look there.  They
 * tell what guests get: the stub needs EPT, VPID and unrestricted guest, and
 * offers workers the APICv controls that the processor has.  "nested" alone is the
 * operator's to say: the launcher looks here, and logs what has no effect.
 */
#define KSPLIT_PARAM(module, name, type, value) \
	__module_param_call(module ".", name, &param_ops_##type, &value, 0444, -1, 0)

static bool ksplit_yes, ksplit_no, ksplit_nested = true, ksplit_apicv;

KSPLIT_PARAM("kvm", enable_pmu, bool, ksplit_no);
KSPLIT_PARAM("kvm", force_emulation_prefix, byte, ksplit_no);
KSPLIT_PARAM("kvm_intel", enable_apicv, bool, ksplit_apicv);
KSPLIT_PARAM("kvm_intel", ept, bool, ksplit_yes);
KSPLIT_PARAM("kvm_intel", nested, bool, ksplit_nested);
KSPLIT_PARAM("kvm_intel", unrestricted_guest, bool, ksplit_yes);
KSPLIT_PARAM("kvm_intel", vpid, bool, ksplit_yes);

/*
 * Makes /dev/kvm-split and /dev/kvm once the back is ready to run guests.
 *
 * /dev/kvm is a misc device as upstream's, for its name, number, sysfs directory
 * and uevent.  But misc_open() holds the lock of all misc devices over ->open(),
 * which here waits for a worker, so that it would keep everybody from opening
 * /dev/fuse or /dev/net/tun meanwhile.  chrdev_open() takes the most specific
 * cdev of a number: this one comes before misc's, and nothing else of misc_open()
 * is missed.
 */
static int __init ksplit_front_init(void)
{
	int r;

	if (!ksplit_info.abi_version)
		return 0;
	/* Whatever the command line said. */
	ksplit_yes = true;
	ksplit_no = false;
	ksplit_apicv = ksplit_hw.ctl[KSPLIT_CTL_PIN].allowed1 & PIN_BASED_POSTED_INTR;
	cdev_init(&ksplit_kvm_cdev, &ksplit_client_fops);
	r = misc_register(&ksplit_control_dev);
	if (!r)
		r = cdev_add(&ksplit_kvm_cdev, MKDEV(MISC_MAJOR, KVM_MINOR), 1);
	if (!r)
		r = misc_register(&ksplit_kvm_dev);
	if (!r)
		pr_info("kvm-split: ready, ABI %u\n", KSPLIT_ABI_VERSION);
	return r;
}
late_initcall_sync(ksplit_front_init);
