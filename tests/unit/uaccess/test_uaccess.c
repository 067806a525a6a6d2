// SPDX-License-Identifier: GPL-2.0-only
/*
 * User memory of both kinds, windows, eventfds and files of the personality,
 * on a machine that this file plays.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/kvm.h>

#include "../run_suite.h"
#include "fixture.h"
#include "common/daemon.h"
#include "calls/call.h"
#include "calls/dispatch.h"
#include "calls/eventfd.h"
#include "calls/file.h"
#include "ksplit_uaccess.h"
#include "calls/window.h"
#include "personality.h"

#define PAGE	4096UL
#define GIB	(1UL << 30)

/* ------------------------------------------------------- the machine ----- */

/* The client's memory appears at this address, which is not the worker's. */
#define CLIENT		0x7f1234560000UL
#define CLIENT_SIZE	(64 * 1024UL)
static unsigned char client[CLIENT_SIZE];
static int copies;

#define VM_FD		1000
/* Owner's pages by window page; a page can be missing. */
#define MAX_PAGES	64
static struct {
	unsigned long addr, size;
	int memfd;
	int missing[MAX_PAGES];
} window;
static atomic_int window_faults, window_nowait;

static int m_copy(int fd, struct ksplit_copy *c)
{
	unsigned long off = c->client - CLIENT;

	copies++;
	if (c->client < CLIENT || off > CLIENT_SIZE || c->len > CLIENT_SIZE - off)
		return -EFAULT;
	if (c->write)
		memcpy(client + off, (void *)c->local, c->len);
	else
		memcpy((void *)c->local, client + off, c->len);
	return 0;
}

static int m_eventfd(struct ksplit_eventfd *e)
{
	char path[64], link[64] = "";
	int fd = dup(e->client_fd);
	unsigned int id;

	if (fd < 0)
		return -EBADF;
	/* An eventfd's only. */
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	FILE *f = fopen(path, "r");

	while (f && fgets(link, sizeof(link), f))
		if (sscanf(link, "eventfd-id: %u", &id) == 1) {
			fclose(f);
			return fd;
		}
	if (f)
		fclose(f);
	close(fd);
	return -EINVAL;
}

static int m_map_window(int vm, __u64 addr, __u64 size, __u32 slot)
{
	ck_assert_int_eq(vm, VM_FD);
	window.memfd = memfd_create("owner", 0);
	ck_assert_int_eq(ftruncate(window.memfd, size < MAX_PAGES * PAGE ?
				   size : MAX_PAGES * PAGE), 0);
	if (mmap((void *)addr, size, PROT_NONE, MAP_SHARED | MAP_FIXED_NOREPLACE,
		 window.memfd, 0) != (void *)addr)
		return -errno;
	window.addr = addr;
	window.size = size;
	memset(window.missing, 0, sizeof(window.missing));
	return 0;
}

static int m_unmap_window(int vm, __u64 addr, __u64 size)
{
	munmap((void *)addr, size);
	if (addr == window.addr) {
		close(window.memfd);
		memset(&window, 0, sizeof(window));
	}
	return 0;
}

static int m_window_fault(int vm, struct ksplit_fault *f)
{
	unsigned long page = (f->addr - window.addr) / PAGE;

	atomic_fetch_add(&window_faults, 1);
	if (f->flags & KSPLIT_FAULT_NOWAIT)
		atomic_fetch_add(&window_nowait, 1);
	if (f->addr < window.addr || f->addr >= window.addr + window.size)
		return -ENOENT;
	if (page >= MAX_PAGES || window.missing[page])
		return -EFAULT;
	mprotect((void *)(window.addr + page * PAGE), PAGE,
		 PROT_READ | PROT_WRITE);
	return 0;
}

static void m_close(int fd)
{
	if (fd != VM_FD)
		close(fd);
}

static const struct ksplit_ops machine = {
	.copy		= m_copy,
	.eventfd	= m_eventfd,
	.map_window	= m_map_window,
	.unmap_window	= m_unmap_window,
	.window_fault	= m_window_fault,
	.close		= m_close,
};

/* A call whose argument lies at the start of the client's memory. */
static unsigned char in[KSPLIT_PREFETCH_MAX], out[KSPLIT_OUT_MAX];
static struct vmm_call call;

