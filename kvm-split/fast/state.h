/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fast paths keep of a VM and of a VMCS.
 */
#ifndef KSPLIT_FAST_STATE_H
#define KSPLIT_FAST_STATE_H

/* Of a VM, the ports and addresses whose writes signal. */
struct ksplit_bells {
	spinlock_t lock;
	DECLARE_HASHTABLE(table, 6);	/* by port, or page */
	u32 nr;
};

struct ksplit_fast_vm {
	struct ksplit_bells bells;
	struct page *apic_page;		/* its APIC-access page, or NULL */
	u64 apic_addr;			/* what the worker's tables call it */
};

/* A page of the worker's that the processor uses; pinned, NULL: none. */
struct ksplit_pinned {
	struct page *page;
	u64 addr;
};

struct ksplit_fast_vmcs {
	struct ksplit_pinned regs;	/* the virtual-APIC page */
	struct ksplit_pinned desc;	/* where the posted-interrupt descriptor is */
};

#endif /* KSPLIT_FAST_STATE_H */
