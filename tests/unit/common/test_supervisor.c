// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which user the next worker gets, and what workers that ask may have.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../run_suite.h"
#include "common/ask.h"
#include "common/daemon.h"
#include "supervisor/supervisor.h"

#define FIRST	2000000001ll
#define NR	4

static long long last;		/* user of the worker that was started last */
static pid_t nr_started;

pid_t order_worker(const struct supervisor *s, long long uid, int ready)
{
	last = uid;
	return ++nr_started;
}

static void make(struct supervisor *s)
{
	*s = (struct supervisor){
		.uid_first = FIRST,
		.uid_last = FIRST + NR - 1,
		.uid_next = FIRST,
		.backoff = { .min = 1, .max = 1 },
	};
}

/* The next worker's user, counted from the first; -1: there is none. */
static int start(struct supervisor *s)
{
	last = FIRST - 1;
	s->ready = -1;
	start_worker(s);
	if (s->ready >= 0)
		close(s->ready);
	return last - FIRST;
}

START_TEST(each_its_own)
{
	struct supervisor s;
	int i;

	make(&s);
	for (i = 0; i < NR; i++)
		ck_assert_int_eq(start(&s), i);
	ck_assert_int_eq(start(&s), -1);
}
END_TEST

/* Users of an earlier supervisor's workers come last, those of accounts never. */
START_TEST(avoided)
{
	struct supervisor s;

	make(&s);
	s.avoid[0] = AVOID_OLD;
	s.avoid[1] = AVOID_TAKEN;
	ck_assert_int_eq(start(&s), 2);
	ck_assert_int_eq(start(&s), 3);
	ck_assert_int_eq(start(&s), 0);
	ck_assert_int_eq(start(&s), -1);
	/* Nor later, when others are free again. */
	s.holder[0] = s.holder[3] = 0;
	ck_assert_int_eq(start(&s), 3);
	ck_assert_int_eq(start(&s), 0);
	ck_assert_int_eq(start(&s), -1);
	ck_assert_int_eq(s.avoid[1], AVOID_TAKEN);
}
END_TEST

/* ------------------------------------------------------ questions ---- */

#define MIB		(1ull << 20)
#define FIRST_PID	4711

static struct supervisor asked;
static int service;		/* the other end of the asker's socket */
static int worker[8];		/* the other ends of theirs */

/* A supervisor with workers that may have 100 MiB together; a service is to be asked. */
static void make_asked(enum config_policy policy)
{
	int pair[2], i;

	memset(&asked, 0, sizeof(asked));
	links_init(&asked);
	asked.nr_living = 3;
	asked.policy = policy;
	asked.max_memory_sum = 100 * MIB;
	asked.questions = (struct pace){ .cost = 1000, .burst = 6 };
	asked.refusals = (struct pace){ .cost = 1000, .burst = 1 };
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	asked.asker.fd = pair[0];
	service = pair[1];
	for (i = 0; i < 8; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
		link_begin(&asked, FIRST_PID + i, pair[0]);
		worker[i] = pair[1];
	}
}

static void put(int i, uint32_t what, uint64_t bytes)
{
	struct ask q = { .what = what, .bytes = bytes };

	ck_assert_int_eq(send(worker[i], &q, sizeof(q), 0), sizeof(q));
	on_question(&asked, &asked.links[i]);
}

