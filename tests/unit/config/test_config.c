// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-split.conf and tenants.d: what is taken, what is refused and with which
 * words, and what mutated files do to the reader (nothing).
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../run_suite.h"
#include "common/array_size.h"
#include "common/config.h"
#include "common/daemon.h"

static char dir[64], provider[96], tenants[96], tenant[128];
static char complaints[8192];
static unsigned int nr_complaints;

/* Keep what is said, without the name of the scratch folder. */
static void report(const char *line)
{
	size_t n = strlen(complaints);

	ck_assert_msg(!strncmp(line, dir, strlen(dir)), "%s", line);
	line += strlen(dir) + 1;
	snprintf(complaints + n, sizeof(complaints) - n, "%s\n", line);
	nr_complaints++;
}

static void write_file(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), len);
	fchmod(fd, 0644);
	close(fd);
}

static void put(const char *path, const char *text)
{
	write_file(path, text, strlen(text));
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "conf.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(provider, sizeof(provider), "%s/kvm-split.conf", dir);
	snprintf(tenants, sizeof(tenants), "%s/tenants.d", dir);
	snprintf(tenant, sizeof(tenant), "%s/alice.conf", tenants);
	ck_assert_int_eq(mkdir(tenants, 0755), 0);
	chmod(tenants, 0755);
	complaints[0] = '\0';
	nr_complaints = 0;
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static struct config load(int want)
{
	struct config c = { 0 };

	ck_assert_msg(config_load(provider, &c, report) == want, "%s", complaints);
	return c;
}

/* Of the groups that @context lists; of "ghost" nobody can tell. */
static int is_member(const char *group, const void *context)
{
	char *const *g;

	for (g = context; *g; g++)
		if (!strcmp(*g, group))
			return 1;
	return strcmp(group, "ghost") ? 0 : -1;
}

static int hidden(const struct settings *s, unsigned int bit)
{
	return s->hidden[bit / 32] >> (bit % 32) & 1;
}

START_TEST(defaults)
{
	char *groups[] = { NULL };
	struct config c;

	/* No folder at all. */
	strcat(provider, ".d/none/kvm-split.conf");
	c = load(0);
	ck_assert_int_eq(c.n[CONFIG_UID_BASE], 2000000000);
	ck_assert_int_eq(c.n[CONFIG_MAX_TENANTS], 64);
	ck_assert_int_eq(c.defaults.n[CONFIG_MAX_VMS], 64);
	ck_assert_int_eq(c.defaults.n[CONFIG_MAX_VCPUS], 512);
	ck_assert_int_eq(c.defaults.n[CONFIG_MAX_MEMORY], CONFIG_NO_LIMIT);
	ck_assert_int_eq(c.defaults.n[CONFIG_MAX_MEMORY_SUM], CONFIG_NO_LIMIT);
	ck_assert_int_eq(c.defaults.n[CONFIG_NESTED], 1);
	ck_assert_int_eq(c.defaults.n[CONFIG_LOG_LEVEL], L_INFO);
	ck_assert_int_eq(c.defaults.n[CONFIG_POLICY], POLICY_EXPECTED);
	ck_assert_str_eq(c.defaults.policy_socket, "");
	ck_assert(config_allows(&c, "anybody", is_member, groups));
	ck_assert_ptr_eq(config_settings(&c, "anybody"), &c.defaults);
	ck_assert_uint_eq(nr_complaints, 0);
	config_free(&c);
}
END_TEST

START_TEST(all_keys)
{
	char *none[] = { NULL }, *kvm[] = { "users", "kvm", NULL };
	const struct settings *s;
	struct config c;

	put(provider,
	    "# everything\n"
	    "uid-base: 70000\nmax-tenants: 448\n"
	    "users: [ alice, \"@kvm\" ]\ndeny: [ mallory ]\n"
	    "defaults:\n  max-vms: 2\n  max-vcpus: 4\n  max-memory: 512M\n"
	    "  max-memory-sum: 1G\n  policy: required\n  nested: no\n  hide-cpu-features: [ fpu ]\n  log-level: warning\n"
	    "ceilings: { max-vms: 3, max-vcpus: 8, max-memory: 1T,\n"
	    "  max-memory-sum: 2G }\n");
	put(tenant,
	    "max-vms: 3\nmax-memory: 64G\nnested: yes\nhide-cpu-features:\n- vme\n- AVX2\n"
	    "policy-socket: /run/policy\nmax-memory-sum: 2048M\npolicy: off\n");
	c = load(0);
	ck_assert_int_eq(c.n[CONFIG_UID_BASE], 70000);
	ck_assert_int_eq(c.n[CONFIG_MAX_TENANTS], 448);
	s = config_settings(&c, "bob");
	ck_assert_int_eq(s->n[CONFIG_MAX_VMS], 2);
	ck_assert_int_eq(s->n[CONFIG_MAX_MEMORY], 512 << 20);
	ck_assert_int_eq(s->n[CONFIG_MAX_MEMORY_SUM], 1 << 30);
	ck_assert_int_eq(s->n[CONFIG_POLICY], POLICY_REQUIRED);
	ck_assert_int_eq(s->n[CONFIG_NESTED], 0);
	ck_assert(hidden(s, 0) && !hidden(s, 1));
	s = config_settings(&c, "alice");
	ck_assert_int_eq(s->n[CONFIG_MAX_VMS], 3);
	ck_assert_int_eq(s->n[CONFIG_MAX_VCPUS], 4);
	ck_assert_int_eq(s->n[CONFIG_MAX_MEMORY], 64LL << 30);
	ck_assert_int_eq(s->n[CONFIG_MAX_MEMORY_SUM], 2LL << 30);
	ck_assert_int_eq(s->n[CONFIG_POLICY], POLICY_OFF);
	ck_assert_int_eq(s->n[CONFIG_NESTED], 1);
	ck_assert_int_eq(s->n[CONFIG_LOG_LEVEL], L_WARNING);
	ck_assert_str_eq(s->policy_socket, "/run/policy");
	ck_assert(hidden(s, 0) && hidden(s, 1) && !hidden(s, 2));
	ck_assert(hidden(s, 9 * 32 + 5));
	ck_assert_str_eq(config_feature_name(9 * 32 + 5), "avx2");
	ck_assert(config_allows(&c, "alice", is_member, none));
	ck_assert(!config_allows(&c, "bob", is_member, none));
	ck_assert(config_allows(&c, "bob", is_member, kvm));
	ck_assert(!config_allows(&c, "mallory", is_member, kvm));
	ck_assert(!config_allows(&c, "kvm", is_member, none));
	config_free(&c);
}
END_TEST

START_TEST(nobody_and_everybody)
{
	char *none[] = { NULL };
	struct config c;

	put(provider, "users: []\n");
	c = load(0);
	ck_assert(!config_allows(&c, "alice", is_member, none));
	config_free(&c);
	put(provider, "users: [ '*' ]\ndeny: [ bob ]\n");
	c = load(0);
	ck_assert(config_allows(&c, "alice", is_member, none));
	ck_assert(!config_allows(&c, "bob", is_member, none));
	config_free(&c);
	put(provider, "deny: [ '*' ]\n");
	c = load(0);
	ck_assert(!config_allows(&c, "alice", is_member, none));
	config_free(&c);
}
END_TEST

/* Where the user database does not tell, the user may not. */
START_TEST(groups_that_cannot_be_told)
{
	char *none[] = { NULL }, *kvm[] = { "kvm", NULL };
	struct config c;

	put(provider, "deny: [ '@ghost', '@games' ]\n");
	c = load(0);
	ck_assert(!config_allows(&c, "alice", is_member, none));
	config_free(&c);
	put(provider, "users: [ '@ghost', '@kvm' ]\n");
	c = load(0);
	ck_assert(!config_allows(&c, "alice", is_member, none));
	ck_assert(config_allows(&c, "alice", is_member, kvm));
	config_free(&c);
}
END_TEST

/* A user without a name has a file by number. */
START_TEST(by_number)
{
	struct config c;

	put(tenant, "max-vms: 3\n");
	snprintf(tenant, sizeof(tenant), "%s/65001.conf", tenants);
	put(tenant, "max-vmz: 3\n");
	c = load(0);
	ck_assert(config_has_tenant(&c, "alice"));
	/* Also if it cannot be used: the reason for the refusal is another one. */
	ck_assert(config_has_tenant(&c, "65001"));
	ck_assert(!config_has_tenant(&c, "65002"));
	ck_assert_int_eq(config_settings(&c, "alice")->n[CONFIG_MAX_VMS], 3);
	ck_assert_ptr_null(config_settings(&c, "65001"));
	config_free(&c);
}
END_TEST

/* A ceiling below a default that nobody wrote lowers it. */
START_TEST(ceilings)
{
	struct config c;

	put(provider, "ceilings: { max-vms: 5, nested: no }\n");
	c = load(0);
	ck_assert_int_eq(c.defaults.n[CONFIG_MAX_VMS], 5);
	ck_assert_int_eq(c.defaults.n[CONFIG_NESTED], 0);
	config_free(&c);
}
END_TEST

static const struct bad {
	const char *text, *says;
} bad_provider[] = {
	{ "max-vms: 3\n", "1: unknown key 'max-vms'" },
	{ "\n# x\nMax-tenants: 3\n", "3: unknown key 'Max-tenants'" },
	{ "max-tenants:\n", "1: max-tenants: '' is not a number from 1 to 448" },
	{ "max-tenants: 0\n", "1: max-tenants: '0' is not a number" },
	{ "max-tenants: 449\n", "1: max-tenants: '449' is not" },
	{ "max-tenants: -1\n", "1: max-tenants: '-1' is not" },
	{ "max-tenants: 0x10\n", "1: max-tenants: '0x10' is not" },
	{ "max-tenants: 4294967360\n", "1: max-tenants: '4294967360' is not" },
	{ "max-tenants: 99999999999999999999\n", "1: max-tenants: '99999999999999999999' is not" },
	{ "max-tenants: 1.5\n", "1: max-tenants: '1.5' is not" },
	{ "max-tenants: [ 1 ]\n", "1: max-tenants: a single value is needed" },
	{ "max-tenants: { a: 1 }\n", "1: max-tenants: a single value is needed" },
	{ "max-tenants: \"1\\0\"\n", "1: max-tenants: a single value is needed" },
	{ "max-tenants: 1\nmax-tenants: 2\n", "2: max-tenants was set in line 1 already" },
	{ "uid-base: 65535\n", "1: uid-base: '65535' is not a number from 65536" },
	{ "uid-base: 4294901760\n", "1: uid-base: '4294901760' is not" },
	{ "users: alice\n", "1: users: a list is needed" },
	{ "users: [ a/b ]\n", "1: users: 'a/b' is not a user" },
	{ "users:\n- ok\n- ''\n", "3: users: '' is not a user" },
	{ "users: [ \"@\" ]\n", "1: users: '@' is not a user" },
	{ "users: [ [ a ] ]\n", "1: users: a single value is needed" },
	{ "users: [ * ]\n", "1: did not find expected alphabetic or numeric character" },
	{ "users: [ a\n", "2: did not find expected ',' or ']'" },
	{ "defaults: 3\n", "1: lines 'key: value' are needed" },
	{ "defaults:\n  uid-base: 70000\n", "2: unknown key 'uid-base'" },
	{ "defaults:\n  nested: maybe\n", "2: nested: 'maybe' is not yes or no" },
	{ "defaults:\n  nested: Yes\n", "2: nested: 'Yes' is not yes or no" },
	{ "defaults:\n  max-memory: 4\n", "2: max-memory: '4' is not a size" },
	{ "defaults:\n  max-memory: 1023K\n", "2: max-memory: '1023K' is not a size" },
	{ "defaults:\n  max-memory: 9007199254740993K\n", "2: max-memory: '9007199254740993K' is not" },
	{ "defaults:\n  max-memory: G\n", "2: max-memory: 'G' is not a size" },
	{ "defaults:\n  max-memory: -1G\n", "2: max-memory: '-1G' is not a size" },
	{ "defaults:\n  max-memory-sum: 5\n", "2: max-memory-sum: '5' is not a size" },
	{ "defaults:\n  policy: maybe\n", "2: policy: 'maybe' is not off, optional, expected or" },
	{ "defaults:\n  log-level: debug\n", "2: log-level: 'debug' is not error, warning" },
	{ "defaults:\n  hide-cpu-features: [ avx3 ]\n", "2: hide-cpu-features: no CPU feature is called 'avx3'" },
	{ "defaults:\n  policy-socket: run/x\n", "2: policy-socket: 'run/x' is not an absolute path" },
	{ "ceilings:\n  log-level: error\n", "2: unknown key 'log-level'" },
	{ "defaults:\n  max-vms: 9\nceilings:\n  max-vms: 8\n", "2: max-vms: the default is above the ceiling" },
	{ "ceilings:\n  nested: no\ndefaults:\n  nested: yes\n", "4: nested: the default is above the ceiling" },
	{ "- a\n", "1: lines 'key: value' are needed" },
	{ "text\n", "1: lines 'key: value' are needed" },
	{ "max-tenants: 1\n---\nmax-tenants: 2\n", "3: a second document" },
	{ "max-tenants: 1\n---\n{\n", "4: did not find expected" },
	{ "max-tenants 3\n", "1: lines 'key: value' are needed" },
	{ "? [ a ]\n: 3\n", "1: key: a single value is needed" },
	{ "a: &x [ *x ]\n", "1: unknown key 'a'" },
	{ "a: *x\n", "1: found undefined alias" },
	{ "\tmax-tenants: 3\n", "1: found character that cannot start any token" },
	{ "max-tenants: 3\xff\n", "1: invalid leading UTF-8 octet" },
};

START_TEST(provider_is_bad)
{
	const struct bad *b = &bad_provider[_i];
	char want[256];

	put(provider, b->text);
	load(-1);
	ck_assert_uint_ge(nr_complaints, 1);
	snprintf(want, sizeof(want), "kvm-split.conf:%s", b->says);
	ck_assert_msg(!strncmp(complaints, want, strlen(want)), "%s\nnot %s", complaints, want);
	ck_assert_int_eq(config_check(provider, report), -1);
}
END_TEST

static const struct bad bad_tenant[] = {
	{ "uid-base: 70000\n", "1: unknown key 'uid-base'" },
	{ "users: [ alice ]\n", "1: unknown key 'users'" },
	{ "# one\nmax-vms: 9\n", "2: max-vms: '9' is above the provider's ceiling" },
	{ "max-memory: unlimited\n", "1: max-memory: 'unlimited' is above" },
	{ "nested: yes\n", "1: nested: 'yes' is above" },
	{ "max-vcpus: many\n", "1: max-vcpus: 'many' is not a number" },
};

static const char some_ceilings[] = "ceilings: { max-vms: 8, max-memory: 1T, nested: no }\n";

/* Its tenant is refused, and nobody else. */
START_TEST(tenant_is_bad)
{
	const struct bad *b = &bad_tenant[_i];
	char want[256];
	struct config c;

	put(provider, some_ceilings);
	put(tenant, b->text);
	c = load(0);
	snprintf(want, sizeof(want), "tenants.d/alice.conf:%s", b->says);
	ck_assert_msg(!strncmp(complaints, want, strlen(want)), "%s\nnot %s", complaints, want);
	ck_assert_uint_eq(nr_complaints, 1);
	ck_assert_ptr_null(config_settings(&c, "alice"));
	ck_assert_ptr_eq(config_settings(&c, "bob"), &c.defaults);
	config_free(&c);
	ck_assert_int_eq(config_check(provider, report), -1);
	ck_assert_int_eq(config_check(tenant, report), -1);
	ck_assert_uint_eq(nr_complaints, 3);
}
END_TEST

/* Until it is mended, what there was before holds. */
START_TEST(old_stays)
{
	struct config old, new;

	put(tenant, "max-vms: 7\n");
	old = load(0);
	put(tenant, "max-vms: 7000\n");
	new = load(0);
	config_keep(&new, &old);
	config_free(&old);
	ck_assert_int_eq(config_settings(&new, "alice")->n[CONFIG_MAX_VMS], 7);
	old = new;
	/* Bad twice in a row. */
	new = load(0);
	config_keep(&new, &old);
	config_free(&old);
	ck_assert_int_eq(config_settings(&new, "alice")->n[CONFIG_MAX_VMS], 7);
	old = new;
	unlink(tenant);
	new = load(0);
	config_keep(&new, &old);
	ck_assert_int_eq(config_settings(&new, "alice")->n[CONFIG_MAX_VMS], 64);
	config_free(&old);
	config_free(&new);
}
END_TEST

START_TEST(who_may_write)
{
	struct config c;

	put(provider, "max-tenants: 3\n");
	chmod(provider, 0664);
	load(-1);
	ck_assert_str_eq(complaints, "kvm-split.conf: others than its owner may write to it\n");
	chmod(provider, 0646);
	load(-1);
	chmod(provider, 0644);
	chmod(tenants, 0777);
	load(-1);
	chmod(tenants, 0755);
	put(tenant, "max-vms: 3\n");
	chmod(tenant, 0622);
	c = load(0);
	ck_assert_ptr_null(config_settings(&c, "alice"));
	config_free(&c);
	chmod(tenant, 0644);
	if (!geteuid()) {
		ck_assert_int_eq(chown(tenant, 65534, 0), 0);
		c = load(0);
		ck_assert_ptr_null(config_settings(&c, "alice"));
		ck_assert_ptr_nonnull(strstr(complaints, "alice.conf: is owned by uid 65534"));
		config_free(&c);
		ck_assert_int_eq(chown(provider, 65534, 0), 0);
		load(-1);
	}
	unlink(provider);
	ck_assert_int_eq(mkdir(provider, 0755), 0);
	load(-1);
	ck_assert_ptr_nonnull(strstr(complaints, "not a regular file"));
	rmdir(provider);
	ck_assert_int_eq(mkfifo(provider, 0600), 0);
	load(-1);
	unlink(provider);
	ck_assert_int_eq(symlink("nowhere/at/all", provider), 0);
	c = load(0);
	config_free(&c);
}
END_TEST

START_TEST(too_long)
{
	static char text[65537];

	memset(text, '#', sizeof(text));
	text[65535] = '\n';
	write_file(provider, text, 65536);
	ck_assert_int_eq(config_check(provider, report), 0);
	write_file(provider, text, 65537);
	ck_assert_int_eq(config_check(provider, report), -1);
}
END_TEST

START_TEST(names_of_files)
{
	static const char * const others[] = {
		".alice.conf", "alice.conf~", "alice", ".conf", "alice.conf.dpkg-new",
	};
	char path[160];
	struct config c;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		snprintf(path, sizeof(path), "%s/%s", tenants, others[i]);
		put(path, "nonsense\n");
	}
	put(tenant, "max-vms: 3\n");
	c = load(0);
	ck_assert_uint_eq(c.nr_tenants, 1);
	ck_assert_uint_eq(nr_complaints, 0);
	config_free(&c);
}
END_TEST

