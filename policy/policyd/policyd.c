// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-split-policyd: answers whether something may be done with a tenant's virtual
 * machine; kvm-policyd, the same program with --tenant, is a tenant's part of it.
 *
 * Invariants: it decides and does nothing; who enforces is who asked.  No asker and no
 * tenant's service makes it wait, and each has bounded memory.  A mistake in a file
 * leaves the old rules in force.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/backoff.h"
#include "common/confine.h"
#include "common/daemon.h"
#include "common/spawn.h"
#include "filters.h"		/* made by mkfilters */
#include "policy/policyd/looker.h"
#include "policy/policyd/policyd.h"

#define LISTEN_FD	3	/* sd_listen_fds(3) */
#define BACKLOG		64

struct policyd p;

/**
 * policyd_report() - log a mistake in a file
 * @line:	file, line and reason
 */
void policyd_report(const char *line)
{
	logm(L_ERR, "%s", line);
}

/* --------------------------------------------------------------- loop ---- */

static void reload(void)
{
	notify(p.notify, "RELOADING=1");
	if (judge_load())
		logm(L_ERR, "not reloaded: the old rules stay in force");
	else
		logm(L_INFO, "rules reloaded: %zu", p.rules.nr);
	notify(p.notify, "READY=1");
}

static void on_signal(void)
{
	struct signalfd_siginfo info;

	while (read(p.signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			reload();
		} else if (info.ssi_signo != SIGCHLD) {
			logm(L_INFO, "stopping");
			exit(0);
		}
	}
}

/* When it is to look at this connection although nothing happens, ms. */
static long long due(const struct asker *a)
{
	return a->tenant.fd >= 0 ? a->due : a->until;
}

/* How long to sleep, ms; -1: until something happens. */
static int patience(long long now)
{
	long long first = -1;
	struct asker *a;

	for_each_asker(a)
		if (a->wire.fd >= 0 && (first < 0 || due(a) < first))
			first = due(a);
	if (first < 0 && p.idle)
		first = p.idle_since + p.idle;
	if (first < 0)
		return -1;
	return first > now ? first - now : 0;
}

static void on_due(struct asker *a, long long now)
{
	if (a->wire.fd < 0 || due(a) > now)
		return;
	if (a->tenant.fd >= 0)
		tenant_silent(a, "does not answer");
	else
		asker_end(a);
}

static void end_if_idle(long long now)
{
	struct asker *a;

	for_each_asker(a)
		if (a->wire.fd >= 0)
			p.idle_since = now;
	if (p.idle && now - p.idle_since >= p.idle) {
		logm(L_INFO, "nobody asked for %lld s: ending", p.idle / 1000);
		exit(0);
	}
}

/* Two for each connection, behind the fixed two. */
enum { LISTENER, SIGNALS, ASKERS };

static void what_to_watch(struct pollfd *w)
{
	struct asker *a;

	w[LISTENER] = (struct pollfd){ .fd = p.listener, .events = POLLIN };
	w[SIGNALS] = (struct pollfd){ .fd = p.signals, .events = POLLIN };
	w += ASKERS;
	for_each_asker(a) {
		/* While a tenant is asked, only the asker's end is of interest. */
		short more = a->wire.todo ? POLLOUT : POLLIN;

		*w++ = (struct pollfd){ .fd = a->wire.fd,
					.events = a->tenant.fd >= 0 ? 0 : more };
		*w++ = (struct pollfd){ .fd = a->tenant.fd,
					.events = POLLIN | (a->tenant.todo ? POLLOUT : 0) };
	}
}

/* More than one message may have come at once. */
static int has_more(const struct asker *a)
{
	return a->wire.fd >= 0 && a->tenant.fd < 0 && !a->wire.todo &&
	       memchr(a->wire.in, '\0', a->wire.got);
}

static int someone_has_more(void)
{
	struct asker *a;

	for_each_asker(a)
		if (has_more(a))
			return 1;
	return 0;
}

static void on_asker(struct asker *a, short asker, short tenant)
{
	if (tenant)
		tenant_ready(a);
	else if (a->tenant.fd >= 0 && (asker & (POLLERR | POLLHUP)))
		asker_end(a);
	else if (a->wire.fd >= 0 && a->tenant.fd < 0 && (asker || has_more(a)))
		asker_ready(a);
}

