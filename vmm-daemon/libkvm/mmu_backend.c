// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's tables and the stub's EPT: what the stub has to be told, and the
 * "physical" address of guest memory.
 *
 * Invariant: when a function that removes rights from KVM's tables returns, no
 * CPU can use a translation that the stub derived from them before; and nobody
 * walks a table page that is about to be freed.
 */
#define pr_fmt(fmt) "libkvm: " fmt

#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/printk.h>
#include <linux/rculist.h>
#include <linux/spinlock.h>

#include "mmu/mmu_internal.h"
#include "mmu/spte.h"
#include "vmx/vmx.h"
#include "vmx/x86_ops.h"

#include "calls/call.h"
#include "personality/personality.h"
#include "backend.h"

/**
 * struct split_kvm - a VM
 * @vmx:	upstream's part
 * @list:	on vms
 * @fd:		the stub's descriptor
 */
struct split_kvm {
	struct kvm_vmx vmx;
	struct list_head list;
	int fd;
};

static LIST_HEAD(vms);
static DEFINE_SPINLOCK(vms_lock);

static struct split_kvm *to_split_kvm(struct kvm *kvm)
{
	return container_of(to_kvm_vmx(kvm), struct split_kvm, vmx);
}

/* The stub's descriptor of a VM. */
int split_vm_fd(struct kvm *kvm)
{
	return to_split_kvm(kvm)->fd;
}

/**
 * split_coalesce() - hand a coalesced write to the client
 * @kvm:	the VM
 * @addr:	guest physical address or port
 * @len:	bytes, at most 8
 * @val:	they
 * @pio:	it is a port
 *
 * Return: 0, -EOPNOTSUPP: it has to be an exit.
 */
int split_coalesce(struct kvm *kvm, u64 addr, int len, const void *val, bool pio)
{
	struct kvm_coalesced_mmio write = {
		.phys_addr = addr,
		.len = len,
		.pio = pio,
	};

	memcpy(write.data, val, len);
	return ksplit_ops->coalesce(split_vm_fd(kvm), &write) ? -EOPNOTSUPP : 0;
}

/* -------------------------------------------------------------- flushes -- */

static void flush_fd(int fd, u32 what, u64 start, u64 end)
{
	struct ksplit_flush flush = {
		.what = what,
		.start = start,
		.end = end,
	};
	int r;

	do {
		r = ksplit_ops->flush(fd, &flush);
	} while (r == -EINTR);
	/*
	 * A stale translation must never be used: better no worker at all. A VM
	 * that is dead or closed has none.
	 */
	if (r < 0 && r != -ESHUTDOWN && r != -EBADF) {
		pr_err("VM %d: flush %u [0x%llx, 0x%llx) failed: %d\n", fd,
		       what, start, end, r);
		BUG();
	}
}

static void flush(struct kvm *kvm, u32 what, u64 start, u64 end)
{
	int fd = split_vm_fd(kvm);

	/* Before the first entry there is nothing to flush. */
	if (fd >= 0)
		flush_fd(fd, what, start, end);
}

/*
 * Wait for threads that walk shadow pages without a lock; upstream does so by
 * its IPI (walk_shadow_page_lockless_begin()).
 */
static void wait_for_walkers(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	/* What was changed in the tables comes before the modes: walk_shadow_page_lockless_begin(). */
	smp_mb();
	kvm_for_each_vcpu(i, vcpu, kvm)
		/* Pairs with the store in walk_shadow_page_lockless_end(). */
		while (smp_load_acquire(&vcpu->mode) == READING_SHADOW_PAGE_TABLES)
			cpu_relax();
}

/**
 * kvm_arch_flush_remote_tlbs() - drop everything that was derived from any table
 * @kvm:	the VM
 *
 * Context: perhaps with mmu_lock held. Always succeeds.
 */
int kvm_arch_flush_remote_tlbs(struct kvm *kvm)
{
	flush(kvm, KSPLIT_FLUSH_ALL, 0, 0);
	wait_for_walkers(kvm);
	return 0;
}

/**
 * split_flush_shadow() - drop what was derived from shadow pages
 * @kvm:	the VM; its TDP MMU maps the guest's own memory
 *
 * With the TDP MMU on, shadow pages exist for nested guests only: a full flush
 * would cost the L1 guest's translations too, at every change that L1 makes to
 * its EPT.
 *
 * Context: mmu_lock held.
 */
void split_flush_shadow(struct kvm *kvm)
{
	++kvm->stat.generic.remote_tlb_flush_requests;
	flush(kvm, KSPLIT_FLUSH_SHADOW, 0, 0);
	++kvm->stat.generic.remote_tlb_flush;
	wait_for_walkers(kvm);
}

/**
 * split_invept() - KVM executes INVEPT
 * @kvm:	the VM
 * @root:	of which root, 0: of all
 *
 * KVM makes its own changes effective by remote flushes. What a nested guest's
 * hypervisor takes from its guest it makes effective itself, by INVEPT, for
 * which KVM syncs the shadow pages and executes one: translations from shadow
 * pages have to go. A root of the TDP MMU has none of these.
 *
 * Context: the vCPU's thread, before entry.
 */
