/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that libkvm can ask of the machine beneath it.
 *
 * The other table is pv_ops.  Together they are the whole seam between
 * upstream KVM plus personality on one side, and a kernel on the other.  Two
 * implementations exist: ops_stub.c (the ioctls of /dev/kvm-split) and
 * tests/fake (scripted exits in this very process, for tests).
 *
 * The header compiles in kernel-side files (kernel headers, no libc) and in
 * host-side files (libc, no kernel headers).  Every operation returns 0 or a
 * positive result, or a negative errno of the kernel's numbering.
 */
#ifndef KSPLIT_OPS_H
#define KSPLIT_OPS_H

#include "../kvm-split/uapi/kvm_split.h"

struct ksplit_ops {
	/* The processor. */
	int (*get_info)(struct ksplit_info *ret_info);

	/* The session: calls of the client.  fd: a session or vCPU. */
	int (*next)(int fd, struct ksplit_next *next);
	int (*copy)(int fd, struct ksplit_copy *copy);
	int (*eventfd)(struct ksplit_eventfd *eventfd);

	/*
	 * VM objects, named by descriptor.  call: the client's, which asks for
	 * the VM, or for the vCPU of that id.
	 */
	int (*create_vm)(__u64 call);
	int (*create_vcpu)(__u64 call, int vm, __u32 id);
	int (*map_window)(int vm, __u64 addr, __u64 size, __u32 slot);
	int (*unmap_window)(int vm, __u64 addr, __u64 size);
	int (*window_fault)(int fd, struct ksplit_fault *fault);	/* VM or vCPU */
	int (*flush)(int vm, struct ksplit_flush *flush);
	int (*coalesce)(int vm, struct kvm_coalesced_mmio *write);
	int (*ioeventfd)(int vm, struct kvm_ioeventfd *doorbell);
	void (*close)(int fd);

	/* vCPU objects. */
	int (*dirty)(int vcpu, struct ksplit_dirty *dirty);
	int (*run)(int vcpu, struct ksplit_run *run);
	int (*fill)(int vcpu, struct ksplit_fill *fill);
	int (*vmclear)(int vcpu, __u32 vmcs_index);
	int (*kick)(int vcpu);
	int (*notify)(int vcpu);	/* of posted interrupts */
	int (*block)(int vcpu, struct ksplit_block *block);
	int (*fault_in)(int vcpu, struct ksplit_fault *fault);
	int (*hwpoison)(int vcpu, __u64 addr);
	int (*fpu_get)(int vcpu, struct ksplit_fpu *fpu);
	int (*fpu_set)(int vcpu, struct ksplit_fpu *fpu);
};

extern const struct ksplit_ops *ksplit_ops;
extern const struct ksplit_ops ksplit_ops_stub;
extern const struct ksplit_ops ksplit_ops_fake;

#endif /* KSPLIT_OPS_H */
