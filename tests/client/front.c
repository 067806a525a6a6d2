// SPDX-License-Identifier: GPL-2.0-only
/*
 * The front's rules, each by a client, a worker or a launcher that breaks them.
 *
 *	front [TEST]
 *
 * Plays all three parts itself: it needs root, a split kernel and no launcher.
 * Prints one line a test; exits 0 if all passed.  The worker below serves a few
 * ioctls of its own (TST_*), which the front forwards like any of KVM's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "uapi/kvm_split.h"

struct words {
	uint64_t w[4];
};

#define TST_ECHO	_IOWR(KVMIO, 0xf0, struct words)	/* out = in + 1 */
#define TST_COPY	_IOWR(KVMIO, 0xf1, struct words)	/* copies, results */
#define TST_HANG	_IO(KVMIO, 0xf2)	/* no reply, ever */
#define TST_RESULT	_IO(KVMIO, 0xf3)	/* result = arg */
#define TST_DIE		_IO(KVMIO, 0xf4)
#define TST_LATE	_IOWR(KVMIO, 0xf5, struct words)	/* copy after the reply */
#define TST_COUNT	_IO(KVMIO, 0xf6)	/* RELEASEs seen */
#define TST_OBJECT	_IO(KVMIO, 0xf7)	/* takes what the call does not make */
#define TST_ABSENT	_IOWR(KVMIO, 0xf8, struct words)	/* from absent memory */
#define TST_NOWHERE	_IOWR(KVMIO, 0xf9, struct words)	/* a reply from a bad address */
#define TST_WRITES	_IOWR(KVMIO, 0xfa, struct words)	/* and a reply meanwhile */
#define TST_MORE	_IOWR(KVMIO, 0xfb, struct words)	/* than there is room for */
#define TST_CHANGE	_IOW(KVMIO, 0xfc, struct words)	/* replies bytes, copies them if w[0] */
#define TST_PEEK	_IOR(KVMIO, 0xfd, struct words)	/* what it sees of the argument */
#define TST_AWAY	_IO(KVMIO, 0xfe)	/* the next call finds no memory */
#define TST_LINGER	_IO(KVMIO, 0xff)	/* the worker's end takes a while */
#define TST_FDINFO	_IOR(KVMIO, 0xef, struct words)	/* whom the session serves */

#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY	(1024 + 3)	/* linux/fcntl.h, since 6.10 */
#endif

#define NOT_TAKEN	77	/* a vCPU whose object the worker leaves where it is */

/* What KVM_RUN does, by run->request_interrupt_window. */
enum { RUN_OUT, RUN_IN, RUN_BAD, RUN_HANG, RUN_SIGNAL, RUN_SLOW };

#include "attack.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* -------------------------------------------------------- worker -- */

static int session = -1, vm_fd = -1, vcpu_fd = -1;
static int linger;
static uint64_t released;
static uint8_t worker_run[8192] __attribute__((aligned(4096)));

static int copy_on(int fd, uint64_t call, uint64_t client, void *local, uint32_t len, int write)
{
	struct ksplit_copy c = {
		.call = call, .client = client, .local = (uintptr_t)local,
		.len = len, .write = write,
	};

	return ioctl(fd, KSPLIT_COPY, &c) ? -errno : 0;
}

static int copy(uint64_t call, uint64_t client, void *local, uint32_t len, int write)
{
	return copy_on(session, call, client, local, len, write);
}

/* Bring a page in. */
static void touch(void *p)
{
	*(volatile uint8_t *)p = *(volatile uint8_t *)p;
}

/* A page of 0x11 that is not there until it is touched. */
static void *absent_page(void)
{
	static int fd = -1;
	uint8_t bytes[4096];
	void *p;

	if (fd < 0) {
		memset(bytes, 0x11, sizeof(bytes));
		fd = memfd_create("absent", 0);
		CHECK(write(fd, bytes, sizeof(bytes)) == sizeof(bytes));
	}
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	return p;
}

/* Writes to the client for as long as its call lasts. */
static void *writer(void *arg)
{
	struct ksplit_next *n = arg;
	uint64_t x = 7;

	while (!copy(n->id, n->arg, &x, 8, 1))
		;
	return NULL;
}

