// SPDX-License-Identifier: GPL-2.0-only
/*
 * What known flaws of KVM did: each test does what made one of them bad, and is ok if KVM
 * is not impressed.  tests/containment/ has KVM with these flaws, and what it takes to run it.
 */
#define _GNU_SOURCE
#include "kvmtiny.h"

#define MIB		(1ul << 20)
#define VECTOR		0x31u
#define APIC_WRITE(msr, low)						\
	"mov $" msr ", %ecx\n mov $" low ", %eax\n wrmsr\n"

asm(".pushsection .rodata\n .code32\n"
    /* I/O APIC registers, two of them to each pin of the 24, and two more */
    "ioapic_read: mov $0xfec00000, %ebx\n"
    "	mov %esi, (%ebx)\n mov 0x10(%ebx), %eax\n out %eax, $0x10\n"
    "	inc %esi\n"
    "	mov %esi, (%ebx)\n mov 0x10(%ebx), %eax\n out %eax, $0x10\n"
    "ioapic_read_end:\n"
    ".code16\n"
    /* x2APIC mode, TSC deadline, an initial count, periodic: the current count */
    "apic_timer: mov $0x1b, %ecx\n rdmsr\n or $0xc00, %eax\n wrmsr\n"
    "	xor %edx, %edx\n"
    APIC_WRITE("0x80f", "0x1ff")
    APIC_WRITE("0x832", "0x40031")
    APIC_WRITE("0x838", "0x1000")
    APIC_WRITE("0x832", "0x30031")
    "	mov $0x839, %ecx\n rdmsr\n out %eax, $0x10\n"
    "apic_timer_end:\n"
    /* a clock 16 bytes before the end of the first MiB */
    "clock_end: mov $0x4b564d01, %ecx\n mov $0xffff1, %eax\n xor %edx, %edx\n wrmsr\n"
    "1:	out %al, $0x10\n jmp 1b\n"
    "clock_end_end:\n"
    ".code64\n .popsection");
extern const uint8_t ioapic_read[], ioapic_read_end[], apic_timer[], apic_timer_end[];
extern const uint8_t clock_end[], clock_end_end[];

/* VM with interrupt controllers, and a vCPU with CPUID. */
static void irqchip_start(struct vm *m, const uint8_t *code, size_t len)
{
	vm_open(m);
	vm_memory(m, code, len);
	CHECK(ioctl(m->vm, KVM_CREATE_IRQCHIP, 0) == 0);
	vm_vcpu(m, 0);
	set_cpuid(m);
}

/* 32-bit code and flat segments. */
static void flat(const struct vm *m)
{
	struct kvm_segment segment = {
		.limit = ~0u, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1,
	};
	struct kvm_sregs sregs;

	CHECK(ioctl(m->vcpu, KVM_GET_SREGS, &sregs) == 0);
	sregs.cr0 |= 1;
	sregs.ds = sregs.es = sregs.ss = segment;
	segment.selector = 8;
	segment.type = 11;
	sregs.cs = segment;
	CHECK(ioctl(m->vcpu, KVM_SET_SREGS, &sregs) == 0);
}

static uint32_t out_value(struct vm *m)
{
	uint32_t value;

	run_to(m, 0x10);
	memcpy(&value, (uint8_t *)m->run + m->run->io.data_offset, sizeof(value));
	return value;
}

/* PUSHA from an address without memory down into memory: one exit, and not up to N. */
void test_pusha(unsigned long n)
{
	static const uint8_t code[] = { 0x60, 0xf4 };	/* pusha; hlt */
	struct kvm_regs regs = { .rip = CODE, .rflags = 2, .rsp = 0xa008 };
	unsigned long exits = 0, most = 0;
	struct vm m;

	vm_open(&m);
	vm_memory(&m, code, sizeof(code));
	vm_shrink(&m, 0xa000);
	vm_vcpu(&m, 0);
	CHECK(ioctl(m.vcpu, KVM_SET_REGS, &regs) == 0);
	do {
		CHECK(run_through(&m) == 0);
		if (m.run->exit_reason == KVM_EXIT_MMIO && m.run->mmio.phys_addr > most)
			most = m.run->mmio.phys_addr;
	} while (m.run->exit_reason == KVM_EXIT_MMIO && ++exits < n);
	if (exits > 1)
		printf("%s: the client read %016lx of KVM's memory\n", test, most);
	CHECK(m.run->exit_reason == KVM_EXIT_HLT && exits == 1);
	printf("%s: ok\n", test);
}

