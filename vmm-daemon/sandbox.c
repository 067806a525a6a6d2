// SPDX-License-Identifier: GPL-2.0-only
/*
 * The worker's sandbox.
 *
 * Invariant: after sandbox_enter() no thread of the worker can open a file,
 * start a program, signal another process, or map memory that is executable;
 * of ioctls it has the stub's only.  A call outside the list ends the worker
 * with a line that names the call.
 *
 * The list is of what libc, liburcu and the personality need once KVM has
 * started; each group has its reason.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <asm/prctl.h>

#include "daemon.h"
#include "ksplit_ops.h"
#include "worker.h"

#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY	(1024 + 3)	/* linux/fcntl.h, since 6.10 */
#endif

/* Descriptors: one for each vCPU, two for each virtio queue, with room. */
#define MAX_FILES	16384

static const int allowed[] = {
	/* locks */
	SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(membarrier),
	/* eventfds, and the log */
	SCMP_SYS(write), SCMP_SYS(preadv2), SCMP_SYS(poll), SCMP_SYS(close),
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_ctl),
	/* memory; mmap and mprotect have rules below */
	SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(brk),
	/* time; where the vDSO cannot tell it, too */
	SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_gettime),
	SCMP_SYS(restart_syscall),
	/* threads: their start and end; clone has a rule below */
	SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(gettid),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(sigaltstack),
	SCMP_SYS(exit), SCMP_SYS(exit_group),
	/* exceptions, and abort() */
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigaction), SCMP_SYS(getpid),
	/* KVM's random numbers */
	SCMP_SYS(getrandom),
};

/* What libc tries and can do without. */
static const struct {
	int call;
	int error;
} refused[] = {
	{ SCMP_SYS(clone3),	ENOSYS },	/* then clone, which can be filtered */
	{ SCMP_SYS(mremap),	ENOMEM },	/* then malloc, copy and free */
	{ SCMP_SYS(openat),	EACCES },	/* malloc: overcommit_memory */
};

/**
 * sandbox_close_others() - close every inherited descriptor but stdio and two
 * @keep1:	descriptor to keep
 * @keep2:	another, or -1
 */
void sandbox_close_others(int keep1, int keep2)
{
	int low = keep1 < keep2 ? keep1 : keep2;
	int high = keep1 < keep2 ? keep2 : keep1;

	if (low < 3)
		low = high;
	if (low > 3)
		close_range(3, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high < 3 ? 3 : high + 1, ~0U, 0);
}

static void limit(int resource, rlim_t max)
{
	struct rlimit r = { max, max }, now;

	if (!getrlimit(resource, &now) && now.rlim_max < max)
		r.rlim_cur = r.rlim_max = now.rlim_max;
	setrlimit(resource, &r);
}

static const char * const call_name[] = {
#include "call_names.h"		/* made from sys/syscall.h */
};

/* Signal context, and the last thing this process does. */
static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	int nr = info->si_syscall;
	const char *name = NULL;

	if (nr >= 0 && (size_t)nr < sizeof(call_name) / sizeof(call_name[0]))
		name = call_name[nr];

	logm(L_ERR, "sandbox: system call %d (%s) is not allowed", nr,
	     name ? name : "?");
	_exit(EXIT_INTERNAL);
}

static int add_rules(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp no_exec =
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	const struct scmp_arg_cmp stub_ioctl =
		SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, KSPLITIO << 8);
	const struct scmp_arg_cmp thread =
		SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_VM,
			CLONE_THREAD | CLONE_VM);
	const struct scmp_arg_cmp set_gs =
		SCMP_A0(SCMP_CMP_EQ, ARCH_SET_GS);
	const struct scmp_arg_cmp set_name =
		SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME);
	const struct scmp_arg_cmp same_file =
		SCMP_A1(SCMP_CMP_EQ, F_DUPFD_QUERY);
	const struct scmp_arg_cmp self =
		SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid());
	unsigned int i;
	int r = 0;

	for (i = 0; !r && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	for (i = 0; !r && i < sizeof(refused) / sizeof(refused[0]); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(refused[i].error),
				     refused[i].call, 0);
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				     stub_ioctl);
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     no_exec);
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				     no_exec);
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				     thread);
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(arch_prctl),
				     1, set_gs);
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				     set_name);
	/* two descriptors of one eventfd */
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				     same_file);
	/* abort() of its own */
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				     self);
	return r;
}

static int load_filter(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	int r = -ENOMEM;

	if (!ctx)
		goto out;
	/* Threads of the personality run already. */
	r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!r)
		r = add_rules(ctx);
	/* The one call of the path from VM exit to VM entry. */
	if (!r)
		r = seccomp_syscall_priority(ctx, SCMP_SYS(ioctl), 255);
	if (!r)
		r = seccomp_syscall_priority(ctx, SCMP_SYS(futex), 254);
	if (!r)
		r = seccomp_load(ctx);
out:
	seccomp_release(ctx);
	if (r)
		errno = -r;
	return r ? -1 : 0;
}

/**
 * sandbox_enter() - give up everything that serving does not need
 *
 * Context: once, after KVM has started; all threads are covered.
 * Return: 0, or -1 with errno.
 */
int sandbox_enter(void)
{
	struct sigaction act = {
		.sa_sigaction = on_sigsys,
		.sa_flags = SA_SIGINFO,
	};

	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, MAX_FILES);
	limit(RLIMIT_MSGQUEUE, 0);
	if (prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    sigaction(SIGSYS, &act, NULL) < 0)
		return -1;
	return load_filter();
}
