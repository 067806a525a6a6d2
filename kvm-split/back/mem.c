// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory: the owner's, by slots; windows on it in the worker; and what
 * the owner's memory management has to say about it (the MMU notifier).
 *
 * Invariants: a window page is a page of a registered slot of the owner, pinned
 * for as long as a PTE of the worker may map it, writable only if the owner may
 * write it and the slot is not read-only.  PTEs of the worker change in the
 * worker's own context, or in that of the client that deletes a slot; the notifier
 * marks, and never sleeps.  No lock of the worker's is held over a fault of the
 * owner's.  No EPT leaf is made while a page that the owner replaced before is in
 * a window.
 *
 * How a window page comes and goes:
 *
 *	KSPLIT_WINDOW_FAULT	pins the page and records it in slot->pages
 *	the next touch		.fault finds the record and inserts the PTE
 *	notifier		marks the record stale; .fault refuses it; wakes a
 *				worker's thread that sleeps
 *	ksplit_windows_sync()	zaps the PTE, then unpins
 *
 * slots_lock makes "look at the record, insert" and "zap, remove the record"
 * exclude each other; a PTE that is present thus has a record.
 */
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "ksplit.h"

/* Marks in slot->pages. */
#define KSPLIT_PAGE_STALE	XA_MARK_0	/* no PTE may be made of it */
#define KSPLIT_PAGE_WRITABLE	XA_MARK_1	/* pinned for writing */

/* The largest slot: windows of two keys must not overlap in the file. */
#define KSPLIT_SLOT_MAX		KSPLIT_WINDOW_OFFSET(1)

/* Guest physical addresses that four levels of EPT reach. */
#define KSPLIT_GPA_END		BIT_ULL(48)

/* As upstream's hva_to_pfn(); FOLL_FORCE never. */
#define KSPLIT_GUP_FLAGS	(FOLL_HWPOISON | FOLL_HONOR_NUMA_FAULT)

/* Base of ept_pages_max, for tables above the last level and nested roots. */
#define KSPLIT_EPT_PAGES_MIN	1024

/* ----------------------------------------------------------- slots -- */

/* EPT pages a slot may cost: its 4 KiB leaves' tables, twice. */
static u32 ksplit_slot_ept_pages(const struct ksplit_slot *slot)
{
	return 2 * (DIV_ROUND_UP_ULL(slot->size, PMD_SIZE) + 1);
}

static void ksplit_slot_put(struct ksplit_slot *slot)
{
	if (!refcount_dec_and_test(&slot->users))
		return;
	xa_destroy(&slot->pages);
	kfree(slot);
}

/* Under mmu_lock or slots_lock. */
static struct ksplit_slot *ksplit_slot_by_key(struct ksplit_vm *vm, u64 key)
{
	struct ksplit_slot *slot;

	list_for_each_entry(slot, &vm->slots, node)
		if (slot->key == key)
			return slot;
	return NULL;
}

u64 ksplit_slot_pages(struct ksplit_vm *vm, u64 key)
{
	struct ksplit_slot *slot;

	guard(spinlock)(&vm->mmu_lock);
	slot = ksplit_slot_by_key(vm, key);
	return slot ? slot->size >> PAGE_SHIFT : 0;
}

/**
 * ksplit_slot_by_window - finds a slot by an address of its window
 * @vm: the VM
 * @addr: address in the worker
 *
 * Context: under mmu_lock or slots_lock.
 * Return: the slot or NULL.
 */
struct ksplit_slot *ksplit_slot_by_window(struct ksplit_vm *vm, u64 addr)
{
	struct ksplit_slot *slot;

	list_for_each_entry(slot, &vm->slots, node)
		if (slot->window && addr >= slot->window && addr - slot->window < slot->size)
			return slot;
	return NULL;
}

/**
 * ksplit_mem_retry - whether a look-up of the owner's pages is out of date
 * @vm: the VM
 * @seq: vm->invalidate_seq, read before the look-up
 * @start: first owner address that was looked up
 * @end: end of them, exclusive
 *
 * Context: under mmu_lock; a false answer holds until the lock is given up.
 */
bool ksplit_mem_retry(struct ksplit_vm *vm, u64 seq, u64 start, u64 end)
{
	if (vm->invalidate_count && start < vm->invalidate_end && end > vm->invalidate_start)
		return true;
	return vm->invalidate_seq != seq;
}

