// SPDX-License-Identifier: GPL-2.0-only
/*
 * What runs on this host, from /proc.
 *
 * A supervisor is a process that holds a tenant of the stub, a worker one that holds
 * a session, and only root's device gives either.  So a process that merely calls
 * itself kvm-vmm is none.  Whose a worker is, and which client it serves, tells the
 * kernel in the session's fdinfo.
 *
 * Invariants: nothing is taken from a worker's command line nor from what it says of
 * itself but its threads' names, and these go through json_text(); a process that
 * ends while it is looked at is left out.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array_size.h"
#include "../../kvm-split/uapi/kvm_split.h"
#include "common/confine.h"
#include "common/daemon.h"
#include "common/proc.h"
#include "ctl.h"

/* The first @size - 1 bytes, a NUL behind them; -1 if there is no such process. */
static ssize_t read_proc(long pid, const char *name, char *buf, size_t size)
{
	FILE *f = proc_open(pid, name);
	size_t n;

	if (!f)
		return -1;
	n = fread(buf, 1, size - 1, f);
	buf[n] = '\0';
	fclose(f);
	return n;
}

static void note_vm(long pid, const char *fd, const char *link, void *context)
{
	if (!strcmp(link, "anon_inode:kvm-vm"))
		json_array_append_new(context, json_integer(atoi(fd)));
}

/**
 * host_vm_fds() - a client's descriptors of virtual machines
 * @client:	process id
 *
 * Return: an array of numbers, in their order; empty if there is no such process.
 */
json_t *host_vm_fds(long client)
{
	json_t *fds = json_array();

	proc_each_fd(client, note_vm, fds);
	return fds;
}

/* Sum of the windows: slots of the first address space, bytes. */
static long long guest_memory(long pid)
{
	FILE *f = proc_open(pid, "maps");
	unsigned long long start, end, offset;
	long long sum = 0;
	char line[512], path[32];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%llx-%llx %*s %llx %*s %*s %31s", &start, &end, &offset, path) == 4 &&
		    !strcmp(path, "anon_inode:kvm-split-vm") &&
		    !(offset / KSPLIT_WINDOW_OFFSET(1) >> 16))
			sum += end - start;
	if (f)
		fclose(f);
	return sum;
}

/* CPU time and age of a process or thread, from its stat, seconds; -1: gone. */
static int times_of(long pid, const char *file, double *ret_cpu, double *ret_age)
{
	unsigned long long user, sys, start;
	double hz = sysconf(_SC_CLK_TCK), up = 0;
	char buf[1024], *p;
	FILE *f;

	if (read_proc(pid, file, buf, sizeof(buf)) < 0)
		return -1;
	/* The name may hold anything, brackets too. */
	p = strrchr(buf, ')');
	if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu "
				"%*d %*d %*d %*d %*d %*d %llu", &user, &sys, &start) != 3)
		return -1;
	*ret_cpu = (user + sys) / hz;
	if (!ret_age)
		return 0;
	snprintf(buf, sizeof(buf), "%s/uptime", proc_dir);
	f = fopen(buf, "re");
	if (f && fscanf(f, "%lf", &up) != 1)
		up = 0;
	if (f)
		fclose(f);
	*ret_age = up - start / hz;
	return 0;
}

static void set_number(json_t *o, const char *key, long long n)
{
	json_object_set_new(o, key, n < 0 ? json_null() : json_integer(n));
}

static void set_tenant(json_t *o, long long uid)
{
	struct passwd *pw = uid < 0 ? NULL : getpwuid(uid);
	char number[24];

	snprintf(number, sizeof(number), "%lld", uid);
	json_object_set_new(o, "tenant",
			    uid < 0 ? json_null() : json_text(pw ? pw->pw_name : number));
	set_number(o, "uid", uid);
}

static json_t *cgroup_of(long pid)
{
	char name[4096];

	return proc_cgroup(pid, name, sizeof(name)) ? json_null() : json_text(name);
}

static json_t *worker(long pid, const struct holds *h)
{
	double cpu, age;
	json_t *o;

	if (times_of(pid, "stat", &cpu, &age) < 0)
		return NULL;
	o = json_object();
	set_number(o, "vm", pid);
	set_tenant(o, h->tenant);
	/* 0: a spare one */
	set_number(o, "client", h->client > 0 ? h->client : -1);
	set_number(o, "vms", h->vms);
	set_number(o, "vcpus", h->vcpus);
	set_number(o, "memory", guest_memory(pid));
	set_number(o, "rss", proc_value(pid, "status", "VmRSS") * 1024);
	json_object_set_new(o, "cgroup", cgroup_of(pid));
	set_number(o, "service_uid", proc_value(pid, "status", "Uid"));
	json_object_set_new(o, "cpu", json_real(cpu));
	json_object_set_new(o, "age", json_real(age));
	return o;
}

