// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMCS policy: classes, capabilities, decode.
 */
#include "common.h"
#include "harmless.h"

static struct ksplit_hw hw;
static struct ksplit_vmcs_state s;

static void setup(void)
{
	make_cpu(&hw);
	ck_assert_int_eq(ksplit_caps_init(&hw), 0);
	ksplit_vmcs_reset(&s);
}

static void put(unsigned int slot, u64 value)
{
	s.want[slot] = value;
	ksplit_slot_set(s.pending, slot);
}

static int decode(u32 *bad)
{
	return ksplit_decode(&hw, &s, bad);
}

static u64 real_of(unsigned int slot, u64 value)
{
	u32 bad;

	put(slot, value);
	ck_assert_int_eq(decode(&bad), 0);
	return s.real[slot];
}

static void refused(unsigned int slot, u64 value)
{
	u32 bad = 0;

	put(slot, value);
	ck_assert_int_eq(decode(&bad), -EINVAL);
	ck_assert_uint_eq(bad, ksplit_fields[slot].encoding);
	/* Nothing stays behind. */
	put(slot, 0);
	ck_assert_int_eq(decode(&bad), 0);
}

START_TEST(slots)
{
	/* ABI. */
	static const u16 bases[] = {
		0, 8, 8, 24, 32, 72, 73, 89, 96, 120, 128, 152, 160, 168, 176, 208, 256,
	};
	unsigned int i, kind, nr = 0;

	for (i = 0; i <= 16; i++)
		ck_assert_uint_eq(KSPLIT_SLOT_BASE(i), bases[i]);
	for (i = 0; i < KSPLIT_NR_SLOTS; i++) {
		const struct ksplit_field *f = &ksplit_fields[i];

		if (f->cls == KSPLIT_NEVER)
			continue;
		nr++;
		/* The stub's slot and the worker's. */
		kind = KSPLIT_FIELD_KIND(f->encoding);
		ck_assert_uint_eq(KSPLIT_SLOT(f->encoding), i);
		ck_assert_uint_eq(bases[kind] + KSPLIT_FIELD_INDEX(f->encoding), i);
		ck_assert_uint_lt(i, bases[kind + 1]);
		ck_assert_int_eq(field_slot(f->encoding | 1), -1);
		ck_assert_uint_lt(f->group, KSPLIT_NR_GROUPS);
	}
	ck_assert_uint_eq(nr, 140);
}
END_TEST

/* Every field of the SDM is in exactly one class, and there is no other. */
START_TEST(classes)
{
	static const u32 sdm[] = {
#define SDM(encoding, name)	encoding,
#include "sdm_fields.h"
#undef SDM
	};
	static const struct { u32 encoding; const char *name; } used[] = {
#define F(encoding, name, ...)	{ encoding, #name }
#include "vmcs_fields.h"
#undef F
	};
	static const struct { u32 encoding; const char *name; } names[] = {
#define SDM(encoding, name)	{ encoding, #name },
#include "sdm_fields.h"
#undef SDM
	};
	unsigned int nr[KSPLIT_ADDR + 1] = { 0 };
	unsigned int i, j, found;

	for (i = 0; i < ARRAY_SIZE(sdm); i++) {
		int slot = field_slot(sdm[i]);

		nr[slot < 0 ? KSPLIT_NEVER : ksplit_fields[slot].cls]++;
		for (j = 0; j < i; j++)
			ck_assert_uint_ne(sdm[i], sdm[j]);
	}
	for (i = 0; i < ARRAY_SIZE(used); i++) {
		for (found = j = 0; j < ARRAY_SIZE(names); j++)
			found += names[j].encoding == used[i].encoding &&
				 !strcmp(names[j].name, used[i].name);
		ck_assert_msg(found == 1, "%s", used[i].name);
	}
	ck_assert_uint_eq(nr[KSPLIT_NEVER], 62);
	ck_assert_uint_eq(nr[KSPLIT_STUB], 13);
	ck_assert_uint_eq(nr[KSPLIT_HOST], 22);
	ck_assert_uint_eq(nr[KSPLIT_CTL], 8);
	ck_assert_uint_eq(nr[KSPLIT_GUEST], 74);
	ck_assert_uint_eq(nr[KSPLIT_EXIT], 15);
	ck_assert_uint_eq(nr[KSPLIT_ADDR], 8);
	ck_assert_uint_eq(ARRAY_SIZE(sdm), 202);
}
END_TEST

