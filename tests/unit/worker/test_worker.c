// SPDX-License-Identifier: GPL-2.0-only
/*
 * The worker's service threads with the real libkvm, a fake machine below, and
 * a played client above: what QEMU does, call by call.
 *
 * The session's thread is the process's main thread, as in kvm-vmm; the client
 * is another one. A test ends as a worker does, by _exit(0) on -ESHUTDOWN.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <asm/prctl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/kvm.h>

#include "../run_suite.h"
#include "common/array_size.h"
#include "common/ask.h"
#include "common/confine.h"
#include "common/daemon.h"
#include "filters.h"
#include "front.h"
#include "calls/eventfd.h"
#include "calls/fpu.h"
#include "ksplit_uaccess.h"
#include "calls/window.h"
#include "libkvm.h"
#include "tests/fake/ops_fake.h"
#include "personality.h"
#include "worker/worker.h"

#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY	(1024 + 3)	/* linux/fcntl.h, since 6.10 */
#endif

#define EXIT_HLT	12
#define EXIT_IO		30
#define EXIT_EPT_VIOLATION	48
#define EPT_READ	(1ull << 0)
#define EPT_WRITE	(1ull << 1)
#define EPT_GLA_VALID	(3ull << 7)
#define GUEST_PHYSICAL	0x2400
#define GUEST_RIP	0x681e

static struct cfile *sys, *vm, *vcpu;
static int sandboxed;

static void start(void)
{
	front_init();
	ck_assert_int_eq(ksplit_trap_init(), 0);
	ck_assert_int_eq(ksplit_libkvm_init(&front_ops, 64), 0);
	ck_assert_int_eq(ksplit_window_init(1ull << 46), 0);
	ck_assert_int_eq(ksplit_fpu_init(), 0);
	ck_assert_int_eq(ksplit_eventfd_init(), 0);
	ksplit_libkvm_seal();
	sys = front_system();
}

static void *client_main(void *arg)
{
	void (*fn)(void) = (void (*)(void))arg;

	fn();
	front_shutdown();
	return NULL;
}

/* The calling thread is the worker's; fn is the client. */
static void serve_client(void (*fn)(void))
{
	pthread_t t;

	/* As the worker's main(). */
	mallopt(M_ARENA_MAX, 1);
	pthread_create(&t, NULL, client_main, (void *)fn);
	if (sandboxed)
		ck_assert_int_eq(sandbox_enter(), 0);
	serve_session(SESSION_FD);
}

static void make_vm(void)
{
	ck_assert_int_eq(front_ioctl(sys, KVM_CREATE_VM, 0, &vm), 0);
	ck_assert_ptr_nonnull(vm);
	ck_assert_int_eq(vm->kind, KSPLIT_FILE_VM);
}

static long set_slot(unsigned int slot, unsigned long gpa, unsigned long size,
		     unsigned long hva)
{
	struct kvm_userspace_memory_region m = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = hva,
	};

	return front_ioctl(vm, KVM_SET_USER_MEMORY_REGION, (unsigned long)&m,
			   NULL);
}

static void make_vcpu(unsigned int id, struct cfile **ret)
{
	ck_assert_int_eq(front_ioctl(vm, KVM_CREATE_VCPU, id, ret), 0);
	ck_assert_ptr_nonnull(*ret);
	ck_assert_int_eq((*ret)->kind, KSPLIT_FILE_VCPU);
}

static void make_all(void)
{
	make_vm();
	ck_assert_int_eq(set_slot(0, 0, 4 << 20, 0x7f0000000000), 0);
	make_vcpu(0, &vcpu);
}

/* Nobody is told when the worker has dealt with a file that is gone. */
static void no_object_left(void)
{
	struct fake_stats stats;
	int i;

	for (i = 0; i < 500; i++) {
		fake_get_stats(&stats);
		if (!stats.objects)
			return;
		usleep(10000);
	}
	ck_abort_msg("%lu objects are left", (unsigned long)stats.objects);
}

static void release_all(void)
{
	front_release(vcpu);
	front_release(vm);
	no_object_left();
	front_release(sys);
}

static struct kvm_run *run_of(struct cfile *f)
{
	return (struct kvm_run *)f->run[0];
}

/* -------------------------------------------------------------- system --- */

static void probe(void)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[128];
	} cpuid;
	static struct {
		struct kvm_msr_list head;
		__u32 index[512];
	} list;

	ck_assert_int_eq(front_ioctl(sys, KVM_GET_API_VERSION, 0, NULL), 12);
	ck_assert_int_eq(front_ioctl(sys, KVM_CHECK_EXTENSION,
				     KVM_CAP_NR_MEMSLOTS, NULL), KSPLIT_MAX_SLOTS / 2);
	ck_assert_int_eq(front_ioctl(sys, KVM_CHECK_EXTENSION,
				     KVM_CAP_COALESCED_MMIO, NULL),
			 KVM_COALESCED_MMIO_PAGE_OFFSET);
	ck_assert_int_eq(front_ioctl(sys, KVM_CHECK_EXTENSION,
				     KVM_CAP_ASYNC_PF, NULL), 0);

	/* E2BIG tells the number needed. */
	list.head.nmsrs = 0;
	ck_assert_int_eq(front_ioctl(sys, KVM_GET_MSR_INDEX_LIST,
				     (unsigned long)&list, NULL), -E2BIG);
	ck_assert_uint_gt(list.head.nmsrs, 10);
	ck_assert_uint_lt(list.head.nmsrs, 512);
	ck_assert_int_eq(front_ioctl(sys, KVM_GET_MSR_INDEX_LIST,
				     (unsigned long)&list, NULL), 0);
	ck_assert_uint_ne(list.index[list.head.nmsrs - 1], 0);

	cpuid.head.nent = 128;
	ck_assert_int_eq(front_ioctl(sys, KVM_GET_SUPPORTED_CPUID,
				     (unsigned long)&cpuid, NULL), 0);
	ck_assert_uint_gt(cpuid.head.nent, 10);
	ck_assert_uint_lt(cpuid.head.nent, 128);
	ck_assert_uint_gt(front_copied(), 0);

	ck_assert_int_eq(front_ioctl(sys, 0xae55, 0, NULL), -EINVAL);
	front_release(sys);
}

