// SPDX-License-Identifier: GPL-2.0-only
/*
 * Client memory: the arguments of the call that this thread serves.
 *
 * Invariant: the client sees the same bytes, in the same order per address, as
 * if every access had gone to its memory at once.  Reads come from the
 * prefetched argument where they can; writes to the argument are kept back in
 * one growing prefix and travel with the reply.
 */
#include <errno.h>
#include <string.h>

#include "calls/call.h"
#include "ksplit_uaccess.h"

static __thread struct vmm_call *current_call;

/**
 * vmm_call_current() - the call that the calling thread serves
 *
 * Return: the call, or NULL in a thread that serves none (timers, work).
 */
struct vmm_call *vmm_call_current(void)
{
	return current_call;
}

/**
 * vmm_call_set() - enter or leave a call
 * @call:	the call, NULL to leave
 */
void vmm_call_set(struct vmm_call *call)
{
	current_call = call;
}

static int copy(const struct vmm_call *call, __u64 client, void *local,
		__u64 len, int write)
{
	char *p = local;

	if (call->no_copy || call->op != KSPLIT_OP_IOCTL)
		return -EFAULT;

	while (len) {
		struct ksplit_copy c = {
			.call = call->id,
			.client = client,
			.local = (__u64)(unsigned long)p,
			.len = len < KSPLIT_COPY_MAX ? len : KSPLIT_COPY_MAX,
			.write = write,
		};
		int r = ksplit_ops->copy(call->fd, &c);

		if (r == -EINTR)
			continue;
		if (r < 0)
			return r;
		client += c.len;
		p += c.len;
		len -= c.len;
	}
	return 0;
}

/* Lay what the call has written so far over bytes read from the client. */
static void overlay(const struct vmm_call *call, unsigned char *to,
		    __u64 client, __u64 len)
{
	__u64 end = call->base + call->out_len;
	__u64 from = client > call->base ? client : call->base;
	__u64 till = client + len < end ? client + len : end;

	if (from < till)
		memcpy(to + (from - client), call->out + (from - call->base),
		       till - from);
}

/**
 * ksplit_client_read() - read argument bytes of the call in progress
 * @to:		worker address
 * @client:	client address
 * @len:	bytes
 *
 * Context: any thread; -EFAULT in one that serves no call, and during KVM_RUN.
 * Return: 0, -EFAULT, or -EPERM where the stub's table does not let the worker
 * look.
 */
int ksplit_client_read(void *to, __u64 client, __u64 len)
{
	const struct vmm_call *call = current_call;
	__u64 off;

	if (!len)
		return 0;
	if (!call || call->no_copy || client + len < client)
		return -EFAULT;

	off = client - call->base;
	if (client >= call->base && off < call->prefetched &&
	    len <= call->prefetched - off) {
		memcpy(to, call->in + off, len);
	} else {
		int r = copy(call, client, to, len, 0);

		if (r < 0)
			return r;
	}
	overlay(call, to, client, len);
	return 0;
}

/**
 * ksplit_client_write() - write argument bytes of the call in progress
 * @client:	client address
 * @from:	worker address
 * @len:	bytes
 *
 * What lies inside the argument and adjoins what was written before is kept for
 * the reply; anything else goes to the client now.
 *
 * Context: as ksplit_client_read().
 * Return: 0, -EFAULT, or -EPERM.
 */
int ksplit_client_write(__u64 client, const void *from, __u64 len)
{
	struct vmm_call *call = current_call;
	__u64 off, size;

	if (!len)
		return 0;
	if (!call || call->no_copy || client + len < client)
		return -EFAULT;

	size = call->size < KSPLIT_OUT_MAX ? call->size : KSPLIT_OUT_MAX;
	off = client - call->base;
	if (client >= call->base && off <= call->out_len && len <= size - off &&
	    off <= size) {
		memcpy(call->out + off, from, len);
		if (call->out_len < off + len)
			call->out_len = off + len;
		return 0;
	}

	/*
	 * Straddles or lies outside.  Bytes that a later reply would cover
	 * must be in the reply's prefix as well.
	 */
	if (client < call->base + call->out_len && client + len > call->base) {
		__u64 lo = client > call->base ? client : call->base;
		__u64 hi = call->base + call->out_len;

		if (hi > client + len)
			hi = client + len;
		memcpy(call->out + (lo - call->base),
		       (const char *)from + (lo - client), hi - lo);
	}
	return copy(call, client, (void *)from, len, 1);
}
