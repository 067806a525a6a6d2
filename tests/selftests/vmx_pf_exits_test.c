// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which page faults of L2 exit to L1: exception bitmap, page-fault error-code mask
 * and match (SDM vol. 3, 26.2).  With EPT and without.
 */
#include "test_util.h"
#include "kvm_util.h"
#include "processor.h"
#include "vmx.h"

#define UNMAPPED	0xd0000000ul
#define WRITES		2	/* of the error code */

static const struct kind {
	uint32_t bitmap, mask, match;
	bool read_exits, write_exits;
} kinds[] = {
	{ 1 << PF_VECTOR, 0, 0, true, true },
	{ 0, 0, 0, false, false },
	{ 1 << PF_VECTOR, WRITES, WRITES, false, true },
	{ 1 << PF_VECTOR, WRITES, 0, true, false },
	{ 0, WRITES, WRITES, true, false },
	{ 0, WRITES, 0, false, true },
	{ 1 << PF_VECTOR, 0, 1, false, false },
	{ 0, 0, 1, true, true },
};

static bool writes;
static char said[100];

/* Begins anew at each entry; the exit is the fault's, or the call after it. */
static void l2_guest_code(void)
{
	uint8_t vector = writes ?
		kvm_asm_safe("movb $0, (%[p])", [p]"a"(UNMAPPED)) :
		kvm_asm_safe("testb $0, (%[p])", [p]"a"(UNMAPPED));

	if (vector == PF_VECTOR)
		vmcall();
	asm volatile("ud2");
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	unsigned long l2_stack[128];

	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	for (int i = 0; i < 2 * ARRAY_SIZE(kinds); i++) {
		const struct kind *kind = &kinds[i / 2];
		bool exits = i & 1 ? kind->write_exits : kind->read_exits;
		uint64_t reason;

		writes = i & 1;
		GUEST_ASSERT(load_vmcs(vmx));
		prepare_vmcs(vmx, l2_guest_code, &l2_stack[127]);
		vmwrite(EXCEPTION_BITMAP, kind->bitmap);
		vmwrite(PAGE_FAULT_ERROR_CODE_MASK, kind->mask);
		vmwrite(PAGE_FAULT_ERROR_CODE_MATCH, kind->match);
		GUEST_ASSERT(!vmlaunch());
		reason = vmreadz(VM_EXIT_REASON);
		if (reason == EXIT_REASON_EXCEPTION_NMI) {
			GUEST_ASSERT_EQ(vmreadz(VM_EXIT_INTR_INFO) & 0x7ff, 0x30e);
			GUEST_ASSERT_EQ(vmreadz(VM_EXIT_INTR_ERROR_CODE), writes ? WRITES : 0);
		} else {
			GUEST_ASSERT_EQ(reason, EXIT_REASON_VMCALL);
		}
		if (exits == (reason == EXIT_REASON_EXCEPTION_NMI))
			continue;
		guest_snprintf(said, sizeof(said),
			       "PF bit %u, mask %u, match %u: a %s %s exit",
			       kind->bitmap >> PF_VECTOR, kind->mask,
			       kind->match, writes ? "write" : "read",
			       exits ? "should" : "should not");
		GUEST_SYNC((uint64_t)said);
	}
	GUEST_DONE();
}

static int run(bool ept)
{
	vm_vaddr_t vmx_gva = 0;
	struct vmx_pages *vmx;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	struct ucall uc;
	int bad = 0;

	vm = vm_create_with_one_vcpu(&vcpu, l1_guest_code);
	vmx = vcpu_alloc_vmx(vm, &vmx_gva);
	vcpu_args_set(vcpu, 1, vmx_gva);
	if (ept) {
		prepare_eptp(vmx, vm, 0);
		nested_map_memslot(vmx, vm, 0);
	}
	for (;;) {
		vcpu_run(vcpu);
		switch (get_ucall(vcpu, &uc)) {
		case UCALL_ABORT:
			REPORT_GUEST_ASSERT(uc);
			break;
		case UCALL_SYNC:
			printf("%s, %s\n", ept ? "EPT" : "no EPT",
			       (char *)addr_gva2hva(vm, uc.args[1]));
			bad++;
			break;
		case UCALL_DONE:
			kvm_vm_free(vm);
			return bad;
		default:
			TEST_FAIL("ucall %lu, exit %u", uc.cmd, vcpu->run->exit_reason);
		}
	}
}

int main(int argc, char *argv[])
{
	int bad;

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_VMX));
	TEST_REQUIRE(kvm_cpu_has_ept());
	bad = run(true) + run(false);
	TEST_ASSERT(!bad, "%d of %lu page faults go the wrong way", bad, 4 * ARRAY_SIZE(kinds));
	return 0;
}
