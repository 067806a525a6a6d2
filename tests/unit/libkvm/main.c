// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkvm's test program. One process: libkvm's threads do not survive a fork,
 * so a failed test may take others with it.
 */
#include <check.h>
#include <stdlib.h>

#include "client.h"
#include "suites.h"

int main(void)
{
	SRunner *sr = srunner_create(vcpu_suite());
	int failed;

	srunner_add_suite(sr, nested_suite());
	srunner_set_fork_status(sr, CK_NOFORK);
	client_start();
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
