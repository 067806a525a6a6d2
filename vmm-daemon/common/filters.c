// SPDX-License-Identifier: GPL-2.0-only
/*
 * mkfilters: the daemons' seccomp filters, compiled by libseccomp while the
 * project is built.
 *
 *	mkfilters		C source: an array of struct sock_filter for each kind
 *	mkfilters --table	which system calls each kind may make
 *
 * At run time libseccomp's own work was a third of a worker's start.
 *
 * Threads share their memory, so a filter is no wall between them; what a
 * worker can do is the union of its kinds.  A filter for each keeps that union
 * small: what one kind needs, no thread of another kind has at its hands.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/array_size.h"
#include "../kvm-split/uapi/kvm_split.h"

#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY	(1024 + 3)	/* linux/fcntl.h, since 6.10 */
#endif

#define MAX_CALLS	15	/* of one kind; docs/threat-model.md */

/* What pthread_create() asks for, no more and no less. */
#define THREAD		(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND |	\
			 CLONE_THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

/* A system call, or one form of it: of @mask's bits in the argument, @value. */
struct rule {
	const char *name;
	int call;
	int arg;		/* -1: any arguments */
	__u64 mask, value;
	int error;		/* not 0: this instead of the call, or its end */
};

#define ANY(name)		{ #name, SCMP_SYS(name), -1, 0, 0, 0 }
#define ARG(name, n, value)	{ #name, SCMP_SYS(name), n, ~0ull, value, 0 }
#define BITS(name, n, mask, value) { #name, SCMP_SYS(name), n, mask, value, 0 }
#define STUB(cmd)		ARG(ioctl, 1, KSPLIT_##cmd)
#define REFUSED(name, error)	{ #name, SCMP_SYS(name), -1, 0, 0, error }

/* What every thread of a worker needs. */
#define COMMON									\
	/* WAIT, WAKE and WAIT_BITSET, private or not, by either clock */	\
	BITS(futex, 1, ~(__u64)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME | 1), 0),	\
	BITS(futex, 1, ~(__u64)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME),	\
	     FUTEX_WAIT_BITSET),						\
	/* eventfds, and the log */						\
	ANY(write),								\
	/* malloc, and the arena */						\
	ANY(brk), ANY(munmap), ARG(madvise, 2, MADV_REMOVE),			\
	/* VMs and eventfds end on any thread */				\
	ANY(close),								\
	/* time, where the vDSO cannot tell it */				\
	ANY(clock_gettime),							\
	/* exceptions; waits that a stop interrupted */				\
	ANY(rt_sigreturn), ANY(restart_syscall),				\
	ANY(exit_group),							\
	/* of any thread that guest memory or another vCPU is a matter of */	\
	STUB(KICK), STUB(WINDOW_FAULT), STUB(FAULT_IN), STUB(FLUSH),		\
	STUB(HWPOISON), STUB(COALESCE), STUB(VMCLEAR),				\
	/* what libc tries and can do without */				\
	REFUSED(clone3, ENOSYS),	/* clone can be filtered */		\
	REFUSED(set_robust_list, ENOSYS), /* there is no robust mutex */	\
	REFUSED(rt_sigprocmask, ENOSYS), /* no signal is ever blocked */	\
	REFUSED(mremap, ENOMEM),	/* malloc, copy, free */		\
	REFUSED(openat, EACCES)		/* malloc: overcommit_memory */

/* Memory for malloc and stacks, and windows; a mapping is never replaced. */
#define MAP_BITS	(MAP_FIXED | MAP_GROWSDOWN | MAP_LOCKED | MAP_HUGETLB)

static const struct rule session[] = {
	COMMON,
	STUB(SERVE), STUB(NEXT), STUB(COPY), STUB(EVENTFD), STUB(IOEVENTFD), STUB(OBJECT),
	STUB(DIRTY),
	{ "mmap", SCMP_SYS(mmap), -2, 0, 0, 0 },	/* see add_rule() */
	/* the client's eventfds: watch, look whether two are the same, read */
	ANY(epoll_ctl), ARG(fcntl, 1, F_DUPFD_QUERY), ANY(preadv2),
	{ 0 }
};

/*
 * vCPUs' threads, and the thread that starts them: a filter of the starter's is
 * the new thread's, too, and a second one on top would cost each exit 70
 * instructions.
 */
