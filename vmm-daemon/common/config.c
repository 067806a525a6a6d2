// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading kvm-split.conf and tenants.d/NAME.conf, see kvm-split.conf(5).
 *
 * Invariants: a file counts as a whole or not at all; without files, everything has
 * its default.  yaml_file.c has those of all files.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/array_size.h"
#include "common/config.h"
#include "common/confine.h"
#include "common/daemon.h"
#include "common/yaml_file.h"

#define MAX_NAME	64	/* of a user */

static const struct {
	const char *name;
	int bit;
} features[] = {
#include "cpu_features.h"	/* made from the kernel's asm/cpufeatures.h */
};

/* ------------------------------------------------------------- values ---- */

static int64_t count(const char *text, int64_t min, int64_t max)
{
	int64_t n = parse_number(text, max);

	return n < min ? -1 : n;
}

static int64_t parse_vms(const char *text)
{
	return count(text, 1, TENANT_UIDS - 1);
}

static int64_t parse_vcpus(const char *text)
{
	return count(text, 1, 65536);
}

static int64_t parse_uid_base(const char *text)
{
	return count(text, 65536, UINT32_MAX - 65536LL);
}

static int64_t parse_tenants(const char *text)
{
	return count(text, 1, 448);	/* the kernel has 512, users who wait included */
}

/**
 * config_parse_size() - a size with its unit
 * @text:	at least 1M, with K, M, G or T; or "unlimited"
 *
 * Return: bytes, CONFIG_NO_LIMIT, or -1: that is no size.
 */
int64_t config_parse_size(const char *text)
{
	static const char units[] = "KMGT";
	size_t len = strlen(text);
	const char *unit;
	char digits[16];
	int64_t n;
	int shift;

	if (!strcmp(text, "unlimited"))
		return CONFIG_NO_LIMIT;
	if (len < 2 || len > sizeof(digits))
		return -1;
	unit = strchr(units, text[len - 1]);
	memcpy(digits, text, len - 1);
	digits[len - 1] = '\0';
	if (!unit)
		return -1;
	shift = 10 * (unit - units + 1);
	n = count(digits, 1, INT64_MAX >> shift);
	return n < 0 || n << shift < 1 << 20 ? -1 : n << shift;
}

static int64_t parse_yes(const char *text)
{
	return !strcmp(text, "yes") ? 1 : !strcmp(text, "no") ? 0 : -1;
}

static int64_t parse_level(const char *text)
{
	static const struct {
		const char *name;
		int level;
	} levels[] = {
		{ "error", L_ERR }, { "warning", L_WARNING },
		{ "notice", L_NOTICE }, { "info", L_INFO },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(levels); i++)
		if (!strcmp(text, levels[i].name))
			return levels[i].level;
	return -1;
}

static const char * const policies[] = {
	[POLICY_OFF] = "off",
	[POLICY_OPTIONAL] = "optional",
	[POLICY_EXPECTED] = "expected",
	[POLICY_REQUIRED] = "required",
};

/**
 * config_parse_policy() - what the policy service is to a tenant
 * @text:	"off", say
 *
 * Return: an enum config_policy, -1: that is none.
 */
int64_t config_parse_policy(const char *text)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(policies); i++)
		if (!strcmp(text, policies[i]))
			return i;
	return -1;
}

/**
 * config_policy_name() - the word for it
 * @p:		what the policy service is
 */
const char *config_policy_name(enum config_policy p)
{
	return policies[p];
}

/* Kinds of mappings, as bits. */
#define PROVIDER	1
#define DEFAULTS	2
#define CEILINGS	4
#define TENANT		8

