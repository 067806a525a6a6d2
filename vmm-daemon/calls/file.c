// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files: what KVM believes to be descriptors of its user.
 *
 * KVM gets small numbers, the worker's handles.  A file that a call creates is
 * noted in that call, so that the reply can give the client a real descriptor,
 * which replaces the number.
 *
 * Invariant: a handle stands for one reference; the last reference runs KVM's
 * own release.  Once a VM's last file is gone its descriptors of the stub are
 * closed, and only then.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "calls/call.h"
#include "calls/eventfd.h"
#include "calls/file.h"
#include "calls/fpu.h"
#include "calls/window.h"
#include "common/stats_page.h"

/* One VM, its vCPUs, and a stats file of each: KVM's own limits are below. */
#define MAX_HANDLES	(4 * KVM_MAX_VCPUS)

/* A number that get_unused_fd_flags() gave away. */
#define RESERVED	((struct kfile *)1)

/**
 * struct kvm_files - what the stub's side of a VM hangs on
 * @list:	on vms
 * @kvm:	the VM, while @files is not 0
 * @fd:		the stub's VM descriptor
 * @files:	files of the VM, its vCPUs and their stats
 * @nr_vcpus:	used entries of @vcpu_fd
 * @vcpu_fd:	the stub's vCPU descriptors, which outlive the vCPUs' files
 */
struct kvm_files {
	struct list_head list;
	struct kvm *kvm;
	int fd;
	unsigned int files;
	unsigned int nr_vcpus;
	int vcpu_fd[2 * KVM_MAX_VCPUS];
};

/**
 * struct kfile - an open file
 * @file:	what KVM sees
 * @vm:		VM that it keeps alive, or NULL
 * @back_fd:	the stub's descriptor for it, -1: none
 * @kind:	enum ksplit_kind
 * @name:	anonymous inode name
 */
struct kfile {
	struct file file;
	struct kvm_files *vm;
	int back_fd;
	u32 kind;
	char name[32];
};

static DEFINE_SPINLOCK(lock);
static struct kfile *handles[MAX_HANDLES];
static unsigned int next_handle = 1;	/* 0 is the open of /dev/kvm */
static LIST_HEAD(vms);

static const struct file_operations *chardev_ops;
static struct file chardev;

/* --------------------------------------------------------- /dev/kvm ------ */

int misc_register(struct miscdevice *misc)
{
	if (chardev_ops)
		return -EBUSY;
	chardev_ops = misc->fops;
	chardev.f_op = chardev_ops;
	chardev.f_mode = FMODE_READ | FMODE_WRITE;
	atomic_long_set(&chardev.f_count, 1);
	return 0;
}

void misc_deregister(struct miscdevice *misc)
{
	chardev_ops = NULL;
}

/* ------------------------------------------------------------ files ------ */

static u32 kind_of(const char *name)
{
	if (!strcmp(name, "kvm-vm"))
		return KSPLIT_FILE_VM;
	if (!strncmp(name, "kvm-vcpu:", 9))
		return KSPLIT_FILE_VCPU;
	if (!strcmp(name, "kvm-vm-stats") ||
	    !strncmp(name, "kvm-vcpu-stats:", 15))
		return KSPLIT_FILE_STATS;
	return KSPLIT_FILE_DEVICE;
}

static struct kvm *kvm_of(const struct kfile *f)
{
	void *priv = f->file.private_data;

	switch (f->kind) {
	case KSPLIT_FILE_VM:
		return priv;
	case KSPLIT_FILE_VCPU:
		return ((struct kvm_vcpu *)priv)->kvm;
	case KSPLIT_FILE_STATS:
		return strcmp(f->name, "kvm-vm-stats") ?
			((struct kvm_vcpu *)priv)->kvm : priv;
	case KSPLIT_FILE_DEVICE:
		return ((struct kvm_device *)priv)->kvm;
	}
	return NULL;
}

/* Caller holds lock. */
static void show_counters(const struct kfile *f, bool show)
{
	const struct kvm_vcpu *vcpu = f->kind == KSPLIT_FILE_VCPU ? f->file.private_data : NULL;

	if (f->kind == KSPLIT_FILE_VM || vcpu)
		(show ? ksplit_stats_add : ksplit_stats_del)(kvm_of(f), vcpu);
}

static struct kfile *get(u64 handle);