static const struct rule vcpu[] = {
	STUB(RUN),
	COMMON,
	STUB(FILL), STUB(BLOCK), STUB(FPU_GET), STUB(FPU_SET), STUB(DIRTY), STUB(NEXT), STUB(COPY),
	ANY(sched_yield),
	ARG(clone, 0, THREAD), ARG(prctl, 0, PR_SET_NAME), ANY(exit),
	/* no memory for malloc but by brk; stacks are there already */
	{ "mmap", SCMP_SYS(mmap), 2, PROT_EXEC, 0, ENOMEM },
	{ 0 }
};

/* Timers, grace periods, irqfds. */
static const struct rule service[] = {
	COMMON,
	ARG(membarrier, 0, MEMBARRIER_CMD_PRIVATE_EXPEDITED),
	ANY(epoll_wait), ANY(epoll_ctl), ANY(preadv2),
	{ "mmap", SCMP_SYS(mmap), 2, PROT_EXEC, 0, ENOMEM },
	{ 0 }
};

static const struct rule supervisor[] = {
	ANY(poll), ANY(read), ANY(write), ANY(close), ARG(socketpair, 0, AF_UNIX), ANY(sendmsg),
	ARG(kill, 1, SIGKILL), ANY(wait4), ANY(clock_gettime),
	ANY(rt_sigreturn), ANY(restart_syscall), ANY(exit_group),
	{ 0 }
};

/* The supervisor's process that asks the policy service. */
static const struct rule asker[] = {
	ANY(poll), ARG(socket, 0, AF_UNIX), ANY(connect), ANY(sendto), ANY(recvfrom), ANY(close),
	/* the log */
	ANY(write), ANY(clock_gettime),
	/* malloc */
	ANY(brk), ANY(munmap), { "mmap", SCMP_SYS(mmap), -2, 0, 0, 0 }, REFUSED(mremap, ENOMEM),
	ANY(rt_sigreturn), ANY(restart_syscall), ANY(exit_group),
	{ 0 }
};

/* The policy service's process that reads /proc. */
static const struct rule looker[] = {
	ANY(read), ANY(write), ANY(openat), ANY(newfstatat), ANY(getdents64), ANY(readlink),
	ANY(readlinkat), ANY(close), ANY(lseek),
	/* malloc */
	ANY(brk), ANY(munmap), { "mmap", SCMP_SYS(mmap), -2, 0, 0, 0 }, REFUSED(mremap, ENOMEM),
	ANY(rt_sigreturn), ANY(exit_group),
	{ 0 }
};

/*
 * What the launcher must not do: not what it may, since the user database (NSS)
 * has modules that do whatever it takes to look a name up.
 */
static const struct rule launcher[] = {
	/* start programs and processes: its starter does */
	ANY(execve), ANY(execveat), ANY(fork), ANY(vfork), BITS(clone, 0, CLONE_THREAD, 0),
	REFUSED(clone3, ENOSYS),
	/* others' memory and descriptors */
	ANY(ptrace), ANY(process_vm_readv), ANY(process_vm_writev), ANY(process_madvise),
	ANY(pidfd_getfd), ANY(kcmp), ANY(userfaultfd), ANY(perf_event_open),
	/* users, namespaces, file systems */
	ANY(setuid), ANY(setgid), ANY(setreuid), ANY(setregid), ANY(setresuid), ANY(setresgid),
	ANY(setfsuid), ANY(setfsgid), ANY(setgroups), ANY(unshare), ANY(setns), ANY(chroot),
	ANY(pivot_root), ANY(mount), ANY(umount2), ANY(move_mount), ANY(open_tree), ANY(fsopen),
	ANY(fsconfig), ANY(fsmount), ANY(fspick), ANY(mount_setattr), ANY(mknod), ANY(mknodat),
	ANY(open_by_handle_at), ANY(swapon), ANY(swapoff), ANY(quotactl), ANY(fanotify_init),
	/* the kernel and the machine */
	ANY(init_module), ANY(finit_module), ANY(delete_module), ANY(kexec_load),
	ANY(kexec_file_load), ANY(bpf), ANY(io_uring_setup), ANY(keyctl), ANY(add_key),
	ANY(request_key), ANY(reboot), ANY(iopl), ANY(ioperm), ANY(modify_ldt), ANY(personality),
	ANY(settimeofday), ANY(clock_settime), ANY(adjtimex), ANY(clock_adjtime), ANY(acct),
	ANY(sethostname), ANY(setdomainname), ANY(syslog), ANY(vhangup), ANY(setrlimit),
	{ 0 }
};