static void *vcpu_thread(void *arg)
{
	static uint8_t prefetch[KSPLIT_PREFETCH_MAX] __attribute__((aligned(4096)));
	struct kvm_run *run = (void *)worker_run;
	struct ksplit_block block;
	struct ksplit_next n = { .prefetch = (uintptr_t)prefetch,
				 .kvm_run = (uintptr_t)worker_run };

	(void)arg;
	for (;;) {
		if (ioctl(vcpu_fd, KSPLIT_NEXT, &n)) {
			if (errno == EFAULT) {
				touch(prefetch);
				touch(worker_run);
				touch(worker_run + 4096);
				continue;
			}
			n.reply_to = 0;
			if (errno == EINTR)
				continue;
			return NULL;
		}
		n.reply_to = 0;
		if (n.op == KSPLIT_OP_RELEASE) {
			__atomic_add_fetch(&released, 1, __ATOMIC_SEQ_CST);
			continue;
		}
		n.reply_to = n.id;
		n.result = 0;
		/* A call is known on the channel that it came from alone. */
		if (n.cmd == TST_COPY) {
			n.result = copy(n.id, n.arg, &block, 8, 0) == -ENOENT &&
				   !copy_on(vcpu_fd, n.id, n.arg, &block, 8, 0);
			continue;
		}
		if (n.cmd != KVM_RUN) {
			n.result = n.cmd == TST_RESULT ? (int64_t)n.arg : -ENOTTY;
			continue;
		}
		switch (run->request_interrupt_window) {
		case RUN_IN:
			if (run->exit_reason == KVM_EXIT_IO &&
			    run->io.direction == KVM_EXIT_IO_IN) {
				run->exit_reason = KVM_EXIT_MMIO;
				run->mmio.len = 1;
				run->mmio.phys_addr = worker_run[4096];
				run->mmio.is_write = 0;
				break;
			}
			/* fallthrough */
		case RUN_OUT:
			run->exit_reason = KVM_EXIT_IO;
			run->io.direction = run->request_interrupt_window == RUN_OUT;
			run->io.size = 1;
			run->io.count = 1;
			run->io.port = 0x80;
			run->io.data_offset = 4096;
			run->immediate_exit = 77;	/* not to reach the client */
			worker_run[4096] = 0x5a;
			break;
		case RUN_BAD:
			run->exit_reason = KVM_EXIT_IO;
			run->io.size = 1;
			run->io.count = 1;
			run->io.data_offset = 1 << 20;
			break;
		case RUN_HANG:
			pause();
			break;
		case RUN_SLOW:
			usleep(300000);
			run->exit_reason = KVM_EXIT_HLT;
			break;
		case RUN_SIGNAL:
			do {
				memset(&block, 0, sizeof(block));
				block.timeout_ns = ~0ull;
			} while (!ioctl(vcpu_fd, KSPLIT_BLOCK, &block) &&
				 !(block.exit_flags & KSPLIT_EXIT_SIGNAL));
			run->exit_reason = KVM_EXIT_INTR;
			n.result = -EINTR;
			break;
		}
	}
}

static void serve_copy(struct ksplit_next *n, struct words *out)
{
	struct words in;
	uint64_t x = 0;

	out->w[0] = copy(n->id, n->arg, &in, sizeof(in), 0);
	out->w[1] = copy(n->id, n->arg + 8, &in, sizeof(in), 0);	/* beyond */
	out->w[2] = copy(n->id, n->arg - 8, &x, 8, 1);			/* before */
	out->w[3] = copy(n->id + 1000, n->arg, &x, 8, 1);		/* no call */
	n->out = (uintptr_t)out;
	n->out_len = sizeof(*out);
}

static void serve_irqfd(struct ksplit_next *n, const struct kvm_irqfd *irqfd)
{
	static int first = -1;
	struct ksplit_eventfd e = { .call = n->id, .client_fd = irqfd->fd };
	int fd = ioctl(session, KSPLIT_EVENTFD, &e);
	uint64_t one = 1;

	if (fd < 0) {
		n->result = -errno;
		return;
	}
	if (write(fd, &one, 8) != 8)
		n->result = -EIO;
	if (first < 0)
		first = fd;
	else
		n->result = fcntl(fd, F_DUPFD_QUERY, first);
	/* What the argument does not name. */
	e.client_fd = irqfd->gsi;
	if (ioctl(session, KSPLIT_EVENTFD, &e) >= 0)
		n->result = -EPERM;
}

static void read_fdinfo(struct words *out)
{
	char path[64], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", session);
	f = fopen(path, "r");
	memset(out, 0xff, sizeof(*out));
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "tenant:\t%" SCNu64 "\n", &out->w[0]);
		sscanf(line, "client:\t%" SCNu64 "\n", &out->w[1]);
	}
	if (f)
		fclose(f);
}

static void serve_ioctl(struct ksplit_next *n, void *prefetch)
{
	static struct ksplit_next writes;
	static pthread_t write_thread;
	static struct words out;
	pthread_t t;

	switch (n->cmd) {
	case KVM_GET_API_VERSION:
		n->result = KVM_API_VERSION;
		break;
	case KVM_CHECK_EXTENSION:
		n->result = 1000;
		break;
	case KVM_CREATE_VM:
		vm_fd = ioctl(session, KSPLIT_OBJECT, n->id);
		if (vm_fd < 0) {
			n->result = -errno;
			break;
		}
		n->new_handle = 1;
		break;
	case KVM_CREATE_VCPU:
		if (n->arg == NOT_TAKEN) {
			n->new_handle = 5;
			break;
		}
		vcpu_fd = ioctl(session, KSPLIT_OBJECT, n->id);
		if (vcpu_fd < 0) {
			n->result = -errno;
			break;
		}
		pthread_create(&t, NULL, vcpu_thread, NULL);
		n->new_handle = 2;
		break;
	case KVM_GET_STATS_FD:
		n->new_handle = 3;
		break;
	case KVM_CREATE_DEVICE:
		n->new_handle = 4;
		break;
	case KVM_IRQFD:
		serve_irqfd(n, prefetch);
		break;
	case KVM_SET_USER_MEMORY_REGION:
		break;
	case TST_ECHO:
	case TST_LATE:
		memcpy(&out, prefetch, sizeof(out));
		for (int i = 0; i < 4; i++)
			out.w[i]++;
		n->out = (uintptr_t)&out;
		n->out_len = sizeof(out);
		break;
	case TST_COPY:
		serve_copy(n, &out);
		break;
	case TST_RESULT:
		n->result = (int64_t)n->arg;
		break;
	case TST_COUNT:
		n->result = __atomic_load_n(&released, __ATOMIC_SEQ_CST);
		break;
	case TST_ABSENT:
		n->out = (uintptr_t)absent_page();
		n->out_len = sizeof(out);
		break;
	case TST_MORE:
		n->out = (uintptr_t)prefetch;
		n->out_len = sizeof(out) + 1;
		break;
	case TST_NOWHERE:
		/* The reply has not happened, the next one does. */
		n->out = 8;
		n->out_len = 1;
		n->result = ioctl(session, KSPLIT_NEXT, n) ? errno : 0;
		n->out = 0;
		n->out_len = 0;
		break;
	case TST_CHANGE:
		memcpy(&out, prefetch, sizeof(out));
		if (out.w[0]) {
			memset(&out, 0xee, sizeof(out));
			n->result = -copy(n->id, n->arg, &out, sizeof(out), 1);
			break;
		}
		memset(&out, 0xee, sizeof(out));
		n->out = (uintptr_t)&out;
		n->out_len = sizeof(out);
		break;
	case TST_LINGER:
		linger = 1;
		break;
	case TST_FDINFO:
		read_fdinfo(&out);
		n->out = (uintptr_t)&out;
		n->out_len = sizeof(out);
		break;
	case TST_PEEK:
		out.w[0] = n->prefetched;
		out.w[1] = copy(n->id, n->arg, &writes, sizeof(out), 0);
		n->out = (uintptr_t)&out;
		n->out_len = sizeof(out);
		break;
	case TST_WRITES:
		if (writes.id)
			pthread_join(write_thread, NULL);
		writes = *n;
		pthread_create(&write_thread, NULL, writer, &writes);
		usleep(n->id * 7919 % 5000);
		break;
	case TST_OBJECT:
		n->result = ioctl(session, KSPLIT_OBJECT, n->id + n->arg) < 0 ? errno : 0;
		break;
	case TST_AWAY:		/* after the reply, see worker() */
		break;
	case TST_DIE:
		_exit(0);
	default:
		n->result = -ENOTTY;
	}
}

