// SPDX-License-Identifier: GPL-2.0-only
/* Interrupts, with the in-kernel irqchip. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "kvmtiny.h"

/*
 * Guests with the in-kernel irqchip; edi is how often, esi the other vCPU's APIC
 * id, or in how many ticks of the TSC a timer is due.  They end with an OUT to port 0x10.
 * Interrupt VECTOR comes to "eoi", which counts it; another one would be nobody's.
 */
#define VECTOR		"0x21"
#define COUNTED		0x2004u
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
    "masked:" APIC_START
    "1:	sti\n cli\n"
    "	xor %edx, %edx\n" APIC_WRITE("0x83f", "$" VECTOR)	/* an IPI to itself */
    "	rdtsc\n mov %eax, %ebx\n"
    "2:	rdtsc\n sub %ebx, %eax\n cmp %esi, %eax\n jb 2b\n"
    "	out %al, $0x12\n"
    "	sti\n nop\n cli\n"
    "	out %al, $0x10\n jmp 1b\n"
    "self:" APIC_START
    "	sti\n"
    "1:	xor %edx, %edx\n" APIC_WRITE("0x83f", "$" VECTOR)
    "	nop\n dec %edi\n jnz 1b\n"
    "	cli\n out %al, $0x10\n"
    "flood:" APIC_START
    "1:	mov %esi, %edx\n" APIC_WRITE("0x830", "$" VECTOR)
    "	jmp 1b\n"
    "flooded:" APIC_START
    "	sti\n"
    "1:	in $0x21, %al\n dec %edi\n jnz 1b\n"
    "	cli\n out %al, $0x10\n"
    "eoi:	push %eax\n push %ecx\n push %edx\n"
    "	xor %edx, %edx\n" APIC_WRITE("0x80b", "$0")
    "	incl 0x2004\n"
    "	pop %edx\n pop %ecx\n pop %eax\n iret\n"
    "stray:	out %al, $0x13\n"
    "irqchip_guests_end:\n"
    ".code64\n .popsection");
extern const uint8_t irqchip_guests[], port[], tick[], ping[], pong[], metronome[], masked[];
extern const uint8_t flood[], flooded[], self[], eoi[], stray[], irqchip_guests_end[];

void set_cpuid(const struct vm *m)
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

