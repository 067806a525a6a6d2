// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which bytes and descriptors of a client an ioctl opens to its worker.
 */
#include "common.h"
#include "ioctls.h"
#include "kvm_run.h"
#include "tails.h"

#define ARG	0x7fff00001000ull
#define PTR	0x555500002000ull

static u8 bytes[4096];
static u32 nr_bytes;
static u64 slot_pages;

static void arg_is(const void *p, u32 len)
{
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, p, len);
	nr_bytes = len;
}

static bool may(u32 cmd, u64 addr, u32 len, bool write)
{
	return !ksplit_copy_allowed(cmd, ARG, bytes, nr_bytes, slot_pages, addr,
				    len, write);
}

#define READ	false
#define WRITE	true

/* [start, start + len) and nothing next to it, in one direction or both. */
static void exactly(u32 cmd, u64 start, u64 len, bool read, bool write)
{
	ck_assert_int_eq(may(cmd, start, len, READ), read);
	ck_assert_int_eq(may(cmd, start, len, WRITE), write);
	ck_assert_int_eq(may(cmd, start + len - 1, 1, READ), read);
	ck_assert_int_eq(may(cmd, start + len - 1, 1, WRITE), write);
	ck_assert(!may(cmd, start, len + 1, READ));
	ck_assert(!may(cmd, start, len + 1, WRITE));
	ck_assert(!may(cmd, start + len, 1, READ));
	ck_assert(!may(cmd, start + len, 1, WRITE));
	ck_assert(!may(cmd, start - 1, len + 1, READ));
	ck_assert(!may(cmd, start - 1, len + 1, WRITE));
	if (start == ARG || start == PTR) {
		ck_assert(!may(cmd, start - 1, 1, READ));
		ck_assert(!may(cmd, start - 1, 1, WRITE));
	}
	ck_assert(!may(cmd, start, ~0u, WRITE));
	ck_assert(!may(cmd, ~0ull, 2, WRITE));
}

/* An argument of @size bytes to write, of which only the first ones are read. */
static void answer(u32 cmd, u32 size, u32 looked_at)
{
	ck_assert(may(cmd, ARG, size, WRITE) && !may(cmd, ARG, size + 1, WRITE));
	ck_assert_int_eq(looked_at ? may(cmd, ARG, looked_at, READ) : 0, looked_at > 0);
	ck_assert(!may(cmd, ARG, looked_at + 1, READ) && !may(cmd, ARG + looked_at, 1, READ));
}

/* Every ioctl of the tree's, in the headers' order. */
static const char *const names[] = {
#include "kvm_ioctls.h"
};

/* Of other architectures, whose structures x86 does not even have. */
static const char *const foreign[] = {
	"KVM_S390_", "KVM_PPC_", "KVM_ARM_", "KVM_CREATE_SPAPR_TCE", "KVM_ALLOCATE_RMA",
	"KVM_DIRTY_TLB", "KVM_GET_ONE_REG", "KVM_SET_ONE_REG", "KVM_GET_REG_LIST",
};

START_TEST(every_ioctl)
{
	unsigned int i, j, found, known = 0;
	u32 size;

	nr_bytes = 0;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		for (found = j = 0; j < ARRAY_SIZE(foreign); j++)
			found += !strncmp(names[i], foreign[j], strlen(foreign[j]));
		for (j = 0; j < ARRAY_SIZE(kvm_ioctls); j++) {
			const struct kvm_ioctl *k = &kvm_ioctls[j];

			if (strcmp(names[i], k->name))
				continue;
			found++;
			known++;
			size = _IOC_SIZE(k->cmd);
			/* bits: TO_WORKER, TO_CLIENT */
			if (ksplit_arg_access(k->cmd) != k->access)
				ck_abort_msg("%s: %u, expected %u", names[i],
					     ksplit_arg_access(k->cmd), k->access);
			if (ksplit_arg_read(k->cmd) != k->looked_at)
				ck_abort_msg("%s: %u bytes, expected %u", names[i],
					     ksplit_arg_read(k->cmd), k->looked_at);
			if (k->looked_at < size)
				answer(k->cmd, size, k->looked_at);
			else if (size)
				exactly(k->cmd, ARG, size, k->access & R, k->access & W);
		}
		if (found != 1)
			ck_abort_msg("%s stands %u times in this test", names[i], found);
	}
	ck_assert_uint_eq(known, ARRAY_SIZE(kvm_ioctls));
}
END_TEST

