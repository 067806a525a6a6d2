// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that can run kernel code: each is a CPU of its own with one task.
 *
 * Invariant: a thread between ksplit_thread_enter() and ksplit_thread_leave()
 * has its %gs base at its CPU's per-CPU copy, is registered with RCU, and its
 * CPU is online; no two threads have the same CPU.  CPU numbers, and with
 * them task structures, are used again; they are never freed.
 */
#include <linux/cpumask.h>
#include <linux/mm_types.h>
#include <linux/pid.h>
#include <linux/rcuwait.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/sprintf.h>

#include "internal.h"

struct ksplit_thread *ksplit_threads[NR_CPUS];
static DECLARE_BITMAP(cpu_taken, NR_CPUS);
unsigned int ksplit_cpus_ever;
static DEFINE_RAW_SPINLOCK(threads_lock);

/* The one address space: current->mm of every thread, and so kvm->mm. */
struct mm_struct init_mm = {
	.mm_users	= ATOMIC_INIT(2),
	.mm_count	= ATOMIC_INIT(1),
	.mmap_lock	= __RWSEM_INITIALIZER(init_mm.mmap_lock),
	.page_table_lock = __SPIN_LOCK_UNLOCKED(init_mm.page_table_lock),
	.mmlist		= LIST_HEAD_INIT(init_mm.mmlist),
};

static int task_init(struct ksplit_thread *t)
{
	struct task_struct *task = &t->task;

	if (!t->pid) {
		t->pid = host_alloc(struct_size(t->pid, numbers, 1), 0, 1);
		if (!t->pid)
			return -ENOMEM;
		/* Never falls to zero: see put_pid(). */
		refcount_set(&t->pid->count, 1);
		spin_lock_init(&t->pid->lock);
		init_waitqueue_head(&t->pid->wait_pidfd);
	}

	task->__state = TASK_RUNNING;
	task_thread_info(task)->flags = 0;
	task_thread_info(task)->cpu = t->cpu;
	task->mm = &init_mm;
	task->active_mm = &init_mm;
	task->flags = 0;
	task->signal = &t->signal;
	task->group_leader = task;
	task->thread_pid = t->pid;
	task->real_parent = task;
	t->signal.pids[PIDTYPE_PID] = t->pid;
	t->signal.pids[PIDTYPE_TGID] = t->pid;
	refcount_set(&t->signal.sigcnt, 1);
	spin_lock_init(&task->alloc_lock);
	raw_spin_lock_init(&task->pi_lock);
	init_sigpending(&task->pending);
	init_sigpending(&t->signal.shared_pending);
#ifdef CONFIG_PREEMPT_NOTIFIERS
	INIT_HLIST_HEAD(&task->preempt_notifiers);
#endif

	t->vcpu_fd = -1;
	t->blocked = BLOCKED_NOT;
	t->fn = NULL;
	t->arg = NULL;
	return 0;
}

/**
 * ksplit_thread_alloc() - take a free CPU number and set up its task
 * @name: cut to TASK_COMM_LEN - 1
 *
 * Returns NULL if there is none, or no memory.
 */
struct ksplit_thread *ksplit_thread_alloc(const char *name)
{
	struct ksplit_thread *t;
	unsigned int cpu;

	raw_spin_lock(&threads_lock);
	cpu = find_first_zero_bit(cpu_taken, nr_cpu_ids);
	if (cpu < nr_cpu_ids)
		__set_bit(cpu, cpu_taken);
	if (cpu < nr_cpu_ids && cpu >= ksplit_cpus_ever)
		WRITE_ONCE(ksplit_cpus_ever, cpu + 1);
	raw_spin_unlock(&threads_lock);
	if (cpu >= nr_cpu_ids)
		return NULL;

	t = ksplit_threads[cpu];
	if (!t) {
		t = host_alloc(sizeof(*t), __alignof__(*t), 1);
		if (!t)
			goto fail;
		t->cpu = cpu;
		init_llist_head(&t->calls);
		/* More references than anyone drops: never freed. */
		refcount_set(&t->task.usage, REFCOUNT_MAX / 2);
		/* Complete, for ksplit_kick_cpu() and get_pid_task(). */
		smp_store_release(&ksplit_threads[cpu], t);
	}
	/* The number's last owner left it idle; nobody may be borrowing it. */
	while (cmpxchg(&t->idle, THREAD_IDLE, THREAD_BUSY) == THREAD_BORROWED)
		host_futex_wait(&t->idle, THREAD_BORROWED, HOST_FOREVER);
	if (task_init(t))
		goto fail;
	snprintf(t->task.comm, sizeof(t->task.comm), "%s", name);
	ksplit_percpu_own(cpu);
	per_cpu(pcpu_hot, cpu).current_task = &t->task;
	per_cpu(ksplit_irq_word, cpu) &= ~1u;
	return t;
fail:
	raw_spin_lock(&threads_lock);
	__clear_bit(cpu, cpu_taken);
	raw_spin_unlock(&threads_lock);
	return NULL;
}

void ksplit_thread_release(struct ksplit_thread *t)
{
	/* No irq state: %gs may be the next owner's as soon as the bit is clear. */
	raw_spin_lock(&threads_lock);
	__clear_bit(t->cpu, cpu_taken);
	raw_spin_unlock(&threads_lock);
}

