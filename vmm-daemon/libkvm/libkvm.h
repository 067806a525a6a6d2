/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libkvm as its users see it: the worker and the tests. Plain C types; compiles
 * in kernel-side and in host-side files.
 */
#ifndef KSPLIT_LIBKVM_H
#define KSPLIT_LIBKVM_H

#include "seam/ksplit_ops.h"

/**
 * ksplit_libkvm_init() - bring up upstream KVM on a table of operations
 * @ops: the machine beneath; stays in use until the process ends
 * @max_threads: most threads that may run kernel code at one time, 0: all that
 *	the build allows
 *
 * Makes the process a kernel and the caller its CPU 0, reads the processor's
 * description, sets the module parameters and runs KVM's initcalls. The misc
 * device "kvm" is registered afterwards. To be called once, after
 * ksplit_trap_init().
 *
 * Returns 0 or a negative errno, with a line in the log that says which step
 * failed.
 */
int ksplit_libkvm_init(const struct ksplit_ops *ops, unsigned int max_threads);

/**
 * ksplit_libkvm_seal() - no more writable code from here on
 *
 * Static-call trampolines become read-only for good. Call it before guest code
 * runs; a later change of a static call ends the process.
 */
void ksplit_libkvm_seal(void);

/**
 * ksplit_hide_feature() - offer a CPU feature to no client
 * @bit: its number in asm/cpufeatures.h, that is word * 32 + bit
 *
 * Features that depend on it go with it. To be called before
 * ksplit_libkvm_init(). Returns 0 or -EINVAL.
 */
int ksplit_hide_feature(unsigned int bit);

/**
 * ksplit_no_smt() - the host's CPUs will never share a core
 *
 * Otherwise they may. To be called before clients are served.
 */
void ksplit_no_smt(void);

/** ksplit_info() - the processor as the machine described it at the start */
const struct ksplit_info *ksplit_info(void);

/**
 * ksplit_param_set() - set a module parameter of KVM
 * @name: as in /sys/module/kvm{,_intel}/parameters
 * @value: as it would be written there
 *
 * Returns 0, -ENOENT for an unknown name, or what the parameter says. Takes
 * effect only before ksplit_libkvm_init() runs the initcalls.
 */
int ksplit_param_set(const char *name, const char *value);

/**
 * ksplit_param_get() - read a module parameter
 * @name: as above
 * @buf: gets the value, a newline and a NUL
 * @size: of @buf, at least a page
 *
 * Returns the length or a negative errno.
 */
int ksplit_param_get(const char *name, char *buf, unsigned long size);

#endif /* KSPLIT_LIBKVM_H */
