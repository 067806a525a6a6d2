// SPDX-License-Identifier: GPL-2.0-only
/*
 * What runs on this host, from /proc.
 *
 * Nobody publishes anything: a supervisor is a process that holds a tenant of
 * the stub, a worker one that holds a session, and only root's device gives
 * either. So a process that merely calls itself kvm-vmm is none. The kernel does not
 * tell which client a worker serves; but a worker is in its client's control group,
 * and serves the client's user, so where there is one client that fits it is that.
 *
 * Invariant: a process that ends while it is looked at is left out.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array_size.h"
#include "../../kvm-split/uapi/kvm_split.h"
#include "ctl.h"

/* What a process holds of the stub. */
struct holds {
	int tenants, sessions, vms, vcpus;	/* of a supervisor or worker */
	int client_vms, client_vcpus;		/* of a client */
	int client_fd[16];			/* of its first VMs */
};

static FILE *open_proc(long pid, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%ld/%s", proc_dir, pid, name);
	return fopen(path, "re");
}

/* The first @size - 1 bytes, a NUL behind them; -1 if there is no such process. */
static ssize_t read_proc(long pid, const char *name, char *buf, size_t size)
{
	FILE *f = open_proc(pid, name);
	size_t n;

	if (!f)
		return -1;
	n = fread(buf, 1, size - 1, f);
	buf[n] = '\0';
	fclose(f);
	return n;
}

/* "NAME:\tVALUE" of a file like status; -1 */
static long long proc_value(long pid, const char *file, const char *name)
{
	FILE *f = open_proc(pid, file);
	size_t len = strlen(name);
	long long value = -1;
	char line[256];

	while (f && value < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len) && line[len] == ':')
			value = strtoll(line + len + 1, NULL, 10);
	if (f)
		fclose(f);
	return value;
}

/* The number behind an option of the command line, -1 */
static long long option_of(long pid, const char *option)
{
	char buf[8192];
	ssize_t n = read_proc(pid, "cmdline", buf, sizeof(buf));
	char *p;

	for (p = buf; p < buf + n; p += strlen(p) + 1)
		if (!strcmp(p, option) && p + strlen(p) + 1 < buf + n)
			return strtoll(p + strlen(p) + 1, NULL, 10);
	return -1;
}

static int look_at_fds(long pid, struct holds *ret)
{
	char path[64], link[64];
	struct dirent *e;
	DIR *dir;
	ssize_t n;

	memset(ret, 0, sizeof(*ret));
	snprintf(path, sizeof(path), "%s/%ld/fd", proc_dir, pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while ((e = readdir(dir))) {
		n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);
		if (n < 0)
			continue;
		link[n] = '\0';
		ret->tenants += !strcmp(link, "anon_inode:kvm-split-tenant");
		ret->sessions += !strcmp(link, "anon_inode:kvm-split-session");
		ret->vcpus += !strcmp(link, "anon_inode:kvm-split-vcpu");
		ret->vms += !strcmp(link, "anon_inode:kvm-split-vm");
		if (!strcmp(link, "anon_inode:kvm-vm") && ret->client_vms++ < 16)
			ret->client_fd[ret->client_vms - 1] = atoi(e->d_name);
		ret->client_vcpus += !strncmp(link, "anon_inode:kvm-vcpu:", 20);
	}
	closedir(dir);
	return 0;
}

/* Sum of the windows: slots of the first address space, bytes. */
static long long guest_memory(long pid)
{
	FILE *f = open_proc(pid, "maps");
	unsigned long long start, end, offset;
	long long sum = 0;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "anon_inode:kvm-split-vm") &&
		    sscanf(line, "%llx-%llx %*s %llx", &start, &end, &offset) == 3 &&
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
	json_object_set_new(o, "tenant", json_string(pw ? pw->pw_name : number));
	set_number(o, "uid", uid);
}

/* The control group of the second version. */
static json_t *cgroup_of(long pid)
{
	FILE *f = open_proc(pid, "cgroup");
	json_t *name = json_null();
	char line[4096];

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "0::", 3))
			name = json_string(line + 3);
	}
	if (f)
		fclose(f);
	return name;
}

static json_t *client(long pid, const struct holds *h)
{
	json_t *o = json_object(), *fds;
	int i;

	set_number(o, "pid", pid);
	set_number(o, "uid", proc_value(pid, "status", "Uid"));
	set_number(o, "vms", h->client_vms);
	set_number(o, "vcpus", h->client_vcpus);
	json_object_set_new(o, "cgroup", cgroup_of(pid));
	fds = json_array();
	for (i = 0; i < h->client_vms && i < 16; i++)
		json_array_append_new(fds, json_integer(h->client_fd[i]));
	json_object_set_new(o, "vm_fds", fds);
	return o;
}

static int fits(const json_t *worker, const json_t *client)
{
	static const char * const same[] = { "uid", "vms", "vcpus", "cgroup" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(same); i++)
		if (!json_equal(json_object_get(worker, same[i]), json_object_get(client, same[i])))
			return 0;
	return 1;
}

/* Name each worker's client where only one can be it. */
static void find_clients(json_t *host)
{
	json_t *w, *c, *found;
	size_t i, j;
	int n;

	json_array_foreach(json_object_get(host, "workers"), i, w) {
		n = 0;
		json_array_foreach(json_object_get(host, "clients"), j, c) {
			if (!fits(w, c))
				continue;
			found = c;
			n++;
		}
		if (n == 1)
			json_object_set(w, "client", json_object_get(found, "pid"));
	}
}

static json_t *worker(long pid, const struct holds *h)
{
	double cpu, age;
	json_t *o;

	if (times_of(pid, "stat", &cpu, &age) < 0)
		return NULL;
	o = json_object();
	set_number(o, "vm", pid);
	set_tenant(o, option_of(pid, "--uid"));
	set_number(o, "client", -1);
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

static json_t *supervisor(long pid)
{
	double cpu, age;
	json_t *o;

	if (times_of(pid, "stat", &cpu, &age) < 0)
		return NULL;
	o = json_object();
	set_tenant(o, option_of(pid, "--uid"));
	set_number(o, "supervisor", pid);
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
	if (look_at_fds(pid, &h) < 0)
		return;
	if (h.client_vms)
		json_array_append_new(json_object_get(host, "clients"), client(pid, &h));
	/* Null if it has just ended; then nothing is appended. */
	if (h.sessions)
		json_array_append_new(json_object_get(host, "workers"), worker(pid, &h));
	else if (h.tenants && !strcmp(comm, "kvm-vmmd\n"))
		json_array_append_new(json_object_get(host, "supervisors"), supervisor(pid));
}

/**
 * host_scan() - what runs now
 *
 * Return: "launcher" (null or a process id), "supervisors", "workers" and "clients".
 */
json_t *host_scan(void)
{
	json_t *host = json_pack("{s:n, s:[], s:[], s:[]}", "launcher", "supervisors", "workers",
				 "clients");
	DIR *dir = opendir(proc_dir);
	struct dirent *e;

	if (!dir) {
		fprintf(stderr, "kvm-splitctl: %s: %s\n", proc_dir, strerror(errno));
		exit(71);
	}
	while ((e = readdir(dir)))
		if (isdigit((unsigned char)*e->d_name))
			look_at(host, atol(e->d_name));
	closedir(dir);
	find_clients(host);
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
		json_array_append_new(threads, json_pack("{s:s, s:I, s:f}", "name", name,
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
