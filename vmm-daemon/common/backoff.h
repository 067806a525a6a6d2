/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When the next start is allowed: after failures, and at most so many a second.
 * Times are milliseconds of CLOCK_MONOTONIC, as now_ms() tells them.
 */
#ifndef KSPLIT_BACKOFF_H
#define KSPLIT_BACKOFF_H

/**
 * struct backoff - spaces out the starts of what keeps failing
 * @min:	wait after the first failure, ms; doubled by each further one
 * @max:	longest wait, ms
 * @failures:	in a row
 * @failed:	when the last one was, ms
 * @not_before:	no start until then, ms
 */
struct backoff {
	long long min, max;
	unsigned int failures;
	long long failed;
	long long not_before;
};

/**
 * struct pace - a bucket of tokens: a burst of starts, then a rate
 * @cost:	one token comes every so many ms; 0: no limit
 * @burst:	how many tokens the bucket holds
 * @level:	when the bucket is full again, ms
 */
struct pace {
	long long cost;
	long long burst;
	long long level;
};

long long now_ms(void);

long long backoff_fail(struct backoff *b, long long now);
void backoff_reset(struct backoff *b);
long long backoff_left(const struct backoff *b, long long now);

void pace_take(struct pace *p, long long now);
long long pace_left(const struct pace *p, long long now);

#endif /* KSPLIT_BACKOFF_H */
