/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the launcher, the supervisor, the worker and the tools share: log lines, exit
 * statuses and number parsing.
 */
#ifndef KSPLIT_DAEMON_H
#define KSPLIT_DAEMON_H

#include <stddef.h>
#include <sys/types.h>

/* Exit statuses, after sysexits.h; the man pages list them. */
#define EXIT_USAGE	64	/* wrong command line */
#define EXIT_NO_STUB	69	/* no /dev/kvm-split, or KVM cannot start */
#define EXIT_INTERNAL	70	/* a bug, or a call the sandbox does not allow */
#define EXIT_OS		71	/* a system call failed */
#define EXIT_PROTOCOL	76	/* the kernel has another ABI version */
#define EXIT_PERM	77	/* wrong user */
#define EXIT_CONFIG	78	/* a configuration file cannot be used */

/* Levels of syslog, printed as sd-daemon(3) prefixes. */
#define L_ERR		3
#define L_WARNING	4
#define L_NOTICE	5
#define L_INFO		6

void log_init(const char *who);
void log_limit(int level);
void logm(int level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void __attribute__((noreturn, format(printf, 2, 3)))
die(int status, const char *fmt, ...);

/* What a getopt_long() loop does with --help, --version and mistakes. */
#define OPTIONS_COMMON							\
	{ "help",    no_argument, NULL, 'h' },				\
	{ "version", no_argument, NULL, 'V' },				\
	{ }
void __attribute__((noreturn))
common_option(int option, const char *program, const char *usage);

/* Tell systemd, if it asked to be told; sd_notify(3) has the words. */
int notify_open(void);
void notify(int fd, const char *state);

/*
 * A message with a descriptor; fd, *ret_fd: -1 if there is none. The number of
 * bytes sent, also of those for which there was no room, or -1 with errno.
 */
ssize_t send_message(int socket, const void *data, size_t size, int fd);
ssize_t recv_message(int socket, void *data, size_t size, int *ret_fd);

/* kvm-vmmd@USER.service */
void unit_name(const char *user, char *ret, size_t size);

/* A decimal number in [0, max], the whole string; or -1. */
long long parse_number(const char *text, long long max);

#endif /* KSPLIT_DAEMON_H */
