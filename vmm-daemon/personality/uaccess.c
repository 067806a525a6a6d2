// SPDX-License-Identifier: GPL-2.0-only
/*
 * User memory, checked kind: the arguments of the client's ioctl.
 *
 * Invariant: a checked accessor never dereferences the address it is given; it
 * names memory of another process.  Guest memory is reached by the unchecked
 * accessors only, which are plain instructions with exception-table entries
 * (uaccess_asm.S, and inline in KVM's own objects).  tests/unit/uaccess holds
 * the tree to it.
 */
#include <linux/compat.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ksplit_uaccess.h"

unsigned long _copy_from_user(void *to, const void __user *from, unsigned long n)
{
	if (!ksplit_client_read(to, (unsigned long)from, n))
		return 0;
	memset(to, 0, n);
	return n;
}

unsigned long _copy_to_user(void __user *to, const void *from, unsigned long n)
{
	return ksplit_client_write((unsigned long)to, from, n) ? n : 0;
}

/*
 * get_user() and put_user() of 1, 2, 4 and 8 bytes; the entry points with the
 * kernel's register convention are in uaccess_asm.S.
 */
long ksplit_get_user(unsigned long addr, u64 *ret_value, unsigned long size)
{
	*ret_value = 0;
	return ksplit_client_read(ret_value, addr, size) ? -EFAULT : 0;
}

long ksplit_put_user(unsigned long addr, u64 value, unsigned long size)
{
	return ksplit_client_write(addr, &value, size) ? -EFAULT : 0;
}

void *memdup_user(const void __user *src, size_t len)
{
	void *p = kmalloc(len, GFP_USER | __GFP_NOWARN);

	if (!p)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(p, src, len)) {
		kfree(p);
		return ERR_PTR(-EFAULT);
	}
	return p;
}

void *vmemdup_user(const void __user *src, size_t len)
{
	void *p = kvmalloc(len, GFP_USER);

	if (!p)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(p, src, len)) {
		kvfree(p);
		return ERR_PTR(-EFAULT);
	}
	return p;
}

#ifdef CONFIG_COMPAT
int get_compat_sigset(sigset_t *set, const compat_sigset_t __user *compat)
{
	/* The words of a 64-bit set are its compat words in order. */
	return copy_from_user(set, compat, sizeof(*set)) ? -EFAULT : 0;
}
#endif

/*
 * Guest memory, not to be slept for.  The fault handler sees that page faults
 * are disabled and asks the stub for what is resident only.
 */
long copy_to_user_nofault(void __user *dst, const void *src, size_t size)
{
	unsigned long left;

	pagefault_disable();
	left = __copy_to_user_inatomic(dst, src, size);
	pagefault_enable();
	return left ? -EFAULT : 0;
}

void __copy_overflow(int size, unsigned long count)
{
	WARN(1, "Buffer overflow detected (%d < %lu)!\n", size, count);
}

/* For the fault handler: may this thread sleep for a guest page now? */
int ksplit_may_sleep_in_fault(void)
{
	return !faulthandler_disabled();
}
