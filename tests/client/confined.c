// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a confined process must not be able to do, tried.
 *
 *	confined tries			what a worker tries; for comparison, anywhere
 *	confined disturb PID		what a tenant tries on its worker
 *	confined offer			be somebody to be found: sockets, shared memory
 *
 * Linked into a worker that has no seccomp filter, but every other restriction,
 * it tries instead of serving (tests/system/confinement).  One line each:
 * "NAME: done" or "NAME: refused ERRNO".
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../vmm-daemon/common/array_size.h"

#define KEY		0x6b73706c
#define ABSTRACT	"\0confined"

static const struct sockaddr_in ipv4 = {
	.sin_family = AF_INET, .sin_port = 0xb315 /* 5555 */, .sin_addr.s_addr = 0x0100007f,
};

static const struct sockaddr_un abstract = { .sun_family = AF_UNIX, .sun_path = ABSTRACT };

#define ABSTRACT_LEN	(offsetof(struct sockaddr_un, sun_path) + sizeof(ABSTRACT) - 1)

static int opens(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd >= 0)
		close(fd);
	return fd;
}

static int list_root(void) { return opens("/", O_RDONLY | O_DIRECTORY); }
static int read_file(void) { return opens("/etc/passwd", O_RDONLY); }
static int read_proc(void) { return opens("/proc/1/status", O_RDONLY); }
static int open_stub(void) { return opens("/dev/kvm-split", O_RDWR); }
static int open_kvm(void) { return opens("/dev/kvm", O_RDWR); }
static int make_file(void) { return opens("/confined", O_WRONLY | O_CREAT); }
static int make_folder(void) { return mkdir("/confined.d", 0700); }

static int connect_ipv4(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);

	return s < 0 ? s : connect(s, (const struct sockaddr *)&ipv4, sizeof(ipv4));
}

static int connect_abstract(void)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	return s < 0 ? s : connect(s, (const struct sockaddr *)&abstract, ABSTRACT_LEN);
}

static int find_shm(void) { return shmget(KEY, 4096, 0); }

/* Its own threads have the first numbers. */
static int signal_others(void)
{
	int pid;

	for (pid = 40; pid < 2000; pid++)
		if (pid != getpid() && !kill(pid, 0))
			return 0;
	return -1;
}

static int find_others(void)
{
	int pid;

	for (pid = 40; pid < 2000; pid++)
		if (pid != getpid() && syscall(SYS_pidfd_open, pid, 0) >= 0)
			return 0;
	return -1;
}

static int signal_parent(void)
{
	if (getppid())
		return kill(getppid(), 0);
	errno = ESRCH;
	return -1;
}

static int trace_parent(void)
{
	errno = ESRCH;
	return getppid() ? ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) : -1;
}

static int become_root(void) { return setresuid(0, 0, 0); }
static int become_user1(void) { return setresuid(1001, 1001, 1001); }
static int change_root(void) { return chroot("/"); }
static int mount_tmpfs(void) { return mount("none", "/", "tmpfs", 0, NULL); }
static int name_host(void) { return sethostname("confined", 8); }

static int run_program(void)
{
	static char *args[] = { "true", NULL };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execv("/bin/true", args);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	errno = WEXITSTATUS(status);
	return errno ? -1 : 0;
}

static int map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0) == MAP_FAILED ? -1 : 0;
}

static int make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static int raise_limit(int resource, rlim_t to)
{
	struct rlimit r = { to, to };

	return setrlimit(resource, &r);
}

static int raise_files(void) { return raise_limit(RLIMIT_NOFILE, 20000); }
static int dump_core(void) { return raise_limit(RLIMIT_CORE, 1 << 20); }
static int real_time(void)
{
	struct sched_param p = { .sched_priority = 1 };

	return sched_setscheduler(0, SCHED_FIFO, &p);
}

static int has_capability(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return 0;
	errno = EPERM;
	return data[0].permitted || data[1].permitted ||
	       data[0].inheritable || data[1].inheritable ? 0 : -1;
}

static int is_dumpable(void)
{
	errno = EPERM;
	return prctl(PR_GET_DUMPABLE) == 1 ? 0 : -1;
}

static int may_gain(void)
{
	errno = EPERM;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? -1 : 0;
}

