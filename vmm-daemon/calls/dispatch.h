/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Serving the client's ioctls.  Plain C.
 */
#ifndef KSPLIT_DISPATCH_H
#define KSPLIT_DISPATCH_H

#include <linux/types.h>

struct vmm_call;

long vmm_call_ioctl(struct vmm_call *call, __u64 arg);

/* A kernel-internal result as a client may see it. */
long ksplit_result(long result);

/* The worker's: may the client have a VM? 0 or a negative errno; NULL: nobody is asked. */
extern int (*ksplit_ask_vm)(void);

/* The worker's: KVM_CREATE_VCPU, on a thread of the vCPU's own.  Set before calls come. */
extern long (*ksplit_create_vcpu)(struct vmm_call *call, __u64 id);

#endif /* KSPLIT_DISPATCH_H */