/* Takes a slot's leaves out of every root. */
static void ksplit_slot_zap(struct ksplit_vm *vm, struct ksplit_slot *slot)
	__must_hold(&vm->mmu_lock)
{
	WRITE_ONCE(vm->invalidate_seq, vm->invalidate_seq + 1);
	ksplit_ept_zap(vm, false, slot->hva, slot->hva + slot->size);
}

static bool ksplit_slot_overlaps(const struct ksplit_slot *slot, u64 start, u64 end)
{
	return start < slot->hva + slot->size && end > slot->hva;
}

/* The owner's [start, end) changes: nobody may start to use these pins. */
static void ksplit_slot_mark(struct ksplit_vm *vm, struct ksplit_slot *slot, u64 start, u64 end)
	__must_hold(&vm->mmu_lock)
{
	unsigned long index, first, last, nr;
	struct ksplit_vcpu *vcpu;
	struct page *page;
	bool there;

	if (!ksplit_slot_overlaps(slot, start, end))
		return;
	first = (max(start, slot->hva) - slot->hva) >> PAGE_SHIFT;
	last = (min(end, slot->hva + slot->size) - 1 - slot->hva) >> PAGE_SHIFT;
	xa_for_each_range(&slot->pages, index, page, first, last) {
		xa_set_mark(&slot->pages, index, KSPLIT_PAGE_STALE);
		WRITE_ONCE(vm->windows_marked, vm->windows_marked + 1);
	}
	if (READ_ONCE(vm->windows_marked) == READ_ONCE(vm->windows_synced))
		return;
	/* A guest that is paused makes no call: one vCPU's thread will do, if it is in one. */
	guard(rcu)();
	xa_for_each(&vm->vcpus, nr, vcpu) {
		/* Who comes to KSPLIT_BLOCK later finds the kick: no barrier. */
		there = waitqueue_active(&vcpu->wq) || READ_ONCE(vcpu->sleeper) ||
			READ_ONCE(vcpu->in_guest);
		ksplit_vcpu_interrupt(vcpu);
		if (there)
			break;
	}
}

static bool ksplit_slot_valid(struct ksplit_vm *vm, const struct kvm_userspace_memory_region *m)
{
	u64 end = vm->owner->task_size, gpa = m->guest_phys_addr;
	u64 size = m->memory_size, hva = m->userspace_addr;

	return !((gpa | size | hva) & ~PAGE_MASK) && size <= KSPLIT_SLOT_MAX &&
	       hva < end && size <= end - hva &&
	       gpa < KSPLIT_GPA_END && size <= KSPLIT_GPA_END - gpa;
}

/**
 * ksplit_slot_prepare - before a worker sees KVM_SET_USER_MEMORY_REGION(2)
 * @vm: the VM
 * @c: what the client wants; @c->created says whether a slot was entered
 *
 * What KVM refuses (a delete of nothing, another size) is not refused here: it
 * changes nothing in this table.
 *
 * Context: process context of the client.
 * Return: 0, -EINVAL, -ENOSPC (too many slots), -ENOMEM, -EINTR.
 */
int ksplit_slot_prepare(struct ksplit_vm *vm, struct ksplit_slot_change *c)
{
	u32 max = min_t(u32, vm->session->quota->max_slots, KSPLIT_MAX_SLOTS);
	struct ksplit_slot *slot __free(kfree) = NULL;
	int r = 0;

	if (c->mem.slot >> 16 > 1)
		return -EINVAL;
	if (!c->mem.memory_size)
		return 0;
	if (!ksplit_slot_valid(vm, &c->mem))
		return -EINVAL;

	slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);
	if (!slot)
		return -ENOMEM;
	refcount_set(&slot->users, 1);
	xa_init_flags(&slot->pages, XA_FLAGS_ACCOUNT);
	slot->key = c->mem.slot;
	slot->gpa = c->mem.guest_phys_addr;
	slot->size = c->mem.memory_size;
	slot->hva = c->mem.userspace_addr;
	slot->readonly = c->mem.flags & KVM_MEM_READONLY;

	if (mutex_lock_killable(&vm->slots_lock))
		return -EINTR;
	c->created = !ksplit_slot_by_key(vm, c->mem.slot);
	if (c->created && vm->nr_slots >= max) {
		ksplit_vm_err(vm, "limit of %u memory slots reached", max);
		c->created = false;
		r = -ENOSPC;
	}
	if (c->created) {
		spin_lock(&vm->mmu_lock);
		vm->nr_slots++;
		vm->ept_pages_max += ksplit_slot_ept_pages(slot);
		list_add_tail(&no_free_ptr(slot)->node, &vm->slots);
		spin_unlock(&vm->mmu_lock);
		ksplit_count(slots);
	}
	mutex_unlock(&vm->slots_lock);
	return r;
}

