// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest hypervisor on the fake machine: VMX instructions of L1, an L2 that
 * faults and exits, and what libkvm then asks of the stub.
 */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "tests/fake/ops_fake.h"
#include "suites.h"

#define RAM_SIZE	(4ul << 20)

/* Guest memory of L1. */
#define CODE		0x1000
#define OPERANDS	0x2000
#define VMXON_REGION	0x20000
#define VMCS12		0x21000
#define L1_PML4		0x10000
#define EPT12		0x30000
#define L1_EXIT_RIP	0x1800
#define L2_RIP		0x1900

#define VMCS12_REVISION	0x11e57ed0

/* Exit reasons. */
#define EXIT_CPUID	10
#define EXIT_HLT	12
#define EXIT_VMCLEAR	19
#define EXIT_VMLAUNCH	20
#define EXIT_VMPTRLD	21
#define EXIT_VMREAD	23
#define EXIT_VMWRITE	25
#define EXIT_VMXOFF	26
#define EXIT_VMXON	27
#define EXIT_EPT	48
#define EXIT_INVEPT	50
#define FAILED_ENTRY	(1u << 31 | 33)

/* VM-exit instruction information (SDM vol. 3, 28.2.5). */
#define INFO_ADDR64	(2u << 7)
#define INFO_REG	(1u << 10)
#define INFO_DS		(3u << 15)
#define INFO_NO_INDEX	(1u << 22)
#define INFO_NO_BASE	(1u << 27)
#define INFO_MEMORY	(INFO_ADDR64 | INFO_DS | INFO_NO_INDEX | INFO_NO_BASE)
#define INFO_REG2(r)	((uint32_t)(r) << 28)

#define INSN_INFO	0x440e
#define GUEST_PHYSICAL	0x2400
#define GUEST_RIP	0x681e
#define GUEST_RFLAGS	0x6820
#define ENTRY_INTR_INFO	0x4016
#define EPT_POINTER	0x201a
#define PF_MASK		0x4006
#define PF_MATCH	0x4008
#define INTERRUPTIBILITY 0x4824
#define VM_INSTRUCTION_ERROR 0x4400
#define VM_EXIT_REASON	0x4402
#define PROC2		0x401e
#define DESCRIPTOR_EXITING (1u << 2)
#define GUEST_CR4	0x6804
#define CR4_UMIP	(1u << 11)

#define LSTAR		0xc0000082
#define SYSCALL_MASK	0xc0000084
#define RFLAGS_ALU	0x8d5

static struct client_vm vm;
static struct client_vcpu vcpu;
static unsigned char *ram;

static void put64(uint64_t gpa, uint64_t value)
{
	memcpy(ram + gpa, &value, sizeof(value));
}

static uint64_t get_msr(uint32_t index)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1, .entry.index = index };

	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_GET_MSRS, &msrs), 1);
	return msrs.entry.data;
}

static long try_set_msr(uint32_t index, uint64_t data)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1, .entry = { .index = index, .data = data } };

	return kvm_call(vcpu.handle, KVM_SET_MSRS, &msrs);
}

static void set_msr(uint32_t index, uint64_t data)
{
	ck_assert_int_eq(try_set_msr(index, data), 1);
}

static uint32_t control(uint32_t msr, uint32_t want)
{
	uint64_t allowed = get_msr(msr);

	return (want | (uint32_t)allowed) & allowed >> 32;
}

/* --------------------------------------------------------------- set-up -- */

static void set_cpuid(void)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[5];
	} cpuid = {
		.head.nent = 5,
		.entry[0] = { .function = 0, .eax = 7 },
		/* VMX; PAE, MSR, PGE. */
		.entry[1] = { .function = 1, .eax = 0x506e3, .ecx = 1u << 5,
			      .edx = 1u << 5 | 1u << 6 | 1u << 13 },
		.entry[2] = { .function = 0x80000001, .edx = 1u << 29 | 1u << 20 },
		.entry[3] = { .function = 0x80000008, .eax = 0x302e },
		/* UMIP */
		.entry[4] = { .function = 7, .ecx = 1u << 2,
			      .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX },
	};

	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_SET_CPUID2, &cpuid), 0);
}

