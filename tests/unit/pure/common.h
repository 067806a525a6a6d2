/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of pure/ share: a main(), a seeded generator.
 */
#ifndef TESTS_PURE_COMMON_H
#define TESTS_PURE_COMMON_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "../run_suite.h"
#include "cpu.h"
#include "holds.h"

/* xorshift64*: the same numbers on every run. */
static u64 rnd_state = 0x9e3779b97f4a7c15ull;

static inline u64 rnd(void)
{
	rnd_state ^= rnd_state >> 12;
	rnd_state ^= rnd_state << 25;
	rnd_state ^= rnd_state >> 27;
	return rnd_state * 0x2545f4914f6cdd1dull;
}

/* Values as an attacker would pick them: small, single bits, all ones... */
static inline u64 rnd_value(void)
{
	switch (rnd() % 6) {
	case 0:
		return rnd() % 16;
	case 1:
		return 1ull << rnd() % 64;
	case 2:
		return ~(1ull << rnd() % 64);
	case 3:
		return rnd() & 0xffffffff;
	case 4:
		return rnd() & rnd() & rnd();
	default:
		return rnd();
	}
}

/* The slot of a VMCS field, or -1. */
static inline int field_slot(u32 encoding)
{
	unsigned int i;

	for (i = 0; i < KSPLIT_NR_SLOTS; i++)
		if (ksplit_fields[i].cls && ksplit_fields[i].encoding == encoding)
			return i;
	return -1;
}

static inline int run_tests(const char *name, const TTest *const *tests,
			    unsigned int nr)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create("all");
	unsigned int i;

	tcase_set_timeout(tcase, 120);
	for (i = 0; i < nr; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}

#define MAIN(name, ...)							\
	int main(void)							\
	{								\
		const TTest *const tests[] = { __VA_ARGS__ };		\
									\
		return run_tests(name, tests, ARRAY_SIZE(tests));	\
	}

#endif /* TESTS_PURE_COMMON_H */
