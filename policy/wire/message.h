/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests, opinions and decisions as JSON: io.kvmsplit.Policy.
 */
#ifndef POLICY_MESSAGE_H
#define POLICY_MESSAGE_H

#include <jansson.h>

#include "policy/arbiter/arbiter.h"
#include "policy/policy.h"

#define POLICY_INTERFACE	"io.kvmsplit.Policy"
#define POLICY_SOCKET		"/run/kvm-split-policy/" POLICY_INTERFACE

json_t *message_request(const struct request *q);
const char *message_to_request(const json_t *parameters, struct request *ret);
json_t *message_opinion(const struct opinion *o);
json_t *message_decision(const struct decision *d);
void message_refusal(const json_t *parameters, char *ret, size_t size);
int message_to_opinion(const json_t *parameters, struct opinion *ret);

#endif /* POLICY_MESSAGE_H */
