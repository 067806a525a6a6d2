// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-vmm: the worker.  Serves one open of /dev/kvm with upstream KVM.
 *
 * Started by the tenant's supervisor, as a user that owns nothing.  It makes
 * itself ready first and becomes a session of the stub last, so that a client
 * never waits for KVM to start; from then on it is inside its sandbox.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/ask.h"
#include "common/daemon.h"
#include "calls/eventfd.h"
#include "calls/fpu.h"
#include "ksplit_log.h"
#include "seam/ksplit_ops.h"
#include "ksplit_uaccess.h"
#include "calls/window.h"
#include "libkvm.h"
#include "worker/ops_stub.h"
#include "common/stats_page.h"
#include "worker/worker.h"

static const char usage[] =
"Usage: kvm-vmm --tenant-fd N [OPTION]...\n"
"\n"
"Serve one open of /dev/kvm.  Started by kvm-vmmd(8), not by hand.\n"
"\n"
"  --tenant-fd N  inherited descriptor of the tenant\n"
"  --supervisor-fd N\n"
"                 inherited socket that gets one byte once the worker can be given\n"
"                 to a client, and then its questions\n"
"  --uid UID      the tenant, for the log\n"
"  --number N     the worker's number there, default its process id\n"
"  --no-nested    offer guests no VMX\n"
"  --hide N,...   offer guests none of these CPU features, by their numbers in\n"
"                 the kernel's cpufeatures.h\n"
"  --no-smt       the host's CPUs never share a core\n"
"  --max-memory N most guest memory, in bytes\n"
"  --ask-vm       ask the supervisor before the client gets a VM\n"
"  --ask-memory   ask the supervisor before a guest gets memory\n"
"  --log-level N  log up to this level of syslog(3), default 6\n"
"  --counters     print the names of KVM's counters, and end\n"
"  --insecure     run as root and without a sandbox, for debugging\n"
"  --help         show this text\n"
"  --version      show the version\n";

struct options {
	int tenant_fd;
	int supervisor_fd;
	unsigned int asks;	/* of the supervisor: 1 << ASK_VM, 1 << ASK_MEMORY */
	int insecure;
	int nested;
};

static int fd_option(const char *name, const char *text)
{
	long long fd = parse_number(text, 1 << 20);

	if (fd < 0)
		die(EXIT_USAGE, "--%s: '%s' is no descriptor", name, text);
	return fd;
}

static void hide_features(const char *text)
{
	char number[8];
	size_t n;

	for (;; text++) {
		n = strcspn(text, ",");
		if (n < sizeof(number)) {
			memcpy(number, text, n);
			number[n] = '\0';
		}
		if (n >= sizeof(number) || parse_number(number, INT_MAX) < 0 ||
		    ksplit_hide_feature(parse_number(number, INT_MAX)) < 0)
			die(EXIT_USAGE, "--hide: no feature in '%s'", text);
		text += n;
		if (!*text)
			return;
	}
}

static long long number_option(const char *name, const char *text, long long max)
{
	long long n = parse_number(text, max);

	if (n < 0)
		die(EXIT_USAGE, "--%s: '%s' is no number", name, text);
	return n;
}

/* "tenant 1001 worker 4711": of one VM, as a worker serves one client. */
static void name_tenant(long long uid, int number)
{
	static char who[48], line[52];

	snprintf(who, sizeof(who), "tenant %lld worker %d", uid, number);
	snprintf(line, sizeof(line), "%s: ", who);
	log_init(who);
	ksplit_log_who = line;
}

static void __attribute__((noreturn)) print_counters(void)
{
	const char *name;
	unsigned int i;

	for (i = 0; (name = ksplit_stats_name(i)); i++)
		puts(name);
	exit(0);
}

