// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual-APIC page of a VMCS: memory of the worker's, which the processor reads and
 * writes while the guest runs (SDM vol. 3, 30.1).
 *
 * The worker names it by its own address.  With a TPR shadow alone the processor uses
 * one byte of it, VTPR, and whatever that is, it only decides whether the guest exits;
 * so the worker may write what it likes there, also meanwhile.
 *
 * Invariant: a VMCS whose controls have "use TPR shadow" holds the physical address of
 * a page that is pinned until another one, or the VMCS's end.
 */
#include "fast.h"

/**
 * ksplit_apic_unpin - the VMCS names no virtual-APIC page any more
 * @v: it is not entered again before ksplit_apic_pin()
 *
 * Context: may sleep.
 */
void ksplit_apic_unpin(struct ksplit_hw_vmcs *v)
{
	if (v->apic.page)
		unpin_user_pages_dirty_lock(&v->apic.page, 1, true);
	v->apic.page = NULL;
}

/**
 * ksplit_apic_pin - makes sure of the virtual-APIC page, if the VMCS is to have one
 * @v: decoded, about to be entered
 *
 * Context: the worker's thread, may sleep.
 * Return: 0, or -EFAULT if the worker names no memory that it may write.
 */
int ksplit_apic_pin(struct ksplit_hw_vmcs *v)
{
	bool used = v->state.real[KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL] & CPU_BASED_TPR_SHADOW;
	u64 addr = v->state.want[KSPLIT_S_VIRTUAL_APIC_PAGE_ADDR];

	if (used && v->apic.page && v->apic.addr == addr)
		return 0;
	ksplit_apic_unpin(v);
	if (!used)
		return 0;
	v->apic.addr = addr;
	/* Not above zero: an error, or no page. */
	if (pin_user_pages_fast(addr, 1, FOLL_WRITE | FOLL_LONGTERM, &v->apic.page) == 1)
		return 0;
	v->apic.page = NULL;
	return -EFAULT;
}