static void ksplit_slot_detach(struct ksplit_vm *vm, struct ksplit_slot *slot)
	__must_hold(&vm->slots_lock)
{
	spin_lock(&vm->mmu_lock);
	ksplit_slot_zap(vm, slot);
	list_del(&slot->node);
	vm->nr_slots--;
	vm->ept_pages_max -= ksplit_slot_ept_pages(slot);
	spin_unlock(&vm->mmu_lock);
	slot->dead = true;
	ksplit_count_add(slots, -1);
}

/* ---------------------------------------------- the owner's pages -- */

/*
 * One page of the owner's, referenced or pinned.  Sleeps for swap, files and
 * userfaultfd unless FOLL_NOWAIT.
 */
static int ksplit_owner_page(struct ksplit_vm *vm, u64 hva, unsigned int flags,
			     bool pin, struct page **ret_page)
{
	int locked = 1;
	long r;

	if (!mmget_not_zero(vm->owner))
		return -ESHUTDOWN;
	if (mmap_read_lock_killable(vm->owner)) {
		mmput_async(vm->owner);
		return -EINTR;
	}
	flags |= KSPLIT_GUP_FLAGS | FOLL_INTERRUPTIBLE;
	/*
	 * Not FOLL_LONGTERM: it refuses shared file mappings, which guests use.
	 * A pin that is in the way (reclaim, migration, write-back) is marked
	 * by the notifier and goes at the worker's next call.
	 */
	if (pin)
		r = pin_user_pages_remote(vm->owner, hva, 1, flags, ret_page, &locked);
	else
		r = get_user_pages_remote(vm->owner, hva, 1, flags, ret_page, &locked);
	if (locked)
		mmap_read_unlock(vm->owner);
	mmput_async(vm->owner);

	if (r >= 0)
		return r ? 0 : -EAGAIN;
	return r == -EINTR || r == -ENOMEM || r == -EHWPOISON ? r : -EFAULT;
}

static int ksplit_fault_in(struct ksplit_vm *vm, u64 hva, unsigned int flags)
{
	struct page *page;
	int r;

	r = ksplit_owner_page(vm, hva, flags, false, &page);
	if (!r)
		put_page(page);
	return r;
}

/* --------------------------------------------------- pinned pages -- */

/* A page whose record and PTE are gone; unpinned once no lock is held. */
struct ksplit_pin {
	struct page *page;
	u64 hva;
	bool dirty;		/* the owner may not know of the last write */
};

/*
 * Pinned for writing, a page is dirty in the owner's page table, and cannot be
 * cleaned without becoming stale.  Later writes of KVM's: the file system wants
 * to hear of them before, by a fault of the owner's, as of any other's; what
 * swaps has nobody to ask.  Where no fault is allowed the slot goes with its
 * window, and KVM does not write to it any more.
 */
static void ksplit_unpin(struct ksplit_vm *vm, const struct ksplit_pin *pin, bool may_fault)
{
	if (!pin->page)
		return;
	if (pin->dirty) {
		if (folio_test_swapbacked(page_folio(pin->page)))
			folio_set_dirty(page_folio(pin->page));
		else if (may_fault)
			ksplit_fault_in(vm, pin->hva, FOLL_WRITE);
	}
	unpin_user_page(pin->page);
}

/* Removes a record.  Its PTE is gone already, and .fault waits for the lock. */
static struct ksplit_pin ksplit_record_take(struct ksplit_vm *vm, struct ksplit_slot *slot,
					    unsigned long index)
	__must_hold(&vm->slots_lock)
{
	struct ksplit_pin pin;

	pin.hva = slot->hva + ((u64)index << PAGE_SHIFT);
	pin.dirty = xa_get_mark(&slot->pages, index, KSPLIT_PAGE_WRITABLE) &&
		    xa_get_mark(&slot->pages, index, KSPLIT_PAGE_STALE);
	pin.page = xa_erase(&slot->pages, index);
	vm->window_pages--;
	ksplit_count_add(window_pages, -1);
	return pin;
}

/* Unpins all of a slot whose PTEs are gone and cannot come back. */
static void ksplit_slot_unpin(struct ksplit_vm *vm, struct ksplit_slot *slot)
{
	unsigned long index = 0;
	struct ksplit_pin pin;

	do {
		pin.page = NULL;
		scoped_guard(mutex, &vm->slots_lock)
			if (xa_find(&slot->pages, &index, ULONG_MAX, XA_PRESENT))
				pin = ksplit_record_take(vm, slot, index);
		ksplit_unpin(vm, &pin, false);
	} while (pin.page);
}

