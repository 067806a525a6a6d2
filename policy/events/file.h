/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef POLICY_EVENTS_FILE_H
#define POLICY_EVENTS_FILE_H

#include "common/yaml_file.h"
#include "policy/events/events.h"

/* Of a file; together they are no more than an engine takes for one tenant. */
#define EVENTS_PROVIDER_RULES	24
#define EVENTS_TENANT_RULES	8

int events_read(const char *path, uint32_t owner, struct event_rule *ret,
		config_report_t report);

#endif /* POLICY_EVENTS_FILE_H */
