// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accessors of user memory, eventfds and files, used as KVM uses them; compiled
 * as kernel code, so that inline code and exception tables are the real ones.
 */
#include <linux/anon_inodes.h>
#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "fixture.h"

#define USER(addr)	((void __user *)(addr))

unsigned long fx_copy_from_user(void *to, unsigned long from, unsigned long n)
{
	return copy_from_user(to, USER(from), n);
}

unsigned long fx_copy_to_user(unsigned long to, const void *from,
			      unsigned long n)
{
	return copy_to_user(USER(to), from, n);
}

long fx_get_user4(unsigned long from, unsigned int *val)
{
	return get_user(*val, (unsigned int __user *)from);
}

long fx_get_user8(unsigned long from, unsigned long *val)
{
	return get_user(*val, (unsigned long __user *)from);
}

long fx_put_user4(unsigned long to, unsigned int val)
{
	return put_user(val, (unsigned int __user *)to);
}

long fx_put_user8(unsigned long to, unsigned long val)
{
	return put_user(val, (unsigned long __user *)to);
}

long fx_memdup_user(void *to, unsigned long from, unsigned long n)
{
	void *p = memdup_user(USER(from), n);

	if (IS_ERR(p))
		return PTR_ERR(p);
	memcpy(to, p, n);
	kfree(p);
	return 0;
}

unsigned long fx_raw_from(void *to, unsigned long from, unsigned long n)
{
	return __copy_from_user(to, USER(from), n);
}

unsigned long fx_raw_to(unsigned long to, const void *from, unsigned long n)
{
	return __copy_to_user(USER(to), from, n);
}

long fx_raw_get8(unsigned long from, unsigned long *val)
{
	return __get_user(*val, (unsigned long __user *)from);
}

long fx_raw_get4(unsigned long from, unsigned int *val)
{
	return __get_user(*val, (unsigned int __user *)from);
}

long fx_raw_put8(unsigned long to, unsigned long val)
{
	return __put_user(val, (unsigned long __user *)to);
}

long fx_unsafe_get8(unsigned long from, unsigned long *val)
{
	if (!user_access_begin(USER(from), 8))
		return -EFAULT;
	unsafe_get_user(*val, (unsigned long __user *)from, fault);
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

long fx_unsafe_put8(unsigned long to, unsigned long val)
{
	if (!user_access_begin(USER(to), 8))
		return -EFAULT;
	unsafe_put_user(val, (unsigned long __user *)to, fault);
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/* As emulator_try_cmpxchg_user(): 0 done, 1 another value, -EFAULT. */
long fx_cmpxchg8(unsigned long at, unsigned long *old, unsigned long new)
{
	return __try_cmpxchg_user((unsigned long __user *)at, old, new, fault);
}

long fx_nofault_to(unsigned long to, const void *from, unsigned long n)
{
	return copy_to_user_nofault(USER(to), from, n);
}

/* A real RDMSR, whose fault the table of exceptions turns into an error. */
long fx_rdmsr_safe(unsigned int msr)
{
	unsigned int lo, hi;
	long err = 0;

	asm volatile("1: rdmsr\n\t"
		     "2:\n\t"
		     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_RDMSR_SAFE, %[err])
		     : "=a" (lo), "=d" (hi), [err] "+r" (err) : "c" (msr));
	return (int)err;
}

/* As KVM's emulator divides: 1 if the division faulted. */
long fx_divide(unsigned long by)
{
	unsigned long a = 42, d = 0;
	long ex = 0;

	asm volatile("1: div %[by]\n\t"
		     "2:\n\t"
		     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_ONE_REG, %k[ex])
		     : "+a" (a), "+d" (d), [ex] "+r" (ex) : [by] "r" (by));
	return ex;
}

int fx_warn(int times)
{
	int i, said = 0;

	for (i = 0; i < times; i++)
		said += WARN_ON_ONCE(times > 0);
	return said;
}

void fx_bug(void)
{
	BUG();
}

/* ------------------------------------------------------------ eventfds --- */

