// SPDX-License-Identifier: GPL-2.0-only
#include "bochs.h"
#include "cpu/cpu.h"
#include "cpu/decoder/ia_opcodes.h"

struct bx_counts bx_counts;

void bx_counts_init(void)
{
	bx_counts.marker = BX_IA_XCHG_EwGw;
}

/* The counts so far, a kind a line; an empty line ends them. */
void bx_counts_mark(const bxInstruction_c *i)
{
	unsigned long long all = 0;
	FILE *f;

	if (!i->modC0() || i->dst() != BX_16BIT_REG_BX || i->src() != BX_16BIT_REG_BX)
		return;
	f = fopen("kinds", "a");
	if (!f)
		return;
	for (unsigned int op = 0; op < sizeof(bx_counts.opcode) / sizeof(bx_counts.opcode[0]); op++) {
		all += bx_counts.opcode[op];
		if (bx_counts.opcode[op])
			fprintf(f, "%s %llu\n", get_bx_opcode_name(op) + 6, bx_counts.opcode[op]);
	}
	fprintf(f, "instructions %llu\nrepeats %llu\nexits %llu\nevents %llu\n\n", all,
		bx_counts.repeats, bx_counts.exits, bx_counts.events);
	fclose(f);
}
