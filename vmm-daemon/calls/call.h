/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The client's call that a thread is serving, and the client's memory as seen
 * through it.  Plain C: kernel-side and host-side files both include this.
 */
#ifndef KSPLIT_CALL_H
#define KSPLIT_CALL_H

#include "seam/ksplit_ops.h"

/* Most bytes that the stub takes with a reply; more go by copy. */
#define KSPLIT_OUT_MAX		KSPLIT_PREFETCH_MAX

/*
 * A read() has no address that the worker may know.  Its buffer gets this one,
 * which is never asked of the stub.
 */
#define KSPLIT_READ_BASE	0x100000000000ULL

/**
 * struct vmm_call - a call in progress, owned by the thread that serves it
 * @fd:		session or vCPU that it came from
 * @id:		the stub's name of the call, 0 before the first one
 * @base:	client address of the argument (KSPLIT_READ_BASE for a read)
 * @size:	bytes at @base that the call may write with its reply
 * @handle:	file that the call is on
 * @op:		enum ksplit_op
 * @cmd:	ioctl number
 * @kind:	enum ksplit_kind of the file
 * @prefetched:	bytes of the argument present in @in
 * @no_copy:	the client's memory is out of reach (KVM_RUN)
 * @back_fd:	stub object that belongs to the file which this call creates,
 *		-1: none
 * @in:		the argument's first bytes, private to the worker
 * @out:	bytes for the client at @base; a prefix of length @out_len is used
 * @out_len:	how many
 * @new_kind:	enum ksplit_kind of the file that the call created
 * @new_handle:	its handle
 */
struct vmm_call {
	int fd;
	__u64 id;
	__u64 base;
	__u64 size;
	__u64 handle;
	__u32 op;
	__u32 cmd;
	__u32 kind;
	__u32 prefetched;
	int no_copy;
	int back_fd;
	unsigned char *in;
	unsigned char *out;
	__u32 out_len;
	__u32 new_kind;
	__u64 new_handle;
};

struct vmm_call *vmm_call_current(void);
void vmm_call_set(struct vmm_call *call);

#endif /* KSPLIT_CALL_H */
