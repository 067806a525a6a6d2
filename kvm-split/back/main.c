// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processor: what VMX offers, and VMX operation on every CPU while there
 * is a VM.
 *
 * Invariant: a CPU is in VMX operation exactly while ksplit_cpu.on is set
 * there, and leaves it with every VMCS cleared, also when it goes offline, the
 * machine suspends, reboots or crashes.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/syscore_ops.h>

#include <asm/cpu_device_id.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/perf_event.h>
#include <asm/msr.h>
#include <asm/reboot.h>
#include <asm/tlbflush.h>

#include "vmx.h"

DEFINE_PER_CPU(struct ksplit_cpu, ksplit_cpu);
DEFINE_PER_CPU(struct ksplit_pcpu_stats, ksplit_stats);
struct ksplit_hw ksplit_hw __ro_after_init;
struct ksplit_info ksplit_info __ro_after_init;

u64 ksplit_host_xss __ro_after_init;

/* VMX is off for a reboot: its instructions fault, as vmenter.S knows, too. */
bool kvm_rebooting;

/**
 * vmx_failed - logs a VMREAD or VMWRITE that should not fail
 * @insn: which of them
 * @field: encoding
 */
void vmx_failed(const char *insn, unsigned long field)
{
	if (!kvm_rebooting)
		pr_err_ratelimited("kvm-split: %s failed: field %#lx\n", insn, field);
}

static DEFINE_MUTEX(ksplit_hw_lock);
static unsigned int ksplit_hw_users;

/* ------------------------------------------------- VMX operation -- */

static int ksplit_vmxon(u64 pa)
{
	cr4_set_bits(X86_CR4_VMXE);
	asm goto("1: vmxon %[pa]\n\t"
		 _ASM_EXTABLE(1b, %l[fault])
		 : : [pa] "m" (pa) : : fault);
	return 0;
fault:
	cr4_clear_bits(X86_CR4_VMXE);
	return -EFAULT;
}

static void ksplit_vmxoff(void)
{
	asm goto("1: vmxoff\n\t"
		 _ASM_EXTABLE(1b, %l[fault])
		 : : : "cc", "memory" : fault);
fault:
	cr4_clear_bits(X86_CR4_VMXE);
}

static int ksplit_cpu_on(void)
{
	struct ksplit_cpu *c = this_cpu_ptr(&ksplit_cpu);
	int r;

	if (c->on || kvm_rebooting)
		return 0;
	/* Another hypervisor has this CPU. */
	if (cr4_read_shadow() & X86_CR4_VMXE)
		return -EBUSY;
	intel_pt_handle_vmx(1);
	r = ksplit_vmxon(__pa(c->vmxon));
	if (r) {
		intel_pt_handle_vmx(0);
		return r;
	}
	c->on = true;
	for (unsigned int i = KSPLIT_MSR_STAR; i <= KSPLIT_MSR_TSC_AUX; i++)
		rdmsrl_safe(ksplit_syscall_msrs[i], &c->host_msr[i]);
	return 0;
}

static void ksplit_cpu_off(void *unused)
{
	struct ksplit_cpu *c = this_cpu_ptr(&ksplit_cpu);

	if (!c->on)
		return;
	ksplit_vmcs_clear_cpu();
	ksplit_vmxoff();
	intel_pt_handle_vmx(0);
	c->on = false;
}

static int ksplit_cpu_online(unsigned int cpu)
{
	int r;

	scoped_guard(irqsave)
		r = ksplit_cpu_on();
	if (r)
		pr_err("kvm-split: VMXON failed on CPU %u: %d\n", cpu, r);
	return r;
}

static int ksplit_cpu_offline(unsigned int cpu)
{
	guard(irqsave)();
	ksplit_cpu_off(NULL);
	return 0;
}

static int ksplit_suspend(void *data)
{
	ksplit_cpu_off(NULL);
	return 0;
}

static void ksplit_resume(void *data)
{
	if (ksplit_hw_users)
		WARN_ON(ksplit_cpu_on());
}

static void ksplit_shutdown(void *data)
{
	kvm_rebooting = true;
	on_each_cpu(ksplit_cpu_off, NULL, 1);
}

static const struct syscore_ops ksplit_syscore_ops = {
	.suspend = ksplit_suspend,
	.resume = ksplit_resume,
	.shutdown = ksplit_shutdown,
};

