// SPDX-License-Identifier: GPL-2.0-only
/*
 * statfs/counters.c on a /proc of files: what a worker shows, and what one shows
 * that wants to harm its reader.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../run_suite.h"
#include "common/array_size.h"
#include "statfs/counters.h"
#include "common/stats_page.h"

#define PAGE_AT		0x10000
#define VM_DESC_AT	0x20000
#define VCPU_DESC_AT	0x30000
#define STAT_AT		0x40000		/* and every 16 KiB */

struct desc {
	struct kvm_stats_desc d;
	char name[COUNTER_NAME];
};

static const char *proc = "proc";
static struct stats_page page;
static struct desc vm_desc[COUNTERS_MAX], vcpu_desc[COUNTERS_MAX];
static unsigned long long counts[5][1024];
static struct counters c;

static void put(const char *name, unsigned long long at, const void *bytes, size_t len)
{
	int fd = open(name, O_WRONLY | O_CREAT, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, len, at), len);
	close(fd);
}

static void describe(struct desc *d, const char *name, unsigned int offset)
{
	memset(d, 0, sizeof(*d));
	d->d.offset = offset;
	snprintf(d->name, COUNTER_NAME, "%s", name);
}

static void write_worker(void)
{
	char maps[256];
	int i;

	unlink("proc/7/mem");
	unlink("proc/7/maps");
	snprintf(maps, sizeof(maps), "%08x-%08x rw-p 00000000 00:00 0\n"
		 "%08x-%08x rw-s 00000000 00:01 5      /memfd:%s (deleted)\n",
		 0x1000, 0x2000, PAGE_AT, PAGE_AT + 0x2000, STATS_NAME);
	put("proc/7/maps", 0, maps, strlen(maps));
	put("proc/7/mem", PAGE_AT, &page, sizeof(page));
	put("proc/7/mem", VM_DESC_AT, vm_desc, sizeof(vm_desc));
	put("proc/7/mem", VCPU_DESC_AT, vcpu_desc, sizeof(vcpu_desc));
	for (i = 0; i < 5; i++)
		put("proc/7/mem", STAT_AT + i * 0x4000, counts[i], sizeof(counts[i]));
}

/* Two VMs, of one and of two vCPUs; an entry in between that is free again. */
static void setup(void)
{
	static const struct stats_object objects[] = {
		{ 0x1111, STAT_AT, 0 }, { 0x1111, STAT_AT + 0x4000, 1 }, { 0, 0xdead, 0 },
		{ 0x2222, STAT_AT + 0x8000, 0 }, { 0x2222, STAT_AT + 0xc000, 1 },
		{ 0x2222, STAT_AT + 0x10000, 1 },
	};
	int i;

	mkdir("proc", 0700);
	mkdir("proc/7", 0700);
	mkdir("proc/8", 0700);
	memset(&page, 0, sizeof(page));
	page = (struct stats_page){ .magic = STATS_MAGIC, .nr_vm = 2, .nr_vcpu = 2,
				    .size = sizeof(struct desc),
				    .vm_desc = VM_DESC_AT, .vcpu_desc = VCPU_DESC_AT };
	memcpy(page.object, objects, sizeof(objects));
	describe(&vm_desc[0], "remote_tlb_flush", 8);
	describe(&vm_desc[1], "nx_lpage_splits", 0);
	describe(&vcpu_desc[0], "exits", 16);
	describe(&vcpu_desc[1], "halt_poll_success_hist", 4000);
	for (i = 0; i < 5; i++) {
		counts[i][0] = 1 << i;
		counts[i][1] = 100 << i;
		counts[i][2] = 10000 << i;
		counts[i][500] = 1000000ull << i;
	}
	write_worker();
}

START_TEST(test_read)
{
	unsigned long long vms[COUNTERS_VMS];

	ck_assert_int_eq(counters_vms(proc, 7, vms), 2);
	ck_assert_uint_eq(vms[0], 0x1111);
	ck_assert_uint_eq(vms[1], 0x2222);
	ck_assert_int_eq(counters_read(proc, 7, 0x1111, &c), 0);
	ck_assert_uint_eq(c.nr, 4);
	ck_assert_str_eq(c.c[0].name, "remote_tlb_flush");
	ck_assert_uint_eq(c.c[0].value, 100);
	ck_assert_uint_eq(c.c[1].value, 1);
	ck_assert_str_eq(c.c[2].name, "exits");
	ck_assert_uint_eq(c.c[2].value, 10000 << 1);
	ck_assert_uint_eq(c.c[3].value, 1000000 << 1);
	ck_assert_int_eq(counters_read(proc, 7, 0x2222, &c), 0);
	ck_assert_uint_eq(c.c[0].value, 100 << 2);
	ck_assert_uint_eq(c.c[2].value, (10000 << 3) + (10000 << 4));
}
END_TEST