/* Returns the exit status: 0 if the client ended it (-ESHUTDOWN). */
static int worker(int tenant)
{
	/* Not there, either. */
	struct ksplit_next n = { .prefetch = (uintptr_t)absent_page() };
	uint8_t *prefetch = (void *)(uintptr_t)n.prefetch;
	uint64_t late = 0, replied = 0, x;
	struct words late_arg;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	session = ioctl(tenant, KSPLIT_SERVE);
	if (session < 0)
		return errno;
	close(tenant);
	for (;;) {
		if (ioctl(session, KSPLIT_NEXT, &n)) {
			if (errno == ESHUTDOWN) {
				usleep(linger * 500000);
				return 0;
			}
			if (errno == EFAULT) {
				/* Bring it in, and again: nothing has happened. */
				touch(prefetch);
				if (n.out_len)
					touch((void *)(uintptr_t)n.out);
				replied = n.reply_to;
				continue;
			}
			/* That it was given, and its call is over, is no news. */
			if (errno == ENOENT && replied == n.reply_to)
				return 2;
			/* A reply that was not accepted, or a signal. */
			memset(&n, 0, offsetof(struct ksplit_next, prefetch));
			continue;
		}
		if (late) {	/* its client has returned: out of reach */
			x = copy(late, n.arg, &late_arg, 8, 1);
			late = 0;
			if ((int64_t)x != -ENOENT)
				return 1;
		}
		memset(&n, 0, offsetof(struct ksplit_next, prefetch));
		if (n.op == KSPLIT_OP_RELEASE) {
			__atomic_add_fetch(&released, 1, __ATOMIC_SEQ_CST);
			continue;
		}
		n.reply_to = n.id;
		if (n.op == KSPLIT_OP_READ) {
			n.out = (uintptr_t)prefetch;
			n.out_len = n.arg < 6000 ? n.len < 6000 - n.arg ? n.len : 6000 - n.arg : 0;
			memset(prefetch, 'a' + n.arg % 3, KSPLIT_PREFETCH_MAX);
			n.result = n.out_len;
		} else if (n.cmd == TST_HANG) {
			n.reply_to = 0;
		} else {
			serve_ioctl(&n, prefetch);
			if (n.cmd == TST_LATE)
				late = n.id;
			if (n.cmd == TST_AWAY)
				madvise(prefetch, 4096, MADV_DONTNEED);
		}
	}
}

/* ------------------------------------------------------- launcher -- */

static int control, tenant;

static pid_t fork_worker(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid)
		_exit(worker(tenant));
	return pid;
}

/* Returns when the tenant has a spare session. */
static pid_t start_worker(void)
{
	struct pollfd p = { .fd = tenant, .events = POLLIN };
	pid_t pid = fork_worker();

	while (poll(&p, 1, 0) > 0)
		usleep(2000);
	return pid;
}

static void start_tenant(uint32_t max_vms)
{
	struct ksplit_bind b = {
		.uid = getuid(), .max_vms = max_vms ?: 64, .max_vcpus = 64, .max_slots = 64,
	};
	static struct ksplit_info info;

	control = open("/dev/kvm-split", O_RDWR | O_CLOEXEC);
	CHECK(control >= 0);
	CHECK(!ioctl(control, KSPLIT_GET_INFO, &info) && info.abi_version == KSPLIT_ABI_VERSION);
	tenant = ioctl(control, KSPLIT_BIND, &b);
	CHECK(tenant >= 0);
	CHECK(ioctl(control, KSPLIT_BIND, &b) < 0 && errno == EEXIST);
}

