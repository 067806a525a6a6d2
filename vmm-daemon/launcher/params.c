// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parameters of the modules kvm and kvm_intel, which are none here, that an
 * operator may have set all the same: on the kernel's command line, or in
 * modprobe.d(5), which nobody else reads, with KVM in the kernel.
 *
 * Invariant: kvm_intel.nested is honoured, and every other one is named in the
 * log: nothing that somebody asked for is dropped without a word.
 */
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/array_size.h"
#include "common/daemon.h"
#include "launcher/launcher.h"

#define NESTED		"/sys/module/kvm_intel/parameters/nested"
#define COMMAND_LINE	"/proc/cmdline"
#define BLANKS		" \t\n"

/* As modprobe(8) has them: of files of one name it reads that of the first place. */
static const char *const places[] = {
	"/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d",
	"/lib/modprobe.d",
};

static int nested = 1;

/* What the last word on kvm_intel's nested in modprobe.d says, and in which file. */
struct said {
	int nested;
	char path[PATH_MAX];
};

/**
 * params_nested() - whether the kernel's command line and modprobe.d leave nested VMX on
 */
int params_nested(void)
{
	return nested;
}

static FILE *open_below(const char *root, const char *path)
{
	char whole[PATH_MAX];

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	return fopen(whole, "re");
}

/* How long the name of one of KVM's modules is, either way of writing it; 0: it is none. */
static size_t of_kvm(const char *word, char end)
{
	size_t n = 3;

	if (strncmp(word, "kvm", n))
		return 0;
	if (word[n] == '_' || word[n] == '-')
		n = strncmp(word + n + 1, "intel", 5) ? n : 9;
	return word[n] == end ? n : 0;
}

/* The value, if this is parameter "nested" of kvm_intel, told by its name's length; or NULL. */
static const char *nested_value(size_t module, const char *word)
{
	if (module == strlen("kvm") || strncmp(word, "nested", 6))
		return NULL;
	if (!word[6])
		return "1";
	return word[6] == '=' ? word + 7 : NULL;
}

/* As the kernel's kstrtobool(); -1: neither yes nor no. */
static int yes_or_no(const char *text)
{
	static const char *const words[2][4] = {
		{ "n", "f", "0", "of" },
		{ "y", "t", "1", "on" },
	};
	size_t i;
	int yes;

	for (yes = 0; yes < 2; yes++)
		for (i = 0; i < ARRAY_SIZE(words[0]); i++)
			if (!strncasecmp(text, words[yes][i], strlen(words[yes][i])))
				return yes;
	return -1;
}

/* Whether nested is on by what the kernel took from its command line. */
static int kernel_nested(const char *root)
{
	FILE *f = open_below(root, NESTED);
	int c = 'Y';

	if (f) {
		c = getc(f);
		fclose(f);
	}
	return c != 'N';
}

/* Return: does the command line have a word on kvm_intel's nested? */
static int read_command_line(const char *root)
{
	FILE *f = open_below(root, COMMAND_LINE);
	char line[4096], *word, *rest = line;
	int found = 0;
	size_t n;

	if (!f)
		return 0;
	if (!fgets(line, sizeof(line), f))
		line[0] = 0;
	fclose(f);
	while ((word = strsep(&rest, BLANKS))) {
		n = of_kvm(word, '.');
		if (!n)
			continue;
		if (nested_value(n, word + n + 1))
			found = 1;
		else
			logm(L_WARNING, "%s on the kernel's command line has no effect", word);
	}
	return found;
}

/* A line, with those on which a backslash continues it; 0: the file has ended. */
static int next_line(FILE *f, char *line, size_t size)
{
	size_t n = 0;
	int c;

	while ((c = getc(f)) != EOF && c != '\n') {
		if (c == '\\') {
			c = getc(f);
			if (c == EOF)
				break;
			if (c == '\n')
				continue;
		}
		if (n < size - 1)
			line[n++] = c;
	}
	line[n] = '\0';
	return n || c != EOF;
}

static void read_option(const char *path, const char *module, const char *word, struct said *said)
{
	const char *value = nested_value(strlen(module), word);
	int on = value ? yes_or_no(value) : -1;

	if (on < 0) {
		logm(L_WARNING, "%s: option %s of %s has no effect: %s", path, word, module,
		     value ? "it says neither yes nor no" : "it is no module");
		return;
	}
	said->nested = on;
	snprintf(said->path, sizeof(said->path), "%s", path);
}

static void read_options(const char *path, struct said *said)
{
	FILE *f = fopen(path, "re");
	char line[4096], *word, *module, *rest;

	if (!f)
		return;
	while (next_line(f, line, sizeof(line))) {
		word = strtok_r(line, BLANKS, &rest);
		if (!word || strcmp(word, "options"))
			continue;
		module = strtok_r(NULL, BLANKS, &rest);
		if (!module || !of_kvm(module, 0))
			continue;
		while ((word = strtok_r(NULL, BLANKS, &rest)))
			read_option(path, module, word, said);
	}
	fclose(f);
}

static const char *base(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* The file whose name comes next, in the first place that has it; NULL: there is none. */
static const char *next_file(const glob_t *found, const char *last)
{
	const char *best = NULL;
	size_t i;

	for (i = 0; i < found->gl_pathc; i++) {
		const char *path = found->gl_pathv[i];

		if ((!last || strcmp(base(path), base(last)) > 0) &&
		    (!best || strcmp(base(path), base(best)) < 0))
			best = path;
	}
	return best;
}

static void read_modprobe(const char *root, struct said *said)
{
	char pattern[PATH_MAX];
	const char *path = NULL;
	glob_t found = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(pattern, sizeof(pattern), "%s%s/*.conf", root, places[i]);
		glob(pattern, GLOB_APPEND, NULL, &found);
	}
	while ((path = next_file(&found, path)))
		read_options(path, said);
	globfree(&found);
}

/**
 * params_read() - read what was set, and log what comes of it, a line each
 * @root:	in front of all paths: "", but for tests
 *
 * modprobe(8) hands the command line's words over last, so they go before modprobe.d's.
 */
void params_read(const char *root)
{
	int on_line = read_command_line(root), kernels = kernel_nested(root);
	struct said said = { .nested = kernels };

	read_modprobe(root, &said);
	nested = kernels && (on_line || said.nested);
	if (said.nested == kernels)
		return;
	if (nested == kernels)
		logm(L_WARNING, "%s: nested has no effect: the kernel's command line says otherwise",
		     said.path);
	else
		logm(L_WARNING, "%s: nested VMX is off for all tenants", said.path);
}
