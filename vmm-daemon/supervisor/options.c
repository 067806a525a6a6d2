// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-vmmd's command line.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config.h"
#include "common/daemon.h"
#include "policy/wire/message.h"
#include "supervisor/supervisor.h"

#define MAX_MS		3600000
#define MAX_IDLE_S	31536000
#define SPARE_DELAY_MS	10000	/* leave the CPU to the VM that took the last spare */
#define IDLE_S		600
#define BACKOFF_MIN_MS	100
#define BACKOFF_MAX_MS	10000
/* Starting a worker is paid by the host: a tenant gets so many at once, then a second. */
#define START_BURST	64
#define START_RATE	50
/* Questions to the policy service, a second; at once as many as workers. */
#define QUESTION_RATE	10
/* What is logged of memory that is refused. */
#define REFUSAL_MS	1000
#define REFUSAL_BURST	8

static const char usage[] =
"Usage: kvm-vmmd --tenant-fd N --uid UID [--worker PATH]\n"
"                [--worker-uids FIRST-LAST [--used-uids N,...]\n"
"                 [--taken-uids N,...]]\n"
"                [--spare-delay MS] [--idle SECONDS] [--start-rate N]\n"
"       kvm-vmmd --check [FILE]\n"
"\n"
"Keep a worker ready for a user's next open of /dev/kvm.  Started by\n"
"kvm-split-launcher(8), not by hand.\n"
"\n"
"  --tenant-fd N  inherited descriptor of the tenant\n"
"  --uid UID      the tenant, for the log\n"
"  --worker PATH  program to start, default: kvm-vmm beside this one\n"
"  --worker-uids FIRST-LAST\n"
"                 run each worker as a user and group of its own out of this\n"
"                 range; needs CAP_SETUID and CAP_SETGID\n"
"  --used-uids N,...\n"
"                 workers of an earlier supervisor have these: take others first\n"
"  --taken-uids N,...\n"
"                 accounts have these: never take them\n"
"  --spare-delay MS\n"
"                 once the spare is taken, start the next that much later, unless\n"
"                 somebody waits for it; default 10000\n"
"  --idle SECONDS end after so long without a client; default 600, 0: never\n"
"  --start-rate N start at most N workers a second, after a burst of 64; default\n"
"                 50, 0: as many as are asked for\n"
"  --max-memory-sum N\n"
"                 most guest memory of all VMs together, in bytes\n"
"  --policy WORD  whether the policy service is asked before a client gets a VM, and\n"
"                 what if it says nothing: off, the default; optional, expected or\n"
"                 required, see kvm-split.conf(5)\n"
"  --policyd PATH its socket, default /run/kvm-split-policy/io.kvmsplit.Policy\n"
"  --no-nested, --hide N,..., --max-memory N, --log-level N\n"
"                 for workers, see kvm-vmm(8); the log level holds here, too\n"
"  --notify-fd N  inherited descriptor for messages to systemd, see sd_notify(3)\n"
"  --check        read the configuration, or one FILE of it, and exit: status 0\n"
"                 if all is well, 78 if not\n"
"  --help         show this text\n"
"  --version      show the version\n";

static const struct option longopts[] = {
	{ "tenant-fd",	 required_argument, NULL, 't' },
	{ "uid",	 required_argument, NULL, 'u' },
	{ "worker",	 required_argument, NULL, 'w' },
	{ "worker-uids", required_argument, NULL, 'r' },
	{ "used-uids",	 required_argument, NULL, 'U' },
	{ "taken-uids",	 required_argument, NULL, 'T' },
	{ "spare-delay", required_argument, NULL, 'd' },
	{ "idle",	 required_argument, NULL, 'i' },
	{ "start-rate",	 required_argument, NULL, 'R' },
	{ "no-nested",	 no_argument,	    NULL, 'n' },
	{ "hide",	 required_argument, NULL, 'H' },
	{ "max-memory",	 required_argument, NULL, 'm' },
	{ "max-memory-sum", required_argument, NULL, 'S' },
	{ "policy",	 required_argument, NULL, 'p' },
	{ "policyd",	 required_argument, NULL, 'P' },
	{ "log-level",	 required_argument, NULL, 'l' },
	{ "notify-fd",	 required_argument, NULL, 'N' },
	{ "check",	 no_argument,	    NULL, 'c' },
	OPTIONS_COMMON
};

/* What the options say, besides the supervisor itself. */
struct words {
	long long uid;
	char *used, *taken;
	int check;
};

static long long number(const char *option, const char *text, long long max)
{
	long long n = parse_number(text, max);

	if (n < 0)
		die(EXIT_USAGE, "--%s: '%s' is no number of the range", option, text);
	return n;
}

/* The number at @text; *ret_end: what follows it. */
static long long first_number(const char *text, char separator, const char **ret_end)
{
	const char *end = strchrnul(text, separator);
	char digits[16];

	*ret_end = *end ? end + 1 : end;
	if (end - text >= (long)sizeof(digits))
		return -1;
	memcpy(digits, text, end - text);
	digits[end - text] = '\0';
	return parse_number(digits, UINT_MAX - 1);
}

static void set_range(struct supervisor *s, const char *text)
{
	const char *last;

	s->uid_first = first_number(text, '-', &last);
	s->uid_last = parse_number(last, UINT_MAX - 1);
	if (s->uid_first <= 0 || s->uid_last < s->uid_first)
		die(EXIT_USAGE, "--worker-uids: '%s' is no range", text);
	if (s->uid_last - s->uid_first >= TENANT_UIDS)
		die(EXIT_USAGE, "--worker-uids: more than %d", TENANT_UIDS);
	/* Where nobody told which are in use: begin somewhere else each time. */
	s->uid_next = s->uid_first + getpid() % (s->uid_last - s->uid_first + 1);
}

