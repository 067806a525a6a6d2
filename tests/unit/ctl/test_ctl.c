// SPDX-License-Identifier: GPL-2.0-only
/*
 * What kvm-splitctl and kvm-split-statfs find in /proc: whose a worker is, and for
 * whom, by the kernel's word alone; and that names do nothing to a terminal.
 */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../run_suite.h"
#include "common/array_size.h"
#include "ctl/ctl.h"

/* A uid without a name anywhere. */
#define TENANT	"3999999901"
#define OTHER	"3999999902"

int as_json;
const char *proc_dir;
const char *stats_file = "/nonexistent";
static char dir[64];

/* A file below the fake /proc, with the folders that lead to it. */
static void put(const char *text, size_t len, const char *fmt, ...)
{
	char path[256], *slash;
	va_list ap;
	int n = snprintf(path, sizeof(path), "%s/", dir);
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(path + n, sizeof(path) - n, fmt, ap);
	va_end(ap);
	for (slash = path + n; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		ck_assert(!mkdir(path, 0755) || errno == EEXIST);
	}
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	fclose(f);
}

#define PUT(text, ...)	put(text, strlen(text), __VA_ARGS__)

/* Descriptor @fd of a process is a link to @what, and its fdinfo says @info. */
static void add_fd(int pid, int fd, const char *what, const char *info)
{
	char path[256];

	PUT("", "%d/fd/none", pid);
	PUT(info, "%d/fdinfo/%d", pid, fd);
	snprintf(path, sizeof(path), "%s/%d/fd/%d", dir, pid, fd);
	ck_assert_int_eq(symlink(what, path), 0);
}

static void remove_fd(int pid, int fd)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%d/fd/%d", dir, pid, fd);
	ck_assert_int_eq(unlink(path), 0);
}

static void add_process(int pid, const char *comm, const char *uid)
{
	char text[256];

	snprintf(text, sizeof(text), "%s\n", comm);
	PUT(text, "%d/comm", pid);
	snprintf(text, sizeof(text), "Name:\t%s\nUid:\t%s\t%s\t%s\t%s\nVmRSS:\t    100 kB\n",
		 comm, uid, uid, uid, uid);
	PUT(text, "%d/status", pid);
	snprintf(text, sizeof(text), "%d (%s) S 1 1 1 0 -1 0 0 0 0 0 200 100 0 0 20 0 1 0 500 0\n",
		 pid, comm);
	PUT(text, "%d/stat", pid);
	PUT("0::/machine.slice\n", "%d/cgroup", pid);
	PUT("", "%d/maps", pid);
	/* It can write what it likes here, and says that it is root's. */
	put("kvm-vmm\0--uid\0000\0", 17, "%d/cmdline", pid);
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "proc.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	proc_dir = dir;
	PUT("1000.00 1000.00\n", "uptime");
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static json_t *first(const json_t *host, const char *kind)
{
	json_t *all = json_object_get(host, kind);

	ck_assert_uint_eq(json_array_size(all), 1);
	return json_array_get(all, 0);
}

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

START_TEST(by_the_kernels_word)
{
	json_t *host, *w;

	add_process(100, "kvm-vmm", "2000256257");
	add_fd(100, 5, "anon_inode:kvm-split-session",
	       "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1\ntenant:\t" TENANT "\nclient:\t77\n");
	add_fd(100, 6, "anon_inode:kvm-split-vm", "pos:\t0\n");
	add_fd(100, 7, "anon_inode:kvm-split-vcpu", "pos:\t0\n");
	host = host_scan();
	w = first(host, "workers");
	ck_assert_str_eq(text_of(w, "tenant"), TENANT);
	ck_assert_int_eq(json_integer_value(json_object_get(w, "uid")), atoll(TENANT));
	ck_assert_int_eq(json_integer_value(json_object_get(w, "client")), 77);
	ck_assert_int_eq(json_integer_value(json_object_get(w, "vms")), 1);
	ck_assert_int_eq(json_integer_value(json_object_get(w, "vcpus")), 1);
}
END_TEST

/* Contents of fdinfo from which no tenant follows; the command line says 0. */
static const char * const nothing[] = {
	"", "\n", "pos:\t0\n", "tenant\n", "tenant:\n", "tenant:\t\n", "tenant:\t-5\n",
	"tenant:\t0x10\n", "tenant:\t4294967295\n", "tenant:\t99999999999999999999\n",
	"tenant: 7\n", "tenants:\t7\n", " tenant:\t7\n", "tenant:\t7 8\n", "tenant:\t\0337\n",
	"xtenant:\t7\nclientx:\t7\n",
};

START_TEST(fdinfo_without_tenant)
{
	json_t *w;

	add_process(100, "kvm-vmm", "2000256257");
	add_fd(100, 5, "anon_inode:kvm-split-session", nothing[_i]);
	w = first(host_scan(), "workers");
	ck_assert(json_is_null(json_object_get(w, "tenant")));
	ck_assert(json_is_null(json_object_get(w, "uid")));
	ck_assert(json_is_null(json_object_get(w, "client")));
}
END_TEST

START_TEST(fdinfo_of_any_length)
{
	static char text[70000];
	int i;

	/* Nothing in the middle of a line is the beginning of one. */
	add_process(90, "kvm-vmm", "2000256258");
	for (i = 0; i < 4097; i++)
		memcpy(text + 9 * i, "tenant:\t7", 9);
	add_fd(90, 5, "anon_inode:kvm-split-session", text + 1);
	ck_assert(json_is_null(json_object_get(first(host_scan(), "workers"), "uid")));
	remove_fd(90, 5);
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text + 60000, "\ntenant:\t" TENANT "\nclient:\t0\n", 31);
	add_process(100, "kvm-vmm", "2000256257");
	add_fd(100, 5, "anon_inode:kvm-split-session", text);
	ck_assert_str_eq(text_of(first(host_scan(), "workers"), "tenant"), TENANT);
	/* A spare one. */
	ck_assert(json_is_null(json_object_get(first(host_scan(), "workers"), "client")));
}
END_TEST

