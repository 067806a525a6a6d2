/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What libkvm's kernel-side files ask of libc. Plain C types.
 */
#ifndef KSPLIT_CPU_HOST_H
#define KSPLIT_CPU_HOST_H

#define KSPLIT_PROT_RW	0
#define KSPLIT_PROT_RX	1

/* Change the rights of whole pages; ends the process if that cannot be done. */
void ksplit_host_protect(void *addr, unsigned long size, int prot);

/* Fill buf from the host's random number generator. */
void ksplit_host_random(void *buf, unsigned long size);

#endif /* KSPLIT_CPU_HOST_H */
