// SPDX-License-Identifier: GPL-2.0-only
/*
 * The EPT: a software TLB of the worker's EPT-format tables.
 *
 * Invariants: a leaf maps a page that the owner's page tables mapped when it
 * was made, at an address of a registered slot, with no more rights than the
 * owner, the slot and the worker's tables give; it is gone from every CPU
 * before the owner's mapping changes and before a flush returns.  Everything is
 * counted and capped.
 *
 * A worker's table is read without any lock and may change at every step, so
 * may the owner's mapping: vm->invalidate_seq is read before and compared under
 * mmu_lock after, and raised by whoever changes one of the two.
 *
 * There is no reverse map.  A root is linear while each of its leaves maps what
 * its slot has at that guest physical address: then the slot table is the
 * reverse map.  The first leaf that does not (nested guests, mostly) makes the
 * root non-linear, and an invalidation drops such a root as a whole.  That says
 * nothing of whose memory a root maps: a nested guest's may be linear, too.
 *
 * Whoever takes a right out of a table, or a table out of a root, raises
 * tlb_gen and kicks before it gives up mmu_lock.  So a table that is found
 * detached under mmu_lock is used by no CPU, and may be freed.
 */
#include <linux/hugetlb_inline.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "pure/ept.h"
#include "vmx.h"

/*
 * Beyond that many bytes, all roots together, an invalidation drops them: O(1)
 * instead of O(pages).  At 4 KiB leaves it is a millisecond under the lock;
 * NUMA balancing and dirty logging come in ranges of 256 MiB and more.
 */
#define KSPLIT_ZAP_MAX		(1ull << 30)

#define KSPLIT_TABLE_ENTRIES	(PAGE_SIZE / sizeof(u64))

static bool ksplit_ept_has(u64 cap)
{
	return ksplit_hw.msr[KSPLIT_VMX_MSR(MSR_IA32_VMX_EPT_VPID_CAP)] & cap;
}

static bool ksplit_ept_is_table(u64 entry, unsigned int level)
{
	return ksplit_ept_present(entry) && !ksplit_ept_is_leaf(entry, level);
}

static u64 *ksplit_ept_child(u64 entry)
{
	return phys_to_virt(entry & KSPLIT_EPT_ADDR);
}

/*
 * No CPU uses an older translation afterwards.  Whoever took a right out of a
 * root calls it before it gives the lock up.  Interrupts on.
 */
static void ksplit_ept_flush_cpus(struct ksplit_vm *vm)
	__must_hold(&vm->mmu_lock)
{
	lockdep_assert_held(&vm->mmu_lock);
	atomic64_inc(&vm->tlb_gen);
	ksplit_vm_kick_sync(vm);
}

/* ---------------------------------------------- ranges of a root -- */

/* What to clear in each leaf of a range; for D bits see ksplit_page_try(). */
#define KSPLIT_LEAF_ZAP		(~0ull)
#define KSPLIT_LEAF_OLD		KSPLIT_EPT_A
#define KSPLIT_LEAF_LOOK	0ull

static bool ksplit_leaf_clear(u64 *entry, u64 clear)
{
	u64 old = READ_ONCE(*entry);

	if (clear == KSPLIT_LEAF_ZAP)
		WRITE_ONCE(*entry, 0);
	else if (clear)
		old = atomic64_fetch_andnot(clear, (atomic64_t *)entry);
	return clear == KSPLIT_LEAF_ZAP || old & KSPLIT_EPT_A;
}

/*
 * Leaves that overlap guest physical [start, end), whole.  Returns whether one
 * was there or, unless it was zapped, was accessed.
 */
static bool ksplit_table_range(u64 *table, unsigned int level, u64 start, u64 end, u64 clear)
{
	u64 size = ksplit_level_size(level);
	bool found = false;
	u64 gpa, next, *entry;

	for (gpa = start; gpa < end; gpa = next) {
		next = min(end, (gpa | (size - 1)) + 1);
		entry = &table[ksplit_ept_index(gpa, level)];
		if (!ksplit_ept_present(*entry))
			continue;
		if (ksplit_ept_is_leaf(*entry, level))
			found |= ksplit_leaf_clear(entry, clear);
		else
			found |= ksplit_table_range(ksplit_ept_child(*entry), level - 1, gpa, next,
						    clear);
	}
	return found;
}

