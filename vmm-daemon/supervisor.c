// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-vmmd: a tenant's supervisor.  Keeps one spare worker ready.
 *
 * Invariants: it answers no ioctl and touches no client memory, so nothing that
 * a client does can stall it.  At most one worker is starting at any time, and
 * the starts of workers that die are spaced out.  It ends with the tenant;
 * workers that serve a client go on without it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kvm-split/uapi/kvm_split.h"
#include "config.h"
#include "daemon.h"

#define START_LIMIT_MS	30000	/* a worker that is not ready by then is stuck */
#define BACKOFF_MIN_MS	100
#define BACKOFF_MAX_MS	10000
#define SPARE_DELAY_MS	10000	/* leave the CPU to the VM that took the last spare */
/* A worker that dies that soon counts as one that failed to start. */
#define SHORT_LIFE_MS	5000
#define NR_RECENT	32
#define MAX_PASSED	16	/* words for a worker */

static const char usage[] =
"Usage: kvm-vmmd --tenant-fd N --uid UID [--worker PATH]\n"
"                [--worker-uids FIRST-LAST] [--spare-delay MS]\n"
"       kvm-vmmd --check [FILE]\n"
"\n"
"Keep a worker ready for a user's next open of /dev/kvm.  Started by\n"
"kvm-split-launcher(8), not by hand.\n"
"\n"
"  --tenant-fd N  inherited descriptor of the tenant\n"
"  --uid UID      the tenant, for the log\n"
"  --worker PATH  program to start, default: kvm-vmm beside this one\n"
"  --worker-uids FIRST-LAST\n"
"                 run each worker as a user and group of its own out of this\n"
"                 range; needs CAP_SETUID and CAP_SETGID\n"
"  --spare-delay MS\n"
"                 once the spare is taken, start the next that much later, unless\n"
"                 somebody waits for it; default 10000\n"
"  --no-nested, --hide N,..., --max-memory N, --log-level N\n"
"                 for workers, see kvm-vmm(8); the log level holds here, too\n"
"  --notify-fd N  inherited descriptor for messages to systemd, see sd_notify(3)\n"
"  --check        read the configuration, or one FILE of it, and exit: status 0\n"
"                 if all is well, 78 if not\n"
"  --help         show this text\n";

struct supervisor {
	int tenant;
	int signals;
	int notify;		/* -1: nobody to tell */
	char worker[PATH_MAX];
	char *for_worker[MAX_PASSED + 1];	/* options, NULL at the end */
	int nr_for_worker;
	long long uid_first, uid_last, uid_next;	/* -1: not used */

	pid_t starting;		/* 0: none */
	int ready;		/* read end of its pipe, -1 */
	long long deadline;	/* when it is stuck, ms */

	unsigned int failures;	/* starts in a row that failed */
	long long failed;	/* when the last of them did, ms */
	long long not_before;	/* no start until then, ms */
	long long spare_delay;	/* ms */
	long long spare_at;	/* when a spare is due, ms; 0: none is missed */

	struct {
		pid_t pid;
		long long started;	/* ms */
	} recent[NR_RECENT];
	unsigned int next_recent;
};

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void default_worker(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - sizeof("kvm-vmm"));
	char *slash;

	if (n < 0)
		die(EXIT_OS, "/proc/self/exe: %s", strerror(errno));
	path[n] = '\0';
	slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, "kvm-vmm");
}

static void parse_range(struct supervisor *s, const char *text)
{
	char first[16];
	const char *dash = strchr(text, '-');

	if (!dash || dash - text >= (long)sizeof(first))
		die(EXIT_USAGE, "--worker-uids: '%s' is no range", text);
	memcpy(first, text, dash - text);
	first[dash - text] = '\0';
	s->uid_first = parse_number(first, UINT_MAX - 1);
	s->uid_last = parse_number(dash + 1, UINT_MAX - 1);
	if (s->uid_first <= 0 || s->uid_last < s->uid_first)
		die(EXIT_USAGE, "--worker-uids: '%s' is no range", text);
	s->uid_next = s->uid_first;
}

static void pass(struct supervisor *s, char *word)
{
	if (s->nr_for_worker == MAX_PASSED)
		die(EXIT_USAGE, "too many options");
	s->for_worker[s->nr_for_worker++] = word;
}

static void print_line(const char *line)
{
	fprintf(stderr, "%s\n", line);
}

static void __attribute__((noreturn)) check(const char *file)
{
	exit(config_check(file, print_line) < 0 ? EXIT_CONFIG : 0);
}

