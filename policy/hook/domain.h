/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a domain's XML says that policy wants to know.
 */
#ifndef POLICY_DOMAIN_H
#define POLICY_DOMAIN_H

#include <stdint.h>

#define DOMAIN_TEXT	4096	/* bytes of a text, its NUL included */

/**
 * struct domain - of libvirt
 * @name:	"" if the XML does not say; so are the others
 * @emulator:	program
 * @label:	user and group that it runs as, of the security driver dac
 * @vcpus:	most that it can have, -1
 * @memory:	bytes, -1
 */
struct domain {
	char name[DOMAIN_TEXT], emulator[DOMAIN_TEXT], label[DOMAIN_TEXT];
	int64_t vcpus, memory;
};

int domain_read(int fd, struct domain *ret);

#endif /* POLICY_DOMAIN_H */
