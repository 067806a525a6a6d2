/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Assertions for loops.
 */
#ifndef TESTS_PURE_HOLDS_H
#define TESTS_PURE_HOLDS_H

#include <check.h>

#include "env.h"

/* Check's own assertions send a message each time: too slow for loops. */
#define HOLDS(x)							\
	do {								\
		if (!(x))						\
			ck_abort_msg("%s", #x);				\
	} while (0)
#define COMPARE(a, op, b)						\
	do {								\
		u64 a_ = (a), b_ = (b);					\
									\
		if (!(a_ op b_))					\
			ck_abort_msg("%s %s %s: %#llx, %#llx", #a, #op, #b, \
				     (long long)a_, (long long)b_);	\
	} while (0)
#define EQ(a, b)	COMPARE(a, ==, b)
#define NE(a, b)	COMPARE(a, !=, b)
#define LE(a, b)	COMPARE(a, <=, b)

#endif /* TESTS_PURE_HOLDS_H */
