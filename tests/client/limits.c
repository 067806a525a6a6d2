// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a tenant's configuration leaves of KVM.
 *
 *	limits caps		features that guests are offered
 *	limits memory MIB...	register slots of these sizes, SMM's copies too
 *	limits vcpus N		make N vCPUs
 *	limits opens N		open /dev/kvm N times
 *	limits vm		make a VM
 *	limits held MIB...	as memory, and stay
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_ENTRIES	256

static int open_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		printf("open: %s\n", strerrorname_np(errno));
		exit(3);
	}
	return fd;
}

static const struct kvm_cpuid_entry2 *find(const struct kvm_cpuid2 *c, uint32_t leaf, uint32_t index)
{
	static const struct kvm_cpuid_entry2 none;
	uint32_t i;

	for (i = 0; i < c->nent; i++)
		if (c->entries[i].function == leaf && c->entries[i].index == index)
			return &c->entries[i];
	return &none;
}

/* Does KVM offer VMX capability MSRs? */
static int vmx_msrs(int kvm)
{
	static struct {
		struct kvm_msr_list head;
		uint32_t index[MAX_ENTRIES];
	} list = { .head.nmsrs = MAX_ENTRIES };
	uint32_t i;

	if (ioctl(kvm, KVM_GET_MSR_FEATURE_INDEX_LIST, &list) < 0)
		return -1;
	for (i = 0; i < list.head.nmsrs; i++)
		if (list.head.indices[i] == 0x480)
			return 1;
	return 0;
}

static void caps(int kvm)
{
	static struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[MAX_ENTRIES];
	} c = { .head.nent = MAX_ENTRIES };

	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &c) < 0) {
		printf("caps: %s\n", strerrorname_np(errno));
		exit(3);
	}
	printf("caps: vmx %d aes %d avx %d fma %d avx2 %d x2apic %d ymm %d msrs %d\n",
	       find(&c.head, 1, 0)->ecx >> 5 & 1, find(&c.head, 1, 0)->ecx >> 25 & 1,
	       find(&c.head, 1, 0)->ecx >> 28 & 1, find(&c.head, 1, 0)->ecx >> 12 & 1,
	       find(&c.head, 7, 0)->ebx >> 5 & 1, find(&c.head, 1, 0)->ecx >> 21 & 1,
	       find(&c.head, 13, 0)->eax >> 2 & 1,
	       vmx_msrs(kvm));
}

static void memory(int kvm, char **sizes)
{
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);
	struct kvm_userspace_memory_region m = { .slot = 0 };
	char *p;

	printf("memory:");
	for (; *sizes; sizes++) {
		m.memory_size = strtoull(*sizes, NULL, 0) << 20;
		p = mmap(NULL, m.memory_size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED)
			exit(2);
		m.userspace_addr = (uintptr_t)p;
		/* SMM sees the same memory, as with QEMU. */
		m.slot |= 1 << 16;
		printf(" %s", ioctl(vm, KVM_SET_USER_MEMORY_REGION, &m) < 0 ?
		       strerrorname_np(errno) : "ok");
		m.slot &= 0xffff;
		printf("/%s", ioctl(vm, KVM_SET_USER_MEMORY_REGION, &m) < 0 ?
		       strerrorname_np(errno) : "ok");
		m.slot++;
		m.guest_phys_addr += m.memory_size;
	}
	printf("\n");
}

static void vcpus(int kvm, unsigned int n)
{
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);
	unsigned int i;

	for (i = 0; i < n; i++)
		if (ioctl(vm, KVM_CREATE_VCPU, i) < 0)
			break;
	printf("vcpus: %u %s\n", i, i < n ? strerrorname_np(errno) : "ok");
}

static void vm(int kvm)
{
	printf("vm: %s\n", ioctl(kvm, KVM_CREATE_VM, 0) < 0 ? strerrorname_np(errno) : "ok");
}

static void held(int kvm, char **sizes)
{
	memory(kvm, sizes);
	fflush(stdout);
	for (;;)
		pause();
}

static void opens(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (open("/dev/kvm", O_RDWR | O_CLOEXEC) < 0)
			break;
	printf("opens: %u %s\n", i, i < n ? strerrorname_np(errno) : "ok");
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "caps"))
		caps(open_kvm());
	else if (!strcmp(what, "memory"))
		memory(open_kvm(), argv + 2);
	else if (!strcmp(what, "vcpus") && argc == 3)
		vcpus(open_kvm(), atoi(argv[2]));
	else if (!strcmp(what, "vm"))
		vm(open_kvm());
	else if (!strcmp(what, "held"))
		held(open_kvm(), argv + 2);
	else if (!strcmp(what, "opens") && argc == 3)
		opens(atoi(argv[2]));
	else
		return 2;
	return 0;
}
