// SPDX-License-Identifier: GPL-2.0-only
/*
 * Client memory and descriptors that an ioctl of KVM's may involve.
 *
 * What a client gave is taken from the bytes that the stub prefetched.  A
 * client that lies there lies about its own memory.
 */
#include "tails.h"

enum tail_kind {
	TAIL_FIXED,	/* [arg, arg + size): _IO ioctls that take a structure */
	TAIL_ARRAY,	/* [arg, arg + _IOC_SIZE + count * size) */
	TAIL_TOTAL,	/* [arg, arg + count): a length that counts the header */
	TAIL_POINTER,	/* [pointer, pointer + size) */
	TAIL_BITMAP,	/* [pointer, pointer + one bit a page, in longs) */
	TAIL_SLOT_BITMAP, /* likewise, one bit for each page of the slot */
	TAIL_MSR_FILTER, /* the bitmaps of struct kvm_msr_filter */
	TAIL_CAP,	/* [pointer, pointer + size) if count is that capability */
};

#define TO_WORKER	1
#define TO_CLIENT	2
#define BOTH		(TO_WORKER | TO_CLIENT)

/*
 * @count:	offset of the __u32 count (or length, slot, capability)
 * @pointer:	offset of the __u64 pointer
 * @size:	bytes an element
 * @max:	highest count that is honoured; for TAIL_CAP the capability
 */
struct tail_rule {
	u32 cmd;
	u8 kind;
	u8 direction;
	u8 count;
	u8 pointer;
	u32 size;
	u32 max;
};

#define MAX_CPUID	256
#define MAX_MSRS	256
#define MAX_MSR_LIST	4096
#define MAX_ROUTES	4096
#define MAX_NESTED	(128 + 0x2000)
#define MAX_FILTER	0x600

#define ARRAY(cmd, dir, type, field, element, max)			\
	{ (cmd), TAIL_ARRAY, (dir), offsetof(struct type, field), 0,	\
	  (element), (max) }
#define CPUID(cmd, dir) \
	ARRAY(cmd, dir, kvm_cpuid2, nent, sizeof(struct kvm_cpuid_entry2), \
	      MAX_CPUID)
#define MSR_LIST(cmd) \
	ARRAY(cmd, TO_CLIENT, kvm_msr_list, nmsrs, 4, MAX_MSR_LIST)
#define NESTED(cmd, dir)						\
	{ (cmd), TAIL_TOTAL, (dir), offsetof(struct kvm_nested_state, size), 0, \
	  1, MAX_NESTED }
#define ATTR(cmd, dir)							\
	{ (cmd), TAIL_POINTER, (dir), 0,				\
	  offsetof(struct kvm_device_attr, addr), 8, 0 }

/*
 * Not here: GET_XSAVE2 and SET_XSAVE, whose tail begins with AMX, which guests
 * do not get; KVM_XEN_HVM_CONFIG's blobs, which KVM reads during KVM_RUN;
 * KVM_SET_PMU_EVENT_FILTER, as there is no PMU.
 */
