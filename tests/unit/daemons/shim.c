// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/kvm-split's ioctls for a launcher whose control device is a FIFO; loaded
 * with LD_PRELOAD.  Every call is a line of $SHIM_LOG.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../../../kvm-split/uapi/kvm_split.h"

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
		note("bind %u %u\n", bind->uid, bind->max_vms);
		if (pipe2(tenant, O_CLOEXEC) < 0)
			return -1;
		return tenant[0];
	}
	errno = ENOTTY;
	return -1;
}