static void begin(unsigned int cmd, unsigned int prefetched)
{
	memset(&call, 0, sizeof(call));
	call.id = 7;
	call.op = KSPLIT_OP_IOCTL;
	call.kind = KSPLIT_FILE_VM;
	call.cmd = cmd;
	call.base = CLIENT;
	call.size = _IOC_SIZE(cmd);
	call.in = in;
	call.out = out;
	call.prefetched = prefetched;
	call.back_fd = -1;
	memcpy(in, client, prefetched);
	vmm_call_set(&call);
	copies = 0;
}

/* What the stub does with a reply. */
static void end(void)
{
	vmm_call_set(NULL);
	memcpy(client, out, call.out_len);
}

static void fill_client(void)
{
	unsigned long i;

	for (i = 0; i < CLIENT_SIZE; i++)
		client[i] = i * 7 + (i >> 8);
}

static void machine_start(void)
{
	ksplit_ops = &machine;
	ck_assert_int_eq(ksplit_trap_init(), 0);
	ck_assert_int_eq(ksplit_personality_init(2, 0, 46), 0);
	ck_assert_int_eq(ksplit_window_init(1UL << 46), 0);
	ck_assert_int_eq(ksplit_eventfd_init(), 0);
	fill_client();
}

#define CMD64	_IOWR(0xAE, 0xf0, char[64])

/* ---------------------------------------------------- checked accessors -- */

START_TEST(read_from_prefetch)
{
	unsigned char buf[64];
	unsigned long v8;
	unsigned int v4;

	begin(CMD64, 64);
	ck_assert_uint_eq(fx_copy_from_user(buf, CLIENT, 64), 0);
	ck_assert_mem_eq(buf, client, 64);
	ck_assert_int_eq(fx_get_user8(CLIENT + 8, &v8), 0);
	ck_assert_mem_eq(&v8, client + 8, 8);
	ck_assert_int_eq(fx_get_user4(CLIENT + 60, &v4), 0);
	ck_assert_mem_eq(&v4, client + 60, 4);
	ck_assert_int_eq(fx_memdup_user(buf, CLIENT + 1, 63), 0);
	ck_assert_mem_eq(buf, client + 1, 63);
	ck_assert_int_eq(copies, 0);
	end();
}
END_TEST

START_TEST(read_the_worker_s_copy_only_once_prefetched)
{
	unsigned char buf[64];

	begin(CMD64, 64);
	client[3] ^= 0xff;
	ck_assert_uint_eq(fx_copy_from_user(buf, CLIENT, 64), 0);
	ck_assert_mem_eq(buf, in, 64);
	client[3] ^= 0xff;
	end();
}
END_TEST

START_TEST(read_of_a_tail)
{
	unsigned char buf[256];

	begin(CMD64, 64);
	ck_assert_uint_eq(fx_copy_from_user(buf, CLIENT + 64, 256), 0);
	ck_assert_mem_eq(buf, client + 64, 256);
	ck_assert_int_eq(copies, 1);
	/* Half in, half out: one fetch, from the client. */
	ck_assert_uint_eq(fx_copy_from_user(buf, CLIENT + 32, 64), 0);
	ck_assert_mem_eq(buf, client + 32, 64);
	ck_assert_int_eq(copies, 2);
	end();
}
END_TEST

START_TEST(read_faults)
{
	unsigned long v8 = 5, end_addr = CLIENT + CLIENT_SIZE;
	unsigned char buf[16];

	begin(CMD64, 64);
	memset(buf, 0xee, sizeof(buf));
	ck_assert_uint_eq(fx_copy_from_user(buf, end_addr - 8, 16), 16);
	ck_assert_int_eq(buf[0], 0);
	ck_assert_int_eq(fx_get_user8(end_addr, &v8), -EFAULT);
	ck_assert_uint_eq(v8, 0);
	ck_assert_int_eq(fx_put_user8(end_addr, 1), -EFAULT);
	ck_assert_uint_eq(fx_copy_to_user(end_addr, buf, 4), 4);
	ck_assert_int_eq(fx_memdup_user(buf, end_addr, 4), -EFAULT);
	/* Wraps around. */
	ck_assert_uint_eq(fx_copy_from_user(buf, -8UL, 16), 16);
	end();
}
END_TEST

/* The address of something of the worker's own is the client's like any other. */
START_TEST(never_the_worker_s_memory)
{
	static unsigned long secret = 0x5ec4e7;
	unsigned long v = 0;

	begin(CMD64, 64);
	ck_assert_int_eq(fx_get_user8((unsigned long)&secret, &v), -EFAULT);
	ck_assert_int_eq(fx_put_user8((unsigned long)&secret, 0), -EFAULT);
	ck_assert_uint_eq(secret, 0x5ec4e7);
	end();
}
END_TEST

