// SPDX-License-Identifier: GPL-2.0-only
/*
 * What workers ask, common/ask.h, and the tenant's limits that are kept here: memory of
 * all VMs together, and the policy service's word on each VM.
 *
 * Invariants: nothing that a worker sends, or does not take, makes the supervisor wait,
 * or anything come to another VM but less of what they share.  A worker has one question
 * at a time; of those for the policy service MAX_ASKED are asked at once, and no more
 * than its pace allows.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/ask.h"
#include "common/daemon.h"
#include "supervisor/supervisor.h"

#define for_each_link(l, s) for (l = (s)->links; l < (s)->links + TENANT_UIDS; l++)

/**
 * links_init() - no worker has a socket
 * @s:		the supervisor
 */
void links_init(struct supervisor *s)
{
	struct link *l;

	for_each_link(l, s)
		l->fd = -1;
}

static struct link *find(struct supervisor *s, pid_t pid)
{
	struct link *l;

	for_each_link(l, s)
		if (l->pid == pid)
			return l;
	return NULL;
}

/**
 * link_begin() - a worker may ask from now on
 * @s:		the supervisor
 * @pid:	the worker
 * @fd:		socket to it, taken over
 */
void link_begin(struct supervisor *s, pid_t pid, int fd)
{
	struct link *l = find(s, 0);

	if (l) {
		*l = (struct link){ .pid = pid, .fd = fd };
		return;
	}
	logm(L_ERR, "worker %d: no place for its questions", pid);
	close(fd);
}

/* It asks nothing more, and is told nothing. */
static void hang_up(struct link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	l->state = LINK_QUIET;
}

/**
 * link_end() - a worker is gone
 * @s:		the supervisor
 * @pid:	the worker; it may have had no socket
 */
void link_end(struct supervisor *s, pid_t pid)
{
	struct link *l = find(s, pid);

	if (!l)
		return;
	hang_up(l);
	l->pid = 0;
	l->memory = 0;
}

