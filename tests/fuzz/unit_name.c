// SPDX-License-Identifier: GPL-2.0-only
/*
 * common/daemon.c, unit_name(): a user's name, of whatever user database, becomes
 * an argument of systemctl(1).
 *
 * Properties: it is one unit of the template, of letters that systemd knows; two
 * users have two units.
 */
#include "fuzz.h"
#include "common/daemon.h"

#define HEAD	"kvm-vmmd@"
#define TAIL	".service"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size < 64 ? size : 64 };
	char *name = take_string(&in);
	size_t room = 4 * strlen(name) + 32, n;
	char *unit = malloc(room), *c, *back = name;

	HOLDS(unit);
	unit_name(name, unit, room);
	n = strlen(unit);
	HOLDS(n >= strlen(HEAD TAIL));
	EQ(strncmp(unit, HEAD, strlen(HEAD)), 0);
	EQ(strcmp(unit + n - strlen(TAIL), TAIL), 0);
	for (c = unit + strlen(HEAD); c < unit + n - strlen(TAIL); c++) {
		unsigned int byte = (unsigned char)*c;

		HOLDS(strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:.\\", byte));
		if (byte == '\\') {
			EQ(sscanf(c, "\\x%2x", &byte), 1);
			c += 3;
		}
		EQ((unsigned char)*back++, byte);
	}
	EQ(*back, '\0');
	free(unit);
	free(name);
	return 0;
}
