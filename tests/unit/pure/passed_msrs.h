/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest may do without an exit, by the SDM and not by the stub's list.
 */
#ifndef TESTS_PURE_PASSED_MSRS_H
#define TESTS_PURE_PASSED_MSRS_H

#include "env.h"

#ifndef HOLDS	/* the fuzzers have their own */
#include "holds.h"
#endif

#define PASS_READ	1
#define PASS_WRITE	2

/* SDM vol. 3, 25.6.9: four kilobytes of bits, by byte. */
static inline bool intercepted(const u64 *bitmap, u32 msr, bool write)
{
	const u8 *p = (const u8 *)bitmap;

	p += (write ? 2048 : 0) + (msr >= 0xc0000000 ? 1024 : 0);
	return p[(msr & 0x1fff) / 8] >> (msr & 7) & 1;
}

/*
 * What may be passed through at most; apart from the stub's own list.  SDM vol. 4:
 * TSC, SPEC_CTRL, PRED_CMD, FLUSH_CMD, SYSENTER, FS, GS and kernel GS base; with
 * secondary controls that have the processor virtualize them, an x2APIC's.
 */
static inline unsigned int msr_rights(u32 msr, u32 proc2)
{
	bool x2apic = proc2 & 1 << 4, regs = x2apic && proc2 & 1 << 8, vid = x2apic && proc2 & 1 << 9;

	switch (msr) {
	/* SDM vol. 3, 30.5: TPR, EOI, SELF_IPI. */
	case 0x808:
		return x2apic ? PASS_READ | PASS_WRITE : 0;
	case 0x80b:
	case 0x83f:
		return (regs ? PASS_READ : 0) | (vid ? PASS_WRITE : 0);
	case 0x800 ... 0x807:
	case 0x809 ... 0x80a:
	case 0x80c ... 0x83e:
		return regs ? PASS_READ : 0;
	case 0x10:
		return PASS_READ;
	case 0x49:
	case 0x10b:
		return PASS_WRITE;
	case 0x48:
	case 0x174 ... 0x176:
	case 0xc0000100 ... 0xc0000102:
		return PASS_READ | PASS_WRITE;
	default:
		return 0;
	}
}

/*
 * Every MSR, both ways: passed iff expected with these secondary controls and not
 * intercepted by the worker.  A word of the worker's that the stub does not read would
 * show as intercepted.
 */
static inline void check_all_msrs(const u64 *real, const u64 *worker, u32 proc2)
{
	u32 i;

	for (i = 0; i < 0x4000; i++) {
		u32 msr = i < 0x2000 ? i : 0xc0000000 + i - 0x2000;
		unsigned int r = msr_rights(msr, proc2);

		EQ(intercepted(real, msr, false),
		   !(r & PASS_READ) || intercepted(worker, msr, false));
		EQ(intercepted(real, msr, true),
		   !(r & PASS_WRITE) || intercepted(worker, msr, true));
	}
}

#endif /* TESTS_PURE_PASSED_MSRS_H */
