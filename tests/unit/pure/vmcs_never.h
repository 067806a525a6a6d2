/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bits of a VMCS's control words that are always clear, and why, for
 * docs/vmcs-policy.md: as pure/vmcs_controls.h, which has all the others.
 *
 *	NEVER(word, bit, reason)
 */
NEVER(PROC, CPU_BASED_ACTIVATE_TERTIARY_CONTROLS, "physical tables")
NEVER(PROC, CPU_BASED_USE_IO_BITMAPS, "KVM reads those of L1 itself")

NEVER(PROC2, SECONDARY_EXEC_ENABLE_PML, "not in this version")
NEVER(PROC2, SECONDARY_EXEC_EPT_VIOLATION_VE, "writes physical memory")
NEVER(PROC2, SECONDARY_EXEC_PT_CONCEAL_VMX, "PT is not switched")
NEVER(PROC2, BIT(21), "PASID translation: physical tables")
NEVER(PROC2, SECONDARY_EXEC_MODE_BASED_EPT_EXEC, "not in this version")
NEVER(PROC2, BIT(23), "sub-page permissions: a physical table")
NEVER(PROC2, SECONDARY_EXEC_PT_USE_GPA, "PT is not switched")
NEVER(PROC2, SECONDARY_EXEC_ENABLE_USR_WAIT_PAUSE, "C-states")
NEVER(PROC2, BIT(27), "PCONFIG: host keys")

NEVER(EXIT, VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL, "the host's counters")
NEVER(EXIT, VM_EXIT_CLEAR_BNDCFGS, "never loaded")
NEVER(EXIT, VM_EXIT_PT_CONCEAL_PIP, "PT is not switched")
NEVER(EXIT, VM_EXIT_CLEAR_IA32_RTIT_CTL, "never loaded")
NEVER(EXIT, BIT(26), "clear LBR_CTL: never loaded")
NEVER(EXIT, BIT(27), "clear UINV: never loaded")
NEVER(EXIT, BIT(28), "load CET state: never loaded")
NEVER(EXIT, BIT(29), "load PKRS: never loaded")
NEVER(EXIT, BIT(30), "save PERF_GLOBAL_CTRL: never loaded")
NEVER(EXIT, BIT(31), "secondary exit controls: not in this version")

NEVER(ENTRY, VM_ENTRY_SMM, "the host's SMM")
NEVER(ENTRY, VM_ENTRY_DEACT_DUAL_MONITOR, "the host's SMM")
NEVER(ENTRY, VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL, "the host's counters")
NEVER(ENTRY, VM_ENTRY_LOAD_BNDCFGS, "not switched")
NEVER(ENTRY, VM_ENTRY_PT_CONCEAL_PIP, "PT is not switched")
NEVER(ENTRY, VM_ENTRY_LOAD_IA32_RTIT_CTL, "not switched")
NEVER(ENTRY, BIT(19), "load UINV: not switched")
NEVER(ENTRY, BIT(20), "load CET state: not switched")
NEVER(ENTRY, BIT(21), "load LBR_CTL: not switched")
NEVER(ENTRY, BIT(22), "load PKRS: not switched")