static const struct {
	const char *name;
	int scopes;
	int64_t (*parse)(const char *text);
	const char *valid;
	int64_t def, ceiling;
} keys[CONFIG_NR_KEYS] = {
	[CONFIG_MAX_VMS] = { "max-vms", DEFAULTS | CEILINGS | TENANT, parse_vms,
		"a number from 1 to 255", 64, TENANT_UIDS - 1 },
	[CONFIG_MAX_VCPUS] = { "max-vcpus", DEFAULTS | CEILINGS | TENANT, parse_vcpus,
		"a number from 1 to 65536", 512, 65536 },
	[CONFIG_MAX_MEMORY] = { "max-memory", DEFAULTS | CEILINGS | TENANT, config_parse_size,
		"a size (at least 1M; with K, M, G or T) or unlimited",
		CONFIG_NO_LIMIT, CONFIG_NO_LIMIT },
	[CONFIG_MAX_MEMORY_SUM] = { "max-memory-sum", DEFAULTS | CEILINGS | TENANT, config_parse_size,
		"a size (at least 1M; with K, M, G or T) or unlimited",
		CONFIG_NO_LIMIT, CONFIG_NO_LIMIT },
	[CONFIG_NESTED] = { "nested", DEFAULTS | CEILINGS | TENANT, parse_yes,
		"yes or no", 1, 1 },
	[CONFIG_LOG_LEVEL] = { "log-level", DEFAULTS | TENANT, parse_level,
		"error, warning, notice or info", L_INFO, L_INFO },
	[CONFIG_POLICY] = { "policy", DEFAULTS | TENANT, config_parse_policy,
		"off, optional, expected or required", POLICY_EXPECTED, POLICY_REQUIRED },
	[CONFIG_UID_BASE] = { "uid-base", PROVIDER, parse_uid_base,
		"a number from 65536 to 4294901759", 2000000000, 0 },
	[CONFIG_MAX_TENANTS] = { "max-tenants", PROVIDER, parse_tenants,
		"a number from 1 to 448", 64, 0 },
};

static int feature_bit(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(features); i++)
		if (!strcasecmp(features[i].name, name))
			return features[i].bit;
	return -1;
}

/**
 * config_feature_name() - a CPU feature's name
 * @bit:	number
 *
 * Return: its name as in /proc/cpuinfo, NULL if it has none.
 */
const char *config_feature_name(unsigned int bit)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(features); i++)
		if (features[i].bit == (int)bit)
			return features[i].name;
	return NULL;
}

static int valid_name(const char *name)
{
	size_t len = strlen(name);

	return len && len < MAX_NAME && *name != '-' && !strpbrk(name, "/:\\ \t\n") &&
	       *name != '.';
}

/* --------------------------------------------------- one file's text ----- */

/**
 * struct source - a file while it is read
 * @f:		the file
 * @scope:	kind of the mapping at hand
 * @lines:	where the provider's defaults stand, 0: nowhere
 * @config:	what is filled in (PROVIDER), or whose ceilings hold (TENANT)
 * @settings:	what is filled in (all others)
 */
struct source {
	struct yaml_file f;
	int scope;
	unsigned long lines[YAML_MAX_KEYS];
	struct config *config;
	struct settings *settings;
};

/* The source whose first member this is. */
static struct source *source_of(struct yaml_file *f)
{
	return (struct source *)f;
}

static void set_number(struct source *s, int k, const yaml_node_t *node)
{
	const char *text = yaml_text(&s->f, keys[k].name, node);
	int64_t n;

	if (!text)
		return;
	n = keys[k].parse(text);
	if (n < 0)
		yaml_complain(&s->f, yaml_line(node), "%s: '%s' is not %s", keys[k].name, text,
			 keys[k].valid);
	else if (s->scope == TENANT && n > s->config->ceilings.n[k])
		yaml_complain(&s->f, yaml_line(node), "%s: '%s' is above the provider's ceiling",
			 keys[k].name, text);
	else if (s->scope == PROVIDER)
		s->config->n[k] = n;
	else
		s->settings->n[k] = n;
}

static void set_path(struct source *s, const char *key, const yaml_node_t *node)
{
	const size_t room = sizeof(s->settings->policy_socket);
	const char *text = yaml_text(&s->f, key, node);

	if (!text)
		return;
	if (*text != '/' || strlen(text) >= room)
		yaml_complain(&s->f, yaml_line(node), "%s: '%s' is not an absolute path of less than %zu bytes",
			 key, text, room);
	else
		memcpy(s->settings->policy_socket, text, strlen(text) + 1);
}

static void add_feature(struct yaml_file *f, const char *key, const yaml_node_t *node, void *to)
{
	const char *text = yaml_text(f, key, node);
	struct settings *settings = to;
	int bit = text ? feature_bit(text) : 0;

	if (bit < 0)
		yaml_complain(f, yaml_line(node), "%s: no CPU feature is called '%s'", key, text);
	else if (text)
		settings->hidden[bit / 32] |= 1u << (bit % 32);
}

