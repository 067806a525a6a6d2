/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the clients have in common that break the stub's rules: each of their
 * tests is a process, with a group of its own of which nothing is to survive.
 */
#ifndef ATTACK_H
#define ATTACK_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *test;
static char last_tries[4][160];	/* newest first */

/* Says what is tried and what came of it; a check that fails prints the last ones. */
static inline void __attribute__((format(printf, 1, 2))) tried(const char *format, ...)
{
	va_list args;

	memmove(last_tries[1], last_tries[0], sizeof(last_tries) - sizeof(last_tries[0]));
	va_start(args, format);
	vsnprintf(last_tries[0], sizeof(last_tries[0]), format, args);
	va_end(args);
}

static inline void __attribute__((noreturn)) check_failed(int line, const char *what, int error)
{
	printf("%s: FAILED at line %d: %s (errno %d)\n", test, line, what, error);
	for (int i = 3; i >= 0; i--)
		if (last_tries[i][0])
			printf("%s: after %s\n", test, last_tries[i]);
	fflush(stdout);
	_exit(1);
}

#define CHECK(cond)							\
	do {								\
		if (!(cond))						\
			check_failed(__LINE__, #cond, errno);		\
	} while (0)

/* Both values are printed. */
#define CHECK_EQ(value, wanted)						\
	do {								\
		long long value_ = (value), wanted_ = (wanted);		\
		int errno_ = errno;					\
		char text_[256];					\
									\
		if (value_ == wanted_)					\
			break;						\
		snprintf(text_, sizeof(text_), "%s is %lld (%#llx), not %lld (%#llx)",	\
			 #value, value_, value_, wanted_, wanted_);	\
		check_failed(__LINE__, text_, errno_);			\
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
