/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KSPLIT_KVM_RUN_H
#define KSPLIT_KVM_RUN_H

#include "env.h"

bool ksplit_kvm_run_valid(const struct kvm_run *run);
int ksplit_ring_put(struct kvm_coalesced_mmio_ring *ring, const struct kvm_coalesced_mmio *write);

#endif /* KSPLIT_KVM_RUN_H */