/* Return: 0, or -1 with errno: it would have to wait, or nobody is there. */
static int send_now(int fd, const void *data, size_t size)
{
	struct iovec iov = { (void *)data, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size ? 0 : -1;
}

static void answer(struct link *l, int error, const struct policy_word *limits)
{
	struct ask_answer a = {
		.error = error, .max_vcpus = UINT32_MAX, .max_memory = UINT64_MAX,
	};

	if (limits) {
		a.max_vcpus = limits->max_vcpus;
		a.max_memory = limits->max_memory;
	}
	l->state = LINK_QUIET;
	if (send_now(l->fd, &a, sizeof(a)))
		hang_up(l);
}

/* ------------------------------------------------------------- memory ---- */

/* One that is refused may ask again at once. */
static void log_memory(struct supervisor *s, const struct link *l, uint64_t sum)
{
	long long now = now_ms();

	if (pace_left(&s->refusals, now))
		return;
	pace_take(&s->refusals, now);
	logm(L_WARNING, "worker %d: max-memory-sum of %llu MiB reached: %llu MiB asked for", l->pid,
	     (unsigned long long)s->max_memory_sum >> 20, (unsigned long long)sum >> 20);
}

static int take_memory(struct supervisor *s, struct link *asker, uint64_t bytes)
{
	uint64_t sum = 0;
	struct link *l;

	/* No sum overflows: none of its parts is above the limit. */
	for_each_link(l, s)
		sum += l->memory;
	if (bytes > s->max_memory_sum || sum > s->max_memory_sum - bytes) {
		log_memory(s, asker, bytes > UINT64_MAX - sum ? UINT64_MAX : sum + bytes);
		return -ENOMEM;
	}
	asker->memory += bytes;
	return 0;
}

static void free_memory(struct link *l, uint64_t bytes)
{
	l->memory -= bytes < l->memory ? bytes : l->memory;
}

/* ------------------------------------------------------------- policy ---- */

/**
 * links_wait() - how long until a question can be put to the policy service
 * @s:		the supervisor
 * @now:	ms
 *
 * Return: ms; -1: there is none, or it is asked when another one is answered.
 */
long long links_wait(const struct supervisor *s, long long now)
{
	const struct link *l;

	if (s->nr_asked == MAX_ASKED)
		return -1;
	for_each_link(l, s)
		if (l->state == LINK_WAITS)
			return pace_left(&s->questions, now);
	return -1;
}

/* Whoever waits next, in turn. */
static struct link *next_waiting(struct supervisor *s)
{
	unsigned int i;

	for (i = 0; i < TENANT_UIDS; i++) {
		struct link *l = &s->links[(s->next_link + i) % TENANT_UIDS];

		if (l->state != LINK_WAITS)
			continue;
		s->next_link = (s->next_link + i + 1) % TENANT_UIDS;
		return l;
	}
	return NULL;
}

/**
 * links_ask() - put waiting questions to the policy service
 * @s:		the supervisor
 *
 * Ends the program if the process that does so is gone.
 */
void links_ask(struct supervisor *s)
{
	struct policy_order order = { .vms = s->nr_living - !!s->spare - !!s->starting };

	while (links_wait(s, now_ms()) == 0) {
		struct link *l = next_waiting(s);

		order.worker = l->pid;
		if (send_now(s->asker.fd, &order, sizeof(order)))
			die(EXIT_INTERNAL, "the process that asks for policy: %s", strerror(errno));
		l->state = LINK_ASKED;
		s->nr_asked++;
		pace_take(&s->questions, now_ms());
	}
}

/* The service said nothing. */
static int without_word(const struct supervisor *s, const struct policy_word *w)
{
	if (s->policy == POLICY_OPTIONAL || (s->policy == POLICY_EXPECTED && w->error == -ENOENT)) {
		if (w->error != -ENOENT)
			logm(L_WARNING, "worker %d: a VM without the word of the policy service: %s",
			     w->worker, w->why);
		return 0;
	}
	logm(L_ERR, "worker %d: KVM_CREATE_VM refused: no word of the policy service: %s",
	     w->worker, w->why);
	return -EACCES;
}

static int judge(const struct supervisor *s, const struct policy_word *w)
{
	if (w->error)
		return without_word(s, w);
	if (w->allowed)
		return 0;
	logm(L_NOTICE, "worker %d: KVM_CREATE_VM refused: %s", w->worker, w->why);
	return -EACCES;
}

/**
 * on_policy() - the policy service has said something, or will say nothing
 * @s:		the supervisor
 */
void on_policy(struct supervisor *s)
{
	struct policy_word w;
	ssize_t n = read(s->asker.fd, &w, sizeof(w));
	struct link *l;

	if (n < 0 && errno == EINTR)
		return;
	if (n != sizeof(w))
		die(EXIT_INTERNAL, "the process that asks for policy ended");
	s->nr_asked--;
	l = find(s, w.worker);
	if (l && l->state == LINK_ASKED)
		answer(l, judge(s, &w), w.allowed ? &w : NULL);
}

/* ---------------------------------------------------------- questions ---- */

/**
 * link_interest() - the socket to watch for a worker's question
 * @l:		the worker's
 *
 * Return: it, -1: none now.
 */
int link_interest(const struct link *l)
{
	return l->state == LINK_QUIET ? l->fd : -1;
}

static void take(struct supervisor *s, struct link *l, const struct ask *q)
{
	switch (q->what) {
	case ASK_VM:
		/* The kernel may not have told yet that it has a client. */
		if (s->spare == l->pid)
			s->spare = 0;
		if (s->asker.fd < 0)
			answer(l, 0, NULL);
		else
			l->state = LINK_WAITS;
		break;
	case ASK_MEMORY:
		answer(l, take_memory(s, l, q->bytes), NULL);
		break;
	case ASK_FREED:
		free_memory(l, q->bytes);
		break;
	default:
		hang_up(l);
	}
}

/**
 * on_question() - a worker asks, or has closed its socket
 * @s:		the supervisor
 * @l:		the worker's
 */
void on_question(struct supervisor *s, struct link *l)
{
	struct ask q;
	ssize_t n = read(l->fd, &q, sizeof(q));

	if (n == sizeof(q))
		take(s, l, &q);
	else if (n >= 0 || errno != EINTR)
		hang_up(l);
}