/* Caller holds lock. */
static struct kvm_files *find_vm(const struct kvm *kvm)
{
	struct kvm_files *vm;

	list_for_each_entry(vm, &vms, list)
		if (vm->kvm == kvm)
			return vm;
	return NULL;
}

/* Caller holds lock.  Whether leave_vm() will close it. */
static bool add_vcpu_fd(struct kvm_files *vm, int fd)
{
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++)
		if (vm->vcpu_fd[i] == fd)
			return true;
	if (vm->nr_vcpus == ARRAY_SIZE(vm->vcpu_fd))
		return false;
	vm->vcpu_fd[vm->nr_vcpus++] = fd;
	return true;
}

/* Enter a new file with its VM; a VM's own file makes the entry. */
static int join_vm(struct kfile *f)
{
	struct kvm_files *vm, *new = NULL;
	unsigned long flags;

	if (f->kind == KSPLIT_FILE_VM) {
		new = kzalloc(sizeof(*new), GFP_KERNEL);
		if (!new)
			return -ENOMEM;
		new->kvm = kvm_of(f);
		new->fd = f->back_fd;
	}

	spin_lock_irqsave(&lock, flags);
	if (new)
		list_add(&new->list, &vms);
	vm = new ?: find_vm(kvm_of(f));
	if (vm) {
		vm->files++;
		if (f->kind == KSPLIT_FILE_VCPU && f->back_fd >= 0)
			add_vcpu_fd(vm, f->back_fd);
		show_counters(f, true);
	}
	f->vm = vm;
	spin_unlock_irqrestore(&lock, flags);
	return 0;
}

/**
 * ksplit_file_keep() - close a descriptor of the stub with the VM, not before
 * @handle:	a file of the VM
 * @fd:		the stub's vCPU that KVM did not want in the end
 *
 * Closing a vCPU ends the whole VM in the stub.
 */
void ksplit_file_keep(u64 handle, int fd)
{
	struct kfile *f = get(handle);
	unsigned long flags;
	bool kept = false;

	spin_lock_irqsave(&lock, flags);
	if (f && f->vm)
		kept = add_vcpu_fd(f->vm, fd);
	spin_unlock_irqrestore(&lock, flags);
	if (!kept)
		ksplit_ops->close(fd);
	if (f)
		fput(&f->file);
}

static void leave_vm(struct kvm_files *vm)
{
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&lock, flags);
	if (--vm->files) {
		spin_unlock_irqrestore(&lock, flags);
		return;
	}
	list_del(&vm->list);
	spin_unlock_irqrestore(&lock, flags);

	for (i = 0; i < vm->nr_vcpus; i++)
		ksplit_ops->close(vm->vcpu_fd[i]);
	if (vm->fd >= 0) {
		ksplit_window_drop_vm(vm->fd);
		ksplit_ops->close(vm->fd);
	}
	kfree(vm);
}

struct file *anon_inode_getfile(const char *name,
				const struct file_operations *fops,
				void *priv, int flags)
{
	struct vmm_call *call = vmm_call_current();
	struct kfile *f = kzalloc(sizeof(*f), GFP_KERNEL);
	int r;

	if (!f)
		return ERR_PTR(-ENOMEM);
	atomic_long_set(&f->file.f_count, 1);
	f->file.f_op = fops;
	f->file.private_data = priv;
	f->file.f_flags = flags & (O_ACCMODE | O_NONBLOCK);
	f->file.f_mode = OPEN_FMODE(flags);
	f->kind = kind_of(name);
	f->back_fd = -1;
	if (call && (f->kind == KSPLIT_FILE_VM || f->kind == KSPLIT_FILE_VCPU))
		f->back_fd = call->back_fd;
	strscpy(f->name, name, sizeof(f->name));
	r = join_vm(f);
	if (r) {
		kfree(f);
		return ERR_PTR(r);
	}
	return &f->file;
}

void fput(struct file *file)
{
	struct kfile *f;
	struct kvm_files *vm;
	unsigned long flags;

	if (!atomic_long_dec_and_test(&file->f_count))
		return;
	if (ksplit_eventfd_release(file))
		return;
	f = container_of(file, struct kfile, file);
	vm = f->vm;
	spin_lock_irqsave(&lock, flags);
	show_counters(f, false);
	spin_unlock_irqrestore(&lock, flags);
	if (file->f_op->release)
		file->f_op->release(NULL, file);
	kfree(f);
	if (vm)
		leave_vm(vm);
}

