// SPDX-License-Identifier: GPL-2.0-only
/*
 * pure/tails.c: what a worker wants to copy from and to a client, which eventfd it
 * wants, and what it answers, during a call whose argument the client chose.
 *
 * Properties, by KVM's own structures and handlers (ioctls.h): bytes are read only
 * where KVM reads and written only where KVM writes, in the argument or in the array
 * that it announces, no further than KVM's own limit; nothing of KVM_RUN; a part of
 * what is allowed is allowed; a descriptor stands in the argument; a client gets no
 * more than it has room for, and no descriptor that is not the stub's.
 */
#include "fuzz.h"
#include "ioctls.h"
#include "tails.h"

static u32 cmd;
static u64 arg, slot_pages;
static const u8 *bytes;		/* exactly @nr of them */
static u32 nr;

static bool may(u64 addr, u32 len, bool write)
{
	return !ksplit_copy_allowed(cmd, arg, bytes, nr, slot_pages, addr, len, write);
}

static u64 smaller(u64 a, u64 b)
{
	return a < b ? a : b;
}

/* An array of @count elements behind a head. */
#define ARRAY_OF(type, field, element, most, dir)			\
	do {								\
		const struct type *t = (const void *)copy;		\
									\
		*start = arg + sizeof(*t);				\
		*access = dir;						\
		return smaller(t->field, most) * (element);		\
	} while (0)

/* Where else than in its argument an ioctl reads and writes, and how many bytes. */
static u64 elsewhere(u64 *start, unsigned int *access)
{
	static u8 copy[4096] __aligned(8);

	memset(copy, 0, sizeof(copy));
	memcpy(copy, bytes, nr);
	switch (cmd) {
	case KVM_GET_SUPPORTED_CPUID:
	case KVM_GET_SUPPORTED_HV_CPUID:
	case KVM_GET_CPUID2:
		ARRAY_OF(kvm_cpuid2, nent, sizeof(struct kvm_cpuid_entry2), 256, W);
	case KVM_GET_EMULATED_CPUID:
		ARRAY_OF(kvm_cpuid2, nent, sizeof(struct kvm_cpuid_entry2), 256, RW);
	case KVM_SET_CPUID2:
		ARRAY_OF(kvm_cpuid2, nent, sizeof(struct kvm_cpuid_entry2), 256, R);
	case KVM_SET_CPUID:
		ARRAY_OF(kvm_cpuid, nent, sizeof(struct kvm_cpuid_entry), 256, R);
	case KVM_GET_MSRS:
		ARRAY_OF(kvm_msrs, nmsrs, sizeof(struct kvm_msr_entry), 256, RW);
	case KVM_SET_MSRS:
		ARRAY_OF(kvm_msrs, nmsrs, sizeof(struct kvm_msr_entry), 256, R);
	case KVM_GET_MSR_INDEX_LIST:
	case KVM_GET_MSR_FEATURE_INDEX_LIST:
		ARRAY_OF(kvm_msr_list, nmsrs, 4, 4096, W);
	case KVM_SET_GSI_ROUTING:
		ARRAY_OF(kvm_irq_routing, nr, sizeof(struct kvm_irq_routing_entry), 4096, R);
	case KVM_GET_NESTED_STATE:
	case KVM_SET_NESTED_STATE:
		*start = arg;
		*access = cmd == KVM_SET_NESTED_STATE ? R : W;
		/* VMX has two pages behind a header of 128 bytes. */
		return smaller(((const struct kvm_nested_state *)copy)->size, 128 + 8192);
	case KVM_GET_DEVICE_ATTR:
	case KVM_SET_DEVICE_ATTR:
		*start = ((const struct kvm_device_attr *)copy)->addr;
		*access = cmd == KVM_SET_DEVICE_ATTR ? R : W;
		return 8;
	case KVM_REINJECT_CONTROL:
		*start = arg;
		*access = R;
		return sizeof(struct kvm_reinject_control);
	case KVM_GET_DIRTY_LOG:
		*start = (u64)((const struct kvm_dirty_log *)copy)->dirty_bitmap;
		*access = W;
		return (smaller(slot_pages, ~0u) + 63) / 64 * 8;
	case KVM_CLEAR_DIRTY_LOG:
		*start = (u64)((const struct kvm_clear_dirty_log *)copy)->dirty_bitmap;
		*access = R;
		return ((u64)((const struct kvm_clear_dirty_log *)copy)->num_pages + 63) / 64 * 8;
	case KVM_ENABLE_CAP:
		*start = ((const struct kvm_enable_cap *)copy)->args[0];
		*access = W;
		/* The version of the enlightened VMCS. */
		return ((const struct kvm_enable_cap *)copy)->cap ==
		       KVM_CAP_HYPERV_ENLIGHTENED_VMCS ? 2 : 0;
	}
	*access = NO;
	return 0;
}

