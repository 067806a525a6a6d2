// SPDX-License-Identifier: GPL-2.0-only
/*
 * statfs/counters.c: what a worker shows in its memory, which its guest may have
 * written.  kvm-split-statfs reads it as root.
 *
 * Properties: names are a file's, lower-case words that end; there are no more VMs and
 * counters than there is room for; a VM that is read is one that is shown; the result
 * follows from the worker's memory alone, and not from what the reader had before.
 */
#include <linux/kvm.h>

#include "files.h"
#include "common/stats_page.h"
#include "statfs/counters.h"

#define PAGE_AT		0x1000
#define DESC_AT		0x4000
#define STAT_AT		0x8000
#define ROOM		0xc000

struct desc {
	struct kvm_stats_desc d;
	char name[COUNTER_NAME];
};

static unsigned char mem[ROOM];

/* Mostly one where something is. */
static unsigned long long take_address(struct input *in)
{
	unsigned char where = take_number(in, 1);

	if (where & 0x80)
		return take_number(in, 8);
	return (where & 0x40 ? STAT_AT : DESC_AT) + (where & 0x3f) * 8;
}

static void take_page(struct input *in)
{
	struct stats_page *page = (void *)(mem + PAGE_AT);
	unsigned int odd = take_number(in, 1), n = take_number(in, 1) % STATS_OBJECTS;

	page->magic = odd & 1 ? take_number(in, 4) : STATS_MAGIC;
	page->size = odd & 2 ? take_number(in, 4) : sizeof(struct desc);
	page->nr_vm = odd & 4 ? take_number(in, 4) : take_number(in, 1) % 8;
	page->nr_vcpu = odd & 8 ? take_number(in, 4) : take_number(in, 1) % 8;
	page->vm_desc = take_address(in);
	page->vcpu_desc = take_address(in);
	for (unsigned int i = 0; i < n && in->left; i++) {
		page->object[i].vm = take_number(in, 1);
		page->object[i].vcpu = take_number(in, 1) & 1;
		page->object[i].stat = take_address(in);
	}
}

static void take_descriptions(struct input *in)
{
	struct desc *d = (void *)(mem + DESC_AT);
	char *name;

	for (unsigned int i = 0; i < 16 && in->left; i++) {
		d[i].d.offset = take_number(in, take_number(in, 1) & 1 ? 4 : 1);
		name = take_string(in);
		/* Perhaps without an end. */
		memcpy(d[i].name, name, strlen(name) < COUNTER_NAME ? strlen(name) : COUNTER_NAME);
		free(name);
	}
}

static void put_worker(void)
{
	char maps[128];

	snprintf(maps, sizeof(maps), "%08x-%08x rw-s 00000000 00:01 5      /memfd:%s (deleted)\n",
		 PAGE_AT, PAGE_AT + 0x2000, STATS_NAME);
	put_file("proc/7/maps", maps, strlen(maps));
	put_file("proc/7/mem", mem, sizeof(mem));
}

static void check_name(const char *name)
{
	HOLDS(*name && memchr(name, 0, COUNTER_NAME));
	EQ(name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")], '\0');
}

static bool shown(unsigned long long vm)
{
	const struct stats_page *page = (void *)(mem + PAGE_AT);

	for (int i = 0; i < STATS_OBJECTS; i++)
		if (page->object[i].vm == vm && !page->object[i].vcpu)
			return true;
	return false;
}

static void check_vm(unsigned long long vm)
{
	static struct counters a, b;
	int r;

	memset(&a, 0x5a, sizeof(a));
	memset(&b, 0xa5, sizeof(b));
	r = counters_read("proc", 7, vm, &a);
	HOLDS(r == 0 || r == -ENOENT);
	EQ(counters_read("proc", 7, vm, &b), r);
	if (r)
		return;
	HOLDS(shown(vm));
	HOLDS(a.nr <= COUNTERS_MAX);
	EQ(memcmp(&a, &b, sizeof(a)), 0);
	for (unsigned int i = 0; i < a.nr; i++)
		check_name(a.c[i].name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned long long vms[COUNTERS_VMS];
	struct input in = { data, size };
	int n;

	memset(mem, 0, sizeof(mem));
	take_page(&in);
	take_descriptions(&in);
	take(&in, mem + STAT_AT, in.left < ROOM - STAT_AT ? in.left : ROOM - STAT_AT);
	put_worker();
	n = counters_vms("proc", 7, vms);
	HOLDS(n >= 0 && n <= COUNTERS_VMS);
	for (int i = 0; i < n; i++) {
		HOLDS(vms[i] && shown(vms[i]));
		check_vm(vms[i]);
	}
	check_vm(1);
	return 0;
}
