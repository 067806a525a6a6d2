// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-split-launcher: root's part.  Binds users who open /dev/kvm to a
 * supervisor of their own.
 *
 * Invariants: nothing that a user controls is parsed but one number from the
 * kernel.  A supervisor runs as a user of the reserved range, never as root nor
 * as the tenant.  One supervisor per tenant, a bounded number in all, and the
 * starts of one that keeps dying are spaced out.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kvm-split/uapi/kvm_split.h"
#include "daemon.h"

#define MAX_TENANTS	448	/* the kernel has 512, users who wait included */
#define DEF_TENANTS	64
#define DEF_VMS		64
#define MAX_VCPUS	512	/* of one user */
#define MAX_SLOTS	1024	/* of one VM */
#define DEF_UID_BASE	2000000000LL
/* A supervisor that lived shorter than that counts as failed. */
#define SHORT_LIFE_MS	5000
#define BACKOFF_MIN_MS	500
#define BACKOFF_MAX_MS	60000

static const char usage[] =
"Usage: kvm-split-launcher [OPTION]...\n"
"\n"
"Give every user who opens /dev/kvm a supervisor, and with it workers.\n"
"\n"
"  --device PATH       control device, default /dev/kvm-split\n"
"  --supervisor PATH   program to start, default: kvm-vmmd beside this one\n"
"  --run-dir PATH      where the file 'ready' appears, default /run/kvm-split\n"
"  --uid-base N        a tenant's supervisor and workers run as user and group\n"
"                      N + its uid, default 2000000000\n"
"  --max-tenants N     most users at once, default 64, at most 448\n"
"  --max-vms N         most open VMs of one user, default 64\n"
"  --spare-delay MS    how long kvm-vmmd(8) waits before it starts the next spare\n"
"                      worker, if nobody waits for it\n"
"  --any-uid           serve users that the user database does not know, too\n"
"  --no-namespaces     leave supervisors in the launcher's namespaces\n"
"  --help              show this text\n";

/* A user who has, or had, a supervisor. */
struct tenant {
	int used;
	uid_t uid;
	pid_t pid;		/* 0: not running */
	long long started;	/* ms */
	unsigned int failures;
	long long not_before;	/* ms */
};

struct launcher {
	const char *device;
	const char *run_dir;
	char supervisor[PATH_MAX];
	long long uid_base;
	unsigned int max_tenants;
	unsigned int max_vms;
	char *spare_delay;	/* NULL: kvm-vmmd's default */
	int any_uid;
	int namespaces;

	int control;
	int signals;
	char ready_file[PATH_MAX];
	struct tenant tenants[MAX_TENANTS];
};

static struct launcher l = {
	.device = "/dev/kvm-split",
	.run_dir = "/run/kvm-split",
	.uid_base = DEF_UID_BASE,
	.max_tenants = DEF_TENANTS,
	.max_vms = DEF_VMS,
	.namespaces = 1,
};

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* -------------------------------------------------------- command line --- */

static long long number_option(const char *name, const char *text,
			       long long min, long long max)
{
	long long n = parse_number(text, max);

	if (n < min)
		die(EXIT_USAGE, "--%s: '%s' is not between %lld and %lld", name,
		    text, min, max);
	return n;
}

static void default_supervisor(void)
{
	const size_t room = sizeof(l.supervisor) - sizeof("kvm-vmmd");
	ssize_t n = readlink("/proc/self/exe", l.supervisor, room);
	char *slash;

	if (n < 0)
		die(EXIT_OS, "/proc/self/exe: %s", strerror(errno));
	l.supervisor[n] = '\0';
	slash = strrchr(l.supervisor, '/');
	strcpy(slash ? slash + 1 : l.supervisor, "kvm-vmmd");
}

static void parse_options(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "device",	   required_argument, NULL, 'd' },
		{ "supervisor",	   required_argument, NULL, 's' },
		{ "run-dir",	   required_argument, NULL, 'r' },
		{ "uid-base",	   required_argument, NULL, 'b' },
		{ "max-tenants",   required_argument, NULL, 't' },
		{ "max-vms",	   required_argument, NULL, 'v' },
		{ "spare-delay",   required_argument, NULL, 'p' },
		{ "any-uid",	   no_argument,	      NULL, 'a' },
		{ "no-namespaces", no_argument,	      NULL, 'n' },
		{ "help",	   no_argument,	      NULL, 'h' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		switch (c) {
		case 'd':
			l.device = optarg;
			break;
		case 's':
			if (strlen(optarg) >= sizeof(l.supervisor))
				die(EXIT_USAGE, "--supervisor: path too long");
			strcpy(l.supervisor, optarg);
			break;
		case 'r':
			l.run_dir = optarg;
			break;
		case 'b':
			l.uid_base = number_option("uid-base", optarg, 65536,
						   UINT_MAX - 65536LL);
			break;
		case 't':
			l.max_tenants = number_option("max-tenants", optarg, 1,
						      MAX_TENANTS);
			break;
		case 'v':
			l.max_vms = number_option("max-vms", optarg, 1, 4096);
			break;
		case 'p':
			number_option("spare-delay", optarg, 0, 3600000);
			l.spare_delay = optarg;
			break;
		case 'a':
			l.any_uid = 1;
			break;
		case 'n':
			l.namespaces = 0;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(EXIT_USAGE);
		}
	}
	if (optind != argc) {
		fputs(usage, stderr);
		exit(EXIT_USAGE);
	}
	if (!*l.supervisor)
		default_supervisor();
}

