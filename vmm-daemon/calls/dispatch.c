// SPDX-License-Identifier: GPL-2.0-only
/*
 * The client's ioctls: KVM's handlers, and what is more than a call of one; and
 * the capabilities of upstream KVM that this version does not have.
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
#include "calls/eventfd.h"
#include "calls/file.h"
#include "calls/window.h"
#include "personality.h"

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

static long check_extension(struct vmm_call *call, u64 cap)
{
	if (cap == KVM_CAP_NR_MEMSLOTS)
		return SLOTS;
	return cap_is_off(cap) ? 0 : ksplit_file_ioctl(call->handle, call->cmd, cap);
}

static long enable_cap(struct vmm_call *call, u64 arg)
{
	u32 cap;

	if (call->prefetched >= sizeof(cap)) {
		memcpy(&cap, call->in, sizeof(cap));
		if (cap_is_off(cap))
			return -EINVAL;
	}
	return ksplit_file_ioctl(call->handle, call->cmd, arg);
}

int (*ksplit_ask_vm)(void);

/* With the VM that the stub has made. */
static long create_vm(struct vmm_call *call, u64 type)
{
	long r = ksplit_ask_vm ? ksplit_ask_vm() : 0;

	if (r)
		return r;
	call->back_fd = ksplit_ops->create_vm(call->id);
	if (call->back_fd < 0)
		return call->back_fd;
	r = ksplit_file_ioctl(call->handle, call->cmd, type);
	if (call->new_kind != KSPLIT_FILE_VM)
		ksplit_ops->close(call->back_fd);
	return r;
}

/* With a window in the place of the client's memory. */
static long set_slot(struct vmm_call *call, u64 arg)
{
	int vm = ksplit_file_vm_fd(call->handle);
	u32 slot;
	long r;

	if (vm < 0)
		return vm;
	if (call->prefetched >= sizeof(slot)) {
		memcpy(&slot, call->in, sizeof(slot));
		if ((u16)slot >= SLOTS)
			return -EINVAL;
	}
	r = ksplit_window_prepare(vm, call);
	if (r < 0)
		return r;
	r = ksplit_file_ioctl(call->handle, call->cmd, arg);
	ksplit_window_finish(vm, call, r);
	return r;
}

/* The stub answers these, too, as far as it can; KVM has all doorbells. */
static bool is_the_stubs(const struct kvm_ioeventfd *doorbell)
{
	return doorbell->flags & KVM_IOEVENTFD_FLAG_PIO || !doorbell->len;
}

static void tell_stub(struct vmm_call *call, struct kvm_ioeventfd *doorbell)
{
	int vm = ksplit_file_vm_fd(call->handle);
	u32 hash;

	if (doorbell->flags & KVM_IOEVENTFD_FLAG_DEASSIGN) {
		ksplit_ops->ioeventfd(vm, doorbell);
		return;
	}
	doorbell->fd = ksplit_host_eventfd_take(doorbell->fd, &hash);
	if (doorbell->fd < 0)
		return;
	ksplit_ops->ioeventfd(vm, doorbell);
	ksplit_ops->close(doorbell->fd);
}

/* A write signals once: by the stub only while KVM has the eventfd. */
static long ioeventfd(struct vmm_call *call, u64 arg)
{
	struct kvm_ioeventfd doorbell;
	bool gone;
	long r;

	if (call->prefetched < sizeof(doorbell))
		return ksplit_file_ioctl(call->handle, call->cmd, arg);
	memcpy(&doorbell, call->in, sizeof(doorbell));
	if (!is_the_stubs(&doorbell))
		return ksplit_file_ioctl(call->handle, call->cmd, arg);
	gone = doorbell.flags & KVM_IOEVENTFD_FLAG_DEASSIGN;
	if (gone)
		tell_stub(call, &doorbell);
	r = ksplit_file_ioctl(call->handle, call->cmd, arg);
	if (!r && !gone)
		tell_stub(call, &doorbell);
	return r;
}

/* The wall clock may have been set this moment. */
static long get_clock(struct vmm_call *call, u64 arg)
{
	ksplit_timekeeper_tick();
	return ksplit_file_ioctl(call->handle, call->cmd, arg);
}

long (*ksplit_create_vcpu)(struct vmm_call *call, u64 id);

static long create_vcpu(struct vmm_call *call, u64 id)
{
	return ksplit_create_vcpu(call, id);
}

/* No client memory is in reach; the argument is how long the client waited. */
static long run(struct vmm_call *call, u64 waited)
{
	call->no_copy = 1;
	ksplit_thread_waited(1, waited);
	return ksplit_file_ioctl(call->handle, call->cmd, 0);
}

/* What is more than KVM's handler; the most frequent one first. */
static const struct {
	u32 cmd;
	u32 kind;
	long (*fn)(struct vmm_call *call, u64 arg);
} special[] = {
	{ KVM_RUN,			KSPLIT_FILE_VCPU,	run },
	{ KVM_CHECK_EXTENSION,		KSPLIT_FILE_SYSTEM,	check_extension },
	{ KVM_CHECK_EXTENSION,		KSPLIT_FILE_VM,		check_extension },
	{ KVM_CREATE_VM,		KSPLIT_FILE_SYSTEM,	create_vm },
	{ KVM_CREATE_VCPU,		KSPLIT_FILE_VM,		create_vcpu },
	{ KVM_ENABLE_CAP,		KSPLIT_FILE_VCPU,	enable_cap },
	{ KVM_ENABLE_CAP,		KSPLIT_FILE_VM,		enable_cap },
	{ KVM_GET_CLOCK,		KSPLIT_FILE_VM,		get_clock },
	{ KVM_IOEVENTFD,		KSPLIT_FILE_VM,		ioeventfd },
	{ KVM_SET_USER_MEMORY_REGION,	KSPLIT_FILE_VM,		set_slot },
	{ KVM_SET_USER_MEMORY_REGION2,	KSPLIT_FILE_VM,		set_slot },
};

/**
 * vmm_call_ioctl() - serve an ioctl of the client
 * @call:	the call
 * @arg:	its argument
 *
 * Context: a thread that is a CPU, in the call (vmm_call_set()).
 * Return: the result, perhaps one that only the kernel knows (ksplit_result()).
 */
long vmm_call_ioctl(struct vmm_call *call, u64 arg)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(special); i++)
		if (special[i].cmd == call->cmd && special[i].kind == call->kind)
			return special[i].fn(call, arg);
	return ksplit_file_ioctl(call->handle, call->cmd, arg);
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