START_TEST(system_calls)
{
	serve_client(probe);
}
END_TEST

/* ------------------------------------------------------------ VM, vCPU --- */

static void life(void)
{
	make_all();
	release_all();
}

START_TEST(make_and_release)
{
	serve_client(life);
}
END_TEST

static void several(void)
{
	struct cfile *more[3];
	struct fake_stats stats;
	int i, round;

	/* One open can make several VMs, one after the other and at once. */
	for (round = 0; round < 3; round++) {
		make_all();
		for (i = 0; i < 3; i++)
			make_vcpu(i + 1, &more[i]);
		ck_assert_int_eq(front_ioctl(vm, KVM_CREATE_VCPU, 2, NULL),
				 -EEXIST);
		ck_assert_int_eq(front_ioctl(vm, KVM_CREATE_VCPU, 1 << 20, NULL),
				 -EINVAL);
		/* The VM's file may go first. */
		front_release(vm);
		for (i = 0; i < 3; i++)
			front_release(more[i]);
		fake_get_stats(&stats);
		ck_assert_uint_gt(stats.objects, 0);
		front_release(vcpu);
		no_object_left();
	}
}

START_TEST(several_objects)
{
	serve_client(several);
}
END_TEST

static void refused(void)
{
	struct cfile *none = NULL;
	struct fake_stats stats;

	front_refuse_file();
	ck_assert_int_eq(front_ioctl(sys, KVM_CREATE_VM, 0, &none), -EIO);
	ck_assert_ptr_null(none);
	/* The worker drops the VM before it takes the next call. */
	front_ioctl(sys, KVM_GET_API_VERSION, 0, NULL);
	fake_get_stats(&stats);
	ck_assert_uint_eq(stats.objects, 0);

	make_vm();
	front_refuse_file();
	ck_assert_int_eq(front_ioctl(vm, KVM_CREATE_VCPU, 0, &none), -EIO);
	make_vcpu(1, &vcpu);
	release_all();
}

START_TEST(file_that_the_client_cannot_take)
{
	serve_client(refused);
}
END_TEST

static void told_twice(void)
{
	front_lose_reply();
	make_vm();
	ck_assert_int_eq(set_slot(0, 0, 4 << 20, 0x7f0000000000), 0);
	front_lose_reply();
	make_vcpu(0, &vcpu);
	release_all();
}

/* A reply that counts, and whose repetition is refused. */
START_TEST(reply_given_twice)
{
	serve_client(told_twice);
}
END_TEST

static void slots(void)
{
	make_vm();
	ck_assert_int_eq(set_slot(0, 0, 1 << 20, 0x7f0000000000), 0);
	/* The same again, elsewhere, other memory, other size. */
	ck_assert_int_eq(set_slot(0, 0, 1 << 20, 0x7f0000000000), 0);
	ck_assert_int_eq(set_slot(0, 1 << 20, 1 << 20, 0x7f0000000000), 0);
	ck_assert_int_eq(set_slot(0, 1 << 20, 1 << 20, 0x7f0000100000), -EINVAL);
	ck_assert_int_eq(set_slot(0, 1 << 20, 1 << 21, 0x7f0000000000), -EINVAL);
	/* Overlap. */
	ck_assert_int_eq(set_slot(1, 1 << 20, 1 << 20, 0x7f0000000000), -EEXIST);
	ck_assert_int_eq(set_slot(1, 4 << 20, 1 << 20, 0x7f0000000001), -EINVAL);
	ck_assert_int_eq(set_slot(0, 0, 0, 0), 0);
	ck_assert_int_eq(set_slot(0, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(set_slot(1, 1 << 20, 1 << 20, 0x7f0000000000), 0);
	/* As many as there are said to be, in each address space. */
	ck_assert_int_eq(set_slot(KSPLIT_MAX_SLOTS / 2 - 1, 4 << 20, 1 << 20, 0x7f0000000000), 0);
	ck_assert_int_eq(set_slot(KSPLIT_MAX_SLOTS / 2, 8 << 20, 1 << 20, 0x7f0000000000), -EINVAL);
	ck_assert_int_eq(set_slot(1 << 16 | (KSPLIT_MAX_SLOTS / 2 - 1), 4 << 20, 1 << 20,
				  0x7f0000000000), 0);
	ck_assert_int_eq(set_slot(1 << 16 | (KSPLIT_MAX_SLOTS / 2), 8 << 20, 1 << 20,
				  0x7f0000000000), -EINVAL);
	front_release(vm);
}

START_TEST(memory_slots)
{
	serve_client(slots);
}
END_TEST

/* ----------------------------------------------------------- questions --- */

#define ANY_HVA		0x7f0000000000

/* What the supervisor is asked, in turn, and says. */
static const struct {
	struct ask question;
	struct ask_answer answer;
} script[] = {
	{ { ASK_VM, 0, 0 }, { -EACCES, ~0u, ~0ull } },
	{ { ASK_VM, 0, 0 }, { 0, 1, 3 << 20 } },
	{ { ASK_MEMORY, 0, 1 << 20 }, { 0, 0, 0 } },
	{ { ASK_MEMORY, 0, 2 << 20 }, { -ENOMEM, 0, 0 } },
	{ { ASK_FREED, 0, 1 << 20 }, { 0, 0, 0 } },
};

static int supervisor_fd;
static pthread_t supervisor;

static void *supervisor_main(void *arg)
{
	struct ask q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(script); i++) {
		ck_assert_int_eq(recv(supervisor_fd, &q, sizeof(q), 0), sizeof(q));
		ck_assert_mem_eq(&q, &script[i].question, sizeof(q));
		if (q.what != ASK_FREED)
			send(supervisor_fd, &script[i].answer, sizeof(script[i].answer), 0);
	}
	close(supervisor_fd);
	return arg;
}

static void ask_for_all(void)
{
	struct cfile *none = NULL;

	ck_assert_int_eq(front_ioctl(sys, KVM_CREATE_VM, 0, &none), -EACCES);
	ck_assert_ptr_null(none);
	make_vm();
	ck_assert_int_eq(set_slot(0, 0, 1 << 20, ANY_HVA), 0);
	ck_assert_int_eq(set_slot(1, 16 << 20, 2 << 20, ANY_HVA), -ENOMEM);
	/* More than the answer allowed, and SMM's view: nobody is asked. */
	ck_assert_int_eq(set_slot(1, 16 << 20, 3 << 20, ANY_HVA), -ENOMEM);
	ck_assert_int_eq(set_slot(1 << 16, 0, 1 << 20, ANY_HVA), 0);
	make_vcpu(0, &vcpu);
	ck_assert_int_eq(front_ioctl(vm, KVM_CREATE_VCPU, 1, &none), -ENOSPC);
	ck_assert_int_eq(set_slot(0, 0, 0, ANY_HVA), 0);
	/* The supervisor is gone, and permits nothing. */
	pthread_join(supervisor, NULL);
	ck_assert_int_eq(set_slot(0, 0, 1 << 20, ANY_HVA), -ENOMEM);
	ck_assert_int_eq(front_ioctl(sys, KVM_CREATE_VM, 0, &none), -EACCES);
	front_release(vcpu);
	front_release(vm);
}

START_TEST(questions)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	supervisor_fd = pair[1];
	ask_use(pair[0], 1 << ASK_VM | 1 << ASK_MEMORY);
	pthread_create(&supervisor, NULL, supervisor_main, NULL);
	serve_client(ask_for_all);
}
END_TEST

