/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the daemons have in common of giving up rights.
 */
#ifndef KSPLIT_CONFINE_H
#define KSPLIT_CONFINE_H

#include <linux/filter.h>
#include <sys/types.h>

#include "common/array_size.h"

/* User ids that a tenant has: its supervisor's, then its workers'. */
#define TENANT_UIDS	256

/* Load one of filters.h. */
#define CONFINE(kind)	confine_calls(filter_##kind, ARRAY_SIZE(filter_##kind))

int confine_calls(const struct sock_filter *filter, unsigned short len);
int confine_report(const char *(*thread)(void));
int confine_ids(uid_t first);
int confine_capabilities(unsigned long long keep);
int confine_root(void);
int confine_files(const char * const *readable);

#endif /* KSPLIT_CONFINE_H */
