// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPU features that the provider hides from guests.
 *
 * Invariant: KVM itself sees the processor as it is; only what it offers to
 * clients loses the features, and with them those that make no sense without.
 */
#define pr_fmt(fmt) "libkvm: " fmt

#include <linux/kernel.h>
#include <linux/printk.h>
#include <asm/alternative.h>
#include <asm/cpufeature.h>
#include <asm/fpu/types.h>

#include "x86.h"
#include "cpuid.h"
#include "backend.h"
#include "libkvm.h"

/* For arch/x86/kernel/cpu/cpuid-deps.c, which asks for both and here uses neither. */
int alternatives_patched;
__u32 cpu_caps_cleared[NCAPINTS + NBUGINTS];

/* All features, but for hidden ones. */
static struct cpuinfo_x86 offered;
static bool hiding;

int ksplit_hide_feature(unsigned int bit)
{
	if (bit >= NCAPINTS * 32)
		return -EINVAL;
	if (!hiding)
		memset(offered.x86_capability, 0xff, sizeof(offered.x86_capability));
	hiding = true;
	clear_cpu_cap(&offered, bit);
	return 0;
}

static bool hidden(unsigned int bit)
{
	return !test_bit(bit, (unsigned long *)offered.x86_capability);
}

/* As fpu__init_system_xstate() does for features that the CPU does not have. */
static u64 hidden_xstate(void)
{
	static const struct {
		u16 feature;
		u64 mask;
	} needs[] = {
		{ X86_FEATURE_AVX, XFEATURE_MASK_YMM },
		{ X86_FEATURE_MPX, XFEATURE_MASK_BNDREGS | XFEATURE_MASK_BNDCSR },
		{ X86_FEATURE_AVX512F, XFEATURE_MASK_AVX512 },
		{ X86_FEATURE_PKU, XFEATURE_MASK_PKRU },
	};
	u64 mask = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(needs); i++)
		if (hidden(needs[i].feature))
			mask |= needs[i].mask;
	return mask;
}

/**
 * split_hide() - take hidden features out of what KVM offers
 *
 * Context: KVM has decided on its capabilities and derived nothing from them.
 */
void split_hide(void)
{
	unsigned int bit, cap;

	if (!hiding)
		return;
	for (bit = 0; bit < NCAPINTS * 32; bit++) {
		if (!hidden(bit))
			continue;
		/* Some that the kernel scatters have their own place in KVM. */
		cap = __feature_translate(bit);
		if (cap / 32 < NR_KVM_CPU_CAPS)
			kvm_cpu_caps[cap / 32] &= ~BIT(cap % 32);
	}
	kvm_caps.supported_xcr0 &= ~hidden_xstate();
}