void irqchip_vcpu(struct vm *m, unsigned int id, const uint8_t *guest,
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

void irqchip_vm(struct vm *m)
{
	/* A halted vCPU sleeps at once: polling would cost what chance has it. */
	struct kvm_enable_cap no_polling = { .cap = KVM_CAP_HALT_POLL };
	uint16_t vector[2] = { (uint16_t)(CODE + (stray - irqchip_guests)), 0 };
	int i;

	vm_open(m);
	vm_memory(m, irqchip_guests, irqchip_guests_end - irqchip_guests);
	for (i = 0; i < 256; i++)
		memcpy(m->ram + i * 4, vector, sizeof(vector));
	vector[0] = CODE + (eoi - irqchip_guests);
	memcpy(m->ram + 0x21 * 4, vector, sizeof(vector));
	CHECK(ioctl(m->vm, KVM_CREATE_IRQCHIP, 0) == 0);
	CHECK(ioctl(m->vm, KVM_ENABLE_CAP, &no_polling) == 0);
}

void run_to(struct vm *m, unsigned int port_no)
{
	CHECK(run_through(m) == 0);
	CHECK(m->run->exit_reason == KVM_EXIT_IO);
	CHECK(m->run->io.port == port_no);
}

/*
 * Guests in long mode; edi is how often.  They end with an OUT to port 0x10, or to 0x12
 * if something was wrong.  Interrupt VECTOR comes to "eoi64", which counts at COUNT.
 */
#define COUNT		"0x2000"
asm(".pushsection .rodata\n"
    "tpr_guests:\n"
    "tpr:"
    "	mov $0x1b, %ecx\n rdmsr\n or $0xc00, %eax\n wrmsr\n"
    "	xor %edx, %edx\n"
    APIC_WRITE("0x80f", "$0x1ff")
    "	xor %ebx, %ebx\n sti\n"
    "1:	mov $3, %eax\n mov %rax, %cr8\n"	/* above the vector's class, 2 */
    APIC_WRITE("0x83f", "$" VECTOR)		/* to itself */
    "	nop\n cmp %ebx, " COUNT "\n jne 2f\n"
    "	mov %cr8, %rax\n cmp $3, %eax\n jne 2f\n"
    "	xor %eax, %eax\n mov %rax, %cr8\n nop\n"
    "	inc %ebx\n cmp %ebx, " COUNT "\n jne 2f\n"
    "	dec %edi\n jnz 1b\n"
    "	out %al, $0x10\n"
    "2:	out %al, $0x12\n"
    "cr8:	mov %cr8, %rax\n xor $1, %eax\n mov %rax, %cr8\n"
    "	dec %edi\n jnz cr8\n"
    "	out %al, $0x10\n"
    "eoi64:	push %rax\n push %rcx\n push %rdx\n incl " COUNT "\n xor %edx, %edx\n"
    APIC_WRITE("0x80b", "$0")
    "	pop %rdx\n pop %rcx\n pop %rax\n iretq\n"
    "tpr_guests_end:\n .popsection");
extern const uint8_t tpr_guests[], tpr[], cr8[], eoi64[], tpr_guests_end[];

/* Tables at 0x10000 map the first 2 MiB; the IDT is at 0x14000. */
static void long_mode(const struct vm *m)
{
	const struct kvm_segment code = {
		.limit = ~0u, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1,
	}, data = {
		.limit = ~0u, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1,
	};
	uint32_t gate[4] = { 8 << 16 | (CODE + (eoi64 - tpr_guests)), 0x8e00, 0, 0 };
	const uint64_t gdt[3] = { 0, 0xaf9b000000ffff, 0xcf93000000ffff };
	uint64_t *table = (uint64_t *)(m->ram + 0x10000);
	struct kvm_sregs sregs;

	table[0] = 0x11000 | 3;
	table[512] = 0x12000 | 3;
	table[1024] = 0x83;
	memcpy(m->ram + 0x13000, gdt, sizeof(gdt));
	memcpy(m->ram + 0x14000 + 0x21 * sizeof(gate), gate, sizeof(gate));
	CHECK(ioctl(m->vcpu, KVM_GET_SREGS, &sregs) == 0);
	sregs.cr0 = 0x80000033;
	sregs.cr3 = 0x10000;
	sregs.cr4 = 0x20;
	sregs.efer = 0x500;
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.ss = data;
	sregs.gdt.base = 0x13000;
	sregs.gdt.limit = sizeof(gdt) - 1;
	sregs.idt.base = 0x14000;
	sregs.idt.limit = 0xfff;
	CHECK(ioctl(m->vcpu, KVM_SET_SREGS, &sregs) == 0);
}

static void run_tpr(struct vm *m, const uint8_t *guest, unsigned long n)
{
	struct kvm_regs regs = {
		.rip = CODE + (uint64_t)(guest - tpr_guests), .rflags = 2, .rsp = 0x800, .rdi = n,
	};

	vm_open(m);
	vm_memory(m, tpr_guests, tpr_guests_end - tpr_guests);
	CHECK(ioctl(m->vm, KVM_CREATE_IRQCHIP, 0) == 0);
	vm_vcpu(m, 0);
	set_cpuid(m);
	CHECK(ioctl(m->vcpu, KVM_SET_REGS, &regs) == 0);
	long_mode(m);
	run_to(m, 0x10);
	printf("%s: ok %lu\n", test, n);
}

/* CR8 holds an interrupt back that is below it, and not any more once it is lowered. */
void test_tpr(unsigned long n)
{
	struct vm m;

	run_tpr(&m, tpr, n);
}

/* MOV from and to CR8. */
void test_cr8(unsigned long n)
{
	struct vm m;

	run_tpr(&m, cr8, n);
}

static uint32_t counted(const struct vm *m)
{
	return *(volatile uint32_t *)(m->ram + COUNTED);
}

/* A port that KVM itself answers. */
void test_port(unsigned long n)
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
void test_tick(unsigned long n)
{
	timer_in(n, 1000000);
}

/* It is due when it is set: nobody sleeps. */
void test_due(unsigned long n)
{
	timer_in(n, 0);
}

/* Runs a vCPU's guest to its end beside another one's, which has none. */
static void run_beside(struct vm *m, const uint8_t *guest, unsigned long n, uint32_t esi,
		       const uint8_t *others)
{
	static struct vm other;
	pthread_t thread;

	irqchip_vm(m);
	other = *m;
	irqchip_vcpu(m, 0, guest, n, esi);
	irqchip_vcpu(&other, 1, others, 0, 0);
	run_to(m, 0x11);
	run_to(&other, 0x11);
	CHECK(pthread_create(&thread, NULL, run_for_ever, &other) == 0);
	run_to(m, 0x10);
}

/* Two vCPUs wake each other by IPIs, there and back. */
void test_ipi(unsigned long n)
{
	struct vm m;

	run_beside(&m, ping, n, 1, pong);
	printf("%s: ok %lu\n", test, n);
}

/*
 * A guest with interrupts off gets none, whatever the host gets meanwhile; it gets it when
 * it turns them on.
 */
void test_masked(unsigned long n)
{
	unsigned long i;
	struct vm m;

	irqchip_vm(&m);
	irqchip_vcpu(&m, 0, masked, 0, 20000000);
	run_to(&m, 0x11);
	for (i = 0; i < n; i++) {
		run_to(&m, 0x12);
		CHECK(counted(&m) == i);
		run_to(&m, 0x10);
		CHECK(counted(&m) == i + 1);
	}
	printf("%s: ok %lu\n", test, n);
}

/* IPIs to itself, each of which comes, and is ended, before the next one. */
void test_self(unsigned long n)
{
	struct vm m;

	irqchip_vm(&m);
	irqchip_vcpu(&m, 0, self, n, 0);
	run_to(&m, 0x11);
	run_to(&m, 0x10);
	CHECK(counted(&m) == n);
	printf("%s: ok %lu\n", test, n);
}

/* One vCPU sends what it can, the other exits all the time: it gets nothing else. */
void test_flood(unsigned long n)
{
	struct vm m;

	run_beside(&m, flooded, n, 0, flood);
	CHECK(counted(&m));
	printf("%s: ok %lu\n", test, n);
}

/* HLT does not exit: what wakes the guest is its own interrupt, and never the host's. */
void test_rest(unsigned long n)
{
	struct kvm_enable_cap no_exits = {
		.cap = KVM_CAP_X86_DISABLE_EXITS, .args[0] = KVM_X86_DISABLE_EXITS_HLT,
	};
	struct vm m;

	irqchip_vm(&m);
	CHECK(ioctl(m.vm, KVM_ENABLE_CAP, &no_exits) == 0);
	irqchip_vcpu(&m, 0, tick, n, 5000000);
	run_to(&m, 0x11);
	run_to(&m, 0x10);
	CHECK(counted(&m) == n);
	printf("%s: ok %lu\n", test, n);
}

/* An interrupt line of the in-kernel irqchip, raised and lowered. */
void test_irq(unsigned long n)
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
void test_lines(unsigned long n)
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

/*
 * A guest that counts in its memory the interrupts of its timer and never leaves for its
 * client, but a signal interrupts it ten times a second, as a QEMU's threads kick its
 * vCPUs: then the count is printed.  Ends as test_spin() does.
 */
void test_count(unsigned long n)
{
	struct itimerval it = { .it_value.tv_usec = 100000, .it_interval.tv_usec = 100000 };
	struct sigaction sa = { .sa_handler = wake };
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