START_TEST(check_files)
{
	ck_assert_int_eq(config_check(provider, report), -1);
	put(provider, some_ceilings);
	ck_assert_int_eq(config_check(provider, report), 0);
	put(tenant, "max-vms: 8\n");
	ck_assert_int_eq(config_check(tenant, report), 0);
	unlink(tenant);
	ck_assert_int_eq(config_check(tenant, report), -1);
	ck_assert_uint_eq(nr_complaints, 2);
}
END_TEST

START_TEST(example)
{
	/* Nothing is reported, so nothing is compared with the scratch folder. */
	ck_assert_int_eq(config_check(EXAMPLES "/kvm-split.conf", report), 0);
}
END_TEST

/* Uncommented, the example says what holds without it. */
START_TEST(example_has_defaults)
{
	static char text[65536], plain[65536];
	FILE *f = fopen(EXAMPLES "/kvm-split.conf", "r");
	struct config c, none;
	size_t n, i, out = 0;
	int start = 1;

	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	for (i = 0; i < n; i++) {
		/* "#key" is a key, "# text" is text. */
		if (!(start && text[i] == '#' && text[i + 1] > ' '))
			plain[out++] = text[i];
		start = text[i] == '\n' || (start && text[i] == ' ');
	}
	/* No policy socket is the default. */
	plain[out] = '\0';
	ck_assert_ptr_nonnull(strstr(plain, "policy-socket:"));
	memcpy(strstr(plain, "policy-socket:"), "#", 1);
	none = load(0);
	put(provider, plain);
	c = load(0);
	ck_assert_mem_eq(c.n, none.n, sizeof(c.n));
	ck_assert_mem_eq(&c.defaults, &none.defaults, sizeof(c.defaults));
	ck_assert_mem_eq(&c.ceilings, &none.ceilings, sizeof(c.ceilings));
	ck_assert_str_eq(c.users[0], "*");
	ck_assert_ptr_null(c.denied[0]);
	config_free(&c);
	config_free(&none);
}
END_TEST