/* Upstream's adjust_vmx_controls(). */
static bool kvm_accepts(u64 cap, u32 required)
{
	return !(required & ~(u32)(cap >> 32));
}

START_TEST(caps_kvm)
{
	const u64 *m = hw.synthetic;

	setup();
	/* KVM_REQUIRED_VMX_* of arch/x86/kvm/vmx/vmx.h. */
	ck_assert(kvm_accepts(m[0x1], 0x9));
	ck_assert(kvm_accepts(m[0x2], 0x21998e8c));
	ck_assert(kvm_accepts(m[0x3], 0x8204));
	ck_assert(kvm_accepts(m[0x4], 0x204));
	/* Basic: 4 KiB at most, write-back, TRUE controls. */
	ck_assert_uint_eq(m[0] >> 32 & 0x1fff, 4096);
	ck_assert_uint_ge(4096, sizeof(struct ksplit_vmcs));
	ck_assert_uint_eq(m[0] >> 50 & 0xf, 6);
	ck_assert(m[0] >> 55 & 1);
	ck_assert(!(m[0] >> 48 & 3));
	/* EPT 4 levels WB 2M 1G INVEPT A/D; INVVPID all types. */
	ck_assert_uint_eq(m[0xc], 0xf0106334041 | (hw.msr[0xc] & 1));
	ck_assert_uint_eq(m[0x11], 0);
	/* Posted interrupts, TPR shadow, APICv; no I/O bitmaps, 3rd controls, PML. */
	ck_assert_uint_eq(m[0x1] >> 32 & 0x80, 0x80);
	ck_assert_uint_eq(m[0x2] >> 32 & 0x02220000, 0x00200000);
	ck_assert_uint_eq(m[0xb] >> 32 & 0x00020311, 0x311);
	/* The pairs that setup_vmcs_config() wants consistent. */
	ck_assert_uint_eq(m[0x4] >> 32 & 0x7a000, 0x00c000 & 0x7a000);
	ck_assert_uint_eq(m[0x3] >> 32 & 0x2a81000, 0x280000);
}
END_TEST

START_TEST(caps_limits)
{
	static const u8 true_of[] = { 0xd, 0xe, 0xb, 0xf, 0x10 };
	unsigned int i, bit;

	setup();
	for (i = 0; i < KSPLIT_NR_CTLS; i++) {
		u64 cap = hw.msr[true_of[i]];
		u64 shown = hw.synthetic[true_of[i]];

		/* Nothing that the CPU has not; the merge stays inside. */
		ck_assert_uint_eq((shown & ~cap) >> 32, 0);
		ck_assert_uint_eq(hw.ctl[i].allowed0 & ~hw.ctl[i].allowed1, 0);
		ck_assert_uint_eq(hw.ctl[i].allowed1 & ~(u32)(cap >> 32), 0);
		ck_assert_uint_eq(hw.ctl[i].allowed1 & ~(u32)(shown >> 32), 0);
		ck_assert_uint_eq((u32)cap & ~hw.ctl[i].allowed0, 0);
	}
	for (i = 0; i < KSPLIT_NR_CTLS; i++) {
		for (bit = 0; bit < 32; bit++) {
			make_cpu(&hw);
			hw.msr[true_of[i]] &= ~(1ull << (32 + bit));
			/* A CPU without what is always set is not supported. */
			if (ksplit_policy(i, KSPLIT_BIT_MUST) >> bit & 1)
				ck_assert_int_eq(ksplit_caps_init(&hw),
						 -EOPNOTSUPP);
		}
	}
	/* A CPU that insists on what the policy forbids: I/O bitmaps. */
	make_cpu(&hw);
	hw.msr[0xe] |= 1 << 25;
	ck_assert_int_eq(ksplit_caps_init(&hw), -EOPNOTSUPP);
	/* Unrestricted guest. */
	make_cpu(&hw);
	hw.msr[0xb] &= ~(1ull << 39);
	ck_assert_int_eq(ksplit_caps_init(&hw), -EOPNOTSUPP);
	/*
	 * 4 levels, write-back, INVEPT, its global type, INVVPID, its single-
	 * context type are what the stub uses; the rest it offers by software.
	 */
	for (bit = 0; bit < 64; bit++) {
		make_cpu(&hw);
		hw.msr[0xc] &= ~(1ull << bit);
		ck_assert_int_eq(ksplit_caps_init(&hw),
				 0x20104104040 >> bit & 1 ? -EOPNOTSUPP : 0);
	}
	/* Without TRUE capability MSRs the others count. */
	make_cpu(&hw);
	hw.msr[0] &= ~(1ull << 55);
	memset(&hw.msr[0xd], 0, 4 * sizeof(u64));
	ck_assert_int_eq(ksplit_caps_init(&hw), 0);
	ck_assert(hw.ctl[KSPLIT_CTL_PROC].allowed0 & 1 << 15);
}
END_TEST