START_TEST(nothing_without_a_call)
{
	unsigned long v;

	begin(CMD64, 64);
	end();
	ck_assert_int_eq(fx_get_user8(CLIENT, &v), -EFAULT);
	ck_assert_int_eq(fx_put_user8(CLIENT, 1), -EFAULT);
	/* KVM_RUN: the client's memory is out of reach. */
	begin(CMD64, 64);
	call.no_copy = 1;
	ck_assert_int_eq(fx_get_user8(CLIENT, &v), -EFAULT);
	ck_assert_int_eq(fx_put_user8(CLIENT, 1), -EFAULT);
	ck_assert_int_eq(copies, 0);
	end();
}
END_TEST

START_TEST(write_goes_with_the_reply)
{
	unsigned char before = client[0];

	begin(CMD64, 64);
	ck_assert_int_eq(fx_put_user4(CLIENT, 0x11223344), 0);
	ck_assert_int_eq(fx_put_user8(CLIENT + 4, 0x5566778899aabbcc), 0);
	ck_assert_int_eq(copies, 0);
	ck_assert_uint_eq(call.out_len, 12);
	ck_assert_int_eq(client[0], before);
	end();
	ck_assert_mem_eq(client, "\x44\x33\x22\x11\xcc\xbb\xaa\x99\x88\x77\x66\x55",
			 12);
	fill_client();
}
END_TEST

START_TEST(read_sees_what_was_written)
{
	unsigned char buf[128];
	unsigned int v4;

	begin(CMD64, 64);
	ck_assert_int_eq(fx_put_user4(CLIENT, 0xdeadbeef), 0);
	ck_assert_int_eq(fx_get_user4(CLIENT, &v4), 0);
	ck_assert_uint_eq(v4, 0xdeadbeef);
	/* Also where the read goes to the client. */
	ck_assert_uint_eq(fx_copy_from_user(buf, CLIENT, 128), 0);
	ck_assert_mem_eq(buf, "\xef\xbe\xad\xde", 4);
	ck_assert_mem_eq(buf + 4, client + 4, 124);
	end();
	fill_client();
}
END_TEST

START_TEST(write_behind_a_gap_is_direct)
{
	unsigned char before[8];

	memcpy(before, client, 8);
	begin(CMD64, 64);
	ck_assert_int_eq(fx_put_user4(CLIENT + 8, 0x01020304), 0);
	ck_assert_int_eq(copies, 1);
	ck_assert_uint_eq(call.out_len, 0);
	/* The hole's bytes are not written back. */
	client[2] = 0x77;
	end();
	ck_assert_mem_eq(client + 8, "\x04\x03\x02\x01", 4);
	ck_assert_int_eq(client[2], 0x77);
	fill_client();
}
END_TEST

START_TEST(write_beyond_the_argument)
{
	unsigned char buf[96];

	memset(buf, 0xa5, sizeof(buf));
	begin(CMD64, 64);
	ck_assert_int_eq(fx_put_user8(CLIENT, 1), 0);
	/* Straddles the end, and covers buffered bytes. */
	ck_assert_uint_eq(fx_copy_to_user(CLIENT, buf, 96), 0);
	ck_assert_int_eq(copies, 1);
	ck_assert_uint_eq(call.out_len, 8);
	end();
	ck_assert_mem_eq(client, buf, 96);
	fill_client();
}
END_TEST

/* Every sequence of writes ends as if each had gone to the client at once. */
START_TEST(order_of_writes)
{
	unsigned char model[128], buf[64];
	unsigned int i, round;

	srand(1);
	for (round = 0; round < 2000; round++) {
		memcpy(model, client, sizeof(model));
		begin(CMD64, rand() % 2 ? 64 : rand() % 65);
		for (i = 0; i < 6; i++) {
			unsigned int off = rand() % 80, n = rand() % 48, k;
			unsigned char back[128];

			for (k = 0; k < n; k++)
				buf[k] = rand();
			ck_assert_uint_eq(fx_copy_to_user(CLIENT + off, buf, n), 0);
			memcpy(model + off, buf, n);
			ck_assert_uint_eq(fx_copy_from_user(back, CLIENT, 128), 0);
			ck_assert_mem_eq(back, model, 128);
		}
		end();
		ck_assert_mem_eq(client, model, sizeof(model));
	}
	fill_client();
}
END_TEST

