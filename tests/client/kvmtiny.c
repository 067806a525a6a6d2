// SPDX-License-Identifier: GPL-2.0-only
/*
 * A small KVM client: guests of a few instructions, each showing one thing.
 *
 *	kvmtiny TEST [N]
 *	kvmtiny life FILE...
 *
 * Prints one line, "TEST: ok ..." or "TEST: FAILED at ...", and exits 0 or 1;
 * 2 for a wrong call.  It uses nothing but the KVM API, so that it runs on any
 * KVM; differences between two of them show as differences of its output.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../vmm-daemon/common/array_size.h"

#define RAM_SIZE	(2u << 20)
#define CODE		0x1000u

static const char *test;
static char **words;		/* what follows its name */

#define CHECK(cond)							\
	do {								\
		if (!(cond)) {						\
			printf("%s: FAILED at line %d: %s (errno %d)\n",\
			       test, __LINE__, #cond, errno);		\
			exit(1);					\
		}							\
	} while (0)

struct vm {
	int kvm, vm, vcpu;
	uint8_t *ram;
	struct kvm_run *run;
	size_t run_size;
};

/* What a test wants to do between any two calls. */
static void (*between)(void);

static void called(void)
{
	if (between)
		between();
}

static void vm_create(struct vm *m)
{
	m->vm = ioctl(m->kvm, KVM_CREATE_VM, 0);
	CHECK(m->vm >= 0);
	called();
}

static void vm_open(struct vm *m)
{
	m->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	CHECK(m->kvm >= 0);
	called();
	CHECK(ioctl(m->kvm, KVM_GET_API_VERSION, 0) == 12);
	called();
	vm_create(m);
}

/* RAM at 0, with the guest's code. */
static void vm_memory(struct vm *m, const void *code, size_t len)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = RAM_SIZE,
	};

	m->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(m->ram != MAP_FAILED);
	memcpy(m->ram + CODE, code, len);
	region.userspace_addr = (uintptr_t)m->ram;
	CHECK(ioctl(m->vm, KVM_SET_TSS_ADDR, 0xfffbd000ul) == 0);
	called();
	CHECK(ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
	called();
}

/* A vCPU in real mode at CODE. */
static void vm_vcpu(struct vm *m, unsigned long id)
{
	struct kvm_regs regs = { .rip = CODE, .rflags = 2, .rsp = 0x800 };
	struct kvm_sregs sregs;
	int r;

	m->vcpu = ioctl(m->vm, KVM_CREATE_VCPU, id);
	CHECK(m->vcpu >= 0);
	called();
	r = ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	CHECK(r >= (int)sizeof(*m->run));
	called();
	m->run_size = r;
	m->run = mmap(NULL, r, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
	CHECK(m->run != MAP_FAILED);
	called();
	CHECK(ioctl(m->vcpu, KVM_GET_SREGS, &sregs) == 0);
	called();
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	CHECK(ioctl(m->vcpu, KVM_SET_SREGS, &sregs) == 0);
	called();
	CHECK(ioctl(m->vcpu, KVM_SET_REGS, &regs) == 0);
	called();
}

static void vm_start(struct vm *m, const void *code, size_t len)
{
	vm_open(m);
	vm_memory(m, code, len);
	vm_vcpu(m, 0);
}

static void vm_close(struct vm *m)
{
	CHECK(munmap(m->run, m->run_size) == 0);
	CHECK(close(m->vcpu) == 0);
	called();
	CHECK(close(m->vm) == 0);
	called();
	CHECK(munmap(m->ram, RAM_SIZE) == 0);
}

static int vm_run(struct vm *m)
{
	return ioctl(m->vcpu, KVM_RUN, 0);
}

/* To an exit, though the client is frozen, stopped or traced meanwhile: all of these interrupt. */
static int run_through(struct vm *m)
{
	int r;

	do
		r = vm_run(m);
	while (r == -1 && errno == EINTR);
	return r;
}

/* mov al,'k'; out 0x10,al; in al,0x11; add al,1; out 0x10,al; hlt */
static const uint8_t hello_code[] = {
	0xb0, 'k', 0xe6, 0x10, 0xe4, 0x11, 0x04, 0x01, 0xe6, 0x10, 0xf4,
};

static void run_hello(struct vm *m)
{
	uint8_t *data = (uint8_t *)m->run;
	struct kvm_regs regs;

	CHECK(run_through(m) == 0);
	CHECK(m->run->exit_reason == KVM_EXIT_IO);
	CHECK(m->run->io.direction == KVM_EXIT_IO_OUT && m->run->io.port == 0x10);
	CHECK(data[m->run->io.data_offset] == 'k');

	CHECK(run_through(m) == 0);
	CHECK(m->run->exit_reason == KVM_EXIT_IO);
	CHECK(m->run->io.direction == KVM_EXIT_IO_IN && m->run->io.port == 0x11);
	data[m->run->io.data_offset] = 41;

	CHECK(run_through(m) == 0);
	CHECK(m->run->exit_reason == KVM_EXIT_IO);
	CHECK(data[m->run->io.data_offset] == 42);

	CHECK(run_through(m) == 0);
	CHECK(m->run->exit_reason == KVM_EXIT_HLT);
	CHECK(ioctl(m->vcpu, KVM_GET_REGS, &regs) == 0);
	CHECK((regs.rax & 0xff) == 42);
	CHECK(regs.rip == CODE + sizeof(hello_code));
}

static void test_hello(unsigned long n)
{
	struct vm m;

	(void)n;
	vm_start(&m, hello_code, sizeof(hello_code));
	run_hello(&m);
	printf("%s: ok\n", test);
}

/* mov ecx,N; 1: mov eax,0; cpuid-like body; dec; jnz; hlt.  Bodies differ. */
static void loop_guest(struct vm *m, const uint8_t *body, size_t len,
		       uint32_t n)
{
	uint8_t code[64];
	size_t i = 0;

	code[i++] = 0x66;		/* mov edi, n */
	code[i++] = 0xbf;
	memcpy(code + i, &n, 4);
	i += 4;
	memcpy(code + i, body, len);
	i += len;
	code[i++] = 0x66;		/* dec edi */
	code[i++] = 0x4f;
	code[i++] = 0x75;		/* jnz body */
	code[i] = (uint8_t)-(len + 4);
	i++;
	code[i++] = 0xf4;		/* hlt */
	vm_start(m, code, i);
}

static void test_cpuid(unsigned long n)
{
	static const uint8_t body[] = { 0x66, 0x31, 0xc0, 0x0f, 0xa2 };
	struct vm m;

	loop_guest(&m, body, sizeof(body), n);
	CHECK(vm_run(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_HLT);
	printf("%s: ok %lu\n", test, n);
}

static void test_pio(unsigned long n)
{
	static const uint8_t body[] = { 0xe6, 0x10 };
	unsigned long i;
	struct vm m;

	loop_guest(&m, body, sizeof(body), n);
	for (i = 0; i < n; i++) {
		CHECK(vm_run(&m) == 0);
		CHECK(m.run->exit_reason == KVM_EXIT_IO);
	}
	CHECK(vm_run(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_HLT);
	printf("%s: ok %lu\n", test, n);
}

/*
 * mov bx,0x200; 1: mov ds,bx; mov word [0],bx; add bx,0x100; cmp bx,0xf000;
 * jb 1b; hlt: each page from 0x2000 to 0xeffff is written
 */
static const uint8_t write_pages[] = {
	0xbb, 0x00, 0x02, 0x8e, 0xdb, 0x89, 0x1e, 0x00, 0x00,
	0x81, 0xc3, 0x00, 0x01, 0x81, 0xfb, 0x00, 0xf0, 0x72, 0xf0, 0xf4,
};
#define FIRST_PAGE	2u
#define END_PAGE	0xf0u

/*
 * Takes what is in the ring.  A page may come again after a reset: the write that
 * filled the ring had not been made.
 */
static unsigned int harvest(struct kvm_dirty_gfn *ring, uint32_t *at,
			    uint8_t *seen)
{
	unsigned int n = 0;

	for (;; (*at)++, n++) {
		struct kvm_dirty_gfn *g = &ring[*at % (4096 / sizeof(*g))];

		if (!(__atomic_load_n(&g->flags, __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_DIRTY))
			return n;
		CHECK(g->slot == 0 && g->offset < RAM_SIZE / 4096);
		seen[g->offset] = 1;
		__atomic_store_n(&g->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
	}
}

/* A ring of 256 entries, too few for what the guest writes. */
static void test_ring(unsigned long n)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_DIRTY_LOG_RING, .args = { 4096 } };
	struct kvm_userspace_memory_region region = {
		.memory_size = RAM_SIZE, .flags = KVM_MEM_LOG_DIRTY_PAGES,
	};
	const off_t at = KVM_DIRTY_LOG_PAGE_OFFSET * 4096;
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct kvm_dirty_gfn *ring;
	unsigned int i, got, full = 0;
	uint32_t next = 0;
	uint8_t seen[RAM_SIZE / 4096];
	struct vm m;

	vm_open(&m);
	CHECK(ioctl(m.vm, KVM_CHECK_EXTENSION, KVM_CAP_DIRTY_LOG_RING) == 1 << 20);
	CHECK(ioctl(m.vm, KVM_RESET_DIRTY_RINGS, 0) == -1 && errno == EINVAL);
	cap.args[0] = 4096 + 1;
	CHECK(ioctl(m.vm, KVM_ENABLE_CAP, &cap) == -1 && errno == EINVAL);
	cap.args[0] = 2 << 20;
	CHECK(ioctl(m.vm, KVM_ENABLE_CAP, &cap) == -1 && errno == E2BIG);
	cap.args[0] = 4096;
	CHECK(ioctl(m.vm, KVM_ENABLE_CAP, &cap) == 0);
	vm_memory(&m, write_pages, sizeof(write_pages));
	region.userspace_addr = (uintptr_t)m.ram;
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
	vm_vcpu(&m, 0);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, m.vcpu, at) == MAP_FAILED);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, m.vcpu, at) == MAP_FAILED);
	ring = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m.vcpu, at);
	CHECK(ring != MAP_FAILED);
	while (n--) {
		memset(seen, 0, sizeof(seen));
		CHECK(ioctl(m.vcpu, KVM_SET_REGS, &regs) == 0);
		do {
			CHECK(vm_run(&m) == 0);
			CHECK(m.run->exit_reason == KVM_EXIT_HLT ||
			      m.run->exit_reason == KVM_EXIT_DIRTY_RING_FULL);
			full += m.run->exit_reason == KVM_EXIT_DIRTY_RING_FULL;
			got = harvest(ring, &next, seen);
			CHECK(got && ioctl(m.vm, KVM_RESET_DIRTY_RINGS, 0) == (int)got);
		} while (m.run->exit_reason != KVM_EXIT_HLT);
		for (i = FIRST_PAGE; i < END_PAGE; i++)
			CHECK(seen[i]);
	}
	/* The guest's own is not what came. */
	CHECK(!seen[0] && !seen[END_PAGE]);
	printf("%s: ok, %u times full\n", test, full);
}

