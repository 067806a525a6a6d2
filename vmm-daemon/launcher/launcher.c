// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-split-launcher: root's part.  Binds users who open /dev/kvm to a
 * supervisor of their own.
 *
 * Under systemd a supervisor is a service, kvm-vmmd@USER.service, which calls
 * this program again: that instance asks the launcher for the tenant's
 * descriptor over a socket and becomes the supervisor.  Elsewhere the launcher
 * forks it.
 *
 * Invariants: nothing that a user controls is parsed but one number from the
 * kernel; the socket is root's.  A supervisor runs as a user of the reserved range, never as root nor
 * as the tenant.  One supervisor per tenant, a bounded number in all, and the
 * starts of one that keeps dying are spaced out.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kvm-split/uapi/kvm_split.h"
#include "common/config.h"
#include "common/confine.h"
#include "common/daemon.h"
#include "filters.h"		/* made by mkfilters */

#define MAX_TENANTS	448	/* the kernel has 512, users who wait included */
#define MAX_SLOTS	1024	/* of one VM */
#define MAX_NAME	64	/* of a user */
#define MAX_GROUPS	256	/* of a user */
/* A supervisor that lived shorter than that counts as failed. */
#define SHORT_LIFE_MS	5000
#define BACKOFF_MIN_MS	500
#define BACKOFF_MAX_MS	60000
/* An open of /dev/kvm waits five seconds; some of them for the worker to start. */
#define PATIENCE_MS	4000
/* A service that does not ask for its tenant by then is not coming. */
#define START_LIMIT_MS	10000
#define ANSWER_LIMIT_S	5

static const char usage[] =
"Usage: kvm-split-launcher [OPTION]...\n"
"\n"
"Give every user who opens /dev/kvm a supervisor, and with it workers.\n"
"\n"
"  --device PATH       control device, default /dev/kvm-split\n"
"  --supervisor PATH   program to start, default: kvm-vmmd beside this one\n"
"  --run-dir PATH      where the file 'ready' appears, default /run/kvm-split\n"
"  --config FILE       default /etc/kvm-split/kvm-split.conf; files of tenants are\n"
"                      in tenants.d beside it; see kvm-split.conf(5)\n"
"  --spare-delay MS    how long kvm-vmmd(8) waits before it starts the next spare\n"
"                      worker, if nobody waits for it\n"
"  --any-uid           serve users that the user database does not know, too\n"
"  --no-namespaces     leave supervisors in the launcher's namespaces\n"
"  --systemctl PATH    start supervisors as services, with this program; default\n"
"                      is systemctl where systemd runs, fork() elsewhere\n"
"  --fork              never use services\n"
"  --instance USER     become that user's supervisor, as the service does\n"
"  --help              show this text\n";

/* A user who has, or had, a supervisor. */
struct tenant {
	int used;
	uid_t uid;
	char name[MAX_NAME];
	struct settings settings;	/* of the running supervisor */
	pid_t pid;		/* 0: not running */
	int pidfd;		/* of a service's, -1: a child of ours */
	pid_t helper;		/* systemctl, 0: none */
	long long coming;	/* ms; until then a service may ask, 0: none should */
	int stopping;		/* we told it to */
	int wanted;		/* somebody waits for the next one */
	long long started;	/* ms */
	unsigned int failures;
	long long not_before;	/* ms */
};

struct launcher {
	const char *device;
	const char *run_dir;
	const char *config_file;
	const char *instance;
	const char *systemctl;	/* NULL: fork */
	char supervisor[PATH_MAX];
	char *spare_delay;	/* NULL: kvm-vmmd's default */
	int any_uid;
	int namespaces;

	struct config config;
	pid_t starter;
	int orders;		/* its socket */
	int control;
	int signals;
	int socket;
	int notify;
	char ready_file[PATH_MAX];
	struct tenant tenants[MAX_TENANTS];
};

/* What the launcher tells an instance; the tenant's descriptor comes with it. */
struct handover {
	uint32_t uid;
	uint32_t service;
	uint32_t error;		/* errno: no descriptor */
	struct settings settings;
};