static void add_user(struct yaml_file *f, const char *key, const yaml_node_t *node, void *to)
{
	const char *text = yaml_text(f, key, node);
	char **list = to;

	if (text && !valid_name(text + (*text == '@'))) {
		yaml_complain(f, yaml_line(node), "%s: '%s' is not a user, @group or \"*\"", key,
			      text);
		return;
	}
	while (*list)
		list++;
	*list = text ? strdup(text) : NULL;
}

/**
 * config_free_users() - free what config_users() made
 * @list:	the list, or NULL
 */
void config_free_users(char **list)
{
	for (char **p = list; p && *p; p++)
		free(*p);
	free(list);
}

/**
 * config_users() - read a list of users
 * @f:		the file
 * @key:	whose value it is
 * @node:	the list
 * @list:	replaced by it; for config_free_users(); NULL at its end
 */
void config_users(struct yaml_file *f, const char *key, const yaml_node_t *node, char ***list)
{
	config_free_users(*list);
	*list = calloc(yaml_length(node) + 1, sizeof(**list));
	if (*list)
		yaml_list(f, key, node, add_user, *list);
	else
		yaml_complain(f, 0, "no memory");
}

static void read_mapping(struct source *s, const yaml_node_t *node, int scope);

static void set_defaults(struct source *s, const char *key, const yaml_node_t *node)
{
	s->settings = &s->config->defaults;
	read_mapping(s, node, DEFAULTS);
}

static void set_ceilings(struct source *s, const char *key, const yaml_node_t *node)
{
	s->settings = &s->config->ceilings;
	read_mapping(s, node, CEILINGS);
}

static void set_provider_users(struct source *s, const char *key, const yaml_node_t *node)
{
	config_users(&s->f, key, node, &s->config->users);
}

static void set_denied(struct source *s, const char *key, const yaml_node_t *node)
{
	config_users(&s->f, key, node, &s->config->denied);
}

static void set_features(struct source *s, const char *key, const yaml_node_t *node)
{
	yaml_list(&s->f, key, node, add_feature, s->settings);
}

/* Keys that are no numbers. */
static const struct {
	const char *name;
	int scopes;
	void (*set)(struct source *s, const char *key, const yaml_node_t *node);
} others[] = {
	{ "users", PROVIDER, set_provider_users },
	{ "deny", PROVIDER, set_denied },
	{ "defaults", PROVIDER, set_defaults },
	{ "ceilings", PROVIDER, set_ceilings },
	{ "hide-cpu-features", DEFAULTS | TENANT, set_features },
	{ "policy-socket", DEFAULTS | TENANT, set_path },
};
#define NR_OTHERS	((int)ARRAY_SIZE(others))

/* Index in keys[], or behind them in others[]; -1 */
static int find_key(struct yaml_file *f, const char *name)
{
	const int scope = source_of(f)->scope;
	int k;

	for (k = 0; k < CONFIG_NR_KEYS; k++)
		if ((keys[k].scopes & scope) && !strcmp(keys[k].name, name))
			return k;
	for (k = 0; k < NR_OTHERS; k++)
		if ((others[k].scopes & scope) && !strcmp(others[k].name, name))
			return CONFIG_NR_KEYS + k;
	return -1;
}

static void set_key(struct yaml_file *f, int k, const char *name, const yaml_node_t *value)
{
	if (k < CONFIG_NR_KEYS)
		set_number(source_of(f), k, value);
	else
		others[k - CONFIG_NR_KEYS].set(source_of(f), name, value);
}

static void read_mapping(struct source *s, const yaml_node_t *node, int scope)
{
	static const struct yaml_keys of_scope = { find_key, set_key };
	unsigned long lines[YAML_MAX_KEYS];
	int outer = s->scope;

	_Static_assert(CONFIG_NR_KEYS + NR_OTHERS <= YAML_MAX_KEYS, "a line for each key");
	s->scope = scope;
	yaml_mapping(&s->f, node, &of_scope, lines);
	if (scope == DEFAULTS)
		memcpy(s->lines, lines, sizeof(s->lines));
	s->scope = outer;
}

/* The outermost mapping: its kind was set when the file was opened. */
static void read_root(struct yaml_file *f, const yaml_node_t *root)
{
	read_mapping(source_of(f), root, source_of(f)->scope);
}

/* ----------------------------------------------------------- files ------- */