/* The guest's clock follows from the TSC alone, now and for N seconds. */
static void test_clock(unsigned long n)
{
	static const uint8_t code[] = { 0xf4, 0xeb, 0xfd };	/* 1: hlt; jmp 1b */
	struct kvm_clock_data clock;
	struct vm m;

	vm_start(&m, code, sizeof(code));
	do {
		CHECK(vm_run(&m) == 0);
		CHECK(m.run->exit_reason == KVM_EXIT_HLT);
		CHECK(ioctl(m.vm, KVM_GET_CLOCK, &clock) == 0);
		CHECK(clock.flags & KVM_CLOCK_TSC_STABLE);
	} while (n-- && !sleep(1));
	printf("%s: ok\n", test);
}

/* Whether it is the host's wall clock; the two readings may be half a second apart. */
static int agrees(uint64_t realtime)
{
	struct timespec now;
	int64_t off;

	CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
	off = (int64_t)(realtime - now.tv_sec * 1000000000ull - now.tv_nsec);
	return off > -500000000 && off < 500000000;
}

/* KVM's wall clock is the host's at once when that is set, by root. */
static void test_step(unsigned long n)
{
	static const uint8_t code[] = { 0xf4, 0xeb, 0xfd };	/* 1: hlt; jmp 1b */
	struct kvm_clock_data clock;
	struct timespec now;
	struct vm m;

	vm_start(&m, code, sizeof(code));
	CHECK(vm_run(&m) == 0);
	while (n--) {
		CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
		now.tv_sec += n % 2 ? 1000 : -1000;
		CHECK(clock_settime(CLOCK_REALTIME, &now) == 0);
		CHECK(ioctl(m.vm, KVM_GET_CLOCK, &clock) == 0);
		CHECK(clock.flags & KVM_CLOCK_REALTIME);
		CHECK(agrees(clock.realtime));
	}
	printf("%s: ok\n", test);
}

static void wake(int sig)
{
	(void)sig;
}

static void *run_interrupted(void *arg)
{
	CHECK(vm_run(arg) == -1 && errno == EINTR);
	return NULL;
}

/* A slot goes while the guest runs that wrote to it: what came later comes. */
static void test_hole(unsigned long n)
{
	/* sti, for the emulator; mov ax,0x8000; mov ds,ax; mov [0],al; xor ax,ax; mov ds,ax; mov [0x3000],al; jmp . */
	static const uint8_t code[] = {
		0xfb, 0xb8, 0x00, 0x80, 0x8e, 0xd8, 0xa2, 0x00, 0x00, 0x31, 0xc0, 0x8e, 0xd8, 0xa2, 0x00, 0x30, 0xeb, 0xfe,
	};
	const struct sigaction sa = { .sa_handler = wake };
	struct kvm_enable_cap cap = { .cap = KVM_CAP_DIRTY_LOG_RING, .args = { 4096 } };
	struct kvm_userspace_memory_region region = { .flags = KVM_MEM_LOG_DIRTY_PAGES };
	struct kvm_dirty_gfn *ring;
	unsigned int i, page3 = 0;
	pthread_t thread;
	struct vm m;

	(void)n;
	vm_open(&m);
	CHECK(ioctl(m.vm, KVM_ENABLE_CAP, &cap) == 0);
	vm_memory(&m, code, sizeof(code));
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &(struct kvm_userspace_memory_region){ }) == 0);
	m.ram[0x3000] = 1;
	region.userspace_addr = (uintptr_t)m.ram;
	region.memory_size = 0x80000;
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
	region.slot = 1;
	region.guest_phys_addr = 0x80000;
	region.userspace_addr += 0x80000;
	region.memory_size = 0x10000;
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
	vm_vcpu(&m, 0);
	ring = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m.vcpu,
		    KVM_DIRTY_LOG_PAGE_OFFSET * 4096);
	CHECK(ring != MAP_FAILED);
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK(pthread_create(&thread, NULL, run_interrupted, &m) == 0);
	while (*(volatile uint8_t *)(m.ram + 0x3000))
		usleep(1000);
	region.memory_size = 0;
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
	CHECK(pthread_kill(thread, SIGUSR1) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	for (i = 0; ring[i].flags & KVM_DIRTY_GFN_F_DIRTY; i++)
		page3 += ring[i].slot == 0 && ring[i].offset == 3;
	CHECK(i >= 2 && page3 == 1);
	printf("%s: ok\n", test);
}

/*
 * Guests with the in-kernel irqchip; edi is how often, esi the other vCPU's APIC
 * id, or in how many ticks of the TSC a timer is due.  They end with an OUT to port 0x10.  Interrupt VECTOR comes to "eoi".
 */
#define VECTOR		"0x21"
#define APIC_WRITE(msr, low)						\
	"mov $" msr ", %ecx\n mov " low ", %eax\n wrmsr\n"
/* x2APIC mode, enabled, the timer in TSC-deadline mode, port 0x11: ready. */
#define APIC_START							\
	"mov $0x1b, %ecx\n rdmsr\n or $0xc00, %eax\n wrmsr\n"		\
	"xor %edx, %edx\n"						\
	APIC_WRITE("0x80f", "$0x1ff")					\
	APIC_WRITE("0x832", "$0x40000 + " VECTOR)			\
	"out %al, $0x11\n"

asm(".pushsection .rodata\n .code16\n"
    "irqchip_guests:\n"
    "port:	in $0x21, %al\n"		/* the master PIC's mask */
    "	dec %edi\n jnz port\n"
    "	out %al, $0x10\n"
    "tick:" APIC_START
    "1:	rdtsc\n add %esi, %eax\n adc $0, %edx\n"
    "	mov $0x6e0, %ecx\n wrmsr\n"
    "	sti\n hlt\n cli\n"
    "	dec %edi\n jnz 1b\n"
    "	out %al, $0x10\n"
    "ping:" APIC_START
    "1:	mov %esi, %edx\n" APIC_WRITE("0x830", "$" VECTOR)
    "	sti\n hlt\n cli\n"
    "	dec %edi\n jnz 1b\n"
    "	out %al, $0x10\n"
    "pong:" APIC_START
    "1:	sti\n hlt\n cli\n"
    "	mov %esi, %edx\n" APIC_WRITE("0x830", "$" VECTOR)
    "	jmp 1b\n"
    "metronome:" APIC_START
    "1:	rdtsc\n add %esi, %eax\n adc $0, %edx\n"
    "	mov $0x6e0, %ecx\n wrmsr\n"
    "	sti\n hlt\n cli\n"
    "	incl 0x2000\n jmp 1b\n"
    "eoi:	xor %edx, %edx\n" APIC_WRITE("0x80b", "$0")
    "	iret\n"
    "irqchip_guests_end:\n"
    ".code64\n .popsection");
extern const uint8_t irqchip_guests[], port[], tick[], ping[], pong[], metronome[], eoi[];
extern const uint8_t irqchip_guests_end[];

/* The CPUID that KVM supports, and a TSC-deadline timer. */
static void set_cpuid(const struct vm *m)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} cpuid = { .head.nent = 256 };
	uint32_t i;

	CHECK(ioctl(m->kvm, KVM_GET_SUPPORTED_CPUID, &cpuid) == 0);
	for (i = 0; i < cpuid.head.nent; i++)
		if (cpuid.entries[i].function == 1)
			cpuid.entries[i].ecx |= 1u << 24;
	CHECK(ioctl(m->vcpu, KVM_SET_CPUID2, &cpuid) == 0);
}

/* vCPU ID of a VM with the in-kernel irqchip, at one of the guests. */
static void irqchip_vcpu(struct vm *m, unsigned int id, const uint8_t *guest,
			 unsigned long n, uint32_t esi)
{
	struct kvm_mp_state runnable = { KVM_MP_STATE_RUNNABLE };
	struct kvm_regs regs = {
		.rip = CODE + (uint64_t)(guest - irqchip_guests), .rflags = 2,
		.rsp = 0x800 - 0x100 * id, .rdi = n, .rsi = esi,
	};

	vm_vcpu(m, id);
	set_cpuid(m);
	CHECK(ioctl(m->vcpu, KVM_SET_REGS, &regs) == 0);
	CHECK(ioctl(m->vcpu, KVM_SET_MP_STATE, &runnable) == 0);
}

static void irqchip_vm(struct vm *m)
{
	/* A halted vCPU sleeps at once: polling would cost what chance has it. */
	struct kvm_enable_cap no_polling = { .cap = KVM_CAP_HALT_POLL };
	uint16_t vector[2] = { (uint16_t)(CODE + (eoi - irqchip_guests)), 0 };

	vm_open(m);
	vm_memory(m, irqchip_guests, irqchip_guests_end - irqchip_guests);
	memcpy(m->ram + 0x21 * 4, vector, sizeof(vector));
	CHECK(ioctl(m->vm, KVM_CREATE_IRQCHIP, 0) == 0);
	CHECK(ioctl(m->vm, KVM_ENABLE_CAP, &no_polling) == 0);
}

/* Until the guest's OUT to a port. */
static void run_to(struct vm *m, unsigned int port_no)
{
	CHECK(run_through(m) == 0);
	CHECK(m->run->exit_reason == KVM_EXIT_IO);
	CHECK(m->run->io.port == port_no);
}

