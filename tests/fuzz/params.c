// SPDX-License-Identifier: GPL-2.0-only
/*
 * launcher/params.c: the kernel's command line, and files of modprobe.d(5).
 *
 * Properties: nested VMX that the kernel has off stays off; where nobody says
 * "nested" it is as the kernel has it; nobody has it off but by one of the two; a line
 * of the log is one line; a second look gives the same.
 */
#include <stdarg.h>

#include "files.h"
#include "launcher/launcher.h"

static char lines[1 << 16];

void logm(int level, const char *fmt, ...)
{
	size_t n = strlen(lines);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(lines + n, sizeof(lines) - n, fmt, ap);
	va_end(ap);
	HOLDS(!strchr(lines + n, '\n'));
}

static int look(void)
{
	lines[0] = '\0';
	params_read("root");
	HOLDS(params_nested() == 0 || params_nested() == 1);
	return params_nested();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const files[] = {
		"root/proc/cmdline", "root/etc/modprobe.d/a.conf",
		"root/run/modprobe.d/b.conf", "root/lib/modprobe.d/a.conf",
	};
	static char before[sizeof(lines)];
	struct input in = { data, size };
	char kernel = take_number(&in, 1) & 1 ? 'N' : 'Y';
	bool said = memmem(data, size, "nested", 6);
	int on;

	put_file("root/sys/module/kvm_intel/parameters/nested", &kernel, 1);
	for (unsigned int i = 0; i < sizeof(files) / sizeof(*files); i++)
		put_string(&in, files[i]);
	on = look();
	memcpy(before, lines, sizeof(lines));
	EQ(look(), on);
	EQ(strcmp(before, lines), 0);
	if (kernel == 'N')
		EQ(on, 0);
	/* A backslash in modprobe.d(5) may stand within a word. */
	else if (!said && !memchr(data, '\\', size))
		EQ(on, 1);
	if (on != (kernel == 'Y'))
		HOLDS(strstr(lines, "nested VMX is off for all tenants"));
	return 0;
}
