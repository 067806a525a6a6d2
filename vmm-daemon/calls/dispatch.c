// SPDX-License-Identifier: GPL-2.0-only
/*
 * The client's ioctls that are more than a call of KVM's handler, and the
 * capabilities of upstream KVM that this version does not have.
 *
 * Invariant: what is not available reads 0 in KVM_CHECK_EXTENSION, and enabling
 * it anyway gives the error of a KVM without it.
 */
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kvm.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "calls/call.h"
#include "calls/dispatch.h"

/* Each with the reason; docs/compat.md repeats them for users. */
static const u32 caps_off[] = {
	/* Reads the client's memory while a vCPU runs. */
	KVM_CAP_XEN_HVM,
	/* The stub, not KVM, brings the owner's pages in. */
	KVM_CAP_ASYNC_PF,
	KVM_CAP_ASYNC_PF_INT,
	/* Memory that is not the owner's. */
	KVM_CAP_GUEST_MEMFD,
	KVM_CAP_MEMORY_ATTRIBUTES,
	/* Descriptors other than eventfds. */
	KVM_CAP_SGX_ATTRIBUTE,
	KVM_CAP_VM_COPY_ENC_CONTEXT_FROM,
	KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM,
	/* No perf events in a worker. */
	KVM_CAP_PMU_EVENT_FILTER,
	KVM_CAP_PMU_EVENT_MASKED_EVENTS,
};

/* In each address space, so that both have room in the stub. */
#define SLOTS	(KSPLIT_MAX_SLOTS / 2)

static bool cap_is_off(unsigned long cap)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(caps_off); i++)
		if (caps_off[i] == cap)
			return true;
	return false;
}

/**
 * ksplit_treat() - how to serve an ioctl
 * @call:	the call
 * @arg:	its argument
 * @ret_answer:	the result if KVM is not to be asked
 *
 * Return: see enum ksplit_treat.
 */
enum ksplit_treat ksplit_treat(const struct ksplit_call *call,
			       unsigned long arg, long *ret_answer)
{
	u32 cap, slot;

	switch (call->cmd) {
	case KVM_CHECK_EXTENSION:
		if (call->kind != KSPLIT_FILE_SYSTEM &&
		    call->kind != KSPLIT_FILE_VM)
			break;
		if (!cap_is_off(arg) && arg != KVM_CAP_NR_MEMSLOTS)
			break;
		*ret_answer = arg == KVM_CAP_NR_MEMSLOTS ? SLOTS : 0;
		return KSPLIT_TREAT_ANSWERED;
	case KVM_ENABLE_CAP:
		if (call->prefetched < sizeof(cap))
			break;
		memcpy(&cap, call->in, sizeof(cap));
		if (!cap_is_off(cap))
			break;
		*ret_answer = -EINVAL;
		return KSPLIT_TREAT_ANSWERED;
	case KVM_CREATE_VM:
		if (call->kind == KSPLIT_FILE_SYSTEM)
			return KSPLIT_TREAT_CREATE_VM;
		break;
	case KVM_CREATE_VCPU:
		if (call->kind == KSPLIT_FILE_VM)
			return KSPLIT_TREAT_CREATE_VCPU;
		break;
	case KVM_SET_USER_MEMORY_REGION:
	case KVM_SET_USER_MEMORY_REGION2:
		if (call->kind != KSPLIT_FILE_VM)
			break;
		if (call->prefetched < sizeof(slot))
			return KSPLIT_TREAT_SLOT;
		memcpy(&slot, call->in, sizeof(slot));
		if ((u16)slot < SLOTS)
			return KSPLIT_TREAT_SLOT;
		*ret_answer = -EINVAL;
		return KSPLIT_TREAT_ANSWERED;
	case KVM_RUN:
		if (call->kind == KSPLIT_FILE_VCPU)
			return KSPLIT_TREAT_RUN;
		break;
	case KVM_SET_SIGNAL_MASK:
		/* The stub applies it to the client's thread. */
		if (call->kind != KSPLIT_FILE_VCPU)
			break;
		*ret_answer = 0;
		return KSPLIT_TREAT_ANSWERED;
	}
	return KSPLIT_TREAT_KVM;
}

/**
 * ksplit_result() - a result for the client
 * @result:	what KVM's handler returned
 *
 * Errors that only exist inside the kernel become what its system-call return
 * path, or the VFS, makes of them.
 *
 * Return: >= -511.
 */
long ksplit_result(long result)
{
	switch (result) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
	case -ERESTART_RESTARTBLOCK:
		return -EINTR;
	case -ENOIOCTLCMD:
		return -ENOTTY;
	case -ENOTSUPP:
		return -EOPNOTSUPP;
	}
	return result < -511 && result >= -MAX_ERRNO ? -EINVAL : result;
}
