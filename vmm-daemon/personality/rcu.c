// SPDX-License-Identifier: GPL-2.0-only
/*
 * RCU's update side on liburcu's grace periods (rcu_host.c has the readers).
 *
 * Callbacks wait on one list; the thread "rcu" takes the whole list, waits for
 * a grace period and runs it, in order.
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
static u32 rcu_seq;		/* counts queued callbacks; the thread's futex */
static u32 rcu_asleep;

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

static void rcu_thread(void *arg)
{
	struct rcu_head *list, *next;
	unsigned long flags;
	u32 seq;

	for (;;) {
		raw_spin_lock_irqsave(&rcu_lock, flags);
		list = rcu_first;
		rcu_first = NULL;
		rcu_last = &rcu_first;
		seq = rcu_seq;
		raw_spin_unlock_irqrestore(&rcu_lock, flags);

		if (!list) {
			ksplit_idle_enter();
			WRITE_ONCE(rcu_asleep, 1);
			smp_mb();	/* pairs with call_rcu() */
			if (READ_ONCE(rcu_seq) == seq)
				host_futex_wait(&rcu_seq, seq, HOST_FOREVER);
			WRITE_ONCE(rcu_asleep, 0);
			ksplit_idle_exit();
			continue;
		}

		synchronize_rcu();
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

void call_rcu(struct rcu_head *head, rcu_callback_t func)
{
	unsigned long flags;

	head->func = func;
	head->next = NULL;
	raw_spin_lock_irqsave(&rcu_lock, flags);
	*rcu_last = head;
	rcu_last = (struct rcu_head **)&head->next;
	WRITE_ONCE(rcu_seq, rcu_seq + 1);
	raw_spin_unlock_irqrestore(&rcu_lock, flags);

	smp_mb();	/* pairs with rcu_thread() */
	if (READ_ONCE(rcu_asleep))
		host_futex_wake(&rcu_seq, 1);
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

void synchronize_rcu(void)
{
	ksplit_idle_enter();
	host_rcu_synchronize();
	ksplit_idle_exit();
}

void synchronize_rcu_expedited(void)
{
	synchronize_rcu();
}

void rcu_barrier(void)
{
	struct rcu_synchronize rcu;

	init_completion(&rcu.completion);
	call_rcu(&rcu.head, wakeme_after_rcu);
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
