// SPDX-License-Identifier: GPL-2.0-only
/*
 * Client memory and descriptors that an ioctl of KVM's may involve.
 *
 * What a client gave is taken from the bytes that the stub prefetched.  A
 * client that lies there lies about its own memory.
 */
#include "tails.h"

#define TO_WORKER	KSPLIT_TO_WORKER
#define TO_CLIENT	KSPLIT_TO_CLIENT
#define BOTH		(TO_WORKER | TO_CLIENT)
#define AT_ARG		0xff

/**
 * struct tail - bytes of the client's besides [arg, arg + _IOC_SIZE)
 * @cmd:	ioctl number
 * @direction:	TO_*
 * @pointer:	offset in the argument of the pointer to them, or AT_ARG
 * @skip:	where they begin, from there
 * @base:	bytes that are always there
 * @count:	offset in the argument of how many elements follow, a __u32
 * @max:	most elements, 0: there are none
 * @element:	bytes of one; 0: one bit, in an array of longs
 */
struct tail {
	u32 cmd;
	u8 direction;
	u8 pointer;
	u8 skip;
	u8 base;
	u8 count;
	u8 element;
	u32 max;
};

#define ARRAY(c, dir, type, field, bytes, most)					\
	{ .cmd = (c), .direction = (dir), .pointer = AT_ARG, .skip = sizeof(struct type), \
	  .count = offsetof(struct type, field), .element = (bytes), .max = (most) }
#define CPUID(c, dir)	ARRAY(c, dir, kvm_cpuid2, nent, sizeof(struct kvm_cpuid_entry2), 256)
#define MSRS(c, dir)	ARRAY(c, dir, kvm_msrs, nmsrs, sizeof(struct kvm_msr_entry), 256)
#define MSR_LIST(c)	ARRAY(c, TO_CLIENT, kvm_msr_list, nmsrs, 4, 4096)
#define BITMAP(c, dir, type, field, number, most)				\
	.cmd = (c), .direction = (dir), .pointer = offsetof(struct type, field), \
	.count = offsetof(struct type, number), .max = (most)

/*
 * Not here: GET_XSAVE2 and SET_XSAVE, whose tail begins with AMX, which guests
 * do not get; KVM_XEN_HVM_CONFIG's blobs, which KVM reads during KVM_RUN;
 * KVM_SET_PMU_EVENT_FILTER, as there is no PMU; KVM_SET_SIGNAL_MASK, which is
 * the stub's.
 */
static const struct tail tails[] = {
	CPUID(KVM_GET_SUPPORTED_CPUID, TO_CLIENT),
	/* Its padding must be 0. */
	CPUID(KVM_GET_EMULATED_CPUID, BOTH),
	CPUID(KVM_GET_SUPPORTED_HV_CPUID, TO_CLIENT),
	CPUID(KVM_GET_CPUID2, TO_CLIENT),
	CPUID(KVM_SET_CPUID2, TO_WORKER),
	ARRAY(KVM_SET_CPUID, TO_WORKER, kvm_cpuid, nent, sizeof(struct kvm_cpuid_entry), 256),
	MSRS(KVM_GET_MSRS, BOTH),
	MSRS(KVM_SET_MSRS, TO_WORKER),
	MSR_LIST(KVM_GET_MSR_INDEX_LIST),
	MSR_LIST(KVM_GET_MSR_FEATURE_INDEX_LIST),
	ARRAY(KVM_SET_GSI_ROUTING, TO_WORKER, kvm_irq_routing, nr,
	      sizeof(struct kvm_irq_routing_entry), 4096),
	{ .cmd = KVM_GET_NESTED_STATE, .direction = TO_CLIENT, .pointer = AT_ARG,
	  .count = offsetof(struct kvm_nested_state, size), .element = 1, .max = 128 + 0x2000 },
	{ .cmd = KVM_SET_NESTED_STATE, .direction = TO_WORKER, .pointer = AT_ARG,
	  .count = offsetof(struct kvm_nested_state, size), .element = 1, .max = 128 + 0x2000 },
	{ .cmd = KVM_GET_DEVICE_ATTR, .direction = TO_CLIENT,
	  .pointer = offsetof(struct kvm_device_attr, addr), .base = sizeof(u64) },
	{ .cmd = KVM_SET_DEVICE_ATTR, .direction = TO_WORKER,
	  .pointer = offsetof(struct kvm_device_attr, addr), .base = sizeof(u64) },
	/* An _IO number with a structure. */
	{ .cmd = KVM_REINJECT_CONTROL, .direction = TO_WORKER, .pointer = AT_ARG,
	  .base = sizeof(struct kvm_reinject_control) },
	{ BITMAP(KVM_GET_DIRTY_LOG, TO_CLIENT, kvm_dirty_log, dirty_bitmap, slot, ~0u) },
	{ BITMAP(KVM_CLEAR_DIRTY_LOG, TO_WORKER, kvm_clear_dirty_log, dirty_bitmap, num_pages,
		 ~0u) },
	/* Likewise all the other ranges. */
	{ BITMAP(KVM_X86_SET_MSR_FILTER, TO_WORKER, kvm_msr_filter, ranges[0].bitmap,
		 ranges[0].nmsrs, 0x600 * 8) },
	{ BITMAP(KVM_ENABLE_CAP, TO_CLIENT, kvm_enable_cap, args, cap, 1), .element = 2 },
};

