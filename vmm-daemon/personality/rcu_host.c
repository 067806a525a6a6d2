// SPDX-License-Identifier: GPL-2.0-only
/*
 * RCU readers and grace periods by liburcu's memb flavour: a reader costs a
 * thread-local counter and no barrier, a grace period costs membarrier().
 *
 * Invariant: only registered threads read; thread.c registers every "CPU".
 */
#define _LGPL_SOURCE
#include <urcu/urcu-memb.h>

#include "host.h"

/* The kernel's names: with PREEMPT_RCU readers are these two functions. */
void __rcu_read_lock(void);
void __rcu_read_unlock(void);

void __rcu_read_lock(void)
{
	urcu_memb_read_lock();
}

void __rcu_read_unlock(void)
{
	urcu_memb_read_unlock();
}

int host_rcu_read_ongoing(void)
{
	return urcu_memb_read_ongoing();
}

void host_rcu_register_thread(void)
{
	urcu_memb_register_thread();
}

void host_rcu_unregister_thread(void)
{
	urcu_memb_unregister_thread();
}

void host_rcu_synchronize(void)
{
	urcu_memb_synchronize_rcu();
}
