/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of pure/ share: a main(), a seeded generator, a processor.
 */
#ifndef TESTS_PURE_COMMON_H
#define TESTS_PURE_COMMON_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "../run_suite.h"
#include "vmcs_policy.h"

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

/* The capability MSRs of a Skylake server, newer secondary controls added. */
static inline void make_cpu(struct ksplit_hw *hw)
{
	static const u64 msr[KSPLIT_NR_VMX_MSRS] = {
		0x00da040000000004, 0x000000ff00000016, 0xfff9fffe0401e172,
		0x01ffffff00036dff, 0x0003ffff000011ff, 0x000000007004c1e7,
		0x0000000080000021, 0x00000000ffffffff, 0x0000000000002000,
		0x00000000003767ff, 0x000000000000002e, 0xd7ffffff00000000,
		0x00000f0106734141, 0x000000ff00000016, 0xfff9fffe04006172,
		0x01ffffff00036dfb, 0x0003ffff000011fb, 0x0000000000000001,
	};

	memset(hw, 0, sizeof(*hw));
	memcpy(hw->msr, msr, sizeof(msr));
	memset(hw->supported, 0xff, sizeof(hw->supported));
	hw->maxphyaddr = 46;
	hw->virt_bits = 48;
	hw->has_tsc_aux = true;
	hw->fast = true;
	hw->cr4_allowed = ~0ull;
	hw->efer_allowed = 0xd01;
	hw->debugctl = 1 << 14;
	hw->spec_ctrl = 7;
	hw->xcr0 = 0x2ff;
}

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
