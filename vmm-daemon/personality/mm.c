// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages: the arena, its struct pages, and a buddy allocator.
 *
 * The arena is one reservation of address space in which physical and virtual
 * addresses are the same (page_offset_base is 0).  It has struct pages, and
 * pfn_valid() is true for it and for nothing else: windows on guest memory have
 * none, so KVM takes no page references there.  Both the arena and its struct
 * pages cost memory only where they were touched.
 *
 * Invariants: the arena lies below 1 << min(46, MAXPHYADDR) and is aligned to
 * memory sections.  A free block of order n is aligned to its size, its first
 * struct page has PG_buddy's type and ->private n, and its buddy is not a free
 * block of the same order.  Hot pages are not blocks.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mmzone.h>
#include <linux/page-flags.h>
#include <linux/set_memory.h>
#include <linux/shrinker.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <asm/page.h>

#include "internal.h"

#ifndef CONFIG_DYNAMIC_MEMORY_LAYOUT
#error "page_offset_base and vmemmap_base have to be variables"
#endif

/* Address arithmetic of asm/page_64.h and asm/pgtable_64_types.h. */
unsigned long page_offset_base __ro_after_init;
unsigned long vmemmap_base __ro_after_init;
unsigned long vmalloc_base __ro_after_init;
unsigned long phys_base;
unsigned int __pgtable_l5_enabled __ro_after_init;
unsigned int pgdir_shift __ro_after_init = 39;
unsigned int ptrs_per_p4d __ro_after_init = 1;

struct mem_section **mem_section;
struct pglist_data contig_page_data;
unsigned long empty_zero_page[PAGE_SIZE / sizeof(unsigned long)] __page_aligned_bss;
/* empty_zero_page's; no guest has a mapping of it.  KVM's root of no tables. */
unsigned long zero_pfn __ro_after_init;
unsigned long highest_memmap_pfn __read_mostly;

/* Whole blocks of 1 GiB; enough for the tables of a terabyte in 4 KiB pages. */
#define ARENA_SIZE	(16UL << 30)
#define TOP_ORDER	18
#define NR_ORDERS	(TOP_ORDER + 1)

static unsigned long arena_start, arena_end;
static struct list_head free_blocks[NR_ORDERS];
static DEFINE_RAW_SPINLOCK(buddy_lock);

/* Marks of ksplit_page_set_root(). */
#define PG_ksplit_root	PG_owner_priv_1
/* May be other than zero: was handed out since the host gave it. */
#define PG_ksplit_used	PG_arch_1

int ksplit_in_arena(unsigned long va)
{
	return va >= arena_start && va < arena_end;
}

unsigned long ksplit_arena_start(void)
{
	return arena_start;
}

unsigned long ksplit_arena_end(void)
{
	return arena_end;
}

/* ------------------------------------------------------------- set-up --- */

static int sections_init(void)
{
	unsigned long nr, first = pfn_to_section_nr(arena_start >> PAGE_SHIFT);
	unsigned long last = pfn_to_section_nr((arena_end - 1) >> PAGE_SHIFT);

#ifdef CONFIG_SPARSEMEM_EXTREME
	mem_section = host_alloc(NR_SECTION_ROOTS * sizeof(*mem_section), 64, 1);
	if (!mem_section)
		return -ENOMEM;
#endif
	for (nr = first; nr <= last; nr++) {
		struct mem_section **root = &mem_section[SECTION_NR_TO_ROOT(nr)];

		if (!*root)
			*root = host_alloc(SECTIONS_PER_ROOT * sizeof(**root),
					   64, 1);
		if (!*root)
			return -ENOMEM;
		/* Early: pfn_valid() then asks for no usage map. */
		(*root)[nr & SECTION_ROOT_MASK].section_mem_map =
			SECTION_MARKED_PRESENT | SECTION_HAS_MEM_MAP |
			SECTION_IS_ONLINE | SECTION_IS_EARLY;
	}
	return 0;
}

static void free_block(unsigned long pfn, unsigned int order);

/**
 * ksplit_mm_init() - reserve the arena
 * @phys_bits: MAXPHYADDR
 *
 * Returns 0, -ENOMEM, or -ERANGE if @phys_bits leaves no room for it.
 */
int ksplit_mm_init(unsigned int phys_bits)
{
	unsigned long limit = 1UL << min(46U, phys_bits);
	unsigned long base = host_arena_base(limit), pfn;
	void *pages;
	int i, ret;

	if (base + ARENA_SIZE > limit)
		return -ERANGE;
	if (!host_reserve(base, ARENA_SIZE))
		return -ENOMEM;
	arena_start = base;
	arena_end = base + ARENA_SIZE;
	zero_pfn = (unsigned long)empty_zero_page >> PAGE_SHIFT;

	pages = host_reserve(0, (ARENA_SIZE >> PAGE_SHIFT) * sizeof(struct page));
	if (!pages)
		return -ENOMEM;
	vmemmap_base = (unsigned long)((struct page *)pages -
				       (arena_start >> PAGE_SHIFT));
	highest_memmap_pfn = (arena_end >> PAGE_SHIFT) - 1;
	ret = sections_init();
	if (ret)
		return ret;

	for (i = 0; i < NR_ORDERS; i++)
		INIT_LIST_HEAD(&free_blocks[i]);
	for (pfn = arena_start >> PAGE_SHIFT; pfn < arena_end >> PAGE_SHIFT;
	     pfn += 1UL << TOP_ORDER)
		free_block(pfn, TOP_ORDER);
	return 0;
}