/*
 * The VMA of a slot's window, if PTEs can be zapped there.  munmap() clears
 * PTEs and frees tables with the mmap_lock held for reading, but takes the VMA
 * out of the tree first; ->close then drops the records.
 */
static struct vm_area_struct *ksplit_window_vma(struct ksplit_slot *slot)
{
	struct vm_area_struct *vma = slot->vma;

	if (!vma || vma_lookup(vma->vm_mm, vma->vm_start) != vma)
		return NULL;
	return vma;
}

/*
 * Takes one record with @mark out of a window: the first slot's in the list,
 * from where its hand points, round it; then it is another slot's turn.  Returns
 * whether there was one.
 */
static bool ksplit_window_take(struct ksplit_vm *vm, xa_mark_t mark, struct ksplit_pin *pin)
	__must_hold(&vm->slots_lock)
{
	struct vm_area_struct *vma;
	struct ksplit_slot *slot;
	unsigned long index;

	list_for_each_entry(slot, &vm->slots, node) {
		vma = ksplit_window_vma(slot);
		if (!vma)
			continue;
		index = slot->hand;
		if (!xa_find(&slot->pages, &index, ULONG_MAX, mark)) {
			index = 0;
			if (!xa_find(&slot->pages, &index, ULONG_MAX, mark))
				continue;
		}
		zap_vma_ptes(vma, vma->vm_start + (index << PAGE_SHIFT), PAGE_SIZE);
		*pin = ksplit_record_take(vm, slot, index);
		slot->hand = index + 1;
		guard(spinlock)(&vm->mmu_lock);
		list_move_tail(&slot->node, &vm->slots);
		return true;
	}
	return false;
}

/**
 * ksplit_windows_sync - lets go of window pages that the owner's mapping left
 * @vm: the VM
 *
 * When it returns what was marked before the call is in no PTE, whoever took it
 * out.
 *
 * Context: process context of the worker, no locks held but vcpu->mutex.  Costs
 * one test if nothing is stale.
 */
void ksplit_windows_sync(struct ksplit_vm *vm)
{
	struct ksplit_pin pin;
	u64 marked;

	while ((marked = READ_ONCE(vm->windows_marked)) != READ_ONCE(vm->windows_synced)) {
		pin.page = NULL;
		if (mmap_read_lock_killable(current->mm))
			return;
		scoped_guard(mutex, &vm->slots_lock)
			if (!ksplit_window_take(vm, KSPLIT_PAGE_STALE, &pin))
				WRITE_ONCE(vm->windows_synced, marked);
		mmap_read_unlock(current->mm);
		ksplit_unpin(vm, &pin, true);
	}
}

/* Zaps a deleted slot's window. */
static void ksplit_slot_unmap(struct ksplit_vm *vm, struct ksplit_slot *slot)
{
	struct mm_struct *mm = vm->session->worker_mm;
	struct vm_area_struct *vma = NULL;

	/* The worker is going away, or its VM is: ->close unpins. */
	if (!mmget_not_zero(mm))
		return;
	if (!mmap_read_lock_killable(mm)) {
		mutex_lock(&vm->slots_lock);
		vma = ksplit_window_vma(slot);
		if (vma)
			zap_vma_ptes(vma, vma->vm_start, slot->size);
		mutex_unlock(&vm->slots_lock);
		mmap_read_unlock(mm);
	}
	mmput_async(mm);
	if (vma)
		ksplit_slot_unpin(vm, slot);
}

/**
 * ksplit_slot_finish - after the reply to KVM_SET_USER_MEMORY_REGION(2)
 * @vm: the VM
 * @c: as ksplit_slot_prepare() left it
 * @success: whether the worker accepted it
 *
 * KVM lets a client move a slot and change its dirty logging, no more.  Neither
 * matters here: leaves of a slot that is elsewhere make a root non-linear, which
 * costs time alone.
 *
 * When it returns no CPU and no PTE of the worker's maps a page of a slot that is
 * gone, unless the client is being killed.
 *
 * Context: process context of the client.
 */