static struct syscore ksplit_syscore = {
	.ops = &ksplit_syscore_ops,
};

/* A crash or an emergency restart: INIT must not be blocked, VMCSs flushed. */
static void ksplit_emergency(void)
{
	struct ksplit_cpu *c = this_cpu_ptr(&ksplit_cpu);
	struct ksplit_hw_vmcs *v;

	kvm_rebooting = true;
	if (!c->on || !(__read_cr4() & X86_CR4_VMXE))
		return;
	list_for_each_entry(v, &c->loaded, loaded)
		vmx_clear_both(v);
	ksplit_vmxoff();
}

/**
 * ksplit_hw_get - enters VMX operation on every CPU for the first VM
 *
 * Context: may sleep.
 * Return: 0, -EBUSY if another hypervisor has a CPU, -EFAULT if VMXON faults.
 */
int ksplit_hw_get(void)
{
	int r;

	guard(mutex)(&ksplit_hw_lock);
	if (!ksplit_hw_users) {
		cpu_emergency_register_virt_callback(ksplit_emergency);
		r = cpuhp_setup_state(CPUHP_AP_KVM_ONLINE, "kvm-split:online",
				      ksplit_cpu_online, ksplit_cpu_offline);
		if (r) {
			cpu_emergency_unregister_virt_callback(ksplit_emergency);
			return r;
		}
	}
	ksplit_hw_users++;
	return 0;
}

/**
 * ksplit_hw_put - leaves VMX operation after the last VM
 *
 * Context: may sleep.
 */
void ksplit_hw_put(void)
{
	guard(mutex)(&ksplit_hw_lock);
	if (!--ksplit_hw_users) {
		cpuhp_remove_state(CPUHP_AP_KVM_ONLINE);
		cpu_emergency_unregister_virt_callback(ksplit_emergency);
	}
}

/* ---------------------------------------------- what is there -- */

static u64 __init ksplit_rdmsr(u32 msr)
{
	u64 value = 0;

	rdmsrl_safe(msr, &value);
	return value;
}

/*
 * Whether this CPU has a field: ask it, on a scratch VMCS.  Emulators read some that
 * they do not write.
 */
static bool __init ksplit_probe_field(const struct ksplit_field *field)
{
	unsigned long value = 0;

	return field->present && vmx_read_ok(field->encoding, &value) &&
	       (field->cls == KSPLIT_EXIT || vmx_write_ok(field->encoding, value));
}