START_TEST(argument)
{
	nr_bytes = 0;
	exactly(KVM_GET_XSAVE2, ARG, 4096, false, true);
	/* No argument, no bytes. */
	ck_assert(!may(KVM_RUN, ARG, 1, READ));
	ck_assert(!may(KVM_RUN, 0, 1, READ));
	ck_assert(!may(KVM_CREATE_VM, ARG, 1, WRITE));
	/* A structure behind an _IO number. */
	exactly(KVM_REINJECT_CONTROL, ARG, 32, true, false);
}
END_TEST

/* @head: what KVM does with what stands before the elements; the rest: with them. */
static void array(u32 cmd, u32 header, u32 element, u32 max, unsigned int head, bool read,
		  bool write)
{
	u32 count;

	nr_bytes = header;
	for (count = 1; count <= max; count = count * 2 + 1) {
		memcpy(bytes, &count, 4);
		exactly(cmd, ARG + header, count * element, read, write);
		/* Nothing of the head by way of the elements. */
		ck_assert_int_eq(may(cmd, ARG + header - 1, 1, READ), head & R);
		ck_assert_int_eq(may(cmd, ARG + header - 1, 1, WRITE), !!(head & W));
	}
	count = ~0u;
	memcpy(bytes, &count, 4);
	exactly(cmd, ARG + header, max * element, read, write);
	count = 0;
	memcpy(bytes, &count, 4);
	exactly(cmd, ARG, header, head & R, head & W);
	/* Nothing was prefetched: the count is unknown. */
	nr_bytes = 0;
	exactly(cmd, ARG, header, head & R, head & W);
}

START_TEST(arrays)
{
	memset(bytes, 0, sizeof(bytes));
	array(KVM_GET_SUPPORTED_CPUID, 8, 40, 256, RW, false, true);
	array(KVM_GET_EMULATED_CPUID, 8, 40, 256, RW, true, true);
	array(KVM_GET_SUPPORTED_HV_CPUID, 8, 40, 256, RW, false, true);
	array(KVM_SET_CPUID2, 8, 40, 256, R, true, false);
	array(KVM_GET_CPUID2, 8, 40, 256, RW, false, true);
	array(KVM_SET_CPUID, 8, 24, 256, R, true, false);
	array(KVM_GET_MSRS, 8, 16, 256, R, true, true);
	array(KVM_SET_MSRS, 8, 16, 256, R, true, false);
	array(KVM_GET_MSR_INDEX_LIST, 4, 4, 4096, RW, false, true);
	array(KVM_GET_MSR_FEATURE_INDEX_LIST, 4, 4, 4096, RW, false, true);
	array(KVM_SET_GSI_ROUTING, 8, 48, 4096, R, true, false);
}
END_TEST

START_TEST(nested_state)
{
	struct kvm_nested_state n = { .size = 128 + 4096 };

	arg_is(&n, sizeof(n));
	exactly(KVM_GET_NESTED_STATE, ARG, 128 + 4096, false, true);
	exactly(KVM_SET_NESTED_STATE, ARG, 128 + 4096, true, false);
	n.size = ~0u;
	arg_is(&n, sizeof(n));
	exactly(KVM_GET_NESTED_STATE, ARG, 128 + 8192, false, true);
	n.size = 8;
	arg_is(&n, sizeof(n));
	answer(KVM_GET_NESTED_STATE, 128, 8);
}
END_TEST

