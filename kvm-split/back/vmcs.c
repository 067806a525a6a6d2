// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real VMCSs: memory, the CPU each is active on, and moving fields.
 *
 * Invariants: a VMCS is active on at most one CPU and is VMCLEARed there
 * before it is loaded elsewhere or freed; a VPID is never 0 and never shared
 * by two VMCSs; only fields in ksplit_vmcs_state.write are written, with the
 * values that ksplit_decode() and ksplit_apic_pin() put into .real.
 */
#include <linux/idr.h>

#include "vmx.h"

static DEFINE_IDA(ksplit_vpids);

/* Slots that this CPU writes, by group and all together. */
static u64 ksplit_group_slots[KSPLIT_NR_GROUPS][KSPLIT_SLOT_WORDS] __ro_after_init;
u64 ksplit_volatile[KSPLIT_SLOT_WORDS] __ro_after_init;

unsigned long ksplit_shadow_exits[2][PAGE_SIZE / sizeof(long)] __page_aligned_bss;
static u64 ksplit_shadow[KSPLIT_SLOT_WORDS] __ro_after_init;

static void __init ksplit_shadow_field(unsigned int encoding, unsigned int slot, bool write)
{
	/* What serves PML is of class NEVER. */
	if (!ksplit_slot_test(ksplit_hw.supported, slot))
		return;
	__clear_bit(encoding, ksplit_shadow_exits[0]);
	ksplit_slot_set(ksplit_shadow, slot);
	if (write) {
		__clear_bit(encoding, ksplit_shadow_exits[1]);
		ksplit_slot_set(ksplit_group_slots[KSPLIT_G_SHADOW], slot);
	}
}

/**
 * ksplit_vmcs_init_tables - sorts the field table by read group; what is shadowed
 */
void __init ksplit_vmcs_init_tables(void)
{
	unsigned int slot, group;

	for (slot = 0; slot < KSPLIT_NR_SLOTS; slot++) {
		group = ksplit_fields[slot].group;
		if (!group || !ksplit_slot_test(ksplit_hw.supported, slot))
			continue;
		ksplit_slot_set(ksplit_group_slots[group], slot);
		ksplit_slot_set(ksplit_volatile, slot);
	}
	memset(ksplit_shadow_exits, 0xff, sizeof(ksplit_shadow_exits));
#define SHADOW_FIELD_RO(field, ...) ksplit_shadow_field(field, KSPLIT_SLOT(field), false);
#define SHADOW_FIELD_RW(field, ...) ksplit_shadow_field(field, KSPLIT_SLOT(field), true);
#include "vmx/vmcs_shadow_fields.h"
}

/**
 * ksplit_vmcs_alloc - memory and a VPID for one VMCS
 * @v: zeroed
 * @vcpu: whose it is
 *
 * Return: 0, -ENOMEM, -ENOSPC without a free VPID.
 */
int ksplit_vmcs_alloc(struct ksplit_hw_vmcs *v, struct ksplit_vcpu *vcpu)
{
	int vpid;

	v->vcpu = vcpu;
	v->cpu = -1;
	INIT_LIST_HEAD(&v->loaded);
	v->region = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	v->shadow = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	v->msr_bitmap = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!v->region || !v->shadow || !v->msr_bitmap)
		return -ENOMEM;
	memset(v->msr_bitmap, 0xff, PAGE_SIZE);
	memset(v->msr_words, 0xff, sizeof(v->msr_words));
	vpid = ida_alloc_range(&ksplit_vpids, 1, U16_MAX, GFP_KERNEL_ACCOUNT);
	if (vpid < 0)
		return vpid;
	v->vpid = vpid;
	v->flush_vpid = true;
	v->region->revision = (u32)ksplit_hw.msr[0];
	v->shadow->revision = v->region->revision | BIT(31);
	ksplit_vmcs_reset(&v->state);
	return 0;
}

/**
 * ksplit_vmcs_free - frees what ksplit_vmcs_alloc() got, also in part
 * @v: not in use by any thread
 */
void ksplit_vmcs_free(struct ksplit_hw_vmcs *v)
{
	if (v->region)
		ksplit_vmcs_clear(v);
	ksplit_apic_unpin(v);
	if (v->vpid)
		ida_free(&ksplit_vpids, v->vpid);
	free_page((unsigned long)v->msr_bitmap);
	free_page((unsigned long)v->shadow);
	free_page((unsigned long)v->region);
}

/* On the CPU where @v is active, interrupts off. */
static void ksplit_vmcs_clear_here(void *data)
{
	struct ksplit_hw_vmcs *v = data;
	struct ksplit_cpu *c = this_cpu_ptr(&ksplit_cpu);

	/* The CPU may have left VMX operation, and cleared it, meanwhile. */
	if (v->cpu != smp_processor_id())
		return;
	vmx_clear_both(v);
	if (c->current_vmcs == v)
		c->current_vmcs = NULL;
	if (c->last == v)
		c->last = NULL;
	list_del_init(&v->loaded);
	v->launched = false;
	/* Whoever sees cpu == -1 sees the list without @v. */
	smp_store_release(&v->cpu, -1);
}

/**
 * ksplit_vmcs_clear - VMCLEARs a VMCS on the CPU where it is active
 * @v: the VMCS; its owner's mutex is held or it is being freed
 *
 * Context: interrupts on.
 */
