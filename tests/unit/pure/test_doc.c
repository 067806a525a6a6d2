// SPDX-License-Identifier: GPL-2.0-only
/*
 * docs/vmcs-policy.md is what the code says.  With --print, writes it.
 */
#include "common.h"
#include "msr_bitmap.h"

#define NEVER_SET	0xff

/* A bit of a control word. */
struct bit {
	u8 word;
	u8 decision;		/* NEVER_SET: in no decision of the stub's */
	u32 mask;
	const char *name;
	const char *reason;
};

static const struct bit bits[] = {
#define CTL(word, mask, decision, reason) \
	{ KSPLIT_CTL_##word, KSPLIT_BIT_##decision, mask, #mask, reason },
#define NEVER(word, mask, reason) \
	{ KSPLIT_CTL_##word, NEVER_SET, mask, #mask, reason },
#include "vmcs_controls.h"
#include "vmcs_never.h"
#undef CTL
#undef NEVER
};

static const char *const titles[KSPLIT_NR_CTLS] = {
	"Pin-based controls", "Primary processor-based controls",
	"Secondary processor-based controls", "VM-exit controls", "VM-entry controls",
};

/* What is no value: the run is refused. */
#define REFUSED		0x5e1f0fedull

/*
 * The rules for values.  Each is tried with its samples: what the worker wants,
 * and what the stub writes, on the processor of make_cpu() and while the
 * VM-entry controls want @entry.  0 and 0 ends them.
 */
static const struct rule {
	const char *field;
	const char *rule;
	const char *why;
	u32 entry;
	u16 slots[3];
	struct {
		u64 want, real;
	} sample[6];
} rules[] = {
	{
		"exception bitmap", "\\| DB, AC, MC", "the stub must see them first",
		.slots = { KSPLIT_S_EXCEPTION_BITMAP },
		.sample = { { 0, 0x60002 }, { 0x4000, 0x64002 }, { ~0u, 0xffffffff } },
	}, {
		"CR0 mask", "the guest owns at most TS, WP", "",
		.slots = { KSPLIT_S_CR0_GUEST_HOST_MASK },
		.sample = { { 0, ~0x10008ull }, { ~0ull, ~0ull } },
	}, {
		"CR0", "PE, MP, EM, TS, WP, AM, PG are the worker's; ET, NE set; others clear",
		"CD and NW are loaded by neither entry nor exit",
		.slots = { KSPLIT_S_GUEST_CR0 },
		.sample = { { 0, 0x30 }, { 0x60000011, 0x31 }, { ~0ull, 0x8005003f } },
	}, {
		"CR4 mask", "the guest owns at most PVI, TSD, DE, PGE, PCE, OSFXSR, OSXMMEXCPT, "
		"FSGSBASE, as far as it may have them", "",
		.slots = { KSPLIT_S_CR4_GUEST_HOST_MASK },
		.sample = { { 0, ~0x1078eull }, { ~0ull, ~0ull } },
	}, {
		"CR4", "MCE, VMXE set; with a feature that the host does not use, or SMXE, PKS, "
		"CET, UINTR, LAM_SUP, FRED, bit 63 alone",
		"libkvm offers none of them, and entry fails as on a CPU without them; without MCE "
		"a machine check is a shutdown",
		.slots = { KSPLIT_S_GUEST_CR4 },
		.sample = { { 0, 0x2040 }, { 0x771fbf, 0x773fff }, { 0x773fff, 0x773fff },
			    { 1 << 14, 1ull << 63 }, { 1 << 28, 1ull << 63 },
			    { 1ull << 32, 1ull << 63 } },
	}, {
		"EFER with \"load EFER\"", "SCE, LME, LMA, NX, as far as the host has them",
		"it is always loaded: the host's comes back at exit",
		.entry = 0x8000, .slots = { KSPLIT_S_GUEST_IA32_EFER },
		.sample = { { ~0ull, 0xd01 }, { 0x500, 0x500 }, { 0x1000, 0 } },
	}, {
		"EFER without", "the host's SCE and NX, LME and LMA as IA-32e mode",
		"what the CPU would do",
		.slots = { KSPLIT_S_GUEST_IA32_EFER },
		.sample = { { ~0ull, 0x801 }, { 0x500, 0x801 } },
	}, {
		"DR7", "32 bits; no breakpoint enabled unless the run switches DR0-DR3",
		"they are the host's otherwise",
		.slots = { KSPLIT_S_GUEST_DR7 },
		.sample = { { ~0ull, 0xffffff00 }, { 0x401, 0x400 } },
	}, {
		"DEBUGCTL", "BTF, and the host's FREEZE_IN_SMM",
		"LBR, BTS and TR write host memory",
		.slots = { KSPLIT_S_GUEST_IA32_DEBUGCTL },
		.sample = { { 0, 0x4000 }, { ~0ull, 0x4002 }, { 0x2, 0x4002 } },
	}, {
		"interruptibility", "STI, MOV SS, SMI, NMI as they are; with any other bit, bit 31",
		"entry fails, as the CPU does not know the enclave bit either",
		.slots = { KSPLIT_S_GUEST_INTERRUPTIBILITY_INFO },
		.sample = { { 0xf, 0xf }, { 4, 4 }, { 0x10, 0x80000010 }, { 0x20, 0x80000020 } },
	}, {
		"activity state", "active; others are **refused**",
		"HLT exits; the others block interrupts and NMIs",
		.slots = { KSPLIT_S_GUEST_ACTIVITY_STATE },
		.sample = { { 1, REFUSED }, { 2, REFUSED }, { 3, REFUSED },
			    { 1ull << 32, REFUSED } },
	}, {
		"entry interruption information", "as it is; if valid and with reserved bits, "
		"or another event than MTF, an event of the reserved type", "entry fails, on later CPUs as well",
		.slots = { KSPLIT_S_VM_ENTRY_INTR_INFO_FIELD },
		.sample = { { 0x80000b0d, 0x80000b0d }, { 0x80000020, 0x80000020 },
			    { 0x80000203, 0x80000203 }, { 0x80002020, 0x80000100 },
			    { 0x80000701, 0x80000100 } },
	}, {
		"XSS-exiting, ENCLS and ENCLV bitmaps", "all ones", "",
		.slots = { KSPLIT_S_XSS_EXIT_BITMAP, KSPLIT_S_ENCLS_EXITING_BITMAP,
			   KSPLIT_S_ENCLV_EXITING_BITMAP },
		.sample = { { 0, ~0ull }, { 1, ~0ull } },
	}, {
		"preemption timer", "the stub's deadline", "",
		.slots = { KSPLIT_S_VMX_PREEMPTION_TIMER_VALUE },
		.sample = { { 1, 0xffffffff } },
	},
};

static const char *const class_names[] = { "never", "stub", "host", "control",
					   "guest", "exit", "address" };
static const char *const group_names[] = {
	"", "exit", "basic", "rsp", "insn", "qual", "addr", "error", "vmx",
	"cr", "pdptr", "mode", "seg", "dt", "sysenter", "entry", "misc", "shadow",
};

static void print_words(FILE *f)
{
	static const char *const decisions[] = {
		[KSPLIT_BIT_MAY] = "may", [KSPLIT_BIT_MUST] = "must",
		[KSPLIT_BIT_FORCE] = "must if the CPU has it",
		[KSPLIT_BIT_FAST] = "may, `KVM_SPLIT_FAST`",
		[KSPLIT_BIT_SHOWN] = "clear, shown",
	};
	unsigned int i, j, bit;

	for (i = 0; i < KSPLIT_NR_CTLS; i++) {
		fprintf(f, "\n### %s\n\n| bit | control | policy | why |\n"
			"|---|---|---|---|\n", titles[i]);
		for (bit = 0; bit < 32; bit++) {
			for (j = 0; j < ARRAY_SIZE(bits); j++) {
				const struct bit *b = &bits[j];

				if (b->word != i || b->mask != BIT(bit))
					continue;
				fprintf(f, "| %u | %s | %s | %s |\n", bit,
					strncmp(b->name, "BIT(", 4) ? b->name : "",
					b->decision == NEVER_SET ? "never" :
					decisions[b->decision], b->reason);
			}
		}
	}
}

static void print_fields(FILE *f)
{
	static const struct { u32 encoding; const char *name; } names[] = {
#define SDM(encoding, name)	{ encoding, #name },
#include "sdm_fields.h"
#undef SDM
	};
	unsigned int i;

	fputs("\n## Fields\n\n"
	      "Every field of SDM vol. 3, appendix B. A field with a group may be "
	      "changed by the CPU.\n\n"
	      "| encoding | field | class | group |\n|---|---|---|---|\n", f);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		int slot = field_slot(names[i].encoding);

		fprintf(f, "| 0x%04x | %s | %s | %s |\n", names[i].encoding,
			names[i].name,
			class_names[slot < 0 ? 0 : ksplit_fields[slot].cls],
			group_names[slot < 0 ? 0 : ksplit_fields[slot].group]);
	}
}

/* The bits of a word of the MSR bitmap that may be clear. */
static u64 passed(unsigned int word)
{
	for (unsigned int i = 0; i < KSPLIT_NR_MSR_WORDS; i++)
		if (ksplit_pass_words[i].word == word)
			return ksplit_pass_words[i].mask;
	return 0;
}

static void print_msrs(FILE *f)
{
	static const char *const rights[] = { "", "read", "write",
					      "read, write" };
	unsigned int i;

	fputs("\n## MSRs without VM exit\n\n"
	      "If the worker's bitmap lets them through as well; every other MSR "
	      "exits.\nThose of an x2APIC do so unless the processor virtualizes them (`kvm-split/fast/x2apic.h`): "
	      "TPR with\n\"virtualize x2APIC mode\", other reads with \"APIC-register virtualization\", EOI and "
	      "SELF_IPI with\n\"virtual-interrupt delivery\" as well.\n\n| MSR | access |\n|---|---|\n", f);
	for (i = 0; i < 0x4000; i++) {
		u32 msr = i < 0x2000 ? i : 0xc0000000 + i - 0x2000;
		unsigned int access = passed(i / 64) >> i % 64 & 1;

		access |= (passed(256 + i / 64) >> i % 64 & 1) << 1;
		if (access)
			fprintf(f, "| %#x | %s |\n", msr, rights[access]);
	}
}

static void print_doc(FILE *f)
{
	unsigned int i;

	fputs("# VMCS policy\n\n"
	      "Generated from `kvm-split/pure/` by `make -C tests/unit/pure doc`; a "
	      "unit test compares the\ntwo. It says what a worker may put in the VMCS "
	      "that the stub runs for it.\n\n"
	      "## Controls\n\n"
	      "*must*: always set. *may*: the worker chooses, if the CPU has it. "
	      "*never*: always clear.\n"
	      "*clear, shown*: always clear, although the capability MSRs that "
	      "the worker reads allow it.\n"
	      "Bits have the kernel's names; those not listed are as the CPU demands. A worker that asks "
	      "for something else is not\nrefused: the bit is merged.\n", f);
	print_words(f);
	fputs("\n## Values\n\n"
	      "What VM entry refuses goes to the processor as it is, or as a value that the "
	      "processor refuses, too: the\nworker is told, as KVM is. *Refused*: no guest can "
	      "cause it, and the run is not begun.\n\n"
	      "| field | rule | why |\n|---|---|---|\n", f);
	for (i = 0; i < ARRAY_SIZE(rules); i++)
		fprintf(f, "| %s | %s | %s |\n", rules[i].field, rules[i].rule, rules[i].why);
	fputs("| posted-interrupt notification vector | the host's vector for it | the handler there does nothing |\n"
	      "| other fields of class stub, but the VPID | 0 | |\n"
	      "| other fields of class guest | any value | at worst VM entry fails |\n", f);
	fputs("\n## Classes\n\n"
	      "* never: its control is always clear, so the CPU does not look at it; writes are ignored\n"
	      "* stub: the value is the stub's, the worker's is ignored\n"
	      "* host: host state, likewise\n"
	      "* control: merged with the policy above\n"
	      "* guest: the worker's value, after the rules above\n"
	      "* exit: read-only, the CPU's\n"
	      "* address: names the worker's own memory, which the stub reads, but for the VMREAD and "
	      "VMWRITE bitmaps;\n  the real field is the stub's. The virtual-APIC page and the page of the "
	      "posted-interrupt descriptor are\n  pinned; the APIC-access page is the stub's own, wherever "
	      "the worker's tables have that address\n", f);
	print_fields(f);
	print_msrs(f);
}

static char *generated(size_t *size)
{
	char *text;
	FILE *f = open_memstream(&text, size);

	print_doc(f);
	fclose(f);
	return text;
}

/* Where the document and what it should be differ, on standard output. */
static void print_diff(const char *text, size_t size)
{
	FILE *diff = popen("diff -u --label docs/vmcs-policy.md --label generated '" DOC "' -", "w");

	if (diff) {
		fwrite(text, 1, size, diff);
		pclose(diff);
	}
}

START_TEST(doc)
{
	static char stored[1 << 16];
	size_t size, nr;
	char *text = generated(&size);
	FILE *f = fopen(DOC, "r");

	ck_assert_msg(f, "no %s", DOC);
	nr = fread(stored, 1, sizeof(stored), f);
	fclose(f);
	if (nr != size || memcmp(stored, text, size)) {
		print_diff(text, size);
		ck_abort_msg("docs/vmcs-policy.md differs; if it should: make -C tests/unit/pure doc");
	}
	free(text);
}
END_TEST

/* Every bit has one row, and what the stub takes from the rows is what they say. */
START_TEST(controls)
{
	u32 seen[KSPLIT_NR_CTLS] = { 0 }, sum[KSPLIT_NR_CTLS][KSPLIT_BIT_SHOWN + 1] = { 0 };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		ck_assert_int_eq(__builtin_popcount(bits[i].mask), 1);
		ck_assert_msg(!(seen[bits[i].word] & bits[i].mask), "%s twice", bits[i].name);
		seen[bits[i].word] |= bits[i].mask;
		if (bits[i].decision != NEVER_SET)
			sum[bits[i].word][bits[i].decision] |= bits[i].mask;
	}
	for (i = 0; i < KSPLIT_NR_CTLS; i++)
		for (j = 0; j <= KSPLIT_BIT_SHOWN; j++)
			ck_assert_uint_eq(ksplit_policy(i, j), sum[i][j]);
	ck_assert_uint_eq(ARRAY_SIZE(group_names), KSPLIT_NR_GROUPS);
}
END_TEST

