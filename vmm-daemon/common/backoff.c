// SPDX-License-Identifier: GPL-2.0-only
/*
 * When the next start is allowed; see backoff.h.
 *
 * Invariant: nothing here looks at the clock but now_ms(), so that a test can
 * tell the time.
 */
#include <time.h>

#include "common/backoff.h"

#define MAX_SHIFT	16	/* doublings */

/**
 * now_ms() - the time
 *
 * Return: milliseconds of CLOCK_MONOTONIC.
 */
long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/**
 * backoff_fail() - a start failed
 * @b:		the back-off
 * @now:	ms
 *
 * Return: how long the next start waits, ms.
 */
long long backoff_fail(struct backoff *b, long long now)
{
	unsigned int shift = b->failures < MAX_SHIFT ? b->failures : MAX_SHIFT;
	long long wait = b->min << shift;

	if (wait > b->max)
		wait = b->max;
	b->failures++;
	b->failed = now;
	b->not_before = now + wait;
	return wait;
}

/**
 * backoff_reset() - a start went well: the next failure is the first one again
 * @b:		the back-off
 */
void backoff_reset(struct backoff *b)
{
	b->failures = 0;
}

/**
 * backoff_left() - how long the next start has to wait
 * @b:		the back-off
 * @now:	ms
 *
 * Return: ms, 0: it may start.
 */
long long backoff_left(const struct backoff *b, long long now)
{
	return b->not_before > now ? b->not_before - now : 0;
}

/**
 * pace_take() - something starts: a token less
 * @p:		the bucket
 * @now:	ms
 */
void pace_take(struct pace *p, long long now)
{
	if (p->level < now)
		p->level = now;
	p->level += p->cost;
}

/**
 * pace_left() - how long the next start has to wait for a token
 * @p:		the bucket
 * @now:	ms
 *
 * Return: ms, 0: there is one.
 */
long long pace_left(const struct pace *p, long long now)
{
	long long at = p->level + p->cost - p->burst * p->cost;

	return p->cost && at > now ? at - now : 0;
}
