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
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kvm-split/uapi/kvm_split.h"
#include "common/config.h"
#include "common/confine.h"
#include "common/daemon.h"
#include "filters.h"		/* made by mkfilters */

#define START_LIMIT_MS	30000	/* a worker that is not ready by then is stuck */
#define BACKOFF_MIN_MS	100
#define BACKOFF_MAX_MS	10000
#define SPARE_DELAY_MS	10000	/* leave the CPU to the VM that took the last spare */
/* A worker that dies that soon counts as one that failed to start. */
#define SHORT_LIFE_MS	5000
#define NR_RECENT	32
#define MAX_THREADS	320	/* of one worker: KVM there has 256 CPUs */
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
	int program;		/* the worker's, for a file system that has none */
	long long uid_first, uid_last, uid_next;	/* of workers; -1: not used */
	pid_t holder[TENANT_UIDS];	/* of each of them, 0: nobody */
	pid_t starter;
	int orders;		/* the starter's socket */

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
	if (s->uid_last - s->uid_first >= TENANT_UIDS)
		die(EXIT_USAGE, "--worker-uids: more than %d", TENANT_UIDS);
	/* Workers of an earlier supervisor may live: begin somewhere else. */
	s->uid_next = s->uid_first + getpid() % (s->uid_last - s->uid_first + 1);
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
	s->uid_first = -1;
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

/* ------------------------------------------------------------ starter ---- */

/*
 * Workers are started by a process of their own, because a child inherits its
 * parent's filter, and a second filter would cost a worker 70 instructions at
 * each exit of its guest.  The starter takes nothing but this from the
 * supervisor, which stays its children's parent.
 */
struct order {
	long long uid;		/* of the worker, -1: this process's */
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
	static char tenant_fd[16], ready_fd[16], number[16];
	static char *args[7 + MAX_PASSED + 1] = {
		"kvm-vmm", "--tenant-fd", tenant_fd, "--ready-fd", ready_fd, "--number", number
	};

	snprintf(tenant_fd, sizeof(tenant_fd), "%d", child.s->tenant);
	snprintf(ready_fd, sizeof(ready_fd), "%d", child.ready);
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
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	fcntl(child.s->tenant, F_SETFD, 0);
	fcntl(child.ready, F_SETFD, 0);
	if (child.uid < 0)
		execve(child.s->worker, args, env);
	else if (become_user(child.uid) == 0)
		syscall(SYS_execveat, child.s->program, "", args, env, AT_EMPTY_PATH);
	logm(L_ERR, "worker %d: %s: %s", child.pid, child.s->worker, strerror(errno));
	_exit(EXIT_OS);
}

static void __attribute__((noreturn)) be_starter(const struct supervisor *s, int orders)
{
	static char stack[64 * 1024] __attribute__((aligned(16)));
	int flags = CLONE_PARENT | CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | SIGCHLD;
	struct order order;
	sigset_t all;
	int pid;

	/* It ends with the supervisor. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "kvm-vmmd-start");
	child.s = s;
	/* The network namespace is the tenant's: empty, and dear to make. */
	if (s->uid_first >= 0)
		flags |= CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS;
	while (recv_message(orders, &order, sizeof(order), &child.ready) == sizeof(order)) {
		child.uid = order.uid;
		pid = clone(become_worker, stack + sizeof(stack), flags, NULL, &child.pid);
		if (pid < 0)
			pid = -errno;
		close(child.ready);
		if (write(orders, &pid, sizeof(pid)) != sizeof(pid))
			break;
	}
	_exit(0);
}

static void start_starter(struct supervisor *s)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die(EXIT_OS, "starter: %s", strerror(errno));
	s->starter = fork();
	if (s->starter < 0)
		die(EXIT_OS, "starter: %s", strerror(errno));
	if (s->starter == 0) {
		close(pair[0]);
		close(s->signals);
		be_starter(s, pair[1]);
	}
	close(pair[1]);
	s->orders = pair[0];
}

/* The new worker's process id, or a negative errno. */
static pid_t order_worker(struct supervisor *s, long long uid, int ready)
{
	struct order order = { .uid = uid };
	int pid;

	if (send_message(s->orders, &order, sizeof(order), ready) < 0 ||
	    read(s->orders, &pid, sizeof(pid)) != sizeof(pid))
		die(EXIT_INTERNAL, "the starter of workers is gone");
	return pid;
}

/* ------------------------------------------------------------ workers ---- */

/* A user that no living worker has, -1: all are taken. */
static long long free_uid(struct supervisor *s)
{
	long long n = s->uid_last - s->uid_first + 1, i;

	for (i = 0; i < n; i++) {
		long long at = (s->uid_next - s->uid_first + i) % n;

		if (s->holder[at])
			continue;
		s->uid_next = s->uid_first + (at + 1) % n;
		return s->uid_first + at;
	}
	return -1;
}

static void start_worker(struct supervisor *s)
{
	long long uid = s->uid_first < 0 ? -1 : free_uid(s);
	int pipefd[2];
	pid_t pid;

	if (s->uid_first >= 0 && uid < 0) {
		logm(L_ERR, "no user for one more worker: %lld live",
		     s->uid_last - s->uid_first + 1);
		count_failure(s);
		return;
	}
	if (pipe2(pipefd, O_CLOEXEC) < 0) {
		logm(L_ERR, "pipe: %s", strerror(errno));
		count_failure(s);
		return;
	}
	pid = order_worker(s, uid, pipefd[1]);
	close(pipefd[1]);
	if (pid < 0) {
		logm(L_ERR, "worker: %s", strerror(-pid));
		close(pipefd[0]);
		count_failure(s);
		return;
	}
	if (uid >= 0)
		s->holder[uid - s->uid_first] = pid;
	s->spare_at = 0;
	s->starting = pid;
	s->ready = pipefd[0];
	s->deadline = now_ms() + START_LIMIT_MS;
	s->recent[s->next_recent].pid = pid;
	s->recent[s->next_recent].started = now_ms();
	s->next_recent = (s->next_recent + 1) % NR_RECENT;
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
	unsigned int i;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == s->starter)
			die(EXIT_INTERNAL, "the starter of workers ended");
		for (i = 0; i < TENANT_UIDS; i++)
			if (s->holder[i] == pid)
				s->holder[i] = 0;
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

/* As the kernel's cpu_smt_possible(); where it does not say, they may share cores. */
static void look_for_smt(struct supervisor *s)
{
	int fd = open("/sys/devices/system/cpu/smt/control", O_RDONLY | O_CLOEXEC);
	char word[16];
	ssize_t n;

	if (fd < 0)
		return;
	n = read(fd, word, sizeof(word));
	close(fd);
	if (n >= 8 && (!memcmp(word, "forceoff", 8) || !memcmp(word, "notsuppo", 8)))
		pass(s, "--no-smt");
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
	static struct supervisor s;

	parse_options(&s, argc, argv);
	look_for_smt(&s);
	if (s.notify >= 0)
		fcntl(s.notify, F_SETFD, FD_CLOEXEC);
	give_up_files(&s);
	s.signals = watch_signals();
	start_starter(&s);
	logm(L_INFO, "started");
	notify(s.notify, "READY=1");
	/* What is left: to end a worker that is stuck. */
	if ((s.uid_first >= 0 && confine_capabilities(1ull << CAP_KILL) < 0) ||
	    confine_report(NULL) < 0 || CONFINE(supervisor) < 0)
		die(EXIT_OS, "no sandbox: %s", strerror(errno));
	for (;;)
		step(&s);
}
