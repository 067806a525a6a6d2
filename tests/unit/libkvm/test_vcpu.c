// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkvm on the fake machine, a VM with one vCPU: initialisation, VM, vCPU, exits.
 */
#include <check.h>
#include <cpuid.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>

#include "client.h"
#include "libkvm/libkvm.h"
#include "tests/fake/ops_fake.h"
#include "personality/personality.h"
#include "suites.h"

#define EXIT_INTERRUPT		1
#define EXIT_CPUID		10
#define EXIT_HLT		12
#define EXIT_IO			30
#define EXIT_MSR_WRITE		32
#define EXIT_PAUSE		40
#define EXIT_EPT_VIOLATION	48

#define GUEST_PHYSICAL	0x2400
#define GUEST_RIP	0x681e
#define ENTRY_INTR_INFO	0x4016
#define PLE_WINDOW	0x4022
#define IDT_VECTORING_INFO	0x4408
#define TSC_OFFSET	0x2010

#define MSR_TSC_DEADLINE	0x6e0

#define EPT_READ	(1ull << 0)
#define EPT_WRITE	(1ull << 1)
#define EPT_GLA_VALID	(3ull << 7)

#define MSI_NMI		(4u << 8)

static struct client_vm vm;
static struct client_vcpu vcpu;
static void *ram;

#define RAM_SIZE	(4ul << 20)

static void setup(void)
{
	client_create_vm(&vm);
	ram = client_add_slot(&vm, 0, 0, RAM_SIZE, 0);
	client_create_vcpu(&vm, 0, &vcpu);
	client_real_mode(&vcpu, 0x1000);
}

static void teardown(void)
{
	client_close_all(&vm, &vcpu);
}

START_TEST(test_api_version)
{
	ck_assert_int_eq(kvm_call(0, KVM_GET_API_VERSION, 0), KVM_API_VERSION);
	ck_assert_int_eq(kvm_call(0, KVM_CHECK_EXTENSION, KVM_CAP_IRQCHIP), 1);
	ck_assert_int_eq(kvm_call(0, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO),
			 KVM_COALESCED_MMIO_PAGE_OFFSET);
	ck_assert_int_eq(kvm_call(0, KVM_CHECK_EXTENSION, KVM_CAP_DIRTY_LOG_RING), 1 << 20);
	ck_assert_int_eq(kvm_call(0, KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM), 0);
}
END_TEST

START_TEST(test_params)
{
	static char buf[4096];

	ck_assert_int_gt(ksplit_param_get("ept", buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "Y\n");
	ck_assert_int_gt(ksplit_param_get("nested", buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "Y\n");
	ck_assert_int_gt(ksplit_param_get("unrestricted_guest", buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "Y\n");
	ck_assert_int_gt(ksplit_param_get("nx_huge_pages", buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "never\n");
	ck_assert_int_lt(ksplit_param_get("no_such", buf, sizeof(buf)), 0);
}
END_TEST

static const struct kvm_cpuid_entry2 *leaf(const struct kvm_cpuid2 *cpuid,
					   uint32_t function, uint32_t index)
{
	unsigned int i;

	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == function &&
		    cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	ck_abort_msg("no CPUID leaf 0x%x", function);
}

/* What a guest is offered follows the stub's description. */
START_TEST(test_supported_cpuid)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[256];
	} cpuid;
	unsigned int eax, ebx, ecx, edx;

	cpuid.head.nent = 256;
	ck_assert_int_eq(kvm_call(0, KVM_GET_SUPPORTED_CPUID, &cpuid), 0);
	/* VMX, because the machine has it and nested=Y. */
	ck_assert_uint_ne(leaf(&cpuid.head, 1, 0)->ecx & 1u << 5, 0);
	/* AMX, SGX, L1D_FLUSH: not switched for a guest. */
	ck_assert_uint_eq(leaf(&cpuid.head, 7, 0)->edx & 7u << 22, 0);
	ck_assert_uint_eq(leaf(&cpuid.head, 7, 0)->edx & 1u << 28, 0);
	ck_assert_uint_eq(leaf(&cpuid.head, 7, 0)->ebx & 1u << 2, 0);
	/* No PMU. */
	ck_assert_uint_eq(leaf(&cpuid.head, 0xa, 0)->eax, 0);
	/* The width of the machine beneath. */
	ck_assert_uint_eq(leaf(&cpuid.head, 0x80000008, 0)->eax & 0xff, 46);
	/* Invariant TSC, if this CPU has it. */
	__cpuid(0x80000007, eax, ebx, ecx, edx);
	ck_assert_uint_eq(leaf(&cpuid.head, 0x80000007, 0)->edx, edx & 1u << 8);
}
END_TEST

static void guest_out(struct fake_entry *e, void *arg)
{
	switch (e->entry) {
	case 0:
		e->run->regs[0] = 'A';
		fake_exit(e, EXIT_IO, 0x3f8ull << 16, 1);
		break;
	default:
		fake_exit(e, EXIT_HLT, 0, 1);
	}
}

START_TEST(test_io_and_hlt)
{
	fake_set_guest(vcpu.fd, guest_out, NULL);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_IO);
	ck_assert_uint_eq(vcpu.run->io.port, 0x3f8);
	ck_assert_uint_eq(vcpu.run->io.direction, KVM_EXIT_IO_OUT);
	ck_assert_uint_eq(vcpu.run->io.size, 1);
	ck_assert_int_eq(((char *)vcpu.run)[vcpu.run->io.data_offset], 'A');

	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_HLT);
}
END_TEST