static struct launcher l = {
	.device = "/dev/kvm-split",
	.run_dir = "/run/kvm-split",
	.config_file = CONFIG_FILE,
	.namespaces = 1,
	.notify = -1,
};

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* -------------------------------------------------------- command line --- */

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
		{ "config",	   required_argument, NULL, 'c' },
		{ "spare-delay",   required_argument, NULL, 'p' },
		{ "any-uid",	   no_argument,	      NULL, 'a' },
		{ "no-namespaces", no_argument,	      NULL, 'n' },
		{ "systemctl",	   required_argument, NULL, 'S' },
		{ "fork",	   no_argument,	      NULL, 'f' },
		{ "instance",	   required_argument, NULL, 'i' },
		{ "help",	   no_argument,	      NULL, 'h' },
		{ }
	};
	int c;

	/* sd_booted(3) */
	if (!access("/run/systemd/system", F_OK))
		l.systemctl = "/usr/bin/systemctl";
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
		case 'c':
			l.config_file = optarg;
			break;
		case 'S':
			l.systemctl = optarg;
			break;
		case 'f':
			l.systemctl = NULL;
			break;
		case 'i':
			l.instance = optarg;
			break;
		case 'p':
			if (parse_number(optarg, 3600000) < 0)
				die(EXIT_USAGE, "--spare-delay: '%s' is no time in ms", optarg);
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

static void report(const char *line)
{
	logm(L_ERR, "%s", line);
}

static void load_config(void)
{
	if (config_load(l.config_file, &l.config, report) < 0)
		die(EXIT_CONFIG, "no configuration, so no virtual machines");
}

static struct sockaddr_un socket_address(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if ((size_t)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/launcher",
			     l.run_dir) >= sizeof(addr.sun_path))
		die(EXIT_USAGE, "--run-dir: path too long");
	return addr;
}

/* Where instances ask; of root alone. */
static void listen_to_instances(void)
{
	struct sockaddr_un addr = socket_address();
	mode_t mask = umask(0177);

	unlink(addr.sun_path);
	l.socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l.socket < 0 || bind(l.socket, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(l.socket, 64) < 0)
		die(EXIT_OS, "%s: %s", addr.sun_path, strerror(errno));
	umask(mask);
}

static void make_run_dir(void)
{
	umask(022);
	if (mkdir(l.run_dir, 0755) < 0 && errno != EEXIST)
		die(EXIT_OS, "%s: %s", l.run_dir, strerror(errno));
}

static void remove_ready(void)
{
	unlink(l.ready_file);
}

/* Tell others, without systemd, that opens of /dev/kvm are served from now. */
static void write_ready(void)
{
	int fd;

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
	sigaddset(&set, SIGHUP);
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
		running += t->used && (t->pid || t->coming);
		/* Entries without a supervisor only remember failures. */
		if (!unused && (!t->used || (!t->pid && !t->coming && !t->helper &&
						!t->wanted && now_ms() >= t->not_before)))
			unused = t;
	}
	if (!unused || running >= l.config.n[CONFIG_MAX_TENANTS])
		return NULL;
	memset(unused, 0, sizeof(*unused));
	unused->used = 1;
	unused->pidfd = -1;
	unused->uid = uid;
	return unused;
}

static int in_service_range(uid_t uid)
{
	return uid >= l.config.n[CONFIG_UID_BASE];
}

/*
 * The first of the user ids that a tenant's processes run as, or -1.  Each user
 * has its own while there is room; users with high ids get those that go with
 * their place in the table.
 */
static long long service_uid(uid_t uid)
{
	const long long places = UINT_MAX - 1LL - MAX_TENANTS * TENANT_UIDS;
	long long service = l.config.n[CONFIG_UID_BASE] + (long long)uid * TENANT_UIDS;
	unsigned int i;

	if (in_service_range(uid))
		return -1;
	if (service + TENANT_UIDS <= places)
		return service;
	for (i = 0; i < MAX_TENANTS; i++)
		if (l.tenants[i].used && l.tenants[i].uid == uid)
			return places + i * TENANT_UIDS;
	return l.config.n[CONFIG_UID_BASE] < places ? places : -1;
}

