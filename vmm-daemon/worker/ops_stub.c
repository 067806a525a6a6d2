// SPDX-License-Identifier: GPL-2.0-only
/*
 * ksplit_ops on the real stub: each operation is one ioctl of /dev/kvm-split's
 * descriptors.
 *
 * Invariant: no state but the descriptor that session-wide calls go to; safe in
 * signal handlers.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "seam/ksplit_ops.h"
#include "worker/ops_stub.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000
#endif

/* The session; the tenant before there is one (for KSPLIT_GET_INFO). */
static int session_fd = -1;

/**
 * ksplit_ops_stub_use() - which descriptor the session-wide operations use
 * @fd:		a tenant or session descriptor
 */
void ksplit_ops_stub_use(int fd)
{
	session_fd = fd;
}

static int call(int fd, unsigned long cmd, void *arg)
{
	int r = ioctl(fd, cmd, arg);

	return r < 0 ? -errno : r;
}

static int call_value(int fd, unsigned long cmd, __u64 arg)
{
	return call(fd, cmd, (void *)(uintptr_t)arg);
}

static int stub_get_info(struct ksplit_info *ret_info)
{
	return call(session_fd, KSPLIT_GET_INFO, ret_info);
}

static int stub_next(int fd, struct ksplit_next *next)
{
	return call(fd, KSPLIT_NEXT, next);
}

static int stub_copy(int fd, struct ksplit_copy *copy)
{
	return call(fd, KSPLIT_COPY, copy);
}

static int stub_eventfd(struct ksplit_eventfd *eventfd)
{
	return call(session_fd, KSPLIT_EVENTFD, eventfd);
}

static int stub_create_vm(__u64 id)
{
	return call_value(session_fd, KSPLIT_OBJECT, id);
}

static int stub_create_vcpu(__u64 call, int vm, __u32 id)
{
	return call_value(session_fd, KSPLIT_OBJECT, call);
}

static int stub_map_window(int vm, __u64 addr, __u64 size, __u32 slot)
{
	void *p = mmap((void *)(uintptr_t)addr, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED_NOREPLACE, vm,
		       KSPLIT_WINDOW_OFFSET(slot));

	if (p == MAP_FAILED)
		return -errno;
	if (p != (void *)(uintptr_t)addr) {
		munmap(p, size);
		return -EEXIST;
	}
	return 0;
}

static int stub_unmap_window(int vm, __u64 addr, __u64 size)
{
	return munmap((void *)(uintptr_t)addr, size) < 0 ? -errno : 0;
}

static int stub_window_fault(int fd, struct ksplit_fault *fault)
{
	return call(fd, KSPLIT_WINDOW_FAULT, fault);
}

static int stub_fault_in(int vcpu, struct ksplit_fault *fault)
{
	return call(vcpu, KSPLIT_FAULT_IN, fault);
}

static int stub_flush(int vm, struct ksplit_flush *flush)
{
	return call(vm, KSPLIT_FLUSH, flush);
}

static int stub_hwpoison(int vcpu, __u64 addr)
{
	return call_value(vcpu, KSPLIT_HWPOISON, addr);
}

static int stub_coalesce(int vm, struct kvm_coalesced_mmio *write)
{
	return call(vm, KSPLIT_COALESCE, write);
}

static int stub_ioeventfd(int vm, struct kvm_ioeventfd *doorbell)
{
	return call(vm, KSPLIT_IOEVENTFD, doorbell);
}

static void stub_close(int fd)
{
	close(fd);
}

static int stub_run(int vcpu, struct ksplit_run *run)
{
	return call(vcpu, KSPLIT_RUN, run);
}

static int stub_fill(int vcpu, struct ksplit_fill *fill)
{
	return call(vcpu, KSPLIT_FILL, fill);
}

static int stub_vmclear(int vcpu, __u32 vmcs_index)
{
	return call_value(vcpu, KSPLIT_VMCLEAR, vmcs_index);
}

static int stub_kick(int vcpu)
{
	return call_value(vcpu, KSPLIT_KICK, 0);
}

static int stub_notify(int vcpu)
{
	return call_value(vcpu, KSPLIT_KICK, 1);
}

static int stub_block(int vcpu, struct ksplit_block *block)
{
	return call(vcpu, KSPLIT_BLOCK, block);
}

static int stub_dirty(int vcpu, struct ksplit_dirty *dirty)
{
	return call(vcpu, KSPLIT_DIRTY, dirty);
}

static int stub_fpu_get(int vcpu, struct ksplit_fpu *fpu)
{
	return call(vcpu, KSPLIT_FPU_GET, fpu);
}

static int stub_fpu_set(int vcpu, struct ksplit_fpu *fpu)
{
	return call(vcpu, KSPLIT_FPU_SET, fpu);
}

const struct ksplit_ops ksplit_ops_stub = {
	.get_info	= stub_get_info,
	.next		= stub_next,
	.copy		= stub_copy,
	.eventfd	= stub_eventfd,
	.create_vm	= stub_create_vm,
	.create_vcpu	= stub_create_vcpu,
	.map_window	= stub_map_window,
	.unmap_window	= stub_unmap_window,
	.window_fault	= stub_window_fault,
	.fault_in	= stub_fault_in,
	.flush		= stub_flush,
	.hwpoison	= stub_hwpoison,
	.coalesce	= stub_coalesce,
	.ioeventfd	= stub_ioeventfd,
	.close		= stub_close,
	.run		= stub_run,
	.fill		= stub_fill,
	.vmclear	= stub_vmclear,
	.kick		= stub_kick,
	.notify		= stub_notify,
	.block		= stub_block,
	.dirty		= stub_dirty,
	.fpu_get	= stub_fpu_get,
	.fpu_set	= stub_fpu_set,
};
