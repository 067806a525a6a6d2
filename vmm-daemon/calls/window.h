/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Windows: where a VM's memory slots lie in the worker.  Plain C.
 */
#ifndef KSPLIT_WINDOW_H
#define KSPLIT_WINDOW_H

#include <linux/types.h>

struct vmm_call;

int ksplit_window_init(__u64 limit);
/* Most guest memory, bytes. */
extern __u64 ksplit_window_most;

/* May there be so many bytes more? 0 or a negative errno; NULL: nobody is asked. */
extern int (*ksplit_ask_memory)(__u64 more);
/* There are so many less. */
extern void (*ksplit_freed_memory)(__u64 less);

int ksplit_window_prepare(int vm, struct vmm_call *call);
void ksplit_window_finish(int vm, struct vmm_call *call, long result);
void ksplit_window_drop_vm(int vm);
int ksplit_window_find(__u64 addr);

#endif /* KSPLIT_WINDOW_H */
