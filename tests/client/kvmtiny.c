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
#include <fcntl.h>

#include "kvmtiny.h"

const char *test;
char **words;

void (*between)(void);

void called(void)
{
	if (between)
		between();
}

void vm_create(struct vm *m)
{
	m->vm = ioctl(m->kvm, KVM_CREATE_VM, 0);
	CHECK(m->vm >= 0);
	called();
}

void vm_open(struct vm *m)
{
	m->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	CHECK(m->kvm >= 0);
	called();
	CHECK(ioctl(m->kvm, KVM_GET_API_VERSION, 0) == 12);
	called();
	vm_create(m);
}

void vm_memory(struct vm *m, const void *code, size_t len)
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

void vm_shrink(struct vm *m, uint64_t size)
{
	struct kvm_userspace_memory_region region = { };

	/* A slot cannot change its size. */
	CHECK(ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
	region.memory_size = size;
	region.userspace_addr = (uintptr_t)m->ram;
	CHECK(ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
}

void vm_vcpu(struct vm *m, unsigned long id)
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

void vm_start(struct vm *m, const void *code, size_t len)
{
	vm_open(m);
	vm_memory(m, code, len);
	vm_vcpu(m, 0);
}

void vm_close(struct vm *m)
{
	CHECK(munmap(m->run, m->run_size) == 0);
	CHECK(close(m->vcpu) == 0);
	called();
	CHECK(close(m->vm) == 0);
	called();
	CHECK(munmap(m->ram, RAM_SIZE) == 0);
}

int vm_run(struct vm *m)
{
	return ioctl(m->vcpu, KVM_RUN, 0);
}

int run_through(struct vm *m)
{
	int r;

	do
		r = vm_run(m);
	while (r == -1 && errno == EINTR);
	return r;
}

/* mov al,'k'; out 0x10,al; in al,0x11; add al,1; out 0x10,al; hlt */
const uint8_t hello_code[] = {
	0xb0, 'k', 0xe6, 0x10, 0xe4, 0x11, 0x04, 0x01, 0xe6, 0x10, 0xf4,
};

void run_hello(struct vm *m)
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

/*
 * mov bx,0x200; 1: mov ds,bx; mov word [0],bx; add bx,0x100; cmp bx,0xf000;
 * jb 1b; hlt: each page from 0x2000 to 0xeffff is written
 */
const uint8_t write_pages[] = {
	0xbb, 0x00, 0x02, 0x8e, 0xdb, 0x89, 0x1e, 0x00, 0x00,
	0x81, 0xc3, 0x00, 0x01, 0x81, 0xfb, 0x00, 0xf0, 0x72, 0xf0, 0xf4,
};

void wake(int sig)
{
	(void)sig;
}

void *run_for_ever(void *arg)
{
	vm_run(arg);
	return NULL;
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
	{ "self", test_self, 1000 },
	{ "ipi", test_ipi, 20 },
	{ "masked", test_masked, 3 },
	{ "flood", test_flood, 2000 },
	{ "rest", test_rest, 20 },
	{ "irq", test_irq, 1000 },
	{ "tpr", test_tpr, 20 },
	{ "cr8", test_cr8, 1000 },
	{ "lines", test_lines, 1000 },
	{ "mmio", test_mmio, 0 },
	{ "bells", test_bells, 100 },
	{ "bellpio", test_bellpio, 1000 },
	{ "bellmmio", test_bellmmio, 1000 },
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
	{ "deaf", test_deaf, 0 },
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
	{ "pusha", test_pusha, 10000 },
	{ "tmcct", test_tmcct, 0 },
	{ "ioapic", test_ioapic, 0x10 + 2 * 49 },
	{ "rtcmap", test_rtcmap, 276 },
	{ "synic", test_synic, 0 },
	{ "emulated", test_emulated, 1 },
	{ "pitzero", test_pitzero, 0 },
	{ "farring", test_farring, 0x7fffffff },
	{ "latechip", test_latechip, 0 },
	{ "clockend", test_clockend, 0 },
	{ "gsbase", test_gsbase, 0 },
};

static long long nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

int main(int argc, char **argv)
{
	long long start = nanoseconds();
	unsigned int i;

	for (i = 0; argc > 1 && i < ARRAY_SIZE(tests); i++) {
		if (strcmp(argv[1], tests[i].name))
			continue;
		test = tests[i].name;
		words = argv + 2;
		tests[i].fn(argc > 2 ? strtoul(argv[2], NULL, 0) : tests[i].n);
		/* scripts/bench-host */
		if (getenv("KVMTINY_NS"))
			printf("nanoseconds %lld\n", nanoseconds() - start);
		return 0;
	}
	fprintf(stderr, "usage: kvmtiny TEST [N]; tests:");
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		fprintf(stderr, " %s", tests[i].name);
	fprintf(stderr, "\n");
	return 2;
}
