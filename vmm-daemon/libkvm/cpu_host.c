// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page rights for static_call.c, and the end of a process that reaches a kernel
 * function which nobody provides.
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

void ksplit_host_protect(void *addr, unsigned long size, int prot)
{
	int rights = prot == KSPLIT_PROT_RW ? PROT_READ | PROT_WRITE :
					      PROT_READ | PROT_EXEC;

	if (mprotect(addr, size, rights))
		ksplit_abort("libkvm: cannot change the rights of trampolines");
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
