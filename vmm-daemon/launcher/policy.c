// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may have virtual machines, by the user database and the configuration.
 *
 * Invariant: where the user database does not tell what a refusal depends on, the
 * user is refused.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "common/daemon.h"
#include "common/members.h"
#include "launcher/launcher.h"

/* By users: and deny: */
static int is_allowed(const char *name, const struct passwd *pw)
{
	struct members groups = { NULL, 0 };
	int r = 0;

	if (!pw || !members_find(name, pw->pw_gid, &groups))
		r = config_allows(&l.config, name, members_are_in, &groups);
	members_free(&groups);
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
