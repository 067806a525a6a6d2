/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fake machine: guests are functions of the test.
 */
#ifndef KSPLIT_OPS_FAKE_H
#define KSPLIT_OPS_FAKE_H

#include "seam/ksplit_ops.h"

#define FAKE_NR_FLUSH	4	/* enum ksplit_flush_what */
#define FAKE_RING	2	/* entries */

/**
 * struct fake_entry - a VM entry, as a guest sees it
 * @run:	the argument of run: registers, flags, exit flags to set
 * @field:	the real VMCS, by slot: what the guest reads and changes
 * @entry:	number of this entry of the vCPU, from 0
 * @vcpu:	descriptor
 */
struct fake_entry {
	struct ksplit_run *run;
	__u64 *field;
	unsigned int entry;
	int vcpu;
};

/* Plays the guest until its next VM exit, which fake_exit() describes. */
typedef void (*fake_guest_fn)(struct fake_entry *e, void *arg);

void fake_set_guest(int vcpu, fake_guest_fn fn, void *arg);

/* VMCS field of a guest, by its encoding in the SDM. */
__u64 *fake_field(struct fake_entry *e, __u32 encoding);

void fake_exit(struct fake_entry *e, __u32 reason, __u64 qualification,
	       __u32 instruction_len);
/* Stay in the guest until a kick, a signal or the timer; sets the exit. */
void fake_spin(struct fake_entry *e);

/* What a walk of the worker's EPT tables from the VMCS's root finds. */
__u64 fake_walk_ept(struct fake_entry *e, __u64 gpa, int *ret_level);

/* The client's call on this vCPU is interrupted. */
void fake_signal(int vcpu);

/**
 * struct fake_stats - what the fake machine counted since the last reset
 * @runs:	entries
 * @fills:	VMCS fields fetched one by one
 * @kicks:	kicks
 * @blocks:	sleeps in block()
 * @flushes:	by enum ksplit_flush_what
 * @faults:	fault_in calls
 * @coalesced:	writes coalesced; beyond FAKE_RING there is no room
 * @write:	the last of them
 * @doorbells:	that the machine answers
 * @doorbell:	the last that came or went
 * @objects:	VMs and vCPUs that are open now (not reset)
 */
struct fake_stats {
	unsigned int runs;
	unsigned int fills;
	unsigned int kicks;
	unsigned int blocks;
	unsigned int flushes[FAKE_NR_FLUSH];
	unsigned int faults;
	unsigned int coalesced;
	struct kvm_coalesced_mmio write;
	int doorbells;
	struct kvm_ioeventfd doorbell;
	unsigned int objects;
};

void fake_get_stats(struct fake_stats *ret_stats);
void fake_reset_stats(void);

/* Let run fail on this vCPU with a negative errno, 0: no longer. */
void fake_refuse_run(int vcpu, int error);

/* What fault_in is to answer: 0 or a negative errno. */
void fake_set_fault_result(int result);

/* From the next get_info on the host has found that its TSC is unstable. */
void fake_set_tsc_unstable(void);

#endif /* KSPLIT_OPS_FAKE_H */