static void guest_cpuid(struct fake_entry *e, void *arg)
{
	switch (e->entry) {
	case 0:
		e->run->regs[0] = 0;
		e->run->regs[1] = 0;
		fake_exit(e, EXIT_CPUID, 0, 2);
		break;
	default:
		/* KVM has answered and stepped over the instruction. */
		ck_assert_uint_eq(e->run->regs[0], 1);
		ck_assert_uint_eq(e->run->regs[3], 0x11223344);
		ck_assert_uint_eq(*fake_field(e, GUEST_RIP), 0x1002);
		fake_exit(e, EXIT_HLT, 0, 1);
	}
}

START_TEST(test_cpuid)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[2];
	} cpuid = {
		.head.nent = 2,
		.entry[0] = { .function = 0, .eax = 1, .ebx = 0x11223344 },
		.entry[1] = { .function = 1, .eax = 0x506e3 },
	};

	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_SET_CPUID2, &cpuid), 0);
	fake_set_guest(vcpu.fd, guest_cpuid, NULL);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_HLT);
}
END_TEST

#define INVALID_OPCODE	0x80000306ul

/* What the stub says of a kick after an EPT violation that it dealt with. */
static void guest_kicked_in_delivery(struct fake_entry *e, void *arg)
{
	if (e->entry) {
		ck_assert_uint_eq(*fake_field(e, ENTRY_INTR_INFO), INVALID_OPCODE);
		fake_exit(e, EXIT_HLT, 0, 1);
		return;
	}
	fake_exit(e, EXIT_INTERRUPT, 0, 0);
	*fake_field(e, IDT_VECTORING_INFO) = INVALID_OPCODE;
}

START_TEST(test_kicked_in_delivery)
{
	fake_set_guest(vcpu.fd, guest_kicked_in_delivery, NULL);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_HLT);
}
END_TEST

#define MSR_STEAL_TIME	0x4b564d03
#define STEAL_GPA	0x2000

static void guest_waits(struct fake_entry *e, void *arg)
{
	const uint64_t *steal = (uint64_t *)((char *)ram + STEAL_GPA), *client = arg;

	ck_assert_uint_eq(*steal, 5000 + e->entry * 1000 + *client);
	e->run->run_delay = 5000 + (e->entry + 1) * 1000;
	fake_exit(e, e->entry < 3 ? EXIT_INTERRUPT : EXIT_HLT, 0, 1);
}

/* Steal time grows while the guest runs, not only from KVM_RUN to KVM_RUN. */
START_TEST(test_steal_time)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msr = {
		.head.nmsrs = 1,
		.entry = { .index = MSR_STEAL_TIME, .data = STEAL_GPA | 1 },
	};
	uint64_t client = 0;

	ksplit_thread_waited(0, 5000);
	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_SET_MSRS, &msr), 1);
	fake_set_guest(vcpu.fd, guest_waits, &client);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_HLT);
	/* The client's thread waited, too. */
	client = 7;
	ksplit_thread_waited(1, client);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_HLT);
}
END_TEST

