// SPDX-License-Identifier: GPL-2.0-only
/*
 * EPT entries and the walk of a worker's tables.
 */
#include "common.h"
#include "ept.h"

#define LIMIT	(1ull << 47)
#define NR	16

/* The worker's memory: NR pages from BASE. */
#define BASE	0x10000000ull

static u64 mem[NR][512];
static unsigned int reads;
static u64 read_addr[8];

static int read_entry(void *ctx, u64 addr, u64 *entry)
{
	HOLDS(addr <= LIMIT - 8 && !(addr & 7));
	HOLDS(reads < 4);
	read_addr[reads++] = addr;
	if (addr < BASE || addr >= BASE + sizeof(mem))
		return -EFAULT;
	*entry = mem[(addr - BASE) / 4096][addr % 4096 / 8];
	return ctx ? -EINTR : 0;
}

static struct ksplit_walk w;

static int walk(u64 gpa)
{
	reads = 0;
	w = (struct ksplit_walk){ .gpa = gpa, .root = BASE, .limit = LIMIT,
				  .exec_only = w.exec_only };
	return ksplit_ept_walk(&w, read_entry, NULL);
}

static u64 table(unsigned int page)
{
	return (BASE + page * 4096) | 7;
}

/* gpa 0 through tables 0, 1, 2, 3. */
static void build(void)
{
	memset(mem, 0, sizeof(mem));
	mem[0][0] = table(1);
	mem[1][0] = table(2);
	mem[2][0] = table(3);
	mem[3][0] = 0x7654000 | 6 << 3 | 7;
}

enum result { LEAF, ABSENT, MISCONFIG };

static enum result result(u64 gpa)
{
	ck_assert_int_eq(walk(gpa), 0);
	if (w.misconfig)
		return MISCONFIG;
	return w.rights ? LEAF : ABSENT;
}

START_TEST(walks)
{
	build();
	ck_assert_int_eq(result(0x123), LEAF);
	ck_assert_uint_eq(w.addr, 0x7654000);
	ck_assert_uint_eq(w.level, 1);
	ck_assert_uint_eq(w.rights, 7);
	ck_assert_uint_eq(reads, 4);
	ck_assert_uint_eq(read_addr[3], BASE + 3 * 4096);

	/* 2 MiB and 1 GiB. */
	mem[2][1] = 0x40000000 | 1 << 7 | 6 << 3 | 5;
	ck_assert_int_eq(result(0x2abcde), LEAF);
	ck_assert_uint_eq(w.level, 2);
	ck_assert_uint_eq(w.rights, 5);
	ck_assert_uint_eq(w.addr, 0x40000000);
	mem[1][3] = 0x80000000 | 1 << 7 | 6 << 3 | 7;
	ck_assert_int_eq(result(3ull << 30 | 5), LEAF);
	ck_assert_uint_eq(w.level, 3);
	ck_assert_uint_eq(reads, 2);

	/* Rights of all levels. */
	mem[0][0] &= ~2ull;
	ck_assert_int_eq(result(0), LEAF);
	ck_assert_uint_eq(w.rights, 5);

	/* Not present; the non-present values that KVM uses. */
	mem[3][1] = 1ull << 63;
	ck_assert_int_eq(result(0x1000), ABSENT);
	ck_assert_uint_eq(w.rights, 0);
	mem[3][1] = 1ull << 63 | 0x5a0;
	ck_assert_int_eq(result(0x1000), ABSENT);
	ck_assert_int_eq(result(1ull << 39), ABSENT);
	ck_assert_uint_eq(w.level, 4);

	/* Beyond what four levels translate. */
	ck_assert_int_eq(result(1ull << 48), ABSENT);
	ck_assert_uint_eq(reads, 0);
	ck_assert_uint_eq(w.rights, 0);

	/* The reader's error is the walk's. */
	mem[0][0] = 0x1000 | 7;
	ck_assert_int_eq(walk(0), -EFAULT);
	reads = 0;
	w.root = BASE;
	ck_assert_int_eq(ksplit_ept_walk(&w, read_entry, &w), -EINTR);
}
END_TEST

static void misconfig(unsigned int page, u64 entry)
{
	u64 before = mem[page][0];

	mem[page][0] = entry;
	ck_assert_int_eq(result(0), MISCONFIG);
	mem[page][0] = before;
	ck_assert_int_eq(result(0), LEAF);
}

START_TEST(misconfigs)
{
	unsigned int bit;

	build();
	misconfig(3, 0x7654000 | 6 << 3 | 2);		/* W without R */
	misconfig(3, 0x7654000 | 6 << 3 | 6);		/* WX: KVM's MMIO */
	misconfig(3, 0x7654000 | 6 << 3 | 4);		/* X only */
	misconfig(3, 0x7654000 | 2 << 3 | 7);		/* memory types */
	misconfig(3, 0x7654000 | 3 << 3 | 7);
	misconfig(3, 0x7654000 | 7 << 3 | 7);
	misconfig(3, LIMIT | 6 << 3 | 7);		/* beyond the worker */
	misconfig(2, LIMIT | 7);
	misconfig(2, (LIMIT - 0x200000 + 0x1000) | 1 << 7 | 6 << 3 | 7);
	misconfig(2, 0x40001000 | 1 << 7 | 6 << 3 | 7);	/* alignment */
	misconfig(1, 0x40200000 | 1 << 7 | 6 << 3 | 7);
	misconfig(0, 1 << 7 | 6 << 3 | 7);		/* a 512 GiB leaf */
	for (bit = 3; bit < 7; bit++)			/* in a table's entry */
		misconfig(1, table(2) | 1 << bit);
	w.exec_only = true;
	mem[3][0] = 0x7654000 | 6 << 3 | 4;
	ck_assert_int_eq(result(0), LEAF);
	ck_assert_uint_eq(w.rights, 4);
	w.exec_only = false;
	/* The last page below the limit is fine. */
	mem[3][0] = (LIMIT - 4096) | 6 << 3 | 7;
	ck_assert_int_eq(result(0), LEAF);
}
END_TEST

