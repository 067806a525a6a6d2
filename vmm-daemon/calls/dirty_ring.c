// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty rings: KVM's are private to the worker, those that clients map are the
 * stub's, who checks each entry, as clients do not.
 *
 * Invariant: of the entries in use, the newest may still be KVM_DIRTY_GFN_F_DIRTY
 * here: the client does not know them yet.  The others are 0, known, or
 * KVM_DIRTY_GFN_F_RESET, harvested.  The client's ring has no holes: it would
 * never look beyond one.  A client learns of an entry when the vCPU's
 * call ends: who wants them all makes vCPUs leave KVM_RUN (api.rst, 8.29).
 */
#include <linux/kvm_dirty_ring.h>
#include <linux/kvm_host.h>

#include "calls/file.h"
#include "seam/ksplit_ops.h"

static struct kvm_dirty_gfn *entry(struct kvm_vcpu *vcpu, u32 index)
{
	struct kvm_dirty_ring *ring = &vcpu->dirty_ring;

	return &ring->dirty_gfns[index & (ring->size - 1)];
}

static int tell(struct kvm_vcpu *vcpu, u32 index, u32 slot, u64 offset)
{
	struct ksplit_dirty dirty = {
		.index = index & (vcpu->dirty_ring.size - 1),
		.slot = slot, .offset = offset,
	};

	return ksplit_ops->dirty(ksplit_vcpu_fd(vcpu), &dirty);
}

/*
 * The slot of an entry is gone by now: some other page is dirty, then, which does
 * no harm.
 */
static bool tell_other(struct kvm_vcpu *vcpu, u32 index)
{
	struct kvm_memory_slot *slot;
	bool told = false;
	int as, bkt, idx;

	idx = srcu_read_lock(&vcpu->kvm->srcu);
	for (as = 0; as < kvm_arch_nr_memslot_as_ids(vcpu->kvm); as++)
		kvm_for_each_memslot(slot, bkt, __kvm_memslots(vcpu->kvm, as))
			told = told || tell(vcpu, index, as << 16 | (u16)slot->id, 0) >= 0;
	srcu_read_unlock(&vcpu->kvm->srcu, idx);
	return told;
}

/**
 * ksplit_ring_make() - have the stub make the client's ring of a new vCPU
 * @vcpu:	the vCPU
 *
 * Return: 0, or a negative errno.
 */
int ksplit_ring_make(struct kvm_vcpu *vcpu)
{
	return vcpu->dirty_ring.dirty_gfns ? tell(vcpu, 0, KSPLIT_DIRTY_LOOK, 0) : 0;
}

/**
 * ksplit_ring_show() - give the client what came to a vCPU's ring
 * @vcpu:	the vCPU
 *
 * Context: the vCPU's thread.
 */
void ksplit_ring_show(struct kvm_vcpu *vcpu)
{
	struct kvm_dirty_ring *ring = &vcpu->dirty_ring;
	u32 end = ring->dirty_index;
	u32 i = end;

	while (i != READ_ONCE(ring->reset_index) &&
	       entry(vcpu, i - 1)->flags == KVM_DIRTY_GFN_F_DIRTY)
		i--;
	for (; i != end; i++) {
		struct kvm_dirty_gfn *g = entry(vcpu, i);

		if (tell(vcpu, i, g->slot, g->offset) < 0 && !tell_other(vcpu, i))
			break;
		WRITE_ONCE(g->flags, 0);
	}
}

/**
 * ksplit_ring_harvest() - learn what the client has harvested
 * @kvm:	the VM, of which KVM_RESET_DIRTY_RINGS comes next
 */
void ksplit_ring_harvest(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long nr;
	u32 i;

	if (!kvm->dirty_ring_size)
		return;
	mutex_lock(&kvm->slots_lock);
	kvm_for_each_vcpu(nr, vcpu, kvm) {
		const struct kvm_dirty_ring *ring = &vcpu->dirty_ring;

		for (i = ring->reset_index; i != READ_ONCE(ring->dirty_index); i++) {
			struct kvm_dirty_gfn *g = entry(vcpu, i);

			if (READ_ONCE(g->flags) != KVM_DIRTY_GFN_F_RESET &&
			    tell(vcpu, i, KSPLIT_DIRTY_LOOK, 0) != 1)
				break;
			/* kvm_dirty_gfn_harvested() loads it. */
			smp_store_release(&g->flags, KVM_DIRTY_GFN_F_RESET);
		}
	}
	mutex_unlock(&kvm->slots_lock);
}
