// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exception tables and BUG tables of the linked kernel code.
 *
 * Invariant: as arch/x86/mm/extable.c and lib/bug.c, for the entry types that
 * code outside the architecture's core can produce; an unknown type is a bug of
 * the build and reported as no fix-up.  Runs in signal context: no locks, no
 * allocation.
 */
#include <linux/bitfield.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/extable.h>
#include <linux/printk.h>
#include <asm/extable.h>
#include <asm/extable_fixup_types.h>

#include "ksplit_uaccess.h"

extern struct exception_table_entry __start___ex_table[], __stop___ex_table[];
extern struct bug_entry __start___bug_table[], __stop___bug_table[];

/* Indices of the table, ordered by instruction address. */
#define MAX_ENTRIES	8192
static u16 sorted[MAX_ENTRIES];
static unsigned int nr_sorted;

static unsigned long insn_addr(const struct exception_table_entry *e)
{
	return (unsigned long)&e->insn + e->insn;
}

/**
 * ksplit_extable_init() - index the exception table
 *
 * Context: once, before the trap handlers are installed.
 * Return: 0, -E2BIG.
 */
int ksplit_extable_init(void)
{
	unsigned int n = __stop___ex_table - __start___ex_table;
	unsigned int gap, i, j;

	if (n > MAX_ENTRIES)
		return -E2BIG;
	for (i = 0; i < n; i++)
		sorted[i] = i;

	/* Shell sort: nearly sorted input, no allocation. */
	for (gap = n / 2; gap; gap /= 2) {
		for (i = gap; i < n; i++) {
			u16 cur = sorted[i];
			unsigned long addr = insn_addr(&__start___ex_table[cur]);

			for (j = i; j >= gap; j -= gap) {
				u16 prev = sorted[j - gap];

				if (insn_addr(&__start___ex_table[prev]) <= addr)
					break;
				sorted[j] = prev;
			}
			sorted[j] = cur;
		}
	}
	nr_sorted = n;
	return 0;
}

static const struct exception_table_entry *find(unsigned long ip)
{
	unsigned int lo = 0, hi = nr_sorted;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;
		const struct exception_table_entry *e =
			&__start___ex_table[sorted[mid]];
		unsigned long addr = insn_addr(e);

		if (addr == ip)
			return e;
		if (addr < ip)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/**
 * ksplit_fixup_exception() - apply the fix-up of a faulting instruction
 * @trap:	the exception; registers and instruction pointer are changed
 *
 * Context: signal handler on the faulting thread.
 * Return: 1 if a fix-up was applied, 0 if the table has none.
 */
int ksplit_fixup_exception(struct ksplit_trap *trap)
{
	const struct exception_table_entry *e = find(trap->ip);
	int type, reg, imm;

	if (!e)
		return 0;

	type = FIELD_GET(EX_DATA_TYPE_MASK, e->data);
	reg = FIELD_GET(EX_DATA_REG_MASK, e->data);
	imm = FIELD_GET(EX_DATA_IMM_MASK, e->data);

	switch (type) {
	case EX_TYPE_DEFAULT:
	case EX_TYPE_DEFAULT_MCE_SAFE:
	case EX_TYPE_UACCESS:
		break;
	case EX_TYPE_FAULT:
	case EX_TYPE_FAULT_MCE_SAFE:
		trap->reg[0] = trap->trapnr;
		break;
	case EX_TYPE_WRMSR_SAFE:
		trap->reg[reg] = -EIO;
		break;
	case EX_TYPE_RDMSR_SAFE:
		trap->reg[reg] = -EIO;
		fallthrough;
	case EX_TYPE_RDMSR:
		trap->reg[0] = 0;
		trap->reg[2] = 0;
		break;
	case EX_TYPE_WRMSR:
		break;
	case EX_TYPE_POP_REG:
		trap->reg[4] += sizeof(long);
		fallthrough;
	case EX_TYPE_IMM_REG:
		trap->reg[reg] = (long)imm;
		break;
	case EX_TYPE_UCOPY_LEN:
		trap->reg[1] = imm * trap->reg[1] + trap->reg[reg];
		break;
	default:
		return 0;
	}

	if (e->data & EX_FLAG_CLEAR_AX)
		trap->reg[0] = 0;
	if (e->data & EX_FLAG_CLEAR_DX)
		trap->reg[2] = 0;
	trap->ip = (unsigned long)&e->fixup + e->fixup;
	return 1;
}

/**
 * ksplit_report_bug() - what a UD2 instruction means
 * @ip:		its address
 *
 * A WARN is logged, once if it is a WARN_ONCE.
 *
 * Context: signal handler on the faulting thread.
 * Return: KSPLIT_BUG_NONE, KSPLIT_BUG_WARN (go on behind the instruction) or
 * KSPLIT_BUG_BUG.
 */
int ksplit_report_bug(unsigned long ip)
{
	struct bug_entry *bug;
	const char *file = "?";
	unsigned int line = 0;

	for (bug = __start___bug_table; bug < __stop___bug_table; bug++)
		if ((unsigned long)&bug->bug_addr_disp + bug->bug_addr_disp == ip)
			break;
	if (bug == __stop___bug_table)
		return KSPLIT_BUG_NONE;

#ifdef CONFIG_DEBUG_BUGVERBOSE
	file = (const char *)&bug->file_disp + bug->file_disp;
	line = bug->line;
#endif
	if (!(bug->flags & BUGFLAG_WARNING)) {
		pr_crit("kernel BUG at %s:%u\n", file, line);
		return KSPLIT_BUG_BUG;
	}
	if (bug->flags & BUGFLAG_ONCE) {
		if (bug->flags & BUGFLAG_DONE)
			return KSPLIT_BUG_WARN;
		bug->flags |= BUGFLAG_DONE;
	}
	pr_warn("WARNING: %s:%u\n", file, line);
	return KSPLIT_BUG_WARN;
}
