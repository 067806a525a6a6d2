/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The entry sequence with its mitigations is in-tree KVM's, unchanged, but for
 * a trampoline of its VMREAD, which compilers without asm goto need.
 */
#ifndef CONFIG_CC_HAS_ASM_GOTO_OUTPUT
#define CONFIG_CC_HAS_ASM_GOTO_OUTPUT 1
#endif

#include "../../kvm/vmx/vmenter.S"
