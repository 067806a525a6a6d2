// SPDX-License-Identifier: GPL-2.0-only
/*
 * supervisor/options.c: kvm-vmmd's command line, NULs between its words.
 *
 * Properties, if it is accepted: users of workers are a range of at most a tenant's,
 * and only users of it are avoided; times and rates are not beyond their limits; what
 * a worker gets is a list that ends, of words of this command line.
 */
#include "command_line.h"
#include "supervisor/supervisor.h"

int config_check(const char *file, void (*report)(const char *line))
{
	return 0;
}

/* As common/config.c has it. */
int64_t config_parse_policy(const char *text)
{
	return !strcmp(text, "off") ? POLICY_OFF : !strcmp(text, "required") ? POLICY_REQUIRED : -1;
}

void program_beside(const char *name, char *ret, size_t size)
{
	snprintf(ret, size, "%s", name);
}

static void check_users(const struct supervisor *s)
{
	unsigned int i, avoided = 0;

	for (i = 0; i < TENANT_UIDS; i++) {
		HOLDS(s->avoid[i] <= AVOID_TAKEN);
		avoided += !!s->avoid[i];
		if (s->avoid[i])
			HOLDS(s->uid_first + i <= s->uid_last);
	}
	if (s->uid_first < 0) {
		EQ(avoided, 0);
		return;
	}
	/* Root is no worker. */
	HOLDS(s->uid_first > 0 && s->uid_last < UINT_MAX);
	HOLDS(s->uid_last >= s->uid_first && s->uid_last - s->uid_first < TENANT_UIDS);
	HOLDS(s->uid_next >= s->uid_first && s->uid_next <= s->uid_last);
}

static bool is_word(const char *word)
{
	static const char *const options[] = {
		"--uid", "--no-nested", "--log-level", "--hide", "--max-memory", "--ask-vm",
		"--ask-memory",
	};

	for (unsigned int i = 0; i < sizeof(options) / sizeof(*options); i++)
		if (!strcmp(word, options[i]))
			return true;
	for (int i = 1; i < nr_words; i++)
		if (word >= words[i] && word <= words[i] + strlen(words[i]))
			return true;
	return false;
}

static void check_passed(const struct supervisor *s)
{
	HOLDS(s->nr_for_worker >= 2 && s->nr_for_worker <= MAX_PASSED);
	EQ(s->for_worker[s->nr_for_worker], NULL);
	for (int i = 0; i < s->nr_for_worker; i++)
		HOLDS(is_word(s->for_worker[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	static struct supervisor s;
	static char *taken[MAX_WORDS + 2];

	memset(&s, 0, sizeof(s));
	take_words(&in, "kvm-vmmd");
	/* getopt_long() sorts them. */
	memcpy(taken, words, sizeof(words));
	parsing = true;
	if (!setjmp(ended)) {
		parse_options(&s, nr_words, words);
		HOLDS(s.tenant >= 0 && s.notify >= -1);
		HOLDS(*s.worker && memchr(s.worker, 0, sizeof(s.worker)));
		HOLDS(s.spare_delay >= 0 && s.spare_delay <= 3600 * 1000);
		HOLDS(s.idle >= 0 && s.idle <= 31536000ll * 1000);
		HOLDS(s.pace.cost >= 0 && s.pace.cost <= 1000);
		HOLDS(s.policy >= POLICY_OFF && s.policy <= POLICY_REQUIRED);
		HOLDS(s.max_memory_sum <= LLONG_MAX && s.policyd);
		check_users(&s);
		check_passed(&s);
	}
	parsing = false;
	free_words(taken, nr_words);
	return 0;
}
