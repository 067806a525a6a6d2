// SPDX-License-Identifier: GPL-2.0-only
/*
 * L1 enters L2 with values that VM entry is to refuse (SDM vol. 3, 27.2 and
 * 27.3), some of which KVM leaves to the processor: VMfail with error 7 or 8, or a
 * failed entry with exit reason 33, and L1 goes on.  Then with control words of
 * every single bit and of random ones, and with an EPT whose root is no memory.
 */
#include "test_util.h"
#include "kvm_util.h"
#include "processor.h"
#include "vmx.h"

#define EVENT		VM_ENTRY_INTR_INFO_FIELD
#define INTERRUPTIBLE	GUEST_INTERRUPTIBILITY_INFO
#define NOT_CANONICAL	(1ull << 62)

/* Outcomes: a VM-instruction error, or an exit reason. */
#define VMFAIL(error)	(0x10000 | (error))
#define CONTROL		VMFAIL(7)
#define STATE		(VMX_EXIT_REASONS_FAILED_VMENTRY | EXIT_REASON_INVALID_STATE)
#define ENTERS		EXIT_REASON_VMCALL

#define NR_RANDOM	200

static const struct {
	const char *what;
	uint32_t field;
	uint64_t value;
	uint32_t outcome;
	uint32_t also;		/* a second field, 0: none */
	uint64_t value2;
} cases[] = {
	{ "nothing",			0, 0, ENTERS },
	{ "NMI blocking",		INTERRUPTIBLE, 8, ENTERS },
	{ "MOV SS blocking",		INTERRUPTIBLE, 2, ENTERS },
	{ "STI blocking without IF",	INTERRUPTIBLE, 1, STATE },
	{ "STI and MOV SS blocking",	INTERRUPTIBLE, 3, STATE, GUEST_RFLAGS, 0x202 },
	{ "SMI blocking",		INTERRUPTIBLE, 1 << 2, STATE },
	{ "enclave interruption",	INTERRUPTIBLE, 1 << 4, STATE },
	{ "interruptibility bit 5",	INTERRUPTIBLE, 1 << 5, STATE },
	{ "interruptibility bit 6",	INTERRUPTIBLE, 1 << 6, STATE },
	{ "interruptibility bit 31",	INTERRUPTIBLE, 1u << 31, STATE },
	{ "activity shutdown",		GUEST_ACTIVITY_STATE, 2, STATE },
	{ "activity 4",			GUEST_ACTIVITY_STATE, 4, STATE },
	{ "RFLAGS bit 1",		GUEST_RFLAGS, 0, STATE },
	{ "RFLAGS bit 3",		GUEST_RFLAGS, 0xa, STATE },
	{ "RFLAGS.VM in 64-bit mode",	GUEST_RFLAGS, 0x20002, STATE },
	{ "CS of type 0",		GUEST_CS_AR_BYTES, 0xa090, STATE },
	{ "CS of 64 and 32 bits",	GUEST_CS_AR_BYTES, 0xe09b, STATE },
	{ "CS unusable",		GUEST_CS_AR_BYTES, 0x1a09b, STATE },
	{ "CS not present",		GUEST_CS_AR_BYTES, 0xa01b, STATE },
	{ "SS of another DPL",		GUEST_SS_AR_BYTES, 0xc0f3, STATE },
	{ "DS not accessed",		GUEST_DS_AR_BYTES, 0xc092, STATE, GUEST_DS_SELECTOR, 0x10 },
	{ "LDTR of a wrong type",	GUEST_LDTR_AR_BYTES, 0x83, STATE },
	{ "TR unusable",		GUEST_TR_AR_BYTES, 0x1008b, STATE },
	{ "TR not busy",		GUEST_TR_AR_BYTES, 0x89, STATE },
	{ "TR in the LDT",		GUEST_TR_SELECTOR, 0x1c, STATE },
	{ "GDTR limit",			GUEST_GDTR_LIMIT, 0x10000, STATE },
	{ "GDTR base",			GUEST_GDTR_BASE, NOT_CANONICAL, STATE },
	{ "IDTR base",			GUEST_IDTR_BASE, NOT_CANONICAL, STATE },
	{ "FS base",			GUEST_FS_BASE, NOT_CANONICAL, STATE },
	{ "TR base",			GUEST_TR_BASE, NOT_CANONICAL, STATE },
	{ "SYSENTER_ESP",		GUEST_SYSENTER_ESP, NOT_CANONICAL, STATE },
	{ "SYSENTER_EIP",		GUEST_SYSENTER_EIP, NOT_CANONICAL, STATE },
	{ "pending debug, reserved",	GUEST_PENDING_DBG_EXCEPTIONS, 1 << 4, STATE },
	{ "CR0.PG without PE",		GUEST_CR0, 0x80000030, STATE },
	{ "CR3 too wide",		GUEST_CR3, 1ull << 60, STATE },
	{ "CR4 reserved",		GUEST_CR4, 1ull << 31 | 0x2020, STATE },
	{ "DEBUGCTL reserved",		GUEST_IA32_DEBUGCTL, 1 << 3, STATE },
	{ "link pointer",		VMCS_LINK_POINTER, 1, STATE },
	{ "event of a reserved type",	EVENT, 0x80000120, CONTROL },
	{ "NMI of vector 3",		EVENT, 0x80000203, CONTROL },
	{ "exception 32",		EVENT, 0x80000320, CONTROL },
	{ "error code with #UD",	EVENT, 0x80000b06, CONTROL },
	{ "no error code with #GP",	EVENT, 0x8000030d, CONTROL },
	{ "error code with INT",	EVENT, 0x80000c80, CONTROL },
	{ "other event 1",		EVENT, 0x80000701, CONTROL },
	{ "event bit 12",		EVENT, 0x80001020, CONTROL },
	{ "event bit 13",		EVENT, 0x80002020, CONTROL },
	{ "event bit 30",		EVENT, 0xc0000020, CONTROL },
	{ "INT of 16 bytes",		EVENT, 0x80000480, CONTROL, VM_ENTRY_INSTRUCTION_LEN, 16 },
	{ "error code of 17 bits",	EVENT, 0x80000b0d, CONTROL,
	  VM_ENTRY_EXCEPTION_ERROR_CODE, 0x10000 },
	{ "CR3-target count",		CR3_TARGET_COUNT, 5, CONTROL },
	{ "host CR3 too wide",		HOST_CR3, 1ull << 60, VMFAIL(8) },
	{ "host RIP mode",		HOST_CS_SELECTOR, 3, VMFAIL(8) },
	{ "nothing again",		0, 0, ENTERS },
};