#define MSR_SYSTEM_TIME	0x4b564d01
#define CLOCK_GPA	0x3000
#define GUEST_STOPPED	(1 << 1)
#define FLAGS		29	/* in struct pvclock_vcpu_time_info */

static void guest_looks_at_clock(struct fake_entry *e, void *arg)
{
	/* The guest clears the flag that tells it of a pause. */
	*(unsigned char *)arg = ((unsigned char *)ram)[CLOCK_GPA + FLAGS];
	((unsigned char *)ram)[CLOCK_GPA + FLAGS] &= ~GUEST_STOPPED;
	fake_exit(e, EXIT_HLT, 0, 1);
}

/* The host slept: a guest is told that it did not run, for its watchdogs. */
START_TEST(test_host_slept)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msr = {
		.head.nmsrs = 1,
		.entry = { .index = MSR_SYSTEM_TIME, .data = CLOCK_GPA | 1 },
	};
	unsigned char flags = GUEST_STOPPED;

	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_SET_MSRS, &msr), 1);
	fake_set_guest(vcpu.fd, guest_looks_at_clock, &flags);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(flags & GUEST_STOPPED, 0);
	ksplit_host_slept();
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(flags & GUEST_STOPPED, GUEST_STOPPED);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(flags & GUEST_STOPPED, 0);
}
END_TEST

/*
 * The stub loads no DEBUGCTL bit of a guest's but BTF, so the machine's bus-lock
 * traps are no feature of a guest.
 */
START_TEST(test_bus_lock_trap)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msr = {
		.head.nmsrs = 1,
		.entry = { .index = 0x1d9, .data = 1u << 2 },	/* DEBUGCTL.BUS_LOCK_DETECT */
	};

	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_SET_MSRS, &msr), 0);
	msr.entry.data = 0;
	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_SET_MSRS, &msr), 1);
}
END_TEST

#define LOOKS	16

static void guest_looks_at_tsc(struct fake_entry *e, void *arg)
{
	((uint64_t *)arg)[e->entry] = *fake_field(e, TSC_OFFSET);
	fake_exit(e, EXIT_HLT, 0, 1);
}

/* In how many of LOOKS runs the guest's TSC was set anew. */
static int tsc_changes(void)
{
	uint64_t offset[LOOKS];
	int i, changes = 0;

	fake_set_guest(vcpu.fd, guest_looks_at_tsc, offset);
	for (i = 0; i < LOOKS; i++)
		ck_assert_int_eq(client_run(&vcpu), 0);
	for (i = 1; i < LOOKS; i++)
		changes += offset[i] != offset[i - 1];
	return changes;
}

START_TEST(test_tsc_stable)
{
	ck_assert_int_eq(tsc_changes(), 0);
}
END_TEST

/* What the host found of its TSC holds for KVM: it keeps a guest's from going back. */
START_TEST(test_tsc_unstable)
{
	ck_assert_int_gt(tsc_changes(), 0);
}
END_TEST

#define MSR_SPEC_CTRL	0x48

/* Bits of SPEC_CTRL that the CPU has not, as the stub says: refused, not run. */
START_TEST(test_spec_ctrl)
{
	static const uint64_t bad[] = { 8, 1 << 7, 1 << 10, 0xf, 1 << 15, 1ull << 32, ~0ull };
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msr = {
		.head.nmsrs = 1,
		.entry = { .index = MSR_SPEC_CTRL },
	};
	unsigned int i;

	for (i = 0; i <= 7; i++) {
		msr.entry.data = i;
		ck_assert_int_eq(kvm_call(vcpu.handle, KVM_SET_MSRS, &msr), 1);
	}
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		msr.entry.data = bad[i];
		ck_assert_int_eq(kvm_call(vcpu.handle, KVM_SET_MSRS, &msr), 0);
		ck_assert_int_eq(kvm_call(vcpu.handle, KVM_GET_MSRS, &msr), 1);
		ck_assert_uint_eq(msr.entry.data, 7);
	}
}
END_TEST

