// SPDX-License-Identifier: GPL-2.0-only
/*
 * docs/vmcs-policy.md is what the code says.  With --print, writes it.
 */
#include "common.h"
#include "msr_bitmap.h"

struct bit {
	u8 bit;
	const char *name;
	const char *reason;
};

static const struct bit pin[] = {
	{ 0, "external-interrupt exiting", "the host's interrupts" },
	{ 3, "NMI exiting", "the host's NMIs" },
	{ 5, "virtual NMIs", "or blocking by NMI in the guest blocks the host's" },
	{ 6, "preemption timer", "the stub's, for deadlines and kicks" },
	{ 7, "posted interrupts", "names a physical descriptor" },
};

static const struct bit proc[] = {
	{ 2, "interrupt-window exiting", "guest only" },
	{ 3, "TSC offsetting", "guest only" },
	{ 7, "HLT exiting", "set unless the provider allows HLT: CPU hog" },
	{ 9, "INVLPG exiting", "guest only" },
	{ 10, "MWAIT exiting", "set unless the provider allows MWAIT: C-states" },
	{ 11, "RDPMC exiting", "the host's counters" },
	{ 12, "RDTSC exiting", "guest only" },
	{ 15, "CR3-load exiting", "guest only" },
	{ 16, "CR3-store exiting", "guest only" },
	{ 17, "tertiary controls", "physical tables, host keys" },
	{ 19, "CR8-load exiting", "without TPR shadow CR8 is the host's TPR" },
	{ 20, "CR8-store exiting", "likewise" },
	{ 21, "TPR shadow", "not in this version" },
	{ 22, "NMI-window exiting", "guest only" },
	{ 23, "MOV-DR exiting", "set unless the run switches debug registers" },
	{ 24, "unconditional I/O exiting", "KVM uses no bitmaps" },
	{ 25, "I/O bitmaps", "likewise; L1 may set them: KVM reads its bitmaps itself" },
	{ 27, "monitor trap flag", "guest only" },
	{ 28, "MSR bitmaps", "the bitmap is the stub's" },
	{ 29, "MONITOR exiting", "as MWAIT exiting" },
	{ 30, "PAUSE exiting", "guest only" },
	{ 31, "secondary controls", "EPT and VPID are there" },
};

static const struct bit proc2[] = {
	{ 0, "virtualize APIC accesses", "not in this version" },
	{ 1, "EPT", "the pointer is the stub's" },
	{ 2, "descriptor-table exiting", "guest only" },
	{ 3, "RDTSCP", "guest only" },
	{ 4, "virtualize x2APIC mode", "not in this version" },
	{ 5, "VPID", "the number is the stub's" },
	{ 6, "WBINVD exiting", "the host's caches" },
	{ 7, "unrestricted guest", "guest only; the CPU must have it" },
	{ 8, "APIC-register virtualization", "not in this version" },
	{ 9, "virtual-interrupt delivery", "not in this version" },
	{ 10, "PAUSE-loop exiting", "guest only" },
	{ 11, "RDRAND exiting", "guest only" },
	{ 12, "INVPCID", "guest only" },
	{ 13, "VM functions", "none is enabled: VMFUNC exits or faults" },
	{ 14, "VMCS shadowing", "the shadow VMCS and what exits are the stub's" },
	{ 15, "ENCLS exiting", "native enclaves otherwise" },
	{ 16, "RDSEED exiting", "guest only" },
	{ 17, "PML", "not in this version" },
	{ 18, "EPT-violation #VE", "the information area is physical" },
	{ 19, "conceal VMX from PT", "PT is not switched" },
	{ 20, "XSAVES/XRSTORS", "guest XSS is 0" },
	{ 21, "PASID translation", "physical tables" },
	{ 22, "mode-based execute", "not in this version" },
	{ 23, "sub-page permissions", "physical table" },
	{ 24, "PT uses guest physical addresses", "PT is not switched" },
	{ 25, "TSC scaling", "guest only" },
	{ 26, "user wait and pause", "UMWAIT_CONTROL is not switched" },
	{ 27, "PCONFIG", "host keys" },
	{ 28, "ENCLV exiting", "native enclaves otherwise" },
	{ 30, "bus-lock detection", "guest only" },
	{ 31, "notify exiting", "the window is the stub's" },
};

