// SPDX-License-Identifier: GPL-2.0-only
/*
 * printk, WARN and panic.
 *
 * Invariant: a message is one line of the worker's log; panic ends this worker
 * and nothing else.
 */
#include <linux/kernel.h>
#include <linux/panic.h>
#include <linux/printk.h>
#include <linux/kern_levels.h>

#include "ksplit_log.h"

static void log_args(int level, const char *fmt, va_list args)
{
	char text[224];
	const char *p = text;

	vscnprintf(text, sizeof(text), fmt, args);
	while (p[0] == KERN_SOH_ASCII && p[1]) {
		if (p[1] >= '0' && p[1] <= '7')
			level = p[1] - '0';
		p += 2;
	}
	ksplit_log(level, p);
}

int _printk(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_args(KSPLIT_LOG_WARNING, fmt, args);
	va_end(args);
	return 0;
}

/* The text of a WARN; the UD2 behind it adds file and line. */
void __warn_printk(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_args(KSPLIT_LOG_WARNING, fmt, args);
	va_end(args);
}

void panic(const char *fmt, ...)
{
	char text[224];
	va_list args;

	va_start(args, fmt);
	vscnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ksplit_abort(text);
}

/* No scheduler lock to be afraid of. */
int _printk_deferred(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_args(KSPLIT_LOG_WARNING, fmt, args);
	va_end(args);
	return 0;
}
