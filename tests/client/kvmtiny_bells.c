// SPDX-License-Identifier: GPL-2.0-only
/* Doorbells: writes of a guest's that signal an eventfd (KVM_IOEVENTFD). */
#define _GNU_SOURCE
#include <sys/eventfd.h>

#include "kvmtiny.h"

#define PORT	0x70
#define BELL	0x90000		/* beyond RAM */

/* Rings edi times, by 5 to the port and at BELL; then what no doorbell hears. */
asm(".pushsection .rodata\n .code16\n"
    "bell_guest:	mov $0x9000, %ax\n mov %ax, %ds\n"
    "1:	mov $5, %ax\n out %ax, $0x70\n"
    "	movb $1, (0)\n"
    "	dec %edi\n jnz 1b\n"
    "	mov $6, %ax\n out %ax, $0x70\n"
    "	mov $5, %ax\n out %al, $0x70\n"
    "	movb $1, (1)\n"
    "	hlt\n"
    "bell_out:	mov $5, %ax\n 1:	out %ax, $0x70\n dec %edi\n jnz 1b\n hlt\n"
    "bell_guest_end:\n"
    ".code64\n .popsection");
extern const uint8_t bell_guest[], bell_out[], bell_guest_end[];

static void bell_vm(struct vm *m)
{
	vm_start(m, bell_guest, bell_guest_end - bell_guest);
	vm_shrink(m, 512 << 10);
}

static struct kvm_ioeventfd bell(uint64_t addr, uint32_t len, uint64_t data, uint32_t flags)
{
	return (struct kvm_ioeventfd){
		.addr = addr, .len = len, .datamatch = data, .flags = flags,
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	};
}

