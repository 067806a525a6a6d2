/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What uaccess.c, uaccess_asm.S, extable.c and trap_host.c share.  Plain C.
 */
#ifndef KSPLIT_UACCESS_H
#define KSPLIT_UACCESS_H

#include <linux/types.h>

long ksplit_get_user(unsigned long addr, __u64 *ret_value, unsigned long size);
long ksplit_put_user(unsigned long addr, __u64 value, unsigned long size);
int ksplit_may_sleep_in_fault(void);

/**
 * struct ksplit_trap - an exception of the worker's own
 * @reg:	RAX RCX RDX RBX RSP RBP RSI RDI R8 .. R15: machine order
 * @ip:		instruction pointer
 * @trapnr:	vector
 * @addr:	CR2 of a page fault
 */
struct ksplit_trap {
	unsigned long reg[16];
	unsigned long ip;
	int trapnr;
	unsigned long addr;
};

int ksplit_extable_init(void);
int ksplit_fixup_exception(struct ksplit_trap *trap);

enum { KSPLIT_BUG_NONE, KSPLIT_BUG_WARN, KSPLIT_BUG_BUG };
int ksplit_report_bug(unsigned long ip);

/* Host side. */
int ksplit_trap_init(void);

/*
 * Supplied by who knows the two kinds of user memory: the arguments of a call,
 * for the checked accessors (0 or a negative errno); and guest memory that an
 * instruction did not find (whether it can be repeated), called in the handler.
 */
int ksplit_client_read(void *to, __u64 client, __u64 len);
int ksplit_client_write(__u64 client, const void *from, __u64 len);
int ksplit_guest_fault(unsigned long addr, int write);

#endif /* KSPLIT_UACCESS_H */
