/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two opinions become one decision.
 */
#ifndef POLICY_ARBITER_H
#define POLICY_ARBITER_H

#include "policy/policy.h"

/**
 * struct arbitration - what the provider's file says of one kind of decision
 * @op:		the kind
 * @owner:	whose answer it is
 * @def:	what holds where no rule of the provider's matches: allow or deny
 * @no_answer:	what holds if the tenant is asked and says nothing: allow or deny
 */
struct arbitration {
	enum policy_op op;
	enum owner owner;
	enum verdict def, no_answer;
};

/**
 * struct decision - the outcome
 * @allowed:	yes or no
 * @whose:	OWNER_PROVIDER, OWNER_TENANT, or OWNER_BOTH: both had to say yes and did
 * @opinion:	of whose it is, with its reason and rule; limits are those of both
 */
struct decision {
	int allowed;
	enum owner whose;
	struct opinion opinion;
};

int arbiter_asks_tenant(const struct arbitration *a, const struct opinion *provider);
void arbiter_decide(const struct arbitration *a, const struct opinion *provider,
		    const struct opinion *tenant, struct decision *ret);
void arbiter_limits(const struct request *q, struct decision *d);

#endif /* POLICY_ARBITER_H */