static void guest_spins(struct fake_entry *e, void *arg)
{
	static const unsigned int window[] = { 4096, 8192, 16384, 8192 };

	ck_assert_uint_eq(*fake_field(e, PLE_WINDOW), window[e->entry]);
	if (e->entry == 2)
		e->run->run_delay += 1000;
	fake_exit(e, e->entry < 3 ? EXIT_PAUSE : EXIT_HLT, 0, 2);
}

/* The window of a guest that spins grows until its thread had to wait for a CPU. */
START_TEST(test_ple_window)
{
	fake_set_guest(vcpu.fd, guest_spins, NULL);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_HLT);
}
END_TEST

static void guest_touch(struct fake_entry *e, void *arg)
{
	uint64_t *ret_spte = arg;
	int level;

	switch (e->entry) {
	case 0:
		ck_assert_uint_eq(fake_walk_ept(e, 0x203000, NULL), 0);
		fake_exit(e, EXIT_EPT_VIOLATION, EPT_WRITE | EPT_GLA_VALID, 0);
		*fake_field(e, GUEST_PHYSICAL) = 0x203000;
		break;
	default:
		*ret_spte = fake_walk_ept(e, 0x203000, &level);
		ck_assert_int_eq(level, 2);
		fake_exit(e, EXIT_HLT, 0, 1);
	}
}

START_TEST(test_ept_violation)
{
	uint64_t spte = 0;
	uint64_t *page;

	fake_set_guest(vcpu.fd, guest_touch, &spte);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_HLT);
	/* Writable, write-back, and its frame is the slot's window. */
	ck_assert_uint_eq(spte & 7, 7);
	ck_assert_uint_eq(spte >> 3 & 7, 6);
	page = (uint64_t *)(spte & 0x000fffffffe00000);
	ck_assert_uint_eq((uintptr_t)page % (1ul << 30), 0x200000);
	page[0] = 1;
}
END_TEST

static void guest_mmio(struct fake_entry *e, void *arg)
{
	switch (e->entry) {
	case 0:
		e->run->regs[0] = 'x';
		fake_exit(e, EXIT_EPT_VIOLATION, EPT_WRITE | EPT_GLA_VALID, 0);
		*fake_field(e, GUEST_PHYSICAL) = 0x4008000;
		break;
	default:
		ck_assert_uint_eq(*fake_field(e, GUEST_RIP), 0x1003);
		fake_exit(e, EXIT_HLT, 0, 1);
	}
}

START_TEST(test_mmio)
{
	static const unsigned char code[] = { 0xa2, 0x00, 0x80 }; /* mov %al, 0x8000 */
	struct kvm_sregs sregs;

	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_GET_SREGS, &sregs), 0);
	sregs.ds.base = 0x4000000;
	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_SET_SREGS, &sregs), 0);
	memcpy((char *)ram + 0x1000, code, sizeof(code));

	fake_set_guest(vcpu.fd, guest_mmio, NULL);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_MMIO);
	ck_assert_uint_eq(vcpu.run->mmio.phys_addr, 0x4008000);
	ck_assert_uint_eq(vcpu.run->mmio.len, 1);
	ck_assert_uint_eq(vcpu.run->mmio.is_write, 1);
	ck_assert_uint_eq(vcpu.run->mmio.data[0], 'x');
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_HLT);
}
END_TEST

static void guest_stores(struct fake_entry *e, void *arg)
{
	e->run->regs[0] = 'a' + e->entry;
	fake_exit(e, EXIT_EPT_VIOLATION, EPT_WRITE | EPT_GLA_VALID, 0);
	*fake_field(e, GUEST_PHYSICAL) = 0x4008000 + e->entry;
}

