// SPDX-License-Identifier: GPL-2.0-only
/*
 * What kvm-splitctl knows, in the text format of Prometheus (version 0.0.4).
 *
 * Invariants: a family's samples stand together below its HELP and TYPE; no sample is
 * there twice; the names of families and labels are this table's, whatever others
 * call themselves; there is one series for each tenant and VM that lives, and one for
 * each exit reason of the processor, so that none is unbounded.
 */
#include <stdio.h>
#include <string.h>

#include "common/array_size.h"
#include "prometheus.h"

#define PAGE	4096		/* bytes of an entry of the stub's */

/* Rows of the same kind have the same labels: a label is a member of that name. */
static const struct {
	const char *name;
	const char *labels[4];
} kinds[] = {
	{ "build", { "version" } },
	{ "host", { } },
	{ "counters", { } },
	{ "exits", { "reason" } },
	{ "tenants", { "tenant", "uid" } },
	{ "vms", { "tenant", "uid", "vm" } },
};

#define COUNTER	"counter"
#define GAUGE	"gauge"

static const struct family {
	const char *name, *type;
	const char *rows;		/* of kinds[] */
	const char *key;		/* the row's member that is the value */
	double scale;			/* to the base unit; 0: as it is */
	const char *help;
} families[] = {
	{ "kvmsplit_build_info", GAUGE, "build", "one", 0,
		"Version of kvm-splitctl; the value is always 1." },
	{ "kvmsplit_stub_up", GAUGE, "host", "stub", 0,
		"Whether the kernel has the stub and its counters can be read." },
	{ "kvmsplit_launcher_up", GAUGE, "host", "launcher", 0,
		"Whether kvm-split-launcher runs." },
	/* The stub's, of the whole host. */
	{ "kvmsplit_sessions", GAUGE, "counters", "sessions", 0,
		"Sessions of workers, spare ones included." },
	{ "kvmsplit_vms", GAUGE, "counters", "vms", 0, "Virtual machines of the stub." },
	{ "kvmsplit_vcpus", GAUGE, "counters", "vcpus", 0, "vCPUs of the stub." },
	{ "kvmsplit_slots", GAUGE, "counters", "slots", 0, "Memory slots of all VMs." },
	{ "kvmsplit_ept_roots", GAUGE, "counters", "roots", 0, "Roots of the stub's own EPTs." },
	{ "kvmsplit_ept_bytes", GAUGE, "counters", "ept_pages", PAGE,
		"Memory of the stub's own EPTs." },
	{ "kvmsplit_window_bytes", GAUGE, "counters", "window_pages", PAGE,
		"Guest memory pinned in windows of workers." },
	{ "kvmsplit_calls_total", COUNTER, "counters", "calls", 0,
		"Calls of clients handed to workers." },
	{ "kvmsplit_copies_total", COUNTER, "counters", "copies", 0,
		"Copies between workers and the memory of clients." },
	{ "kvmsplit_runs_total", COUNTER, "counters", "runs", 0, "Runs of vCPUs." },
	{ "kvmsplit_exits_total", COUNTER, "counters", "exits", 0, "VM exits." },
	{ "kvmsplit_exits_worker_total", COUNTER, "counters", "exits_worker", 0,
		"VM exits that the worker handled." },
	{ "kvmsplit_exits_ring0_total", COUNTER, "counters", "exits_ring0", 0,
		"VM exits that the stub handled." },
	{ "kvmsplit_fills_total", COUNTER, "counters", "fills", 0,
		"Groups of VMCS fields fetched by workers." },
	{ "kvmsplit_blocks_total", COUNTER, "counters", "blocks", 0,
		"Times a vCPU waited in the stub." },
	{ "kvmsplit_kicks_total", COUNTER, "counters", "kicks", 0, "Kicks of vCPUs." },
	{ "kvmsplit_flushes_total", COUNTER, "counters", "flushes", 0,
		"Flushes of the stub's own EPTs." },
	{ "kvmsplit_fault_ins_total", COUNTER, "counters", "fault_ins", 0,
		"Pages of clients faulted in for workers." },
	{ "kvmsplit_window_faults_total", COUNTER, "counters", "window_faults", 0,
		"Faults of workers in windows." },
	{ "kvmsplit_ept_faults_total", COUNTER, "counters", "ept_faults", 0,
		"EPT violations that the stub looked into." },
	{ "kvmsplit_ept_zaps_total", COUNTER, "counters", "ept_zaps", 0,
		"Entries taken from the stub's own EPTs." },
	{ "kvmsplit_vmreads_total", COUNTER, "counters", "vmreads", 0, "VMREADs." },
	{ "kvmsplit_vmwrites_total", COUNTER, "counters", "vmwrites", 0, "VMWRITEs." },
	{ "kvmsplit_doorbells_total", COUNTER, "counters", "doorbells", 0,
		"Writes to ports that the stub answered with a signal." },
	{ "kvmsplit_exits_by_reason_total", COUNTER, "exits", "count", 0, "VM exits by reason." },
	{ "kvmsplit_exits_by_reason_ring0_total", COUNTER, "exits", "ring0", 0,
		"VM exits that the stub handled, by reason." },
	/* From /proc, and the configuration. */
	{ "kvmsplit_tenant_supervisor_up", GAUGE, "tenants", "up", 0,
		"Whether the tenant's supervisor runs." },
	{ "kvmsplit_tenant_workers", GAUGE, "tenants", "workers", 0,
		"The tenant's workers, spare ones included." },
	{ "kvmsplit_tenant_vms", GAUGE, "tenants", "vms", 0, "The tenant's virtual machines." },
	{ "kvmsplit_tenant_vcpus", GAUGE, "tenants", "vcpus", 0, "The tenant's vCPUs." },
	{ "kvmsplit_tenant_guest_memory_bytes", GAUGE, "tenants", "memory", 0,
		"Memory slots of the tenant's VMs." },
	{ "kvmsplit_tenant_worker_resident_memory_bytes", GAUGE, "tenants", "rss", 0,
		"Resident memory of the tenant's workers." },
	{ "kvmsplit_tenant_vms_limit", GAUGE, "tenants", "max-vms", 0,
		"Opens of /dev/kvm that the tenant may have at one time." },
	{ "kvmsplit_tenant_vcpus_limit", GAUGE, "tenants", "max-vcpus", 0,
		"vCPUs that the tenant may have." },
	{ "kvmsplit_tenant_guest_memory_limit_bytes", GAUGE, "tenants", "max-memory", 0,
		"Memory slots that one open of /dev/kvm may have; none: unlimited." },
	{ "kvmsplit_tenant_guest_memory_sum_limit_bytes", GAUGE, "tenants", "max-memory-sum", 0,
		"Memory slots that the tenant may have; none: unlimited." },
	{ "kvmsplit_vm_vms", GAUGE, "vms", "vms", 0, "Virtual machines of the worker." },
	{ "kvmsplit_vm_vcpus", GAUGE, "vms", "vcpus", 0, "vCPUs of the worker." },
	{ "kvmsplit_vm_guest_memory_bytes", GAUGE, "vms", "memory", 0,
		"Memory slots of the worker." },
	{ "kvmsplit_vm_worker_resident_memory_bytes", GAUGE, "vms", "rss", 0,
		"Resident memory of the worker." },
	{ "kvmsplit_vm_worker_cpu_seconds_total", COUNTER, "vms", "cpu", 0,
		"CPU time of the worker, its guest's included." },
	{ "kvmsplit_vm_age_seconds", GAUGE, "vms", "age", 0, "Age of the worker." },
	/* KVM's own, of the worker's VMs together: its word, for its own series alone. */
	{ "kvmsplit_vm_exits_total", COUNTER, "vms", "kvm.exits", 0,
		"VM exits that the worker handled." },
	{ "kvmsplit_vm_io_exits_total", COUNTER, "vms", "kvm.io_exits", 0,
		"Port accesses handed to the client." },
	{ "kvmsplit_vm_mmio_exits_total", COUNTER, "vms", "kvm.mmio_exits", 0,
		"MMIO accesses handed to the client." },
	{ "kvmsplit_vm_halt_exits_total", COUNTER, "vms", "kvm.halt_exits", 0, "Halts." },
	{ "kvmsplit_vm_hypercalls_total", COUNTER, "vms", "kvm.hypercalls", 0, "Hypercalls." },
	{ "kvmsplit_vm_irq_injections_total", COUNTER, "vms", "kvm.irq_injections", 0,
		"Interrupts injected." },
	{ "kvmsplit_vm_emulated_instructions_total", COUNTER, "vms", "kvm.insn_emulation", 0,
		"Instructions emulated." },
	{ "kvmsplit_vm_nested_runs_total", COUNTER, "vms", "kvm.nested_run", 0,
		"Entries of nested guests." },
};