/* ----------------------------------------------------------------- run --- */

static void guest_io(struct fake_entry *e, void *arg)
{
	if (e->entry == 0) {
		e->run->regs[0] = 'A';
		fake_exit(e, EXIT_IO, 0x3f8ull << 16, 1);
	} else if (e->entry == 1) {
		/* in al, 0x60 */
		fake_exit(e, EXIT_IO, 0x60ull << 16 | 8, 1);
	} else {
		ck_assert_uint_eq(e->run->regs[0] & 0xff, 0x5a);
		fake_exit(e, EXIT_HLT, 0, 1);
	}
}

static void real_mode(struct cfile *f)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rip = 0x1000, .rflags = 2 };

	ck_assert_int_eq(front_ioctl(f, KVM_GET_SREGS, (unsigned long)&sregs,
				     NULL), 0);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	ck_assert_int_eq(front_ioctl(f, KVM_SET_SREGS, (unsigned long)&sregs,
				     NULL), 0);
	ck_assert_int_eq(front_ioctl(f, KVM_SET_REGS, (unsigned long)&regs,
				     NULL), 0);
}

static void run_io(void)
{
	struct kvm_run *run;
	struct kvm_regs regs;

	make_all();
	real_mode(vcpu);
	run = run_of(vcpu);
	fake_set_guest(vcpu->fd, guest_io, NULL);

	ck_assert_int_eq(front_ioctl(vcpu, KVM_RUN, 0, NULL), 0);
	ck_assert_uint_eq(run->exit_reason, KVM_EXIT_IO);
	ck_assert_uint_eq(run->io.direction, KVM_EXIT_IO_OUT);
	ck_assert_uint_eq(run->io.data_offset, 4096);
	ck_assert_int_eq(vcpu->run[1][0], 'A');

	ck_assert_int_eq(front_ioctl(vcpu, KVM_RUN, 0, NULL), 0);
	ck_assert_uint_eq(run->exit_reason, KVM_EXIT_IO);
	ck_assert_uint_eq(run->io.direction, KVM_EXIT_IO_IN);
	vcpu->run[1][0] = 0x5a;

	ck_assert_int_eq(front_ioctl(vcpu, KVM_RUN, 0, NULL), 0);
	ck_assert_uint_eq(run->exit_reason, KVM_EXIT_HLT);
	ck_assert_int_eq(front_ioctl(vcpu, KVM_GET_REGS, (unsigned long)&regs,
				     NULL), 0);
	ck_assert_uint_eq(regs.rip, 0x1003);

	/* immediate_exit comes with the client's page. */
	run->immediate_exit = 1;
	ck_assert_int_eq(front_ioctl(vcpu, KVM_RUN, 0, NULL), -EINTR);
	run->immediate_exit = 0;
	release_all();
}

START_TEST(run_with_io)
{
	serve_client(run_io);
}
END_TEST

static int spinning;

static void guest_spin(struct fake_entry *e, void *arg)
{
	__atomic_store_n(&spinning, 1, __ATOMIC_RELEASE);
	fake_spin(e);
}

