// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory protection: a second mapping for static_call.c, and what is constant once KVM
 * has started; randomness; and the end of a process that reaches a kernel function which
 * nobody provides.
 *
 * Invariant: neither returns with its work undone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "cpu_host.h"
#include "ksplit_log.h"

void ksplit_missing(const char *name);

void *ksplit_host_alias(void *addr, unsigned long size)
{
	void *alias = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (alias == MAP_FAILED)
		ksplit_abort("libkvm: no memory for trampolines");
	memcpy(alias, addr, size);
	/* An old size of 0: the same pages of a shared mapping once more. */
	if (mremap(alias, 0, size, MREMAP_MAYMOVE | MREMAP_FIXED, addr) != addr ||
	    mprotect(addr, size, PROT_READ | PROT_EXEC))
		ksplit_abort("libkvm: cannot map trampolines twice");
	return alias;
}

void ksplit_host_unalias(void *alias, unsigned long size)
{
	munmap(alias, size);
}

void ksplit_host_protect(void *addr, unsigned long size)
{
	if (mprotect(addr, size, PROT_READ))
		ksplit_abort("libkvm: cannot protect what stays as it is");
}

void ksplit_host_random(void *buf, unsigned long size)
{
	/* At most 256 bytes come in one piece, and always (getrandom(2)). */
	for (char *p = buf; size; ) {
		size_t n = size < 256 ? size : 256;

		if (getrandom(p, n, 0) != (ssize_t)n)
			continue;
		p += n;
		size -= n;
	}
}

/* Called by the generated stand-ins (missing.h). */
void ksplit_missing(const char *name)
{
	char line[128];

	snprintf(line, sizeof(line), "libkvm: kernel function %s is not provided",
		 name);
	ksplit_abort(line);
}
