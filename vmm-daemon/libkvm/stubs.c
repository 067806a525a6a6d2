// SPDX-License-Identifier: GPL-2.0-only
/*
 * Documented stand-ins: kernel symbols that KVM references and that have no
 * meaning in a worker.
 *
 * Invariant: each says why its answer is the truth here; nothing that the guest
 * or the client could observe is pretended. What is not named here or in the
 * personality ends the process by its name when it is reached (missing.h).
 */
#include <linux/cpu.h>
#include <linux/fs.h>
#include <linux/jump_label.h>
#include <linux/kernel.h>
#include <linux/kallsyms.h>
#include <linux/mm.h>
#include <linux/msi.h>
#include <linux/percpu.h>
#include <linux/perf_event.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/sched/smt.h>
#include <linux/syscore_ops.h>
#include <linux/trace_events.h>
#include <linux/user-return-notifier.h>
#include <asm/apic.h>
#include <asm/cpu_entry_area.h>
#include <asm/cpu.h>
#include <asm/desc.h>
#include <asm/e820/api.h>
#include <asm/intel_pt.h>
#include <asm/mce.h>
#include <asm/memtype.h>
#include <asm/nospec-branch.h>
#include <asm/perf_event.h>
#include <asm/processor.h>
#include <asm/reboot.h>
#include <asm/smp.h>
#include <asm/sync_core.h>
#include <asm/tlbflush.h>
#include <asm/topology.h>
#include <asm/tsc.h>
#include <asm/vmx.h>

#include "personality/personality.h"
#include "cpu_host.h"
#include "libkvm.h"

/* -------------------------------------------------- a kernel that runs -- */

/* Nobody halts or restarts the kernel that a worker is. */
enum system_states system_state = SYSTEM_RUNNING;

/* Static keys are plain variables without JUMP_LABEL: usable from the start. */
bool static_key_initialized = true;

void register_syscore(struct syscore *syscore)
{
	/* Suspend and shutdown of the host are seen by the stub. */
}

void unregister_syscore(struct syscore *syscore)
{
}

/* The emergency exit from VMX operation is the stub's. */
void cpu_emergency_register_virt_callback(cpu_emergency_virt_cb *callback)
{
}

void cpu_emergency_unregister_virt_callback(cpu_emergency_virt_cb *callback)
{
}

/*
 * A thread returns to user mode only as the stub leaves run(), which restores
 * the host's MSRs by itself: what the notifier would do is done.
 */
void user_return_notifier_register(struct user_return_notifier *urn)
{
}

void user_return_notifier_unregister(struct user_return_notifier *urn)
{
}

/* ------------------------------------------------------ host processor -- */

/*
 * Host segment, descriptor and entry-stack addresses. KVM stores them in
 * host-state fields, which never leave the worker.
 */
DEFINE_PER_CPU(unsigned long, cpu_dr7);
DEFINE_PER_CPU(bool, __tss_limit_invalid);
DEFINE_PER_CPU_PAGE_ALIGNED(struct gdt_page, gdt_page);
DEFINE_PER_CPU_FIRST(struct fixed_percpu_data, fixed_percpu_data);
DEFINE_PER_CPU_READ_MOSTLY(u32, x86_cpu_to_apicid);
/* Where the host's VM exits land, which is not here. */
char vmx_vmexit[1];

struct cpu_entry_area *get_cpu_entry_area(int cpu)
{
	return NULL;
}

void load_fixmap_gdt(int cpu)
{
}

void current_save_fsgs(void)
{
}

void hw_breakpoint_restore(void)
{
	/* The stub restores the host's debug registers. */
}

/* KVM sends one IPI only, the notification of posted interrupts; the vector is the stub's. */
static void send_notification(const struct cpumask *mask, int vector)
{
	ksplit_notify_cpu(cpumask_first(mask));
}
DEFINE_STATIC_CALL(apic_call_send_IPI_mask, send_notification);

/* A device's interrupts are posted to a vCPU that sleeps, which no worker has. */
void kvm_set_posted_intr_wakeup_handler(void (*handler)(void))
{
}

/* ---------------------------------------------------------- speculation -- */

/*
 * Barriers around guest mode are the stub's, as in-tree KVM's on this host; the
 * values below only keep KVM from issuing its own, and make it tell a guest
 * hypervisor the truth about what is done below it.
 */
