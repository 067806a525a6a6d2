// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs among others, and on hosts that interfere: some go on for ever, some share what they
 * have, or live in a sandbox.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "kvmtiny.h"

/* A guest that never leaves for its client, until a signal ends both. */
void test_burn(unsigned long n)
{
	static const uint8_t code[] = { 0xfb, 0x40, 0xeb, 0xfd };	/* sti; inc; jmp */
	struct vm m;

	(void)n;
	vm_start(&m, code, sizeof(code));
	printf("%s: starts\n", test);
	fflush(stdout);
	CHECK(vm_run(&m) == -1);
	printf("%s: ended by errno %d\n", test, errno);
}

void print_count(unsigned long n)
{
	char line[32];

	snprintf(line, sizeof(line), "%12lu\n", n);
	CHECK(pwrite(1, line, 13, 0) == 13 || errno == ESPIPE);
}

/*
 * A guest that goes on for ever, for tests that kill one of the processes
 * behind it.  Rewrites one line with the count of its exits, and ends only with
 * KVM: "spin: ended ..." and status 3.  N: ms to sleep after each exit.
 */
void test_spin(unsigned long n)
{
	/* sti; 1: dec cx; jnz 1b; out 0x10,al; jmp 1b */
	static const uint8_t code[] = {
		0xfb, 0x49, 0x75, 0xfd, 0xe6, 0x10, 0xeb, 0xf9,
	};
	struct sigaction sa = { .sa_handler = wake };
	unsigned long exits = 0, signals = 0;
	struct vm m;

	CHECK(sigaction(SIGALRM, &sa, NULL) == 0);
	vm_start(&m, code, sizeof(code));
	for (;;) {
		if (vm_run(&m) == -1) {
			if (errno != EINTR)
				break;
			signals++;
			continue;
		}
		CHECK(m.run->exit_reason == KVM_EXIT_IO);
		print_count(++exits);
		if (n)
			usleep(n * 1000);
	}
	fprintf(stderr, "%s: ended by errno %d after %s, %s\n", test, errno,
		exits ? "exits" : "no exit", signals ? "a signal" : "no signal");
	exit(3);
}

/* Pages go out, by each FILE, a control group's memory.reclaim; less than asked for is fine. */
static void reclaim(void)
{
	static const char text[] = "64M swappiness=200";
	char **file;
	int fd;

	for (file = words; *file; file++) {
		fd = open(*file, O_WRONLY | O_CLOEXEC);
		CHECK(fd >= 0);
		CHECK(write(fd, text, sizeof(text) - 1) > 0 || errno == EAGAIN);
		CHECK(close(fd) == 0);
	}
}

static void touch_and_look(struct vm *m)
{
	unsigned int seg;
	uint16_t v;

	touch(m);
	called();
	for (seg = TOUCHED / 16; seg < TOUCHED_END / 16; seg += 0x100) {
		memcpy(&v, m->ram + seg * 16, 2);
		CHECK(v == seg);
	}
}

/* Two VMs of one open, from beginning to end, and all that is theirs goes to swap at each step. */
void test_life(unsigned long n)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = RAM_SIZE, .flags = KVM_MEM_LOG_DIRTY_PAGES,
	};
	uint64_t dirty[RAM_SIZE / 4096 / 64] = { };
	struct kvm_dirty_log log = { .dirty_bitmap = dirty };
	struct kvm_stats_header stats;
	struct vm m, other;
	int fd;

	(void)n;
	between = reclaim;
	touch_start(&m);
	set_cpuid(&m);
	called();
	touch_and_look(&m);
	fd = ioctl(m.vcpu, KVM_GET_STATS_FD, 0);
	CHECK(fd >= 0);
	called();
	CHECK(pread(fd, &stats, sizeof(stats), 0) == sizeof(stats) && stats.num_desc);
	called();
	region.userspace_addr = (uintptr_t)m.ram;
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
	called();
	touch_and_look(&m);
	CHECK(ioctl(m.vm, KVM_GET_DIRTY_LOG, &log) == 0);
	CHECK((dirty[0] & ~3ull) == ~3ull);
	called();

	other.kvm = m.kvm;
	vm_create(&other);
	CHECK(ioctl(other.vm, KVM_CREATE_IRQCHIP, 0) == 0);
	called();
	vm_memory(&other, hello_code, sizeof(hello_code));
	vm_vcpu(&other, 0);
	CHECK(ioctl(other.vcpu, KVM_RUN, 1) == -1 && errno == EINVAL);
	called();
	CHECK(run_through(&other) == 0);
	CHECK(other.run->exit_reason == KVM_EXIT_IO);
	called();
	touch_and_look(&m);
	vm_close(&other);
	touch_and_look(&m);
	vm_close(&m);
	CHECK(close(m.kvm) == 0);
	printf("%s: ok\n", test);
}

/* Each VM goes on. */
static void run_all(struct vm *m, unsigned long from, unsigned long to)
{
	for (; from < to; from++) {
		CHECK(run_through(&m[from]) == 0);
		CHECK(m[from].run->exit_reason == KVM_EXIT_IO);
	}
}

/*
 * N VMs of one open: those that end, in order, with a child that had one of its own
 * of the same open, or with such a child that is killed, take none of the others along.
 */
