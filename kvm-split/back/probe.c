// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the processor offers: found once, at boot.
 *
 * Invariant: nothing here changes afterwards; what a worker is told of the
 * processor is what the policy (pure/) leaves of it.
 */
#include <asm/cpu_device_id.h>
#include <asm/fpu/xcr.h>

#include "pure/values.h"
#include "vmx.h"

struct ksplit_hw ksplit_hw __ro_after_init;
struct ksplit_info ksplit_info __ro_after_init;
u64 ksplit_host_xss __ro_after_init;

static u64 ksplit_rdmsr(u32 msr)
{
	u64 value = 0;

	rdmsrl_safe(msr, &value);
	return value;
}

/* The capability MSRs of this CPU, without what it is known to get wrong. */
static void ksplit_read_caps(u64 *msr)
{
	const u64 timer = (u64)PIN_BASED_VMX_PREEMPTION_TIMER << 32;

	for (unsigned int i = 0; i < KSPLIT_NR_VMX_MSRS; i++)
		msr[i] = ksplit_rdmsr(MSR_IA32_VMX_BASIC + i);
	/*
	 * Xeon E3-1220 v2: the timer does not fire.  The other CPUs of
	 * vmx_preemption_cpu_tfms[] lack FSGSBASE, which a worker needs.
	 */
	if (boot_cpu_data.x86_vfm == INTEL_IVYBRIDGE && boot_cpu_data.x86_stepping == 8) {
		msr[KSPLIT_VMX_MSR(MSR_IA32_VMX_PINBASED_CTLS)] &= ~timer;
		msr[KSPLIT_VMX_MSR(MSR_IA32_VMX_TRUE_PINBASED_CTLS)] &= ~timer;
	}
}

/**
 * ksplit_cpu_compatible - whether this CPU can run what the CPUs at boot could
 *
 * As vmx_check_processor_compat(): the revision of a VMCS, and what the policy
 * makes of the capabilities.
 */
bool ksplit_cpu_compatible(void)
{
	struct ksplit_hw hw = ksplit_hw;

	ksplit_read_caps(hw.msr);
	return (u32)hw.msr[0] == (u32)ksplit_hw.msr[0] && !ksplit_caps_init(&hw) &&
	       !memcmp(hw.synthetic, ksplit_hw.synthetic, sizeof(hw.synthetic));
}

/*
 * Whether this CPU has a field: ask it, on a scratch VMCS.  Emulators read some that
 * they do not write.
 */
static bool __init ksplit_probe_field(const struct ksplit_field *field)
{
	unsigned long value = 0;

	return field->cls != KSPLIT_NEVER && vmx_read_ok(field->encoding, &value) &&
	       (field->cls == KSPLIT_EXIT || vmx_write_ok(field->encoding, value));
}

/*
 * Takes out of the supported fields what this CPU lacks, all if VMX fails, and of
 * SPEC_CTRL the bits that it refuses: a guest may set the others, as
 * kvm_spec_ctrl_test_value() lets it.
 */
static void __init ksplit_probe_cpu(void *region)
{
	u64 spec_ctrl = ksplit_rdmsr(MSR_IA32_SPEC_CTRL);
	bool works = !ksplit_cpu_on() && !vmx_clear(__pa(region)) && !vmx_ptrld(__pa(region));

	for (unsigned int slot = 0; slot < KSPLIT_NR_SLOTS; slot++)
		if (!works || !ksplit_probe_field(&ksplit_fields[slot]))
			__clear_bit(slot, (unsigned long *)ksplit_hw.supported);
	if (works)
		vmx_clear(__pa(region));
	ksplit_cpu_off(NULL);

	for (unsigned int i = 0; ksplit_hw.spec_ctrl && i < 64; i++)
		if (wrmsrl_safe(MSR_IA32_SPEC_CTRL, BIT_ULL(i)))
			ksplit_hw.spec_ctrl &= ~BIT_ULL(i);
	if (ksplit_hw.spec_ctrl)
		wrmsrl(MSR_IA32_SPEC_CTRL, spec_ctrl);
}

static int __init ksplit_probe_fields(void)
{
	struct vmcs_region *region;
	int cpu;

	region = (void *)get_zeroed_page(GFP_KERNEL);
	if (!region)
		return -ENOMEM;
	region->revision = (u32)ksplit_hw.msr[0];
	memset(ksplit_hw.supported, 0xff, sizeof(ksplit_hw.supported));
	for_each_online_cpu(cpu)
		smp_call_function_single(cpu, ksplit_probe_cpu, region, 1);
	free_page((unsigned long)region);
	return ksplit_slot_test(ksplit_hw.supported, KSPLIT_S_GUEST_RIP) ? 0 : -EIO;
}

/* MSRs whose values KVM's own set-up reads; the worker cannot. */
static const u32 ksplit_host_msrs[] __initconst = {
	MSR_EFER,
	MSR_IA32_CR_PAT,
	MSR_IA32_FEAT_CTL,
	MSR_IA32_ARCH_CAPABILITIES,
	MSR_IA32_UCODE_REV,
};

/**
 * ksplit_init_info - what KSPLIT_GET_INFO tells, out of ksplit_hw
 */
