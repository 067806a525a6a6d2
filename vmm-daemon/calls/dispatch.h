/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which of the client's ioctls the worker treats in its own way.  Plain C.
 */
#ifndef KSPLIT_DISPATCH_H
#define KSPLIT_DISPATCH_H

struct ksplit_call;

/**
 * enum ksplit_treat - how the worker serves an ioctl
 * @KSPLIT_TREAT_KVM:		KVM's handler, nothing else
 * @KSPLIT_TREAT_ANSWERED:	answered without KVM
 * @KSPLIT_TREAT_CREATE_VM:	with a new VM of the stub
 * @KSPLIT_TREAT_CREATE_VCPU:	with a new vCPU of the stub, on a new thread
 * @KSPLIT_TREAT_SLOT:		with a window for the memory slot
 * @KSPLIT_TREAT_RUN:		with no client memory in reach
 */
enum ksplit_treat {
	KSPLIT_TREAT_KVM,
	KSPLIT_TREAT_ANSWERED,
	KSPLIT_TREAT_CREATE_VM,
	KSPLIT_TREAT_CREATE_VCPU,
	KSPLIT_TREAT_SLOT,
	KSPLIT_TREAT_RUN,
};

enum ksplit_treat ksplit_treat(const struct ksplit_call *call,
			       unsigned long arg, long *ret_answer);

/* A kernel-internal result as a client may see it. */
long ksplit_result(long result);

#endif /* KSPLIT_DISPATCH_H */