static const struct attempt {
	const char *name;
	int (*fn)(void);
} attempts[] = {
#define TRY(fn)	{ #fn, fn }
	TRY(list_root), TRY(read_file), TRY(read_proc), TRY(open_stub), TRY(open_kvm),
	TRY(make_file), TRY(make_folder), TRY(connect_ipv4), TRY(connect_abstract), TRY(find_shm),
	TRY(signal_parent), TRY(signal_others), TRY(find_others), TRY(trace_parent),
	TRY(run_program), TRY(map_code), TRY(make_code), TRY(raise_files), TRY(dump_core),
	TRY(real_time), TRY(has_capability), TRY(is_dumpable), TRY(may_gain), TRY(change_root),
	TRY(name_host), TRY(mount_tmpfs), TRY(become_root), TRY(become_user1),
};

/* Descriptors beyond stdio, and how many of them there are. */
static int count_files(void)
{
	int fd, n = 0;

	for (fd = 3; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void try_all(void)
{
	const unsigned int n = ARRAY_SIZE(attempts);
	unsigned int i;

	dprintf(STDERR_FILENO, "try pid %d, files %d\n", getpid(), count_files());
	for (i = 0; i < n; i++) {
		errno = 0;
		if (attempts[i].fn() < 0)
			dprintf(STDERR_FILENO, "try %s: refused %d\n", attempts[i].name, errno);
		else
			dprintf(STDERR_FILENO, "try %s: done\n", attempts[i].name);
	}
	dprintf(STDERR_FILENO, "try end\n");
}

#ifdef IN_WORKER
int __wrap_confine_calls(const void *filter, unsigned short len);
void __wrap_serve_session(int session);

int __wrap_confine_calls(const void *filter, unsigned short len)
{
	(void)filter;
	(void)len;
	return 0;
}

void __wrap_serve_session(int session)
{
	(void)session;
	try_all();
	for (;;)
		pause();
}
#else
/* As the tenant, or as somebody who may: the difference is the confinement. */
static void disturb(pid_t pid)
{
	char byte, path[64];
	struct iovec iov = { &byte, 1 };
	struct rlimit limit;
	cpu_set_t set;
	int fd;

#define REPORT(name, result)	do {						\
		errno = 0;							\
		if ((result) < 0)						\
			printf("disturb " name ": refused %d\n", errno);	\
		else								\
			printf("disturb " name ": done\n");			\
	} while (0)

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	REPORT("signal", kill(pid, 0));
	REPORT("stop", kill(pid, SIGSTOP));
	REPORT("cont", kill(pid, SIGCONT));
	REPORT("trace", ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	REPORT("read", process_vm_readv(pid, &iov, 1, &iov, 1, 0) < 0 && errno != EFAULT ? -1 : 0);
	REPORT("limit", prlimit(pid, RLIMIT_NOFILE, NULL, &limit));
	REPORT("affinity", sched_setaffinity(pid, sizeof(set), &set));
	REPORT("nice", setpriority(PRIO_PROCESS, pid, 5));
	fd = syscall(SYS_pidfd_open, pid, 0);
	REPORT("descriptor", syscall(SYS_pidfd_getfd, fd, 2, 0));
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	REPORT("memory", opens(path, O_RDWR));
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	REPORT("maps", opens(path, O_RDONLY));
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	REPORT("files", opens(path, O_RDONLY));
	snprintf(path, sizeof(path), "/proc/%d/root/", pid);
	REPORT("root", opens(path, O_RDONLY));
	REPORT("kill", kill(pid, SIGKILL));
}

static void offer(void)
{
	int a = socket(AF_INET, SOCK_STREAM, 0), b = socket(AF_UNIX, SOCK_STREAM, 0);

	if (bind(a, (const struct sockaddr *)&ipv4, sizeof(ipv4)) || listen(a, 9) ||
	    bind(b, (const struct sockaddr *)&abstract, ABSTRACT_LEN) || listen(b, 9) ||
	    shmget(KEY, 4096, IPC_CREAT | 0666) < 0) {
		perror("confined");
		exit(1);
	}
	printf("offered\n");
	fflush(stdout);
	pause();
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "tries"))
		try_all();
	else if (argc == 2 && !strcmp(argv[1], "offer"))
		offer();
	else if (argc == 2 && !strcmp(argv[1], "wait"))
		sleep(60);
	else if (argc == 3 && !strcmp(argv[1], "disturb"))
		disturb(atoi(argv[2]));
	else
		return 2;
	return 0;
}
#endif
