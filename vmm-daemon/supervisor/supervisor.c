// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-vmmd: a tenant's supervisor.  Keeps one spare worker ready.
 *
 * Invariants: it answers no ioctl and touches no client memory, so nothing that
 * a client does can stall it.  Starts of workers are bounded in number, and those of
 * workers that die are spaced out.  When it has served nobody for some time it
 * ends; workers that serve a client go on without it, and may ask for nothing more.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/confine.h"
#include "common/daemon.h"
#include "filters.h"		/* made by mkfilters */
#include "supervisor/supervisor.h"

#define MAX_SLEEP_MS	3600000	/* poll() counts in int */

/* --------------------------------------------------------------- loop ---- */

static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == s->starter.pid)
			die(EXIT_INTERNAL, "the starter of workers ended");
		if (pid == s->asker.pid)
			die(EXIT_INTERNAL, "the process that asks for policy ended");
		on_worker_end(s, pid, status);
	}
}

static void on_signal(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		logm(L_INFO, "stopping; workers that serve go on");
		exit(0);
	}
	reap(s);
}

static long long later(long long a, long long b)
{
	return a > b ? a : b;
}

/* How long no worker may start, ms. */
static long long start_left(const struct supervisor *s, long long now)
{
	return later(backoff_left(&s->backoff, now), pace_left(&s->pace, now));
}

/* When it is to look again although nothing happens, ms from now; -1: never. */
static int patience(const struct supervisor *s, long long now)
{
	long long wait = -1, idle = s->idle_since + s->idle - now, ask = links_wait(s, now);

	if (s->starting)
		wait = later(s->deadline - now, 0);
	else if (s->spare_at)
		wait = later(s->spare_at - now, start_left(s, now));
	else if (start_left(s, now))
		wait = start_left(s, now);
	if (s->idle && is_idle(s) && (wait < 0 || idle < wait))
		wait = later(idle, 0);
	if (ask >= 0 && (wait < 0 || ask < wait))
		wait = ask;
	return wait < MAX_SLEEP_MS ? wait : MAX_SLEEP_MS;
}

/* What the tenant has to say that matters now: no spare, somebody waits for one. */
static short interest(const struct supervisor *s, long long now)
{
	if (s->starting || start_left(s, now))
		return 0;
	return now < s->spare_at ? POLLPRI : POLLIN | POLLPRI;
}

/* The kernel was asked for @asked and says @said. */
static void on_tenant(struct supervisor *s, short asked, short said)
{
	if (said & (POLLIN | POLLPRI))
		s->spare = 0;
	if (said & POLLPRI)
		s->idle_since = now_ms();
	if ((said & POLLPRI) || (s->spare_at && (said & POLLIN)))
		start_worker(s);
	else if (said & POLLIN)
		s->spare_at = now_ms() + s->spare_delay;
	else if (asked & POLLIN)
		s->spare_at = 0;
}

static void end_if_idle(struct supervisor *s)
{
	if (!is_idle(s)) {
		s->idle_since = now_ms();
	} else if (s->idle && now_ms() - s->idle_since >= s->idle) {
		logm(L_INFO, "no client for %lld s: ending", s->idle / 1000);
		exit(0);
	}
}

/* What is watched: the workers' sockets come last. */
enum { TENANT, SIGNALS, READY, POLICY, LINKS, NR_WATCHED = LINKS + TENANT_UIDS };

static void what_to_watch(const struct supervisor *s, long long now, struct pollfd *p)
{
	unsigned int i;

	p[TENANT] = (struct pollfd){ .fd = s->tenant, .events = interest(s, now) };
	p[SIGNALS] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
	p[READY] = (struct pollfd){ .fd = s->ready, .events = POLLIN };
	p[POLICY] = (struct pollfd){ .fd = s->asker.fd, .events = POLLIN };
	for (i = 0; i < TENANT_UIDS; i++)
		p[LINKS + i] = (struct pollfd){
			.fd = link_interest(&s->links[i]), .events = POLLIN,
		};
}

static void on_questions(struct supervisor *s, const struct pollfd *p)
{
	unsigned int i;

	if (p[POLICY].revents)
		on_policy(s);
	for (i = 0; i < TENANT_UIDS; i++)
		if (p[LINKS + i].revents)
			on_question(s, &s->links[i]);
	links_ask(s);
}

static void step(struct supervisor *s)
{
	struct pollfd p[NR_WATCHED];
	long long now = now_ms();

	what_to_watch(s, now, p);
	if (poll(p, NR_WATCHED, patience(s, now)) < 0) {
		if (errno != EINTR)
			die(EXIT_OS, "poll: %s", strerror(errno));
		return;
	}
	/* Before anything changes of which worker a socket is. */
	on_questions(s, p);
	if (p[READY].revents)
		on_ready(s);
	if (p[SIGNALS].revents)
		on_signal(s);
	if (s->starting && now_ms() >= s->deadline)
		on_stuck(s);
	if (p[TENANT].events)
		on_tenant(s, p[TENANT].events, p[TENANT].revents);
	end_if_idle(s);
}

/* ------------------------------------------------------------- set-up ---- */

/* The first bytes of a file of the kernel's; "" if it cannot be read. */
static void read_word(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, ret, size - 1);

	ret[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* As the kernel's cpu_smt_possible(); where it does not say, they may share cores. */
static void look_for_smt(struct supervisor *s)
{
	char word[16];

	read_word("/sys/devices/system/cpu/smt/control", word, sizeof(word));
	if (!strncmp(word, "forceoff", 8) || !strncmp(word, "notsuppo", 8))
		pass(s, "--no-smt");
}

static void look_at_overcommit(struct supervisor *s)
{
	char word[4];

	read_word("/proc/sys/vm/overcommit_memory", word, sizeof(word));
	s->no_overcommit = *word == '2';
}

/* From here on there is one program, for workers, and no file. */
static void give_up_files(struct supervisor *s)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	s->tenant = fcntl(s->tenant, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (s->tenant < 0)
		die(EXIT_USAGE, "--tenant-fd: %s", strerror(errno));
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		die(EXIT_OS, "/dev/null: %s", strerror(errno));
	close(null);
	s->program = open(s->worker, O_RDONLY | O_CLOEXEC);
	if (s->program < 0)
		die(EXIT_OS, "%s: %s", s->worker, strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    (s->uid_first >= 0 && confine_root() < 0))
		die(EXIT_OS, "cannot give up rights: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	static const int no_more_signals[] = { 0 };
	static struct supervisor s;

	parse_options(&s, argc, argv);
	look_for_smt(&s);
	look_at_overcommit(&s);
	if (s.notify >= 0)
		fcntl(s.notify, F_SETFD, FD_CLOEXEC);
	links_init(&s);
	start_asker(&s);
	give_up_files(&s);
	s.signals = watch_signals(no_more_signals);
	start_starter(&s, &s.starter);
	s.idle_since = now_ms();
	logm(L_INFO, "started");
	notify(s.notify, "READY=1");
	/* What is left: to end a worker that is stuck. */
	if ((s.uid_first >= 0 && confine_capabilities(1ull << CAP_KILL) < 0) ||
	    confine_report(NULL) < 0 || CONFINE(supervisor) < 0)
		die(EXIT_OS, "no sandbox: %s", strerror(errno));
	for (;;)
		step(&s);
}