/*
 * What slots have in [start, end) of the owner's or, if @window, of the
 * worker's addresses, in every linear root.  Returns the bytes that is; without
 * @found it only counts.
 */
static u64 ksplit_slots_range(struct ksplit_vm *vm, bool window, u64 start,
			      u64 end, u64 clear, bool *found)
	__must_hold(&vm->mmu_lock)
{
	u64 base, first, last, sum = 0;
	struct ksplit_root *root;
	struct ksplit_slot *slot;

	list_for_each_entry(slot, &vm->slots, node) {
		base = window ? slot->window : slot->hva;
		if ((window && !base) || start >= base + slot->size || end <= base)
			continue;
		first = max(start, base) - base;
		last = min(end - base, slot->size);
		sum += last - first;
		list_for_each_entry(root, &vm->roots, node)
			if (found && root->linear)
				*found |= ksplit_table_range(root->table, KSPLIT_EPT_LEVELS,
							     slot->gpa + first, slot->gpa + last,
							     clear);
	}
	return sum;
}

/* --------------------------------------------------------- roots -- */

static void ksplit_root_put(struct ksplit_root *root)
{
	if (!refcount_dec_and_test(&root->users))
		return;
	free_page((unsigned long)root->table);
	free_page((unsigned long)root->grave);
	kfree(root);
}

/*
 * Takes the tables out of a root, which stays as an empty one for the vCPUs
 * that have it loaded.  The caller flushes the CPUs.
 */
static void ksplit_root_drop(struct ksplit_vm *vm, struct ksplit_root *root)
	__must_hold(&vm->mmu_lock)
{
	for (unsigned int i = 0; i < KSPLIT_TABLE_ENTRIES; i++) {
		root->grave[i] = root->table[i];
		WRITE_ONCE(root->table[i], 0);
	}
	WRITE_ONCE(root->dead, true);
	list_move(&root->node, &vm->dead_roots);
	vm->nr_roots--;
	ksplit_count_add(roots, -1);
}

/**
 * ksplit_ept_drop_roots - detaches roots and flushes the CPUs
 * @vm: the VM
 * @what: all, the shadow roots, or, for a range, those that it cannot be found in
 *
 * Context: under mmu_lock, interrupts on.
 * Return: whether there was one; without, nothing was flushed.
 */
bool ksplit_ept_drop_roots(struct ksplit_vm *vm, enum ksplit_flush_what what)
{
	struct ksplit_root *root, *next;
	bool found = false;

	list_for_each_entry_safe(root, next, &vm->roots, node)
		if (what == KSPLIT_FLUSH_ALL ||
		    (what == KSPLIT_FLUSH_SHADOW ? root->shadow : !root->linear)) {
			ksplit_root_drop(vm, root);
			found = true;
		}
	if (found)
		ksplit_ept_flush_cpus(vm);
	return found;
}

/**
 * ksplit_ept_zap - takes memory of slots out of every root and every CPU
 * @vm: the VM
 * @window: addresses are the worker's, not the owner's
 * @start: first address
 * @end: end of them, exclusive
 *
 * Context: under mmu_lock, interrupts on.
 */
void ksplit_ept_zap(struct ksplit_vm *vm, bool window, u64 start, u64 end)
{
	bool found = false;
	u64 sum;

	sum = ksplit_slots_range(vm, window, start, end, KSPLIT_LEAF_LOOK, NULL);
	if (!sum)
		return;
	ksplit_count(ept_zaps);
	if (sum > KSPLIT_ZAP_MAX / max(vm->nr_roots, 1u)) {
		ksplit_ept_drop_roots(vm, KSPLIT_FLUSH_ALL);
		return;
	}
	ksplit_slots_range(vm, window, start, end, KSPLIT_LEAF_ZAP, &found);
	if (!ksplit_ept_drop_roots(vm, KSPLIT_FLUSH_BACKING) && found)
		ksplit_ept_flush_cpus(vm);
}

