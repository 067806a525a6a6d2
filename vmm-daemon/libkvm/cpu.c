// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processor that KVM sees: boot_cpu_data and pv_ops, from the description
 * that the stub gives of the real one.
 *
 * Invariant: no privileged instruction is executed; every feature bit and every
 * MSR value comes from struct ksplit_info or from this thread's own writes. An
 * MSR that neither knows does not exist (-EIO), so KVM does not offer it.
 */
#define pr_fmt(fmt) "libkvm: " fmt

#include <linux/cache.h>
#include <linux/cpumask.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <asm/cpufeature.h>
#include <asm/cpuid.h>
#include <asm/desc.h>
#include <asm/hardirq.h>
#include <asm/hw_irq.h>
#include <asm/msr.h>
#include <asm/paravirt.h>
#include <asm/processor.h>
#include <asm/smp.h>
#include <asm/tlbflush.h>
#include <asm/tsc.h>
#include <asm/vmx.h>

#include "backend.h"
#include "libkvm.h"

static struct ksplit_info info __ro_after_init;

struct cpuinfo_x86 boot_cpu_data __ro_after_init;
EXPORT_SYMBOL(boot_cpu_data);
DEFINE_PER_CPU_READ_MOSTLY(struct cpuinfo_x86, cpu_info);
DEFINE_PER_CPU_ALIGNED(irq_cpustat_t, irq_stat);
DEFINE_PER_CPU(struct split_cpu_regs, split_cpu_regs);

const struct ksplit_info *ksplit_info(void)
{
	return &info;
}

/* --------------------------------------------------------------- MSRs -- */

const u32 split_run_msr[KSPLIT_NR_RUN_MSRS] = {
	[KSPLIT_MSR_KERNEL_GS_BASE]	= MSR_KERNEL_GS_BASE,
	[KSPLIT_MSR_STAR]		= MSR_STAR,
	[KSPLIT_MSR_LSTAR]		= MSR_LSTAR,
	[KSPLIT_MSR_CSTAR]		= MSR_CSTAR,
	[KSPLIT_MSR_SYSCALL_MASK]	= MSR_SYSCALL_MASK,
	[KSPLIT_MSR_TSC_AUX]		= MSR_TSC_AUX,
	[KSPLIT_MSR_SPEC_CTRL]		= MSR_IA32_SPEC_CTRL,
};

static int run_msr_slot(u32 msr)
{
	int i;

	switch (msr) {
	case MSR_TSC_AUX:
		if (!boot_cpu_has(X86_FEATURE_RDTSCP) &&
		    !boot_cpu_has(X86_FEATURE_RDPID))
			return -1;
		break;
	case MSR_IA32_SPEC_CTRL:
		if (!boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL))
			return -1;
		break;
	}
	for (i = 0; i < KSPLIT_NR_RUN_MSRS; i++)
		if (split_run_msr[i] == msr)
			return i;
	return -1;
}

/*
 * MSRs whose guest values live in the VMCS or in KVM itself. The host's values
 * are the stub's business and read 0: KVM only asks whether the MSR exists, or
 * stores it in a host-state field that the stub ignores.
 */
static bool host_state_msr(u32 msr)
{
	switch (msr) {
	case MSR_IA32_SYSENTER_CS:
	case MSR_IA32_SYSENTER_ESP:
	case MSR_IA32_SYSENTER_EIP:
	case MSR_IA32_TSC:
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_IA32_DEBUGCTLMSR:
		return true;
	case MSR_IA32_XSS:
		return boot_cpu_has(X86_FEATURE_XSAVES);
	}
	return false;
}

