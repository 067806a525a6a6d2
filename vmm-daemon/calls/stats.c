// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where KVM's counters are, for kvm-split-statfs(8): stats_page.h.
 *
 * Invariant: an entry is there only while its counters are.
 */
#include <linux/kvm_host.h>

#include "common/stats_page.h"

static struct stats_page *page;

/**
 * ksplit_stats_use() - show counters from now on
 * @p:	zeroed memory
 */
void ksplit_stats_use(struct stats_page *p)
{
	p->nr_vm = kvm_vm_stats_header.num_desc;
	p->nr_vcpu = kvm_vcpu_stats_header.num_desc;
	p->size = sizeof(kvm_vm_stats_desc[0]);
	p->vm_desc = (uintptr_t)kvm_vm_stats_desc;
	p->vcpu_desc = (uintptr_t)kvm_vcpu_stats_desc;
	page = p;
	WRITE_ONCE(p->magic, STATS_MAGIC);
}

/**
 * ksplit_stats_name() - names of KVM's counters
 * @i:	which
 *
 * Return: its name, or NULL after the last one.
 */
const char *ksplit_stats_name(unsigned int i)
{
	if (i < kvm_vm_stats_header.num_desc)
		return kvm_vm_stats_desc[i].name;
	i -= kvm_vm_stats_header.num_desc;
	return i < kvm_vcpu_stats_header.num_desc ? kvm_vcpu_stats_desc[i].name : NULL;
}

static u64 stat_of(const struct kvm *kvm, const struct kvm_vcpu *vcpu)
{
	return vcpu ? (uintptr_t)&vcpu->stat : (uintptr_t)&kvm->stat;
}

/**
 * ksplit_stats_add() - show a VM's or vCPU's counters
 * @kvm:	the VM
 * @vcpu:	the vCPU, NULL: the VM's own
 *
 * Context: the caller sees to it that there is one call at a time.
 */
void ksplit_stats_add(const struct kvm *kvm, const struct kvm_vcpu *vcpu)
{
	unsigned int i;

	for (i = 0; page && i < STATS_OBJECTS; i++) {
		struct stats_object *o = &page->object[i];

		if (o->vm)
			continue;
		o->stat = stat_of(kvm, vcpu);
		o->vcpu = !!vcpu;
		/* A reader in another process takes an entry with a VM for complete. */
		smp_store_release(&o->vm, (uintptr_t)kvm);
		return;
	}
}

/**
 * ksplit_stats_del() - undoes ksplit_stats_add()
 * @kvm:	the VM
 * @vcpu:	the vCPU, NULL: the VM's own
 *
 * Context: as there.
 */
void ksplit_stats_del(const struct kvm *kvm, const struct kvm_vcpu *vcpu)
{
	unsigned int i;

	for (i = 0; page && i < STATS_OBJECTS; i++)
		if (page->object[i].vm && page->object[i].stat == stat_of(kvm, vcpu))
			WRITE_ONCE(page->object[i].vm, 0);
}
