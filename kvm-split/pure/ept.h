/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * EPT entries: the stub's own, and the walk of a worker's tables, whose
 * addresses are addresses of the worker (SDM vol. 3, 29.3).
 *
 * Invariant: the walk reads each entry once and ends after four.
 */
#ifndef KSPLIT_EPT_H
#define KSPLIT_EPT_H

#include "env.h"

#define KSPLIT_EPT_LEVELS	4

#define KSPLIT_EPT_R		(1ull << 0)
#define KSPLIT_EPT_W		(1ull << 1)
#define KSPLIT_EPT_X		(1ull << 2)
#define KSPLIT_EPT_RWX		(KSPLIT_EPT_R | KSPLIT_EPT_W | KSPLIT_EPT_X)
#define KSPLIT_EPT_MT_SHIFT	3
#define KSPLIT_EPT_MT_WB	(6ull << KSPLIT_EPT_MT_SHIFT)
#define KSPLIT_EPT_IPAT		(1ull << 6)
#define KSPLIT_EPT_LARGE	(1ull << 7)
#define KSPLIT_EPT_A		(1ull << 8)
#define KSPLIT_EPT_D		(1ull << 9)
#define KSPLIT_EPT_NO_VE	(1ull << 63)
#define KSPLIT_EPT_ADDR		0x000ffffffffff000ull

/* EPTP: write-back, four levels, accessed and dirty bits. */
#define KSPLIT_EPTP_FLAGS	(6ull | (3ull << 3))
#define KSPLIT_EPTP_AD		(1ull << 6)

/* Access bits (read is bit 0) of an EPT violation's exit qualification. */
#define KSPLIT_EPT_QUAL_WRITE	(1ull << 1)
#define KSPLIT_EPT_QUAL_FETCH	(1ull << 2)
#define KSPLIT_EPT_QUAL_ACCESS	7ull

/* Levels: 1: 4 KiB, 2: 2 MiB, 3: 1 GiB, 4: the root. */
static inline unsigned int ksplit_level_shift(unsigned int level)
{
	return 12 + 9 * (level - 1);
}

static inline u64 ksplit_level_size(unsigned int level)
{
	return 1ull << ksplit_level_shift(level);
}

static inline unsigned int ksplit_ept_index(u64 gpa, unsigned int level)
{
	return (gpa >> ksplit_level_shift(level)) & 511;
}

static inline bool ksplit_ept_present(u64 entry)
{
	return entry & KSPLIT_EPT_RWX;
}

static inline bool ksplit_ept_is_leaf(u64 entry, unsigned int level)
{
	return level == 1 || (entry & KSPLIT_EPT_LARGE);
}

u64 ksplit_ept_make_leaf(u64 pa, u64 rights, unsigned int level);
u64 ksplit_ept_make_table(u64 pa);
u64 ksplit_ept_make_pointer(u64 pa, bool ad);

/**
 * struct ksplit_walk - a walk of the worker's tables
 * @gpa:	in: what to translate
 * @root:	in: worker address of the root table, page-aligned
 * @limit:	in: end of the addresses that a table or leaf may name
 * @exec_only:	in: whether execute-only entries are architectural here
 * @misconfig:	out: an entry's value is reserved
 * @addr:	out: worker address of the leaf's first byte
 * @level:	out: level of the last entry read
 * @rights:	out: KSPLIT_EPT_R/W/X that all entries read give, 0 without a leaf
 */
struct ksplit_walk {
	u64 gpa;
	u64 root;
	u64 limit;
	bool exec_only;
	bool misconfig;
	u64 addr;
	unsigned int level;
	u64 rights;
};

typedef int (*ksplit_read_entry)(void *ctx, u64 addr, u64 *ret_entry);

int ksplit_ept_walk(struct ksplit_walk *w, ksplit_read_entry read, void *ctx);
bool ksplit_ept_permits(const struct ksplit_walk *w, u64 qualification);
u64 ksplit_ept_qualification(u64 hw_qualification, const struct ksplit_walk *w);

bool ksplit_ept_large(u64 gpa, u64 hva, u64 pfn, u64 start, u64 size);

#endif /* KSPLIT_EPT_H */
