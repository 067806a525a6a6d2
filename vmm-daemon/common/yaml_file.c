// SPDX-License-Identifier: GPL-2.0-only
/*
 * Configuration files in YAML.
 *
 * Invariants: each complaint names file, line and reason; no file that somebody else
 * than root or the owner of this process could have written is read; nothing of a file
 * goes unread without a complaint.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/yaml_file.h"

#define MAX_FILE	65536	/* bytes */

/**
 * yaml_complain() - report a mistake
 * @f:		the file
 * @line:	of it, 0: the file as a whole
 * @fmt:	printf format of the reason
 */
void yaml_complain(struct yaml_file *f, unsigned long line, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	f->errors++;
	if (line)
		n = snprintf(text, sizeof(text), "%s:%lu: ", f->path, line);
	else
		n = snprintf(text, sizeof(text), "%s: ", f->path);
	if (n < (int)sizeof(text)) {
		va_start(ap, fmt);
		vsnprintf(text + n, sizeof(text) - n, fmt, ap);
		va_end(ap);
	}
	for (char *p = text; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = '?';
	f->report(text);
}

/**
 * yaml_line() - where a node begins
 * @node:	the node
 *
 * Return: its line, from 1.
 */
unsigned long yaml_line(const yaml_node_t *node)
{
	return node->start_mark.line + 1;
}

/**
 * yaml_text() - a node's text
 * @f:		the file
 * @key:	whose value it is
 * @node:	the node
 *
 * Return: the text; NULL, and a complaint, if it is something else.
 */
const char *yaml_text(struct yaml_file *f, const char *key, const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;

	if (node->type == YAML_SCALAR_NODE && strlen(text) == node->data.scalar.length)
		return text;
	yaml_complain(f, yaml_line(node), "%s: a single value is needed", key);
	return NULL;
}

/**
 * yaml_length() - how many elements a list has
 * @node:	the list; anything else has none
 */
size_t yaml_length(const yaml_node_t *node)
{
	return node->type == YAML_SEQUENCE_NODE ?
	       node->data.sequence.items.top - node->data.sequence.items.start : 0;
}

/**
 * yaml_list() - take each element of a list
 * @f:		the file
 * @key:	whose value it is
 * @node:	the list
 * @each:	called for each of at most YAML_MAX_LIST elements
 * @to:		for @each
 */
void yaml_list(struct yaml_file *f, const char *key, const yaml_node_t *node, yaml_each_t each,
	       void *to)
{
	const yaml_node_item_t *item = node->data.sequence.items.start;

	if (node->type != YAML_SEQUENCE_NODE) {
		yaml_complain(f, yaml_line(node), "%s: a list is needed, as in [ one, two ]", key);
		return;
	}
	if (yaml_length(node) > YAML_MAX_LIST) {
		yaml_complain(f, yaml_line(node), "%s: more than %d", key, YAML_MAX_LIST);
		return;
	}
	for (; item < node->data.sequence.items.top; item++)
		each(f, key, yaml_document_get_node(&f->doc, *item), to);
}

static void read_pair(struct yaml_file *f, const yaml_node_pair_t *pair,
		      const struct yaml_keys *keys, unsigned long *lines)
{
	const yaml_node_t *name = yaml_document_get_node(&f->doc, pair->key);
	const char *text = yaml_text(f, "key", name);
	int k;

	if (!text)
		return;
	k = keys->find(f, text);
	if (k < 0) {
		yaml_complain(f, yaml_line(name), "unknown key '%s'", text);
		return;
	}
	if (lines[k]) {
		yaml_complain(f, yaml_line(name), "%s was set in line %lu already", text, lines[k]);
		return;
	}
	lines[k] = yaml_line(name);
	keys->set(f, k, text, yaml_document_get_node(&f->doc, pair->value));
}

/**
 * yaml_mapping() - take lines "key: value"
 * @f:		the file
 * @node:	the mapping; nothing, as in "defaults:" with comments below it, is an empty one
 * @keys:	what it may have
 * @ret_lines:	gets the line of each key, 0: it is not there; YAML_MAX_KEYS of them
 */
void yaml_mapping(struct yaml_file *f, const yaml_node_t *node, const struct yaml_keys *keys,
		  unsigned long *ret_lines)
{
	const yaml_node_pair_t *pair;

	memset(ret_lines, 0, YAML_MAX_KEYS * sizeof(*ret_lines));
	if (node->type == YAML_SCALAR_NODE && !node->data.scalar.length)
		return;
	if (node->type != YAML_MAPPING_NODE) {
		yaml_complain(f, yaml_line(node), "lines 'key: value' are needed");
		return;
	}
	for (pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++)
		read_pair(f, pair, keys, ret_lines);
}

/* A document of the file into @doc. */
static int load_document(struct yaml_file *f, yaml_parser_t *parser, yaml_document_t *doc)
{
	if (yaml_parser_load(parser, doc))
		return 0;
	yaml_complain(f, parser->problem_mark.line + 1, "%s",
		      parser->problem ? parser->problem : "cannot be read");
	return -1;
}

/* A second document would go unread. */
static void expect_end(struct yaml_file *f, yaml_parser_t *parser)
{
	yaml_document_t more;
	const yaml_node_t *root;

	if (load_document(f, parser, &more))
		return;
	root = yaml_document_get_root_node(&more);
	if (root)
		yaml_complain(f, yaml_line(root), "a second document");
	yaml_document_delete(&more);
}

static void read_text(struct yaml_file *f, FILE *from, yaml_root_t take)
{
	const yaml_node_t *root;
	yaml_parser_t parser;

	if (!yaml_parser_initialize(&parser)) {
		yaml_complain(f, 0, "no memory");
		return;
	}
	yaml_parser_set_input_file(&parser, from);
	if (load_document(f, &parser, &f->doc))
		goto out;
	root = yaml_document_get_root_node(&f->doc);
	if (root)
		take(f, root);
	yaml_document_delete(&f->doc);
	if (root && !f->errors)
		expect_end(f, &parser);
out:
	yaml_parser_delete(&parser);
}

/**
 * yaml_trusted() - could only root have written this?
 * @f:		for complaints
 * @fd:		file or folder
 * @type:	S_IFREG, at most 64 KiB, or S_IFDIR
 *
 * What the process's own user wrote will do as well.
 *
 * Return: 1; 0, and a complaint, if not.
 */
int yaml_trusted(struct yaml_file *f, int fd, mode_t type)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		yaml_complain(f, 0, "%s", strerror(errno));
	else if ((st.st_mode & S_IFMT) != type)
		yaml_complain(f, 0, "not a regular %s", type == S_IFDIR ? "folder" : "file");
	else if (st.st_uid != 0 && st.st_uid != geteuid())
		yaml_complain(f, 0, "is owned by uid %u, not by root", st.st_uid);
	else if (st.st_mode & 022)
		yaml_complain(f, 0, "others than its owner may write to it");
	else if (type == S_IFREG && st.st_size > MAX_FILE)
		yaml_complain(f, 0, "is longer than %d bytes", MAX_FILE);
	else
		return 1;
	return 0;
}

/**
 * yaml_read() - read a file
 * @f:		path and report, the rest is zero
 * @must_exist:	a file that is not there is a mistake, not one that says nothing
 * @root:	gets what is in it
 */
void yaml_read(struct yaml_file *f, int must_exist, yaml_root_t root)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	FILE *file;

	if (fd < 0) {
		if (must_exist || errno != ENOENT)
			yaml_complain(f, 0, "%s", strerror(errno));
		return;
	}
	if (!yaml_trusted(f, fd, S_IFREG)) {
		close(fd);
		return;
	}
	file = fdopen(fd, "r");
	if (!file) {
		yaml_complain(f, 0, "%s", strerror(errno));
		close(fd);
		return;
	}
	read_text(f, file, root);
	fclose(file);
}