static void set_long_mode(void)
{
	struct kvm_segment flat = {
		.limit = 0xffffffff, .selector = 0x10, .type = 3, .present = 1,
		.db = 1, .s = 1, .g = 1,
	};
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct kvm_sregs sregs;

	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_GET_SREGS, &sregs), 0);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat;
	sregs.cs = flat;
	sregs.cs.selector = 8;
	sregs.cs.type = 11;
	sregs.cs.db = 0;
	sregs.cs.l = 1;
	sregs.tr.type = 11;
	sregs.cr0 = 0x80000033;
	sregs.cr3 = L1_PML4;
	sregs.cr4 = 1u << 5 | 1u << 13;
	sregs.efer = 0x500;
	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_SET_SREGS, &sregs), 0);
	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_SET_REGS, &regs), 0);
}

static void setup(void)
{
	/* movq $0, EPT12 + 0x2008 */
	static const unsigned char clear_ept12[] = {
		0x48, 0xc7, 0x04, 0x25, 0x08, 0x20, 0x03, 0x00, 0, 0, 0, 0,
	};
	uint32_t revision = VMCS12_REVISION;
	int i;

	client_create_vm(&vm);
	ram = client_add_slot(&vm, 0, 0, RAM_SIZE, 0);
	client_create_vcpu(&vm, 0, &vcpu);
	set_cpuid();
	set_msr(0x3a, 5);	/* FEAT_CTL: locked, VMX outside SMX */
	set_long_mode();

	/* Identity: L1's page tables, and its EPT for L2, in 2 MiB pages. */
	put64(L1_PML4, (L1_PML4 + 0x1000) | 7);
	put64(L1_PML4 + 0x1000, (L1_PML4 + 0x2000) | 7);
	put64(EPT12, (EPT12 + 0x1000) | 7);
	put64(EPT12 + 0x1000, (EPT12 + 0x2000) | 7);
	for (i = 0; i < 2; i++) {
		put64(L1_PML4 + 0x2000 + 8 * i, (uint64_t)i << 21 | 0xe7);
		put64(EPT12 + 0x2000 + 8 * i, (uint64_t)i << 21 | 0xb7);
	}
	memcpy(ram + L1_EXIT_RIP, clear_ept12, sizeof(clear_ept12));
	memcpy(ram + VMXON_REGION, &revision, sizeof(revision));
	memcpy(ram + VMCS12, &revision, sizeof(revision));
	put64(OPERANDS, VMXON_REGION);
	put64(OPERANDS + 8, VMCS12);
	/* INVEPT descriptor. */
	put64(OPERANDS + 16, EPT12 | 0x1e);
	put64(OPERANDS + 24, 0);
}

static void teardown(void)
{
	client_close_all(&vm, &vcpu);
}

/* ------------------------------------------------------------- L1 and L2 -- */

struct l1 {
	struct { uint32_t field; uint64_t value; } vmcs[80];
	unsigned int nr, next;	/* VMWRITEs, and how many were done */
	int step;
	int done;
	uint64_t spte;
};

static void l1_write(struct l1 *l1, uint32_t field, uint64_t value)
{
	l1->vmcs[l1->nr].field = field;
	l1->vmcs[l1->nr++].value = value;
}