/* The worker gets no control that its capability MSRs deny, and the reverse. */
START_TEST(caps_decode)
{
	static const struct { u8 msr, slot; } words[] = {
		{ 0xd, KSPLIT_S_PIN_BASED_VM_EXEC_CONTROL },
		{ 0xe, KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL },
		{ 0xb, KSPLIT_S_SECONDARY_VM_EXEC_CONTROL },
		{ 0xf, KSPLIT_S_VM_EXIT_CONTROLS },
		{ 0x10, KSPLIT_S_VM_ENTRY_CONTROLS },
	};
	unsigned int i, round;

	setup();
	s.debugregs = true;
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		u64 cap = hw.synthetic[words[i].msr];
		u32 not_real = ksplit_policy(i, KSPLIT_BIT_SHOWN);

		for (round = 0; round < 1000; round++) {
			u32 want = round ? rnd_value() : ~0u;
			u32 real = real_of(words[i].slot, want);

			want = (want & cap >> 32) | (u32)cap;
			if (i == KSPLIT_CTL_PROC && !(want & CPU_BASED_TPR_SHADOW))
				want |= CPU_BASED_CR8_LOAD_EXITING | CPU_BASED_CR8_STORE_EXITING;
			ck_assert_uint_eq(real, want & ~not_real);
		}
	}
}
END_TEST

START_TEST(reset)
{
	unsigned int i;
	u32 bad;

	setup();
	hw.supported[1] = 0x0123456789abcdef;
	ck_assert_int_eq(decode(&bad), 0);
	for (i = 0; i < KSPLIT_NR_SLOTS; i++) {
		u8 cls = ksplit_fields[i].cls;
		bool stub = cls == KSPLIT_STUB && i;

		ck_assert_int_eq(ksplit_slot_test(s.write, i),
				 ksplit_slot_test(hw.supported, i) &&
				 (stub || cls == KSPLIT_CTL ||
				  cls == KSPLIT_GUEST));
	}
	assert_harmless(&hw, &s);
	/* Nothing dirty, nothing to do. */
	memset(s.write, 0, sizeof(s.write));
	ck_assert_int_eq(decode(&bad), 0);
	ck_assert_uint_eq(s.write[0] | s.write[1] | s.write[2] | s.write[3], 0);
}
END_TEST

START_TEST(ignored)
{
	u64 before[KSPLIT_NR_SLOTS];
	unsigned int i;
	u32 bad;

	setup();
	ck_assert_int_eq(decode(&bad), 0);
	memset(s.write, 0, sizeof(s.write));
	memcpy(before, s.real, sizeof(before));
	for (i = 0; i < KSPLIT_NR_SLOTS; i++) {
		u8 cls = ksplit_fields[i].cls;

		if (cls != KSPLIT_CTL && cls != KSPLIT_GUEST)
			put(i, 0xdeadbeefdeadbeef);
	}
	ck_assert_int_eq(decode(&bad), 0);
	ck_assert_mem_eq(before, s.real, sizeof(before));
	ck_assert_uint_eq(s.write[0] | s.write[1] | s.write[2] | s.write[3], 0);
}
END_TEST

