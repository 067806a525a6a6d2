/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What policy speaks of: decisions, what is known when one is asked for, opinions.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <stddef.h>
#include <stdint.h>

#define POLICY_NO_LIMIT		INT64_MAX
#define POLICY_UNKNOWN		(-1)	/* of a number in a request */
#define POLICY_REASON		256	/* bytes of a reason, its NUL included */

/* Kinds of decisions; kvm-split-policy.conf(5) says what each means. */
enum policy_op {
	OP_VM_CREATE,
	OP_VM_START,
	OP_VM_RESTORE,
	OP_MIGRATE_IN,
	OP_REPLACE_WORKER,
	/* From here on: looks into a tenant's VM, or its memory leaves the host. */
	OP_LOOKS,
	OP_MIGRATE_OUT = OP_LOOKS,
	OP_SAVE,
	OP_DUMP,
	OP_INSPECT,
	OP_SCREENSHOT,
	POLICY_NR_OPS
};

/**
 * enum verdict - what somebody says to a request
 * @VERDICT_NONE:	nothing
 * @VERDICT_ALLOW:	yes
 * @VERDICT_DENY:	no
 * @VERDICT_ASK:	of the provider alone: yes, if the tenant says so too
 */
enum verdict { VERDICT_NONE, VERDICT_ALLOW, VERDICT_DENY, VERDICT_ASK };

/* Whose answer a kind of decision is. */
enum owner { OWNER_PROVIDER, OWNER_TENANT, OWNER_BOTH };

/**
 * struct request - what somebody wants to do
 * @op:		kind of decision
 * @tenant:	user whose VM it is
 * @domain:	its name in libvirt, NULL: not known
 * @exe:	the client's program, NULL: not known
 * @unit:	the client's systemd unit, NULL: not known
 * @worker:	process id of the worker that asks, POLICY_UNKNOWN: none does.  Tenant, exe and
 *		unit are what the kernel says of its client, then
 * @vms:	VMs of the tenant, this one included
 * @vcpus:	of the VM
 * @memory:	of the VM, bytes
 */
struct request {
	enum policy_op op;
	const char *tenant, *domain, *exe, *unit;
	int64_t worker, vms, vcpus, memory;
};

/**
 * struct opinion - what the provider or the tenant says to a request
 * @verdict:	the answer
 * @max_vcpus:	if it is yes: for so many at most
 * @max_memory:	and so many bytes
 * @reason:	for people; ""
 * @file:	of the rule, NULL: there is none
 * @line:	of the rule
 */
struct opinion {
	enum verdict verdict;
	int64_t max_vcpus, max_memory;
	char reason[POLICY_REASON];
	const char *file;
	unsigned long line;
};

int policy_op_by_name(const char *name);
const char *policy_op_name(enum policy_op op);
const char *policy_verdict_name(enum verdict v);
int policy_verdict_by_name(const char *name);
const char *policy_owner_name(enum owner o);
int policy_owner_by_name(const char *name);
int policy_is_look(enum policy_op op);
void policy_clean(char *ret, size_t size, const char *text);
void policy_set_reason(struct opinion *o, const char *reason);

#endif /* POLICY_POLICY_H */