/* -------------------------------------------------------------- buddy --- */

static void block_insert(struct page *page, unsigned int order)
{
	set_page_private(page, order);
	__SetPageBuddy(page);
	list_add(&page->buddy_list, &free_blocks[order]);
}

static void block_remove(struct page *page)
{
	list_del(&page->buddy_list);
	__ClearPageBuddy(page);
	set_page_private(page, 0);
}

/* With buddy_lock held, or before anybody else is there. */
static void free_block(unsigned long pfn, unsigned int order)
{
	while (order < TOP_ORDER) {
		unsigned long buddy_pfn = pfn ^ (1UL << order);
		struct page *buddy = pfn_to_page(buddy_pfn);

		if (!PageBuddy(buddy) || page_private(buddy) != order)
			break;
		block_remove(buddy);
		pfn &= buddy_pfn;
		order++;
	}
	block_insert(pfn_to_page(pfn), order);
}

/*
 * Single pages that were freed last stay out of the buddies' reach: page tables
 * come and go, and splitting and joining a gigabyte for each costs too much.
 */
#define HOT_MAX		512

static LIST_HEAD(hot_pages);
static unsigned int nr_hot;

static struct page *take_hot(void)
{
	struct page *page;

	if (!nr_hot)
		return NULL;
	page = list_first_entry(&hot_pages, struct page, lru);
	list_del(&page->lru);
	nr_hot--;
	return page;
}

static void free_hot_pages(void)
{
	struct page *page;

	while ((page = take_hot()))
		free_block(page_to_pfn(page), 0);
}

static struct page *alloc_block(unsigned int order)
{
	unsigned int o;
	struct page *page;

	for (o = order; o < NR_ORDERS; o++)
		if (!list_empty(&free_blocks[o]))
			break;
	if (o == NR_ORDERS)
		return NULL;

	page = list_first_entry(&free_blocks[o], struct page, buddy_list);
	block_remove(page);
	while (o > order) {
		o--;
		block_insert(page + (1UL << o), o);
	}
	return page;
}

/* Returns whether it was in use before. */
static bool init_page(struct page *page)
{
	bool used = page->flags & BIT(PG_ksplit_used);

	page->flags = BIT(PG_ksplit_used);
	page->mapping = NULL;
	page->index = 0;
	set_page_private(page, 0);
	atomic_set(&page->_mapcount, -1);
	init_page_count(page);
	return used;
}

struct page *__alloc_pages_noprof(gfp_t gfp, unsigned int order, int nid,
				  nodemask_t *nodemask)
{
	unsigned long flags, i;
	struct page *page;
	bool used = false;

	if (order > TOP_ORDER)
		return NULL;
	raw_spin_lock_irqsave(&buddy_lock, flags);
	page = order ? NULL : take_hot();
	if (!page)
		page = alloc_block(order);
	if (!page && nr_hot) {
		free_hot_pages();
		page = alloc_block(order);
	}
	raw_spin_unlock_irqrestore(&buddy_lock, flags);
	if (!page)
		return NULL;

	/*
	 * ->index of the first page keeps the order. The others have a count so
	 * that a reference to one of them can be taken and given back.
	 */
	for (i = 0; i < 1UL << order; i++)
		used |= init_page(page + i);
	page->index = order;
	if (used && gfp & __GFP_ZERO)
		memset(page_address(page), 0, PAGE_SIZE << order);
	return page;
}

static void release_page(struct page *page)
{
	unsigned long va = (unsigned long)page_address(page), flags, i;
	unsigned int order = page->index;

	if (test_and_clear_bit(PG_ksplit_root, &page->flags))
		ksplit_root_freed(va);
	/* Large blocks go back to the host at once: they may not be used again. */
	if (order > 6) {
		host_discard((void *)va, PAGE_SIZE << order);
		for (i = 0; i < 1UL << order; i++)
			page[i].flags = 0;
	}

	raw_spin_lock_irqsave(&buddy_lock, flags);
	if (!order && nr_hot < HOT_MAX) {
		list_add(&page->lru, &hot_pages);
		nr_hot++;
	} else {
		free_block(page_to_pfn(page), order);
	}
	raw_spin_unlock_irqrestore(&buddy_lock, flags);
}

void __free_pages(struct page *page, unsigned int order)
{
	if (put_page_testzero(page))
		release_page(page);
}

void free_pages(unsigned long addr, unsigned int order)
{
	if (addr)
		__free_pages(virt_to_page((void *)addr), order);
}

