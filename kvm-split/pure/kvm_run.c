// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a worker's kvm_run, and its writes to coalesced MMIO, must look like to
 * reach a client.
 */
#include "kvm_run.h"

/* Exits of KVM on x86 that a client may see. */
#define KNOWN_EXITS							\
	(GENMASK_ULL(KVM_EXIT_TPR_ACCESS, KVM_EXIT_UNKNOWN) |		\
	 BIT_ULL(KVM_EXIT_NMI) | BIT_ULL(KVM_EXIT_INTERNAL_ERROR) |	\
	 BIT_ULL(KVM_EXIT_SYSTEM_EVENT) | BIT_ULL(KVM_EXIT_IOAPIC_EOI) | BIT_ULL(KVM_EXIT_HYPERV) | \
	 GENMASK_ULL(KVM_EXIT_DIRTY_RING_FULL, KVM_EXIT_X86_RDMSR) |	\
	 BIT_ULL(KVM_EXIT_X86_BUS_LOCK) | BIT_ULL(KVM_EXIT_NOTIFY) | BIT_ULL(KVM_EXIT_MEMORY_FAULT))

/**
 * ksplit_kvm_run_valid() - whether a client may see a kvm_run
 * @run: the stub's copy, all up to @run->s readable
 *
 * Clients index and copy by what stands there; api.rst, section 5.
 */
bool ksplit_kvm_run_valid(const struct kvm_run *run)
{
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		return run->io.direction <= KVM_EXIT_IO_OUT && run->io.data_offset == PAGE_SIZE &&
		       (run->io.size == 1 || run->io.size == 2 || run->io.size == 4) &&
		       run->io.count <= PAGE_SIZE / run->io.size;
	case KVM_EXIT_MMIO:
		return run->mmio.len <= sizeof(run->mmio.data) && run->mmio.is_write <= 1;
	case KVM_EXIT_INTERNAL_ERROR:
		return run->internal.ndata <= ARRAY_SIZE(run->internal.data);
	case KVM_EXIT_SYSTEM_EVENT:
		return run->system_event.ndata <= ARRAY_SIZE(run->system_event.data);
	}
	return run->exit_reason < 64 && KNOWN_EXITS >> run->exit_reason & 1;
}

/**
 * ksplit_ring_put() - append a write of the guest's to the coalesced MMIO ring
 * @ring: the page, which the client writes, too
 * @write: the write
 *
 * Context: one at a time.
 * Return: 0, -EINVAL, -ENOSPC (the client has to empty it first, or its indices are no such).
 */
int ksplit_ring_put(struct kvm_coalesced_mmio_ring *ring, const struct kvm_coalesced_mmio *write)
{
	u32 last = READ_ONCE(ring->last), next = (last + 1) % KVM_COALESCED_MMIO_MAX;

	if (write->len > sizeof(write->data) || write->pio > 1)
		return -EINVAL;
	if (last >= KVM_COALESCED_MMIO_MAX || READ_ONCE(ring->first) == next)
		return -ENOSPC;
	ring->coalesced_mmio[array_index_nospec(last, KVM_COALESCED_MMIO_MAX)] = *write;
	/* The client reads last, then the entry. */
	smp_store_release(&ring->last, next);
	return 0;
}
