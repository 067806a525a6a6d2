// SPDX-License-Identifier: GPL-2.0-only
/*
 * The back's rules, each against a worker that breaks them.
 *
 *	hostile [TEST]
 *
 * Plays launcher, client and worker itself: it needs root, a split kernel and
 * no launcher.  Prints one line a test; exits 0 if all passed.
 *
 * The worker is a process of its own.  It has a guest of its own making: one
 * page of code in real mode, on EPT tables that the test writes entry by entry.
 * The client tells it what to do by an ioctl (TST_DO) that the front forwards
 * like any of KVM's.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../vmm-daemon/common/array_size.h"
#include "uapi/kvm_split.h"

/* Encodings of all VMCS fields that the stub knows, and their classes. */
enum {
#define F(e, name, cls, group)	name = (e)
#include "pure/vmcs_fields.h"
#undef F
};

enum { STUB, HOST, CTL, GUEST, EXIT, ADDR };

static const struct field {
	uint32_t encoding;
	int cls;
} fields[] = {
#define F(e, name, cls, group)	{ e, cls }
#include "pure/vmcs_fields.h"
#undef F
};

#define NR_FIELDS	ARRAY_SIZE(fields)

#define PAGE		4096ul
#define REASON(r)	((r) & 0xffff)
#define BACKING		0x10000	/* added to a reason: KSPLIT_EXIT_BACKING */
#define VMFAIL		0x20000	/* added to a VM-instruction error */
#define FAILED_ENTRY	(1ul << 31)

struct words {
	int64_t w[8];	/* in: operation and its arguments; out: results */
};

#define TST_DO		_IOWR(KVMIO, 0xf0, struct words)

#include "attack.h"

static uint64_t rnd_state = 0x9e3779b97f4a7c15ull;

/* xorshift64*: the same numbers on every run. */
static uint64_t rnd(void)
{
	rnd_state ^= rnd_state >> 12;
	rnd_state ^= rnd_state << 25;
	rnd_state ^= rnd_state >> 27;
	return rnd_state * 0x2545f4914f6cdd1dull;
}

/* Values as an attacker would pick them. */
static uint64_t rnd_value(void)
{
	switch (rnd() % 6) {
	case 0:
		return rnd() % 16;
	case 1:
		return 1ull << rnd() % 64;
	case 2:
		return ~(1ull << rnd() % 64);
	case 3:
		return rnd() & 0xffffffff;
	case 4:
		return rnd() & rnd() & rnd();
	default:
		return rnd();
	}
}

/* -------------------------------------------------------- worker -- */

/* Where the worker has its tables and windows: low, as MAXPHYADDR may be. */
#define TABLES		0x20000000ul	/* the root is page 0, or any from 4 on */
#define TABLE_PAGES	704
#define WINDOW		0x40000000ul

static int session = -1, vm_fd = -1, vcpu_fd = -1;
static struct ksplit_vmcs vmcs __attribute__((aligned(4096)));
static struct ksplit_vmcs shadow __attribute__((aligned(4096)));
static struct ksplit_run run;
/* All zeros: every MSR for the guest. */
static uint8_t msr_bitmap[PAGE] __attribute__((aligned(4096)));
static uint8_t scratch[PAGE] __attribute__((aligned(4096)));
static volatile int stop_racing;

static unsigned int slot_of(uint32_t encoding)
{
	return KSPLIT_SLOT(encoding);
}

static void set_slot(unsigned int slot, uint64_t value)
{
	vmcs.field[slot] = value;
	vmcs.dirty[slot / 64] |= 1ull << slot % 64;
}

static void set_field(uint32_t encoding, uint64_t value)
{
	set_slot(slot_of(encoding), value);
}

static uint64_t *table(unsigned int page)
{
	return (uint64_t *)(TABLES + page * PAGE);
}

/* Guest physical memory below 2 MiB: pages 1 to 3 lead to a table of leaves. */
static void make_tables(unsigned int root)
{
	table(root)[0] = (uintptr_t)table(1) | 7;
	table(1)[0] = (uintptr_t)table(2) | 7;
	table(2)[0] = (uintptr_t)table(3) | 7;
	set_field(EPT_POINTER, (uintptr_t)table(root) | 0x1e);
}

/* A real-mode guest that starts at 0x1000. */
static void make_guest(void)
{
	static const uint16_t segment[] = { 0, 2, 4, 6, 8, 10, 12, 14 };
	unsigned int i;

	memset(&vmcs, 0, sizeof(vmcs));
	memset(&run, 0, sizeof(run));
	run.vmcs = (uintptr_t)&vmcs;
	run.xcr0 = 1;
	run.tsc_deadline = ~0ull;
	for (i = 0; i < 8; i++) {
		set_field(GUEST_ES_LIMIT + segment[i], 0xffff);
		set_field(GUEST_ES_AR_BYTES + segment[i], 0x93);
	}
	set_field(GUEST_CS_AR_BYTES, 0x9b);
	set_field(GUEST_LDTR_AR_BYTES, 0x10000);	/* unusable */
	set_field(GUEST_TR_AR_BYTES, 0x8b);
	set_field(GUEST_GDTR_LIMIT, 0xffff);
	set_field(GUEST_IDTR_LIMIT, 0xffff);
	set_field(SECONDARY_VM_EXEC_CONTROL, 1 << 7);	/* unrestricted guest */
	set_field(GUEST_IA32_PAT, 0x0007040600070406);
	set_field(GUEST_CR0, 0x30);
	set_field(GUEST_DR7, 0x400);
	set_field(GUEST_RIP, 0x1000);
	set_field(GUEST_RFLAGS, 2);
	set_field(MSR_BITMAP, (uintptr_t)msr_bitmap);
	make_tables(0);
}

/* Runs the guest until something else than an interrupt of the host's; 5 s. */
static int64_t enter(void)
{
	int ticks = 0;

	while (ticks < 50) {
		if (ioctl(vcpu_fd, KSPLIT_RUN, &run)) {
			if (errno != EINTR)
				return -errno;
			ticks++;	/* the timer of this process, most likely */
			continue;
		}
		if (run.exit_flags & KSPLIT_EXIT_VMFAIL)
			return VMFAIL | run.instruction_error;
		if (run.exit_flags & KSPLIT_EXIT_BACKING)
			return BACKING | vmcs.field[slot_of(VM_EXIT_REASON)];
		if (REASON(vmcs.field[slot_of(VM_EXIT_REASON)]) != 1)
			return vmcs.field[slot_of(VM_EXIT_REASON)];
	}
	return -ETIME;
}

static sigjmp_buf fault_jump;

static void on_fault(int sig)
{
	siglongjmp(fault_jump, sig);
}

static void on_tick(int sig)
{
	(void)sig;
}

static int64_t peek(uint64_t addr)
{
	if (sigsetjmp(fault_jump, 1))
		return -EFAULT;
	return *(volatile uint32_t *)addr;
}

static int64_t poke(uint64_t addr, uint32_t value)
{
	if (sigsetjmp(fault_jump, 1))
		return -EFAULT;
	*(volatile uint32_t *)addr = value;
	return 0;
}

static int64_t fault(uint64_t addr, unsigned int write, int map)
{
	struct ksplit_fault f = { .addr = addr, .write = write };
	int r = map ? ioctl(vm_fd, KSPLIT_WINDOW_FAULT, &f) : ioctl(vcpu_fd, KSPLIT_FAULT_IN, &f);

	return r ? -errno : 0;
}

static int64_t map_window(uint64_t key, uint64_t size, int prot, int flags)
{
	void *p = mmap((void *)(WINDOW + (key << 28)), size, prot,
		       flags | MAP_FIXED_NOREPLACE, vm_fd, KSPLIT_WINDOW_OFFSET(key));

	return p == MAP_FAILED ? -errno : 0;
}

/*
 * Flips what the main thread's calls are about to read, or have just read: each
 * word of the run page and the VMCS becomes something else and then itself.  Not
 * the deadline, without which a guest of no sense might run for ever.
 */
