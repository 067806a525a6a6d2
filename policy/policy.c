// SPDX-License-Identifier: GPL-2.0-only
/*
 * The names of decisions, verdicts and owners, in files and in messages.
 */
#include <stdio.h>
#include <string.h>

#include "common/array_size.h"
#include "policy/policy.h"

static const char * const ops[POLICY_NR_OPS] = {
	[OP_VM_CREATE] = "vm-create",
	[OP_VM_START] = "vm-start",
	[OP_VM_RESTORE] = "vm-restore",
	[OP_MIGRATE_IN] = "migrate-in",
	[OP_REPLACE_WORKER] = "replace-worker",
	[OP_MIGRATE_OUT] = "migrate-out",
	[OP_SAVE] = "save",
	[OP_DUMP] = "dump",
	[OP_INSPECT] = "inspect",
	[OP_SCREENSHOT] = "screenshot",
};

static const char * const verdicts[] = {
	[VERDICT_NONE] = "none",
	[VERDICT_ALLOW] = "allow",
	[VERDICT_DENY] = "deny",
	[VERDICT_ASK] = "ask",
};

static const char * const owners[] = {
	[OWNER_PROVIDER] = "provider",
	[OWNER_TENANT] = "tenant",
	[OWNER_BOTH] = "both",
};

static int find(const char * const *names, int nr, const char *name)
{
	int i;

	for (i = 0; i < nr; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

/**
 * policy_op_by_name() - a kind of decision
 * @name:	"vm-start", say
 *
 * Return: its number, -1: there is none of that name.
 */
int policy_op_by_name(const char *name)
{
	return find(ops, ARRAY_SIZE(ops), name);
}

/**
 * policy_op_name() - the name of a kind of decision
 * @op:		its number
 */
const char *policy_op_name(enum policy_op op)
{
	return ops[op];
}

/**
 * policy_verdict_by_name() - a verdict
 * @name:	"allow", say
 *
 * Return: an enum verdict, -1: there is none of that name.
 */
int policy_verdict_by_name(const char *name)
{
	return find(verdicts, ARRAY_SIZE(verdicts), name);
}

/**
 * policy_verdict_name() - the name of a verdict
 * @v:		the verdict
 */
const char *policy_verdict_name(enum verdict v)
{
	return verdicts[v];
}

/**
 * policy_owner_by_name() - whose answer a decision is
 * @name:	"both", say
 *
 * Return: an enum owner, -1: there is none of that name.
 */
int policy_owner_by_name(const char *name)
{
	return find(owners, ARRAY_SIZE(owners), name);
}

/**
 * policy_owner_name() - the name of an owner
 * @o:		the owner
 */
const char *policy_owner_name(enum owner o)
{
	return owners[o];
}

/**
 * policy_is_look() - is this a look into a tenant's VM?
 * @op:		kind of decision
 *
 * It is if somebody else than the VM's client gets to see its memory or screen.
 */
int policy_is_look(enum policy_op op)
{
	return op >= OP_LOOKS;
}

/* A cut may have left the beginning of a character of UTF-8. */
static void drop_part(char *text, size_t len)
{
	size_t i = len;

	while (i && ((unsigned char)text[i - 1] & 0xc0) == 0x80)
		i--;
	if (i && (unsigned char)text[i - 1] >= 0xc0)
		text[i - 1] = '\0';
}

/* Control characters do something to a terminal; C1 ones have two bytes in UTF-8. */
static void no_controls(char *text)
{
	unsigned char *c;

	for (c = (unsigned char *)text; *c; c++) {
		if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) {
			*c++ = '?';
			*c = '?';
		} else if (*c < 0x20 || *c == 0x7f) {
			*c = '?';
		}
	}
}

/**
 * policy_clean() - text that somebody else wrote, for the log and for people
 * @ret:	gets it, cut to its size
 * @size:	of @ret
 * @text:	valid UTF-8, of which control characters become ?
 */
void policy_clean(char *ret, size_t size, const char *text)
{
	if (snprintf(ret, size, "%s", text) >= (int)size)
		drop_part(ret, size - 1);
	no_controls(ret);
}

/**
 * policy_set_reason() - say why
 * @o:		the opinion
 * @reason:	whoever wrote it, see policy_clean()
 */
void policy_set_reason(struct opinion *o, const char *reason)
{
	policy_clean(o->reason, sizeof(o->reason), reason);
}
