// SPDX-License-Identifier: GPL-2.0-only
/* Exits: what a guest of a few instructions does, and what its client sees of it. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "kvmtiny.h"

void test_hello(unsigned long n)
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

void test_cpuid(unsigned long n)
{
	static const uint8_t body[] = { 0x66, 0x31, 0xc0, 0x0f, 0xa2 };
	struct vm m;

	loop_guest(&m, body, sizeof(body), n);
	CHECK(vm_run(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_HLT);
	printf("%s: ok %lu\n", test, n);
}

void test_pio(unsigned long n)
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

/* The guest's clock follows from the TSC alone, now and for N seconds. */
void test_clock(unsigned long n)
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
void test_step(unsigned long n)
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

/* Loads and stores beyond RAM: ds = 0xffff, [0x10 + n] is at 1 MiB + n. */
void test_mmio(unsigned long n)
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

/* A VM from open to close, N times. */
void test_session(unsigned long n)
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

/* A guest that spins is interrupted by a signal: -EINTR, run state intact. */
static void interrupted(uint8_t sti_or_cli)
{
	const uint8_t code[] = { sti_or_cli, 0x40, 0xeb, 0xfd };	/* inc; jmp */
	struct sigaction sa = { .sa_handler = wake };
	struct itimerval it = {
		.it_value.tv_usec = 20000, .it_interval.tv_usec = 20000,
	};
	struct vm m;

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

/* It spins with interrupts on, as one emulator wants it (docs/emulator.md). */
void test_signal(unsigned long n)
{
	(void)n;
	interrupted(0xfb);
}

/* With interrupts off: none of the guest's business. */
void test_deaf(unsigned long n)
{
	(void)n;
	interrupted(0xfa);
}

/* An IDT of limit 0 and an interrupt: triple fault. */
void test_triple(unsigned long n)
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
void test_timer(unsigned long n)
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
void test_bad(unsigned long n)
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
void test_msrs(unsigned long n)
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
void test_features(unsigned long n)
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
void test_specctrl(unsigned long n)
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
void test_names(unsigned long n)
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

/* An MSR that KVM does not know, read by the guest: what comes of it. */
void test_msr(unsigned long n)
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