static void *race(void *unused)
{
	uint64_t *words[2] = { (void *)&run, (void *)&vmcs };
	size_t size[2] = { offsetof(struct ksplit_run, tsc_deadline) / 8, sizeof(vmcs) / 8 };
	uint64_t old, *p;
	int which;

	(void)unused;
	while (!stop_racing) {
		which = rnd() % 2;
		p = &words[which][rnd() % size[which]];
		old = __atomic_load_n(p, __ATOMIC_RELAXED);
		__atomic_store_n(p, rnd_value(), __ATOMIC_RELAXED);
		for (volatile int i = rnd() % 64; i; i--)
			;
		__atomic_store_n(p, old, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Any call with any argument; returns how many were made. */
static int64_t fuzz(uint64_t seed, uint64_t n)
{
	static const unsigned int vm_calls[] = {
		KSPLIT_WINDOW_FAULT, KSPLIT_FLUSH, KSPLIT_COALESCE, KSPLIT_IOEVENTFD, 0xffffffff,
	};
	static const unsigned int vcpu_calls[] = {
		KSPLIT_FILL, KSPLIT_VMCLEAR, KSPLIT_KICK, KSPLIT_FPU_GET, KSPLIT_FPU_SET, KSPLIT_COPY,
		KSPLIT_DIRTY, KSPLIT_WINDOW_FAULT, KSPLIT_FAULT_IN, KSPLIT_HWPOISON, 0x1234,
	};
	static const unsigned int session_calls[] = {
		KSPLIT_COPY, KSPLIT_EVENTFD, KSPLIT_OBJECT, 0xdeadbeef,
	};
	/* What an argument points at. */
	const uint64_t good[] = {
		(uintptr_t)&vmcs, (uintptr_t)&run, (uintptr_t)scratch, TABLES, WINDOW,
		WINDOW + PAGE, ~0ull, 0xffff888000000000ull,
	};
	uint64_t i, j, arg, words[8];
	int fd;

	rnd_state = seed | 1;
	for (i = 0; i < n; i++) {
		for (j = 0; j < 8; j++)
			words[j] = rnd() % 3 ? rnd_value() : good[rnd() % 8];
		arg = rnd() % 8 ? (uintptr_t)words : rnd_value();
		switch (rnd() % 8) {
		case 0:
			fd = ioctl(session, session_calls[rnd() % 4], arg);
			break;
		case 1:
			fd = ioctl(vcpu_fd, vcpu_calls[rnd() % 11], arg);
			break;
		case 2:
			fd = ioctl(vm_fd, vm_calls[rnd() % 4], arg);
			break;
		case 3:		/* tables that make no sense */
			table(1 + rnd() % 3)[rnd() % 4] = rnd_value();
			make_tables(rnd() % 2 ? 0 : 4);
			table(3)[rnd() % 4] = (WINDOW + rnd() % 8 * PAGE) | rnd() % 256;
			continue;
		case 4:
			make_guest();
			if (rnd() % 2)
				ioctl(vcpu_fd, KSPLIT_VMCLEAR, rnd() % 2);
			/* fallthrough */
		default:
			for (j = rnd() % 3; j; j--)
				set_slot(rnd() % KSPLIT_NR_SLOTS, rnd_value());
			for (j = rnd() % 2; j; j--)
				((uint64_t *)&run)[rnd() % (sizeof(run) / 8)] = rnd_value();
			/* Whatever it is: no longer than that. */
			run.flags |= rnd() % 4 ? KSPLIT_RUN_EXIT_AT_ONCE : 0;
			run.tsc_deadline = __builtin_ia32_rdtsc() + 100000;
			fd = ioctl(vcpu_fd, KSPLIT_RUN, rnd() % 64 ? (uintptr_t)&run : arg);
			continue;
		}
		/* Some calls return descriptors. */
		if (fd > 2 && fd != session && fd != vm_fd && fd != vcpu_fd)
			close(fd);
	}
	return n;
}

/* Operations of TST_DO. */
enum {
	DO_MAP,			/* key, size, prot, flags */
	DO_UNMAP,		/* address, size */
	DO_LEAF,		/* page number, entry; the root's number */
	DO_FLUSH,		/* what, start, end */
	DO_DIRTY,		/* index, slot, page */
	DO_COALESCE,		/* address, length, whether PIO, data */
	DO_BELL,		/* address, length, flags, descriptor, or BELL_NEW: an eventfd */
	DO_FAULT,		/* address, write, whether to map */
	DO_PEEK,		/* address */
	DO_POKE,		/* address, value */
	DO_RESET,		/* a sane guest */
	DO_FIELD,		/* encoding, value */
	DO_SLOT,		/* slot, value */
	DO_SHADOW,		/* encoding, value: a field that the guest may read */
	DO_FILL,		/* VMCS index, encoding; out[1]: value, in the shadow VMCS's page */
	DO_RUN,			/* RIP, RAX, flags; out[1]: RAX, out[2]: qualification */
	DO_RUN_VALUE,		/* offset in struct ksplit_run, value */
	DO_RACE,		/* runs */
	DO_FUZZ,		/* seed, calls */
	DO_FOREIGN,		/* calls from a child: another address space */
	DO_XMM,			/* a vector register's contents across a run */
	DO_SPIN,		/* ms: runs, whatever comes */
	DO_ONCE,		/* one run, not from the start: its exit reason; out[1]: RAX */
	DO_FPU,			/* sets and gets the guest's xstate; out[1]: bytes of it */
	DO_TICKS,		/* out[1]: the timer's ticks that met this thread in a guest */
	DO_PIN,			/* to the last CPU */
};

static int64_t foreign(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct ksplit_flush f = { 0 };

		_exit((ioctl(session, KSPLIT_OBJECT, 1) < 0 && errno == EIO) |
		      (ioctl(vm_fd, KSPLIT_FLUSH, &f) < 0 && errno == EIO) << 1 |
		      (ioctl(vcpu_fd, KSPLIT_RUN, &run) < 0 && errno == EIO) << 2 |
		      (map_window(3, PAGE, PROT_READ, MAP_SHARED) == -EIO) << 3 |
		      (ioctl(vm_fd, KSPLIT_COALESCE, &f) < 0 && errno == EIO) << 4 |
		      (ioctl(vcpu_fd, KSPLIT_DIRTY, &f) < 0 && errno == EIO) << 5);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static int64_t run_xmm(void)
{
	uint64_t in[2] = { 0x1122334455667788, 0x99aabbccddeeff00 }, out[2] = { 0 };
	struct ksplit_run *arg = &run;
	long r = SYS_ioctl;

	asm volatile("movdqu %[in], %%xmm7\n\t"
		     "syscall\n\t"
		     "movdqu %%xmm7, %[out]"
		     : "+a" (r), [out] "=m" (out)
		     : "D" ((long)vcpu_fd), "S" ((long)KSPLIT_RUN), "d" (arg), [in] "m" (in)
		     : "rcx", "r11", "memory", "xmm7");
	return r ? r : memcmp(in, out, sizeof(in)) ? 1 : 0;
}

static int64_t spin(uint64_t ms)
{
	struct timespec t;
	uint64_t end;

	clock_gettime(CLOCK_MONOTONIC, &t);
	end = t.tv_sec * 1000 + t.tv_nsec / 1000000 + ms;
	do {
		run.tsc_deadline = __builtin_ia32_rdtsc() + 1000000;
		if (ioctl(vcpu_fd, KSPLIT_RUN, &run) && errno != EINTR)
			return -errno;
		clock_gettime(CLOCK_MONOTONIC, &t);
	} while ((uint64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 < end);
	run.tsc_deadline = ~0ull;
	return 0;
}

static int64_t once(int64_t *w)
{
	int64_t r = ioctl(vcpu_fd, KSPLIT_RUN, &run) ? -errno : 0;

	w[1] = run.regs[0];
	return r ? r : (int64_t)vmcs.field[slot_of(VM_EXIT_REASON)];
}

/* What is behind the image must not change, here and in the kernel (slub_debug). */
static int64_t fpu(int64_t *w)
{
	static uint8_t image[3][8192];
	static struct ksplit_info info;
	struct ksplit_fpu f = { .pkru = 5 };
	int control = open("/dev/kvm-split", O_RDWR | O_CLOEXEC);

	if (control < 0 || ioctl(control, KSPLIT_GET_INFO, &info))
		return -errno;
	close(control);
	memset(image, 0xaa, sizeof(image));
	for (int i = 0; i < 3; i++) {
		f.buf = (uintptr_t)image[i];
		if (ioctl(vcpu_fd, KSPLIT_FPU_GET, &f))
			return -errno;
		for (unsigned int j = info.xstate_size; j < sizeof(image[i]); j++)
			if (image[i][j] != 0xaa)
				return j;
		if (!i) {
			image[0][160] ^= 0x55;	/* XMM0 */
			if (info.xstate_size > 512)
				image[0][512] |= 3;
			if (ioctl(vcpu_fd, KSPLIT_FPU_SET, &f))
				return -errno;
		}
	}
	w[1] = info.xstate_size;
	return image[1][160] != image[0][160] || memcmp(image[1], image[2], info.xstate_size);
}

static int64_t ticks_in_guest(void)
{
	FILE *f = fopen("/proc/thread-self/stat", "r");
	char line[1024] = "", *p;
	int field = 2;

	if (!f || !fgets(line, sizeof(line), f))
		return -EIO;
	fclose(f);
	for (p = strrchr(line, ')'); p && field < 43; field++)
		p = strchr(p + 1, ' ');
	return p ? atol(p) : -EIO;
}

static int64_t pin(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpus);
	return sched_setaffinity(0, sizeof(cpus), &cpus) ? -errno : 0;
}

#define BELL_NEW	-2

static int64_t set_bell(const int64_t *w)
{
	struct kvm_ioeventfd bell = {
		.addr = w[1], .len = w[2], .flags = w[3],
		.fd = w[4] == BELL_NEW ? eventfd(0, EFD_CLOEXEC) : w[4],
	};
	int64_t r = ioctl(vm_fd, KSPLIT_IOEVENTFD, &bell) ? -errno : 0;

	if (w[4] == BELL_NEW)
		close(bell.fd);
	return r;
}

static int64_t operate(int64_t *w)
{
	struct kvm_coalesced_mmio write;
	struct ksplit_dirty dirty;
	struct ksplit_flush f;
	struct ksplit_fill fill;
	pthread_t thread;
	int64_t r = 0, i;

	switch (w[0]) {
	case DO_MAP:
		return map_window(w[1], w[2], w[3], w[4]);
	case DO_UNMAP:
		return munmap((void *)w[1], w[2]) ? -errno : 0;
	case DO_LEAF:
		table(3)[w[1]] = w[2];
		make_tables(w[3]);
		return 0;
	case DO_FLUSH:
		f = (struct ksplit_flush){ .what = w[1], .start = w[2], .end = w[3] };
		return ioctl(vm_fd, KSPLIT_FLUSH, &f) ? -errno : 0;
	case DO_DIRTY:
		dirty = (struct ksplit_dirty){ .index = w[1], .slot = w[2], .offset = w[3] };
		r = ioctl(vcpu_fd, KSPLIT_DIRTY, &dirty);
		return r < 0 ? -errno : r;
	case DO_COALESCE:
		write = (struct kvm_coalesced_mmio){ .phys_addr = w[1], .len = w[2], .pio = w[3] };
		memcpy(write.data, &w[4], sizeof(write.data));
		return ioctl(vm_fd, KSPLIT_COALESCE, &write) ? -errno : 0;
	case DO_BELL:
		return set_bell(w);
	case DO_FAULT:
		r = fault(w[1], w[2], w[3]);
		return r;
	case DO_PEEK:
		return peek(w[1]);
	case DO_POKE:
		return poke(w[1], w[2]);
	case DO_RESET:
		ioctl(vcpu_fd, KSPLIT_VMCLEAR, 0);
		ioctl(vcpu_fd, KSPLIT_VMCLEAR, 1);
		memset((void *)TABLES, 0, TABLE_PAGES * PAGE);
		make_guest();
		return 0;
	case DO_FIELD:
		set_field(w[1], w[2]);
		return 0;
	case DO_SLOT:
		set_slot(w[1], w[2]);
		return 0;
	case DO_SHADOW:
		shadow.field[slot_of(w[1])] = w[2];
		shadow.dirty[slot_of(w[1]) / 64] |= 1ull << slot_of(w[1]) % 64;
		return 0;
	case DO_FILL:
		fill = (struct ksplit_fill){ (uintptr_t)&shadow, w[1], slot_of(w[2]) };
		r = ioctl(vcpu_fd, KSPLIT_FILL, &fill);
		w[1] = shadow.field[slot_of(w[2])];
		return r ? -errno : 0;
	case DO_RUN:
		set_field(GUEST_RIP, w[1]);
		run.regs[0] = w[2];
		run.flags = w[3];
		r = enter();
		w[1] = run.regs[0];
		w[2] = vmcs.field[slot_of(EXIT_QUALIFICATION)];
		return r;
	case DO_RUN_VALUE:
		*(uint64_t *)((char *)&run + w[1]) = w[2];
		return 0;
	case DO_RACE:
		stop_racing = 0;
		pthread_create(&thread, NULL, race, NULL);
		for (i = 0; i < w[1]; i++) {
			run.tsc_deadline = __builtin_ia32_rdtsc() + 20000;
			if (!ioctl(vcpu_fd, KSPLIT_RUN, &run))
				r++;
			else	/* what was caught of a field is the stub's until it is written */
				memset(vmcs.dirty, 0xff, sizeof(vmcs.dirty));
		}
		stop_racing = 1;
		pthread_join(thread, NULL);
		w[1] = i - r;
		return r;
	case DO_FUZZ:
		return fuzz(w[1], w[2]);
	case DO_FOREIGN:
		return foreign();
	case DO_XMM:
		return run_xmm();
	case DO_SPIN:
		return spin(w[1]);
	case DO_ONCE:
		return once(w);
	case DO_FPU:
		return fpu(w);
	case DO_TICKS:
		w[1] = ticks_in_guest();
		return 0;
	case DO_PIN:
		return pin();
	}
	return -ENOSYS;
}

static void serve(struct ksplit_next *n, void *prefetch)
{
	/* From the first vCPU on: no guest keeps this process from its next call. */
	const struct itimerval tick = { { 0, 100000 }, { 0, 100000 } };
	static struct words out;
	static int handles;
	int fd;

	switch (n->cmd) {
	case KVM_CREATE_VM:
		fd = ioctl(session, KSPLIT_OBJECT, n->id);
		n->result = fd < 0 ? -errno : 0;
		n->new_handle = ++handles;
		if (vm_fd < 0)
			vm_fd = fd;
		break;
	case KVM_CREATE_VCPU:
		fd = ioctl(session, KSPLIT_OBJECT, n->id);
		n->result = fd < 0 ? -errno : 0;
		n->new_handle = ++handles;
		if (vcpu_fd >= 0)
			break;
		vcpu_fd = fd;
		setitimer(ITIMER_REAL, &tick, NULL);
		break;
	case KVM_SET_USER_MEMORY_REGION:
		break;
	case TST_DO:
		memcpy(&out, prefetch, sizeof(out));
		out.w[0] = operate(out.w);
		n->out = (uintptr_t)&out;
		n->out_len = sizeof(out);
		break;
	default:
		n->result = -ENOTTY;
	}
}

/* Ends with its client. */
static void worker(int tenant)
{
	static uint8_t prefetch[KSPLIT_PREFETCH_MAX];
	struct ksplit_next n = { .prefetch = (uintptr_t)prefetch };
	struct sigaction sa = { .sa_handler = on_fault };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	sa.sa_handler = on_tick;
	sigaction(SIGALRM, &sa, NULL);
	CHECK(mmap((void *)TABLES, TABLE_PAGES * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED);
	session = ioctl(tenant, KSPLIT_SERVE);
	CHECK(session >= 0);
	close(tenant);
	for (;;) {
		if (ioctl(session, KSPLIT_NEXT, &n)) {
			if (errno == ESHUTDOWN)
				_exit(0);
			if (errno != EFAULT)
				memset(&n, 0, offsetof(struct ksplit_next, prefetch));
			memset(prefetch, 0, sizeof(prefetch));	/* bring it in */
			continue;
		}
		memset(&n, 0, offsetof(struct ksplit_next, prefetch));
		if (n.op == KSPLIT_OP_RELEASE)
			continue;
		n.reply_to = n.id;
		serve(&n, prefetch);
	}
}

/* --------------------------------------------------------- client -- */

#define RAM_PAGES	8	/* page 1 holds the code */

static int kvm, vm, vcpu;
static pid_t worker_pid;
static uint8_t *ram;
static struct words done;	/* what the last call brought */

static int64_t act(int what, const char *name, int64_t a, int64_t b, int64_t c, int64_t d)
{
	done = (struct words){ { what, a, b, c, d } };
	tried("%s(%#llx, %#llx, %#llx, %#llx), which did not return", name, (long long)a, (long long)b,
	      (long long)c, (long long)d);
	CHECK(!ioctl(vm, TST_DO, &done));
	snprintf(strchr(last_tries[0], ')') + 1, 32, " = %lld (%#llx)", (long long)done.w[0],
		 (long long)done.w[0]);
	return done.w[0];
}

#define DO(what, ...)	DO_(what, ##__VA_ARGS__, 0, 0, 0, 0)
#define DO_(what, a, b, c, d, ...)	act(DO_##what, #what, a, b, c, d)

static int set_slot_of(int key, uint64_t gpa, void *addr, uint64_t size, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = key, .flags = flags, .guest_phys_addr = gpa,
		.memory_size = size, .userspace_addr = (uintptr_t)addr,
	};

	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
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

static uint64_t leaf(unsigned int page, unsigned int rights)
{
	return (WINDOW + page * PAGE) | 6 << 3 | rights;
}

static void load_code(const void *code, size_t len)
{
	memcpy(ram + PAGE, code, len);
}

/* mov eax,[0x3000]; hlt, and a store instead */
static const uint8_t code_load[] = { 0x66, 0xa1, 0x00, 0x30, 0xf4 };
static const uint8_t code_store[] = { 0x66, 0xa3, 0x00, 0x30, 0xf4 };
static const uint8_t code_spin[] = { 0xfb, 0x40, 0xeb, 0xfd };	/* sti; inc; jmp */

#define RUN(rip, ...)	DO(RUN, rip, ##__VA_ARGS__)
#define HLT	12
#define EPT	48

/* The guest's next instruction faults on the owner's side until it is there. */
static int64_t run_filled(uint64_t rax)
{
	int64_t r;
	int i;

	for (i = 0; i < 20; i++) {
		r = RUN(0x1000, rax);
		if (r != (BACKING | EPT))
			return r;
		/* Not known here which page it was: any of them. */
		for (int page = 0; page < RAM_PAGES; page++)
			DO(FAULT, WINDOW + page * PAGE, 1, 0);
	}
	return r;
}

static void start(uint32_t max_vcpus, uint32_t max_slots)
{
	struct ksplit_bind b = {
		.uid = getuid(), .max_vms = 8, .max_vcpus = max_vcpus, .max_slots = max_slots,
	};
	int control, tenant;
	struct pollfd p;

	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	control = open("/dev/kvm-split", O_RDWR | O_CLOEXEC);
	CHECK(control >= 0);
	tenant = ioctl(control, KSPLIT_BIND, &b);
	CHECK(tenant >= 0);
	worker_pid = fork();
	CHECK(worker_pid >= 0);
	if (!worker_pid)
		worker(tenant);
	p = (struct pollfd){ .fd = tenant, .events = POLLIN };
	while (poll(&p, 1, 0) > 0)
		usleep(2000);
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	CHECK(kvm >= 0);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	CHECK(vm >= 0);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	CHECK(vcpu >= 0);
	ram = mmap(NULL, RAM_PAGES * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(ram != MAP_FAILED);
	for (int i = 0; i < RAM_PAGES; i++)
		ram[i * PAGE] = 0x80 + i;
	CHECK(!set_slot_of(0, 0, ram, RAM_PAGES * PAGE, 0));
	CHECK(!DO(RESET));
}

/* A window on the slot, a leaf for each page, the first run. */
static void start_guest(const void *code, size_t len)
{
	start(256, 64);
	CHECK(!DO(MAP, 0, RAM_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED));
	for (int i = 0; i < RAM_PAGES; i++)
		CHECK(!DO(LEAF, i, leaf(i, 7)));
	load_code(code, len);
}

/* ---------------------------------------------------------- tests -- */

/* No field but the worker's own reaches the CPU: 1 and 3. */
static void test_fields(void)
{
	static const uint64_t junk[] = { ~0ull, 0, 0xdead000, 0xffff888000001000 };

	start_guest(code_load, sizeof(code_load));
	CHECK(run_filled(0) == HLT && done.w[1] == 0x83);
	for (unsigned int i = 0; i < NR_FIELDS; i++) {
		if (fields[i].cls == CTL || fields[i].cls == GUEST ||
		    fields[i].encoding == EPT_POINTER || fields[i].encoding == MSR_BITMAP)
			continue;
		for (int j = 0; j < 4; j++) {
			DO(FIELD, fields[i].encoding, junk[j]);
			CHECK(RUN(0x1000) == HLT && done.w[1] == 0x83);
		}
	}
	/* Slots of no field. */
	for (unsigned int slot = 0; slot < KSPLIT_NR_SLOTS; slot++) {
		unsigned int i = 0;

		while (i < NR_FIELDS && slot_of(fields[i].encoding) != slot)
			i++;
		if (i < NR_FIELDS)
			continue;
		DO(SLOT, slot, ~0ull);
		CHECK(RUN(0x1000) == HLT && done.w[1] == 0x83);
	}
	/* Addresses that the stub reads: of the worker's, or -EFAULT. */
	for (int j = 0; j < 4; j++) {
		DO(FIELD, MSR_BITMAP, junk[j]);
		if (junk[j])
			CHECK(RUN(0x1000) == -EFAULT);
		else
			CHECK(RUN(0x1000) == HLT);
	}
}

/* Whatever a worker asks for, these exit: 2. */
static void test_controls(void)
{
	static const struct {
		const char *name;
		uint8_t code[8];
		int reason;
	} exits[] = {
		{ "out",	{ 0xe6, 0x80 }, 30 },
		{ "in",		{ 0xe4, 0x80 }, 30 },
		{ "hlt",	{ 0xf4 }, 12 },
		{ "rdpmc",	{ 0x0f, 0x33 }, 15 },
		{ "cpuid",	{ 0x0f, 0xa2 }, 10 },
		{ "wbinvd",	{ 0x0f, 0x09 }, 54 },
		{ "vmcall",	{ 0x0f, 0x01, 0xc1 }, 18 },
		/* mov ecx,0x1b (APIC_BASE); rdmsr; and wrmsr of EFER */
		{ "rdmsr",	{ 0x66, 0xb9, 0x1b, 0, 0, 0, 0x0f, 0x32 }, 31 },
		{ "wrmsr",	{ 0x66, 0xb9, 0x80, 0, 0, 0xc0, 0x0f, 0x30 }, 32 },
		/* mov dr7,eax; mov cr0,eax of PE */
		{ "mov dr",	{ 0x0f, 0x23, 0xf8 }, 29 },
		{ "mov cr0",	{ 0x66, 0xb8, 0x31, 0, 0, 0, 0x0f, 0x22 }, 28 },
	};
	static const uint32_t controls[] = {
		PIN_BASED_VM_EXEC_CONTROL, CPU_BASED_VM_EXEC_CONTROL, VM_EXIT_CONTROLS,
		VM_ENTRY_CONTROLS, EXCEPTION_BITMAP, CR0_GUEST_HOST_MASK, CR4_GUEST_HOST_MASK
	};
	static const uint64_t wishes[] = { 0, 0x80000000, ~0ull };
	/* SMXE, CET, PKS, UINTR, LAM_SUP, FRED, and one that no CPU has. */
	static const uint64_t cr4[] = {
		1 << 14, 1 << 23, 1 << 24, 1 << 25, 1 << 28, 1ull << 32, 1ull << 63
	};
	/*
	 * Of a reserved type; an NMI and an exception with another vector; error codes
	 * that do not belong there; another event; reserved bits, of which later CPUs know.
	 */
	static const uint32_t events[] = {
		0x80000100, 0x80000203, 0x80000320, 0x80000b06, 0x80000c80, 0x80000701,
		0x80001020, 0x80002020, 0xc0000020
	};

	start_guest(code_load, sizeof(code_load));
	CHECK(run_filled(0) == HLT);
	for (int wish = 0; wish < 2; wish++) {
		for (unsigned int i = 0; i < sizeof(controls) / sizeof(*controls); i++)
			DO(FIELD, controls[i], wishes[wish]);
		for (unsigned int i = 0; i < sizeof(exits) / sizeof(*exits); i++) {
			ram[PAGE + 8] = 0xc0;	/* the end of mov cr0,eax */
			load_code(exits[i].code, sizeof(exits[i].code));
			ram[PAGE + 9] = 0xf4;
			tried("%s with %#lx", exits[i].name, (long)wishes[wish]);
			CHECK_EQ(RUN(0x1000, 0x80), exits[i].reason);
		}
	}
	/* States in which a CPU takes no interrupt. */
	for (int state = 2; state < 6; state++) {
		DO(FIELD, GUEST_ACTIVITY_STATE, state);
		CHECK(RUN(0x1000) == -EINVAL);
	}
	DO(FIELD, GUEST_ACTIVITY_STATE, 0);
	/* What VM entry refuses: a guest hypervisor can cause it, and is to be told. */
	for (unsigned int i = 0; i < sizeof(cr4) / sizeof(*cr4); i++) {
		DO(FIELD, GUEST_CR4, cr4[i]);
		CHECK_EQ(RUN(0x1000), FAILED_ENTRY | 33);
	}
	DO(FIELD, GUEST_CR4, 0);
	for (unsigned int i = 0; i < sizeof(events) / sizeof(*events); i++) {
		DO(FIELD, VM_ENTRY_INTR_INFO_FIELD, events[i]);
		CHECK_EQ(RUN(0x1000), VMFAIL | 7);
	}
	DO(FIELD, VM_ENTRY_INTR_INFO_FIELD, 0);
	for (int bit = 2; bit < 32; bit++) {
		if (bit == 3)			/* blocking by NMI */
			continue;
		DO(FIELD, GUEST_INTERRUPTIBILITY_INFO, 1ul << bit);
		CHECK_EQ(RUN(0x1000), FAILED_ENTRY | 33);
	}
	DO(FIELD, GUEST_INTERRUPTIBILITY_INFO, 0);
	load_code(code_load, sizeof(code_load));
	CHECK(RUN(0x1000) == HLT && done.w[1] == 0x83);
	/* A complete set of wishes that make no sense: refused or an exit. */
	for (unsigned int i = 0; i < sizeof(controls) / sizeof(*controls); i++)
		DO(FIELD, controls[i], wishes[2]);
	load_code(code_load, sizeof(code_load));
	RUN(0x1000, 0, KSPLIT_RUN_EXIT_AT_ONCE);
	DO(RESET);
	for (int i = 0; i < RAM_PAGES; i++)
		DO(LEAF, i, leaf(i, 7));
	CHECK(run_filled(0) == HLT);
}

/* What a guest of 32 bits sees of a value. */
static uint64_t seen(uint32_t encoding, uint64_t value)
{
	return value & (encoding >> 13 & 3 ? 0xffffffff : 0xffff);
}

/* A guest reads and writes without exits what the worker put there, and no other field. */
static void test_shadow(void)
{
	/* vmread ebx,eax; mov eax,ebx; hlt, and a vmwrite of 0x7654321 instead */
	static const uint8_t code_vmread[] = { 0x0f, 0x78, 0xc3, 0x66, 0x89, 0xd8, 0xf4 };
	static const uint8_t code_vmwrite[] = {
		0x66, 0xbb, 0x21, 0x43, 0x65, 0x07, 0x0f, 0x79, 0xc3, 0xf4
	};
	static const uint64_t junk[] = { 0, ~0ull, 0xdead000, 0xffff888000001000 };
	const uint64_t value = 0x1234567890abcdef;
	int reads = 0, writes = 0;
	int64_t r;

	start_guest(code_vmread, sizeof(code_vmread));
	DO(FIELD, GUEST_CR0, 0x31);	/* protected mode, 16 bits */
	DO(FIELD, SECONDARY_VM_EXEC_CONTROL, 1 << 7 | 1 << 14);
	for (int j = 0; j < 4; j++) {
		DO(FIELD, VMCS_LINK_POINTER, junk[j]);
		CHECK(RUN(0x1000) == -EFAULT);
	}
	DO(FIELD, VMCS_LINK_POINTER, (uintptr_t)&shadow);	/* the same in the worker */
	for (unsigned int i = 0; i < NR_FIELDS; i++)
		DO(SHADOW, fields[i].encoding, value ^ fields[i].encoding);
	CHECK(run_filled(GUEST_RSP) == HLT);
	CHECK(done.w[1] == (int64_t)seen(GUEST_RSP, value ^ GUEST_RSP));
	for (unsigned int i = 0; i < NR_FIELDS; i++) {
		uint32_t e = fields[i].encoding;

		load_code(code_vmread, sizeof(code_vmread));
		r = RUN(0x1000, e);
		CHECK(r == HLT || r == 23);
		if (r == HLT)
			CHECK(done.w[1] == (int64_t)seen(e, value ^ e));
		reads += r == HLT;

		load_code(code_vmwrite, sizeof(code_vmwrite));
		r = RUN(0x1000, e);
		CHECK(r == HLT || r == 25);
		if (r != HLT)
			continue;
		writes++;
		for (unsigned int k = 0; k < 2; k++) {
			CHECK(DO(FILL, KSPLIT_NR_VMCS + k, e) == 0);
			/* The other VMCS has a shadow VMCS of its own. */
			CHECK(done.w[1] == (int64_t)(k ? 0 : seen(e, 0x7654321)));
		}
	}
	/* vmx/vmcs_shadow_fields.h without PML, on a CPU that has all fields. */
	CHECK(reads == 34 && writes == 23);
	CHECK(DO(FILL, 2 * KSPLIT_NR_VMCS, GUEST_RIP) == -EINVAL);
	CHECK(DO(FILL, ~0u, GUEST_RIP) == -EINVAL);
	/* Of the run's VMCS nothing has changed. */
	load_code(code_load, sizeof(code_load));
	DO(FIELD, SECONDARY_VM_EXEC_CONTROL, 1 << 7);
	CHECK(RUN(0x1000) == HLT && done.w[1] == 0x83);
	load_code(code_vmread, sizeof(code_vmread));
	CHECK(RUN(0x1000, GUEST_RSP) == 23);
}

/* Values of a run that would fault, or stay, in the host. */
static void test_values(void)
{
	static const struct {
		size_t offset;
		uint64_t value, sane;
	} bad[] = {
		{ offsetof(struct ksplit_run, xcr0), 0, 1 },
		{ offsetof(struct ksplit_run, xcr0), 5, 1 },
		{ offsetof(struct ksplit_run, xcr0), 1ull << 63 | 1, 1 },
		{ offsetof(struct ksplit_run, xss), 1, 0 },
		{ offsetof(struct ksplit_run, dr6), 1ull << 32, 0 },
		{ offsetof(struct ksplit_run, vmcs), 0xffff888000000000, 0 },
		{ offsetof(struct ksplit_run, vmcs), 8, 0 },
	};
	uint64_t vmcs_addr;

	start_guest(code_load, sizeof(code_load));
	CHECK(run_filled(0) == HLT);
	vmcs_addr = (uintptr_t)&vmcs;		/* the same in the worker */
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int64_t r;

		DO(RUN_VALUE, bad[i].offset, bad[i].value);
		r = RUN(0x1000);
		CHECK(r == -EINVAL || r == -EFAULT);
		DO(RUN_VALUE, bad[i].offset, bad[i].offset ? bad[i].sane : vmcs_addr);
	}
	CHECK(RUN(0x1000, 0, 0x80000000) == -EINVAL);	/* flags */
	/* MSRs: not canonical, or reserved; that of index 0 is always loaded. */
	for (int i = 0; i < KSPLIT_NR_RUN_MSRS; i++) {
		if (i == KSPLIT_MSR_STAR)
			continue;
		DO(RUN_VALUE, offsetof(struct ksplit_run, msr) + 8 * i, 1ull << 62);
		DO(RUN_VALUE, offsetof(struct ksplit_run, pkru), (1ull << i) << 32);
		CHECK(RUN(0x1000) == -EINVAL);
		DO(RUN_VALUE, offsetof(struct ksplit_run, pkru), 0);
		CHECK(RUN(0x1000) == (i == KSPLIT_MSR_KERNEL_GS_BASE ? -EINVAL : HLT));
		DO(RUN_VALUE, offsetof(struct ksplit_run, msr) + 8 * i, 0);
	}
	DO(RUN_VALUE, offsetof(struct ksplit_run, pkru), 0);
	CHECK(RUN(0x1000) == HLT);
}

/* The worker changes its structures while the stub reads them: 4. */
static void test_race(void)
{
	int64_t good;

	start_guest(code_load, sizeof(code_load));
	CHECK(run_filled(0) == HLT);
	good = DO(RACE, 3000);
	printf("%s: %ld runs, %ld refused\n", test, (long)good, (long)done.w[1]);
	CHECK(good > 0);
	DO(RESET);
	for (int i = 0; i < RAM_PAGES; i++)
		DO(LEAF, i, leaf(i, 7));
	CHECK(run_filled(0) == HLT && done.w[1] == 0x83);
}

/* A window shows what is the owner's and registered, with its rights: 5. */
static void test_window(void)
{
	const size_t size = RAM_PAGES * PAGE;
	uint8_t *page = ram;

	start(256, 64);
	page = ram + 3 * PAGE;
	CHECK(DO(MAP, 1, size, PROT_READ, MAP_SHARED) == -ENOENT);
	CHECK(DO(MAP, 0, size / 2, PROT_READ, MAP_SHARED) == -EINVAL);
	CHECK(DO(MAP, 0, 2 * size, PROT_READ, MAP_SHARED) == -EINVAL);
	CHECK(DO(MAP, 0, size, PROT_READ, MAP_PRIVATE) == -EINVAL);
	CHECK(DO(MAP, 0, size, PROT_READ | PROT_EXEC, MAP_SHARED) == -EINVAL);
	CHECK(!DO(MAP, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED));
	/* Part of it cannot be given up. */
	CHECK(DO(UNMAP, WINDOW, PAGE) == -EINVAL);
	CHECK(DO(PEEK, WINDOW + 3 * PAGE) == -EFAULT);
	CHECK(!DO(FAULT, WINDOW + 3 * PAGE, 0, 1));
	CHECK(DO(PEEK, WINDOW + 3 * PAGE) == 0x83);
	CHECK(DO(PEEK, WINDOW + 4 * PAGE) == -EFAULT);
	CHECK(DO(FAULT, WINDOW - PAGE, 0, 1) == -ENOENT);
	CHECK(DO(FAULT, WINDOW + size, 0, 1) == -ENOENT);
	CHECK(DO(FAULT, TABLES, 0, 1) == -ENOENT);
	CHECK(DO(FAULT, 0xffff888000000000, 0, 1) == -ENOENT);

	/* Another page in its place, and none. */
	CHECK(!madvise(page, PAGE, MADV_DONTNEED));
	page[0] = 0x55;
	CHECK(!DO(FLUSH, KSPLIT_FLUSH_BACKING));
	CHECK(DO(PEEK, WINDOW + 3 * PAGE) == -EFAULT);
	CHECK(!DO(FAULT, WINDOW + 3 * PAGE, 1, 1));
	CHECK(!DO(POKE, WINDOW + 3 * PAGE, 0x66) && page[0] == 0x66);
	CHECK(!mprotect(page, PAGE, PROT_NONE));
	CHECK(!DO(FLUSH, KSPLIT_FLUSH_BACKING));
	CHECK(DO(PEEK, WINDOW + 3 * PAGE) == -EFAULT);
	CHECK(DO(FAULT, WINDOW + 3 * PAGE, 0, 1) == -EFAULT);
	CHECK(DO(PEEK, WINDOW + 3 * PAGE) == -EFAULT);

	/* What the owner may only read. */
	CHECK(!mprotect(page, PAGE, PROT_READ));
	CHECK(DO(FAULT, WINDOW + 3 * PAGE, 1, 1) == -EFAULT);
	CHECK(!DO(FAULT, WINDOW + 3 * PAGE, 0, 1));
	CHECK(DO(PEEK, WINDOW + 3 * PAGE) == 0x66);
	CHECK(DO(POKE, WINDOW + 3 * PAGE, 1) == -EFAULT && page[0] == 0x66);
	CHECK(!munmap(page, PAGE));
	CHECK(DO(FAULT, WINDOW + 3 * PAGE, 0, 1) == -EFAULT);
	CHECK(DO(PEEK, WINDOW + 3 * PAGE) == -EFAULT);

	/* The kernel's addresses as a slot, and more than there is. */
	CHECK(set_slot_of(5, 0x100000, (void *)0xffff888000000000, PAGE, 0) && errno == EINVAL);
	CHECK(set_slot_of(5, 0x100000, ram, 1ull << 47, 0) && errno == EINVAL);
	CHECK(set_slot_of(5, 1ull << 52, ram, PAGE, 0) && errno == EINVAL);

	/* A read-only slot. */
	CHECK(!set_slot_of(1, 0x100000, ram, PAGE, KVM_MEM_READONLY));
	CHECK(!DO(MAP, 1, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED));
	CHECK(DO(FAULT, WINDOW + (1 << 28), 1, 1) == -EFAULT);
	CHECK(!DO(FAULT, WINDOW + (1 << 28), 0, 1));
	CHECK(DO(PEEK, WINDOW + (1 << 28)) == 0x80);
	CHECK(DO(POKE, WINDOW + (1 << 28), 1) == -EFAULT && ram[0] == 0x80);

	/* A slot that is gone: with the reply, the window is. */
	CHECK(!DO(FAULT, WINDOW, 1, 1) && DO(PEEK, WINDOW) == 0x80);
	CHECK(!set_slot_of(0, 0, ram, 0, 0));
	CHECK(DO(PEEK, WINDOW) == -EFAULT);
	CHECK(DO(FAULT, WINDOW, 0, 1) == -ENOENT);
	CHECK(!DO(UNMAP, WINDOW, size));
	CHECK_EQ(stat_of("window_pages"), 1);
	CHECK(!DO(UNMAP, WINDOW + (1 << 28), PAGE));
	CHECK_EQ(stat_of("window_pages"), 0);
}

/* So does an EPT, whatever the worker's tables say: 5. */
static void test_ept(void)
{
	const uint64_t outside[] = {
		WINDOW - PAGE, WINDOW + RAM_PAGES * PAGE, TABLES, PAGE, 0xfee00000, 0x1000000,
	};

	start_guest(code_load, sizeof(code_load));
	CHECK(run_filled(0) == HLT && done.w[1] == 0x83);
	/* A physical address, the worker's own memory, nothing. */
	for (unsigned int i = 0; i < sizeof(outside) / sizeof(*outside); i++) {
		DO(LEAF, 3, outside[i] | 6 << 3 | 7);
		CHECK(!DO(FLUSH, KSPLIT_FLUSH_ALL));
		CHECK(RUN(0x1000, 0x77) == EPT && done.w[1] == 0x77);
	}
	/* Another page of the slot, after a flush. */
	DO(LEAF, 3, leaf(5, 7));
	CHECK(!DO(FLUSH, KSPLIT_FLUSH_ALL));
	CHECK(run_filled(0) == HLT && done.w[1] == 0x85);
	/* The leaf allows less. */
	DO(LEAF, 3, leaf(3, 1));
	CHECK(!DO(FLUSH, KSPLIT_FLUSH_ALL));
	CHECK(run_filled(0) == HLT && done.w[1] == 0x83);
	load_code(code_store, sizeof(code_store));
	CHECK(RUN(0x1000, 0x11) == EPT && ram[3 * PAGE] == 0x83);
	DO(LEAF, 3, leaf(3, 7));
	CHECK(run_filled(0x12) == HLT && ram[3 * PAGE] == 0x12);
	/* The owner allows less: nobody is asked whether it may. */
	CHECK(!mprotect(ram + 3 * PAGE, PAGE, PROT_READ));
	CHECK(RUN(0x1000, 0x13) == (BACKING | EPT) && ram[3 * PAGE] == 0x12);
	CHECK(DO(FAULT, WINDOW + 3 * PAGE, 1, 0) == -EFAULT);
	CHECK(RUN(0x1000, 0x13) == (BACKING | EPT) && ram[3 * PAGE] == 0x12);
	load_code(code_load, sizeof(code_load));
	CHECK(RUN(0x1000) == HLT && done.w[1] == 0x12);
	/* A page that was replaced, and one that is gone. */
	CHECK(!mprotect(ram + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE));
	CHECK(!madvise(ram + 3 * PAGE, PAGE, MADV_DONTNEED));
	CHECK(run_filled(0) == HLT && done.w[1] == 0);
	CHECK(!munmap(ram + 3 * PAGE, PAGE));
	CHECK(RUN(0x1000) == (BACKING | EPT));
	CHECK(DO(FAULT, WINDOW + 3 * PAGE, 0, 0) == -EFAULT);
	CHECK(RUN(0x1000) == (BACKING | EPT));
	/* The slot is gone. */
	CHECK(!set_slot_of(0, 0, ram, 0, 0));
	CHECK(RUN(0x1000) == EPT);
	CHECK_EQ(stat_of("window_pages"), 0);
}

/* Translations do not outlive their tables: 7. */
static void test_tlb(void)
{
	start_guest(code_load, sizeof(code_load));
	CHECK(run_filled(0) == HLT);
	for (int i = 0; i < 200; i++) {
		int page = 2 + i % 6;

		/* Roots come and go: their pages change hands. */
		DO(LEAF, 3, leaf(page, 7), i % 3 ? 4 + i % 50 : 0);
		if (i % 2)
			CHECK(!DO(FLUSH, KSPLIT_FLUSH_ALL));
		else
			CHECK(!DO(FLUSH, KSPLIT_FLUSH_BACKING, WINDOW,
				  WINDOW + RAM_PAGES * PAGE));
		CHECK(run_filled(0) == HLT && done.w[1] == 0x80 + page);
		CHECK(stat_of("roots") <= 3);	/* every second flush drops all */
	}
	/* Nonlinear roots, one root, and another VMCS of the vCPU. */
	for (int i = 0; i < 30; i++) {
		int page = 2 + i % 6;

		DO(LEAF, 3, leaf(page, 7));
		CHECK(!DO(FLUSH, i % 2 ? KSPLIT_FLUSH_SHADOW : KSPLIT_FLUSH_ROOT, TABLES));
		if (i % 2 && page == 3)		/* it was linear */
			CHECK(!DO(FLUSH, KSPLIT_FLUSH_ALL));
		CHECK(run_filled(0) == HLT);
		CHECK(i % 2 || done.w[1] == 0x80 + page);
	}
}

static uint64_t read_msr(int fd, uint32_t msr)
{
	uint64_t value = 0;

	return pread(fd, &value, 8, msr) == 8 ? value : ~0ull;
}

static uint64_t read_xcr0(void)
{
	uint32_t lo, hi;

	asm volatile("xgetbv" : "=a" (lo), "=d" (hi) : "c" (0));
	return (uint64_t)hi << 32 | lo;
}

static int watched __attribute__((aligned(8)));

/* A process with a hardware watchpoint gets its trap while guests run. */
static void check_watchpoint(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		for (int i = 0; i < 20; i++) {
			usleep(2000);
			*(volatile int *)&watched = i;
		}
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	CHECK(!ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]), &watched));
	CHECK(!ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]),
		      0xd0001));	/* 4 bytes, writes */
	for (int i = 0; i < 20; i++) {
		CHECK(!ptrace(PTRACE_CONT, pid, 0, 0));
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
		CHECK(ptrace(PTRACE_PEEKDATA, pid, &watched, 0) == i);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

/* What a guest had in the CPU is the host's again for everybody else: 6. */
static void test_state(void)
{
	static const uint32_t msrs[] = {
		0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084,
		0x174, 0x175, 0x176, 0x277, 0x1d9, 0x48, 0xda0,
	};
	const int n = sizeof(msrs) / sizeof(*msrs);
	uint64_t before[n], xcr0 = read_xcr0();
	int fd = open("/dev/cpu/0/msr", O_RDONLY);
	struct words w = { { DO_SPIN, 1500 } };
	int status, rounds = 0;
	pid_t pid;

	CHECK(fd >= 0);
	for (int i = 0; i < n; i++)
		before[i] = read_msr(fd, msrs[i]);
	start_guest(code_load, sizeof(code_load));
	CHECK(run_filled(0) == HLT);
	DO(RUN_VALUE, offsetof(struct ksplit_run, msr) + 8 * KSPLIT_MSR_STAR, 0x1122334455667788);
	DO(RUN_VALUE, offsetof(struct ksplit_run, msr) + 8 * KSPLIT_MSR_LSTAR, 0x1000);
	DO(RUN_VALUE, offsetof(struct ksplit_run, msr) + 8 * KSPLIT_MSR_CSTAR, 0x2000);
	DO(RUN_VALUE, offsetof(struct ksplit_run, msr) + 8 * KSPLIT_MSR_SYSCALL_MASK, 0xffffffff);
	DO(RUN_VALUE, offsetof(struct ksplit_run, msr) + 8 * KSPLIT_MSR_KERNEL_GS_BASE, 0x3000);
	/* pkru, and the mask of all MSRs but TSC_AUX and SPEC_CTRL */
	DO(RUN_VALUE, offsetof(struct ksplit_run, pkru), 0x1full << 32 | 0xffffffff);
	for (int i = 0; i < 4; i++)
		DO(RUN_VALUE, offsetof(struct ksplit_run, dr) + 8 * i, 0x1000);
	DO(RUN_VALUE, offsetof(struct ksplit_run, dr6), 0xffff0ff0);
	/* Guest state that the CPU switches by itself. */
	DO(FIELD, GUEST_SYSENTER_CS, 0x10);
	DO(FIELD, GUEST_SYSENTER_ESP, 0x4000);
	DO(FIELD, GUEST_SYSENTER_EIP, 0x5000);
	DO(FIELD, GUEST_IA32_PAT, 0);	/* all uncached */
	DO(FIELD, GUEST_DR7, 0x4ff);
	DO(FIELD, GUEST_IA32_DEBUGCTL, 2);	/* BTF */
	load_code(code_spin, sizeof(code_spin));
	DO(FIELD, GUEST_RIP, 0x1000);
	DO(RUN_VALUE, offsetof(struct ksplit_run, vmcs_index), (int64_t)KSPLIT_RUN_DEBUGREGS << 32);

	pid = fork();		/* does not use the VM */
	if (!pid) {
		usleep(100000);
		for (rounds = 0; rounds < 100; rounds++) {
			for (int i = 0; i < n; i++)
				CHECK(read_msr(fd, msrs[i]) == before[i]);
			CHECK(read_xcr0() == xcr0);
			usleep(1000);
		}
		check_watchpoint();
		_exit(0);
	}
	do {
		w.w[0] = DO_SPIN;
		w.w[1] = 300;
		CHECK(!ioctl(vm, TST_DO, &w) && !w.w[0]);
	} while (waitpid(pid, &status, WNOHANG) == 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);

	/* And the worker's own registers. */
	DO(RESET);
	for (int i = 0; i < RAM_PAGES; i++)
		DO(LEAF, i, leaf(i, 7));
	/* pxor xmm7,xmm7 needs CR4.OSFXSR; hlt */
	load_code("\x66\x0f\xef\xff\xf4", 5);
	DO(FIELD, GUEST_CR4, 0x200);
	CHECK(run_filled(0) == HLT);
	DO(FIELD, GUEST_RIP, 0x1000);
	CHECK(DO(XMM) == 0);
}

/* A guest with flat segments in long mode; pages 4 to 6 are its page tables. */
static void long_mode(void)
{
	uint64_t *entry[3];

	memset(ram + 4 * PAGE, 0, 3 * PAGE);
	for (int i = 0; i < 3; i++) {
		entry[i] = (uint64_t *)(ram + (4 + i) * PAGE);
		entry[i][0] = i < 2 ? (5 + i) * PAGE | 7 : 0x87;
	}
	DO(FIELD, GUEST_CR0, 0x80000031);
	DO(FIELD, GUEST_CR3, 4 * PAGE);
	DO(FIELD, GUEST_CR4, 0x20);
	DO(FIELD, GUEST_IA32_EFER, 0x501);	/* SCE, LME, LMA */
	DO(FIELD, VM_ENTRY_CONTROLS, 1 << 9 | 1 << 15);	/* long mode, load EFER */
	DO(FIELD, GUEST_CS_SELECTOR, 0x8);
	DO(FIELD, GUEST_SS_SELECTOR, 0x10);
	for (int i = 0; i < 12; i += 2) {
		DO(FIELD, GUEST_ES_LIMIT + i, 0xffffffff);
		DO(FIELD, GUEST_ES_AR_BYTES + i, i == 2 ? 0xa09b : 0xc093);
	}
	DO(FIELD, EXCEPTION_BITMAP, 0xffffffff);	/* every exception exits */
}

/*
 * MSRs that a run does not load hold nothing of the host's: where it goes with
 * SYSCALL (from the last page of its own), and the number of its CPU (on the last
 * of two CPUs it is not 0).
 */
static void test_left_out(void)
{
	/* rdtscp; mov eax,ecx; hlt */
	static const uint8_t code_rdtscp[] = { 0x0f, 0x01, 0xf9, 0x89, 0xc8, 0xf4 };
	/* mov ecx,0x48; rdmsr; hlt: SPEC_CTRL, if there is such an MSR */
	static const uint8_t code_rdmsr[] = { 0xb9, 0x48, 0, 0, 0, 0x0f, 0x32, 0xf4 };
	int64_t r;

	start_guest(code_load, sizeof(code_load));
	CHECK(!DO(PIN));
	CHECK(run_filled(0) == HLT);
	long_mode();
	/* Whatever the worker left there: not in the mask. */
	for (int i = KSPLIT_MSR_STAR; i < KSPLIT_NR_RUN_MSRS; i++)
		DO(RUN_VALUE, offsetof(struct ksplit_run, msr) + 8 * i, 0x1234);
	DO(RUN_VALUE, offsetof(struct ksplit_run, pkru), 0);
	ram[0] = 0xf4;
	load_code("\x0f\x05", 2);		/* syscall */
	r = run_filled(0x77);
	printf("%s: exit %ld, RAX %#lx, qualification %#lx\n", test, (long)r, (long)done.w[1],
	       (long)done.w[2]);
	CHECK(r == HLT && done.w[1] == 0x77);

	DO(FIELD, SECONDARY_VM_EXEC_CONTROL, 1 << 7 | 1 << 3);	/* RDTSCP */
	load_code(code_rdtscp, sizeof(code_rdtscp));
	CHECK(run_filled(0x77) == HLT && done.w[1] == 0);
	load_code(code_rdmsr, sizeof(code_rdmsr));
	r = run_filled(0x77);
	CHECK((r == HLT && done.w[1] == 0) || (r == 0 && done.w[1] == 0x77));

	/* And what is in the mask is loaded. */
	DO(RUN_VALUE, offsetof(struct ksplit_run, msr) + 8 * KSPLIT_MSR_TSC_AUX, 0x4321);
	DO(RUN_VALUE, offsetof(struct ksplit_run, msr) + 8 * KSPLIT_MSR_LSTAR, 3 * PAGE);
	DO(RUN_VALUE, offsetof(struct ksplit_run, pkru),
	   (1ull << KSPLIT_MSR_TSC_AUX | 1ull << KSPLIT_MSR_LSTAR) << 32);
	load_code(code_rdtscp, sizeof(code_rdtscp));
	CHECK(run_filled(0) == HLT && done.w[1] == 0x4321);
	ram[0] = 0x80;
	ram[3 * PAGE] = 0xf4;
	load_code("\x0f\x05", 2);
	CHECK(run_filled(0x78) == HLT && done.w[1] == 0x78);
}

/*
 * The virtual-APIC page is memory that the worker itself may write, and stays in place
 * when it is gone there; without a TPR shadow CR8 exits: 1 and 2.
 */
static void test_apic(void)
{
	/* mov cr8,rax; mov rax,cr8; hlt */
	static const uint8_t code_cr8[] = { 0x44, 0x0f, 0x22, 0xc0, 0x44, 0x0f, 0x20, 0xc0, 0xf4 };
	static const uint64_t junk[] = { 0, ~0ull, 0xdead000, 0xffff888000001000 };
	const uint64_t own = TABLES + (TABLE_PAGES - 1) * PAGE, window = WINDOW + 7 * PAGE;

	start_guest(code_load, sizeof(code_load));
	CHECK(run_filled(0) == HLT);
	long_mode();
	load_code(code_cr8, sizeof(code_cr8));
	DO(FIELD, CPU_BASED_VM_EXEC_CONTROL, 0);
	CHECK(run_filled(5) == 28);
	DO(FIELD, CPU_BASED_VM_EXEC_CONTROL, 1 << 21);
	for (int j = 0; j < 4; j++) {
		DO(FIELD, VIRTUAL_APIC_PAGE_ADDR, junk[j]);
		CHECK_EQ(RUN(0x1000), -EFAULT);
	}
	/* The client's, and the worker's own that it may not write. */
	DO(PEEK, window);
	DO(FIELD, VIRTUAL_APIC_PAGE_ADDR, window);
	CHECK_EQ(RUN(0x1000), -EFAULT);
	DO(FIELD, VIRTUAL_APIC_PAGE_ADDR, (uintptr_t)code_cr8 & ~(PAGE - 1));
	CHECK_EQ(RUN(0x1000), -EFAULT);

	DO(FIELD, VIRTUAL_APIC_PAGE_ADDR, own);
	DO(POKE, own + 0x80, 0);
	CHECK_EQ(run_filled(5), HLT);
	CHECK_EQ(done.w[1], 5);
	CHECK_EQ(DO(PEEK, own + 0x80), 0x50);
	/* Above VTPR: VM entry refuses it. */
	DO(FIELD, TPR_THRESHOLD, 6);
	CHECK_EQ(RUN(0x1000), VMFAIL | 7);
	/* Of reserved bits as well. */
	DO(FIELD, TPR_THRESHOLD, 0x10);
	CHECK_EQ(RUN(0x1000), VMFAIL | 7);
	/* Lowered below it: the exit after the instruction. */
	DO(FIELD, TPR_THRESHOLD, 4);
	CHECK_EQ(RUN(0x1000, 3), 43);
	DO(FIELD, TPR_THRESHOLD, 0);
	/* What is mapped there from now on is another page. */
	CHECK(!DO(UNMAP, own, PAGE));
	CHECK_EQ(DO(PEEK, own), -EFAULT);
	CHECK_EQ(RUN(0x1000, 9), HLT);
	CHECK_EQ(done.w[1], 9);
	DO(FIELD, CPU_BASED_VM_EXEC_CONTROL, 0);
	CHECK_EQ(RUN(0x1000, 9), 28);
	DO(FIELD, CPU_BASED_VM_EXEC_CONTROL, 1 << 21);
	CHECK_EQ(RUN(0x1000, 9), -EFAULT);
}

/* Whether a worker may have these bits of a control word, by its capability MSR. */
static int offered(unsigned int msr, uint32_t bits)
{
	struct ksplit_info info;
	int control = open("/dev/kvm-split", O_RDWR | O_CLOEXEC);

	CHECK(control >= 0 && !ioctl(control, KSPLIT_GET_INFO, &info));
	close(control);
	return (info.vmx_msr[msr - 0x480] >> 32 & bits) == bits;
}

#define OFFERED_PIN	0x481
#define OFFERED_PROC2	0x48b
#define POSTS		(1u << 7)	/* pin-based: process posted interrupts */
#define TPR_SHADOW	(1u << 21)
#define UNRESTRICTED	(1u << 7)
#define ACCESSES	(1u << 0)	/* virtualize: APIC accesses */
#define X2APIC		(1u << 4)	/* x2APIC mode */
#define REGISTERS	(1u << 8)	/* APIC registers */
#define DELIVERY	(1u << 9)	/* interrupt delivery */

/* Pages of the worker's own. */
#define APIC_REGS	(TABLES + (TABLE_PAGES - 1) * PAGE)
#define POSTED		(TABLES + (TABLE_PAGES - 2) * PAGE)
#define APIC_TOKEN	(TABLES + (TABLE_PAGES - 3) * PAGE)

/* A guest in long mode with a virtual-APIC page. */
static void start_apic_guest(void)
{
	start_guest(code_load, sizeof(code_load));
	CHECK_EQ(run_filled(0), HLT);
	long_mode();
	DO(POKE, APIC_REGS, 0);
	DO(POKE, POSTED, 0);
	DO(FIELD, VIRTUAL_APIC_PAGE_ADDR, APIC_REGS);
	DO(FIELD, CPU_BASED_VM_EXEC_CONTROL, TPR_SHADOW);
}

/* Exit reason of an access to an MSR, 0 being written; HLT: none. */
static int64_t msr_access(uint32_t msr, int write)
{
	/* mov ecx,msr; xor edx,edx; rdmsr or wrmsr; hlt */
	uint8_t code[] = { 0xb9, 0, 0, 0, 0, 0x31, 0xd2, 0x0f, write ? 0x30 : 0x32, 0xf4 };

	memcpy(code + 1, &msr, sizeof(msr));
	load_code(code, sizeof(code));
	DO(FIELD, GUEST_INTR_STATUS, 0);
	/* SELF_IPI: a vector. */
	return RUN(0x1000, msr == 0x83f ? 0x41 : 0);
}

/*
 * An x2APIC's MSRs are the processor's virtual ones, or exit: the worker's bitmap lets
 * every one through; 2.
 */
static void test_x2apic(void)
{
	static const uint32_t msrs[] = {
		0x6e0, 0x802, 0x803, 0x808, 0x80a, 0x80b, 0x80f, 0x828, 0x830, 0x832, 0x838, 0x839,
		0x83f, 0x840, 0x8ff
	};
	static const uint32_t bits[] = { X2APIC, REGISTERS, DELIVERY };
	uint32_t controls;
	int64_t want;

	start_apic_guest();
	for (unsigned int set = 0; set < 8; set++) {
		controls = 0;
		for (unsigned int i = 0; i < 3; i++)
			if (set >> i & 1 && offered(OFFERED_PROC2, bits[i]))
				controls |= bits[i];
		DO(FIELD, SECONDARY_VM_EXEC_CONTROL, UNRESTRICTED | controls);
		for (unsigned int i = 0; i < ARRAY_SIZE(msrs); i++) {
			int tpr = msrs[i] == 0x808, x2apic = !!(controls & X2APIC);

			want = 31;
			if (x2apic && msrs[i] >= 0x800 && msrs[i] < 0x840 &&
			    (tpr || controls & REGISTERS))
				want = HLT;
			tried("rdmsr of %#x with %#x", msrs[i], controls);
			CHECK_EQ(msr_access(msrs[i], 0), want);
			want = 32;
			if (x2apic && (tpr || (controls & DELIVERY &&
					       (msrs[i] == 0x80b || msrs[i] == 0x83f))))
				want = HLT;
			tried("wrmsr of %#x with %#x", msrs[i], controls);
			CHECK_EQ(msr_access(msrs[i], 1), want);
		}
	}
	printf("x2apic: controls %#x\n", controls);
}

/*
 * The posted-interrupt descriptor is memory that the worker itself may write; the vector
 * is not its choice; the host gets its interrupts: 1 and 2.
 */
static void test_posted(void)
{
	/* mov ecx,1000; loop to itself; hlt */
	static const uint8_t code_loop[] = { 0xb9, 0xe8, 3, 0, 0, 0xe2, 0xfe, 0xf4 };
	static const uint64_t junk[] = { 0, ~0ull, 0xdead000, 0xffff888000001000 };
	static const uint64_t vectors[] = { 0, 2, 0x20, 0x80, 0xec, 0xf2, 0xfd, 0xff, ~0ull };

	start_apic_guest();
	load_code(code_loop, sizeof(code_loop));
	DO(FIELD, PIN_BASED_VM_EXEC_CONTROL, POSTS);
	DO(FIELD, SECONDARY_VM_EXEC_CONTROL, UNRESTRICTED | DELIVERY);
	if (!offered(OFFERED_PIN, POSTS)) {
		/* The bit is clear: nobody looks at the descriptor, which there is none of. */
		CHECK_EQ(RUN(0x1000), HLT);
		return;
	}
	for (int j = 0; j < 4; j++) {
		DO(FIELD, POSTED_INTR_DESC_ADDR, junk[j]);
		CHECK_EQ(RUN(0x1000), -EFAULT);
	}
	DO(FIELD, POSTED_INTR_DESC_ADDR, WINDOW + 7 * PAGE);
	CHECK_EQ(RUN(0x1000), -EFAULT);
	/* VM entry refuses one that is not aligned, and without interrupt delivery any. */
	for (int at = 1; at < 64; at *= 2) {
		DO(FIELD, POSTED_INTR_DESC_ADDR, POSTED + at);
		CHECK_EQ(RUN(0x1000), VMFAIL | 7);
	}
	DO(FIELD, POSTED_INTR_DESC_ADDR, POSTED + PAGE - 1);
	CHECK_EQ(RUN(0x1000), VMFAIL | 7);
	DO(FIELD, POSTED_INTR_DESC_ADDR, POSTED);
	DO(FIELD, SECONDARY_VM_EXEC_CONTROL, UNRESTRICTED);
	CHECK_EQ(RUN(0x1000), VMFAIL | 7);
	DO(FIELD, SECONDARY_VM_EXEC_CONTROL, UNRESTRICTED | DELIVERY);
	for (unsigned int i = 0; i < ARRAY_SIZE(vectors); i++) {
		DO(FIELD, POSTED_INTR_NV, vectors[i]);
		/* 0x41, posted: an entry begins with it. */
		DO(POKE, APIC_REGS + 0x220, 0);
		DO(POKE, POSTED + 8, 2);
		DO(POKE, POSTED + 32, 1);
		DO(FIELD, GUEST_INTR_STATUS, 0);
		tried("notification vector %#lx", (long)vectors[i]);
		CHECK_EQ(RUN(0x1000), HLT);
		CHECK_EQ(DO(PEEK, POSTED + 32), 0);
		CHECK_EQ(DO(PEEK, POSTED + 8), 0);
		CHECK_EQ(DO(PEEK, APIC_REGS + 0x220), 2);
	}
	/* What is mapped there from now on is another page. */
	CHECK(!DO(UNMAP, POSTED, PAGE));
	CHECK_EQ(RUN(0x1000), HLT);
	/* Exits acknowledge the host's interrupts, which are handled all the same. */
	load_code("\xeb\xfe", 2);
	DO(FIELD, GUEST_RIP, 0x1000);
	CHECK(!DO(SPIN, 300));
	printf("posted: offered\n");
}

/* The APIC-access page is one of the VM's, whatever the worker has at its address: 3. */
static void test_access(void)
{
	/* mov eax,[0x3080] or of 0x3020, and a store instead; hlt */
	uint8_t code_tpr[] = { 0x8b, 0x04, 0x25, 0x80, 0x30, 0, 0, 0xf4 };
	uint8_t code_read[] = { 0x8b, 0x04, 0x25, 0x20, 0x30, 0, 0, 0xf4 };
	uint8_t code_write[] = { 0x89, 0x04, 0x25, 0x20, 0x30, 0, 0, 0xf4 };
	const int can = offered(OFFERED_PROC2, ACCESSES);

	start_apic_guest();
	DO(POKE, APIC_TOKEN, 0x1111);
	DO(POKE, APIC_TOKEN + 0x20, 0x2222);
	DO(POKE, APIC_REGS + 0x80, 0x70);
	DO(LEAF, 3, APIC_TOKEN | 6 << 3 | 7);
	CHECK(!DO(FLUSH, KSPLIT_FLUSH_ALL));
	/* The worker's memory is no guest's. */
	load_code(code_read, sizeof(code_read));
	CHECK_EQ(RUN(0x1000), EPT);
	DO(FIELD, APIC_ACCESS_ADDR, APIC_TOKEN);
	DO(FIELD, SECONDARY_VM_EXEC_CONTROL, UNRESTRICTED | ACCESSES);
	if (can) {
		CHECK_EQ(RUN(0x1000), 44);
		CHECK_EQ(done.w[2] & 0xffff, 0x20);
		load_code(code_tpr, sizeof(code_tpr));
		CHECK_EQ(RUN(0x1000), HLT);
		CHECK_EQ(done.w[1], 0x70);
		if (offered(OFFERED_PROC2, X2APIC)) {
			DO(FIELD, SECONDARY_VM_EXEC_CONTROL, UNRESTRICTED | ACCESSES | X2APIC);
			CHECK_EQ(RUN(0x1000), VMFAIL | 7);
		}
		printf("access: offered\n");
	}
	/* Without the control it is memory; of nobody else. */
	DO(FIELD, SECONDARY_VM_EXEC_CONTROL, UNRESTRICTED);
	load_code(code_read, sizeof(code_read));
	CHECK_EQ(RUN(0x1000), HLT);
	CHECK_EQ(done.w[1], 0);
	load_code(code_write, sizeof(code_write));
	CHECK_EQ(RUN(0x1000, 0x33), HLT);
	load_code(code_read, sizeof(code_read));
	CHECK_EQ(RUN(0x1000), HLT);
	CHECK_EQ(done.w[1], 0x33);
	CHECK_EQ(DO(PEEK, APIC_TOKEN + 0x20), 0x2222);
	/* The worker means another page. */
	DO(FIELD, APIC_ACCESS_ADDR, APIC_REGS);
	CHECK_EQ(RUN(0x1000), HLT);
	CHECK(!DO(FLUSH, KSPLIT_FLUSH_ALL));
	CHECK_EQ(RUN(0x1000), EPT);
}

/* Doorbells: what the stub cannot answer it does not take, nor more than its cap; 9. */
static void test_bells(void)
{
	const uint32_t match = KVM_IOEVENTFD_FLAG_DATAMATCH, pio = KVM_IOEVENTFD_FLAG_PIO;
	const uint32_t gone = KVM_IOEVENTFD_FLAG_DEASSIGN;
	/* out 0x70,al; hlt */
	static const uint8_t code_out[] = { 0xe6, 0x70, 0xf4 };
	long answered;

	start_guest(code_load, sizeof(code_load));
	CHECK(run_filled(0) == HLT);
	CHECK_EQ(DO(BELL, 0x90000, 4, 0, BELL_NEW), -EINVAL);
	CHECK_EQ(DO(BELL, 0x90000, 0, match, BELL_NEW), -EINVAL);
	CHECK_EQ(DO(BELL, 0x90000, 1, match, BELL_NEW), -EINVAL);
	for (int bit = 0; bit < 32; bit++)
		if (~(match | pio | gone) >> bit & 1)
			CHECK_EQ(DO(BELL, 0x70, 1, pio | 1u << bit, BELL_NEW), -EINVAL);
	CHECK_EQ(DO(BELL, 0x70, 1, pio, -1), -EBADF);
	CHECK_EQ(DO(BELL, 0x70, 1, pio, 0x7fffffff), -EBADF);
	CHECK_EQ(DO(BELL, 0x70, 1, pio, 1), -EINVAL);	/* no eventfd */
	CHECK_EQ(DO(BELL, 0x70, 1, pio | gone, -1), -ENOENT);

	load_code(code_out, sizeof(code_out));
	CHECK_EQ(RUN(0x1000), 30);
	CHECK_EQ(DO(BELL, 0x70, 1, pio, BELL_NEW), 0);
	answered = stat_of("doorbells");
	CHECK_EQ(RUN(0x1000), HLT);
	CHECK_EQ(stat_of("doorbells"), answered + 1);
	CHECK_EQ(DO(BELL, 0x70, 1, pio | gone, -1), 0);
	CHECK_EQ(RUN(0x1000), 30);

	/* The same ones as well, with and without an address in common. */
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(DO(BELL, i % 3 * 0x1000, 0, pio, BELL_NEW), 0);
	CHECK_EQ(DO(BELL, 0, 0, pio, BELL_NEW), -ENOSPC);
	CHECK_EQ(DO(BELL, 0, 0, pio | gone, -1), 0);
	CHECK_EQ(DO(BELL, 0x70, 0, pio, BELL_NEW), 0);
	CHECK_EQ(DO(BELL, 0x71, 0, pio, BELL_NEW), -ENOSPC);
	CHECK_EQ(RUN(0x1000), HLT);
}

#define MISCONFIG	49

/* Doorbells in memory: what else hits a trap is not lost, memory least of all; 4, 9. */
static void test_traps(void)
{
	/* mov [0x3004],eax; hlt, and mov [0x3008] */
	static const uint8_t code_beside[] = { 0x66, 0xa3, 0x04, 0x30, 0xf4 };
	static const uint8_t code_behind[] = { 0x66, 0xa3, 0x08, 0x30, 0xf4 };
	const uint32_t *page;
	long answered;

	start_guest(code_store, sizeof(code_store));
	page = (uint32_t *)(ram + 3 * PAGE);
	DO(LEAF, 3, 6);		/* KVM's mark of MMIO */
	CHECK_EQ(run_filled(1), MISCONFIG);
	CHECK_EQ(RUN(0x1000, 1), MISCONFIG);
	CHECK_EQ(DO(BELL, 0x3000, 0, 0, BELL_NEW), 0);
	answered = stat_of("doorbells");
	CHECK_EQ(RUN(0x1000, 1), MISCONFIG);
	CHECK_EQ(RUN(0x1000, 1), HLT);
	CHECK_EQ(stat_of("doorbells"), answered + 1);

	/* Beside it, and without it. */
	load_code(code_beside, sizeof(code_beside));
	CHECK_EQ(RUN(0x1000, 1), MISCONFIG);
	CHECK_EQ(RUN(0x1000, 1), MISCONFIG);
	load_code(code_store, sizeof(code_store));
	CHECK_EQ(RUN(0x1000, 1), HLT);
	CHECK_EQ(DO(BELL, 0x3000, 0, KVM_IOEVENTFD_FLAG_DEASSIGN, -1), 0);
	CHECK_EQ(RUN(0x1000, 1), MISCONFIG);

	/* Memory takes a trap's place; a trap does not take memory's. */
	CHECK_EQ(DO(BELL, 0x3000, 0, 0, BELL_NEW), 0);
	CHECK_EQ(RUN(0x1000, 1), MISCONFIG);
	DO(LEAF, 3, leaf(3, 7));
	load_code(code_beside, sizeof(code_beside));
	CHECK_EQ(run_filled(7), HLT);
	load_code(code_store, sizeof(code_store));
	CHECK_EQ(RUN(0x1000, 8), HLT);
	DO(LEAF, 3, 6);
	load_code(code_behind, sizeof(code_behind));
	CHECK_EQ(RUN(0x1000, 9), HLT);
	CHECK(page[0] == 8 && page[1] == 7 && page[2] == 9);
	CHECK_EQ(stat_of("doorbells"), answered + 2);
	/* Gone with the flush. */
	DO(FLUSH, KSPLIT_FLUSH_ALL);
	CHECK_EQ(run_filled(9), MISCONFIG);
	CHECK_EQ(page[2], 9);
}

/*
 * An exception of real mode whose delivery meets a page that the EPT lacks: put
 * back by the stub, without the error code that real mode has none of.
 */
static void test_real_mode(void)
{
	/* mov ax,[0xffff]: #GP; and the handler: mov eax,0x77; hlt */
	static const uint8_t code[] = { 0xa1, 0xff, 0xff, 0xf4 };
	static const uint8_t handler[] = { 0x66, 0xb8, 0x77, 0, 0, 0, 0xf4 };
	long before;

	start_guest(code_load, sizeof(code_load));
	CHECK(run_filled(0) == HLT && done.w[1] == 0x83);
	load_code(code, sizeof(code));
	memcpy(ram + PAGE + 0x80, handler, sizeof(handler));
	memcpy(ram + 4 * 13, "\x80\x10\0\0", 4);	/* 0:0x1080 */
	DO(FIELD, GUEST_RSP, 0x7000);
	before = stat_of("exit_48_ring0");
	CHECK(RUN(0x1000, 0x11) == HLT && done.w[1] == 0x77);
	CHECK(stat_of("exit_48_ring0") > before);
}

/* Goes on until something else comes than an interrupt or a signal. */
static int64_t go_on(int tries)
{
	int64_t r;

	do
		r = DO(ONCE);
	while ((r == 1 || r == -EINTR) && --tries);
	return r;
}

/* An exit that the stub cannot deal with is reported all the same: nothing is lost. */
static void test_report(void)
{
	/* inc eax; mov ebx,[0x2000]; hlt */
	static const uint8_t code[] = { 0x66, 0x40, 0x66, 0x8b, 0x1e, 0x00, 0x20, 0xf4 };
	const uint32_t entry = (TABLES + 3 * PAGE) | 7;

	start_guest(code_load, sizeof(code_load));
	CHECK(run_filled(0) == HLT);
	load_code(code, sizeof(code));
	/* The table of the leaves lies where the worker has nothing. */
	CHECK(!DO(POKE, TABLES + 2 * PAGE, 0x30000007));
	DO(FIELD, GUEST_RIP, 0x1000);
	DO(RUN_VALUE, offsetof(struct ksplit_run, regs), 0x41);
	go_on(10);
	CHECK((done.w[0] == 1 || done.w[0] == -EINTR) && done.w[1] == 0x42);
	/* Once there is one the guest goes on where it was. */
	CHECK(!DO(POKE, TABLES + 2 * PAGE, entry));
	CHECK(go_on(100) == HLT && done.w[1] == 0x42);
}

/* The time in the guest is the guest's. */
static void test_guest_time(void)
{
	start_guest(code_load, sizeof(code_load));
	CHECK(run_filled(0) == HLT);
	load_code(code_spin, sizeof(code_spin));
	DO(FIELD, GUEST_RIP, 0x1000);
	CHECK(!DO(TICKS) && done.w[1] == 0);
	CHECK(!DO(SPIN, 1000));
	CHECK(!DO(TICKS) && done.w[1] > 0);
}

/* Images of xstate are as long as they are said to be, also without XSAVE. */
static void test_fpu(void)
{
	start_guest(code_load, sizeof(code_load));
	CHECK(run_filled(0) == HLT);
	for (int i = 0; i < 100; i++)
		CHECK(!DO(FPU));
	printf("%s: %ld bytes\n", test, (long)done.w[1]);
}

/* Makes up to @most more vCPUs; returns how many, and errno. */
static int more_vcpus(int most)
{
	int n;

	for (n = 0; n < most; n++)
		if (ioctl(vm, KVM_CREATE_VCPU, n + 100) < 0)
			break;
	return n;
}

/* Everything countable has an end: 9. */
static void *more_vms(void *made)
{
	while (ioctl(kvm, KVM_CREATE_VM, 0) >= 0)
		__atomic_add_fetch((int *)made, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void test_caps(void)
{
	enum { BIG = 40 << 20 };
	pthread_t threads[8];
	int n, made = 0;
	uint8_t *big;
	long before;

	/* Descriptors are not what ends it. */
	CHECK(!setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 4096, 4096 }));
	start(8, 6);
	/* Of a tenant: one exists. */
	before = stat_of("vcpus");
	CHECK(more_vcpus(100) == 7 && errno == ENOSPC);
	CHECK_EQ(stat_of("vcpus"), before + 7);
	/* Slots of a VM: one exists. */
	for (n = 1; n < 20; n++)
		if (set_slot_of(n, n << 20, ram, PAGE, 0))
			break;
	CHECK(n == 6 && errno == ENOSPC);
	CHECK(!set_slot_of(1, 1 << 20, ram, 0, 0));
	/* VMs of an open, by several threads at once. */
	for (n = 0; n < 8; n++)
		CHECK(!pthread_create(&threads[n], NULL, more_vms, &made));
	for (n = 0; n < 8; n++)
		CHECK(!pthread_join(threads[n], NULL));
	CHECK(made == 1023 && ioctl(kvm, KVM_CREATE_VM, 0) < 0 && errno == EMFILE);
	/* Window pages: of a slot that has more. */
	big = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(big != MAP_FAILED && !madvise(big, BIG, MADV_NOHUGEPAGE));
	memset(big, 1, BIG);
	CHECK(!set_slot_of(1, 0x10000000, big, BIG, 0));
	CHECK(!DO(MAP, 1, BIG, PROT_READ | PROT_WRITE, MAP_SHARED));
	for (n = 0; n < BIG; n += PAGE) {
		CHECK(!DO(FAULT, WINDOW + (1 << 28) + n, 1, 1));
		CHECK(n % (64 * PAGE) || stat_of("window_pages") <= 4096);
	}
	CHECK_EQ(stat_of("window_pages"), 4096);
	CHECK(!DO(UNMAP, WINDOW + (1 << 28), BIG));
	CHECK_EQ(stat_of("window_pages"), 0);
}

/* So have roots and their tables, of which the worker makes what it likes: 9. */
static void test_roots(void)
{
	const int max_roots = 2 * 288;	/* KSPLIT_MAX_ROOTS */
	const int max_pages = 1024 + 4;	/* KSPLIT_EPT_PAGES_MIN, and of a slot below 2 MiB */
	long roots, pages, most_roots = 0, most_pages = 0;

	start_guest(code_load, sizeof(code_load));
	CHECK(run_filled(0) == HLT && done.w[1] == 0x83);
	CHECK(!DO(FLUSH, KSPLIT_FLUSH_ALL));
	/* Roots that map nothing take no table. */
	for (int i = 0; i < TABLE_PAGES - 4; i++) {
		DO(FIELD, EPT_POINTER, (TABLES + (4 + i) * PAGE) | 0x1e);
		CHECK(RUN(0x1000) == EPT);
		roots = stat_of("roots");
		CHECK(roots == (i < max_roots ? i + 1 : max_roots));
	}
	CHECK_EQ(stat_of("ept_pages"), 0);
	/* Each with tables; those of a root given up change hands, no run sees what they mapped. */
	for (int i = 0; i < 2 * (TABLE_PAGES - 4); i++) {
		int page = 2 + i % 6;

		DO(LEAF, 3, leaf(page, 7), 4 + i % (TABLE_PAGES - 4));
		CHECK(run_filled(0) == HLT && done.w[1] == 0x80 + page);
		roots = stat_of("roots");
		pages = stat_of("ept_pages");
		most_roots = roots > most_roots ? roots : most_roots;
		most_pages = pages > most_pages ? pages : most_pages;
		CHECK(roots <= max_roots && pages <= max_pages);
	}
	printf("%s: at most %ld roots, %ld pages of tables\n", test, most_roots, most_pages);
	CHECK(most_roots == max_roots && most_pages > max_pages - 8);
	CHECK(!DO(FLUSH, KSPLIT_FLUSH_ALL));
	CHECK(stat_of("roots") == 0 && stat_of("ept_pages") == 0);
	CHECK(run_filled(0) == HLT && stat_of("roots") == 1);
}

static long kernel_memory(const char *group)
{
	char path[128], word[64];
	long value = -1, v;
	FILE *f;

	snprintf(path, sizeof(path), "%s/memory.stat", group);
	f = fopen(path, "r");
	CHECK(f);
	while (fscanf(f, "%63s %ld", word, &v) == 2)
		if (!strcmp(word, "kernel"))
			value = v;
	fclose(f);
	return value;
}

/* Memory is charged to who asked, the client: 9. */
static void test_charge(void)
{
	static const char group[] = "/sys/fs/cgroup/hostile";
	long before;
	int fd;

	start(256, 64);
	fd = open("/sys/fs/cgroup/cgroup.subtree_control", O_WRONLY);
	CHECK(fd >= 0 && write(fd, "+memory", 7) == 7);
	CHECK(!mkdir(group, 0755) || errno == EEXIST);
	fd = open("/sys/fs/cgroup/hostile/cgroup.procs", O_WRONLY);
	CHECK(fd >= 0 && write(fd, "0", 1) == 1);
	before = kernel_memory(group);
	CHECK(before >= 0);
	CHECK(more_vcpus(100) == 100);
	/* Two VMCSs and two MSR bitmaps each, at least. */
	CHECK(kernel_memory(group) - before >= 100 * 4 * (long)PAGE);
}

/* As in-tree, what the vCPU's file has no page for can be mapped, and not touched. */
static int no_page(off_t at)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, at);
	int r;

	CHECK(page != MAP_FAILED);
	r = madvise(page, PAGE, MADV_POPULATE_READ);
	CHECK(!r || errno == EFAULT);
	CHECK(!munmap(page, PAGE));
	return r;
}