START_TEST(test_gone)
{
	unsigned long long vms[COUNTERS_VMS];

	ck_assert_int_eq(counters_vms(proc, 9, vms), 0);
	ck_assert_int_eq(counters_vms(proc, 8, vms), 0);
	ck_assert_int_eq(counters_read(proc, 7, 0x3333, &c), -ENOENT);
	/* Only its vCPUs are left. */
	page.object[0].vm = 0;
	write_worker();
	ck_assert_int_eq(counters_read(proc, 7, 0x1111, &c), -ENOENT);
}
END_TEST

static int refused(void)
{
	unsigned long long vms[COUNTERS_VMS];

	write_worker();
	return !counters_vms(proc, 7, vms) && counters_read(proc, 7, 0x1111, &c) == -ENOENT;
}

START_TEST(test_bad_page)
{
	page.magic ^= 1;
	ck_assert(refused());
	page.magic ^= 1;
	page.size--;
	ck_assert(refused());
	page.size++;
	page.nr_vm = COUNTERS_MAX + 1;
	ck_assert(refused());
	page.nr_vm = COUNTERS_MAX;
	ck_assert(refused());
	page.nr_vm = 2;
	page.nr_vcpu = ~0u;
	ck_assert(refused());
}
END_TEST

START_TEST(test_bad_names)
{
	static const char * const bad[] = { "", "..", "a/b", "Exits", "a b", "x\n", "\x80" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		describe(&vcpu_desc[1], bad[i], 0);
		write_worker();
		ck_assert_int_eq(counters_read(proc, 7, 0x1111, &c), -ENOENT);
	}
	memset(vcpu_desc[1].name, 'a', COUNTER_NAME);
	write_worker();
	ck_assert_int_eq(counters_read(proc, 7, 0x1111, &c), -ENOENT);
}
END_TEST

/* Offsets behind what is read count nothing; the others do. */
START_TEST(test_bad_offsets)
{
	static const unsigned int bad[] = { 8185, 8192, 0x7fffffff, ~0u, ~0u - 7 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		vcpu_desc[1].d.offset = bad[i];
		write_worker();
		ck_assert_int_eq(counters_read(proc, 7, 0x1111, &c), 0);
		ck_assert_uint_eq(c.c[3].value, 0);
		ck_assert_uint_eq(c.c[2].value, 10000 << 1);
	}
}
END_TEST

START_TEST(test_bad_addresses)
{
	static const unsigned long long bad[] = { 0x7fffffffff000, ~0ull, ~0ull - 4095, 1ull << 63 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		page.object[1].stat = bad[i];
		write_worker();
		ck_assert_int_eq(counters_read(proc, 7, 0x1111, &c), 0);
		ck_assert_uint_eq(c.c[2].value, 0);
		page.vm_desc = bad[i];
		write_worker();
		ck_assert_int_eq(counters_read(proc, 7, 0x1111, &c), -ENOENT);
		page.vm_desc = VM_DESC_AT;
	}
}
END_TEST

/* More VMs than the stub gives to one worker. */
START_TEST(test_many)
{
	unsigned long long vms[COUNTERS_VMS];
	unsigned int i;

	for (i = 0; i < STATS_OBJECTS; i++)
		page.object[i] = (struct stats_object){ i + 1, STAT_AT, 0 };
	write_worker();
	ck_assert_int_eq(counters_vms(proc, 7, vms), COUNTERS_VMS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("counters");
	TCase *t = tcase_create("counters");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, test_read);
	tcase_add_test(t, test_gone);
	tcase_add_test(t, test_bad_page);
	tcase_add_test(t, test_bad_names);
	tcase_add_test(t, test_bad_offsets);
	tcase_add_test(t, test_bad_addresses);
	tcase_add_test(t, test_many);
	suite_add_tcase(s, t);
	return run_suite(s);
}
