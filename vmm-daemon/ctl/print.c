// SPDX-License-Identifier: GPL-2.0-only
/*
 * Output: every command makes a JSON value, and this prints it or a table of it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"

#define CELL	64

static void print_bytes(char *buf, json_int_t n)
{
	static const char units[] = "BKMGTP";
	int i = 0;

	while (n >= 10240 && units[i + 1]) {
		n /= 1024;
		i++;
	}
	snprintf(buf, CELL, i ? "%" JSON_INTEGER_FORMAT "%c" : "%" JSON_INTEGER_FORMAT,
		 n, units[i]);
}

static void print_cell(char *buf, const json_t *v, int unit)
{
	if (!v || json_is_null(v))
		snprintf(buf, CELL, "-");
	else if (json_is_string(v))
		snprintf(buf, CELL, "%s", json_string_value(v));
	else if (json_is_boolean(v))
		snprintf(buf, CELL, json_is_true(v) ? "yes" : "no");
	else if (unit == BYTES)
		print_bytes(buf, json_integer_value(v));
	else if (unit == SECONDS)
		snprintf(buf, CELL, "%.2f", json_number_value(v));
	else if (json_is_real(v))
		snprintf(buf, CELL, "%.1f", json_real_value(v));
	else
		snprintf(buf, CELL, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
}

/**
 * print_json() - print a value as JSON
 * @what:	the value
 */
void print_json(json_t *what)
{
	json_dumpf(what, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	putchar('\n');
}

/**
 * print_table() - print rows under titles
 * @rows:	array of objects
 * @columns:	the last one has no key
 */
void print_table(const json_t *rows, const struct column *columns)
{
	const struct column *c;
	char cell[CELL];
	size_t i, width;
	json_t *row;

	for (i = 0; i <= json_array_size(rows); i++) {
		for (c = columns; c->key; c++) {
			size_t j;

			width = strlen(c->title);
			json_array_foreach(rows, j, row) {
				print_cell(cell, json_object_get(row, c->key), c->unit);
				width = strlen(cell) > width ? strlen(cell) : width;
			}
			if (i)
				print_cell(cell, json_object_get(json_array_get(rows, i - 1),
								 c->key), c->unit);
			printf("%-*s%s", c[1].key ? (int)width : 0, i ? cell : c->title,
			       c[1].key ? "  " : "\n");
		}
	}
}

static void print_member(const char *key, const json_t *v, int depth)
{
	char cell[CELL];
	const char *k;
	json_t *each;
	size_t i;

	if (json_is_object(v)) {
		printf("%*s%s:\n", depth, "", key);
		json_object_foreach((json_t *)v, k, each)
			print_member(k, each, depth + 2);
	} else if (json_is_array(v) && json_array_size(v)) {
		printf("%*s%s:\n", depth, "", key);
		json_array_foreach(v, i, each) {
			json_t *first = json_object_get(each, "name");

			if (first)
				print_member(json_string_value(first), each, depth + 2);
			else
				print_member("-", each, depth + 2);
		}
	} else if (!json_is_array(v)) {
		print_cell(cell, v, PLAIN);
		printf("%*s%s: %s\n", depth, "", key, cell);
	}
}

/**
 * print_pairs() - print an object, a line for each member
 * @object:	the object
 */
void print_pairs(const json_t *object)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)object, key, v)
		print_member(key, v, 0);
}