static const struct tail_rule rules[] = {
	CPUID(KVM_GET_SUPPORTED_CPUID, BOTH),
	CPUID(KVM_GET_EMULATED_CPUID, BOTH),
	CPUID(KVM_GET_SUPPORTED_HV_CPUID, BOTH),
	CPUID(KVM_GET_CPUID2, TO_CLIENT),
	CPUID(KVM_SET_CPUID2, TO_WORKER),
	ARRAY(KVM_SET_CPUID, TO_WORKER, kvm_cpuid, nent,
	      sizeof(struct kvm_cpuid_entry), MAX_CPUID),
	ARRAY(KVM_GET_MSRS, BOTH, kvm_msrs, nmsrs,
	      sizeof(struct kvm_msr_entry), MAX_MSRS),
	ARRAY(KVM_SET_MSRS, TO_WORKER, kvm_msrs, nmsrs,
	      sizeof(struct kvm_msr_entry), MAX_MSRS),
	MSR_LIST(KVM_GET_MSR_INDEX_LIST),
	MSR_LIST(KVM_GET_MSR_FEATURE_INDEX_LIST),
	ARRAY(KVM_SET_GSI_ROUTING, TO_WORKER, kvm_irq_routing, nr,
	      sizeof(struct kvm_irq_routing_entry), MAX_ROUTES),
	ARRAY(KVM_SET_SIGNAL_MASK, TO_WORKER, kvm_signal_mask, len, 1, 8),
	NESTED(KVM_GET_NESTED_STATE, TO_CLIENT),
	NESTED(KVM_SET_NESTED_STATE, TO_WORKER),
	ATTR(KVM_GET_DEVICE_ATTR, TO_CLIENT),
	ATTR(KVM_SET_DEVICE_ATTR, TO_WORKER),
	{ KVM_REINJECT_CONTROL, TAIL_FIXED, TO_WORKER, 0, 0,
	  sizeof(struct kvm_reinject_control), 0 },
	{ KVM_GET_DIRTY_LOG, TAIL_SLOT_BITMAP, TO_CLIENT,
	  offsetof(struct kvm_dirty_log, slot),
	  offsetof(struct kvm_dirty_log, dirty_bitmap), 0, 0 },
	{ KVM_CLEAR_DIRTY_LOG, TAIL_BITMAP, TO_WORKER,
	  offsetof(struct kvm_clear_dirty_log, num_pages),
	  offsetof(struct kvm_clear_dirty_log, dirty_bitmap), 0, 0 },
	{ KVM_X86_SET_MSR_FILTER, TAIL_MSR_FILTER, TO_WORKER, 0, 0, 0, 0 },
	{ KVM_ENABLE_CAP, TAIL_CAP, TO_CLIENT,
	  offsetof(struct kvm_enable_cap, cap),
	  offsetof(struct kvm_enable_cap, args), 2,
	  KVM_CAP_HYPERV_ENLIGHTENED_VMCS },
};

static const struct tail_rule *find_rule(u32 cmd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].cmd == cmd)
			return &rules[i];
	return NULL;
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
	return addr >= start && addr - start <= size &&
	       len <= size - (addr - start);
}

static u64 bitmap_bytes(u64 bits)
{
	return (bits + 63) / 64 * 8;
}

static bool msr_filter_allowed(const u8 *prefetch, u32 prefetched, u64 addr,
			       u32 len)
{
	struct kvm_msr_filter filter;
	unsigned int i;
	u64 size;

	if (prefetched < sizeof(filter))
		return false;
	memcpy(&filter, prefetch, sizeof(filter));
	for (i = 0; i < ARRAY_SIZE(filter.ranges); i++) {
		size = bitmap_bytes(filter.ranges[i].nmsrs);
		if (size <= MAX_FILTER &&
		    within(addr, len, (unsigned long)filter.ranges[i].bitmap,
			   size))
			return true;
	}
	return false;
}

/**
 * ksplit_copy_slot() - the memory slot whose size bounds a call's copies
 * @cmd: ioctl number
 * @prefetch: the argument's first bytes
 * @prefetched: how many
 *
 * Return: the client's slot word (id | address space << 16), or -1 for none.
 */
s64 ksplit_copy_slot(u32 cmd, const u8 *prefetch, u32 prefetched)
{
	const struct tail_rule *rule = find_rule(cmd);

	if (!rule || rule->kind != TAIL_SLOT_BITMAP)
		return -1;
	if (prefetched < rule->count + sizeof(u32))
		return -1;
	return fetch(prefetch, prefetched, rule->count, sizeof(u32));
}

/**
 * ksplit_copy_allowed() - whether a worker may copy these bytes of a client
 * @cmd: ioctl number of the call in progress
 * @arg: its argument
 * @prefetch: the argument's first bytes, as prefetched
 * @prefetched: how many
 * @slot_pages: 4 KiB pages of the slot that ksplit_copy_slot() names, else 0
 * @addr: client address
 * @len: bytes
 * @write: true: from the worker to the client
 *
 * Return: 0, or -EPERM.
 */