void ksplit_slot_finish(struct ksplit_vm *vm, struct ksplit_slot_change *c, bool success)
{
	bool drop = success ? !c->mem.memory_size : c->created;
	struct ksplit_slot *slot;

	scoped_guard(mutex, &vm->slots_lock) {
		slot = drop ? ksplit_slot_by_key(vm, c->mem.slot) : NULL;
		if (slot)
			ksplit_slot_detach(vm, slot);
	}
	if (slot) {
		ksplit_slot_unmap(vm, slot);
		ksplit_slot_put(slot);
	}
	ksplit_ept_reap(vm);
}

/* --------------------------------------------------------- windows -- */

static void ksplit_window_open(struct vm_area_struct *vma)
{
	struct ksplit_slot *slot = vma->vm_private_data;

	refcount_inc(&slot->users);
}

/* PTEs are gone.  mremap() that fails closes a copy: not the slot's VMA. */
static void ksplit_window_close(struct vm_area_struct *vma)
{
	struct ksplit_slot *slot = vma->vm_private_data;
	struct ksplit_vm *vm = vma->vm_file->private_data;
	bool ours;

	mutex_lock(&vm->slots_lock);
	ours = slot->vma == vma;
	if (ours) {
		guard(spinlock)(&vm->mmu_lock);
		slot->vma = NULL;
		/* The worker cannot name these leaves any more. */
		if (!slot->dead)
			ksplit_slot_zap(vm, slot);
		slot->window = 0;
	}
	mutex_unlock(&vm->slots_lock);
	if (ours)
		ksplit_slot_unpin(vm, slot);
	ksplit_slot_put(slot);
}

static int ksplit_window_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static int ksplit_window_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

/* Takes no lock of the owner's and looks at no page table of the owner's. */
static vm_fault_t ksplit_window_vm_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct ksplit_slot *slot = vma->vm_private_data;
	struct ksplit_vm *vm = vma->vm_file->private_data;
	unsigned long index = (vmf->address - vma->vm_start) >> PAGE_SHIFT;
	vm_flags_t flags = vma->vm_flags;
	struct page *page;

	guard(mutex)(&vm->slots_lock);
	if (slot->dead || slot->vma != vma)
		return VM_FAULT_SIGSEGV;
	page = xa_load(&slot->pages, index);
	if (!page || xa_get_mark(&slot->pages, index, KSPLIT_PAGE_STALE))
		return VM_FAULT_SIGSEGV;
	if (!xa_get_mark(&slot->pages, index, KSPLIT_PAGE_WRITABLE)) {
		if (vmf->flags & FAULT_FLAG_WRITE)
			return VM_FAULT_SIGSEGV;
		flags &= ~(VM_WRITE | VM_SHARED);
	}
	return vmf_insert_pfn_prot(vma, vmf->address, page_to_pfn(page), vm_get_page_prot(flags));
}

/*
 * A write to a read-only PTE.  Without this operation the kernel would simply
 * make it writable, also on mprotect(); KSPLIT_WINDOW_FAULT asks the owner.
 */
static vm_fault_t ksplit_window_pfn_mkwrite(struct vm_fault *vmf)
{
	return VM_FAULT_SIGSEGV;
}

/* No .access: ptrace and /proc/PID/mem see nothing of guest memory here. */
static const struct vm_operations_struct ksplit_window_ops = {
	.open = ksplit_window_open,
	.close = ksplit_window_close,
	.may_split = ksplit_window_may_split,
	.mremap = ksplit_window_mremap,
	.fault = ksplit_window_vm_fault,
	.pfn_mkwrite = ksplit_window_pfn_mkwrite,
};

/**
 * ksplit_vm_mmap - maps the window of a slot
 * @file: the worker's of the VM
 * @vma: the whole slot, shared, at KSPLIT_WINDOW_OFFSET(slot)
 *
 * Context: mmap() in the worker, its mmap_lock held for writing.
 * Return: 0, -EINVAL, -ENOENT (no such slot), -EBUSY (mapped already), -EIO (not
 * the worker), -ESHUTDOWN (the VM is dead).
 */