/* The APIC timer's current count when there never was a period. */
void test_tmcct(unsigned long n)
{
	struct vm m;

	(void)n;
	irqchip_start(&m, apic_timer, apic_timer_end - apic_timer);
	CHECK(out_value(&m) == 0);
	printf("%s: ok\n", test);
}

/* I/O APIC registers that there are not: register N and the next. */
void test_ioapic(unsigned long n)
{
	struct kvm_regs regs = { .rip = CODE, .rflags = 2, .rsi = n };
	uint64_t value;
	struct vm m;

	irqchip_start(&m, ioapic_read, ioapic_read_end - ioapic_read);
	flat(&m);
	CHECK(ioctl(m.vcpu, KVM_SET_REGS, &regs) == 0);
	value = out_value(&m);
	value |= (uint64_t)out_value(&m) << 32;
	if (value != ~0ull)
		printf("%s: the guest read %016lx\n", test, (unsigned long)value);
	CHECK(value == ~0ull);
	printf("%s: ok\n", test);
}

/* The RTC's interrupt for a vCPU whose id is N more than there can be vCPUs. */
void test_rtcmap(unsigned long n)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct kvm_irq_level line = { .irq = 8, .level = 1 };
	struct kvm_lapic_state apic;
	struct vm m;

	vm_open(&m);
	vm_memory(&m, hello_code, sizeof(hello_code));
	CHECK(ioctl(m.vm, KVM_CREATE_IRQCHIP, 0) == 0);
	vm_vcpu(&m, ioctl(m.kvm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS) + n);
	CHECK(ioctl(m.vcpu, KVM_GET_LAPIC, &apic) == 0);
	memcpy(apic.regs + 0xf0, &(uint32_t){ 0x1ff }, 4);
	CHECK(ioctl(m.vcpu, KVM_SET_LAPIC, &apic) == 0);
	CHECK(ioctl(m.vm, KVM_GET_IRQCHIP, &chip) == 0);
	chip.chip.ioapic.redirtbl[8].bits = 0xffull << 56 | VECTOR;
	CHECK(ioctl(m.vm, KVM_SET_IRQCHIP, &chip) == 0);
	CHECK(ioctl(m.vm, KVM_IRQ_LINE_STATUS, &line) == 0);
	CHECK(ioctl(m.vcpu, KVM_GET_LAPIC, &apic) == 0);
	/* Bit 0x31 of the IRR. */
	CHECK(apic.regs[0x212] == 1u << (VECTOR & 7));
	printf("%s: ok\n", test);
}

static int set_msr(const struct vm *m, uint32_t index, uint64_t value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msr = { .head.nmsrs = 1, .entry = { .index = index, .data = value } };

	return ioctl(m->vcpu, KVM_SET_MSRS, &msr);
}

/* A SynIC timer of a vCPU without a local APIC. */
void test_synic(unsigned long n)
{
	static const struct { uint32_t msr; uint64_t value; } setup[] = {
		{ 0x40000080, 1 },		/* SCONTROL */
		{ 0x40000083, 0x8001 },		/* SIMP: a page of messages */
		{ 0x40000091, VECTOR },		/* SINT1 */
		{ 0x400000b0, 1 << 16 | 1 },	/* STIMER0_CONFIG: to SINT1 */
		{ 0x400000b1, 1 },		/* STIMER0_COUNT: due */
	};
	unsigned long i, set = 0;
	struct vm m;

	(void)n;
	vm_start(&m, hello_code, sizeof(hello_code));
	for (i = 0; i < ARRAY_SIZE(setup); i++)
		set += set_msr(&m, setup[i].msr, setup[i].value) == 1;
	run_hello(&m);
	CHECK(!set);
	printf("%s: ok\n", test);
}

/* Room for one emulated CPUID leaf. */
void test_emulated(unsigned long n)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[16];
	} cpuid = { .head.nent = n };
	struct vm m;

	vm_open(&m);
	CHECK(ioctl(m.kvm, KVM_GET_EMULATED_CPUID, &cpuid) == -1 && errno == E2BIG);
	printf("%s: ok\n", test);
}

