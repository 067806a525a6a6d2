/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bits of a VMCS's control words that are not simply clear:
 *
 *	CTL(word, bit, decision, reason)
 *
 * Words are of enum ksplit_ctl, decisions of enum ksplit_decision.  The names
 * of bits are the kernel's; BIT(n) is one that it has no name for.  The reasons
 * are for docs/vmcs-policy.md.  Every other bit is clear unless the CPU demands
 * it; tests/unit/pure/vmcs_never.h says why.  The includer defines CTL; this
 * file is included more than once.
 */
CTL(PIN, PIN_BASED_EXT_INTR_MASK, MUST, "the host's interrupts")
CTL(PIN, PIN_BASED_NMI_EXITING, MUST, "the host's NMIs")
CTL(PIN, PIN_BASED_VIRTUAL_NMIS, MUST, "else a guest blocks the host's")
CTL(PIN, PIN_BASED_VMX_PREEMPTION_TIMER, FORCE, "kicks, deadlines")

CTL(PROC, CPU_BASED_INTR_WINDOW_EXITING, MAY, "guest only")
CTL(PROC, CPU_BASED_USE_TSC_OFFSETTING, MAY, "guest only")
CTL(PROC, CPU_BASED_HLT_EXITING, MUST, "an idle guest gives its CPU back")
CTL(PROC, CPU_BASED_INVLPG_EXITING, MAY, "guest only")
CTL(PROC, CPU_BASED_MWAIT_EXITING, MUST, "the host's C-states")
CTL(PROC, CPU_BASED_RDPMC_EXITING, MUST, "the host's counters")
CTL(PROC, CPU_BASED_RDTSC_EXITING, MAY, "guest only")
CTL(PROC, CPU_BASED_CR3_LOAD_EXITING, MAY, "guest only")
CTL(PROC, CPU_BASED_CR3_STORE_EXITING, MAY, "guest only")
CTL(PROC, CPU_BASED_CR8_LOAD_EXITING, MAY, "set without TPR shadow: CR8 is the host's TPR")
CTL(PROC, CPU_BASED_CR8_STORE_EXITING, MAY, "set without TPR shadow: CR8 is the host's TPR")
CTL(PROC, CPU_BASED_NMI_WINDOW_EXITING, MAY, "guest only")
CTL(PROC, CPU_BASED_MOV_DR_EXITING, MAY, "set unless the run switches DR0-DR3")
CTL(PROC, CPU_BASED_UNCOND_IO_EXITING, MUST, "KVM uses no bitmaps")
CTL(PROC, CPU_BASED_MONITOR_TRAP_FLAG, MAY, "guest only")
CTL(PROC, CPU_BASED_USE_MSR_BITMAPS, MUST, "the bitmap is the stub's")
CTL(PROC, CPU_BASED_MONITOR_EXITING, MUST, "as MWAIT")
CTL(PROC, CPU_BASED_PAUSE_EXITING, MAY, "guest only")
CTL(PROC, CPU_BASED_ACTIVATE_SECONDARY_CONTROLS, MUST, "EPT, VPID")

CTL(PROC2, SECONDARY_EXEC_ENABLE_EPT, MUST, "the pointer is the stub's")
CTL(PROC2, SECONDARY_EXEC_DESC, MAY, "guest only")
CTL(PROC2, SECONDARY_EXEC_ENABLE_RDTSCP, MAY, "guest only")
CTL(PROC2, SECONDARY_EXEC_ENABLE_VPID, MUST, "the number is the stub's")
CTL(PROC2, SECONDARY_EXEC_WBINVD_EXITING, MUST, "the host's caches")
CTL(PROC2, SECONDARY_EXEC_UNRESTRICTED_GUEST, MAY, "the CPU must have it")
CTL(PROC2, SECONDARY_EXEC_PAUSE_LOOP_EXITING, MAY, "guest only")
CTL(PROC2, SECONDARY_EXEC_RDRAND_EXITING, MAY, "guest only")
CTL(PROC2, SECONDARY_EXEC_ENABLE_INVPCID, MAY, "guest only")
CTL(PROC2, SECONDARY_EXEC_ENABLE_VMFUNC, MAY, "no function is enabled")
CTL(PROC2, SECONDARY_EXEC_SHADOW_VMCS, MAY, "all but values is the stub's")
CTL(PROC2, SECONDARY_EXEC_ENCLS_EXITING, FORCE, "native enclaves")
CTL(PROC2, SECONDARY_EXEC_RDSEED_EXITING, MAY, "guest only")
CTL(PROC2, SECONDARY_EXEC_ENABLE_XSAVES, MAY, "guest XSS is 0")
CTL(PROC2, SECONDARY_EXEC_TSC_SCALING, MAY, "guest only")
CTL(PROC2, BIT(28), FORCE, "ENCLV exiting: native enclaves")
CTL(PROC2, SECONDARY_EXEC_BUS_LOCK_DETECTION, MAY, "guest only")
CTL(PROC2, SECONDARY_EXEC_NOTIFY_VM_EXITING, MAY, "guest only, as its window")

CTL(EXIT, VM_EXIT_SAVE_DEBUG_CONTROLS, MUST, "the guest's DR7, DEBUGCTL")
CTL(EXIT, VM_EXIT_HOST_ADDR_SPACE_SIZE, MUST, "the host is 64-bit")
CTL(EXIT, VM_EXIT_ACK_INTR_ON_EXIT, SHOWN, "the stub's: set with posted interrupts, which want it")
CTL(EXIT, VM_EXIT_SAVE_IA32_PAT, MUST, "the guest's")
CTL(EXIT, VM_EXIT_LOAD_IA32_PAT, MUST, "the host's comes back")
CTL(EXIT, VM_EXIT_SAVE_IA32_EFER, MUST, "the guest's")
CTL(EXIT, VM_EXIT_LOAD_IA32_EFER, MUST, "the host's comes back")
CTL(EXIT, VM_EXIT_SAVE_VMX_PREEMPTION_TIMER, SHOWN, "for L1; deadlines are absolute")

CTL(ENTRY, VM_ENTRY_LOAD_DEBUG_CONTROLS, MUST, "the guest's DR7, DEBUGCTL")
CTL(ENTRY, VM_ENTRY_IA32E_MODE, MAY, "the CPU compares it with EFER, CR0")
CTL(ENTRY, VM_ENTRY_LOAD_IA32_PAT, MUST, "the guest's")
CTL(ENTRY, VM_ENTRY_LOAD_IA32_EFER, MUST, "the guest's")

#include "../fast/vmcs_controls.h"
