// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a worker comes to be, by way of the supervisor's starter.
 *
 * Invariant: a worker is a user of its own, in namespaces of its own, without a
 * capability in any.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/daemon.h"
#include "supervisor/supervisor.h"

#define MAX_THREADS	320	/* of one worker: KVM there has 256 CPUs */

struct order {
	long long uid;		/* of the worker, -1: the supervisor's */
};

/* For the child, which shares the starter's memory up to exec. */
static struct {
	const struct supervisor *s;
	long long uid;
	int ready;
	pid_t pid;
} child;

/* kvm-vmm's command line, in static memory. */
static char **worker_args(void)
{
	static char tenant_fd[16], supervisor_fd[16], number[16];
	static char *args[7 + MAX_PASSED + 1] = {
		"kvm-vmm", "--tenant-fd", tenant_fd, "--supervisor-fd", supervisor_fd,
		"--number", number
	};

	snprintf(tenant_fd, sizeof(tenant_fd), "%d", child.s->tenant);
	snprintf(supervisor_fd, sizeof(supervisor_fd), "%d", child.ready);
	snprintf(number, sizeof(number), "%d", child.pid);
	memcpy(args + 7, child.s->for_worker, sizeof(child.s->for_worker));
	return args;
}

/*
 * One user, one worker, in a user namespace that has no user: no capability in
 * any other, and none in its own after exec().
 */
static int become_user(uid_t uid)
{
	struct rlimit threads = { MAX_THREADS, MAX_THREADS };

	return setrlimit(RLIMIT_NPROC, &threads) < 0 || setresgid(uid, uid, uid) < 0 ||
	       setresuid(uid, uid, uid) < 0 || unshare(CLONE_NEWUSER) < 0 ? -1 : 0;
}

static int become_worker(void *unused)
{
	/* No restartable sequences: one system call less in each thread. */
	static char *env[] = { "GLIBC_TUNABLES=glibc.pthread.rseq=0", NULL };
	char **args = worker_args();

	unblock_signals();
	fcntl(child.s->tenant, F_SETFD, 0);
	fcntl(child.ready, F_SETFD, 0);
	if (child.uid < 0)
		execve(child.s->worker, args, env);
	else if (become_user(child.uid) == 0)
		syscall(SYS_execveat, child.s->program, "", args, env, AT_EMPTY_PATH);
	logm(L_ERR, "worker %d: %s: %s", child.pid, child.s->worker, strerror(errno));
	_exit(EXIT_OS);
}

static pid_t spawn(const void *order, int fd)
{
	static char stack[64 * 1024] __attribute__((aligned(16)));
	int flags = CLONE_PARENT | CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | SIGCHLD;
	pid_t pid;

	/* The network namespace is the tenant's: empty, and dear to make. */
	if (child.s->uid_first >= 0)
		flags |= CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS;
	child.uid = ((const struct order *)order)->uid;
	child.ready = fd;
	pid = clone(become_worker, stack + sizeof(stack), flags, NULL, &child.pid);
	return pid < 0 ? -errno : pid;
}

/**
 * start_starter() - start the process that starts workers
 * @s:		the supervisor
 * @ret:	out
 */
void start_starter(const struct supervisor *s, struct starter *ret)
{
	child.s = s;
	starter_start(ret, "kvm-vmmd-start", sizeof(struct order), spawn);
}

/**
 * order_worker() - have a worker started
 * @s:		the supervisor
 * @uid:	the worker's user, -1: the supervisor's
 * @ready:	its end of the socket over which it asks
 *
 * Return: its process id, or a negative errno.
 */
pid_t order_worker(const struct supervisor *s, long long uid, int ready)
{
	struct order order = { .uid = uid };

	return starter_order(&s->starter, &order, ready);
}
