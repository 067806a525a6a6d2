/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that a harness writes for the code under test to read, below the folder that
 * it runs in.
 */
#ifndef TESTS_FUZZ_FILES_H
#define TESTS_FUZZ_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

/* The folders that lead to a file. */
static inline void make_folders(const char *path)
{
	char folder[256], *slash = folder;

	snprintf(folder, sizeof(folder), "%s", path);
	while ((slash = strchr(slash, '/'))) {
		*slash = '\0';
		HOLDS(!mkdir(folder, 0755) || errno == EEXIST);
		*slash++ = '/';
	}
}

static inline void put_file(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 && errno == ENOENT) {
		make_folders(path);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	}
	HOLDS(fd >= 0);
	EQ(write(fd, bytes, size), (ssize_t)size);
	close(fd);
}

/* The input's next string becomes a file. */
static inline void put_string(struct input *in, const char *path)
{
	char *text = take_string(in);

	put_file(path, text, strlen(text));
	free(text);
}

#endif /* TESTS_FUZZ_FILES_H */