START_TEST(writes)
{
	u32 bad;

	setup();
	ck_assert_int_eq(decode(&bad), 0);
	memset(s.write, 0, sizeof(s.write));
	/* The CPU does not change it: equal values are not written. */
	put(KSPLIT_S_TSC_OFFSET, 0);
	/* It may change this one. */
	put(KSPLIT_S_GUEST_RIP, 0);
	ck_assert_int_eq(decode(&bad), 0);
	ck_assert(!ksplit_slot_test(s.write, KSPLIT_S_TSC_OFFSET));
	ck_assert(ksplit_slot_test(s.write, KSPLIT_S_GUEST_RIP));
	put(KSPLIT_S_TSC_OFFSET, 5);
	ck_assert_int_eq(decode(&bad), 0);
	ck_assert(ksplit_slot_test(s.write, KSPLIT_S_TSC_OFFSET));
	/* The stub's own injections leave error code and length behind. */
	memset(s.write, 0, sizeof(s.write));
	put(KSPLIT_S_VM_ENTRY_INTR_INFO_FIELD, 0x80000b0d);
	ck_assert_int_eq(decode(&bad), 0);
	ck_assert(ksplit_slot_test(s.write,
				   KSPLIT_S_VM_ENTRY_EXCEPTION_ERROR_CODE));
	ck_assert(ksplit_slot_test(s.write, KSPLIT_S_VM_ENTRY_INSTRUCTION_LEN));
	/* One that the CPU does not have. */
	hw.supported[KSPLIT_S_PLE_GAP / 64] &= ~(1ull << KSPLIT_S_PLE_GAP % 64);
	put(KSPLIT_S_PLE_GAP, 128);
	ck_assert_int_eq(decode(&bad), 0);
	ck_assert(!ksplit_slot_test(s.write, KSPLIT_S_PLE_GAP));
}
END_TEST

START_TEST(controls)
{
	setup();
	/* CR8 exits, but the worker may have a TPR shadow; no I/O bitmaps, no 3rd. */
	ck_assert_uint_eq(real_of(KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL, 0) &
			  0x380000, 0x180000);
	ck_assert_uint_eq(real_of(KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL, 1 << 21) &
			  0x380000, 0x200000);
	ck_assert_uint_eq(real_of(KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL, ~0u) &
			  0x02220000, 0x00200000);
	/* As in a kernel without fast paths. */
	hw.fast = false;
	ck_assert_int_eq(ksplit_caps_init(&hw), 0);
	ck_assert_uint_eq(hw.synthetic[0x1] >> 32 & 0x80, 0);
	ck_assert_uint_eq(hw.synthetic[0x2] >> 32 & 0x200000, 0);
	ck_assert_uint_eq(hw.synthetic[0xb] >> 32 & 0x311, 0);
	ck_assert_uint_eq(real_of(KSPLIT_S_PIN_BASED_VM_EXEC_CONTROL, ~0u) & 0x80, 0);
	ck_assert_uint_eq(real_of(KSPLIT_S_SECONDARY_VM_EXEC_CONTROL, ~0u) & 0x311, 0);
	ck_assert_uint_eq(real_of(KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL, 1 << 21) &
			  0x380000, 0x180000);
	setup();
	/* Acknowledge-interrupt is shown; who uses it is not the worker's choice. */
	ck_assert_uint_eq(real_of(KSPLIT_S_VM_EXIT_CONTROLS, ~0u) & 0x8000, 0);
	/* What the worker may choose. */
	ck_assert(!(real_of(KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL, 0) & 0x8));
	ck_assert(real_of(KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL, 0x8) & 0x8);
	ck_assert(!(real_of(KSPLIT_S_SECONDARY_VM_EXEC_CONTROL, 0) & 0x80));
	ck_assert(real_of(KSPLIT_S_SECONDARY_VM_EXEC_CONTROL, 0x80) & 0x80);
	/* HLT, MWAIT and MONITOR exit. */
	ck_assert_uint_eq(real_of(KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL, 0) &
			  0x20000480, 0x20000480);
	/* Which page faults exit is the worker's choice. */
	ck_assert_uint_eq(real_of(KSPLIT_S_PAGE_FAULT_ERROR_CODE_MASK, 2), 2);
	ck_assert_uint_eq(real_of(KSPLIT_S_PAGE_FAULT_ERROR_CODE_MATCH, ~0u), 0xffffffff);
	/* Notify exits, and how long a guest may hold events up before. */
	ck_assert(real_of(KSPLIT_S_SECONDARY_VM_EXEC_CONTROL, 1u << 31) & 1u << 31);
	ck_assert(!(real_of(KSPLIT_S_SECONDARY_VM_EXEC_CONTROL, 0) & 1u << 31));
	ck_assert_uint_eq(real_of(KSPLIT_S_NOTIFY_WINDOW, 128), 128);
	ck_assert_uint_eq(real_of(KSPLIT_S_EXCEPTION_BITMAP, 0x4000), 0x64002);
	ck_assert_uint_eq(real_of(KSPLIT_S_EXCEPTION_BITMAP, 0), 0x60002);
	assert_harmless(&hw, &s);
}
END_TEST

