// SPDX-License-Identifier: GPL-2.0-only
/*
 * One line for the log, to stderr.
 *
 * Invariant: callable in a signal handler and with any lock held: no
 * allocation, no stdio, no lock of its own.  A guest can make KVM talk, so
 * lines are limited; what was left out is counted in the next line.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>
#include <errno.h>

#include "ksplit_log.h"

/* At most that many lines in a period; errors have as many again. */
#define BURST		20
#define PERIOD_S	5

const char *ksplit_log_who = "";
int ksplit_log_highest = KSPLIT_LOG_INFO;

static atomic_long period;
static atomic_uint used, dropped;

static int allowed(int level)
{
	struct timespec now;
	long this, last = atomic_load(&period);

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	this = now.tv_sec / PERIOD_S + 1;
	if (this != last && atomic_compare_exchange_strong(&period, &last, this))
		atomic_store(&used, 0);
	if (atomic_fetch_add(&used, 1) < (level <= KSPLIT_LOG_ERR ? 2 : 1) * BURST)
		return 1;
	atomic_fetch_add(&dropped, 1);
	return 0;
}

/**
 * ksplit_log() - log one line
 * @level:	printk level, 0 to 7; those above ksplit_log_highest are not logged
 * @text:	the line; everything behind a newline is ignored, unprintable
 *		bytes become '?'
 */
void ksplit_log(int level, const char *text)
{
	char line[240];
	const char *who;
	unsigned int lost;
	size_t n = 0;
	int saved = errno;
	ssize_t ignored;

	if (level > ksplit_log_highest || !allowed(level))
		return;

	line[n++] = '<';
	line[n++] = '0' + level;
	line[n++] = '>';
	for (who = ksplit_log_who; *who && n < 64; who++)
		line[n++] = *who;
	for (; *text && *text != '\n' && n < sizeof(line) - 40; text++)
		line[n++] = *text >= ' ' && *text < 127 ? *text : '?';
	lost = atomic_exchange(&dropped, 0);
	if (lost) {
		char digits[12];
		int i = 0;

		memcpy(line + n, " (lines left out: ", 18);
		n += 18;
		do {
			digits[i++] = '0' + lost % 10;
			lost /= 10;
		} while (lost);
		while (i)
			line[n++] = digits[--i];
		line[n++] = ')';
	}
	line[n++] = '\n';
	ignored = write(STDERR_FILENO, line, n);
	(void)ignored;
	errno = saved;
}

/**
 * ksplit_logf() - format and log one line; not for signal handlers
 * @level:	as ksplit_log()
 * @fmt:	printf format
 */
void ksplit_logf(int level, const char *fmt, ...)
{
	char text[224];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ksplit_log(level, text);
}

/**
 * ksplit_abort() - the worker cannot go on
 * @why:	one line
 *
 * The VM is lost with it; the client gets -EIO.
 */
void ksplit_abort(const char *why)
{
	ksplit_log(KSPLIT_LOG_EMERG, why);
	_exit(EX_SOFTWARE);
}
