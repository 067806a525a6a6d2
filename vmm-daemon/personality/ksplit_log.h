/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log: stderr, read by the supervisor's journal, and the stub's line.
 * Plain C.
 */
#ifndef KSPLIT_LOG_H
#define KSPLIT_LOG_H

/* Kernel log levels, as in printk and in sd-daemon's <N> prefixes. */
#define KSPLIT_LOG_EMERG	0
#define KSPLIT_LOG_ERR		3
#define KSPLIT_LOG_WARNING	4
#define KSPLIT_LOG_INFO		6

/* Set once, at the start: what lines begin with, and the highest level that is logged. */
extern const char *ksplit_log_who;
extern int ksplit_log_highest;

void ksplit_log(int level, const char *text);
void ksplit_logf(int level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void ksplit_abort(const char *why) __attribute__((noreturn));

#endif /* KSPLIT_LOG_H */