static void step(void)
{
	struct pollfd w[ASKERS + 2 * MAX_ASKERS];
	int i;

	what_to_watch(w);
	if (poll(w, ARRAY_SIZE(w), someone_has_more() ? 0 : patience(now_ms())) < 0) {
		if (errno != EINTR)
			die(EXIT_OS, "poll: %s", strerror(errno));
		return;
	}
	if (w[SIGNALS].revents)
		on_signal();
	for (i = 0; i < MAX_ASKERS; i++) {
		on_asker(&p.askers[i], w[ASKERS + 2 * i].revents, w[ASKERS + 2 * i + 1].revents);
		on_due(&p.askers[i], now_ms());
	}
	if (w[LISTENER].revents)
		asker_accept();
	end_if_idle(now_ms());
}

/* ------------------------------------------------------------- set-up ---- */

/* A socket that systemd listens on, -1: it does not. */
static int inherited_socket(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");

	if (!pid || !fds || parse_number(pid, INT32_MAX) != getpid() || strcmp(fds, "1"))
		return -1;
	fcntl(LISTEN_FD, F_SETFD, FD_CLOEXEC);
	fcntl(LISTEN_FD, F_SETFL, fcntl(LISTEN_FD, F_GETFL) | O_NONBLOCK);
	return LISTEN_FD;
}

static void make_folder(void)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];

	snprintf(path, sizeof(path), "%s", p.socket_path);
	if (mkdir(dirname(path), 0755) < 0 && errno != EEXIST)
		die(EXIT_OS, "%s: %s", path, strerror(errno));
}

/* Everybody may ask the provider, and the provider alone a tenant's. */
static void listen_to_askers(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t mask;

	p.listener = inherited_socket();
	if (p.listener >= 0)
		return;
	if (!p.socket_path)
		die(EXIT_USAGE, "--tenant: --socket is needed");
	if ((size_t)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", p.socket_path) >=
	    sizeof(addr.sun_path))
		die(EXIT_USAGE, "--socket: path too long");
	make_folder();
	mask = umask(p.own ? 0177 : 0111);
	unlink(addr.sun_path);
	p.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p.listener < 0 || bind(p.listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(p.listener, BACKLOG) < 0)
		die(EXIT_OS, "%s: %s", addr.sun_path, strerror(errno));
	umask(mask);
}

/* The folder of a file, or of those around it the first that is there. */
static const char *folder_of(const char *file)
{
	char *path = strdup(file);

	if (!path)
		die(EXIT_OS, "no memory");
	do
		path = dirname(path);
	while (access(path, F_OK) < 0 && strcmp(path, "/") && strcmp(path, "."));
	return path;
}

/*
 * Reads its files again, and the user database, which is a matter of libraries,
 * files and sockets.  CAP_DAC_OVERRIDE: to connect to a socket that is the tenant's
 * alone; Landlock leaves it no file to write.
 */
static void confine(void)
{
	const char *own[] = { folder_of(p.rules_file), NULL };
	const char *provider[] = {
		"/etc", "/usr", "/lib", "/lib64", "/run", "/var/lib",
		folder_of(p.rules_file), folder_of(p.config_file), NULL
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    confine_files(p.own ? own : provider) < 0 ||
	    confine_capabilities(p.own ? 0 : 1ull << CAP_DAC_OVERRIDE) < 0 ||
	    confine_report(NULL) < 0 || CONFINE(launcher) < 0)
		die(EXIT_OS, "no sandbox: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	static const int signals[] = { SIGHUP, 0 };
	struct asker *a;

	parse_options(argc, argv);
	log_init(p.own ? "kvm-policyd" : "kvm-split-policyd");
	if (!p.own && geteuid() != 0)
		die(EXIT_PERM, "must be root");
	for_each_asker(a)
		a->wire.fd = a->tenant.fd = -1;
	if (judge_load())
		die(EXIT_CONFIG, "no rules, so no answers");
	p.signals = watch_signals(signals);
	listen_to_askers();
	p.notify = notify_open();
	if (!p.own)
		looker_start();
	confine();
	p.idle_since = now_ms();
	logm(L_INFO, "serving");
	notify(p.notify, "READY=1");
	for (;;)
		step();
}
