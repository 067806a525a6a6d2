/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which groups a user is in, by the user database.
 */
#ifndef KSPLIT_MEMBERS_H
#define KSPLIT_MEMBERS_H

#include <sys/types.h>

/**
 * struct members - a user's groups
 * @ids:	their numbers
 * @nr:		how many
 */
struct members {
	gid_t *ids;
	int nr;
};

int members_find(const char *user, gid_t gid, struct members *ret);
void members_free(struct members *m);
int members_are_in(const char *group, const void *context);

#endif /* KSPLIT_MEMBERS_H */
