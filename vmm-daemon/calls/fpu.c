// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's x87, SSE and further xstate.  The stub holds it and switches it;
 * KVM wants to see it for a few ioctls, and for emulated x87 and SSE
 * instructions, which it executes on real registers.
 *
 * Invariants: at most one copy is newer than the stub's, and it goes back
 * before the vCPU runs or anybody asks the stub (ksplit_fpu_flush()).  Images
 * are in the uabi (non-compacted XSAVE) form, whose first 512 bytes are the
 * FXSAVE area that KVM reads and writes in place.  The worker's own PKRU is
 * never the guest's.
 *
 * Dynamic features (AMX) are not offered: nothing here depends on XFD.
 */
#include <linux/gfp.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xcr.h>

#include "calls/call.h"
#include "calls/file.h"
#include "calls/fpu.h"

#define LEGACY_SIZE	sizeof(struct fxregs_state)

/**
 * struct guest_fpu - a vCPU's xstate as the worker has it
 * @fd:		the stub's vCPU descriptor
 * @valid:	@fps.regs is the guest's state
 * @dirty:	and newer than the stub's
 * @fps:	what KVM sees; the image follows
 */
struct guest_fpu {
	int fd;
	bool valid;
	bool dirty;
	struct fpstate fps;
};

static u64 guest_xcr0;
static unsigned int xstate_size;

/**
 * ksplit_fpu_init() - learn the form of the guest's xstate
 *
 * Context: once, before the first vCPU.
 * Return: 0 or a negative errno.
 */
int ksplit_fpu_init(void)
{
	static struct ksplit_info info;
	int r = ksplit_ops->get_info(&info);

	if (r < 0)
		return r;
	if (info.xstate_size < LEGACY_SIZE || info.xstate_size > SZ_64K)
		return -EINVAL;
	xstate_size = info.xstate_size;
	guest_xcr0 = info.xcr0;
	return 0;
}

static struct guest_fpu *to_guest(struct fpu_guest *gfpu)
{
	return container_of(gfpu->fpstate, struct guest_fpu, fps);
}

static bool has_header(void)
{
	return xstate_size >= LEGACY_SIZE + sizeof(struct xstate_header);
}

static unsigned int order(void)
{
	return get_order(offsetof(struct guest_fpu, fps.regs) + xstate_size);
}

static int load(struct kvm_vcpu *vcpu, struct guest_fpu *g)
{
	struct ksplit_fpu f = {
		.buf = (unsigned long)&g->fps.regs,
		.pkru = vcpu->arch.pkru,
	};
	int r;

	if (g->valid)
		return 0;
	r = ksplit_ops->fpu_get(g->fd, &f);
	if (r < 0) {
		pr_err_ratelimited("vCPU %d: no FPU state: %d\n", vcpu->vcpu_id, r);
		return r;
	}
	g->valid = true;
	return 0;
}

static int write_back(struct kvm_vcpu *vcpu, struct guest_fpu *g)
{
	struct ksplit_fpu f = {
		.buf = (unsigned long)&g->fps.regs,
	};
	int r;

	if (!g->dirty)
		return 0;
	r = ksplit_ops->fpu_set(g->fd, &f);
	if (r < 0)
		pr_err_ratelimited("vCPU %d: FPU state refused: %d\n",
				   vcpu->vcpu_id, r);
	g->dirty = false;
	return r;
}

static void set_dirty(struct guest_fpu *g)
{
	if (has_header())
		g->fps.regs.xsave.header.xfeatures |= XFEATURE_MASK_FPSSE;
	g->dirty = true;
}

/**
 * ksplit_fpu_flush() - the stub's copy is to be the only one
 * @vcpu:	the vCPU, which is about to run
 *
 * Context: the vCPU's thread.
 */
void ksplit_fpu_flush(struct kvm_vcpu *vcpu)
{
	struct guest_fpu *g = to_guest(&vcpu->arch.guest_fpu);

	write_back(vcpu, g);
	g->valid = false;
}

/* ------------------------------------- instructions on real registers ---- */

/**
 * ksplit_fpu_get() - load the guest's x87 and SSE registers into this thread
 *
 * No more than these: what KVM's emulator executes are legacy SSE
 * instructions, which leave the upper halves alone.
 *
 * Context: the thread of the vCPU that is loaded; until ksplit_fpu_put() no
 * code that uses vector registers may run, libc included.
 */
void ksplit_fpu_get(void)
{
	struct kvm_vcpu *vcpu = kvm_get_running_vcpu();
	struct guest_fpu *g = to_guest(&vcpu->arch.guest_fpu);

	load(vcpu, g);
	asm volatile("fxrstor64 %0" : : "m" (g->fps.regs.fxsave));
}

/**
 * ksplit_fpu_put() - take them back and give the thread its own settings
 */
void ksplit_fpu_put(void)
{
	static const u32 mxcsr = MXCSR_DEFAULT;
	struct kvm_vcpu *vcpu = kvm_get_running_vcpu();
	struct guest_fpu *g = to_guest(&vcpu->arch.guest_fpu);

	asm volatile("fxsave64 %0\n\t"
		     "fninit\n\t"
		     "ldmxcsr %1"
		     : "=m" (g->fps.regs.fxsave) : "m" (mxcsr));
	set_dirty(g);
}

/* Upstream's hook in kvm_fpu_get(); the flag that leads here is never set. */
void switch_fpu_return(void)
{
	BUG();
}