/* ------------------------------------------------------------- set-up ---- */

static void open_control(void)
{
	struct ksplit_info info;

	l.control = open(l.device, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (l.control < 0)
		die(EXIT_NO_STUB, "%s: %s", l.device, strerror(errno));
	if (ioctl(l.control, KSPLIT_GET_INFO, &info) < 0)
		die(EXIT_NO_STUB, "%s: no kvm-split: %s", l.device,
		    strerror(errno));
	if (info.abi_version != KSPLIT_ABI_VERSION)
		die(EXIT_PROTOCOL, "the kernel has ABI version %u, this program %d",
		    info.abi_version, KSPLIT_ABI_VERSION);
}

static void remove_ready(void)
{
	unlink(l.ready_file);
}

/* Tell others, without systemd, that opens of /dev/kvm are served from now. */
static void write_ready(void)
{
	int fd;

	umask(022);
	if (mkdir(l.run_dir, 0755) < 0 && errno != EEXIST)
		die(EXIT_OS, "%s: %s", l.run_dir, strerror(errno));
	if ((size_t)snprintf(l.ready_file, sizeof(l.ready_file), "%s/ready",
			     l.run_dir) >= sizeof(l.ready_file))
		die(EXIT_USAGE, "--run-dir: path too long");
	fd = open(l.ready_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
		  O_NOFOLLOW, 0644);
	if (fd < 0)
		die(EXIT_OS, "%s: %s", l.ready_file, strerror(errno));
	dprintf(fd, "%d\n", getpid());
	close(fd);
	atexit(remove_ready);
}

static void watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	l.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l.signals < 0)
		die(EXIT_OS, "signalfd: %s", strerror(errno));
}

/* ------------------------------------------------------------ tenants ---- */

static void deny(uid_t uid, int error)
{
	struct ksplit_bind refusal = { .uid = uid, .error = error };

	if (ioctl(l.control, KSPLIT_BIND, &refusal) < 0 && errno != EEXIST)
		logm(L_WARNING, "uid %u: cannot be refused: %s", uid,
		     strerror(errno));
}

static struct tenant *find_tenant(uid_t uid)
{
	struct tenant *unused = NULL;
	unsigned int i, running = 0;

	for (i = 0; i < MAX_TENANTS; i++) {
		struct tenant *t = &l.tenants[i];

		if (t->used && t->uid == uid)
			return t;
		running += t->used && t->pid;
		/* Entries without a supervisor only remember failures. */
		if (!unused && (!t->used || (!t->pid && now_ms() >= t->not_before)))
			unused = t;
	}
	if (!unused || running >= l.max_tenants)
		return NULL;
	memset(unused, 0, sizeof(*unused));
	unused->used = 1;
	unused->uid = uid;
	return unused;
}

/* The user that a tenant's processes run as, or -1. */
static long long service_uid(uid_t uid)
{
	long long service = l.uid_base + uid;

	return service > UINT_MAX - 1LL || service == uid ? -1 : service;
}

static int in_service_range(uid_t uid)
{
	return uid >= l.uid_base;
}

