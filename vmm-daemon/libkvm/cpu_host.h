/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What libkvm's kernel-side files ask of libc. Plain C types.
 */
#ifndef KSPLIT_CPU_HOST_H
#define KSPLIT_CPU_HOST_H

/*
 * Map pages of text a second time, readable and writable, where this process may
 * then change them; ends the process if that cannot be done.
 */
void *ksplit_host_alias(void *addr, unsigned long size);
void ksplit_host_unalias(void *alias, unsigned long size);

/* Make whole pages read-only; ends the process if that cannot be done. */
void ksplit_host_protect(void *addr, unsigned long size);

/* Fill buf from the host's random number generator. */
void ksplit_host_random(void *buf, unsigned long size);

#endif /* KSPLIT_CPU_HOST_H */
