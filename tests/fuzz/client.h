/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What QEMU's kvm_cpu_exec() does with a kvm_run, checking nothing.
 */
#ifndef TESTS_FUZZ_CLIENT_H
#define TESTS_FUZZ_CLIENT_H

#include "fuzz.h"
#include "env.h"

static u8 client_sink[2 * 4096];

/* kvm_handle_io() */
static inline void client_io(const struct kvm_run *run)
{
	const u8 *p = (const u8 *)run + run->io.data_offset;

	HOLDS(run->io.direction == KVM_EXIT_IO_IN || run->io.direction == KVM_EXIT_IO_OUT);
	HOLDS(run->io.size == 1 || run->io.size == 2 || run->io.size == 4);
	/* kvm_run itself is no data. */
	HOLDS(run->io.data_offset >= 4096);
	for (u32 i = 0; i < run->io.count; i++, p += run->io.size)
		memcpy(client_sink, p, run->io.size);
}

static inline void client_mmio(const struct kvm_run *run)
{
	u8 room[8];

	HOLDS(run->mmio.is_write <= 1);
	HOLDS(run->mmio.len <= sizeof(room));
	memcpy(room, run->mmio.data, run->mmio.len);
}

static inline void client_numbers(const __u64 *data, u32 n, u32 most)
{
	HOLDS(n <= most);
	memcpy(client_sink, data, n * sizeof(*data));
}

static inline void client_uses(const struct kvm_run *run)
{
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		client_io(run);
		break;
	case KVM_EXIT_MMIO:
		client_mmio(run);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		client_numbers(run->internal.data, run->internal.ndata, 16);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		client_numbers(run->system_event.data, run->system_event.ndata, 16);
		break;
	/* Of other architectures: S390, PPC, ARM, RISC-V, LoongArch; Xen's, which is off. */
	case KVM_EXIT_S390_SIEIC ... KVM_EXIT_DCR:
	case KVM_EXIT_OSI:
	case KVM_EXIT_PAPR_HCALL:
	case KVM_EXIT_S390_UCONTROL:
	case KVM_EXIT_WATCHDOG:
	case KVM_EXIT_S390_TSCH:
	case KVM_EXIT_EPR:
	case KVM_EXIT_S390_STSI:
	case KVM_EXIT_ARM_NISV:
	case KVM_EXIT_XEN:
	case KVM_EXIT_RISCV_SBI:
	case KVM_EXIT_RISCV_CSR:
		HOLDS(!"exit of another architecture");
	}
	/* None is later than this. */
	HOLDS(run->exit_reason <= KVM_EXIT_MEMORY_FAULT);
}

#endif /* TESTS_FUZZ_CLIENT_H */
