// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a supervisor comes to be: as a child of the launcher, by way of its starter,
 * or as a service, by way of systemctl(1) and this program's --instance.
 *
 * Invariant: a supervisor has no right but over its tenant's users and namespaces.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "common/confine.h"
#include "common/daemon.h"
#include "launcher/launcher.h"

#define ANSWER_LIMIT_S	5	/* of the launcher, for an instance */
#define RETRY_MS	100	/* of an instance whose predecessor is about to go */
#define UID_DIGITS	11	/* and a comma */
/* For the users of a tenant's workers; an open of /dev/kvm waits for half a minute. */
#define LOOKUP_LIMIT_MS	5000

/* A command line that grows, in static memory. */
static struct {
	char *word[32];
	char number[6][24];
	unsigned int nr, numbers;
} args;

static void add_word(char *word)
{
	args.word[args.nr++] = word;
	args.word[args.nr] = NULL;
}

static void add_number(char *option, long long value)
{
	char *text = args.number[args.numbers++];

	snprintf(text, sizeof(args.number[0]), "%lld", value);
	add_word(option);
	add_word(text);
}

static void add_hidden(const struct settings *set)
{
	static char list[CONFIG_FEATURE_WORDS * 32 * 5];
	unsigned int bit, len = 0;

	for (bit = 0; bit < CONFIG_FEATURE_WORDS * 32; bit++)
		if (set->hidden[bit / 32] & (1u << (bit % 32)))
			len += sprintf(list + len, len ? ",%u" : "%u", bit);
	if (!len)
		return;
	add_word("--hide");
	add_word(list);
}

/* Return: how many there are. */
static unsigned int add_uids(char *option, char *list, uid_t service, const unsigned char *those)
{
	unsigned int i, len = 0, n = 0;

	for (i = 1; i < TENANT_UIDS; i++) {
		if (!those[i])
			continue;
		len += sprintf(list + len, len ? ",%u" : "%u", service + i);
		n++;
	}
	if (!n)
		return 0;
	add_word(option);
	add_word(list);
	return n;
}

/* Those of the workers' users that a worker of an earlier supervisor still has. */
static void add_used(uid_t service)
{
	static char list[TENANT_UIDS * UID_DIGITS + 1];
	unsigned char living[TENANT_UIDS];

	ids_living(service, living);
	add_uids("--used-uids", list, service, living);
}

/* And those that accounts have: they could tamper with a worker. */
static void add_taken(uid_t uid, uid_t service)
{
	static char list[TENANT_UIDS * UID_DIGITS + 1];
	unsigned char taken[TENANT_UIDS];
	unsigned int unasked = ids_accounts(service, now_ms() + LOOKUP_LIMIT_MS, taken);
	unsigned int n = add_uids("--taken-uids", list, service, taken);

	if (n)
		logm(L_WARNING, "tenant %u: no worker gets %u of the users %u to %u: accounts or groups have %u, %u were not looked up in %d s",
		     uid, n, service + 1, service + TENANT_UIDS - 1, n - unasked, unasked,
		     LOOKUP_LIMIT_MS / 1000);
}

/* kvm-vmmd's command line */
static void make_args(const struct handover *h, int tenant)
{
	static char range[32];
	const struct settings *set = &h->settings;

	args.nr = args.numbers = 0;
	add_word("kvm-vmmd");
	add_number("--tenant-fd", tenant);
	add_number("--uid", h->uid);
	add_number("--log-level", set->n[CONFIG_LOG_LEVEL]);
	if (set->n[CONFIG_MAX_MEMORY] != CONFIG_NO_LIMIT)
		add_number("--max-memory", set->n[CONFIG_MAX_MEMORY]);
	if (set->n[CONFIG_MAX_MEMORY_SUM] != CONFIG_NO_LIMIT)
		add_number("--max-memory-sum", set->n[CONFIG_MAX_MEMORY_SUM]);
	add_word("--policy");
	add_word((char *)config_policy_name(set->n[CONFIG_POLICY]));
	if (l.instance && l.notify >= 0)
		add_number("--notify-fd", l.notify);
	if (!set->n[CONFIG_NESTED])
		add_word("--no-nested");
	add_hidden(set);
	if (l.spare_delay) {
		add_word("--spare-delay");
		add_word(l.spare_delay);
	}
	if (l.idle) {
		add_word("--idle");
		add_word(l.idle);
	}
	if (!l.namespaces)
		return;
	snprintf(range, sizeof(range), "%u-%u", h->service + 1, h->service + TENANT_UIDS - 1);
	add_word("--worker-uids");
	add_word(range);
	add_used(h->service);
	add_taken(h->uid, h->service);
}

