// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the programs' command lines have in common.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/daemon.h"

/**
 * common_option() - what is the same for every program's options
 * @option:	of getopt_long(): 'h', 'V', or a mistake
 * @program:	its name
 * @usage:	text of --help
 *
 * Prints what was asked for and exits with 0, or the usage and with EXIT_USAGE.
 */
void common_option(int option, const char *program, const char *usage)
{
	if (option == 'V') {
		printf("%s (kvm-split) %s\n", program, KVM_SPLIT_VERSION);
		exit(0);
	}
	fputs(usage, option == 'h' ? stdout : stderr);
	exit(option == 'h' ? 0 : EXIT_USAGE);
}