/* vmcs12: L2 like L1, with EPT, nothing intercepted but what must be. */
static void l1_fill(struct l1 *l1)
{
	static const uint32_t segments[] = { 0, 2, 4, 6, 8, 10 };
	uint64_t cr4 = 1u << 5 | 1u << 13;
	unsigned int i;

	l1_write(l1, 0x4000, control(0x481, 0));
	l1_write(l1, 0x4002, control(0x482, 1u << 31));
	l1_write(l1, 0x401e, control(0x48b, 1u << 1));
	l1_write(l1, 0x400c, control(0x483, 1u << 9));
	l1_write(l1, 0x4012, control(0x484, 1u << 9));
	l1_write(l1, 0x201a, EPT12 | 0x1e);
	l1_write(l1, 0x2800, ~0ull);

	l1_write(l1, 0x6c00, 0x80000033);
	l1_write(l1, 0x6c02, L1_PML4);
	l1_write(l1, 0x6c04, cr4);
	l1_write(l1, 0x0c02, 8);
	l1_write(l1, 0x0c04, 0x10);
	l1_write(l1, 0x0c0c, 0x18);
	l1_write(l1, 0x6c14, 0x8000);
	l1_write(l1, 0x6c16, L1_EXIT_RIP);

	l1_write(l1, 0x6800, 0x80000033);
	l1_write(l1, 0x6802, L1_PML4);
	l1_write(l1, 0x6804, cr4);
	for (i = 0; i < 6; i++) {
		l1_write(l1, 0x800 + segments[i], i == 1 ? 8 : 0x10);
		l1_write(l1, 0x4800 + segments[i], 0xffffffff);
		l1_write(l1, 0x4814 + segments[i], i == 1 ? 0xa09b : 0xc093);
	}
	l1_write(l1, 0x4820, 0x10000);	/* LDTR: unusable */
	l1_write(l1, 0x4822, 0x8b);
	l1_write(l1, 0x480e, 0x67);
	l1_write(l1, 0x681a, 0x400);
	l1_write(l1, 0x681e, L2_RIP);
	l1_write(l1, 0x6820, 2);
}

static void memory_operand(struct fake_entry *e, uint32_t reason, uint64_t gpa)
{
	fake_exit(e, reason, gpa, 3);
	*fake_field(e, INSN_INFO) = INFO_MEMORY;
}

/* L1 up to its VMLAUNCH; false once L2 has been entered. */
static bool launch(struct fake_entry *e, struct l1 *l1)
{
	/* No VMX instruction has failed or faulted so far. */
	ck_assert_msg(!(*fake_field(e, ENTRY_INTR_INFO) >> 31), "step %d: event 0x%x",
		      l1->step, (unsigned int)*fake_field(e, ENTRY_INTR_INFO));
	if (l1->step <= 4)
		ck_assert_uint_eq(*fake_field(e, GUEST_RFLAGS) & RFLAGS_ALU, 0);

	switch (l1->step) {
	case 0:
		memory_operand(e, EXIT_VMXON, OPERANDS);
		l1->step++;
		break;
	case 1:
		memory_operand(e, EXIT_VMCLEAR, OPERANDS + 8);
		l1->step++;
		break;
	case 2:
		memory_operand(e, EXIT_VMPTRLD, OPERANDS + 8);
		l1->step++;
		break;
	case 3:
		e->run->regs[0] = l1->vmcs[l1->next].value;
		e->run->regs[1] = l1->vmcs[l1->next].field;
		fake_exit(e, EXIT_VMWRITE, 0, 3);
		*fake_field(e, INSN_INFO) = INFO_REG | INFO_REG2(1);
		if (++l1->next == l1->nr)
			l1->step++;
		break;
	case 4:
		fake_exit(e, EXIT_VMLAUNCH, 0, 3);
		l1->step++;
		break;
	default:
		return false;
	}
	return true;
}

static void guest(struct fake_entry *e, void *arg)
{
	struct l1 *l1 = arg;
	int level;

	if (l1->step > 4)
		ck_assert_uint_eq(*fake_field(e, GUEST_RFLAGS) & RFLAGS_ALU, 0);
	if (launch(e, l1))
		return;
	switch (l1->step) {
	case 5:
		/* L2, first instruction. */
		ck_assert_uint_eq(e->run->vmcs_index, 1);
		ck_assert_uint_eq(*fake_field(e, GUEST_RIP), L2_RIP);
		fake_exit(e, EXIT_EPT, 1 | 3 << 7, 0);
		*fake_field(e, GUEST_PHYSICAL) = 0x203000;
		l1->step++;
		break;
	case 6:
		ck_assert_uint_eq(e->run->vmcs_index, 1);
		l1->spte = fake_walk_ept(e, 0x203000, &level);
		ck_assert_int_eq(level, 2);
		fake_exit(e, EXIT_CPUID, 0, 2);
		l1->step++;
		break;
	case 7:
		/* CPUID of L2 always leaves to L1, which drops its EPT. */
		ck_assert_uint_eq(e->run->vmcs_index, 0);
		ck_assert_uint_eq(*fake_field(e, GUEST_RIP), L1_EXIT_RIP);
		/* It writes to its tables, which are mapped read-only. */
		fake_exit(e, EXIT_EPT, 1 << 1 | 1 << 3 | 3 << 7, 0);
		*fake_field(e, GUEST_PHYSICAL) = EPT12 + 0x2008;
		l1->step++;
		break;
	case 8:
		ck_assert_uint_eq(*fake_field(e, GUEST_RIP), L1_EXIT_RIP + 12);
		ck_assert_uint_eq(*(uint64_t *)(ram + EPT12 + 0x2008), 0);
		e->run->regs[2] = 1;	/* single context */
		memory_operand(e, EXIT_INVEPT, OPERANDS + 16);
		*fake_field(e, INSN_INFO) |= INFO_REG2(2);
		l1->step++;
		break;
	case 9:
		fake_exit(e, EXIT_VMXOFF, 0, 3);
		l1->step++;
		break;
	default:
		l1->done = 1;
		fake_exit(e, EXIT_HLT, 0, 1);
	}
}