START_TEST(control_registers)
{
	unsigned int bit;

	setup();
	/* CD and NW are loaded neither by entry nor by exit. */
	ck_assert_uint_eq(real_of(KSPLIT_S_GUEST_CR0, 0x60000010), 0x30);
	ck_assert_uint_eq(real_of(KSPLIT_S_GUEST_CR0, 0x80050033), 0x80050033);
	ck_assert_uint_eq(real_of(KSPLIT_S_CR0_GUEST_HOST_MASK, 0), ~0x10008ull);
	ck_assert_uint_eq(real_of(KSPLIT_S_CR4_GUEST_HOST_MASK, 0), ~0x1078eull);
	/* Machine checks; VMXE. */
	ck_assert_uint_eq(real_of(KSPLIT_S_GUEST_CR4, 0), 0x2040);
	ck_assert_uint_eq(real_of(KSPLIT_S_GUEST_CR4, 0x773fff), 0x773fff);
	/* No SMXE, KL, CET, PKS, UINTR, LAM_SUP, FRED, and nothing that is new, but in vain. */
	for (bit = 0; bit < 64; bit++)
		if (!(0x773fffull >> bit & 1))
			ck_assert_uint_eq(real_of(KSPLIT_S_GUEST_CR4, 1ull << bit), 1ull << 63);
	/* A feature that the CPU lacks, or the host does not use, neither. */
	hw.cr4_allowed = ~(1ull << 16 | 1ull << 12);
	ck_assert_uint_eq(real_of(KSPLIT_S_CR4_GUEST_HOST_MASK, 0), ~0x78eull);
	ck_assert_uint_eq(real_of(KSPLIT_S_GUEST_CR4, 1 << 16), 1ull << 63);
	ck_assert_uint_eq(real_of(KSPLIT_S_GUEST_CR4, 1 << 12 | 1 << 5), 1ull << 63);
}
END_TEST

START_TEST(efer)
{
	u32 bad;

	setup();
	put(KSPLIT_S_VM_ENTRY_CONTROLS, 0x8200);
	put(KSPLIT_S_GUEST_IA32_EFER, ~0ull);
	ck_assert_int_eq(decode(&bad), 0);
	ck_assert_uint_eq(s.real[KSPLIT_S_GUEST_IA32_EFER], 0xd01);
	ck_assert_uint_eq(real_of(KSPLIT_S_GUEST_IA32_EFER, 0x500), 0x500);
	/* No "load EFER": the host's, with LMA and LME as IA-32e mode. */
	put(KSPLIT_S_VM_ENTRY_CONTROLS, 0x200);
	ck_assert_int_eq(decode(&bad), 0);
	ck_assert_uint_eq(s.real[KSPLIT_S_GUEST_IA32_EFER], 0xd01);
	put(KSPLIT_S_VM_ENTRY_CONTROLS, 0);
	memset(s.write, 0, sizeof(s.write));
	ck_assert_int_eq(decode(&bad), 0);
	ck_assert_uint_eq(s.real[KSPLIT_S_GUEST_IA32_EFER], 0x801);
	ck_assert(ksplit_slot_test(s.write, KSPLIT_S_GUEST_IA32_EFER));
}
END_TEST

