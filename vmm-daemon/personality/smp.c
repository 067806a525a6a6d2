// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cross calls and CPU hotplug between threads.
 *
 * There are no interrupts, so nothing runs on a CPU without its consent:
 *
 *  - A call of KVM's ack_kick() kind, which only wants to know that the target
 *    left its irq-off section, is a kick of the target's vCPU and a wait for
 *    the irq word to change.  On x86 the word is visible before the
 *    vcpu->mode that made the sender choose this target.
 *  - A call with a body runs on the target's CPU: by the target itself at its
 *    next safe point (schedule(), cond_resched(), guest entry), or, while the
 *    target sleeps, by the sender, which borrows the CPU: it sets its own %gs
 *    base to the target's per-CPU copy.  A body must not sleep.
 *
 * Invariant: only one thread at a time runs with a CPU's per-CPU copy; t->idle
 * passes the right on.
 */
#include <linux/cpuhotplug.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/irq_work.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/smp.h>

#include "seam/ksplit_ops.h"
#include "internal.h"
#include "ksplit_log.h"

struct cross_call {
	struct llist_node node;
	smp_call_func_t func;
	void *info;
	bool done;
};

/* The descriptor of the CPU's vCPU, or -1. */
static int vcpu_on(int cpu)
{
	struct ksplit_thread *t = READ_ONCE(ksplit_threads[cpu]);

	return t ? READ_ONCE(t->vcpu_fd) : -1;
}

/**
 * ksplit_kick_cpu() - make the stub return from run or block on a CPU
 * @cpu: if it has no vCPU nothing happens
 */
void ksplit_kick_cpu(int cpu)
{
	int vcpu_fd = vcpu_on(cpu);

	if (vcpu_fd >= 0)
		ksplit_ops->kick(vcpu_fd);
}

/**
 * ksplit_notify_cpu() - make a guest look at the interrupts that were posted to it
 * @cpu: if it has no vCPU nothing happens
 */
void ksplit_notify_cpu(int cpu)
{
	int vcpu_fd = vcpu_on(cpu);

	if (vcpu_fd >= 0)
		ksplit_ops->notify(vcpu_fd);
}

/* ------------------------------------------------ waiting for an ack ---- */

/* Wait until cpu is, or was meanwhile, outside of the irq-off section w. */
static void wait_irq_section(int cpu, u32 w)
{
	u32 *word = per_cpu_ptr(&ksplit_irq_word, cpu);
	int spins;

	for (spins = 0; spins < 4096; spins++) {
		if (!(w & 1) || READ_ONCE(*word) != w)
			return;
		cpu_relax();
	}
	/* The target has lost its host CPU. */
	while (READ_ONCE(*word) == w)
		host_sleep_ns(20000);
}

/* ------------------------------------------------ calls with a body ----- */

static void run_calls_of(struct ksplit_thread *t)
{
	struct llist_node *list = llist_reverse_order(llist_del_all(&t->calls));
	struct cross_call *call, *next;

	llist_for_each_entry_safe(call, next, list, node) {
		unsigned long flags = irq_save();

		call->func(call->info);
		irq_restore(flags);
		/* Last: the sender's stack frame may go. */
		smp_store_release(&call->done, true);
	}
}

void ksplit_run_calls(void)
{
	struct ksplit_thread *t = current_thread();

	if (unlikely(!llist_empty(&t->calls)))
		run_calls_of(t);
}

/* If t sleeps run its calls in its place. */
static bool borrow(struct ksplit_thread *t)
{
	unsigned long own = __per_cpu_offset[raw_smp_processor_id()];
	u32 idle = THREAD_IDLE;

	if (!try_cmpxchg(&t->idle, &idle, THREAD_BORROWED))
		return false;
	host_set_gs(__per_cpu_offset[t->cpu]);
	barrier();
	run_calls_of(t);
	barrier();
	host_set_gs(own);
	/* Per-CPU data is the owner's again, with what the calls wrote. */
	smp_store_release(&t->idle, THREAD_IDLE);
	host_futex_wake(&t->idle, 1);
	return true;
}

