// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parameters of the modules kvm and kvm_intel, which are none here, that an
 * operator may have set all the same.
 *
 * Invariant: kvm_intel.nested is honoured, and every other one is named in the
 * log: nothing that somebody asked for is dropped without a word.
 */
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "common/daemon.h"
#include "launcher/launcher.h"

#define NESTED	"/sys/module/kvm_intel/parameters/nested"
#define OPTIONS	"/etc/modprobe.d/*.conf"

/**
 * params_nested() - whether the kernel's command line leaves nested VMX on
 */
int params_nested(void)
{
	FILE *f = fopen(NESTED, "r");
	int c = 'Y';

	if (f) {
		c = getc(f);
		fclose(f);
	}
	return c != 'N';
}

/* Whether a word begins with the name of one of KVM's modules, either way of writing it. */
static int of_kvm(const char *word, char end)
{
	size_t n = 3;

	if (strncmp(word, "kvm", n))
		return 0;
	if (word[n] == '_' || word[n] == '-')
		n = strncmp(word + n + 1, "intel", 5) ? n : 9;
	return word[n] == end;
}

static void report_command_line(void)
{
	FILE *f = fopen("/proc/cmdline", "r");
	char line[4096], *word, *rest = line;

	if (!f)
		return;
	if (!fgets(line, sizeof(line), f))
		line[0] = 0;
	fclose(f);
	while ((word = strsep(&rest, "\n ")))
		if (of_kvm(word, '.') && strncmp(strchr(word, '.'), ".nested=", 8))
			logm(L_WARNING, "%s on the kernel's command line has no effect", word);
}

/* modprobe(8)'s options are for modules; with KVM in the kernel nobody reads them. */
static void report_options(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[1024], *word, *rest;

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		rest = line + strspn(line, " \t");
		word = strsep(&rest, "\n\t ");
		if (strcmp(word, "options") || !rest)
			continue;
		rest += strspn(rest, " \t");
		word = strsep(&rest, "\n\t ");
		if (of_kvm(word, 0) && rest)
			logm(L_WARNING, "%s: options of %s have no effect: it is no module",
			     path, word);
	}
	fclose(f);
}

/**
 * params_report() - log what was set and has no effect, a line each
 */
void params_report(void)
{
	glob_t found;
	size_t i;

	report_command_line();
	if (glob(OPTIONS, 0, NULL, &found))
		return;
	for (i = 0; i < found.gl_pathc; i++)
		report_options(found.gl_pathv[i]);
	globfree(&found);
}
