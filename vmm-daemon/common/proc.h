/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What /proc tells of a process, and of what it holds of the stub.
 */
#ifndef KSPLIT_PROC_H
#define KSPLIT_PROC_H

#include <stdio.h>

extern const char *proc_dir;		/* /proc; of tests something else */

/**
 * struct holds - what a process holds of the stub
 * @tenants:	descriptors of tenants
 * @sessions:	of sessions: it is a worker
 * @vms:	of VMs
 * @vcpus:	of vCPUs
 * @tenant:	uid, -1: the kernel says nothing
 * @client:	process id of who opened /dev/kvm, 0: nobody yet, -1: the kernel says nothing
 */
struct holds {
	int tenants, sessions, vms, vcpus;
	long long tenant;
	long long client;
};

typedef void (*proc_fd_t)(long pid, const char *fd, const char *link, void *context);

FILE *proc_open(long pid, const char *name);
long long proc_value(long pid, const char *file, const char *name);
int proc_each_fd(long pid, proc_fd_t seen, void *context);
int proc_holds(long pid, struct holds *ret);
int proc_cgroup(long pid, char *ret, size_t size);

#endif /* KSPLIT_PROC_H */