/* A PIT channel restored with a count of 0, which stands for 65,536. */
void test_pitzero(unsigned long n)
{
	/* in al,0x42; out 0x10,eax */
	static const uint8_t code[] = { 0xe4, 0x42, 0x66, 0xe7, 0x10 };
	struct kvm_pit_config config = { .flags = 0 };
	struct kvm_pit_state2 pit;
	struct vm m;

	(void)n;
	vm_open(&m);
	vm_memory(&m, code, sizeof(code));
	CHECK(ioctl(m.vm, KVM_CREATE_IRQCHIP, 0) == 0);
	CHECK(ioctl(m.vm, KVM_CREATE_PIT2, &config) == 0);
	vm_vcpu(&m, 0);
	CHECK(ioctl(m.vm, KVM_GET_PIT2, &pit) == 0);
	pit.channels[2].count = 0;
	pit.channels[2].mode = 2;
	pit.channels[2].gate = 1;
	CHECK(ioctl(m.vm, KVM_SET_PIT2, &pit) == 0);
	out_value(&m);
	printf("%s: ok\n", test);
}

/* A ring of coalesced writes whose next entry is far behind it. */
void test_farring(unsigned long n)
{
	/* mov ax,0x9000; mov ds,ax; mov [0],al; hlt */
	static const uint8_t code[] = { 0xb8, 0x00, 0x90, 0x8e, 0xd8, 0xa2, 0x00, 0x00, 0xf4 };
	struct kvm_coalesced_mmio_zone zone = { .addr = 0x90000, .size = 4096 };
	struct kvm_coalesced_mmio_ring *ring;
	struct vm m;
	int page;

	vm_open(&m);
	page = ioctl(m.kvm, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);
	CHECK(page > 0);
	vm_memory(&m, code, sizeof(code));
	vm_shrink(&m, 0x90000);
	vm_vcpu(&m, 0);
	CHECK(ioctl(m.vm, KVM_REGISTER_COALESCED_MMIO, &zone) == 0);
	ring = (void *)((uint8_t *)m.run + page * 4096);
	ring->last = n;
	CHECK(run_through(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_MMIO && m.run->mmio.phys_addr == 0x90000);
	CHECK(run_through(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_HLT && ring->last == n);
	printf("%s: ok\n", test);
}

/* An interrupt controller that comes after the vCPU, and an interrupt. */
void test_latechip(unsigned long n)
{
	struct kvm_irq_level line = { .irq = 0, .level = 1 };
	struct vm m;

	(void)n;
	vm_start(&m, hello_code, sizeof(hello_code));
	if (ioctl(m.vm, KVM_CREATE_IRQCHIP, 0) == 0)
		ioctl(m.vm, KVM_IRQ_LINE, &line);
	else
		CHECK(errno == EINVAL);
	run_hello(&m);
	printf("%s: ok\n", test);
}

/* A clock at the end of guest memory; the rest of the huge page is not the guest's. */
void test_clockend(unsigned long n)
{
	struct kvm_userspace_memory_region region = { .memory_size = MIB };
	unsigned long i;
	struct vm m;

	(void)n;
	vm_open(&m);
	m.ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	CHECK(m.ram != MAP_FAILED);
	memcpy(m.ram + CODE, clock_end, clock_end_end - clock_end);
	region.userspace_addr = (uintptr_t)m.ram;
	CHECK(ioctl(m.vm, KVM_SET_TSS_ADDR, 0xfffbd000ul) == 0);
	CHECK(ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
	vm_vcpu(&m, 0);
	set_cpuid(&m);
	run_to(&m, 0x10);
	run_to(&m, 0x10);
	for (i = 0; i < 16 && !m.ram[MIB + i]; i++)
		;
	if (i < 16)
		printf("%s: KVM wrote behind the guest's memory\n", test);
	CHECK(i == 16);
	printf("%s: ok\n", test);
}

/* An address that no processor takes, in an MSR that a switch to the guest loads. */
void test_gsbase(unsigned long n)
{
	struct vm m;
	int set;

	(void)n;
	vm_start(&m, hello_code, sizeof(hello_code));
	set_cpuid(&m);
	set = set_msr(&m, 0xc0000102, 0x1234567800000000);
	run_hello(&m);
	CHECK(!set);
	printf("%s: ok\n", test);
}
