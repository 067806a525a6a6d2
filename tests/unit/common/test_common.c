// SPDX-License-Identifier: GPL-2.0-only
/*
 * When a start is allowed, which users a tenant has, which refusals are logged, whether
 * nested VMX is on.
 * Nothing here waits: the tests tell the time.
 */
#include <check.h>
#include <fcntl.h>
#include <grp.h>
#include <libkmod.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../run_suite.h"
#include "common/array_size.h"
#include "common/backoff.h"
#include "common/confine.h"
#include "launcher/launcher.h"

/* ------------------------------------------------------------ back-off --- */

START_TEST(doubles)
{
	static const long long want[] = { 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000 };
	struct backoff b = { .min = 100, .max = 10000 };
	long long now = 5000;
	size_t i;

	ck_assert_int_eq(backoff_left(&b, now), 0);
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		ck_assert_int_eq(backoff_fail(&b, now), want[i]);
		ck_assert_int_eq(backoff_left(&b, now), want[i]);
		ck_assert_int_eq(backoff_left(&b, now + want[i] - 1), 1);
		ck_assert_int_eq(backoff_left(&b, now + want[i]), 0);
		now += want[i];
	}
	ck_assert_uint_eq(b.failures, i);
	backoff_reset(&b);
	ck_assert_int_eq(backoff_fail(&b, now), 100);
}
END_TEST

START_TEST(never_overflows)
{
	struct backoff b = { .min = 500, .max = 60000 };
	int i;

	for (i = 0; i < 100000; i++)
		ck_assert_int_le(backoff_fail(&b, i), 60000);
	ck_assert_int_eq(backoff_left(&b, i - 1), 60000);
}
END_TEST

START_TEST(burst_then_rate)
{
	struct pace p = { .cost = 100, .burst = 5 };
	long long now = 1000;
	int i, n;

	for (n = 0; n < 50 && !pace_left(&p, now); n++)
		pace_take(&p, now);
	ck_assert_int_eq(n, 5);
	ck_assert_int_eq(pace_left(&p, now), 100);
	/* One for each 100 ms from now on, */
	for (i = 0; i < 10; i++) {
		now += pace_left(&p, now);
		ck_assert_int_eq(pace_left(&p, now), 0);
		pace_take(&p, now);
		ck_assert_int_eq(pace_left(&p, now), 100);
	}
	ck_assert_int_eq(now, 2000);
	/* and the whole burst again after a pause, no more after a long one. */
	now += 1000000;
	for (n = 0; n < 50 && !pace_left(&p, now); n++)
		pace_take(&p, now);
	ck_assert_int_eq(n, 5);
}
END_TEST

START_TEST(no_rate)
{
	struct pace p = { .cost = 0, .burst = 5 };
	int i;

	for (i = 0; i < 1000; i++) {
		ck_assert_int_eq(pace_left(&p, 7), 0);
		pace_take(&p, 7);
	}
}
END_TEST

/* --------------------------------------------------------------- users --- */

static const uint64_t bases[] = {
	65536, 70000, 524287, 524288, 1000000000, 2000000000, 2147352575, 2147352576,
	3000000000, 4294901759,
};

static const uid_t uids[] = {
	0, 1, 1000, 65534, 524288, 575147, 575148, 575596, 8964267, 1234567890, 2147483647,
	4000000000, 4294967293,
};

#define NR(array) ((int)ARRAY_SIZE(array))

/* Of every tenant: inside the range, and not systemd's foreign users'. */
START_TEST(in_range)
{
	const uint64_t base = bases[_i];
	unsigned int place;
	int i;

	ck_assert_uint_gt(ids_end(base), base);
	for (i = 0; i < NR(uids); i++)
		for (place = 0; place < MAX_TENANTS; place++) {
			uint64_t first = ids_first(base, uids[i], place);

			if (!first)
				continue;
			ck_assert_uint_ge(first, base);
			ck_assert_uint_le(first + TENANT_UIDS, ids_end(base));
			ck_assert(first + TENANT_UIDS <= 2147352576 || base >= 2147352576);
		}
}
END_TEST

/* No two users have a number in common, unless it is the same place at two times. */
START_TEST(disjoint)
{
	const uint64_t base = bases[_i];
	int i, j;

	for (i = 0; i < NR(uids); i++)
		for (j = 0; j < i; j++) {
			uint64_t a = ids_first(base, uids[i], 3), b = ids_first(base, uids[j], 4);

			if (a && b)
				ck_assert_msg(a + TENANT_UIDS <= b || b + TENANT_UIDS <= a,
					      "base %lu: uids %u and %u", base, uids[i], uids[j]);
		}
}
END_TEST

START_TEST(default_base)
{
	ck_assert_uint_eq(ids_end(2000000000), 2147352576);
	ck_assert_uint_eq(ids_first(2000000000, 1001, 9), 2000000000 + 256 * 1001);
	/* The last one with numbers of its own, and the next. */
	ck_assert(!ids_by_place(2000000000, 575147));
	ck_assert_uint_eq(ids_first(2000000000, 575147, 9), 2000000000 + 256ull * 575147);
	ck_assert(ids_by_place(2000000000, 575148));
	ck_assert_uint_eq(ids_first(2000000000, 575148, MAX_TENANTS - 1), 2147352576 - 256);
}
END_TEST