static int msr_read(u32 msr, u64 *ret_value)
{
	int i = run_msr_slot(msr);

	*ret_value = 0;
	/* Not among the MSRs that a run switches: a guest cannot have it. */
	if (msr == MSR_IA32_TSX_CTRL)
		return -EIO;
	if (i >= 0) {
		*ret_value = raw_cpu_ptr(&split_cpu_regs)->msr[i];
		return 0;
	}
	if (msr >= MSR_IA32_VMX_BASIC &&
	    msr < MSR_IA32_VMX_BASIC + KSPLIT_NR_VMX_MSRS) {
		*ret_value = info.vmx_msr[msr - MSR_IA32_VMX_BASIC];
		/* KVM allocates and clears that much; struct ksplit_vmcs needs it. */
		if (msr == MSR_IA32_VMX_BASIC) {
			*ret_value &= ~(0x1fffULL << 32);
			*ret_value |= (u64)PAGE_SIZE << 32;
		}
		return 0;
	}
	for (i = 0; i < info.nr_msrs; i++) {
		if (info.msr[i].index != msr)
			continue;
		*ret_value = info.msr[i].value;
		if (msr == MSR_IA32_ARCH_CAPABILITIES)
			*ret_value &= ~(u64)ARCH_CAP_TSX_CTRL_MSR;
		return 0;
	}
	return host_state_msr(msr) ? 0 : -EIO;
}

/* Whether WRMSR takes a value; for others a guest gets #GP (SDM vol. 4). */
static bool run_msr_takes(u32 msr, u64 value)
{
	switch (msr) {
	case MSR_KERNEL_GS_BASE:
	case MSR_LSTAR:
	case MSR_CSTAR:
		return __is_canonical_address(value, info.virt_bits);
	case MSR_SYSCALL_MASK:
	case MSR_TSC_AUX:
		return !(value >> 32);
	default:
		return true;
	}
}

static int msr_write(u32 msr, u64 value)
{
	int i = run_msr_slot(msr);
	u64 old;

	if (!run_msr_takes(msr, value))
		return -EIO;
	if (i >= 0) {
		/* What the CPU would answer with #GP, as kvm_spec_ctrl_test_value() asks. */
		if (msr == MSR_IA32_SPEC_CTRL && value & ~info.spec_ctrl)
			return -EIO;
		raw_cpu_ptr(&split_cpu_regs)->msr[i] = value;
		return 0;
	}
	switch (msr) {
	case MSR_IA32_PRED_CMD:
		/* A guest's wish that is emulated: carried out by the next run. */
		raw_cpu_ptr(&split_cpu_regs)->barrier = 1;
		return 0;
	case MSR_IA32_DEBUGCTLMSR:
		/* The stub restores the host's after each exit. */
		return 0;
	}
	/* KVM's way to see whether an MSR can be written, EFER above all. */
	return msr_read(msr, &old) || old != value ? -EIO : 0;
}

static u64 pv_read_msr(unsigned int msr)
{
	u64 value;

	if (msr_read(msr, &value))
		pr_warn_once("read of unknown MSR 0x%x\n", msr);
	return value;
}

static u64 pv_read_msr_safe(unsigned int msr, int *err)
{
	u64 value;

	*err = msr_read(msr, &value);
	return value;
}

static void pv_write_msr(unsigned int msr, unsigned int low, unsigned int high)
{
	if (msr_write(msr, (u64)high << 32 | low))
		pr_warn_once("write of unknown MSR 0x%x\n", msr);
}

static int pv_write_msr_safe(unsigned int msr, unsigned int low,
			     unsigned int high)
{
	return msr_write(msr, (u64)high << 32 | low);
}

static u64 pv_read_pmc(int counter)
{
	/* No PMU (enable_pmu=0): nobody has a counter number to ask with. */
	pr_warn_once("RDPMC of counter %d\n", counter);
	return 0;
}

/* -------------------------------------------- control, debug registers -- */

/*
 * Control registers as the host has them while KVM runs. KVM puts them in
 * host-state fields, which the stub ignores, and compares them with themselves.
 */
#define HOST_CR0	(X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | \
			 X86_CR0_WP | X86_CR0_AM | X86_CR0_PG)

DEFINE_PER_CPU(unsigned long, split_cr4);

static unsigned long pv_read_cr0(void)
{
	return HOST_CR0;
}

static void pv_write_cr0(unsigned long cr0)
{
	pr_warn_once("write of CR0\n");
}

static unsigned long pv_read_cr3(void)
{
	return 0;
}

static void pv_write_cr4(unsigned long cr4)
{
	raw_cpu_write(split_cr4, cr4);
}

unsigned long cr4_read_shadow(void)
{
	return raw_cpu_read(split_cr4);
}