/**
 * ksplit_ept_young - whether a guest used owner memory lately
 * @vm: the VM
 * @start: first owner address
 * @end: end of them, exclusive
 * @clear: forget it
 *
 * Goes by linear roots: what only a nested guest uses looks idle.  So does, on
 * a CPU without accessed bits, what was used once.
 *
 * Context: under mmu_lock, and maybe a page-table lock of the owner's.
 */
bool ksplit_ept_young(struct ksplit_vm *vm, u64 start, u64 end, bool clear)
{
	bool young = false;

	ksplit_slots_range(vm, false, start, end,
			   clear ? KSPLIT_LEAF_OLD : KSPLIT_LEAF_LOOK, &young);
	return young;
}

/* Frees a detached table and what is below.  Returns the number of pages. */
static u32 ksplit_table_free(u64 *table, unsigned int level)
{
	u32 n = 1;

	for (unsigned int i = 0; level > 1 && i < KSPLIT_TABLE_ENTRIES; i++)
		if (ksplit_ept_is_table(table[i], level))
			n += ksplit_table_free(ksplit_ept_child(table[i]), level - 1);
	free_page((unsigned long)table);
	cond_resched();
	return n;
}

static void ksplit_ept_uncharge(struct ksplit_vm *vm, u32 pages)
{
	scoped_guard(spinlock, &vm->mmu_lock)
		vm->ept_pages -= pages;
	ksplit_count_add(ept_pages, -(long)pages);
}

/**
 * ksplit_ept_reap - frees the tables of detached roots
 * @vm: the VM
 *
 * Context: may sleep.
 */
void ksplit_ept_reap(struct ksplit_vm *vm)
{
	struct ksplit_root *root, *next;
	LIST_HEAD(dead);

	if (list_empty_careful(&vm->dead_roots))
		return;
	scoped_guard(spinlock, &vm->mmu_lock)
		list_splice_init(&vm->dead_roots, &dead);

	list_for_each_entry_safe(root, next, &dead, node) {
		/* The grave's own page was not charged. */
		ksplit_ept_uncharge(vm, ksplit_table_free(root->grave, KSPLIT_EPT_LEVELS) - 1);
		root->grave = NULL;
		ksplit_root_put(root);
	}
}

static struct ksplit_root *ksplit_root_find(struct ksplit_vm *vm, u64 key)
	__must_hold(&vm->mmu_lock)
{
	struct ksplit_root *root;

	list_for_each_entry(root, &vm->roots, node)
		if (root->key == key)
			return root;
	return NULL;
}

/* The root to give up: least recently found, of those not loaded if any. */
static struct ksplit_root *ksplit_root_victim(struct ksplit_vm *vm)
	__must_hold(&vm->mmu_lock)
{
	struct ksplit_root *root;

	list_for_each_entry_reverse(root, &vm->roots, node)
		if (refcount_read(&root->users) == 1)
			return root;
	return list_last_entry(&vm->roots, struct ksplit_root, node);
}

static void ksplit_root_add(struct ksplit_vm *vm, struct ksplit_root *root)
	__must_hold(&vm->mmu_lock)
{
	if (vm->nr_roots >= KSPLIT_MAX_ROOTS) {
		ksplit_root_drop(vm, ksplit_root_victim(vm));
		ksplit_ept_flush_cpus(vm);
	}
	list_add(&root->node, &vm->roots);
	vm->nr_roots++;
	ksplit_count(roots);
	/*
	 * CPUs tag translations with the address of the top table: those of
	 * whoever had this page before go before the first entry with it.
	 */
	atomic64_inc(&vm->tlb_gen);
}

static struct ksplit_root *ksplit_root_alloc(u64 key, bool shadow)
{
	struct ksplit_root *root = kzalloc(sizeof(*root), GFP_KERNEL_ACCOUNT);

	if (!root)
		return NULL;
	refcount_set(&root->users, 1);
	root->key = key;
	root->linear = true;
	root->shadow = shadow;
	root->table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	root->grave = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!root->table || !root->grave) {
		ksplit_root_put(root);
		return NULL;
	}
	root->eptp = ksplit_ept_make_pointer(virt_to_phys(root->table),
					     ksplit_ept_has(VMX_EPT_AD_BIT));
	return root;
}