/* ------------------------------------------------ ioctls of the vCPU ----- */

void ksplit_fpu_before_ioctl(struct kvm_vcpu *vcpu, u32 cmd)
{
	if (cmd == KVM_GET_FPU || cmd == KVM_SET_FPU)
		load(vcpu, to_guest(&vcpu->arch.guest_fpu));
}

void ksplit_fpu_after_ioctl(struct kvm_vcpu *vcpu, u32 cmd, long result)
{
	if (cmd == KVM_SET_FPU && result >= 0)
		set_dirty(to_guest(&vcpu->arch.guest_fpu));
	/* Between calls there is one copy. */
	ksplit_fpu_flush(vcpu);
}

/* ------------------------------------------------- the kernel's calls ---- */

bool fpu_alloc_guest_fpstate(struct fpu_guest *gfpu)
{
	struct vmm_call *call = vmm_call_current();
	struct guest_fpu *g;

	g = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, order());
	if (!g)
		return false;
	g->fd = call ? call->back_fd : -1;
	g->fps.size = xstate_size;
	g->fps.user_size = xstate_size;
	g->fps.xfeatures = guest_xcr0;
	g->fps.user_xfeatures = guest_xcr0;
	g->fps.is_valloc = true;
	g->fps.is_guest = true;

	gfpu->fpstate = &g->fps;
	gfpu->xfeatures = guest_xcr0;
	gfpu->perm = guest_xcr0;
	gfpu->uabi_size = max_t(unsigned int, sizeof(struct kvm_xsave),
				xstate_size);
	return true;
}

void fpu_free_guest_fpstate(struct fpu_guest *gfpu)
{
	if (!gfpu->fpstate)
		return;
	free_pages((unsigned long)to_guest(gfpu), order());
	gfpu->fpstate = NULL;
}

/* The stub switches the guest's state around each run. */
int fpu_swap_kvm_fpstate(struct fpu_guest *gfpu, bool enter_guest)
{
	return 0;
}

void fpu_copy_guest_fpstate_to_uabi(struct fpu_guest *gfpu, void *buf,
				    unsigned int size, u64 xfeatures, u32 pkru)
{
	struct kvm_vcpu *vcpu = container_of(gfpu, struct kvm_vcpu,
					     arch.guest_fpu);
	struct guest_fpu *g = to_guest(gfpu);
	struct ksplit_fpu f = {
		.buf = (unsigned long)&g->fps.regs,
		.pkru = pkru,
	};

	ksplit_fpu_flush(vcpu);
	memset(buf, 0, size);
	if (ksplit_ops->fpu_get(g->fd, &f) < 0) {
		pr_err_ratelimited("vCPU %d: no FPU state\n", vcpu->vcpu_id);
		return;
	}
	/* The stub gives all that there is. */
	if (has_header())
		g->fps.regs.xsave.header.xfeatures &= xfeatures;
	memcpy(buf, &g->fps.regs, min(size, xstate_size));
}

int fpu_copy_uabi_to_guest_fpstate(struct fpu_guest *gfpu, const void *buf,
				   u64 xcr0, u32 *vpkru)
{
	struct guest_fpu *g = to_guest(gfpu);
	struct ksplit_fpu f = {
		.buf = (unsigned long)buf,
		.pkru = vpkru ? *vpkru : 0,
	};
	int r = ksplit_ops->fpu_set(g->fd, &f);

	if (r < 0)
		return r;
	g->valid = false;
	g->dirty = false;
	if (vpkru)
		*vpkru = f.pkru;
	return 0;
}

/* A component back to its initial state, as INIT does with MPX. */
void fpstate_clear_xstate_component(struct fpstate *fps, unsigned int xfeature)
{
	struct guest_fpu *g = container_of(fps, struct guest_fpu, fps);
	struct ksplit_fpu f = {
		.buf = (unsigned long)&fps->regs,
	};

	if (!has_header())
		return;
	if (!g->valid && ksplit_ops->fpu_get(g->fd, &f) < 0)
		return;
	g->valid = true;
	if (fps->regs.xsave.header.xfeatures & BIT_ULL(xfeature)) {
		fps->regs.xsave.header.xfeatures &= ~BIT_ULL(xfeature);
		g->dirty = true;
	}
}

u64 xstate_get_guest_group_perm(void)
{
	return guest_xcr0;
}

int fpu_enable_guest_xfd_features(struct fpu_guest *gfpu, u64 xfeatures)
{
	return xfeatures & ~guest_xcr0 ? -EPERM : 0;
}

void fpu_update_guest_xfd(struct fpu_guest *gfpu, u64 xfd)
{
	gfpu->fpstate->xfd = xfd;
}

void fpu_sync_guest_vmexit_xfd_state(void)
{
}

/**
 * ksplit_vcpu_fd() - a vCPU's descriptor of the stub
 * @p:		struct kvm_vcpu
 *
 * Return: the descriptor, or -ENOENT before fpu_alloc_guest_fpstate().
 */
int ksplit_vcpu_fd(const void *p)
{
	const struct kvm_vcpu *vcpu = p;
	struct fpstate *fps = vcpu->arch.guest_fpu.fpstate;
	int fd = fps ? container_of(fps, struct guest_fpu, fps)->fd : -1;

	return fd >= 0 ? fd : -ENOENT;
}
