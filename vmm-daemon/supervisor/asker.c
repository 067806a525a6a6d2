// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process that asks the policy service whether a worker's client may have a VM.
 *
 * It is apart from the supervisor, which has no file system in which there is a service's
 * socket, and parses nothing.  Each question has a connection of its own, so a service
 * may end and come back; who the client is, the service finds out itself.
 *
 * Invariants: each order is answered once, within PATIENCE_MS whatever the service does.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/confine.h"
#include "common/daemon.h"
#include "filters.h"		/* made by mkfilters */
#include "policy/wire/message.h"
#include "policy/wire/wire.h"
#include "supervisor/supervisor.h"

#define ORDERS_FD	3
#define PATIENCE_MS	2000	/* the service has one second for a tenant's */
#define AGAIN_MS	100	/* after a connection came to nothing */

/**
 * struct question - one that is asked
 * @order:	what was ordered; worker 0: none
 * @wire:	connection; no descriptor: it is to be made at @again
 * @due:	when the answer is that there is none, ms
 * @again:	ms
 * @error:	of the last connection, a negative errno
 */
struct question {
	struct policy_order order;
	struct wire wire;
	long long due, again;
	int error;
};

static struct question questions[MAX_ASKED];
static const char *service;

#define for_each_question(q) for (q = questions; q < questions + MAX_ASKED; q++)

static void finish(struct question *q, struct policy_word *w)
{
	wire_close(&q->wire);
	w->worker = q->order.worker;
	q->order.worker = 0;
	if (send(ORDERS_FD, w, sizeof(*w), MSG_NOSIGNAL) != sizeof(*w))
		_exit(0);
}

static void finish_without(struct question *q, int error, const char *why)
{
	struct policy_word w = { .error = error };

	policy_clean(w.why, sizeof(w.why), why);
	finish(q, &w);
}

static void try_again(struct question *q, int error)
{
	wire_close(&q->wire);
	q->error = error;
	q->again = now_ms() + AGAIN_MS;
}

static int send_question(struct question *q)
{
	const struct request r = {
		.op = OP_VM_CREATE, .tenant = "?", .worker = q->order.worker, .vms = q->order.vms,
		.vcpus = POLICY_UNKNOWN, .memory = POLICY_UNKNOWN,
	};
	json_t *call = json_pack("{s:s, s:o}", "method", POLICY_INTERFACE ".Decide",
				 "parameters", message_request(&r));
	int e = wire_send(&q->wire, call);

	json_decref(call);
	return e;
}

static void begin(struct question *q)
{
	int r = wire_connect(&q->wire, service);

	if (!r)
		r = send_question(q);
	if (r == -ENOENT)
		finish_without(q, r, "there is none");
	else if (r)
		try_again(q, r);
}

static uint32_t vcpus_of(int64_t n)
{
	return n < UINT32_MAX ? n : UINT32_MAX;
}

static void take(struct question *q, const json_t *message)
{
	struct policy_word w = { 0 };
	struct opinion o;
	json_t *parameters;
	const char *error;

	if (wire_result(message, &parameters, &error)) {
		finish_without(q, -EBADMSG, "it sent no reply");
		return;
	}
	if (error || message_to_opinion(parameters, &o) || o.verdict == VERDICT_NONE) {
		finish_without(q, -EBADMSG, error ? error : "it sent no decision");
		return;
	}
	w.allowed = o.verdict == VERDICT_ALLOW;
	w.max_vcpus = vcpus_of(o.max_vcpus);
	w.max_memory = o.max_memory;
	message_refusal(parameters, w.why, sizeof(w.why));
	finish(q, &w);
}

static void on_reply(struct question *q)
{
	json_t *message;
	int r = wire_ready(&q->wire, &message);

	if (r == 1) {
		take(q, message);
		json_decref(message);
	} else if (r) {
		try_again(q, r);
	}
}

static void on_time(struct question *q, long long now)
{
	if (now >= q->due)
		finish_without(q, -ETIMEDOUT, q->error ? strerror(-q->error) : "it does not answer");
	else if (q->wire.fd < 0 && now >= q->again)
		begin(q);
}

