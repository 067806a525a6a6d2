// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-splitctl log: the journal's lines of the daemons, by journalctl(1).
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/daemon.h"
#include "ctl.h"

/* journalctl with @argv's options, the units of the tenant that is left or @unit. */
static int run(int argc, char **argv, const char *unit)
{
	char *args[16], of_tenant[512];
	int c, n = 0;

	args[n++] = "journalctl";
	while ((c = getopt(argc, argv, "fn:")) != -1) {
		if (c == 'f') {
			args[n++] = "--follow";
		} else if (c == 'n' && n < 8) {
			args[n++] = "--lines";
			args[n++] = optarg;
		} else {
			return EXIT_USAGE;
		}
		if (n > 8)
			return EXIT_USAGE;
	}
	if (argc - optind > !unit)
		return EXIT_USAGE;
	if (as_json)
		args[n++] = "--output=json";
	if (optind < argc) {
		unit_name(argv[optind], of_tenant, sizeof(of_tenant));
		unit = of_tenant;
	}
	if (unit) {
		args[n++] = "--unit";
		args[n++] = (char *)unit;
	} else {
		args[n++] = "--unit=kvm-split-launcher.service";
		args[n++] = "--unit=kvm-vmmd@*.service";
	}
	args[n] = NULL;
	execvp(args[0], args);
	fprintf(stderr, "kvm-splitctl: journalctl: %s; without systemd the launcher's "
		"standard error has the log\n", strerror(errno));
	return EXIT_OS;
}

int cmd_log(int argc, char **argv)
{
	return run(argc, argv, NULL);
}

int log_of_unit(const char *unit, int argc, char **argv)
{
	return run(argc, argv, unit);
}