/* kvm-vmmd's command line, in static memory. */
static char **supervisor_args(uid_t uid, int tenant, const struct settings *set)
{
	static char numbers[5][24], hidden[CONFIG_FEATURE_WORDS * 32 * 5];
	static char *args[24];
	unsigned int bit, n = 0, len = 0, i = 0;

#define NUMBER(option, value) do {						\
		args[i++] = option;						\
		snprintf(numbers[n], sizeof(numbers[n]), "%lld", (long long)(value));	\
		args[i++] = numbers[n++];					\
	} while (0)

	args[i++] = "kvm-vmmd";
	NUMBER("--tenant-fd", tenant);
	NUMBER("--uid", uid);
	NUMBER("--log-level", set->n[CONFIG_LOG_LEVEL]);
	if (set->n[CONFIG_MAX_MEMORY] != CONFIG_NO_LIMIT)
		NUMBER("--max-memory", set->n[CONFIG_MAX_MEMORY]);
	if (l.instance && l.notify >= 0)
		NUMBER("--notify-fd", l.notify);
#undef NUMBER
	if (!set->n[CONFIG_NESTED])
		args[i++] = "--no-nested";
	for (bit = 0; bit < CONFIG_FEATURE_WORDS * 32; bit++)
		if (set->hidden[bit / 32] & (1u << (bit % 32)))
			len += sprintf(hidden + len, len ? ",%u" : "%u", bit);
	if (len) {
		args[i++] = "--hide";
		args[i++] = hidden;
	}
	if (l.spare_delay) {
		args[i++] = "--spare-delay";
		args[i++] = l.spare_delay;
	}
	args[i] = NULL;
	return args;
}