START_TEST(test_l2_life)
{
	struct l1 l1 = { 0 };
	struct fake_stats stats;

	l1_fill(&l1);
	fake_reset_stats();
	fake_set_guest(vcpu.fd, guest, &l1);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_HLT);
	ck_assert_int_eq(l1.done, 1);
	ck_assert_uint_eq(l1.spte & 0x000fffffffe00000, (uintptr_t)ram + 0x200000);

	/* Only L2's translations were dropped, never all of them. */
	fake_get_stats(&stats);
	ck_assert_uint_eq(stats.flushes[KSPLIT_FLUSH_ALL], 0);
	ck_assert_uint_ge(stats.flushes[KSPLIT_FLUSH_SHADOW], 1);
}
END_TEST

/* ------------------------------------------- what the processor refuses -- */

static void read_field(struct fake_entry *e, uint32_t field)
{
	e->run->regs[1] = field;
	fake_exit(e, EXIT_VMREAD, 0, 3);
	*fake_field(e, INSN_INFO) = INFO_REG | INFO_REG2(1);
}

/* VMfail: L1 goes on behind its VMLAUNCH, with the error in its VMCS. */
static void guest_vmfail(struct fake_entry *e, void *arg)
{
	struct l1 *l1 = arg;

	if (launch(e, l1))
		return;
	switch (l1->step++) {
	case 5:
		ck_assert_uint_eq(e->run->vmcs_index, 1);
		e->run->exit_flags |= KSPLIT_EXIT_VMFAIL;
		e->run->instruction_error = 7;
		break;
	case 6:
		ck_assert_uint_eq(e->run->vmcs_index, 0);
		ck_assert_uint_eq(*fake_field(e, GUEST_RFLAGS) & RFLAGS_ALU, 0x40);
		read_field(e, VM_INSTRUCTION_ERROR);
		break;
	default:
		ck_assert_uint_eq(e->run->regs[0], 7);
		l1->done = 1;
		fake_exit(e, EXIT_HLT, 0, 1);
	}
}

/* A failed entry is an exit of L2's. */
static void guest_failed_entry(struct fake_entry *e, void *arg)
{
	struct l1 *l1 = arg;

	if (launch(e, l1))
		return;
	switch (l1->step++) {
	case 5:
		/* As L1 wants them: they concern L2 alone. */
		ck_assert_uint_eq(*fake_field(e, PF_MASK), 2);
		ck_assert_uint_eq(*fake_field(e, PF_MATCH), 1);
		ck_assert_uint_eq(*fake_field(e, INTERRUPTIBILITY), 0x24);
		fake_exit(e, FAILED_ENTRY, 0, 0);
		break;
	case 6:
		ck_assert_uint_eq(e->run->vmcs_index, 0);
		ck_assert_uint_eq(*fake_field(e, GUEST_RIP), L1_EXIT_RIP);
		read_field(e, VM_EXIT_REASON);
		break;
	default:
		ck_assert_uint_eq(e->run->regs[0], FAILED_ENTRY);
		l1->done = 1;
		fake_exit(e, EXIT_HLT, 0, 1);
	}
}