static void parse_options(struct supervisor *s, int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "tenant-fd",	 required_argument, NULL, 't' },
		{ "uid",	 required_argument, NULL, 'u' },
		{ "worker",	 required_argument, NULL, 'w' },
		{ "worker-uids", required_argument, NULL, 'r' },
		{ "spare-delay", required_argument, NULL, 'd' },
		{ "no-nested",	 no_argument,	    NULL, 'n' },
		{ "hide",	 required_argument, NULL, 'H' },
		{ "max-memory",	 required_argument, NULL, 'm' },
		{ "log-level",	 required_argument, NULL, 'l' },
		{ "notify-fd",	 required_argument, NULL, 'N' },
		{ "check",	 no_argument,	    NULL, 'c' },
		{ "help",	 no_argument,	    NULL, 'h' },
		{ }
	};
	static char who[32];
	long long uid = -1, level = L_INFO;
	int c, checking = 0;

	s->tenant = -1;
	s->ready = -1;
	s->notify = -1;
	s->uid_next = -1;
	s->spare_delay = SPARE_DELAY_MS;
	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		switch (c) {
		case 't':
			s->tenant = parse_number(optarg, INT_MAX);
			break;
		case 'u':
			uid = parse_number(optarg, UINT_MAX - 1);
			pass(s, "--uid");
			pass(s, optarg);
			break;
		case 'w':
			if (strlen(optarg) >= sizeof(s->worker))
				die(EXIT_USAGE, "--worker: path too long");
			strcpy(s->worker, optarg);
			break;
		case 'r':
			parse_range(s, optarg);
			break;
		case 'd':
			s->spare_delay = parse_number(optarg, 3600000);
			if (s->spare_delay < 0)
				die(EXIT_USAGE, "--spare-delay: '%s' is no time in ms", optarg);
			break;
		case 'n':
			pass(s, "--no-nested");
			break;
		case 'l':
			level = parse_number(optarg, L_INFO);
			pass(s, "--log-level");
			pass(s, optarg);
			break;
		case 'H':
			pass(s, "--hide");
			pass(s, optarg);
			break;
		case 'm':
			pass(s, "--max-memory");
			pass(s, optarg);
			break;
		case 'N':
			s->notify = parse_number(optarg, INT_MAX);
			break;
		case 'c':
			checking = 1;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(EXIT_USAGE);
		}
	}
	if (checking && optind >= argc - 1)
		check(argv[optind]);
	if (s->tenant < 0 || uid < 0 || optind != argc) {
		fputs(usage, stderr);
		exit(EXIT_USAGE);
	}
	snprintf(who, sizeof(who), "tenant %lld", uid);
	log_init(who);
	if (level < 0)
		die(EXIT_USAGE, "--log-level: no number");
	log_limit(level);
	if (!*s->worker)
		default_worker(s->worker, sizeof(s->worker));
}

/* ------------------------------------------------------------ workers ---- */

static void count_failure(struct supervisor *s)
{
	unsigned int shift = s->failures < 7 ? s->failures : 7;
	long long wait = (long long)BACKOFF_MIN_MS << shift;

	if (wait > BACKOFF_MAX_MS)
		wait = BACKOFF_MAX_MS;
	s->failures++;
	s->failed = now_ms();
	s->not_before = s->failed + wait;
	logm(L_WARNING, "worker failed (%u in a row), next start in %lld ms",
	     s->failures, wait);
}

/* kvm-vmm's command line, in static memory. */
static char **worker_args(const struct supervisor *s, int ready)
{
	static char tenant_fd[16], ready_fd[16];
	static char *args[5 + MAX_PASSED + 1] = {
		"kvm-vmm", "--tenant-fd", tenant_fd, "--ready-fd", ready_fd
	};

	snprintf(tenant_fd, sizeof(tenant_fd), "%d", s->tenant);
	snprintf(ready_fd, sizeof(ready_fd), "%d", ready);
	memcpy(args + 5, s->for_worker, sizeof(s->for_worker));
	return args;
}

/* The child, up to exec. */
static void __attribute__((noreturn))
become_worker(const struct supervisor *s, int ready)
{
	char **args = worker_args(s, ready);
	/* No restartable sequences: one system call less in each thread. */
	char *env[] = { "GLIBC_TUNABLES=glibc.pthread.rseq=0", NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (s->uid_next >= 0 &&
	    (setresgid(s->uid_next, s->uid_next, s->uid_next) < 0 ||
	     setresuid(s->uid_next, s->uid_next, s->uid_next) < 0)) {
		logm(L_ERR, "cannot become uid %lld: %s", s->uid_next,
		     strerror(errno));
		_exit(EXIT_PERM);
	}
	fcntl(s->tenant, F_SETFD, 0);
	fcntl(ready, F_SETFD, 0);
	execve(s->worker, args, env);
	logm(L_ERR, "%s: %s", s->worker, strerror(errno));
	_exit(EXIT_OS);
}

static void start_worker(struct supervisor *s)
{
	int pipefd[2];
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0) {
		logm(L_ERR, "pipe: %s", strerror(errno));
		count_failure(s);
		return;
	}
	pid = fork();
	if (pid == 0)
		become_worker(s, pipefd[1]);
	close(pipefd[1]);
	if (pid < 0) {
		logm(L_ERR, "fork: %s", strerror(errno));
		close(pipefd[0]);
		count_failure(s);
		return;
	}
	s->spare_at = 0;
	s->starting = pid;
	s->ready = pipefd[0];
	s->deadline = now_ms() + START_LIMIT_MS;
	s->recent[s->next_recent].pid = pid;
	s->recent[s->next_recent].started = now_ms();
	s->next_recent = (s->next_recent + 1) % NR_RECENT;
	if (s->uid_next >= 0)
		s->uid_next = s->uid_next < s->uid_last ? s->uid_next + 1
							: s->uid_first;
}