/* What the stub writes for a value, or REFUSED. */
static u64 real_of(unsigned int slot, u64 want, u32 entry)
{
	struct ksplit_vmcs_state s;
	struct ksplit_hw hw;
	u32 bad;

	make_cpu(&hw);
	ck_assert_int_eq(ksplit_caps_init(&hw), 0);
	ksplit_vmcs_reset(&s);
	s.want[KSPLIT_S_VM_ENTRY_CONTROLS] = entry;
	s.want[slot] = want;
	ksplit_slot_set(s.pending, slot);
	if (!ksplit_decode(&hw, &s, &bad))
		return s.real[slot];
	ck_assert_uint_eq(bad, ksplit_fields[slot].encoding);
	return REFUSED;
}

/* Every row about values is true. */
START_TEST(values)
{
	bool ruled[KSPLIT_NR_SLOTS] = { false };
	unsigned int i, j, k;

	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct rule *r = &rules[i];

		for (j = 0; j < ARRAY_SIZE(r->slots) && (!j || r->slots[j]); j++) {
			ruled[r->slots[j]] = true;
			for (k = 0; k < ARRAY_SIZE(r->sample); k++) {
				u64 want = r->sample[k].want, real = r->sample[k].real;

				if (!want && !real)
					break;
				ck_assert_msg(real_of(r->slots[j], want, r->entry) == real,
					      "%s: %#llx gives %#llx, not %#llx", r->field,
					      (long long)want,
					      (long long)real_of(r->slots[j], want, r->entry),
					      (long long)real);
			}
		}
	}
	for (i = 1; i < KSPLIT_NR_SLOTS; i++) {
		if (ruled[i])
			continue;
		if (ksplit_fields[i].cls == KSPLIT_STUB)
			ck_assert_uint_eq(real_of(i, ~0ull, 0), 0);
		if (ksplit_fields[i].cls == KSPLIT_GUEST)
			ck_assert_uint_eq(real_of(i, ~0ull, 0), ~0ull);
	}
}
END_TEST

int main(int argc, char **argv)
{
	const TTest *const tests[] = { doc, controls, values };

	if (argc == 2 && !strcmp(argv[1], "--print")) {
		print_doc(stdout);
		return 0;
	}
	return run_tests("pure/doc", tests, ARRAY_SIZE(tests));
}
