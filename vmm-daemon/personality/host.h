/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the personality's kernel-side files ask of libc, liburcu and the host
 * kernel.  Plain C types only: the header compiles without kernel headers and
 * without libc.
 *
 * Nothing here is called on the path from one VM exit to the next entry, except
 * when a lock is contended.
 */
#ifndef KSPLIT_HOST_H
#define KSPLIT_HOST_H

typedef unsigned long long host_ns_t;

/* A deadline that never comes. */
#define HOST_FOREVER	(~0ULL)

/* CLOCK_* numbers of the kernel's ABI. */
#define HOST_CLOCK_REALTIME	0
#define HOST_CLOCK_MONOTONIC	1
#define HOST_CLOCK_RAW		4
#define HOST_CLOCK_BOOTTIME	7
#define HOST_CLOCK_TAI		11

/* ------------------------------------------------------------ threads -- */

/* 0 or -errno.  Every signal stays as it is. */
int host_thread_start(const char *name, void (*fn)(void *arg), void *arg);
/* Of the caller. */
const char *host_thread_name(void);
/*
 * host_on_thread() - what each thread that is started from now on calls first;
 * not those that the starter starts, which are as it is
 * @fn:		starter: the caller is the one
 */
void host_on_thread(void (*fn)(int starter));
/*
 * From now on one thread starts all others, for callers that could not; when it
 * returns, all threads so far have made their first call.  0 or -errno.
 */
int host_starter_start(void);
void host_set_gs(unsigned long base);
/* Online CPUs of the machine. */
int host_nr_cpus(void);

/*
 * Sleep while *addr == val, at most until deadline (CLOCK_MONOTONIC, ns).
 * Returns 0 if woken, -EAGAIN if *addr differs, -ETIMEDOUT, -EINTR.
 */
int host_futex_wait(const void *addr, unsigned int val, host_ns_t deadline);
/* How many were woken. */
int host_futex_wake(const void *addr, int nr);

void host_sleep_ns(host_ns_t ns);
void host_yield(void);
/* Let the caller's timed waits end on time, not up to 50 us later. */
void host_wake_precisely(void);

/* ------------------------------------------------------------- memory -- */

/*
 * Zero-filled address space that costs nothing, and commits the host to nothing,
 * until it is touched; addr 0: anywhere, otherwise exactly there.  NULL if that
 * cannot be had.
 */
void *host_reserve(unsigned long addr, unsigned long size);
/* Give pages of it back; they read as zero afterwards. */
void host_discard(void *addr, unsigned long size);
/* Zero-filled memory that costs nothing until it is written. */
void *host_map(unsigned long size);
/* Where the arena may begin (see mm.c), another place each time; far below limit. */
unsigned long host_arena_base(unsigned long limit);

void *host_alloc(unsigned long size, unsigned long align, int zero);
void host_free(void *p);
/* At least the size that was asked for. */
unsigned long host_usable_size(void *p);

/* ---------------------------------------------------------------- RCU -- */

void host_rcu_register_thread(void);
void host_rcu_unregister_thread(void);
void host_rcu_synchronize(void);
int host_rcu_read_ongoing(void);

/*
 * A full memory barrier on every thread of the process that runs.  Returns
 * false if the host kernel has none.
 */
int host_membarrier(void);

/* --------------------------------------------------------------- time -- */

host_ns_t host_clock_ns(int clock);

/**
 * struct host_tsc_pair - a clock and the TSC at one moment
 * @tsc:	between the two reads of the TSC that enclose that of the clock
 * @ns:		the clock
 * @error:	half the distance of those two reads, in cycles
 */
struct host_tsc_pair {
	unsigned long long tsc;
	host_ns_t ns;
	unsigned long long error;
};

/* The best of a few tries. */
struct host_tsc_pair host_tsc_pair(int clock);

#endif /* KSPLIT_HOST_H */
