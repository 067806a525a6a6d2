// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy's tables: classes of fields, control words, the capabilities that
 * follow from them, and what is stored after which exit.
 *
 * Invariant: what the synthetic capability MSRs deny, ksplit_decode() denies.
 */
#include "vmcs_policy.h"

#define FIELD_WIDTH(encoding)					\
	(((encoding) >> 13 & 3) == 0 ? 2 : ((encoding) >> 13 & 3) == 2 ? 4 : 8)

const struct ksplit_field ksplit_fields[KSPLIT_NR_SLOTS] = {
#define F(e, name, c, g, w)						\
	[KSPLIT_S_##name] = {						\
		.encoding = (e), .cls = KSPLIT_##c, .group = KSPLIT_G_##g, \
		.cpu_writes = (w), .width = FIELD_WIDTH(e), .present = 1 }
#include "vmcs_fields.h"
#undef F
};

const struct ksplit_policy ksplit_policies[KSPLIT_NR_CTLS] = {
	[KSPLIT_CTL_PIN] = {
		/*
		 * External interrupts, NMIs; virtual NMIs, or a guest blocked
		 * by NMI blocks the host's.
		 */
		.must = BIT(0) | BIT(3) | BIT(5),
		/* The preemption timer is the stub's, for kicks and deadlines. */
		.force = BIT(6),
	},
	[KSPLIT_CTL_PROC] = {
		/*
		 * RDPMC: the host's counters.  CR8: without TPR shadow the
		 * host's TPR.  All I/O exits.  MSR bitmap: the stub's.
		 */
		.must = BIT(11) | BIT(19) | BIT(20) | BIT(24) | BIT(28) | BIT(31),
		/*
		 * Interrupt window, TSC offset, HLT (see config), INVLPG,
		 * MWAIT (see config), RDTSC, CR3 load and store, NMI window,
		 * MOV DR (see decode), MTF, MONITOR (see config), PAUSE.
		 */
		.may = BIT(2) | BIT(3) | BIT(7) | BIT(9) | BIT(10) | BIT(12) |
		       BIT(15) | BIT(16) | BIT(22) | BIT(23) | BIT(27) | BIT(29) | BIT(30),
	},
	[KSPLIT_CTL_PROC2] = {
		/* EPT, VPID; WBINVD: the host's caches. */
		.must = BIT(1) | BIT(5) | BIT(6),
		/* ENCLS, ENCLV: native enclaves. */
		.force = BIT(15) | BIT(28),
		/*
		 * Descriptor tables, RDTSCP, unrestricted guest, PLE, RDRAND,
		 * INVPCID, VMFUNC (none is enabled), VMCS shadowing, RDSEED,
		 * XSAVES, TSC scaling, bus lock, notify.
		 */
		.may = BIT(2) | BIT(3) | BIT(7) | BIT(10) | BIT(11) | BIT(12) | BIT(13) |
		       BIT(14) | BIT(16) | BIT(20) | BIT(25) | BIT(30) | BIT(31),
	},
	[KSPLIT_CTL_EXIT] = {
		/* Save debug controls, 64-bit host; PAT and EFER both ways. */
		.must = BIT(2) | BIT(9) | BIT(18) | BIT(19) | BIT(20) | BIT(21),
		/*
		 * Acknowledge interrupt: the stub takes them by opening
		 * interrupts.  Save preemption timer: the stub's deadline is
		 * absolute.
		 */
		.shown = BIT(15) | BIT(22),
	},
	[KSPLIT_CTL_ENTRY] = {
		/* Load debug controls, PAT, EFER. */
		.must = BIT(2) | BIT(14) | BIT(15),
		/* IA-32e mode guest. */
		.may = BIT(9),
	},
};

/* Per control word: its capability MSR, the TRUE one, the default1 bits. */
static const struct {
	u16 msr;
	u16 true_msr;
	u32 default1;
} ctl_msrs[KSPLIT_NR_CTLS] = {
	[KSPLIT_CTL_PIN]	= { 0x481, 0x48d, 0x00000016 },
	[KSPLIT_CTL_PROC]	= { 0x482, 0x48e, 0x0401e172 },
	[KSPLIT_CTL_PROC2]	= { 0x48b, 0x48b, 0 },
	[KSPLIT_CTL_EXIT]	= { 0x483, 0x48f, 0x00036dff },
	[KSPLIT_CTL_ENTRY]	= { 0x484, 0x490, 0x000011ff },
};