void __init ksplit_init_info(void)
{
	struct ksplit_info *info = &ksplit_info;
	struct cpuinfo_x86 *c = &boot_cpu_data;

	BUILD_BUG_ON(NCAPINTS + NBUGINTS > KSPLIT_NR_CPU_WORDS);
	BUILD_BUG_ON(ARRAY_SIZE(ksplit_host_msrs) > KSPLIT_NR_HOST_MSRS);

	info->abi_version = KSPLIT_ABI_VERSION;
	info->nr_cpus = num_online_cpus();
	info->phys_bits = c->x86_phys_bits;
	info->virt_bits = c->x86_virt_bits;
	info->cache_bits = c->x86_cache_bits;
	info->x86_power = c->x86_power;
	info->vendor = c->x86_vendor;
	info->family = c->x86;
	info->model = c->x86_model;
	info->stepping = c->x86_stepping;
	info->nr_cpu_words = NCAPINTS + NBUGINTS;
	info->nr_bug_words = NBUGINTS;
	memcpy(info->cpu_word, c->x86_capability, sizeof(c->x86_capability));
	memcpy(info->vmx_msr, ksplit_hw.synthetic, sizeof(info->vmx_msr));
	info->xcr0 = ksplit_hw.xcr0;
	info->spec_ctrl = ksplit_hw.spec_ctrl;
	info->xstate_size = fpu_user_cfg.default_size;
	for (unsigned int i = 0; i < ARRAY_SIZE(ksplit_host_msrs); i++) {
		u64 value;

		if (rdmsrl_safe(ksplit_host_msrs[i], &value))
			continue;
		info->msr[info->nr_msrs].index = ksplit_host_msrs[i];
		info->msr[info->nr_msrs++].value = value;
	}
}

/* What l1tf in sysfs reports, and ksplit_flush_l1d() does. */
static void __init ksplit_init_l1tf(void)
{
	u64 cap = ksplit_rdmsr(MSR_IA32_ARCH_CAPABILITIES);

	if (!boot_cpu_has_bug(X86_BUG_L1TF) ||
	    (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES) &&
	     cap & ARCH_CAP_SKIP_VMENTRY_L1DFLUSH)) {
		l1tf_vmx_mitigation = VMENTER_L1D_FLUSH_NOT_REQUIRED;
	} else if (boot_cpu_has(X86_FEATURE_FLUSH_L1D)) {
		l1tf_vmx_mitigation = VMENTER_L1D_FLUSH_COND;
	} else {
		pr_warn("kvm-split: no microcode to flush L1D: vulnerable to L1TF\n");
		l1tf_vmx_mitigation = VMENTER_L1D_FLUSH_NEVER;
	}
}

/**
 * ksplit_init_hw - finds out what this processor can do
 *
 * Return: 0, -EOPNOTSUPP (no VMX, or parts are missing), -ENOMEM, -EIO.
 */
int __init ksplit_init_hw(void)
{
	struct ksplit_hw *hw = &ksplit_hw;
	int cpu, r;

	if (!boot_cpu_has(X86_FEATURE_VMX) || !boot_cpu_has(X86_FEATURE_MSR_IA32_FEAT_CTL)) {
		pr_info("kvm-split: no VMX, or disabled by the firmware\n");
		return -EOPNOTSUPP;
	}
	ksplit_read_caps(hw->msr);
	rdmsrl_safe(MSR_IA32_XSS, &ksplit_host_xss);
	/* In SMM the host's counters stay frozen, whoever was interrupted. */
	hw->debugctl = ksplit_rdmsr(MSR_IA32_DEBUGCTLMSR) &
		       DEBUGCTLMSR_FREEZE_IN_SMM;
	ksplit_init_l1tf();
	hw->maxphyaddr = boot_cpu_data.x86_phys_bits;
	hw->virt_bits = boot_cpu_data.x86_virt_bits;
	if (boot_cpu_has(X86_FEATURE_OSXSAVE))
		hw->xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK) &
			   fpu_user_cfg.default_features & KSPLIT_XCR0_GUEST;
	hw->efer_allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX;
	hw->fast = IS_ENABLED(CONFIG_KVM_SPLIT_FAST);
	hw->has_tsc_aux = boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID);
	/* Until every CPU was asked: ksplit_probe_cpu(). */
	hw->spec_ctrl = boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL) ? ~0ull : 0;
	hw->cr4_allowed = X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE |
			  X86_CR4_PSE | X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE |
			  X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_VMXE |
			  /* And what the host's kernel knows and uses: SMEP, PKE and so on. */
			  cr4_read_shadow();

	for_each_possible_cpu(cpu) {
		struct ksplit_cpu *c = &per_cpu(ksplit_cpu, cpu);
		struct page *page;

		INIT_LIST_HEAD(&c->loaded);
		page = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);
		if (!page)
			return -ENOMEM;
		c->vmxon = page_address(page);
		c->vmxon->revision = (u32)hw->msr[0];
	}
	r = ksplit_probe_fields();
	if (!r)
		r = ksplit_caps_init(hw);
	if (r)
		pr_err("kvm-split: this CPU lacks EPT or other parts of VMX: %d\n", r);
	return r;
}
