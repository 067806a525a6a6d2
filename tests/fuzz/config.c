// SPDX-License-Identifier: GPL-2.0-only
/*
 * common/config.c: kvm-split.conf, and after a NUL the file of a tenant.
 *
 * Properties: what is taken lies in the ranges of kvm-split.conf(5), and a tenant's
 * under the provider's ceilings; files that are refused are complained of, in lines
 * that do nothing to a terminal, and others are not; a second look gives the same;
 * config_check() agrees; who is denied by name is not allowed.
 */
#include "files.h"
#include "common/config.h"
#include "common/daemon.h"

#define FILE_NAME	"etc/kvm-split.conf"
#define TENANT_NAME	"etc/tenants.d/alice.conf"

static unsigned int complaints;

static void report(const char *line)
{
	complaints++;
	EQ(strncmp(line, "etc/", 4), 0);
	for (; *line; line++)
		HOLDS((unsigned char)*line >= 0x20 && *line != 0x7f);
}

static void in_range(int64_t n, int64_t min, int64_t max)
{
	HOLDS(n >= min && n <= max);
}

static void check_settings(const struct settings *s, const struct settings *ceilings)
{
	in_range(s->n[CONFIG_MAX_VMS], 1, 255);
	in_range(s->n[CONFIG_MAX_VCPUS], 1, 65536);
	in_range(s->n[CONFIG_MAX_MEMORY], 1 << 20, CONFIG_NO_LIMIT);
	in_range(s->n[CONFIG_MAX_MEMORY_SUM], 1 << 20, CONFIG_NO_LIMIT);
	in_range(s->n[CONFIG_POLICY], POLICY_OFF, POLICY_REQUIRED);
	in_range(s->n[CONFIG_NESTED], 0, 1);
	in_range(s->n[CONFIG_LOG_LEVEL], L_ERR, L_INFO);
	HOLDS(memchr(s->policy_socket, 0, sizeof(s->policy_socket)));
	HOLDS(!*s->policy_socket || *s->policy_socket == '/');
	for (int i = 0; i < CONFIG_NR_SETTINGS; i++)
		HOLDS(s->n[i] <= ceilings->n[i]);
	for (int i = 0; i < CONFIG_FEATURE_WORDS * 32; i++)
		if (s->hidden[i / 32] & 1u << i % 32)
			HOLDS(config_feature_name(i));
}

static void check_names(char *const *list)
{
	for (; list && *list; list++) {
		const char *name = *list + (**list == '@');

		in_range(strlen(name), 1, 63);
		HOLDS(!strpbrk(name, "/:\\ \t\n") && *name != '-' && *name != '.');
	}
}

static void same_names(char *const *a, char *const *b)
{
	EQ(!a, !b);
	for (; a && *a && *b; a++, b++)
		EQ(strcmp(*a, *b), 0);
	HOLDS(!a || (!*a && !*b));
}

/* A member of no group; of a group that nobody knows, -1. */
static int is_member(const char *group, const void *context)
{
	return *group == 'u' ? -1 : 0;
}

static void check_allowed(const struct config *c)
{
	static const struct config everybody;

	HOLDS(config_allows(&everybody, "alice", is_member, NULL));
	for (char *const *d = c->denied; d && *d; d++)
		HOLDS(!config_allows(c, **d == '*' ? "alice" : *d, is_member, NULL));
}

static void check_config(const struct config *c)
{
	in_range(c->n[CONFIG_UID_BASE], 65536, 4294901759);
	in_range(c->n[CONFIG_MAX_TENANTS], 1, 448);
	check_settings(&c->defaults, &c->ceilings);
	check_names(c->users);
	check_names(c->denied);
	check_allowed(c);
	EQ(c->nr_tenants, 1);
	EQ(strcmp(c->tenants[0].name, "alice"), 0);
	EQ(!config_settings(c, "alice"), c->tenants[0].bad);
	if (!c->tenants[0].bad)
		check_settings(&c->tenants[0].settings, &c->ceilings);
	EQ(config_settings(c, "bob"), &c->defaults);
}

static void check_same(const struct config *a, const struct config *b)
{
	EQ(memcmp(a->n, b->n, sizeof(a->n)), 0);
	EQ(memcmp(&a->defaults, &b->defaults, sizeof(a->defaults)), 0);
	EQ(memcmp(&a->ceilings, &b->ceilings, sizeof(a->ceilings)), 0);
	EQ(a->tenants[0].bad, b->tenants[0].bad);
	if (!a->tenants[0].bad)
		EQ(memcmp(&a->tenants[0].settings, &b->tenants[0].settings,
			  sizeof(a->defaults)), 0);
	same_names(a->users, b->users);
	same_names(a->denied, b->denied);
}

/* Whether the whole of it is good. */
static bool load(struct config *c, int *ret)
{
	complaints = 0;
	*ret = config_load(FILE_NAME, c, report);
	HOLDS(*ret == 0 || *ret == -1);
	if (*ret) {
		HOLDS(complaints);
		return false;
	}
	check_config(c);
	EQ(c->tenants[0].bad, complaints > 0);
	return !complaints;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct config a, b;
	int ra, rb, good;

	put_string(&in, FILE_NAME);
	/* All the rest: it may have NULs. */
	put_file(TENANT_NAME, in.at, in.left);
	good = load(&a, &ra);
	EQ(load(&b, &rb), good);
	EQ(ra, rb);
	EQ(config_check(FILE_NAME, report), good ? 0 : -1);
	if (!ra) {
		EQ(config_check(TENANT_NAME, report), good ? 0 : -1);
		check_same(&a, &b);
		config_keep(&b, &a);
		check_config(&b);
		config_free(&a);
		config_free(&b);
	}
	return 0;
}
