// SPDX-License-Identifier: GPL-2.0-only
/*
 * Varlink's wire, see https://varlink.org/Method-Call.
 *
 * Invariants: whatever the other end sends, no call here waits for it, and no
 * connection takes more memory than struct wire and one message of WIRE_MAX bytes;
 * a message is valid UTF-8 without NULs, and no key is in an object twice.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "policy/wire/wire.h"

/**
 * wire_open() - begin with a connection
 * @w:		the connection
 * @fd:		stream socket, non-blocking; wire_close() closes it
 */
void wire_open(struct wire *w, int fd)
{
	w->fd = fd;
	w->got = w->seen = w->todo = 0;
}

/**
 * wire_connect() - begin with a connection to a service
 * @w:		the connection; none if there is an error
 * @path:	of the service's socket
 *
 * Context: does not wait.
 * Return: 0; -ENOENT and others of connect(2), -EAGAIN: too many wait for the service.
 */
int wire_connect(struct wire *w, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int r = 0;

	wire_open(w, -1);
	if ((size_t)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path) >=
	    sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	w->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->fd < 0 || connect(w->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		r = -errno;
	if (r)
		wire_close(w);
	return r;
}

/**
 * wire_close() - end a connection
 * @w:		the connection; there need be none
 */
void wire_close(struct wire *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

/* Is it nested too deeply?  jansson's own limit is 2048, and its parser recurses. */
static int too_deep(const char *text, size_t len)
{
	int depth = 0, in_string = 0;
	size_t i;

	for (i = 0; i < len && depth <= WIRE_DEPTH; i++) {
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (!in_string && (text[i] == '{' || text[i] == '['))
			depth++;
		else if (!in_string && (text[i] == '}' || text[i] == ']'))
			depth--;
	}
	return depth > WIRE_DEPTH;
}

/**
 * wire_parse() - a message from its text
 * @text:	JSON
 * @len:	bytes of it
 * @ret:	gets the object
 *
 * Return: 0, or -EBADMSG: it is no JSON object, has a key twice, or is nested too deeply.
 */
int wire_parse(const char *text, size_t len, json_t **ret)
{
	json_t *message;

	if (too_deep(text, len))
		return -EBADMSG;
	message = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(message)) {
		json_decref(message);
		return -EBADMSG;
	}
	*ret = message;
	return 0;
}

/* The first message of what has come. */
static int take_message(struct wire *w, json_t **ret)
{
	const char *end = memchr(w->in + w->seen, '\0', w->got - w->seen);
	size_t len;
	int r;

	if (!end) {
		w->seen = w->got;
		return w->got == sizeof(w->in) ? -EMSGSIZE : 0;
	}
	len = end - w->in;
	r = wire_parse(w->in, len, ret);
	w->got -= len + 1;
	w->seen = 0;
	memmove(w->in, end + 1, w->got);
	return r < 0 ? r : 1;
}

/**
 * wire_read() - the next message
 * @w:		the connection
 * @ret:	gets it
 *
 * Context: does not wait.
 * Return: 1; 0: there is none yet; -EPIPE: the other end closed; -EMSGSIZE: it is
 * longer than WIRE_MAX; -EBADMSG: see wire_parse(); or another negative errno.
 */
int wire_read(struct wire *w, json_t **ret)
{
	ssize_t n;
	int r = take_message(w, ret);

	if (r)
		return r;
	n = recv(w->fd, w->in + w->got, sizeof(w->in) - w->got, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!n)
		return -EPIPE;
	w->got += n;
	return take_message(w, ret);
}

/**
 * wire_flush() - send what is to be sent
 * @w:		the connection
 *
 * Context: does not wait; what is left is in @w->todo.
 * Return: 0 or a negative errno.
 */
int wire_flush(struct wire *w)
{
	ssize_t n;

	if (!w->todo)
		return 0;
	n = send(w->fd, w->out, w->todo, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	w->todo -= n;
	memmove(w->out, w->out + n, w->todo);
	return 0;
}

/**
 * wire_ready() - the other end has sent something, or takes more
 * @w:		the connection
 * @ret:	gets a message, the caller's
 *
 * Context: does not wait.
 * Return: 1: a message, 0: none yet, or a negative errno as of wire_read().
 */
int wire_ready(struct wire *w, json_t **ret)
{
	int r = wire_flush(w);

	return r ? r : wire_read(w, ret);
}

/**
 * wire_send() - send a message
 * @w:		the connection
 * @message:	of wire_reply(), wire_error(), or a call
 *
 * Context: does not wait; what is left is sent by wire_flush().
 * Return: 0; -ENOBUFS: the other end has not taken what was sent before; or another
 * negative errno.
 */
int wire_send(struct wire *w, const json_t *message)
{
	const size_t room = sizeof(w->out) - w->todo;
	size_t len = json_dumpb(message, w->out + w->todo, room, JSON_COMPACT);

	if (!len)
		return -EINVAL;
	if (len >= room)
		return -ENOBUFS;
	w->out[w->todo + len] = '\0';
	w->todo += len + 1;
	return wire_flush(w);
}

/* Nothing else than a call has. */
static int known_keys(const json_t *message, const char * const *names)
{
	const char *key;
	json_t *value;
	int i;

	json_object_foreach((json_t *)message, key, value) {
		for (i = 0; names[i] && strcmp(names[i], key); i++)
			;
		if (!names[i])
			return 0;
	}
	return 1;
}

/* A member that is an object; 0 if it is missing or null, too. */
static int get_parameters(const json_t *message, json_t **ret)
{
	*ret = json_object_get(message, "parameters");
	if (json_is_null(*ret))
		*ret = NULL;
	return *ret && !json_is_object(*ret) ? -EBADMSG : 0;
}

/**
 * wire_call() - take a message for a call
 * @message:	of wire_read()
 * @ret:	gets the call
 *
 * Return: 0, or -EBADMSG: that is no call.  A call for more than one reply, or for
 * another protocol, is none here.
 */
int wire_call(const json_t *message, struct wire_call *ret)
{
	static const char * const keys[] = {
		"method", "parameters", "oneway", "more", "upgrade", NULL
	};
	const json_t *oneway = json_object_get(message, "oneway");

	if (oneway && !json_is_boolean(oneway))
		return -EBADMSG;
	ret->oneway = json_is_true(oneway);
	ret->method = json_string_value(json_object_get(message, "method"));
	if (!ret->method || !known_keys(message, keys) ||
	    json_is_true(json_object_get(message, "more")) ||
	    json_is_true(json_object_get(message, "upgrade")))
		return -EBADMSG;
	return get_parameters(message, &ret->parameters);
}

/**
 * wire_reply() - a reply
 * @parameters:	what a call returns; taken over
 */
json_t *wire_reply(json_t *parameters)
{
	return json_pack("{s:o}", "parameters", parameters ? parameters : json_object());
}

/**
 * wire_error() - a reply that is an error
 * @error:	its name, with the interface
 * @parameters:	of it; taken over
 */
json_t *wire_error(const char *error, json_t *parameters)
{
	return json_pack("{s:s, s:o}", "error", error, "parameters",
			 parameters ? parameters : json_object());
}

/**
 * wire_result() - take a message for a reply
 * @message:	of wire_read()
 * @ret:	gets what the call returned, or the parameters of the error; NULL: none
 * @ret_error:	gets the error's name, NULL: there is none
 *
 * Return: 0, or -EBADMSG: that is no reply, or more are to come.
 */
int wire_result(const json_t *message, json_t **ret, const char **ret_error)
{
	static const char * const keys[] = { "parameters", "error", "continues", NULL };
	const json_t *error = json_object_get(message, "error");

	*ret_error = json_string_value(error);
	if ((error && !*ret_error) || !known_keys(message, keys) ||
	    json_is_true(json_object_get(message, "continues")))
		return -EBADMSG;
	return get_parameters(message, ret);
}
