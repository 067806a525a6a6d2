// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processor: what VMX offers, and VMX operation on every CPU while there
 * is a VM.
 *
 * Invariant: a CPU is in VMX operation exactly while ksplit_cpu.on is set
 * there, and leaves it with every VMCS cleared, also when it goes offline, the
 * machine suspends, reboots or crashes.
 */
#include <linux/debugfs.h>
#include <linux/syscore_ops.h>

#include "vmx.h"

DEFINE_PER_CPU(struct ksplit_cpu, ksplit_cpu);
DEFINE_PER_CPU(struct ksplit_pcpu_stats, ksplit_stats);

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
	if (!VMX_INSN("vmxon %[pa]", [pa] "m" (pa)))
		return 0;
	cr4_clear_bits(X86_CR4_VMXE);
	return -EFAULT;
}

static void ksplit_vmxoff(void)
{
	VMX_INSN("vmxoff");
	cr4_clear_bits(X86_CR4_VMXE);
}

/**
 * ksplit_cpu_on - enters VMX operation on this CPU
 *
 * Context: interrupts off.
 * Return: 0, -EBUSY (another hypervisor has this CPU), -EFAULT.
 */
int ksplit_cpu_on(void)
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

/**
 * ksplit_cpu_off - leaves VMX operation on this CPU
 * @unused: for on_each_cpu()
 *
 * Context: interrupts off.
 */
void ksplit_cpu_off(void *unused)
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
	int r = -EIO;

	scoped_guard(irqsave)
		if (ksplit_cpu_compatible())
			r = ksplit_cpu_on();
	if (r)
		pr_err("kvm-split: no VMX as at boot on CPU %u: %d\n", cpu, r);
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
	register_syscore(&ksplit_syscore);
	debugfs_create_file("stats", 0444, debugfs_create_dir("kvm_split", NULL), NULL,
			    &ksplit_stats_fops);
	/* Where kvm-split-statfs mounts the workers' counters. */
	debugfs_create_dir("kvm", NULL);
	return 0;
}
late_initcall(ksplit_init);
