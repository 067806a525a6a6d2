// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's counters in the memory of a worker: ../stats_page.h.
 *
 * Everything read here is the worker's, which may be its guest's by now: counts are
 * bounded, offsets checked, names are lower-case words.  A worker can give wrong
 * numbers of its own VMs, and nothing else.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/stats_page.h"
#include "counters.h"

#define STAT_MAX	8192		/* bytes of struct kvm_vcpu_stat, at most */

struct desc {
	struct kvm_stats_desc d;
	char name[COUNTER_NAME];
};

/* 0, or -1: such memory is not there. */
static int get(int mem, unsigned long long addr, void *buf, size_t len)
{
	return (long long)addr < 0 || pread(mem, buf, len, addr) != (ssize_t)len ? -1 : 0;
}

/* The address of the page, 0: none. */
static unsigned long long find_page(const char *proc, long pid)
{
	unsigned long long start, end, found = 0;
	char path[128], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%ld/maps", proc, pid);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		if (strstr(line, " /memfd:" STATS_NAME " ") &&
		    sscanf(line, "%llx-%llx", &start, &end) == 2 &&
		    end - start >= sizeof(struct stats_page))
			found = start;
	if (f)
		fclose(f);
	return found;
}

/* The worker's memory and page; -1: it has none. */
static int open_worker(const char *proc, long pid, struct stats_page *ret)
{
	unsigned long long addr = find_page(proc, pid);
	char path[128];
	int mem;

	if (!addr)
		return -1;
	snprintf(path, sizeof(path), "%s/%ld/mem", proc, pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	if (mem < 0)
		return -1;
	if (get(mem, addr, ret, sizeof(*ret)) < 0 || ret->magic != STATS_MAGIC ||
	    ret->size != sizeof(struct desc) ||
	    ret->nr_vm > COUNTERS_MAX || ret->nr_vcpu > COUNTERS_MAX - ret->nr_vm) {
		close(mem);
		return -1;
	}
	return mem;
}

/**
 * counters_vms() - the VMs of a worker
 * @proc:	/proc
 * @pid:	the worker
 * @ret_vms:	COUNTERS_VMS numbers, which name the VMs
 *
 * Return: how many; 0 also for a process that is no worker, or has gone.
 */
int counters_vms(const char *proc, long pid, unsigned long long *ret_vms)
{
	struct stats_page page;
	int mem = open_worker(proc, pid, &page), n = 0;
	unsigned int i;

	if (mem < 0)
		return 0;
	close(mem);
	for (i = 0; i < STATS_OBJECTS && n < COUNTERS_VMS; i++)
		if (page.object[i].vm && !page.object[i].vcpu)
			ret_vms[n++] = page.object[i].vm;
	return n;
}

/**
 * counter_name_ok() - whether a name may be a file's
 * @name:	COUNTER_NAME bytes
 */
int counter_name_ok(const char *name)
{
	size_t i, len = strnlen(name, COUNTER_NAME);

	for (i = 0; i < len; i++)
		if (!islower((unsigned char)name[i]) && !isdigit((unsigned char)name[i]) &&
		    name[i] != '_')
			return 0;
	return len && len < COUNTER_NAME;
}

/* Adds an object's counters to those of @n descriptions. */
static void add_object(int mem, unsigned long long stat, const struct desc *desc, unsigned int n,
		       struct counter *c)
{
	char bytes[STAT_MAX];
	size_t size = 0;
	unsigned long long v;
	unsigned int i;

	for (i = 0; i < n; i++)
		if (desc[i].d.offset <= STAT_MAX - sizeof(v) &&
		    desc[i].d.offset + sizeof(v) > size)
			size = desc[i].d.offset + sizeof(v);
	if (get(mem, stat, bytes, size) < 0)
		return;
	for (i = 0; i < n; i++) {
		if (desc[i].d.offset > STAT_MAX - sizeof(v))
			continue;
		memcpy(&v, bytes + desc[i].d.offset, sizeof(v));
		c[i].value += v;
	}
}

/**
 * counters_read() - a VM's counters, those of its vCPUs added up
 * @proc:	/proc
 * @pid:	the worker
 * @vm:		of counters_vms()
 * @ret:	out
 *
 * Return: 0, or -ENOENT: there is no such VM any more, or the worker shows nonsense.
 */
int counters_read(const char *proc, long pid, unsigned long long vm, struct counters *ret)
{
	struct desc desc[COUNTERS_MAX];
	struct stats_page page;
	int mem = open_worker(proc, pid, &page), found = 0;
	unsigned int i;

	if (mem < 0)
		return -ENOENT;
	memset(ret, 0, sizeof(*ret));
	if (get(mem, page.vm_desc, desc, page.nr_vm * sizeof(*desc)) < 0 ||
	    get(mem, page.vcpu_desc, desc + page.nr_vm, page.nr_vcpu * sizeof(*desc)) < 0)
		goto out;
	ret->nr = page.nr_vm + page.nr_vcpu;
	for (i = 0; i < ret->nr; i++) {
		if (!counter_name_ok(desc[i].name))
			goto out;
		memcpy(ret->c[i].name, desc[i].name, COUNTER_NAME);
	}
	for (i = 0; i < STATS_OBJECTS; i++) {
		const struct stats_object *o = &page.object[i];

		if (o->vm != vm)
			continue;
		found |= !o->vcpu;
		if (o->vcpu)
			add_object(mem, o->stat, desc + page.nr_vm, page.nr_vcpu,
				   ret->c + page.nr_vm);
		else
			add_object(mem, o->stat, desc, page.nr_vm, ret->c);
	}
out:
	close(mem);
	return found ? 0 : -ENOENT;
}
