// SPDX-License-Identifier: GPL-2.0-only
/*
 * What L1 takes away from L2 is gone once L1 has flushed.
 *
 * With EPT: L2 uses a page, L1 changes an entry on the way to it, executes
 * INVEPT, and L2 goes on: rights, the present bits, a reserved value, another
 * page, in the last entry or in one of a table above. Where L2's memory is
 * mapped identically and where it is not, again and again: the second time L1's
 * table is one that KVM has synchronized before.
 *
 * Without EPT: L2 runs on L1's own memory, by page tables of L1's. What makes a
 * change there effective is INVVPID, or VM entry if L2 has no VPID.
 */
#include "test_util.h"
#include "kvm_util.h"
#include "processor.h"
#include "vmx.h"

#define ALIAS		0xc0001000ul	/* of the page in L2, where it is not identity */
#define TABLES		0xd0000000ul	/* where L1 sees the tables, by level */
#define TABLE(level)	(TABLES + (level) * PAGE_SIZE)

#define EPT_RWX		7ull
#define ROUNDS		3

/* At the beginning of the page: a call gets there and leaves to L1. */
static const uint8_t code[] = { 0x0f, 0x01, 0xc1, 0xc3 };	/* vmcall; ret */
#define VALUE		1		/* index of the value that L2 writes */

enum op { READ, WRITE, EXEC };

/* One change of an entry. @exit: L2's, with @qual of its exit qualification. */
struct change {
	const char *name;
	int level;
	uint64_t clear;
	uint64_t set;
	enum op op;
	uint32_t exit;
	uint64_t qual;
	bool other;		/* the entry names the other page */
};

static const struct change ept_changes[] = {
	{ "W", 1, 2, 0, WRITE, EXIT_REASON_EPT_VIOLATION, 2 },
	{ "X", 1, 4, 0, EXEC, EXIT_REASON_EPT_VIOLATION, 4 },
	{ "present", 1, EPT_RWX, 0, READ, EXIT_REASON_EPT_VIOLATION, 1 },
	{ "reserved", 1, 1, 0, READ, EXIT_REASON_EPT_MISCONFIG, 0 },
	{ "other page", 1, 0, 0, READ, EXIT_REASON_VMCALL, 0, true },
	{ "W of 2 MiB", 2, 2, 0, WRITE, EXIT_REASON_EPT_VIOLATION, 2 },
	{ "present of 2 MiB", 2, EPT_RWX, 0, READ, EXIT_REASON_EPT_VIOLATION, 1 },
	{ "X of 1 GiB", 3, 4, 0, EXEC, EXIT_REASON_EPT_VIOLATION, 4 },
};

static const struct change pte_changes[] = {
	{ "other page", 1, 0, 0, READ, EXIT_REASON_VMCALL, 0, true },
	{ "present", 1, 1, 0, READ, EXIT_REASON_EXCEPTION_NMI, 0 },
};

/* What L1 and L2 have to know, written before they run. */
static struct {
	bool ept;
	bool alias;
	bool vpid;
	uint64_t *page;		/* as L1 sees it, and */
	uint64_t *l2_page;
	uint64_t *entry[4];	/* on the way to it, by level */
	uint64_t other;		/* address of the other page */
} test;

/* What L1 tells L2 to do, and what L2 saw. */
static enum op op;
static uint64_t value, seen;
static unsigned long *l2_stack;

/* Begins anew at each entry: L1 keeps none of L2's registers. */
static void l2_guest_code(void)
{
	if (op == WRITE)
		WRITE_ONCE(test.l2_page[VALUE], value);
	else if (op == READ)
		WRITE_ONCE(seen, READ_ONCE(test.l2_page[VALUE]));
	else
		((void (*)(void))test.l2_page)();
	vmcall();
}

/* @how: 0: one context, 1: all. */
static void flush(int how)
{
	struct { uint64_t which, rsvd; } desc = { test.vpid, 0 };
	uint8_t fail = 0;

	if (test.ept) {
		desc.which = vmreadz(EPT_POINTER);
		asm volatile("invept %1, %2; setna %0" : "=rm"(fail)
			     : "m"(desc), "r"(how + 1ul) : "memory", "cc");
	} else if (test.vpid) {
		asm volatile("invvpid %1, %2; setna %0" : "=rm"(fail)
			     : "m"(desc), "r"(how + 1ul) : "memory", "cc");
	}
	GUEST_ASSERT(!fail);
}

static uint32_t enter(enum op what)
{
	op = what;
	value++;
	vmwrite(GUEST_RIP, (uint64_t)l2_guest_code);
	vmwrite(GUEST_RSP, (uint64_t)l2_stack);
	GUEST_ASSERT(!vmresume());
	return vmreadz(VM_EXIT_REASON);
}

/* Whether L2 saw and did what the tables allow. */
static bool right(const struct change *c, uint32_t exit, uint64_t before)
{
	uint64_t now = READ_ONCE(test.page[VALUE]);

	if ((uint16_t)exit != c->exit || (c->qual & ~vmreadz(EXIT_QUALIFICATION)))
		return false;
	if (c->other)
		return seen == ~0ull;
	return c->op != WRITE || now == before;
}