START_TEST(embedded)
{
	struct kvm_device_attr attr = { .addr = PTR };
	struct kvm_dirty_log log = { .slot = 1 << 16 | 3,
				     .dirty_bitmap = (void *)PTR };
	struct kvm_clear_dirty_log clear = { .num_pages = 65,
					     .dirty_bitmap = (void *)PTR };
	struct kvm_enable_cap cap = { .cap = KVM_CAP_HYPERV_ENLIGHTENED_VMCS,
				      .args = { PTR } };
	struct kvm_msr_filter filter = { 0 };

	arg_is(&attr, sizeof(attr));
	exactly(KVM_GET_DEVICE_ATTR, PTR, 8, false, true);
	exactly(KVM_SET_DEVICE_ATTR, PTR, 8, true, false);
	ck_assert(!may(KVM_HAS_DEVICE_ATTR, PTR, 1, READ));
	nr_bytes = 0;
	ck_assert(!may(KVM_GET_DEVICE_ATTR, PTR, 1, WRITE));
	ck_assert(!may(KVM_GET_DEVICE_ATTR, 0, 1, WRITE));

	arg_is(&log, sizeof(log));
	ck_assert(!may(KVM_GET_DIRTY_LOG, PTR, 1, WRITE));
	slot_pages = 129;
	exactly(KVM_GET_DIRTY_LOG, PTR, 24, false, true);
	slot_pages = 0;
	arg_is(&clear, sizeof(clear));
	exactly(KVM_CLEAR_DIRTY_LOG, PTR, 16, true, false);

	arg_is(&cap, sizeof(cap));
	exactly(KVM_ENABLE_CAP, PTR, 2, false, true);
	cap.cap = KVM_CAP_SPLIT_IRQCHIP;
	arg_is(&cap, sizeof(cap));
	ck_assert(!may(KVM_ENABLE_CAP, PTR, 1, WRITE));

	filter.ranges[15].nmsrs = 65;
	filter.ranges[15].bitmap = (void *)PTR;
	filter.ranges[3].nmsrs = 0x600 * 8 + 1;
	filter.ranges[3].bitmap = (void *)(PTR + 0x10000);
	arg_is(&filter, sizeof(filter));
	exactly(KVM_X86_SET_MSR_FILTER, PTR, 16, true, false);
	/* As long as KVM's longest. */
	exactly(KVM_X86_SET_MSR_FILTER, PTR + 0x10000, 0x600, true, false);
	nr_bytes--;
	ck_assert(!may(KVM_X86_SET_MSR_FILTER, PTR, 1, READ));
}
END_TEST

/*
 * Random calls: what is allowed is the argument, or starts at a pointer that
 * the argument holds, or continues the argument by no more than 200 KiB.
 */
START_TEST(random_copies)
{
	static const u32 size[] = { 0, 4, 8, 16, 24, 104, 128, 392, 4096 };
	unsigned int round, i, allowed = 0;

	for (round = 0; round < 1000000; round++) {
		u32 cmd = _IOC(rnd() % 4, KVMIO, rnd() % 256,
			       size[rnd() % ARRAY_SIZE(size)]);
		u64 addr = ARG + rnd() % 4096;
		u32 len = rnd() % 4 ? rnd() % 128 : rnd_value();
		bool ok = false, read, write;
		u64 p;

		nr_bytes = rnd() % 8 ? _IOC_SIZE(cmd) : rnd() % 4096;
		for (i = 0; i < 48; i += 8) {
			p = rnd() % 2 ? PTR + i : rnd_value();
			memcpy(bytes + i, &p, 8);
		}
		if (rnd() % 2)
			addr = PTR + rnd() % 64;
		slot_pages = rnd() % 4096;
		read = may(cmd, addr, len, READ);
		write = may(cmd, addr, len, WRITE);
		if (!read && !write)
			continue;
		allowed++;
		HOLDS(cmd != KVM_RUN);
		ok = addr >= ARG && addr + len <= ARG + (200 << 10);
		for (i = 0; i + 8 <= nr_bytes && i < 400; i += 8) {
			memcpy(&p, bytes + i, 8);
			ok |= addr >= p && addr - p + len <= 1u << 29;
		}
		HOLDS(ok || !len);
	}
	ck_assert_uint_gt(allowed, 1000);
}
END_TEST

static bool may_reply(u32 op, u32 cmd, u64 arg, s64 result, u32 out_len, bool file)
{
	struct ksplit_next call = { .op = op, .cmd = cmd, .arg = arg, .len = 64 };
	struct ksplit_next reply = { .result = result, .out_len = out_len };

	return ksplit_reply_allowed(&call, &reply, file);
}

#define IOCTL_REPLY(cmd, arg, result, len, file) \
	may_reply(KSPLIT_OP_IOCTL, cmd, arg, result, len, file)
#define READ_REPLY(result, len)	may_reply(KSPLIT_OP_READ, 0, 0, result, len, false)

