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
 * root non-linear, and an invalidation drops such a root as a whole.
 *
 * Whoever takes a right out of a table, or a table out of a root, raises
 * tlb_gen and kicks before it gives up mmu_lock.  So a table that is found
 * detached under mmu_lock is used by no CPU, and may be freed.
 */
#include <linux/hugetlb_inline.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <asm/pgtable.h>
#include <asm/vmx.h>

#include "ksplit.h"
#include "pure/ept.h"

/* Beyond that an invalidation drops roots: O(1) instead of O(pages). */
#define KSPLIT_ZAP_MAX		(64ul << 20)

/* Leaves of 1 GiB would save little: tables over 2 MiB leaves are few. */
#define KSPLIT_LEAF_MAX		2

#define KSPLIT_TABLE_ENTRIES	(PAGE_SIZE / sizeof(u64))

static bool ksplit_ept_has(u64 cap)
{
	return ksplit_hw.msr[KSPLIT_VMX_MSR(MSR_IA32_VMX_EPT_VPID_CAP)] & cap;
}

static u64 *ksplit_ept_child(u64 entry)
{
	return phys_to_virt(entry & KSPLIT_EPT_ADDR);
}

/**
 * ksplit_ept_flush_cpus - no CPU uses an older translation afterwards
 * @vm: the VM
 *
 * Context: under mmu_lock, interrupts on.
 */
void ksplit_ept_flush_cpus(struct ksplit_vm *vm)
{
	lockdep_assert_held(&vm->mmu_lock);
	atomic64_inc(&vm->tlb_gen);
	ksplit_vm_kick_sync(vm);
}

/* ---------------------------------------------- ranges of a root -- */

enum ksplit_range_op {
	KSPLIT_RANGE_ZAP,
	KSPLIT_RANGE_TEST_YOUNG,
	KSPLIT_RANGE_CLEAR_YOUNG,
};

static bool ksplit_leaf_op(u64 *entry, enum ksplit_range_op op)
{
	switch (op) {
	case KSPLIT_RANGE_ZAP:
		/* D is not harvested: see ksplit_page_try(). */
		WRITE_ONCE(*entry, 0);
		return true;
	case KSPLIT_RANGE_TEST_YOUNG:
		return READ_ONCE(*entry) & KSPLIT_EPT_A;
	case KSPLIT_RANGE_CLEAR_YOUNG:
		return test_and_clear_bit(ilog2(KSPLIT_EPT_A),
					  (unsigned long *)entry);
	}
	return false;
}

/* Leaves that overlap guest physical [start, end), whole. */
static bool ksplit_table_range(u64 *table, unsigned int level, u64 start,
			       u64 end, enum ksplit_range_op op)
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
			found |= ksplit_leaf_op(entry, op);
		else
			found |= ksplit_table_range(ksplit_ept_child(*entry),
						    level - 1, gpa, next, op);
	}
	return found;
}

static bool ksplit_linear_range(struct ksplit_vm *vm, u64 start, u64 end,
				enum ksplit_range_op op)
	__must_hold(&vm->mmu_lock)
{
	struct ksplit_root *root;
	bool found = false;

	list_for_each_entry(root, &vm->roots, node)
		if (root->linear)
			found |= ksplit_table_range(root->table,
						    KSPLIT_EPT_LEVELS, start,
						    end, op);
	return found;
}

/*
 * Applies @op to what slots have in [start, end) of the owner's or, if @window,
 * of the worker's addresses; returns the bytes that is.  Without @found it only
 * counts.
 */
