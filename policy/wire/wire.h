/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Varlink's wire: JSON objects, each ended by a NUL, over a stream socket.
 */
#ifndef POLICY_WIRE_H
#define POLICY_WIRE_H

#include <jansson.h>
#include <stddef.h>

#define WIRE_MAX	65536	/* bytes of a message, its NUL included */
#define WIRE_DEPTH	16	/* objects and arrays within each other */

/**
 * struct wire - a connection
 * @fd:		stream socket, non-blocking; -1: none
 * @in:		what came and was not taken yet
 * @got:	bytes of it
 * @seen:	bytes of it that have no NUL among them
 * @out:	what is to be sent
 * @todo:	bytes of it
 */
struct wire {
	int fd;
	char in[WIRE_MAX];
	size_t got, seen;
	char out[WIRE_MAX];
	size_t todo;
};

/**
 * struct wire_call - a call
 * @method:	its name, valid as long as the message
 * @parameters:	an object; NULL: none
 * @oneway:	the caller wants no reply
 */
struct wire_call {
	const char *method;
	json_t *parameters;
	int oneway;
};

void wire_open(struct wire *w, int fd);
int wire_connect(struct wire *w, const char *path);
void wire_close(struct wire *w);
int wire_read(struct wire *w, json_t **ret);
int wire_send(struct wire *w, const json_t *message);
int wire_flush(struct wire *w);
int wire_ready(struct wire *w, json_t **ret);

int wire_parse(const char *text, size_t len, json_t **ret);
int wire_call(const json_t *message, struct wire_call *ret);
json_t *wire_reply(json_t *parameters);
json_t *wire_error(const char *error, json_t *parameters);
int wire_result(const json_t *message, json_t **ret, const char **ret_error);

#endif /* POLICY_WIRE_H */