START_TEST(replies)
{
	static const u32 makers[] = { KVM_CREATE_VM, KVM_CREATE_VCPU, KVM_GET_STATS_FD,
				      KVM_CREATE_DEVICE, KVM_CREATE_GUEST_MEMFD };
	unsigned int i;

	/* Bytes: where KVM writes, and as many as there is room for. */
	ck_assert(IOCTL_REPLY(KVM_GET_MP_STATE, ARG, 0, 64, false));
	ck_assert(!IOCTL_REPLY(KVM_GET_MP_STATE, ARG, 0, 65, false));
	ck_assert(!IOCTL_REPLY(KVM_SET_GSI_ROUTING, ARG, 0, 1, false));
	ck_assert(!IOCTL_REPLY(KVM_SET_GSI_ROUTING, ARG, -EINVAL, 1, false));
	ck_assert(IOCTL_REPLY(KVM_SET_GSI_ROUTING, ARG, 0, 0, false));
	/* Errors: those that a client may see. */
	ck_assert(IOCTL_REPLY(KVM_RUN, 0, -511, 0, false));
	ck_assert(!IOCTL_REPLY(KVM_RUN, 0, -512, 0, false));
	ck_assert(!IOCTL_REPLY(KVM_RUN, 0, INT64_MIN, 0, false));
	/* Descriptors: the stub's. */
	for (i = 0; i < ARRAY_SIZE(makers); i++) {
		ck_assert(IOCTL_REPLY(makers[i], ARG, 5, 0, true));
		ck_assert(!IOCTL_REPLY(makers[i], ARG, 5, 0, false));
		ck_assert(!IOCTL_REPLY(makers[i], ARG, 0, 0, false));
		ck_assert(IOCTL_REPLY(makers[i], ARG, -ENOMEM, 0, false));
	}
	/* The ring's page in the mapping: the stub's, too. */
	ck_assert(IOCTL_REPLY(KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO, 2, 0, false));
	ck_assert(!IOCTL_REPLY(KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO, 3, 0, false));
	ck_assert(IOCTL_REPLY(KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS, 3, 0, false));
	/* A read gives what it brings. */
	ck_assert(READ_REPLY(10, 10) && READ_REPLY(9, 10) && READ_REPLY(-EIO, 0));
	ck_assert(!READ_REPLY(11, 10) && !READ_REPLY(10, 65));
}
END_TEST

START_TEST(eventfds)
{
	struct kvm_irqfd irq = { .fd = 5, .resamplefd = 6 };
	struct kvm_ioeventfd io = { .fd = 7 };
	struct kvm_hyperv_eventfd hv = { .fd = 8 };
	int fd;

	for (fd = -1; fd < 16; fd++) {
		irq.flags = 0;
		arg_is(&irq, sizeof(irq));
		ck_assert_int_eq(ksplit_eventfd_allowed(KVM_IRQFD, bytes,
							nr_bytes, fd), fd == 5);
		irq.flags = KVM_IRQFD_FLAG_RESAMPLE;
		arg_is(&irq, sizeof(irq));
		ck_assert_int_eq(ksplit_eventfd_allowed(KVM_IRQFD, bytes,
							nr_bytes, fd),
				 fd == 5 || fd == 6);
		ck_assert(!ksplit_eventfd_allowed(KVM_IRQFD, bytes,
						  nr_bytes - 1, fd));
		arg_is(&io, sizeof(io));
		ck_assert_int_eq(ksplit_eventfd_allowed(KVM_IOEVENTFD, bytes,
							nr_bytes, fd), fd == 7);
		arg_is(&hv, sizeof(hv));
		ck_assert_int_eq(ksplit_eventfd_allowed(KVM_HYPERV_EVENTFD,
							bytes, nr_bytes, fd),
				 fd == 8);
		ck_assert(!ksplit_eventfd_allowed(KVM_CREATE_DEVICE, bytes,
						  nr_bytes, fd));
	}
	/* A negative number in the argument names nothing. */
	irq.fd = -1;
	arg_is(&irq, sizeof(irq));
	ck_assert(!ksplit_eventfd_allowed(KVM_IRQFD, bytes, nr_bytes, -1));
}
END_TEST

static int check_run(const struct kvm_run *run)
{
	return ksplit_kvm_run_valid(run) ? 0 : -EINVAL;
}