static int exit_of(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* ---------------------------------------------------------- tests -- */

static int kvm, vm, vcpu;
static struct kvm_run *run;
static pid_t worker_pid;

static void open_kvm(void)
{
	start_tenant(0);
	worker_pid = start_worker();
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	CHECK(kvm >= 0);
}

static void open_vcpu(void)
{
	open_kvm();
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	CHECK(vm >= 0);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	CHECK(vcpu >= 0);
	CHECK(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0) == 3 * 4096);
	run = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	CHECK(run != MAP_FAILED);
}

static volatile int signals;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
}

static void alarm_in(int ms)
{
	struct itimerval t = { .it_value = { ms / 1000, ms % 1000 * 1000 } };

	setitimer(ITIMER_REAL, &t, NULL);
}

static void test_launcher(void)
{
	struct ksplit_bind d = { .uid = getuid(), .error = EACCES };
	struct pollfd p = { .events = POLLIN };
	struct ksplit_want w;
	double start = now();
	pid_t pid;

	CHECK(open("/dev/kvm", O_RDWR) < 0 && errno == ENODEV);
	CHECK(now() - start < 1);
	control = open("/dev/kvm-split", O_RDWR | O_CLOEXEC);
	CHECK(control >= 0);
	pid = fork();
	if (!pid) {
		close(control);
		_exit(open("/dev/kvm", O_RDWR) < 0 ? errno : 0);
	}
	p.fd = control;
	CHECK(poll(&p, 1, 5000) == 1);
	CHECK(read(control, &w, sizeof(w)) == sizeof(w));
	CHECK(w.uid == getuid());
	CHECK(read(control, &w, sizeof(w)) < 0 && errno == EAGAIN);
	CHECK(!ioctl(control, KSPLIT_BIND, &d));
	CHECK(exit_of(pid) == EACCES);
	/* The refusal is remembered, for a second. */
	start = now();
	CHECK(open("/dev/kvm", O_RDWR) < 0 && errno == EACCES);
	CHECK(now() - start < 1);
	sleep(2);
	pid = fork();
	if (!pid)
		_exit(open("/dev/kvm", O_RDWR) < 0 ? errno : 0);
	while (read(control, &w, sizeof(w)) < 0)
		usleep(10000);
	kill(pid, SIGKILL);
	CHECK(exit_of(pid) == 1000 + SIGKILL);
	/* The launcher restarts; a signal does not end the open. */
	close(control);
	pid = fork();
	if (!pid) {
		struct sigaction sa = { .sa_handler = on_signal };

		sigaction(SIGALRM, &sa, NULL);
		alarm_in(50);
		_exit(open("/dev/kvm", O_RDWR) < 0 ? errno : 0);
	}
	usleep(500000);
	control = open("/dev/kvm-split", O_RDWR | O_CLOEXEC);
	CHECK(control >= 0);
	while (read(control, &w, sizeof(w)) < 0)
		usleep(10000);
	CHECK(w.uid == getuid());
	CHECK(!ioctl(control, KSPLIT_BIND, &d));
	CHECK(exit_of(pid) == EACCES);
	sleep(2);
	/* Nobody brings a worker. */
	start = now();
	CHECK(open("/dev/kvm", O_RDWR) < 0 && errno == ENODEV);
	CHECK(now() - start > 10 && now() - start < 60);
}

/* Users of a namespace that one user made, whom no launcher knows. */
static void strangers(int ready, int go)
{
	char c;

	CHECK(!setresuid(2000, 2000, 2000));
	CHECK(!prctl(PR_SET_DUMPABLE, 1));
	CHECK(!unshare(CLONE_NEWUSER));
	CHECK(write(ready, "", 1) == 1 && read(go, &c, 1) == 1);
	for (int i = 1; i <= 20; i++) {
		if (fork())
			continue;
		CHECK(!setresuid(i, i, i));
		c = open("/dev/kvm", O_RDWR) < 0 ? errno : 0;
		CHECK(write(ready, &c, 1) == 1);
		_exit(0);
	}
	pause();
}

/* They find no place at some time, and others do. */
static void test_strangers(void)
{
	struct ksplit_bind d = { .uid = 2001, .error = EACCES };
	int ready[2], go[2], fd;
	struct ksplit_want w;
	char path[64], c;
	pid_t pid, other;

	control = open("/dev/kvm-split", O_RDWR | O_CLOEXEC);
	CHECK(control >= 0 && !chmod("/dev/kvm", 0666));
	CHECK(!pipe(ready) && !pipe(go));
	pid = fork();
	if (!pid)
		strangers(ready[1], go[0]);
	CHECK(read(ready[0], &c, 1) == 1);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0 && write(fd, "0 100000 1000", 13) == 13);
	close(fd);
	CHECK(write(go[1], "", 1) == 1);
	for (int i = 0; i < 12; i++)
		CHECK(read(ready[0], &c, 1) == 1 && c == EBUSY);
	other = fork();
	if (!other) {
		CHECK(!setresuid(2001, 2001, 2001));
		_exit(open("/dev/kvm", O_RDWR) < 0 ? errno : 0);
	}
	do {
		while (read(control, &w, sizeof(w)) < 0)
			usleep(10000);
	} while (w.uid != 2001);
	CHECK(!ioctl(control, KSPLIT_BIND, &d));
	CHECK(exit_of(other) == EACCES);
	chmod("/dev/kvm", 0600);
}

