/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM's files in the worker, by handle.  Plain C.
 */
#ifndef KSPLIT_FILE_H
#define KSPLIT_FILE_H

#include <linux/types.h>

long ksplit_file_ioctl(__u64 handle, __u32 cmd, __u64 arg);
long ksplit_file_read(__u64 handle, __u64 offset, __u64 len);
void ksplit_file_close(__u64 handle);
void ksplit_file_keep(__u64 handle, int fd);
/* The stub's descriptor that belongs to a VM or vCPU handle, or -ENOENT. */
int ksplit_file_back_fd(__u64 handle);
/* The VM descriptor behind a VM, vCPU, device or stats handle, or -ENOENT. */
int ksplit_file_vm_fd(__u64 handle);

/*
 * struct kvm and struct kvm_vcpu to the stub's descriptors; -ENOENT before the
 * object has one.
 */
int ksplit_kvm_fd(const void *kvm);
int ksplit_vcpu_fd(const void *vcpu);

struct kvm;
struct kvm_vcpu;
int ksplit_ring_make(struct kvm_vcpu *vcpu);
void ksplit_ring_show(struct kvm_vcpu *vcpu);
void ksplit_ring_harvest(struct kvm *kvm);

/* Address of a vCPU's two adjacent kvm_run pages, 0 if there is no memory. */
__u64 ksplit_vcpu_run_pages(__u64 handle);

#endif /* KSPLIT_FILE_H */
