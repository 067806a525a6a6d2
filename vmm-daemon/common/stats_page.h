/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a worker's counters are: a page of its memory, named STATS_NAME in
 * /proc/PID/maps, that kvm-split-statfs(8) reads through /proc/PID/mem.  Plain C.
 *
 * The counters themselves are KVM's: nothing is copied, and nobody is woken, when
 * one changes.  The reader trusts none of this.
 */
#ifndef KSPLIT_STATS_PAGE_H
#define KSPLIT_STATS_PAGE_H

#include <linux/types.h>

#define STATS_NAME	"kvm-stats"
#define STATS_MAGIC	0x3153534bu	/* KSS1 */
#define STATS_OBJECTS	320		/* VMs and vCPUs that are shown, of one worker */

/**
 * struct stats_page - what a worker shows
 * @magic:	STATS_MAGIC
 * @nr_vm:	descriptions of a VM's counters
 * @nr_vcpu:	descriptions of a vCPU's counters
 * @size:	of one, a struct kvm_stats_desc with its name
 * @vm_desc:	address of the VM's
 * @vcpu_desc:	address of the vCPU's
 * @object:	VMs and vCPUs; a description's offset is relative to @stat
 * @object.vm:	identifies the VM, 0: an unused entry
 * @object.stat: address of its counters
 * @object.vcpu: whether it is a vCPU
 */
struct stats_page {
	__u32 magic;
	__u32 nr_vm;
	__u32 nr_vcpu;
	__u32 size;
	__u64 vm_desc;
	__u64 vcpu_desc;
	struct stats_object {
		__u64 vm;
		__u64 stat;
		__u64 vcpu;
	} object[STATS_OBJECTS];
};

/* personality/stats.c */
void ksplit_stats_use(struct stats_page *page);
const char *ksplit_stats_name(unsigned int i);

struct kvm;
struct kvm_vcpu;
void ksplit_stats_add(const struct kvm *kvm, const struct kvm_vcpu *vcpu);
void ksplit_stats_del(const struct kvm *kvm, const struct kvm_vcpu *vcpu);

#endif /* KSPLIT_STATS_PAGE_H */