/* The client can trust indices and lengths in the ring of coalesced writes. */
static void test_ring(void)
{
	struct kvm_coalesced_mmio_ring *ring;
	uint32_t i;

	start(256, 64);
	CHECK(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0) == 3 * PAGE);
	CHECK(no_page(3 * PAGE));
	ring = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 2 * PAGE);
	CHECK(ring != MAP_FAILED);
	CHECK(DO(COALESCE, 1, 9, 0, 0) == -EINVAL && DO(COALESCE, 1, 0xffffffff, 0, 0) == -EINVAL);
	CHECK(DO(COALESCE, 1, 8, 2, 0) == -EINVAL && !ring->last);
	for (i = 0; i < 168; i++)
		CHECK(!DO(COALESCE, i, 8, i % 2, ~(uint64_t)i) && ring->last == i + 1);
	CHECK(!DO(COALESCE, i, 8, 0, 0) && DO(COALESCE, i, 8, 0, 0) == -ENOSPC && ring->last == 169);
	for (i = 0; i < 168; i++)
		CHECK(ring->coalesced_mmio[i].phys_addr == i && ring->coalesced_mmio[i].len == 8 &&
		      ring->coalesced_mmio[i].pio == i % 2 &&
		      *(uint64_t *)ring->coalesced_mmio[i].data == ~(uint64_t)i);
	/* The client's indices stand, as in-tree, if they are in the page. */
	ring->last = 100;
	ring->first = 102;
	CHECK(!DO(COALESCE, 7, 1, 0, 0) && ring->last == 101 && ring->coalesced_mmio[100].len == 1);
	CHECK(DO(COALESCE, 7, 1, 0, 0) == -ENOSPC && ring->last == 101);
	for (i = 0; i < 1000; i++) {
		ring->first = i * 0x85ebca6b;
		ring->last = i & 1 ? i : i * 0x9e3779b9;
		CHECK(DO(COALESCE, i, 1, 0, 0) == (i < 170 && i & 1 ? 0 : -ENOSPC) || !i);
	}
}