static json_t *supervisor(long pid, const struct holds *h)
{
	double cpu, age;
	json_t *o;

	if (times_of(pid, "stat", &cpu, &age) < 0)
		return NULL;
	o = json_object();
	set_tenant(o, h->tenant);
	set_number(o, "supervisor", pid);
	set_number(o, "service_uid", proc_value(pid, "status", "Uid"));
	json_object_set_new(o, "age", json_real(age));
	return o;
}

static void look_at(json_t *host, long pid)
{
	char comm[32];
	struct holds h;

	if (read_proc(pid, "comm", comm, sizeof(comm)) < 0)
		return;
	if (!strcmp(comm, "kvm-split-launc\n")) {
		if (proc_value(pid, "status", "Uid") == 0)
			json_object_set_new(host, "launcher", json_integer(pid));
		return;
	}
	if (proc_holds(pid, &h) < 0)
		return;
	/* Null if it has just ended; then nothing is appended. */
	if (h.sessions)
		json_array_append_new(json_object_get(host, "workers"), worker(pid, &h));
	else if (h.tenants && !strcmp(comm, "kvm-vmmd\n"))
		json_array_append_new(json_object_get(host, "supervisors"), supervisor(pid, &h));
}

/*
 * A kernel that does not tell a tenant's uid tells that of its workers' sessions, and
 * a supervisor has the first of its workers' users.
 */
static void find_tenants(json_t *host)
{
	json_t *s, *w;
	size_t i, j;

	json_array_foreach(json_object_get(host, "supervisors"), i, s) {
		json_int_t first = json_integer_value(json_object_get(s, "service_uid"));

		json_array_foreach(json_object_get(host, "workers"), j, w) {
			json_int_t uid = json_integer_value(json_object_get(w, "service_uid"));

			if (!json_is_null(json_object_get(s, "uid")))
				break;
			if (uid >= first && uid < first + TENANT_UIDS)
				set_tenant(s, json_is_integer(json_object_get(w, "uid")) ?
					   json_integer_value(json_object_get(w, "uid")) : -1);
		}
	}
}

/**
 * host_scan() - what runs now
 *
 * Return: "launcher" (null or a process id), "supervisors" and "workers".
 */
json_t *host_scan(void)
{
	json_t *host = json_pack("{s:n, s:[], s:[]}", "launcher", "supervisors", "workers");
	DIR *dir = opendir(proc_dir);
	struct dirent *e;

	if (!dir) {
		fprintf(stderr, "kvm-splitctl: %s: %s\n", proc_dir, strerror(errno));
		exit(EXIT_OS);
	}
	while ((e = readdir(dir)))
		if (isdigit((unsigned char)*e->d_name))
			look_at(host, atol(e->d_name));
	closedir(dir);
	find_tenants(host);
	return host;
}

/**
 * host_vms() - workers that have a VM
 * @host:	of host_scan()
 * @idle:	those without, too
 */
json_t *host_vms(const json_t *host, int idle)
{
	json_t *all = json_object_get(host, "workers"), *vms = json_array(), *w;
	size_t i;

	json_array_foreach(all, i, w)
		if (idle || json_integer_value(json_object_get(w, "vms")))
			json_array_append(vms, w);
	return vms;
}

/**
 * host_threads() - a worker's threads
 * @pid:	the worker
 */
json_t *host_threads(long pid)
{
	json_t *threads = json_array();
	char path[64], name[32], file[32];
	struct dirent *e;
	double cpu;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%ld/task", proc_dir, pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		long tid = atol(e->d_name);

		snprintf(file, sizeof(file), "task/%ld/comm", tid);
		if (!tid || read_proc(pid, file, name, sizeof(name)) < 0)
			continue;
		name[strcspn(name, "\n")] = '\0';
		snprintf(file, sizeof(file), "task/%ld/stat", tid);
		if (times_of(pid, file, &cpu, NULL) < 0)
			continue;
		json_array_append_new(threads, json_pack("{s:o, s:I, s:f}", "name", json_text(name),
							 "tid", (json_int_t)tid, "cpu", cpu));
	}
	if (dir)
		closedir(dir);
	return threads;
}

/**
 * host_private() - memory that a worker alone has, bytes
 * @pid:	the worker
 */
json_t *host_private(long pid)
{
	long long clean = proc_value(pid, "smaps_rollup", "Private_Clean");
	long long dirty = proc_value(pid, "smaps_rollup", "Private_Dirty");

	return clean < 0 || dirty < 0 ? json_null() : json_integer((clean + dirty) * 1024);
}
