// SPDX-License-Identifier: GPL-2.0-only
/*
 * The client's eventfds as the host's descriptors, and the thread that waits
 * for them, and for the host's clock to be set.
 *
 * Invariant: no file flag is changed, since the client shares the open file.
 * Each signal of a watched eventfd leads to a call of ksplit_eventfd_ready()
 * that begins after it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "calls/call.h"
#include "calls/eventfd.h"
#include "ksplit_log.h"
#include "personality.h"

#define EVENTS	32
#define CLOCK	0	/* no context's key */

#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY	(1024 + 3)	/* linux/fcntl.h, since 6.10 */
#endif

static int epoll_fd = -1;

/**
 * ksplit_host_eventfd_take() - fetch an eventfd named in the current call
 * @client_fd:	the client's descriptor number
 * @ret_hash:	the same for the same open file
 *
 * Return: a descriptor of the worker, or a negative errno.
 */
int ksplit_host_eventfd_take(int client_fd, __u32 *ret_hash)
{
	const struct vmm_call *call = vmm_call_current();
	struct ksplit_eventfd e = { .client_fd = client_fd };
	int fd;

	if (!call)
		return -EBADF;
	e.call = call->id;
	fd = ksplit_ops->eventfd(&e);
	*ret_hash = e.hash;
	return fd;
}

int ksplit_host_eventfd_same(int fd, int other)
{
	return fcntl(fd, F_DUPFD_QUERY, other) == 1;
}

void ksplit_host_eventfd_signal(int fd)
{
	uint64_t one = 1;
	ssize_t r;

	do {
		r = write(fd, &one, sizeof(one));
	} while (r < 0 && errno == EINTR);
}

__u64 ksplit_host_eventfd_read(int fd)
{
	uint64_t count = 0;
	struct iovec iov = { &count, sizeof(count) };
	ssize_t r;

	/* The descriptor may be a blocking one, and must stay so. */
	do {
		r = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
	} while (r < 0 && errno == EINTR);
	return r == sizeof(count) ? count : 0;
}

int ksplit_host_eventfd_watch(int fd, __u64 key)
{
	/* Edge-triggered: every write is an edge of its own. */
	struct epoll_event e = {
		.events = EPOLLIN | EPOLLET,
		.data.u64 = key,
	};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

void ksplit_host_eventfd_unwatch(int fd)
{
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static void poller(void *arg)
{
	struct epoll_event events[EVENTS];

	(void)arg;
	for (;;) {
		int i, n;

		ksplit_idle_enter();
		n = epoll_wait(epoll_fd, events, EVENTS, -1);
		ksplit_idle_exit();
		if (n < 0 && errno != EINTR) {
			ksplit_abort("eventfd poller: epoll_wait failed");
			return;
		}
		for (i = 0; i < n; i++) {
			if (events[i].data.u64 == CLOCK)
				ksplit_clock_was_set();
			else
				ksplit_eventfd_ready(events[i].data.u64);
		}
	}
}

/*
 * A timer that does not expire: it is cancelled whenever the wall clock is set,
 * and after a sleep.  Each time is an edge, whether or not somebody reads it.
 */
static int watch_clock(void)
{
	struct itimerspec never = { .it_value.tv_sec = LONG_MAX };
	int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC);

	if (fd < 0 || timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
				      &never, NULL) < 0)
		return -errno;
	return ksplit_host_eventfd_watch(fd, CLOCK);
}

/**
 * ksplit_eventfd_init() - start the thread that waits for irqfds and clock
 *
 * Context: once, after ksplit_personality_init().
 * Return: 0 or a negative errno.
 */
int ksplit_eventfd_init(void)
{
	int r;

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return -errno;
	r = watch_clock();
	if (r < 0)
		return r;
	return ksplit_thread_create("irqfd", poller, NULL);
}
