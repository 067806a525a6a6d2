// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading a domain's XML with expat.
 *
 * Invariants: what is in another unit than libvirt writes is not known; however deep and
 * long the XML is, it takes no more memory than struct walk.
 */
#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/daemon.h"
#include "policy/hook/domain.h"

#define MAX_KIB		(INT64_MAX >> 10)

/* Where the parser is, and the text of the element at hand. */
struct walk {
	struct domain *to;
	char path[256];		/* "/domain/vcpu" */
	int too_deep;		/* elements that the path has no room for */
	char text[DOMAIN_TEXT];
	int dac, kib;		/* what the element's attributes say */
};

static const char *attribute(const char **attributes, const char *name)
{
	for (; *attributes; attributes += 2)
		if (!strcmp(*attributes, name))
			return attributes[1];
	return "";
}

static void on_begin(void *data, const char *name, const char **attributes)
{
	struct walk *w = data;
	size_t n = strlen(w->path);

	if (w->too_deep || n + strlen(name) + 2 > sizeof(w->path)) {
		w->too_deep++;
		return;
	}
	snprintf(w->path + n, sizeof(w->path) - n, "/%s", name);
	w->text[0] = '\0';
	if (!strcmp(name, "seclabel"))
		w->dac = !strcmp(attribute(attributes, "model"), "dac");
	if (!strcmp(name, "memory"))
		w->kib = !strcmp(attribute(attributes, "unit"), "KiB");
}

static void on_text(void *data, const char *text, int len)
{
	struct walk *w = data;
	size_t n = strlen(w->text);

	if (n + len < sizeof(w->text)) {
		memcpy(w->text + n, text, len);
		w->text[n + len] = '\0';
	}
}

static void take_text(struct walk *w)
{
	struct domain *d = w->to;
	int64_t n;

	if (!strcmp(w->path, "/domain/name"))
		snprintf(d->name, sizeof(d->name), "%s", w->text);
	else if (!strcmp(w->path, "/domain/devices/emulator"))
		snprintf(d->emulator, sizeof(d->emulator), "%s", w->text);
	else if (!strcmp(w->path, "/domain/seclabel/label") && w->dac)
		snprintf(d->label, sizeof(d->label), "%s", w->text);
	else if (!strcmp(w->path, "/domain/vcpu"))
		d->vcpus = parse_number(w->text, INT32_MAX);
	else if (!strcmp(w->path, "/domain/memory") && w->kib) {
		n = parse_number(w->text, MAX_KIB);
		d->memory = n < 0 ? -1 : n << 10;
	}
}

static void on_end(void *data, const char *name)
{
	struct walk *w = data;

	if (w->too_deep) {
		w->too_deep--;
		return;
	}
	take_text(w);
	w->text[0] = '\0';
	*strrchr(w->path, '/') = '\0';
}

static int parse(XML_Parser parser, int fd)
{
	char buf[4096];
	ssize_t n;

	do {
		n = read(fd, buf, sizeof(buf));
		if (n < 0)
			return -errno;
		if (XML_Parse(parser, buf, n, !n) != XML_STATUS_OK)
			return -EBADMSG;
	} while (n);
	return 0;
}

/**
 * domain_read() - read a domain's XML
 * @fd:		where it comes from, to its end
 * @ret:	gets what it says
 *
 * Return: 0 or a negative errno.
 */
int domain_read(int fd, struct domain *ret)
{
	struct walk w = { .to = ret };
	XML_Parser parser = XML_ParserCreate("UTF-8");
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->vcpus = ret->memory = -1;
	if (!parser)
		return -ENOMEM;
	XML_SetUserData(parser, &w);
	XML_SetElementHandler(parser, on_begin, on_end);
	XML_SetCharacterDataHandler(parser, on_text);
	r = parse(parser, fd);
	XML_ParserFree(parser);
	return r;
}