static void test_limit(void)
{
	struct ksplit_bind b = { .uid = getuid(), .max_vms = 1 };
	int fd[2], pid[2];

	start_tenant(2);
	for (int i = 0; i < 2; i++) {
		pid[i] = start_worker();
		fd[i] = open("/dev/kvm", O_RDWR);
		CHECK(fd[i] >= 0);
	}
	CHECK(exit_of(fork_worker()) == EMFILE);
	CHECK(open("/dev/kvm", O_RDWR) < 0 && errno == EMFILE);
	/* A session whose client has gone is waited for. */
	CHECK(!ioctl(fd[1], TST_LINGER, 0));
	close(fd[1]);
	worker_pid = fork();
	if (!worker_pid)
		_exit(open("/dev/kvm", O_RDWR) < 0 ? errno : 0);
	CHECK(exit_of(pid[1]) == 0);
	pid[1] = start_worker();
	CHECK(exit_of(worker_pid) == 0);
	CHECK(exit_of(pid[1]) == 0);
	pid[1] = start_worker();
	fd[1] = open("/dev/kvm", O_RDWR);
	CHECK(fd[1] >= 0);
	/* The tenant's end is the spare worker's, and of nobody else. */
	close(fd[1]);
	CHECK(exit_of(pid[1]) == 0);
	worker_pid = start_worker();
	close(tenant);
	CHECK(exit_of(worker_pid) == 0);
	CHECK(ioctl(fd[0], KVM_GET_API_VERSION, 0) == 12);
	/* The user's next supervisor finds the user's VMs counted. */
	tenant = ioctl(control, KSPLIT_BIND, &b);
	CHECK(tenant >= 0);
	CHECK(exit_of(fork_worker()) == EMFILE);
}

static void test_calls(void)
{
	struct words w = { { 1, 2, 3, 4 } };
	uint64_t guard[6] = { 0 };
	struct words *inner = (void *)&guard[1];

	open_kvm();
	CHECK(ioctl(kvm, KVM_GET_API_VERSION, 0) == 12);
	CHECK(!ioctl(kvm, TST_ECHO, &w) && w.w[0] == 2 && w.w[3] == 5);
	CHECK(!ioctl(kvm, TST_COPY, inner));
	CHECK((int64_t)guard[1] == 0 && (int64_t)guard[2] == -EPERM);
	CHECK((int64_t)guard[3] == -EPERM && (int64_t)guard[4] == -ENOENT);
	CHECK(!guard[0] && !guard[5]);
	CHECK(ioctl(kvm, TST_ECHO, 8) < 0 && errno == EFAULT);
	CHECK(!ioctl(kvm, TST_LATE, &w));
	CHECK(!ioctl(kvm, TST_ECHO, &w));
	CHECK(ioctl(kvm, _IO('T', 1), 0) < 0 && errno == ENOTTY);
	/* What KVM does not write is constant, what it does not read is secret. */
	memset(guard, 0, sizeof(guard));
	CHECK(ioctl(kvm, TST_CHANGE, inner) < 0 && errno == EIO && !guard[1]);
	guard[1] = 1;
	CHECK(ioctl(kvm, TST_CHANGE, inner) == EPERM && guard[1] == 1 && !guard[2]);
	CHECK(!ioctl(kvm, TST_PEEK, inner) && guard[1] == 0 && (int64_t)guard[2] == -EPERM);
	CHECK(!ioctl(kvm, TST_FDINFO, &w) && w.w[0] == getuid() && w.w[1] == (uint64_t)getpid());
	/* The worker's memory goes between its reply and the next call. */
	for (int i = 0; i < 3; i++)
		CHECK(!ioctl(kvm, TST_AWAY, 0));
	/* Whatever of the worker's memory is not there. */
	CHECK(!ioctl(kvm, TST_ABSENT, &w) && w.w[0] == 0x1111111111111111 && w.w[3] == w.w[0]);
	CHECK(ioctl(kvm, TST_NOWHERE, &w) == EFAULT);
	CHECK(ioctl(kvm, TST_MORE, inner) < 0 && errno == EIO && !guard[5]);
	CHECK(!ioctl(kvm, TST_ECHO, &w) && w.w[0] == 0x1111111111111112);
	close(kvm);
	CHECK(exit_of(worker_pid) == 0);
}

static void test_lies(void)
{
	struct kvm_create_device cd = { .type = 1, .fd = -1 };
	int stats;

	open_kvm();
	CHECK(ioctl(kvm, KVM_GET_STATS_FD, 0) < 0 && errno == EIO);
	CHECK(ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO) < 0);
	CHECK(ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS) == 1000);
	CHECK(ioctl(kvm, TST_RESULT, -512L) < 0 && errno == EIO);
	CHECK(ioctl(kvm, TST_RESULT, -5000L) < 0 && errno == EIO);
	CHECK(ioctl(kvm, TST_RESULT, -EXDEV) < 0 && errno == EXDEV);
	CHECK(ioctl(kvm, TST_OBJECT, 0) == ENOENT);
	CHECK(ioctl(kvm, TST_OBJECT, 1) == ENOENT);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	CHECK(vm >= 0);
	CHECK(ioctl(vm, KVM_CREATE_VM, 0) < 0 && errno == ENOENT);
	CHECK(ioctl(vm, KVM_CREATE_DEVICE, &cd) < 0 && errno == EIO);
	CHECK(ioctl(kvm, TST_COUNT, 0) == 0);
	stats = ioctl(vm, KVM_GET_STATS_FD, 0);
	CHECK(fcntl(stats, F_GETFD) == FD_CLOEXEC);
	/* Of a file that finds no descriptor the worker hears, too. */
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ stats + 1, stats + 1 });
	CHECK(ioctl(vm, KVM_GET_STATS_FD, 0) < 0 && errno == EMFILE);
	CHECK(ioctl(kvm, TST_COUNT, 0) == 1);
	close(stats);
	CHECK(ioctl(kvm, TST_COUNT, 0) == 2);
}

