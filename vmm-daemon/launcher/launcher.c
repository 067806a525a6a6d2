// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-split-launcher: root's part.  Binds users who open /dev/kvm to a
 * supervisor of their own.
 *
 * Under systemd a supervisor is a service, kvm-vmmd@USER.service, which calls
 * this program again: that instance asks the launcher for the tenant's
 * descriptor over a socket and becomes the supervisor.  Elsewhere the launcher
 * forks it.
 *
 * Invariants: nothing that a user controls is parsed but one number from the
 * kernel; the socket is root's.  A supervisor runs as a user of the reserved
 * range, never as root nor as the tenant.  One supervisor per tenant, a bounded
 * number in all, and the starts of one that keeps dying are spaced out.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../kvm-split/uapi/kvm_split.h"
#include "common/confine.h"
#include "common/daemon.h"
#include "filters.h"		/* made by mkfilters */
#include "launcher/launcher.h"

struct launcher l = {
	.device = "/dev/kvm-split",
	.run_dir = "/run/kvm-split",
	.config_file = CONFIG_FILE,
	.namespaces = 1,
	.notify = -1,
};

static void open_control(void)
{
	struct ksplit_info info;

	l.control = open(l.device, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (l.control < 0)
		die(EXIT_NO_STUB, "%s: %s", l.device, strerror(errno));
	if (ioctl(l.control, KSPLIT_GET_INFO, &info) < 0)
		die(EXIT_NO_STUB, "%s: no kvm-split: %s", l.device,
		    strerror(errno));
	if (info.abi_version != KSPLIT_ABI_VERSION)
		die(EXIT_PROTOCOL, "the kernel has ABI version %u, this program %d",
		    info.abi_version, KSPLIT_ABI_VERSION);
}

/**
 * config_report() - log a mistake of the configuration
 * @line:	file, line and reason
 */
void config_report(const char *line)
{
	logm(L_ERR, "%s", line);
}

static void load_config(void)
{
	if (config_load(l.config_file, &l.config, config_report) < 0)
		die(EXIT_CONFIG, "no configuration, so no virtual machines");
}

/**
 * socket_address() - where instances ask
 *
 * Return: the address.  Ends the program if --run-dir is too long.
 */
struct sockaddr_un socket_address(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if ((size_t)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/launcher",
			     l.run_dir) >= sizeof(addr.sun_path))
		die(EXIT_USAGE, "--run-dir: path too long");
	return addr;
}

/* Of root alone. */
static void listen_to_instances(void)
{
	struct sockaddr_un addr = socket_address();
	mode_t mask = umask(0177);

	unlink(addr.sun_path);
	l.socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l.socket < 0 || bind(l.socket, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(l.socket, 64) < 0)
		die(EXIT_OS, "%s: %s", addr.sun_path, strerror(errno));
	umask(mask);
}

static void make_run_dir(void)
{
	umask(022);
	if (mkdir(l.run_dir, 0755) < 0 && errno != EEXIST)
		die(EXIT_OS, "%s: %s", l.run_dir, strerror(errno));
}

static void remove_ready(void)
{
	unlink(l.ready_file);
}

/* Tell others, without systemd, that opens of /dev/kvm are served from now. */
static void write_ready(void)
{
	int fd;

	if ((size_t)snprintf(l.ready_file, sizeof(l.ready_file), "%s/ready",
			     l.run_dir) >= sizeof(l.ready_file))
		die(EXIT_USAGE, "--run-dir: path too long");
	fd = open(l.ready_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
		  O_NOFOLLOW, 0644);
	if (fd < 0)
		die(EXIT_OS, "%s: %s", l.ready_file, strerror(errno));
	dprintf(fd, "%d\n", getpid());
	close(fd);
	atexit(remove_ready);
}

/* CAP_KILL: to tell a supervisor, of another user, to end. */
static void confine(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    confine_capabilities(1ull << CAP_KILL) < 0 || confine_report(NULL) < 0 ||
	    CONFINE(launcher) < 0)
		die(EXIT_OS, "no sandbox: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	static const int signals[] = { SIGHUP, 0 };

	parse_options(argc, argv);
	log_init("kvm-split-launcher");
	if (geteuid() != 0)
		die(EXIT_PERM, "must be root");
	if (l.instance)
		be_instance();
	load_config();
	params_read();
	ids_warn(l.config.n[CONFIG_UID_BASE]);
	start_starter();
	open_control();
	l.signals = watch_signals(signals);
	make_run_dir();
	listen_to_instances();
	write_ready();
	l.notify = notify_open();
	confine();
	logm(L_INFO, "serving");
	notify(l.notify, "READY=1");
	for (;;)
		step();
}
