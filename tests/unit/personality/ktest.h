/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the kernel-side tests (k_*.c) and Check's side (main_host.c).  Plain
 * C types.
 */
#ifndef KTEST_H
#define KTEST_H

/* Every test: X(name). Each runs in a process of its own, on CPU 0. */
#define KTESTS(X)				\
	X(spin_excludes)			\
	X(spin_irq_state)			\
	X(spin_waiter_sleeps)			\
	X(rwlock_excludes)			\
	X(rwlock_writer_not_starved)		\
	X(rwlock_writer_makes_room)		\
	X(rwsem_excludes)			\
	X(mutex_excludes)			\
	X(wait_ping_pong)			\
	X(wait_timeout)				\
	X(wait_signal)				\
	X(completion_many)			\
	X(rcuwait_vcpu)				\
	X(rcuwait_vcpu_signal)			\
	X(rcuwait_storm)			\
	X(rcu_waits_for_reader)			\
	X(rcu_callbacks_in_order)		\
	X(rcu_storm)				\
	X(srcu_waits_for_reader)		\
	X(srcu_storm)				\
	X(hrtimer_not_early)			\
	X(hrtimer_order)			\
	X(hrtimer_earlier_one_wakes)		\
	X(hrtimer_cancel_waits)			\
	X(hrtimer_periodic)			\
	X(hrtimer_freed_by_callback)		\
	X(hrtimer_storm)			\
	X(timer_list_order)			\
	X(clocks_agree)				\
	X(timekeeper_follows_tsc)		\
	X(timekeeper_between_ticks)		\
	X(timekeeper_gives_up)			\
	X(timekeeper_unstable)			\
	X(timekeeper_found_unstable)		\
	X(timekeeper_without_tsc)		\
	X(work_queued_once)			\
	X(work_requeues_itself)			\
	X(work_cancel)				\
	X(work_delayed)				\
	X(work_destroy)				\
	X(work_storm)				\
	X(kthread_worker_flush)			\
	X(vhost_task_life)			\
	X(pages_do_not_overlap)			\
	X(pages_coalesce)			\
	X(pages_exhausted)			\
	X(pages_and_addresses)			\
	X(page_references)			\
	X(page_root_mark)			\
	X(vm_mmap_life)				\
	X(kmalloc_alignment)			\
	X(krealloc_keeps)			\
	X(cache_large_objects)			\
	X(vmalloc_pages)			\
	X(percpu_copies)			\
	X(percpu_exhausted)			\
	X(percpu_counters)			\
	X(threads_are_cpus)			\
	X(threads_exhausted)			\
	X(kick_waits_for_irq_off)		\
	X(call_runs_on_target)			\
	X(call_on_sleeper)			\
	X(cpuhp_covers_all)

#define X(name) void name(void);
KTESTS(X)
#undef X

/* A failed check ends the test, from whatever thread. */
void __attribute__((noreturn)) kt_fail(const char *file, int line,
				       const char *expr);
#define CHECK(cond)							\
	do {								\
		if (!(cond))						\
			kt_fail(__FILE__, __LINE__, #cond);		\
	} while (0)

/* CPU time that this thread has used, ns. */
unsigned long long kt_thread_cputime(void);
unsigned int kt_random(void);

/* The test's machine: ops->block() and ops->kick() of vCPU descriptors 0..7. */
extern unsigned int kt_kicks[8];	/* how many there were */
extern unsigned int kt_signal[8];	/* block() reports a signal */
extern unsigned long kt_root_freed;	/* last argument of ksplit_root_freed() */
extern unsigned int kt_roots_freed;

/* Threads: start n of fn(arg + i * size), and wait for all of them. */
void kt_spawn(void (*fn)(void *), void *arg);
void kt_join(void);

#endif /* KTEST_H */