/* Writes in a zone go to the client's ring, and are exits when that is full. */
START_TEST(test_coalesced)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = 0x4008000, .size = 8 };
	struct kvm_sregs sregs;
	struct fake_stats stats;
	unsigned int i;

	ck_assert_int_eq(kvm_call(vm.handle, KVM_REGISTER_COALESCED_MMIO, &zone), 0);
	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_GET_SREGS, &sregs), 0);
	sregs.ds.base = 0x4000000;
	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_SET_SREGS, &sregs), 0);
	for (i = 0; i < FAKE_RING + 2; i++) {
		unsigned char code[] = { 0xa2, i, 0x80 };	/* mov %al, 0x8000 + i */

		memcpy((char *)ram + 0x1000 + i * sizeof(code), code, sizeof(code));
	}

	fake_reset_stats();
	fake_set_guest(vcpu.fd, guest_stores, NULL);
	for (i = FAKE_RING; i < FAKE_RING + 2; i++) {
		ck_assert_int_eq(client_run(&vcpu), 0);
		ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_MMIO);
		ck_assert_uint_eq(vcpu.run->mmio.phys_addr, 0x4008000 + i);
		ck_assert_uint_eq(vcpu.run->mmio.data[0], 'a' + i);
		fake_get_stats(&stats);
		ck_assert_uint_eq(stats.coalesced, FAKE_RING);
		ck_assert_uint_eq(stats.write.phys_addr, 0x4008000 + FAKE_RING - 1);
		ck_assert_uint_eq(stats.write.len, 1);
		ck_assert_uint_eq(stats.write.data[0], 'a' + FAKE_RING - 1);
		ck_assert_uint_eq(stats.write.pio, 0);
	}
}
END_TEST

static void guest_backing(struct fake_entry *e, void *arg)
{
	if (e->entry == 0) {
		fake_exit(e, EXIT_EPT_VIOLATION, EPT_READ, 0);
		*fake_field(e, GUEST_PHYSICAL) = 0x3000;
		e->run->exit_flags |= KSPLIT_EXIT_BACKING;
		e->run->backing = 0x12343000;
		e->run->backing_write = 0;
		return;
	}
	fake_exit(e, EXIT_HLT, 0, 1);
}

START_TEST(test_backing)
{
	struct fake_stats stats;

	fake_reset_stats();
	fake_set_guest(vcpu.fd, guest_backing, NULL);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_HLT);
	fake_get_stats(&stats);
	ck_assert_uint_eq(stats.faults, 1);
}
END_TEST

START_TEST(test_backing_fault)
{
	fake_set_fault_result(-EFAULT);
	fake_set_guest(vcpu.fd, guest_backing, NULL);
	ck_assert_int_eq(client_run(&vcpu), -EFAULT);
	ck_assert_uint_eq(vcpu.run->exit_reason, 39 /* KVM_EXIT_MEMORY_FAULT */);
	fake_set_fault_result(0);
}
END_TEST

/* A run that the stub refuses ends the VM, not the worker. */
START_TEST(test_refused_run)
{
	fake_refuse_run(vcpu.fd, -EINVAL);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_FAIL_ENTRY);
	fake_refuse_run(vcpu.fd, 0);
	ck_assert_int_eq(client_run(&vcpu), -EIO);
}
END_TEST

START_TEST(test_immediate_exit)
{
	vcpu.run->immediate_exit = 1;
	ck_assert_int_eq(client_run(&vcpu), -EINTR);
	vcpu.run->immediate_exit = 0;
}
END_TEST

static void *signal_later(void *arg)
{
	usleep(20000);
	fake_signal(vcpu.fd);
	return NULL;
}

/* A client that gets a signal while its guest runs. */
START_TEST(test_signal)
{
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, signal_later, NULL), 0);
	ck_assert_int_eq(client_run(&vcpu), -EINTR);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_INTR);
	pthread_join(t, NULL);
}
END_TEST

static void dummy_guest(struct fake_entry *e, void *arg)
{
	int *entries = arg;

	__atomic_add_fetch(entries, 1, __ATOMIC_SEQ_CST);
	fake_spin(e);
}

struct other {
	int *entries;
	int done;
};

/* On another CPU: change memory slots while the vCPU is in the guest. */
static void change_slots(void *arg)
{
	struct other *o = arg;
	struct kvm_userspace_memory_region region = { .slot = 1 };
	int i;

	for (i = 0; i < 20; i++) {
		int before = __atomic_load_n(o->entries, __ATOMIC_SEQ_CST);

		client_add_slot(&vm, 1, 1ull << 30, 2ul << 20, 0);
		ck_assert_int_eq(kvm_call(vm.handle, KVM_SET_USER_MEMORY_REGION,
					  &region), 0);
		/* Deleting the slot took the vCPU out, and it went in again. */
		while (__atomic_load_n(o->entries, __ATOMIC_SEQ_CST) == before)
			usleep(100);
	}
	__atomic_store_n(&o->done, 1, __ATOMIC_SEQ_CST);
	fake_signal(vcpu.fd);
}