static void on_order(void)
{
	struct question *q, *place = NULL;

	for_each_question(q)
		if (!q->order.worker)
			place = q;
	/* The supervisor orders no more than there are places. */
	if (!place || recv(ORDERS_FD, &place->order, sizeof(place->order), 0) != sizeof(place->order))
		_exit(0);
	place->due = now_ms() + PATIENCE_MS;
	place->error = 0;
	begin(place);
}

/* When it is to look at the questions again, ms from now; -1: there are none. */
static int patience(long long now)
{
	long long first = -1, at;
	struct question *q;

	for_each_question(q) {
		at = q->wire.fd < 0 && q->again < q->due ? q->again : q->due;
		if (q->order.worker && (first < 0 || at < first))
			first = at;
	}
	if (first < 0)
		return -1;
	return first > now ? first - now : 0;
}

static void step(void)
{
	struct pollfd p[1 + MAX_ASKED] = { { .fd = ORDERS_FD, .events = POLLIN } };
	struct question *q;

	for_each_question(q)
		p[1 + q - questions] = (struct pollfd){
			.fd = q->wire.fd, .events = POLLIN | (q->wire.todo ? POLLOUT : 0),
		};
	if (poll(p, 1 + MAX_ASKED, patience(now_ms())) < 0)
		return;
	for_each_question(q) {
		if (q->order.worker && p[1 + q - questions].revents)
			on_reply(q);
		if (q->order.worker)
			on_time(q, now_ms());
	}
	if (p[0].revents)
		on_order();
}

/* It keeps the host's root, in which the service's socket is, and Landlock shuts that. */
static void confine(int namespaces)
{
	static const char * const no_folder[] = { NULL };

	/* The supervisor changes its root for all of its mount namespace. */
	if ((namespaces && unshare(CLONE_NEWNS) < 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    confine_files(no_folder) < 0 || confine_capabilities(0) < 0 ||
	    confine_report(NULL) < 0 || CONFINE(asker) < 0)
		die(EXIT_OS, "no sandbox: %s", strerror(errno));
}

static void __attribute__((noreturn)) be_asker(const struct supervisor *s, int orders)
{
	struct question *q;
	sigset_t most;

	prctl(PR_SET_NAME, "kvm-vmmd-ask");
	/* It ends when its supervisor's end of the socket goes. */
	sigfillset(&most);
	sigdelset(&most, SIGSYS);
	sigprocmask(SIG_SETMASK, &most, NULL);
	if (dup2(orders, ORDERS_FD) < 0 || close_range(ORDERS_FD + 1, ~0U, 0) < 0)
		die(EXIT_OS, "descriptors: %s", strerror(errno));
	service = s->policyd;
	for_each_question(q)
		q->wire.fd = -1;
	/* What jansson's tables and malloc do once: get a random number. */
	json_object_seed(0);
	json_decref(json_object());
	confine(s->uid_first >= 0);
	send(ORDERS_FD, "", 1, MSG_NOSIGNAL);
	for (;;)
		step();
}

/**
 * start_asker() - start the process that asks the policy service
 * @s:		the supervisor, before it gives up its root
 *
 * It is in a mount namespace of its own when this returns: the supervisor's new root
 * would be its, too, else, and it would find no service.
 */
void start_asker(struct supervisor *s)
{
	int pair[2];
	char c;

	if (s->policy == POLICY_OFF)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die(EXIT_OS, "socket: %s", strerror(errno));
	s->asker.pid = fork();
	if (s->asker.pid < 0)
		die(EXIT_OS, "fork: %s", strerror(errno));
	if (s->asker.pid == 0)
		be_asker(s, pair[1]);
	close(pair[1]);
	if (read(pair[0], &c, 1) != 1)
		die(EXIT_INTERNAL, "the process that asks for policy does not start");
	/* Standard descriptors may be closed. */
	s->asker.fd = fcntl(pair[0], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(pair[0]);
}
