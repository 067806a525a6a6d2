// SPDX-License-Identifier: GPL-2.0-only
/*
 * The worker's sandbox.
 *
 * Invariant: after sandbox_enter() no thread of the worker can open a file,
 * start a program, signal another process, or map memory that is executable;
 * of ioctls it has the stub's only.  A call that its kind of thread may not make
 * (filters.c) ends the worker with a line that names thread and call.
 *
 * Each thread loads its kind's filter, once, before it does anything else.
 * Threads of the personality that start along with KVM serve all of it: kind
 * "service".  Those that start later are vCPUs or stand in for one (the PIT's
 * thread); the starter's filter is theirs from the beginning.
 */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/confine.h"
#include "common/daemon.h"
#include "filters.h"		/* made by mkfilters */
#include "host.h"
#include "worker/worker.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE		65	/* linux/prctl.h, since 6.3 */
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

/* Descriptors: one for each vCPU, two for each virtio queue, with room. */
#define MAX_FILES	16384

/**
 * sandbox_close_others() - close every inherited descriptor but stdio and two
 * @keep1:	descriptor to keep
 * @keep2:	another, or -1
 */
void sandbox_close_others(int keep1, int keep2)
{
	int low = keep1 < keep2 ? keep1 : keep2;
	int high = keep1 < keep2 ? keep2 : keep1;

	if (low < 3)
		low = high;
	if (low > 3)
		close_range(3, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high < 3 ? 3 : high + 1, ~0U, 0);
}

static void limit(int resource, rlim_t max)
{
	struct rlimit r = { max, max }, now;

	if (!getrlimit(resource, &now) && now.rlim_max < max)
		r.rlim_cur = r.rlim_max = now.rlim_max;
	setrlimit(resource, &r);
}

/* In each new thread, before anything else of it. */
static void on_thread(int starter)
{
	if (starter ? CONFINE(vcpu) : CONFINE(service))
		die(EXIT_OS, "thread %s: no filter: %s", host_thread_name(), strerror(errno));
}

/**
 * sandbox_prepare() - give up what neither starting KVM nor serving needs
 *
 * Context: once, before there are threads.
 * Return: 0, or -1 with errno.
 */
int sandbox_prepare(void)
{
	static const char * const no_folder[] = { NULL };

	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_MEMLOCK, 0);
	limit(RLIMIT_MSGQUEUE, 0);
	limit(RLIMIT_NICE, 0);
	limit(RLIMIT_NOFILE, MAX_FILES);
	limit(RLIMIT_RTPRIO, 0);
	limit(RLIMIT_SIGPENDING, 0);
	if (prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    confine_report(host_thread_name) < 0 || confine_files(no_folder) < 0)
		return -1;
	host_on_thread(on_thread);
	return 0;
}

/**
 * sandbox_enter() - give up everything that serving does not need
 *
 * Context: once, on the session's thread, after KVM has started.
 * Return: 0, or -1 with errno.
 */
int sandbox_enter(void)
{
	/* Code is what it is from here on; older kernels leave that to the filters. */
	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) < 0 && errno != EINVAL)
		return -1;
	errno = -host_starter_start();
	if (errno)
		return -1;
	return CONFINE(session);
}