void cr4_update_irqsoff(unsigned long set, unsigned long clear)
{
	raw_cpu_write(split_cr4, (raw_cpu_read(split_cr4) & ~clear) | set);
}

unsigned long __get_current_cr3_fast(void)
{
	return 0;
}

static unsigned long pv_get_debugreg(int regno)
{
	return raw_cpu_ptr(&split_cpu_regs)->dr[regno & 7];
}

static void pv_set_debugreg(int regno, unsigned long value)
{
	raw_cpu_ptr(&split_cpu_regs)->dr[regno & 7] = value;
}

/* -------------------------------------------------------------- CPUID -- */

/* Whether the stub accepts a bit of CR4 in a VMCS. */
static bool cr4_allowed(unsigned long bit)
{
	return info.vmx_msr[MSR_IA32_VMX_CR4_FIXED1 - MSR_IA32_VMX_BASIC] & bit;
}

/*
 * CPUID is not privileged; what differs from the hardware's answer is what the
 * stub's kernel decides: VMX for us, 5-level paging, and the physical address
 * width.
 */
static void pv_cpuid(unsigned int *eax, unsigned int *ebx, unsigned int *ecx,
		     unsigned int *edx)
{
	unsigned int leaf = *eax, index = *ecx;

	native_cpuid(eax, ebx, ecx, edx);
	switch (leaf) {
	case 1:
		*ecx &= ~BIT(5);
		if (boot_cpu_has(X86_FEATURE_VMX))
			*ecx |= BIT(5);
		break;
	case 7:
		/* KVM offers LA57 if the CPU has it. */
		if (!index && !cr4_allowed(X86_CR4_LA57))
			*ecx &= ~BIT(X86_FEATURE_LA57 % 32);
		break;
	case 0x80000008:
		*eax = (*eax & ~0xffffu) | info.virt_bits << 8 | info.phys_bits;
		break;
	}
}

static void pv_wbinvd(void)
{
	/* The guest's caches are coherent: no device is assigned to it. */
}

static void pv_nothing(void)
{
}

/* --------------------------------------------------------- interrupts -- */

/* personality/irq.S: they clobber no register but RAX. */
extern char ksplit_save_fl[], ksplit_irq_disable[], ksplit_irq_enable[];

/* What the unpatched alternatives of the irq operations would be replaced by. */
void BUG_func(void)
{
	BUG();
}

struct paravirt_patch_template pv_ops __ro_after_init = {
	.cpu.io_delay		= pv_nothing,
	.cpu.get_debugreg	= pv_get_debugreg,
	.cpu.set_debugreg	= pv_set_debugreg,
	.cpu.read_cr0		= pv_read_cr0,
	.cpu.write_cr0		= pv_write_cr0,
	.cpu.write_cr4		= pv_write_cr4,
	.cpu.wbinvd		= pv_wbinvd,
	.cpu.cpuid		= pv_cpuid,
	.cpu.read_msr		= pv_read_msr,
	.cpu.write_msr		= pv_write_msr,
	.cpu.read_msr_safe	= pv_read_msr_safe,
	.cpu.write_msr_safe	= pv_write_msr_safe,
	.cpu.read_pmc		= pv_read_pmc,

	.irq.save_fl		= __PV_IS_CALLEE_SAVE(ksplit_save_fl),
	.irq.irq_disable	= __PV_IS_CALLEE_SAVE(ksplit_irq_disable),
	.irq.irq_enable		= __PV_IS_CALLEE_SAVE(ksplit_irq_enable),

	.mmu.read_cr3		= pv_read_cr3,
	.mmu.lazy_mode		= {
		.enter		= pv_nothing,
		.leave		= pv_nothing,
		.flush		= pv_nothing,
	},
};

/* ------------------------------------------------------------- set-up -- */

/*
 * Features that the worker cannot switch for a guest, whatever the CPU has. The
 * stub's synthetic capability MSRs agree (docs/vmcs-policy.md).
 */
static const u16 not_switched[] = {
	X86_FEATURE_XFD,
	X86_FEATURE_AMX_TILE,
	X86_FEATURE_AMX_INT8,
	X86_FEATURE_AMX_BF16,
	X86_FEATURE_FRED,
	X86_FEATURE_SGX,
	X86_FEATURE_SGX_LC,
	X86_FEATURE_FLUSH_L1D,
	X86_FEATURE_BUS_LOCK_DETECT,
};

