// SPDX-License-Identifier: GPL-2.0-only
/*
 * Core scheduling: "cookie create COMMAND..." runs COMMAND with a cookie of its
 * own, "cookie get TID" prints that of a thread.
 */
#include <inttypes.h>
#include <linux/prctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { ONE_THREAD, WHOLE_PROCESS };	/* PR_SCHED_CORE_SCOPE_... */

int main(int argc, char **argv)
{
	uint64_t cookie = 0;

	if (argc > 2 && !strcmp(argv[1], "create")) {
		if (prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, WHOLE_PROCESS, 0)) {
			perror("cookie: create");
			return 1;
		}
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		return 127;
	}
	if (argc != 3 || strcmp(argv[1], "get"))
		return 2;
	if (prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, atoi(argv[2]), ONE_THREAD, &cookie)) {
		perror("cookie: get");
		return 1;
	}
	printf("%" PRIx64 "\n", cookie);
	return 0;
}
