// SPDX-License-Identifier: GPL-2.0-only
/*
 * Log lines, news for systemd and number parsing of the daemons.
 *
 * Invariant: a line goes out in one write, with a level that the journal
 * understands.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/daemon.h"

static const char *prefix = "";
static int highest = L_INFO;

/**
 * log_init() - name what the lines are about
 * @who:	"tenant 1001", say; must stay valid
 */
void log_init(const char *who)
{
	prefix = who;
}

/**
 * log_limit() - leave out what is of less importance
 * @level:	highest L_* that is logged
 */
void log_limit(int level)
{
	highest = level;
}

static void vlog(int level, const char *fmt, va_list ap)
{
	char line[512];
	int n, m, saved = errno;
	ssize_t ignored;

	if (level > highest)
		return;
	n = snprintf(line, sizeof(line), "<%d>%s%s", level, prefix,
		     *prefix ? ": " : "");
	m = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	n += m < (int)sizeof(line) - n - 1 ? m : (int)sizeof(line) - n - 2;
	line[n++] = '\n';
	ignored = write(STDERR_FILENO, line, n);
	(void)ignored;
	errno = saved;
}

/**
 * logm() - log one line
 * @level:	L_*
 * @fmt:	printf format, without a newline
 */
void logm(int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(level, fmt, ap);
	va_end(ap);
}

/**
 * die() - log why, and exit
 * @status:	EXIT_*
 * @fmt:	printf format
 */
void die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(L_ERR, fmt, ap);
	va_end(ap);
	exit(status);
}

/**
 * parse_number() - a decimal number of the command line
 * @text:	digits and nothing else
 * @max:	largest value
 *
 * Return: the number, -1 if @text is none.
 */
long long parse_number(const char *text, long long max)
{
	char *end;
	long long n;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	n = strtoll(text, &end, 10);
	return errno || *end || n > max ? -1 : n;
}

/**
 * notify_open() - connect to whoever started this service
 *
 * What is written to the descriptor reaches systemd from any namespace later on,
 * see sd_notify(3).
 *
 * Return: a descriptor, -1 if nobody wants to know.
 */
int notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (!len || len >= sizeof(addr.sun_path))
		return -1;
	memcpy(addr.sun_path, path, len);
	if (*path == '@')
		*addr.sun_path = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr,
			       offsetof(struct sockaddr_un, sun_path) + len) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/**
 * notify() - one message for systemd
 * @fd:		of notify_open()
 * @state:	lines NAME=VALUE
 */
void notify(int fd, const char *state)
{
	ssize_t ignored = fd < 0 ? 0 : write(fd, state, strlen(state));

	(void)ignored;
}

/**
 * unit_name() - the service of a tenant's supervisor
 * @user:	the tenant
 * @ret:	gets kvm-vmmd@USER.service, escaped as systemd-escape(1) does
 * @size:	of @ret; four times the name and 32 are enough
 */
void unit_name(const char *user, char *ret, size_t size)
{
	size_t n = snprintf(ret, size, "kvm-vmmd@");

	for (const char *p = user; *p && n + 16 < size; p++)
		n += snprintf(ret + n, size - n,
			      isalnum((unsigned char)*p) || *p == '_' || *p == ':' ||
			      (*p == '.' && p > user) ? "%c" : "\\x%02x", (unsigned char)*p);
	snprintf(ret + n, size - n, ".service");
}

/**
 * send_message() - send bytes, and a descriptor with them
 * @socket:	SOCK_SEQPACKET
 * @data:	bytes
 * @size:	how many
 * @fd:		descriptor, -1: none
 *
 * Return: how many bytes were sent, or -1 with errno.
 */
ssize_t send_message(int socket, const void *data, size_t size, int fd)
{
	struct iovec iov = { (void *)data, size };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (fd >= 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(socket, &msg, MSG_NOSIGNAL);
}

/* Keep the first descriptor that came, -1: none did; the others would stay open. */
static int take_descriptor(struct msghdr *msg)
{
	struct cmsghdr *c;
	int fd, kept = -1;
	size_t i;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (i = 0; CMSG_LEN((i + 1) * sizeof(fd)) <= c->cmsg_len; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (kept < 0)
				kept = fd;
			else
				close(fd);
		}
	}
	return kept;
}

/**
 * recv_message() - receive what send_message() sent
 * @socket:	SOCK_SEQPACKET
 * @data:	room
 * @size:	bytes of it
 * @ret_fd:	the descriptor, closed on exec; -1: there is none
 *
 * Return: how many bytes were sent, of which @data has @size at most; 0 at the end, or
 * -1 with errno.
 */
ssize_t recv_message(int socket, void *data, size_t size, int *ret_fd)
{
	struct iovec iov = { data, size };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control.buf),
	};
	ssize_t n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC | MSG_TRUNC);

	*ret_fd = n > 0 ? take_descriptor(&msg) : -1;
	return n;
}
