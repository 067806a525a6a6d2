/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Generated stand-ins: a kernel function that nobody provides yet. Invariant:
 * reaching one ends the process with the function's name; none returns.
 */
#define MISSING(name)				\
	.pushsection .rodata.str1.1, "aMS", @progbits, 1; \
	77: .asciz #name;			\
	.popsection;				\
	.text;					\
	.weak name;				\
	.type name, @function;			\
	name:					\
		lea 77b(%rip), %rdi;		\
		and $-16, %rsp;			\
		call ksplit_missing;		\
		ud2;				\
	.size name, . - name

.section .note.GNU-stack, "", @progbits