int ksplit_vm_mmap(struct file *file, struct vm_area_struct *vma)
{
	const unsigned long pages = KSPLIT_SLOT_MAX >> PAGE_SHIFT;
	struct ksplit_vm *vm = file->private_data;
	struct ksplit_slot *slot;

	if (current->mm != vm->session->worker_mm)
		return -EIO;
	if (READ_ONCE(vm->dead))
		return -ESHUTDOWN;

	/* A private one would be COW: vmf_insert_pfn_prot() has a BUG_ON. */
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC || vma->vm_pgoff & (pages - 1))
		return -EINVAL;

	guard(mutex)(&vm->slots_lock);
	slot = ksplit_slot_by_key(vm, vma->vm_pgoff / pages);
	if (!slot)
		return -ENOENT;
	if (vma->vm_end - vma->vm_start != slot->size)
		return -EINVAL;
	if (slot->vma)
		return -EBUSY;

	vm_flags_mod(vma, VM_IO | VM_PFNMAP | VM_DONTCOPY | VM_DONTEXPAND |
		     VM_DONTDUMP, VM_MAYEXEC);
	refcount_inc(&slot->users);
	vma->vm_private_data = slot;
	vma->vm_ops = &ksplit_window_ops;
	slot->vma = vma;
	guard(spinlock)(&vm->mmu_lock);
	slot->window = vma->vm_start;
	return 0;
}

/* ---------------------------------------------------- dirty rings -- */

/**
 * ksplit_vcpu_ring_page - a page of a vCPU's dirty ring, for the client
 * @vcpu: the vCPU
 * @index: which
 *
 * Return: the page, or NULL.
 */
struct page *ksplit_vcpu_ring_page(struct ksplit_vcpu *vcpu, unsigned long index)
{
	void *ring = READ_ONCE(vcpu->ring);

	if (!ring || index >= KSPLIT_RING_ENTRIES * sizeof(struct kvm_dirty_gfn) / PAGE_SIZE)
		return NULL;
	return vmalloc_to_page(ring + index * PAGE_SIZE);
}

/**
 * ksplit_vcpu_dirty - KSPLIT_DIRTY
 * @vcpu: the vCPU; its mutex is not needed
 * @arg: the worker's struct ksplit_dirty
 *
 * Clients use slot and offset of an entry unchecked.
 *
 * Return: see struct ksplit_dirty.
 */
long ksplit_vcpu_dirty(struct ksplit_vcpu *vcpu, struct ksplit_dirty __user *arg)
{
	struct kvm_dirty_gfn *g;
	struct ksplit_dirty d;

	if (copy_from_user(&d, arg, sizeof(d)))
		return -EFAULT;
	guard(mutex)(&vcpu->vm->slots_lock);
	if (!vcpu->ring)
		vcpu->ring = __vmalloc(KSPLIT_RING_ENTRIES * sizeof(*g),
				       GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!vcpu->ring || d.index >= KSPLIT_RING_ENTRIES)
		return -EINVAL;
	g = &vcpu->ring[array_index_nospec(d.index, KSPLIT_RING_ENTRIES)];
	if (d.slot == KSPLIT_DIRTY_LOOK)
		return READ_ONCE(g->flags) & KVM_DIRTY_GFN_F_RESET && xchg(&g->flags, 0);
	if (d.offset >= ksplit_slot_pages(vcpu->vm, d.slot))
		return -EINVAL;
	WRITE_ONCE(g->slot, d.slot);
	WRITE_ONCE(g->offset, d.offset);
	/* After what the entry is: the client looks at the flags first. */
	smp_store_release(&g->flags, KVM_DIRTY_GFN_F_DIRTY);
	return 0;
}

/* ------------------------------------------------ window faults -- */

/*
 * Records a pinned page and gives back in @pin what has to go for it.  Which
 * one that is at the cap is a matter of address: a reference bit would have to
 * come from the worker's PTEs, and KVM touches far fewer pages than that.
 * Returns 1 if the owner's mapping changed since @seq.
 */
static int ksplit_window_record(struct ksplit_vm *vm, struct ksplit_slot *slot,
				unsigned long index, u64 seq, bool writable,
				struct ksplit_pin *pin)
	__must_hold(&vm->slots_lock)
{
	struct vm_area_struct *vma = ksplit_window_vma(slot);
	u64 hva = slot->hva + ((u64)index << PAGE_SHIFT);
	struct ksplit_pin old = {};
	int r;

	if (slot->dead || !vma)
		return -ENOENT;
	/* Even of the same page: .fault inserts with the rights it has now. */
	if (xa_load(&slot->pages, index)) {
		zap_vma_ptes(vma, vma->vm_start + (index << PAGE_SHIFT), PAGE_SIZE);
		old = ksplit_record_take(vm, slot, index);
	} else if (vm->window_pages >= KSPLIT_WINDOW_PAGES &&
		   !ksplit_window_take(vm, XA_PRESENT, &old)) {
		return -ENOMEM;
	}
	r = xa_err(xa_store(&slot->pages, index, pin->page, GFP_KERNEL_ACCOUNT));
	if (r) {
		unpin_user_page(pin->page);
		*pin = old;
		return r;
	}
	vm->window_pages++;
	ksplit_count(window_pages);
	if (writable)
		xa_set_mark(&slot->pages, index, KSPLIT_PAGE_WRITABLE);

	scoped_guard(spinlock, &vm->mmu_lock) {
		r = ksplit_mem_retry(vm, seq, hva, hva + PAGE_SIZE);
		if (r) {
			xa_set_mark(&slot->pages, index, KSPLIT_PAGE_STALE);
			WRITE_ONCE(vm->windows_marked, vm->windows_marked + 1);
		}
	}
	*pin = old;
	return r;
}

