// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which users and groups a tenant's processes run as: TENANT_UIDS numbers of the
 * range that begins at uid-base.
 *
 * The range ends where the next one begins that somebody else hands out by itself.
 * Most of it belongs to users by their number; the last MAX_TENANTS places are for
 * users whose numbers are too high for that, by their entry in the launcher's table.
 *
 * Invariant: no number outside of the range is handed out.
 */
#include <ctype.h>
#include <dirent.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/array_size.h"
#include "common/confine.h"
#include "common/daemon.h"
#include "launcher/launcher.h"

#define IDS_TOP		4294967294ull	/* the last two mean "nobody" and "no change" */
/* sssd-ldap(5): ldap_idmap_range_min, ldap_idmap_range_max */
#define SSSD_FIRST	200000
#define SSSD_END	2000200000

/* Ranges of https://systemd.io/UIDS-GIDS/ from 65536 on. */
static const struct {
	uint64_t first, end;
	const char *what;
} others[] = {
	{ 524288, 1879048192, "containers of systemd-nspawn" },
	{ 2147352576, 2147418112, "foreign users of systemd" },
};
#define NR_OTHERS	ARRAY_SIZE(others)

/**
 * ids_end() - where the range of tenants' users ends
 * @base:	where it begins
 *
 * Return: the first number that is not in it.
 */
uint64_t ids_end(uint64_t base)
{
	size_t i;

	for (i = 0; i < NR_OTHERS; i++)
		if (base < others[i].first)
			return others[i].first;
	return IDS_TOP;
}

static uint64_t first_place(uint64_t base)
{
	uint64_t places = (ids_end(base) - base) / TENANT_UIDS;

	if (places > MAX_TENANTS)
		places = MAX_TENANTS;
	return ids_end(base) - places * TENANT_UIDS;
}

/**
 * ids_by_place() - does a user's entry in the table decide, not the user's number?
 * @base:	where the range begins
 * @uid:	the user
 */
int ids_by_place(uint64_t base, uid_t uid)
{
	return base + ((uint64_t)uid + 1) * TENANT_UIDS > first_place(base);
}

/**
 * ids_first() - the first number of a tenant
 * @base:	where the range begins
 * @uid:	the user
 * @place:	index of the user's entry in the table
 *
 * Return: the first of TENANT_UIDS numbers, 0: there is none for this user.
 */
uint64_t ids_first(uint64_t base, uid_t uid, unsigned int place)
{
	uint64_t first = first_place(base) + (uint64_t)place * TENANT_UIDS;

	if (!ids_by_place(base, uid))
		return base + (uint64_t)uid * TENANT_UIDS;
	return first + TENANT_UIDS <= ids_end(base) ? first : 0;
}

static int in_range(uint64_t base, uint64_t id)
{
	return id >= base && id < ids_end(base);
}

static void warn_of_accounts(uint64_t base)
{
	struct passwd *pw;
	struct group *g;

	setpwent();
	while ((pw = getpwent()))
		if (in_range(base, pw->pw_uid))
			logm(L_WARNING, "user %s has number %u, which is in the range of uid-base %llu",
			     pw->pw_name, pw->pw_uid, (unsigned long long)base);
	endpwent();
	setgrent();
	while ((g = getgrent()))
		if (in_range(base, g->gr_gid))
			logm(L_WARNING, "group %s has number %u, which is in the range of uid-base %llu",
			     g->gr_name, g->gr_gid, (unsigned long long)base);
	endgrent();
}

/* Does the user database ask SSSD? */
static int has_sssd(void)
{
	FILE *f = fopen("/etc/nsswitch.conf", "re");
	char line[256];
	int found = 0;

	while (f && fgets(line, sizeof(line), f))
		found |= !strncmp(line, "passwd:", 7) && strstr(line, " sss");
	if (f)
		fclose(f);
	return found;
}

/**
 * ids_warn() - log who else may have numbers of the range
 * @base:	where it begins
 */
void ids_warn(uint64_t base)
{
	size_t i;

	for (i = 0; i < NR_OTHERS; i++)
		if (base >= others[i].first && base < others[i].end)
			logm(L_WARNING, "uid-base %llu is in the range of %s, %llu to %llu",
			     (unsigned long long)base, others[i].what,
			     (unsigned long long)others[i].first,
			     (unsigned long long)others[i].end - 1);
	if (has_sssd() && base < SSSD_END && ids_end(base) > SSSD_FIRST)
		logm(L_WARNING, "uid-base %llu is in SSSD's default range, which ends at %d: set uid-base or ldap_idmap_range_max so that they do not meet",
		     (unsigned long long)base, SSSD_END);
	warn_of_accounts(base);
}

/**
 * ids_taken() - does the user database know a user or group of this number?
 * @uid:	a number of the range
 */
int ids_taken(uid_t uid)
{
	return getpwuid(uid) || getgrgid(uid);
}

/**
 * ids_accounts() - which of a tenant's numbers must not be a worker's
 * @first:	of ids_first()
 * @until:	when to ask the user database no more, ms; the first worker's is asked for anyway
 * @ret_taken:	TENANT_UIDS bytes: gets 1 for those that it knows, or was not asked for, 0 for
 *		the others; the supervisor's own is not looked at
 *
 * As long as the user database takes for 510 questions: not for the launcher's loop.
 *
 * Return: how many it was not asked for.
 */
unsigned int ids_accounts(uid_t first, long long until, unsigned char *ret_taken)
{
	unsigned int i;

	memset(ret_taken, 1, TENANT_UIDS);
	ret_taken[0] = 0;
	for (i = 1; i < TENANT_UIDS && (i == 1 || now_ms() < until); i++)
		ret_taken[i] = ids_taken(first + i);
	return TENANT_UIDS - i;
}

/**
 * ids_living() - which of a tenant's numbers have a process
 * @first:	of ids_first()
 * @ret_living:	NULL, or TENANT_UIDS bytes: gets 1 for those that have, 0 for the others
 *
 * Return: how many processes there are.
 */
unsigned int ids_living(uid_t first, unsigned char *ret_living)
{
	DIR *dir = opendir("/proc");
	unsigned int n = 0;
	struct dirent *e;
	struct stat st;

	if (ret_living)
		memset(ret_living, 0, TENANT_UIDS);
	while (dir && (e = readdir(dir))) {
		if (!isdigit((unsigned char)*e->d_name) ||
		    fstatat(dirfd(dir), e->d_name, &st, 0) < 0 ||
		    st.st_uid < first || st.st_uid - first >= TENANT_UIDS)
			continue;
		if (ret_living)
			ret_living[st.st_uid - first] = 1;
		n++;
	}
	if (dir)
		closedir(dir);
	return n;
}
