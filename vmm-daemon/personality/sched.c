// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocking and waking: schedule(), wake_up_process() and what hangs on them.
 *
 * Invariant: a task sleeps only while its __state is not TASK_RUNNING, and a
 * waker first sets __state to TASK_RUNNING, then looks where the task sleeps
 * (t->blocked); the sleeper first says where it is going to sleep, then looks
 * at __state.  One of the two sees the other.  A wake-up of a task that does
 * not sleep makes no system call.
 *
 * There is no preemption here and no run queue: the host schedules.
 */
#include <linux/capability.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <linux/sched.h>
#include <linux/sched/cputime.h>
#include <linux/sched/debug.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <linux/sched/wake_q.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "seam/ksplit_ops.h"
#include "internal.h"

/* ------------------------------------------------------------ sleeping -- */

void ksplit_idle_enter(void)
{
	struct ksplit_thread *t = current_thread();

	ksplit_run_calls();
	/* The calls that ran, before somebody borrows the CPU. */
	smp_store_release(&t->idle, THREAD_IDLE);
}

void ksplit_idle_exit(void)
{
	struct ksplit_thread *t = current_thread();
	u32 idle;

	for (;;) {
		idle = THREAD_IDLE;
		if (try_cmpxchg(&t->idle, &idle, THREAD_BUSY))
			break;
		host_futex_wait(&t->idle, THREAD_BORROWED, HOST_FOREVER);
	}
	ksplit_run_calls();
}

/* One sleep in the stub; false: the deadline has passed. */
static bool block_vcpu(struct ksplit_thread *t, host_ns_t deadline)
{
	struct ksplit_block block = { .timeout_ns = HOST_FOREVER };
	int ret;

	if (deadline != HOST_FOREVER) {
		host_ns_t now = host_clock_ns(HOST_CLOCK_MONOTONIC);

		if (now >= deadline)
			return false;
		block.timeout_ns = deadline - now;
	}
	ret = ksplit_ops->block(t->vcpu_fd, &block);
	/* With an error the VM is dead: out of KVM_RUN, to hear of it there. */
	if ((ret < 0 && ret != -EINTR) || (block.exit_flags & KSPLIT_EXIT_SIGNAL))
		set_tsk_thread_flag(&t->task, TIF_SIGPENDING);
	return true;
}

/**
 * ksplit_schedule() - schedule(), but not beyond a deadline
 * @deadline: CLOCK_MONOTONIC in ns, or HOST_FOREVER
 *
 * Returns with TASK_RUNNING: woken, interrupted (if the state allows), or
 * because the deadline has passed.
 */
void ksplit_schedule(host_ns_t deadline)
{
	struct ksplit_thread *t = current_thread();
	struct task_struct *task = &t->task;
	unsigned int state = READ_ONCE(task->__state);
	bool in_stub;

	clear_tsk_need_resched(task);
	if (state == TASK_RUNNING || signal_pending_state(state, task)) {
		ksplit_run_calls();
		__set_current_state(TASK_RUNNING);
		return;
	}

	/* The stub reports signals; who does not want them need not ask it. */
	in_stub = t->vcpu_fd >= 0 && (state & TASK_INTERRUPTIBLE);

	ksplit_idle_enter();
	WRITE_ONCE(t->blocked, in_stub ? BLOCKED_VCPU : BLOCKED_FUTEX);
	smp_mb();	/* pairs with try_to_wake_up() */
	while (READ_ONCE(task->__state) != TASK_RUNNING) {
		if (in_stub) {
			if (!block_vcpu(t, deadline) ||
			    signal_pending_state(state, task))
				break;
		} else if (host_futex_wait(&task->__state, state,
					   deadline) == -ETIMEDOUT) {
			break;
		}
	}
	WRITE_ONCE(t->blocked, BLOCKED_NOT);
	__set_current_state(TASK_RUNNING);
	ksplit_idle_exit();
}

asmlinkage __visible void __sched schedule(void)
{
	ksplit_schedule(HOST_FOREVER);
}

