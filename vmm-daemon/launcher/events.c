// SPDX-License-Identifier: GPL-2.0-only
/*
 * What wakes the launcher up: a user who waits, a signal, an instance, the end of a
 * service, a time that has come.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kvm-split/uapi/kvm_split.h"
#include "common/daemon.h"
#include "launcher/launcher.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD	77	/* asm-generic/socket.h, since 6.5 */
#endif

/* ------------------------------------------------------------ signals ---- */

static void reload(void)
{
	struct settings settings;
	char name[MAX_NAME];
	struct config new;
	struct tenant *t;

	notify(l.notify, "RELOADING=1");
	if (config_load(l.config_file, &new, config_report) < 0) {
		logm(L_ERR, "not reloaded: the old configuration stays in force");
		notify(l.notify, "READY=1");
		return;
	}
	if (new.n[CONFIG_UID_BASE] != l.config.n[CONFIG_UID_BASE])
		logm(L_WARNING, "uid-base stays %lld until the next start",
		     (long long)l.config.n[CONFIG_UID_BASE]);
	new.n[CONFIG_UID_BASE] = l.config.n[CONFIG_UID_BASE];
	config_keep(&new, &l.config);
	config_free(&l.config);
	l.config = new;
	params_read();
	logm(L_INFO, "configuration reloaded");
	for_each_tenant(t)
		if (t->pid && (policy(t->uid, name, &settings) ||
			       memcmp(&settings, &t->settings, sizeof(settings))))
			stop_supervisor(t);
	notify(l.notify, "READY=1");
}

static void reap(void)
{
	struct tenant *t;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == l.starter.pid)
			die(EXIT_INTERNAL, "the starter of supervisors ended");
		for_each_tenant(t)
			if (t->state != T_UNUSED)
				on_child(t, pid, status);
	}
}

static void on_signal(void)
{
	struct signalfd_siginfo info;

	while (read(l.signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload();
		if (info.ssi_signo == SIGHUP || info.ssi_signo == SIGCHLD)
			continue;
		notify(l.notify, "STOPPING=1");
		logm(L_INFO, "stopping; supervisors and workers go on");
		exit(0);
	}
	reap();
}

/* ---------------------------------------------------------- instances ---- */

/* Who is at the other end, as long as this descriptor is open; -1: gone. */
static int pidfd_of(int conn, const struct ucred *peer)
{
	int pidfd;
	socklen_t len = sizeof(pidfd);

	if (!getsockopt(conn, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len))
		return pidfd;
	/* An older kernel; the number could be another process's by now. */
	return errno == ENOPROTOOPT ? (int)syscall(SYS_pidfd_open, peer->pid, 0) : -1;
}

static void answer(int conn, const struct ucred *peer)
{
	int pidfd = pidfd_of(conn, peer), fd;
	struct handover h = { 0 };
	char name[MAX_NAME];
	/* As long as it is, so that no other user's name is what is left of one. */
	ssize_t n = recv(conn, name, sizeof(name), MSG_TRUNC);

	if (n <= 0 || n >= (ssize_t)sizeof(name)) {
		if (pidfd >= 0)
			close(pidfd);
		return;
	}
	name[n] = '\0';
	fd = on_instance_wants(name, peer, pidfd, &h);
	if (send_message(conn, &h, sizeof(h), fd) < 0)
		logm(L_WARNING, "an instance went away: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	else if (pidfd >= 0)
		close(pidfd);
}

static void on_instance(void)
{
	struct timeval patience = { .tv_sec = 1 };
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int conn = accept4(l.socket, NULL, NULL, SOCK_CLOEXEC);

	if (conn < 0)
		return;
	if (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != 0) {
		logm(L_ERR, "an instance that is not root's");
	} else {
		setsockopt(conn, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		answer(conn, &peer);
	}
	close(conn);
}

/* --------------------------------------------------------------- loop ---- */

static int waits_for_time(const struct tenant *t)
{
	return t->state == T_HELD || t->state == T_COMING;
}

/* How long to sleep, ms; -1: until something happens. */
static int patience(long long now)
{
	const struct tenant *t;
	long long wait = -1;

	for_each_tenant(t)
		if (waits_for_time(t) && (wait < 0 || t->due - now < wait))
			wait = t->due > now ? t->due - now : 0;
	return wait;
}

/* Services that end are watched behind the fixed three. */
enum { CONTROL, SIGNALS, SOCKET, SERVICES };

static int what_to_watch(struct pollfd *p, struct tenant **ret_of)
{
	struct tenant *t;
	int n = 0;

	p[CONTROL] = (struct pollfd){ .fd = l.control, .events = POLLIN };
	p[SIGNALS] = (struct pollfd){ .fd = l.signals, .events = POLLIN };
	p[SOCKET] = (struct pollfd){ .fd = l.socket, .events = POLLIN };
	for_each_tenant(t) {
		if (!t->pid || t->pidfd < 0)
			continue;
		p[SERVICES + n] = (struct pollfd){ .fd = t->pidfd, .events = POLLIN };
		ret_of[n++] = t;
	}
	return n;
}

/**
 * step() - wait for something to happen, and deal with it
 */
void step(void)
{
	static struct pollfd p[SERVICES + MAX_TENANTS];
	struct tenant *of[MAX_TENANTS], *t;
	int i, n = what_to_watch(p, of);
	struct ksplit_want want;

	if (poll(p, SERVICES + n, patience(now_ms())) < 0) {
		if (errno != EINTR)
			die(EXIT_OS, "poll: %s", strerror(errno));
		return;
	}
	for_each_tenant(t)
		if (waits_for_time(t) && now_ms() >= t->due)
			on_due(t);
	for (i = 0; i < n; i++)
		if (p[SERVICES + i].revents)
			on_service_end(of[i]);
	if (p[SIGNALS].revents)
		on_signal();
	if (p[CONTROL].revents & (POLLERR | POLLHUP | POLLNVAL))
		die(EXIT_NO_STUB, "%s is gone", l.device);
	if (p[SOCKET].revents)
		on_instance();
	/* One at a time: a want may have been met meanwhile. */
	if ((p[CONTROL].revents & POLLIN) &&
	    read(l.control, &want, sizeof(want)) == sizeof(want))
		on_want(want.uid);
}
