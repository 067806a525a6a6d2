// SPDX-License-Identifier: GPL-2.0-only
/*
 * pure/vmcs_policy.c, pure/vmcs_decode.c: VMCS fields that a worker writes, in any
 * order, with runs in between.
 *
 * Properties: the real VMCS is harmless; each control word is one that the CPU takes
 * and the policy gives; a refusal has no effect; real values follow from the complete
 * VMCS alone, not from the way to it; what changed is written, and only once.
 */
#include "fuzz.h"
#include "cpu.h"

UNCOUNTED_BEGIN
#include "harmless.h"
UNCOUNTED_END

static struct ksplit_hw hw;
static struct ksplit_vmcs_state s;

/* Where each control word's capabilities are, and what every CPU may demand (SDM, A.2-A.5). */
static const struct {
	u16 msr;
	u16 slot;
	u32 default1;
} words[KSPLIT_NR_CTLS] = {
	[KSPLIT_CTL_PIN] = { 0x48d, KSPLIT_S_PIN_BASED_VM_EXEC_CONTROL, 0x16 },
	[KSPLIT_CTL_PROC] = { 0x48e, KSPLIT_S_CPU_BASED_VM_EXEC_CONTROL, 0x0401e172 },
	[KSPLIT_CTL_PROC2] = { 0x48b, KSPLIT_S_SECONDARY_VM_EXEC_CONTROL, 0 },
	[KSPLIT_CTL_EXIT] = { 0x48f, KSPLIT_S_VM_EXIT_CONTROLS, 0x36dff },
	[KSPLIT_CTL_ENTRY] = { 0x490, KSPLIT_S_VM_ENTRY_CONTROLS, 0x11ff },
};

/* Another CPU: some controls less, some that are always on. */
static void bend_cpu(struct input *in)
{
	for (unsigned int i = 0; i < KSPLIT_NR_CTLS; i++) {
		u64 lacks = take_number(in, 4), demands = take_number(in, 4);

		hw.msr[KSPLIT_VMX_MSR(words[i].msr)] &= ~(lacks << 32);
		hw.msr[KSPLIT_VMX_MSR(words[i].msr)] |= demands;
	}
	take(in, hw.supported, sizeof(hw.supported));
	hw.cr4_allowed = take_number(in, 8);
	hw.efer_allowed = take_number(in, 2);
}

static UNCOUNTED void check_controls(void)
{
	for (unsigned int i = 0; i < KSPLIT_NR_CTLS; i++) {
		u64 cap = hw.msr[KSPLIT_VMX_MSR(words[i].msr)];
		u32 lo = i == KSPLIT_CTL_PROC2 ? 0 : (u32)cap, hi = cap >> 32;
		u32 must = ksplit_policy(i, KSPLIT_BIT_MUST);
		u32 force = ksplit_policy(i, KSPLIT_BIT_FORCE) & hi;
		u32 may = ksplit_policy(i, KSPLIT_BIT_MAY) |
			  (hw.fast ? ksplit_policy(i, KSPLIT_BIT_FAST) : 0);
		u64 real = s.real[words[i].slot];

		EQ(real & ~(u64)hi, 0);
		EQ(~real & (lo | must | force), 0);
		EQ(real & ~(u64)(must | force | may | words[i].default1), 0);
	}
}

static bool is_workers(unsigned int slot)
{
	return ksplit_fields[slot].cls == KSPLIT_CTL || ksplit_fields[slot].cls == KSPLIT_GUEST;
}

/* The same VMCS, written at once. */
static void check_memoryless(void)
{
	static struct ksplit_vmcs_state other;
	u32 bad;

	ksplit_vmcs_reset(&other);
	memcpy(other.want, s.want, sizeof(s.want));
	memset(other.pending, 0xff, sizeof(other.pending));
	other.debugregs = s.debugregs;
	EQ(ksplit_decode(&hw, &other, &bad), 0);
	EQ(memcmp(other.real, s.real, sizeof(s.real)), 0);
}

static UNCOUNTED void check_written(const struct ksplit_vmcs_state *before)
{
	for (unsigned int i = 0; i < KSPLIT_NR_SLOTS; i++) {
		if (s.real[i] != before->real[i])
			EQ(ksplit_slot_test(s.write, i), ksplit_slot_test(hw.supported, i));
		if (ksplit_slot_test(s.write, i))
			HOLDS(ksplit_slot_test(hw.supported, i) &&
			      (is_workers(i) || ksplit_fields[i].cls == KSPLIT_STUB));
	}
	memset(s.write, 0, sizeof(s.write));
}

static void run(bool bent)
{
	static struct ksplit_vmcs_state before;
	u32 bad = ~0u;
	int err;

	before = s;
	err = ksplit_decode(&hw, &s, &bad);
	if (err) {
		EQ(err, -EINVAL);
		EQ(memcmp(&before, &s, sizeof(s)), 0);
		HOLDS(is_workers(KSPLIT_SLOT(bad)));
		EQ(ksplit_fields[KSPLIT_SLOT(bad)].encoding, bad);
		return;
	}
	if (!bent)
		assert_harmless(&hw, &s);
	check_controls();
	check_memoryless();
	check_written(&before);
	EQ(ksplit_decode(&hw, &s, &bad), 0);
	for (unsigned int i = 0; i < KSPLIT_SLOT_WORDS; i++)
		EQ(s.write[i] | s.pending[i], 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	bool bent = take_number(&in, 1) & 1;

	make_cpu(&hw);
	if (bent)
		bend_cpu(&in);
	if (ksplit_caps_init(&hw))
		return 0;
	ksplit_vmcs_reset(&s);
	while (in.left) {
		u8 what = take_number(&in, 1);
		u8 slot = take_number(&in, 1);

		if (what & 0x40) {
			s.debugregs = what & 1;
			run(bent);
			continue;
		}
		s.want[slot] = take_number(&in, (what & 7) + 1);
		ksplit_slot_set(s.pending, slot);
	}
	run(bent);
	return 0;
}
