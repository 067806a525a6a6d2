// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens of /dev/kvm by many users at once.
 *
 *	opens UID COUNT
 *
 * One process for each user UID .. UID + COUNT - 1, in the group of /dev/kvm.
 * Prints how many opens ended how, and the longest time one took.  Needs root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct result {
	int error;
	long ms;
};

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void one(uid_t uid, gid_t gid, struct result *result)
{
	long start = now();

	if (setgroups(0, NULL) || setresgid(gid, gid, gid) ||
	    setresuid(uid, uid, uid))
		_exit(1);
	result->error = open("/dev/kvm", O_RDWR | O_CLOEXEC) < 0 ? errno : 0;
	result->ms = now() - start;
	_exit(0);
}

int main(int argc, char **argv)
{
	unsigned long uid, count, i, n;
	struct result *results;
	int error, status;
	struct stat st;
	long most = 0;

	if (argc != 3 || stat("/dev/kvm", &st)) {
		fprintf(stderr, "usage: opens UID COUNT, with a /dev/kvm\n");
		return 2;
	}
	uid = strtoul(argv[1], NULL, 0);
	count = strtoul(argv[2], NULL, 0);
	results = mmap(NULL, count * sizeof(*results), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (results == MAP_FAILED)
		return 2;
	for (i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 2;
		if (!pid)
			one(uid + i, st.st_gid, &results[i]);
	}
	while (wait(&status) > 0)
		if (status)
			return 2;
	for (error = 0; error < 200; error++) {
		for (i = n = 0; i < count; i++)
			n += results[i].error == error;
		if (n)
			printf("opens: %lu %s\n", n,
			       error ? strerrorname_np(error) : "ok");
	}
	for (i = 0; i < count; i++)
		if (results[i].ms > most)
			most = results[i].ms;
	printf("opens: longest %ld ms\n", most);
	return 0;
}
