// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages, heap and per-CPU memory.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/percpu.h>
#include <linux/percpu_counter.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "internal.h"
#include "../tests/unit/personality/ktest.h"

#define TOP_ORDER	18	/* mm.c */

/* libkvm/stubs.c */
DEFINE_STATIC_KEY_FALSE(hugetlb_optimize_vmemmap_key);

struct block {
	unsigned long va;
	unsigned int order;
};

static struct block blocks[200];

static void fill(struct block *b)
{
	unsigned long off;

	for (off = 0; off < PAGE_SIZE << b->order; off += PAGE_SIZE)
		*(unsigned long *)(b->va + off) = b->va + off;
}

static void check_filled(struct block *b)
{
	unsigned long off;

	for (off = 0; off < PAGE_SIZE << b->order; off += PAGE_SIZE)
		CHECK(*(unsigned long *)(b->va + off) == b->va + off);
}

void pages_do_not_overlap(void)
{
	unsigned int i, n;

	for (i = 0; i < 20000; i++) {
		struct block *b = &blocks[kt_random() % ARRAY_SIZE(blocks)];

		if (b->va) {
			check_filled(b);
			free_pages(b->va, b->order);
			b->va = 0;
		} else {
			b->order = kt_random() % 4 ? 0 : kt_random() % 5;
			b->va = __get_free_pages(GFP_KERNEL | __GFP_ZERO, b->order);
			CHECK(b->va);
			CHECK(!(b->va & ((PAGE_SIZE << b->order) - 1)));
			CHECK(ksplit_in_arena(b->va));
			for (n = 0; n < PAGE_SIZE << b->order; n += 8)
				CHECK(!*(u64 *)(b->va + n));
			fill(b);
		}
	}
	for (i = 0; i < ARRAY_SIZE(blocks); i++)
		if (blocks[i].va)
			check_filled(&blocks[i]);
}

/* All of the arena in blocks of the largest order, untouched. */
static unsigned int take_all(struct page **pages, unsigned int max)
{
	unsigned int n;

	for (n = 0; n < max; n++) {
		pages[n] = alloc_pages(GFP_KERNEL, TOP_ORDER);
		if (!pages[n])
			break;
	}
	return n;
}

static struct page *top[64];

void pages_coalesce(void)
{
	unsigned int i, j, n;

	for (i = 0; i < ARRAY_SIZE(blocks); i++) {
		blocks[i].order = i % 10;
		blocks[i].va = __get_free_pages(GFP_KERNEL, i % 10);
		CHECK(blocks[i].va);
	}
	/* In another order. */
	for (j = 0; j < 7; j++)
		for (i = j; i < ARRAY_SIZE(blocks); i += 7)
			free_pages(blocks[i].va, blocks[i].order);

	n = take_all(top, ARRAY_SIZE(top));
	CHECK(n == (ksplit_arena_end() - ksplit_arena_start()) >>
		   (PAGE_SHIFT + TOP_ORDER));
}

void pages_exhausted(void)
{
	unsigned int n = take_all(top, ARRAY_SIZE(top));
	struct kmem_cache *cache;

	CHECK(n && n < ARRAY_SIZE(top));
	CHECK(!alloc_page(GFP_KERNEL));
	CHECK(!get_zeroed_page(GFP_KERNEL));
	CHECK(!__get_free_pages(GFP_KERNEL, 3));
	CHECK(!alloc_pages(GFP_KERNEL, TOP_ORDER + 1));
	CHECK((long)vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, 0) == -ENOMEM);
	cache = kmem_cache_create("big", 2 * PAGE_SIZE, 0, 0, NULL);
	CHECK(!kmem_cache_alloc(cache, GFP_KERNEL));
	kmem_cache_destroy(cache);
	__free_pages(top[--n], TOP_ORDER);
	CHECK(alloc_page(GFP_KERNEL));
}