/**
 * ksplit_root_unload - drops the vCPU's reference to its root
 * @vcpu: the vCPU, not in guest mode
 *
 * Context: vcpu->mutex, or the vCPU's end; may sleep.
 */
void ksplit_root_unload(struct ksplit_vcpu *vcpu)
{
	struct ksplit_root *root = vcpu->root;

	vcpu->root = NULL;
	if (root)
		ksplit_root_put(root);
}

/**
 * ksplit_root_load - finds or makes the image of a table tree of the worker's
 * @vcpu: stores a reference in vcpu->root
 * @key: address of the root table in the worker
 * @shadow: it maps a nested guest's memory, as the worker says that runs it first
 *
 * Context: vcpu->mutex, not in guest mode; may sleep.  Costs a comparison if
 * the root is loaded and alive.
 * Return: 0, -EINVAL (no such address), -ENOMEM.
 */
int ksplit_root_load(struct ksplit_vcpu *vcpu, u64 key, bool shadow)
{
	struct ksplit_root *root = vcpu->root, *fresh = NULL;
	struct ksplit_vm *vm = vcpu->vm;

	if (root && root->key == key && !READ_ONCE(root->dead))
		return 0;
	if (!key || key & ~PAGE_MASK || key >= TASK_SIZE_MAX)
		return -EINVAL;
	ksplit_root_unload(vcpu);

	for (;;) {
		spin_lock(&vm->mmu_lock);
		root = ksplit_root_find(vm, key);
		if (root) {
			list_move(&root->node, &vm->roots);
		} else if (fresh) {
			ksplit_root_add(vm, fresh);
			root = fresh;
			fresh = NULL;
		}
		if (root)
			refcount_inc(&root->users);
		spin_unlock(&vm->mmu_lock);
		if (root)
			break;
		fresh = ksplit_root_alloc(key, shadow);
		if (!fresh)
			return -ENOMEM;
	}
	if (fresh)
		ksplit_root_put(fresh);
	vcpu->root = root;
	ksplit_ept_reap(vm);
	return 0;
}

/* --------------------------------------------------------- faults -- */

/* What is known of one fault. */
struct ksplit_refill {
	struct ksplit_walk walk;
	u64 seq;
	u64 window;		/* worker address of the page */
	u64 hva;		/* the owner's, 0: the VM's own page */
	bool write;
	bool fetch;
	bool writable;		/* the owner's page was got for writing */
	struct page *page;
	u64 *spare;		/* a table to link in, */
	u64 *orphan;		/* and one that was unlinked */
};

static int ksplit_read_table(void *ctx, u64 addr, u64 *ret_entry)
{
	return get_user(*ret_entry, (u64 __user *)addr);
}

/* Finds the slot of a leaf, or the VM's own page.  Returns false if it is neither's. */
static bool ksplit_refill_slot(struct ksplit_vm *vm, struct ksplit_refill *f)
{
	u64 mask = ksplit_level_size(f->walk.level) - 1;
	struct ksplit_slot *slot;

	f->window = f->walk.addr + (f->walk.gpa & mask & PAGE_MASK);
	guard(spinlock)(&vm->mmu_lock);
	slot = ksplit_slot_by_window(vm, f->window);
	if (!slot) {
		f->page = ksplit_apic_page(vm, f->window);
		f->writable = true;
		return f->page;
	}
	f->hva = slot->hva + (f->window - slot->window);
	if (slot->readonly)
		f->walk.rights &= ~KSPLIT_EPT_W;
	return true;
}

/*
 * Gets the owner's page if nobody else decides how long that takes: a file of the
 * owner's may be served by a process, so only what is mapped counts there.
 *
 * A page got for writing is dirty before the entry is made, and cannot be
 * cleaned without an invalidation; that is why D bits are not harvested.
 */
