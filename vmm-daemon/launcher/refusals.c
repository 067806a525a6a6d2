// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which refusals are logged: users open /dev/kvm as often as they like, and one
 * user can have thousands of subordinate ids.
 *
 * Invariant: a uid is named once in PERIOD_MS, and at most MOST uids in MINUTE_MS;
 * what was left out is counted and told with the next line.
 */
#include <stdarg.h>
#include <stdio.h>

#include "common/daemon.h"
#include "launcher/launcher.h"

#define MINUTE_MS	60000
#define PERIOD_MS	(10 * MINUTE_MS)
#define MOST		16
#define NR_SAID		(MOST * (PERIOD_MS / MINUTE_MS + 1))

static struct said {
	uid_t uid;
	long long until;	/* ms */
} said[NR_SAID];

/**
 * refusal_is_news() - is there to be a line about it?
 * @uid:	who was refused
 * @now:	ms
 * @ret_unsaid:	out, if there is: how many refusals had none since the last line
 *
 * Return: 1 or 0.
 */
int refusal_is_news(uid_t uid, long long now, unsigned int *ret_unsaid)
{
	static struct pace lines = { .cost = MINUTE_MS / MOST, .burst = MOST };
	static unsigned int unsaid;
	struct said *s, *room = NULL;

	for (s = said; s < said + NR_SAID; s++) {
		if (now >= s->until)
			room = s;
		else if (s->uid == uid)
			break;
	}
	if (s < said + NR_SAID || !room || pace_left(&lines, now)) {
		unsaid++;
		return 0;
	}
	pace_take(&lines, now);
	*room = (struct said){ .uid = uid, .until = now + PERIOD_MS };
	*ret_unsaid = unsaid;
	unsaid = 0;
	return 1;
}

/**
 * log_refusal() - log why a user is refused, unless that was logged lately
 * @uid:	who
 * @fmt:	printf format: who and why
 */
void log_refusal(uid_t uid, const char *fmt, ...)
{
	char line[256];
	unsigned int unsaid;
	va_list ap;

	if (!refusal_is_news(uid, now_ms(), &unsaid))
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (unsaid)
		logm(L_WARNING, "%s (%u refusals before went unlogged)", line, unsaid);
	else
		logm(L_WARNING, "%s", line);
}
