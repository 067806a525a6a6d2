// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may have virtual machines, by the user database and the configuration.
 *
 * Invariant: where the user database does not tell what a refusal depends on, the
 * user is refused.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/daemon.h"
#include "launcher/launcher.h"

#define FEW_GROUPS	64
#define MANY_GROUPS	(1 << 20)

struct groups {
	gid_t *ids;
	int nr;
};

/* All of a user's groups, however many; -1: they cannot be told. */
static int find_groups(const char *name, gid_t gid, struct groups *ret)
{
	int room = FEW_GROUPS, nr;
	gid_t *more;

	for (;;) {
		more = reallocarray(ret->ids, room, sizeof(*ret->ids));
		if (!more)
			return -1;
		ret->ids = more;
		nr = room;
		if (getgrouplist(name, gid, ret->ids, &nr) >= 0)
			break;
		/* It says how many there are, or nothing new. */
		room = nr > room ? nr : 2 * room;
		if (room > MANY_GROUPS)
			return -1;
	}
	ret->nr = nr;
	return 0;
}

/*
 * Is the user in this group?  1, 0; -1: the user database does not know the group,
 * and one that the user is in has no name.
 */
static int is_member(const char *group, const void *context)
{
	const struct groups *of = context;
	struct group *g = getgrnam(group);
	int i;

	for (i = 0; i < of->nr; i++) {
		if (g && g->gr_gid == of->ids[i])
			return 1;
		if (!g && !getgrgid(of->ids[i]))
			return -1;
	}
	return 0;
}

/* By users: and deny: */
static int is_allowed(const char *name, const struct passwd *pw)
{
	struct groups groups = { NULL, 0 };
	int r = 0;

	if (!pw || !find_groups(name, pw->pw_gid, &groups))
		r = config_allows(&l.config, name, is_member, &groups);
	free(groups.ids);
	return r;
}

/**
 * policy() - may this user have virtual machines, and with what settings?
 * @uid:	the user
 * @ret_name:	gets the user's name, or number; MAX_NAME bytes
 * @ret:	gets the settings, if so; nested is what the host has, too
 *
 * Logs why not.
 *
 * Return: 0 or the errno that open() returns.
 */
int policy(uid_t uid, char *ret_name, struct settings *ret)
{
	const uint64_t base = l.config.n[CONFIG_UID_BASE];
	const struct settings *found;
	struct passwd *pw;

	snprintf(ret_name, MAX_NAME, "%u", uid);
	if (uid >= base && uid < ids_end(base)) {
		log_refusal(uid, "uid %u: refused: in the range of tenants' processes", uid);
		return EACCES;
	}
	pw = getpwuid(uid);
	if (pw && strlen(pw->pw_name) >= MAX_NAME) {
		log_refusal(uid, "uid %u: refused: name too long", uid);
		return EACCES;
	}
	if (pw)
		snprintf(ret_name, MAX_NAME, "%s", pw->pw_name);
	else if (!l.any_uid && !config_has_tenant(&l.config, ret_name)) {
		log_refusal(uid, "uid %u: refused: unknown user", uid);
		return EACCES;
	}
	if (!is_allowed(ret_name, pw)) {
		log_refusal(uid, "%s: refused: not among users", ret_name);
		return EACCES;
	}
	found = config_settings(&l.config, ret_name);
	if (!found) {
		log_refusal(uid, "%s: refused: its configuration cannot be used", ret_name);
		return EACCES;
	}
	*ret = *found;
	ret->n[CONFIG_NESTED] &= params_nested();
	return 0;
}
