// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbells: ports and addresses whose writes only signal an eventfd (KVM_IOEVENTFD), as
 * drivers of virtio ring them.  The worker says which; the stub signals, skips the
 * instruction and enters again.
 *
 * A write is answered here only if nothing else is to be done: an instruction of the guest
 * itself and not of its guest, without single-stepping.  The worker answers every other
 * one, the same doorbell's as well: it has them, too.
 *
 * In memory these are the ones that hear any access (length 0).  The stub sees them as
 * EPT misconfigurations, as in-tree KVM does: the SDM leaves it open, but processors say
 * how long the instruction is, which hypervisors below us may not.  So where the worker's
 * tables have a misconfiguration (KVM's mark of MMIO) at the page of a doorbell, the real
 * EPT gets one, too: a trap.  Any other access that hits a trap removes it, and happens
 * again as an EPT violation, which is the worker's as ever; it also sets the trap again.
 *
 * Invariants: each write signals its eventfd once, by the stub or by the worker.  A trap
 * takes the place of no other entry.
 */
#include <linux/eventfd.h>
#include <linux/uaccess.h>

#include "back/vmx.h"
#include "pure/ept.h"

#define KSPLIT_MAX_BELLS	1000	/* as KVM's NR_IOBUS_DEVS */

struct ksplit_bell {
	struct hlist_node node;
	struct kvm_ioeventfd key;
	struct eventfd_ctx *ctx;
};

/* Writable and not readable: no processor has a use for it (SDM vol. 3, 29.3.3.1). */
#define KSPLIT_EPT_TRAP		KSPLIT_EPT_W

/* Ports by number, memory by page. */
static u64 ksplit_bell_hash(const struct kvm_ioeventfd *key)
{
	return key->flags & KVM_IOEVENTFD_FLAG_PIO ? key->addr : key->addr >> PAGE_SHIFT;
}

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
	hash_for_each_possible(bells->table, bell, node, ksplit_bell_hash(key)) {
		if (bell->key.addr != key->addr || bell->key.len != key->len ||
		    bell->key.datamatch != key->datamatch || bell->key.flags != key->flags)
			continue;
		hash_del(&bell->node);
		bells->nr--;
		return bell;
	}
	return NULL;
}

static bool ksplit_bell_possible(const struct kvm_ioeventfd *key)
{
	if (key->flags & KVM_IOEVENTFD_FLAG_PIO)
		return !(key->flags & ~(KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH));
	return !key->flags && !key->len && !cpu_feature_enabled(X86_FEATURE_HYPERVISOR);
}

/**
 * ksplit_doorbell - KSPLIT_IOEVENTFD
 * @vm: the VM
 * @arg: the worker's struct kvm_ioeventfd
 *
 * Context: process context of the worker.
 * Return: 0, -EINVAL (not of these), -ENOENT, -ENOSPC, -ENOMEM, -EFAULT, or an error of
 * the descriptor's.
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
	if (!ksplit_bell_possible(&key))
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
			hash_add(bells->table, &bell->node, ksplit_bell_hash(&key));
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
static bool ksplit_bell_ring(struct ksplit_bells *bells, const struct kvm_ioeventfd *write)
{
	struct ksplit_bell *bell;

	guard(spinlock)(&bells->lock);
	hash_for_each_possible(bells->table, bell, node, ksplit_bell_hash(write)) {
		const struct kvm_ioeventfd *key = &bell->key;

		if (key->addr != write->addr ||
		    (key->flags ^ write->flags) & KVM_IOEVENTFD_FLAG_PIO ||
		    (key->len && key->len != write->len) ||
		    (key->len && key->flags & KVM_IOEVENTFD_FLAG_DATAMATCH &&
		     key->datamatch != write->datamatch))
			continue;
		eventfd_signal(bell->ctx);
		return true;
	}
	return false;
}

/* Takes the trap away that an access hit which is no doorbell's. */
static void ksplit_trap_remove(struct ksplit_vcpu *vcpu, u64 gpa)
{
	u64 *none = NULL, *entry;

	guard(spinlock)(&vcpu->vm->mmu_lock);
	entry = ksplit_ept_entry(vcpu->vm, vcpu->root, &none, gpa, 1);
	/* No processor keeps what it found misconfigured. */
	if (entry && *entry == KSPLIT_EPT_TRAP)
		WRITE_ONCE(*entry, 0);
}

/* Sets one if nothing is there.  Return: false if it takes one more table. */
static bool ksplit_trap_try(struct ksplit_vm *vm, struct ksplit_root *root, u64 **spare, u64 gpa)
{
	u64 *entry;

	guard(spinlock)(&vm->mmu_lock);
	if (root->dead || vm->ept_pages >= vm->ept_pages_max)
		return true;
	entry = ksplit_ept_entry(vm, root, spare, gpa, 1);
	if (entry && !*entry)
		WRITE_ONCE(*entry, KSPLIT_EPT_TRAP);
	return entry;
}

