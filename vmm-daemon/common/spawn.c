// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that starts children; signals; paths of programs.
 *
 * A child inherits its parent's seccomp filter.  The launcher's would forbid its
 * children what they have to do, and a second filter would cost a worker 70
 * instructions at each exit of its guest.  So both have a starter, made before the
 * filter is loaded.
 *
 * Invariants: the starter takes nothing from its parent but orders of one size; the
 * parent stays the parent of the children (CLONE_PARENT); the starter ends with it.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/daemon.h"
#include "common/spawn.h"

static void __attribute__((noreturn)) be_starter(int orders, size_t size, spawn_t spawn)
{
	static char order[SPAWN_MAX_ORDER] __attribute__((aligned(16)));
	sigset_t all;
	int fd;
	pid_t pid;

	/* It ends when its parent's end of the socket goes. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	while (recv_message(orders, order, size, &fd) == (ssize_t)size) {
		pid = spawn(order, fd);
		if (fd >= 0)
			close(fd);
		if (write(orders, &pid, sizeof(pid)) != sizeof(pid))
			break;
	}
	_exit(0);
}

/**
 * starter_start() - start the starter
 * @s:		out
 * @name:	what ps(1) shows
 * @size:	bytes of an order, at most SPAWN_MAX_ORDER
 * @spawn:	what it does with an order
 *
 * Ends the program if there cannot be one.
 */
void starter_start(struct starter *s, const char *name, size_t size, spawn_t spawn)
{
	int pair[2];

	if (size > SPAWN_MAX_ORDER)
		die(EXIT_INTERNAL, "starter: orders of %zu bytes", size);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die(EXIT_OS, "starter: %s", strerror(errno));
	s->pid = fork();
	if (s->pid < 0)
		die(EXIT_OS, "starter: %s", strerror(errno));
	if (s->pid == 0) {
		close(pair[0]);
		prctl(PR_SET_NAME, name);
		be_starter(pair[1], size, spawn);
	}
	close(pair[1]);
	s->orders = pair[0];
	s->size = size;
}

/**
 * starter_order() - have a child started
 * @s:		the starter
 * @order:	as many bytes as starter_start() was told
 * @fd:		descriptor for the child, -1: none
 *
 * Ends the program if the starter is gone.
 *
 * Return: the child's process id, or a negative errno.
 */
pid_t starter_order(const struct starter *s, const void *order, int fd)
{
	pid_t pid;

	if (send_message(s->orders, order, s->size, fd) < 0 ||
	    read(s->orders, &pid, sizeof(pid)) != sizeof(pid))
		die(EXIT_INTERNAL, "the starter of children is gone");
	return pid;
}

/**
 * program_beside() - the path of a program in this one's folder
 * @name:	of the program
 * @ret:	gets the path
 * @size:	of @ret
 *
 * Ends the program if there is no /proc.
 */
void program_beside(const char *name, char *ret, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", ret, size - strlen(name) - 1);
	char *slash;

	if (n < 0)
		die(EXIT_OS, "/proc/self/exe: %s", strerror(errno));
	ret[n] = '\0';
	slash = strrchr(ret, '/');
	slash = slash ? slash + 1 : ret;
	snprintf(slash, ret + size - slash, "%s", name);
}

/**
 * watch_signals() - have signals read instead of delivered
 * @more:	signals besides SIGCHLD, SIGTERM and SIGINT; 0 at the end
 *
 * Return: a signalfd(2), closed on exec.  Ends the program if there is none.
 */
int watch_signals(const int *more)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	for (; *more; more++)
		sigaddset(&set, *more);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		die(EXIT_OS, "signalfd: %s", strerror(errno));
	return fd;
}

/**
 * unblock_signals() - what a child does before exec()
 */
void unblock_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