static const struct bit exit_ctl[] = {
	{ 2, "save debug controls", "DR7 and DEBUGCTL of the guest" },
	{ 9, "host address-space size", "the host is 64-bit" },
	{ 12, "load PERF_GLOBAL_CTRL", "0 in this version" },
	{ 15, "acknowledge interrupt on exit", "KVM insists on it; the stub opens interrupts" },
	{ 18, "save PAT", "the guest's" },
	{ 19, "load PAT", "the host's comes back" },
	{ 20, "save EFER", "the guest's" },
	{ 21, "load EFER", "the host's comes back" },
	{ 22, "save preemption timer", "shown for L1; the stub's deadline is absolute" },
	{ 23, "clear BNDCFGS", "never loaded" },
	{ 24, "conceal VMX from PT", "PT is not switched" },
	{ 25, "clear RTIT_CTL", "never loaded" },
	{ 26, "clear LBR_CTL", "never loaded" },
	{ 27, "clear UINV", "never loaded" },
	{ 28, "load CET state", "never loaded" },
	{ 29, "load PKRS", "never loaded" },
	{ 30, "save PERF_GLOBAL_CTRL", "never loaded" },
	{ 31, "secondary exit controls", "not in this version" },
};

static const struct bit entry[] = {
	{ 2, "load debug controls", "the guest's DR7 and DEBUGCTL" },
	{ 9, "IA-32e mode guest", "the CPU checks it against EFER and CR0" },
	{ 10, "entry to SMM", "the host's SMM" },
	{ 11, "deactivate dual monitor", "the host's SMM" },
	{ 13, "load PERF_GLOBAL_CTRL", "the host's counters" },
	{ 14, "load PAT", "the guest's" },
	{ 15, "load EFER", "the guest's" },
	{ 16, "load BNDCFGS", "not switched" },
	{ 17, "conceal VMX from PT", "PT is not switched" },
	{ 18, "load RTIT_CTL", "not switched" },
	{ 19, "load UINV", "not switched" },
	{ 20, "load CET state", "not switched" },
	{ 21, "load LBR_CTL", "not switched" },
	{ 22, "load PKRS", "not switched" },
};

static const struct {
	const char *title;
	const struct bit *bits;
	unsigned int nr;
} words[KSPLIT_NR_CTLS] = {
	{ "Pin-based controls", pin, ARRAY_SIZE(pin) },
	{ "Primary processor-based controls", proc, ARRAY_SIZE(proc) },
	{ "Secondary processor-based controls", proc2, ARRAY_SIZE(proc2) },
	{ "VM-exit controls", exit_ctl, ARRAY_SIZE(exit_ctl) },
	{ "VM-entry controls", entry, ARRAY_SIZE(entry) },
};

static const char *const class_names[] = { "never", "stub", "host", "control",
					   "guest", "exit", "address" };
static const char *const group_names[] = {
	"", "exit", "basic", "rsp", "insn", "qual", "addr", "error", "vmx",
	"cr", "pdptr", "mode", "seg", "dt", "sysenter", "entry", "misc", "shadow",
};

static const char *decision(unsigned int word, unsigned int bit)
{
	const struct ksplit_policy *p = &ksplit_policies[word];

	if (p->must >> bit & 1)
		return "must";
	if (p->force >> bit & 1)
		return "must if the CPU has it";
	if (p->may >> bit & 1)
		return "may";
	return p->shown >> bit & 1 ? "clear, shown" : "never";
}

static void print_words(FILE *f)
{
	unsigned int i, j;

	for (i = 0; i < KSPLIT_NR_CTLS; i++) {
		fprintf(f, "\n### %s\n\n| bit | control | policy | why |\n"
			"|---|---|---|---|\n", words[i].title);
		for (j = 0; j < words[i].nr; j++)
			fprintf(f, "| %u | %s | %s | %s |\n",
				words[i].bits[j].bit, words[i].bits[j].name,
				decision(i, words[i].bits[j].bit),
				words[i].bits[j].reason);
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

		fprintf(f, "| %#06x | %s | %s | %s |\n", names[i].encoding,
			names[i].name,
			class_names[slot < 0 ? 0 : ksplit_fields[slot].cls],
			group_names[slot < 0 ? 0 : ksplit_fields[slot].group]);
	}
}

static void print_msrs(FILE *f)
{
	static const char *const rights[] = { "", "read", "write",
					      "read, write" };
	unsigned int i;

	fputs("\n## MSRs without VM exit\n\n"
	      "If the worker's bitmap lets them through as well; every other MSR "
	      "exits.\n\n| MSR | access |\n|---|---|\n", f);
	for (i = 0; i < KSPLIT_NR_PASS_MSRS; i++)
		fprintf(f, "| %#x | %s |\n", ksplit_pass_msrs[i].msr,
			rights[ksplit_pass_msrs[i].rights]);
}

