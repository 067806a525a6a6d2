/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A KVM client inside the process: what a worker does for one, without a stub.
 */
#ifndef TEST_LIBKVM_CLIENT_H
#define TEST_LIBKVM_CLIENT_H

#include <stdint.h>
#include <linux/kvm.h>

/* Bring up libkvm on the fake machine; ends the process if that fails. */
void client_start(void);

/*
 * ioctl() on a file: handle 0 is the open of /dev/kvm. A call that creates a
 * file returns its handle. Errors are negative errno values.
 */
long client_ioctl(uint64_t handle, unsigned long cmd, unsigned long arg);
#define kvm_call(handle, cmd, arg)	\
	client_ioctl(handle, cmd, (unsigned long)(arg))
void client_close(uint64_t handle);

struct client_vm {
	uint64_t handle;
	int fd;
};

struct client_vcpu {
	uint64_t handle;
	int fd;
	struct kvm_run *run;
};

/* Fail the test when KVM does. */
void client_create_vm(struct client_vm *vm);
/* The calling thread becomes the vCPU's. */
void client_create_vcpu(struct client_vm *vm, unsigned long id,
			struct client_vcpu *vcpu);
/* Register a slot. Returns its window, which is all the memory it has. */
void *client_add_slot(struct client_vm *vm, uint32_t slot, uint64_t gpa,
		      uint64_t size, uint32_t flags);
/* Flat real mode at ip. */
void client_real_mode(struct client_vcpu *vcpu, uint64_t ip);
long client_run(struct client_vcpu *vcpu);
/* Close both. Nothing may be left of them. */
void client_close_all(struct client_vm *vm, struct client_vcpu *vcpu);

#endif /* TEST_LIBKVM_CLIENT_H */