void test_share(unsigned long n)
{
	static const uint8_t code[] = { 0xe6, 0x10, 0xeb, 0xfc };	/* 1: out 0x10,al; jmp 1b */
	struct vm *m = calloc(n, sizeof(*m)), child;
	int status, killed, ready[2];
	unsigned long i;
	char byte;
	pid_t pid;

	CHECK(m && n > 2);
	vm_open(&m[0]);
	for (i = 0; i < n; i++) {
		m[i].kvm = m[0].kvm;
		if (i)
			vm_create(&m[i]);
		vm_memory(&m[i], code, sizeof(code));
		vm_vcpu(&m[i], 0);
		run_all(m, 0, i + 1);
	}
	vm_close(&m[--n]);
	run_all(m, 0, n);
	for (killed = 0; killed < 2; killed++) {
		CHECK(pipe(ready) == 0);
		fflush(stdout);
		pid = fork();
		CHECK(pid >= 0);
		if (!pid) {
			child.kvm = m[0].kvm;
			vm_create(&child);
			vm_memory(&child, code, sizeof(code));
			vm_vcpu(&child, 0);
			run_all(&child, 0, 1);
			CHECK(write(ready[1], "", 1) == 1);
			while (killed)
				run_all(&child, 0, 1);
			_exit(7);
		}
		CHECK(close(ready[1]) == 0);
		CHECK(read(ready[0], &byte, 1) == 1);
		run_all(m, 0, n);
		if (killed)
			kill(pid, SIGKILL);
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(killed ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 7);
		CHECK(close(ready[0]) == 0);
		/* What is left of the child's is being taken down meanwhile. */
		for (i = 0; i < 100; i++) {
			run_all(m, 0, n);
			usleep(2000);
		}
	}
	vm_create(&m[n]);
	vm_memory(&m[n], code, sizeof(code));
	vm_vcpu(&m[n], 0);
	run_all(m, 0, n + 1);
	printf("%s: ok %lu\n", test, n + 1);
}

static void send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = { };
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	CHECK(sendmsg(socket, &msg, 0) == 1);
}

static int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	CHECK(recvmsg(socket, &msg, 0) == 1 && CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/*
 * A sandbox: namespaces of its own, an empty root, and a /dev/kvm that another
 * process opened, which is gone.
 */
void test_passed(unsigned long n)
{
	int status, pair[2];
	struct vm m = { };
	pid_t pid;

	(void)n;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		m.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
		CHECK(m.kvm >= 0);
		send_fd(pair[0], m.kvm);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	m.kvm = receive_fd(pair[1]);
	CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) == 0);
	CHECK(chroot("/proc/self/fdinfo") == 0);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		CHECK(getpid() == 1);
		vm_create(&m);
		vm_memory(&m, hello_code, sizeof(hello_code));
		vm_vcpu(&m, 0);
		run_hello(&m);
		printf("%s: ok\n", test);
		fflush(stdout);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* How many of the pages that the guest touches are on node NODE. */
static unsigned int on_node(const struct vm *m, int node)
{
	unsigned int n = 0;
	uint32_t p;
	int at;

	for (p = TOUCHED; p < TOUCHED_END; p += 0x1000) {
		CHECK(syscall(SYS_get_mempolicy, &at, NULL, 0, m->ram + p, MPOL_F_NODE | MPOL_F_ADDR) == 0);
		n += at == node;
	}
	return n;
}

/* NUMA balancing: memory that was made on node 1 comes to the guest that uses it, on node 0. */
void test_balance(unsigned long n)
{
	/* test_memory()'s after sti, for ever */
	static const uint8_t code[] = {
		0xfb, 0xbb, 0x00, 0x02, 0x8e, 0xdb, 0x89, 0x1e, 0x00, 0x00,
		0x81, 0xc3, 0x00, 0x01, 0x81, 0xfb, 0x00, 0xf0, 0x72, 0xf0, 0xeb, 0xeb,
	};
	const unsigned int pages = (TOUCHED_END - TOUCHED) / 0x1000;
	struct itimerval it = { .it_value.tv_usec = 100000, .it_interval.tv_usec = 100000 };
	struct sigaction sa = { .sa_handler = wake };
	unsigned long node1 = 1ul << 1;
	unsigned int came = 0, i;
	struct vm m;

	(void)n;
	vm_start(&m, code, sizeof(code));
	CHECK(madvise(m.ram, RAM_SIZE, MADV_NOHUGEPAGE) == 0);
	CHECK(syscall(SYS_set_mempolicy, MPOL_BIND, &node1, 64) == 0);
	memset(m.ram + TOUCHED, 1, TOUCHED_END - TOUCHED);
	CHECK(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0) == 0);
	CHECK(on_node(&m, 1) == pages);
	CHECK(sigaction(SIGALRM, &sa, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
	for (i = 0; i < 150 && came < pages / 2; i++) {
		CHECK(vm_run(&m) == -1 && errno == EINTR);
		came = on_node(&m, 0);
	}
	if (came < pages / 2)
		printf("%s: of %u pages %u came\n", test, pages, came);
	CHECK(came >= pages / 2);
	printf("%s: ok\n", test);
}
