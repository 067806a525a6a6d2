/* SPDX-License-Identifier: GPL-2.0-only */
/* ARRAY_SIZE() of the kernel for code that sees libc; a pointer does not compile. */
#ifndef VMM_ARRAY_SIZE_H
#define VMM_ARRAY_SIZE_H

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]) + 0 * sizeof(struct { int is_array:	\
	__builtin_types_compatible_p(__typeof__(a), __typeof__(&(a)[0])) ? -1 : 1; }))

#endif