/* The answer to a worker; 1: there is none yet, 2: there never will be one. */
static int got(int i, struct ask_answer *ret)
{
	ssize_t n = recv(worker[i], ret, sizeof(*ret), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return 1;
	return n == sizeof(*ret) ? ret->error : 2;
}

static int memory(int i, uint64_t bytes)
{
	struct ask_answer a;

	put(i, ASK_MEMORY, bytes);
	return got(i, &a);
}

START_TEST(sum_of_memory)
{
	make_asked(POLICY_OFF);
	ck_assert_int_eq(memory(0, 60 * MIB), 0);
	ck_assert_int_eq(memory(1, 41 * MIB), -ENOMEM);
	ck_assert_int_eq(memory(1, 40 * MIB), 0);
	ck_assert_int_eq(memory(0, 1), -ENOMEM);
	ck_assert_int_eq(memory(2, UINT64_MAX), -ENOMEM);
	ck_assert_int_eq(memory(2, UINT64_MAX - 100 * MIB + 1), -ENOMEM);
	put(0, ASK_FREED, 10 * MIB);
	ck_assert_int_eq(memory(2, 10 * MIB), 0);
	ck_assert_int_eq(memory(2, 1), -ENOMEM);
	/* Nobody frees what another one has. */
	put(3, ASK_FREED, UINT64_MAX);
	ck_assert_int_eq(memory(3, 1), -ENOMEM);
	link_end(&asked, FIRST_PID + 1);
	ck_assert_int_eq(memory(3, 40 * MIB), 0);
	/* A worker without a socket still has what it has. */
	close(worker[3]);
	on_question(&asked, &asked.links[3]);
	ck_assert_int_eq(memory(0, 1), -ENOMEM);
}
END_TEST

static struct policy_order ordered(void)
{
	struct policy_order o = { 0 };

	links_ask(&asked);
	if (recv(service, &o, sizeof(o), MSG_DONTWAIT) != sizeof(o))
		o.worker = -1;
	return o;
}

static void word(struct policy_word w)
{
	ck_assert_int_eq(send(service, &w, sizeof(w), 0), sizeof(w));
	on_policy(&asked);
}

START_TEST(a_word)
{
	struct policy_order o;
	struct ask_answer a;

	make_asked(POLICY_EXPECTED);
	put(2, ASK_VM, 0);
	ck_assert_int_eq(link_interest(&asked.links[2]), -1);
	o = ordered();
	ck_assert_int_eq(o.worker, FIRST_PID + 2);
	ck_assert_int_eq(o.vms, 3);
	ck_assert_int_eq(got(2, &a), 1);
	/* Who did not ask gets nothing. */
	word((struct policy_word){ .worker = FIRST_PID, .allowed = 1 });
	ck_assert_int_eq(got(0, &a), 1);
	asked.nr_asked++;
	word((struct policy_word){ .worker = FIRST_PID + 2, .allowed = 1, .max_vcpus = 3, .max_memory = MIB });
	ck_assert_int_eq(got(2, &a), 0);
	ck_assert_uint_eq(a.max_vcpus, 3);
	ck_assert_uint_eq(a.max_memory, MIB);
	ck_assert_int_ge(link_interest(&asked.links[2]), 0);
	put(2, ASK_VM, 0);
	ordered();
	word((struct policy_word){ .worker = FIRST_PID + 2, .why = "denied by provider" });
	ck_assert_int_eq(got(2, &a), -EACCES);
	ck_assert_uint_eq(asked.nr_asked, 0);
}
END_TEST

static const struct {
	enum config_policy policy;
	int error, result;
} silence[] = {
	{ POLICY_OPTIONAL, -ENOENT, 0 },
	{ POLICY_OPTIONAL, -ETIMEDOUT, 0 },
	{ POLICY_EXPECTED, -ENOENT, 0 },
	{ POLICY_EXPECTED, -ETIMEDOUT, -EACCES },
	{ POLICY_EXPECTED, -EBADMSG, -EACCES },
	{ POLICY_REQUIRED, -ENOENT, -EACCES },
	{ POLICY_REQUIRED, -ETIMEDOUT, -EACCES },
};

START_TEST(no_word)
{
	struct ask_answer a;

	make_asked(silence[_i].policy);
	put(0, ASK_VM, 0);
	ck_assert_int_eq(ordered().worker, FIRST_PID);
	word((struct policy_word){ .worker = FIRST_PID, .error = silence[_i].error });
	ck_assert_int_eq(got(0, &a), silence[_i].result);
	/* No word, no limit. */
	ck_assert_uint_eq(a.max_memory, UINT64_MAX);
}
END_TEST

/* So many at one time, in turn, and no faster than the pace. */
START_TEST(many_questions)
{
	struct policy_word yes = { .allowed = 1 };
	struct ask_answer a;
	int i;

	make_asked(POLICY_EXPECTED);
	for (i = 0; i < 8; i++)
		put(i, ASK_VM, 0);
	for (i = 0; i < MAX_ASKED; i++)
		ck_assert_int_eq(ordered().worker, FIRST_PID + i);
	ck_assert_int_eq(ordered().worker, -1);
	ck_assert_int_eq(links_wait(&asked, now_ms()), -1);
	yes.worker = FIRST_PID + 1;
	word(yes);
	ck_assert_int_eq(got(1, &a), 0);
	put(1, ASK_VM, 0);
	ck_assert_int_eq(ordered().worker, FIRST_PID + 4);
	/* One that is gone is not waited for. */
	link_end(&asked, FIRST_PID + 2);
	yes.worker = FIRST_PID + 2;
	word(yes);
	ck_assert_int_eq(ordered().worker, FIRST_PID + 5);
	yes.worker = FIRST_PID;
	word(yes);
	ck_assert_int_gt(links_wait(&asked, now_ms()), 0);
	ck_assert_int_eq(ordered().worker, -1);
}
END_TEST

/* What a worker sends, or does not take, stops nobody. */
START_TEST(lies)
{
	struct ask_answer a;
	int i;

	make_asked(POLICY_OFF);
	put(0, 77, 0);
	ck_assert_int_eq(got(0, &a), 2);
	ck_assert_int_eq(send(worker[1], "", 1, 0), 1);
	on_question(&asked, &asked.links[1]);
	ck_assert_int_eq(got(1, &a), 2);
	for (i = 0; i < 10000 && asked.links[2].fd >= 0; i++)
		put(2, ASK_MEMORY, 1);
	ck_assert_int_lt(i, 10000);
	ck_assert_int_eq(memory(3, 1), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("supervisor");
	TCase *t = tcase_create("supervisor");

	tcase_add_test(t, each_its_own);
	tcase_add_test(t, avoided);
	tcase_add_test(t, sum_of_memory);
	tcase_add_test(t, a_word);
	tcase_add_loop_test(t, no_word, 0, sizeof(silence) / sizeof(*silence));
	tcase_add_test(t, many_questions);
	tcase_add_test(t, lies);
	suite_add_tcase(s, t);
	return run_suite(s);
}