START_TEST(qualification)
{
	build();
	mem[3][0] &= ~2ull;
	ck_assert_int_eq(result(0), LEAF);
	ck_assert(ksplit_ept_permits(&w, 1));
	ck_assert(ksplit_ept_permits(&w, 4));
	ck_assert(!ksplit_ept_permits(&w, 2));
	ck_assert(!ksplit_ept_permits(&w, 3));
	ck_assert(!ksplit_ept_permits(&w, 0));
	/* The stub's rights (bits 5:3) go, the worker's come. */
	ck_assert_uint_eq(ksplit_ept_qualification(0x1182, &w), 0x11aa);
	ck_assert_uint_eq(ksplit_ept_qualification(~0ull, &w), 0x1faf);
	ck_assert_int_eq(result(0x1000), ABSENT);
	ck_assert(!ksplit_ept_permits(&w, 1));
	ck_assert(!ksplit_ept_permits(&w, 0));
	ck_assert_uint_eq(ksplit_ept_qualification(0x1ba, &w), 0x182);
}
END_TEST

START_TEST(pointers)
{
	ck_assert_uint_eq(ksplit_ept_make_pointer(0x5000, true), 0x505e);
	ck_assert_uint_eq(ksplit_ept_make_leaf(0x5000, 0xff, 1),
			  1ull << 63 | 0x5077);
	ck_assert_uint_eq(ksplit_ept_make_leaf(0x200000, 5, 2),
			  1ull << 63 | 0x2000f5);
	ck_assert_uint_eq(ksplit_ept_make_table(0x5000), 0x5007);
}
END_TEST

/* Tables full of an attacker's entries, cycles included. */
START_TEST(random_walks)
{
	unsigned int round, i, leaves = 0;

	for (round = 0; round < 500000; round++) {
		u64 gpa = rnd() % 8 ? rnd() & (LIMIT * 2 - 1) : rnd_value();
		u64 root = BASE, entry, rights = 7;
		unsigned int level;

		w.exec_only = rnd() % 2;
		for (i = 0, level = 4; level; level--) {
			entry = rnd_value();
			if (rnd() % 8)
				entry = BASE + rnd() % NR * 4096 + rnd() % 8;
			if (rnd() % 8 == 0)
				entry = (rnd() & ~((1ull << 30) - 1)) % LIMIT |
					0xb7;
			mem[(root - BASE) / 4096][ksplit_ept_index(gpa, level)] =
				entry;
			root = entry & KSPLIT_EPT_ADDR;
			if (root < BASE || root >= BASE + sizeof(mem))
				break;
		}
		if (walk(gpa))
			continue;
		if (w.misconfig || !w.rights)
			continue;
		leaves++;
		LE(w.level, 3);
		EQ(w.addr & (ksplit_level_size(w.level) - 1), 0);
		LE(w.addr, LIMIT - ksplit_level_size(w.level));
		EQ(reads, 5 - w.level);
		for (i = 0; i < reads; i++)
			rights &= mem[(read_addr[i] - BASE) / 4096]
				     [read_addr[i] % 4096 / 8];
		EQ(w.rights, rights);
		level = rnd() % 8;
		EQ(ksplit_ept_permits(&w, level), level && !(level & ~rights));
		HOLDS(w.exec_only || rights & 1);
	}
	ck_assert_uint_gt(leaves, 1000);
}
END_TEST

START_TEST(large)
{
	const u64 gpa = 0x40212345, hva = 0x7f0080212345, pfn = 0x140212;
	const u64 start = 0x7f0080200000, size = 0x200000;

	ck_assert(ksplit_ept_large(gpa, hva, pfn, start, size));
	ck_assert(ksplit_ept_large(gpa, hva, pfn + 0x200, 0, 1ull << 47));
	ck_assert(!ksplit_ept_large(gpa, hva, pfn, start, size - 4096));
	ck_assert(!ksplit_ept_large(gpa, hva, pfn, start + 4096, size));
	ck_assert(!ksplit_ept_large(gpa, hva, pfn, start - 4096, size));
	ck_assert(!ksplit_ept_large(gpa, hva, pfn + 0x100, start, size));
	ck_assert(!ksplit_ept_large(gpa + 0x1000, hva, pfn, start, size));
}
END_TEST

/* The whole page lies in the slot and is one piece of memory. */
START_TEST(random_large)
{
	const u64 size = 1 << 21;
	unsigned int round, nr = 0;

	for (round = 0; round < 1000000; round++) {
		u64 align = ~((1ull << (12 + rnd() % 20)) - 1);
		u64 hva = rnd() % LIMIT, gpa = hva + (rnd() & align);
		u64 pfn = (hva + (rnd() & align)) >> 12;
		u64 slot = hva - rnd() % (1ull << 31), bytes = hva - slot + rnd() % (1ull << 31);
		u64 start = hva & ~(size - 1);
		bool fits = start >= slot && start + size <= slot + bytes &&
			    !((gpa - hva) & (size - 1) & ~4095ull) &&
			    !((pfn - (hva >> 12)) & 511);

		EQ(ksplit_ept_large(gpa, hva, pfn, slot, bytes), fits);
		nr += fits;
	}
	ck_assert_uint_gt(nr, 1000);
}
END_TEST

MAIN("pure/ept", walks, misconfigs, qualification, pointers, random_walks,
     large, random_large)
