// SPDX-License-Identifier: GPL-2.0-only
/*
 * APIC virtualization: pages that the processor reads and writes while the guest
 * runs (SDM vol. 3, chapter 30).
 *
 * The virtual-APIC page and the posted-interrupt descriptor are memory of the
 * worker's, which it names by its own addresses.  Whatever they hold, they only
 * decide which interrupts the guest gets, and when it exits; so the worker may write
 * what it likes there, also meanwhile.
 *
 * The APIC-access page is the stub's, one of a VM: the processor redirects accesses
 * to it by its address, and a guest reaches what it holds by page walks at most.
 *
 * A posted interrupt must not wait for the next exit.  While the guest runs a
 * notification has the processor look at the descriptor; an entry with one that is
 * outstanding begins with a notification; and whoever finds the guest not running
 * kicks the vCPU, whose worker then looks.
 *
 * Invariants: a VMCS whose controls use one of these holds the physical address of a
 * page that is pinned, or the VM's, until another one or the VMCS's end; the vector
 * of notifications is the host's own for them.
 */
#include <asm/apic.h>
#include <asm/desc.h>
#include <asm/fred.h>
#include <asm/posted_intr.h>

#include "back/vmx.h"

asmlinkage void vmx_do_interrupt_irqoff(unsigned long entry);

static void ksplit_unpin_page(struct ksplit_pinned *pin)
{
	if (pin->page)
		unpin_user_pages_dirty_lock(&pin->page, 1, true);
	pin->page = NULL;
}

/* Returns 0, or -EFAULT if the worker may not write there. */
static int ksplit_pin_page(struct ksplit_pinned *pin, bool used, u64 addr)
{
	if (used && pin->page && pin->addr == addr)
		return 0;
	ksplit_unpin_page(pin);
	if (!used)
		return 0;
	pin->addr = addr;
	/* Not above zero: an error, or no page. */
	if (pin_user_pages_fast(addr, 1, FOLL_WRITE | FOLL_LONGTERM, &pin->page) == 1)
		return 0;
	pin->page = NULL;
	return -EFAULT;
}

/**
 * ksplit_apic_unpin - the VMCS names no page any more
 * @v: it is not entered again before ksplit_apic_pin()
 *
 * Context: may sleep.
 */
void ksplit_apic_unpin(struct ksplit_hw_vmcs *v)
{
	ksplit_unpin_page(&v->fast.regs);
	ksplit_unpin_page(&v->fast.desc);
}

/**
 * ksplit_apic_page - what a leaf of the worker's maps that is in no slot
 * @vm: the VM
 * @addr: the page's address in the worker
 *
 * Return: the APIC-access page; NULL: it is none.
 */
struct page *ksplit_apic_page(struct ksplit_vm *vm, u64 addr)
{
	return addr == READ_ONCE(vm->fast.apic_addr) ? vm->fast.apic_page : NULL;
}

/* The field holds @value from the next entry on. */
static void ksplit_apic_field(struct ksplit_hw_vmcs *v, unsigned int slot, u64 value)
{
	if (v->state.real[slot] == value)
		return;
	v->state.real[slot] = value;
	ksplit_slot_set(v->state.write, slot);
}

/**
 * ksplit_apic_pin - makes sure of the pages that the VMCS is to use
 * @v: decoded, about to be entered
 *
 * Context: the worker's thread, may sleep.
 * Return: 0, -EFAULT if the worker names no memory that it may write, -ENOMEM.
 */
