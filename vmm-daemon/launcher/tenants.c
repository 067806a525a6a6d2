// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of tenants, and what happens to one: a user waits, an instance asks,
 * time passes, a process ends.
 *
 * Invariants: of each user there is at most one supervisor, starting or running;
 * of all users at most max-tenants.  Who cannot be served at once is told so, or
 * has an entry with a time at which the launcher looks again.
 */
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kvm-split/uapi/kvm_split.h"
#include "common/confine.h"
#include "common/daemon.h"
#include "launcher/launcher.h"

#define MAX_SLOTS	1024	/* of one VM */
/* A supervisor that lived shorter than that counts as failed. */
#define SHORT_LIFE_MS	5000
#define BACKOFF_MIN_MS	500
#define BACKOFF_MAX_MS	60000
/* An open of /dev/kvm waits for half a minute; its user should know sooner. */
#define PATIENCE_MS	4000
/* A service that does not ask for its tenant by then is not coming. */
#define START_LIMIT_MS	10000

static void deny(uid_t uid, int error)
{
	struct ksplit_bind refusal = { .uid = uid, .error = error };

	if (ioctl(l.control, KSPLIT_BIND, &refusal) < 0 && errno != EEXIST)
		logm(L_WARNING, "uid %u: cannot be refused: %s", uid,
		     strerror(errno));
}

/* ---------------------------------------------------------- the table ---- */

static int is_active(const struct tenant *t)
{
	return t->state == T_COMING || t->state == T_RUNS || t->state == T_LEAVES;
}

/**
 * service_uid() - the first of the users that a tenant's processes run as
 * @t:		the tenant
 *
 * Return: a user id.
 */
uid_t service_uid(const struct tenant *t)
{
	return ids_first(l.config.n[CONFIG_UID_BASE], t->uid, t - l.tenants);
}

/* Entries without a supervisor only remember failures, for a time. */
static int is_free(const struct tenant *t)
{
	return t->state == T_UNUSED ||
	       (t->state == T_IDLE && !t->helper && !backoff_left(&t->backoff, now_ms()));
}

/* May this free entry be the user's?  A place is, once the workers of its last user are gone. */
static int suits(const struct tenant *t, uid_t uid)
{
	const uint64_t base = l.config.n[CONFIG_UID_BASE];
	uint64_t first;

	if (!is_free(t))
		return 0;
	if (!ids_by_place(base, uid))
		return 1;
	first = ids_first(base, uid, t - l.tenants);
	return first && !ids_living(first, NULL);
}

static struct tenant *known(uid_t uid)
{
	struct tenant *t;

	for_each_tenant(t)
		if (t->state != T_UNUSED && t->uid == uid)
			return t;
	return NULL;
}

/* A user's entry, old or new; NULL: there is no room. */
static struct tenant *find_tenant(uid_t uid)
{
	struct tenant *t = known(uid);
	unsigned int active = 0;

	if (t)
		return t;
	for_each_tenant(t)
		active += is_active(t);
	if (active >= l.config.n[CONFIG_MAX_TENANTS])
		return NULL;
	for_each_tenant(t) {
		if (!suits(t, uid))
			continue;
		*t = (struct tenant){
			.state = T_IDLE,
			.uid = uid,
			.pidfd = -1,
			.backoff = { .min = BACKOFF_MIN_MS, .max = BACKOFF_MAX_MS },
		};
		return t;
	}
	return NULL;
}

/* A tenant that may start now, or NULL with an errno for its user. */
static struct tenant *admit(uid_t uid, int *ret_error)
{
	struct settings settings;
	char name[MAX_NAME];
	struct tenant *t;

	*ret_error = policy(uid, name, &settings);
	if (*ret_error)
		return NULL;
	t = find_tenant(uid);
	if (!t) {
		log_refusal(uid, "%s: refused: max-tenants is %lld", name,
			    (long long)l.config.n[CONFIG_MAX_TENANTS]);
		*ret_error = EMFILE;
		return NULL;
	}
	if (t->state == T_RUNS || t->state == T_LEAVES) {
		*ret_error = EEXIST;
		return NULL;
	}
	if (ids_taken(service_uid(t))) {
		log_refusal(uid, "%s: refused: another account has user or group id %u", name,
			    service_uid(t));
		*ret_error = EACCES;
		return NULL;
	}
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->settings = settings;
	return t;
}

/* ------------------------------------------------------------- starts ---- */

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

static void runs(struct tenant *t, pid_t pid, int pidfd)
{
	t->state = T_RUNS;
	t->pid = pid;
	t->pidfd = pidfd;
	t->proven = now_ms() + SHORT_LIFE_MS;
	logm(L_INFO, "%s: supervisor %d runs as uid %u", t->name, pid, service_uid(t));
}

/* A start came to nothing: who waits is told so. */
static void failed(struct tenant *t)
{
	t->state = T_IDLE;
	backoff_fail(&t->backoff, now_ms());
	deny(t->uid, EBUSY);
}