static const struct kind {
	const char *name;
	const struct rule *rules;
	int deny;		/* the rules are what is not allowed */
} kinds[] = {
	{ "session", session, 0 },
	{ "vcpu", vcpu, 0 },
	{ "service", service, 0 },
	{ "supervisor", supervisor, 0 },
	{ "asker", asker, 0 },
	{ "looker", looker, 0 },
	{ "launcher", launcher, 1 },
};

static void __attribute__((noreturn)) fail(const char *what, int error)
{
	fprintf(stderr, "mkfilters: %s: %s\n", what, strerror(error));
	exit(1);
}

static int add_rule(scmp_filter_ctx ctx, const struct rule *r, int deny)
{
	__u32 action = r->error ? SCMP_ACT_ERRNO(r->error) : deny ? SCMP_ACT_TRAP : SCMP_ACT_ALLOW;

	if (r->arg == -1)
		return seccomp_rule_add(ctx, action, r->call, 0);
	if (r->arg == -2)
		return seccomp_rule_add(ctx, action, r->call, 2,
					SCMP_A2(SCMP_CMP_MASKED_EQ, ~(__u64)(PROT_READ | PROT_WRITE), 0),
					SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_BITS, 0));
	return seccomp_rule_add(ctx, action, r->call, 1,
				SCMP_CMP(r->arg, SCMP_CMP_MASKED_EQ, r->mask, r->value));
}

static scmp_filter_ctx compile(const struct kind *kind)
{
	scmp_filter_ctx ctx = seccomp_init(kind->deny ? SCMP_ACT_ALLOW : SCMP_ACT_TRAP);
	const struct rule *r;
	int e;

	if (!ctx)
		fail(kind->name, ENOMEM);
	e = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	for (r = kind->rules; !e && r->name; r++)
		e = add_rule(ctx, r, kind->deny);
	/* The one call of the path from VM exit to VM entry. */
	if (!e && !kind->deny)
		e = seccomp_syscall_priority(ctx, SCMP_SYS(ioctl), 255);
	if (!e && !kind->deny)
		e = seccomp_syscall_priority(ctx, SCMP_SYS(futex), 254);
	if (e)
		fail(kind->name, -e);
	return ctx;
}

/* How many rules of this name come before r. */
static int seen(const struct rule *rules, const struct rule *r)
{
	int n = 0;

	for (; rules < r; rules++)
		n += !rules->error && !strcmp(rules->name, r->name);
	return n;
}

static int count_calls(const struct kind *kind)
{
	const struct rule *r;
	int n = 0;

	for (r = kind->rules; r->name; r++)
		n += !r->error && !seen(kind->rules, r);
	return n;
}

static void print_table(const struct kind *kind)
{
	const struct rule *r, *other;

	printf("%-10s %2d%s:", kind->name, count_calls(kind), kind->deny ? " refused" : "");
	for (r = kind->rules; r->name; r++) {
		int forms = 1;

		if (r->error || seen(kind->rules, r))
			continue;
		for (other = r + 1; other->name; other++)
			forms += !other->error && !strcmp(other->name, r->name);
		printf(" %s", r->name);
		if (r->arg != -1)
			printf("(%d)", forms);
	}
	printf("\n");
}

static void print_source(const struct kind *kind)
{
	/*
	 * Looking at an argument first keeps the kernel from working out, 900
	 * times, what the filter says to each call whatever its arguments are: six
	 * times the cost of the rest of its loading.
	 */
	struct sock_filter insn = BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					   offsetof(struct seccomp_data, args[0]));
	scmp_filter_ctx ctx = compile(kind);
	FILE *f = tmpfile();
	int e;

	if (!f)
		fail("temporary file", errno);
	e = seccomp_export_bpf(ctx, fileno(f));
	if (e)
		fail(kind->name, -e);
	rewind(f);
	printf("static const struct sock_filter filter_%s[] = {\n", kind->name);
	do {
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", insn.code, insn.jt, insn.jf, insn.k);
	} while (fread(&insn, sizeof(insn), 1, f) == 1);
	printf("};\n");
	fclose(f);
	seccomp_release(ctx);
}

int main(int argc, char **argv)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!kinds[i].deny && count_calls(&kinds[i]) > MAX_CALLS) {
			print_table(&kinds[i]);
			fail("too many system calls", E2BIG);
		}
		if (argc > 1 && !strcmp(argv[1], "--table"))
			print_table(&kinds[i]);
		else
			print_source(&kinds[i]);
	}
	return 0;
}