static u64 ksplit_slots_range(struct ksplit_vm *vm, bool window, u64 start,
			      u64 end, enum ksplit_range_op op, bool *found)
	__must_hold(&vm->mmu_lock)
{
	u64 base, first, last, sum = 0;
	struct ksplit_slot *slot;

	list_for_each_entry(slot, &vm->slots, node) {
		base = window ? slot->window : slot->hva;
		if ((window && !base) || start >= base + slot->size || end <= base)
			continue;
		first = max(start, base) - base;
		last = min(end - base, slot->size);
		sum += last - first;
		if (found)
			*found |= ksplit_linear_range(vm, slot->gpa + first,
						      slot->gpa + last, op);
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
	unsigned int i;

	for (i = 0; i < KSPLIT_TABLE_ENTRIES; i++) {
		root->grave[i] = root->table[i];
		WRITE_ONCE(root->table[i], 0);
	}
	WRITE_ONCE(root->dead, true);
	list_move(&root->node, &vm->dead_roots);
	vm->nr_roots--;
	ksplit_count_add(roots, -1);
}

/**
 * ksplit_ept_drop_roots - detaches roots
 * @vm: the VM
 * @nonlinear_only: only those that are not linear
 *
 * Context: under mmu_lock.  The caller flushes the CPUs if there was one.
 * Return: whether there was one.
 */
bool ksplit_ept_drop_roots(struct ksplit_vm *vm, bool nonlinear_only)
{
	struct ksplit_root *root, *next;
	bool found = false;

	list_for_each_entry_safe(root, next, &vm->roots, node)
		if (!nonlinear_only || !root->linear) {
			ksplit_root_drop(vm, root);
			found = true;
		}
	return found;
}

static bool ksplit_ept_zap(struct ksplit_vm *vm, bool window, u64 start,
			   u64 end)
	__must_hold(&vm->mmu_lock)
{
	bool found = false;
	u64 sum;

	sum = ksplit_slots_range(vm, window, start, end, KSPLIT_RANGE_ZAP, NULL);
	if (!sum)
		return false;
	ksplit_count(ept_zaps);
	if (sum > KSPLIT_ZAP_MAX)
		return ksplit_ept_drop_roots(vm, false);
	ksplit_slots_range(vm, window, start, end, KSPLIT_RANGE_ZAP, &found);
	return ksplit_ept_drop_roots(vm, true) || found;
}

/**
 * ksplit_ept_zap_hva - takes owner memory out of every root
 * @vm: the VM
 * @start: first owner address
 * @end: end of them, exclusive
 *
 * Context: under mmu_lock.  The caller flushes the CPUs if there was anything.
 * Return: whether there was anything.
 */
bool ksplit_ept_zap_hva(struct ksplit_vm *vm, u64 start, u64 end)
{
	return ksplit_ept_zap(vm, false, start, end);
}

/**
 * ksplit_ept_young - whether a guest used owner memory lately
 * @vm: the VM
 * @start: first owner address
 * @end: end of them, exclusive
 * @clear: forget it
 *
 * Goes by linear roots: what only a nested guest uses looks idle.  A CPU
 * without accessed bits has them cleared by taking the leaf away.
 *
 * Context: under mmu_lock, and maybe a page-table lock of the owner's.
 */
bool ksplit_ept_young(struct ksplit_vm *vm, u64 start, u64 end, bool clear)
{
	enum ksplit_range_op op = KSPLIT_RANGE_TEST_YOUNG;
	bool ad = ksplit_ept_has(VMX_EPT_AD_BIT);
	bool young = false;

	if (clear)
		op = ad ? KSPLIT_RANGE_CLEAR_YOUNG : KSPLIT_RANGE_ZAP;
	ksplit_slots_range(vm, false, start, end, op, &young);
	if (young && op == KSPLIT_RANGE_ZAP)
		ksplit_ept_flush_cpus(vm);
	return young;
}

/* Frees a detached table and what is below.  Returns the number of pages. */
static u32 ksplit_table_free(u64 *table, unsigned int level)
{
	unsigned int i;
	u32 n = 1;

	for (i = 0; level > 1 && i < KSPLIT_TABLE_ENTRIES; i++)
		if (ksplit_ept_present(table[i]) &&
		    !ksplit_ept_is_leaf(table[i], level))
			n += ksplit_table_free(ksplit_ept_child(table[i]),
					       level - 1);
	free_page((unsigned long)table);
	cond_resched();
	return n;
}

static void ksplit_ept_uncharge(struct ksplit_vm *vm, u32 pages)
{
	spin_lock(&vm->mmu_lock);
	vm->ept_pages -= pages;
	spin_unlock(&vm->mmu_lock);
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
	unsigned int i;
	u32 pages;

	if (list_empty_careful(&vm->dead_roots))
		return;
	spin_lock(&vm->mmu_lock);
	list_splice_init(&vm->dead_roots, &dead);
	spin_unlock(&vm->mmu_lock);

	list_for_each_entry_safe(root, next, &dead, node) {
		pages = 0;
		for (i = 0; i < KSPLIT_TABLE_ENTRIES; i++)
			if (ksplit_ept_present(root->grave[i]))
				pages += ksplit_table_free(
					ksplit_ept_child(root->grave[i]),
					KSPLIT_EPT_LEVELS - 1);
		ksplit_ept_uncharge(vm, pages);
		ksplit_root_put(root);
	}
}

/**
 * ksplit_ept_destroy - frees every root
 * @vm: the VM; no vCPU has one loaded
 *
 * Context: may sleep.
 */
void ksplit_ept_destroy(struct ksplit_vm *vm)
{
	spin_lock(&vm->mmu_lock);
	if (ksplit_ept_drop_roots(vm, false))
		ksplit_ept_flush_cpus(vm);
	spin_unlock(&vm->mmu_lock);
	ksplit_ept_reap(vm);
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
	root->gen = ++vm->root_gen;
	list_add(&root->node, &vm->roots);
	vm->nr_roots++;
	ksplit_count(roots);
	/*
	 * CPUs tag translations with the address of the top table: those of
	 * whoever had this page before go before the first entry with it.
	 */
	atomic64_inc(&vm->tlb_gen);
}

static struct ksplit_root *ksplit_root_alloc(u64 key)
{
	struct ksplit_root *root = kzalloc(sizeof(*root), GFP_KERNEL_ACCOUNT);

	if (!root)
		return NULL;
	refcount_set(&root->users, 1);
	root->key = key;
	root->linear = true;
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
 *
 * Context: vcpu->mutex, not in guest mode; may sleep.  Costs a comparison if
 * the root is loaded and alive.
 * Return: 0, -EINVAL (no such address), -ENOMEM.
 */
int ksplit_root_load(struct ksplit_vcpu *vcpu, u64 key)
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
		fresh = ksplit_root_alloc(key);
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

/* What is known of one fault; the slot's values, copied under mmu_lock. */
struct ksplit_refill {
	struct ksplit_walk walk;
	u64 seq;
	u64 window;		/* worker address of the page */
	u64 hva;		/* the owner's */
	u64 slot_hva;
	u64 slot_size;
	bool readonly;
	bool linear;
	bool write;
	bool fetch;
	bool writable;		/* the owner's page was got for writing */
	struct page *page;
};

/* Tables to link in, and the one that was unlinked. */
struct ksplit_tables {
	unsigned int nr;
	u64 *table[KSPLIT_EPT_LEVELS];
	u64 *orphan;
};

static int ksplit_read_table(void *ctx, u64 addr, u64 *ret_entry)
{
	return get_user(*ret_entry, (u64 __user *)addr);
}

/* Finds the slot of a leaf.  Returns false if it lies outside any window. */
static bool ksplit_refill_slot(struct ksplit_vm *vm, struct ksplit_refill *f)
{
	u64 gpa = f->walk.gpa & PAGE_MASK;
	struct ksplit_slot *slot;
	u64 offset;

	f->window = f->walk.addr +
		    (gpa & (ksplit_level_size(f->walk.level) - 1));
	spin_lock(&vm->mmu_lock);
	slot = ksplit_slot_by_window(vm, f->window);
	if (slot) {
		offset = f->window - slot->window;
		f->hva = slot->hva + offset;
		f->slot_hva = slot->hva;
		f->slot_size = slot->size;
		f->readonly = slot->readonly;
		f->linear = gpa == slot->gpa + offset;
	}
	spin_unlock(&vm->mmu_lock);
	return slot;
}

/*
 * Gets the owner's page if that takes no sleep for anybody: a file of the
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
	bool got = false;

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
		got = get_user_pages_remote(vm->owner, f->hva, 1,
					    flags | FOLL_WRITE |
					    (f->write ? how : FOLL_NOFAULT),
					    &f->page, NULL) == 1;
	if (!got && !f->write) {
		f->writable = false;
		got = get_user_pages_remote(vm->owner, f->hva, 1, flags | how,
					    &f->page, NULL) == 1;
	}
unlock:
	mmap_read_unlock(vm->owner);
	return got;
}

/*
 * The level at which the owner maps @pfn at @hva, as upstream's
 * host_pfn_mapping_level(): under mmu_lock with no invalidation in progress the
 * entries stay, and with interrupts off so do the tables.
 */
static unsigned int ksplit_owner_level(struct mm_struct *mm, unsigned long hva,
				       unsigned long pfn)
{
	unsigned int level = 1;
	unsigned long flags;
	pgd_t pgd;
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	local_irq_save(flags);
	pgd = READ_ONCE(*pgd_offset(mm, hva));
	if (pgd_none(pgd))
		goto out;
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (p4d_none(p4d) || !p4d_present(p4d))
		goto out;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (pud_none(pud) || !pud_present(pud))
		goto out;
	if (pud_leaf(pud)) {
		if (pud_pfn(pud) == (pfn & ~(PTRS_PER_PMD * PTRS_PER_PTE - 1ul)))
			level = 3;
		goto out;
	}
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (pmd_none(pmd) || !pmd_present(pmd))
		goto out;
	if (pmd_leaf(pmd) && pmd_pfn(pmd) == (pfn & ~(PTRS_PER_PTE - 1ul)))
		level = 2;
out:
	local_irq_restore(flags);
	return level;
}

/* The entry for a guest physical address at @level, if tables reach there. */
static u64 *ksplit_ept_entry(struct ksplit_root *root, u64 gpa,
			     unsigned int level)
{
	u64 *table = root->table;
	unsigned int l;
	u64 entry;

	for (l = KSPLIT_EPT_LEVELS; l > level; l--) {
		entry = table[ksplit_ept_index(gpa, l)];
		if (!ksplit_ept_present(entry) || ksplit_ept_is_leaf(entry, l))
			return NULL;
		table = ksplit_ept_child(entry);
	}
	return &table[ksplit_ept_index(gpa, level)];
}

static u64 ksplit_refill_leaf(struct ksplit_vm *vm, struct ksplit_root *root,
			    const struct ksplit_refill *f, unsigned int *ret_level)
	__must_hold(&vm->mmu_lock)
{
	unsigned long pfn = page_to_pfn(f->page);
	u64 gpa = f->walk.gpa & PAGE_MASK;
	u64 *large = ksplit_ept_entry(root, gpa, 2);
	u64 rights = f->walk.rights;
	struct ksplit_leaf leaf = {
		.gpa = gpa,
		.hva = f->hva,
		.pfn = pfn,
		.slot_start = f->slot_hva,
		.slot_end = f->slot_hva + f->slot_size,
		.worker_level = f->walk.level,
		.owner_level = ksplit_owner_level(vm->owner, f->hva, pfn),
		.hw_level = ksplit_ept_has(VMX_EPT_2MB_PAGE_BIT) ?
			    KSPLIT_LEAF_MAX : 1,
		.itlb_multihit = boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT),
	};

	if (!f->writable)
		rights &= ~KSPLIT_EPT_W;
	/*
	 * On a CPU with the erratum a large page is not executable, until the
	 * first fetch splits it for good (upstream's NX huge pages).
	 */
	leaf.exec = rights & KSPLIT_EPT_X &&
		    (f->fetch || (large && ksplit_ept_present(*large) &&
				  !ksplit_ept_is_leaf(*large, 2)));
	*ret_level = ksplit_leaf_level(&leaf);
	if (*ret_level > 1) {
		if (leaf.itlb_multihit)
			rights &= ~KSPLIT_EPT_X;
		pfn &= ~((ksplit_level_size(*ret_level) >> PAGE_SHIFT) - 1);
	}
	return ksplit_ept_make_leaf((u64)pfn << PAGE_SHIFT, rights,
				    *ret_level) |
	       KSPLIT_EPT_A | (f->write ? KSPLIT_EPT_D : 0);
}

/* Puts an entry in.  Returns -EAGAIN if that takes another table. */
static int ksplit_ept_install(struct ksplit_vm *vm, struct ksplit_root *root,
			      u64 gpa, unsigned int level, u64 entry,
			      struct ksplit_tables *t)
	__must_hold(&vm->mmu_lock)
{
	u64 *table = root->table, *slot, old;
	bool flush = false;
	unsigned int l;
	int r = 0;

	for (l = KSPLIT_EPT_LEVELS; l > level; l--) {
		slot = &table[ksplit_ept_index(gpa, l)];
		if (!ksplit_ept_present(*slot) || ksplit_ept_is_leaf(*slot, l)) {
			if (!t->nr) {
				r = -EAGAIN;
				goto out;
			}
			/* A page's size must not change unflushed. */
			flush |= ksplit_ept_present(*slot);
			table = t->table[--t->nr];
			WRITE_ONCE(*slot,
				   ksplit_ept_make_table(virt_to_phys(table)));
			vm->ept_pages++;
			ksplit_count(ept_pages);
		}
		table = ksplit_ept_child(*slot);
	}

	slot = &table[ksplit_ept_index(gpa, level)];
	old = READ_ONCE(*slot);
	if (ksplit_ept_present(old) && !ksplit_ept_is_leaf(old, level)) {
		/* KSPLIT_LEAF_MAX: a table of 4 KiB leaves. */
		t->orphan = ksplit_ept_child(old);
		flush = true;
	} else if (ksplit_ept_present(old)) {
		flush |= (old ^ entry) & KSPLIT_EPT_ADDR ||
			 old & ~entry & KSPLIT_EPT_RWX;
	}
	WRITE_ONCE(*slot, entry);
out:
	if (flush)
		ksplit_ept_flush_cpus(vm);
	return r;
}

/* One attempt under mmu_lock.  Returns -EAGAIN if it takes another table. */
static int ksplit_refill_locked(struct ksplit_vm *vm, struct ksplit_root *root,
			      struct ksplit_refill *f, struct ksplit_tables *t)
	__must_hold(&vm->mmu_lock)
{
	u64 start = f->hva & PMD_MASK;
	unsigned int level;
	u64 entry;
	int r;

	/* Out of date: the guest faults again. */
	if (root->dead || ksplit_mem_retry(vm, f->seq, start, start + PMD_SIZE))
		return 0;
	if (vm->ept_pages + KSPLIT_EPT_LEVELS > vm->ept_pages_max) {
		ksplit_root_drop(vm, ksplit_root_victim(vm));
		ksplit_ept_flush_cpus(vm);
		return 0;
	}
	entry = ksplit_refill_leaf(vm, root, f, &level);
	r = ksplit_ept_install(vm, root, f->walk.gpa, level, entry, t);
	if (!r && !f->linear)
		root->linear = false;
	return r;
}

static int ksplit_refill(struct ksplit_vm *vm, struct ksplit_root *root,
		       struct ksplit_refill *f)
{
	struct ksplit_tables t = {};
	u64 *table;
	int r;

	for (;;) {
		spin_lock(&vm->mmu_lock);
		r = ksplit_refill_locked(vm, root, f, &t);
		spin_unlock(&vm->mmu_lock);
		if (r != -EAGAIN)
			break;
		table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!table) {
			r = -ENOMEM;
			break;
		}
		t.table[t.nr++] = table;
	}
	while (t.nr)
		free_page((unsigned long)t.table[--t.nr]);
	if (t.orphan) {
		free_page((unsigned long)t.orphan);
		ksplit_ept_uncharge(vm, 1);
	}
	ksplit_ept_reap(vm);
	return r;
}