START_TEST(test_kick_and_wait)
{
	int entries = 0;
	struct other o = { .entries = &entries };
	struct fake_stats stats;

	fake_reset_stats();
	fake_set_guest(vcpu.fd, dummy_guest, &entries);
	ck_assert_int_eq(ksplit_thread_create("slots", change_slots, &o), 0);
	ck_assert_int_eq(client_run(&vcpu), -EINTR);
	ck_assert_int_eq(__atomic_load_n(&o.done, __ATOMIC_SEQ_CST), 1);
	fake_get_stats(&stats);
	ck_assert_uint_ge(stats.kicks, 20);
}
END_TEST

static void reroute(void *arg)
{
	struct other *o = arg;
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry;
	} routing = {
		.head.nr = 1,
		.entry = { .gsi = 24, .type = KVM_IRQ_ROUTING_MSI,
			   .u.msi = { .address_lo = 0xfee00000, .data = 0x40 } },
	};
	int i;

	for (i = 0; i < 100; i++)
		ck_assert_int_eq(kvm_call(vm.handle, KVM_SET_GSI_ROUTING,
					  &routing), 0);
	__atomic_store_n(&o->done, 1, __ATOMIC_SEQ_CST);
	fake_signal(vcpu.fd);
}

/* SRCU grace periods end while a vCPU is in the guest. */
START_TEST(test_routing_grace_periods)
{
	int entries = 0;
	struct other o = { .entries = &entries };

	fake_set_guest(vcpu.fd, dummy_guest, &entries);
	ck_assert_int_eq(ksplit_thread_create("routing", reroute, &o), 0);
	ck_assert_int_eq(client_run(&vcpu), -EINTR);
	ck_assert_int_eq(o.done, 1);
}
END_TEST

static void guest_hlt_nmi(struct fake_entry *e, void *arg)
{
	uint64_t *info = arg;

	if (e->entry == 0) {
		fake_exit(e, EXIT_HLT, 0, 1);
		return;
	}
	*info = *fake_field(e, ENTRY_INTR_INFO);
	e->run->regs[0] = 'B';
	fake_exit(e, EXIT_IO, 0x3f8ull << 16, 1);
}

static void send_nmi(void *arg)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = MSI_NMI };

	usleep(20000);
	ck_assert_int_gt(kvm_call(vm.handle, KVM_SIGNAL_MSI, &msi), 0);
}

/* HLT with an in-kernel APIC sleeps until an interrupt comes. */
START_TEST(test_halt_and_wake)
{
	uint64_t info = 0;
	struct fake_stats stats;

	fake_reset_stats();
	fake_set_guest(vcpu.fd, guest_hlt_nmi, &info);
	ck_assert_int_eq(ksplit_thread_create("nmi", send_nmi, NULL), 0);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_IO);
	ck_assert_uint_eq(info, 0x80000202);
	fake_get_stats(&stats);
	ck_assert_uint_ge(stats.blocks, 1);
	ck_assert_uint_eq(stats.runs, 2);
}
END_TEST

/* A VM with APICs; the vCPU's is enabled. */
static void setup_apic(void)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[2];
	} cpuid = {
		.head.nent = 2,
		.entry[0] = { .function = 0, .eax = 1 },
		/* APIC; TSC deadline, x2APIC. */
		.entry[1] = { .function = 1, .eax = 0x506e3, .edx = 1u << 9 | 1u << 5,
			      .ecx = 1u << 24 | 1u << 21 },
	};
	struct kvm_regs regs;
	struct kvm_lapic_state lapic;

	client_create_vm(&vm);
	ck_assert_int_eq(kvm_call(vm.handle, KVM_CREATE_IRQCHIP, 0), 0);
	ram = client_add_slot(&vm, 0, 0, RAM_SIZE, 0);
	client_create_vcpu(&vm, 0, &vcpu);
	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_SET_CPUID2, &cpuid), 0);
	client_real_mode(&vcpu, 0x1000);
	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_GET_REGS, &regs), 0);
	regs.rflags |= 1u << 9;
	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_SET_REGS, &regs), 0);
	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_GET_LAPIC, &lapic), 0);
	*(uint32_t *)(lapic.regs + 0xf0) = 0x1ff;	/* SPIV: enabled */
	*(uint32_t *)(lapic.regs + 0x320) = 0x40041;	/* LVTT: TSC deadline */
	*(uint32_t *)(lapic.regs + 0x350) = 0x10000;	/* LINT0: masked */
	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_SET_LAPIC, &lapic), 0);
}