/* Files that a process can make and name. */
START_TEST(no_worker)
{
	add_process(100, "kvm-vmm", "1000");
	add_fd(100, 5, "/memfd:anon_inode:kvm-split-session (deleted)", "tenant:\t7\n");
	add_fd(100, 6, "/tmp/anon_inode:kvm-split-session", "tenant:\t7\n");
	add_fd(100, 7, "anon_inode:kvm-split-session-not", "tenant:\t7\n");
	add_process(101, "kvm-vmmd", "1000");
	add_process(102, "kvm-split-launc", "1000");
	ck_assert_uint_eq(json_array_size(json_object_get(host_scan(), "workers")), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(host_scan(), "supervisors")), 0);
	ck_assert(json_is_null(json_object_get(host_scan(), "launcher")));
}
END_TEST

/* Windows are what the stub mapped, not what has such a name. */
START_TEST(memory)
{
	add_process(100, "kvm-vmm", "2000256257");
	add_fd(100, 5, "anon_inode:kvm-split-session", "tenant:\t" TENANT "\nclient:\t77\n");
	PUT("100000-200000 rw-s 00000000 00:0f 1                anon_inode:kvm-split-vm\n"
	    "200000-900000 rw-s 00000000 00:01 7                /memfd:anon_inode:kvm-split-vm (deleted)\n"
	    "900000-a00000 rw-p 00000000 00:00 0\n"
	    "a00000-b00000 rw-s 100000000000 00:0f 1            anon_inode:kvm-split-vm\n", "100/maps");
	ck_assert_int_eq(json_integer_value(json_object_get(first(host_scan(), "workers"), "memory")),
			 0x200000);
}
END_TEST

START_TEST(supervisors)
{
	json_t *host, *s;

	/* The kernel tells of the first one's workers only, and of the second itself. */
	add_process(90, "kvm-vmmd", "2000256256");
	add_fd(90, 5, "anon_inode:kvm-split-tenant", "pos:\t0\n");
	add_process(100, "kvm-vmm", "2000256300");
	add_fd(100, 5, "anon_inode:kvm-split-session", "tenant:\t" TENANT "\nclient:\t77\n");
	host = host_scan();
	s = first(host, "supervisors");
	ck_assert_str_eq(text_of(s, "tenant"), TENANT);
	ck_assert_int_eq(json_integer_value(json_object_get(s, "supervisor")), 90);
	PUT("pos:\t0\ntenant:\t" OTHER "\n", "90/fdinfo/5");
	ck_assert_str_eq(text_of(first(host_scan(), "supervisors"), "tenant"), OTHER);
	/* One without workers is nobody's, before it is the wrong one's. */
	PUT("pos:\t0\n", "90/fdinfo/5");
	PUT("pos:\t0\n", "100/fdinfo/5");
	ck_assert(json_is_null(json_object_get(first(host_scan(), "supervisors"), "uid")));
}
END_TEST

