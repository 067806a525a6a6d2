// SPDX-License-Identifier: GPL-2.0-only
/*
 * launcher/options.c: kvm-split-launcher's command line, NULs between its words.
 *
 * Properties, if it is accepted: times, which supervisors get as text, are numbers
 * within their limits; the supervisor's path ends.
 */
#include "command_line.h"
#include "common/daemon.h"
#include "launcher/launcher.h"

struct launcher l;

void program_beside(const char *name, char *ret, size_t size)
{
	snprintf(ret, size, "%s", name);
}

static void check_time(const char *text, long long max)
{
	if (!text)
		return;
	HOLDS(*text && strspn(text, "0123456789") == strlen(text));
	HOLDS(atoll(text) <= max);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	static char *taken[MAX_WORDS + 2];

	memset(&l, 0, sizeof(l));
	l.namespaces = 1;
	take_words(&in, "kvm-split-launcher");
	memcpy(taken, words, sizeof(words));
	parsing = true;
	if (!setjmp(ended)) {
		parse_options(nr_words, words);
		check_time(l.spare_delay, 3600 * 1000);
		check_time(l.idle, 31536000);
		HOLDS(*l.supervisor && memchr(l.supervisor, 0, sizeof(l.supervisor)));
	}
	parsing = false;
	free_words(taken, nr_words);
	return 0;
}
