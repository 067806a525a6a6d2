// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a known flaw of KVM's nested VMX did, as kvmtiny_flaws.c has it for the rest: an L2
 * whose VM goes while its preemption timer runs.  A KVM without the flaw is not impressed.
 */
#include <unistd.h>

#include "test_util.h"
#include "kvm_util.h"
#include "processor.h"
#include "vmx.h"

#define PORT		0x2000
/* In 32 ticks of the TSC: a second or less at 200 MHz, and up. */
#define TIMER_VALUE	6000000
#define TIMER_SECONDS	2

static void l2_guest_code(void)
{
	asm volatile("inb %%dx, %%al" : : "d" (PORT) : "rax");
}

static void l1_guest_code(struct vmx_pages *vmx)
{
	unsigned long l2_stack[64];

	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	GUEST_ASSERT(load_vmcs(vmx));
	prepare_vmcs(vmx, l2_guest_code, &l2_stack[64]);
	vmwrite(PIN_BASED_VM_EXEC_CONTROL,
		vmreadz(PIN_BASED_VM_EXEC_CONTROL) | PIN_BASED_VMX_PREEMPTION_TIMER);
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, TIMER_VALUE);
	GUEST_ASSERT(!vmlaunch());
	GUEST_ASSERT(0);
}

int main(int argc, char *argv[])
{
	vm_vaddr_t vmx_gva;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	int kvm;

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_VMX));
	vm = vm_create_with_one_vcpu(&vcpu, l1_guest_code);
	vcpu_alloc_vmx(vm, &vmx_gva);
	vcpu_args_set(vcpu, 1, vmx_gva);
	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_IO);
	TEST_ASSERT(vcpu->run->io.port == PORT, "port %#x", vcpu->run->io.port);

	/* The VM goes, what serves this open of /dev/kvm stays. */
	kvm = dup(vm->kvm_fd);
	kvm_vm_free(vm);
	sleep(TIMER_SECONDS);
	TEST_ASSERT(ioctl(kvm, KVM_GET_API_VERSION, 0) == 12, "errno %d", errno);
	close(kvm);
	printf("ok\n");
	return 0;
}
