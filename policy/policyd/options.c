// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-split-policyd's command line.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/daemon.h"
#include "policy/policyd/policyd.h"

#define MAX_IDLE_S	31536000

static const char usage[] =
"Usage: kvm-split-policyd [OPTION]...\n"
"\n"
"Answer whether something may be done with a tenant's virtual machine.\n"
"\n"
"  --rules FILE    the provider's rules, default /etc/kvm-split/policy.conf, see\n"
"                  kvm-split-policy.conf(5)\n"
"  --config FILE   where the tenants' services are; default\n"
"                  /etc/kvm-split/kvm-split.conf with tenants.d beside it\n"
"  --socket PATH   where to listen, if systemd does not; default\n"
"                  /run/kvm-split-policy/io.kvmsplit.Policy\n"
"  --tenant        be the service of the user who starts it: --rules is by default\n"
"                  ~/.config/kvm-split/tenant-policy.conf, and --socket is needed\n"
"  --idle SECONDS  end when nobody asked for so long; 0, the default: never\n"
"  --help          show this text\n"
"  --version       show the version\n";

static const struct option longopts[] = {
	{ "rules",  required_argument, NULL, 'r' },
	{ "config", required_argument, NULL, 'c' },
	{ "socket", required_argument, NULL, 's' },
	{ "tenant", no_argument,       NULL, 't' },
	{ "idle",   required_argument, NULL, 'i' },
	OPTIONS_COMMON
};

static void set_option(int c)
{
	long long n;

	switch (c) {
	case 'r':
		p.rules_file = optarg;
		break;
	case 'c':
		p.config_file = optarg;
		break;
	case 's':
		p.socket_path = optarg;
		break;
	case 't':
		p.own = 1;
		break;
	case 'i':
		n = parse_number(optarg, MAX_IDLE_S);
		if (n < 0)
			die(EXIT_USAGE, "--idle: '%s' is no time", optarg);
		p.idle = n * 1000;
		break;
	default:
		common_option(c, "kvm-split-policyd", usage);
	}
}

static const char *own_rules(void)
{
	const char *home = getenv("HOME");
	char *path;

	if (!home || asprintf(&path, "%s/.config/kvm-split/tenant-policy.conf", home) < 0)
		die(EXIT_USAGE, "--rules is needed: there is no HOME");
	return path;
}

/**
 * parse_options() - take the command line into the daemon
 * @argc:	of main()
 * @argv:	of main()
 *
 * Ends the program if there is a mistake.
 */
void parse_options(int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1)
		set_option(c);
	if (optind != argc)
		common_option('?', "kvm-split-policyd", usage);
	if (!p.rules_file)
		p.rules_file = p.own ? own_rules() : POLICY_FILE;
	if (!p.config_file)
		p.config_file = CONFIG_FILE;
	if (!p.socket_path && !p.own)
		p.socket_path = POLICY_SOCKET;
}