START_TEST(results_for_a_client)
{
	ck_assert_int_eq(ksplit_result(0), 0);
	ck_assert_int_eq(ksplit_result(5), 5);
	ck_assert_int_eq(ksplit_result(-EINVAL), -EINVAL);
	ck_assert_int_eq(ksplit_result(-512), -EINTR);
	ck_assert_int_eq(ksplit_result(-515), -ENOTTY);
	ck_assert_int_eq(ksplit_result(-524), -EOPNOTSUPP);
	ck_assert_int_eq(ksplit_result(-600), -EINVAL);
}
END_TEST

START_TEST(capabilities_that_are_off)
{
	begin(KVM_CHECK_EXTENSION, 0);
	ck_assert_int_eq(vmm_call_ioctl(&call, KVM_CAP_XEN_HVM), 0);
	/* There is no KVM to ask. */
	ck_assert_int_eq(vmm_call_ioctl(&call, KVM_CAP_IRQCHIP), -ENODEV);
	begin(KVM_ENABLE_CAP, sizeof(struct kvm_enable_cap));
	in[0] = KVM_CAP_XEN_HVM;
	in[1] = in[2] = in[3] = 0;
	call.kind = KSPLIT_FILE_VM;
	ck_assert_int_eq(vmm_call_ioctl(&call, CLIENT), -EINVAL);
	end();
}
END_TEST

/* ------------------------------------------------------------- windows --- */

static int slot_call(unsigned int slot, unsigned int flags, unsigned long gpa,
		     unsigned long size, unsigned long hva)
{
	struct kvm_userspace_memory_region m = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = hva,
	};

	memcpy(client, &m, sizeof(m));
	begin(KVM_SET_USER_MEMORY_REGION, sizeof(m));
	return ksplit_window_prepare(VM_FD, &call);
}

/* The address that KVM would read. */
static unsigned long kvm_hva(void)
{
	struct kvm_userspace_memory_region m;

	ck_assert_uint_eq(fx_copy_from_user(&m, CLIENT, sizeof(m)), 0);
	return m.userspace_addr;
}

static void slot_done(long result)
{
	ksplit_window_finish(VM_FD, &call, result);
	end();
	fill_client();
}

static unsigned long make_window(unsigned long gpa, unsigned long size)
{
	unsigned long at;

	ck_assert_int_eq(slot_call(1, 0, gpa, size, 0x7fff00000000), 0);
	at = kvm_hva();
	slot_done(0);
	return at;
}

static void drop_window(void)
{
	ck_assert_int_eq(slot_call(1, 0, 0, 0, 0), 0);
	slot_done(0);
}

START_TEST(window_address)
{
	unsigned long at = make_window(0xc0000, 16 * PAGE);

	ck_assert_uint_ne(at, 0x7fff00000000);
	ck_assert_uint_eq(at % GIB, 0xc0000);
	ck_assert_uint_lt(at, 1UL << 46);
	ck_assert(!ksplit_in_arena(at));
	ck_assert_int_eq(ksplit_window_find(at), VM_FD);
	ck_assert_int_eq(ksplit_window_find(at + 16 * PAGE - 1), VM_FD);
	ck_assert_int_eq(ksplit_window_find(at + 16 * PAGE), -ENOENT);
	ck_assert_int_eq(ksplit_window_find(at - 1), -ENOENT);
	drop_window();
	ck_assert_int_eq(ksplit_window_find(at), -ENOENT);
	ck_assert_uint_eq(window.addr, 0);
}
END_TEST

START_TEST(window_changes)
{
	unsigned long at = make_window(0, 16 * PAGE);

	/* Flags, or another place in the guest: the same window. */
	ck_assert_int_eq(slot_call(1, 1, 0, 16 * PAGE, 0x7fff00000000), 0);
	ck_assert_uint_eq(kvm_hva(), at);
	slot_done(0);
	ck_assert_int_eq(slot_call(1, 1, GIB, 16 * PAGE, 0x7fff00000000), 0);
	ck_assert_uint_eq(kvm_hva(), at);
	slot_done(-EEXIST);
	ck_assert_int_eq(ksplit_window_find(at), VM_FD);
	/* Other memory: KVM must see a change, and never the client's number. */
	ck_assert_int_eq(slot_call(1, 1, 0, 16 * PAGE, 0x7ffe00000000), 0);
	ck_assert_uint_ne(kvm_hva(), at);
	ck_assert_uint_ne(kvm_hva(), 0x7ffe00000000);
	slot_done(-EINVAL);
	/* ... even if that number happens to be the window's. */
	ck_assert_int_eq(slot_call(1, 1, 0, 16 * PAGE, at), 0);
	ck_assert_uint_ne(kvm_hva(), at);
	slot_done(-EINVAL);
	/* A delete that fails keeps it. */
	ck_assert_int_eq(slot_call(1, 0, 0, 0, 0), 0);
	slot_done(-EIO);
	ck_assert_int_eq(ksplit_window_find(at), VM_FD);
	drop_window();
}
END_TEST

