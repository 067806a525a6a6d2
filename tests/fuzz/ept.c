// SPDX-License-Identifier: GPL-2.0-only
/*
 * pure/ept.c: the walk of a worker's tables.  The worker may change them at any
 * moment, so each entry that is read may be anything.
 *
 * Properties: at most four reads, each in the table that the entry before names,
 * all below the limit; a leaf lies below the limit, aligned to its level; nobody
 * gets a right that an entry on the way does not give; the stub's own leaf has no
 * more; 2 MiB at once are mapped only if all of them lie in the slot, in place.
 */
#include "fuzz.h"
#include "ept.h"

static struct input in;
static struct ksplit_walk w;
static unsigned int reads;
static u64 table, all_rights;

static int read_entry(void *ctx, u64 addr, u64 *ret_entry)
{
	HOLDS(reads++ < 4);
	EQ(addr % 8, 0);
	EQ(addr & ~0xfffull, table);
	HOLDS(addr <= w.limit - 8);
	if (!in.left)
		return -EFAULT;
	*ret_entry = take_number(&in, 8);
	all_rights &= *ret_entry;
	table = *ret_entry & 0x000ffffffffff000ull;
	return 0;
}

static void check_leaf(void)
{
	u64 size = 1ull << (12 + 9 * (w.level - 1));

	HOLDS(w.level >= 1 && w.level <= 3);
	EQ(w.addr % size, 0);
	HOLDS(size <= w.limit && w.addr <= w.limit - size);
	EQ(w.addr, table);
}

static void check_rights(u64 qualification)
{
	u64 entry, told = ksplit_ept_qualification(qualification, &w);

	EQ(w.rights & ~all_rights, 0);
	EQ(told >> 3 & 7, w.rights & 7);
	EQ(told & ~0x1f87ull & ~(7ull << 3), 0);
	if (ksplit_ept_permits(&w, qualification)) {
		HOLDS(qualification & 7);
		EQ(qualification & 7 & ~all_rights, 0);
	}
	entry = ksplit_ept_make_leaf(0x123400000000 & ~(ksplit_level_size(2) - 1), w.rights, 2);
	EQ(entry & 7 & ~all_rights, 0);
	EQ(entry & 0x000ffffffffff000ull, 0x123400000000ull & ~0x1fffffull);
}

static void check_large(void)
{
	u64 gpa = take_number(&in, 6), hva = take_number(&in, 6), pfn = take_number(&in, 5);
	u64 start = take_number(&in, 6) & ~0xfffull, size = take_number(&in, 6) & ~0xfffull;

	/* As the caller has them: the byte is the slot's. */
	hva = start + (size ? hva % size : 0);
	if (!size || !ksplit_ept_large(gpa, hva, pfn, start, size))
		return;
	EQ(gpa >> 12 & 511, hva >> 12 & 511);
	EQ(pfn & 511, hva >> 12 & 511);
	hva &= ~0x1fffffull;
	HOLDS(hva >= start && hva + 0x200000 <= start + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u64 qualification;
	int err;

	in = (struct input){ data, size };
	memset(&w, 0, sizeof(w));
	w.gpa = take_number(&in, 8);
	w.limit = 4096ull << take_number(&in, 1) % 40;
	w.root = take_number(&in, 6) & (w.limit - 1) & ~0xfffull;
	qualification = take_number(&in, 8);
	w.exec_only = qualification >> 63;
	check_large();
	reads = 0;
	table = w.root;
	all_rights = 7;
	err = ksplit_ept_walk(&w, read_entry, NULL);
	if (err) {
		EQ(err, -EFAULT);
		return 0;
	}
	if (w.misconfig)
		return 0;
	check_rights(qualification);
	if (w.rights & 7)
		check_leaf();
	return 0;
}
