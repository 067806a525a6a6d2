/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What exists for speed alone (CONFIG_KVM_SPLIT_FAST): without it guests see the
 * same, by exits.
 */
#ifndef KSPLIT_FAST_H
#define KSPLIT_FAST_H

#include "ksplit.h"

#ifdef CONFIG_KVM_SPLIT_FAST

int ksplit_apic_pin(struct ksplit_hw_vmcs *v);
void ksplit_apic_unpin(struct ksplit_hw_vmcs *v);

long ksplit_doorbell(struct ksplit_vm *vm, struct kvm_ioeventfd __user *arg);
void ksplit_doorbells_init(struct ksplit_bells *bells);
void ksplit_doorbells_free(struct ksplit_bells *bells);
int ksplit_doorbell_rung(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v);

#else

/* The policy leaves no TPR shadow: there is no page. */
static inline int ksplit_apic_pin(struct ksplit_hw_vmcs *v)
{
	return 0;
}

static inline void ksplit_apic_unpin(struct ksplit_hw_vmcs *v)
{
}

/* Every doorbell is the worker's. */
static inline long ksplit_doorbell(struct ksplit_vm *vm, struct kvm_ioeventfd __user *arg)
{
	return -ENOTTY;
}

static inline void ksplit_doorbells_init(struct ksplit_bells *bells)
{
}

static inline void ksplit_doorbells_free(struct ksplit_bells *bells)
{
}

static inline int ksplit_doorbell_rung(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v)
{
	return 0;
}

#endif

#endif /* KSPLIT_FAST_H */