void pages_and_addresses(void)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	unsigned long va = (unsigned long)page_address(page);
	void *heap = kmalloc(64, GFP_KERNEL);

	CHECK(va >= ksplit_arena_start() && va < ksplit_arena_end());
	CHECK(ksplit_arena_end() <= 1UL << 46);
	/* Physical is virtual. */
	CHECK(__pa(va) == va);
	CHECK((unsigned long)__va(va) == va);
	CHECK(virt_to_page((void *)va) == page);
	CHECK(page_to_pfn(page) == va >> PAGE_SHIFT);
	CHECK(pfn_to_page(va >> PAGE_SHIFT) == page);
	CHECK(page_to_phys(page) == va);
	CHECK(pfn_valid(va >> PAGE_SHIFT));
	CHECK(pfn_valid(ksplit_arena_start() >> PAGE_SHIFT));
	CHECK(pfn_valid((ksplit_arena_end() - 1) >> PAGE_SHIFT));
	CHECK(!pfn_valid((ksplit_arena_start() - 1) >> PAGE_SHIFT));
	CHECK(!pfn_valid(ksplit_arena_end() >> PAGE_SHIFT));
	CHECK(!pfn_valid(0));
	CHECK(!pfn_valid(~0UL >> PAGE_SHIFT));
	CHECK(!pfn_valid(__pa(heap) >> PAGE_SHIFT));
	CHECK(!is_zero_pfn(va >> PAGE_SHIFT));
	CHECK(memremap(va, PAGE_SIZE, MEMREMAP_WB) == (void *)va);
	__free_page(page);
	kfree(heap);
}

void page_references(void)
{
	struct page *page = alloc_page(GFP_KERNEL), *other;
	unsigned long va = (unsigned long)page_address(page);

	CHECK(page_count(page) == 1);
	get_page(page);
	CHECK(page_count(page) == 2);
	__free_page(page);
	CHECK(page_count(page) == 1);
	other = alloc_page(GFP_KERNEL);
	CHECK(other != page);
	put_page(page);
	/* Last in, first out, as it is not next to a free buddy: back again. */
	CHECK(page_count(page) == 0);
	__free_page(other);

	/* A reference to a page inside of a block. */
	page = alloc_pages(GFP_KERNEL, 2);
	va = (unsigned long)page_address(page);
	get_page(virt_to_page((void *)(va + PAGE_SIZE)));
	put_page(virt_to_page((void *)(va + PAGE_SIZE)));
	__free_pages(page, 2);
}

void page_root_mark(void)
{
	unsigned long va = get_zeroed_page(GFP_KERNEL);

	ksplit_page_set_root(va);
	get_page(virt_to_page((void *)va));
	free_page(va);
	CHECK(kt_roots_freed == 0);
	put_page(virt_to_page((void *)va));
	CHECK(kt_roots_freed == 1);
	CHECK(kt_root_freed == va);
	/* The next user of the page is not a root. */
	va = get_zeroed_page(GFP_KERNEL);
	free_page(va);
	CHECK(kt_roots_freed == 1);
	/* Elsewhere there are no roots. */
	ksplit_page_set_root((unsigned long)&va);
}

void vm_mmap_life(void)
{
	/* The TSS's three pages, out of a block of four. */
	unsigned long va = vm_mmap(NULL, 0, 3 * PAGE_SIZE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, 0);
	struct page *last;

	CHECK(ksplit_in_arena(va));
	CHECK(!((u64 *)va)[0] && !((u64 *)va)[3 * PAGE_SIZE / 8 - 1]);
	memset((void *)va, 0xaa, 3 * PAGE_SIZE);
	last = virt_to_page((void *)(va + 2 * PAGE_SIZE));
	get_page(last);
	CHECK(!vm_munmap(va, 3 * PAGE_SIZE));
	CHECK(page_count(last) == 1);
	put_page(last);
	CHECK(vm_munmap(4096, 4096) == -EINVAL);
	CHECK(take_all(top, ARRAY_SIZE(top)) ==
	      (ksplit_arena_end() - ksplit_arena_start()) >>
	      (PAGE_SHIFT + TOP_ORDER));
}

void kmalloc_alignment(void)
{
	volatile size_t half = SIZE_MAX / 2;
	size_t size;
	int i;

	for (size = 8; size <= 65536; size *= 2) {
		u8 *p = kzalloc(size, GFP_KERNEL);

		CHECK(p);
		CHECK(!((unsigned long)p & (min_t(size_t, size, PAGE_SIZE) - 1)));
		for (i = 0; i < size; i++)
			CHECK(!p[i]);
		memset(p, 1, size);
		CHECK(ksize(p) >= size);
		kfree(p);
	}
	CHECK(kmalloc(0, GFP_KERNEL) == ZERO_SIZE_PTR);
	kfree(ZERO_SIZE_PTR);
	kfree(NULL);
	kvfree(kvzalloc(100000, GFP_KERNEL));
	CHECK(!kmalloc_array(half, 16, GFP_KERNEL));
	CHECK(!kvcalloc(half, 16, GFP_KERNEL));
}