static void call_remote(int cpu, smp_call_func_t func, void *info)
{
	struct cross_call call = { .func = func, .info = info };
	struct ksplit_thread *t = ksplit_threads[cpu];
	host_ns_t delay = 1000;
	int spins = 0;

	llist_add(&call.node, &t->calls);
	/* Pairs with run_calls_of(): what the call wrote is visible. */
	while (!smp_load_acquire(&call.done)) {
		if (borrow(t))
			continue;
		if (spins++ == 0) {
			set_tsk_need_resched(&t->task);
			ksplit_kick_cpu(cpu);
		}
		/* It may be waiting for us. */
		ksplit_run_calls();
		if (spins < 100) {
			cpu_relax();
		} else {
			host_sleep_ns(delay);
			delay = min_t(host_ns_t, 2 * delay, NSEC_PER_MSEC);
		}
	}
}

static void call_local(smp_call_func_t func, void *info)
{
	unsigned long flags = irq_save();

	func(info);
	irq_restore(flags);
}

/*
 * All calls wait: with @wait == 0 upstream returns early, but no caller may
 * count on the body not having run yet.
 */
int smp_call_function_single(int cpu, smp_call_func_t func, void *info, int wait)
{
	if (cpu == raw_smp_processor_id()) {
		call_local(func, info);
		return 0;
	}
	if ((unsigned int)cpu >= nr_cpu_ids || !cpu_online(cpu))
		return -ENXIO;
	call_remote(cpu, func, info);
	return 0;
}

/*
 * KVM's only user is kvm_kick_many_cpus(), whose function is empty, as the name
 * ack_kick() says; others have to use on_each_cpu_cond_mask().
 */
void smp_call_function_many(const struct cpumask *mask, smp_call_func_t func,
			    void *info, bool wait)
{
	int me = raw_smp_processor_id(), cpu;

	smp_mb();	/* the requests before the look at the irq words */
	for_each_cpu(cpu, mask)
		if (cpu != me && cpu_online(cpu) &&
		    READ_ONCE(per_cpu(ksplit_irq_word, cpu)) & 1)
			ksplit_kick_cpu(cpu);
	if (!wait)
		return;
	for_each_cpu(cpu, mask)
		if (cpu != me && cpu_online(cpu))
			wait_irq_section(cpu,
					 READ_ONCE(per_cpu(ksplit_irq_word, cpu)));
	smp_mb();	/* what the targets did, before what we do now */
}

void smp_call_function(smp_call_func_t func, void *info, int wait)
{
	on_each_cpu_cond_mask(NULL, func, info, wait, cpu_online_mask);
}

void on_each_cpu_cond_mask(smp_cond_func_t cond_func, smp_call_func_t func,
			   void *info, bool wait, const struct cpumask *mask)
{
	int me = raw_smp_processor_id(), cpu;

	for_each_cpu_and(cpu, mask, cpu_online_mask) {
		if (cond_func && !cond_func(cpu, info))
			continue;
		if (cpu == me)
			call_local(func, info);
		else
			call_remote(cpu, func, info);
	}
}

static void smp_ops_send_reschedule(int cpu)
{
	ksplit_kick_cpu(cpu);
}

struct smp_ops smp_ops = {
	.smp_send_reschedule	= smp_ops_send_reschedule,
};

bool irq_work_queue(struct irq_work *work)
{
	unsigned long flags;

	/* At once: "as soon as interrupts are on" is not observable here. */
	if (atomic_fetch_or(IRQ_WORK_CLAIMED, &work->node.a_flags) &
	    IRQ_WORK_PENDING)
		return false;
	flags = irq_save();
	atomic_andnot(IRQ_WORK_PENDING, &work->node.a_flags);
	work->func(work);
	atomic_andnot(IRQ_WORK_BUSY, &work->node.a_flags);
	irq_restore(flags);
	return true;
}

void irq_work_sync(struct irq_work *work)
{
	while (irq_work_is_busy(work))
		cpu_relax();
}

