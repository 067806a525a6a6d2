// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process that looks who a worker's client is.
 *
 * To read /proc of other users' processes takes CAP_SYS_PTRACE, and no Landlock, which
 * hides every process outside.  So kvm-split-policyd, which reads what everybody sends,
 * has neither that capability nor this process's view, but asks it for one worker at a
 * time.
 *
 * Invariant: what comes out is what the kernel says.  The worker is in the call of its
 * client's that it asks about, and a session that has the same client before and after
 * is the same client's all the time.
 */
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/confine.h"
#include "common/daemon.h"
#include "common/proc.h"
#include "filters.h"		/* made by mkfilters */
#include "policy/policyd/looker.h"

#define ORDERS_FD	3

const char *proc_dir = "/proc";

static int looker = -1;

static void look_at_exe(long client, char *ret, size_t size)
{
	char path[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%ld/exe", client);
	n = readlink(path, ret, size - 1);
	ret[n > 0 ? n : 0] = '\0';
}

/* The systemd unit of a control group: the last of its folders that has such a name. */
static void look_at_unit(long client, char *ret, size_t size)
{
	char group[4096], *name, *rest = group;

	*ret = '\0';
	if (proc_cgroup(client, group, sizeof(group)))
		return;
	while ((name = strsep(&rest, "/"))) {
		const char *dot = strrchr(name, '.');

		if (dot && (!strcmp(dot, ".service") || !strcmp(dot, ".scope")))
			snprintf(ret, size, "%s", name);
	}
}

static int look(long worker, struct looked *ret)
{
	struct holds before, after;

	if (proc_holds(worker, &before) || !before.sessions || before.tenant < 0 ||
	    before.client <= 0)
		return -ESRCH;
	ret->tenant = before.tenant;
	ret->client = before.client;
	ret->user = proc_value(worker, "status", "Uid");
	look_at_exe(before.client, ret->exe, sizeof(ret->exe));
	look_at_unit(before.client, ret->unit, sizeof(ret->unit));
	/* A client that has ended in between has no number. */
	if (proc_holds(worker, &after) || after.client != before.client)
		return -ESRCH;
	return ret->user < 0 ? -ESRCH : 0;
}

static void __attribute__((noreturn)) be_looker(int orders)
{
	struct looked l;
	sigset_t most;
	pid_t worker;

	prctl(PR_SET_NAME, "ksplit-looker");
	/* It ends when the service's end of the socket goes. */
	sigfillset(&most);
	sigdelset(&most, SIGSYS);
	sigprocmask(SIG_SETMASK, &most, NULL);
	if (dup2(orders, ORDERS_FD) < 0 || close_range(ORDERS_FD + 1, ~0U, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    confine_capabilities(1ull << CAP_SYS_PTRACE) < 0 || confine_report(NULL) < 0 ||
	    CONFINE(looker) < 0)
		die(EXIT_OS, "no sandbox: %s", strerror(errno));
	while (read(ORDERS_FD, &worker, sizeof(worker)) == sizeof(worker)) {
		memset(&l, 0, sizeof(l));
		l.error = look(worker, &l);
		if (write(ORDERS_FD, &l, sizeof(l)) != sizeof(l))
			break;
	}
	_exit(0);
}

/**
 * looker_start() - start the process that looks
 *
 * Context: as root, before rights are given up.
 */
void looker_start(void)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die(EXIT_OS, "socket: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		die(EXIT_OS, "fork: %s", strerror(errno));
	if (pid == 0)
		be_looker(pair[1]);
	close(pair[1]);
	looker = pair[0];
}

/**
 * looker_ask() - who is behind a worker
 * @worker:	process id
 * @ret:	gets it
 *
 * Context: waits for a few reads of /proc.  Ends the program if the looker is gone.
 * Return: 0, -ESRCH: that is no worker with a client.
 */
int looker_ask(pid_t worker, struct looked *ret)
{
	if (send(looker, &worker, sizeof(worker), MSG_NOSIGNAL) != sizeof(worker) ||
	    recv(looker, ret, sizeof(*ret), 0) != sizeof(*ret))
		die(EXIT_INTERNAL, "the process that looks at workers is gone");
	return ret->error;
}