static unsigned long long seed = 1;

static unsigned int dice(unsigned int n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % n;
}

/* Parts of files, put together and damaged: taken or refused, with words for it. */
START_TEST(mutations)
{
	static const char * const pieces[] = {
		"max-vms: 3\n", "defaults:\n", "  ", "ceilings: {", "}", "[", "]", "users: ",
		"- ", "\"", "'", ": ", "\n", "#", "&a ", "*a", "!!int ", "---\n", "|\n", "? ",
		"hide-cpu-features: [ avx, fpu ]\n", "max-memory: 4G\n", "nested: no\n", "<<: ",
		"%YAML 1.1\n", "\t", "\xc3\xa4", "\xff", "9999999999999999999", ",", "\\x00",
	};
	char text[512];
	int taken = 0, refused = 0;
	unsigned int round;

	for (round = 0; round < 20000; round++) {
		size_t len = 0, i, n = dice(20);
		struct config c;

		for (i = 0; i < n; i++) {
			const char *p = pieces[dice(ARRAY_SIZE(pieces))];

			memcpy(text + len, p, strlen(p));
			len += strlen(p);
		}
		for (i = 0; len && i < dice(4); i++)
			text[dice(len)] = dice(256);
		nr_complaints = 0;
		complaints[0] = '\0';
		write_file(round & 1 ? tenant : provider, text, len);
		if (config_load(provider, &c, report) < 0) {
			ck_assert_uint_ge(nr_complaints, 1);
			refused++;
			put(provider, "");
			continue;
		}
		ck_assert(config_settings(&c, "alice") ? !nr_complaints : nr_complaints);
		taken += !nr_complaints;
		refused += !!nr_complaints;
		ck_assert_int_ge(c.defaults.n[CONFIG_MAX_VMS], 1);
		ck_assert_int_le(c.defaults.n[CONFIG_MAX_VMS], c.ceilings.n[CONFIG_MAX_VMS]);
		config_free(&c);
	}
	ck_assert_int_gt(taken, 100);
	ck_assert_int_gt(refused, 1000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config");
	TCase *t = tcase_create("config");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, defaults);
	tcase_add_test(t, all_keys);
	tcase_add_test(t, nobody_and_everybody);
	tcase_add_test(t, groups_that_cannot_be_told);
	tcase_add_test(t, by_number);
	tcase_add_test(t, ceilings);
	tcase_add_loop_test(t, provider_is_bad, 0, ARRAY_SIZE(bad_provider));
	tcase_add_loop_test(t, tenant_is_bad, 0, ARRAY_SIZE(bad_tenant));
	tcase_add_test(t, old_stays);
	tcase_add_test(t, who_may_write);
	tcase_add_test(t, too_long);
	tcase_add_test(t, names_of_files);
	tcase_add_test(t, check_files);
	tcase_add_test(t, example);
	tcase_add_test(t, example_has_defaults);
	tcase_add_test(t, mutations);
	suite_add_tcase(s, t);
	return run_suite(s);
}