static void check_ceilings(struct source *s)
{
	struct config *c = s->config;
	int k;

	for (k = 0; k < CONFIG_NR_SETTINGS; k++) {
		if (c->defaults.n[k] <= c->ceilings.n[k])
			continue;
		if (s->lines[k])
			yaml_complain(&s->f, s->lines[k], "%s: the default is above the ceiling",
				 keys[k].name);
		else
			c->defaults.n[k] = c->ceilings.n[k];
	}
}

static unsigned int read_provider(const char *file, struct config *c, int must_exist,
				  config_report_t report)
{
	struct source s = {
		.f = { .path = file, .report = report }, .scope = PROVIDER, .config = c,
	};
	int k;

	memset(c, 0, sizeof(*c));
	for (k = 0; k < CONFIG_NR_KEYS; k++)
		c->n[k] = keys[k].def;
	for (k = 0; k < CONFIG_NR_SETTINGS; k++) {
		c->defaults.n[k] = keys[k].def;
		c->ceilings.n[k] = keys[k].ceiling;
	}
	yaml_read(&s.f, must_exist, read_root);
	check_ceilings(&s);
	return s.f.errors;
}

static unsigned int read_tenant(const char *file, struct config *c, struct settings *ret,
				config_report_t report)
{
	struct source s = {
		.f = { .path = file, .report = report }, .scope = TENANT, .config = c, .settings = ret,
	};

	*ret = c->defaults;
	yaml_read(&s.f, 1, read_root);
	return s.f.errors;
}

/* The length of NAME if @file is NAME.conf, 0 if it is none of ours. */
static size_t name_length(const char *file)
{
	size_t len = strlen(file);

	return len < 6 || *file == '.' || strcmp(file + len - 5, ".conf") ? 0 : len - 5;
}

/* Returns errors that are not this tenant's alone. */
static unsigned int add_tenant(struct config *c, struct yaml_file *dir, const char *file)
{
	size_t len = name_length(file);
	struct tenant_config *t;
	char *path;

	if (!len)
		return 0;
	t = reallocarray(c->tenants, c->nr_tenants + 1, sizeof(*t));
	if (!t)
		goto no_memory;
	c->tenants = t;
	t += c->nr_tenants;
	memset(t, 0, sizeof(*t));
	t->name = strndup(file, len);
	if (!t->name)
		goto no_memory;
	c->nr_tenants++;
	if (asprintf(&path, "%s/%s", dir->path, file) < 0)
		goto no_memory;
	t->bad = !!read_tenant(path, c, &t->settings, dir->report);
	free(path);
	return 0;
no_memory:
	yaml_complain(dir, 0, "no memory");
	return 1;
}

static unsigned int read_tenants(const char *path, struct config *c, config_report_t report)
{
	struct yaml_file f = { .path = path, .report = report };
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	DIR *dir;

	if (fd < 0) {
		if (errno != ENOENT)
			yaml_complain(&f, 0, "%s", strerror(errno));
		return f.errors;
	}
	dir = yaml_trusted(&f, fd, S_IFDIR) ? fdopendir(fd) : NULL;
	if (!dir) {
		close(fd);
		return 1;
	}
	while ((entry = readdir(dir)))
		if (add_tenant(c, &f, entry->d_name))
			break;
	closedir(dir);
	return f.errors;
}

/* @name beside @file */
static char *beside(const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');
	char *path;

	if (asprintf(&path, "%.*s%s", slash ? (int)(slash + 1 - file) : 0, file, name) < 0)
		return NULL;
	return path;
}

static int load(const char *file, int must_exist, struct config *ret, config_report_t report)
{
	char *tenants = beside(file, CONFIG_TENANTS);
	unsigned int errors = 1;

	if (tenants) {
		errors = read_provider(file, ret, must_exist, report);
		if (!errors)
			errors = read_tenants(tenants, ret, report);
	}
	free(tenants);
	if (!errors)
		return 0;
	if (tenants)
		config_free(ret);
	return -1;
}

/* ------------------------------------------------------------ public ----- */

/**
 * config_load() - read the provider's file and those of all tenants
 * @file:	the provider's; tenants.d is beside it. Neither need exist
 * @ret:	the configuration, for config_free()
 * @report:	called with each complaint, "FILE:LINE: reason"
 *
 * A tenant's file with a mistake makes that tenant bad, and nothing else.
 *
 * Return: 0; -1, with nothing in @ret, if the provider's file cannot be used or
 * tenants' files cannot be found.
 */
int config_load(const char *file, struct config *ret, config_report_t report)
{
	return load(file, 0, ret, report);
}

