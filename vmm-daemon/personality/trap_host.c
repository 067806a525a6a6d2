// SPDX-License-Identifier: GPL-2.0-only
/*
 * The worker's own exceptions: window pages that are not there yet, kernel
 * code's exception tables, WARN and BUG.
 *
 * Invariant: the handler takes no lock and allocates nothing; it runs on the
 * faulting thread, and the kernel restores that thread's FPU state when it
 * returns.  An exception that nothing explains ends the worker.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "ksplit_log.h"
#include "ksplit_ops.h"
#include "ksplit_uaccess.h"
#include "ksplit_window.h"

/* AVX-512 and AMX state make signal frames of up to 12 KiB. */
#define ALT_STACK	(64 * 1024)

#define PF_WRITE	2
#define TRAP_PF		14

/* mcontext's register names in machine order. */
static const int greg_of[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static __thread void *alt_stack;

static char *put_hex(char *p, unsigned long v)
{
	int shift = 60;

	while (shift && !(v >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*p++ = "0123456789abcdef"[(v >> shift) & 15];
	return p;
}

static void die(int sig, const struct ksplit_trap *trap)
{
	extern const char __executable_start[];
	char text[160], *p = text;

	p = stpcpy(p, "exception ");
	p = put_hex(p, trap->trapnr);
	p = stpcpy(p, " at image+0x");
	p = put_hex(p, trap->ip - (unsigned long)__executable_start);
	p = stpcpy(p, ", address 0x");
	p = put_hex(p, trap->addr);
	p = stpcpy(p, ", rsp 0x");
	p = put_hex(p, trap->reg[4]);
	*p = '\0';
	ksplit_log(KSPLIT_LOG_EMERG, text);
	/* Back to the instruction, which now ends the process. */
	signal(sig, SIG_DFL);
}

/* Return: 1 if the access can be repeated. */
static int window_fault(unsigned long addr, int write)
{
	int vm = ksplit_window_find(addr);
	struct ksplit_fault fault = {
		.addr = addr,
		.write = write,
	};
	int r;

	if (vm < 0)
		return 0;
	if (!ksplit_may_sleep_in_fault())
		fault.flags = KSPLIT_FAULT_NOWAIT;
	r = ksplit_ops->window_fault(vm, &fault);
	if (r == -EAGAIN && !fault.flags) {
		sched_yield();
		return 1;
	}
	return r == 0 || r == -EINTR;
}

static void on_trap(int sig, siginfo_t *info, void *context)
{
	greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;
	struct ksplit_trap trap = {
		.ip = gregs[REG_RIP],
		.trapnr = gregs[REG_TRAPNO],
		.addr = gregs[REG_CR2],
	};
	int saved = errno, i;

	if (trap.trapnr == TRAP_PF &&
	    window_fault(trap.addr, !!(gregs[REG_ERR] & PF_WRITE)))
		goto out;

	for (i = 0; i < 16; i++)
		trap.reg[i] = gregs[greg_of[i]];

	if (sig == SIGILL) {
		switch (ksplit_report_bug(trap.ip)) {
		case KSPLIT_BUG_WARN:
			gregs[REG_RIP] += 2;	/* behind UD2 */
			goto out;
		case KSPLIT_BUG_BUG:
			die(sig, &trap);
			goto out;
		}
	}

	if (!ksplit_fixup_exception(&trap)) {
		die(sig, &trap);
		goto out;
	}
	for (i = 0; i < 16; i++)
		gregs[greg_of[i]] = trap.reg[i];
	gregs[REG_RIP] = trap.ip;
out:
	errno = saved;
}

/**
 * ksplit_trap_thread_init() - give the calling thread a stack for its handlers
 *
 * Needed once in each thread that runs kernel code.
 *
 * Return: 0, -ENOMEM.
 */
int ksplit_trap_thread_init(void)
{
	stack_t stack = { .ss_size = ALT_STACK };

	if (alt_stack)
		return 0;
	stack.ss_sp = mmap(NULL, ALT_STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack.ss_sp == MAP_FAILED)
		return -ENOMEM;
	if (sigaltstack(&stack, NULL) < 0) {
		munmap(stack.ss_sp, ALT_STACK);
		return -errno;
	}
	alt_stack = stack.ss_sp;
	return 0;
}

/**
 * ksplit_trap_thread_exit() - undo ksplit_trap_thread_init()
 */
void ksplit_trap_thread_exit(void)
{
	stack_t stack = { .ss_flags = SS_DISABLE };

	if (!alt_stack)
		return;
	sigaltstack(&stack, NULL);
	munmap(alt_stack, ALT_STACK);
	alt_stack = NULL;
}

/**
 * ksplit_trap_init() - take over the worker's exceptions
 *
 * Context: once, on the first thread, before kernel code runs.
 * Return: 0 or a negative errno.
 */
int ksplit_trap_init(void)
{
	/* SIGFPE: the emulator divides and runs x87 for the guest. */
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };
	struct sigaction act = {
		.sa_sigaction = on_trap,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};
	unsigned int i;
	int r;

	r = ksplit_extable_init();
	if (r < 0)
		return r;
	sigemptyset(&act.sa_mask);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], &act, NULL) < 0)
			return -errno;
	return ksplit_trap_thread_init();
}