/* The root of L1's EPT is no memory: the walk of KVM's tables finds nothing. */
static void guest_no_root(struct fake_entry *e, void *arg)
{
	struct l1 *l1 = arg;
	int level;

	if (launch(e, l1))
		return;
	switch (l1->step++) {
	case 5:
		ck_assert_uint_eq(e->run->vmcs_index, 1);
		ck_assert_uint_lt(*fake_field(e, EPT_POINTER), 1ull << 47);
		ck_assert_uint_eq(fake_walk_ept(e, L2_RIP, &level), 0);
		ck_assert_int_eq(level, 4);
		fake_exit(e, EXIT_EPT, 1 << 2 | 3 << 7, 0);
		*fake_field(e, GUEST_PHYSICAL) = L2_RIP;
		break;
	case 6:
		ck_assert_uint_eq(*fake_field(e, GUEST_RIP), L1_EXIT_RIP);
		read_field(e, VM_EXIT_REASON);
		break;
	default:
		ck_assert_uint_eq(e->run->regs[0], EXIT_EPT);
		l1->done = 1;
		fake_exit(e, EXIT_HLT, 0, 1);
	}
}

static void run_l1(struct l1 *l1, fake_guest_fn fn)
{
	fake_set_guest(vcpu.fd, fn, l1);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_HLT);
	ck_assert_int_eq(l1->done, 1);
}

START_TEST(test_vmfail)
{
	struct l1 l1 = { 0 };

	l1_fill(&l1);
	run_l1(&l1, guest_vmfail);
}
END_TEST

START_TEST(test_failed_entry)
{
	struct l1 l1 = { 0 };

	l1_fill(&l1);
	l1_write(&l1, PF_MASK, 2);
	l1_write(&l1, PF_MATCH, 1);
	l1_write(&l1, INTERRUPTIBILITY, 0x24);
	run_l1(&l1, guest_failed_entry);
}
END_TEST

START_TEST(test_no_root)
{
	struct l1 l1 = { 0 };

	l1_fill(&l1);
	l1_write(&l1, EPT_POINTER, 1ull << 35 | 0x1e);
	run_l1(&l1, guest_no_root);
}
END_TEST

/* A value that WRMSR does not take never gets into a run. */
START_TEST(test_msr_values)
{
	struct kvm_sregs sregs;

	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_GET_SREGS, &sregs), 0);
	sregs.efer |= 1;	/* SCE: the MSRs are the guest's */
	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_SET_SREGS, &sregs), 0);
	set_msr(SYSCALL_MASK, 0x47700);
	ck_assert_int_eq(try_set_msr(SYSCALL_MASK, 1ull << 40), 0);
	ck_assert_int_eq(try_set_msr(LSTAR, 1ull << 62), 0);
	ck_assert_uint_eq(get_msr(SYSCALL_MASK), 0x47700);
	set_msr(SYSCALL_MASK, 0xffffffff);
}
END_TEST

static void guest_umip(struct fake_entry *e, void *arg)
{
	(void)arg;
	ck_assert_uint_eq(*fake_field(e, GUEST_CR4) & CR4_UMIP, 0);
	ck_assert_uint_ne(*fake_field(e, PROC2) & DESCRIPTOR_EXITING, 0);
	fake_exit(e, EXIT_HLT, 0, 1);
}

/* CR4 gets no bit that the stub would refuse: the host's kernel does not use UMIP. */
START_TEST(test_unused_feature)
{
	struct kvm_sregs sregs;

	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_GET_SREGS, &sregs), 0);
	sregs.cr4 |= CR4_UMIP;
	ck_assert_int_eq(kvm_call(vcpu.handle, KVM_SET_SREGS, &sregs), 0);
	fake_set_guest(vcpu.fd, guest_umip, NULL);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_HLT);
}
END_TEST

Suite *nested_suite(void)
{
	Suite *s = suite_create("nested");
	TCase *t = tcase_create("l2");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_l2_life);
	tcase_add_test(t, test_vmfail);
	tcase_add_test(t, test_failed_entry);
	tcase_add_test(t, test_no_root);
	tcase_add_test(t, test_msr_values);
	tcase_add_test(t, test_unused_feature);
	suite_add_tcase(s, t);
	return s;
}