/**
 * ksplit_ept_fault - handles an EPT violation
 * @vcpu: the vCPU; its root is what the CPU used
 * @fault: the violation, and what to tell the worker
 *
 * Context: process context of the worker, vcpu->mutex; sleeps for the worker's
 * own memory, never for the owner's.
 * Return: enum ksplit_fault_result; -EFAULT if the worker's tables cannot be
 * read, -ENOMEM.
 */
int ksplit_ept_fault(struct ksplit_vcpu *vcpu, struct ksplit_ept_fault *fault)
{
	u64 caps = ksplit_hw.synthetic[KSPLIT_VMX_MSR(MSR_IA32_VMX_EPT_VPID_CAP)];
	struct ksplit_vm *vm = vcpu->vm;
	struct ksplit_refill f = {
		.walk.gpa = fault->gpa,
		.walk.root = vcpu->root->key,
		.walk.limit = min_t(u64, TASK_SIZE_MAX,
				    BIT_ULL(ksplit_hw.maxphyaddr)),
		.walk.exec_only = caps & VMX_EPT_EXECUTE_ONLY_BIT,
		.write = fault->qualification & KSPLIT_EPT_QUAL_WRITE,
		.fetch = fault->qualification & KSPLIT_EPT_QUAL_FETCH,
	};
	bool got;
	int r;

	f.seq = READ_ONCE(vm->invalidate_seq);
	/* A flush that this misses finds the worker's tables changed. */
	smp_rmb();
	if (ksplit_ept_walk(&f.walk, ksplit_read_table, NULL))
		return -EFAULT;
	if (f.walk.result == KSPLIT_WALK_MISCONFIG)
		return KSPLIT_FAULT_MISCONFIG;
	if (f.walk.result == KSPLIT_WALK_LEAF && !ksplit_refill_slot(vm, &f)) {
		ksplit_vm_err(vm, "EPT leaf outside of any slot");
		f.walk.result = KSPLIT_WALK_ABSENT;
		f.walk.rights = 0;
	}
	if (f.readonly)
		f.walk.rights &= ~KSPLIT_EPT_W;
	if (!ksplit_ept_permits(&f.walk, fault->qualification)) {
		fault->qualification =
			ksplit_ept_qualification(fault->qualification, &f.walk);
		return KSPLIT_FAULT_VIOLATION;
	}

	fault->backing = f.window;
	fault->backing_write = f.write;
	/* While it is held the owner's page tables stay. */
	if (!mmget_not_zero(vm->owner))
		return KSPLIT_FAULT_BACKING;
	got = ksplit_page_try(vm, &f);
	if (got) {
		r = ksplit_refill(vm, vcpu->root, &f);
		put_page(f.page);
	}
	mmput_async(vm->owner);
	if (!got)
		return KSPLIT_FAULT_BACKING;
	return r ?: KSPLIT_FAULT_DONE;
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
	bool found = false;

	if (copy_from_user(&f, arg, sizeof(f)))
		return -EFAULT;
	if (f.what > KSPLIT_FLUSH_NONLINEAR || f.pad ||
	    (f.what == KSPLIT_FLUSH_BACKING && f.start > f.end))
		return -EINVAL;
	ksplit_count(flushes);

	spin_lock(&vm->mmu_lock);
	/* Walks that began before are out of date. */
	WRITE_ONCE(vm->invalidate_seq, vm->invalidate_seq + 1);
	switch (f.what) {
	case KSPLIT_FLUSH_BACKING:
		found = ksplit_ept_zap(vm, true, f.start, f.end);
		break;
	case KSPLIT_FLUSH_ROOT:
		root = ksplit_root_find(vm, f.start);
		if (root) {
			ksplit_root_drop(vm, root);
			found = true;
		}
		break;
	default:
		found = ksplit_ept_drop_roots(vm,
					      f.what == KSPLIT_FLUSH_NONLINEAR);
	}
	if (found)
		ksplit_ept_flush_cpus(vm);
	spin_unlock(&vm->mmu_lock);
	ksplit_ept_reap(vm);
	return 0;
}
