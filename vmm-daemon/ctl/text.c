// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names that somebody else chose: a worker's guest may have named its threads, a
 * user its control groups.
 *
 * Invariant: what json_text() makes is valid UTF-8 and does nothing to a terminal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

/* C0 and DEL; C1, which UTF-8 has behind 0xc2 */
static int is_control(const unsigned char *c)
{
	return *c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0);
}

static void escape(char *to, const char *from, int ascii)
{
	const unsigned char *c;

	for (c = (const unsigned char *)from; *c; c++) {
		if (*c == '\\')
			to += sprintf(to, "\\\\");
		else if (is_control(c) || (ascii && *c >= 0x80))
			to += sprintf(to, "\\x%02x", *c);
		else
			*to++ = *c;
	}
	*to = '\0';
}

/**
 * json_text() - a string of bytes that nobody has checked
 * @bytes:	up to a NUL
 *
 * Control characters become \xNN, as does everything but ASCII if it is not UTF-8; a
 * backslash is doubled.
 *
 * Return: a string; null if there is no memory.
 */
json_t *json_text(const char *bytes)
{
	char *text = malloc(4 * strlen(bytes) + 1);
	json_t *s;

	if (!text)
		return json_null();
	escape(text, bytes, 0);
	s = json_string(text);
	if (!s) {
		escape(text, bytes, 1);
		s = json_string(text);
	}
	free(text);
	return s ? s : json_null();
}