int ksplit_copy_allowed(u32 cmd, u64 arg, const u8 *prefetch, u32 prefetched,
			u64 slot_pages, u64 addr, u32 len, bool write)
{
	const struct tail_rule *rule = find_rule(cmd);
	u64 count, pointer, start = arg, size = 0;

	if (within(addr, len, arg, _IOC_SIZE(cmd)))
		return 0;
	if (!rule || !(rule->direction & (write ? TO_CLIENT : TO_WORKER)))
		return -EPERM;

	count = fetch(prefetch, prefetched, rule->count, sizeof(u32));
	pointer = fetch(prefetch, prefetched, rule->pointer, sizeof(u64));
	switch ((enum tail_kind)rule->kind) {
	case TAIL_FIXED:
		size = rule->size;
		break;
	case TAIL_ARRAY:
		count = count < rule->max ? count : rule->max;
		size = _IOC_SIZE(cmd) + count * rule->size;
		break;
	case TAIL_TOTAL:
		size = count < rule->max ? count : rule->max;
		break;
	case TAIL_POINTER:
		start = pointer;
		size = rule->size;
		break;
	case TAIL_BITMAP:
		start = pointer;
		size = bitmap_bytes(count);
		break;
	case TAIL_SLOT_BITMAP:
		start = pointer;
		size = bitmap_bytes(slot_pages);
		break;
	case TAIL_MSR_FILTER:
		if (msr_filter_allowed(prefetch, prefetched, addr, len))
			return 0;
		break;
	case TAIL_CAP:
		start = pointer;
		size = count == rule->max ? rule->size : 0;
		break;
	}
	/* The pointer may lie beyond what was prefetched: then it is unknown. */
	if (start != arg && prefetched < rule->pointer + sizeof(u64))
		return -EPERM;
	return size && within(addr, len, start, size) ? 0 : -EPERM;
}

static bool is_fd(const u8 *prefetch, u32 offset, int fd)
{
	return !memcmp(prefetch + offset, &fd, sizeof(fd));
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
	u64 flags;

	if (fd < 0 || prefetched < _IOC_SIZE(cmd))
		return false;
	switch (cmd) {
	case KVM_IRQFD:
		flags = fetch(prefetch, prefetched,
			      offsetof(struct kvm_irqfd, flags), 4);
		return is_fd(prefetch, offsetof(struct kvm_irqfd, fd), fd) ||
		       (flags & KVM_IRQFD_FLAG_RESAMPLE &&
			is_fd(prefetch, offsetof(struct kvm_irqfd, resamplefd),
			      fd));
	case KVM_IOEVENTFD:
		return is_fd(prefetch, offsetof(struct kvm_ioeventfd, fd), fd);
	case KVM_HYPERV_EVENTFD:
		return is_fd(prefetch, offsetof(struct kvm_hyperv_eventfd, fd),
			     fd);
	default:
		return false;
	}
}

/* Exits of KVM on x86 that a client may see. */
#define KNOWN_EXITS							\
	(GENMASK_ULL(KVM_EXIT_TPR_ACCESS, KVM_EXIT_UNKNOWN) |		\
	 BIT_ULL(KVM_EXIT_NMI) | BIT_ULL(KVM_EXIT_INTERNAL_ERROR) |	\
	 BIT_ULL(KVM_EXIT_SYSTEM_EVENT) | BIT_ULL(KVM_EXIT_IOAPIC_EOI) | \
	 BIT_ULL(KVM_EXIT_HYPERV) |					\
	 GENMASK_ULL(KVM_EXIT_DIRTY_RING_FULL, KVM_EXIT_X86_RDMSR) |	\
	 BIT_ULL(KVM_EXIT_X86_BUS_LOCK) | BIT_ULL(KVM_EXIT_NOTIFY) |	\
	 BIT_ULL(KVM_EXIT_MEMORY_FAULT))

/**
 * ksplit_check_kvm_run() - check a kvm_run page before its client sees it
 * @kvm_run: the stub's copy, struct kvm_run, at least its size readable
 *
 * Clients index and copy by what stands there; api.rst, section 5.
 *
 * Return: 0, or -EINVAL.
 */
int ksplit_check_kvm_run(const void *kvm_run)
{
	const struct kvm_run *run = kvm_run;

	if (run->exit_reason > 63 || !(KNOWN_EXITS >> run->exit_reason & 1))
		return -EINVAL;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		if (run->io.direction > KVM_EXIT_IO_OUT ||
		    run->io.data_offset != PAGE_SIZE ||
		    (run->io.size != 1 && run->io.size != 2 &&
		     run->io.size != 4) ||
		    run->io.count > PAGE_SIZE / run->io.size)
			return -EINVAL;
		return 0;
	case KVM_EXIT_MMIO:
		if (run->mmio.len > sizeof(run->mmio.data) ||
		    run->mmio.is_write > 1)
			return -EINVAL;
		return 0;
	case KVM_EXIT_INTERNAL_ERROR:
		return run->internal.ndata > ARRAY_SIZE(run->internal.data) ?
		       -EINVAL : 0;
	case KVM_EXIT_SYSTEM_EVENT:
		return run->system_event.ndata >
		       ARRAY_SIZE(run->system_event.data) ? -EINVAL : 0;
	default:
		return 0;
	}
}