void ksplit_thread_enter(struct ksplit_thread *t)
{
	host_set_gs(__per_cpu_offset[t->cpu]);
	host_rcu_register_thread();
	/* As unique as the host's, and no system call. */
	t->task.pid = t->cpu + 1;
	t->task.tgid = 1;
	t->pid->numbers[0].nr = t->task.pid;
	ksplit_cpuhp_online(t->cpu);
}

void ksplit_thread_leave(struct ksplit_thread *t)
{
	ksplit_cpuhp_offline(t->cpu);
	host_rcu_unregister_thread();
	/* A sender that saw this CPU online runs its call by itself. */
	ksplit_idle_enter();
	ksplit_thread_release(t);
	/*
	 * %gs stays: whoever takes the number next shares the copy with a thread
	 * that has no kernel code left to run but this return.
	 */
}

static void thread_main(void *arg)
{
	struct ksplit_thread *t = arg;

	ksplit_thread_enter(t);
	t->fn(t->arg);
	ksplit_thread_leave(t);
}

/* Start a thread whose t->fn and t->arg are set; frees t's number if it fails. */
int ksplit_thread_launch(struct ksplit_thread *t)
{
	int ret = host_thread_start(t->task.comm, thread_main, t);

	if (ret)
		ksplit_thread_release(t);
	return ret;
}

int ksplit_thread_create(const char *name, void (*fn)(void *arg), void *arg)
{
	struct ksplit_thread *t = ksplit_thread_alloc(name);

	if (!t)
		return -EAGAIN;
	t->fn = fn;
	t->arg = arg;
	return ksplit_thread_launch(t);
}

int ksplit_thread_register(const char *name)
{
	struct ksplit_thread *t = ksplit_thread_alloc(name);

	if (!t)
		return -EAGAIN;
	ksplit_thread_enter(t);
	return 0;
}

void ksplit_thread_unregister(void)
{
	ksplit_thread_leave(current_thread());
}

void ksplit_thread_bind_vcpu(int vcpu_fd)
{
	WRITE_ONCE(current_thread()->vcpu_fd, vcpu_fd);
}

int ksplit_thread_vcpu(void)
{
	return current_thread()->vcpu_fd;
}

void ksplit_thread_signal(int pending)
{
	if (pending)
		set_thread_flag(TIF_SIGPENDING);
	else
		clear_thread_flag(TIF_SIGPENDING);
}

int ksplit_thread_waited(int client, unsigned long long ns)
{
	u64 *waited = current_thread()->waited;

	if (waited[client] == ns)
		return 0;
	waited[client] = ns;
	current->sched_info.run_delay = waited[0] + waited[1];
	return 1;
}

int ksplit_personality_init(unsigned int nr_host_cpus, unsigned int max_threads,
			    unsigned int phys_bits)
{
	int ret;

	if (!max_threads || max_threads > NR_CPUS)
		max_threads = NR_CPUS;
	if (!nr_host_cpus)
		nr_host_cpus = host_nr_cpus();

	ret = ksplit_percpu_init(max_threads);
	if (ret)
		return ret;
	atomic_set(&__num_online_cpus, nr_host_cpus);

	/* From here on the caller is CPU 0, as far as locks need one. */
	host_set_gs(__per_cpu_offset[0]);
	ret = ksplit_mm_init(phys_bits);
	if (ret)
		return ret;
	ksplit_time_init();
	ret = ksplit_thread_register("main");
	if (ret)
		return ret;
	ret = ksplit_rcu_init();
	if (ret)
		return ret;
	return ksplit_timers_init();
}

/* ------------------------------------------------------------- pids ----- */

struct pid *get_task_pid(struct task_struct *task, enum pid_type type)
{
	return get_pid(task->thread_pid);
}

/* A struct pid belongs to its CPU number for ever. */
void put_pid(struct pid *pid)
{
	if (pid)
		refcount_dec(&pid->count);
}

pid_t pid_nr_ns(struct pid *pid, struct pid_namespace *ns)
{
	return pid ? pid->numbers[0].nr : 0;
}

pid_t pid_vnr(struct pid *pid)
{
	return pid_nr_ns(pid, NULL);
}

struct task_struct *get_pid_task(struct pid *pid, enum pid_type type)
{
	unsigned int cpu;

	for (cpu = 0; cpu < nr_cpu_ids; cpu++) {
		struct ksplit_thread *t = READ_ONCE(ksplit_threads[cpu]);

		if (t && t->pid == pid)
			return get_task_struct(&t->task);
	}
	return NULL;
}

void __put_task_struct(struct task_struct *task)
{
	/* ksplit_thread_alloc() gave it more references than anyone drops. */
	WARN_ON(1);
}

/* ------------------------------------------------------ address space --- */

void mmput(struct mm_struct *mm)
{
	WARN_ON(mm != &init_mm || atomic_dec_and_test(&mm->mm_users));
}

void __mmdrop(struct mm_struct *mm)
{
	/* init_mm holds one reference of its own. */
	WARN_ON(1);
}