START_TEST(window_refusals)
{
	unsigned long at;

	/* Refused here, with KVM's error. */
	ck_assert_int_eq(slot_call(1, 0, 1, PAGE, 0x7fff00000000), -EINVAL);
	slot_done(-EINVAL);
	ck_assert_int_eq(slot_call(1, 0, 0, 100, 0x7fff00000000), -EINVAL);
	slot_done(-EINVAL);
	ck_assert_int_eq(slot_call(1, 0, 0, PAGE, 0x7fff00000008), -EINVAL);
	slot_done(-EINVAL);
	ck_assert_int_eq(slot_call(1, 0, 0, 1UL << 60, 0x7fff00000000), -ENOMEM);
	slot_done(-ENOMEM);
	/* Bytes that cannot be edited. */
	begin(KVM_SET_USER_MEMORY_REGION, 16);
	ck_assert_int_eq(ksplit_window_prepare(VM_FD, &call), -EFAULT);
	slot_done(-EFAULT);
	/* KVM refuses: the window goes again. */
	ck_assert_int_eq(slot_call(1, 0, 0, PAGE, 0x7fff00000000), 0);
	at = kvm_hva();
	ck_assert_int_eq(ksplit_window_find(at), VM_FD);
	slot_done(-EEXIST);
	ck_assert_int_eq(ksplit_window_find(at), -ENOENT);
	ck_assert_uint_eq(window.addr, 0);
	/* A delete of a slot that is not there. */
	ck_assert_int_eq(slot_call(9, 0, 0, 0, 0), 0);
	slot_done(-EINVAL);
}
END_TEST

START_TEST(window_places_do_not_overlap)
{
	unsigned long at[40], size[40];
	unsigned int i, j;

	srand(2);
	for (i = 0; i < 40; i++) {
		unsigned long gpa = (unsigned long)(rand() % 4096) * PAGE;

		size[i] = (1 + rand() % (1 << 19)) * PAGE;
		ck_assert_int_eq(slot_call(100 + i, 0, gpa, size[i],
					   0x7fff00000000), 0);
		at[i] = kvm_hva();
		slot_done(0);
		ck_assert_uint_eq((at[i] - gpa) % GIB, 0);
		for (j = 0; j < i; j++)
			ck_assert(at[i] + size[i] < at[j] || at[j] + size[j] < at[i]);
	}
	ksplit_window_drop_vm(VM_FD);
	for (i = 0; i < 40; i++)
		ck_assert_int_eq(ksplit_window_find(at[i]), -ENOENT);
}
END_TEST

/* -------------------------------------------------- unchecked accessors -- */

START_TEST(guest_memory_comes_in_by_fault)
{
	unsigned long at = make_window(0, 16 * PAGE), v = 0, old;
	unsigned char buf[3 * PAGE], back[3 * PAGE];
	unsigned int v4;

	window_faults = 0;
	memset(buf, 0x5a, sizeof(buf));
	ck_assert_uint_eq(fx_raw_to(at + 100, buf, 2 * PAGE), 0);
	ck_assert_int_eq(window_faults, 3);
	ck_assert_uint_eq(fx_raw_from(back, at + 100, 2 * PAGE), 0);
	ck_assert_mem_eq(back, buf, 2 * PAGE);
	ck_assert_int_eq(window_faults, 3);

	ck_assert_int_eq(fx_raw_put8(at + 5 * PAGE, 77), 0);
	ck_assert_int_eq(fx_raw_get8(at + 5 * PAGE, &v), 0);
	ck_assert_uint_eq(v, 77);
	ck_assert_int_eq(fx_raw_get4(at + 5 * PAGE, &v4), 0);
	ck_assert_uint_eq(v4, 77);
	ck_assert_int_eq(fx_unsafe_put8(at + 6 * PAGE, 78), 0);
	ck_assert_int_eq(fx_unsafe_get8(at + 6 * PAGE, &v), 0);
	ck_assert_uint_eq(v, 78);
	old = 78;
	ck_assert_int_eq(fx_cmpxchg8(at + 6 * PAGE, &old, 79), 0);
	old = 5;
	ck_assert_int_eq(fx_cmpxchg8(at + 6 * PAGE, &old, 80), 1);
	ck_assert_uint_eq(old, 79);
	ck_assert_int_eq(window_faults, 5);
	drop_window();
}
END_TEST

