/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What exists for speed alone (CONFIG_KVM_SPLIT_FAST): without it guests see the
 * same, by exits.
 */
#ifndef KSPLIT_FAST_H
#define KSPLIT_FAST_H

#include "ksplit.h"

struct ksplit_exit;

/* Whether the processor takes posted interrupts while a guest runs with it. */
static inline bool ksplit_apic_posts(const struct ksplit_hw_vmcs *v)
{
	return v->state.real[KSPLIT_S_PIN_BASED_VM_EXEC_CONTROL] & PIN_BASED_POSTED_INTR;
}

/* back/ept.c */
u64 *ksplit_ept_entry(struct ksplit_vm *vm, struct ksplit_root *root, u64 **spare,
		      u64 gpa, unsigned int level);

#ifdef CONFIG_KVM_SPLIT_FAST

void ksplit_fast_init(struct ksplit_fast_vm *fast);
void ksplit_fast_free(struct ksplit_fast_vm *fast);

int ksplit_apic_pin(struct ksplit_hw_vmcs *v);
void ksplit_apic_unpin(struct ksplit_hw_vmcs *v);
struct page *ksplit_apic_page(struct ksplit_vm *vm, u64 addr);
bool ksplit_apic_notify(struct ksplit_vcpu *vcpu);
void ksplit_apic_enter(struct ksplit_hw_vmcs *v);
void ksplit_apic_interrupt(struct ksplit_hw_vmcs *v, const struct ksplit_exit *e);

long ksplit_doorbell(struct ksplit_vm *vm, struct kvm_ioeventfd __user *arg);
int ksplit_doorbell_rung(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v,
			 struct ksplit_exit *e);
void ksplit_trap(struct ksplit_vcpu *vcpu, u64 gpa);

#else

static inline void ksplit_fast_init(struct ksplit_fast_vm *fast)
{
}

static inline void ksplit_fast_free(struct ksplit_fast_vm *fast)
{
}

/* The policy leaves no APIC virtualization: there are no pages, nothing is posted. */
static inline int ksplit_apic_pin(struct ksplit_hw_vmcs *v)
{
	return 0;
}

static inline void ksplit_apic_unpin(struct ksplit_hw_vmcs *v)
{
}

static inline struct page *ksplit_apic_page(struct ksplit_vm *vm, u64 addr)
{
	return NULL;
}

static inline bool ksplit_apic_notify(struct ksplit_vcpu *vcpu)
{
	return false;
}

static inline void ksplit_apic_enter(struct ksplit_hw_vmcs *v)
{
}

static inline void ksplit_apic_interrupt(struct ksplit_hw_vmcs *v, const struct ksplit_exit *e)
{
}

/* Every doorbell is the worker's. */
static inline long ksplit_doorbell(struct ksplit_vm *vm, struct kvm_ioeventfd __user *arg)
{
	return -ENOTTY;
}

static inline int ksplit_doorbell_rung(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v,
				       struct ksplit_exit *e)
{
	return 0;
}

static inline void ksplit_trap(struct ksplit_vcpu *vcpu, u64 gpa)
{
}

#endif

#endif /* KSPLIT_FAST_H */