/* put_page() of the last reference. */
void __folio_put(struct folio *folio)
{
	release_page(&folio->page);
}

unsigned long get_free_pages_noprof(gfp_t gfp, unsigned int order)
{
	struct page *page = __alloc_pages_noprof(gfp, order, 0, NULL);

	return page ? (unsigned long)page_address(page) : 0;
}

unsigned long get_zeroed_page_noprof(gfp_t gfp)
{
	return get_free_pages_noprof(gfp | __GFP_ZERO, 0);
}

void ksplit_page_set_root(unsigned long va)
{
	if (ksplit_in_arena(va))
		set_bit(PG_ksplit_root, &virt_to_page((void *)va)->flags);
}

/* ------------------------------------------------------------ vmalloc --- */

/*
 * What may be looked up page by page (KVM's dirty rings) comes from the arena.
 * Larger areas are bookkeeping of memory slots, and the host's heap hands them
 * out zeroed without touching them.
 */
#define VMALLOC_ARENA_MAX	(2UL << 20)

void *__vmalloc_noprof(unsigned long size, gfp_t gfp)
{
	if (!size)
		return NULL;
	if (size <= VMALLOC_ARENA_MAX)
		return (void *)get_free_pages_noprof(gfp, get_order(size));
	return host_alloc(size, PAGE_SIZE, !!(gfp & __GFP_ZERO));
}

void *vmalloc_noprof(unsigned long size)
{
	return __vmalloc_noprof(size, GFP_KERNEL);
}

void *vzalloc_noprof(unsigned long size)
{
	return __vmalloc_noprof(size, GFP_KERNEL | __GFP_ZERO);
}

void *__vmalloc_array_noprof(size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (check_mul_overflow(n, size, &bytes))
		return NULL;
	return __vmalloc_noprof(bytes, gfp);
}

void *vmalloc_array_noprof(size_t n, size_t size)
{
	return __vmalloc_array_noprof(n, size, GFP_KERNEL);
}

void *__vcalloc_noprof(size_t n, size_t size, gfp_t gfp)
{
	return __vmalloc_array_noprof(n, size, gfp | __GFP_ZERO);
}

void *vcalloc_noprof(size_t n, size_t size)
{
	return __vcalloc_noprof(n, size, GFP_KERNEL);
}

void vfree(const void *addr)
{
	kvfree(addr);
}

/* NULL for areas that are not the arena's. */
struct page *vmalloc_to_page(const void *addr)
{
	return ksplit_in_arena((unsigned long)addr) ? virt_to_page(addr) : NULL;
}

bool is_vmalloc_addr(const void *addr)
{
	return false;
}

/* KVM's own slots (APIC access page, TSS, identity map) are arena pages. */
unsigned long vm_mmap(struct file *file, unsigned long addr, unsigned long len,
		      unsigned long prot, unsigned long flag,
		      unsigned long offset)
{
	struct page *page;
	unsigned long va, end;

	if (file || addr || !len)
		return -EINVAL;
	page = __alloc_pages_noprof(GFP_KERNEL | __GFP_ZERO, get_order(len), 0,
				    NULL);
	if (!page)
		return -ENOMEM;

	/* From here on single pages: a reference may outlive the mapping. */
	page->index = 0;
	va = (unsigned long)page_address(page);
	end = va + (PAGE_SIZE << get_order(len));
	for (addr = va + PAGE_ALIGN(len); addr < end; addr += PAGE_SIZE)
		free_pages(addr, 0);
	return va;
}

int vm_munmap(unsigned long start, size_t len)
{
	unsigned long va;

	if (!ksplit_in_arena(start))
		return -EINVAL;
	for (va = start; va < start + len; va += PAGE_SIZE)
		free_pages(va, 0);
	return 0;
}

/* ------------------------------------ physical is virtual: identities --- */

void *memremap(resource_size_t offset, size_t size, unsigned long flags)
{
	return (void *)offset;
}

void memunmap(void *addr)
{
}

int set_memory_encrypted(unsigned long addr, int numpages)
{
	return 0;
}

int set_memory_decrypted(unsigned long addr, int numpages)
{
	return 0;
}

/* --------------------------------- reclaim and statistics: the host's --- */

void mark_page_accessed(struct page *page)
{
}

void mod_node_page_state(struct pglist_data *pgdat, enum node_stat_item item,
			 long delta)
{
}

struct shrinker *shrinker_alloc(unsigned int flags, const char *fmt, ...)
{
	return kzalloc(sizeof(struct shrinker), GFP_KERNEL);
}

void shrinker_register(struct shrinker *shrinker)
{
}

void shrinker_free(struct shrinker *shrinker)
{
	kfree(shrinker);
}

/* The stub watches the owner's address space. */
int mmu_notifier_register(struct mmu_notifier *mn, struct mm_struct *mm)
{
	mmgrab(mm);
	mn->mm = mm;
	return 0;
}

void mmu_notifier_unregister(struct mmu_notifier *mn, struct mm_struct *mm)
{
	mmdrop(mm);
}