static void put_escaped(FILE *out, const char *text, int quotes)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", out);
		else if (*text == '\\' || (quotes && *text == '"'))
			fprintf(out, "\\%c", *text);
		else
			fputc(*text, out);
	}
}

static void put_label(FILE *out, const char *name, const json_t *value, char before)
{
	fprintf(out, "%c%s=\"", before, name);
	if (json_is_string(value))
		put_escaped(out, json_string_value(value), 1);
	else
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	fputc('"', out);
}

static void put_value(FILE *out, const json_t *value, double scale)
{
	double n = json_is_boolean(value) ? json_is_true(value) : json_number_value(value);

	if (json_is_integer(value) && !scale)
		fprintf(out, " %" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
	else
		fprintf(out, " %.15g\n", scale ? n * scale : n);
}

static int is_value(const json_t *v)
{
	return json_is_number(v) || json_is_boolean(v);
}

/* Whose a process is may not be known: then nobody's series has its numbers. */
static int has_labels(const json_t *row, const char *const *labels)
{
	const json_t *v;

	for (; *labels; labels++) {
		v = json_object_get(row, *labels);
		if (!json_is_string(v) && !json_is_integer(v))
			return 0;
	}
	return 1;
}

static void put_sample(FILE *out, const struct family *f, const json_t *row,
		       const char *const *labels)
{
	const json_t *value = json_object_get(row, f->key);
	char before = '{';

	if (!is_value(value) || !has_labels(row, labels))
		return;
	fputs(f->name, out);
	for (; *labels; labels++, before = ',')
		put_label(out, *labels, json_object_get(row, *labels), before);
	if (before == ',')
		fputc('}', out);
	put_value(out, value, f->scale);
}

static const char *const *labels_of(const char *rows)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds) - 1; i++)
		if (!strcmp(kinds[i].name, rows))
			break;
	return kinds[i].labels;
}

/**
 * prometheus_print() - print facts in Prometheus' text format
 * @out:	where to
 * @facts:	arrays of rows by the names of kinds[]; each row has the members that
 *		are its labels, and values; what is missing or null is left out
 */
void prometheus_print(FILE *out, const json_t *facts)
{
	const struct family *f;
	json_t *row;
	size_t i;

	for (f = families; f < families + ARRAY_SIZE(families); f++) {
		fprintf(out, "# HELP %s ", f->name);
		put_escaped(out, f->help, 0);
		fprintf(out, "\n# TYPE %s %s\n", f->name, f->type);
		json_array_foreach(json_object_get(facts, f->rows), i, row)
			put_sample(out, f, row, labels_of(f->rows));
	}
}
