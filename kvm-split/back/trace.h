/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entries and exits, by the names and with the fields of in-tree KVM's events,
 * so that kvm_stat, perf kvm and trace-cmd find them. The thread is the
 * worker's; the VMCS is current.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm

#if !defined(KSPLIT_BACK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KSPLIT_BACK_TRACE_H

#include <linux/tracepoint.h>

#include "vmx.h"

TRACE_EVENT(kvm_entry,
	TP_PROTO(unsigned int vcpu_id, bool immediate_exit),
	TP_ARGS(vcpu_id, immediate_exit),

	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(unsigned long, rip)
		__field(bool, immediate_exit)
	),

	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->rip = vmx_read(GUEST_RIP);
		__entry->immediate_exit = immediate_exit;
	),

	TP_printk("vcpu %u, rip 0x%lx%s", __entry->vcpu_id, __entry->rip,
		  __entry->immediate_exit ? "[immediate exit]" : "")
);

TRACE_EVENT(kvm_exit,
	TP_PROTO(unsigned int vcpu_id, u32 exit_reason, u32 idt_info, u32 intr_info),
	TP_ARGS(vcpu_id, exit_reason, idt_info, intr_info),

	TP_STRUCT__entry(
		__field(unsigned int, exit_reason)
		__field(unsigned long, guest_rip)
		__field(u32, isa)
		__field(u64, info1)
		__field(u64, info2)
		__field(u32, intr_info)
		__field(u32, error_code)
		__field(unsigned int, vcpu_id)
	),

	TP_fast_assign(
		__entry->exit_reason = exit_reason;
		__entry->guest_rip = vmx_read(GUEST_RIP);
		__entry->isa = 1; /* VMX */
		__entry->info1 = vmx_read(EXIT_QUALIFICATION);
		__entry->info2 = idt_info;
		__entry->intr_info = intr_info;
		__entry->error_code = intr_info & INTR_INFO_DELIVER_CODE_MASK ?
				      vmx_read(VM_EXIT_INTR_ERROR_CODE) : 0;
		__entry->vcpu_id = vcpu_id;
	),

	TP_printk("vcpu %u reason %s%s rip 0x%lx info1 0x%016llx info2 0x%016llx intr_info 0x%08x error_code 0x%08x",
		  __entry->vcpu_id, __print_symbolic((u16)__entry->exit_reason, VMX_EXIT_REASONS),
		  __entry->exit_reason & VMX_EXIT_REASONS_FAILED_VMENTRY ? " FAILED_VMENTRY" : "",
		  __entry->guest_rip, __entry->info1, __entry->info2,
		  __entry->intr_info, __entry->error_code)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH ../../arch/x86/kvm-split/back
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