int ksplit_apic_pin(struct ksplit_hw_vmcs *v)
{
	const u64 *want = v->state.want, *real = v->state.real;
	bool regs = real[KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL] & CPU_BASED_TPR_SHADOW;
	bool access = real[KSPLIT_S_SECONDARY_VM_EXEC_CONTROL] &
		      SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES;
	bool posts = ksplit_apic_posts(v);
	u64 desc = want[KSPLIT_S_POSTED_INTR_DESC_ADDR];
	u64 exit = real[KSPLIT_S_VM_EXIT_CONTROLS] & ~VM_EXIT_ACK_INTR_ON_EXIT;
	struct ksplit_fast_vm *fast = &v->vcpu->vm->fast;
	int r;

	r = ksplit_pin_page(&v->fast.regs, regs, want[KSPLIT_S_VIRTUAL_APIC_PAGE_ADDR]) ?:
	    ksplit_pin_page(&v->fast.desc, posts, desc);
	if (!r && access && !fast->apic_page)
		r = -ENOMEM;
	if (r)
		return r;
	if (regs)
		ksplit_apic_field(v, KSPLIT_S_VIRTUAL_APIC_PAGE_ADDR,
				  page_to_phys(v->fast.regs.page));
	/* The VM's tables have it for vCPUs in x2APIC mode, too. */
	if (want[KSPLIT_S_APIC_ACCESS_ADDR])
		WRITE_ONCE(fast->apic_addr, want[KSPLIT_S_APIC_ACCESS_ADDR]);
	if (access)
		ksplit_apic_field(v, KSPLIT_S_APIC_ACCESS_ADDR, page_to_phys(fast->apic_page));
	if (posts) {
		/* VM entry refuses one that is not aligned. */
		ksplit_apic_field(v, KSPLIT_S_POSTED_INTR_DESC_ADDR,
				  page_to_phys(v->fast.desc.page) + offset_in_page(desc));
		ksplit_apic_field(v, KSPLIT_S_POSTED_INTR_NV, POSTED_INTR_VECTOR);
		/* The processor wants both or none. */
		exit |= VM_EXIT_ACK_INTR_ON_EXIT;
	}
	ksplit_apic_field(v, KSPLIT_S_VM_EXIT_CONTROLS, exit);
	return 0;
}

/**
 * ksplit_apic_notify - has a guest that runs look at its posted interrupts
 * @vcpu: the vCPU; the interrupts were posted before the call into the kernel
 *
 * Context: process context.
 * Return: whether the guest, if it runs no longer, at least did after they were
 * posted: every later entry looks.
 */
bool ksplit_apic_notify(struct ksplit_vcpu *vcpu)
{
	int cpu;

	guard(preempt)();
	if (READ_ONCE(vcpu->in_guest) != 2)
		return false;
	cpu = READ_ONCE(vcpu->cpu);
	if (cpu_online(cpu))
		__apic_send_IPI_mask(cpumask_of(cpu), POSTED_INTR_VECTOR);
	return true;
}

/**
 * ksplit_apic_enter - interrupts that were posted meanwhile
 * @v: about to be entered; a kicker sees that
 *
 * Context: interrupts off until the entry, which takes the notification.
 */
void ksplit_apic_enter(struct ksplit_hw_vmcs *v)
{
	u64 offset = offset_in_page(v->fast.desc.addr) & -sizeof(struct pi_desc);

	if (ksplit_apic_posts(v) && pi_test_on(page_address(v->fast.desc.page) + offset))
		__apic_send_IPI_self(POSTED_INTR_VECTOR);
}

/**
 * ksplit_apic_interrupt - the host's interrupt that an exit has acknowledged
 * @v: the VMCS that exited, current
 * @e: the exit
 *
 * Context: interrupts off, the host's state is back.
 */
void ksplit_apic_interrupt(struct ksplit_hw_vmcs *v, const struct ksplit_exit *e)
{
	struct desc_ptr idt;
	u8 vector;

	if (!ksplit_apic_posts(v) || (u16)e->reason != EXIT_REASON_EXTERNAL_INTERRUPT)
		return;
	vector = vmx_read(VM_EXIT_INTR_INFO);
	if (cpu_feature_enabled(X86_FEATURE_FRED)) {
		fred_entry_from_kvm(EVENT_TYPE_EXTINT, vector);
		return;
	}
	store_idt(&idt);
	vmx_do_interrupt_irqoff(gate_offset((gate_desc *)idt.address + vector));
}
