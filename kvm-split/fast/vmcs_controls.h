/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Of pure/vmcs_controls.h, what CONFIG_KVM_SPLIT_FAST adds: APIC virtualization.
 */
CTL(PIN, PIN_BASED_POSTED_INTR, FAST, "the descriptor is the worker's, pinned; the vector the stub's")
CTL(PROC, CPU_BASED_TPR_SHADOW, FAST, "the page is the worker's, pinned")
CTL(PROC2, SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES, FAST, "the page is the stub's, one of a VM")
CTL(PROC2, SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE, FAST, "opens the MSR bitmap for x2APIC MSRs")
CTL(PROC2, SECONDARY_EXEC_APIC_REGISTER_VIRT, FAST, "in the virtual-APIC page")
CTL(PROC2, SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY, FAST, "in the virtual-APIC page")
