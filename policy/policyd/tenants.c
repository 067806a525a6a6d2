// SPDX-License-Identifier: GPL-2.0-only
/*
 * The question to a tenant's own policy service.
 *
 * Invariants: nothing that the service does or leaves out delays anybody but the asker,
 * who has an answer after ANSWER_MS; nothing is sent to a socket that is not the
 * tenant's.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/backoff.h"
#include "common/daemon.h"
#include "policy/policyd/policyd.h"

/* A user, or the number of one without a name. */
static int uid_of(const char *tenant, uid_t *ret)
{
	const struct passwd *pw = getpwnam(tenant);
	long long n = pw ? (long long)pw->pw_uid : parse_number(tenant, UINT32_MAX - 1);

	*ret = n;
	return n < 0 ? -1 : 0;
}

/* The file itself: a tenant may put a link to another's socket in its own folder. */
static int open_socket_file(const char *path, uid_t owner)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fd;
	if (S_ISSOCK(st.st_mode) && st.st_uid == owner)
		return fd;
	close(fd);
	errno = EPERM;
	return -1;
}

static int connect_to(const char *path, uid_t owner)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int file = open_socket_file(path, owner), fd;

	if (file < 0)
		return -1;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d", file);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int e = errno;

		close(fd);
		errno = e;
		fd = -1;
	}
	close(file);
	return fd;
}

static int questions_to(const char *tenant)
{
	const struct asker *a;
	int n = 0;

	for_each_asker(a)
		n += a->wire.fd >= 0 && a->tenant.fd >= 0 && !strcmp(a->q.tenant, tenant);
	return n;
}

/**
 * tenant_silent() - the tenant says nothing
 * @a:		who asked
 * @why:	for people
 */
void tenant_silent(struct asker *a, const char *why)
{
	struct opinion nothing = {
		.max_vcpus = POLICY_NO_LIMIT, .max_memory = POLICY_NO_LIMIT,
	};

	wire_close(&a->tenant);
	snprintf(nothing.reason, sizeof(nothing.reason), "the tenant's policy service %s", why);
	asker_answer(a, &nothing);
}

static int send_question(struct asker *a)
{
	json_t *call = json_pack("{s:s, s:o}", "method", POLICY_INTERFACE ".Decide",
				 "parameters", message_request(&a->q));
	int r = wire_send(&a->tenant, call);

	json_decref(call);
	return r;
}

/**
 * tenant_ask() - ask the tenant
 * @a:		who asked, with the request
 */
void tenant_ask(struct asker *a)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)], why[128];
	uid_t owner;
	int fd;

	if (judge_socket(a->q.tenant, path, sizeof(path)) || uid_of(a->q.tenant, &owner)) {
		tenant_silent(a, "does not exist: there is no policy-socket");
		return;
	}
	if (questions_to(a->q.tenant) >= MAX_PER_TENANT) {
		tenant_silent(a, "has too many questions before it");
		return;
	}
	fd = connect_to(path, owner);
	if (fd < 0) {
		policy_clean(why, sizeof(why), errno == EPERM ? "has no socket of the tenant's" :
			     strerror(errno));
		tenant_silent(a, why);
		return;
	}
	wire_open(&a->tenant, fd);
	a->due = now_ms() + ANSWER_MS;
	if (send_question(a))
		tenant_silent(a, "does not take questions");
}

/* What came is an answer, or as good as none. */
static void on_message(struct asker *a, const json_t *message)
{
	struct opinion tenant;
	json_t *parameters;
	const char *error;

	if (wire_result(message, &parameters, &error) || error ||
	    message_to_opinion(parameters, &tenant)) {
		tenant_silent(a, "sent no answer of " POLICY_INTERFACE);
		return;
	}
	wire_close(&a->tenant);
	asker_answer(a, &tenant);
}

/**
 * tenant_ready() - the service has sent something, or takes more
 * @a:		who asked
 */
void tenant_ready(struct asker *a)
{
	json_t *message;
	int r = wire_ready(&a->tenant, &message);

	if (r == 1) {
		on_message(a, message);
		json_decref(message);
	} else if (r == -EMSGSIZE || r == -EBADMSG) {
		tenant_silent(a, "sent no message");
	} else if (r) {
		tenant_silent(a, "went away");
	}
}
