/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the personality's kernel-side files.
 */
#ifndef KSPLIT_INTERNAL_H
#define KSPLIT_INTERNAL_H

#include <linux/percpu-defs.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "host.h"
#include "personality.h"

/* Where a blocked thread sleeps, and so how it is woken. */
enum ksplit_blocked {
	BLOCKED_NOT,
	BLOCKED_FUTEX,	/* on task.__state */
	BLOCKED_VCPU,	/* in ops->block() */
};

/* struct ksplit_thread.idle */
enum ksplit_idle {
	THREAD_BUSY,	/* runs kernel code */
	THREAD_IDLE,	/* sleeps; anybody may borrow the CPU */
	THREAD_BORROWED,	/* sleeps, and another thread runs a call on it */
};

/**
 * struct ksplit_thread - one CPU and its one task
 * @task:	current
 * @signal:	task->signal
 * @pid:	the thread's struct pid
 * @cpu:	number
 * @vcpu_fd:	vCPU of the stub, or -1
 * @blocked:	enum ksplit_blocked
 * @idle:	enum ksplit_idle; a sleeper waits on it for the end of a borrow
 * @calls:	cross calls to run here
 * @fn:		what a created thread runs
 * @arg:	its argument
 *
 * Never freed, only used again: a stale task_struct pointer may wake a thread
 * for nothing, but it never points to anything else.
 */
struct ksplit_thread {
	struct task_struct task;
	struct signal_struct signal;
	struct pid *pid;
	int cpu;
	int vcpu_fd;
	u32 blocked;
	u32 idle;
	u64 waited[2];		/* ksplit_thread_waited() */
	struct llist_head calls;
	void (*fn)(void *arg);
	void *arg;
};

/* NULL for a CPU that never was. */
extern struct ksplit_thread *ksplit_threads[NR_CPUS];
/* No CPU from this number on was ever up; grows before the CPU runs anything. */
extern unsigned int ksplit_cpus_ever;

static inline struct ksplit_thread *task_thread(struct task_struct *task)
{
	return container_of(task, struct ksplit_thread, task);
}

#define current_thread()	task_thread(current)

/* ------------------------------------------------------ irq state ------- */

/*
 * Odd: interrupts are off.  Each end of an irq-off section gives a new even
 * number, so that a remote waiter sees a section end even if the next one has
 * begun.  Written by the CPU's own thread only.
 */
DECLARE_PER_CPU(u32, ksplit_irq_word);

static __always_inline void irq_off(void)
{
	raw_cpu_or_4(ksplit_irq_word, 1);
	barrier();
}

static __always_inline void irq_on(void)
{
	barrier();
	raw_cpu_or_4(ksplit_irq_word, 1);
	raw_cpu_add_4(ksplit_irq_word, 1);
}

static __always_inline bool irq_is_off(void)
{
	return raw_cpu_read_4(ksplit_irq_word) & 1;
}

/* In the form of X86_EFLAGS_IF, as local_irq_save() has it. */
static __always_inline unsigned long irq_save(void)
{
	unsigned long flags = irq_is_off() ? 0 : X86_EFLAGS_IF;

	irq_off();
	return flags;
}

static __always_inline void irq_restore(unsigned long flags)
{
	if (flags & X86_EFLAGS_IF)
		irq_on();
}

/* --------------------------------------------------------- set-up ------- */

int ksplit_percpu_init(unsigned int max_cpus);
void ksplit_percpu_own(unsigned int cpu);
int ksplit_mm_init(unsigned int phys_bits);
void ksplit_time_init(void);
int ksplit_timers_init(void);
int ksplit_rcu_init(void);

/* Fresh task of a CPU slot; thread.c sets it up. */
struct ksplit_thread *ksplit_thread_alloc(const char *name);
void ksplit_thread_release(struct ksplit_thread *t);
int ksplit_thread_launch(struct ksplit_thread *t);
/* Everything that makes the caller CPU t; and its reverse. */
void ksplit_thread_enter(struct ksplit_thread *t);
void ksplit_thread_leave(struct ksplit_thread *t);

/* smp.c: the caller is a new CPU, or will be one no longer. */
void ksplit_cpuhp_online(unsigned int cpu);
void ksplit_cpuhp_offline(unsigned int cpu);

/* smp.c */
void ksplit_run_calls(void);
void ksplit_kick_cpu(int cpu);

/* sched.c: schedule() with a deadline (CLOCK_MONOTONIC, ns). */
void ksplit_schedule(host_ns_t deadline);

/* time.c: bring jiffies up to date. */
void ksplit_update_jiffies(void);

#endif /* KSPLIT_INTERNAL_H */
