/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file of rules in the folder where the tests run.
 */
#ifndef TESTS_POLICY_FILES_H
#define TESTS_POLICY_FILES_H

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/rules/rules.h"

static char complaints[4096];

/* Keep what is said. */
static inline void keep_complaint(const char *line)
{
	size_t n = strlen(complaints);

	snprintf(complaints + n, sizeof(complaints) - n, "%s\n", line);
}

/* Write @text to the file @name, and load that. */
static inline int load_text(const char *name, const char *text, enum rules_kind kind,
			    struct rules *ret)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fchmod(fileno(f), 0644);
	fclose(f);
	complaints[0] = '\0';
	return rules_load(name, kind, 1, ret, keep_complaint);
}

#endif /* TESTS_POLICY_FILES_H */