/**
 * ksplit_arg_access() - What KVM does at [arg, arg + _IOC_SIZE(cmd))
 * @cmd: ioctl number
 *
 * Clients keep what they pass and rely on it: QEMU indexes its interrupt routes by
 * the number that it gives to KVM_SET_GSI_ROUTING.  So an argument that KVM only
 * reads is constant, and one that it only writes, whose bytes are whatever the
 * client had there before, is secret.
 *
 * Return: KSPLIT_TO_WORKER (it reads), KSPLIT_TO_CLIENT (it writes), both, or 0.
 */
u8 ksplit_arg_access(u32 cmd)
{
	switch (cmd) {
	/* Declared to be written, but only read: */
	case KVM_SET_IRQCHIP:
	case KVM_SET_PIT:
	case KVM_MEMORY_ENCRYPT_REG_REGION:
	case KVM_MEMORY_ENCRYPT_UNREG_REGION:
	case KVM_CLEAR_DIRTY_LOG:
	case KVM_CREATE_GUEST_MEMFD:
	/* It writes what follows. */
	case KVM_GET_MSRS:
	/* A descriptor, which would not be the stub's. */
	case KVM_CREATE_DEVICE:
		return TO_WORKER;
	}
	return (_IOC_DIR(cmd) & _IOC_WRITE ? TO_WORKER : 0) |
	       (_IOC_DIR(cmd) & _IOC_READ ? TO_CLIENT : 0);
}

/**
 * ksplit_arg_read() - How much KVM looks at of what it reads at [arg, arg + _IOC_SIZE(cmd))
 * @cmd: ioctl number that is %KSPLIT_TO_WORKER
 *
 * What a client has behind it, where KVM's answer goes, is as secret as the bytes of
 * an argument that is only written.
 *
 * Return: bytes, the first ones.
 */
u32 ksplit_arg_read(u32 cmd)
{
	switch (cmd) {
	case KVM_GET_PIT:
		return 0;
	/* A chip's number, a size, an address, a type. */
	case KVM_GET_IRQCHIP:
	case KVM_GET_NESTED_STATE:
	case KVM_TRANSLATE:
	case KVM_XEN_HVM_GET_ATTR:
	case KVM_XEN_VCPU_GET_ATTR:
		return sizeof(u64);
	}
	return _IOC_SIZE(cmd);
}

/* A value of the prefetched bytes; 0 where the client gave fewer. */
static u64 fetch(const u8 *prefetch, u32 prefetched, u32 offset, u32 size)
{
	u64 value = 0;

	if (offset + size <= prefetched)
		memcpy(&value, prefetch + offset, size);
	return value;
}

/* Whether [addr, addr + len) lies in [start, start + size). */
static bool within(u64 addr, u64 len, u64 start, u64 size)
{
	return addr >= start && addr - start <= size && len <= size - (addr - start);
}

/**
 * ksplit_copy_allowed() - whether a worker may copy these bytes of a client
 * @cmd: ioctl number of the call in progress
 * @arg: its argument
 * @prefetch: the argument's first bytes, as prefetched
 * @prefetched: how many
 * @slot_pages: KVM_GET_DIRTY_LOG: 4 KiB pages of the slot that it names
 * @addr: client address
 * @len: bytes
 * @write: true: from the worker to the client
 *
 * Return: 0, or -EPERM.
 */
