// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process's own exceptions: guest memory that is not there yet, kernel
 * code's exception tables, WARN and BUG.
 *
 * Invariant: the handler takes no lock and allocates nothing; it runs on the
 * faulting thread, and the kernel restores that thread's FPU state when it
 * returns.  An exception that nothing explains ends the process.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "common/array_size.h"
#include "ksplit_log.h"
#include "ksplit_uaccess.h"

#define PF_WRITE	2
#define TRAP_PF		14

/* mcontext's register names in machine order. */
static const int greg_of[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static char *put_hex(char *p, unsigned long v)
{
	int shift = 60;

	while (shift && !(v >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*p++ = "0123456789abcdef"[(v >> shift) & 15];
	return p;
}

static void __attribute__((noreturn)) unexplained(const struct ksplit_trap *trap)
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
	ksplit_abort(text);
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
	    ksplit_guest_fault(trap.addr, !!(gregs[REG_ERR] & PF_WRITE)))
		goto out;

	for (i = 0; i < 16; i++)
		trap.reg[i] = gregs[greg_of[i]];

	if (sig == SIGILL) {
		switch (ksplit_report_bug(trap.ip)) {
		case KSPLIT_BUG_WARN:
			gregs[REG_RIP] += 2;	/* behind UD2 */
			goto out;
		case KSPLIT_BUG_BUG:
			unexplained(&trap);
		}
	}

	if (!ksplit_fixup_exception(&trap)) {
		/* Of memory that is charged as it is touched; see mm_host.c. */
		if (sig == SIGBUS && info->si_code == BUS_ADRERR)
			ksplit_abort("no memory left: the host's commit limit");
		unexplained(&trap);
	}
	for (i = 0; i < 16; i++)
		gregs[greg_of[i]] = trap.reg[i];
	gregs[REG_RIP] = trap.ip;
out:
	errno = saved;
}

/**
 * ksplit_trap_init() - take over the process's exceptions
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
		.sa_flags = SA_SIGINFO,
	};
	unsigned int i;
	int r;

	r = ksplit_extable_init();
	if (r < 0)
		return r;
	sigemptyset(&act.sa_mask);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigaction(signals[i], &act, NULL) < 0)
			return -errno;
	return 0;
}
