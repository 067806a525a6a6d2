/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMREAD and VMWRITE as accesses to struct ksplit_vmcs, which KVM's own VMCS
 * page holds. Included by arch/x86/kvm/vmx/vmx_ops.h in place of the
 * instructions.
 *
 * Invariant: a field's slot depends on its encoding alone, so it folds to a
 * constant where the encoding is one; no two fields share a slot.
 */
#ifndef KSPLIT_VMX_OPS_H
#define KSPLIT_VMX_OPS_H

#include <linux/build_bug.h>
#include <linux/percpu.h>
#include <asm/desc.h>

#include "../../../../kvm-split/uapi/kvm_split.h"

struct vmcs;

u64 split_vmcs_fill(struct ksplit_vmcs *v, unsigned int slot);
void vmcs_clear(struct vmcs *vmcs);
void vmcs_load(struct vmcs *vmcs);
void __invvpid(unsigned long ext, u16 vpid, gva_t gva);
void __invept(unsigned long ext, u64 eptp, gpa_t gpa);

/* The host's IDT is not a worker's to look at; interrupts are the stub's. */
#define store_idt(dtr)	((dtr)->address = 0)

#define SPLIT_FIELD_KIND_HOST	3	/* SDM vol. 3, appendix B: bits 11:10 */

static __always_inline unsigned int split_vmcs_slot(unsigned long field)
{
	BUILD_BUG_ON_MSG(__builtin_constant_p(field) &&
			 KSPLIT_SLOT(field) >= KSPLIT_SLOT_BASE(KSPLIT_FIELD_KIND(field) + 1),
			 "VMCS field beyond its kind's slots");
	return KSPLIT_SLOT(field);
}

static __always_inline struct ksplit_vmcs *split_current_vmcs(void)
{
	return (struct ksplit_vmcs *)this_cpu_read(current_vmcs);
}

static __always_inline unsigned long __vmcs_readl(unsigned long field)
{
	struct ksplit_vmcs *v = split_current_vmcs();
	unsigned int slot = split_vmcs_slot(field);

	if (unlikely(!(v->valid[slot / 64] & BIT_ULL(slot % 64))))
		return split_vmcs_fill(v, slot);
	return v->field[slot];
}

static __always_inline void __vmcs_writel(unsigned long field, unsigned long value)
{
	struct ksplit_vmcs *v = split_current_vmcs();
	unsigned int slot = split_vmcs_slot(field);
	u64 bit = BIT_ULL(slot % 64);

	if ((v->valid[slot / 64] & bit) && v->field[slot] == value)
		return;
	v->field[slot] = value;
	v->valid[slot / 64] |= bit;
	/* Host state is the stub's: kept for VMREAD, never handed over; in a shadow VMCS, L1's. */
	if ((KSPLIT_FIELD_KIND(field) & 3) != SPLIT_FIELD_KIND_HOST || v->revision >> 31)
		v->dirty[slot / 64] |= bit;
}

#endif /* KSPLIT_VMX_OPS_H */
