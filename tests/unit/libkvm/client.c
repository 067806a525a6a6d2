// SPDX-License-Identifier: GPL-2.0-only
/*
 * A KVM client inside the process.
 *
 * Invariant: each call of KVM is bracketed as the worker brackets it: a struct
 * vmm_call with the argument's bytes is current, the interrupt of the call
 * before is forgotten, and KVM_RUN reaches no client memory.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "client.h"
#include "libkvm/libkvm.h"
#include "tests/fake/ops_fake.h"
#include "calls/call.h"
#include "calls/eventfd.h"
#include "calls/file.h"
#include "calls/fpu.h"
#include "personality/ksplit_uaccess.h"
#include "calls/window.h"
#include "personality/personality.h"

/* Where ksplit_window_prepare() put the slot of the last such call. */
static __thread uint64_t last_window;

static void must(const char *what, int r)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-r));
	exit(2);
}

void client_start(void)
{
	must("traps", ksplit_trap_init());
	must("libkvm", ksplit_libkvm_init(&ksplit_ops_fake, 64));
	must("windows", ksplit_window_init(1ull << 46));
	must("fpu", ksplit_fpu_init());
	must("eventfd", ksplit_eventfd_init());
	ksplit_libkvm_seal();
}

long client_ioctl(uint64_t handle, unsigned long cmd, unsigned long arg)
{
	static __thread unsigned char in[KSPLIT_PREFETCH_MAX];
	static __thread unsigned char out[KSPLIT_OUT_MAX];
	static __u64 ids;
	struct vmm_call call = {
		.id = __atomic_add_fetch(&ids, 1, __ATOMIC_RELAXED),
		.base = arg,
		.size = _IOC_SIZE(cmd),
		.handle = handle,
		.op = KSPLIT_OP_IOCTL,
		.cmd = cmd,
		.no_copy = cmd == KVM_RUN,
		.back_fd = -1,
		.in = in,
		.out = out,
	};
	int slot = cmd == KVM_SET_USER_MEMORY_REGION, vm_fd = -1;
	long r = 0;

	if (cmd != KVM_RUN && call.size) {
		call.prefetched = call.size < sizeof(in) ? call.size : sizeof(in);
		memcpy(in, (void *)arg, call.prefetched);
	}
	if (cmd == KVM_CREATE_VM)
		call.back_fd = ksplit_ops->create_vm(call.id);
	if (cmd == KVM_CREATE_VCPU)
		call.back_fd = ksplit_ops->create_vcpu(call.id, ksplit_file_vm_fd(handle),
						       arg);
	if (slot) {
		vm_fd = ksplit_file_vm_fd(handle);
		r = ksplit_window_prepare(vm_fd, &call);
		last_window = ((struct kvm_userspace_memory_region *)in)->userspace_addr;
	}

	vmm_call_set(&call);
	ksplit_thread_signal(0);
	if (!r)
		r = ksplit_file_ioctl(handle, cmd, arg);
	vmm_call_set(NULL);

	if (slot)
		ksplit_window_finish(vm_fd, &call, r);
	if (call.out_len)
		memcpy((void *)arg, out, call.out_len);
	if (call.back_fd >= 0 && r < 0)
		ksplit_ops->close(call.back_fd);
	return call.new_kind && r >= 0 ? (long)call.new_handle : r;
}

void client_close(uint64_t handle)
{
	ksplit_file_close(handle);
}

void client_create_vm(struct client_vm *vm)
{
	long r = kvm_call(0, KVM_CREATE_VM, 0);

	ck_assert_int_gt(r, 0);
	vm->handle = r;
	vm->fd = ksplit_file_vm_fd(r);
	ck_assert_int_gt(vm->fd, 0);
}

void client_create_vcpu(struct client_vm *vm, unsigned long id,
			struct client_vcpu *vcpu)
{
	long r = kvm_call(vm->handle, KVM_CREATE_VCPU, id);

	ck_assert_int_gt(r, 0);
	vcpu->handle = r;
	vcpu->fd = ksplit_file_back_fd(r);
	ck_assert_int_gt(vcpu->fd, 0);
	vcpu->run = (struct kvm_run *)(unsigned long)ksplit_vcpu_run_pages(r);
	ck_assert_ptr_nonnull(vcpu->run);
	ksplit_thread_bind_vcpu(vcpu->fd);
}

void *client_add_slot(struct client_vm *vm, uint32_t slot, uint64_t gpa,
		      uint64_t size, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		/* An address of the client's, which nobody here may use. */
		.userspace_addr = 0x10000 + ((uint64_t)slot << 40),
	};

	ck_assert_int_eq(kvm_call(vm->handle, KVM_SET_USER_MEMORY_REGION,
				  &region), 0);
	return (void *)(unsigned long)last_window;
}

void client_real_mode(struct client_vcpu *vcpu, uint64_t ip)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rip = ip, .rflags = 2 };

	ck_assert_int_eq(kvm_call(vcpu->handle, KVM_GET_SREGS, &sregs), 0);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	ck_assert_int_eq(kvm_call(vcpu->handle, KVM_SET_SREGS, &sregs), 0);
	ck_assert_int_eq(kvm_call(vcpu->handle, KVM_SET_REGS, &regs), 0);
}

long client_run(struct client_vcpu *vcpu)
{
	return kvm_call(vcpu->handle, KVM_RUN, 0);
}

void client_close_all(struct client_vm *vm, struct client_vcpu *vcpu)
{
	struct fake_stats stats;

	client_close(vcpu->handle);
	client_close(vm->handle);
	fake_get_stats(&stats);
	ck_assert_uint_eq(stats.objects, 0);
}
