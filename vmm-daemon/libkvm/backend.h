/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between libkvm's own kernel-side files.
 */
#ifndef KSPLIT_BACKEND_H
#define KSPLIT_BACKEND_H

#include <linux/percpu.h>
#include <linux/types.h>

#include "seam/ksplit_ops.h"

struct kvm;

/* cpu.c */
int ksplit_cpu_init(const struct ksplit_info *info);
void ksplit_cpu_init_thread_image(void);

/*
 * Registers that a ring-0 KVM would keep in the CPU and that have no VMCS
 * field: a CPU is a thread, so they are per-CPU data.
 */
struct split_cpu_regs {
	u64 msr[KSPLIT_NR_RUN_MSRS];
	unsigned long dr[8];
	u32 barrier;	/* an IBPB was asked for: next run gets one */
};
DECLARE_PER_CPU(struct split_cpu_regs, split_cpu_regs);

/* MSR number of an enum ksplit_run_msr. */
extern const u32 split_run_msr[KSPLIT_NR_RUN_MSRS];

/* hide.c */
void split_hide(void);

/* static_call.c */
void ksplit_static_call_seal(void);

struct kvm_x86_ops;

/* mmu_backend.c */
void split_mmu_setup(struct kvm_x86_ops *ops);
void split_invept(struct kvm *kvm, unsigned long root);

/* vmx_backend.c */
void split_vmx_setup(void);
int split_vm_fd(struct kvm *kvm);

#endif /* KSPLIT_BACKEND_H */