/* The child, up to exec. */
static void __attribute__((noreturn))
become_supervisor(uid_t service, int tenant, char **args)
{
	const unsigned long long caps = 1ull << CAP_KILL | 1ull << CAP_SETGID |
					1ull << CAP_SETUID | 1ull << CAP_SYS_ADMIN;
	char range[32];
	sigset_t none;
	int n = 0;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (chdir("/") < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    (l.namespaces ? confine_ids(service) < 0 || confine_capabilities(caps) < 0 :
			    setgroups(0, NULL) < 0 || setresgid(service, service, service) < 0 ||
			    setresuid(service, service, service) < 0)) {
		logm(L_ERR, "cannot become uid %u: %s", service, strerror(errno));
		_exit(EXIT_PERM);
	}
	if (l.namespaces) {
		while (args[n])
			n++;
		snprintf(range, sizeof(range), "%u-%u", service + 1, service + TENANT_UIDS - 1);
		args[n++] = "--worker-uids";
		args[n++] = range;
		args[n] = NULL;
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

/* The kernel's descriptor of the tenant, or a negative errno. */
static int bind_tenant(const struct tenant *t)
{
	struct ksplit_bind bind = {
		.uid = t->uid,
		.max_vms = t->settings.n[CONFIG_MAX_VMS],
		.max_vcpus = t->settings.n[CONFIG_MAX_VCPUS],
		.max_slots = MAX_SLOTS,
	};
	int fd = ioctl(l.control, KSPLIT_BIND, &bind);

	if (fd >= 0)
		return fd;
	/* EEXIST: its last supervisor's descriptor is about to go. */
	if (errno != EEXIST)
		logm(L_ERR, "%s: bind: %s", t->name, strerror(errno));
	return -errno;
}

/* ------------------------------------------------------------- starter --- */

/*
 * Children are started by a process of its own, which knows the command line
 * and takes nothing but this: a filter is inherited, and the launcher's must not
 * be.  The launcher stays their parent.
 */
struct order {
	char name[MAX_NAME];
	struct handover h;	/* without a descriptor: start a service */
};

static void __attribute__((noreturn)) become_systemctl(const char *name)
{
	char unit[4 * MAX_NAME + 32];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	unit_name(name, unit, sizeof(unit));
	execl(l.systemctl, "systemctl", "start", "--quiet", unit, (char *)NULL);
	logm(L_ERR, "%s: %s", l.systemctl, strerror(errno));
	_exit(EXIT_OS);
}

static void __attribute__((noreturn)) be_starter(int orders)
{
	struct order o;
	sigset_t all;
	int fd, pid;

	/* It ends with the launcher. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "ksplit-start");
	while (recv_message(orders, &o, sizeof(o), &fd) == sizeof(o)) {
		/* As fork(), but for the parent. */
		pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
		if (pid == 0 && fd < 0)
			become_systemctl(o.name);
		if (pid == 0)
			become_supervisor(o.h.service, fd,
					  supervisor_args(o.h.uid, fd, &o.h.settings));
		if (pid < 0)
			pid = -errno;
		if (fd >= 0)
			close(fd);
		if (write(orders, &pid, sizeof(pid)) != sizeof(pid))
			break;
	}
	_exit(0);
}

static void start_starter(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die(EXIT_OS, "starter: %s", strerror(errno));
	l.starter = fork();
	if (l.starter < 0)
		die(EXIT_OS, "starter: %s", strerror(errno));
	if (l.starter == 0) {
		close(pair[0]);
		be_starter(pair[1]);
	}
	close(pair[1]);
	l.orders = pair[0];
}

static void on_want(uid_t uid);

/* The new child's process id, or a negative errno. */
static pid_t order(const struct tenant *t, uid_t service, int fd)
{
	struct order o = { .h = { .uid = t->uid, .service = service, .settings = t->settings } };
	int pid;

	strcpy(o.name, t->name);
	if (send_message(l.orders, &o, sizeof(o), fd) < 0 ||
	    read(l.orders, &pid, sizeof(pid)) != sizeof(pid))
		die(EXIT_INTERNAL, "the starter of supervisors is gone");
	return pid;
}

static void fork_supervisor(struct tenant *t)
{
	long long service = service_uid(t->uid);
	int fd = bind_tenant(t);

	if (fd == -EEXIST) {
		/* Its last supervisor's descriptor is about to go. */
		note_failure(t);
		on_want(t->uid);
		return;
	}
	if (fd < 0) {
		deny(t->uid, -fd);
		return;
	}
	t->started = now_ms();
	t->pid = order(t, service, fd);
	close(fd);
	if (t->pid < 0) {
		logm(L_ERR, "%s: fork: %s", t->name, strerror(-t->pid));
		t->pid = 0;
		note_failure(t);
		deny(t->uid, EBUSY);
		return;
	}
	logm(L_INFO, "%s: supervisor %d runs as uid %lld", t->name, t->pid, service);
}

/* ------------------------------------------------------------ services --- */

static void start_service(struct tenant *t)
{
	t->coming = now_ms() + START_LIMIT_MS;
	t->helper = order(t, 0, -1);
	if (t->helper < 0) {
		logm(L_ERR, "%s: fork: %s", t->name, strerror(-t->helper));
		t->helper = 0;
		t->coming = 0;
		note_failure(t);
		deny(t->uid, EBUSY);
	}
}

/* The instance's side: get the tenant, become its supervisor. */
static void __attribute__((noreturn)) be_instance(void)
{
	struct sockaddr_un addr = socket_address();
	struct timeval patience = { .tv_sec = ANSWER_LIMIT_S };
	struct handover h;
	int fd, s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ssize_t n;

	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(s, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		die(EXIT_OS, "%s: %s", addr.sun_path, strerror(errno));
	if (send(s, l.instance, strlen(l.instance), MSG_NOSIGNAL) < 0)
		die(EXIT_OS, "%s: %s", addr.sun_path, strerror(errno));
	n = recv_message(s, &h, sizeof(h), &fd);
	if (n < 0)
		die(EXIT_OS, "%s: %s", addr.sun_path, strerror(errno));
	if (n != sizeof(h))
		die(EXIT_PROTOCOL, "the launcher is another version");
	if (h.error)
		die(EXIT_PERM, "%s: %s", l.instance, strerror(h.error));
	if (fd < 0)
		die(EXIT_PROTOCOL, "the launcher sent no tenant");
	close(s);
	l.notify = notify_open();
	if (l.notify >= 0)
		fcntl(l.notify, F_SETFD, 0);
	become_supervisor(h.service, fd, supervisor_args(h.uid, fd, &h.settings));
}

/* -------------------------------------------------------------- policy --- */

/* The user's groups, NULL at the end; static memory. */
static char **groups_of(const char *name, gid_t gid)
{
	static char *names[MAX_GROUPS + 1];
	gid_t ids[MAX_GROUPS];
	int i, n = 0, count = MAX_GROUPS;

	for (i = 0; names[i]; i++)
		free(names[i]);
	/* Too many: those that fit. */
	if (getgrouplist(name, gid, ids, &count) < 0)
		count = MAX_GROUPS;
	for (i = 0; i < count; i++) {
		struct group *g = getgrgid(ids[i]);

		if (g)
			names[n] = strdup(g->gr_name);
		n += g && names[n];
	}
	names[n] = NULL;
	return names;
}

/*
 * May this user have virtual machines, and with what settings?  0 or the errno
 * that open() returns.
 */
static int policy(uid_t uid, char *ret_name, const struct settings **ret)
{
	static char *no_groups[] = { NULL };
	struct passwd *pw = getpwuid(uid);
	char **groups;

	snprintf(ret_name, MAX_NAME, "%u", uid);
	if (service_uid(uid) < 0) {
		logm(L_WARNING, "uid %u: refused: no service user for it", uid);
		return EACCES;
	}
	if (!pw && !l.any_uid) {
		logm(L_WARNING, "uid %u: refused: unknown user", uid);
		return EACCES;
	}
	if (pw && strlen(pw->pw_name) >= MAX_NAME) {
		logm(L_WARNING, "uid %u: refused: name too long", uid);
		return EACCES;
	}
	if (pw)
		strcpy(ret_name, pw->pw_name);
	groups = pw ? groups_of(ret_name, pw->pw_gid) : no_groups;
	if (!config_allows(&l.config, ret_name, groups)) {
		logm(L_WARNING, "%s: refused: not among users", ret_name);
		return EACCES;
	}
	*ret = config_settings(&l.config, ret_name);
	if (!*ret) {
		logm(L_WARNING, "%s: refused: its configuration cannot be used", ret_name);
		return EACCES;
	}
	return 0;
}

/* A tenant that may start now, or NULL with an errno for its user. */
static struct tenant *admit(uid_t uid, int *ret_error)
{
	const struct settings *settings;
	char name[MAX_NAME];
	struct tenant *t;

	*ret_error = policy(uid, name, &settings);
	if (*ret_error)
		return NULL;
	t = find_tenant(uid);
	if (!t) {
		logm(L_WARNING, "%s: refused: max-tenants is %lld", name,
		     (long long)l.config.n[CONFIG_MAX_TENANTS]);
		*ret_error = EMFILE;
		return NULL;
	}
	if (t->pid) {
		*ret_error = EEXIST;
		return NULL;
	}
	strcpy(t->name, name);
	t->settings = *settings;
	t->stopping = 0;
	t->wanted = 0;
	return t;
}

/* A user opened /dev/kvm and the kernel has no supervisor. */
static void on_want(uid_t uid)
{
	int error;
	struct tenant *t = admit(uid, &error);

	if (!t && error == EEXIST) {
		/* Then it is about to end. */
		find_tenant(uid)->wanted = 1;
		return;
	}
	if (!t) {
		deny(uid, error);
		return;
	}
	if (t->coming && now_ms() < t->coming)
		return;		/* its start is under way */
	if (t->coming) {
		logm(L_ERR, "%s: its service did not start", t->name);
		t->coming = 0;
		note_failure(t);
	}
	/* Held back rather than refused, if the open lasts that long. */
	t->wanted = now_ms() < t->not_before && t->not_before - now_ms() < PATIENCE_MS;
	if (t->wanted)
		return;
	if (now_ms() < t->not_before) {
		deny(uid, EBUSY);
		return;
	}
	if (l.systemctl)
		start_service(t);
	else
		fork_supervisor(t);
}

/* An instance asks for the tenant of a user. */
static int answer(const char *name, const struct ucred *peer, struct handover *ret)
{
	struct passwd *pw = getpwnam(name);
	long long uid = pw ? (long long)pw->pw_uid : parse_number(name, UINT_MAX - 1);
	struct tenant *t;
	int fd, error;

	ret->error = ENOENT;
	t = uid < 0 ? NULL : admit(uid, &error);
	if (!t) {
		ret->error = uid < 0 ? ENOENT : error;
		return -1;
	}
	fd = bind_tenant(t);
	if (fd < 0) {
		ret->error = -fd;
		return -1;
	}
	t->coming = 0;
	t->started = now_ms();
	t->pid = peer->pid;
	t->pidfd = syscall(SYS_pidfd_open, peer->pid, 0);
	if (t->pidfd < 0)
		t->pid = 0;	/* gone already: its descriptor goes with the message */
	ret->error = 0;
	ret->uid = t->uid;
	ret->service = service_uid(t->uid);
	ret->settings = t->settings;
	logm(L_INFO, "%s: supervisor %d runs as uid %u", t->name, peer->pid, ret->service);
	return fd;
}

static void on_instance(void)
{
	struct timeval patience = { .tv_sec = 1 };
	struct handover h = { 0 };
	struct ucred peer;
	socklen_t len = sizeof(peer);
	char name[MAX_NAME];
	ssize_t n;
	int fd, conn = accept4(l.socket, NULL, NULL, SOCK_CLOEXEC);

	if (conn < 0)
		return;
	if (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != 0) {
		logm(L_ERR, "an instance that is not root's");
		close(conn);
		return;
	}
	setsockopt(conn, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	n = recv(conn, name, sizeof(name) - 1, 0);
	if (n > 0) {
		name[n] = '\0';
		fd = answer(name, &peer, &h);
		if (send_message(conn, &h, sizeof(h), fd) < 0)
			logm(L_WARNING, "an instance went away: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	close(conn);
}

/* -------------------------------------------------------------- events --- */

static void ended(struct tenant *t)
{
	t->pid = 0;
	if (!t->stopping && now_ms() - t->started < SHORT_LIFE_MS)
		note_failure(t);
	else
		t->failures = 0;
	t->stopping = 0;
	if (t->wanted)
		on_want(t->uid);
}

static void on_service_end(struct tenant *t)
{
	close(t->pidfd);
	t->pidfd = -1;
	logm(L_INFO, "%s: supervisor %d ended; started again on demand", t->name, t->pid);
	ended(t);
}

static void on_child(struct tenant *t, pid_t pid, int status)
{
	const char *how = WIFSIGNALED(status) ? "signal" : "status";
	int code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);

	if (t->pid == pid && t->pidfd < 0) {
		logm(code ? L_ERR : L_INFO,
		     "%s: supervisor %d ended, %s %d; started again on demand", t->name,
		     pid, how, code);
		ended(t);
	} else if (t->helper == pid) {
		t->helper = 0;
		if (!code || t->pid)
			return;
		logm(L_ERR, "%s: systemctl: %s %d", t->name, how, code);
		t->coming = 0;
		note_failure(t);
		deny(t->uid, EBUSY);
	}
}

static void reap(void)
{
	struct tenant *t;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == l.starter)
			die(EXIT_INTERNAL, "the starter of supervisors ended");
		for (t = l.tenants; t < l.tenants + MAX_TENANTS; t++)
			if (t->used)
				on_child(t, pid, status);
	}
}

/* Workers that serve a client go on; the next one gets the new settings. */
static void stop_supervisor(struct tenant *t)
{
	int r = t->pidfd < 0 ? kill(t->pid, SIGTERM) :
		(int)syscall(SYS_pidfd_send_signal, t->pidfd, SIGTERM, NULL, 0);

	if (r < 0)
		logm(L_ERR, "%s: supervisor %d: %s", t->name, t->pid, strerror(errno));
	else
		t->stopping = 1;
}

static void reload(void)
{
	const struct settings *settings;
	char name[MAX_NAME];
	struct config new;
	struct tenant *t;

	notify(l.notify, "RELOADING=1");
	if (config_load(l.config_file, &new, report) < 0) {
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
	logm(L_INFO, "configuration reloaded");
	for (t = l.tenants; t < l.tenants + MAX_TENANTS; t++)
		if (t->used && t->pid &&
		    (policy(t->uid, name, &settings) ||
		     memcmp(settings, &t->settings, sizeof(*settings))))
			stop_supervisor(t);
	notify(l.notify, "READY=1");
}

/* --------------------------------------------------------------- loop ---- */

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

/* A tenant that is wanted and has nothing under way. */
static int held_back(const struct tenant *t)
{
	return t->used && t->wanted && !t->pid && !t->coming;
}

/* How long to sleep, ms; -1: until something happens. */
static int patience(long long now)
{
	const struct tenant *t;
	long long wait = -1;

	for (t = l.tenants; t < l.tenants + MAX_TENANTS; t++)
		if (held_back(t) && (wait < 0 || t->not_before - now < wait))
			wait = t->not_before > now ? t->not_before - now : 0;
	return wait;
}

static void step(void)
{
	static struct pollfd p[3 + MAX_TENANTS];
	struct tenant *of[MAX_TENANTS], *t;
	struct ksplit_want want;
	int i, n = 0;

	p[0] = (struct pollfd){ .fd = l.control, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = l.signals, .events = POLLIN };
	p[2] = (struct pollfd){ .fd = l.socket, .events = POLLIN };
	for (t = l.tenants; t < l.tenants + MAX_TENANTS; t++) {
		if (!t->used || t->pidfd < 0)
			continue;
		p[3 + n] = (struct pollfd){ .fd = t->pidfd, .events = POLLIN };
		of[n++] = t;
	}
	if (poll(p, 3 + n, patience(now_ms())) < 0 && errno != EINTR)
		die(EXIT_OS, "poll: %s", strerror(errno));
	for (t = l.tenants; t < l.tenants + MAX_TENANTS; t++)
		if (held_back(t) && now_ms() >= t->not_before) {
			t->wanted = 0;
			on_want(t->uid);
		}
	for (i = 0; i < n; i++)
		if (p[3 + i].revents)
			on_service_end(of[i]);
	if (p[1].revents)
		on_signal();
	if (p[0].revents & (POLLERR | POLLHUP | POLLNVAL))
		die(EXIT_NO_STUB, "%s is gone", l.device);
	if (p[2].revents)
		on_instance();
	/* One at a time: a want may have been met meanwhile. */
	if ((p[0].revents & POLLIN) &&
	    read(l.control, &want, sizeof(want)) == sizeof(want))
		on_want(want.uid);
}

int main(int argc, char **argv)
{
	parse_options(argc, argv);
	log_init("kvm-split-launcher");
	if (geteuid() != 0)
		die(EXIT_PERM, "must be root");
	if (l.instance)
		be_instance();
	load_config();
	start_starter();
	open_control();
	watch_signals();
	make_run_dir();
	listen_to_instances();
	write_ready();
	l.notify = notify_open();
	/* CAP_KILL: to tell a supervisor, of another user, to end. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || confine_capabilities(1ull << CAP_KILL) < 0 ||
	    confine_report(NULL) < 0 || CONFINE(launcher) < 0)
		die(EXIT_OS, "no sandbox: %s", strerror(errno));
	logm(L_INFO, "serving");
	notify(l.notify, "READY=1");
	for (;;)
		step();
}