static void end_start(struct supervisor *s)
{
	close(s->ready);
	s->ready = -1;
	s->starting = 0;
}

/* The starting worker's pipe is readable: ready, or closed without a word. */
static void on_ready(struct supervisor *s)
{
	char c;
	ssize_t n = read(s->ready, &c, 1);

	if (n < 0 && errno == EINTR)
		return;
	if (n == 1) {
		/* Good news only if it is not one of many that come and go. */
		if (now_ms() - s->failed > SHORT_LIFE_MS + BACKOFF_MAX_MS)
			s->failures = 0;
		end_start(s);
		return;
	}
	/* Its death is about to be reaped; a pipe closed alone is no start. */
	kill(s->starting, SIGKILL);
	end_start(s);
	count_failure(s);
}

static void report(pid_t pid, int status)
{
	if (WIFSIGNALED(status))
		logm(L_ERR, "worker %d died of signal %d", pid, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		logm(L_ERR, "worker %d exited with status %d", pid,
		     WEXITSTATUS(status));
}

static int died_young(const struct supervisor *s, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < NR_RECENT; i++)
		if (s->recent[i].pid == pid)
			return now_ms() - s->recent[i].started < SHORT_LIFE_MS;
	return 0;
}

static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		report(pid, status);
		if (pid == s->starting)
			end_start(s);
		else if (!status || !died_young(s, pid))
			continue;
		count_failure(s);
	}
}

/* --------------------------------------------------------------- loop ---- */

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

static int watch_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		die(EXIT_OS, "signalfd: %s", strerror(errno));
	return fd;
}

static long long later(long long a, long long b)
{
	return a > b ? a : b;
}

/* How long to sleep, ms; -1: until something happens. */
static int patience(const struct supervisor *s, long long now)
{
	long long until = s->starting ? s->deadline :
			  s->spare_at ? later(s->spare_at, s->not_before) : s->not_before;

	if (!s->starting && !s->spare_at && now >= s->not_before)
		return -1;
	return until > now ? until - now : 0;
}

/* What the tenant has to say that matters now: no spare, somebody waits for one. */
static short interest(const struct supervisor *s, long long now)
{
	if (s->starting || now < s->not_before)
		return 0;
	return now < s->spare_at ? POLLPRI : POLLIN | POLLPRI;
}

static void step(struct supervisor *s)
{
	long long now = now_ms();
	struct pollfd p[3] = {
		{ .fd = s->tenant, .events = interest(s, now) },
		{ .fd = s->signals, .events = POLLIN },
		{ .fd = s->ready, .events = POLLIN },
	};

	if (poll(p, 3, patience(s, now)) < 0) {
		if (errno != EINTR)
			die(EXIT_OS, "poll: %s", strerror(errno));
		return;
	}
	if (p[0].revents & (POLLHUP | POLLERR | POLLNVAL)) {
		logm(L_INFO, "tenant ended");
		exit(0);
	}
	if (p[2].revents)
		on_ready(s);
	if (p[1].revents)
		on_signal(s);
	if (s->starting && now_ms() >= s->deadline) {
		logm(L_ERR, "worker %d is stuck at its start", s->starting);
		kill(s->starting, SIGKILL);
		end_start(s);
		count_failure(s);
	}
	if ((p[0].revents & POLLPRI) || (s->spare_at && (p[0].revents & POLLIN)))
		start_worker(s);
	else if (p[0].revents & POLLIN)
		s->spare_at = now_ms() + s->spare_delay;
	else if (p[0].events & POLLIN)
		s->spare_at = 0;
}

int main(int argc, char **argv)
{
	static struct supervisor s;

	parse_options(&s, argc, argv);
	fcntl(s.tenant, F_SETFD, FD_CLOEXEC);
	if (s.notify >= 0)
		fcntl(s.notify, F_SETFD, FD_CLOEXEC);
	if (s.uid_next < 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die(EXIT_OS, "no_new_privs: %s", strerror(errno));
	/* Workers run as the same user. */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		die(EXIT_OS, "dumpable: %s", strerror(errno));
	s.signals = watch_signals();
	logm(L_INFO, "started");
	notify(s.notify, "READY=1");
	for (;;)
		step(&s);
}