START_TEST(client_files)
{
	json_t *fds;

	add_process(77, "qemu", "1000");
	add_fd(77, 9, "anon_inode:kvm-vcpu:0", "");
	add_fd(77, 11, "anon_inode:kvm-vm", "");
	fds = host_vm_fds(77);
	ck_assert_uint_eq(json_array_size(fds), 1);
	ck_assert_int_eq(json_integer_value(json_array_get(fds, 0)), 11);
	ck_assert_uint_eq(json_array_size(host_vm_fds(78)), 0);
}
END_TEST

/* --------------------------------------------------------------- names --- */

static const char * const names[] = {
	"vcpu0", "\033]0;owned\a\033[2J", "a\tb\rc", "\177\177", "\302\23331m", "\303\244",
	"\377\376\033", "back\\slash", "\302", "",
};

/* What of each is printed. */
static const char * const printed[] = {
	"vcpu0", "\\x1b]0;owned\\x07\\x1b[2J", "a\\x09b\\x0dc", "\\x7f\\x7f", "\\xc2\\x9b31m",
	"\303\244", "\\xff\\xfe\\x1b", "back\\\\slash", "\\xc2", "",
};

/* Printed as a table, as lines and as JSON, nothing of it is a control character. */
static void print_all(json_t *rows)
{
	static const struct column columns[] = { { "name", "NAME", PLAIN }, { } };
	json_t *o = json_pack("{s:O}", "threads", rows);
	static char buf[1 << 16];
	size_t n, i;
	int saved = dup(STDOUT_FILENO);

	ck_assert_ptr_nonnull(freopen("printed", "w", stdout));
	print_table(rows, columns);
	print_pairs(o);
	print_json(rows);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	FILE *f = fopen("printed", "r");

	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	ck_assert_uint_gt(n, 0);
	for (i = 0; i < n; i++)
		ck_assert_msg((buf[i] & 0xe0) || buf[i] == '\n', "byte %zu is %#x", i, buf[i]);
}

START_TEST(threads)
{
	char name[64], *json;
	json_t *rows, *again;
	json_error_t error;

	snprintf(name, sizeof(name), "%s\n", names[_i]);
	PUT(name, "100/task/101/comm");
	PUT("101 (x) S 1 1 1 0 -1 0 0 0 0 0 200 100 0 0 20 0 1 0 500 0\n", "100/task/101/stat");
	rows = host_threads(100);
	ck_assert_uint_eq(json_array_size(rows), 1);
	ck_assert_str_eq(text_of(json_array_get(rows, 0), "name"), printed[_i]);
	json = json_dumps(rows, 0);
	again = json_loads(json, 0, &error);
	ck_assert_msg(again != NULL, "%s: %s", json, error.text);
	ck_assert(json_equal(rows, again));
	print_all(rows);
}
END_TEST

START_TEST(cgroups)
{
	json_t *w;

	add_process(100, "kvm-vmm", "2000256257");
	add_fd(100, 5, "anon_inode:kvm-split-session", "tenant:\t" TENANT "\nclient:\t77\n");
	PUT("1:name=x:/y\n0::/user.slice/\033[2J\377\n", "100/cgroup");
	w = first(host_scan(), "workers");
	ck_assert_str_eq(text_of(w, "cgroup"), "/user.slice/\\x1b[2J\\xff");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl");
	TCase *t = tcase_create("ctl");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, by_the_kernels_word);
	tcase_add_loop_test(t, fdinfo_without_tenant, 0, (int)ARRAY_SIZE(nothing));
	tcase_add_test(t, fdinfo_of_any_length);
	tcase_add_test(t, no_worker);
	tcase_add_test(t, memory);
	tcase_add_test(t, supervisors);
	tcase_add_test(t, client_files);
	tcase_add_loop_test(t, threads, 0, (int)ARRAY_SIZE(names));
	tcase_add_test(t, cgroups);
	suite_add_tcase(s, t);
	return run_suite(s);
}
