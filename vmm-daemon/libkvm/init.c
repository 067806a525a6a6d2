// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bringing libkvm up: a numbered script.
 *
 * Invariant: per-CPU data is not touched before step 3, and no step runs after
 * one that failed.
 */
#define pr_fmt(fmt) "libkvm: " fmt

#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/radix-tree.h>

#include "personality/personality.h"
#include "backend.h"
#include "cpu_host.h"
#include "libkvm.h"

const struct ksplit_ops *ksplit_ops;

extern initcall_entry_t __initcall_start[], __initcall_end[];
extern char __start_ro_after_init[], __end_ro_after_init[];

/* What a worker needs otherwise than a host. */
static const struct {
	const char *name, *value;
} params[] = {
	/* The stub chooses the size of real pages, and splits executable ones. */
	{ "nx_huge_pages", "never" },
	/* Polling here would take time from the client's own threads. */
	{ "halt_poll_ns", "0" },
	/* See stubs.c, perf. */
	{ "enable_pmu", "0" },
};

static int set_params(void)
{
	int i, r = 0;

	for (i = 0; i < ARRAY_SIZE(params) && !r; i++)
		r = ksplit_param_set(params[i].name, params[i].value);
	return r;
}

static int run_initcalls(void)
{
	initcall_entry_t *call;
	int r = 0;

	for (call = __initcall_start; call < __initcall_end && !r; call++)
		r = initcall_from_entry(call)();
	return r;
}

static int fail(const char *step, int r)
{
	pr_err("%s failed: %d\n", step, r);
	return r;
}

int ksplit_libkvm_init(const struct ksplit_ops *ops, unsigned int max_threads)
{
	struct ksplit_info info;
	int r;

	/* 1. The machine beneath. */
	ksplit_ops = ops;
	r = ops->get_info(&info);
	if (r)
		return fail("description of the processor", r);

	/* 2. The processor, as KVM will see it. */
	r = ksplit_cpu_init(&info);
	if (r)
		return fail("set-up of the processor's features", r);

	/* 3. CPUs, memory, time: the caller becomes CPU 0. */
	r = ksplit_personality_init(info.nr_cpus, max_threads, info.phys_bits);
	if (r)
		return fail("set-up of threads and memory", r);

	/* 4. Library code that a booting kernel initialises by name. */
	radix_tree_init();

	/* 5. KVM itself: parameters first, then vendor operations, then init. */
	r = set_params();
	if (r)
		return fail("setting a module parameter", r);
	split_vmx_setup();
	r = run_initcalls();
	if (r)
		return fail("KVM's initialisation", r);
	return 0;
}

void ksplit_libkvm_seal(void)
{
	ksplit_static_call_seal();
	ksplit_host_protect(__start_ro_after_init, __end_ro_after_init - __start_ro_after_init);
}
