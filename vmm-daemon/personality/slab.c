// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmalloc() and slab caches on libc's heap.
 *
 * Objects of caches that are a page or larger come from the arena, because KVM
 * takes physical addresses of what lies in a struct kvm_vcpu (posted-interrupt
 * descriptor, MSR lists); nothing else that KVM allocates here is ever seen by
 * __pa().  Memory from libc and from the arena is told apart by its address.
 *
 * Invariant: as in the kernel, an object whose size is a power of two is
 * aligned to that size, up to a page.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "internal.h"

struct kmem_cache {
	const char *name;
	unsigned int size;
	unsigned int align;
	void (*ctor)(void *object);
};

/* kmalloc()'s inline part picks one by size; all are alike to us. */
kmem_buckets kmalloc_caches[NR_KMALLOC_TYPES];

static unsigned long natural_align(size_t size)
{
	if (size > 16 && is_power_of_2(size))
		return min_t(size_t, size, PAGE_SIZE);
	return 0;
}

void *__kmalloc_noprof(size_t size, gfp_t gfp)
{
	if (unlikely(!size))
		return ZERO_SIZE_PTR;
	return host_alloc(size, natural_align(size), !!(gfp & __GFP_ZERO));
}

void *__kmalloc_cache_noprof(struct kmem_cache *cache, gfp_t gfp, size_t size)
{
	return __kmalloc_noprof(size, gfp);
}

void *__kmalloc_node_noprof(DECL_BUCKET_PARAMS(size, b), gfp_t gfp, int node)
{
	return __kmalloc_noprof(size, gfp);
}

void *__kmalloc_cache_node_noprof(struct kmem_cache *cache, gfp_t gfp, int node,
				  size_t size)
{
	return __kmalloc_noprof(size, gfp);
}

void *__kmalloc_node_track_caller_noprof(DECL_BUCKET_PARAMS(size, b), gfp_t gfp,
					 int node, unsigned long caller)
{
	return __kmalloc_noprof(size, gfp);
}

void *__kmalloc_large_noprof(size_t size, gfp_t gfp)
{
	return host_alloc(size, PAGE_SIZE, !!(gfp & __GFP_ZERO));
}

void *__kmalloc_large_node_noprof(size_t size, gfp_t gfp, int node)
{
	return __kmalloc_large_noprof(size, gfp);
}

void *__kvmalloc_node_noprof(DECL_BUCKET_PARAMS(size, b), gfp_t gfp, int node)
{
	if (size >= PAGE_SIZE)
		return __kmalloc_large_noprof(size, gfp);
	return __kmalloc_noprof(size, gfp);
}

void kfree(const void *p)
{
	if (ZERO_OR_NULL_PTR(p))
		return;
	if (ksplit_in_arena((unsigned long)p))
		free_pages((unsigned long)p, 0);
	else
		host_free((void *)p);
}

void kvfree(const void *p)
{
	kfree(p);
}

void kvfree_sensitive(const void *p, size_t len)
{
	if (ZERO_OR_NULL_PTR(p))
		return;
	memzero_explicit((void *)p, len);
	kfree(p);
}

void kfree_sensitive(const void *p)
{
	if (!ZERO_OR_NULL_PTR(p))
		kvfree_sensitive(p, ksize(p));
}

size_t ksize(const void *p)
{
	if (ZERO_OR_NULL_PTR(p))
		return 0;
	if (ksplit_in_arena((unsigned long)p))
		return PAGE_SIZE << virt_to_page(p)->index;
	return host_usable_size((void *)p);
}

void *krealloc_noprof(const void *p, size_t size, gfp_t gfp)
{
	size_t old = ksize(p);
	void *new;

	if (!size) {
		kfree(p);
		return ZERO_SIZE_PTR;
	}
	new = __kmalloc_noprof(size, gfp);
	if (!new)
		return NULL;
	if (old)
		memcpy(new, p, min(old, size));
	kfree(p);
	return new;
}

/* ------------------------------------------------------------ copies ---- */

void *kmemdup_noprof(const void *src, size_t len, gfp_t gfp)
{
	void *p = __kmalloc_noprof(len, gfp);

	if (p)
		memcpy(p, src, len);
	return p;
}

void *kvmemdup(const void *src, size_t len, gfp_t gfp)
{
	void *p = kvmalloc(len, gfp);

	if (p)
		memcpy(p, src, len);
	return p;
}

char *kstrdup_noprof(const char *s, gfp_t gfp)
{
	return s ? kmemdup_noprof(s, strlen(s) + 1, gfp) : NULL;
}

const char *kstrdup_const(const char *s, gfp_t gfp)
{
	return kstrdup_noprof(s, gfp);
}

void kfree_const(const void *p)
{
	kfree(p);
}

/* ------------------------------------------------------------ caches ---- */

struct kmem_cache *__kmem_cache_create_args(const char *name,
					    unsigned int size,
					    struct kmem_cache_args *args,
					    slab_flags_t flags)
{
	struct kmem_cache *cache = kzalloc(sizeof(*cache), GFP_KERNEL);

	if (!cache)
		return NULL;
	cache->name = name;
	cache->size = size;
	cache->align = max_t(unsigned int, args->align, sizeof(void *));
	if (flags & SLAB_HWCACHE_ALIGN)
		cache->align = max_t(unsigned int, cache->align, SMP_CACHE_BYTES);
	cache->ctor = args->ctor;
	return cache;
}

void kmem_cache_destroy(struct kmem_cache *cache)
{
	kfree(cache);
}

void *kmem_cache_alloc_noprof(struct kmem_cache *cache, gfp_t gfp)
{
	void *p;

	if (cache->size >= PAGE_SIZE)
		p = (void *)get_free_pages_noprof(gfp, get_order(cache->size));
	else
		p = host_alloc(cache->size, cache->align, !!(gfp & __GFP_ZERO));
	if (p && cache->ctor)
		cache->ctor(p);
	return p;
}

void *kmem_cache_alloc_lru_noprof(struct kmem_cache *cache, struct list_lru *lru,
				  gfp_t gfp)
{
	return kmem_cache_alloc_noprof(cache, gfp);
}

void *kmem_cache_alloc_node_noprof(struct kmem_cache *cache, gfp_t gfp, int node)
{
	return kmem_cache_alloc_noprof(cache, gfp);
}

void kmem_cache_free(struct kmem_cache *cache, void *p)
{
	kfree(p);
}

int kmem_cache_alloc_bulk_noprof(struct kmem_cache *cache, gfp_t gfp,
				 size_t nr, void **p)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		p[i] = kmem_cache_alloc_noprof(cache, gfp);
		if (!p[i]) {
			kmem_cache_free_bulk(cache, i, p);
			return 0;
		}
	}
	return nr;
}

void kmem_cache_free_bulk(struct kmem_cache *cache, size_t nr, void **p)
{
	while (nr--)
		kfree(p[nr]);
}

unsigned int kmem_cache_size(struct kmem_cache *cache)
{
	return cache->size;
}
