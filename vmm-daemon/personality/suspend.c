// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's sleep, for those who asked kernel/power/ to be told.
 *
 * Invariant: a notifier is called by one thread at a time, and not once
 * unregister_pm_notifier() has returned.
 *
 * A worker is frozen when the host goes to sleep, and learns of it afterwards:
 * what upstream is told before, PM_SUSPEND_PREPARE, comes then, within the moment
 * that the freezer takes to let one more thread go.
 */
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/suspend.h>

#include "personality.h"

static DEFINE_MUTEX(lock);
static struct notifier_block *chain;

int register_pm_notifier(struct notifier_block *nb)
{
	mutex_lock(&lock);
	nb->next = chain;
	chain = nb;
	mutex_unlock(&lock);
	return 0;
}

int unregister_pm_notifier(struct notifier_block *nb)
{
	struct notifier_block **p;

	mutex_lock(&lock);
	for (p = &chain; *p; p = &(*p)->next) {
		if (*p == nb) {
			*p = nb->next;
			break;
		}
	}
	mutex_unlock(&lock);
	return 0;
}

/**
 * ksplit_host_slept() - the host was asleep
 *
 * Context: a thread that is a CPU and may sleep.
 */
void ksplit_host_slept(void)
{
	struct notifier_block *nb;

	mutex_lock(&lock);
	for (nb = chain; nb; nb = nb->next)
		nb->notifier_call(nb, PM_SUSPEND_PREPARE, NULL);
	mutex_unlock(&lock);
}