struct fx_irqfd {
	struct eventfd_ctx *ctx;
	wait_queue_entry_t wait;
	poll_table pt;
	atomic_long_t wakes;
	atomic_long_t sum;
	atomic_long_t late;
	atomic_t gone;
};

void *fx_eventfd_get(int fd)
{
	struct eventfd_ctx *ctx = eventfd_ctx_fdget(fd);

	return IS_ERR(ctx) ? NULL : ctx;
}

void fx_eventfd_put(void *ctx)
{
	eventfd_ctx_put(ctx);
}

void fx_eventfd_signal(void *ctx)
{
	eventfd_signal(ctx);
}

static int wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync,
		  void *key)
{
	struct fx_irqfd *irqfd = container_of(wait, struct fx_irqfd, wait);
	u64 count;

	if (!(key_to_poll(key) & EPOLLIN))
		return 0;
	if (atomic_read(&irqfd->gone))
		atomic_long_inc(&irqfd->late);
	eventfd_ctx_do_read(irqfd->ctx, &count);
	atomic_long_add(count, &irqfd->sum);
	atomic_long_inc(&irqfd->wakes);
	return 1;
}

static void queue_proc(struct file *file, wait_queue_head_t *wqh,
		       poll_table *pt)
{
	struct fx_irqfd *irqfd = container_of(pt, struct fx_irqfd, pt);

	add_wait_queue_priority(wqh, &irqfd->wait);
}

struct fx_irqfd *fx_irqfd_assign(int fd)
{
	struct fx_irqfd *irqfd = kzalloc(sizeof(*irqfd), GFP_KERNEL);
	struct fd f = fdget(fd);

	if (!fd_file(f))
		goto free;
	irqfd->ctx = eventfd_ctx_fileget(fd_file(f));
	if (IS_ERR(irqfd->ctx))
		goto put;
	init_waitqueue_func_entry(&irqfd->wait, wakeup);
	init_poll_funcptr(&irqfd->pt, queue_proc);
	vfs_poll(fd_file(f), &irqfd->pt);
	fdput(f);
	return irqfd;
put:
	fdput(f);
free:
	kfree(irqfd);
	return NULL;
}

unsigned long fx_irqfd_wakes(struct fx_irqfd *irqfd)
{
	return atomic_long_read(&irqfd->wakes);
}

unsigned long fx_irqfd_sum(struct fx_irqfd *irqfd)
{
	return atomic_long_read(&irqfd->sum);
}

unsigned long fx_irqfd_late(struct fx_irqfd *irqfd)
{
	return atomic_long_read(&irqfd->late);
}

void fx_irqfd_deassign(struct fx_irqfd *irqfd)
{
	u64 count;

	eventfd_ctx_remove_wait_queue(irqfd->ctx, &irqfd->wait, &count);
	atomic_long_add(count, &irqfd->sum);
	atomic_set(&irqfd->gone, 1);
}

void fx_irqfd_free(struct fx_irqfd *irqfd)
{
	eventfd_ctx_put(irqfd->ctx);
	kfree(irqfd);
}

/* --------------------------------------------------------------- files --- */

static int released;

static int fx_release(struct inode *inode, struct file *file)
{
	released++;
	return 0;
}

static long fx_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return cmd + arg;
}

static ssize_t fx_read(struct file *file, char __user *buf, size_t size,
		       loff_t *pos)
{
	char data[8] = "abcdefg";
	size_t n = min_t(size_t, size, sizeof(data) - *pos);

	return copy_to_user(buf, data + *pos, n) ? -EFAULT : n;
}

static const struct file_operations fx_fops = {
	.release = fx_release,
	.unlocked_ioctl = fx_ioctl,
	.read = fx_read,
};

int fx_file_create(const char *name)
{
	/* private_data is a device's struct kvm_device: ->kvm is first looked at. */
	static long device[64];

	return anon_inode_getfd(name, &fx_fops, device, O_RDWR | O_CLOEXEC);
}

int fx_file_released(void)
{
	return released;
}
