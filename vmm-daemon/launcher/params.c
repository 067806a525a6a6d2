// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parameters of the modules kvm and kvm_intel, which are none here, that an
 * operator may have set all the same: on the kernel's command line, or in
 * modprobe.d(5), which nobody else reads, with KVM in the kernel. libkmod reads
 * both for modprobe(8), and here: files in the order of their names, and the
 * command line after them, so that its word is the last.
 *
 * Invariant: kvm_intel.nested is honoured, and every other one is named in the
 * log: nothing that somebody asked for is dropped without a word.
 */
#include <errno.h>
#include <libkmod.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/array_size.h"
#include "common/daemon.h"
#include "launcher/launcher.h"

static int nested = 1;

/**
 * params_nested() - whether the kernel's command line and modprobe.d leave nested VMX on
 */
int params_nested(void)
{
	return nested;
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

/* The value, if this is parameter "nested" of kvm_intel; or NULL. */
static const char *nested_value(const char *module, const char *word)
{
	if (strcmp(module, "kvm_intel") || strncmp(word, "nested", 6))
		return NULL;
	if (!word[6])
		return "1";
	return word[6] == '=' ? word + 7 : NULL;
}

static void no_effect(const char *module, const char *word, const char *why)
{
	logm(L_WARNING, "%s.%s, of modprobe.d or the kernel's command line, has no effect: %s",
	     module, word, why);
}

/* Return: whether nested VMX is on after this word; -1: no word has said it. */
static int read_word(const char *module, const char *word, int on)
{
	static const char *const words[] = { "nested=0", "nested=1" };
	const char *value = nested_value(module, word);
	int says;

	if (!value) {
		no_effect(module, word, "it is no module");
		return on;
	}
	says = yes_or_no(value);
	if (says < 0) {
		no_effect(module, word, "it says neither yes nor no");
		return on;
	}
	if (on == !says)
		no_effect(module, words[on], "a later word says otherwise");
	return says;
}

static int read_options(const char *module, const char *options, int on)
{
	char *copy, *word, *rest;

	if (strcmp(module, "kvm") && strcmp(module, "kvm_intel"))
		return on;
	copy = strdup(options);
	if (!copy)
		no_effect(module, options, strerror(errno));
	for (rest = copy; (word = strsep(&rest, " "));)
		if (*word)
			on = read_word(module, word, on);
	free(copy);
	return on;
}

/**
 * params_read() - read what was set, and log what comes of it, a line each
 */
void params_read(void)
{
	/* No folder of modules: nothing is looked up there. */
	struct kmod_ctx *ctx = kmod_new("/", NULL);
	struct kmod_config_iter *i = kmod_config_get_options(ctx);
	int on = -1;

	if (!i) {
		logm(L_ERR, "modprobe.d is not read: %s", strerror(ENOMEM));
		kmod_unref(ctx);
		return;
	}
	while (kmod_config_iter_next(i))
		on = read_options(kmod_config_iter_get_key(i), kmod_config_iter_get_value(i), on);
	kmod_config_iter_free_iter(i);
	kmod_unref(ctx);
	nested = on != 0;
	if (!nested)
		logm(L_WARNING, "nested VMX is off for all tenants: modprobe.d or the kernel's "
		     "command line says so");
}
