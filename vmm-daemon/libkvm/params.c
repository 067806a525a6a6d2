// SPDX-License-Identifier: GPL-2.0-only
/*
 * Module parameters: the types that KVM uses, and setting them by name.
 *
 * Invariant: a parameter is changed by its own operations only, so KVM's own
 * checks decide what is valid.
 */
#include <linux/kernel.h>
#include <linux/kstrtox.h>
#include <linux/moduleparam.h>
#include <linux/string.h>
#include <asm/page_types.h>

#include "libkvm.h"

extern const struct kernel_param __start___param[], __stop___param[];

int param_set_int(const char *val, const struct kernel_param *kp)
{
	return kstrtoint(val, 0, (int *)kp->arg);
}

int param_get_int(char *buffer, const struct kernel_param *kp)
{
	return sprintf(buffer, "%d\n", *(int *)kp->arg);
}

int param_set_uint(const char *val, const struct kernel_param *kp)
{
	return kstrtouint(val, 0, (unsigned int *)kp->arg);
}

int param_get_uint(char *buffer, const struct kernel_param *kp)
{
	return sprintf(buffer, "%u\n", *(unsigned int *)kp->arg);
}

int param_set_bool(const char *val, const struct kernel_param *kp)
{
	return kstrtobool(val ? val : "1", kp->arg);
}

int param_get_bool(char *buffer, const struct kernel_param *kp)
{
	return sprintf(buffer, "%c\n", *(bool *)kp->arg ? 'Y' : 'N');
}

/* A bool that is stored in an int. */
int param_set_bint(const char *val, const struct kernel_param *kp)
{
	bool b;
	int r = kstrtobool(val ? val : "1", &b);

	if (!r)
		*(int *)kp->arg = b;
	return r;
}

const struct kernel_param_ops param_ops_int = {
	.set = param_set_int,
	.get = param_get_int,
};

const struct kernel_param_ops param_ops_uint = {
	.set = param_set_uint,
	.get = param_get_uint,
};

const struct kernel_param_ops param_ops_bool = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = param_set_bool,
	.get = param_get_bool,
};

const struct kernel_param_ops param_ops_bint = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = param_set_bint,
	.get = param_get_int,
};

static const struct kernel_param *find(const char *name)
{
	const struct kernel_param *kp;

	for (kp = __start___param; kp < __stop___param; kp++) {
		const char *dot = strchr(kp->name, '.');

		if (!strcmp(dot ? dot + 1 : kp->name, name))
			return kp;
	}
	return NULL;
}

int ksplit_param_set(const char *name, const char *value)
{
	const struct kernel_param *kp = find(name);

	if (!kp)
		return -ENOENT;
	return kp->ops->set ? kp->ops->set(value, kp) : -EPERM;
}

int ksplit_param_get(const char *name, char *buf, unsigned long size)
{
	const struct kernel_param *kp = find(name);

	if (!kp)
		return -ENOENT;
	if (size < PAGE_SIZE)
		return -EINVAL;
	return kp->ops->get ? kp->ops->get(buf, kp) : -EPERM;
}