static void test_files(void)
{
	char link[64], name[64] = "";
	struct words w;
	char buf[8192];
	uint8_t *pages;
	int stats;
	pid_t pid;

	open_vcpu();
	snprintf(link, sizeof(link), "/proc/self/fd/%d", vcpu);
	CHECK(readlink(link, name, sizeof(name) - 1) > 0);
	CHECK(!strcmp(name, "anon_inode:kvm-vcpu:0"));
	/* As in-tree: pages come when they are touched, and come back. */
	((uint8_t *)run)[4096] = 0x77;
	CHECK(!madvise(run, 3 * 4096, MADV_DONTNEED) && ((uint8_t *)run)[4096] == 0x77);
	pages = mmap(NULL, 80 * 4096, PROT_READ, MAP_SHARED, vcpu, 0);
	CHECK(pages != MAP_FAILED && pages[4096] == 0x77 && !pages[2 * 4096]);
	for (int i = 3; i < 80; i += 61) {
		pid = fork();
		if (!pid)
			_exit(((volatile uint8_t *)pages)[i * 4096]);
		CHECK(exit_of(pid) == 1000 + SIGBUS);
	}
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, vm, 0) == MAP_FAILED);
	CHECK(ioctl(vcpu, TST_COPY, &w) == 1);
	stats = ioctl(vm, KVM_GET_STATS_FD, 0);
	CHECK(stats >= 0);
	CHECK(pread(stats, buf, 100, 1) == 100 && buf[0] == 'b');
	CHECK(pread(stats, buf, sizeof(buf), 5999) == 1);
	CHECK(pread(stats, buf, sizeof(buf), 7000) == 0);
	CHECK(read(vm, buf, 1) < 0 && errno == EINVAL);
	pid = fork();
	if (!pid)	/* not the VM's address space */
		_exit(ioctl(vm, TST_RESULT, 0) < 0 ? errno : 0);
	CHECK(exit_of(pid) == EIO);
	close(stats);
	munmap(pages, 80 * 4096);
	munmap(run, 3 * 4096);
	close(vcpu);
	close(vm);
	while (ioctl(kvm, TST_COUNT, 0) < 3)
		usleep(1000);
	close(kvm);
	CHECK(exit_of(worker_pid) == 0);
}

static void test_run(void)
{
	open_vcpu();
	CHECK(ioctl(vcpu, KVM_RUN, 1) < 0 && errno == EINVAL);
	CHECK(!ioctl(vcpu, KVM_RUN, 0));
	CHECK(run->exit_reason == KVM_EXIT_IO && run->io.port == 0x80);
	CHECK(((uint8_t *)run)[run->io.data_offset] == 0x5a);
	CHECK(run->immediate_exit == 0);
	run->request_interrupt_window = RUN_IN;
	CHECK(!ioctl(vcpu, KVM_RUN, 0));
	CHECK(run->exit_reason == KVM_EXIT_IO && run->io.direction == KVM_EXIT_IO_IN);
	((uint8_t *)run)[4096] = 0xc3;
	CHECK(!ioctl(vcpu, KVM_RUN, 0));
	CHECK(run->exit_reason == KVM_EXIT_MMIO && run->mmio.phys_addr == 0xc3);
	run->request_interrupt_window = RUN_BAD;
	CHECK(ioctl(vcpu, KVM_RUN, 0) < 0 && errno == EIO);
	CHECK(run->exit_reason == KVM_EXIT_MMIO);
	CHECK(ioctl(vm, TST_RESULT, 0) < 0 && errno == EIO);
	CHECK(ioctl(kvm, TST_RESULT, 3) == 3);
}

