// SPDX-License-Identifier: GPL-2.0-only
/*
 * Log lines and number parsing of the daemons.
 *
 * Invariant: a line goes out in one write, with a level that the journal
 * understands.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon.h"

static const char *prefix = "";

/**
 * log_init() - name what the lines are about
 * @who:	"tenant 1001", say; must stay valid
 */
void log_init(const char *who)
{
	prefix = who;
}

static void vlog(int level, const char *fmt, va_list ap)
{
	char line[512];
	int n, m, saved = errno;
	ssize_t ignored;

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