START_TEST(guest_memory_that_is_not_there)
{
	unsigned long at = make_window(0, 16 * PAGE), v = 9, old = 1;
	unsigned char buf[3 * PAGE];
	unsigned int v4 = 9;

	window.missing[1] = 1;
	/* As far as it went. */
	ck_assert_uint_eq(fx_raw_from(buf, at, 2 * PAGE), PAGE);
	ck_assert_uint_eq(fx_raw_to(at + PAGE - 8, buf, 16), 8);
	ck_assert_int_eq(fx_raw_get8(at + PAGE, &v), -EFAULT);
	ck_assert_uint_eq(v, 0);
	ck_assert_int_eq(fx_raw_get4(at + PAGE, &v4), -EFAULT);
	ck_assert_int_eq(fx_raw_put8(at + PAGE, 1), -EFAULT);
	ck_assert_int_eq(fx_unsafe_get8(at + PAGE, &v), -EFAULT);
	ck_assert_int_eq(fx_unsafe_put8(at + PAGE, 1), -EFAULT);
	ck_assert_int_eq(fx_cmpxchg8(at + PAGE, &old, 1), -EFAULT);
	ck_assert_int_eq(fx_nofault_to(at + PAGE, buf, 8), -EFAULT);
	drop_window();
	/* No window at all. */
	ck_assert_int_eq(fx_raw_get8(at, &v), -EFAULT);
	ck_assert_int_eq(fx_raw_put8(8, 1), -EFAULT);
	/* Not canonical: #GP instead of a page fault. */
	ck_assert_int_eq(fx_raw_get8(0x8000000000000000UL, &v), -EFAULT);
}
END_TEST

START_TEST(no_sleep_for_an_atomic_access)
{
	unsigned long at = make_window(0, 16 * PAGE);
	unsigned long v = 1;

	window_nowait = 0;
	ck_assert_int_eq(fx_nofault_to(at, &v, 8), 0);
	ck_assert_int_eq(window_nowait, 1);
	ck_assert_uint_eq(fx_raw_to(at + PAGE, &v, 8), 0);
	ck_assert_int_eq(window_nowait, 1);
	drop_window();
}
END_TEST

/* The fault handler must leave vector registers as they were. */
START_TEST(fpu_survives_a_fault)
{
	unsigned long at = make_window(0, 16 * PAGE), v = 0;
	unsigned long in_x[2] = { 0x1122334455667788, 0x99aabbccddeeff00 };
	unsigned long out_x[2] = { 0, 0 };

	asm volatile("movdqu %[in], %%xmm7\n\t"
		     "movq (%[at]), %[v]\n\t"
		     "movdqu %%xmm7, %[out]"
		     : [v] "=r" (v), [out] "=m" (out_x)
		     : [at] "r" (at), [in] "m" (in_x) : "xmm7", "memory");
	ck_assert_mem_eq(in_x, out_x, 16);
	drop_window();
}
END_TEST

static atomic_int stop;

static void *toucher(void *arg)
{
	unsigned long at = (unsigned long)arg;

	while (!atomic_load(&stop))
		ck_assert_int_eq(ksplit_window_find(at), VM_FD);
	return NULL;
}

START_TEST(lookup_beside_changes)
{
	unsigned long keep, at = 0;
	pthread_t t;
	int i;

	ck_assert_int_eq(slot_call(2, 0, 0, PAGE, 0x7fff00000000), 0);
	keep = kvm_hva();
	slot_done(0);
	atomic_store(&stop, 0);
	pthread_create(&t, NULL, toucher, (void *)keep);
	for (i = 0; i < 2000; i++) {
		at = make_window(0, PAGE);
		ck_assert_int_eq(ksplit_window_find(keep), VM_FD);
		ck_assert_int_eq(ksplit_window_find(at), VM_FD);
		drop_window();
		ck_assert_int_eq(ksplit_window_find(keep), VM_FD);
	}
	atomic_store(&stop, 1);
	pthread_join(t, NULL);
	ksplit_window_drop_vm(VM_FD);
}
END_TEST

/* ---------------------------------------------------- exception tables --- */

START_TEST(other_exceptions)
{
	ck_assert_int_eq(fx_rdmsr_safe(0x10), -EIO);
	ck_assert_int_eq(fx_divide(0), 1);
	ck_assert_int_eq(fx_divide(6), 0);
}
END_TEST