/* Takes out of the supported fields what this CPU lacks: all, if VMX fails. */
static void __init ksplit_probe_cpu(void *region)
{
	bool works = !ksplit_cpu_on() && !vmx_clear(__pa(region)) && !vmx_ptrld(__pa(region));

	for (unsigned int slot = 0; slot < KSPLIT_NR_SLOTS; slot++)
		if (!works || !ksplit_probe_field(&ksplit_fields[slot]))
			__clear_bit(slot, (unsigned long *)ksplit_hw.supported);
	if (works)
		vmx_clear(__pa(region));
	ksplit_cpu_off(NULL);
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

/* MSRs that KVM's own set-up reads; the worker cannot. */
static const u32 ksplit_host_msrs[] __initconst = {
	MSR_EFER, MSR_IA32_CR_PAT, MSR_IA32_MISC_ENABLE, MSR_IA32_FEAT_CTL,
	MSR_IA32_ARCH_CAPABILITIES, MSR_IA32_CORE_CAPS, MSR_PLATFORM_INFO,
	MSR_IA32_UCODE_REV, MSR_IA32_TSX_CTRL,
	MSR_IA32_SYSENTER_CS, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK,
	MSR_TSC_AUX, MSR_IA32_XSS, MSR_MTRRcap, MSR_IA32_MCG_CAP,
};

static void __init ksplit_init_info(void)
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
	info->vendor = c->x86_vendor;
	info->family = c->x86;
	info->model = c->x86_model;
	info->stepping = c->x86_stepping;
	info->nr_cpu_words = NCAPINTS + NBUGINTS;
	info->nr_bug_words = NBUGINTS;
	memcpy(info->cpu_word, c->x86_capability, sizeof(c->x86_capability));
	memcpy(info->vmx_msr, ksplit_hw.synthetic, sizeof(info->vmx_msr));
	info->xcr0 = ksplit_hw.xcr0;
	info->xfeatures = ksplit_hw.xcr0;
	info->xstate_size = fpu_user_cfg.default_size;
	for (unsigned int i = 0; i < ARRAY_SIZE(ksplit_host_msrs); i++) {
		u64 value;

		if (rdmsrl_safe(ksplit_host_msrs[i], &value))
			continue;
		/* The kernel's entry points are not the worker's business. */
		if (ksplit_host_msrs[i] == MSR_LSTAR || ksplit_host_msrs[i] == MSR_CSTAR)
			value = 0;
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

static int __init ksplit_init_hw(void)
{
	struct ksplit_hw *hw = &ksplit_hw;
	u64 feat;
	int cpu, r;

	if (!boot_cpu_has(X86_FEATURE_VMX)) {
		pr_info("kvm-split: no VMX\n");
		return -EOPNOTSUPP;
	}
	feat = ksplit_rdmsr(MSR_IA32_FEAT_CTL);
	if (!(feat & FEAT_CTL_LOCKED) || !(feat & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX)) {
		pr_err("kvm-split: VMX disabled by the firmware\n");
		return -EOPNOTSUPP;
	}
	for (unsigned int i = 0; i < KSPLIT_NR_VMX_MSRS; i++)
		hw->msr[i] = ksplit_rdmsr(MSR_IA32_VMX_BASIC + i);
	rdmsrl_safe(MSR_IA32_XSS, &ksplit_host_xss);
	/* In SMM the host's counters stay frozen, whoever was interrupted. */
	hw->debugctl = ksplit_rdmsr(MSR_IA32_DEBUGCTLMSR) &
		       DEBUGCTLMSR_FREEZE_IN_SMM;
	ksplit_init_l1tf();
	hw->maxphyaddr = boot_cpu_data.x86_phys_bits;
	hw->virt_bits = boot_cpu_data.x86_virt_bits;
	if (boot_cpu_has(X86_FEATURE_OSXSAVE))
		hw->xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK) &
			   fpu_user_cfg.default_features;
	hw->efer_allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX;
	hw->has_tsc_aux = boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID);
	if (boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL)) {
		hw->spec_ctrl = SPEC_CTRL_IBRS | SPEC_CTRL_STIBP;
		if (boot_cpu_has(X86_FEATURE_SPEC_CTRL_SSBD))
			hw->spec_ctrl |= SPEC_CTRL_SSBD;
	}
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

/* -------------------------------------------------- statistics -- */

static const char * const ksplit_stat_names[] = {
#define X(name) #name,
	KSPLIT_STATS(X)
#undef X
};

static int ksplit_stats_show(struct seq_file *m, void *v)
{
	struct ksplit_pcpu_stats sum = { };
	int cpu;

	/* Nothing but counters. */
	for_each_possible_cpu(cpu)
		for (unsigned int i = 0; i < sizeof(sum) / sizeof(long); i++)
			((long *)&sum)[i] += ((long *)&per_cpu(ksplit_stats, cpu))[i];
	for (unsigned int i = 0; i < KSPLIT_NR_STATS; i++)
		seq_printf(m, "%s %ld\n", ksplit_stat_names[i], sum.n[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(sum.exits); i++)
		if (sum.exits[i])
			seq_printf(m, "exit_%u %lu\nexit_%u_ring0 %lu\n",
				   i, sum.exits[i], i, sum.exits_ring0[i]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(ksplit_stats);

static int __init ksplit_init(void)
{
	int r;

	r = ksplit_init_hw();
	if (r)
		return r == -EOPNOTSUPP ? 0 : r;
	ksplit_init_info();
	ksplit_vmcs_init_tables();
	r = ksplit_front_init();
	if (r)
		return r;
	register_syscore(&ksplit_syscore);
	debugfs_create_file("stats", 0444, debugfs_create_dir("kvm_split", NULL), NULL,
			    &ksplit_stats_fops);
	/* Where kvm-split-statfs mounts the workers' counters. */
	debugfs_create_dir("kvm", NULL);
	pr_info("kvm-split: ready, ABI %u\n", KSPLIT_ABI_VERSION);
	return 0;
}
late_initcall(ksplit_init);