static void print_doc(FILE *f)
{
	fputs("# VMCS policy\n\n"
	      "Generated from `kvm-split/pure/` by `make -C tests/unit/pure doc`; a "
	      "unit test compares the\ntwo. It says what a worker may put in the VMCS "
	      "that the stub runs for it.\n\n"
	      "## Controls\n\n"
	      "*must*: always set. *may*: the worker chooses, if the CPU has it. "
	      "*never*: always clear.\n"
	      "*clear, shown*: always clear, although the capability MSRs that "
	      "the worker reads allow it.\n"
	      "Bits that are not listed are as the CPU demands. A worker that asks "
	      "for something else is not\nrefused: the bit is merged.\n", f);
	print_words(f);
	fputs("\n## Values\n\n"
	      "| field | rule | why |\n|---|---|---|\n"
	      "| exception bitmap | \\| DB, AC, MC | the stub must see them first |\n"
	      "| CR0 mask | the guest owns at most TS, WP | |\n"
	      "| CR0 | CD, NW clear; ET, NE set | CD and NW are loaded by neither entry nor exit |\n"
	      "| CR4 mask | the guest owns at most PVI, TSD, DE, PGE, PCE, OSFXSR, OSXMMEXCPT, FSGSBASE, as far as it may have them | |\n"
	      "| CR4 | allowed features; MCE, VMXE set; SMXE, PKS, CET, UINTR, LAM_SUP, FRED clear | without MCE a machine check is a shutdown |\n"
	      "| EFER | SCE, LME, LMA, NX as the host; without \"load EFER\" the host's, LME and LMA as IA-32e mode | the host's comes back at exit |\n"
	      "| DR7 | 32 bits; no breakpoint enabled unless the run switches DR0-DR3 | they are the host's otherwise |\n"
	      "| DEBUGCTL | BTF, and the host's FREEZE_IN_SMM | LBR, BTS and TR write host memory |\n"
	      "| interruptibility | STI, MOV SS, NMI | no SMI blocking, no enclave bit |\n"
	      "| activity state | active; HLT only without HLT exiting; **others are refused** | wait-for-SIPI blocks interrupts and NMIs |\n"
	      "| entry interruption information | **refused** if valid and: reserved type or bits, NMI with a vector other than 2, exception above 31, error code where none belongs, other event but MTF, software event longer than 15 bytes | hygiene: entry would fail |\n"
	      "| TPR threshold | 4 bits | |\n"
	      "| TSC multiplier | 0 becomes 1.0 | |\n"
	      "| XSS-exiting, ENCLS and ENCLV bitmaps, VMCS link pointer | all ones | |\n"
	      "| preemption timer | the stub's deadline | |\n"
	      "| other fields of class stub, but the VPID | 0 | |\n"
	      "| other fields of class guest | any value | at worst VM entry fails, and the worker is told |\n",
	      f);
	fputs("\n## Classes\n\n"
	      "* never: not used in this version; has no value, writes are ignored\n"
	      "* stub: the value is the stub's, the worker's is ignored\n"
	      "* host: host state, likewise\n"
	      "* control: merged with the policy above\n"
	      "* guest: the worker's value, after the rules above\n"
	      "* exit: read-only, the CPU's\n"
	      "* address: names the worker's own memory, which the stub reads; the "
	      "real field is the stub's\n", f);
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

START_TEST(doc)
{
	static char stored[1 << 16];
	size_t size, nr;
	char *text = generated(&size);
	FILE *f = fopen(DOC, "r");

	ck_assert_msg(f, "no %s", DOC);
	nr = fread(stored, 1, sizeof(stored), f);
	fclose(f);
	ck_assert_msg(nr == size && !memcmp(stored, text, size),
		      "docs/vmcs-policy.md differs: make -C tests/unit/pure doc");
	free(text);
}
END_TEST

/* The names above cover every bit that the policy decides. */
START_TEST(bits_named)
{
	unsigned int i, j;

	for (i = 0; i < KSPLIT_NR_CTLS; i++) {
		const struct ksplit_policy *p = &ksplit_policies[i];
		u32 named = 0;

		for (j = 0; j < words[i].nr; j++) {
			ck_assert(!(named >> words[i].bits[j].bit & 1));
			named |= 1u << words[i].bits[j].bit;
		}
		ck_assert_uint_eq((p->may | p->must | p->force | p->shown) &
				  ~named, 0);
		/* And no bit is decided twice. */
		ck_assert_uint_eq((p->may & p->must) | (p->may & p->force) |
				  (p->may & p->shown) | (p->must & p->force) |
				  (p->must & p->shown), 0);
	}
	ck_assert_uint_eq(ARRAY_SIZE(group_names), KSPLIT_NR_GROUPS);
}
END_TEST

int main(int argc, char **argv)
{
	const TTest *const tests[] = { doc, bits_named };

	if (argc == 2 && !strcmp(argv[1], "--print")) {
		print_doc(stdout);
		return 0;
	}
	return run_suite("pure/doc", tests, ARRAY_SIZE(tests));
}