/**
 * config_check() - is this a configuration?
 * @file:	the provider's file, with those of tenants beside it; or one in a
 *		folder tenants.d, checked with the ceilings of the provider's
 *		kvm-split.conf above it; NULL: the installed ones
 * @report:	called with each complaint
 *
 * Return: 0; -1 if there was a complaint.
 */
int config_check(const char *file, config_report_t report)
{
	char *dir = beside(file ? file : CONFIG_FILE, ""), *provider = NULL;
	size_t i, len = dir ? strlen(dir) : 0;
	const size_t tail = sizeof(CONFIG_TENANTS);	/* and a slash */
	struct settings settings;
	struct config c;
	int r = -1;

	if (!dir)
		return -1;
	if (len < tail || strncmp(dir + len - tail, CONFIG_TENANTS "/", tail) ||
	    (len > tail && dir[len - tail - 1] != '/')) {
		r = load(file ? file : CONFIG_FILE, !!file, &c, report);
		if (r)
			goto out;
		for (i = 0; i < c.nr_tenants; i++)
			r |= c.tenants[i].bad ? -1 : 0;
		config_free(&c);
		goto out;
	}
	if (asprintf(&provider, "%.*skvm-split.conf", (int)(len - tail), dir) < 0) {
		provider = NULL;
		goto out;
	}
	if (!read_provider(provider, &c, 0, report) &&
	    !read_tenant(file, &c, &settings, report))
		r = 0;
	config_free(&c);
out:
	free(provider);
	free(dir);
	return r;
}

/**
 * config_keep() - a bad file leaves in force what there was before
 * @new:	newly loaded
 * @old:	in force until now
 */
void config_keep(struct config *new, const struct config *old)
{
	size_t i, j;

	for (i = 0; i < new->nr_tenants; i++)
		for (j = 0; new->tenants[i].bad && j < old->nr_tenants; j++)
			if (!old->tenants[j].bad &&
			    !strcmp(old->tenants[j].name, new->tenants[i].name)) {
				new->tenants[i].settings = old->tenants[j].settings;
				new->tenants[i].bad = 0;
			}
}

/**
 * config_free() - free what config_load() made
 * @c:		the configuration
 */
void config_free(struct config *c)
{
	size_t i;

	for (i = 0; i < c->nr_tenants; i++)
		free(c->tenants[i].name);
	free(c->tenants);
	config_free_users(c->users);
	config_free_users(c->denied);
	memset(c, 0, sizeof(*c));
}

/**
 * config_settings() - what holds for a tenant
 * @c:		the configuration
 * @name:	user
 *
 * Return: the settings, NULL if the tenant's file is bad.
 */
const struct settings *config_settings(const struct config *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->nr_tenants; i++)
		if (!strcmp(c->tenants[i].name, name))
			return c->tenants[i].bad ? NULL : &c->tenants[i].settings;
	return &c->defaults;
}

/**
 * config_has_tenant() - is there a file for this tenant?
 * @c:		the configuration
 * @name:	user, or the number of one without a name
 */
int config_has_tenant(const struct config *c, const char *name)
{
	return config_settings(c, name) != &c->defaults;
}

/**
 * config_in_list() - is a user among these?
 * @list:	of config_users()
 * @name:	user
 * @is_member:	tells of which groups the user is a member
 * @context:	for @is_member
 *
 * Return: 1, 0, or -1: it depends on a group of which @is_member cannot tell.
 */
int config_in_list(char *const *list, const char *name, config_member_t is_member,
		   const void *context)
{
	int r, unsure = 0;

	for (; *list; list++) {
		if (!strcmp(*list, "*") || !strcmp(*list, name))
			return 1;
		r = **list == '@' ? is_member(*list + 1, context) : 0;
		if (r > 0)
			return 1;
		unsure |= r;
	}
	return unsure;
}

/**
 * config_allows() - may this user have virtual machines?
 * @c:		the configuration
 * @name:	user
 * @is_member:	tells of which groups the user is a member
 * @context:	for @is_member
 *
 * Where @is_member cannot tell, the user may not.
 *
 * Return: 1 or 0.
 */
int config_allows(const struct config *c, const char *name, config_member_t is_member,
		  const void *context)
{
	if (c->denied && config_in_list(c->denied, name, is_member, context))
		return 0;
	return !c->users || config_in_list(c->users, name, is_member, context) > 0;
}
