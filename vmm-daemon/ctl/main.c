// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-splitctl: what an operator asks of the daemons.  It reads, and changes
 * nothing; what virsh(1) does, it does not do again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array_size.h"
#include "common/daemon.h"
#include "ctl.h"

int as_json;
const char *proc_dir = "/proc";
const char *stats_file = "/sys/kernel/debug/kvm_split/stats";

static const char usage[] =
"Usage: kvm-splitctl [--json] COMMAND [ARGUMENT]...\n"
"\n"
"Look at the tenants and virtual machines of user-space KVM.\n"
"\n"
"  list [--all]         virtual machines; --all: workers without one, too\n"
"  status               the stub, the launcher and all tenants\n"
"  status TENANT        one tenant: its processes, limits and settings\n"
"  status VM            one virtual machine, by the process id of its worker\n"
"  stats                counters of the stub, and exits by their reasons\n"
"  top [-d S] [-n N]    busiest virtual machines every S seconds, N times\n"
"  metrics              all of this in the text format of Prometheus\n"
"  config check [FILE]  mistakes in the configuration\n"
"  log [-f] [-n N] [TENANT]\n"
"                       what the daemons logged\n"
"  policy test --op OP [--rules FILE] [--tenant-rules FILE] [FACT]...\n"
"                       what files of rules say to a request, and why\n"
"  policy explain --op OP [--socket PATH] [--vm VM] [FACT]...\n"
"                       what the policy service says to it, and why; a FACT is\n"
"                       --tenant, --domain, --exe, --unit, --vms, --vcpus or --memory\n"
"  policy log [-f] [-n N]\n"
"                       what it decided\n"
"\n"
"  --json               print JSON\n"
"  --help               show this text\n"
"  --version            show the version\n";

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	int root;		/* reads what only root may */
} commands[] = {
	{ "list", cmd_list, 1 },
	{ "status", cmd_status, 1 },
	{ "stats", cmd_stats, 1 },
	{ "top", cmd_top, 1 },
	{ "metrics", cmd_metrics, 1 },
	{ "config", cmd_config, 0 },
	{ "log", cmd_log, 0 },
	{ "policy", cmd_policy, 0 },
};

static int run(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, argv[0]))
			continue;
		if (commands[i].root && geteuid()) {
			fprintf(stderr, "kvm-splitctl: %s: must be root\n", argv[0]);
			return EXIT_PERM;
		}
		return commands[i].run(argc, argv);
	}
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	int i, n = 0, r;

	/* --json may stand anywhere. */
	for (i = 0; i < argc; i++) {
		if (i && !strcmp(argv[i], "--json"))
			as_json = 1;
		else
			argv[n++] = argv[i];
	}
	argv[n] = NULL;
	if (n > 1 && !strcmp(argv[1], "--help"))
		common_option('h', "kvm-splitctl", usage);
	if (n > 1 && !strcmp(argv[1], "--version"))
		common_option('V', "kvm-splitctl", usage);
	r = n > 1 ? run(n - 1, argv + 1) : EXIT_USAGE;
	if (r == EXIT_USAGE)
		fputs(usage, stderr);
	return r;
}
