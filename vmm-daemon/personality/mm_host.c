// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address space and heap for mm.c and slab.c.
 */
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "host.h"

void *host_reserve(unsigned long addr, unsigned long size)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	void *p;

	if (addr)
		flags |= MAP_FIXED_NOREPLACE;
	p = mmap((void *)addr, size, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	/* A kernel that does not know the flag takes addr as a hint. */
	if (addr && p != (void *)addr) {
		munmap(p, size);
		return NULL;
	}
	return p;
}

void host_unreserve(void *addr, unsigned long size)
{
	munmap(addr, size);
}

void host_discard(void *addr, unsigned long size)
{
	madvise(addr, size, MADV_DONTNEED);
}

unsigned long host_arena_base(void)
{
#ifdef __SANITIZE_ADDRESS__
	/* The sanitizer's shadow takes what lies below. */
	return 1UL << 45;
#else
	return 1UL << 32;
#endif
}

void *host_alloc(unsigned long size, unsigned long align, int zero)
{
	void *p;

	if (align <= 2 * sizeof(void *))
		return zero ? calloc(1, size) : malloc(size);
	if (posix_memalign(&p, align, size))
		return NULL;
	if (zero)
		memset(p, 0, size);
	return p;
}

void host_free(void *p)
{
	free(p);
}

unsigned long host_usable_size(void *p)
{
	return malloc_usable_size(p);
}
