// SPDX-License-Identifier: GPL-2.0-only
/*
 * common/daemon.c, recv_message(): what the launcher, a supervisor and their starters
 * tell each other, with a descriptor.
 *
 * Properties: a message of another size than is expected does not look like one of
 * that size; the caller has the one descriptor that it hears of, and nobody has any
 * that was sent besides; it is closed on exec.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "common/daemon.h"

#define MOST	4

static int sockets[2];

static void send_it(const void *bytes, size_t size, unsigned int nr_fds, unsigned int nr_groups)
{
	char control[2 * CMSG_SPACE(MOST * sizeof(int))] __attribute__((aligned(16))) = { 0 };
	struct iovec iov = { (void *)bytes, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c = (void *)control;

	for (unsigned int i = 0; nr_fds && i < nr_groups; i++) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		for (unsigned int j = 0; j < nr_fds; j++)
			memcpy(CMSG_DATA(c) + j * sizeof(int), &sockets[0], sizeof(int));
		c = (void *)((char *)c + CMSG_SPACE(nr_fds * sizeof(int)));
		msg.msg_control = control;
		msg.msg_controllen = (char *)c - control;
	}
	EQ(sendmsg(sockets[0], &msg, MSG_NOSIGNAL), (ssize_t)size);
}

static int nr_open(void)
{
	int n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned int nr_fds = take_number(&in, 1) % (MOST + 1), nr_groups = take_number(&in, 1) % 3;
	size_t room = take_number(&in, 1), sent = in.left;
	char *buf = malloc(room);
	int before, fd = -2;
	ssize_t n;

	if (!sockets[0])
		EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	before = nr_open();
	if (!sent || !room) {
		free(buf);
		return 0;
	}
	send_it(in.at, sent, nr_fds, nr_groups);
	n = recv_message(sockets[1], buf, room, &fd);
	if (n == (ssize_t)room)
		EQ(n, (ssize_t)sent);
	if (n > 0)
		EQ(memcmp(buf, in.at, sent < room ? sent : room), 0);
	if (nr_fds && nr_groups) {
		HOLDS(fd >= 0);
		HOLDS(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		close(fd);
	} else {
		EQ(fd, -1);
	}
	EQ(nr_open(), before);
	free(buf);
	return 0;
}
