/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of the main() of a test program.
 */
#ifndef TESTS_RUN_SUITE_H
#define TESTS_RUN_SUITE_H

#include <check.h>
#include <stdlib.h>

/**
 * run_suite() - run a suite's tests, and print what the runner counts
 * @s:	the suite; is freed
 *
 * Return: the program's exit status.
 */
static inline int run_suite(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif /* TESTS_RUN_SUITE_H */
