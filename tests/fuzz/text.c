// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctl/text.c: names that a worker's guest, or a user, chose.
 *
 * Properties: the result is UTF-8 without a control character, C1 ones included; it
 * can be turned back, so that no two names look alike.
 */
#include "fuzz.h"
#include "ctl/ctl.h"

/* The bytes that @text stands for. */
static void unescape(const char *text, char *to)
{
	for (; *text; text++) {
		unsigned int byte = (unsigned char)*text;

		if (byte == '\\' && *++text == 'x') {
			EQ(sscanf(text, "x%2x", &byte), 1);
			text += 2;
		}
		*to++ = byte;
	}
	*to = '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	char *name = take_string(&in), *back = malloc(strlen(name) + 1);
	json_t *s = json_text(name);
	const unsigned char *c;

	HOLDS(back && json_is_string(s));
	/* Jansson takes no other than UTF-8. */
	for (c = (const unsigned char *)json_string_value(s); *c; c++) {
		HOLDS(*c >= 0x20 && *c != 0x7f);
		HOLDS(*c != 0xc2 || c[1] >= 0xa0);
	}
	HOLDS(json_string_length(s) <= 4 * strlen(name));
	unescape(json_string_value(s), back);
	EQ(strcmp(name, back), 0);
	json_decref(s);
	free(back);
	free(name);
	return 0;
}
