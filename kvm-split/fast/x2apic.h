/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which of an x2APIC's MSRs the processor virtualizes (SDM vol. 3, 30.5).  Without an
 * exit the others are the host's APIC.
 */
#ifndef KSPLIT_FAST_X2APIC_H
#define KSPLIT_FAST_X2APIC_H

#define KSPLIT_X2APIC_MSR	0x800
#define KSPLIT_X2APIC_TPR	BIT_ULL(0x08)
/* And EOI and SELF_IPI. */
#define KSPLIT_X2APIC_WRITE	(KSPLIT_X2APIC_TPR | BIT_ULL(0x0b) | BIT_ULL(0x3f))

/* Indices of MSRs 0x800 to 0x83f in ksplit_pass_words[]. */
#define KSPLIT_X2APIC_READS	3
#define KSPLIT_X2APIC_WRITES	8

/**
 * ksplit_x2apic_words - has every access exit that the processor does not virtualize
 * @words: by ksplit_pass_words[], of the worker's bitmap
 * @controls: the real secondary controls
 */
static inline void ksplit_x2apic_words(u64 *words, u32 controls)
{
	if (!(controls & SECONDARY_EXEC_APIC_REGISTER_VIRT))
		words[KSPLIT_X2APIC_READS] |= ~KSPLIT_X2APIC_TPR;
	if (!(controls & SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY))
		words[KSPLIT_X2APIC_WRITES] |= ~KSPLIT_X2APIC_TPR;
	if (!(controls & SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE)) {
		words[KSPLIT_X2APIC_READS] = ~0ull;
		words[KSPLIT_X2APIC_WRITES] = ~0ull;
	}
}

#endif /* KSPLIT_FAST_X2APIC_H */