START_TEST(debug)
{
	u32 bad;

	setup();
	/* No LBR, TR, BTS; the host's FREEZE_IN_SMM stays. */
	ck_assert_uint_eq(real_of(KSPLIT_S_GUEST_IA32_DEBUGCTL, ~0ull), 0x4002);
	ck_assert_uint_eq(real_of(KSPLIT_S_GUEST_IA32_DEBUGCTL, 0), 0x4000);
	/* Without debug registers of its own: exits, no breakpoints. */
	ck_assert_uint_eq(real_of(KSPLIT_S_GUEST_DR7, 0xf00000000000043f),
			  0x400);
	ck_assert(real_of(KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL, 0) & 1 << 23);
	s.debugregs = true;
	memset(s.write, 0, sizeof(s.write));
	ck_assert_int_eq(decode(&bad), 0);
	ck_assert_uint_eq(s.real[KSPLIT_S_GUEST_DR7], 0x43f);
	ck_assert(ksplit_slot_test(s.write, KSPLIT_S_GUEST_DR7));
	ck_assert(!(s.real[KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL] & 1 << 23));
	/* And back, although nothing is dirty. */
	s.debugregs = false;
	memset(s.write, 0, sizeof(s.write));
	ck_assert_int_eq(decode(&bad), 0);
	ck_assert_uint_eq(s.real[KSPLIT_S_GUEST_DR7], 0x400);
	ck_assert(ksplit_slot_test(s.write, KSPLIT_S_GUEST_DR7));
	ck_assert(ksplit_slot_test(s.write,
				   KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL));
	assert_harmless(&hw, &s);
}
END_TEST

START_TEST(activity)
{
	setup();
	refused(KSPLIT_S_GUEST_ACTIVITY_STATE, 1);	/* HLT exits */
	refused(KSPLIT_S_GUEST_ACTIVITY_STATE, 2);	/* shutdown */
	refused(KSPLIT_S_GUEST_ACTIVITY_STATE, 3);	/* wait for SIPI */
	refused(KSPLIT_S_GUEST_ACTIVITY_STATE, 1ull << 32 | 3);
}
END_TEST

/* What VM entry refuses it shall refuse: L1, or the client, is to see that. */
START_TEST(left_to_cpu)
{
	static const u32 events[] = {
		0, 0x7fffffff,		/* not valid: anything */
		0x80000020, 0x80000202, 0x80000b0e, 0x80000480, 0x80000700,
		0x80000120,		/* reserved type */
		0x80000203,		/* NMI with another vector */
		0x80000320,		/* exception above 31 */
		0x80000b06, 0x80000a02, 0x80000c80, /* error code without */
		0x8000030d,		/* none with #GP */
	};
	unsigned int i;

	setup();
	for (i = 0; i < ARRAY_SIZE(events); i++)
		ck_assert_uint_eq(real_of(KSPLIT_S_VM_ENTRY_INTR_INFO_FIELD, events[i]),
				  events[i]);
	/* Bits that no CPU knows, or that later ones do: no CPU accepts the event. */
	for (i = 12; i < 31; i++)
		ck_assert_uint_eq(real_of(KSPLIT_S_VM_ENTRY_INTR_INFO_FIELD,
					  0x80000020 | 1u << i), 0x80000100);
	ck_assert_uint_eq(real_of(KSPLIT_S_VM_ENTRY_INTR_INFO_FIELD, 0x80000701), 0x80000100);
	/* Software events of any length. */
	ck_assert_uint_eq(real_of(KSPLIT_S_VM_ENTRY_INSTRUCTION_LEN, 16), 16);
	ck_assert_uint_eq(real_of(KSPLIT_S_VM_ENTRY_INTR_INFO_FIELD, 0x80000480), 0x80000480);
	/* SMI outside SMM, reserved bits; the enclave bit and reserved ones: refused. */
	ck_assert_uint_eq(real_of(KSPLIT_S_GUEST_INTERRUPTIBILITY_INFO, 4), 4);
	for (i = 4; i < 32; i++)
		ck_assert_uint_eq(real_of(KSPLIT_S_GUEST_INTERRUPTIBILITY_INFO, 1u << i | 8),
				  1u << i | 8 | 1u << 31);
	ck_assert_uint_eq(real_of(KSPLIT_S_TSC_MULTIPLIER, 0), 0);
}
END_TEST

