/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel functions whose names libc has for something else, or for something
 * that takes other arguments.  Included before everything else in kernel-side
 * files: a program's own definition would otherwise take libc's place, for host
 * files and for the libraries, too.
 *
 * The string functions are the same in both and keep their names.
 */
#ifndef KSPLIT_LIBC_NAMES_H
#define KSPLIT_LIBC_NAMES_H

#ifndef __ASSEMBLY__
#define bsearch		k_bsearch
#define sigprocmask	k_sigprocmask
#define snprintf	k_snprintf
#define sprintf		k_sprintf
#define sscanf		k_sscanf
#define timer_delete	k_timer_delete
#define vsnprintf	k_vsnprintf
#define vsprintf	k_vsprintf
#define vsscanf		k_vsscanf
#endif

#endif /* KSPLIT_LIBC_NAMES_H */