static void test_signal(void)
{
	struct { uint32_t len; uint8_t set[8]; } __attribute__((packed)) mask = { .len = 8 };
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t alrm;
	double start;
	pid_t pid;

	sigaction(SIGALRM, &sa, NULL);
	open_vcpu();
	/* Answered. */
	run->request_interrupt_window = RUN_SIGNAL;
	for (int i = 1; i <= 3; i++) {
		alarm_in(50);
		CHECK(ioctl(vcpu, KVM_RUN, 0) < 0 && errno == EINTR);
		CHECK(signals == i && run->exit_reason == KVM_EXIT_INTR);
	}
	/* An interruption is of one call. */
	run->request_interrupt_window = RUN_OUT;
	CHECK(!ioctl(vcpu, KVM_RUN, 0));
	/* A signal mask of KVM's: blocked outside, open inside, stays pending. */
	sigemptyset(&alrm);
	sigaddset(&alrm, SIGALRM);
	sigprocmask(SIG_BLOCK, &alrm, NULL);
	CHECK(!ioctl(vcpu, KVM_SET_SIGNAL_MASK, &mask));
	run->request_interrupt_window = RUN_SIGNAL;
	alarm_in(50);
	CHECK(ioctl(vcpu, KVM_RUN, 0) < 0 && errno == EINTR && signals == 3);
	CHECK(!ioctl(vcpu, KVM_SET_SIGNAL_MASK, NULL));
	sigprocmask(SIG_UNBLOCK, &alrm, NULL);
	CHECK(signals == 4);
	/* Late, but in time. */
	run->request_interrupt_window = RUN_SLOW;
	alarm_in(50);
	CHECK(!ioctl(vcpu, KVM_RUN, 0) && run->exit_reason == KVM_EXIT_HLT);
	/* A worker that is stopped has time. */
	run->request_interrupt_window = RUN_SIGNAL;
	kill(worker_pid, SIGSTOP);
	pid = fork();
	if (!pid) {
		sleep(7);
		kill(worker_pid, SIGCONT);
		_exit(0);
	}
	alarm_in(50);
	CHECK(ioctl(vcpu, KVM_RUN, 0) < 0 && errno == EINTR);
	CHECK(exit_of(pid) == 0);
	/* Not answered. */
	run->request_interrupt_window = RUN_HANG;
	start = now();
	alarm_in(50);
	CHECK(ioctl(vcpu, KVM_RUN, 0) < 0 && errno == EIO);
	CHECK(now() - start > 1 && now() - start < 20);
	CHECK(ioctl(vcpu, KVM_RUN, 0) < 0 && errno == EIO);
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

#define GROUP	"/tmp/front-cgroup/frozen"

/* Freezes the group until all of it is, and for @seconds. */
static void freeze(int seconds)
{
	char events[128] = "";
	int fd;

	write_to(GROUP "/cgroup.freeze", "1");
	for (int i = 0; i < 100 && !strstr(events, "frozen 1"); i++) {
		usleep(100000);
		fd = open(GROUP "/cgroup.events", O_RDONLY);
		CHECK(fd >= 0 && read(fd, events, sizeof(events) - 1) > 0);
		close(fd);
	}
	CHECK(strstr(events, "frozen 1"));
	sleep(seconds);
	write_to(GROUP "/cgroup.freeze", "0");
}

/* A control group with client and worker is frozen, and goes on. */
static void test_freeze(void)
{
	int ready[2];
	pid_t pid;
	char c;

	mkdir("/tmp/front-cgroup", 0755);
	CHECK(!mount("none", "/tmp/front-cgroup", "cgroup2", 0, NULL));
	CHECK(!mkdir(GROUP, 0755) && !pipe(ready));
	pid = fork();
	if (!pid) {
		write_to(GROUP "/cgroup.procs", "0");
		open_vcpu();
		run->request_interrupt_window = RUN_SIGNAL;
		CHECK(write(ready[1], "", 1) == 1);
		CHECK(ioctl(vcpu, KVM_RUN, 0) < 0 && errno == EINTR);
		run->request_interrupt_window = RUN_OUT;
		CHECK(!ioctl(vcpu, KVM_RUN, 0));
		CHECK(write(ready[1], "", 1) == 1);
		ioctl(kvm, TST_HANG, 0);
		_exit(1);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	usleep(300000);
	freeze(7);
	CHECK(read(ready[0], &c, 1) == 1);
	/* In a call that no signal interrupts, too. */
	usleep(300000);
	freeze(0);
	kill(pid, SIGKILL);
	CHECK(exit_of(pid) == 1000 + SIGKILL);
}

static void test_eventfd(void)
{
	int a = eventfd(0, 0), b = eventfd(0, 0), c = dup(a);
	struct kvm_irqfd irqfd = { .fd = a, .gsi = b };
	uint64_t x;

	open_vcpu();
	CHECK(ioctl(vm, KVM_IRQFD, &irqfd) == 0);
	CHECK(read(a, &x, 8) == 8 && x == 1);
	irqfd.fd = c;
	CHECK(ioctl(vm, KVM_IRQFD, &irqfd) == 1);
	irqfd.fd = b;
	irqfd.gsi = a;
	CHECK(ioctl(vm, KVM_IRQFD, &irqfd) == 0);
	irqfd.fd = 0;		/* no eventfd */
	CHECK(ioctl(vm, KVM_IRQFD, &irqfd) < 0 && errno == EINVAL);
	irqfd.fd = 999;
	CHECK(ioctl(vm, KVM_IRQFD, &irqfd) < 0 && errno == EBADF);
}

static void test_death(void)
{
	pid_t pid;

	/* A client that dies in a call that nobody answers. */
	open_kvm();
	pid = fork();
	if (!pid) {
		ioctl(kvm, TST_HANG, 0);
		_exit(1);
	}
	usleep(100000);
	kill(pid, SIGKILL);
	CHECK(exit_of(pid) == 1000 + SIGKILL);
	/* A worker that dies with calls in progress. */
	pid = fork();
	if (!pid)
		_exit(ioctl(kvm, TST_HANG, 0) < 0 ? errno : 0);
	usleep(100000);
	CHECK(ioctl(kvm, TST_DIE, 0) < 0 && errno == EIO);
	CHECK(exit_of(pid) == EIO);
	CHECK(ioctl(kvm, KVM_GET_API_VERSION, 0) < 0 && errno == EIO);
	close(kvm);
	exit_of(worker_pid);
	/* A worker that dies in KVM_RUN. */
	worker_pid = start_worker();
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	CHECK(kvm >= 0);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	CHECK(vm >= 0);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	CHECK(vcpu >= 0);
	run = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	CHECK(run != MAP_FAILED);
	run->request_interrupt_window = RUN_HANG;
	pid = fork();
	if (!pid) {
		usleep(200000);
		kill(worker_pid, SIGKILL);
		_exit(0);
	}
	CHECK(ioctl(vcpu, KVM_RUN, 0) < 0 && errno == EIO);
	exit_of(pid);
	/* A client that dies in KVM_RUN: the worker's session ends. */
	exit_of(worker_pid);
	close(vcpu);
	close(vm);
	close(kvm);
	worker_pid = start_worker();
	pid = fork();
	if (!pid) {
		kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
		vm = ioctl(kvm, KVM_CREATE_VM, 0);
		vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
		run = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
		run->request_interrupt_window = RUN_SIGNAL;
		ioctl(vcpu, KVM_RUN, 0);
		_exit(1);
	}
	usleep(300000);
	kill(pid, SIGKILL);
	CHECK(exit_of(pid) == 1000 + SIGKILL);
	CHECK(exit_of(worker_pid) == 0);
}

static long stat_of(const char *name)
{
	FILE *f = fopen("/sys/kernel/debug/kvm_split/stats", "r");
	char line[128], word[64];
	long value = -1, v;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %ld", word, &v) == 2 && !strcmp(word, name))
			value = v;
	fclose(f);
	return value;
}

/* Objects in slab caches that a struct ksplit_call may be of. */
static long slab_objects(void)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	char line[256];
	long sum = 0, v;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "kmalloc-cg-256 %ld", &v) == 1 ||
		    sscanf(line, "kmalloc-cg-512 %ld", &v) == 1)
			sum += v;
	fclose(f);
	return sum;
}

