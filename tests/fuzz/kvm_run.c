// SPDX-License-Identifier: GPL-2.0-only
/*
 * pure/kvm_run.c, ksplit_kvm_run_valid(): what a worker puts in kvm_run.
 *
 * Property: a client that does with it what QEMU's kvm_cpu_exec() does, checking
 * nothing, stays inside of its mapping and of its structures, and meets no exit that
 * KVM on x86 does not have.
 */
#include "client.h"
#include "kvm_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* As a client maps it: kvm_run, PIO data, the ring, and nothing behind. */
	static struct kvm_run *run;
	struct input in = { data, size };

	if (!run)
		run = malloc(3 * 4096);
	HOLDS(run);
	memset(run, 0, 3 * 4096);
	run->exit_reason = take_number(&in, 4);
	/* The union that depends on it. */
	take(&in, &run->hw, offsetof(struct kvm_run, s) - offsetof(struct kvm_run, hw));
	if (ksplit_kvm_run_valid(run))
		client_uses(run);
	return 0;
}