START_TEST(warn_goes_on)
{
	ck_assert_int_eq(fx_warn(3), 3);
	ck_assert_int_eq(fx_warn(0), 0);
}
END_TEST

START_TEST(bug_ends_the_worker)
{
	fx_bug();
}
END_TEST

START_TEST(stray_access_ends_the_worker)
{
	volatile unsigned long nowhere = 8;

	*(volatile int *)nowhere = 1;
}
END_TEST

/* ------------------------------------------------------------ eventfds --- */

#define wait_until(cond) do {					\
	int n_ = 0;						\
	while (!(cond) && n_++ < 5000)				\
		usleep(1000);					\
	ck_assert(cond);					\
} while (0)

static void begin_irqfd(void)
{
	begin(KVM_IRQFD, 0);
}

START_TEST(same_eventfd_same_context)
{
	int a = eventfd(0, EFD_CLOEXEC), b = dup(a), other = eventfd(0, 0);
	void *ctx, *again, *diff;

	begin_irqfd();
	ctx = fx_eventfd_get(a);
	again = fx_eventfd_get(b);
	diff = fx_eventfd_get(other);
	ck_assert_ptr_nonnull(ctx);
	ck_assert_ptr_eq(ctx, again);
	ck_assert_ptr_ne(ctx, diff);
	/* Not an eventfd; not a descriptor. */
	ck_assert_ptr_null(fx_eventfd_get(0));
	ck_assert_ptr_null(fx_eventfd_get(999));
	end();
	/* No call, no descriptor. */
	ck_assert_ptr_null(fx_eventfd_get(a));
	fx_eventfd_put(ctx);
	fx_eventfd_put(again);
	fx_eventfd_put(diff);
	close(a);
	close(b);
	close(other);
}
END_TEST

START_TEST(signal_reaches_the_client)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	eventfd_t v = 0;
	void *ctx;

	begin_irqfd();
	ctx = fx_eventfd_get(fd);
	end();
	fx_eventfd_signal(ctx);
	fx_eventfd_signal(ctx);
	ck_assert_int_eq(eventfd_read(fd, &v), 0);
	ck_assert_uint_eq(v, 2);
	fx_eventfd_put(ctx);
	/* The flags of the shared file are as the client set them. */
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	close(fd);
}
END_TEST

START_TEST(irqfd_wakes)
{
	int fd = eventfd(0, 0), i;
	struct fx_irqfd *irqfd;

	begin_irqfd();
	irqfd = fx_irqfd_assign(fd);
	end();
	ck_assert_ptr_nonnull(irqfd);
	for (i = 1; i <= 100; i++) {
		eventfd_write(fd, 1);
		wait_until(fx_irqfd_sum(irqfd) == (unsigned long)i);
	}
	ck_assert_uint_ge(fx_irqfd_wakes(irqfd), 100);
	fx_irqfd_deassign(irqfd);
	eventfd_write(fd, 1);
	usleep(20000);
	ck_assert_uint_eq(fx_irqfd_sum(irqfd), 100);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	fx_irqfd_free(irqfd);
	close(fd);
}
END_TEST

START_TEST(irqfd_that_was_signalled_before)
{
	int fd = eventfd(3, 0);
	struct fx_irqfd *irqfd;

	begin_irqfd();
	irqfd = fx_irqfd_assign(fd);
	end();
	wait_until(fx_irqfd_wakes(irqfd) == 1);
	ck_assert_uint_eq(fx_irqfd_sum(irqfd), 3);
	fx_irqfd_deassign(irqfd);
	fx_irqfd_free(irqfd);
	close(fd);
}
END_TEST

static void *signaller(void *arg)
{
	int fd = (long)arg;

	while (!atomic_load(&stop))
		eventfd_write(fd, 1);
	return NULL;
}

/* deassign() serialises with a running callback. */
START_TEST(irqfd_removed_while_signalled)
{
	int fd = eventfd(0, 0), round;
	pthread_t t;

	atomic_store(&stop, 0);
	pthread_create(&t, NULL, signaller, (void *)(long)fd);
	for (round = 0; round < 300; round++) {
		struct fx_irqfd *irqfd;

		begin_irqfd();
		irqfd = fx_irqfd_assign(fd);
		end();
		ck_assert_ptr_nonnull(irqfd);
		wait_until(fx_irqfd_wakes(irqfd));
		fx_irqfd_deassign(irqfd);
		sched_yield();
		ck_assert_uint_eq(fx_irqfd_late(irqfd), 0);
		fx_irqfd_free(irqfd);
	}
	atomic_store(&stop, 1);
	pthread_join(t, NULL);
	close(fd);
}
END_TEST

