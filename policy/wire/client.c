// SPDX-License-Identifier: GPL-2.0-only
/*
 * One call of Varlink's, and its reply.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/backoff.h"
#include "policy/wire/client.h"
#include "policy/wire/wire.h"

/* The next message; -ETIMEDOUT: there was none until @due. */
static int wait_for(struct wire *w, long long due, json_t **ret)
{
	struct pollfd p = { .fd = w->fd, .events = POLLIN };
	long long left;
	int r;

	for (;;) {
		r = wire_read(w, ret);
		if (r)
			return r;
		left = due - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		poll(&p, 1, left);
	}
}

static int call(struct wire *w, const char *method, json_t *parameters, int patience, json_t **ret)
{
	json_t *message = json_pack("{s:s, s:O}", "method", method, "parameters", parameters);
	int r = wire_send(w, message);

	json_decref(message);
	return r ? r : wait_for(w, now_ms() + patience, ret);
}

/* @ret and @ret_error of client_call(), of a reply. */
static int take(const json_t *reply, json_t **ret, char *ret_error, size_t size)
{
	const char *error;
	json_t *parameters;

	if (wire_result(reply, &parameters, &error))
		return -EBADMSG;
	snprintf(ret_error, size, "%s", error ? error : "");
	if (error)
		return -EREMOTEIO;
	*ret = parameters ? json_incref(parameters) : json_object();
	return 0;
}

/**
 * client_call() - call, and wait for the reply
 * @path:	of the service's socket
 * @method:	with its interface
 * @parameters:	of the call; taken over
 * @patience:	with the reply, ms
 * @ret:	gets what the call returned
 * @ret_error:	gets a name of Varlink's if the reply is an error, else the reason
 * @size:	of @ret_error
 *
 * Return: 0; -ENOENT and others of connect(2); -ETIMEDOUT; -EREMOTEIO: the reply is an
 * error; -EBADMSG: it is no reply.
 */
int client_call(const char *path, const char *method, json_t *parameters, int patience,
		json_t **ret, char *ret_error, size_t size)
{
	static struct wire w;
	json_t *reply = NULL;
	int r = wire_connect(&w, path);

	if (!r) {
		r = call(&w, method, parameters, patience, &reply);
		r = r == 1 ? take(reply, ret, ret_error, size) : r;
		json_decref(reply);
		wire_close(&w);
	}
	json_decref(parameters);
	if (r && r != -EREMOTEIO)
		snprintf(ret_error, size, "%s", strerror(-r));
	return r;
}