static int ksplit_window_pin(struct ksplit_vm *vm, struct ksplit_slot *slot,
			     unsigned long index, unsigned int flags)
{
	u64 hva = slot->hva + ((u64)index << PAGE_SHIFT), seq;
	int r;

	for (;;) {
		struct ksplit_pin pin = { };

		seq = READ_ONCE(vm->invalidate_seq);
		/* Pairs with the unlock after the owner's mapping changed. */
		smp_rmb();
		r = ksplit_owner_page(vm, hva, flags, true, &pin.page);
		if (r)
			return r;
		r = -EINTR;
		if (!mmap_read_lock_killable(current->mm)) {
			scoped_guard(mutex, &vm->slots_lock)
				r = ksplit_window_record(vm, slot, index, seq, flags & FOLL_WRITE,
							 &pin);
			mmap_read_unlock(current->mm);
		}
		ksplit_unpin(vm, &pin, true);
		if (r <= 0)
			return r;
		/* The owner is changing it just now, most likely. */
		if (schedule_timeout_interruptible(1) || signal_pending(current))
			return -EINTR;
	}
}

/**
 * ksplit_window_fault - KSPLIT_WINDOW_FAULT and KSPLIT_FAULT_IN
 * @vm: the VM
 * @arg: struct ksplit_fault of the worker
 * @map: WINDOW_FAULT
 *
 * Context: process context of the worker, no locks held.
 * Return: 0, -EFAULT, -EHWPOISON, -EINTR, -EAGAIN, -ENOENT, -ESHUTDOWN,
 * -EINVAL, -ENOMEM.
 */
long ksplit_window_fault(struct ksplit_vm *vm, struct ksplit_fault __user *arg, bool map)
{
	struct ksplit_slot *slot;
	unsigned int flags = 0;
	struct ksplit_fault f;
	u64 offset;
	int r;

	if (copy_from_user(&f, arg, sizeof(f)))
		return -EFAULT;
	if (f.write > 1 || f.flags & ~KSPLIT_FAULT_NOWAIT)
		return -EINVAL;

	scoped_guard(spinlock, &vm->mmu_lock) {
		slot = ksplit_slot_by_window(vm, f.addr);
		if (!slot)
			return -ENOENT;
		refcount_inc(&slot->users);
		offset = (f.addr - slot->window) & PAGE_MASK;
	}

	if (f.write)
		flags |= FOLL_WRITE;
	if (f.flags & KSPLIT_FAULT_NOWAIT)
		flags |= FOLL_NOWAIT;
	if (f.write && slot->readonly) {
		r = -EFAULT;
	} else if (map) {
		ksplit_count(window_faults);
		r = ksplit_window_pin(vm, slot, offset >> PAGE_SHIFT, flags);
	} else {
		ksplit_count(fault_ins);
		r = ksplit_fault_in(vm, slot->hva + offset, flags);
	}
	ksplit_slot_put(slot);
	return r;
}

/**
 * ksplit_hwpoison - tells the client that a page of its memory is poisoned
 * @vcpu: whose call the client's thread is in; that one gets the signal
 * @addr: window address
 *
 * Return: 0, -ENOENT (not a window address), -ESRCH (no call is in progress).
 */
long ksplit_hwpoison(struct ksplit_vcpu *vcpu, u64 addr)
{
	struct task_struct *client __free(put_task) = ksplit_channel_client(&vcpu->chan);
	struct ksplit_vm *vm = vcpu->vm;
	struct ksplit_slot *slot;
	u64 hva;

	scoped_guard(spinlock, &vm->mmu_lock) {
		slot = ksplit_slot_by_window(vm, addr);
		if (!slot)
			return -ENOENT;
		hva = slot->hva + ((addr - slot->window) & PAGE_MASK);
	}

	if (!client)
		return -ESRCH;
	return send_sig_mceerr(BUS_MCEERR_AR, (void __user *)hva, PAGE_SHIFT, client);
}