void __sched io_schedule(void)
{
	schedule();
}

void __sched yield(void)
{
	ksplit_run_calls();
	host_yield();
}

signed long __sched schedule_timeout(signed long timeout)
{
	unsigned long expire;
	host_ns_t deadline;

	if (timeout == MAX_SCHEDULE_TIMEOUT) {
		schedule();
		return timeout;
	}
	if (timeout < 0) {
		__set_current_state(TASK_RUNNING);
		return 0;
	}
	deadline = host_clock_ns(HOST_CLOCK_MONOTONIC) + jiffies_to_nsecs(timeout);
	ksplit_update_jiffies();
	expire = timeout + jiffies;
	ksplit_schedule(deadline);
	ksplit_update_jiffies();
	timeout = expire - jiffies;
	return timeout < 0 ? 0 : timeout;
}

signed long __sched schedule_timeout_interruptible(signed long timeout)
{
	__set_current_state(TASK_INTERRUPTIBLE);
	return schedule_timeout(timeout);
}

signed long __sched schedule_timeout_killable(signed long timeout)
{
	__set_current_state(TASK_KILLABLE);
	return schedule_timeout(timeout);
}

signed long __sched schedule_timeout_uninterruptible(signed long timeout)
{
	__set_current_state(TASK_UNINTERRUPTIBLE);
	return schedule_timeout(timeout);
}

long __sched io_schedule_timeout(long timeout)
{
	return schedule_timeout(timeout);
}

int __sched schedule_hrtimeout_range_clock(ktime_t *expires, u64 delta,
					   const enum hrtimer_mode mode,
					   clockid_t clock_id)
{
	host_ns_t deadline;

	if (!expires) {
		schedule();
		return -EINTR;
	}
	if (*expires <= 0) {
		__set_current_state(TASK_RUNNING);
		return 0;
	}
	deadline = *expires;
	if (mode & HRTIMER_MODE_REL)
		deadline += host_clock_ns(HOST_CLOCK_MONOTONIC);
	else
		deadline += host_clock_ns(HOST_CLOCK_MONOTONIC) -
			    host_clock_ns(clock_id);
	ksplit_schedule(deadline);
	return host_clock_ns(HOST_CLOCK_MONOTONIC) < deadline ? -EINTR : 0;
}

int __sched schedule_hrtimeout_range(ktime_t *expires, u64 delta,
				     const enum hrtimer_mode mode)
{
	return schedule_hrtimeout_range_clock(expires, delta, mode,
					      CLOCK_MONOTONIC);
}

int __sched schedule_hrtimeout(ktime_t *expires, const enum hrtimer_mode mode)
{
	return schedule_hrtimeout_range(expires, 0, mode);
}

void msleep(unsigned int msecs)
{
	ksplit_idle_enter();
	host_sleep_ns(msecs * (host_ns_t)NSEC_PER_MSEC);
	ksplit_idle_exit();
}

void __sched usleep_range_state(unsigned long min, unsigned long max,
				unsigned int state)
{
	ksplit_idle_enter();
	host_sleep_ns(min * (host_ns_t)NSEC_PER_USEC);
	ksplit_idle_exit();
}

/* -------------------------------------------------------------- waking -- */

/**
 * try_to_wake_up() - make a task runnable
 * @task: the task
 * @state: which states to wake it from
 * @wake_flags: ignored, the host places threads
 *
 * Returns 1 if its state was one of @state, else 0.  Any context.
 */
int try_to_wake_up(struct task_struct *task, unsigned int state, int wake_flags)
{
	struct ksplit_thread *t = task_thread(task);
	unsigned int old;

	smp_mb();	/* the condition that the caller set; set_current_state() */
	old = READ_ONCE(task->__state);
	do {
		if (!(old & state))
			return 0;
	} while (!try_cmpxchg(&task->__state, &old, TASK_RUNNING));

	switch (READ_ONCE(t->blocked)) {
	case BLOCKED_FUTEX:
		host_futex_wake(&task->__state, 1);
		break;
	case BLOCKED_VCPU:
		ksplit_kick_cpu(t->cpu);
		break;
	}
	return 1;
}