static void *interrupter(void *arg)
{
	while (!__atomic_load_n(&spinning, __ATOMIC_ACQUIRE))
		usleep(1000);
	usleep(10000);
	fake_signal(vcpu->fd);
	return NULL;
}

static void interrupted(void)
{
	struct kvm_run *run;
	struct kvm_regs regs;
	pthread_t t;
	int i;

	make_all();
	real_mode(vcpu);
	run = run_of(vcpu);
	fake_set_guest(vcpu->fd, guest_spin, NULL);
	for (i = 0; i < 5; i++) {
		__atomic_store_n(&spinning, 0, __ATOMIC_RELEASE);
		pthread_create(&t, NULL, interrupter, NULL);
		ck_assert_int_eq(front_ioctl(vcpu, KVM_RUN, 0, NULL), -EINTR);
		ck_assert_uint_eq(run->exit_reason, KVM_EXIT_INTR);
		pthread_join(t, NULL);
		/* The interrupt does not reach the next call. */
		ck_assert_int_eq(front_ioctl(vcpu, KVM_GET_REGS,
					     (unsigned long)&regs, NULL), 0);
	}
	release_all();
}

START_TEST(run_interrupted)
{
	serve_client(interrupted);
}
END_TEST

/* ----------------------------------------------------------------- FPU --- */

static void fpu(void)
{
	struct kvm_fpu fpu, back;
	static struct kvm_xsave xsave;

	make_all();
	ck_assert_int_eq(front_ioctl(vcpu, KVM_GET_FPU, (unsigned long)&fpu,
				     NULL), 0);
	fpu.fcw = 0x37f;
	fpu.mxcsr = 0x1f80;
	memset(fpu.xmm[3], 0xab, 16);
	ck_assert_int_eq(front_ioctl(vcpu, KVM_SET_FPU, (unsigned long)&fpu,
				     NULL), 0);
	ck_assert_int_eq(front_ioctl(vcpu, KVM_GET_FPU, (unsigned long)&back,
				     NULL), 0);
	ck_assert_mem_eq(&back.xmm[3], &fpu.xmm[3], 16);
	ck_assert_int_eq(front_ioctl(vcpu, KVM_GET_XSAVE, (unsigned long)&xsave,
				     NULL), 0);
	/* FXSAVE area: XMM3 at 160 + 3 * 16; XSTATE_BV has x87 and SSE. */
	ck_assert_mem_eq((char *)xsave.region + 208, &fpu.xmm[3], 16);
	ck_assert_uint_eq(xsave.region[128] & 3, 3);
	((unsigned char *)xsave.region)[208] = 0x11;
	ck_assert_int_eq(front_ioctl(vcpu, KVM_SET_XSAVE, (unsigned long)&xsave,
				     NULL), 0);
	ck_assert_int_eq(front_ioctl(vcpu, KVM_GET_FPU, (unsigned long)&back,
				     NULL), 0);
	ck_assert_uint_eq(back.xmm[3][0], 0x11);
	release_all();
}

START_TEST(fpu_state)
{
	serve_client(fpu);
}
END_TEST

/* What the emulator does with SSE and x87 happens on the guest's registers. */
static void guest_vector(struct fake_entry *e, void *arg)
{
	if (e->entry == 0) {
		fake_exit(e, EXIT_EPT_VIOLATION, EPT_WRITE | EPT_GLA_VALID, 0);
		*fake_field(e, GUEST_PHYSICAL) = 0x4008000;
	} else if (e->entry == 1) {
		ck_assert_uint_eq(*fake_field(e, GUEST_RIP), 0x1006);
		fake_exit(e, EXIT_EPT_VIOLATION, EPT_READ | EPT_GLA_VALID, 0);
		*fake_field(e, GUEST_PHYSICAL) = 0x4008000;
	} else if (e->entry == 2) {
		ck_assert_uint_eq(*fake_field(e, GUEST_RIP), 0x100c);
		fake_exit(e, EXIT_EPT_VIOLATION, EPT_WRITE | EPT_GLA_VALID, 0);
		*fake_field(e, GUEST_PHYSICAL) = 0x4008000;
	} else {
		ck_assert_uint_eq(*fake_field(e, GUEST_RIP), 0x1010);
		fake_exit(e, EXIT_HLT, 0, 1);
	}
}