/* A vCPU whose worker never took it, and whose client closes it, leaves nothing. */
static void test_not_taken(void)
{
	long before;

	open_kvm();
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	CHECK(vm >= 0);
	before = slab_objects();
	for (int i = 0; i < 2000; i++) {
		vcpu = ioctl(vm, KVM_CREATE_VCPU, NOT_TAKEN);
		CHECK(vcpu >= 0 && !close(vcpu));
	}
	CHECK(slab_objects() - before < 1000);
}

static void client_life(unsigned int seed)
{
	struct words w = { { 0 } };
	int stats;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		_exit(0);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	ioctl(kvm, TST_COPY, &w);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	stats = ioctl(vm, KVM_GET_STATS_FD, 0);
	run = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		_exit(0);
	for (int i = 0; i < 1000; i++) {
		run->request_interrupt_window = (seed + i) % 2 ? RUN_OUT : RUN_IN;
		if (i == 500)
			run->request_interrupt_window = seed % 3 ? RUN_SIGNAL : RUN_HANG;
		if (ioctl(vcpu, KVM_RUN, 0) && errno != EINTR)
			break;
		ioctl(vm, TST_COPY, &w);
		pread(stats, &w, sizeof(w), 0);
	}
	_exit(0);
}

/* Holds the lock of the client's address space, for writing, most of the time. */
static void *hold_mm(void *arg)
{
	const size_t size = 8 << 20;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	for (int i = 0; !__atomic_load_n((int *)arg, __ATOMIC_SEQ_CST); i++)
		mprotect(p, size, i % 2 ? PROT_READ | PROT_WRITE : PROT_READ);
	return NULL;
}

/* A client does not return while the worker writes to it. */
static void test_copy(void)
{
	volatile struct words w;
	int stop = 0;
	pthread_t t;

	open_kvm();
	pthread_create(&t, NULL, hold_mm, &stop);
	for (int i = 0; i < 200; i++) {
		w.w[0] = 0;
		CHECK(!ioctl(kvm, TST_WRITES, &w));
		w.w[0] = 1000;
		usleep(3000);
		CHECK(w.w[0] == 1000);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	pthread_join(t, NULL);
}

/* Everybody dies at any moment, and nothing is left. */
static void test_storm(void)
{
	pid_t pid, pids[3];
	int status;

	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	for (unsigned int i = 0; i < 60; i++) {
		start_tenant(0);
		for (int j = 0; j < 3; j++) {
			pids[j] = fork();
			if (!pids[j])
				client_life(i + j);
		}
		worker_pid = fork_worker();
		pid = fork_worker();
		usleep(i * 7919 % 40000);
		kill(i % 2 ? worker_pid : pids[0], SIGKILL);
		usleep(i * 104729 % 20000);
		kill(i % 3 ? pids[1] : pid, SIGKILL);
		if (i % 5 == 0)
			close(control);
		usleep(i * 1299709 % 10000);
		kill(worker_pid, SIGKILL);
		kill(pid, SIGKILL);
		close(tenant);
		for (int j = 0; j < 3; j++)
			kill(pids[j], SIGKILL);
		if (i % 5)
			close(control);
		while (wait(&status) > 0)
			;
	}
	usleep(500000);
	CHECK(stat_of("sessions") == 0);
	CHECK(stat_of("vms") == 0);
	CHECK(stat_of("vcpus") == 0);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "launcher", test_launcher },
	{ "strangers", test_strangers },
	{ "limit", test_limit },
	{ "calls", test_calls },
	{ "lies", test_lies },
	{ "files", test_files },
	{ "run", test_run },
	{ "signal", test_signal },
	{ "freeze", test_freeze },
	{ "eventfd", test_eventfd },
	{ "death", test_death },
	{ "copy", test_copy },
	{ "not-taken", test_not_taken },
	{ "storm", test_storm },
};

int main(int argc, char **argv)
{
	int failed = 0;

	for (unsigned int i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		if (argc <= 1 || !strcmp(argv[1], tests[i].name))
			failed |= run_test(tests[i].name, tests[i].run);
	return failed ? 1 : 0;
}
