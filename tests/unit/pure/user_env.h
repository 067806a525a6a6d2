/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's names that pure/env.h takes from the kernel, on libc; those of
 * the processor are the kernel's own.
 */
#ifndef TESTS_PURE_USER_ENV_H
#define TESTS_PURE_USER_ENV_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <linux/types.h>
#include <linux/ioctl.h>
#include <linux/kvm.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#ifndef PAGE_SIZE
#define PAGE_SHIFT	12
#define PAGE_SIZE	(1ul << PAGE_SHIFT)
#endif

#define PAGE_MASK	(~(PAGE_SIZE - 1))

#define BIT(n)			(1ul << (n))
#define BIT_ULL(n)		(1ull << (n))
#define GENMASK(h, l)		((~0ul << (l)) & (~0ul >> (63 - (h))))
#define GENMASK_ULL(h, l)	((~0ull << (l)) & (~0ull >> (63 - (h))))
#define __aligned(n)		__attribute__((__aligned__(n)))
#define WARN_ON_ONCE(x)		((void)(x))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define array_index_nospec(i, n)	((i) < (n) ? (i) : 0)
#define READ_ONCE(x)		(*(volatile __typeof__(x) *)&(x))
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define fallthrough		__attribute__((__fallthrough__))

#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/vmx.h>

/* The tree's, for a libc older than the tree. */
#ifndef KVM_EXIT_NOTIFY
#define KVM_EXIT_NOTIFY		37
#endif
#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT	39
#endif

#endif /* TESTS_PURE_USER_ENV_H */