/* ------------------------------------------------------------ hotplug --- */

#define NR_HP	8

struct hp_state {
	enum cpuhp_state state;
	int (*startup)(unsigned int cpu);
	int (*teardown)(unsigned int cpu);
};

static struct hp_state hp_states[NR_HP];
static unsigned int nr_hp;
static DEFINE_MUTEX(hp_lock);		/* also: the online mask changes */
/* Readers of the online mask: cpus_read_lock(). Taken inside hp_lock. */
static DECLARE_RWSEM(hp_sem);

struct hp_call {
	int (*func)(unsigned int cpu);
	int ret;
};

static void hp_call_body(void *info)
{
	struct hp_call *call = info;

	call->ret = call->func(raw_smp_processor_id());
}

static int hp_call_on(unsigned int cpu, int (*func)(unsigned int cpu))
{
	struct hp_call call = { .func = func };

	if (func)
		smp_call_function_single(cpu, hp_call_body, &call, 1);
	return call.ret;
}

void cpus_read_lock(void)
{
	down_read(&hp_sem);
}

int cpus_read_trylock(void)
{
	return down_read_trylock(&hp_sem);
}

void cpus_read_unlock(void)
{
	up_read(&hp_sem);
}

/* A thread starts with the startup functions of all states, in order. */
void ksplit_cpuhp_online(unsigned int cpu)
{
	unsigned int i;

	mutex_lock(&hp_lock);
	down_write(&hp_sem);
	cpumask_set_cpu(cpu, &__cpu_online_mask);
	cpumask_set_cpu(cpu, &__cpu_active_mask);
	up_write(&hp_sem);
	/* States of the ONLINE section: the CPU is online when they start. */
	for (i = 0; i < nr_hp; i++)
		if (hp_states[i].startup && hp_states[i].startup(cpu))
			ksplit_abort("a thread could not be made a CPU");
	mutex_unlock(&hp_lock);
}

void ksplit_cpuhp_offline(unsigned int cpu)
{
	int i;

	mutex_lock(&hp_lock);
	for (i = nr_hp; i-- > 0; )
		if (hp_states[i].teardown)
			hp_states[i].teardown(cpu);
	down_write(&hp_sem);
	cpumask_clear_cpu(cpu, &__cpu_online_mask);
	cpumask_clear_cpu(cpu, &__cpu_active_mask);
	up_write(&hp_sem);
	mutex_unlock(&hp_lock);
}

int __cpuhp_setup_state(enum cpuhp_state state, const char *name, bool invoke,
			int (*startup)(unsigned int cpu),
			int (*teardown)(unsigned int cpu), bool multi_instance)
{
	int ret = 0;
	unsigned int i, cpu, fail;

	mutex_lock(&hp_lock);
	if (nr_hp == NR_HP) {
		ret = -ENOSPC;
		goto out;
	}
	if (invoke) {
		for_each_online_cpu(cpu) {
			ret = hp_call_on(cpu, startup);
			if (!ret)
				continue;
			for_each_online_cpu(fail) {
				if (fail == cpu)
					break;
				hp_call_on(fail, teardown);
			}
			goto out;
		}
	}
	/* In order of the states, as a booting CPU walks through them. */
	for (i = nr_hp++; i && hp_states[i - 1].state > state; i--)
		hp_states[i] = hp_states[i - 1];
	hp_states[i] = (struct hp_state){ state, startup, teardown };
out:
	mutex_unlock(&hp_lock);
	return ret;
}

void __cpuhp_remove_state(enum cpuhp_state state, bool invoke)
{
	unsigned int i, cpu;

	mutex_lock(&hp_lock);
	for (i = 0; i < nr_hp && hp_states[i].state != state; i++)
		;
	if (i < nr_hp) {
		if (invoke)
			for_each_online_cpu(cpu)
				hp_call_on(cpu, hp_states[i].teardown);
		nr_hp--;
		for (; i < nr_hp; i++)
			hp_states[i] = hp_states[i + 1];
	}
	mutex_unlock(&hp_lock);
}