/* And slot and page of what is in a dirty ring. */
static void test_dirty(void)
{
	const off_t at = KVM_DIRTY_LOG_PAGE_OFFSET * PAGE;
	const int rw = PROT_READ | PROT_WRITE;
	const uint32_t look = KSPLIT_DIRTY_LOOK;
	struct kvm_dirty_gfn *ring;

	start_guest(code_load, sizeof(code_load));
	CHECK(no_page(at));
	CHECK(DO(DIRTY, 0, look, 0) == 0);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, vcpu, at) == MAP_FAILED);
	CHECK(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, vcpu, at) == MAP_FAILED);
	CHECK(no_page(at + (1 << 20)) && !no_page(at + (1 << 20) - PAGE));
	CHECK(no_page(at - PAGE));
	ring = mmap(NULL, 1 << 20, rw, MAP_SHARED, vcpu, at);
	CHECK(ring != MAP_FAILED);
	CHECK(DO(DIRTY, KSPLIT_RING_ENTRIES, 0, 0) == -EINVAL && DO(DIRTY, look, 0, 0) == -EINVAL);
	CHECK(DO(DIRTY, 0, 77, 0) == -EINVAL && DO(DIRTY, 0, 1 << 16, 0) == -EINVAL);
	CHECK(DO(DIRTY, 0, 0, RAM_PAGES) == -EINVAL && DO(DIRTY, 0, 0, ~0ull) == -EINVAL);
	CHECK(!ring[0].flags && !ring[0].slot && !ring[0].offset);
	for (int i = 5; i < KSPLIT_RING_ENTRIES; i += KSPLIT_RING_ENTRIES - 6) {
		CHECK(DO(DIRTY, i, 0, RAM_PAGES - 1) == 0);
		CHECK(ring[i].flags == KVM_DIRTY_GFN_F_DIRTY && !ring[i].slot &&
		      ring[i].offset == RAM_PAGES - 1);
		CHECK(DO(DIRTY, i, look, 0) == 0 && ring[i].flags == KVM_DIRTY_GFN_F_DIRTY);
		ring[i].flags = KVM_DIRTY_GFN_F_RESET;
		CHECK(DO(DIRTY, i, look, 0) == 1 && !ring[i].flags);
		CHECK(DO(DIRTY, i, look, 0) == 0);
	}
}

