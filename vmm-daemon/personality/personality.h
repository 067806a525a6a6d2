/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The personality as the worker and libkvm see it: threads that are CPUs,
 * signals, and the marks on pages.  Plain C types: the header compiles in
 * kernel-side and in host-side files.
 */
#ifndef KSPLIT_PERSONALITY_H
#define KSPLIT_PERSONALITY_H

/**
 * ksplit_personality_init() - make the process a kernel, the caller its CPU 0
 * @nr_host_cpus: what num_online_cpus() says, 0: as many as the machine has
 * @max_threads: most threads that are CPUs at one time, 0: NR_CPUS
 * @phys_bits: MAXPHYADDR: the arena lies below 1 << min(46, phys_bits)
 *
 * To be called once, by the main thread, before anything else of libkvm: until
 * then %gs does not lead to per-CPU data.  Returns 0 or -ENOMEM.
 */
int ksplit_personality_init(unsigned int nr_host_cpus, unsigned int max_threads,
			    unsigned int phys_bits);

/**
 * ksplit_thread_create() - start a thread that can run kernel code
 * @name: its name in the host's process list and current->comm, cut to 15
 *	characters
 * @fn: what it runs
 * @arg: passed to @fn
 *
 * The thread is a CPU before @fn starts and until @fn returns.  Returns 0,
 * -EAGAIN (no CPU number or host thread left) or -ENOMEM.
 */
int ksplit_thread_create(const char *name, void (*fn)(void *arg), void *arg);

/**
 * ksplit_thread_register() - let the calling thread run kernel code
 * @name: current->comm
 *
 * For threads that were not made by ksplit_thread_create().  Returns 0,
 * -EAGAIN or -ENOMEM.
 */
int ksplit_thread_register(const char *name);

/** ksplit_thread_unregister() - the calling thread is a CPU no longer */
void ksplit_thread_unregister(void);

/**
 * ksplit_thread_bind_vcpu() - tie the calling thread to a vCPU of the stub
 * @vcpu_fd: vCPU descriptor, -1: none
 *
 * From then on interruptible sleeps of this thread are ops->block(@vcpu_fd),
 * and what would be a wake-up or an IPI to its CPU is ops->kick(@vcpu_fd).
 */
void ksplit_thread_bind_vcpu(int vcpu_fd);

/** ksplit_thread_vcpu() - the calling thread's vCPU descriptor, or -1 */
int ksplit_thread_vcpu(void);

/**
 * ksplit_thread_signal() - the client's call is, or is not, interrupted
 * @pending: what signal_pending(current) says from now on
 *
 * The run loop sets it when an exit carries KSPLIT_EXIT_SIGNAL; the server of
 * calls clears it before it starts the next one.
 */
void ksplit_thread_signal(int pending);

/**
 * ksplit_thread_waited() - how long the two threads of a vCPU waited for a CPU
 * @client: false: this thread; true: the client's, of the call in hand
 * @ns: since it began
 *
 * Their sum is current->sched_info.run_delay, and so the guest's steal time: in
 * turn they are what is one thread in-tree.
 *
 * Return: whether it is new.
 */
int ksplit_thread_waited(int client, unsigned long long ns);

/* smp.c: interrupts were posted to the vCPU of that CPU. */
void ksplit_notify_cpu(int cpu);

/**
 * ksplit_idle_enter() - the calling thread leaves kernel code for a while
 *
 * Bracket every sleep outside of the personality with ksplit_idle_enter() and
 * ksplit_idle_exit(): in between other threads run cross calls on this CPU's
 * behalf.  The thread must hold no lock that a cross call could want and must
 * not touch per-CPU data.
 */
void ksplit_idle_enter(void);

/** ksplit_idle_exit() - back to kernel code; waits for a cross call's end */
void ksplit_idle_exit(void);

/**
 * ksplit_timekeeper_tick() - bring KVM's copy of the timekeeper up to date
 *
 * Runs by itself once a second. Any thread that is a CPU may call it.
 */
void ksplit_timekeeper_tick(void);

/**
 * ksplit_clock_was_set() - the host's wall clock was set, or the host slept
 *
 * Brings the timekeeper up to date at once, and tells who wants to know of a
 * sleep. The caller is a CPU that may sleep.
 */
void ksplit_clock_was_set(void);

/** ksplit_host_slept() - tell who wants to know that the host slept */
void ksplit_host_slept(void);

/*
 * Whether va lies in the arena: page-structured memory of the worker's own,
 * where physical and virtual addresses are the same.
 */
int ksplit_in_arena(unsigned long va);

/* Bounds of the arena, for the layout of windows. */
unsigned long ksplit_arena_start(void);
unsigned long ksplit_arena_end(void);

/* The page at va is an EPT root of the stub's: tell when it is freed. */
void ksplit_page_set_root(unsigned long va);

/*
 * Supplied by libkvm's VMX back end: the page at va, which was marked by
 * ksplit_page_set_root(), is about to be freed.  Called in the freeing
 * thread, perhaps with spinlocks held; must not sleep for another thread.
 */
void ksplit_root_freed(unsigned long va);

#endif /* KSPLIT_PERSONALITY_H */
