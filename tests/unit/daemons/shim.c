// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/kvm-split's ioctls for a launcher whose control device is a FIFO, and some
 * more groups than there are; loaded with LD_PRELOAD.  Every call is a line of
 * $SHIM_LOG.  While there is a file $SHIM_LOG.bound, tenants are bound already.
 *
 * User backup is in groups g0 to g299, user list in one without a name.  A group
 * has the number that is the supervisor's of uid 77, another and a user those of two
 * workers of uid 65534.  While there is a file $SHIM_LOG.slow, no user of those
 * workers can be looked up.
 *
 * What libkmod takes for modprobe.d is $SHIM_MODPROBE.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <libkmod.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../../../kvm-split/uapi/kvm_split.h"

#define FIRST_GID	60000
#define NR_GROUPS	300
#define NAMELESS_GID	61000
#define TAKEN_GID	(2000000000 + 256 * 77)
#define WORKERS		(2000000000 + 256 * 65534 + 1)
#define TAKEN_WORKER	(WORKERS + 16)
#define TAKEN_WORKERS_GID	(WORKERS + 254)

int getgrouplist(const char *user, gid_t group, gid_t *groups, int *n)
{
	int (*real)(const char *, gid_t, gid_t *, int *) = dlsym(RTLD_NEXT, "getgrouplist");
	int i, nr = !strcmp(user, "backup") ? NR_GROUPS : 1, room = *n;

	if (strcmp(user, "backup") && strcmp(user, "list"))
		return real(user, group, groups, n);
	for (i = 0; i < nr && i < room; i++)
		groups[i] = nr > 1 ? FIRST_GID + i : NAMELESS_GID;
	*n = nr;
	return nr > room ? -1 : nr;
}

static struct group *made_up(gid_t gid)
{
	static char name[16];
	static struct group g = { .gr_name = name };

	snprintf(name, sizeof(name), "g%u", gid - FIRST_GID);
	g.gr_gid = gid;
	return &g;
}

struct group *getgrgid(gid_t gid)
{
	struct group *(*real)(gid_t) = dlsym(RTLD_NEXT, "getgrgid");

	if ((gid >= FIRST_GID && gid < FIRST_GID + NR_GROUPS) || gid == TAKEN_GID ||
	    gid == TAKEN_WORKERS_GID)
		return made_up(gid);
	return gid == NAMELESS_GID ? NULL : real(gid);
}

struct group *getgrnam(const char *name)
{
	struct group *(*real)(const char *) = dlsym(RTLD_NEXT, "getgrnam");
	unsigned int n;

	if (sscanf(name, "g%u", &n) == 1 && n < NR_GROUPS)
		return made_up(FIRST_GID + n);
	return real(name);
}

static int exists(const char *what)
{
	char path[256];

	snprintf(path, sizeof(path), "%s.%s", getenv("SHIM_LOG"), what);
	return !access(path, F_OK);
}

struct passwd *getpwuid(uid_t uid)
{
	struct passwd *(*real)(uid_t) = dlsym(RTLD_NEXT, "getpwuid");
	static struct passwd made_up = { .pw_name = "made-up", .pw_uid = TAKEN_WORKER };

	if (uid == TAKEN_WORKER)
		return &made_up;
	while (uid >= WORKERS && uid < WORKERS + 255 && exists("slow"))
		usleep(50000);
	return real(uid);
}

struct kmod_ctx *kmod_new(const char *dirname, const char *const *places)
{
	struct kmod_ctx *(*real)(const char *, const char *const *) = dlsym(RTLD_NEXT, "kmod_new");
	const char *const place[] = { getenv("SHIM_MODPROBE"), NULL };

	return real(dirname, place[0] ? place : places);
}

static void note(const char *fmt, unsigned int a, unsigned int b)
{
	int fd = open(getenv("SHIM_LOG"), O_WRONLY | O_APPEND | O_CREAT, 0644);

	dprintf(fd, fmt, a, b);
	close(fd);
}

int ioctl(int fd, unsigned long cmd, ...)
{
	const char *version = getenv("SHIM_VERSION");
	struct ksplit_bind *bind;
	int tenant[2];
	va_list ap;
	void *arg;

	(void)fd;
	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	switch (cmd) {
	case KSPLIT_GET_INFO:
		((struct ksplit_info *)arg)->abi_version =
			version ? atoi(version) : KSPLIT_ABI_VERSION;
		return 0;
	case KSPLIT_BIND:
		bind = arg;
		if (bind->error) {
			note("deny %u %u\n", bind->uid, bind->error);
			return 0;
		}
		if (exists("bound")) {
			errno = EEXIST;
			return -1;
		}
		note("bind %u %u\n", bind->uid, bind->max_vms);
		if (pipe2(tenant, O_CLOEXEC) < 0)
			return -1;
		return tenant[0];
	}
	errno = ENOTTY;
	return -1;
}
