// SPDX-License-Identifier: GPL-2.0-only
/*
 * RCU's update side on liburcu's grace periods (rcu_host.c has the readers).
 *
 * Callbacks wait on one list; the thread "rcu" takes the whole list, waits for
 * a grace period and runs it, in order.  It lets callbacks gather for a moment
 * first: a grace period interrupts every CPU that runs a thread of ours, a vCPU
 * in its guest included.
 *
 * Invariant: a callback runs after every reader that was inside when
 * call_rcu() was called has left; rcu_barrier() returns after every callback
 * queued before it has run, because the list is in order.
 */
#include <linux/completion.h>
#include <linux/rcupdate.h>
#include <linux/rcupdate_wait.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "internal.h"

int rcu_scheduler_active __read_mostly = 2;	/* RCU_SCHEDULER_RUNNING */

static DEFINE_RAW_SPINLOCK(rcu_lock);
static struct rcu_head *rcu_first, **rcu_last = &rcu_first;
static u32 rcu_seq;		/* changes when the thread should look */
static u32 rcu_asleep;
static u32 rcu_queued;		/* callbacks on the list */
static u32 rcu_hurry;		/* somebody waits */

#define RCU_GATHER_NS	(2 * NSEC_PER_MSEC)
#define RCU_GATHER_MAX	4096

/* kvfree_rcu() passes the head's offset in the object for a function. */
#define KVFREE_OFFSET_MAX	4096UL

static void rcu_run(struct rcu_head *head)
{
	rcu_callback_t func = head->func;

	if ((unsigned long)func < KVFREE_OFFSET_MAX)
		kvfree((void *)head - (unsigned long)func);
	else
		func(head);
}

/* Sleep unless rcu_seq has changed since seq was read. */
static void rcu_sleep(u32 seq, host_ns_t deadline)
{
	ksplit_idle_enter();
	WRITE_ONCE(rcu_asleep, 1);
	smp_mb();	/* pairs with rcu_wake() */
	if (READ_ONCE(rcu_seq) == seq)
		host_futex_wait(&rcu_seq, seq, deadline);
	WRITE_ONCE(rcu_asleep, 0);
	ksplit_idle_exit();
}

/* After a change of rcu_seq. */
static void rcu_wake(void)
{
	smp_mb();	/* pairs with rcu_sleep() */
	if (READ_ONCE(rcu_asleep))
		host_futex_wake(&rcu_seq, 1);
}

static void rcu_thread(void *arg)
{
	struct rcu_head *list, *next;
	bool gathered = false;
	u32 seq;

	for (;;) {
		raw_spin_lock_irq(&rcu_lock);
		list = NULL;
		seq = rcu_seq;
		if (gathered || rcu_hurry || rcu_queued >= RCU_GATHER_MAX) {
			list = rcu_first;
			rcu_first = NULL;
			rcu_last = &rcu_first;
			rcu_queued = 0;
			rcu_hurry = 0;
			gathered = false;
		} else if (rcu_first) {
			gathered = true;
		}
		raw_spin_unlock_irq(&rcu_lock);

		if (!list) {
			rcu_sleep(seq, !gathered ? HOST_FOREVER :
				  host_clock_ns(HOST_CLOCK_MONOTONIC) +
				  RCU_GATHER_NS);
			continue;
		}

		ksplit_idle_enter();
		host_rcu_synchronize();
		ksplit_idle_exit();
		for (; list; list = next) {
			next = (struct rcu_head *)list->next;
			rcu_run(list);
		}
	}
}

int ksplit_rcu_init(void)
{
	return ksplit_thread_create("rcu", rcu_thread, NULL);
}

static void rcu_queue(struct rcu_head *head, rcu_callback_t func, bool hurry)
{
	unsigned long flags;
	bool wake;

	head->func = func;
	head->next = NULL;
	raw_spin_lock_irqsave(&rcu_lock, flags);
	*rcu_last = head;
	rcu_last = (struct rcu_head **)&head->next;
	rcu_hurry |= hurry;
	/* The first one starts the gathering; those that follow need no wake. */
	wake = !rcu_queued++ || hurry || rcu_queued == RCU_GATHER_MAX;
	if (wake)
		WRITE_ONCE(rcu_seq, rcu_seq + 1);
	raw_spin_unlock_irqrestore(&rcu_lock, flags);
	if (wake)
		rcu_wake();
}

void call_rcu(struct rcu_head *head, rcu_callback_t func)
{
	rcu_queue(head, func, false);
}

void kvfree_call_rcu(struct rcu_head *head, void *ptr)
{
	if (!head) {
		might_sleep();
		synchronize_rcu();
		kvfree(ptr);
		return;
	}
	call_rcu(head, (rcu_callback_t)((void *)head - ptr));
}

/* By the thread: a grace period takes a system call that others need not have. */
void synchronize_rcu(void)
{
	rcu_barrier();
}

void synchronize_rcu_expedited(void)
{
	synchronize_rcu();
}

void rcu_barrier(void)
{
	struct rcu_synchronize rcu;

	init_completion(&rcu.completion);
	rcu_queue(&rcu.head, wakeme_after_rcu, true);
	wait_for_completion(&rcu.completion);
}

void wakeme_after_rcu(struct rcu_head *head)
{
	struct rcu_synchronize *rcu;

	rcu = container_of(head, struct rcu_synchronize, head);
	complete(&rcu->completion);
}

/* Readers are liburcu's, which needs no help from context switches. */
void rcu_note_context_switch(bool preempt)
{
}
