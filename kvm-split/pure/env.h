/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What pure/ stands on: the kernel's own headers in the kernel; in the tests
 * those about the processor, and the other few names on libc.  Nothing in pure/
 * includes anything else.
 */
#ifndef KSPLIT_PURE_ENV_H
#define KSPLIT_PURE_ENV_H

#ifdef __KERNEL__

#include <linux/types.h>
#include <linux/compiler.h>
#include <asm/barrier.h>
#include <linux/kernel.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/nospec.h>
#include <linux/string.h>
#include <linux/kvm.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/vmx.h>

#else

#include "user_env.h"	/* of the tests */

#endif

#include "../uapi/kvm_split.h"

#endif /* KSPLIT_PURE_ENV_H */
