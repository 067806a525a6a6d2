/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KSPLIT_COUNTERS_H
#define KSPLIT_COUNTERS_H

#define COUNTERS_MAX	256		/* of a VM, its vCPUs' included */
#define COUNTERS_VMS	16		/* of a worker: the stub's limit */
#define COUNTER_NAME	48		/* KVM's own limit, with the NUL */

struct counters {
	unsigned int nr;
	struct counter {
		char name[COUNTER_NAME];
		unsigned long long value;
	} c[COUNTERS_MAX];
};

int counters_vms(const char *proc, long pid, unsigned long long *ret_vms);
int counters_read(const char *proc, long pid, unsigned long long vm, struct counters *ret);
int counter_name_ok(const char *name);

#endif /* KSPLIT_COUNTERS_H */
