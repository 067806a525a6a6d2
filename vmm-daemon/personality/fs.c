// SPDX-License-Identifier: GPL-2.0-only
/*
 * What little of files, sysfs and uevents KVM still names.
 *
 * Invariant: nothing is published.  The worker has no device of its own, so
 * kvm_uevent_notify_change() returns before it gets here; a seek on KVM's files
 * does not move anything, as upstream.
 */
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/kobject.h>
#include <linux/sysfs.h>

loff_t noop_llseek(struct file *file, loff_t offset, int whence)
{
	return file->f_pos;
}

int sysfs_emit(char *buf, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vscnprintf(buf, PAGE_SIZE, fmt, args);
	va_end(args);
	return len;
}

int add_uevent_var(struct kobj_uevent_env *env, const char *format, ...)
{
	return -ENODEV;
}

int kobject_uevent_env(struct kobject *kobj, enum kobject_action action,
		       char *envp_ext[])
{
	return -ENODEV;
}

char *dentry_path_raw(const struct dentry *dentry, char *buf, int buflen)
{
	return ERR_PTR(-ENOENT);
}