/* ---------------------------------------------------------- handles ------ */

int get_unused_fd_flags(unsigned int flags)
{
	unsigned long irq;
	unsigned int i, h;
	int r = -EMFILE;

	spin_lock_irqsave(&lock, irq);
	for (i = 0; i < MAX_HANDLES - 1; i++) {
		/* Round robin: a number is not used again soon. */
		h = next_handle;
		next_handle = h + 1 < MAX_HANDLES ? h + 1 : 1;
		if (!handles[h]) {
			handles[h] = RESERVED;
			r = h;
			break;
		}
	}
	spin_unlock_irqrestore(&lock, irq);
	return r;
}

void put_unused_fd(unsigned int fd)
{
	unsigned long irq;

	spin_lock_irqsave(&lock, irq);
	if (fd < MAX_HANDLES && handles[fd] == RESERVED)
		handles[fd] = NULL;
	spin_unlock_irqrestore(&lock, irq);
}

void fd_install(unsigned int fd, struct file *file)
{
	struct kfile *f = container_of(file, struct kfile, file);
	struct vmm_call *call = vmm_call_current();
	unsigned long irq;

	spin_lock_irqsave(&lock, irq);
	handles[fd] = f;
	spin_unlock_irqrestore(&lock, irq);

	if (call) {
		call->new_kind = f->kind;
		call->new_handle = fd;
	}
}

int anon_inode_getfd(const char *name, const struct file_operations *fops,
		     void *priv, int flags)
{
	struct file *file;
	int fd = get_unused_fd_flags(flags);

	if (fd < 0)
		return fd;
	file = anon_inode_getfile(name, fops, priv, flags);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}

/* With a reference; NULL if there is no such handle. */
static struct kfile *get(u64 handle)
{
	struct kfile *f = NULL;
	unsigned long irq;

	spin_lock_irqsave(&lock, irq);
	if (handle && handle < MAX_HANDLES && handles[handle] != RESERVED)
		f = handles[handle];
	if (f)
		get_file(&f->file);
	spin_unlock_irqrestore(&lock, irq);
	return f;
}

/*
 * A descriptor in an ioctl's argument is a number of the client's.  Only
 * eventfds can be had.
 */
struct fd fdget(unsigned int fd)
{
	struct file *file = ksplit_eventfd_file(fd);

	return file ? CLONED_FD(file) : EMPTY_FD;
}

struct file *fget(unsigned int fd)
{
	return ksplit_eventfd_file(fd);
}

/* ------------------------------------------------ the worker's calls ----- */

/**
 * ksplit_file_ioctl() - an ioctl of the client, on KVM's own file operations
 * @handle:	the file; 0: the open of /dev/kvm
 * @cmd:	ioctl number
 * @arg:	argument as the client gave it
 *
 * Context: a thread that is a CPU, in a call (vmm_call_set()).
 * Return: KVM's result, -EBADF for an unknown handle, -ENOTTY.
 */
long ksplit_file_ioctl(u64 handle, u32 cmd, u64 arg)
{
	struct kfile *f;
	struct file *file;
	long r = -ENOTTY;

	if (!handle)
		return chardev_ops ? chardev_ops->unlocked_ioctl(&chardev, cmd, arg)
				   : -ENODEV;

	f = get(handle);
	if (!f)
		return -EBADF;
	file = &f->file;
	if (f->kind == KSPLIT_FILE_VCPU)
		ksplit_fpu_before_ioctl(file->private_data, cmd);
	if (f->kind == KSPLIT_FILE_VM && cmd == KVM_RESET_DIRTY_RINGS)
		ksplit_ring_harvest(file->private_data);
	if (file->f_op->unlocked_ioctl)
		r = file->f_op->unlocked_ioctl(file, cmd, arg);
	if (f->kind == KSPLIT_FILE_VCPU) {
		struct kvm_vcpu *vcpu = file->private_data;

		ksplit_fpu_after_ioctl(vcpu, cmd, r);
		if (vcpu->dirty_ring.dirty_gfns)
			ksplit_ring_show(vcpu);
	}
	fput(file);
	return r;
}

