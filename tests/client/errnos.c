// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every ioctl of KVM's header, and the numbers that are none, with arguments
 * that no client would give: one line each, what came back.  Two kernels with
 * the same ABI print the same.  Also KVM_CHECK_EXTENSION of each number.
 *
 * ioctls.h is made from linux/kvm.h (tests/system/errnos).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct {
	const char *name;
	unsigned long nr;
} ioctls[] = {
#include "ioctls.h"
};

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))
#define SIZE		(256ul << 10)

enum { KVM, VM, VCPU, KINDS };
static const char * const kinds[] = { "kvm", "vm", "vcpu" };

static int fd[KINDS];
static unsigned char *page;

/* A VM with a page of memory and a vCPU, without interrupt controllers. */
static void open_vm(void)
{
	struct kvm_userspace_memory_region region = { .memory_size = 4096, .userspace_addr = (uintptr_t)page };

	fd[KVM] = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	fd[VM] = ioctl(fd[KVM], KVM_CREATE_VM, 0);
	if (fd[VM] < 0 || ioctl(fd[VM], KVM_SET_USER_MEMORY_REGION, &region))
		exit(2);
	fd[VCPU] = ioctl(fd[VM], KVM_CREATE_VCPU, 0);
	if (fd[VCPU] < 0)
		exit(2);
}

static void close_vm(void)
{
	for (int k = VCPU; k >= KVM; k--)
		close(fd[k]);
	close_range(3, ~0u, 0);
}

/*
 * try - one call
 *
 * A buffer ends at a page that is not there, so that a size too large shows.
 */
static void try(int kind, const char *name, unsigned long nr, const char *what, unsigned long arg)
{
	long r = ioctl(fd[kind], nr, arg);

	printf("%s %s %s: %s\n", kinds[kind], name, what, r < 0 ? strerrorname_np(errno) : r ? "positive" : "0");
	fflush(stdout);
}

static void try_all(int kind, const char *name, unsigned long nr, unsigned char *end)
{
	unsigned long size = _IOC_SIZE(nr) ? _IOC_SIZE(nr) : 8;

	/* Whether these block or end the run is not about errors. */
	if (nr == KVM_RUN || nr == KVM_CREATE_VM)
		return;
	try(kind, name, nr, "null", 0);
	try(kind, name, nr, "kernel", 0xffff888000000000ul);
	try(kind, name, nr, "hole", (uintptr_t)end);
	memset(end - SIZE, 0, SIZE);
	try(kind, name, nr, "zeros", (uintptr_t)end - SIZE);
	memset(end - SIZE, 0xff, SIZE);
	try(kind, name, nr, "ones", (uintptr_t)end - SIZE);
	memset(end - SIZE, 0xff, SIZE);
	try(kind, name, nr, "short", (uintptr_t)end - size + 1);
	memset(end - SIZE, 1, SIZE);
	try(kind, name, nr, "one's", (uintptr_t)end - SIZE);
}

int main(void)
{
	/* A fixed place: some calls take what is an address here for a number. */
	unsigned char *end = mmap((void *)0x20000000000, SIZE + 4096, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (end == MAP_FAILED || page == MAP_FAILED || munmap(end + SIZE, 4096))
		return 2;
	end += SIZE;

	open_vm();
	for (long cap = -1; cap < 300; cap++) {
		for (int kind = KVM; kind <= VM; kind++)
			printf("%s capability %ld: %d\n", kinds[kind], cap, ioctl(fd[kind], KVM_CHECK_EXTENSION, cap));
	}
	for (unsigned int dir = 0; dir < 4; dir++) {
		for (int kind = KVM; kind < KINDS; kind++)
			try(kind, "unknown", _IOC(dir, KVMIO, 0xff, 24), "hole", (uintptr_t)end);
	}
	close_vm();
	for (unsigned int i = 0; i < COUNT(ioctls); i++) {
		open_vm();
		for (int kind = KVM; kind < KINDS; kind++)
			try_all(kind, ioctls[i].name, ioctls[i].nr, end);
		close_vm();
	}
	return 0;
}
