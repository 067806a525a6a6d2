// SPDX-License-Identifier: GPL-2.0-only
/* Rings that KVM and its client share: dirty pages, coalesced writes. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>

#include "kvmtiny.h"

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
void test_ring(unsigned long n)
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

static void *run_interrupted(void *arg)
{
	CHECK(vm_run(arg) == -1 && errno == EINTR);
	return NULL;
}

/* A slot goes while the guest runs that wrote to it: what came later comes. */
void test_hole(unsigned long n)
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
void test_coalesced(unsigned long n)
{
	/* one byte, and then: sti; inc ax; jmp */
	static const uint8_t spin[] = { 0x88, 0x1f, 0xfb, 0x40, 0xeb, 0xfd };
	struct kvm_coalesced_mmio_zone mmio = { .addr = 0x90000, .size = 256 };
	struct kvm_coalesced_mmio_zone pio = { .addr = 0x10, .size = 1, .pio = 1 };
	struct kvm_userspace_memory_region region = { };
	unsigned int mmio_exits = 0, i;
	struct ring_client c = { .vcpu = pthread_self() };
	struct sigaction sa = { .sa_handler = wake };
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