static void vector(void)
{
	static const unsigned char code[] = {
		0xf3, 0x0f, 0x7f, 0x1e, 0x00, 0x80,	/* movdqu %xmm3, 0x8000 */
		0xf3, 0x0f, 0x6f, 0x2e, 0x00, 0x80,	/* movdqu 0x8000, %xmm5 */
		0xd9, 0x3e, 0x00, 0x80,			/* fnstcw 0x8000 */
	};
	struct kvm_sregs sregs;
	struct kvm_run *run;
	struct kvm_fpu fpu;
	unsigned char xmm[16];
	int i;

	make_all();
	memcpy((char *)front_window() + 0x1000, code, sizeof(code));
	real_mode(vcpu);
	ck_assert_int_eq(front_ioctl(vcpu, KVM_GET_SREGS, (unsigned long)&sregs,
				     NULL), 0);
	sregs.ds.base = 0x4000000;
	sregs.cr4 |= 0x200;	/* OSFXSR */
	ck_assert_int_eq(front_ioctl(vcpu, KVM_SET_SREGS, (unsigned long)&sregs,
				     NULL), 0);
	ck_assert_int_eq(front_ioctl(vcpu, KVM_GET_FPU, (unsigned long)&fpu,
				     NULL), 0);
	fpu.fcw = 0x27f;
	fpu.mxcsr = 0x1f80;
	for (i = 0; i < 16; i++) {
		fpu.xmm[3][i] = i + 1;
		fpu.xmm[4][i] = 0x40 + i;
	}
	ck_assert_int_eq(front_ioctl(vcpu, KVM_SET_FPU, (unsigned long)&fpu,
				     NULL), 0);
	fake_set_guest(vcpu->fd, guest_vector, NULL);
	run = run_of(vcpu);

	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(front_ioctl(vcpu, KVM_RUN, 0, NULL), 0);
		ck_assert_uint_eq(run->exit_reason, KVM_EXIT_MMIO);
		ck_assert_uint_eq(run->mmio.is_write, 1);
		ck_assert_uint_eq(run->mmio.phys_addr, 0x4008000u + 8 * i);
		ck_assert_uint_eq(run->mmio.len, 8);
		memcpy(xmm + 8 * i, run->mmio.data, 8);
	}
	ck_assert_mem_eq(xmm, fpu.xmm[3], 16);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(front_ioctl(vcpu, KVM_RUN, 0, NULL), 0);
		ck_assert_uint_eq(run->exit_reason, KVM_EXIT_MMIO);
		ck_assert_uint_eq(run->mmio.is_write, 0);
		ck_assert_uint_eq(run->mmio.len, 8);
		memset(run->mmio.data, 0xa0 + i, 8);
	}
	ck_assert_int_eq(front_ioctl(vcpu, KVM_RUN, 0, NULL), 0);
	ck_assert_uint_eq(run->exit_reason, KVM_EXIT_MMIO);
	ck_assert_uint_eq(run->mmio.len, 2);
	ck_assert_mem_eq(run->mmio.data, "\x7f\x02", 2);
	ck_assert_int_eq(front_ioctl(vcpu, KVM_RUN, 0, NULL), 0);
	ck_assert_uint_eq(run->exit_reason, KVM_EXIT_HLT);

	ck_assert_int_eq(front_ioctl(vcpu, KVM_GET_FPU, (unsigned long)&fpu,
				     NULL), 0);
	ck_assert_uint_eq(fpu.fcw, 0x27f);
	for (i = 0; i < 16; i++) {
		ck_assert_uint_eq(fpu.xmm[3][i], i + 1);
		ck_assert_uint_eq(fpu.xmm[4][i], 0x40 + i);
		ck_assert_uint_eq(fpu.xmm[5][i], i < 8 ? 0xa0 : 0xa1);
	}
	release_all();
}

START_TEST(vector_instructions)
{
	serve_client(vector);
}
END_TEST

/* ------------------------------------------------------ stats, eventfds -- */

static void stats_fds(void)
{
	struct kvm_stats_header header;
	struct cfile *vm_stats, *vcpu_stats;
	static char buf[65536];
	unsigned long off = 0;
	long n;

	make_all();
	ck_assert_int_eq(front_ioctl(vm, KVM_GET_STATS_FD, 0, &vm_stats), 0);
	ck_assert_int_eq(vm_stats->kind, KSPLIT_FILE_STATS);
	ck_assert_int_eq(front_ioctl(vcpu, KVM_GET_STATS_FD, 0, &vcpu_stats), 0);

	ck_assert_int_eq(front_read(vcpu_stats, &header, sizeof(header), 0),
			 sizeof(header));
	ck_assert_uint_eq(header.name_size, 48);
	ck_assert_uint_gt(header.num_desc, 10);
	/* All of it, in pieces, as the stub reads. */
	while ((n = front_read(vcpu_stats, buf + off, sizeof(buf) - off, off)) > 0)
		off += n;
	ck_assert_int_eq(n, 0);
	ck_assert_uint_ge(off, header.data_offset + header.num_desc * 8);
	ck_assert_str_eq(buf + header.id_offset + strcspn(buf + header.id_offset, "/"),
			 "/vcpu-0");
	front_release(vm_stats);
	front_release(vcpu_stats);
	release_all();
}

START_TEST(statistics)
{
	serve_client(stats_fds);
}
END_TEST

