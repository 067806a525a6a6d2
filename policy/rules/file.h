/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between file.c and rules.c: conditions by their numbers in struct rule.
 */
#ifndef POLICY_RULES_FILE_H
#define POLICY_RULES_FILE_H

enum rule_glob { GLOB_DOMAIN, GLOB_EXE, GLOB_UNIT };
enum rule_over { OVER_VMS, OVER_VCPUS, OVER_MEMORY };

const char *rule_glob_name(enum rule_glob which);
const char *rule_over_name(enum rule_over which);

#endif /* POLICY_RULES_FILE_H */
