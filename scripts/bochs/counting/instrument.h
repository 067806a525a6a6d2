/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bochs' instrumentation (instrument/instrumentation.txt of its source) for make bench:
 * how many instructions of each kind the machine executed. XCHG BX,BX in the machine
 * (tests/inguest/icount.c) has them appended to the file "kinds" of the run.
 */
#undef BX_INSTRUMENTATION
#define BX_INSTRUMENTATION 0
#include "instrument/stubs/instrument.h"	/* every hook does nothing, but for these */
#undef BX_INSTRUMENTATION
#define BX_INSTRUMENTATION 1

struct bx_counts {
	unsigned long long opcode[65536];
	unsigned long long repeats;	/* iterations of string instructions beyond the first */
	unsigned long long exits;	/* VM exits, which are entries, too */
	unsigned long long events;	/* interrupts and exceptions delivered */
	unsigned int marker;		/* opcode of XCHG BX,BX */
};
extern struct bx_counts bx_counts;

class bxInstruction_c;
void bx_counts_init(void);
void bx_counts_mark(const bxInstruction_c *i);

#undef BX_INSTR_INIT_ENV
#define BX_INSTR_INIT_ENV() bx_counts_init()

#undef BX_INSTR_BEFORE_EXECUTION
#define BX_INSTR_BEFORE_EXECUTION(cpu_id, i) \
	do { \
		bx_counts.opcode[(i)->getIaOpcode()]++; \
		if ((i)->getIaOpcode() == bx_counts.marker) \
			bx_counts_mark(i); \
	} while (0)

#undef BX_INSTR_REPEAT_ITERATION
#define BX_INSTR_REPEAT_ITERATION(cpu_id, i) bx_counts.repeats++

#undef BX_INSTR_VMEXIT
#define BX_INSTR_VMEXIT(cpu_id, reason, qualification) bx_counts.exits++

#undef BX_INSTR_EXCEPTION
#define BX_INSTR_EXCEPTION(cpu_id, vector, error_code) bx_counts.events++

#undef BX_INSTR_HWINTERRUPT
#define BX_INSTR_HWINTERRUPT(cpu_id, vector, cs, eip) bx_counts.events++
