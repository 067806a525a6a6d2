// SPDX-License-Identifier: GPL-2.0-only
/*
 * Giving up rights: system calls, users, namespaces, capabilities, files.
 *
 * Every function returns 0, or -1 with errno, and is called by a process that
 * has one thread, but for confine_calls().
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/confine.h"
#include "common/daemon.h"

/* Since 6.12; the headers may be older. */
struct landlock_attr {
	__u64 handled_access_fs;
	__u64 handled_access_net;
	__u64 scoped;
};

struct landlock_below {
	__u64 allowed_access;
	__s32 parent_fd;
} __attribute__((packed));

#define LANDLOCK_VERSION	1	/* LANDLOCK_CREATE_RULESET_VERSION */
#define LANDLOCK_BELOW		1	/* LANDLOCK_RULE_PATH_BENEATH */
#define LANDLOCK_READ		(3 << 2)	/* LANDLOCK_ACCESS_FS_READ_FILE, _READ_DIR */

static const char *(*name_of_thread)(void);

static const char * const call_name[] = {
#include "call_names.h"		/* made from sys/syscall.h */
};

/* Signal context, and the last thing this process does. */
static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	int nr = info->si_syscall;
	const char *name = NULL;

	if (nr >= 0 && (size_t)nr < ARRAY_SIZE(call_name))
		name = call_name[nr];

	logm(L_ERR, "sandbox: %s%s%ssystem call %d (%s) is not allowed",
	     name_of_thread ? "thread " : "", name_of_thread ? name_of_thread() : "",
	     name_of_thread ? ": " : "", nr, name ? name : "?");
	_exit(EXIT_INTERNAL);
}

/**
 * confine_report() - log system calls that a filter refuses, and end
 * @thread:	the calling thread's name, for the log; NULL: there is one
 */
int confine_report(const char *(*thread)(void))
{
	struct sigaction act = {
		.sa_sigaction = on_sigsys,
		.sa_flags = SA_SIGINFO,
	};

	name_of_thread = thread;
	return sigaction(SIGSYS, &act, NULL);
}

/**
 * confine_calls() - load a seccomp filter; see CONFINE()
 * @filter:	program
 * @len:	instructions
 */
int confine_calls(const struct sock_filter *filter, unsigned short len)
{
	struct sock_fprog prog = { .len = len, .filter = (struct sock_filter *)filter };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

/* In the old namespace, for a process in a new one: its ids are those of the host. */
static int map_ids(pid_t pid, uid_t first)
{
	static const char * const files[] = { "uid_map", "gid_map" };
	char path[64], line[64];
	unsigned int i;

	snprintf(line, sizeof(line), "%u %u %u", first, first, TENANT_UIDS);
	for (i = 0; i < 2; i++) {
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, line, strlen(line)) < 0)
			return errno;
		close(fd);
	}
	return 0;
}

/**
 * confine_ids() - become a user that has no rights but over a tenant's user ids
 * @first:	the first of TENANT_UIDS; the caller's own from now on
 *
 * The caller, root with CAP_SETUID and CAP_SETGID, enters user, mount, network,
 * IPC and UTS namespaces of its own.  It has every capability there, which is
 * power over nothing but those ids and namespaces.
 */
int confine_ids(uid_t first)
{
	int go[2], status;
	pid_t helper;
	char c;

	if (pipe2(go, O_CLOEXEC) < 0)
		return -1;
	/* Nobody in the new namespace may write its map. */
	helper = fork();
	if (helper == 0) {
		close(go[1]);
		_exit(read(go[0], &c, 1) == 1 ? map_ids(getppid(), first) : EINTR);
	}
	close(go[0]);
	if (helper < 0)
		return -1;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0 ||
	    write(go[1], "", 1) != 1)
		return -1;
	close(go[1]);
	if (waitpid(helper, &status, 0) < 0)
		return -1;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	if (errno)
		return -1;
	return setgroups(0, NULL) < 0 || setresgid(first, first, first) < 0 ||
	       setresuid(first, first, first) < 0 ? -1 : 0;
}

/**
 * confine_capabilities() - give up all capabilities but some
 * @keep:	bits; kept across exec(), too
 */
int confine_capabilities(unsigned long long keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	int i;

	for (i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = data[i].inheritable = keep >> 32 * i;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &header, data) < 0)
		return -1;
	for (i = 0; i < 64; i++)
		if (keep & 1ull << i && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
			return -1;
	return 0;
}

/**
 * confine_root() - exchange the file system for an empty one
 *
 * Needs a mount namespace of the caller's own, and CAP_SYS_ADMIN in it.
 */
int confine_root(void)
{
	/* Any directory will do. */
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	       mount("none", "/proc", "tmpfs", MS_NODEV | MS_NOEXEC | MS_NOSUID, "nr_inodes=1") < 0 ||
	       chdir("/proc") < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	       umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ||
	       mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV | MS_NOEXEC | MS_NOSUID,
		     NULL) < 0 ? -1 : 0;
}

/* A folder that is not there cannot be read. */
static int may_read(int ruleset, const char *folder)
{
	struct landlock_below rule = { .allowed_access = LANDLOCK_READ };
	int r;

	rule.parent_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return 0;
	r = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_BELOW, &rule, 0);
	close(rule.parent_fd);
	return r;
}

/**
 * confine_files() - no file, no port, no signal to others
 * @readable:	folders that may be read all the same, with what is below; NULL at the end
 *
 * Whatever the filters let through: every right that this kernel knows is handled, and
 * no rule gives another one.  Needs no new privileges.  On a kernel without Landlock,
 * which the log is told, it does nothing.
 */
int confine_files(const char * const *readable)
{
	struct landlock_attr attr = { 0 };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
	size_t size = abi >= 6 ? sizeof(attr) : abi >= 4 ? offsetof(struct landlock_attr, scoped) :
		      offsetof(struct landlock_attr, handled_access_net);
	int fd, r = 0;

	if (abi < 0) {
		/* Not built in, or not chosen at boot. */
		logm(L_WARNING, "sandbox: no Landlock: %s", strerror(errno));
		return 0;
	}
	attr.handled_access_fs = (1 << (13 + (abi >= 2) + (abi >= 3) + (abi >= 5))) - 1;
	attr.handled_access_net = 3;
	attr.scoped = 3;
	fd = syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd < 0)
		return -1;
	for (; !r && *readable; readable++)
		r = may_read(fd, *readable);
	r = r ? r : syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
	return r;
}
