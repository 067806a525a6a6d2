/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One call, by a program that has nothing else to do meanwhile.
 */
#ifndef POLICY_CLIENT_H
#define POLICY_CLIENT_H

#include <jansson.h>

int client_call(const char *path, const char *method, json_t *parameters, int patience,
		json_t **ret, char *ret_error, size_t size);

#endif /* POLICY_CLIENT_H */
