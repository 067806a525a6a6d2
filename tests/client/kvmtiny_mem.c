// SPDX-License-Identifier: GPL-2.0-only
/* The guest's memory: pages that come, go and are written by others. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kvmtiny.h"

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
void test_file(unsigned long n)
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

/* What write_pages left in each page of the RAM below 1 MiB. */
static void check_pages(const struct vm *m)
{
	uint16_t v;

	for (unsigned int seg = 0x200; seg < 0xf000; seg += 0x100) {
		memcpy(&v, m->ram + seg * 16, 2);
		CHECK(v == seg);
	}
}

/* The guest writes each page of its RAM below 1 MiB; the client looks. */
void test_memory(unsigned long n)
{
	struct vm m;

	(void)n;
	vm_start(&m, write_pages, sizeof(write_pages));
	CHECK(vm_run(&m) == 0);
	CHECK(m.run->exit_reason == KVM_EXIT_HLT);
	check_pages(&m);
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

void touch_start(struct vm *m)
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

void touch(struct vm *m)
{
	CHECK(madvise(m->ram + TOUCHED, TOUCHED_END - TOUCHED, MADV_DONTNEED) == 0);
	CHECK(run_through(m) == 0);
	CHECK(m->run->exit_reason == KVM_EXIT_IO);
}

/* N rounds. */
void test_touch(unsigned long n)
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
void test_nodes(unsigned long n)
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
void test_uffd(unsigned long n)
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
	check_pages(&m);
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
void test_stale(unsigned long n)
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
void test_paused(unsigned long n)
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
void test_interrupt(unsigned long n)
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
void test_poison(unsigned long n)
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
void test_churn(unsigned long n)
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