static bool ksplit_page_try(struct ksplit_vm *vm, struct ksplit_refill *f)
{
	unsigned int flags = FOLL_HWPOISON | FOLL_HONOR_NUMA_FAULT;
	struct vm_area_struct *vma;
	unsigned int how;
	long got = 0;

	if (!mmap_read_trylock(vm->owner))
		return false;
	vma = vma_lookup(vm->owner, f->hva);
	if (!vma)
		goto unlock;
	how = vma_is_anonymous(vma) || vma_is_shmem(vma) ||
	      is_vm_hugetlb_page(vma) ? FOLL_NOWAIT : FOLL_NOFAULT;

	/* A read gets a writable page too, if the owner has it so already. */
	f->writable = f->walk.rights & KSPLIT_EPT_W;
	if (f->writable)
		got = get_user_pages_remote(vm->owner, f->hva, 1, flags | FOLL_WRITE |
					    (f->write ? how : FOLL_NOFAULT),
					    &f->page, NULL);
	if (got != 1 && !f->write) {
		f->writable = false;
		got = get_user_pages_remote(vm->owner, f->hva, 1, flags | how, &f->page, NULL);
	}
unlock:
	mmap_read_unlock(vm->owner);
	return got == 1;
}

/*
 * Whether the owner maps a page that was got since f->seq by 2 MiB or more.  Under
 * mmu_lock with no invalidation in progress, which the caller knows, the entries
 * that map it are present and stay what they are, leaf or table: whoever changes
 * that first waits for the lock in the notifier.  With interrupts off the tables
 * stay in any case.
 */
static bool ksplit_owner_large(struct mm_struct *mm, unsigned long hva)
{
	pud_t pud;

	guard(irqsave)();
	/* Each entry once: what was a table may be a large page the next time. */
	pud = READ_ONCE(*pud_offset(p4d_offset(pgd_offset(mm, hva), hva), hva));
	return pud_leaf(pud) || pmd_leaf(READ_ONCE(*pmd_offset(&pud, hva)));
}

/*
 * How large a leaf may be, its executability aside.  Most pages that the owner
 * maps by 4 KiB lie wrong in memory for more: no need to look.  Leaves of 1 GiB
 * would save little: tables over 2 MiB leaves are few.
 */
static unsigned int ksplit_refill_level(struct ksplit_vm *vm, const struct ksplit_slot *slot,
					const struct ksplit_refill *f)
	__must_hold(&vm->mmu_lock)
{
	bool large = f->walk.level > 1 && ksplit_ept_has(VMX_EPT_2MB_PAGE_BIT) &&
		     ksplit_ept_large(f->walk.gpa, f->hva, page_to_pfn(f->page),
				      slot->hva, slot->size) &&
		     ksplit_owner_large(vm->owner, f->hva);

	return large ? 2 : 1;
}

/**
 * ksplit_ept_entry - the entry of a guest physical address, with the tables above it
 * @vm: the VM
 * @root: of its
 * @spare: becomes one of them, and NULL, if one is missing
 * @gpa: guest physical address
 * @level: of the entry
 *
 * Context: under mmu_lock, interrupts on.
 * Return: the entry; NULL if it takes a table and there is none.
 */
u64 *ksplit_ept_entry(struct ksplit_vm *vm, struct ksplit_root *root, u64 **spare,
		      u64 gpa, unsigned int level)
{
	u64 *table = root->table, *entry, old;

	for (unsigned int l = KSPLIT_EPT_LEVELS; l > level; l--) {
		entry = &table[ksplit_ept_index(gpa, l)];
		old = READ_ONCE(*entry);
		if (ksplit_ept_is_table(old, l)) {
			table = ksplit_ept_child(old);
			continue;
		}
		if (!*spare)
			return NULL;
		table = *spare;
		*spare = NULL;
		WRITE_ONCE(*entry, ksplit_ept_make_table(virt_to_phys(table)));
		vm->ept_pages++;
		ksplit_count(ept_pages);
		/* The size of a page must not change unflushed. */
		if (ksplit_ept_present(old))
			ksplit_ept_flush_cpus(vm);
	}
	return &table[ksplit_ept_index(gpa, level)];
}