static void set_avoid(struct supervisor *s, const char *option, const char *text, enum avoid why)
{
	while (*text) {
		long long uid = first_number(text, ',', &text);

		if (s->uid_first < 0 || uid < s->uid_first || uid > s->uid_last)
			die(EXIT_USAGE, "--%s: not of --worker-uids", option);
		s->avoid[uid - s->uid_first] = why;
	}
}

static void set_rate(struct supervisor *s, const char *text)
{
	long long rate = number("start-rate", text, 1000);

	s->pace.cost = rate ? 1000 / rate : 0;
}

static void set_worker(struct supervisor *s, const char *path)
{
	if (strlen(path) >= sizeof(s->worker))
		die(EXIT_USAGE, "--worker: path too long");
	snprintf(s->worker, sizeof(s->worker), "%s", path);
}

/**
 * pass() - give workers one more word of their command line
 * @s:		the supervisor
 * @word:	must stay valid
 */
void pass(struct supervisor *s, char *word)
{
	if (s->nr_for_worker == MAX_PASSED)
		die(EXIT_USAGE, "too many options");
	s->for_worker[s->nr_for_worker++] = word;
}

static void set_policy(struct supervisor *s, const char *word)
{
	long long policy = config_parse_policy(word);

	if (policy < 0)
		die(EXIT_USAGE, "--policy: '%s' is not off, optional, expected or required", word);
	s->policy = policy;
	if (policy != POLICY_OFF)
		pass(s, "--ask-vm");
}

static void pass_pair(struct supervisor *s, char *option, char *value)
{
	pass(s, option);
	pass(s, value);
}

static void set_for_worker(struct supervisor *s, int c, struct words *w)
{
	switch (c) {
	case 'u':
		w->uid = number("uid", optarg, UINT_MAX - 1);
		pass_pair(s, "--uid", optarg);
		break;
	case 'n':
		pass(s, "--no-nested");
		break;
	case 'l':
		log_limit(number("log-level", optarg, L_INFO));
		pass_pair(s, "--log-level", optarg);
		break;
	case 'H':
		pass_pair(s, "--hide", optarg);
		break;
	case 'm':
		pass_pair(s, "--max-memory", optarg);
		break;
	case 'S':
		s->max_memory_sum = number("max-memory-sum", optarg, LLONG_MAX);
		pass(s, "--ask-memory");
		break;
	case 'p':
		set_policy(s, optarg);
		break;
	default:
		common_option(c, "kvm-vmmd", usage);
	}
}

static void set_option(struct supervisor *s, int c, struct words *w)
{
	switch (c) {
	case 't':
		s->tenant = number("tenant-fd", optarg, INT_MAX);
		break;
	case 'w':
		set_worker(s, optarg);
		break;
	case 'r':
		set_range(s, optarg);
		break;
	case 'U':
		w->used = optarg;
		break;
	case 'T':
		w->taken = optarg;
		break;
	case 'd':
		s->spare_delay = number("spare-delay", optarg, MAX_MS);
		break;
	case 'i':
		s->idle = 1000 * number("idle", optarg, MAX_IDLE_S);
		break;
	case 'R':
		set_rate(s, optarg);
		break;
	case 'P':
		s->policyd = optarg;
		break;
	case 'N':
		s->notify = number("notify-fd", optarg, INT_MAX);
		break;
	case 'c':
		w->check = 1;
		break;
	default:
		set_for_worker(s, c, w);
	}
}

static void print_line(const char *line)
{
	fprintf(stderr, "%s\n", line);
}

static void set_defaults(struct supervisor *s)
{
	s->tenant = s->ready = s->notify = s->asker.fd = s->uid_first = -1;
	s->max_memory_sum = CONFIG_NO_LIMIT;
	s->policyd = POLICY_SOCKET;
	s->refusals = (struct pace){ .cost = REFUSAL_MS, .burst = REFUSAL_BURST };
	s->questions = (struct pace){ .cost = 1000 / QUESTION_RATE, .burst = START_BURST };
	s->spare_delay = SPARE_DELAY_MS;
	s->idle = 1000 * IDLE_S;
	s->backoff = (struct backoff){ .min = BACKOFF_MIN_MS, .max = BACKOFF_MAX_MS };
	s->pace = (struct pace){ .cost = 1000 / START_RATE, .burst = START_BURST };
}

/**
 * parse_options() - take the command line into the supervisor
 * @s:		out, all zero before
 * @argc:	of main()
 * @argv:	of main()
 *
 * Ends the program if there is a mistake, and after --check.
 */
void parse_options(struct supervisor *s, int argc, char **argv)
{
	static char who[32];
	struct words w = { .uid = -1 };
	int c;

	set_defaults(s);
	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1)
		set_option(s, c, &w);
	if (w.check && optind >= argc - 1)
		exit(config_check(argv[optind], print_line) < 0 ? EXIT_CONFIG : 0);
	if (s->tenant < 0 || w.uid < 0 || optind != argc)
		common_option('?', "kvm-vmmd", usage);
	if (w.used)
		set_avoid(s, "used-uids", w.used, AVOID_OLD);
	if (w.taken)
		set_avoid(s, "taken-uids", w.taken, AVOID_TAKEN);
	snprintf(who, sizeof(who), "tenant %lld", w.uid);
	log_init(who);
	if (!*s->worker)
		program_beside("kvm-vmm", s->worker, sizeof(s->worker));
}