/* A worker's descriptors are of no use to others: 11. */
static void test_foreign(void)
{
	start_guest(code_load, sizeof(code_load));
	CHECK(DO(FOREIGN) == 0x3f);
	CHECK(run_filled(0) == HLT);
}

/* Calls and guests of any kind: 10. */
static void test_fuzz(void)
{
	for (int seed = 1; seed <= 4; seed++) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			/* The VM may be dead after any of them. */
			start_guest(code_load, sizeof(code_load));
			done = (struct words){ { DO_FUZZ, seed * 7919, 2000 } };
			ioctl(vm, TST_DO, &done);
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status));
		usleep(300000);
	}
	start_guest(code_load, sizeof(code_load));
	CHECK(run_filled(0) == HLT && done.w[1] == 0x83);
}

static long left(void)
{
	return stat_of("sessions") + stat_of("vms") + stat_of("vcpus") + stat_of("slots") +
	       stat_of("roots") + stat_of("ept_pages") + stat_of("window_pages");
}

/* 1,023 VMs take their time to end: wait as long as something still goes. */
static long left_at_the_end(void)
{
	long before = LONG_MAX, now;
	int looks = 0;

	while ((now = left()) && looks < 50) {
		looks = now < before ? 0 : looks + 1;
		before = now;
		usleep(100000);
	}
	return now;
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "fields", test_fields },
	{ "controls", test_controls },
	{ "shadow", test_shadow },
	{ "values", test_values },
	{ "race", test_race },
	{ "window", test_window },
	{ "ept", test_ept },
	{ "tlb", test_tlb },
	{ "state", test_state },
	{ "left_out", test_left_out },
	{ "apic", test_apic },
	{ "x2apic", test_x2apic },
	{ "posted", test_posted },
	{ "access", test_access },
	{ "bells", test_bells },
	{ "traps", test_traps },
	{ "real_mode", test_real_mode },
	{ "report", test_report },
	{ "guest_time", test_guest_time },
	{ "fpu", test_fpu },
	{ "caps", test_caps },
	{ "roots", test_roots },
	{ "charge", test_charge },
	{ "ring", test_ring },
	{ "dirty", test_dirty },
	{ "foreign", test_foreign },
	{ "fuzz", test_fuzz },
};

int main(int argc, char **argv)
{
	int failed = 0;

	for (unsigned int i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		if (argc <= 1 || !strcmp(argv[1], tests[i].name))
			failed |= run_test(tests[i].name, tests[i].run);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	test = "end";
	CHECK_EQ(left_at_the_end(), 0);
	return failed;
}
