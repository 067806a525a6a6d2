// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host threads and futexes beneath the personality's "CPUs".
 *
 * Every function returns -errno values of the kernel's numbering, which on
 * x86-64 is libc's.
 */
#include <asm/hwcap2.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "ksplit_log.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000
#endif

#define STACK		(256 * 1024)	/* KVM is content with 16 KiB of kernel stack */
#define GUARD		(64 * 1024)	/* no access, below: an overflow meets no neighbour */
#define SPARES		2		/* for workqueues, which any thread may start */

struct start {
	char name[16];
	void (*fn)(void *arg);
	void *arg;
	struct stack *stack;
	void (*first)(int starter);
};

/* A thread's, and after its end another one's; at the top of its own memory. */
struct stack {
	struct stack *next;
	pthread_t thread;
	char *memory;
};

static pthread_mutex_t stacks_lock = PTHREAD_MUTEX_INITIALIZER;
static struct stack *ended;	/* left by threads that end; joined before use */
static struct stack *spare[SPARES];
static void (*on_thread)(int starter);
static atomic_int starting;	/* threads before their first call */
static __thread char name_of_this[16] = "main";

/* The thread that starts others, once there is one; one request at a time. */
static struct {
	int running;
	pthread_mutex_t lock;
	sem_t wanted, answered;
	struct start *start;
	int error;
} starter = { .lock = PTHREAD_MUTEX_INITIALIZER };

/*
 * In the sandbox no protection can be changed and no mapping replaced, and only
 * the caller's kind of thread maps memory: nobody takes the hole meanwhile.
 */
static struct stack *map_stack(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	char *p = mmap(NULL, GUARD + STACK, PROT_READ | PROT_WRITE, flags, -1, 0);
	struct stack *s;

	if (p == MAP_FAILED)
		return NULL;
	munmap(p, GUARD);
	if (mmap(p, GUARD, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0) != p) {
		munmap(p + GUARD, STACK);
		return NULL;
	}
	s = (struct stack *)(p + GUARD + STACK) - 1;
	s->memory = p + GUARD;
	return s;
}

static struct stack *take_spare(void)
{
	struct stack *s = NULL;
	int i;

	for (i = 0; !s && i < SPARES; i++) {
		s = spare[i];
		spare[i] = NULL;
	}
	return s;
}

/* Of a thread that ended, new, or a spare one: not every thread may map memory. */
static struct stack *get_stack(void)
{
	struct stack *s;
	int i;

	pthread_mutex_lock(&stacks_lock);
	s = ended;
	if (s) {
		ended = s->next;
		pthread_join(s->thread, NULL);
	} else {
		s = map_stack();
		for (i = 0; s && i < SPARES; i++)
			if (!spare[i])
				spare[i] = map_stack();
		if (!s)
			s = take_spare();
	}
	pthread_mutex_unlock(&stacks_lock);
	return s;
}

static void put_stack(struct stack *s)
{
	pthread_mutex_lock(&stacks_lock);
	s->next = ended;
	ended = s;
	pthread_mutex_unlock(&stacks_lock);
}

static void *thread_main(void *p)
{
	struct start start = *(struct start *)p;

	free(p);
	memcpy(name_of_this, start.name, sizeof(name_of_this));
	prctl(PR_SET_NAME, start.name);
	if (start.first) {
		start.first(0);
		atomic_fetch_sub(&starting, 1);
	}
	start.fn(start.arg);
	start.stack->thread = pthread_self();
	put_stack(start.stack);
	return NULL;
}

static int create(struct start *start)
{
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, start->stack->memory,
			      (char *)start->stack - start->stack->memory);
	start->first = starter.running ? NULL : on_thread;
	if (start->first)
		atomic_fetch_add(&starting, 1);
	ret = pthread_create(&thread, &attr, thread_main, start);
	pthread_attr_destroy(&attr);
	return -ret;
}

