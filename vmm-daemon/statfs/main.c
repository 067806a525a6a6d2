// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-split-statfs: KVM's counters where kvm_stat(1) looks for them.
 *
 * A file system of what in-tree KVM has in /sys/kernel/debug/kvm: a folder for each
 * VM, PID-FD as there, with a file for each counter; beside the folders the sums of
 * all VMs.  The counters are read from the workers' memory at the moment when
 * somebody asks; see counters.c.
 */
#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fuse.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "../ctl/ctl.h"
#include "common/daemon.h"
#include "counters.h"

#define MOUNT_POINT	"/sys/kernel/debug/kvm"
/* kvm_stat reads some 70 files of each VM for one look at them. */
#define FRESH_NS	200000000ll

const char *proc_dir = "/proc";

static const char usage[] =
"Usage: kvm-split-statfs [DIRECTORY]\n"
"\n"
"Mount KVM's counters for kvm_stat(1), on " MOUNT_POINT " or DIRECTORY, and\n"
"serve them until a signal comes.\n"
"\n"
"  --help               show this text\n"
"  --version            show the version\n";

static struct vm {
	char dir[32];			/* PID-FD */
	long worker;
	unsigned long long id;		/* of counters_vms() */
	struct counters counters;
} *vms;
static size_t nr_vms;
static long long fresh_until;

/* Those of kvm-vmm: what is there before there is a VM. */
static struct counters names;

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* How many sessions a client has, that is opens of /dev/kvm. */
static int sessions_of(const json_t *host, const json_t *client)
{
	json_t *w;
	size_t i;
	int n = 0;

	json_array_foreach(json_object_get(host, "workers"), i, w)
		n += json_equal(json_object_get(w, "client"), client);
	return n;
}

/*
 * PID-FD of a worker's VM, the @nr-th.  Which of a client's descriptors it is can be
 * told if the client has one session and holds as many VMs as that has; else it is
 * the worker's process id and @nr.
 */
static void name_vm(struct vm *vm, const json_t *host, const json_t *worker, size_t nr)
{
	json_t *client = json_object_get(worker, "client"), *fds, *fd;

	snprintf(vm->dir, sizeof(vm->dir), "%ld-%zu", vm->worker, nr);
	if (!json_is_integer(client) || sessions_of(host, client) != 1)
		return;
	fds = host_vm_fds(json_integer_value(client));
	fd = json_array_get(fds, nr);
	if (fd && (json_int_t)json_array_size(fds) ==
		  json_integer_value(json_object_get(worker, "vms")))
		snprintf(vm->dir, sizeof(vm->dir), "%lld-%lld",
			 (long long)json_integer_value(client), (long long)json_integer_value(fd));
	json_decref(fds);
}

static void add_vm(const json_t *host, const json_t *worker, unsigned long long id, size_t nr)
{
	struct vm *more = realloc(vms, (nr_vms + 1) * sizeof(*vms)), *vm;

	if (!more)
		return;
	vms = more;
	vm = &vms[nr_vms];
	vm->worker = json_integer_value(json_object_get(worker, "vm"));
	vm->id = id;
	name_vm(vm, host, worker, nr);
	if (!counters_read(proc_dir, vm->worker, id, &vm->counters))
		nr_vms++;
}

static void refresh(void)
{
	unsigned long long id[COUNTERS_VMS];
	json_t *host, *w;
	size_t i;
	int k, n;

	if (now() < fresh_until)
		return;
	nr_vms = 0;
	host = host_scan();
	json_array_foreach(json_object_get(host, "workers"), i, w) {
		n = counters_vms(proc_dir, json_integer_value(json_object_get(w, "vm")), id);
		for (k = 0; k < n; k++)
			add_vm(host, w, id[k], k);
	}
	json_decref(host);
	fresh_until = now() + FRESH_NS;
}

static const struct counter *find_counter(const struct counters *in, const char *name)
{
	unsigned int i;

	for (i = 0; i < in->nr; i++)
		if (!strcmp(in->c[i].name, name))
			return &in->c[i];
	return NULL;
}

/* The VM whose folder @path is or is in; @ret_name: what stands behind, "" for the folder. */
static struct vm *find_vm(const char *path, const char **ret_name)
{
	size_t i, len = strcspn(path + 1, "/");

	for (i = 0; i < nr_vms; i++) {
		if (strlen(vms[i].dir) != len || memcmp(vms[i].dir, path + 1, len))
			continue;
		*ret_name = path + 1 + len + (path[1 + len] == '/');
		return &vms[i];
	}
	return NULL;
}