static void start_service(struct tenant *t)
{
	pid_t pid = order_service(t);

	if (pid < 0) {
		logm(L_ERR, "%s: fork: %s", t->name, strerror(-pid));
		failed(t);
		return;
	}
	t->state = T_COMING;
	t->due = now_ms() + START_LIMIT_MS;
	t->helper = pid;
}

static void hold(struct tenant *t)
{
	t->state = T_HELD;
	t->due = t->backoff.not_before;
}

static void fork_supervisor(struct tenant *t)
{
	int fd = bind_tenant(t);
	pid_t pid;

	if (fd == -EEXIST) {
		backoff_fail(&t->backoff, now_ms());
		hold(t);
		return;
	}
	if (fd < 0) {
		t->state = T_IDLE;
		deny(t->uid, -fd);
		return;
	}
	pid = order_supervisor(t, service_uid(t), fd);
	close(fd);
	if (pid < 0) {
		logm(L_ERR, "%s: fork: %s", t->name, strerror(-pid));
		failed(t);
		return;
	}
	runs(t, pid, -1);
}

/* Held back rather than refused, if the open lasts that long. */
static void start(struct tenant *t)
{
	long long wait = backoff_left(&t->backoff, now_ms());

	if (wait >= PATIENCE_MS) {
		t->state = T_IDLE;
		deny(t->uid, EBUSY);
	} else if (wait) {
		hold(t);
	} else if (l.systemctl) {
		start_service(t);
	} else {
		fork_supervisor(t);
	}
}

/* ---------------------------------------------------- what happens ------- */

/**
 * on_want() - a user opened /dev/kvm and the kernel has no supervisor
 * @uid:	the user
 */
void on_want(uid_t uid)
{
	int error;
	struct tenant *t = admit(uid, &error);

	if (t && t->state != T_COMING)
		start(t);
	else if (!t && error == EEXIST)
		known(uid)->state = T_LEAVES;
	else if (!t)
		deny(uid, error);
}

/**
 * on_instance_wants() - an instance asks for the tenant of a user
 * @name:	the user's name or number
 * @peer:	the instance
 * @pidfd:	of it, -1: it is gone already; the tenant's from now on, if it gets one
 * @ret:	gets what it is told
 *
 * Return: the tenant's descriptor, -1: see @ret's error.
 */
int on_instance_wants(const char *name, const struct ucred *peer, int pidfd, struct handover *ret)
{
	struct passwd *pw = getpwnam(name);
	long long uid = pw ? (long long)pw->pw_uid : parse_number(name, UINT_MAX - 1);
	struct tenant *t;
	int fd, error = ENOENT;

	t = uid < 0 ? NULL : admit(uid, &error);
	if (!t || pidfd < 0) {
		ret->error = t ? ESRCH : error;
		return -1;
	}
	fd = bind_tenant(t);
	if (fd < 0) {
		ret->error = fd == -EEXIST ? EAGAIN : -fd;
		return -1;
	}
	ret->uid = t->uid;
	ret->service = service_uid(t);
	ret->settings = t->settings;
	runs(t, peer->pid, pidfd);
	return fd;
}

/**
 * on_due() - the time for which a tenant waited has come
 * @t:		a tenant that is held or coming
 */
void on_due(struct tenant *t)
{
	if (t->state == T_COMING) {
		logm(L_ERR, "%s: its service did not start", t->name);
		failed(t);
		return;
	}
	t->state = T_IDLE;
	on_want(t->uid);
}

static void ended(struct tenant *t)
{
	int waits = t->state == T_LEAVES;

	t->state = T_IDLE;
	t->pid = 0;
	if (now_ms() < t->proven)
		backoff_fail(&t->backoff, now_ms());
	else
		backoff_reset(&t->backoff);
	if (waits)
		on_want(t->uid);
}

/**
 * on_service_end() - a supervisor that is a service ended
 * @t:		whose
 */
void on_service_end(struct tenant *t)
{
	close(t->pidfd);
	t->pidfd = -1;
	logm(L_INFO, "%s: supervisor %d ended; started again on demand", t->name, t->pid);
	ended(t);
}

/**
 * on_child() - a child ended
 * @t:		a tenant that may have had it
 * @pid:	the child
 * @status:	of wait(2)
 */
void on_child(struct tenant *t, pid_t pid, int status)
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
		if (!code || t->state != T_COMING)
			return;
		logm(L_ERR, "%s: systemctl: %s %d", t->name, how, code);
		failed(t);
	}
}

/**
 * stop_supervisor() - tell a supervisor to end
 * @t:		whose
 *
 * Workers that serve a client go on; the next one gets the new settings.  That it
 * ends soon is no failure.
 */
void stop_supervisor(struct tenant *t)
{
	int r = t->pidfd < 0 ? kill(t->pid, SIGTERM) :
		(int)syscall(SYS_pidfd_send_signal, t->pidfd, SIGTERM, NULL, 0);

	if (r < 0)
		logm(L_ERR, "%s: supervisor %d: %s", t->name, t->pid, strerror(errno));
	else
		t->proven = 0;
}