START_TEST(living)
{
	const uid_t first = 2000000000 + 256 * 54321;
	unsigned char used[TENANT_UIDS];
	pid_t pid;
	char c;
	int go[2], i;

	if (getuid())
		return;
	ck_assert_int_eq(ids_living(first, used), 0);
	ck_assert_int_eq(pipe(go), 0);
	pid = fork();
	if (!pid) {
		if (setuid(first + 7) < 0)
			_exit(1);
		close(STDERR_FILENO);
		if (write(go[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	ck_assert_int_eq(read(go[0], &c, 1), 1);
	ck_assert_int_eq(ids_living(first, used), 1);
	for (i = 0; i < TENANT_UIDS; i++)
		ck_assert_int_eq(used[i], i == 7);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(ids_living(first, NULL), 0);
}
END_TEST

/* Numbers that accounts of this machine have are left out, and those that there is no time for. */
START_TEST(accounts)
{
	unsigned char taken[TENANT_UIDS];
	unsigned int i;

	/* Users and groups 0, bin and the like. */
	ck_assert_uint_eq(ids_accounts(0, LLONG_MAX, taken), 0);
	ck_assert_uint_eq(taken[0], 0);
	ck_assert_uint_eq(taken[1], 1);
	for (i = 1; i < TENANT_UIDS; i++)
		ck_assert_uint_eq(taken[i], getpwuid(i) || getgrgid(i));
	ck_assert_uint_eq(ids_accounts(2000000000, LLONG_MAX, taken), 0);
	for (i = 0; i < TENANT_UIDS; i++)
		ck_assert_uint_eq(taken[i], 0);
	ck_assert_uint_eq(ids_accounts(2000000000, 0, taken), TENANT_UIDS - 2);
	for (i = 0; i < TENANT_UIDS; i++)
		ck_assert_uint_eq(taken[i], i > 1);
}
END_TEST

/* ----------------------------------------------------------- refusals ---- */

START_TEST(said_once)
{
	unsigned int unsaid = 99, n = 0, i;

	for (i = 0; i < 10000; i++)
		n += refusal_is_news(65000, 1000 + i, &unsaid);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(unsaid, 0);
	/* Later it is news again, with the number of those between. */
	ck_assert(refusal_is_news(65000, 1000 + 3600000, &unsaid));
	ck_assert_uint_eq(unsaid, 9999);
}
END_TEST

/* 600 subordinate ids that try every 10 ms for a quarter of an hour. */
START_TEST(many_uids)
{
	unsigned int unsaid, said = 0, counted = 0, tries = 0;
	long long now;

	for (now = 1000; now < 901000; now += 10) {
		tries++;
		if (!refusal_is_news(100000 + tries % 600, now, &unsaid))
			continue;
		said++;
		counted += unsaid;
	}
	ck_assert_uint_le(said, 16 * 16);
	ck_assert_uint_ge(said, 16 * 14);
	ck_assert_uint_le(said + counted, tries);
	ck_assert_uint_ge(said + counted, tries - 600);
}
END_TEST

/* ----------------------------------------------------------- parameters -- */

#define NR_FILES	3

/* A host's files, and whether nested VMX is on there. */
static const struct host {
	int nested;
	struct {
		const char *path, *text;
	} file[NR_FILES];
} hosts[] = {
	{ 1, { { NULL, NULL } } },
	/* Values, and ways of writing the line. */
	{ 0, { { "etc/modprobe.d/kvm.conf", "options kvm_intel nested=0\n" } } },
	{ 0, { { "etc/modprobe.d/kvm.conf", "options kvm-intel nested=n" } } },
	{ 0, { { "etc/modprobe.d/kvm.conf", "# nested\n\n \toptions  kvm_intel\t ept=1  nested=N emulate_invalid_guest_state=0\n" } } },
	{ 0, { { "etc/modprobe.d/kvm.conf", "options kvm_intel \\\n  nested=off\n" } } },
	{ 1, { { "etc/modprobe.d/kvm.conf", "options kvm_intel nested=1\n" } } },
	{ 1, { { "etc/modprobe.d/kvm.conf", "options kvm_intel nested=maybe\n" } } },
	{ 1, { { "etc/modprobe.d/kvm.conf", "#options kvm_intel nested=0\n" } } },
	{ 1, { { "etc/modprobe.d/kvm.conf", "options kvm nested=0\noptions kvm_amd nested=0\n" } } },
	{ 1, { { "etc/modprobe.d/kvm.conf", "options kvm_intel nested_early_check=0 xnested=0\noptions\noptions kvm_intel\n" } } },
	{ 1, { { "etc/modprobe.d/kvm.off", "options kvm_intel nested=0\n" } } },
	/* Later lines win, whatever file they are in, */
	{ 0, { { "etc/modprobe.d/kvm.conf", "options kvm_intel nested\noptions kvm_intel nested=0\n" } } },
	{ 1, { { "etc/modprobe.d/kvm.conf", "options kvm_intel nested=0\noptions kvm_intel nested\n" } } },
	{ 1, { { "etc/modprobe.d/a.conf", "options kvm_intel nested=0\n" },
	       { "etc/modprobe.d/b.conf", "options kvm_intel nested=1\n" } } },
	/* and files come by name, not by place. */
	{ 0, { { "etc/modprobe.d/a.conf", "options kvm_intel nested=1\n" },
	       { "lib/modprobe.d/b.conf", "options kvm_intel nested=0\n" } } },
	{ 1, { { "etc/modprobe.d/b.conf", "options kvm_intel nested=1\n" },
	       { "lib/modprobe.d/a.conf", "options kvm_intel nested=0\n" } } },
	/* One place hides files of the same name in those after it. */
	{ 1, { { "etc/modprobe.d/kvm.conf", "" },
	       { "lib/modprobe.d/kvm.conf", "options kvm_intel nested=0\n" },
	       { "run/modprobe.d/kvm.conf", "options kvm_intel nested=0\n" } } },
	{ 0, { { "run/modprobe.d/kvm.conf", "options kvm_intel nested=0\n" },
	       { "lib/modprobe.d/kvm.conf", "options kvm_intel nested=1\n" } } },
	/* The kernel's command line goes before all of them. */
	{ 0, { { "proc/cmdline", "quiet kvm_intel.nested=0\n" } } },
	{ 1, { { "proc/cmdline", "quiet kvm_intel.nested=0 kvm-intel.nested\n" } } },
	{ 0, { { "proc/cmdline", "quiet kvm_intel.nested=0\n" },
	       { "etc/modprobe.d/kvm.conf", "options kvm_intel nested=1\n" } } },
	{ 1, { { "proc/cmdline", "quiet kvm-intel.nested=1 kvm.halt_poll_ns=0\n" },
	       { "etc/modprobe.d/kvm.conf", "options kvm_intel nested=0\n" } } },
	{ 0, { { "proc/cmdline", "quiet kvm.nested=1\n" },
	       { "etc/modprobe.d/kvm.conf", "options kvm_intel nested=0\n" } } },
};

static char root[32];

struct kmod_ctx *__real_kmod_new(const char *dirname, const char *const *places);
struct kmod_ctx *__wrap_kmod_new(const char *dirname, const char *const *places);

/* In place of the host's modprobe.d: three places below the root. */
struct kmod_ctx *__wrap_kmod_new(const char *dirname, const char *const *places)
{
	static const char *const names[] = { "etc", "run", "lib" };
	const char *paths[ARRAY_SIZE(names) + 1] = { NULL };
	char whole[ARRAY_SIZE(names)][64];
	size_t i;

	ck_assert_ptr_null(places);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(whole[i], sizeof(whole[i]), "%s/%s/modprobe.d", root, names[i]);
		paths[i] = whole[i];
	}
	return __real_kmod_new(dirname, paths);
}

/* In place of libc's: libkmod finds the root's command line. */
int open(const char *path, int flags, ...)
{
	char whole[64];
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, int);
	va_end(args);
	if (!strcmp(path, "/proc/cmdline")) {
		snprintf(whole, sizeof(whole), "%s%s", root, path);
		path = whole;
	}
	return openat(AT_FDCWD, path, flags, mode);
}

static void make_file(const char *path, const char *text)
{
	char whole[PATH_MAX], *slash;
	FILE *f;

	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	for (slash = whole + strlen(root); (slash = strchr(slash + 1, '/')); *slash = '/') {
		*slash = '\0';
		mkdir(whole, 0755);
	}
	f = fopen(whole, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(nested_vmx)
{
	const struct host *h = &hosts[_i];
	char command[64];
	int i;

	memcpy(root, "/tmp/params.XXXXXX", sizeof("/tmp/params.XXXXXX"));
	ck_assert_ptr_nonnull(mkdtemp(root));
	for (i = 0; i < NR_FILES && h->file[i].path; i++)
		make_file(h->file[i].path, h->file[i].text);
	params_read();
	snprintf(command, sizeof(command), "rm -r %s", root);
	ck_assert_int_eq(system(command), 0);
	ck_assert_msg(params_nested() == h->nested, "host %d: nested is %d", _i, params_nested());
	/* What was read once does not stay. */
	params_read();
	ck_assert(params_nested());
}
END_TEST

int main(void)
{
	Suite *s = suite_create("common");
	TCase *t = tcase_create("common");

	tcase_add_test(t, doubles);
	tcase_add_test(t, never_overflows);
	tcase_add_test(t, burst_then_rate);
	tcase_add_test(t, no_rate);
	tcase_add_loop_test(t, in_range, 0, NR(bases));
	tcase_add_loop_test(t, disjoint, 0, NR(bases));
	tcase_add_test(t, default_base);
	tcase_add_test(t, living);
	tcase_add_test(t, accounts);
	tcase_add_test(t, said_once);
	tcase_add_test(t, many_uids);
	tcase_add_loop_test(t, nested_vmx, 0, NR(hosts));
	suite_add_tcase(s, t);
	return run_suite(s);
}
