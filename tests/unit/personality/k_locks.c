// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks under contention: more threads than CPUs, each holding the lock for
 * a while that is sometimes long enough to put the others to sleep.
 */
#include <linux/delay.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

#include "internal.h"
#include "../tests/unit/personality/ktest.h"

#define THREADS	6
#define ROUNDS	20000

static DEFINE_SPINLOCK(spin);
static DEFINE_RWLOCK(rw);
static DECLARE_RWSEM(sem);
static DEFINE_MUTEX(mutex);

/* Plain variables: only the lock keeps them equal. */
static volatile unsigned long a, b;

static void change(void)
{
	unsigned long v = a;

	CHECK(a == b);
	a = v + 1;
	if (!(kt_random() % 1000))
		host_sleep_ns(20000);
	b = v + 1;
}

static void look(void)
{
	unsigned long v = a;

	if (!(kt_random() % 1000))
		host_sleep_ns(20000);
	CHECK(b == v);
	CHECK(a == v);
}

static void spin_thread(void *arg)
{
	unsigned long flags;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		switch (i % 4) {
		case 0:
			spin_lock(&spin);
			change();
			spin_unlock(&spin);
			break;
		case 1:
			spin_lock_irq(&spin);
			change();
			spin_unlock_irq(&spin);
			break;
		case 2:
			spin_lock_irqsave(&spin, flags);
			change();
			spin_unlock_irqrestore(&spin, flags);
			break;
		case 3:
			while (!spin_trylock(&spin))
				cpu_relax();
			change();
			spin_unlock(&spin);
			break;
		}
	}
}

static void run(void (*fn)(void *))
{
	int i;

	for (i = 0; i < THREADS; i++)
		kt_spawn(fn, NULL);
	kt_join();
}

void spin_excludes(void)
{
	run(spin_thread);
	CHECK(a == THREADS * ROUNDS);
	CHECK(!spin_is_locked(&spin));
}

void spin_irq_state(void)
{
	unsigned long outer, inner;

	CHECK(!irq_is_off());
	spin_lock_irqsave(&spin, outer);
	CHECK(irq_is_off());
	read_lock_irqsave(&rw, inner);
	read_unlock_irqrestore(&rw, inner);
	CHECK(irq_is_off());
	spin_unlock_irqrestore(&spin, outer);
	CHECK(!irq_is_off());
	spin_lock_irq(&spin);
	CHECK(irq_is_off());
	spin_unlock_irq(&spin);
	CHECK(!irq_is_off());
}

static unsigned long long waiter_cpu;
static u32 waiter_started;

static void waiter_thread(void *arg)
{
	unsigned long long before = kt_thread_cputime();

	WRITE_ONCE(waiter_started, 1);
	spin_lock(&spin);
	spin_unlock(&spin);
	waiter_cpu = kt_thread_cputime() - before;
}

void spin_waiter_sleeps(void)
{
	spin_lock(&spin);
	kt_spawn(waiter_thread, NULL);
	while (!READ_ONCE(waiter_started))
		cpu_relax();
	host_sleep_ns(100 * NSEC_PER_MSEC);
	spin_unlock(&spin);
	kt_join();
	/* Not 100 ms. */
	CHECK(waiter_cpu < 20 * NSEC_PER_MSEC);
}

static void rw_thread(void *arg)
{
	unsigned long flags;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		switch (kt_random() % 8) {
		case 0:
			write_lock(&rw);
			change();
			write_unlock(&rw);
			break;
		case 1:
			write_lock_irqsave(&rw, flags);
			change();
			write_unlock_irqrestore(&rw, flags);
			break;
		case 2:
			if (read_trylock(&rw)) {
				look();
				read_unlock(&rw);
			}
			break;
		case 3:
			if (write_trylock(&rw)) {
				change();
				write_unlock(&rw);
			}
			break;
		default:
			read_lock(&rw);
			look();
			read_unlock(&rw);
		}
	}
}

void rwlock_excludes(void)
{
	run(rw_thread);
	CHECK(a == b && a > 0);
	CHECK(write_trylock(&rw));
	CHECK(!read_trylock(&rw));
	write_unlock(&rw);
	read_lock(&rw);
	CHECK(read_trylock(&rw));
	CHECK(!write_trylock(&rw));
	read_unlock(&rw);
	read_unlock(&rw);
}

static bool stop;

static void reader_loop(void *arg)
{
	while (!READ_ONCE(stop)) {
		read_lock(&rw);
		host_sleep_ns(100000);
		read_unlock(&rw);
	}
}

void rwlock_writer_not_starved(void)
{
	host_ns_t start;
	int i;

	for (i = 0; i < THREADS; i++)
		kt_spawn(reader_loop, NULL);
	host_sleep_ns(10 * NSEC_PER_MSEC);
	start = host_clock_ns(HOST_CLOCK_MONOTONIC);
	for (i = 0; i < 100; i++) {
		write_lock(&rw);
		write_unlock(&rw);
	}
	CHECK(host_clock_ns(HOST_CLOCK_MONOTONIC) - start < 5ULL * NSEC_PER_SEC);
	WRITE_ONCE(stop, true);
	kt_join();
}

static u32 breaks;

/* As KVM zaps: for long, under mmu_lock, but with a look around. */
static void zapper(void *arg)
{
	write_lock(&rw);
	WRITE_ONCE(waiter_started, 1);
	while (!READ_ONCE(stop)) {
		if (need_resched() && cond_resched_rwlock_write(&rw))
			breaks++;
		cpu_relax();
	}
	write_unlock(&rw);
}

void rwlock_writer_makes_room(void)
{
	int i;

	kt_spawn(zapper, NULL);
	while (!READ_ONCE(waiter_started))
		cpu_relax();
	for (i = 0; i < 10; i++) {
		read_lock(&rw);
		read_unlock(&rw);
		write_lock(&rw);
		write_unlock(&rw);
	}
	WRITE_ONCE(stop, true);
	kt_join();
	CHECK(breaks > 0);
}

static void sem_thread(void *arg)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		switch (kt_random() % 8) {
		case 0:
			down_write(&sem);
			change();
			up_write(&sem);
			break;
		case 1:
			if (down_write_trylock(&sem)) {
				change();
				up_write(&sem);
			}
			break;
		case 2:
			if (down_read_trylock(&sem)) {
				look();
				up_read(&sem);
			}
			break;
		default:
			down_read(&sem);
			look();
			up_read(&sem);
		}
	}
}

void rwsem_excludes(void)
{
	run(sem_thread);
	CHECK(a == b && a > 0);
	CHECK(!rwsem_is_locked(&sem));
	down_read(&sem);
	CHECK(rwsem_is_locked(&sem));
	up_read(&sem);
}

static void mutex_thread(void *arg)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		if (i % 4 || !mutex_trylock(&mutex))
			mutex_lock(&mutex);
		change();
		mutex_unlock(&mutex);
	}
}

void mutex_excludes(void)
{
	run(mutex_thread);
	CHECK(a == THREADS * ROUNDS);
	CHECK(!mutex_is_locked(&mutex));
	mutex_lock(&mutex);
	CHECK(mutex_is_locked(&mutex));
	CHECK(!mutex_trylock(&mutex));
	mutex_unlock(&mutex);
}