void krealloc_keeps(void)
{
	char *p = kmalloc(10, GFP_KERNEL);

	memcpy(p, "012345678", 10);
	p = krealloc(p, 10000, GFP_KERNEL);
	CHECK(!memcmp(p, "012345678", 10));
	p = krealloc(p, 5, GFP_KERNEL);
	CHECK(!memcmp(p, "01234", 5));
	CHECK(krealloc(p, 0, GFP_KERNEL) == ZERO_SIZE_PTR);
	p = kmemdup("abc", 4, GFP_KERNEL);
	CHECK(!memcmp(p, "abc", 4));
	kfree(p);
}

void cache_large_objects(void)
{
	struct kmem_cache *big = kmem_cache_create("kvm_vcpu", 9000, 64,
						   SLAB_ACCOUNT, NULL);
	struct kmem_cache *small = kmem_cache_create("small", 40, 64, 0, NULL);
	char *b = kmem_cache_zalloc(big, GFP_KERNEL);
	char *s = kmem_cache_zalloc(small, GFP_KERNEL);

	/* KVM gives physical addresses inside of it to the hardware. */
	CHECK(ksplit_in_arena((unsigned long)b));
	CHECK(ksplit_in_arena((unsigned long)b + 8999));
	CHECK(!b[0] && !b[8999]);
	CHECK(!((unsigned long)s & 63));
	CHECK(!s[39]);
	kmem_cache_free(big, b);
	kmem_cache_free(small, s);
	kmem_cache_destroy(big);
	kmem_cache_destroy(small);
}

void vmalloc_pages(void)
{
	char *p = vzalloc(5 * PAGE_SIZE), *huge;
	/* Volatile: the compiler would warn of what is tested here. */
	volatile size_t half = SIZE_MAX / 2;
	int i;

	CHECK(!((unsigned long)p & ~PAGE_MASK));
	for (i = 0; i < 5; i++)
		CHECK(page_address(vmalloc_to_page(p + i * PAGE_SIZE)) ==
		      p + i * PAGE_SIZE);
	vfree(p);
	huge = vzalloc(64UL << 20);
	CHECK(huge && !huge[0] && !huge[(64UL << 20) - 1]);
	vfree(huge);
	p = __vcalloc(3, 1000, GFP_KERNEL);
	CHECK(p && !p[2999]);
	kvfree(p);
	CHECK(!vcalloc(half, 4));
	CHECK(!vmalloc(0));
}

void percpu_copies(void)
{
	u64 __percpu *v = alloc_percpu(u64);
	u64 __percpu *w = __alloc_percpu(256, 256);
	int cpu;

	CHECK(v && w);
	CHECK(!((unsigned long)per_cpu_ptr(w, 0) & 255));
	for_each_possible_cpu(cpu) {
		CHECK(*per_cpu_ptr(v, cpu) == 0);
		*per_cpu_ptr(v, cpu) = cpu + 1;
	}
	CHECK(this_cpu_read(*v) == smp_processor_id() + 1);
	this_cpu_add(*v, 100);
	for_each_possible_cpu(cpu)
		CHECK(*per_cpu_ptr(v, cpu) ==
		      cpu + 1 + (cpu == smp_processor_id() ? 100 : 0));
	free_percpu(v);
	/* Zero again, whatever it was used for. */
	v = alloc_percpu(u64);
	for_each_possible_cpu(cpu)
		CHECK(*per_cpu_ptr(v, cpu) == 0);
	free_percpu(v);
	free_percpu(w);
	free_percpu(NULL);
}

void percpu_exhausted(void)
{
	static void __percpu *p[1024];
	int i, n;

	for (n = 0; n < ARRAY_SIZE(p); n++) {
		p[n] = __alloc_percpu(1000, 8);
		if (!p[n])
			break;
	}
	CHECK(n > 10 && n < ARRAY_SIZE(p));
	for (i = 0; i < n; i++)
		free_percpu(p[i]);
	CHECK(__alloc_percpu(60000, 8));
}

static struct percpu_counter counter;

static void counter_thread(void *arg)
{
	int i;

	for (i = 0; i < 10000; i++) {
		percpu_counter_add(&counter, 3);
		percpu_counter_dec(&counter);
	}
}

void percpu_counters(void)
{
	int i;

	CHECK(!percpu_counter_init(&counter, 5, GFP_KERNEL));
	for (i = 0; i < 4; i++)
		kt_spawn(counter_thread, NULL);
	kt_join();
	CHECK(percpu_counter_sum(&counter) == 5 + 4 * 20000);
	CHECK(percpu_counter_read_positive(&counter) == 5 + 4 * 20000);
	percpu_counter_destroy(&counter);
}
