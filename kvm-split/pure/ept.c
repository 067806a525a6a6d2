// SPDX-License-Identifier: GPL-2.0-only
/*
 * EPT entries and the walk of a worker's tables.
 */
#include "ept.h"

/**
 * ksplit_ept_make_leaf() - a leaf of the stub's EPT
 * @pa: physical address, aligned to the level
 * @rights: KSPLIT_EPT_R, _W, _X
 * @level: 1 to 3
 *
 * Write-back whatever the guest's PAT says, and no virtualization exception.
 */
u64 ksplit_ept_make_leaf(u64 pa, u64 rights, unsigned int level)
{
	u64 entry = pa | (rights & KSPLIT_EPT_RWX) | KSPLIT_EPT_MT_WB |
		    KSPLIT_EPT_IPAT | KSPLIT_EPT_NO_VE;

	return level > 1 ? entry | KSPLIT_EPT_LARGE : entry;
}

/**
 * ksplit_ept_make_table() - an entry of the stub's EPT that names a table
 * @pa: physical address of the table
 */
u64 ksplit_ept_make_table(u64 pa)
{
	return pa | KSPLIT_EPT_RWX;
}

/**
 * ksplit_ept_make_pointer() - an EPT pointer for the real VMCS
 * @pa: physical address of the top table
 * @ad: use accessed and dirty bits
 */
u64 ksplit_ept_make_pointer(u64 pa, bool ad)
{
	return pa | KSPLIT_EPTP_FLAGS | (ad ? KSPLIT_EPTP_AD : 0);
}

/* Whether [addr, addr + size) lies below limit; size is a power of two. */
static bool below(u64 addr, u64 size, u64 limit)
{
	return limit >= size && addr <= limit - size;
}

/* SDM vol. 3, 29.3.3.1; address bits are checked against the worker's limit. */
static bool reserved(const struct ksplit_walk *w, u64 entry)
{
	unsigned int level = w->level;
	u64 memtype = entry >> KSPLIT_EPT_MT_SHIFT & 7;
	u64 addr = entry & KSPLIT_EPT_ADDR;

	if (!(entry & KSPLIT_EPT_R) && (entry & KSPLIT_EPT_W || !w->exec_only))
		return true;
	if (!ksplit_ept_is_leaf(entry, level))
		return entry & GENMASK_ULL(7, 3) || !below(addr, PAGE_SIZE, w->limit);
	return level == KSPLIT_EPT_LEVELS || memtype == 2 || memtype == 3 || memtype == 7 ||
	       addr & (ksplit_level_size(level) - 1) ||
	       !below(addr, ksplit_level_size(level), w->limit);
}

/**
 * ksplit_ept_walk() - translate a guest physical address by the worker's tables
 * @w: gpa, root, limit and exec_only are read, the rest is filled
 * @read: reads the 8-byte entry at a worker address below @w->limit, once; may
 *	sleep if the caller may
 * @ctx: for @read
 *
 * Bits of @w->gpa above 47 do not count: no root maps them.
 *
 * Return: 0, or @read's error.
 */
int ksplit_ept_walk(struct ksplit_walk *w, ksplit_read_entry read, void *ctx)
{
	u64 table = w->root;
	u64 entry;
	int err;

	w->addr = 0;
	w->rights = KSPLIT_EPT_RWX;
	w->misconfig = false;
	w->level = KSPLIT_EPT_LEVELS;
	if (w->gpa >> ksplit_level_shift(KSPLIT_EPT_LEVELS + 1)) {
		w->rights = 0;
		return 0;
	}

	for (; w->level; w->level--) {
		err = read(ctx, table + 8 * ksplit_ept_index(w->gpa, w->level), &entry);
		if (err)
			return err;

		w->rights &= entry;
		if (!ksplit_ept_present(entry))
			return 0;
		if (reserved(w, entry)) {
			w->misconfig = true;
			return 0;
		}
		table = entry & KSPLIT_EPT_ADDR;
		if (ksplit_ept_is_leaf(entry, w->level))
			break;
	}
	w->addr = table;
	return 0;
}

/**
 * ksplit_ept_permits() - whether the worker's tables allow an access
 * @w: a walk that was done, and found no misconfiguration
 * @qualification: of the EPT violation
 */
bool ksplit_ept_permits(const struct ksplit_walk *w, u64 qualification)
{
	u64 access = qualification & KSPLIT_EPT_QUAL_ACCESS;

	return access && !(access & ~w->rights);
}

/**
 * ksplit_ept_qualification() - the exit qualification that a worker sees
 * @hw_qualification: the CPU's, which speaks of the stub's EPT
 * @w: the walk of the worker's tables
 *
 * Access, linear-address bits (SDM vol. 3, table 28-7) and NMI unblocking are
 * the CPU's, the rights are the worker's own.
 */
u64 ksplit_ept_qualification(u64 hw_qualification, const struct ksplit_walk *w)
{
	u64 keep = KSPLIT_EPT_QUAL_ACCESS | GENMASK_ULL(12, 7);

	return (hw_qualification & keep) | (w->rights & KSPLIT_EPT_RWX) << 3;
}

/**
 * ksplit_ept_large() - whether 2 MiB around a page may be mapped at once
 * @gpa: guest physical address in the page
 * @hva: the same byte's in the owner
 * @pfn: page frame of that byte, 4 KiB units
 * @start: owner's address of the slot's first byte
 * @size: of the slot
 *
 * The three must be congruent modulo 2 MiB, and these must lie inside the slot.
 */
bool ksplit_ept_large(u64 gpa, u64 hva, u64 pfn, u64 start, u64 size)
{
	const u64 large = ksplit_level_size(2);
	u64 first = hva & ~(large - 1);

	return !(((gpa ^ hva) | (pfn << PAGE_SHIFT ^ hva)) & (large - PAGE_SIZE)) &&
	       first >= start && below(first - start, large, size);
}
