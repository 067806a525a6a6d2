/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the files of kvm-splitctl.
 */
#ifndef KSPLIT_CTL_H
#define KSPLIT_CTL_H

#include <jansson.h>

#include "common/proc.h"

extern int as_json;			/* --json */
extern const char *stats_file;

/**
 * struct column - of a printed table
 * @key:	member of each row's object
 * @title:	what stands above
 * @unit:	how a number is printed
 */
struct column {
	const char *key, *title;
	enum { PLAIN, BYTES, SECONDS, PERCENT } unit;
};

/* text.c */
json_t *json_text(const char *bytes);

/* print.c */
void print_json(json_t *what);
void print_table(const json_t *rows, const struct column *columns);
void print_pairs(const json_t *object);

/* host.c */
json_t *host_scan(void);
json_t *host_vms(const json_t *host, int idle);
json_t *host_threads(long pid);
json_t *host_private(long pid);
json_t *host_vm_fds(long client);

/* stats.c */
json_t *stats_read(void);
int cmd_stats(int argc, char **argv);
int cmd_top(int argc, char **argv);

/* status.c */
json_t *tenants_of(const json_t *host);
int cmd_list(int argc, char **argv);
int cmd_status(int argc, char **argv);

/* config.c, log.c, metrics.c */
int cmd_config(int argc, char **argv);
int cmd_log(int argc, char **argv);
int log_of_unit(const char *unit, int argc, char **argv);
int cmd_metrics(int argc, char **argv);

/* policy.c */
int cmd_policy(int argc, char **argv);

#endif /* KSPLIT_CTL_H */