int ksplit_copy_allowed(u32 cmd, u64 arg, const u8 *prefetch, u32 prefetched,
			u64 slot_pages, u64 addr, u32 len, bool write)
{
	const u32 ranges = cmd == KVM_X86_SET_MSR_FILTER ? KVM_MSR_FILTER_MAX_RANGES : 1;
	const u32 stride = sizeof(struct kvm_msr_filter_range);
	const u8 direction = write ? TO_CLIENT : TO_WORKER;
	const struct tail *t = tails;
	u64 count, start;

	if (ksplit_arg_access(cmd) & direction &&
	    within(addr, len, arg, write ? _IOC_SIZE(cmd) : ksplit_arg_read(cmd)))
		return 0;
	while (t->cmd != cmd || !(t->direction & direction))
		if (++t == tails + ARRAY_SIZE(tails))
			return -EPERM;
	/* Every offset below lies within. */
	if (prefetched < _IOC_SIZE(cmd))
		return -EPERM;
	for (u32 i = 0; i < ranges * stride; i += stride) {
		start = t->pointer == AT_ARG ? arg : fetch(prefetch, prefetched, t->pointer + i, 8);
		count = t->max ? fetch(prefetch, prefetched, t->count + i, 4) : 0;
		if (cmd == KVM_GET_DIRTY_LOG)
			count = slot_pages;
		if (cmd == KVM_ENABLE_CAP)
			count = count == KVM_CAP_HYPERV_ENLIGHTENED_VMCS;
		count = count < t->max ? count : t->max;
		count = t->element ? count * t->element : (count + 63) / 64 * 8;
		if (within(addr, len, start + t->skip, t->base + count) && t->base + count)
			return 0;
	}
	return -EPERM;
}

/**
 * ksplit_eventfd_allowed() - whether a call's argument names a descriptor
 * @cmd: ioctl number of the call in progress
 * @prefetch: the argument's first bytes, as prefetched
 * @prefetched: how many
 * @fd: descriptor number in the client
 */
bool ksplit_eventfd_allowed(u32 cmd, const u8 *prefetch, u32 prefetched, int fd)
{
	const struct kvm_irqfd *irqfd = (const void *)prefetch;

	if (fd < 0 || prefetched < _IOC_SIZE(cmd))
		return false;
	switch (cmd) {
	case KVM_IRQFD:
		return fd == (int)irqfd->fd ||
		       (irqfd->flags & KVM_IRQFD_FLAG_RESAMPLE && fd == (int)irqfd->resamplefd);
	case KVM_IOEVENTFD:
		return fd == ((const struct kvm_ioeventfd *)prefetch)->fd;
	case KVM_HYPERV_EVENTFD:
		return fd == ((const struct kvm_hyperv_eventfd *)prefetch)->fd;
	}
	return false;
}

/**
 * ksplit_reply_allowed() - whether a call may have a reply
 * @call: the call
 * @reply: the reply
 * @makes_file: whether the stub made a file for it
 *
 * What a client would use as a descriptor is the stub's, and so is what it would
 * use as an offset into a mapping.
 */
bool ksplit_reply_allowed(const struct ksplit_next *call, const struct ksplit_next *reply,
			  bool makes_file)
{
	if (reply->out_len > call->len)
		return false;
	/* -512 and beyond are the kernel's own (ERESTARTSYS). */
	if (reply->result <= -512)
		return false;
	if (call->op == KSPLIT_OP_READ)
		return reply->result <= (s64)reply->out_len;
	if (reply->out_len && !(ksplit_arg_access(call->cmd) & TO_CLIENT))
		return false;
	if (reply->result < 0)
		return true;
	switch (call->cmd) {
	case KVM_CREATE_VM:
	case KVM_CREATE_VCPU:
	case KVM_GET_STATS_FD:
	case KVM_CREATE_DEVICE:
	case KVM_CREATE_GUEST_MEMFD:
		return makes_file;
	case KVM_CHECK_EXTENSION:
		return call->arg != KVM_CAP_COALESCED_MMIO ||
		       reply->result == KVM_COALESCED_MMIO_PAGE_OFFSET;
	}
	return true;
}