/* Features that a guest enables in CR4, which the host's kernel may not use. */
static const struct {
	unsigned long cr4;
	u16 feature;
} cr4_features[] = {
	{ X86_CR4_UMIP, X86_FEATURE_UMIP },
	{ X86_CR4_LA57, X86_FEATURE_LA57 },
	{ X86_CR4_FSGSBASE, X86_FEATURE_FSGSBASE },
	{ X86_CR4_PCIDE, X86_FEATURE_PCID },
	{ X86_CR4_OSXSAVE, X86_FEATURE_XSAVE },
	{ X86_CR4_SMEP, X86_FEATURE_SMEP },
	{ X86_CR4_SMAP, X86_FEATURE_SMAP },
	{ X86_CR4_PKE, X86_FEATURE_PKU },
	{ X86_CR4_CET, X86_FEATURE_SHSTK },
	{ X86_CR4_CET, X86_FEATURE_IBT },
	{ X86_CR4_LAM_SUP, X86_FEATURE_LAM },
};

/* Allowed to be 1 in a capability MSR. */
#define IO_BITMAPS	((u64)CPU_BASED_USE_IO_BITMAPS << 32)

/**
 * ksplit_cpu_init() - fill boot_cpu_data from the stub's description
 * @i: the description
 *
 * Runs before per-CPU data exist: writes their image. Returns 0, or -EPROTO if
 * the kernel has another feature-word layout than this build.
 */
int ksplit_cpu_init(const struct ksplit_info *i)
{
	struct cpuinfo_x86 *c = &boot_cpu_data;
	int n;

	if (i->abi_version != KSPLIT_ABI_VERSION ||
	    i->nr_cpu_words != NCAPINTS + NBUGINTS ||
	    i->nr_bug_words != NBUGINTS || i->nr_msrs > KSPLIT_NR_HOST_MSRS)
		return -EPROTO;

	info = *i;
	if (!cr4_allowed(X86_CR4_LA57))
		info.virt_bits = min(info.virt_bits, 48u);
	/*
	 * I/O bitmaps are L1's alone: KVM reads them itself, and asks the CPU for
	 * an exit at each I/O instruction of L2's.
	 */
	info.vmx_msr[MSR_IA32_VMX_PROCBASED_CTLS - MSR_IA32_VMX_BASIC] |= IO_BITMAPS;
	info.vmx_msr[MSR_IA32_VMX_TRUE_PROCBASED_CTLS - MSR_IA32_VMX_BASIC] |= IO_BITMAPS;
	for (n = 0; n < NCAPINTS + NBUGINTS; n++)
		c->x86_capability[n] = i->cpu_word[n];
	for (n = 0; n < ARRAY_SIZE(not_switched); n++)
		__clear_bit(not_switched[n], (unsigned long *)c->x86_capability);
	for (n = 0; n < ARRAY_SIZE(cr4_features); n++)
		if (!cr4_allowed(cr4_features[n].cr4))
			__clear_bit(cr4_features[n].feature, (unsigned long *)c->x86_capability);

	/*
	 * What KVM takes for an EPT misconfiguration was a violation, of which no
	 * processor says how long the instruction is: KVM is not to believe the VMCS.
	 */
	__set_bit(X86_FEATURE_HYPERVISOR, (unsigned long *)c->x86_capability);

	c->x86_vendor = i->vendor;
	c->x86 = i->family;
	c->x86_model = i->model;
	c->x86_stepping = i->stepping;
	c->x86_phys_bits = i->phys_bits;
	c->x86_virt_bits = info.virt_bits;
	c->x86_cache_bits = i->cache_bits;
	c->x86_power = i->x86_power;
	c->x86_clflush_size = 64;
	c->cpuid_level = cpuid_eax(0);
	c->extended_cpuid_level = cpuid_eax(0x80000000);
	c->initialized = 1;
	tsc_khz = i->tsc_khz;
	if (i->tsc_unstable)
		mark_tsc_unstable("on the host");

	/* Per-CPU copies are made from the image later. */
	*(struct cpuinfo_x86 *)(__force void *)&cpu_info = *c;
	return 0;
}
