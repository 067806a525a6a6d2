/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is behind a worker, as the kernel says.
 */
#ifndef POLICY_LOOKER_H
#define POLICY_LOOKER_H

#include <limits.h>
#include <sys/types.h>

/**
 * struct looked - who a worker's client is
 * @error:	0 or a negative errno: nothing else holds
 * @tenant:	uid
 * @client:	process id
 * @user:	uid of the worker
 * @exe:	the client's program, "": not known
 * @unit:	its systemd unit, "": it has none
 */
struct looked {
	int error;
	long long tenant, client, user;
	char exe[PATH_MAX];
	char unit[256];
};

void looker_start(void);
int looker_ask(pid_t worker, struct looked *ret);

#endif /* POLICY_LOOKER_H */
