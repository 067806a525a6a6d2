// SPDX-License-Identifier: GPL-2.0-only
/*
 * Static calls: trampolines on pages of their own, rewritten while KVM's vendor
 * module initialises.
 *
 * Invariant: no mapping of the pages is writable and executable, and none is
 * writable after ksplit_static_call_seal().
 */
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/static_call.h>
#include <linux/string.h>
#include <asm/text-patching.h>

#include "backend.h"
#include "cpu_host.h"
#include "libkvm.h"

extern char __static_call_text_start[], __static_call_text_end[];

static char *alias;	/* the same pages, writable */
static bool sealed;

long __static_call_return0(void)
{
	return 0;
}

/* The form of a trampoline: jmp.d32 func, or ret; then ud1 as a signature. */
void arch_static_call_transform(void *site, void *tramp, void *func, bool tail)
{
	unsigned long size = __static_call_text_end - __static_call_text_start;
	u8 *insn;
	s64 rel;

	BUG_ON(sealed || tramp < (void *)__static_call_text_start ||
	       tramp + JMP32_INSN_SIZE > (void *)__static_call_text_end);

	if (!alias)
		alias = ksplit_host_alias(__static_call_text_start, size);
	insn = (u8 *)alias + (tramp - (void *)__static_call_text_start);
	if (func) {
		rel = (long)func - (long)(tramp + JMP32_INSN_SIZE);
		BUG_ON(rel != (s32)rel);
		insn[0] = JMP32_INSN_OPCODE;
		*(s32 *)(insn + 1) = rel;
	} else {
		insn[0] = RET_INSN_OPCODE;
		memset(insn + 1, INT3_INSN_OPCODE, JMP32_INSN_SIZE - 1);
	}
}

void ksplit_static_call_seal(void)
{
	sealed = true;
	if (alias)
		ksplit_host_unalias(alias, __static_call_text_end - __static_call_text_start);
}
