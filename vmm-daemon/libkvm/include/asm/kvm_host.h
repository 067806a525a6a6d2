/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * asm/kvm_host.h of the tree, with what KVM would ask of the CPU itself led to
 * libkvm's back end.
 */
#include_next <asm/kvm_host.h>

#ifndef KSPLIT_ASM_KVM_HOST_H
#define KSPLIT_ASM_KVM_HOST_H

#include <libkvm/hooks.h>

/* TLBs are the stub's: flushing them is a call (vmx_backend.c). */
#define __KVM_HAVE_ARCH_FLUSH_REMOTE_TLBS
int kvm_arch_flush_remote_tlbs(struct kvm *kvm);
#define __KVM_HAVE_ARCH_FLUSH_REMOTE_TLBS_RANGE
int kvm_arch_flush_remote_tlbs_range(struct kvm *kvm, gfn_t gfn, u64 nr_pages);

/*
 * PAGE_OFFSET is 0 here, so that it cannot tell a good address from a bad one:
 * the kernel's half of the address space does.
 */
#define KVM_HVA_ERR_BAD		(1UL << 63)
#define KVM_HVA_ERR_RO_BAD	(KVM_HVA_ERR_BAD + PAGE_SIZE)

static inline bool kvm_is_error_hva(unsigned long addr)
{
	return addr >= KVM_HVA_ERR_BAD;
}

/* The host's LDT is not a worker's to save or load. */
#define kvm_read_ldt()		((u16)0)
#define kvm_load_ldt(sel)	((void)(sel))

#endif /* KSPLIT_ASM_KVM_HOST_H */