static void ksplit_install(struct ksplit_vm *vm, struct ksplit_refill *f,
			   u64 *entry, unsigned int level, u64 rights)
	__must_hold(&vm->mmu_lock)
{
	u64 pa = page_to_phys(f->page) & ~(ksplit_level_size(level) - 1);
	u64 old = READ_ONCE(*entry);
	bool table = ksplit_ept_is_table(old, level);

	/* No leaf is larger than 2 MiB: a table of 4 KiB leaves. */
	if (table)
		f->orphan = ksplit_ept_child(old);
	WRITE_ONCE(*entry, ksplit_ept_make_leaf(pa, rights, level) |
			   KSPLIT_EPT_A | (f->write ? KSPLIT_EPT_D : 0));
	if (table || (ksplit_ept_present(old) &&
		      ((old & KSPLIT_EPT_ADDR) != pa || old & ~rights & KSPLIT_EPT_RWX)))
		ksplit_ept_flush_cpus(vm);
}

/* A large page that has to be executable: a table of 4 KiB leaves, whole. */
static void ksplit_fill_table(u64 *table, u64 pa, u64 rights)
{
	for (unsigned int i = 0; i < KSPLIT_TABLE_ENTRIES; i++, pa += PAGE_SIZE)
		if (!ksplit_ept_present(table[i]))
			WRITE_ONCE(table[i], ksplit_ept_make_leaf(pa, rights, 1));
}

/*
 * Makes the entry.  Returns 0 also if something was out of date, the guest then
 * faults again; -EAGAIN if it takes one more table.
 */
static int ksplit_refill_locked(struct ksplit_vm *vm, struct ksplit_root *root,
				struct ksplit_refill *f)
	__must_hold(&vm->mmu_lock)
{
	u64 start = f->hva & PMD_MASK, rights = f->walk.rights, gpa = f->walk.gpa & PAGE_MASK;
	struct ksplit_slot *slot = ksplit_slot_by_window(vm, f->window);
	unsigned int level;
	u64 *entry;

	if (root->dead || (f->hva && !slot) ||
	    ksplit_mem_retry(vm, f->seq, start, start + PMD_SIZE))
		return 0;
	if (vm->ept_pages + KSPLIT_EPT_LEVELS > vm->ept_pages_max) {
		ksplit_root_drop(vm, ksplit_root_victim(vm));
		ksplit_ept_flush_cpus(vm);
		return 0;
	}
	if (!f->writable)
		rights &= ~KSPLIT_EPT_W;

	level = f->hva ? ksplit_refill_level(vm, slot, f) : 1;
	entry = ksplit_ept_entry(vm, root, &f->spare, gpa, level);
	if (entry && level > 1 && rights & KSPLIT_EPT_X &&
	    boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT)) {
		/*
		 * On a CPU with this erratum a large page is not executable; the
		 * first fetch splits it, for good (upstream's NX huge pages).
		 */
		if (f->fetch || ksplit_ept_is_table(*entry, level)) {
			level = 1;
			entry = ksplit_ept_entry(vm, root, &f->spare, gpa, level);
			if (entry)
				ksplit_fill_table(PTR_ALIGN_DOWN(entry, PAGE_SIZE),
						  page_to_phys(f->page) & PMD_MASK, rights);
		} else {
			rights &= ~KSPLIT_EPT_X;
		}
	}
	if (!entry)
		return -EAGAIN;
	ksplit_install(vm, f, entry, level, rights);
	if (f->hva && gpa != slot->gpa + (f->window - slot->window))
		root->linear = false;
	return 0;
}

static int ksplit_refill(struct ksplit_vm *vm, struct ksplit_root *root, struct ksplit_refill *f)
{
	int r;

	for (;;) {
		scoped_guard(spinlock, &vm->mmu_lock)
			r = ksplit_refill_locked(vm, root, f);
		if (r != -EAGAIN)
			break;
		f->spare = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!f->spare)
			return -ENOMEM;
	}
	free_page((unsigned long)f->spare);
	if (f->orphan) {
		free_page((unsigned long)f->orphan);
		ksplit_ept_uncharge(vm, 1);
	}
	ksplit_ept_reap(vm);
	return r;
}

/**
 * ksplit_ept_fault - handles an EPT violation
 * @vcpu: the vCPU; its root is what the CPU used
 * @e: the violation, with the CPU's qualification; becomes what the worker is told
 * @gpa: guest physical address
 *
 * Context: process context of the worker, vcpu->mutex; sleeps for the worker's
 * own memory, never for the owner's.
 * Return: 1 (enter again: the entry is there, or something was out of date), 0 (the
 * worker's: its tables do not allow it, or KSPLIT_EXIT_BACKING); -EFAULT if the
 * worker's tables cannot be read, -ENOMEM.
 */