void split_invept(struct kvm *kvm, unsigned long root)
{
	struct kvm_mmu_page *sp = root ? root_to_sp(root) : NULL;

	if (!root)
		flush(kvm, KSPLIT_FLUSH_SHADOW, 0, 0);
	else if (!sp || !sp->role.direct)
		flush(kvm, KSPLIT_FLUSH_ROOT, root, 0);
}

static void flush_slot(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t first,
		       gfn_t end)
{
	/* The APIC-access page is in no window. */
	if (slot->id >= KVM_USER_MEM_SLOTS)
		return flush(kvm, KSPLIT_FLUSH_ALL, 0, 0);
	first = max(first, slot->base_gfn);
	end = min(end, slot->base_gfn + slot->npages);
	if (first < end)
		flush(kvm, KSPLIT_FLUSH_BACKING,
		      __gfn_to_hva_memslot(slot, first),
		      __gfn_to_hva_memslot(slot, first) +
		      ((end - first) << PAGE_SHIFT));
}

/**
 * kvm_arch_flush_remote_tlbs_range() - drop translations to some guest pages
 * @kvm:	the VM
 * @gfn:	first page, of L1's memory
 * @nr_pages:	how many
 *
 * The stub's key is the backing address: exact for every root, nested ones
 * included.
 *
 * Context: mmu_lock or slots_lock held. Always succeeds.
 */
int kvm_arch_flush_remote_tlbs_range(struct kvm *kvm, gfn_t gfn, u64 nr_pages)
{
	struct kvm_memslot_iter iter;
	gfn_t end = gfn + nr_pages;
	int i, idx;

	idx = srcu_read_lock(&kvm->srcu);
	for (i = 0; i < kvm_arch_nr_memslot_as_ids(kvm); i++)
		kvm_for_each_memslot_in_gfn_range(&iter, __kvm_memslots(kvm, i),
						  gfn, end)
			flush_slot(kvm, iter.slot, gfn, end);
	srcu_read_unlock(&kvm->srcu, idx);
	++kvm->stat.generic.remote_tlb_flush_requests;
	++kvm->stat.generic.remote_tlb_flush;
	return 0;
}

/**
 * ksplit_root_freed() - a page that was an EPT root is about to be freed
 * @va:		its address
 *
 * Context: any, perhaps with spinlocks held.
 */
void ksplit_root_freed(unsigned long va)
{
	struct split_kvm *vm;
	unsigned long irq;

	spin_lock_irqsave(&vms_lock, irq);
	list_for_each_entry(vm, &vms, list)
		flush_fd(vm->fd, KSPLIT_FLUSH_ROOT, va, 0);
	spin_unlock_irqrestore(&vms_lock, irq);
}

/* ------------------------------------------------------- guest memory -- */

/**
 * split_hva_to_pfn() - the page frame of an address in a slot
 * @addr:	window address, or one of the arena (KVM's own slots)
 * @atomic:	the caller must not sleep
 * @write_fault: for writing
 * @writable:	out: whether the page may be mapped writable; may be NULL
 *
 * Physical addresses are the worker's virtual ones. Whether the owner's page is
 * there, and writable, is found out by the stub when it fills its EPT from KVM's
 * tables (split_handle_backing()), or by a fault in the window: the answer here
 * would be stale at once.
 */
u64 split_hva_to_pfn(unsigned long addr, bool atomic, bool write_fault,
		     bool *writable)
{
	if (writable)
		*writable = true;
	/* The caller puts it; windows have no struct page. */
	if (ksplit_in_arena(addr))
		get_page(virt_to_page((void *)addr));
	return addr >> PAGE_SHIFT;
}

/* --------------------------------------------------------------- set-up -- */

static int split_vm_init(struct kvm *kvm)
{
	struct vmm_call *call = vmm_call_current();
	struct split_kvm *vm = to_split_kvm(kvm);
	unsigned long irq;
	int r = vmx_vm_init(kvm);

	if (r)
		return r;
	vm->fd = call ? call->back_fd : -1;
	spin_lock_irqsave(&vms_lock, irq);
	if (vm->fd >= 0)
		list_add(&vm->list, &vms);
	else
		INIT_LIST_HEAD(&vm->list);
	spin_unlock_irqrestore(&vms_lock, irq);
	return 0;
}

static void split_vm_destroy(struct kvm *kvm)
{
	struct split_kvm *vm = to_split_kvm(kvm);
	unsigned long irq;

	spin_lock_irqsave(&vms_lock, irq);
	list_del_init(&vm->list);
	spin_unlock_irqrestore(&vms_lock, irq);
	vmx_vm_destroy(kvm);
}

void split_mmu_setup(struct kvm_x86_ops *ops)
{
	BUILD_BUG_ON(offsetof(struct split_kvm, vmx.kvm) != 0);
	ops->vm_size = sizeof(struct split_kvm);
	ops->vm_init = split_vm_init;
	ops->vm_destroy = split_vm_destroy;
}
