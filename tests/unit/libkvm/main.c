// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkvm's test program. One process for each kind of machine: libkvm's threads do
 * not survive a fork, so a failed test may take others with it.
 */
#include <check.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "suites.h"
#include "tests/fake/ops_fake.h"

static int run(SRunner *sr)
{
	int failed;

	srunner_set_fork_status(sr, CK_NOFORK);
	client_start();
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
	pid_t pid = fork();
	int status = -1, r;
	SRunner *sr;

	if (!pid) {
		fake_set_tsc_unstable();
		return run(srunner_create(unstable_suite()));
	}
	waitpid(pid, &status, 0);
	sr = srunner_create(vcpu_suite());
	srunner_add_suite(sr, nested_suite());
	r = run(sr);
	return status ? EXIT_FAILURE : r;
}
