/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMX instructions, and the state of a CPU in VMX operation.
 *
 * Invariant: nothing here trusts a value of a worker's, and nothing can fault
 * on one.  A failing VMREAD or VMWRITE is an error of the stub's tables; it is
 * logged, never fatal.
 */
#ifndef KSPLIT_BACK_VMX_H
#define KSPLIT_BACK_VMX_H

#include "ksplit.h"
#include "fast/fast.h"

struct vmcs_region {
	u32 revision;
	u32 abort;
	u8 data[PAGE_SIZE - 8];
};

/* What one CPU has loaded. */
struct ksplit_cpu {
	struct vmcs_region *vmxon;
	struct ksplit_hw_vmcs *current_vmcs;
	struct ksplit_hw_vmcs *last;	/* that was, and has not been VMCLEARed */
	struct list_head loaded;	/* VMCSs active here */
	bool on;
	u64 host_msr[KSPLIT_NR_RUN_MSRS];	/* by enum ksplit_run_msr */
};

DECLARE_PER_CPU(struct ksplit_cpu, ksplit_cpu);

/* Fails (CF) also where VMX operation was ended, for a reboot: #UD. */
#define VMX_INSN(insn, ...)						\
({									\
	bool __fail;							\
	asm volatile("stc\n1:\t" insn "\n2:" CC_SET(na) _ASM_EXTABLE(1b, 2b) \
		     : CC_OUT(na) (__fail) : __VA_ARGS__ : "memory");	\
	__fail;								\
})

void vmx_failed(const char *insn, unsigned long field);

static __always_inline bool vmx_clear(u64 pa)
{
	return VMX_INSN("vmclear %[pa]", [pa] "m" (pa));
}

/* A VMCS and its shadow VMCS, which is active where the VMCS is. */
static __always_inline void vmx_clear_both(const struct ksplit_hw_vmcs *v)
{
	vmx_clear(__pa(v->region));
	vmx_clear(__pa(v->shadow));
}

static __always_inline bool vmx_ptrld(u64 pa)
{
	return VMX_INSN("vmptrld %[pa]", [pa] "m" (pa));
}

static __always_inline bool vmx_write_ok(unsigned long field, unsigned long value)
{
	return !VMX_INSN("vmwrite %[value], %[field]", [field] "r" (field), [value] "rm" (value));
}

static __always_inline void vmx_write(unsigned long field, unsigned long value)
{
	ksplit_count(vmwrites);
	if (!vmx_write_ok(field, value))
		vmx_failed("VMWRITE", field);
}

static __always_inline bool vmx_read_ok(unsigned long field, unsigned long *value)
{
	bool fail;

	asm volatile("stc\n1:\tvmread %[field], %[value]\n2:" CC_SET(na) _ASM_EXTABLE(1b, 2b)
		     : CC_OUT(na) (fail), [value] "+r" (*value) : [field] "r" (field) : "memory");
	return !fail;
}

static __always_inline unsigned long vmx_read(unsigned long field)
{
	unsigned long value = 0;

	ksplit_count(vmreads);
	if (!vmx_read_ok(field, &value))
		vmx_failed("VMREAD", field);
	return value;
}

/* Like the others these return whether they failed. */
static __always_inline bool vmx_invept_global(void)
{
	const u64 op[2] = { };

	return VMX_INSN("invept %[op], %[ext]", [op] "m" (op),
			[ext] "r" ((unsigned long)VMX_EPT_EXTENT_GLOBAL));
}

static __always_inline bool vmx_invvpid(u16 vpid)
{
	const u64 op[2] = { vpid };

	return VMX_INSN("invvpid %[op], %[ext]", [op] "m" (op),
			[ext] "r" ((unsigned long)VMX_VPID_EXTENT_SINGLE_CONTEXT));
}

/* Of any exit's reason: the guest acquired a bus lock (SDM vol. 3, 26.9.1). */
#define KSPLIT_REASON_BUS_LOCK	BIT(26)

/* What one entry brought; struct ksplit_vcpu.exit. */
struct ksplit_exit {
	u32 reason;			/* full */
	u32 intr_info;
	u32 idt_info;
	bool fail;
	bool at_once;			/* this entry was to leave at once */
	bool requeue;			/* idt_info is to be injected again */
	bool entered;
	u64 qualification;		/* of an EPT violation, by the worker's tables */
	u64 stored[KSPLIT_SLOT_WORDS];
	u64 value[KSPLIT_NR_SLOTS];
};

extern u64 ksplit_host_xss;	/* __ro_after_init */
extern const u32 ksplit_syscall_msrs[];	/* by enum ksplit_run_msr: STAR to TSC_AUX */

/* ------------------------------------------------------ back/main.c -- */

int ksplit_cpu_on(void);
void ksplit_cpu_off(void *unused);

/* ----------------------------------------------------- back/probe.c -- */

int ksplit_init_hw(void);
void ksplit_init_info(void);
/* Whether this CPU has what the one at boot had. */
bool ksplit_cpu_compatible(void);

/* ------------------------------------------------------ back/vmcs.c -- */

void ksplit_vmcs_init_tables(void);
int ksplit_vmcs_alloc(struct ksplit_hw_vmcs *v, struct ksplit_vcpu *vcpu);
void ksplit_vmcs_free(struct ksplit_hw_vmcs *v);
/* VMCLEAR wherever it is active; sleeps not, but waits for another CPU. */
void ksplit_vmcs_clear(struct ksplit_hw_vmcs *v);
void ksplit_vmcs_clear_cpu(void);
/* Makes @v current on this CPU.  Preemption off, interrupts on. */
void ksplit_vmcs_load(struct ksplit_hw_vmcs *v);
/* Writes what ksplit_decode() marked; @v is current. */
void ksplit_vmcs_apply(struct ksplit_hw_vmcs *v);
/* Writes fields of @v's shadow VMCS, or reads those that a guest may write. */
void ksplit_shadow_move(struct ksplit_hw_vmcs *v, u64 *values, u64 *slots, bool write);
/* What a guest reads, and writes, of its shadow VMCS exits: a bit per encoding. */
extern unsigned long ksplit_shadow_exits[2][PAGE_SIZE / sizeof(long)];
/* Reads the fields of @groups that the CPU writes; @v is current. */
void ksplit_vmcs_read_groups(u32 groups, u64 *values, u64 *stored);
extern u64 ksplit_volatile[KSPLIT_SLOT_WORDS];

/* VMCS shadowing, as the real controls have it. */
static inline bool ksplit_shadows(const struct ksplit_hw_vmcs *v)
{
	return v->state.real[KSPLIT_S_SECONDARY_VM_EXEC_CONTROL] & SECONDARY_EXEC_SHADOW_VMCS;
}

/* ----------------------------------------------------- back/entry.c -- */

int ksplit_enter(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v, struct ksplit_exit *e);
int ksplit_handle_work(void);

/* ------------------------------------------------------ back/exit.c -- */

int ksplit_handle_exit(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v, struct ksplit_exit *e);
int ksplit_report(struct ksplit_vcpu *vcpu, struct ksplit_hw_vmcs *v, struct ksplit_exit *e,
		  struct ksplit_run __user *arg);
int ksplit_store_vmcs(struct ksplit_vmcs __user *vmcs, const struct ksplit_exit *e,
		      const u64 *invalid);
u32 ksplit_wishes(struct ksplit_vcpu *vcpu);

#endif /* KSPLIT_BACK_VMX_H */