#define BASIC_TRUE_CTLS		BIT_ULL(55)
#define BASIC_INOUT		BIT_ULL(54)
#define PROC_HLT		BIT(7)
#define PROC_MWAIT		BIT(10)
#define PROC_MONITOR		BIT(29)
#define PROC2_UNRESTRICTED	BIT(7)

/*
 * EPT: execute-only, 4 levels, WB, 2 MiB, 1 GiB, INVEPT (single, global), A/D;
 * INVVPID (address, single, global, single but globals).
 */
#define EPT_VPID_OF_CPU		(BIT_ULL(0) | BIT_ULL(21))
#define EPT_VPID_NEEDED		(BIT_ULL(6) | BIT_ULL(14) | BIT_ULL(20) | \
				 BIT_ULL(25) | BIT_ULL(32) | BIT_ULL(41))
/* The worker's tables and its TLB are the stub's software: always there. */
#define EPT_VPID_SOFTWARE	(EPT_VPID_NEEDED | BIT_ULL(16) | BIT_ULL(17) | \
				 BIT_ULL(26) | BIT_ULL(40) | BIT_ULL(42) | \
				 BIT_ULL(43))

static int ksplit_ctl_init(struct ksplit_hw *hw, enum ksplit_ctl i)
{
	const struct ksplit_policy *p = &ksplit_policies[i];
	bool has_true = hw->msr[0] & BASIC_TRUE_CTLS;
	u16 src = has_true ? ctl_msrs[i].true_msr : ctl_msrs[i].msr;
	u64 cap = hw->msr[KSPLIT_VMX_MSR(src)];
	u32 lo = i == KSPLIT_CTL_PROC2 ? 0 : (u32)cap;
	u32 hi = cap >> 32;
	u32 must = p->must | (p->force & hi);
	u64 shown;

	if (i == KSPLIT_CTL_PROC && !(hw->config & KSPLIT_CFG_HLT))
		must |= PROC_HLT;
	if (i == KSPLIT_CTL_PROC && !(hw->config & KSPLIT_CFG_MWAIT))
		must |= PROC_MWAIT | PROC_MONITOR;

	if (must & ~hi || lo & ~hi)
		return -EOPNOTSUPP;
	/* The CPU must not insist on what the policy forbids. */
	if (lo & ~(ctl_msrs[i].default1 | must | p->may))
		return -EOPNOTSUPP;

	hw->ctl[i].allowed0 = lo | must;
	hw->ctl[i].allowed1 = lo | must | (p->may & hi);

	shown = hw->ctl[i].allowed1 | (p->shown & hi);
	cap = shown << 32 | hw->ctl[i].allowed0;
	hw->synthetic[KSPLIT_VMX_MSR(ctl_msrs[i].true_msr)] = cap;
	cap |= ctl_msrs[i].default1 & shown;
	hw->synthetic[KSPLIT_VMX_MSR(ctl_msrs[i].msr)] = cap;
	return 0;
}

/**
 * ksplit_caps_init() - derive what workers may use from what the CPU has
 * @hw: msr, config, cr4_allowed are read; ctl and synthetic are filled
 *
 * Once at boot.
 *
 * Return: 0, or -EOPNOTSUPP for a CPU without a control that the policy sets
 * always, without EPT write-back or 4 levels, INVEPT or INVVPID (SDM vol. 3,
 * appendix A).
 */
int ksplit_caps_init(struct ksplit_hw *hw)
{
	u64 *out = hw->synthetic;
	const u64 *msr = hw->msr;
	int i, err;

	memset(out, 0, sizeof(hw->synthetic));
	for (i = 0; i < KSPLIT_NR_CTLS; i++) {
		err = ksplit_ctl_init(hw, i);
		if (err)
			return err;
	}
	if (!(hw->ctl[KSPLIT_CTL_PROC2].allowed1 & PROC2_UNRESTRICTED))
		return -EOPNOTSUPP;
	if (EPT_VPID_NEEDED & ~msr[KSPLIT_VMX_MSR(0x48c)])
		return -EOPNOTSUPP;

	/* Revision 1, a 4 KiB region, write-back. */
	out[KSPLIT_VMX_MSR(0x480)] = 1 | 4096ull << 32 | 6ull << 50 |
				     (msr[0] & BASIC_INOUT) | BASIC_TRUE_CTLS;
	/* Timer rate, EFER.LMA saving, HLT state, VMWRITE to any field, zero-length injection. */
	out[KSPLIT_VMX_MSR(0x485)] = msr[KSPLIT_VMX_MSR(0x485)] &
				     (0x7f | BIT_ULL(29) | BIT_ULL(30));
	/* CR0 and CR4 fixed bits, and the highest field index, as they are. */
	for (i = KSPLIT_VMX_MSR(0x486); i <= KSPLIT_VMX_MSR(0x48a); i++)
		out[i] = msr[i];
	out[KSPLIT_VMX_MSR(0x489)] &= ksplit_cr4_guest(hw) | KSPLIT_CR4_FORCED;
	out[KSPLIT_VMX_MSR(0x48c)] = (msr[KSPLIT_VMX_MSR(0x48c)] &
				      EPT_VPID_OF_CPU) | EPT_VPID_SOFTWARE;
	return 0;
}