/* -------------------------------------------------- MMU notifier -- */

/*
 * As upstream's kvm_mmu_notifier_*.  Every callback takes mmu_lock and nothing
 * else, so a range that must not block needs no care; none enters a notifier of
 * the worker's.
 */
static int ksplit_mn_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct ksplit_vm *vm = container_of(mn, struct ksplit_vm, notifier);
	struct ksplit_slot *slot;

	guard(spinlock)(&vm->mmu_lock);
	/* With several at a time their hull is good enough. */
	if (!vm->invalidate_count++) {
		vm->invalidate_start = range->start;
		vm->invalidate_end = range->end;
	} else {
		vm->invalidate_start = min_t(u64, vm->invalidate_start, range->start);
		vm->invalidate_end = max_t(u64, vm->invalidate_end, range->end);
	}
	list_for_each_entry(slot, &vm->slots, node)
		ksplit_slot_mark(vm, slot, range->start, range->end);
	ksplit_ept_zap(vm, false, range->start, range->end);
	return 0;
}

static void ksplit_mn_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct ksplit_vm *vm = container_of(mn, struct ksplit_vm, notifier);
	struct ksplit_slot *slot;

	guard(spinlock)(&vm->mmu_lock);
	vm->invalidate_count--;
	list_for_each_entry(slot, &vm->slots, node)
		if (ksplit_slot_overlaps(slot, range->start, range->end))
			WRITE_ONCE(vm->invalidate_seq, vm->invalidate_seq + 1);
}

static bool ksplit_mn_young(struct mmu_notifier *mn, unsigned long start,
			    unsigned long end, bool clear)
{
	struct ksplit_vm *vm = container_of(mn, struct ksplit_vm, notifier);

	guard(spinlock)(&vm->mmu_lock);
	return ksplit_ept_young(vm, start, end, clear);
}

/* No flush, as for the owner's own PTEs: what is hot ages a little early. */
static int ksplit_mn_clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
				 unsigned long start, unsigned long end)
{
	return ksplit_mn_young(mn, start, end, true);
}

static int ksplit_mn_test_young(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long addr)
{
	return ksplit_mn_young(mn, addr, addr + 1, false);
}

/* The owner is gone, or the VM is. */
static void ksplit_mn_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct ksplit_vm *vm = container_of(mn, struct ksplit_vm, notifier);

	/* Pinned pages go with the windows: the worker ends. */
	ksplit_vm_kill(vm);
	guard(spinlock)(&vm->mmu_lock);
	WRITE_ONCE(vm->invalidate_seq, vm->invalidate_seq + 1);
	ksplit_ept_drop_roots(vm, KSPLIT_FLUSH_ALL);
}

static const struct mmu_notifier_ops ksplit_mn_ops = {
	.invalidate_range_start = ksplit_mn_start,
	.invalidate_range_end = ksplit_mn_end,
	.clear_flush_young = ksplit_mn_clear_young,
	.clear_young = ksplit_mn_clear_young,
	.test_young = ksplit_mn_test_young,
	.release = ksplit_mn_release,
};

/**
 * ksplit_mem_init - follows the owner's memory management from now on
 * @vm: a new VM, with its owner
 *
 * Context: process context of the owner.
 * Return: 0, -ENOMEM.
 */
int ksplit_mem_init(struct ksplit_vm *vm)
{
	vm->ept_pages_max = KSPLIT_EPT_PAGES_MIN;
	vm->notifier.ops = &ksplit_mn_ops;
	return mmu_notifier_register(&vm->notifier, vm->owner);
}

/**
 * ksplit_mem_destroy - frees slots and EPT of a VM
 * @vm: the VM; its descriptor, its windows and its vCPUs are gone
 *
 * Context: may sleep.
 */
void ksplit_mem_destroy(struct ksplit_vm *vm)
{
	struct ksplit_slot *slot, *next;

	/* Set when it was registered. */
	if (vm->notifier.mm)
		mmu_notifier_unregister(&vm->notifier, vm->owner);
	scoped_guard(spinlock, &vm->mmu_lock)
		ksplit_ept_drop_roots(vm, KSPLIT_FLUSH_ALL);
	ksplit_ept_reap(vm);
	/* A window holds the descriptor: nothing is pinned any more. */
	list_for_each_entry_safe(slot, next, &vm->slots, node) {
		list_del(&slot->node);
		ksplit_count_add(slots, -1);
		ksplit_slot_put(slot);
	}
}