START_TEST(no_effect_on_error)
{
	struct ksplit_vmcs_state before;
	u32 bad = 0;

	setup();
	ck_assert_int_eq(decode(&bad), 0);
	memset(s.write, 0, sizeof(s.write));
	before = s;
	put(KSPLIT_S_GUEST_RIP, 0x1234);
	put(KSPLIT_S_TSC_OFFSET, 77);
	put(KSPLIT_S_GUEST_ACTIVITY_STATE, 3);
	ck_assert_int_eq(decode(&bad), -EINVAL);
	ck_assert_mem_eq(before.real, s.real, sizeof(s.real));
	ck_assert_mem_eq(before.write, s.write, sizeof(s.write));
	/* Still refused when the worker says that nothing is dirty. */
	ck_assert_int_eq(decode(&bad), -EINVAL);
	/* Once repaired, the others are not forgotten. */
	put(KSPLIT_S_GUEST_ACTIVITY_STATE, 0);
	ck_assert_int_eq(decode(&bad), 0);
	ck_assert_uint_eq(s.real[KSPLIT_S_GUEST_RIP], 0x1234);
	ck_assert(ksplit_slot_test(s.write, KSPLIT_S_GUEST_RIP));
	ck_assert_uint_eq(s.real[KSPLIT_S_TSC_OFFSET], 77);
}
END_TEST

/* Whatever a worker writes, in whatever order. */
START_TEST(random_vmcs)
{
	unsigned int round, i, nr, ok = 0;
	u32 bad;

	for (round = 0; round < 100000; round++) {
		if (round % 1000 == 0) {
			make_cpu(&hw);
			hw.cr4_allowed = rnd_value();
			hw.efer_allowed = rnd_value();
			hw.debugctl = rnd() & 1 << 14;
			hw.fast = rnd() % 2;
			ck_assert_int_eq(ksplit_caps_init(&hw), 0);
			ksplit_vmcs_reset(&s);
		}
		for (i = 0, nr = rnd() % 12; i < nr; i++)
			put(rnd() % KSPLIT_NR_SLOTS, rnd_value());
		/* Let most rounds through. */
		if (rnd() % 8)
			put(KSPLIT_S_GUEST_ACTIVITY_STATE, 0);
		if (rnd() % 8)
			put(KSPLIT_S_GUEST_CR4, rnd() & ksplit_cr4_guest(&hw));
		s.debugregs = rnd() % 2;
		memset(s.write, 0, s.fresh ? 0 : sizeof(s.write));
		if (decode(&bad))
			continue;
		ok++;
		assert_harmless(&hw, &s);
	}
	ck_assert_uint_gt(ok, 50000);
}
END_TEST

static unsigned int vmreads_of(u32 groups)
{
	unsigned int i, nr = 0;

	for (i = 0; i < KSPLIT_NR_SLOTS; i++)
		nr += ksplit_fields[i].group &&
		      groups >> ksplit_fields[i].group & 1;
	return nr;
}

static unsigned int vmreads(u32 reason)
{
	return vmreads_of(ksplit_exit_groups(reason, false));
}

START_TEST(exit_groups)
{
	unsigned int i;

	for (i = 0; i < 65536; i++) {
		u32 groups = ksplit_exit_groups(i, false);

		EQ(groups & 7, 6);
		EQ(groups >> KSPLIT_NR_GROUPS, 0);
		EQ(groups, ksplit_exit_groups(i | 1u << 31, false));
		if (i < 256)
			LE(vmreads(i), 18);
		/* Bounds what an exit costs where each VMREAD is one itself. */
		LE(vmreads_of(ksplit_exit_groups(i, true)), 31);
		EQ(groups & ~ksplit_exit_groups(i, true), 0);
	}
	ck_assert_uint_eq(vmreads(1), 8);	/* external interrupt */
	ck_assert_uint_eq(vmreads(52), 8);	/* preemption timer */
	ck_assert_uint_eq(vmreads(10), 8);	/* CPUID */
	ck_assert_uint_eq(vmreads(12), 8);	/* HLT */
	ck_assert_uint_eq(vmreads(32), 8);	/* WRMSR */
	ck_assert_uint_eq(vmreads(49), 14);	/* EPT misconfiguration: emulated */
	ck_assert_uint_eq(vmreads(28), 9);	/* CR access */
	ck_assert_uint_eq(vmreads(30), 12);	/* I/O: linear RIP */
	ck_assert_uint_eq(vmreads(48), 9);	/* EPT violation */
	ck_assert_uint_eq(vmreads(24), 18);	/* VMRESUME */
}
END_TEST

MAIN("pure/vmcs", slots, classes, caps_kvm, caps_limits, caps_decode, reset,
     ignored, writes, controls, control_registers, efer, debug, activity,
     left_to_cpu, no_effect_on_error, random_vmcs, exit_groups)