/* What an exit stores besides KSPLIT_G_EXIT and KSPLIT_G_BASIC. */
#define INSN	KSPLIT_GROUP(INSN)
#define QUAL	(KSPLIT_GROUP(QUAL) | INSN)
#define MODE	KSPLIT_GROUP(MODE)
#define VMX	(KSPLIT_GROUP(VMX) | QUAL | MODE)
#define ENTER	(INSN | MODE | KSPLIT_GROUP(CR) | KSPLIT_GROUP(MISC))
#define ERROR	(KSPLIT_GROUP(ERROR) | QUAL)

static const u32 exit_groups[] = {
	[0] = ERROR,			/* exception or NMI */
	[9] = ERROR,			/* task switch */
	[10 ... 13] = INSN,		/* CPUID, GETSEC, HLT, INVD */
	[14] = QUAL,			/* INVLPG */
	[15 ... 16] = INSN,		/* RDPMC, RDTSC */
	[18] = INSN,			/* VMCALL */
	/* VMX instructions: KVM wants to know CPL, VMLAUNCH and VMRESUME more */
	[19] = VMX, [20] = ENTER, [21 ... 23] = VMX, [24] = ENTER,
	[25] = VMX, [26] = INSN | MODE, [27] = VMX,
	[28 ... 29] = QUAL,		/* CR access, MOV DR */
	[30] = QUAL | MODE,		/* I/O: KVM notes the linear RIP */
	[31 ... 32] = INSN,		/* RDMSR, WRMSR */
	[33 ... 34] = QUAL,		/* entry failures */
	[36] = INSN,			/* MWAIT */
	[39 ... 40] = INSN,		/* MONITOR, PAUSE */
	[44 ... 45] = QUAL, [56] = QUAL, /* APIC access, EOI, APIC write */
	[46 ... 47] = VMX,		/* GDTR, IDTR, LDTR, TR */
	[48] = KSPLIT_GROUP(QUAL) | KSPLIT_GROUP(ADDR), /* EPT violation */
	/* EPT misconfiguration: MMIO, which is emulated */
	[49] = KSPLIT_GROUP(ADDR) | MODE | KSPLIT_GROUP(CR),
	[50] = VMX, [53] = VMX, [58] = VMX, /* INVEPT, INVVPID, INVPCID */
	[51] = INSN,			/* RDTSCP */
	[54 ... 55] = INSN,		/* WBINVD, XSETBV */
	[57] = INSN, [59 ... 61] = INSN, /* RDRAND, VMFUNC, ENCLS, RDSEED */
	[63 ... 64] = INSN,		/* XSAVES, XRSTORS */
	[75] = KSPLIT_GROUP(QUAL),	/* notify */
};

/**
 * ksplit_exit_groups() - fields to store for the worker after an exit
 * @exit_reason: the whole 32-bit field; only the basic reason counts
 * @nested: of a guest's guest: its hypervisor sees most of these exits, and with
 *	    each what nested VMX copies
 *
 * Reasons that are unknown here store the least; the worker fetches more with
 * KSPLIT_FILL.
 *
 * Return: bitmap of 1 << enum ksplit_group.
 */
u32 ksplit_exit_groups(u32 exit_reason, bool nested)
{
	u32 basic = exit_reason & 0xffff;
	u32 groups = KSPLIT_GROUP(EXIT) | KSPLIT_GROUP(BASIC);

	if (nested)
		groups |= VMX | KSPLIT_GROUP(RSP) | KSPLIT_GROUP(CR) | KSPLIT_GROUP(MISC);
	if (basic < ARRAY_SIZE(exit_groups))
		groups |= exit_groups[basic];
	return groups;
}