START_TEST(kvm_runs)
{
	struct kvm_run run = { 0 };
	unsigned int i;

	for (i = 0; i < 200; i++) {
		bool x86 = i <= 12 || i == 16 || i == 17 || i == 24 ||
			   i == 26 || i == 27 || (i >= 29 && i <= 31) ||
			   i == 33 || i == 37 || i == 39;

		run.exit_reason = i;
		if (i != KVM_EXIT_IO)
			ck_assert_int_eq(check_run(&run), x86 ? 0 : -EINVAL);
	}

	run.exit_reason = KVM_EXIT_IO;
	run.io.data_offset = 4096;
	run.io.size = 2;
	run.io.count = 2048;
	ck_assert_int_eq(check_run(&run), 0);
	run.io.count = 2049;
	ck_assert_int_eq(check_run(&run), -EINVAL);
	run.io.count = 0x80000001;
	ck_assert_int_eq(check_run(&run), -EINVAL);
	run.io.count = 1;
	for (i = 0; i < 256; i++) {
		run.io.size = i;
		ck_assert_int_eq(check_run(&run),
				 i == 1 || i == 2 || i == 4 ? 0 : -EINVAL);
	}
	run.io.size = 1;
	run.io.direction = 2;
	ck_assert_int_eq(check_run(&run), -EINVAL);
	run.io.direction = 1;
	run.io.data_offset = 4095;
	ck_assert_int_eq(check_run(&run), -EINVAL);

	memset(&run, 0, sizeof(run));
	run.exit_reason = KVM_EXIT_MMIO;
	run.mmio.len = 8;
	ck_assert_int_eq(check_run(&run), 0);
	run.mmio.len = 9;
	ck_assert_int_eq(check_run(&run), -EINVAL);
	memset(&run, 0, sizeof(run));
	run.exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run.internal.ndata = 16;
	ck_assert_int_eq(check_run(&run), 0);
	run.internal.ndata = 17;
	ck_assert_int_eq(check_run(&run), -EINVAL);
	memset(&run, 0, sizeof(run));
	run.exit_reason = KVM_EXIT_SYSTEM_EVENT;
	run.system_event.ndata = 17;
	ck_assert_int_eq(check_run(&run), -EINVAL);
}
END_TEST

START_TEST(random_runs)
{
	struct kvm_run run;
	u64 *p = (u64 *)&run;
	unsigned int round, i, ok = 0;

	for (round = 0; round < 1000000; round++) {
		for (i = 0; i < 12; i++)
			p[i] = rnd_value();
		run.exit_reason = rnd() % 4 ? rnd() % 40 : rnd_value();
		if (rnd() % 2)
			run.io.data_offset = 4096;
		if (check_run(&run))
			continue;
		ok++;
		LE(run.exit_reason, 39);
		if (run.exit_reason == KVM_EXIT_IO) {
			EQ(run.io.data_offset, 4096);
			LE((u64)run.io.size * run.io.count, 4096);
			NE(run.io.size, 0);
		}
		if (run.exit_reason == KVM_EXIT_MMIO)
			LE(run.mmio.len, 8);
		if (run.exit_reason == KVM_EXIT_INTERNAL_ERROR)
			LE(run.internal.ndata, 16);
	}
	ck_assert_uint_gt(ok, 1000);
}
END_TEST

START_TEST(ring)
{
	union {
		struct kvm_coalesced_mmio_ring ring;
		u8 page[PAGE_SIZE + 64];
	} u = { };
	struct kvm_coalesced_mmio w = { .len = 8, .pio = 1 }, *entry = u.ring.coalesced_mmio;
	u32 put = 0, last, i;

	w.len = 9;
	EQ(ksplit_ring_put(&u.ring, &w), -EINVAL);
	w.len = 8;
	w.pio = 2;
	EQ(ksplit_ring_put(&u.ring, &w), -EINVAL);
	w.pio = 1;
	for (u32 round = 0; round < 3; round++) {
		while (!ksplit_ring_put(&u.ring, &w)) {
			w.phys_addr = ++put;
		}
		EQ(put, (round + 1) * (KVM_COALESCED_MMIO_MAX - 1));
		EQ(ksplit_ring_put(&u.ring, &w), -ENOSPC);
		for (i = put + 1 - KVM_COALESCED_MMIO_MAX; u.ring.first != u.ring.last; i++) {
			EQ(entry[u.ring.first].phys_addr, i);
			EQ(entry[u.ring.first].len, 8);
			u.ring.first = (u.ring.first + 1) % KVM_COALESCED_MMIO_MAX;
		}
		EQ(i, put);
	}
	/* The client writes what it likes: nothing leaves the page. */
	for (i = 0; i < 100000; i++) {
		u.ring.first = rnd() % 2 ? rnd() % 256 : rnd_value();
		u.ring.last = last = rnd() % 2 ? rnd() % 256 : rnd_value();
		w.len = rnd() % 9;
		if (ksplit_ring_put(&u.ring, &w))
			EQ(u.ring.last, last);
		else
			LE(last, KVM_COALESCED_MMIO_MAX - 1);
	}
	for (i = PAGE_SIZE; i < sizeof(u.page); i++)
		EQ(u.page[i], 0);
}
END_TEST

MAIN("pure/tails", every_ioctl, argument, arrays, nested_state, embedded, random_copies,
     replies, eventfds, kvm_runs, random_runs, ring)
