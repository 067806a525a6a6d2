/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interrupt flag of a thread, as pv_ops.irq wants it: no register but RAX
 * (save_fl) is clobbered.  internal.h has the same for C, and says what the
 * word means.
 */
#include <linux/linkage.h>

	.text

/* unsigned long ksplit_save_fl(void): X86_EFLAGS_IF or 0 */
	.globl	ksplit_save_fl
	.type	ksplit_save_fl, @function
ksplit_save_fl:
	movl	%gs:ksplit_irq_word(%rip), %eax
	notl	%eax
	andl	$1, %eax
	shll	$9, %eax
	ret
	.size	ksplit_save_fl, . - ksplit_save_fl

/* void ksplit_irq_disable(void) */
	.globl	ksplit_irq_disable
	.type	ksplit_irq_disable, @function
ksplit_irq_disable:
	orl	$1, %gs:ksplit_irq_word(%rip)
	ret
	.size	ksplit_irq_disable, . - ksplit_irq_disable

/* void ksplit_irq_enable(void) */
	.globl	ksplit_irq_enable
	.type	ksplit_irq_enable, @function
ksplit_irq_enable:
	orl	$1, %gs:ksplit_irq_word(%rip)
	incl	%gs:ksplit_irq_word(%rip)
	ret
	.size	ksplit_irq_enable, . - ksplit_irq_enable

	.section .note.GNU-stack, "", @progbits