/* A port that KVM itself answers. */
static void test_port(unsigned long n)
{
	struct vm m;

	irqchip_vm(&m);
	irqchip_vcpu(&m, 0, port, n, 0);
	run_to(&m, 0x10);
	printf("%s: ok %lu\n", test, n);
}

static void timer_in(unsigned long n, uint32_t ticks)
{
	struct vm m;

	irqchip_vm(&m);
	irqchip_vcpu(&m, 0, tick, n, ticks);
	run_to(&m, 0x11);
	run_to(&m, 0x10);
	printf("%s: ok %lu\n", test, n);
}

/* The local APIC's timer wakes the halted guest. */
static void test_tick(unsigned long n)
{
	timer_in(n, 1000000);
}

/* It is due when it is set: nobody sleeps. */
static void test_due(unsigned long n)
{
	timer_in(n, 0);
}

static void *run_for_ever(void *arg)
{
	vm_run(arg);
	return NULL;
}

/* Two vCPUs wake each other by IPIs, there and back. */
static void test_ipi(unsigned long n)
{
	struct vm m, other;
	pthread_t thread;

	irqchip_vm(&m);
	other = m;
	irqchip_vcpu(&m, 0, ping, n, 1);
	irqchip_vcpu(&other, 1, pong, 0, 0);
	run_to(&m, 0x11);
	run_to(&other, 0x11);
	CHECK(pthread_create(&thread, NULL, run_for_ever, &other) == 0);
	run_to(&m, 0x10);
	printf("%s: ok %lu\n", test, n);
}

/* An interrupt line of the in-kernel irqchip, raised and lowered. */
static void test_irq(unsigned long n)
{
	struct kvm_irq_level level = { .irq = 5 };
	struct vm m;

	vm_open(&m);
	CHECK(ioctl(m.vm, KVM_CREATE_IRQCHIP, 0) == 0);
	while (n--) {
		level.irq = 5;		/* the reply brought a status */
		level.level = n & 1;
		CHECK(ioctl(m.vm, KVM_IRQ_LINE_STATUS, &level) == 0);
	}
	printf("%s: ok\n", test);
}

static int set_line(const struct vm *m, unsigned int irq, unsigned int level)
{
	struct kvm_irq_level line = { .irq = irq, .level = level };

	CHECK(ioctl(m->vm, KVM_IRQ_LINE_STATUS, &line) == 0);
	return line.status;
}

#define LINES	(1u << 5 | 1u << 7)

/* The lines as the master PIC sees them: IRR is what a level-triggered line is. */
static unsigned int get_lines(const struct vm *m, struct kvm_irqchip *pic)
{
	pic->chip_id = KVM_IRQCHIP_PIC_MASTER;
	CHECK(ioctl(m->vm, KVM_GET_IRQCHIP, pic) == 0);
	return pic->chip.pic.irr & LINES;
}

struct toggle {
	const struct vm *m;
	unsigned int irq;
	unsigned long n;
};

static void *toggle(void *arg)
{
	const struct toggle *t = arg;
	unsigned long i;

	for (i = 0; i < t->n; i++) {
		set_line(t->m, t->irq, !(i % 3));
		set_line(t->m, t->irq, !(i % 3));
	}
	return NULL;
}

/*
 * Two lines are at any time what was last asked for, however often, in whatever
 * order, and whoever else sets the chip or the other line.
 */
static void test_lines(unsigned long n)
{
	unsigned int rnd = 1, sum = 0, model = 0, repeat, irq;
	struct toggle t[2];
	struct kvm_irqchip pic = { };
	pthread_t thread[2];
	struct vm m;
	unsigned long i;

	vm_open(&m);
	CHECK(ioctl(m.vm, KVM_CREATE_IRQCHIP, 0) == 0);
	get_lines(&m, &pic);
	pic.chip.pic.elcr = LINES;
	CHECK(ioctl(m.vm, KVM_SET_IRQCHIP, &pic) == 0);
	for (i = 0; i < n; i++) {
		rnd = rnd * 1103515245 + 12345;
		irq = rnd & 0x10000 ? 5 : 7;
		model &= ~(1u << irq);
		if (rnd & 0x20000)
			model |= 1u << irq;
		for (repeat = rnd >> 18 & 3; repeat < 4; repeat++)
			sum = sum * 31 + set_line(&m, irq, !!(rnd & 0x20000));
		if (rnd & 0x300000)
			continue;
		CHECK(get_lines(&m, &pic) == model);
		if (rnd & 0xc00000)
			continue;
		/* Somebody else's idea of the lines: the next that is said stands. */
		pic.chip.pic.irr ^= LINES;
		CHECK(ioctl(m.vm, KVM_SET_IRQCHIP, &pic) == 0);
		for (irq = 5; irq <= 7; irq += 2)
			set_line(&m, irq, model >> irq & 1);
		CHECK(get_lines(&m, &pic) == model);
	}
	/* Two threads, a line each; the one ends high, the other low. */
	for (i = 0; i < 8; i++) {
		t[0] = (struct toggle){ &m, i & 1 ? 5 : 7, 31 };
		t[1] = (struct toggle){ &m, i & 1 ? 7 : 5, 30 };
		CHECK(pthread_create(&thread[0], NULL, toggle, &t[0]) == 0);
		CHECK(pthread_create(&thread[1], NULL, toggle, &t[1]) == 0);
		CHECK(pthread_join(thread[0], NULL) == 0);
		CHECK(pthread_join(thread[1], NULL) == 0);
		CHECK(get_lines(&m, &pic) == 1u << t[0].irq);
	}
	printf("%s: ok %08x\n", test, sum);
}

