// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbells: ports whose writes only signal an eventfd (KVM_IOEVENTFD), as drivers of
 * virtio ring them.  The worker says which; the stub signals, skips the instruction and
 * enters again.
 *
 * A write is answered here only if nothing else is to be done: an OUT of the guest itself
 * and not of its guest, without single-stepping.  The worker answers every other one, the
 * same doorbell's as well: it has them, too.
 *
 * Those in memory are the worker's alone: the real EPT has no entry for them, and how
 * long an instruction is that an EPT violation interrupts the SDM does not say.
 *
 * Invariant: each write signals its eventfd once, by the stub or by the worker.
 */
#include <linux/eventfd.h>
#include <linux/uaccess.h>

#include "back/vmx.h"

#define KSPLIT_MAX_BELLS	1000	/* as KVM's NR_IOBUS_DEVS */

struct ksplit_bell {
	struct hlist_node node;
	struct kvm_ioeventfd key;
	struct eventfd_ctx *ctx;
};

static void ksplit_bell_free(struct ksplit_bell *bell)
{
	eventfd_ctx_put(bell->ctx);
	kfree(bell);
}

static struct ksplit_bell *ksplit_bell_new(const struct kvm_ioeventfd *key)
{
	struct ksplit_bell *bell = kmalloc(sizeof(*bell), GFP_KERNEL_ACCOUNT);

	if (!bell)
		return ERR_PTR(-ENOMEM);
	bell->key = *key;
	bell->ctx = eventfd_ctx_fdget(key->fd);
	if (IS_ERR(bell->ctx)) {
		int r = PTR_ERR(bell->ctx);

		kfree(bell);
		return ERR_PTR(r);
	}
	return bell;
}

/* Takes one out of the table, as it was put there but for the descriptor. */
static struct ksplit_bell *ksplit_bell_take(struct ksplit_bells *bells,
					    const struct kvm_ioeventfd *key)
{
	struct ksplit_bell *bell;

	guard(spinlock)(&bells->lock);
	hash_for_each_possible(bells->table, bell, node, key->addr) {
		if (bell->key.addr != key->addr || bell->key.len != key->len ||
		    bell->key.datamatch != key->datamatch || bell->key.flags != key->flags)
			continue;
		hash_del(&bell->node);
		bells->nr--;
		return bell;
	}
	return NULL;
}

/**
 * ksplit_doorbell - KSPLIT_IOEVENTFD
 * @vm: the VM
 * @arg: the worker's struct kvm_ioeventfd
 *
 * Context: process context of the worker.
 * Return: 0, -EINVAL (no port's), -ENOENT, -ENOSPC, -ENOMEM, -EFAULT, or an error of the
 * descriptor's.
 */
long ksplit_doorbell(struct ksplit_vm *vm, struct kvm_ioeventfd __user *arg)
{
	struct ksplit_bells *bells = &vm->fast.bells;
	struct ksplit_bell *bell;
	struct kvm_ioeventfd key;
	bool gone;

	if (copy_from_user(&key, arg, sizeof(key)))
		return -EFAULT;
	gone = key.flags & KVM_IOEVENTFD_FLAG_DEASSIGN;
	key.flags &= ~KVM_IOEVENTFD_FLAG_DEASSIGN;
	if ((key.flags | KVM_IOEVENTFD_FLAG_DATAMATCH) !=
	    (KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH))
		return -EINVAL;
	if (gone) {
		bell = ksplit_bell_take(bells, &key);
		if (!bell)
			return -ENOENT;
		ksplit_bell_free(bell);
		return 0;
	}
	bell = ksplit_bell_new(&key);
	if (IS_ERR(bell))
		return PTR_ERR(bell);
	scoped_guard(spinlock, &bells->lock) {
		if (bells->nr < KSPLIT_MAX_BELLS) {
			bells->nr++;
			hash_add(bells->table, &bell->node, key.addr);
			return 0;
		}
	}
	ksplit_bell_free(bell);
	return -ENOSPC;
}

/**
 * ksplit_fast_init - what the fast paths keep of a VM
 * @fast: the VM's, zeroed
 */
void ksplit_fast_init(struct ksplit_fast_vm *fast)
{
	spin_lock_init(&fast->bells.lock);
	hash_init(fast->bells.table);
	/* Without memory for it no VMCS gets to use one: ksplit_apic_pin(). */
	fast->apic_page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
}

/**
 * ksplit_fast_free - drops all doorbells, and the APIC-access page
 * @fast: of a VM that nobody uses and that has no EPT any more
 */
void ksplit_fast_free(struct ksplit_fast_vm *fast)
{
	struct ksplit_bell *bell;
	struct hlist_node *next;
	int i;

	hash_for_each_safe(fast->bells.table, i, next, bell, node)
		ksplit_bell_free(bell);
	if (fast->apic_page)
		__free_page(fast->apic_page);
}

/* Signals the first one that hears a write, any with length 0.  Return: is there one? */
static bool ksplit_bell_ring(struct ksplit_bells *bells, u64 port, u32 len, u64 data)
{
	struct ksplit_bell *bell;

	guard(spinlock)(&bells->lock);
	hash_for_each_possible(bells->table, bell, node, port) {
		const struct kvm_ioeventfd *key = &bell->key;

		if (key->addr != port || (key->len && key->len != len) ||
		    (key->len && key->flags & KVM_IOEVENTFD_FLAG_DATAMATCH &&
		     key->datamatch != data))
			continue;
		eventfd_signal(bell->ctx);
		return true;
	}
	return false;
}

/* Exit qualification of port I/O (SDM vol. 3, table 28-5). */
#define KSPLIT_IO_LEN(q)	(((q) & 7) + 1)
#define KSPLIT_IO_IN_OR_STRING	(BIT(3) | BIT(4))
#define KSPLIT_IO_PORT(q)	((q) >> 16 & 0xffff)

/**
 * ksplit_doorbell_rung - an exit for port I/O: answered, if it is a doorbell's
 * @vcpu: its mutex is held
 * @v: the VMCS that exited
 *
 * Context: the worker's thread, interrupts on.
 * Return: 1: signalled, the guest goes on behind the instruction; 0: it is the worker's.
 */
int ksplit_doorbell_rung(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v)
{
	struct ksplit_bells *bells = &vcpu->vm->fast.bells;
	unsigned long rip, next, io;
	u32 blocked, len;

	if (!READ_ONCE(bells->nr) || v != vcpu->vmcs)
		return 0;
	guard(preempt)();
	ksplit_vmcs_load(v);
	io = vmx_read(EXIT_QUALIFICATION);
	len = KSPLIT_IO_LEN(io);
	rip = vmx_read(GUEST_RIP);
	next = rip + vmx_read(VM_EXIT_INSTRUCTION_LEN);
	/* At 4 GiB it depends on the mode where the next one is. */
	if (io & KSPLIT_IO_IN_OR_STRING || (rip ^ next) >> 32 ||
	    vmx_read(GUEST_RFLAGS) & X86_EFLAGS_TF ||
	    !ksplit_bell_ring(bells, KSPLIT_IO_PORT(io), len,
			      vcpu->regs[0] & GENMASK_ULL(len * 8 - 1, 0)))
		return 0;
	vmx_write(GUEST_RIP, next);
	blocked = vmx_read(GUEST_INTERRUPTIBILITY_INFO);
	if (blocked & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS))
		vmx_write(GUEST_INTERRUPTIBILITY_INFO,
			  blocked & ~(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
	ksplit_count(doorbells);
	return 1;
}