void ksplit_vmcs_clear(struct ksplit_hw_vmcs *v)
{
	int cpu = READ_ONCE(v->cpu);

	if (cpu >= 0)
		smp_call_function_single(cpu, ksplit_vmcs_clear_here, v, 1);
}

/**
 * ksplit_vmcs_clear_cpu - VMCLEARs every VMCS that is active on this CPU
 *
 * Context: interrupts off, in VMX operation.
 */
void ksplit_vmcs_clear_cpu(void)
{
	struct ksplit_cpu *c = this_cpu_ptr(&ksplit_cpu);
	struct ksplit_hw_vmcs *v, *next;

	list_for_each_entry_safe(v, next, &c->loaded, loaded)
		ksplit_vmcs_clear_here(v);
}

/**
 * ksplit_vmcs_load - makes a VMCS current on this CPU
 * @v: the VMCS, of the vCPU whose mutex is held
 *
 * If that fails the VM is dead, no VMCS is current, and every access fails.
 *
 * Context: preemption off, interrupts on.
 */
void ksplit_vmcs_load(struct ksplit_hw_vmcs *v)
{
	struct ksplit_cpu *c = this_cpu_ptr(&ksplit_cpu);
	struct ksplit_hw_vmcs *buddy = v->vcpu->current_vmcs;
	int cpu = smp_processor_id();

	v->vcpu->current_vmcs = v;
	/* What is current here is active here. */
	if (c->current_vmcs == v)
		return;
	if (READ_ONCE(v->cpu) != cpu)
		ksplit_vmcs_clear(v);

	guard(irq)();
	if (v->cpu != cpu) {
		/* SDM vol. 3, 25.11.3: a shadow VMCS, too, before its address is used. */
		vmx_clear_both(v);
		list_add(&v->loaded, &c->loaded);
		WRITE_ONCE(v->cpu, cpu);
		v->flush_vpid = true;
	}
	if (vmx_ptrld(__pa(v->region))) {
		/* No access and no entry may hit what is current instead. */
		if (c->current_vmcs)
			ksplit_vmcs_clear_here(c->current_vmcs);
		ksplit_vm_err(v->vcpu->vm, "VMPTRLD failed, the VM is dead");
		ksplit_vm_kill(v->vcpu->vm);
		return;
	}
	c->current_vmcs = v;
	/*
	 * As vmx_vcpu_load_vmcs(): one vCPU's branch predictions are not another's.
	 * Between the two VMCSs of a vCPU ksplit_vcpu_run() decides, if the other
	 * one is what was here last.
	 */
	if (!c->last || (c->last != v && c->last != buddy))
		indirect_branch_prediction_barrier();
	c->last = v;
}

/**
 * ksplit_vmcs_apply - writes the fields that are due
 * @v: current on this CPU
 */
void ksplit_vmcs_apply(struct ksplit_hw_vmcs *v)
{
	unsigned int word, slot;

	for (word = 0; word < KSPLIT_SLOT_WORDS; word++) {
		ksplit_for_each_slot(slot, word, v->state.write[word])
			vmx_write(ksplit_fields[slot].encoding, v->state.real[slot]);
		v->state.write[word] = 0;
	}
}

/**
 * ksplit_vmcs_read_groups - reads what the CPU may have changed
 * @groups: bit per enum ksplit_group
 * @values: by slot, set for slots read
 * @stored: bit per slot read, added to
 *
 * Context: the VMCS is current, preemption off.
 */
void ksplit_vmcs_read_groups(u32 groups, u64 *values, u64 *stored)
{
	unsigned int group, word, slot;
	unsigned long todo = groups;

	for_each_set_bit(group, &todo, KSPLIT_NR_GROUPS)
		for (word = 0; word < KSPLIT_SLOT_WORDS; word++) {
			stored[word] |= ksplit_group_slots[group][word];
			ksplit_for_each_slot(slot, word, ksplit_group_slots[group][word])
				values[slot] = vmx_read(ksplit_fields[slot].encoding);
		}
}

/**
 * ksplit_shadow_move - moves fields to or from a shadow VMCS
 * @v: the VMCS that it belongs to; not current afterwards
 * @values: by slot
 * @slots: bit per slot to write; read: added to
 * @write: direction
 *
 * Context: preemption off, interrupts on.  Without VMCS shadowing nothing is moved.
 */
void ksplit_shadow_move(struct ksplit_hw_vmcs *v, u64 *values, u64 *slots, bool write)
{
	unsigned int word, slot;

	/* What another CPU holds of it is stored with @v. */
	ksplit_vmcs_load(v);
	/* Otherwise these would be fields of @v. */
	if (vmx_ptrld(__pa(v->shadow)))
		return;
	this_cpu_write(ksplit_cpu.current_vmcs, NULL);
	if (!write)
		ksplit_vmcs_read_groups(KSPLIT_GROUP(SHADOW), values, slots);
	for (word = 0; write && word < KSPLIT_SLOT_WORDS; word++)
		ksplit_for_each_slot(slot, word, slots[word] & ksplit_shadow[word])
			vmx_write(ksplit_fields[slot].encoding, values[slot]);
	vmx_clear(__pa(v->shadow));
}