static bool ksplit_bell_in_page(struct ksplit_bells *bells, u64 gpa)
{
	struct ksplit_bell *bell;

	guard(spinlock)(&bells->lock);
	hash_for_each_possible(bells->table, bell, node, gpa >> PAGE_SHIFT)
		if (!(bell->key.flags & KVM_IOEVENTFD_FLAG_PIO) &&
		    bell->key.addr >> PAGE_SHIFT == gpa >> PAGE_SHIFT)
			return true;
	return false;
}

/**
 * ksplit_trap - the worker's tables are misconfigured at a page: if it has a doorbell, so
 * is the real EPT from now on
 * @vcpu: its mutex is held; the VMCS that exited is its current one
 * @gpa: guest physical address that the guest touched
 *
 * Context: may sleep.
 */
void ksplit_trap(struct ksplit_vcpu *vcpu, u64 gpa)
{
	struct ksplit_vm *vm = vcpu->vm;
	u64 *spare = NULL;

	if (!READ_ONCE(vm->fast.bells.nr) || vcpu->current_vmcs != vcpu->vmcs ||
	    vcpu->root->shadow || !ksplit_bell_in_page(&vm->fast.bells, gpa))
		return;
	/* A table at a time; without memory for one the worker goes on answering. */
	for (int i = 0; i < KSPLIT_EPT_LEVELS; i++) {
		if (ksplit_trap_try(vm, vcpu->root, &spare, gpa))
			break;
		spare = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	}
	free_page((unsigned long)spare);
}

/* Exit qualification of port I/O (SDM vol. 3, table 28-5). */
#define KSPLIT_IO_LEN(q)	(((q) & 7) + 1)
#define KSPLIT_IO_IN_OR_STRING	(BIT(3) | BIT(4))
#define KSPLIT_IO_PORT(q)	((q) >> 16 & 0xffff)

/* What the guest wrote, as a doorbell that would hear it.  The VMCS is current. */
static bool ksplit_bell_write(struct ksplit_vcpu *vcpu, const struct ksplit_exit *e,
			      struct kvm_ioeventfd *write)
{
	unsigned long io;

	if ((u16)e->reason == EXIT_REASON_EPT_MISCONFIG) {
		write->addr = vmx_read(GUEST_PHYSICAL_ADDRESS);
		return !(e->idt_info & VECTORING_INFO_VALID_MASK);
	}
	io = vmx_read(EXIT_QUALIFICATION);
	write->flags = KVM_IOEVENTFD_FLAG_PIO;
	write->addr = KSPLIT_IO_PORT(io);
	write->len = KSPLIT_IO_LEN(io);
	write->datamatch = vcpu->regs[0] & GENMASK_ULL(write->len * 8 - 1, 0);
	return !(io & KSPLIT_IO_IN_OR_STRING);
}

/**
 * ksplit_doorbell_rung - an exit for port I/O, or of a trap: answered, if it is a doorbell's
 * @vcpu: its mutex is held
 * @v: the VMCS that exited
 * @e: the exit
 *
 * Context: the worker's thread, interrupts on.
 * Return: 1: signalled, the guest goes on behind the instruction, or the trap is gone;
 * 0: it is the worker's.
 */
int ksplit_doorbell_rung(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v,
			 struct ksplit_exit *e)
{
	struct ksplit_bells *bells = &vcpu->vm->fast.bells;
	struct kvm_ioeventfd write = { };
	unsigned long rip, next;
	u32 blocked;

	guard(preempt)();
	ksplit_vmcs_load(v);
	if (!ksplit_bell_write(vcpu, e, &write) || !READ_ONCE(bells->nr) || v != vcpu->vmcs)
		goto not_rung;
	rip = vmx_read(GUEST_RIP);
	next = rip + vmx_read(VM_EXIT_INSTRUCTION_LEN);
	/* At 4 GiB it depends on the mode where the next one is. */
	if ((rip ^ next) >> 32 || vmx_read(GUEST_RFLAGS) & X86_EFLAGS_TF ||
	    !ksplit_bell_ring(bells, &write))
		goto not_rung;
	vmx_write(GUEST_RIP, next);
	blocked = vmx_read(GUEST_INTERRUPTIBILITY_INFO);
	if (blocked & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS))
		vmx_write(GUEST_INTERRUPTIBILITY_INFO,
			  blocked & ~(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
	ksplit_count(doorbells);
	return 1;

not_rung:
	if ((u16)e->reason != EXIT_REASON_EPT_MISCONFIG)
		return 0;
	ksplit_trap_remove(vcpu, write.addr);
	return 1;
}