int wake_up_process(struct task_struct *task)
{
	return try_to_wake_up(task, TASK_NORMAL, 0);
}

int wake_up_state(struct task_struct *task, unsigned int state)
{
	return try_to_wake_up(task, state, 0);
}

int default_wake_function(wait_queue_entry_t *curr, unsigned int mode,
			  int wake_flags, void *key)
{
	return try_to_wake_up(curr->private, mode, wake_flags);
}

int rcuwait_wake_up(struct rcuwait *w)
{
	struct task_struct *task;
	int ret = 0;

	rcu_read_lock();
	smp_mb();	/* pairs with the one of rcuwait_wait_event() */
	task = rcu_dereference(w->task);
	if (task)
		ret = wake_up_process(task);
	rcu_read_unlock();
	return ret;
}

void finish_rcuwait(struct rcuwait *w)
{
	rcu_assign_pointer(w->task, NULL);
	__set_current_state(TASK_RUNNING);
}

/* -------------------------------------------------- safe points --------- */

static void resched_if_needed(void)
{
	if (unlikely(test_thread_flag(TIF_NEED_RESCHED))) {
		clear_tsk_need_resched(current);
		ksplit_run_calls();
	}
}

int __sched __cond_resched(void)
{
	if (!test_thread_flag(TIF_NEED_RESCHED))
		return 0;
	resched_if_needed();
	return 1;
}

/*
 * Upstream gives a lock away at these points when the CPU is wanted or others
 * spin.  A waiter sleeps here, and no CPU is wanted but for a cross call, so
 * that is the only reason to drop the lock.
 */
#define DEFINE_COND_RESCHED_LOCK(name, type, lock_op, unlock_op)	\
int name(type *lock)							\
{									\
	if (!test_thread_flag(TIF_NEED_RESCHED))			\
		return 0;						\
	unlock_op(lock);						\
	resched_if_needed();						\
	lock_op(lock);							\
	return 1;							\
}

DEFINE_COND_RESCHED_LOCK(__cond_resched_lock, spinlock_t, spin_lock, spin_unlock)
DEFINE_COND_RESCHED_LOCK(__cond_resched_rwlock_read, rwlock_t, read_lock,
			 read_unlock)
DEFINE_COND_RESCHED_LOCK(__cond_resched_rwlock_write, rwlock_t, write_lock,
			 write_unlock)

/* ---------------------------------------- what the host does for us ----- */

bool single_task_running(void)
{
	/* Unknown here; "no" keeps KVM from polling on the client's time. */
	return false;
}

/*
 * The host has no directed yield for us.  A plain one lets a preempted lock
 * holder run if it waits for this CPU, which is what KVM is after.
 */
int __sched yield_to(struct task_struct *task, bool preempt)
{
	host_yield();
	return 1;
}

void migrate_disable(void)
{
}

void migrate_enable(void)
{
}

/* A thread never changes its CPU: nobody is ever told to. */
void preempt_notifier_inc(void)
{
}

void preempt_notifier_dec(void)
{
}

void preempt_notifier_register(struct preempt_notifier *notifier)
{
	hlist_add_head(&notifier->link, &current->preempt_notifiers);
}

void preempt_notifier_unregister(struct preempt_notifier *notifier)
{
	hlist_del(&notifier->link);
}

void task_cputime_adjusted(struct task_struct *task, u64 *ut, u64 *st)
{
	*ut = 0;
	*st = 0;
}

/* The client's thread has the signal mask, not ours. */
int sigprocmask(int how, sigset_t *set, sigset_t *oldset)
{
	return 0;
}

/* What a client may do was settled when its worker was started. */
bool capable(int cap)
{
	return false;
}

asmlinkage void __local_bh_enable_ip(unsigned long ip, unsigned int cnt)
{
}
