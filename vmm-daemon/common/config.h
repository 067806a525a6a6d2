/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration: what the provider and each tenant's file say.
 */
#ifndef KSPLIT_CONFIG_H
#define KSPLIT_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "common/yaml_file.h"

#define CONFIG_FILE		"/etc/kvm-split/kvm-split.conf"
#define CONFIG_TENANTS		"tenants.d"	/* beside the provider's file */
#define CONFIG_FEATURE_WORDS	32		/* KSPLIT_NR_CPU_WORDS */
#define CONFIG_NO_LIMIT		INT64_MAX

/* Numbers; kvm-split.conf(5) says what each means. */
enum config_key {
	/* of a tenant */
	CONFIG_MAX_VMS,
	CONFIG_MAX_VCPUS,
	CONFIG_MAX_MEMORY,	/* bytes */
	CONFIG_MAX_MEMORY_SUM,	/* bytes */
	CONFIG_NESTED,		/* 0 or 1 */
	CONFIG_LOG_LEVEL,	/* L_* */
	CONFIG_POLICY,		/* enum config_policy */
	CONFIG_NR_SETTINGS,
	/* of the host */
	CONFIG_UID_BASE = CONFIG_NR_SETTINGS,
	CONFIG_MAX_TENANTS,
	CONFIG_NR_KEYS
};

/* Is the policy service asked before a client gets a VM, and what if it says nothing? */
enum config_policy {
	POLICY_OFF,		/* it is not asked */
	POLICY_OPTIONAL,	/* then the client gets one */
	POLICY_EXPECTED,	/* likewise, if there is no service; else not */
	POLICY_REQUIRED		/* it does not get one */
};

/**
 * struct settings - a tenant's
 * @n:			numbers
 * @policy_socket:	path, "": none
 * @hidden:		CPU features that its guests do not get, one bit each as
 *			in the kernel's asm/cpufeatures.h
 */
struct settings {
	int64_t n[CONFIG_NR_SETTINGS];
	char policy_socket[108];
	uint32_t hidden[CONFIG_FEATURE_WORDS];
};

/**
 * struct tenant_config - a file of tenants.d
 * @name:	user
 * @bad:	the file cannot be used: the tenant is refused
 * @settings:	complete, defaults and ceilings included
 */
struct tenant_config {
	char *name;
	int bad;
	struct settings settings;
};

struct config {
	int64_t n[CONFIG_NR_KEYS];	/* those of the host */
	char **users;			/* who may have VMs; NULL: everybody */
	char **denied;			/* of them; NULL: nobody */
	struct settings defaults, ceilings;
	struct tenant_config *tenants;
	size_t nr_tenants;
};

/**
 * typedef config_member_t - is the user in question in a group?
 * @group:	name
 * @context:	of config_allows()
 *
 * Return: 1, 0, or -1: that cannot be told.
 */
typedef int (*config_member_t)(const char *group, const void *context);

int config_load(const char *file, struct config *ret, config_report_t report);
int config_check(const char *file, config_report_t report);
void config_keep(struct config *new, const struct config *old);
void config_free(struct config *c);
const struct settings *config_settings(const struct config *c, const char *name);
int config_has_tenant(const struct config *c, const char *name);
int config_allows(const struct config *c, const char *name, config_member_t is_member,
		  const void *context);
void config_users(struct yaml_file *f, const char *key, const yaml_node_t *node, char ***list);
void config_free_users(char **list);
int config_in_list(char *const *list, const char *name, config_member_t is_member,
		   const void *context);
int64_t config_parse_size(const char *text);
int64_t config_parse_policy(const char *text);
const char *config_policy_name(enum config_policy p);
const char *config_feature_name(unsigned int bit);

#endif /* KSPLIT_CONFIG_H */
