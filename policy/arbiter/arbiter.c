// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arbitration between provider and tenant.
 *
 * Invariants, the two axioms, whatever the configuration says:
 *
 *	1. What the provider denies is denied: nobody has to serve.
 *	2. A look into a tenant's VM is allowed only if the tenant allowed it.
 *
 * Nothing here knows files, sockets or time.
 */
#include "policy/arbiter/arbiter.h"

static int64_t lower(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void settle(struct decision *d, int allowed, enum owner whose, const struct opinion *why)
{
	d->allowed = allowed;
	d->whose = whose;
	d->opinion = *why;
	d->opinion.verdict = allowed ? VERDICT_ALLOW : VERDICT_DENY;
}

/* What the provider says itself, where no rule of its file matched its default. */
static void settle_as_provider(struct decision *d, const struct arbitration *a,
			       const struct opinion *provider)
{
	struct opinion why = *provider;
	int allowed = provider->verdict == VERDICT_ALLOW || provider->verdict == VERDICT_ASK;

	if (provider->verdict == VERDICT_NONE) {
		allowed = a->def == VERDICT_ALLOW;
		policy_set_reason(&why, "no rule of the provider's matches");
	}
	settle(d, allowed, OWNER_PROVIDER, &why);
}

/* The tenant was asked and said nothing; it may not have been able to. */
static void settle_without_tenant(struct decision *d, const struct arbitration *a,
				  const struct opinion *provider, const struct opinion *tenant)
{
	struct opinion why = *tenant;

	if (!policy_is_look(a->op) && a->no_answer == VERDICT_ALLOW) {
		settle_as_provider(d, a, provider);
		return;
	}
	if (!*why.reason)
		policy_set_reason(&why, "the tenant's policy service says nothing");
	settle(d, 0, OWNER_TENANT, &why);
}

/* The tenant said yes. */
static void settle_with_tenant(struct decision *d, const struct arbitration *a,
			       const struct opinion *provider, const struct opinion *tenant)
{
	enum owner whose = a->owner == OWNER_TENANT ? OWNER_TENANT : OWNER_BOTH;

	settle(d, 1, whose, tenant);
	if (a->owner != OWNER_TENANT && provider->verdict == VERDICT_NONE && a->def == VERDICT_DENY)
		settle_as_provider(d, a, provider);
}

/**
 * arbiter_asks_tenant() - does the decision need the tenant's opinion?
 * @a:		the configuration
 * @provider:	the provider's opinion
 *
 * Return: 1 or 0.
 */
int arbiter_asks_tenant(const struct arbitration *a, const struct opinion *provider)
{
	if (provider->verdict == VERDICT_DENY)
		return 0;
	return policy_is_look(a->op) || a->owner != OWNER_PROVIDER ||
	       provider->verdict == VERDICT_ASK;
}

/**
 * arbiter_decide() - decide
 * @a:		the configuration
 * @provider:	the provider's opinion
 * @tenant:	the tenant's; it is looked at only if arbiter_asks_tenant()
 * @ret:	gets the decision
 */
void arbiter_decide(const struct arbitration *a, const struct opinion *provider,
		    const struct opinion *tenant, struct decision *ret)
{
	if (provider->verdict == VERDICT_DENY)
		settle(ret, 0, OWNER_PROVIDER, provider);
	else if (!arbiter_asks_tenant(a, provider))
		settle_as_provider(ret, a, provider);
	else if (tenant->verdict == VERDICT_DENY)
		settle(ret, 0, OWNER_TENANT, tenant);
	else if (tenant->verdict == VERDICT_ALLOW)
		settle_with_tenant(ret, a, provider, tenant);
	else
		settle_without_tenant(ret, a, provider, tenant);
	ret->opinion.max_vcpus = provider->max_vcpus;
	ret->opinion.max_memory = provider->max_memory;
	if (!ret->allowed || !arbiter_asks_tenant(a, provider))
		return;
	ret->opinion.max_vcpus = lower(provider->max_vcpus, tenant->max_vcpus);
	ret->opinion.max_memory = lower(provider->max_memory, tenant->max_memory);
}

/**
 * arbiter_limits() - refuse what is larger than it may be
 * @q:		the request; a number that is not known is not too large
 * @d:		of arbiter_decide()
 */
void arbiter_limits(const struct request *q, struct decision *d)
{
	if (!d->allowed)
		return;
	if (q->vcpus > d->opinion.max_vcpus)
		policy_set_reason(&d->opinion, "more vCPUs than max-vcpus");
	else if (q->memory > d->opinion.max_memory)
		policy_set_reason(&d->opinion, "more memory than max-memory");
	else
		return;
	d->allowed = 0;
	d->opinion.verdict = VERDICT_DENY;
}