static void eventfds(void)
{
	int fd = eventfd(0, EFD_CLOEXEC), other = eventfd(0, EFD_CLOEXEC);
	struct kvm_ioeventfd io = {
		.addr = 0x700,
		.len = 2,
		.fd = fd,
		.flags = KVM_IOEVENTFD_FLAG_PIO,
	};
	struct kvm_irqfd irq = { .fd = other, .gsi = 5 };
	struct fake_stats s;
	int told;

	make_vm();
	ck_assert_int_eq(front_ioctl(vm, KVM_CREATE_IRQCHIP, 0, NULL), 0);
	make_vcpu(0, &vcpu);

	ck_assert_int_eq(front_ioctl(vm, KVM_IOEVENTFD, (unsigned long)&io,
				     NULL), 0);
	ck_assert_int_eq(front_ioctl(vm, KVM_IOEVENTFD, (unsigned long)&io,
				     NULL), -EEXIST);
	/* The stub has been told of the first alone, by a descriptor of the worker's. */
	fake_get_stats(&s);
	ck_assert_int_eq(s.doorbells, 1);
	ck_assert_int_ne(s.doorbell.fd, fd);
	ck_assert_uint_eq(s.doorbell.addr, io.addr);
	io.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
	/* Another number of the same eventfd. */
	io.fd = dup(fd);
	ck_assert_int_eq(front_ioctl(vm, KVM_IOEVENTFD, (unsigned long)&io,
				     NULL), 0);
	fake_get_stats(&s);
	ck_assert_int_eq(s.doorbells, 0);
	ck_assert_int_eq(front_ioctl(vm, KVM_IOEVENTFD, (unsigned long)&io,
				     NULL), -ENOENT);
	/* In memory those that hear any access. */
	fake_get_stats(&s);
	told = s.doorbells;
	io.flags = 0;
	ck_assert_int_eq(front_ioctl(vm, KVM_IOEVENTFD, (unsigned long)&io, NULL), 0);
	fake_get_stats(&s);
	ck_assert_int_eq(s.doorbells, told);
	io.addr = 0xfe003000;
	io.len = 0;
	ck_assert_int_eq(front_ioctl(vm, KVM_IOEVENTFD, (unsigned long)&io, NULL), 0);
	fake_get_stats(&s);
	ck_assert_int_eq(s.doorbells, told + 1);
	ck_assert_uint_eq(s.doorbell.addr, io.addr);
	io.flags = KVM_IOEVENTFD_FLAG_DEASSIGN;
	ck_assert_int_eq(front_ioctl(vm, KVM_IOEVENTFD, (unsigned long)&io, NULL), 0);
	fake_get_stats(&s);
	ck_assert_int_eq(s.doorbells, told);
	io.fd = 0;
	ck_assert_int_lt(front_ioctl(vm, KVM_IOEVENTFD, (unsigned long)&io,
				     NULL), 0);

	ck_assert_int_eq(front_ioctl(vm, KVM_IRQFD, (unsigned long)&irq, NULL), 0);
	ck_assert_int_eq(front_ioctl(vm, KVM_IRQFD, (unsigned long)&irq, NULL),
			 -EBUSY);
	eventfd_write(other, 1);
	usleep(50000);
	irq.fd = dup(other);
	irq.flags = KVM_IRQFD_FLAG_DEASSIGN;
	ck_assert_int_eq(front_ioctl(vm, KVM_IRQFD, (unsigned long)&irq, NULL), 0);
	/* The event was taken: nothing is left to read. */
	irq.fd = other;
	irq.flags = 0;
	ck_assert_int_eq(front_ioctl(vm, KVM_IRQFD, (unsigned long)&irq, NULL), 0);
	release_all();
}

START_TEST(event_descriptors)
{
	serve_client(eventfds);
}
END_TEST

/* How often the worker asks whether two descriptors are of one file. */
static unsigned long comparisons;

int __real_fcntl(int fd, int cmd, ...);
int __wrap_fcntl(int fd, int cmd, unsigned long arg);
int __wrap_fcntl(int fd, int cmd, unsigned long arg)
{
	if (cmd == F_DUPFD_QUERY)
		comparisons++;
	return __real_fcntl(fd, cmd, arg);
}

#define MANY	1000

/* Work grows with their number, not with its square. */
static void many_eventfds(void)
{
	struct kvm_irqfd irq = { 0 };
	static int fd[MANY];
	int i;

	make_vm();
	ck_assert_int_eq(front_ioctl(vm, KVM_CREATE_IRQCHIP, 0, NULL), 0);
	for (i = 0; i < MANY; i++) {
		fd[i] = eventfd(0, EFD_NONBLOCK);
		ck_assert_int_ge(fd[i], 0);
		irq.fd = fd[i];
		irq.gsi = i % 16;
		ck_assert_int_eq(front_ioctl(vm, KVM_IRQFD, (unsigned long)&irq, NULL), 0);
	}
	irq.flags = KVM_IRQFD_FLAG_DEASSIGN;
	for (i = 0; i < MANY; i++) {
		irq.fd = fd[i];
		irq.gsi = i % 16;
		ck_assert_int_eq(front_ioctl(vm, KVM_IRQFD, (unsigned long)&irq, NULL), 0);
	}
	ck_assert_uint_gt(comparisons, 0);
	ck_assert_uint_lt(comparisons, 10 * MANY);
	front_release(vm);
}

START_TEST(many_event_descriptors)
{
	serve_client(many_eventfds);
}
END_TEST

static void devices(void)
{
	struct kvm_create_device dev = {
		.type = 4,	/* VFIO */
		.flags = KVM_CREATE_DEVICE_TEST,
	};
	struct kvm_enable_cap cap = { .cap = KVM_CAP_VM_COPY_ENC_CONTEXT_FROM };
	unsigned long addr = 0xfeffc000;

	make_vm();
	ck_assert_int_eq(front_ioctl(vm, KVM_CREATE_DEVICE, (unsigned long)&dev,
				     NULL), -ENODEV);
	cap.args[0] = 65536;
	ck_assert_int_eq(front_ioctl(vm, KVM_ENABLE_CAP, (unsigned long)&cap,
				     NULL), -EINVAL);
	ck_assert_int_eq(front_ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR,
				     (unsigned long)&addr, NULL), 0);
	ck_assert_int_eq(front_ioctl(vm, KVM_SET_TSS_ADDR, 0xfeffd000, NULL), 0);
	make_vcpu(0, &vcpu);
	release_all();
}

START_TEST(other_vm_calls)
{
	serve_client(devices);
}
END_TEST

/* ------------------------------------------------------------- sandbox --- */

static void start_sandboxed(void)
{
	/* As the worker's main(). */
	mallopt(M_ARENA_MAX, 1);
	ck_assert_int_eq(sandbox_prepare(), 0);
	start();
	sandboxed = 1;
}