static int value_of(const char *path, unsigned long long *ret)
{
	const struct counter *c;
	const char *name;
	struct vm *vm;
	size_t i;

	refresh();
	*ret = 0;
	vm = find_vm(path, &name);
	if (vm) {
		c = find_counter(&vm->counters, name);
		*ret = c ? c->value : 0;
		return c ? 0 : -ENOENT;
	}
	if (!find_counter(&names, path + 1))
		return -ENOENT;
	for (i = 0; i < nr_vms; i++) {
		c = find_counter(&vms[i].counters, path + 1);
		*ret += c ? c->value : 0;
	}
	return 0;
}

static int fs_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	unsigned long long value;
	const char *name = "";
	int r;

	memset(st, 0, sizeof(*st));
	st->st_nlink = 1;
	refresh();
	if (!strcmp(path, "/") || (find_vm(path, &name) && !*name)) {
		st->st_mode = S_IFDIR | 0755;
		return 0;
	}
	r = value_of(path, &value);
	st->st_mode = S_IFREG | 0444;
	return r;
}

static int fs_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t offset,
		      struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
	const struct counters *list = &names;
	const char *name = "";
	struct vm *vm = NULL;
	size_t i;

	refresh();
	if (strcmp(path, "/")) {
		vm = find_vm(path, &name);
		if (!vm || *name)
			return -ENOENT;
		list = &vm->counters;
	}
	fill(buf, ".", NULL, 0, 0);
	fill(buf, "..", NULL, 0, 0);
	for (i = 0; i < list->nr; i++)
		fill(buf, list->c[i].name, NULL, 0, 0);
	for (i = 0; !vm && i < nr_vms; i++)
		fill(buf, vms[i].dir, NULL, 0, 0);
	return 0;
}

static int fs_open(const char *path, struct fuse_file_info *fi)
{
	unsigned long long value;

	fi->direct_io = 1;
	return (fi->flags & O_ACCMODE) != O_RDONLY ? -EACCES : value_of(path, &value);
}

static int fs_read(const char *path, char *buf, size_t size, off_t offset,
		   struct fuse_file_info *fi)
{
	unsigned long long value;
	char text[24];
	int n, r = value_of(path, &value);

	if (r)
		return r;
	n = snprintf(text, sizeof(text), "%llu\n", value);
	if (offset >= n)
		return 0;
	n -= offset;
	if ((size_t)n > size)
		n = size;
	memcpy(buf, text + offset, n);
	return n;
}

static void *fs_init(struct fuse_conn_info *conn, struct fuse_config *config)
{
	config->attr_timeout = config->entry_timeout = config->negative_timeout = 0;
	notify(notify_open(), "READY=1\n");
	return NULL;
}

static const struct fuse_operations operations = {
	.getattr = fs_getattr,
	.readdir = fs_readdir,
	.open = fs_open,
	.read = fs_read,
	.init = fs_init,
};

/* The worker's program is beside this one. */
static void read_names(void)
{
	char self[PATH_MAX], command[PATH_MAX + 32], line[COUNTER_NAME];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	FILE *f;

	if (n < 0)
		die(EXIT_OS, "/proc: %s", strerror(errno));
	self[n] = '\0';
	snprintf(command, sizeof(command), "'%s/kvm-vmm' --counters", dirname(self));
	f = popen(command, "re");
	while (f && names.nr < COUNTERS_MAX && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (counter_name_ok(line))
			snprintf(names.c[names.nr++].name, COUNTER_NAME, "%s", line);
	}
	if (!f || pclose(f) || !names.nr)
		die(EXIT_OS, "%s does not tell the names of KVM's counters", command);
}

int main(int argc, char **argv)
{
	static const struct option longopts[] = {
		OPTIONS_COMMON
	};
	char *words[] = { argv[0], "-o",
			  "ro,nosuid,nodev,noexec,default_permissions,allow_other,"
			  "fsname=kvm-split,subtype=kvmstats", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, words);
	int r, c = getopt_long(argc, argv, "", longopts, NULL);
	const char *dir;
	struct fuse *fuse;

	log_init("kvm-split-statfs");
	if (c != -1 || argc - optind > 1)
		common_option(c, "kvm-split-statfs", usage);
	if (geteuid())
		die(EXIT_PERM, "must be root");
	dir = optind < argc ? argv[optind] : MOUNT_POINT;
	if (access(dir, F_OK) < 0)
		die(EXIT_NO_STUB, "%s: %s", dir, strerror(errno));
	read_names();
	fuse = fuse_new(&args, &operations, sizeof(operations), NULL);
	if (!fuse || fuse_mount(fuse, dir) || fuse_set_signal_handlers(fuse_get_session(fuse)))
		die(EXIT_OS, "%s cannot be mounted", dir);
	/* A signal's number, 0 after an umount, or an error. */
	r = fuse_loop(fuse);
	fuse_remove_signal_handlers(fuse_get_session(fuse));
	fuse_unmount(fuse);
	fuse_destroy(fuse);
	if (r < 0)
		die(EXIT_OS, "%s: %s", dir, strerror(-r));
	return 0;
}