static int become_service_user(uid_t uid)
{
	const unsigned long long caps = 1ull << CAP_KILL | 1ull << CAP_SETGID |
					1ull << CAP_SETUID | 1ull << CAP_SYS_ADMIN;

	if (l.namespaces)
		return confine_ids(uid) < 0 || confine_capabilities(caps) < 0 ? -1 : 0;
	return setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
	       setresuid(uid, uid, uid) < 0 ? -1 : 0;
}

static void __attribute__((noreturn))
become_supervisor(const struct handover *h, int tenant)
{
	unblock_signals();
	setsid();
	make_args(h, tenant);
	if (chdir("/") < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    become_service_user(h->service) < 0) {
		logm(L_ERR, "cannot become uid %u: %s", h->service, strerror(errno));
		_exit(EXIT_PERM);
	}
	fcntl(tenant, F_SETFD, 0);
	execv(l.supervisor, args.word);
	logm(L_ERR, "%s: %s", l.supervisor, strerror(errno));
	_exit(EXIT_OS);
}

/* ------------------------------------------------------------- starter --- */

struct order {
	char name[MAX_NAME];
	struct handover h;	/* without a descriptor: start a service */
};

static void __attribute__((noreturn)) become_systemctl(const char *name)
{
	char unit[4 * MAX_NAME + 32];

	unblock_signals();
	unit_name(name, unit, sizeof(unit));
	execl(l.systemctl, "systemctl", "start", "--quiet", unit, (char *)NULL);
	logm(L_ERR, "%s: %s", l.systemctl, strerror(errno));
	_exit(EXIT_OS);
}

static pid_t spawn(const void *order, int fd)
{
	const struct order *o = order;
	/* As fork(), but for the parent. */
	pid_t pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0 && fd < 0)
		become_systemctl(o->name);
	if (pid == 0)
		become_supervisor(&o->h, fd);
	return pid < 0 ? -errno : pid;
}

/**
 * start_starter() - start the process that starts supervisors
 */
void start_starter(void)
{
	starter_start(&l.starter, "ksplit-start", sizeof(struct order), spawn);
}

/**
 * order_supervisor() - have a supervisor started as a child
 * @t:		its tenant
 * @service:	the first of the users that its processes run as
 * @fd:		the tenant's descriptor
 *
 * Return: its process id, or a negative errno.
 */
pid_t order_supervisor(const struct tenant *t, uid_t service, int fd)
{
	struct order o = { .h = { .uid = t->uid, .service = service, .settings = t->settings } };

	snprintf(o.name, sizeof(o.name), "%s", t->name);
	return starter_order(&l.starter, &o, fd);
}

/**
 * order_service() - have systemctl(1) start a supervisor's service
 * @t:		its tenant
 *
 * Return: systemctl's process id, or a negative errno.
 */
pid_t order_service(const struct tenant *t)
{
	return order_supervisor(t, 0, -1);
}

/* ----------------------------------------------------------- instance ---- */

/* Ask the launcher once. */
static int ask(const struct sockaddr_un *addr, struct handover *ret)
{
	struct timeval patience = { .tv_sec = ANSWER_LIMIT_S };
	int fd, s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ssize_t n;

	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(s, (struct sockaddr *)addr, sizeof(*addr)) < 0 ||
	    send(s, l.instance, strlen(l.instance), MSG_NOSIGNAL) < 0)
		die(EXIT_OS, "%s: %s", addr->sun_path, strerror(errno));
	n = recv_message(s, ret, sizeof(*ret), &fd);
	if (n < 0)
		die(EXIT_OS, "%s: %s", addr->sun_path, strerror(errno));
	if (n != sizeof(*ret))
		die(EXIT_PROTOCOL, "the launcher is another version");
	if (!ret->error && fd < 0)
		die(EXIT_PROTOCOL, "the launcher sent no tenant");
	close(s);
	return fd;
}

/**
 * be_instance() - get a tenant from the launcher, and become its supervisor
 *
 * A worker that is just starting holds the descriptor of the supervisor before this
 * one, and the kernel gives no second one: then it asks again.
 */
void be_instance(void)
{
	const struct timespec pause = { .tv_nsec = RETRY_MS * 1000000L };
	struct sockaddr_un addr = socket_address();
	long long until = now_ms() + ANSWER_LIMIT_S * 1000;
	struct handover h;
	int fd = ask(&addr, &h);

	while (h.error == EAGAIN && now_ms() < until) {
		nanosleep(&pause, NULL);
		fd = ask(&addr, &h);
	}
	if (h.error)
		die(EXIT_PERM, "%s: %s", l.instance,
		    strerror(h.error == EAGAIN ? EEXIST : h.error));
	l.notify = notify_open();
	if (l.notify >= 0)
		fcntl(l.notify, F_SETFD, 0);
	become_supervisor(&h, fd);
}