static void try_exec(void) { execl("/bin/true", "true", (char *)NULL); }
static void try_fork(void) { fork(); }
static void try_thread(void) { syscall(SYS_clone, CLONE_VM | CLONE_THREAD, 0, 0, 0, 0); }
static void try_socket(void) { socket(AF_UNIX, SOCK_STREAM, 0); }
static void try_kill(void) { kill(1, SIGCONT); }
static void try_tgkill(void) { syscall(SYS_tgkill, 1, 1, 0); }
static void try_ptrace(void) { ptrace(PTRACE_TRACEME, 0, NULL, NULL); }
static void try_tty(void) { ioctl(0, TIOCSTI, "x"); }
static void try_stub(void) { ioctl(SESSION_FD, KSPLIT_BIND, NULL); }
static void try_fcntl(void) { fcntl(0, F_SETFL, O_NONBLOCK); }
static void try_dup(void) { fcntl(0, F_DUPFD, 0); }
static void try_setuid(void) { syscall(SYS_setuid, 0); }
static void try_dumpable(void) { prctl(PR_SET_DUMPABLE, 1); }
static void try_fs_base(void) { syscall(SYS_arch_prctl, ARCH_SET_FS, 0); }
static void try_userfaultfd(void) { syscall(SYS_userfaultfd, 0); }
static void try_io_uring(void) { syscall(SYS_io_uring_setup, 1, NULL); }
static void try_futex(void) { syscall(SYS_futex, &sandboxed, FUTEX_LOCK_PI, 0, NULL, NULL, 0); }
static void try_memory(void) { syscall(SYS_madvise, &sandboxed, 0, MADV_HUGEPAGE); }
static void try_exec_memory(void)
{
	mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void try_exec_protection(void)
{
	syscall(SYS_mprotect, (unsigned long)&try_exec & ~4095ul, 4096,
		PROT_READ | PROT_WRITE | PROT_EXEC);
}
static void try_fixed(void)
{
	static char page[4096] __attribute__((aligned(4096)));

	mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

/* What no kind of thread may do. */
static void (*const escapes[])(void) = {
	try_exec, try_fork, try_thread, try_socket, try_kill, try_tgkill, try_ptrace,
	try_tty, try_stub, try_fcntl, try_dup, try_setuid, try_dumpable, try_fs_base,
	try_userfaultfd, try_io_uring, try_futex, try_memory, try_exec_memory,
	try_exec_protection,
};

#define NR_ESCAPES	ARRAY_SIZE(escapes)

/* What one kind may do, and the others not. */
static void do_map(void) { mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static void do_run(void) { ioctl(SESSION_FD, KSPLIT_RUN, NULL); }
static void do_object(void) { ioctl(SESSION_FD, KSPLIT_OBJECT, NULL); }
static void do_yield(void) { sched_yield(); }
static void do_name(void) { prctl(PR_SET_NAME, "still"); }
static void do_wait(void) { epoll_wait(-1, NULL, 0, 0); }
static void do_barrier(void) { syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0); }
/* An error for the rest: malloc can do without. */
static void map_or_die(void)
{
	if (mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		_exit(EXIT_INTERNAL);
}

enum { SESSION = 1, VCPU = 2, SERVICE = 4 };

static const struct {
	void (*fn)(void);
	int kinds;
} own[] = {
	{ map_or_die,	SESSION },
	{ do_map,	SESSION | VCPU | SERVICE },
	{ try_fixed,	VCPU | SERVICE },	/* an error, as any mmap() of theirs */
	{ do_object,	SESSION },
	{ do_run,	VCPU },
	{ do_yield,	VCPU },
	{ do_name,	VCPU },
	{ do_wait,	SERVICE },
	{ do_barrier,	SERVICE },
};

#define NR_OWN		ARRAY_SIZE(own)

static void run_and_leave(void *fn)
{
	((void (*)(void))fn)();
	_exit(0);
}

/* On a thread of each kind; ends the process. */
static void on_kind(int kind, void (*fn)(void))
{
	if (kind == SERVICE)
		ck_assert_int_eq(ksplit_thread_create("service", run_and_leave, fn), 0);
	ck_assert_int_eq(sandbox_enter(), 0);
	if (kind == VCPU)
		ck_assert_int_eq(ksplit_thread_create("vcpu", run_and_leave, fn), 0);
	if (kind == SESSION)
		run_and_leave(fn);
	for (;;)
		syscall(SYS_futex, &sandboxed, FUTEX_WAIT, 1, NULL, NULL, 0);
}

START_TEST(refused_calls)
{
	ck_assert_int_eq(sandbox_enter(), 0);
	ck_assert_int_eq(open("/etc/passwd", O_RDONLY), -1);
	ck_assert_int_eq(errno, EACCES);
	_exit(0);
}
END_TEST

/* The probes do what they say: without a sandbox none ends with that status. */
START_TEST(escapes_without_a_sandbox)
{
	escapes[_i]();
	_exit(0);
}
END_TEST

START_TEST(escapes_end_the_worker)
{
	on_kind(1 << _i / NR_ESCAPES, escapes[_i % NR_ESCAPES]);
}
END_TEST

START_TEST(own_calls)
{
	if (own[_i % NR_OWN].kinds & 1 << _i / NR_OWN)
		on_kind(1 << _i / NR_OWN, own[_i % NR_OWN].fn);
	_exit(0);
}
END_TEST

START_TEST(calls_of_others)
{
	if (!(own[_i % NR_OWN].kinds & 1 << _i / NR_OWN))
		on_kind(1 << _i / NR_OWN, own[_i % NR_OWN].fn);
	_exit(EXIT_INTERNAL);
}
END_TEST

START_TEST(escapes_end_the_supervisor)
{
	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(confine_report(NULL), 0);
	ck_assert_int_eq(CONFINE(supervisor), 0);
	escapes[_i]();
	_exit(0);
}
END_TEST

static void try_unshare(void) { unshare(CLONE_NEWUTS); }
static void try_module(void) { syscall(SYS_init_module, NULL, 0, ""); }
static void (*const of_launcher[])(void) = {
	try_exec, try_fork, try_ptrace, try_setuid, try_userfaultfd, try_io_uring, try_unshare,
	try_module,
};

#define NR_OF_LAUNCHER	ARRAY_SIZE(of_launcher)

/* The first half of the loop; in the second nothing is loaded. */
START_TEST(escapes_end_the_launcher)
{
	int filtered = _i < (int)NR_OF_LAUNCHER;

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(confine_report(NULL), 0);
	if (filtered)
		ck_assert_int_eq(CONFINE(launcher), 0);
	of_launcher[_i % NR_OF_LAUNCHER]();
	_exit(filtered ? 0 : EXIT_INTERNAL);
}
END_TEST

/*
 * Below each stack nothing can be touched.  On a thread that has a stack of its
 * own, and another one made after it.
 */
static void look_at_stack(void *arg)
{
	unsigned long start, end, below = 0, here = (unsigned long)&start;
	char line[256], access[8], access_below[8] = "";
	FILE *f = fopen("/proc/self/maps", "r");

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f)) {
		ck_assert_int_eq(sscanf(line, "%lx-%lx %7s", &start, &end, access), 3);
		if (here >= start && here < end)
			break;
		below = end;
		memcpy(access_below, access, sizeof(access));
	}
	fclose(f);
	ck_assert_uint_eq(below, start);
	ck_assert_str_eq(access_below, "---p");
	sem_post(arg);
}

START_TEST(stacks_are_guarded)
{
	sem_t looked;
	int i;

	sem_init(&looked, 0, 0);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(ksplit_thread_create("stack", look_at_stack, &looked), 0);
	for (i = 0; i < 3; i++)
		sem_wait(&looked);
	_exit(0);
}
END_TEST

extern char pv_ops[], boot_cpu_data[];

/* The worker's handlers end it: no exception table names this instruction. */
START_TEST(constants_stay)
{
	*(volatile char *)(_i ? pv_ops : boot_cpu_data) ^= 1;
	_exit(0);
}
END_TEST

/* Stacks of threads that ended are used again; names are the threads' own. */
static void nothing(void *arg) { *(volatile int *)arg += 1; }

START_TEST(many_threads)
{
	static volatile int ended;
	int i;

	ck_assert_int_eq(sandbox_enter(), 0);
	for (i = 1; i <= 500; i++) {
		ck_assert_int_eq(ksplit_thread_create("short", nothing, (void *)&ended), 0);
		while (ended < i)
			__builtin_ia32_pause();
	}
	_exit(0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("worker");
	TCase *t = tcase_create("calls");

	tcase_add_checked_fixture(t, start, NULL);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	tcase_add_exit_test(t, system_calls, 0);
	tcase_add_exit_test(t, make_and_release, 0);
	tcase_add_exit_test(t, several_objects, 0);
	tcase_add_exit_test(t, file_that_the_client_cannot_take, 0);
	tcase_add_exit_test(t, reply_given_twice, 0);
	tcase_add_exit_test(t, memory_slots, 0);
	tcase_add_exit_test(t, questions, 0);
	tcase_add_exit_test(t, run_with_io, 0);
	tcase_add_exit_test(t, run_interrupted, 0);
	tcase_add_exit_test(t, fpu_state, 0);
	tcase_add_exit_test(t, vector_instructions, 0);
	tcase_add_exit_test(t, statistics, 0);
	tcase_add_exit_test(t, event_descriptors, 0);
	tcase_add_exit_test(t, many_event_descriptors, 0);
	tcase_add_exit_test(t, other_vm_calls, 0);
	tcase_add_exit_test(t, stacks_are_guarded, 0);
	tcase_add_loop_exit_test(t, constants_stay, EXIT_INTERNAL, 0, 2);

	/* The same, where the client itself makes no call of another kind. */
	t = tcase_create("sandbox");
	tcase_add_checked_fixture(t, start_sandboxed, NULL);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	tcase_add_exit_test(t, system_calls, 0);
	tcase_add_exit_test(t, several_objects, 0);
	tcase_add_exit_test(t, memory_slots, 0);
	tcase_add_exit_test(t, questions, 0);
	tcase_add_exit_test(t, run_with_io, 0);
	tcase_add_exit_test(t, run_interrupted, 0);
	tcase_add_exit_test(t, fpu_state, 0);
	tcase_add_exit_test(t, statistics, 0);
	tcase_add_exit_test(t, refused_calls, 0);
	tcase_add_exit_test(t, many_threads, 0);
	tcase_add_loop_exit_test(t, escapes_end_the_worker, EXIT_INTERNAL, 0, 3 * NR_ESCAPES);
	tcase_add_loop_exit_test(t, own_calls, 0, 0, 3 * NR_OWN);
	tcase_add_loop_exit_test(t, calls_of_others, EXIT_INTERNAL, 0, 3 * NR_OWN);

	t = tcase_create("no sandbox");
	tcase_add_checked_fixture(t, start, NULL);
	suite_add_tcase(s, t);
	tcase_add_loop_exit_test(t, escapes_end_the_supervisor, EXIT_INTERNAL, 0, NR_ESCAPES);
	/* exec() without a filter is another program's status. */
	tcase_add_loop_exit_test(t, escapes_end_the_launcher, EXIT_INTERNAL, 0, NR_OF_LAUNCHER);
	tcase_add_loop_exit_test(t, escapes_end_the_launcher, EXIT_INTERNAL, NR_OF_LAUNCHER + 1,
				 2 * NR_OF_LAUNCHER);
	tcase_add_loop_exit_test(t, escapes_without_a_sandbox, 0, 0, NR_ESCAPES);

	return run_suite(s);
}
