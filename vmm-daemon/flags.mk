# SPDX-License-Identifier: GPL-2.0-only
#
# Compiler flags: part of Makefile. Every object depends on this file.

KINC_LIBKVM := \
	-I$(INC) -I$(D)/libkvm/include \
	-I$(KSRC)/arch/x86/include -I$(KCONF)/arch/x86/include/generated \
	-I$(KSRC)/include -I$(KCONF)/include \
	-I$(KSRC)/arch/x86/include/uapi -I$(KCONF)/arch/x86/include/generated/uapi \
	-I$(KSRC)/include/uapi -I$(KCONF)/include/generated/uapi \
	-include $(KSRC)/include/linux/compiler-version.h \
	-include $(KSRC)/include/linux/kconfig.h \
	-include $(KSRC)/include/linux/compiler_types.h \
	-include $(D)/personality/libc_names.h

# -mno-red-zone, because inline assembly of the kernel's calls functions. The
# stack's alignment is the ABI's, because kernel-side code calls libc; functions
# that inline assembly calls must align it themselves (KCFLAGS_cpu.o).  The stack
# protector's canary is libc's, at %fs:40, which no kernel code touches.
KCFLAGS_LIBKVM := -nostdinc $(KINC_LIBKVM) -D__KERNEL__ -DCC_USING_FENTRY \
	-std=gnu11 -g -O2 -fPIE -fshort-wchar -funsigned-char -fno-common \
	-fno-strict-aliasing -fno-strict-overflow -fstack-protector-strong \
	-fno-jump-tables -fno-delete-null-pointer-checks -fno-builtin \
	-fno-asynchronous-unwind-tables -fcf-protection=none \
	-mno-sse -mno-mmx -mno-sse2 -mno-3dnow -mno-avx -mno-80387 -mno-red-zone -m64 \
	-mskip-rax-setup -Wall -Wundef -Werror=implicit-function-declaration \
	-Werror=implicit-int -Werror=return-type -Werror=strict-prototypes \
	-Werror=incompatible-pointer-types -Wno-trigraphs -Wno-sign-compare \
	-Wno-unused-but-set-variable -Wno-unused-const-variable \
	-Wno-address-of-packed-member -Wno-format-truncation \
	-Wno-main -Wno-maybe-uninitialized -Wno-pointer-sign -Wno-array-bounds -Wno-stringop-overflow \
	-I$(KSRC) -I$(KSRC)/arch/x86/kvm -I$(KSRC)/virt/kvm -I$(D) -I$(D)/personality \
	-I$(D)/libkvm -DKBUILD_MODNAME='"kvm"' -D__KBUILD_MODNAME=kmod_kvm

KCFLAGS_cpu.o := -mstackrealign

# What --version prints.
KVM_SPLIT_VERSION := $(shell cat $(ROOT)/VERSION)

HOSTCFLAGS_LIBKVM := -std=gnu11 -g -O2 -fPIE -fstack-protector-strong -D_GNU_SOURCE -Wall -Wextra \
	-Wno-unused-parameter -Wstrict-prototypes -Wmissing-prototypes \
	-I$(D) -I$(D)/personality -I$(D)/libkvm -I$(ROOT) -I$(INC) \
	-DKVM_SPLIT_VERSION='"$(KVM_SPLIT_VERSION)"'
