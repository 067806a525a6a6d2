/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the hooks of linux-patches/ call. Each name says which upstream function
 * it stands in for; all of them are in vmx_backend.c and mmu_backend.c.
 */
#ifndef KSPLIT_HOOKS_H
#define KSPLIT_HOOKS_H

#include <linux/types.h>

struct kvm;
struct kvm_vcpu;

/* vmx_vcpu_enter_exit() */
void split_vcpu_enter_exit(struct kvm_vcpu *vcpu, unsigned int flags);

/* handle_ept_violation() */
bool split_exit_is_backing(struct kvm_vcpu *vcpu);
int split_handle_backing(struct kvm_vcpu *vcpu);

/* kvm_flush_remote_tlbs(), for pages of the shadow MMU */
void split_flush_shadow(struct kvm *kvm);

/* hva_to_pfn() */
u64 split_hva_to_pfn(unsigned long addr, bool atomic, bool write_fault,
		     bool *writable);

#endif /* KSPLIT_HOOKS_H */
