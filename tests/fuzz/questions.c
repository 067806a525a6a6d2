// SPDX-License-Identifier: GPL-2.0-only
/*
 * supervisor/links.c: what workers send to their supervisor, of any size, and what the
 * process that asks the policy service says meanwhile.
 *
 * Properties: guests have no more memory than all VMs may together, and none by what
 * another worker says; the policy service is asked no more than it may be, and who asked
 * has an answer; nobody waits, and the supervisor goes on.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "common/ask.h"
#include "supervisor/supervisor.h"

#define NR	4
#define MOST	(1000ull << 20)

static struct supervisor s;
static int worker[NR], service;

void logm(int level, const char *fmt, ...)
{
}

void die(int status, const char *fmt, ...)
{
	HOLDS(!"nothing that a worker sends ends the supervisor");
	exit(1);
}

static void begin(void)
{
	int pair[2], i;

	memset(&s, 0, sizeof(s));
	links_init(&s);
	s.policy = POLICY_EXPECTED;
	s.max_memory_sum = MOST;
	EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	s.asker.fd = pair[0];
	service = pair[1];
	for (i = 0; i < NR; i++) {
		EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
		link_begin(&s, 1 + i, pair[0]);
		worker[i] = pair[1];
	}
}

static void end(void)
{
	int i;

	for (i = 0; i < NR; i++) {
		link_end(&s, 1 + i);
		close(worker[i]);
	}
	close(s.asker.fd);
	close(service);
}

static void check(void)
{
	unsigned int asked = 0;
	uint64_t sum = 0;
	int i;

	for (i = 0; i < NR; i++) {
		HOLDS(s.links[i].memory <= MOST);
		sum += s.links[i].memory;
		asked += s.links[i].state == LINK_ASKED;
	}
	HOLDS(sum <= MOST && asked <= s.nr_asked && s.nr_asked <= MAX_ASKED);
}

/* A worker sends something, and has what it had if it sent no struct ask. */
static void say(struct input *in, int i)
{
	struct link *l = &s.links[i];
	size_t size = take_number(in, 1) % 40;
	uint64_t before = l->memory;
	struct ask_answer a;
	char bytes[40];

	take(in, bytes, size);
	if (link_interest(l) < 0 || send(worker[i], bytes, size, MSG_DONTWAIT) < 0)
		return;
	on_question(&s, l);
	if (size < sizeof(struct ask)) {
		EQ(l->fd, -1);
		EQ(l->memory, before);
	}
	/* Not always: then its socket gets full. */
	if (take_number(in, 1) % 2)
		while (recv(worker[i], &a, sizeof(a), MSG_DONTWAIT) == sizeof(a))
			HOLDS(a.error == 0 || a.error == -ENOMEM || a.error == -EACCES);
}

/* The policy service's word on the question that it has. */
static void decide(struct input *in)
{
	struct policy_word w = { .allowed = take_number(in, 1) % 2 };
	struct policy_order o;

	if (recv(service, &o, sizeof(o), MSG_DONTWAIT) != sizeof(o))
		return;
	HOLDS(o.worker >= 1 && o.worker <= NR);
	w.worker = o.worker;
	w.error = w.allowed || take_number(in, 1) % 2 ? 0 : -ETIMEDOUT;
	EQ(send(service, &w, sizeof(w), 0), sizeof(w));
	on_policy(&s);
	HOLDS(s.links[o.worker - 1].state != LINK_ASKED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	begin();
	while (in.left) {
		unsigned int what = take_number(&in, 1) % (NR + 2);

		if (what < NR)
			say(&in, what);
		else if (what == NR)
			links_ask(&s);
		else
			decide(&in);
		check();
	}
	end();
	return 0;
}