static const struct {
	const char *what;
	uint32_t field;
	uint32_t msr;
} words[] = {
	{ "pin-based", PIN_BASED_VM_EXEC_CONTROL, MSR_IA32_VMX_TRUE_PINBASED_CTLS },
	{ "primary", CPU_BASED_VM_EXEC_CONTROL, MSR_IA32_VMX_TRUE_PROCBASED_CTLS },
	{ "secondary", SECONDARY_VM_EXEC_CONTROL, MSR_IA32_VMX_PROCBASED_CTLS2 },
	{ "exit", VM_EXIT_CONTROLS, MSR_IA32_VMX_TRUE_EXIT_CTLS },
	{ "entry", VM_ENTRY_CONTROLS, MSR_IA32_VMX_TRUE_ENTRY_CTLS },
};

/* In the guest's memory. */
static uint32_t outcome[ARRAY_SIZE(cases)];
static uint32_t counts[4];		/* of control words: entered, 7, 8, 33 */
static uint64_t bad_root;

static void l2_guest_code(void)
{
	for (;;)
		vmcall();
}

static uint32_t enter(void)
{
	if (vmlaunch())
		return VMFAIL(vmreadz(VM_INSTRUCTION_ERROR));
	return vmreadz(VM_EXIT_REASON);
}

static void prepare(struct vmx_pages *vmx, void *stack)
{
	GUEST_ASSERT(load_vmcs(vmx));
	prepare_vmcs(vmx, l2_guest_code, stack);
	vmwrite(EXCEPTION_BITMAP, ~0u);
}