static uint64_t rung(const struct kvm_ioeventfd *b)
{
	uint64_t n = 0;

	return read(b->fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void start_at(struct vm *m, const uint8_t *from, unsigned long n)
{
	struct kvm_regs regs = { .rip = CODE + (uint64_t)(from - bell_guest), .rflags = 2, .rdi = n };

	CHECK(ioctl(m->vcpu, KVM_SET_REGS, &regs) == 0);
}

static void ring(struct vm *m, const uint8_t *from, unsigned long n)
{
	start_at(m, from, n);
	CHECK(run_through(m) == 0);
}

/* One step is one instruction, and one signal. */
static void step(const struct kvm_ioeventfd *pio)
{
	struct kvm_guest_debug debug = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP };
	const uint64_t out = CODE + (uint64_t)(bell_out - bell_guest) + 3;
	struct vm m;

	bell_vm(&m);
	CHECK(ioctl(m.vm, KVM_IOEVENTFD, pio) == 0);
	start_at(&m, bell_out, 1);
	CHECK(ioctl(m.vcpu, KVM_SET_GUEST_DEBUG, &debug) == 0);
	/* The emulator has steps of no instruction as well. */
	do {
		CHECK(rung(pio) == 0);
		CHECK(run_through(&m) == 0 && m.run->exit_reason == KVM_EXIT_DEBUG);
	} while (m.run->debug.arch.pc <= out);
	CHECK(m.run->debug.arch.pc == out + 2);
	CHECK(rung(pio) == 1);
	vm_close(&m);
}

/* Memory takes a doorbell's place, and gives it up again. */
static void memory_there(struct vm *m, const struct kvm_ioeventfd *pio, struct kvm_ioeventfd *mmio)
{
	struct kvm_userspace_memory_region region = {
		.slot = 1, .guest_phys_addr = BELL, .memory_size = 4096,
		.userspace_addr = (uintptr_t)m->ram + BELL,
	};

	m->ram[BELL] = 0;
	mmio->flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
	CHECK(ioctl(m->vm, KVM_IOEVENTFD, mmio) == 0);
	mmio->flags = 0;
	CHECK(ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
	ring(m, bell_guest, 1);
	CHECK(rung(mmio) == 0 && m->ram[BELL] == 1);
	region.memory_size = 0;
	CHECK(ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region) == 0);
	CHECK(ioctl(m->vm, KVM_IOEVENTFD, mmio) == 0);
	m->ram[BELL] = 0;
	ring(m, bell_guest, 3);
	CHECK(rung(mmio) == 3 && m->ram[BELL] == 0);
	CHECK(rung(pio) == 1 + 3);
}

/* Each write signals once, the one that it is for; others are the client's. */
void test_bells(unsigned long n)
{
	struct kvm_ioeventfd pio = bell(PORT, 2, 5, KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH);
	struct kvm_ioeventfd other = bell(PORT, 2, 7, pio.flags);
	struct kvm_ioeventfd mmio = bell(BELL, 0, 0, 0);
	struct vm m;

	bell_vm(&m);
	CHECK(ioctl(m.vm, KVM_IOEVENTFD, &pio) == 0 && ioctl(m.vm, KVM_IOEVENTFD, &other) == 0);
	CHECK(ioctl(m.vm, KVM_IOEVENTFD, &mmio) == 0);
	CHECK(ioctl(m.vm, KVM_IOEVENTFD, &pio) == -1 && errno == EEXIST);
	ring(&m, bell_guest, n);
	CHECK(m.run->exit_reason == KVM_EXIT_IO && m.run->io.size == 2);
	CHECK(((uint8_t *)m.run)[m.run->io.data_offset] == 6);
	CHECK(rung(&pio) == n && rung(&mmio) == n);
	CHECK(run_through(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_IO && m.run->io.size == 1);
	CHECK(run_through(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_MMIO && m.run->mmio.phys_addr == BELL + 1);
	CHECK(run_through(&m) == 0 && m.run->exit_reason == KVM_EXIT_HLT);
	memory_there(&m, &pio, &mmio);
	vm_close(&m);
	step(&pio);
	bell_vm(&m);
	CHECK(ioctl(m.vm, KVM_IOEVENTFD, &pio) == 0 && ioctl(m.vm, KVM_IOEVENTFD, &other) == 0);

	/* Another descriptor, and one that is not the doorbell's. */
	pio.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
	other.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
	CHECK(ioctl(m.vm, KVM_IOEVENTFD, &other) == 0);
	other.datamatch = 5;
	CHECK(ioctl(m.vm, KVM_IOEVENTFD, &other) == -1 && errno == ENOENT);
	ring(&m, bell_out, n);
	CHECK(m.run->exit_reason == KVM_EXIT_HLT && rung(&pio) == n);
	CHECK(ioctl(m.vm, KVM_IOEVENTFD, &pio) == 0);
	ring(&m, bell_out, 1);
	CHECK(m.run->exit_reason == KVM_EXIT_IO && rung(&pio) == 0 && rung(&other) == 0);
	printf("%s: ok %lu\n", test, n);
}

/* One kind after the other, and nothing else. */
static void bell_cost(unsigned long n, struct kvm_ioeventfd b, const uint8_t *from)
{
	struct vm m;

	bell_vm(&m);
	CHECK(ioctl(m.vm, KVM_IOEVENTFD, &b) == 0);
	if (!(b.flags & KVM_IOEVENTFD_FLAG_PIO)) {
		/* mov ax,0x9000; mov ds,ax; 1: mov byte [0],1; dec edi; jnz 1b; hlt */
		static const uint8_t code[] = {
			0xb8, 0x00, 0x90, 0x8e, 0xd8, 0xc6, 0x06, 0, 0, 1, 0x66, 0x4f, 0x75, 0xf7, 0xf4,
		};

		memcpy(m.ram + CODE, code, sizeof(code));
	}
	ring(&m, from, n);
	CHECK(m.run->exit_reason == KVM_EXIT_HLT && rung(&b) == n);
	printf("%s: ok %lu\n", test, n);
}

void test_bellpio(unsigned long n)
{
	bell_cost(n, bell(PORT, 2, 5, KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH), bell_out);
}

void test_bellmmio(unsigned long n)
{
	bell_cost(n, bell(BELL, 0, 0, 0), bell_guest);
}
