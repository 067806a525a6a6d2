/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A configuration file in YAML: opened, parsed, and its values with the lines that
 * they stand in.
 */
#ifndef KSPLIT_YAML_FILE_H
#define KSPLIT_YAML_FILE_H

#include <sys/types.h>
#include <yaml.h>

#define YAML_MAX_KEYS	16	/* of one mapping */
#define YAML_MAX_LIST	1024	/* elements */

typedef void (*config_report_t)(const char *line);

/**
 * struct yaml_file - a file while it is read
 * @path:	for complaints
 * @report:	who gets them
 * @errors:	how many there were
 * @doc:	its text, parsed
 */
struct yaml_file {
	const char *path;
	config_report_t report;
	unsigned int errors;
	yaml_document_t doc;
};

/**
 * struct yaml_keys - what a mapping may have
 * @find:	a key's number, below YAML_MAX_KEYS; -1: there is no such key
 * @set:	take its value
 */
struct yaml_keys {
	int (*find)(struct yaml_file *f, const char *name);
	void (*set)(struct yaml_file *f, int key, const char *name, const yaml_node_t *value);
};

/**
 * typedef yaml_root_t - take a file's root node
 * @f:		the file
 * @root:	the node
 */
typedef void (*yaml_root_t)(struct yaml_file *f, const yaml_node_t *root);

/**
 * typedef yaml_each_t - take an element of a list
 * @f:		the file
 * @key:	whose list it is
 * @node:	the element
 * @to:		of yaml_list()
 */
typedef void (*yaml_each_t)(struct yaml_file *f, const char *key, const yaml_node_t *node,
			    void *to);

void __attribute__((format(printf, 3, 4)))
yaml_complain(struct yaml_file *f, unsigned long line, const char *fmt, ...);
unsigned long yaml_line(const yaml_node_t *node);
const char *yaml_text(struct yaml_file *f, const char *key, const yaml_node_t *node);
size_t yaml_length(const yaml_node_t *node);
void yaml_list(struct yaml_file *f, const char *key, const yaml_node_t *node, yaml_each_t each,
	       void *to);
void yaml_mapping(struct yaml_file *f, const yaml_node_t *node, const struct yaml_keys *keys,
		  unsigned long *ret_lines);
int yaml_trusted(struct yaml_file *f, int fd, mode_t type);
void yaml_read(struct yaml_file *f, int must_exist, yaml_root_t root);

#endif /* KSPLIT_YAML_FILE_H */
