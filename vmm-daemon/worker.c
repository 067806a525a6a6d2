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
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "daemon.h"
#include "ksplit_eventfd.h"
#include "ksplit_fpu.h"
#include "ksplit_ops.h"
#include "ksplit_uaccess.h"
#include "ksplit_window.h"
#include "libkvm.h"
#include "ops_stub.h"
#include "worker.h"

static const char usage[] =
"Usage: kvm-vmm --tenant-fd N [--ready-fd N] [--insecure]\n"
"\n"
"Serve one open of /dev/kvm.  Started by kvm-vmmd(8), not by hand.\n"
"\n"
"  --tenant-fd N  inherited descriptor of the tenant\n"
"  --ready-fd N   inherited descriptor that gets one byte once the worker can\n"
"                 be given to a client\n"
"  --insecure     run as root and without a sandbox, for debugging\n"
"  --help         show this text\n";

struct options {
	int tenant_fd;
	int ready_fd;
	int insecure;
};

static int fd_option(const char *name, const char *text)
{
	long long fd = parse_number(text, 1 << 20);

	if (fd < 0)
		die(EXIT_USAGE, "--%s: '%s' is no descriptor", name, text);
	return fd;
}

static struct options parse_options(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "tenant-fd",	required_argument, NULL, 't' },
		{ "ready-fd",	required_argument, NULL, 'r' },
		{ "insecure",	no_argument,	   NULL, 'i' },
		{ "help",	no_argument,	   NULL, 'h' },
		{ }
	};
	struct options o = { .tenant_fd = -1, .ready_fd = -1 };
	int c;

	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		switch (c) {
		case 't':
			o.tenant_fd = fd_option("tenant-fd", optarg);
			break;
		case 'r':
			o.ready_fd = fd_option("ready-fd", optarg);
			break;
		case 'i':
			o.insecure = 1;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(EXIT_USAGE);
		}
	}
	if (o.tenant_fd < 0 || optind != argc) {
		fputs(usage, stderr);
		exit(EXIT_USAGE);
	}
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

static void start_kvm(void)
{
	int r;

	r = ksplit_trap_init();
	if (r < 0)
		die(EXIT_OS, "no handlers for exceptions: %s", strerror(-r));
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

static int open_session(int tenant)
{
	int session = ioctl(tenant, KSPLIT_SERVE);

	if (session < 0 && errno == ESHUTDOWN)
		exit(0);
	if (session < 0)
		die(EXIT_NO_STUB, "no session: %s", strerror(errno));
	ksplit_ops_stub_use(session);
	close(tenant);
	return session;
}

static void say_ready(int fd)
{
	ssize_t ignored;

	if (fd < 0)
		return;
	ignored = write(fd, "R", 1);
	(void)ignored;
	close(fd);
}

int main(int argc, char **argv)
{
	struct options o = parse_options(argc, argv);
	int session;

	log_init("kvm-vmm");
	/* KVM allocates rarely; an arena for each thread costs more than it gives. */
	mallopt(M_ARENA_MAX, 1);
	if (!o.insecure && (geteuid() == 0 || getuid() == 0))
		die(EXIT_PERM, "a worker does not run as root");
	sandbox_close_others(o.tenant_fd, o.ready_fd);
	ksplit_ops_stub_use(o.tenant_fd);

	/* Threads inherit it. */
	confine_branches();
	start_kvm();
	if (o.insecure)
		logm(L_WARNING, "no sandbox");
	else if (sandbox_enter() < 0)
		die(EXIT_OS, "no sandbox: %s", strerror(errno));

	session = open_session(o.tenant_fd);
	say_ready(o.ready_fd);
	serve_session(session);
}
