// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-split-launcher's command line.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/daemon.h"
#include "launcher/launcher.h"

#define MAX_MS		3600000		/* of --spare-delay */
#define MAX_IDLE_S	31536000	/* of --idle */

static const char usage[] =
"Usage: kvm-split-launcher [OPTION]...\n"
"\n"
"Give every user who opens /dev/kvm a supervisor, and with it workers.\n"
"\n"
"  --device PATH       control device, default /dev/kvm-split\n"
"  --supervisor PATH   program to start, default: kvm-vmmd beside this one\n"
"  --run-dir PATH      where the file 'ready' appears, default /run/kvm-split\n"
"  --config FILE       default /etc/kvm-split/kvm-split.conf; files of tenants are\n"
"                      in tenants.d beside it; see kvm-split.conf(5)\n"
"  --spare-delay MS    how long kvm-vmmd(8) waits before it starts the next spare\n"
"                      worker, if nobody waits for it\n"
"  --idle SECONDS      when kvm-vmmd(8) ends that serves nobody; 0: never\n"
"  --any-uid           serve all users that the user database does not know, not\n"
"                      only those with a file in tenants.d\n"
"  --no-namespaces     leave supervisors in the launcher's namespaces\n"
"  --systemctl PATH    start supervisors as services, with this program; default\n"
"                      is systemctl where systemd runs, fork() elsewhere\n"
"  --fork              never use services\n"
"  --instance USER     become that user's supervisor, as the service does\n"
"  --help              show this text\n"
"  --version           show the version\n";

static const struct option longopts[] = {
	{ "device",	   required_argument, NULL, 'd' },
	{ "supervisor",	   required_argument, NULL, 's' },
	{ "run-dir",	   required_argument, NULL, 'r' },
	{ "config",	   required_argument, NULL, 'c' },
	{ "spare-delay",   required_argument, NULL, 'p' },
	{ "idle",	   required_argument, NULL, 'I' },
	{ "any-uid",	   no_argument,	      NULL, 'a' },
	{ "no-namespaces", no_argument,	      NULL, 'n' },
	{ "systemctl",	   required_argument, NULL, 'S' },
	{ "fork",	   no_argument,	      NULL, 'f' },
	{ "instance",	   required_argument, NULL, 'i' },
	OPTIONS_COMMON
};

static void set_supervisor(const char *path)
{
	if (strlen(path) >= sizeof(l.supervisor))
		die(EXIT_USAGE, "--supervisor: path too long");
	snprintf(l.supervisor, sizeof(l.supervisor), "%s", path);
}

/* A number that is passed on as text. */
static char *number(const char *option, char *text, long long max)
{
	if (parse_number(text, max) < 0)
		die(EXIT_USAGE, "--%s: '%s' is no time", option, text);
	return text;
}

static void set_option(int c)
{
	switch (c) {
	case 'd':
		l.device = optarg;
		break;
	case 's':
		set_supervisor(optarg);
		break;
	case 'r':
		l.run_dir = optarg;
		break;
	case 'c':
		l.config_file = optarg;
		break;
	case 'S':
		l.systemctl = optarg;
		break;
	case 'f':
		l.systemctl = NULL;
		break;
	case 'i':
		l.instance = optarg;
		break;
	case 'p':
		l.spare_delay = number("spare-delay", optarg, MAX_MS);
		break;
	case 'I':
		l.idle = number("idle", optarg, MAX_IDLE_S);
		break;
	case 'a':
		l.any_uid = 1;
		break;
	case 'n':
		l.namespaces = 0;
		break;
	default:
		common_option(c, "kvm-split-launcher", usage);
	}
}

/**
 * parse_options() - take the command line into the launcher
 * @argc:	of main()
 * @argv:	of main()
 *
 * Ends the program if there is a mistake.
 */
void parse_options(int argc, char **argv)
{
	int c;

	/* sd_booted(3) */
	if (!access("/run/systemd/system", F_OK))
		l.systemctl = "/usr/bin/systemctl";
	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1)
		set_option(c);
	if (optind != argc)
		common_option('?', "kvm-split-launcher", usage);
	if (!*l.supervisor)
		program_beside("kvm-vmmd", l.supervisor, sizeof(l.supervisor));
}
