// SPDX-License-Identifier: GPL-2.0-only
/*
 * Check's side of the personality's tests: runs each of KTESTS() in a process
 * of its own, and plays the machine (ops->block, ops->kick).
 */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "seam/ksplit_ops.h"
#include "personality.h"
#include "../tests/unit/personality/ktest.h"

unsigned int kt_kicks[8];
unsigned int kt_signal[8];
unsigned long kt_root_freed;
unsigned int kt_roots_freed;

/* A kick is sticky, as the stub's. */
static unsigned int pending[8];

static int test_kick(int vcpu)
{
	__atomic_fetch_add(&kt_kicks[vcpu], 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&pending[vcpu], 1, __ATOMIC_SEQ_CST);
	host_futex_wake(&pending[vcpu], 1);
	return 0;
}

static int test_block(int vcpu, struct ksplit_block *block)
{
	host_ns_t deadline = HOST_FOREVER;

	if (block->timeout_ns != ~0ULL)
		deadline = host_clock_ns(HOST_CLOCK_MONOTONIC) + block->timeout_ns;
	block->exit_flags = 0;
	if (!__atomic_load_n(&kt_signal[vcpu], __ATOMIC_SEQ_CST))
		host_futex_wait(&pending[vcpu], 0, deadline);
	if (__atomic_exchange_n(&pending[vcpu], 0, __ATOMIC_SEQ_CST))
		block->exit_flags |= KSPLIT_EXIT_KICKED;
	if (__atomic_load_n(&kt_signal[vcpu], __ATOMIC_SEQ_CST))
		block->exit_flags |= KSPLIT_EXIT_SIGNAL;
	return 0;
}

static const struct ksplit_ops test_ops = {
	.kick = test_kick,
	.block = test_block,
};
const struct ksplit_ops *ksplit_ops = &test_ops;

void ksplit_root_freed(unsigned long va)
{
	kt_root_freed = va;
	kt_roots_freed++;
}

/* Where WARN() prints; the trap that follows ends the test. */
void __warn_printk(const char *fmt, ...);
void __warn_printk(const char *fmt, ...)
{
	fprintf(stderr, "WARN: %s", fmt);
}

/* The tree's lib/vsprintf.c is not needed for a thread's name. */
int k_vsnprintf(char *buf, size_t size, const char *fmt, va_list args);
int k_vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	return vsnprintf(buf, size, fmt, args);
}

int k_snprintf(char *buf, size_t size, const char *fmt, ...);
int k_snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int ret;

	va_start(args, fmt);
	ret = vsnprintf(buf, size, fmt, args);
	va_end(args);
	return ret;
}

void kt_fail(const char *file, int line, const char *expr)
{
	_ck_assert_failed(file, line, expr, NULL);
	abort();
}

unsigned long long kt_thread_cputime(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

unsigned int kt_random(void)
{
	static __thread unsigned int state;

	if (!state)
		state = gettid() * 2654435761u | 1;
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static unsigned int running;

struct spawn {
	void (*fn)(void *);
	void *arg;
};

static void spawn_main(void *p)
{
	struct spawn spawn = *(struct spawn *)p;

	free(p);
	spawn.fn(spawn.arg);
	__atomic_fetch_sub(&running, 1, __ATOMIC_SEQ_CST);
	host_futex_wake(&running, 1);
}

void kt_spawn(void (*fn)(void *), void *arg)
{
	struct spawn *spawn = malloc(sizeof(*spawn));

	*spawn = (struct spawn){ fn, arg };
	__atomic_fetch_add(&running, 1, __ATOMIC_SEQ_CST);
	ck_assert_int_eq(ksplit_thread_create("test", spawn_main, spawn), 0);
}

void kt_join(void)
{
	unsigned int n;

	ksplit_idle_enter();
	while ((n = __atomic_load_n(&running, __ATOMIC_SEQ_CST)))
		host_futex_wait(&running, n, HOST_FOREVER);
	ksplit_idle_exit();
}

static void setup(void)
{
	ck_assert_int_eq(ksplit_personality_init(3, 32, 46), 0);
}

#define X(name)					\
START_TEST(test_##name)				\
{						\
	name();					\
}						\
END_TEST
KTESTS(X)
#undef X

int main(void)
{
	Suite *suite = suite_create("personality");
	SRunner *runner;
	TCase *tc;
	int failed;

#define X(name)					\
	tc = tcase_create(#name);		\
	tcase_add_checked_fixture(tc, setup, NULL);	\
	tcase_set_timeout(tc, 60);		\
	tcase_add_test(tc, test_##name);	\
	suite_add_tcase(suite, tc);
	KTESTS(X)
#undef X

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