DEFINE_PER_CPU(u64, x86_spec_ctrl_current);
DEFINE_PER_CPU(bool, x86_ibpb_exit_to_user);
u64 x86_pred_cmd = PRED_CMD_IBPB;
DEFINE_STATIC_KEY_FALSE(mmio_stale_data_clear);
DEFINE_STATIC_KEY_FALSE(sched_smt_present);
/* L1D is flushed on entry where the CPU needs it: ARCH_CAP_SKIP_VMENTRY_L1DFLUSH. */
enum l1tf_mitigations l1tf_mitigation = L1TF_MITIGATION_FLUSH;
enum vmx_l1d_flush_state l1tf_vmx_mitigation = VMENTER_L1D_FLUSH_AUTO;
/* The stub never maps an executable huge page on an affected CPU. */
bool itlb_multihit_kvm_mitigation;

bool cpu_mitigations_off(void)
{
	return false;
}

/* Not known for sure: GDS_NO is then not promised to the guest. */
bool gds_ucode_mitigated(void)
{
	return false;
}

static bool smt_possible = true;

void ksplit_no_smt(void)
{
	smt_possible = false;
}

bool cpu_smt_possible(void)
{
	return smt_possible;
}

/* ------------------------------------------------- memory types, e820 -- */

bool pat_enabled(void)
{
	return true;
}

bool pat_pfn_immune_to_uc_mtrr(unsigned long pfn)
{
	return false;
}

/*
 * Windows and arena are memory to KVM; whether the owner's page is a device's,
 * and then uncached, is decided by the stub from the owner's mapping.
 */
bool e820__mapped_raw_any(u64 start, u64 end, enum e820_type type)
{
	return true;
}

/* --------------------------------------------------------- perf, PT, LBR -- */

/*
 * The host's performance monitoring is out of a worker's reach, so a guest has
 * no PMU (enable_pmu=0), no PT and no LBR.
 */
void perf_get_x86_pmu_capability(struct x86_pmu_capability *cap)
{
	memset(cap, 0, sizeof(*cap));
}

struct perf_guest_switch_msr *perf_guest_get_msrs(int *nr, void *data)
{
	*nr = 0;
	return NULL;
}

void x86_perf_get_lbr(struct x86_pmu_lbr *lbr)
{
	memset(lbr, 0, sizeof(*lbr));
}

u64 perf_get_hw_event_config(int hw_event)
{
	return 0;
}

void intel_pt_handle_vmx(int on)
{
}

u32 intel_pt_validate_hw_cap(enum pt_capabilities cap)
{
	return 0;
}

u32 intel_pt_validate_cap(u32 *caps, enum pt_capabilities cap)
{
	return 0;
}

/* -------------------------------------------- formats of vsprintf, none -- */

const struct trace_print_flags pageflag_names[] = { { 0, NULL } };
const struct trace_print_flags vmaflag_names[] = { { 0, NULL } };
const struct trace_print_flags gfpflag_names[] = { { 0, NULL } };

/* Only %p's hash key waits for it. */
int execute_with_initialized_rng(struct notifier_block *nb)
{
	return nb->notifier_call(nb, 0, NULL);
}

/* Kernel symbols are not looked up: addresses are what a log gets. */
int sprint_symbol(char *buffer, unsigned long address)
{
	return sprintf(buffer, "0x%lx", address);
}

int sprint_symbol_no_offset(char *buffer, unsigned long address)
{
	return sprint_symbol(buffer, address);
}

int sprint_symbol_build_id(char *buffer, unsigned long address)
{
	return sprint_symbol(buffer, address);
}

int sprint_backtrace(char *buffer, unsigned long address)
{
	return sprint_symbol(buffer, address);
}

int sprint_backtrace_build_id(char *buffer, unsigned long address)
{
	return sprint_symbol(buffer, address);
}

/* --------------------------------------------------------------- others -- */

void get_random_bytes(void *buf, size_t len)
{
	ksplit_host_random(buf, len);
}

/* As arch/x86/kernel/apic has it: the destination in an MSI's address. */
u32 x86_msi_msg_get_destid(struct msi_msg *msg, bool extid)
{
	u32 dest = msg->arch_addr_lo.destid_0_7;

	if (extid)
		dest |= msg->arch_addr_hi.destid_8_31 << 8;
	return dest;
}

/*
 * An #AC of split-lock detection is consumed by the stub; one that comes here
 * is the guest's own.
 */
bool handle_guest_split_lock(unsigned long ip)
{
	return false;
}

/*
 * A machine check during VM entry is handled by the host on the CPU that saw it,
 * before the exit is reported; KVM's own call comes after the fact.
 */
void do_machine_check(struct pt_regs *regs)
{
}

/* Guest memory has no struct page, so KVM's speculative look-ups find none. */
int get_user_pages_fast_only(unsigned long start, int nr_pages,
			     unsigned int gup_flags, struct page **pages)
{
	return 0;
}

DEFINE_STATIC_KEY_FALSE(hugetlb_optimize_vmemmap_key);