/* Loads and stores beyond RAM: ds = 0xffff, [0x10 + n] is at 1 MiB + n. */
static void test_mmio(unsigned long n)
{
	/* mov ax,0x9000; mov ds,ax; mov byte [0],'m'; mov al,[1]; hlt */
	static const uint8_t code[] = {
		0xb8, 0x00, 0x90, 0x8e, 0xd8, 0xc6, 0x06, 0x00, 0x00, 'm',
		0xa0, 0x01, 0x00, 0xf4,
	};
	struct kvm_userspace_memory_region region = { };
	struct kvm_regs regs;
	struct vm m;

	(void)n;
	vm_start(&m, code, sizeof(code));
	/* Shrink RAM to 512 KiB: delete, then a smaller slot. */
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
	region.memory_size = 512 << 10;
	region.userspace_addr = (uintptr_t)m.ram;
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);

	CHECK(vm_run(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_MMIO);
	CHECK(m.run->mmio.is_write && m.run->mmio.phys_addr == 0x90000);
	CHECK(m.run->mmio.len == 1 && m.run->mmio.data[0] == 'm');
	CHECK(vm_run(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_MMIO);
	CHECK(!m.run->mmio.is_write && m.run->mmio.phys_addr == 0x90001);
	m.run->mmio.data[0] = 7;
	CHECK(vm_run(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_HLT);
	CHECK(ioctl(m.vcpu, KVM_GET_REGS, &regs) == 0);
	CHECK((regs.rax & 0xff) == 7);
	printf("%s: ok\n", test);
}

/* What the disk has of RAM at @offset; the file's page in memory does not count. */
static uint8_t on_disk(const char *path, unsigned int offset)
{
	static uint8_t block[4096] __attribute__((aligned(4096)));
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK(pread(fd, block, sizeof(block), offset & ~4095u) == sizeof(block));
	CHECK(close(fd) == 0);
	return block[offset & 4095];
}

/* RAM is a file: what KVM writes itself gets to the disk, each time. */
static void test_file(unsigned long n)
{
	/* mov ax,0x9000; mov ds,ax; 1: xor si,si; mov di,0x3000; movsb; hlt; jmp 1b */
	static const uint8_t code[] = {
		0xb8, 0x00, 0x90, 0x8e, 0xd8, 0x31, 0xf6, 0xbf, 0x00, 0x30, 0xa4, 0xf4, 0xeb, 0xf7,
	};
	static const char path[] = "kvmtiny.ram";
	struct kvm_userspace_memory_region region = { };
	uint8_t value = 0;
	struct vm m;
	int fd;

	vm_start(&m, code, sizeof(code));
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && ftruncate(fd, RAM_SIZE) == 0);
	CHECK(mmap(m.ram, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == m.ram);
	memcpy(m.ram + CODE, code, sizeof(code));
	region.memory_size = 512 << 10;
	region.userspace_addr = (uintptr_t)m.ram;
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);

	while (value <= n) {
		CHECK(vm_run(&m) == 0);
		CHECK(m.run->exit_reason == KVM_EXIT_MMIO);
		CHECK(m.run->mmio.phys_addr == 0x90000 && !m.run->mmio.is_write);
		/* Every other time the page is clean when KVM writes to it. */
		CHECK(value & 1 || fsync(fd) == 0);
		m.run->mmio.data[0] = ++value;
		CHECK(vm_run(&m) == 0);
		CHECK(m.run->exit_reason == KVM_EXIT_HLT);
		CHECK(m.ram[0x3000] == value);
		if (value > n)
			break;
		CHECK(fsync(fd) == 0);
		CHECK(on_disk(path, 0x3000) == value);
	}
	/* The last one, and there is no VM any more. */
	vm_close(&m);
	CHECK(fsync(fd) == 0);
	CHECK(on_disk(path, 0x3000) == value);
	CHECK(unlink(path) == 0);
	printf("%s: ok %lu\n", test, n);
}

/* The guest writes each page of its RAM below 1 MiB; the client looks. */
static void test_memory(unsigned long n)
{
	unsigned int seg;
	struct vm m;

	(void)n;
	vm_start(&m, write_pages, sizeof(write_pages));
	CHECK(vm_run(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_HLT);
	for (seg = 0x200; seg < 0xf000; seg += 0x100) {
		uint16_t v;

		memcpy(&v, m.ram + seg * 16, 2);
		CHECK(v == seg);
	}
	/* The pages are replaced under the guest: it must see the new ones. */
	CHECK(madvise(m.ram + 0x2000, 0x1000, MADV_DONTNEED) == 0);
	CHECK(m.ram[0x2000] == 0);
	memset(m.ram + 0x2000, 0x5a, 0x1000);
	m.ram[CODE] = 0xa0;		/* mov al,[0]; hlt, ds = 0x200 */
	m.ram[CODE + 1] = 0;
	m.ram[CODE + 2] = 0;
	m.ram[CODE + 3] = 0xf4;
	{
		struct kvm_sregs sregs;
		struct kvm_regs regs;

		CHECK(ioctl(m.vcpu, KVM_GET_SREGS, &sregs) == 0);
		sregs.ds.base = 0x2000;
		sregs.ds.selector = 0x200;
		CHECK(ioctl(m.vcpu, KVM_SET_SREGS, &sregs) == 0);
		CHECK(ioctl(m.vcpu, KVM_GET_REGS, &regs) == 0);
		regs.rip = CODE;
		CHECK(ioctl(m.vcpu, KVM_SET_REGS, &regs) == 0);
		CHECK(vm_run(&m) == 0);
		CHECK(m.run->exit_reason == KVM_EXIT_HLT);
		CHECK(ioctl(m.vcpu, KVM_GET_REGS, &regs) == 0);
		CHECK((regs.rax & 0xff) == 0x5a);
	}
	printf("%s: ok\n", test);
}

#define TOUCHED		0x2000u		/* first of the pages */
#define TOUCHED_END	0xf0000u

/* A guest that writes each page from TOUCHED on, tells the client, and again. */
static void touch_start(struct vm *m)
{
	/* As test_memory()'s, then out 0x10,al and again. */
	static const uint8_t code[] = {
		0xbb, 0x00, 0x02, 0x8e, 0xdb, 0x89, 0x1e, 0x00, 0x00,
		0x81, 0xc3, 0x00, 0x01, 0x81, 0xfb, 0x00, 0xf0, 0x72, 0xf0,
		0xe6, 0x10, 0xeb, 0xe9,
	};

	vm_start(m, code, sizeof(code));
	CHECK(madvise(m->ram, RAM_SIZE, MADV_NOHUGEPAGE) == 0);
}

/* One round, of pages that the client has given back. */
static void touch(struct vm *m)
{
	CHECK(madvise(m->ram + TOUCHED, TOUCHED_END - TOUCHED, MADV_DONTNEED) == 0);
	CHECK(run_through(m) == 0);
	CHECK(m->run->exit_reason == KVM_EXIT_IO);
}

/* N rounds. */
static void test_touch(unsigned long n)
{
	struct vm m;

	touch_start(&m);
	while (n--)
		touch(&m);
	printf("%s: ok\n", test);
}

/*
 * Memory that the guest touches first comes from the node that the client's
 * memory policy says, here each node up to N in turn.
 */
static void test_nodes(unsigned long n)
{
	struct vm m;

	touch_start(&m);
	for (unsigned long node = 0; node <= n; node++) {
		unsigned long mask = 1ul << node;
		int at;

		CHECK(syscall(SYS_set_mempolicy, MPOL_BIND, &mask, 64) == 0);
		touch(&m);
		for (unsigned long p = TOUCHED; p < TOUCHED_END; p += 0x1000) {
			CHECK(syscall(SYS_get_mempolicy, &at, NULL, 0, m.ram + p, MPOL_F_NODE | MPOL_F_ADDR) == 0);
			CHECK(at == (int)node);
		}
	}
	printf("%s: ok\n", test);
}

/* A VM from open to close, N times. */
static void test_session(unsigned long n)
{
	static const uint8_t code[] = { 0xf4 };
	struct vm m;

	while (n--) {
		vm_start(&m, code, sizeof(code));
		CHECK(vm_run(&m) == 0);
		vm_close(&m);
		CHECK(close(m.kvm) == 0);
	}
	printf("%s: ok\n", test);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/*
 * A guest that spins is interrupted by a signal: -EINTR, run state intact.  It
 * spins with interrupts on: the emulator keeps host interrupts masked over a
 * VM entry with RFLAGS.IF clear on both sides (docs/emulator.md).
 */
static void test_signal(unsigned long n)
{
	static const uint8_t code[] = { 0xfb, 0x40, 0xeb, 0xfd };	/* sti; inc; jmp */
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval it = {
		.it_value.tv_usec = 20000, .it_interval.tv_usec = 20000,
	};
	struct vm m;

	(void)n;
	vm_start(&m, code, sizeof(code));
	CHECK(sigaction(SIGALRM, &sa, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
	CHECK(vm_run(&m) == -1 && errno == EINTR);
	CHECK(m.run->exit_reason == KVM_EXIT_INTR);
	m.run->immediate_exit = 1;
	CHECK(vm_run(&m) == -1 && errno == EINTR);
	m.run->immediate_exit = 0;
	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
	CHECK(vm_run(&m) == -1 && errno == EINTR);
	printf("%s: ok\n", test);
}

/* An IDT of limit 0 and an interrupt: triple fault. */
static void test_triple(unsigned long n)
{
	/* lidt [cs:8]; int3; hlt; (pad); limit 0, base 0 */
	static const uint8_t code[16] = {
		0x2e, 0x0f, 0x01, 0x1e, 0x08, 0x10, 0xcc, 0xf4,
	};
	struct vm m;

	(void)n;
	vm_start(&m, code, sizeof(code));
	CHECK(vm_run(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_SHUTDOWN);
	printf("%s: ok\n", test);
}

/* With an in-kernel local APIC: HLT wakes on the LAPIC timer's interrupt. */
static void test_timer(unsigned long n)
{
	/*
	 * x2APIC cannot be reached from real mode's 16 bits without MSRs, so:
	 * wrmsr x2APIC enable, SVR, LVT timer vector 0x20, initial count;
	 * sti; hlt; out 0x10,al.  The handler at 0:0x600 writes EOI, irets.
	 */
	static const uint8_t code[] = {
		/* enable x2APIC: mov ecx,0x1b; rdmsr; or eax,0xc00; wrmsr */
		0x66, 0xb9, 0x1b, 0, 0, 0, 0x0f, 0x32,
		0x66, 0x0d, 0x00, 0x0c, 0, 0, 0x0f, 0x30,
		/* SVR: mov ecx,0x80f; mov eax,0x1ff; xor edx,edx; wrmsr */
		0x66, 0xb9, 0x0f, 0x08, 0, 0, 0x66, 0xb8, 0xff, 0x01, 0, 0,
		0x66, 0x31, 0xd2, 0x0f, 0x30,
		/* divide by 1: 0x83e = 0xb */
		0x66, 0xb9, 0x3e, 0x08, 0, 0, 0x66, 0xb8, 0x0b, 0, 0, 0,
		0x0f, 0x30,
		/* LVT timer: 0x832 = 0x20, one-shot */
		0x66, 0xb9, 0x32, 0x08, 0, 0, 0x66, 0xb8, 0x20, 0, 0, 0,
		0x0f, 0x30,
		/* initial count: 0x838 = 100000 */
		0x66, 0xb9, 0x38, 0x08, 0, 0, 0x66, 0xb8, 0xa0, 0x86, 0x01, 0,
		0x0f, 0x30,
		0xfb, 0xf4, 0xe6, 0x10, 0xeb, 0xfe,
	};
	/* mov ecx,0x80b; xor eax,eax; xor edx,edx; wrmsr; mov al,'t'; iret */
	static const uint8_t handler[] = {
		0x66, 0xb9, 0x0b, 0x08, 0, 0, 0x66, 0x31, 0xc0, 0x66, 0x31,
		0xd2, 0x0f, 0x30, 0xb0, 't', 0xcf,
	};
	struct kvm_userspace_memory_region region = { .memory_size = RAM_SIZE };
	struct kvm_regs regs = { .rip = CODE, .rflags = 2, .rsp = 0x800 };
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entry[100];
	} cpuid;
	struct kvm_sregs sregs;
	uint16_t vector[2] = { 0x600, 0 };
	struct vm m;
	int r;

	(void)n;
	vm_open(&m);
	CHECK(ioctl(m.vm, KVM_CREATE_IRQCHIP, 0) == 0);
	m.ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(m.ram != MAP_FAILED);
	memcpy(m.ram + CODE, code, sizeof(code));
	memcpy(m.ram + 0x600, handler, sizeof(handler));
	memcpy(m.ram + 0x20 * 4, vector, sizeof(vector));
	region.userspace_addr = (uintptr_t)m.ram;
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
	m.vcpu = ioctl(m.vm, KVM_CREATE_VCPU, 0);
	CHECK(m.vcpu >= 0);
	cpuid.head.nent = 100;
	CHECK(ioctl(m.kvm, KVM_GET_SUPPORTED_CPUID, &cpuid) == 0);
	CHECK(ioctl(m.vcpu, KVM_SET_CPUID2, &cpuid) == 0);
	r = ioctl(m.kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	m.run = mmap(NULL, r, PROT_READ | PROT_WRITE, MAP_SHARED, m.vcpu, 0);
	CHECK(m.run != MAP_FAILED);
	CHECK(ioctl(m.vcpu, KVM_GET_SREGS, &sregs) == 0);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	CHECK(ioctl(m.vcpu, KVM_SET_SREGS, &sregs) == 0);
	CHECK(ioctl(m.vcpu, KVM_SET_REGS, &regs) == 0);
	CHECK(vm_run(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_IO && m.run->io.port == 0x10);
	CHECK(((uint8_t *)m.run)[m.run->io.data_offset] == 't');
	printf("%s: ok\n", test);
}

/* Calls that make no sense: the errno is upstream's, nothing else happens. */
static void test_bad(unsigned long n)
{
	static const uint8_t code[] = { 0xf4 };
	struct kvm_userspace_memory_region region = {
		.slot = 1, .guest_phys_addr = 0x10000000, .memory_size = 4095,
	};
	struct vm m;

	(void)n;
	vm_start(&m, code, sizeof(code));
	CHECK(ioctl(m.kvm, 0xae77, 0) == -1 && errno == EINVAL);
	CHECK(ioctl(m.vm, KVM_CREATE_VCPU, 0) == -1 && errno == EEXIST);
	CHECK(ioctl(m.vm, KVM_CREATE_VCPU, 1ul << 40) == -1 && errno == EINVAL);
	CHECK(ioctl(m.vm, KVM_CREATE_VCPU, ~0u) == -1 && errno == EINVAL);
	CHECK(ioctl(m.vm, KVM_CREATE_VCPU, 1u << 16) == -1 && errno == EINVAL);
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == -1 &&
	      errno == EINVAL);
	region.memory_size = 4096;
	region.userspace_addr = 1;
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == -1 &&
	      errno == EINVAL);
	region.userspace_addr = (uintptr_t)m.ram;
	region.guest_phys_addr = 0x1000;	/* overlaps slot 0 */
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == -1 &&
	      errno == EEXIST);
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, 8) == -1 &&
	      errno == EFAULT);
	CHECK(ioctl(m.vcpu, KVM_RUN, 1) == -1 && errno == EINVAL);
	CHECK(ioctl(m.vcpu, KVM_SET_REGS, 8) == -1 && errno == EFAULT);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, m.vm, 0) ==
	      MAP_FAILED);
	CHECK(vm_run(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_HLT);
	printf("%s: ok\n", test);
}

static struct {
	struct kvm_msr_list head;
	uint32_t index[1000];
} list = { .head.nmsrs = 1000 };

static struct {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
} msr = { .head.nmsrs = 1 };

/* Every MSR that KVM says it saves can be read, and set to what it was. */
static void test_msrs(unsigned long n)
{
	static const uint8_t code[] = { 0xf4 };
	struct vm m;
	uint32_t i;

	(void)n;
	vm_start(&m, code, sizeof(code));
	CHECK(ioctl(m.kvm, KVM_GET_MSR_INDEX_LIST, &list) == 0);
	for (i = 0; i < list.head.nmsrs; i++) {
		msr.entry.index = list.head.indices[i];
		if (ioctl(m.vcpu, KVM_GET_MSRS, &msr) != 1)
			printf("%s: cannot get %#x\n", test, msr.entry.index);
		else if (ioctl(m.vcpu, KVM_SET_MSRS, &msr) != 1)
			printf("%s: cannot set %#x to %#llx\n", test,
			       msr.entry.index,
			       (unsigned long long)msr.entry.data);
	}
	printf("%s: ok %u\n", test, list.head.nmsrs);
}

/* The feature MSRs (VMX capabilities and others), one on a line. */
static void test_features(unsigned long n)
{
	struct vm m;
	uint32_t i;

	(void)n;
	vm_open(&m);
	CHECK(ioctl(m.kvm, KVM_GET_MSR_FEATURE_INDEX_LIST, &list) == 0);
	for (i = 0; i < list.head.nmsrs; i++) {
		msr.entry.index = list.head.indices[i];
		CHECK(ioctl(m.kvm, KVM_GET_MSRS, &msr) == 1);
		printf("%s: %#x %#llx\n", test, msr.entry.index,
		       (unsigned long long)msr.entry.data);
	}
	printf("%s: ok %u\n", test, list.head.nmsrs);
}

/* A guest writes SPEC_CTRL, or the client does: bits that the CPU lacks are refused. */
static void test_specctrl(unsigned long n)
{
	static const uint8_t code[] = { 0x0f, 0x30, 0x0f, 0x32, 0xf4 };	/* wrmsr; rdmsr; hlt */
	static const uint8_t handler[] = { 0xb3, 0x99, 0xf4 };	/* mov bl,0x99; hlt */
	const uint16_t vector[2] = { CODE + 0x80, 0 };
	struct kvm_regs regs = { .rip = CODE, .rflags = 2, .rsp = 0x800, .rcx = 0x48 };
	uint32_t i, value;
	struct vm m;

	(void)n;
	vm_start(&m, code, sizeof(code));
	set_cpuid(&m);
	memcpy(m.ram + CODE + 0x80, handler, sizeof(handler));
	memcpy(m.ram + 4 * 13, vector, sizeof(vector));
	for (i = 0; i <= 32; i++) {
		value = i < 32 ? 1u << i : 0;
		msr.entry = (struct kvm_msr_entry){ .index = 0x48, .data = value };
		printf("%s: set %#x: %d", test, value, ioctl(m.vcpu, KVM_SET_MSRS, &msr));
		msr.entry.data = 0;
		ioctl(m.vcpu, KVM_SET_MSRS, &msr);
		regs.rip = CODE;
		regs.rax = value;
		regs.rbx = regs.rdx = 0;
		CHECK(ioctl(m.vcpu, KVM_SET_REGS, &regs) == 0);
		CHECK(vm_run(&m) == 0 && m.run->exit_reason == KVM_EXIT_HLT);
		CHECK(ioctl(m.vcpu, KVM_GET_REGS, &regs) == 0);
		printf("; wrmsr: %s %#llx\n", regs.rbx ? "#GP" : "ok", (unsigned long long)regs.rax);
		regs.rsp = 0x800;
		regs.rflags = 2;
		regs.rcx = 0x48;
	}
	printf("%s: ok\n", test);
}

static void print_name(int fd)
{
	char link[32], name[64] = "";

	CHECK(fd >= 0);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	CHECK(readlink(link, name, sizeof(name) - 1) > 0);
	printf("%s: %s\n", test, name);
}

/* What people and kvm_stat see in /proc/PID/fd. */
static void test_names(unsigned long n)
{
	static const uint8_t code[] = { 0xf4 };
	struct vm m;

	(void)n;
	vm_start(&m, code, sizeof(code));
	print_name(m.kvm);
	print_name(m.vm);
	print_name(m.vcpu);
	print_name(ioctl(m.vm, KVM_CREATE_VCPU, 5));
	print_name(ioctl(m.vm, KVM_GET_STATS_FD, 0));
	print_name(ioctl(m.vcpu, KVM_GET_STATS_FD, 0));
	printf("%s: ok\n", test);
}

struct answer {
	int uffd;
	unsigned long delay;
};

/* Brings the pages that are missing, the first of them DELAY seconds late. */
static void *answer_faults(void *arg)
{
	const struct answer *a = arg;
	unsigned long pages = 0;
	struct uffd_msg msg;

	while (read(a->uffd, &msg, sizeof(msg)) == sizeof(msg)) {
		struct uffdio_zeropage zero = {
			.range = { .start = msg.arg.pagefault.address & ~4095ull, .len = 4096 },
		};

		CHECK(msg.event == UFFD_EVENT_PAGEFAULT);
		if (!pages++) {
			printf("%s: stalled\n", test);
			fflush(stdout);
			sleep(a->delay);
		}
		CHECK(ioctl(a->uffd, UFFDIO_ZEROPAGE, &zero) == 0 || errno == EEXIST);
	}
	return NULL;
}

/* test_memory()'s guest; its pages come from userfaultfd, the first after N s. */
static void test_uffd(unsigned long n)
{
	static const uint8_t code[] = {
		0xbb, 0x00, 0x02, 0x8e, 0xdb, 0x89, 0x1e, 0x00, 0x00,
		0x81, 0xc3, 0x00, 0x01, 0x81, 0xfb, 0x00, 0xf0, 0x72, 0xf0,
		0xf4,
	};
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct answer a = { .delay = n };
	pthread_t thread;
	unsigned int seg;
	struct vm m;

	vm_start(&m, code, sizeof(code));
	/* A huge page would be here whole with its first page. */
	CHECK(madvise(m.ram, RAM_SIZE, MADV_NOHUGEPAGE) == 0);
	CHECK(madvise(m.ram, RAM_SIZE, MADV_DONTNEED) == 0);
	memcpy(m.ram + CODE, code, sizeof(code));
	a.uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	CHECK(a.uffd >= 0);
	CHECK(ioctl(a.uffd, UFFDIO_API, &api) == 0);
	reg.range.start = (uintptr_t)m.ram + 0x2000;
	reg.range.len = 0xee000;
	CHECK(ioctl(a.uffd, UFFDIO_REGISTER, &reg) == 0);
	CHECK(pthread_create(&thread, NULL, answer_faults, &a) == 0);
	CHECK(vm_run(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_HLT);
	for (seg = 0x200; seg < 0xf000; seg += 0x100) {
		uint16_t v;

		memcpy(&v, m.ram + seg * 16, 2);
		CHECK(v == seg);
	}
	printf("%s: ok\n", test);
}

/* A vCPU in long mode at CODE; @pt is the page table for what follows the first 2 MiB. */
static void long_mode(struct vm *m, uint32_t pt)
{
	struct kvm_segment code = {
		.limit = ~0u, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1,
	}, data = code;
	struct kvm_sregs sregs;

	data.selector = 16;
	data.type = 3;
	data.l = 0;
	data.db = 1;
	*(uint64_t *)(m->ram + 0x8000) = 0x9007;
	*(uint64_t *)(m->ram + 0x9000) = 0xa007;
	*(uint64_t *)(m->ram + 0xa000) = 0x87;
	*(uint64_t *)(m->ram + 0xa008) = pt | 7;
	set_cpuid(m);
	CHECK(ioctl(m->vcpu, KVM_GET_SREGS, &sregs) == 0);
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = data;
	sregs.cr0 = 0x80000031;
	sregs.cr3 = 0x8000;
	sregs.cr4 = 0x20;
	sregs.efer = 0x500;
	CHECK(ioctl(m->vcpu, KVM_SET_SREGS, &sregs) == 0);
}

/* RAM without huge pages, of which only CODE has been touched. */
static void fresh_memory(struct vm *m, const void *code, size_t len)
{
	CHECK(madvise(m->ram, RAM_SIZE, MADV_NOHUGEPAGE) == 0);
	CHECK(madvise(m->ram, RAM_SIZE, MADV_DONTNEED) == 0);
	memcpy(m->ram + CODE, code, len);
}

/*
 * KVM looks at a page table that nobody has written yet.  The guest writes it, so
 * that the client gets another page there, and moves a byte from MMIO by it: KVM
 * must see what the guest wrote.  Memory is anonymous, and a private file's.
 */
static void test_stale(unsigned long n)
{
	/* movq [0xb000],0x10000003; mov esi,0x200000; mov edi,0x3000; movsb; hlt */
	static const uint8_t code[] = {
		0x48, 0xc7, 0x04, 0x25, 0x00, 0xb0, 0x00, 0x00, 0x03, 0x00, 0x00, 0x10,
		0xbe, 0x00, 0x00, 0x20, 0x00, 0xbf, 0x00, 0x30, 0x00, 0x00, 0xa4, 0xf4,
	};
	struct kvm_translation look;
	struct vm m;
	int i, fd;

	(void)n;
	for (i = 0; i < 2; i++) {
		vm_start(&m, code, sizeof(code));
		if (i) {
			fd = memfd_create("ram", 0);
			CHECK(fd >= 0 && ftruncate(fd, RAM_SIZE) == 0);
			CHECK(mmap(m.ram, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
				   fd, 0) == m.ram);
		}
		fresh_memory(&m, code, sizeof(code));
		long_mode(&m, 0xb000);
		look = (struct kvm_translation){ .linear_address = 0x200000 };
		CHECK(ioctl(m.vcpu, KVM_TRANSLATE, &look) == 0 && !look.valid);
		CHECK(vm_run(&m) == 0);
		CHECK(m.run->exit_reason == KVM_EXIT_MMIO);
		CHECK(m.run->mmio.phys_addr == 0x10000000 && !m.run->mmio.is_write);
		m.run->mmio.data[0] = 0x77;
		CHECK(vm_run(&m) == 0);
		CHECK(m.run->exit_reason == KVM_EXIT_HLT);
		CHECK(m.ram[0x3000] == 0x77);
	}
	printf("%s: ok\n", test);
}

static long stub_count(const char *name)
{
	FILE *f = fopen("/sys/kernel/debug/kvm_split/stats", "r");
	char line[64];
	long value, found = -1;

	CHECK(f);
	while (fscanf(f, "%63s %ld", line, &value) == 2)
		if (!strcmp(line, name))
			found = value;
	fclose(f);
	return found;
}

/* A guest that does nothing, of whose page tables KVM has looked at some. */
static void looked_at(struct vm *m, int irqchip)
{
	static const uint8_t code[] = { 0xf4 };
	struct kvm_translation look = { .linear_address = 0x1000 };

	vm_open(m);
	CHECK(!irqchip || ioctl(m->vm, KVM_CREATE_IRQCHIP, 0) == 0);
	vm_memory(m, code, sizeof(code));
	vm_vcpu(m, 0);
	fresh_memory(m, code, sizeof(code));
	long_mode(m, 0xb000);
	CHECK(ioctl(m->vcpu, KVM_TRANSLATE, &look) == 0 && look.valid);
}

/* The client's memory management wants the pages that KVM looked at. */
static void let_go(struct vm *m)
{
	CHECK(stub_count("window_pages") >= 3);
	CHECK(mprotect(m->ram, RAM_SIZE, PROT_READ) == 0);
	for (int i = 0; i < 1000 && stub_count("window_pages"); i++)
		usleep(10000);
	CHECK(stub_count("window_pages") == 0);
	CHECK(mprotect(m->ram, RAM_SIZE, PROT_READ | PROT_WRITE) == 0);
}

/* It gets them while nobody runs the guest, and while that sleeps in HLT. */
static void test_paused(unsigned long n)
{
	long blocks = stub_count("blocks");
	pthread_t thread;
	struct vm m;

	(void)n;
	looked_at(&m, 0);
	let_go(&m);
	CHECK(vm_run(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_HLT);
	vm_close(&m);

	looked_at(&m, 1);
	CHECK(pthread_create(&thread, NULL, run_for_ever, &m) == 0);
	while (stub_count("blocks") == blocks)
		usleep(10000);
	let_go(&m);
	printf("%s: ok\n", test);
}

struct late_page {
	int uffd;
	pthread_t vcpu;
	sem_t go;
};

/* Signals the vCPU's thread when that waits for a page, which comes later. */
static void *interrupt_then_answer(void *arg)
{
	struct late_page *late = arg;
	struct uffdio_zeropage zero = { .range.len = 4096 };
	struct uffd_msg msg;

	CHECK(read(late->uffd, &msg, sizeof(msg)) == sizeof(msg));
	CHECK(msg.event == UFFD_EVENT_PAGEFAULT);
	CHECK(pthread_kill(late->vcpu, SIGUSR1) == 0);
	CHECK(sem_wait(&late->go) == 0);
	zero.range.start = msg.arg.pagefault.address & ~4095ull;
	CHECK(ioctl(late->uffd, UFFDIO_ZEROPAGE, &zero) == 0);
	return NULL;
}

/* A signal while a page is being brought in: the page comes after KVM_RUN has ended. */
static void test_interrupt(unsigned long n)
{
	/* mov al,[0x3000]; hlt */
	static const uint8_t code[] = { 0xa0, 0x00, 0x30, 0xf4 };
	const struct sigaction sa = { .sa_handler = wake };
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct late_page late = { .vcpu = pthread_self() };
	pthread_t thread;
	struct vm m;

	(void)n;
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK(sem_init(&late.go, 0, 0) == 0);
	vm_start(&m, code, sizeof(code));
	fresh_memory(&m, code, sizeof(code));
	late.uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	CHECK(late.uffd >= 0);
	CHECK(ioctl(late.uffd, UFFDIO_API, &api) == 0);
	reg.range.start = (uintptr_t)m.ram + 0x3000;
	reg.range.len = 0x1000;
	CHECK(ioctl(late.uffd, UFFDIO_REGISTER, &reg) == 0);
	CHECK(pthread_create(&thread, NULL, interrupt_then_answer, &late) == 0);
	CHECK(vm_run(&m) == -1 && errno == EINTR);
	CHECK(m.run->exit_reason == KVM_EXIT_INTR);
	CHECK(sem_post(&late.go) == 0);
	CHECK(vm_run(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_HLT);
	CHECK(pthread_join(thread, NULL) == 0);
	printf("%s: ok\n", test);
}

static struct {
	volatile int count, code;
	void *volatile addr;
	volatile pid_t thread;
} bus;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	bus.code = info->si_code;
	bus.addr = info->si_addr;
	bus.thread = gettid();
	bus.count++;
}

static void *run_poisoned(void *arg)
{
	struct vm *m = arg;

	CHECK(vm_run(m) == -1 && errno == EINTR);
	CHECK(m->run->exit_reason == KVM_EXIT_INTR);
	CHECK(bus.count == 1 && bus.code == BUS_MCEERR_AR);
	CHECK(bus.addr == m->ram + 0x3000 && bus.thread == gettid());
	return NULL;
}

/*
 * The guest reads a poisoned page: the thread in KVM_RUN gets SIGBUS.  Who opened
 * /dev/kvm is another process, if N is 1.
 */
static void test_poison(unsigned long n)
{
	/* mov al,[0x3000]; hlt */
	static const uint8_t code[] = { 0xa0, 0x00, 0x30, 0xf4 };
	const struct sigaction sa = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };
	pthread_t thread;
	struct vm m;

	m.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	CHECK(m.kvm >= 0);
	if (n) {
		pid_t child = fork();
		int status;

		CHECK(child >= 0);
		if (child) {
			CHECK(waitpid(child, &status, 0) == child);
			exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
		}
	}
	m.vm = ioctl(m.kvm, KVM_CREATE_VM, 0);
	CHECK(m.vm >= 0);
	vm_memory(&m, code, sizeof(code));
	fresh_memory(&m, code, sizeof(code));
	vm_vcpu(&m, 0);
	m.ram[0x3000] = 1;
	CHECK(sigaction(SIGBUS, &sa, NULL) == 0);
	CHECK(madvise(m.ram + 0x3000, 4096, MADV_HWPOISON) == 0);
	/* It told who asked. */
	bus.count = 0;
	CHECK(pthread_create(&thread, NULL, run_poisoned, &m) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	printf("%s: ok\n", test);
}

/* A guest that never leaves for its client, until a signal ends both. */
static void test_burn(unsigned long n)
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

/* The one line that those rewrite who go on for ever. */
static void print_count(unsigned long n)
{
	char line[32];

	snprintf(line, sizeof(line), "%12lu\n", n);
	CHECK(pwrite(1, line, 13, 0) == 13 || errno == ESPIPE);
}

/*
 * A guest that counts in its memory the interrupts of its timer and never leaves for its
 * client, but a signal interrupts it ten times a second, as a QEMU's threads kick its
 * vCPUs: then the count is printed.  Ends as test_spin() does.
 */
static void test_count(unsigned long n)
{
	struct itimerval it = { .it_value.tv_usec = 100000, .it_interval.tv_usec = 100000 };
	struct sigaction sa = { .sa_handler = on_alarm };
	struct vm m;

	(void)n;
	irqchip_vm(&m);
	irqchip_vcpu(&m, 0, metronome, 0, 2000000);
	run_to(&m, 0x11);
	CHECK(sigaction(SIGALRM, &sa, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
	while (vm_run(&m) == -1 && errno == EINTR)
		print_count(*(volatile uint32_t *)(m.ram + 0x2000));
	fprintf(stderr, "%s: ended by errno %d, exit reason %u\n", test, errno, m.run->exit_reason);
	exit(3);
}

/*
 * A guest that goes on for ever, for tests that kill one of the processes
 * behind it.  Rewrites one line with the count of its exits, and ends only with
 * KVM: "spin: ended ..." and status 3.  N: ms to sleep after each exit.
 */
static void test_spin(unsigned long n)
{
	/* sti; 1: dec cx; jnz 1b; out 0x10,al; jmp 1b */
	static const uint8_t code[] = {
		0xfb, 0x49, 0x75, 0xfd, 0xe6, 0x10, 0xeb, 0xf9,
	};
	struct sigaction sa = { .sa_handler = on_alarm };
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

/* ------------------------------------------------- hosts of other kinds -- */

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
static void test_life(unsigned long n)
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
static void test_share(unsigned long n)
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
static void test_passed(unsigned long n)
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
static void test_balance(unsigned long n)
{
	/* test_memory()'s after sti, for ever */
	static const uint8_t code[] = {
		0xfb, 0xbb, 0x00, 0x02, 0x8e, 0xdb, 0x89, 0x1e, 0x00, 0x00,
		0x81, 0xc3, 0x00, 0x01, 0x81, 0xfb, 0x00, 0xf0, 0x72, 0xf0, 0xeb, 0xeb,
	};
	const unsigned int pages = (TOUCHED_END - TOUCHED) / 0x1000;
	struct itimerval it = { .it_value.tv_usec = 100000, .it_interval.tv_usec = 100000 };
	struct sigaction sa = { .sa_handler = on_alarm };
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

/* An MSR that KVM does not know, read by the guest: what comes of it. */
static void test_msr(unsigned long n)
{
	/* mov ecx,0x35; rdmsr; out 0x10,eax; at 0x1100: mov al,0xee; out 0x11,al */
	static const uint8_t code[] = {
		0x66, 0xb9, 0x35, 0, 0, 0, 0x0f, 0x32, 0x66, 0xe7, 0x10,
	};
	static const uint8_t gp[] = { 0xb0, 0xee, 0xe6, 0x11 };
	static const uint16_t vector[2] = { 0x1100, 0 };
	uint32_t value;
	struct vm m;

	(void)n;
	vm_start(&m, code, sizeof(code));
	memcpy(m.ram + 0x1100, gp, sizeof(gp));
	memcpy(m.ram + 13 * 4, vector, sizeof(vector));
	CHECK(vm_run(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_IO);
	memcpy(&value, (uint8_t *)m.run + m.run->io.data_offset, sizeof(value));
	if (m.run->io.port == 0x10)
		printf("%s: ok, read as %#x\n", test, value);
	else
		printf("%s: ok, #GP\n", test);
}

/* --------------------------------------------------- memory under stress -- */

#define CHURN_BASE	0x100000u
#define CHURN_ROUNDS	4
#define PAGE		4096u

struct churn {
	struct vm vm;
	uint8_t *mem;			/* of the guest, from CHURN_BASE */
	uint32_t pages;
	uint32_t *model;		/* first and last word of each page */
	int calm;			/* the thread below pauses */
};

/* Sends parts of the memory out while the guest uses them. */
static void *churn_disturb(void *arg)
{
	struct churn *c = arg;
	const uint32_t step = 128;
	uint32_t i;

	for (i = 0;; i = (i + 5 * step) % c->pages) {
		usleep(20000);
		if (!__atomic_load_n(&c->calm, __ATOMIC_SEQ_CST))
			madvise(c->mem + (size_t)i * PAGE, step * PAGE,
				MADV_PAGEOUT);
	}
	return NULL;
}

static uint32_t *first_word(struct churn *c, uint32_t i)
{
	return (uint32_t *)(c->mem + (size_t)i * PAGE);
}

static uint32_t *last_word(struct churn *c, uint32_t i)
{
	return (uint32_t *)(c->mem + (size_t)i * PAGE + PAGE - 4);
}

/* What the guest computes over all pages as they should be. */
static uint32_t churn_sum(const struct churn *c)
{
	uint32_t i, sum = 0;

	for (i = 0; i < c->pages; i++) {
		sum = (sum << 1 | sum >> 31) + c->model[i];
		sum = (sum << 1 | sum >> 31) + c->model[i];
	}
	return sum;
}

/* Let the guest run to its next OUT; that is on @port. */
static uint32_t churn_run(struct churn *c, int port)
{
	CHECK(run_through(&c->vm) == 0);
	CHECK(c->vm.run->exit_reason == KVM_EXIT_IO);
	CHECK(c->vm.run->io.port == port && c->vm.run->io.size == 4);
	return *(uint32_t *)((uint8_t *)c->vm.run + c->vm.run->io.data_offset);
}

/* The guest reads all: each page is what the client thinks it is. */
static void churn_guest_reads(struct churn *c)
{
	CHECK(churn_run(c, 0x11) == churn_sum(c));
}

/* The guest writes all: equal pages in groups of 16, the rest of each is 0. */
static void churn_guest_writes(struct churn *c)
{
	uint32_t i, seed = churn_run(c, 0x10);

	for (i = 0; i < c->pages; i++)
		c->model[i] = ((CHURN_BASE + i * PAGE) >> 16) ^ seed;
}

static void churn_client_reads(struct churn *c)
{
	uint32_t i;

	for (i = 0; i < c->pages; i++)
		CHECK(*first_word(c, i) == c->model[i] &&
		      *last_word(c, i) == c->model[i]);
}

static void churn_client_writes(struct churn *c, uint32_t i, uint32_t value)
{
	*first_word(c, i) = value;
	*last_word(c, i) = value;
	c->model[i] = value;
}

static unsigned long number_of(const char *path, const char *name)
{
	FILE *f = fopen(path, "r");
	unsigned long n, sum = 0;
	char line[256];

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)) &&
		    sscanf(line + strlen(name), "%lu", &n) == 1)
			sum += n;
	fclose(f);
	return sum;
}

/* Pages of other processes that are merged with this one's do not exist. */
static unsigned long merged(void)
{
	return number_of("/sys/kernel/mm/ksm/pages_sharing", "");
}

static void churn_start(struct churn *c, unsigned long mib)
{
	static const uint8_t code[] = {
		0x31, 0xed,				/* xor ebp,ebp */
		/* again: */
		0x45,					/* inc ebp */
		0xbe, 0, 0, 0x10, 0,			/* mov esi,BASE */
		/* write: */
		0x89, 0xf0,				/* mov eax,esi */
		0xc1, 0xe8, 0x10,			/* shr eax,16 */
		0x31, 0xe8,				/* xor eax,ebp */
		0x89, 0x06,				/* mov [esi],eax */
		0x89, 0x86, 0xfc, 0x0f, 0, 0,		/* mov [esi+0xffc],eax */
		0x81, 0xc6, 0, 0x10, 0, 0,		/* add esi,0x1000 */
		0x39, 0xfe,				/* cmp esi,edi */
		0x72, 0xe7,				/* jb write */
		0x89, 0xe8,				/* mov eax,ebp */
		0xe7, 0x10,				/* out 0x10,eax */
		0xb9, 2, 0, 0, 0,			/* mov ecx,2 */
		/* sum: */
		0x31, 0xc0,				/* xor eax,eax */
		0xbe, 0, 0, 0x10, 0,			/* mov esi,BASE */
		/* read: */
		0xd1, 0xc0,				/* rol eax,1 */
		0x03, 0x06,				/* add eax,[esi] */
		0xd1, 0xc0,				/* rol eax,1 */
		0x03, 0x86, 0xfc, 0x0f, 0, 0,		/* add eax,[esi+0xffc] */
		0x81, 0xc6, 0, 0x10, 0, 0,		/* add esi,0x1000 */
		0x39, 0xfe,				/* cmp esi,edi */
		0x72, 0xea,				/* jb read */
		0xe7, 0x11,				/* out 0x11,eax */
		0x49,					/* dec ecx */
		0x75, 0xde,				/* jnz sum */
		0xeb, 0xb4,				/* jmp again */
	};
	struct kvm_userspace_memory_region region = {
		.slot = 1, .guest_phys_addr = CHURN_BASE,
		.memory_size = (uint64_t)mib << 20,
	};
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct kvm_userspace_memory_region low = { .memory_size = CHURN_BASE };
	struct kvm_sregs sregs;
	struct vm *m = &c->vm;

	vm_start(m, code, sizeof(code));
	/* Slot 0 without what is slot 1's now. */
	CHECK(ioctl(m->vm, KVM_SET_USER_MEMORY_REGION,
		    &(struct kvm_userspace_memory_region){ }) == 0);
	low.userspace_addr = (uintptr_t)m->ram;
	CHECK(ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &low) == 0);
	c->mem = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(c->mem != MAP_FAILED);
	CHECK(madvise(c->mem, mib << 20, MADV_NOHUGEPAGE) == 0);
	region.userspace_addr = (uintptr_t)c->mem;
	CHECK(ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
	c->pages = (mib << 20) / PAGE;
	c->model = calloc(c->pages, sizeof(*c->model));
	CHECK(c->model);

	/* Protected mode, flat, without paging. */
	CHECK(ioctl(m->vcpu, KVM_GET_SREGS, &sregs) == 0);
	sregs.cr0 |= 1;
	sregs.cs.limit = ~0u;
	sregs.cs.g = 1;
	sregs.cs.db = 1;
	sregs.cs.selector = 8;
	sregs.cs.type = 11;
	sregs.ds.limit = ~0u;
	sregs.ds.g = 1;
	sregs.ds.db = 1;
	sregs.ds.selector = 16;
	sregs.ss = sregs.es = sregs.ds;
	CHECK(ioctl(m->vcpu, KVM_SET_SREGS, &sregs) == 0);
	regs.rdi = CHURN_BASE + (mib << 20);
	CHECK(ioctl(m->vcpu, KVM_SET_REGS, &regs) == 0);
}

/*
 * The guest writes and sums up N MiB while the client takes the pages away in
 * every way it knows.  With swap space and KSM on, both must have happened.
 */
static void test_churn(unsigned long n)
{
	unsigned long swapped = 0, shared = 0, most;
	int round, status, out[2];
	struct churn c = { };
	pthread_t thread;
	uint32_t i;
	pid_t pid;
	char byte;

	churn_start(&c, n);
	CHECK(pthread_create(&thread, NULL, churn_disturb, &c) == 0);
	for (round = 0; round < CHURN_ROUNDS; round++) {
		__atomic_store_n(&c.calm, round == 2, __ATOMIC_SEQ_CST);
		churn_guest_writes(&c);
		churn_client_reads(&c);

		/* Out to swap, and in again by the guest. */
		if (round != 2) {
			CHECK(madvise(c.mem, n << 20, MADV_PAGEOUT) == 0);
			most = number_of("/proc/self/smaps", "Swap:") / 4;
			swapped = most > swapped ? most : swapped;
		}

		/* Other pages in their places, with other contents. */
		for (i = round; i < c.pages; i += 16) {
			CHECK(madvise(first_word(&c, i), PAGE, MADV_DONTNEED) == 0);
			if (i & 16)
				churn_client_writes(&c, i, i * 7919 + round);
			else
				c.model[i] = 0;
		}
		churn_guest_reads(&c);

		/* Equal pages become one, until the guest writes again. */
		if (round == 2) {
			CHECK(madvise(c.mem, n << 20, MADV_MERGEABLE) == 0);
			for (i = 0; i < 100 && merged() < c.pages / 2; i++)
				usleep(100000);
			shared = merged();
		}

		/* Behind the back of mappings that are still in use. */
		for (i = round + 1; i < c.pages; i += 32)
			churn_client_writes(&c, i, i * 31 + round);

		/* A child has the memory as it is now, whatever comes. */
		CHECK(pipe(out) == 0);
		fflush(stdout);
		pid = fork();
		CHECK(pid >= 0);
		if (!pid) {
			close(out[1]);
			CHECK(read(out[0], &byte, 1) == 1);
			churn_client_reads(&c);
			_exit(7);
		}
		close(out[0]);
		churn_guest_reads(&c);
		churn_client_reads(&c);
		churn_guest_writes(&c);
		churn_client_reads(&c);
		churn_guest_reads(&c);
		CHECK(write(out[1], "", 1) == 1);
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
		churn_guest_reads(&c);
		close(out[1]);
	}
	printf("%s: ok %lu MiB, swapped %s, merged %s\n", test, n,
	       swapped >= c.pages / 2 ? "most" : swapped ? "some" : "none",
	       shared >= c.pages / 2 ? "most" : shared ? "some" : "none");
	if (swapped < c.pages / 2 || shared < c.pages / 2)
		fprintf(stderr, "%s: of %u pages swapped %lu, merged %lu\n",
			test, c.pages, swapped, shared);
}

/* 1: 200 bytes to 0x90000 on; 0x55 to ports 0x10 and 0x11; jmp 1b */
static const uint8_t coalesced_code[] = {
	0xb8, 0x00, 0x90, 0x8e, 0xd8,	/* mov ax,0x9000; mov ds,ax */
	0x31, 0xdb, 0xb9, 200, 0x00,	/* xor bx,bx; mov cx,200 */
	0x88, 0x1f, 0x43, 0xe2, 0xfb,	/* 2: mov [bx],bl; inc bx; loop 2b */
	0xb0, 0x55, 0xe6, 0x10, 0xe6, 0x11,
	0xeb, 0xe9,
};

struct ring_client {
	struct kvm_coalesced_mmio_ring *ring;
	unsigned int next, seen;	/* address of the next write; all of them */
	pthread_t vcpu;
	int live;			/* seen while the vCPU runs */
};

/* What came since, in order; the port comes after the last byte. */
static void ring_drain(struct ring_client *c)
{
	struct kvm_coalesced_mmio *e;

	for (; c->ring->first != __atomic_load_n(&c->ring->last, __ATOMIC_ACQUIRE); c->seen++) {
		e = &c->ring->coalesced_mmio[c->ring->first];
		CHECK(e->len == 1);
		if (c->next == 200) {
			CHECK(e->pio == 1 && e->phys_addr == 0x10 && e->data[0] == 0x55);
			c->next = 0;
		} else {
			CHECK(!e->pio && e->phys_addr == 0x90000 + c->next && e->data[0] == c->next);
			c->next++;
		}
		c->ring->first = (c->ring->first + 1) % 170;
	}
}

static void *ring_watch(void *arg)
{
	struct ring_client *c = arg;

	for (int i = 0; i < 2000 && !c->live; i++) {
		c->live = __atomic_load_n(&c->ring->last, __ATOMIC_ACQUIRE) != c->ring->first;
		usleep(1000);
	}
	pthread_kill(c->vcpu, SIGALRM);
	return NULL;
}

/* Writes to coalesced MMIO and PIO are in the ring, in order, until it is full. */
static void test_coalesced(unsigned long n)
{
	/* one byte, and then: sti; inc ax; jmp */
	static const uint8_t spin[] = { 0x88, 0x1f, 0xfb, 0x40, 0xeb, 0xfd };
	struct kvm_coalesced_mmio_zone mmio = { .addr = 0x90000, .size = 256 };
	struct kvm_coalesced_mmio_zone pio = { .addr = 0x10, .size = 1, .pio = 1 };
	struct kvm_userspace_memory_region region = { };
	unsigned int mmio_exits = 0, i;
	struct ring_client c = { .vcpu = pthread_self() };
	struct sigaction sa = { .sa_handler = on_alarm };
	struct kvm_regs regs = { };
	pthread_t thread;
	uint8_t *other;
	struct vm m;
	int vcpu;

	vm_start(&m, coalesced_code, sizeof(coalesced_code));
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
	region.memory_size = 512 << 10;
	region.userspace_addr = (uintptr_t)m.ram;
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
	CHECK(ioctl(m.vm, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO) == 2);
	CHECK(ioctl(m.vm, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_PIO) == 1);
	CHECK(ioctl(m.vm, KVM_REGISTER_COALESCED_MMIO, &mmio) == 0);
	CHECK(ioctl(m.vm, KVM_REGISTER_COALESCED_MMIO, &pio) == 0);
	c.ring = (void *)((uint8_t *)m.run + 2 * 4096);

	for (i = 0; i < n; i++) {
		CHECK(vm_run(&m) == 0);
		if (m.run->exit_reason == KVM_EXIT_MMIO) {
			/* The ring was full: this one comes after what is there. */
			ring_drain(&c);
			CHECK(m.run->mmio.is_write && m.run->mmio.phys_addr == 0x90000 + c.next);
			CHECK(m.run->mmio.data[0] == c.next++);
			mmio_exits++;
			CHECK(vm_run(&m) == 0);
		}
		CHECK(m.run->exit_reason == KVM_EXIT_IO && m.run->io.port == 0x11);
		if (i % 3 != 2)
			ring_drain(&c);
	}
	ring_drain(&c);
	CHECK(c.next == 0);
	printf("%s: ok %u, exits %u", test, c.seen, mmio_exits);

	/* The VM's one ring, in every vCPU's mapping. */
	vcpu = ioctl(m.vm, KVM_CREATE_VCPU, 1);
	CHECK(vcpu >= 0);
	other = mmap(NULL, m.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	CHECK(other != MAP_FAILED);
	CHECK(!memcmp(other + 2 * 4096, c.ring, 4096));
	((struct kvm_coalesced_mmio_ring *)(other + 2 * 4096))->first = 77;
	CHECK(c.ring->first == 77);
	c.ring->first = c.ring->last;

	/* Seen while the vCPU runs. */
	memcpy(m.ram + CODE + 0x100, spin, sizeof(spin));
	CHECK(ioctl(m.vcpu, KVM_GET_REGS, &regs) == 0);
	regs.rip = CODE + 0x100;
	regs.rbx = 0;
	CHECK(ioctl(m.vcpu, KVM_SET_REGS, &regs) == 0);
	CHECK(sigaction(SIGALRM, &sa, NULL) == 0);
	CHECK(pthread_create(&thread, NULL, ring_watch, &c) == 0);
	CHECK(vm_run(&m) == -1 && errno == EINTR);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(c.live);
	ring_drain(&c);

	CHECK(ioctl(m.vm, KVM_UNREGISTER_COALESCED_MMIO, &mmio) == 0);
	CHECK(ioctl(m.vm, KVM_UNREGISTER_COALESCED_MMIO, &pio) == 0);
	regs.rip = CODE;
	CHECK(ioctl(m.vcpu, KVM_SET_REGS, &regs) == 0);
	CHECK(vm_run(&m) == 0 && m.run->exit_reason == KVM_EXIT_MMIO);
	CHECK(c.ring->first == c.ring->last);
	printf(", then %u\n", c.seen);
}

static const struct {
	const char *name;
	void (*fn)(unsigned long n);
	unsigned long n;
} tests[] = {
	{ "hello", test_hello, 0 },
	{ "cpuid", test_cpuid, 1000 },
	{ "pio", test_pio, 1000 },
	{ "port", test_port, 1000 },
	{ "tick", test_tick, 20 },
	{ "due", test_due, 20 },
	{ "ipi", test_ipi, 20 },
	{ "irq", test_irq, 1000 },
	{ "lines", test_lines, 1000 },
	{ "mmio", test_mmio, 0 },
	{ "coalesced", test_coalesced, 20 },
	{ "memory", test_memory, 0 },
	{ "file", test_file, 10 },
	{ "ring", test_ring, 3 },
	{ "hole", test_hole, 0 },
	{ "clock", test_clock, 3 },
	{ "step", test_step, 10 },
	{ "touch", test_touch, 2 },
	{ "nodes", test_nodes, 0 },
	{ "session", test_session, 2 },
	{ "signal", test_signal, 0 },
	{ "triple", test_triple, 0 },
	{ "timer", test_timer, 0 },
	{ "bad", test_bad, 0 },
	{ "msrs", test_msrs, 0 },
	{ "features", test_features, 0 },
	{ "specctrl", test_specctrl, 0 },
	{ "names", test_names, 0 },
	{ "uffd", test_uffd, 0 },
	{ "stale", test_stale, 0 },
	{ "paused", test_paused, 0 },
	{ "interrupt", test_interrupt, 0 },
	{ "poison", test_poison, 0 },
	{ "spin", test_spin, 0 },
	{ "burn", test_burn, 0 },
	{ "count", test_count, 0 },
	{ "life", test_life, 0 },
	{ "share", test_share, 20 },
	{ "passed", test_passed, 0 },
	{ "balance", test_balance, 0 },
	{ "msr", test_msr, 0 },
	{ "churn", test_churn, 32 },
};

int main(int argc, char **argv)
{
	unsigned int i;

	for (i = 0; argc > 1 && i < ARRAY_SIZE(tests); i++) {
		if (strcmp(argv[1], tests[i].name))
			continue;
		test = tests[i].name;
		words = argv + 2;
		tests[i].fn(argc > 2 ? strtoul(argv[2], NULL, 0) : tests[i].n);
		return 0;
	}
	fprintf(stderr, "usage: kvmtiny TEST [N]; tests:");
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		fprintf(stderr, " %s", tests[i].name);
	fprintf(stderr, "\n");
	return 2;
}
