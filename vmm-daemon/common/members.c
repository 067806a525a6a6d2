// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups of users, by the user database; it may take as long as that takes.
 */
#include <grp.h>
#include <stdlib.h>

#include "common/members.h"

#define FEW_GROUPS	64
#define MANY_GROUPS	(1 << 20)

/**
 * members_find() - all of a user's groups, however many
 * @user:	name
 * @gid:	the user's own group
 * @ret:	gets the groups, zero before; for members_free() in any case
 *
 * Return: 0; -1: they cannot be told.
 */
int members_find(const char *user, gid_t gid, struct members *ret)
{
	int room = FEW_GROUPS, nr;
	gid_t *more;

	for (;;) {
		more = reallocarray(ret->ids, room, sizeof(*ret->ids));
		if (!more)
			return -1;
		ret->ids = more;
		nr = room;
		if (getgrouplist(user, gid, ret->ids, &nr) >= 0)
			break;
		/* It says how many there are, or nothing new. */
		room = nr > room ? nr : 2 * room;
		if (room > MANY_GROUPS)
			return -1;
	}
	ret->nr = nr;
	return 0;
}

/**
 * members_free() - free what members_find() found
 * @m:		the groups
 */
void members_free(struct members *m)
{
	free(m->ids);
	*m = (struct members){ NULL, 0 };
}

/**
 * members_are_in() - is the user in this group?
 * @group:	name
 * @context:	struct members
 *
 * Return: 1, 0; -1: the user database does not know the group, and one that the user
 * is in has no name.
 */
int members_are_in(const char *group, const void *context)
{
	const struct members *of = context;
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