/* KVM_X86_SET_MSR_FILTER has a bitmap in each of its ranges. */
static bool in_filter(u64 addr, u32 len)
{
	static struct kvm_msr_filter f;
	u64 start, size;

	if (cmd != KVM_X86_SET_MSR_FILTER || nr < sizeof(f))
		return false;
	memcpy(&f, bytes, sizeof(f));
	for (int i = 0; i < KVM_MSR_FILTER_MAX_RANGES; i++) {
		start = (u64)f.ranges[i].bitmap;
		size = (smaller(f.ranges[i].nmsrs, 0x600 * 8) + 63) / 64 * 8;
		if (addr - start <= size && len <= size - (addr - start))
			return true;
	}
	return false;
}

static const struct kvm_ioctl *known(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kvm_ioctls); i++)
		if (kvm_ioctls[i].cmd == cmd)
			return &kvm_ioctls[i];
	return NULL;
}

static void check_copy(u64 addr, u32 len, bool write)
{
	const struct kvm_ioctl *k = known();
	u64 start, size = k && !write ? k->looked_at : _IOC_SIZE(cmd);
	unsigned int access;

	if (!may(addr, len, write))
		return;
	HOLDS(cmd != KVM_RUN);
	/* A range across the end of the address space is nobody's memory. */
	if (len > 1 && addr + len > addr) {
		HOLDS(may(addr, len / 2, write));
		HOLDS(may(addr + len / 2, len - len / 2, write));
	}
	/* In the argument. */
	if (addr >= arg && addr - arg <= size && len <= size - (addr - arg) &&
	    (!k || k->access & (write ? W : R)))
		return;
	if (!write && in_filter(addr, len))
		return;
	size = elsewhere(&start, &access);
	HOLDS(access & (write ? W : R));
	HOLDS(addr - start <= size && len <= size - (addr - start));
}

static void check_eventfd(int fd)
{
	if (!ksplit_eventfd_allowed(cmd, bytes, nr, fd))
		return;
	HOLDS(fd >= 0);
	HOLDS(cmd == KVM_IRQFD || cmd == KVM_IOEVENTFD || cmd == KVM_HYPERV_EVENTFD);
	/* The number stands there, somewhere. */
	for (u32 i = 0; i + 4 <= nr; i += 4)
		if (!memcmp(bytes + i, &fd, 4))
			return;
	HOLDS(!"a descriptor that the client did not name");
}

static bool gives_file(void)
{
	return cmd == KVM_CREATE_VM || cmd == KVM_CREATE_VCPU || cmd == KVM_CREATE_DEVICE ||
	       cmd == KVM_CREATE_GUEST_MEMFD || cmd == KVM_GET_STATS_FD;
}

static void check_reply(struct input *in)
{
	struct ksplit_next call = { .cmd = cmd, .arg = arg }, reply = { };
	bool file = take_number(in, 1) & 1;
	const struct kvm_ioctl *k = known();

	call.op = take_number(in, 1) & 1 ? KSPLIT_OP_READ : KSPLIT_OP_IOCTL;
	call.len = take_number(in, 2);
	reply.out_len = take_number(in, 4);
	reply.result = take_number(in, 8);
	if (!ksplit_reply_allowed(&call, &reply, file))
		return;
	HOLDS(reply.out_len <= call.len);
	/* No error that only the kernel itself knows. */
	HOLDS(reply.result > -512);
	if (call.op == KSPLIT_OP_READ) {
		HOLDS(reply.result <= (s64)reply.out_len);
		return;
	}
	if (k && reply.out_len)
		HOLDS(k->access & W);
	if (reply.result >= 0 && gives_file())
		HOLDS(file);
	if (cmd == KVM_CHECK_EXTENSION && arg == KVM_CAP_COALESCED_MMIO && reply.result > 0)
		EQ(reply.result, 2);
}

/* In the argument, near it, at a pointer in it, or anywhere. */
static u64 take_address(struct input *in)
{
	u8 where = take_number(in, 1);
	u64 addr = take_number(in, where & 0x80 ? 8 : 2);

	if (where & 0x40)
		return arg + (s64)(int16_t)addr;
	if (where & 0x20 && nr >= 8) {
		u64 pointer;

		memcpy(&pointer, bytes + (where & 0x1f) * 8 % (nr - 7), 8);
		return pointer + (s64)(int16_t)addr;
	}
	return addr;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	u8 which = take_number(&in, 1);
	u64 addr;
	u32 len;

	cmd = which < ARRAY_SIZE(kvm_ioctls) ? kvm_ioctls[which].cmd : take_number(&in, 4);
	arg = take_number(&in, 8);
	slot_pages = take_number(&in, 8);
	/* As the front does it: all of the argument, or nothing. */
	nr = take_number(&in, 1) & 1 ? smaller(_IOC_SIZE(cmd), KSPLIT_PREFETCH_MAX) : 0;
	len = take_number(&in, 4);
	check_reply(&in);
	u8 *copy = malloc(nr);

	take(&in, copy, smaller(nr, in.left));
	bytes = copy;
	addr = take_address(&in);
	check_copy(addr, len, false);
	check_copy(addr, len, true);
	check_copy(addr, 0, true);
	check_eventfd(len);
	free(copy);
	return 0;
}
