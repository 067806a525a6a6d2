/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's out-of-line user accessors with their register conventions.
 *
 * __get_user_N:	in RAX address; out EAX error, RDX value
 * __put_user_N:	in RCX address, RAX value; out ECX error; clobbers RBX
 * rep_movs_alternative: in RDI, RSI, RCX; out RCX bytes not copied; clobbers
 *			RAX
 *
 * Invariant: no other general register changes.  The checked ones call C and
 * keep what C may clobber; the unchecked ones are a single access each, with an
 * exception-table entry, as in arch/x86/lib/{get,put}user.S.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/errno.h>

	.text

.macro SAVE
	push	%rbp
	mov	%rsp, %rbp
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
.endm

.macro RESTORE
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rbp
.endm

/* R12 keeps the stack pointer across the aligned call. */
.macro GET_USER size
SYM_FUNC_START(__get_user_\size)
	SAVE
	push	%rcx
	push	%r12
	mov	%rsp, %r12
	sub	$16, %rsp
	and	$-16, %rsp
	mov	%rax, %rdi
	mov	%rsp, %rsi
	mov	$\size, %edx
	call	ksplit_get_user
	mov	(%rsp), %rdx
	mov	%r12, %rsp
	pop	%r12
	pop	%rcx
	RESTORE
	ret
SYM_FUNC_END(__get_user_\size)

SYM_FUNC_START(__get_user_nocheck_\size)
	.if \size == 1
1:	movzbl	(%rax), %edx
	.elseif \size == 2
1:	movzwl	(%rax), %edx
	.elseif \size == 4
1:	movl	(%rax), %edx
	.else
1:	movq	(%rax), %rdx
	.endif
	xor	%eax, %eax
	ret
	_ASM_EXTABLE_UA(1b, get_user_fault)
SYM_FUNC_END(__get_user_nocheck_\size)
.endm

.macro PUT_USER size
SYM_FUNC_START(__put_user_\size)
	SAVE
	push	%rax
	push	%rdx
	push	%r12
	mov	%rsp, %r12
	and	$-16, %rsp
	mov	%rcx, %rdi
	mov	%rax, %rsi
	mov	$\size, %edx
	call	ksplit_put_user
	mov	%eax, %ecx
	mov	%r12, %rsp
	pop	%r12
	pop	%rdx
	pop	%rax
	RESTORE
	ret
SYM_FUNC_END(__put_user_\size)

SYM_FUNC_START(__put_user_nocheck_\size)
	.if \size == 1
1:	movb	%al, (%rcx)
	.elseif \size == 2
1:	movw	%ax, (%rcx)
	.elseif \size == 4
1:	movl	%eax, (%rcx)
	.else
1:	movq	%rax, (%rcx)
	.endif
	xor	%ecx, %ecx
	ret
	_ASM_EXTABLE_UA(1b, put_user_fault)
SYM_FUNC_END(__put_user_nocheck_\size)
.endm

SYM_CODE_START_LOCAL(get_user_fault)
	xor	%edx, %edx
	mov	$-EFAULT, %eax
	ret
SYM_CODE_END(get_user_fault)

SYM_CODE_START_LOCAL(put_user_fault)
	mov	$-EFAULT, %ecx
	ret
SYM_CODE_END(put_user_fault)

	GET_USER 1
	GET_USER 2
	GET_USER 4
	GET_USER 8
	PUT_USER 1
	PUT_USER 2
	PUT_USER 4
	PUT_USER 8

SYM_FUNC_START(rep_movs_alternative)
1:	rep	movsb
2:	ret
	_ASM_EXTABLE_UA(1b, 2b)
SYM_FUNC_END(rep_movs_alternative)

	.section .note.GNU-stack, "", @progbits
