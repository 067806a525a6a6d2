// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host threads and futexes beneath the personality's "CPUs".
 *
 * Every function returns -errno values of the kernel's numbering, which on
 * x86-64 is libc's.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

struct start {
	void (*fn)(void *arg);
	void *arg;
};

static void *thread_main(void *p)
{
	struct start start = *(struct start *)p;

	free(p);
	start.fn(start.arg);
	return NULL;
}

int host_thread_start(const char *name, void (*fn)(void *arg), void *arg)
{
	struct start *start = malloc(sizeof(*start));
	pthread_attr_t attr;
	pthread_t thread;
	char comm[16];
	int ret;

	if (!start)
		return -ENOMEM;
	*start = (struct start){ .fn = fn, .arg = arg };

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = pthread_create(&thread, &attr, thread_main, start);
	pthread_attr_destroy(&attr);
	if (ret) {
		free(start);
		return -ret;
	}

	/* The limit of the kernel's; a cut name is still a name. */
	snprintf(comm, sizeof(comm), "%s", name);
	pthread_setname_np(thread, comm);
	return 0;
}

int host_gettid(void)
{
	return gettid();
}

int host_getpid(void)
{
	return getpid();
}

void host_set_gs(unsigned long base)
{
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, base))
		host_abort("arch_prctl(ARCH_SET_GS)");
}

int host_nr_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? n : 1;
}

void host_abort(const char *why)
{
	static const char prefix[] = "kvm-vmm: ";
	struct iovec line[] = {
		{ (void *)prefix, sizeof(prefix) - 1 },
		{ (void *)why, strlen(why) },
		{ "\n", 1 },
	};
	ssize_t ret;

	/* No stdio: the caller may hold its locks. */
	ret = writev(STDERR_FILENO, line, 3);
	(void)ret;
	abort();
}

int host_futex_wait(const void *addr, unsigned int val, host_ns_t deadline)
{
	struct timespec ts, *timeout = NULL;

	if (deadline != HOST_FOREVER) {
		ts.tv_sec = deadline / 1000000000ULL;
		ts.tv_nsec = deadline % 1000000000ULL;
		timeout = &ts;
	}
	/* _BITSET, because its timeout is absolute. */
	if (syscall(SYS_futex, addr, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, val,
		    timeout, NULL, FUTEX_BITSET_MATCH_ANY))
		return -errno;
	return 0;
}

int host_futex_wake(const void *addr, int nr)
{
	long woken = syscall(SYS_futex, addr, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, nr,
			     NULL, NULL, 0);

	return woken < 0 ? 0 : woken;
}

void host_sleep_ns(host_ns_t ns)
{
	struct timespec ts = {
		.tv_sec = ns / 1000000000ULL,
		.tv_nsec = ns % 1000000000ULL,
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

void host_yield(void)
{
	sched_yield();
}

void host_wake_precisely(void)
{
	/* Only costs punctuality if it fails. */
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}

int host_membarrier(void)
{
	static _Atomic int registered;

	if (!registered) {
		if (syscall(SYS_membarrier,
			    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0))
			return 0;
		registered = 1;
	}
	return !syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

host_ns_t host_clock_ns(int clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		host_abort("clock_gettime");
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}