static struct options parse_options(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "tenant-fd",	required_argument, NULL, 't' },
		{ "supervisor-fd", required_argument, NULL, 'r' },
		{ "number",	required_argument, NULL, 'N' },
		{ "uid",	required_argument, NULL, 'u' },
		{ "no-nested",	no_argument,	   NULL, 'n' },
		{ "hide",	required_argument, NULL, 'H' },
		{ "no-smt",	no_argument,	   NULL, 's' },
		{ "max-memory",	required_argument, NULL, 'm' },
		{ "ask-vm",	no_argument,	   NULL, 'v' },
		{ "ask-memory",	no_argument,	   NULL, 'M' },
		{ "log-level",	required_argument, NULL, 'l' },
		{ "counters",	no_argument,	   NULL, 'c' },
		{ "insecure",	no_argument,	   NULL, 'i' },
		OPTIONS_COMMON
	};
	struct options o = { .tenant_fd = -1, .supervisor_fd = -1, .nested = 1 };
	int c, number = getpid();
	long long uid = -1;

	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		switch (c) {
		case 't':
			o.tenant_fd = fd_option("tenant-fd", optarg);
			break;
		case 'r':
			o.supervisor_fd = fd_option("supervisor-fd", optarg);
			break;
		case 'u':
			uid = number_option("uid", optarg, UINT_MAX);
			break;
		case 'N':
			number = number_option("number", optarg, INT_MAX);
			break;
		case 'n':
			o.nested = 0;
			break;
		case 'H':
			hide_features(optarg);
			break;
		case 's':
			ksplit_no_smt();
			break;
		case 'm':
			ksplit_window_most = number_option("max-memory", optarg, LLONG_MAX);
			break;
		case 'v':
			o.asks |= 1 << ASK_VM;
			break;
		case 'M':
			o.asks |= 1 << ASK_MEMORY;
			break;
		case 'l':
			ksplit_log_highest = number_option("log-level", optarg, L_INFO);
			log_limit(ksplit_log_highest);
			break;
		case 'c':
			print_counters();
		case 'i':
			o.insecure = 1;
			break;
		default:
			common_option(c, "kvm-vmm", usage);
		}
	}
	if (uid >= 0)
		name_tenant(uid, number);
	if (o.tenant_fd < 0 || optind != argc)
		common_option('?', "kvm-vmm", usage);
	return o;
}

/* First address that is no physical one of the worker's. */
static __u64 physical_limit(void)
{
	unsigned int bits = ksplit_info()->phys_bits;

	return 1ULL << (bits < 46 ? bits : 46);
}

/*
 * What a guest taught the branch predictor must not steer the process that runs
 * here next: a barrier whenever the CPU goes from a worker to anybody else.
 * Nothing to do where the CPU is not affected or the host has decided for all.
 */
static void confine_branches(void)
{
	int now = prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, 0, 0, 0);

	if (now < 0 || !(now & PR_SPEC_PRCTL))
		return;
	if (prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, PR_SPEC_FORCE_DISABLE, 0, 0) < 0)
		die(EXIT_OS, "no barriers of indirect branches: %s", strerror(errno));
}

static void start_kvm(int nested)
{
	int r;

	r = ksplit_trap_init();
	if (r < 0)
		die(EXIT_OS, "no handlers for exceptions: %s", strerror(-r));
	r = nested ? 0 : ksplit_param_set("nested", "0");
	if (r < 0)
		die(EXIT_INTERNAL, "nested: %s", strerror(-r));
	r = ksplit_libkvm_init(&ksplit_ops_stub, 0);
	if (r < 0)
		die(EXIT_NO_STUB, "KVM does not start: %s", strerror(-r));
	r = ksplit_window_init(physical_limit());
	if (r < 0)
		die(EXIT_OS, "no address space for windows: %s", strerror(-r));
	r = ksplit_fpu_init();
	if (r < 0)
		die(EXIT_NO_STUB, "xstate: %s", strerror(-r));
	r = ksplit_eventfd_init();
	if (r < 0)
		die(EXIT_OS, "no irqfd thread: %s", strerror(-r));
	ksplit_libkvm_seal();
}

/* Who may read this process's memory finds KVM's counters there. */
static void show_counters(void)
{
	int fd = memfd_create(STATS_NAME, MFD_CLOEXEC);
	void *page = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, sizeof(struct stats_page)))
		page = mmap(NULL, sizeof(struct stats_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		logm(L_WARNING, "no page for the counters: %s", strerror(errno));
	else
		ksplit_stats_use(page);
	if (fd >= 0)
		close(fd);
}

static int open_session(int tenant)
{
	int session = ioctl(tenant, KSPLIT_SERVE);

	if (session < 0)
		die(EXIT_NO_STUB, "no session: %s", strerror(errno));
	ksplit_ops_stub_use(session);
	close(tenant);
	return session;
}

int main(int argc, char **argv)
{
	struct options o;
	int session;

	log_init("kvm-vmm");
	o = parse_options(argc, argv);
	/* It touches little of much address space: huge pages multiply what it takes. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	/* KVM allocates rarely; an arena for each thread costs more than it gives. */
	mallopt(M_ARENA_MAX, 1);
	if (!o.insecure && (geteuid() == 0 || getuid() == 0))
		die(EXIT_PERM, "a worker does not run as root");
	sandbox_close_others(o.tenant_fd, o.supervisor_fd);
	ask_use(o.supervisor_fd, o.asks);
	ksplit_ops_stub_use(o.tenant_fd);

	/* Threads inherit all of it. */
	confine_branches();
	if (!o.insecure && sandbox_prepare() < 0)
		die(EXIT_OS, "no sandbox: %s", strerror(errno));
	start_kvm(o.nested);
	show_counters();
	if (o.insecure)
		logm(L_WARNING, "no sandbox");
	else if (sandbox_enter() < 0)
		die(EXIT_OS, "no sandbox: %s", strerror(errno));

	session = open_session(o.tenant_fd);
	ask_ready();
	serve_session(session);
}