/* --------------------------------------------------------------- files --- */

START_TEST(file_handles)
{
	int fd, fd2;

	begin(CMD64, 64);
	fd = fx_file_create("kvm-test");
	ck_assert_int_gt(fd, 0);
	ck_assert_uint_eq(call.new_kind, KSPLIT_FILE_DEVICE);
	ck_assert_uint_eq(call.new_handle, fd);
	fd2 = fx_file_create("kvm-test2");
	ck_assert_int_ne(fd, fd2);

	ck_assert_int_eq(ksplit_file_ioctl(fd, 10, 5), 15);
	ck_assert_int_eq(ksplit_file_ioctl(fd + 1000, 10, 5), -EBADF);
	ck_assert_int_eq(ksplit_file_ioctl(1UL << 40, 10, 5), -EBADF);
	ck_assert_int_eq(ksplit_file_back_fd(fd), -ENOENT);

	/* A read's bytes come with the reply. */
	call.base = KSPLIT_READ_BASE;
	call.size = 64;
	call.op = KSPLIT_OP_READ;
	call.prefetched = 0;
	ck_assert_int_eq(ksplit_file_read(fd, 2, 4), 4);
	ck_assert_uint_eq(call.out_len, 4);
	ck_assert_mem_eq(out, "cdef", 4);
	vmm_call_set(NULL);

	ck_assert_int_eq(fx_file_released(), 0);
	ksplit_file_close(fd);
	ck_assert_int_eq(fx_file_released(), 1);
	ck_assert_int_eq(ksplit_file_ioctl(fd, 10, 5), -EBADF);
	ksplit_file_close(fd);
	ck_assert_int_eq(fx_file_released(), 1);
	ksplit_file_close(fd2);
	ck_assert_int_eq(fx_file_released(), 2);
}
END_TEST

/* ---------------------------------------------------------------- suite -- */

static TCase *tcase(Suite *s, const char *name)
{
	TCase *t = tcase_create(name);

	/* Each test in a process of its own, with a machine of its own. */
	tcase_add_checked_fixture(t, machine_start, NULL);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return t;
}

int main(void)
{
	Suite *s = suite_create("uaccess");
	TCase *t;

	t = tcase(s, "checked");
	tcase_add_test(t, read_from_prefetch);
	tcase_add_test(t, read_the_worker_s_copy_only_once_prefetched);
	tcase_add_test(t, read_of_a_tail);
	tcase_add_test(t, read_faults);
	tcase_add_test(t, never_the_worker_s_memory);
	tcase_add_test(t, nothing_without_a_call);
	tcase_add_test(t, write_goes_with_the_reply);
	tcase_add_test(t, read_sees_what_was_written);
	tcase_add_test(t, write_behind_a_gap_is_direct);
	tcase_add_test(t, write_beyond_the_argument);
	tcase_add_test(t, order_of_writes);
	tcase_add_test(t, results_for_a_client);
	tcase_add_test(t, capabilities_that_are_off);

	t = tcase(s, "windows");
	tcase_add_test(t, window_address);
	tcase_add_test(t, window_changes);
	tcase_add_test(t, window_refusals);
	tcase_add_test(t, window_places_do_not_overlap);
	tcase_add_test(t, lookup_beside_changes);

	t = tcase(s, "unchecked");
	tcase_add_test(t, guest_memory_comes_in_by_fault);
	tcase_add_test(t, guest_memory_that_is_not_there);
	tcase_add_test(t, no_sleep_for_an_atomic_access);
	tcase_add_test(t, fpu_survives_a_fault);

	t = tcase(s, "exceptions");
	tcase_add_test(t, other_exceptions);
	tcase_add_test(t, warn_goes_on);
	tcase_add_exit_test(t, bug_ends_the_worker, EXIT_INTERNAL);
	tcase_add_exit_test(t, stray_access_ends_the_worker, EXIT_INTERNAL);

	t = tcase(s, "eventfds");
	tcase_add_test(t, same_eventfd_same_context);
	tcase_add_test(t, signal_reaches_the_client);
	tcase_add_test(t, irqfd_wakes);
	tcase_add_test(t, irqfd_that_was_signalled_before);
	tcase_add_test(t, irqfd_removed_while_signalled);

	t = tcase(s, "files");
	tcase_add_test(t, file_handles);

	return run_suite(s);
}
