// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sleepable RCU: per-CPU counts of locks and unlocks in two ranks.
 *
 * This is the algorithm of kernel/rcu/srcutree.c without its update-side
 * machinery: KVM has few updaters, and each waits for its grace period itself.
 *
 * Invariant: a reader adds to lock[idx] before, and to unlock[idx] after, its
 * critical section.  If, for one rank, the sum of all unlocks read first equals
 * the sum of all locks read afterwards, there was a moment with no reader of
 * that rank.  A grace period sees both ranks empty once, flipping idx between.
 */
#include <linux/delay.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/srcu.h>

#include "internal.h"

/* What srcu_struct.sda and .srcu_sup point to here. */
struct srcu_counts {
	unsigned long lock[2];
	unsigned long unlock[2];
};

struct srcu_updater {
	struct mutex lock;
};

static struct srcu_counts __percpu *srcu_counts(struct srcu_struct *ssp)
{
	return (struct srcu_counts __percpu *)ssp->sda;
}

int init_srcu_struct(struct srcu_struct *ssp)
{
	struct srcu_updater *up = kzalloc(sizeof(*up), GFP_KERNEL);

	if (!up)
		return -ENOMEM;
	mutex_init(&up->lock);
	ssp->sda = (void __percpu *)alloc_percpu(struct srcu_counts);
	if (!ssp->sda) {
		kfree(up);
		return -ENOMEM;
	}
	ssp->srcu_idx = 0;
	ssp->srcu_sup = (void *)up;
	return 0;
}

int __srcu_read_lock(struct srcu_struct *ssp)
{
	int idx = READ_ONCE(ssp->srcu_idx) & 1;

	this_cpu_inc(srcu_counts(ssp)->lock[idx]);
	smp_mb();	/* B: the count before the critical section */
	return idx;
}

void __srcu_read_unlock(struct srcu_struct *ssp, int idx)
{
	smp_mb();	/* C: the critical section before the count */
	this_cpu_inc(srcu_counts(ssp)->unlock[idx]);
}

static bool rank_is_empty(struct srcu_struct *ssp, int idx)
{
	unsigned long locks = 0, unlocks = 0;
	unsigned int cpu;

	for (cpu = 0; cpu < READ_ONCE(ksplit_cpus_ever); cpu++)
		unlocks += READ_ONCE(per_cpu_ptr(srcu_counts(ssp), cpu)->unlock[idx]);
	smp_mb();	/* A: an unlock that was counted, then its lock */
	for (cpu = 0; cpu < READ_ONCE(ksplit_cpus_ever); cpu++)
		locks += READ_ONCE(per_cpu_ptr(srcu_counts(ssp), cpu)->lock[idx]);
	return locks == unlocks;
}

static void wait_rank_empty(struct srcu_struct *ssp, int idx)
{
	host_ns_t delay = 1000;
	int spins;

	/* KVM's readers hold it for the handling of one exit. */
	for (spins = 0; spins < 200; spins++) {
		if (rank_is_empty(ssp, idx))
			return;
		cpu_relax();
	}
	ksplit_idle_enter();
	while (!rank_is_empty(ssp, idx)) {
		host_sleep_ns(delay);
		if (delay < NSEC_PER_MSEC)
			delay *= 2;
	}
	ksplit_idle_exit();
}

void synchronize_srcu(struct srcu_struct *ssp)
{
	struct srcu_updater *up = (void *)ssp->srcu_sup;

	mutex_lock(&up->lock);
	smp_mb();	/* what the caller unpublished, before we look */

	/* Readers that picked the old rank just before the last flip. */
	wait_rank_empty(ssp, !(ssp->srcu_idx & 1));
	smp_mb();	/* E */
	WRITE_ONCE(ssp->srcu_idx, ssp->srcu_idx + 1);
	smp_mb();	/* D */
	wait_rank_empty(ssp, !(ssp->srcu_idx & 1));

	smp_mb();	/* readers' accesses before what the caller frees */
	mutex_unlock(&up->lock);
}

void synchronize_srcu_expedited(struct srcu_struct *ssp)
{
	synchronize_srcu(ssp);
}

/* No call_srcu(), so there is nothing to wait for. */
void srcu_barrier(struct srcu_struct *ssp)
{
}

void cleanup_srcu_struct(struct srcu_struct *ssp)
{
	if (WARN_ON(!rank_is_empty(ssp, 0) || !rank_is_empty(ssp, 1)))
		return;	/* leak rather than pull it from under a reader */
	free_percpu(ssp->sda);
	ssp->sda = NULL;
	kfree((void *)ssp->srcu_sup);
	ssp->srcu_sup = NULL;
}
