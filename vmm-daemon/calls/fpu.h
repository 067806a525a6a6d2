/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's FPU state, which the stub holds.  Plain C.
 */
#ifndef KSPLIT_FPU_H
#define KSPLIT_FPU_H

#include <linux/types.h>

struct kvm_vcpu;

/* What the stub says about xstate; before the first vCPU. */
int ksplit_fpu_init(void);

/* Before KSPLIT_RUN: give back what was changed, forget what was read. */
void ksplit_fpu_flush(struct kvm_vcpu *vcpu);

/* kvm_fpu_get() and kvm_fpu_put(): the guest's x87 and SSE registers are the
 * calling thread's in between; nothing that uses them may be called there.
 */
void ksplit_fpu_get(void);
void ksplit_fpu_put(void);

/* Around KVM's ioctls of a vCPU, those that touch the fpstate directly. */
void ksplit_fpu_before_ioctl(struct kvm_vcpu *vcpu, __u32 cmd);
void ksplit_fpu_after_ioctl(struct kvm_vcpu *vcpu, __u32 cmd, long result);

#endif /* KSPLIT_FPU_H */