/* What the capability MSRs do not allow is VMfail 7; all else is any one outcome. */
static void try_word(struct vmx_pages *vmx, void *stack, int i, uint32_t value)
{
	uint64_t allowed = rdmsr(words[i].msr);
	uint32_t r;

	prepare(vmx, stack);
	vmwrite(words[i].field, value);
	r = enter();
	if ((uint32_t)allowed & ~value || value & ~(allowed >> 32))
		__GUEST_ASSERT(r == CONTROL, "%s controls 0x%x: 0x%x", words[i].what, value, r);
	else
		__GUEST_ASSERT(r == CONTROL || r == VMFAIL(8) || r == STATE || r < 0x10000,
			       "%s controls 0x%x: 0x%x", words[i].what, value, r);
	counts[r == CONTROL ? 1 : r == VMFAIL(8) ? 2 : r == STATE ? 3 : 0]++;
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	unsigned long l2_stack[64];
	void *stack = &l2_stack[64];
	uint64_t random = 0x9e3779b97f4a7c15ull;
	int i, j;

	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		prepare(vmx, stack);
		if (cases[i].field)
			vmwrite(cases[i].field, cases[i].value);
		if (cases[i].also)
			vmwrite(cases[i].also, cases[i].value2);
		outcome[i] = enter();
	}
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		uint32_t base;

		prepare(vmx, stack);
		base = vmreadz(words[i].field);
		for (j = 0; j < 32; j++)
			try_word(vmx, stack, i, base ^ 1u << j);
		for (j = 0; j < NR_RANDOM; j++) {
			uint64_t allowed = rdmsr(words[i].msr);

			random ^= random >> 12;
			random ^= random << 25;
			random ^= random >> 27;
			try_word(vmx, stack, i, (random | (uint32_t)allowed) & allowed >> 32);
		}
	}
	/* The walk of L1's EPT finds nothing, or what no memory reads as. */
	prepare(vmx, stack);
	vmwrite(EPT_POINTER, bad_root | 0x1e);
	vmwrite(SECONDARY_VM_EXEC_CONTROL, SECONDARY_EXEC_ENABLE_EPT);
	i = enter();
	__GUEST_ASSERT(i == EXIT_REASON_EPT_VIOLATION || i == EXIT_REASON_EPT_MISCONFIG,
		       "EPT root 0x%lx: 0x%x", bad_root, i);
	prepare(vmx, stack);
	GUEST_ASSERT_EQ(enter(), ENTERS);
	GUEST_DONE();
}

int main(int argc, char *argv[])
{
	vm_vaddr_t vmx_gva = 0;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	struct ucall uc;
	int bad = 0;

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_VMX));
	TEST_REQUIRE(kvm_cpu_has_ept());
	vm = vm_create_with_one_vcpu(&vcpu, l1_guest_code);
	vcpu_alloc_vmx(vm, &vmx_gva);
	vcpu_args_set(vcpu, 1, vmx_gva);
	bad_root = (vm->max_gfn & ~0xffull) << 12;
	sync_global_to_guest(vm, bad_root);

	vcpu_run(vcpu);
	TEST_ASSERT(vcpu->run->exit_reason == KVM_EXIT_IO, "exit %u (%s)",
		    vcpu->run->exit_reason, exit_reason_str(vcpu->run->exit_reason));
	sync_global_from_guest(vm, outcome);
	sync_global_from_guest(vm, counts);
	for (int i = 0; i < ARRAY_SIZE(cases); i++) {
		if (outcome[i] == cases[i].outcome)
			continue;
		printf("%s: %#x, not %#x\n", cases[i].what, outcome[i], cases[i].outcome);
		bad++;
	}
	switch (get_ucall(vcpu, &uc)) {
	case UCALL_ABORT:
		REPORT_GUEST_ASSERT(uc);
		break;
	case UCALL_DONE:
		break;
	default:
		TEST_FAIL("ucall %lu", uc.cmd);
	}
	printf("control words: %u entries, %u VMfail 7, %u VMfail 8, %u failed entries\n",
	       counts[0], counts[1], counts[2], counts[3]);
	TEST_ASSERT(!bad, "%d of %lu values end otherwise", bad, ARRAY_SIZE(cases));
	kvm_vm_free(vm);
	return 0;
}