/* Namespaces that the supervisor and its workers need nothing of. */
static void leave_namespaces(void)
{
	static const struct {
		int flag;
		const char *name;
	} spaces[] = {
		{ CLONE_NEWNET, "network" },
		{ CLONE_NEWIPC, "IPC" },
		{ CLONE_NEWUTS, "UTS" },
		{ CLONE_NEWNS,	"mount" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
		if (unshare(spaces[i].flag) < 0 && errno != EINVAL)
			logm(L_WARNING, "no own %s namespace: %s",
			     spaces[i].name, strerror(errno));
}

/* kvm-vmmd's command line, in static memory. */
static char **supervisor_args(uid_t uid, int tenant)
{
	static char uid_text[16], fd_text[16];
	static char *args[] = {
		"kvm-vmmd", "--tenant-fd", fd_text, "--uid", uid_text, NULL, NULL, NULL
	};

	snprintf(uid_text, sizeof(uid_text), "%u", uid);
	snprintf(fd_text, sizeof(fd_text), "%d", tenant);
	if (l.spare_delay) {
		args[5] = "--spare-delay";
		args[6] = l.spare_delay;
	}
	return args;
}

/* The child, up to exec. */
static void __attribute__((noreturn))
become_supervisor(uid_t service, int tenant, char **args)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (l.namespaces)
		leave_namespaces();
	if (chdir("/") < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(service, service, service) < 0 ||
	    setresuid(service, service, service) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		logm(L_ERR, "cannot become uid %u: %s", service, strerror(errno));
		_exit(EXIT_PERM);
	}
	fcntl(tenant, F_SETFD, 0);
	execv(l.supervisor, args);
	logm(L_ERR, "%s: %s", l.supervisor, strerror(errno));
	_exit(EXIT_OS);
}

static void note_failure(struct tenant *t)
{
	unsigned int shift = t->failures < 7 ? t->failures : 7;
	long long wait = (long long)BACKOFF_MIN_MS << shift;

	if (wait > BACKOFF_MAX_MS)
		wait = BACKOFF_MAX_MS;
	t->failures++;
	t->not_before = now_ms() + wait;
}

static void start_supervisor(struct tenant *t)
{
	struct ksplit_bind bind = {
		.uid = t->uid,
		.max_vms = l.max_vms,
		.max_vcpus = MAX_VCPUS,
		.max_slots = MAX_SLOTS,
	};
	long long service = service_uid(t->uid);
	int fd;

	fd = ioctl(l.control, KSPLIT_BIND, &bind);
	if (fd < 0) {
		int error = errno;

		/* Its last supervisor's descriptor is about to go. */
		if (error != EEXIST)
			logm(L_ERR, "uid %u: bind: %s", t->uid, strerror(error));
		deny(t->uid, error == EEXIST ? EAGAIN : error);
		return;
	}
	t->started = now_ms();
	t->pid = fork();
	if (t->pid == 0)
		become_supervisor(service, fd, supervisor_args(t->uid, fd));
	close(fd);
	if (t->pid < 0) {
		logm(L_ERR, "uid %u: fork: %s", t->uid, strerror(errno));
		t->pid = 0;
		note_failure(t);
		deny(t->uid, EAGAIN);
		return;
	}
	logm(L_INFO, "uid %u: supervisor %d runs as uid %lld", t->uid, t->pid,
	     service);
}

/* The whole policy of this version; 0 or the errno that open() returns. */
static int policy(uid_t uid)
{
	if (service_uid(uid) < 0 || in_service_range(uid)) {
		logm(L_WARNING, "uid %u: refused: no service user for it", uid);
		return EACCES;
	}
	if (!l.any_uid && !getpwuid(uid)) {
		logm(L_WARNING, "uid %u: refused: unknown user", uid);
		return EACCES;
	}
	return 0;
}

static void on_want(const struct ksplit_want *want)
{
	int error = policy(want->uid);
	struct tenant *t;

	if (error) {
		deny(want->uid, error);
		return;
	}
	t = find_tenant(want->uid);
	if (!t) {
		logm(L_WARNING, "uid %u: refused: %u tenants already", want->uid,
		     l.max_tenants);
		deny(want->uid, EMFILE);
		return;
	}
	if (t->pid)
		return;		/* its start is under way */
	if (now_ms() < t->not_before) {
		deny(want->uid, EAGAIN);
		return;
	}
	start_supervisor(t);
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		unsigned int i;

		for (i = 0; i < MAX_TENANTS; i++)
			if (l.tenants[i].used && l.tenants[i].pid == pid)
				break;
		if (i == MAX_TENANTS)
			continue;
		l.tenants[i].pid = 0;
		if (now_ms() - l.tenants[i].started < SHORT_LIFE_MS)
			note_failure(&l.tenants[i]);
		else
			l.tenants[i].failures = 0;
		logm(status ? L_ERR : L_INFO,
		     "uid %u: supervisor %d ended, %s %d; started again on demand",
		     l.tenants[i].uid, pid,
		     WIFSIGNALED(status) ? "signal" : "status",
		     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
}

/* --------------------------------------------------------------- loop ---- */

static void on_signal(void)
{
	struct signalfd_siginfo info;

	while (read(l.signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		logm(L_INFO, "stopping; supervisors and workers go on");
		exit(0);
	}
	reap();
}

static void step(void)
{
	struct pollfd p[2] = {
		{ .fd = l.control, .events = POLLIN },
		{ .fd = l.signals, .events = POLLIN },
	};
	struct ksplit_want want;

	if (poll(p, 2, -1) < 0 && errno != EINTR)
		die(EXIT_OS, "poll: %s", strerror(errno));
	if (p[1].revents)
		on_signal();
	if (p[0].revents & (POLLERR | POLLHUP | POLLNVAL))
		die(EXIT_NO_STUB, "%s is gone", l.device);
	/* One at a time: a want may have been met meanwhile. */
	if ((p[0].revents & POLLIN) &&
	    read(l.control, &want, sizeof(want)) == sizeof(want))
		on_want(&want);
}

int main(int argc, char **argv)
{
	parse_options(argc, argv);
	log_init("kvm-split-launcher");
	if (geteuid() != 0)
		die(EXIT_PERM, "must be root");
	open_control();
	watch_signals();
	write_ready();
	logm(L_INFO, "serving");
	for (;;)
		step();
}