/**
 * ksplit_file_read() - a pread of the client, which only stats files have
 * @handle:	the file
 * @offset:	file offset in bytes
 * @len:	bytes wanted
 *
 * The bytes end up in the call's @out.
 *
 * Context: as ksplit_file_ioctl().
 * Return: bytes, or a negative errno.
 */
long ksplit_file_read(u64 handle, u64 offset, u64 len)
{
	struct kfile *f = get(handle);
	loff_t pos = offset;
	long r = -EINVAL;

	if (!f)
		return -EBADF;
	if (f->file.f_op->read)
		r = f->file.f_op->read(&f->file,
				       (char __user *)KSPLIT_READ_BASE,
				       min_t(u64, len, KSPLIT_OUT_MAX), &pos);
	fput(&f->file);
	return r;
}

/**
 * ksplit_file_close() - the client's last reference to a file is gone
 * @handle:	the file
 */
void ksplit_file_close(u64 handle)
{
	struct kfile *f = NULL;
	unsigned long irq;

	spin_lock_irqsave(&lock, irq);
	if (handle && handle < MAX_HANDLES && handles[handle] != RESERVED) {
		f = handles[handle];
		handles[handle] = NULL;
	}
	spin_unlock_irqrestore(&lock, irq);
	if (f)
		fput(&f->file);
}

int ksplit_file_back_fd(u64 handle)
{
	struct kfile *f = get(handle);
	int fd = -ENOENT;

	if (f) {
		if (f->back_fd >= 0)
			fd = f->back_fd;
		fput(&f->file);
	}
	return fd;
}

int ksplit_file_vm_fd(u64 handle)
{
	struct kfile *f = get(handle);
	int fd = -ENOENT;

	if (f) {
		if (f->vm && f->vm->fd >= 0)
			fd = f->vm->fd;
		fput(&f->file);
	}
	return fd;
}

/**
 * ksplit_kvm_fd() - a VM's descriptor of the stub
 * @p:		struct kvm
 *
 * While KVM_CREATE_VM runs the VM has no file yet; its descriptor is the
 * call's.
 *
 * Context: any thread; takes a spinlock.
 * Return: the descriptor, or -ENOENT.
 */
int ksplit_kvm_fd(const void *p)
{
	struct vmm_call *call;
	struct kvm_files *vm;
	unsigned long irq;
	int fd = -ENOENT;

	spin_lock_irqsave(&lock, irq);
	vm = find_vm(p);
	if (vm)
		fd = vm->fd;
	spin_unlock_irqrestore(&lock, irq);
	if (vm)
		return fd;

	call = vmm_call_current();
	if (call && call->cmd == KVM_CREATE_VM && call->back_fd >= 0)
		return call->back_fd;
	return -ENOENT;
}

/**
 * ksplit_vcpu_run_pages() - make a vCPU's kvm_run and PIO pages adjacent
 * @handle:	the vCPU's file
 *
 * The client maps them as one area and the stub copies them as one; upstream
 * allocates them apart and puts them together in its mmap handler only.  Here
 * the pair is allocated as one block right after the vCPU was made and before
 * anybody else has the pointers.  KVM frees the two pages one by one, which
 * split_page() allows.
 *
 * The client's dirty ring is made here, too, if there is to be one.
 *
 * Context: the thread that created the vCPU, before its first call.
 * Return: the address, 0 without memory.
 */
u64 ksplit_vcpu_run_pages(u64 handle)
{
	struct kfile *f = get(handle);
	struct kvm_vcpu *vcpu;
	struct page *page;
	u64 addr = 0;
	void *p;

	if (!f)
		return 0;
	vcpu = f->kind == KSPLIT_FILE_VCPU ? f->file.private_data : NULL;
	page = vcpu && !ksplit_ring_make(vcpu) ? alloc_pages(GFP_KERNEL | __GFP_ZERO, 1) : NULL;
	if (page) {
		split_page(page, 1);
		p = page_address(page);
		memcpy(p, vcpu->run, PAGE_SIZE);
		memcpy(p + PAGE_SIZE, vcpu->arch.pio_data, PAGE_SIZE);
		free_page((unsigned long)vcpu->run);
		free_page((unsigned long)vcpu->arch.pio_data);
		vcpu->run = p;
		vcpu->arch.pio_data = p + PAGE_SIZE;
		addr = (u64)(unsigned long)p;
	}
	fput(&f->file);
	return addr;
}