static void guest_timer(struct fake_entry *e, void *arg)
{
	static uint64_t deadline;
	uint64_t *info = arg;

	switch (e->entry) {
	case 0:
		deadline = __rdtsc() + 25000000;
		e->run->regs[1] = MSR_TSC_DEADLINE;
		e->run->regs[0] = (uint32_t)(deadline + *fake_field(e, TSC_OFFSET));
		e->run->regs[2] = (deadline + *fake_field(e, TSC_OFFSET)) >> 32;
		fake_exit(e, EXIT_MSR_WRITE, 0, 2);
		break;
	case 1:
		ck_assert_uint_le(deadline - e->run->tsc_deadline + 50000, 100000);
		fake_spin(e);
		ck_assert_uint_ge(__rdtsc(), deadline - 50000);
		break;
	case 2:
		*info = *fake_field(e, ENTRY_INTR_INFO);
		e->run->regs[0] = 0;
		fake_exit(e, EXIT_IO, 0x3f8ull << 16, 1);
		break;
	default:
		ck_abort_msg("entry %u", e->entry);
	}
}

/* The TSC-deadline timer is the stub's: no signal, no thread. */
START_TEST(test_hv_timer)
{
	uint64_t info = 0;

	fake_set_guest(vcpu.fd, guest_timer, &info);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_IO);
	ck_assert_uint_eq(info, 0x80000041);
}
END_TEST

static long resident_pages(void)
{
	long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%ld %ld", &size, &resident), 2);
	fclose(f);
	return resident;
}

/* A VM costs hundreds of pages; none of them stays behind. */
START_TEST(test_create_and_destroy)
{
	long before = 0;
	int i;

	for (i = 0; i < 800; i++) {
		/* Caches and per-CPU lists have grown by then. */
		if (i == 300)
			before = resident_pages();
		teardown();
		setup();
		fake_set_guest(vcpu.fd, guest_out, NULL);
		ck_assert_int_eq(client_run(&vcpu), 0);
	}
	ck_assert_int_le(resident_pages() - before, 50);
}
END_TEST

Suite *vcpu_suite(void)
{
	Suite *s = suite_create("libkvm");
	TCase *t;

	t = tcase_create("system");
	tcase_add_test(t, test_api_version);
	tcase_add_test(t, test_params);
	tcase_add_test(t, test_supported_cpuid);
	suite_add_tcase(s, t);

	t = tcase_create("exits");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_io_and_hlt);
	tcase_add_test(t, test_bus_lock_trap);
	tcase_add_test(t, test_cpuid);
	tcase_add_test(t, test_kicked_in_delivery);
	tcase_add_test(t, test_steal_time);
	tcase_add_test(t, test_spec_ctrl);
	tcase_add_test(t, test_host_slept);
	tcase_add_test(t, test_tsc_stable);
	tcase_add_test(t, test_ple_window);
	tcase_add_test(t, test_ept_violation);
	tcase_add_test(t, test_mmio);
	tcase_add_test(t, test_coalesced);
	tcase_add_test(t, test_backing);
	tcase_add_test(t, test_backing_fault);
	tcase_add_test(t, test_refused_run);
	suite_add_tcase(s, t);

	t = tcase_create("threads");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_immediate_exit);
	tcase_add_test(t, test_signal);
	tcase_add_test(t, test_kick_and_wait);
	suite_add_tcase(s, t);

	t = tcase_create("apic");
	tcase_add_checked_fixture(t, setup_apic, teardown);
	tcase_add_test(t, test_halt_and_wake);
	tcase_add_test(t, test_hv_timer);
	tcase_add_test(t, test_routing_grace_periods);
	suite_add_tcase(s, t);

	t = tcase_create("lifetime");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_create_and_destroy);
	suite_add_tcase(s, t);
	return s;
}

Suite *unstable_suite(void)
{
	Suite *s = suite_create("libkvm, unstable TSC");
	TCase *t = tcase_create("clock");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_tsc_unstable);
	suite_add_tcase(s, t);
	return s;
}
