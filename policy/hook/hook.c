// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm-split-libvirt-hook: libvirt asks it before a domain starts, is restored or comes in by
 * a migration; see https://libvirt.org/hooks.html.  It asks the policy service.
 *
 * Invariants: where there is no policy service, it allows; where there is one that does
 * not answer, it refuses.  It never calls libvirt, which waits for it.
 */
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array_size.h"
#include "common/daemon.h"
#include "policy/hook/domain.h"
#include "policy/wire/client.h"
#include "policy/wire/message.h"

#define PATIENCE_MS	5000	/* with a service that has one second for a tenant */

static const char usage[] =
"Usage: kvm-split-libvirt-hook [OPTION]... DOMAIN OPERATION SUB-OPERATION EXTRA < XML\n"
"\n"
"Ask the policy service about a domain of libvirt's; /etc/libvirt/hooks/qemu.d calls\n"
"this.\n"
"\n"
"  --socket PATH   of the service, default /run/kvm-split-policy/io.kvmsplit.Policy\n"
"  --user USER     tenant of a domain whose XML does not say, default libvirt-qemu\n"
"  --help          show this text\n"
"  --version       show the version\n";

static const char *socket_path = POLICY_SOCKET;
static const char *default_user = "libvirt-qemu";

static const struct {
	const char *operation, *sub;
	enum policy_op op;
} questions[] = {
	{ "prepare", "begin", OP_VM_START },
	{ "restore", "begin", OP_VM_RESTORE },
	{ "migrate", "begin", OP_MIGRATE_IN },
};

/* The user of "+64055:+64055" or "libvirt-qemu:kvm"; its number if it has no name. */
static const char *user_of(char *label)
{
	const struct passwd *pw;
	long long uid;

	label[strcspn(label, ":")] = '\0';
	if (!*label)
		return default_user;
	uid = parse_number(label + (*label == '+'), UINT32_MAX - 1);
	pw = uid < 0 ? NULL : getpwuid(uid);
	return pw ? pw->pw_name : label + (*label == '+');
}

static int refuse(const char *domain, enum policy_op op, const char *why)
{
	fprintf(stderr, "kvm-split: %s of %s: %s\n", policy_op_name(op), domain, why);
	return 1;
}

/* What the service says; 0: allowed */
static int judge(const char *domain, enum policy_op op, const json_t *answer)
{
	const char *verdict = json_string_value(json_object_get(answer, "verdict"));
	char why[2 * POLICY_REASON];

	if (verdict && !strcmp(verdict, "allow"))
		return 0;
	message_refusal(answer, why, sizeof(why));
	return refuse(domain, op, why);
}

static int ask(const char *name, enum policy_op op)
{
	char error[POLICY_REASON], why[2 * POLICY_REASON];
	struct request q = {
		.op = op, .domain = name, .worker = POLICY_UNKNOWN, .vms = POLICY_UNKNOWN,
	};
	struct domain d;
	json_t *answer;
	int r = domain_read(STDIN_FILENO, &d);

	if (r)
		return refuse(name, op, "the domain's XML cannot be read");
	q.tenant = user_of(d.label);
	q.exe = *d.emulator ? d.emulator : NULL;
	q.vcpus = d.vcpus;
	q.memory = d.memory;
	r = client_call(socket_path, POLICY_INTERFACE ".Decide", message_request(&q), PATIENCE_MS,
			&answer, error, sizeof(error));
	if (r == -ENOENT)
		return 0;
	if (r) {
		snprintf(why, sizeof(why), "the policy service does not answer: %s", error);
		return refuse(name, op, why);
	}
	r = judge(name, op, answer);
	json_decref(answer);
	return r;
}

int main(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "user",   required_argument, NULL, 'u' },
		OPTIONS_COMMON
	};
	size_t i;
	int c;

	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		if (c == 's')
			socket_path = optarg;
		else if (c == 'u')
			default_user = optarg;
		else
			common_option(c, "kvm-split-libvirt-hook", usage);
	}
	if (argc - optind < 3)
		common_option('?', "kvm-split-libvirt-hook", usage);
	for (i = 0; i < ARRAY_SIZE(questions); i++)
		if (!strcmp(argv[optind + 1], questions[i].operation) &&
		    !strcmp(argv[optind + 2], questions[i].sub))
			return ask(argv[optind], questions[i].op);
	return 0;
}