static void try_change(const struct change *c, int how, int round)
{
	uint64_t *entry = test.entry[c->level], good = READ_ONCE(*entry), before;
	uint32_t exit;

	exit = enter(c->op);
	if (exit != EXIT_REASON_VMCALL)
		GUEST_SYNC_ARGS((uintptr_t)c->name, how, round, exit, 0);
	before = READ_ONCE(test.page[VALUE]);

	if (c->other)
		WRITE_ONCE(*entry, (good & ~PHYSICAL_PAGE_MASK) | test.other);
	else
		WRITE_ONCE(*entry, (good & ~c->clear) | c->set);
	flush(how);
	exit = enter(c->op);
	if (!right(c, exit, before))
		GUEST_SYNC_ARGS((uintptr_t)c->name, how, round, exit, 1);

	WRITE_ONCE(*entry, good);
	flush(how);
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	const struct change *c = test.ept ? ept_changes : pte_changes;
	int n = test.ept ? ARRAY_SIZE(ept_changes) : ARRAY_SIZE(pte_changes);
	unsigned long stack[64];

	l2_stack = &stack[63];
	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	GUEST_ASSERT(load_vmcs(vmx));
	prepare_vmcs(vmx, l2_guest_code, l2_stack);
	/* Without EPT an access that is not allowed is a #PF. */
	vmwrite(EXCEPTION_BITMAP, 1u << PF_VECTOR);
	vmwrite(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	if (test.vpid) {
		vmwrite(SECONDARY_VM_EXEC_CONTROL,
			vmreadz(SECONDARY_VM_EXEC_CONTROL) | SECONDARY_EXEC_ENABLE_VPID);
		vmwrite(VIRTUAL_PROCESSOR_ID, 1);
	}
	op = READ;
	GUEST_ASSERT(!vmlaunch());
	GUEST_ASSERT_EQ(vmreadz(VM_EXIT_REASON), EXIT_REASON_VMCALL);

	for (int i = 0; i < n; i++) {
		/* The tables above hold L2's code as well. */
		if (c[i].level > 1 && !test.alias)
			continue;
		for (int round = 0; round < ROUNDS; round++)
			for (int how = 0; how < 2; how++)
				try_change(&c[i], how, round);
	}
	GUEST_DONE();
}

/* Maps for L1 the tables that translate @addr, an EPT's or its own. */
static void map_tables(struct kvm_vm *vm, uint64_t *table, uint64_t addr, int levels)
{
	for (int level = 4; level >= 1; level--) {
		int index = (addr >> (12 + 9 * (level - 1))) & 511;

		if (level <= levels) {
			virt_map(vm, TABLE(level), addr_hva2gpa(vm, table), 1);
			test.entry[level] = (uint64_t *)TABLE(level) + index;
		}
		if (level > 1)
			table = addr_gpa2hva(vm, table[index] & PHYSICAL_PAGE_MASK);
	}
}

static const char *const modes[] = {
	"EPT, identity", "EPT, alias", "EPT, alias, VPID", "no EPT, VPID", "no EPT, no VPID",
};

static int run(int mode)
{
	uint64_t page_gva, other_gva, gpa;
	vm_vaddr_t vmx_gva = 0;
	struct vmx_pages *vmx;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	struct ucall uc;
	int bad = 0;

	memset(&test, 0, sizeof(test));
	test.ept = mode < 3;
	test.alias = mode == 1 || mode == 2;
	test.vpid = mode == 2 || mode == 3;

	vm = vm_create_with_one_vcpu(&vcpu, l1_guest_code);
	vmx = vcpu_alloc_vmx(vm, &vmx_gva);
	vcpu_args_set(vcpu, 1, vmx_gva);
	page_gva = vm_vaddr_alloc_page(vm);
	other_gva = vm_vaddr_alloc_page(vm);
	gpa = addr_gva2gpa(vm, page_gva);
	test.page = (void *)page_gva;
	test.l2_page = test.page;
	test.other = addr_gva2gpa(vm, other_gva);
	memcpy(addr_gpa2hva(vm, gpa), code, sizeof(code));
	((uint64_t *)addr_gpa2hva(vm, test.other))[VALUE] = ~0ull;

	if (test.alias) {
		virt_map(vm, ALIAS, ALIAS, 1);
		test.l2_page = (void *)ALIAS;
	} else if (!test.ept) {
		virt_map(vm, ALIAS, gpa, 1);
		test.l2_page = (void *)ALIAS;
	}
	if (test.ept) {
		prepare_eptp(vmx, vm, 0);
		nested_map_memslot(vmx, vm, 0);
		if (test.alias)
			nested_map(vmx, vm, ALIAS, gpa, PAGE_SIZE);
		map_tables(vm, vmx->eptp_hva, test.alias ? ALIAS : gpa, 3);
	} else {
		map_tables(vm, addr_gpa2hva(vm, vm->pgd), ALIAS, 1);
	}
	sync_global_to_guest(vm, test);

	for (;;) {
		vcpu_run(vcpu);
		switch (get_ucall(vcpu, &uc)) {
		case UCALL_ABORT:
			REPORT_GUEST_ASSERT(uc);
		case UCALL_SYNC:
			printf("%s: %s %s, flush %lu, round %lu: L2's exit is %lu\n", modes[mode],
			       (char *)addr_gva2hva(vm, uc.args[1]),
			       uc.args[5] ? "taken" : "given", uc.args[2], uc.args[3], uc.args[4]);
			bad++;
			break;
		case UCALL_DONE:
			printf("%s: %d wrong\n", modes[mode], bad);
			kvm_vm_free(vm);
			return bad;
		default:
			TEST_FAIL("ucall %lu, exit %u", uc.cmd, vcpu->run->exit_reason);
		}
	}
}

int main(int argc, char *argv[])
{
	int bad = 0;

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_VMX));
	TEST_REQUIRE(kvm_cpu_has_ept());
	setbuf(stdout, NULL);
	for (int mode = 0; mode < ARRAY_SIZE(modes); mode++)
		bad += run(mode);
	TEST_ASSERT(!bad, "%d times L2 kept what L1 had taken away", bad);
	return 0;
}
