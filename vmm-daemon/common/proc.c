// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /proc tells of a process, and of what it holds of the stub.
 *
 * Invariant: whose a worker is, and whom it serves, is what the kernel says of its
 * session, and nothing that the worker says.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/daemon.h"
#include "common/proc.h"

/**
 * proc_open() - open a file of a process
 * @pid:	the process
 * @name:	of the file
 *
 * Return: the file, for reading; NULL with errno.
 */
FILE *proc_open(long pid, const char *name)
{
	char path[320];

	snprintf(path, sizeof(path), "%s/%ld/%s", proc_dir, pid, name);
	return fopen(path, "re");
}

/**
 * proc_value() - a number of a file like status
 * @pid:	the process
 * @file:	with lines "NAME:\tVALUE"
 * @name:	of the value
 *
 * Return: the number, -1: there is none.
 */
long long proc_value(long pid, const char *file, const char *name)
{
	FILE *f = proc_open(pid, file);
	size_t len = strlen(name);
	long long value = -1;
	char line[256];

	while (f && value < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len) && line[len] == ':')
			value = strtoll(line + len + 1, NULL, 10);
	if (f)
		fclose(f);
	return value;
}

/* "NAME:\tNUMBER" of a descriptor's fdinfo, a process id or user; -1 */
static long long fdinfo_number(long pid, const char *fd, const char *name)
{
	size_t len = strlen(name), room = 0;
	char file[288], *line = NULL;
	long long value = -1;
	FILE *f;

	snprintf(file, sizeof(file), "fdinfo/%s", fd);
	f = proc_open(pid, file);
	while (f && value < 0 && getline(&line, &room, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, name, len) && !strncmp(line + len, ":\t", 2))
			value = parse_number(line + len + 2, UINT32_MAX - 1);
	}
	free(line);
	if (f)
		fclose(f);
	return value;
}

/**
 * proc_each_fd() - look at each descriptor of a process
 * @pid:	the process
 * @seen:	called with each, its number and what it is a link to
 * @context:	for @seen
 *
 * Return: 0, -1: there is no such process, or it may not be looked at.
 */
int proc_each_fd(long pid, proc_fd_t seen, void *context)
{
	char path[64], link[64];
	struct dirent *e;
	DIR *dir;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%ld/fd", proc_dir, pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while ((e = readdir(dir))) {
		n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);
		if (n < 0)
			continue;
		link[n] = '\0';
		seen(pid, e->d_name, link, context);
	}
	closedir(dir);
	return 0;
}

/* One descriptor, and what it is a link to. */
static void note_held(long pid, const char *fd, const char *link, void *context)
{
	int session = !strcmp(link, "anon_inode:kvm-split-session");
	int tenant = !strcmp(link, "anon_inode:kvm-split-tenant");
	struct holds *h = context;

	h->sessions += session;
	h->tenants += tenant;
	h->vcpus += !strcmp(link, "anon_inode:kvm-split-vcpu");
	h->vms += !strcmp(link, "anon_inode:kvm-split-vm");
	if (session || (tenant && h->tenant < 0))
		h->tenant = fdinfo_number(pid, fd, "tenant");
	if (session)
		h->client = fdinfo_number(pid, fd, "client");
}

/**
 * proc_holds() - what a process holds of the stub
 * @pid:	the process
 * @ret:	out
 *
 * Return: 0, -1: there is no such process, or it may not be looked at.
 */
int proc_holds(long pid, struct holds *ret)
{
	*ret = (struct holds){ .tenant = -1, .client = -1 };
	return proc_each_fd(pid, note_held, ret);
}

/**
 * proc_cgroup() - the control group of a process, of the second version
 * @pid:	the process
 * @ret:	gets its path, cut to its size
 * @size:	of @ret
 *
 * Return: 0, -1: there is none.
 */
int proc_cgroup(long pid, char *ret, size_t size)
{
	FILE *f = proc_open(pid, "cgroup");
	char line[4096];
	int r = -1;

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::", 3))
			continue;
		snprintf(ret, size, "%s", line + 3);
		r = 0;
	}
	if (f)
		fclose(f);
	return r;
}
