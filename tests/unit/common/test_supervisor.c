// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which user the next worker gets.
 */
#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "../run_suite.h"
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

int main(void)
{
	Suite *s = suite_create("supervisor");
	TCase *t = tcase_create("supervisor");

	tcase_add_test(t, each_its_own);
	tcase_add_test(t, avoided);
	suite_add_tcase(s, t);
	return run_suite(s);
}
