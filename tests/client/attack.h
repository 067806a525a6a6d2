/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the clients have in common that break the stub's rules: each of their
 * tests is a process, with a group of its own of which nothing is to survive.
 */
#ifndef ATTACK_H
#define ATTACK_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *test;

#define CHECK(cond)							\
	do {								\
		if (!(cond)) {						\
			printf("%s: FAILED at line %d: %s (errno %d)\n",\
			       test, __LINE__, #cond, errno);		\
			fflush(stdout);					\
			_exit(1);					\
		}							\
	} while (0)

/* Returns whether it failed. */
static int run_test(const char *name, void (*run)(void))
{
	int status;
	pid_t pid;

	test = name;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		run();
		printf("%s: ok\n", test);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	kill(-pid, SIGKILL);
	usleep(300000);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	printf("%s: status %#x\n", test, status);
	return 1;
}

#endif /* ATTACK_H */