static void *starter_main(void *arg)
{
	snprintf(name_of_this, sizeof(name_of_this), "starter");
	prctl(PR_SET_NAME, name_of_this);
	if (on_thread)
		on_thread(1);
	for (;;) {
		sem_post(&starter.answered);
		while (sem_wait(&starter.wanted) < 0)
			;
		starter.error = create(starter.start);
	}
	return NULL;
}

int host_starter_start(void)
{
	struct stack *s = get_stack();
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	if (!s)
		return -ENOMEM;
	sem_init(&starter.wanted, 0, 0);
	sem_init(&starter.answered, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, s->memory, (char *)s - s->memory);
	ret = pthread_create(&thread, &attr, starter_main, NULL);
	pthread_attr_destroy(&attr);
	if (ret)
		return -ret;
	while (sem_wait(&starter.answered) < 0)
		;
	while (atomic_load(&starting))
		host_sleep_ns(1000);
	starter.running = 1;
	return 0;
}

static int ask_starter(struct start *start)
{
	int ret;

	pthread_mutex_lock(&starter.lock);
	starter.start = start;
	sem_post(&starter.wanted);
	while (sem_wait(&starter.answered) < 0)
		;
	ret = starter.error;
	pthread_mutex_unlock(&starter.lock);
	return ret;
}

int host_thread_start(const char *name, void (*fn)(void *arg), void *arg)
{
	struct start *start = malloc(sizeof(*start));
	int ret = -ENOMEM;

	if (!start)
		return ret;
	*start = (struct start){ .fn = fn, .arg = arg, .stack = get_stack() };
	/* The limit of the kernel's; a cut name is still a name. */
	snprintf(start->name, sizeof(start->name), "%s", name);
	if (start->stack)
		ret = starter.running ? ask_starter(start) : create(start);
	if (ret) {
		if (start->stack)
			munmap(start->stack->memory - GUARD, GUARD + STACK);
		free(start);
	}
	return ret;
}

void host_on_thread(void (*fn)(int starter))
{
	on_thread = fn;
}

const char *host_thread_name(void)
{
	return name_of_this;
}

void host_set_gs(unsigned long base)
{
	/* Ivy Bridge and later; a filter less, and no system call. */
	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		ksplit_abort("this CPU, or this kernel, has no WRGSBASE");
	asm volatile("wrgsbase %0" : : "r" (base));
}

int host_nr_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? n : 1;
}

int host_futex_wait(const void *addr, unsigned int val, host_ns_t deadline)
{
	struct timespec ts, *timeout = NULL;

	if (deadline != HOST_FOREVER) {
		ts.tv_sec = deadline / 1000000000ULL;
		ts.tv_nsec = deadline % 1000000000ULL;
		timeout = &ts;
	}
	/* _BITSET, because its timeout is absolute. */
	if (syscall(SYS_futex, addr, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, val,
		    timeout, NULL, FUTEX_BITSET_MATCH_ANY))
		return -errno;
	return 0;
}

int host_futex_wake(const void *addr, int nr)
{
	long woken = syscall(SYS_futex, addr, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, nr,
			     NULL, NULL, 0);

	return woken < 0 ? 0 : woken;
}

void host_sleep_ns(host_ns_t ns)
{
	host_ns_t until = host_clock_ns(HOST_CLOCK_MONOTONIC) + ns;
	unsigned int never = 0;

	while (host_futex_wait(&never, 0, until) != -ETIMEDOUT)
		;
}

void host_yield(void)
{
	sched_yield();
}

void host_wake_precisely(void)
{
	/* Only costs punctuality if it fails. */
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}

int host_membarrier(void)
{
	static _Atomic int registered;

	if (!registered) {
		if (syscall(SYS_membarrier,
			    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0))
			return 0;
		registered = 1;
	}
	return !syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

host_ns_t host_clock_ns(int clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		ksplit_abort("clock_gettime");
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}
