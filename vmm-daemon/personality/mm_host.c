// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address space and heap for mm.c and slab.c.
 */
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "host.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000
#endif

#define ARENA_SHIFT	30	/* its largest block, to which mm.c wants it aligned */

/*
 * Shared memory without a file's name: a private mapping that can be written is
 * charged whole, whatever its flags, where vm.overcommit_memory is 2; this one is
 * charged page by page, as it is touched.
 */
void *host_reserve(unsigned long addr, unsigned long size)
{
	int fd = memfd_create("arena", MFD_CLOEXEC);
	void *p = MAP_FAILED;

	if (fd < 0)
		return NULL;
	if (!ftruncate(fd, size))
		p = mmap((void *)addr, size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | (addr ? MAP_FIXED_NOREPLACE : 0), fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return NULL;
	/* A kernel that does not know the flag takes addr as a hint. */
	if (addr && p != (void *)addr) {
		munmap(p, size);
		return NULL;
	}
	return p;
}

/*
 * Private, because a shared page that is only read takes memory, too, and most of
 * what is asked for here is only read.
 */
void *host_map(unsigned long size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void host_discard(void *addr, unsigned long size)
{
	madvise(addr, size, MADV_REMOVE);
}

#ifdef __SANITIZE_ADDRESS__
/* The sanitizer's shadow takes what lies below. */
#define LOWEST_ARENA	(1UL << 45)
#else
#define LOWEST_ARENA	(1UL << 32)
#endif

unsigned long host_arena_base(unsigned long limit)
{
	unsigned long places = limit / 16 >> ARENA_SHIFT, random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random) || !places)
		return LOWEST_ARENA;
	return LOWEST_ARENA + (random % places << ARENA_SHIFT);
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