int ksplit_ept_fault(struct ksplit_vcpu *vcpu, struct ksplit_exit *e, u64 gpa)
{
	u64 caps = ksplit_hw.synthetic[KSPLIT_VMX_MSR(MSR_IA32_VMX_EPT_VPID_CAP)];
	struct ksplit_vm *vm = vcpu->vm;
	struct ksplit_refill f = {
		.walk.gpa = gpa,
		.walk.root = vcpu->root->key,
		.walk.limit = min_t(u64, TASK_SIZE_MAX, BIT_ULL(ksplit_hw.maxphyaddr)),
		.walk.exec_only = caps & VMX_EPT_EXECUTE_ONLY_BIT,
		.write = e->qualification & KSPLIT_EPT_QUAL_WRITE,
		.fetch = e->qualification & KSPLIT_EPT_QUAL_FETCH,
	};
	int r = 0;

	ksplit_count(ept_faults);
	f.seq = READ_ONCE(vm->invalidate_seq);
	/* A flush that this misses finds the worker's tables changed. */
	smp_rmb();
	/* What the guest writes from now on, KVM must not read in an older page. */
	ksplit_windows_sync(vm);
	if (ksplit_ept_walk(&f.walk, ksplit_read_table, NULL))
		return -EFAULT;
	if (f.walk.misconfig) {
		ksplit_trap(vcpu, gpa);
		e->reason = (e->reason & ~0xffff) | EXIT_REASON_EPT_MISCONFIG;
		return 0;
	}
	if (f.walk.rights && !ksplit_refill_slot(vm, &f)) {
		ksplit_vm_err(vm, "EPT leaf outside of any slot");
		f.walk.rights = 0;
	}
	if (!ksplit_ept_permits(&f.walk, e->qualification)) {
		e->qualification = ksplit_ept_qualification(e->qualification, &f.walk);
		return 0;
	}
	if (f.page)
		return ksplit_refill(vm, vcpu->root, &f) ?: 1;

	/* While it is held the owner's page tables stay. */
	if (mmget_not_zero(vm->owner)) {
		if (ksplit_page_try(vm, &f)) {
			r = ksplit_refill(vm, vcpu->root, &f) ?: 1;
			put_page(f.page);
		}
		mmput_async(vm->owner);
	}
	if (!r) {
		vcpu->run.exit_flags |= KSPLIT_EXIT_BACKING;
		vcpu->run.backing = f.window;
		vcpu->run.backing_write = f.write;
	}
	return r;
}

/* ---------------------------------------------------------- flush -- */

/**
 * ksplit_flush - KSPLIT_FLUSH
 * @vm: the VM
 * @arg: struct ksplit_flush of the worker
 *
 * Context: process context of the worker, no locks held.
 * Return: 0, -EFAULT, -EINVAL.
 */
long ksplit_flush(struct ksplit_vm *vm, struct ksplit_flush __user *arg)
{
	struct ksplit_root *root;
	struct ksplit_flush f;

	if (copy_from_user(&f, arg, sizeof(f)))
		return -EFAULT;
	if (f.what > KSPLIT_FLUSH_SHADOW || f.pad ||
	    (f.what == KSPLIT_FLUSH_BACKING && f.start > f.end))
		return -EINVAL;
	ksplit_count(flushes);

	spin_lock(&vm->mmu_lock);
	/* Walks that began before are out of date. */
	WRITE_ONCE(vm->invalidate_seq, vm->invalidate_seq + 1);
	switch (f.what) {
	case KSPLIT_FLUSH_BACKING:
		ksplit_ept_zap(vm, true, f.start, f.end);
		break;
	case KSPLIT_FLUSH_ROOT:
		root = ksplit_root_find(vm, f.start);
		if (root) {
			ksplit_root_drop(vm, root);
			ksplit_ept_flush_cpus(vm);
		}
		break;
	default:
		ksplit_ept_drop_roots(vm, f.what);
	}
	spin_unlock(&vm->mmu_lock);
	ksplit_ept_reap(vm);
	return 0;
}
