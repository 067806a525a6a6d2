/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the hooks of linux-patches/ call. Each name says which upstream function
 * it stands in for; where not said, it is in vmx_backend.c or mmu_backend.c.
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

/* coalesced_mmio_write(), for a write in its zone */
int split_coalesce(struct kvm *kvm, u64 addr, int len, const void *val, bool pio);

/* kvm_fpu_get(), kvm_fpu_put(); in personality/fpu.c */
void ksplit_fpu_get(void);
void ksplit_fpu_put(void);

#endif /* KSPLIT_HOOKS_H */
