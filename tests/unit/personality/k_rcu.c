// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grace periods: no object is freed under a reader, and callbacks all run.
 */
#include <linux/delay.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/srcu.h>

#include "internal.h"
#include "../tests/unit/personality/ktest.h"

#define ALIVE	0x600dc0de
#define DEAD	0xdeadbeef
#define READERS	4

struct object {
	u32 magic;
	struct rcu_head rcu;
};

static struct object __rcu *shared;
static u32 inside, leave;
static bool synced, stop;
static struct srcu_struct srcu;

static void rcu_reader(void *arg)
{
	rcu_read_lock();
	rcu_read_lock();	/* nests */
	rcu_read_unlock();
	WRITE_ONCE(inside, 1);
	while (!READ_ONCE(leave))
		cpu_relax();
	CHECK(!READ_ONCE(synced));
	rcu_read_unlock();
}

static void rcu_updater(void *arg)
{
	synchronize_rcu();
	WRITE_ONCE(synced, true);
}

void rcu_waits_for_reader(void)
{
	kt_spawn(rcu_reader, NULL);
	while (!READ_ONCE(inside))
		cpu_relax();
	kt_spawn(rcu_updater, NULL);
	host_sleep_ns(50 * NSEC_PER_MSEC);
	CHECK(!READ_ONCE(synced));
	WRITE_ONCE(leave, 1);
	kt_join();
	CHECK(synced);
}

#define NR	1000
static struct object objects[NR];
static int called;

static void in_order(struct rcu_head *head)
{
	CHECK(container_of(head, struct object, rcu) == &objects[called]);
	/* A callback is kernel code on a CPU of its own. */
	CHECK(smp_processor_id() == current_thread()->cpu);
	called++;
}

void rcu_callbacks_in_order(void)
{
	int i;

	for (i = 0; i < NR; i++)
		call_rcu(&objects[i].rcu, in_order);
	rcu_barrier();
	CHECK(called == NR);
	rcu_barrier();
}

static void free_object(struct rcu_head *head)
{
	struct object *o = container_of(head, struct object, rcu);

	o->magic = DEAD;
	kfree(o);
}

static struct object *new_object(void)
{
	struct object *o = kmalloc(sizeof(*o), GFP_KERNEL);

	o->magic = ALIVE;
	return o;
}

static void storm_reader(void *arg)
{
	while (!READ_ONCE(stop)) {
		struct object *o;
		int i;

		rcu_read_lock();
		o = rcu_dereference(shared);
		for (i = kt_random() % 100; i; i--)
			CHECK(READ_ONCE(o->magic) == ALIVE);
		rcu_read_unlock();
	}
}

void rcu_storm(void)
{
	host_ns_t end;
	int i;

	rcu_assign_pointer(shared, new_object());
	for (i = 0; i < READERS; i++)
		kt_spawn(storm_reader, NULL);
	end = host_clock_ns(HOST_CLOCK_MONOTONIC) + NSEC_PER_SEC;
	for (i = 0; host_clock_ns(HOST_CLOCK_MONOTONIC) < end; i++) {
		struct object *old = rcu_dereference_protected(shared, true);

		rcu_assign_pointer(shared, new_object());
		switch (i % 8) {
		case 0:
			synchronize_rcu();
			old->magic = DEAD;
			kfree(old);
			break;
		case 1:
			/* Wipes nothing; the sanitizer would see a use. */
			kvfree_rcu(old, rcu);
			break;
		default:
			call_rcu(&old->rcu, free_object);
		}
		if (i % 256 == 255)
			rcu_barrier();
	}
	WRITE_ONCE(stop, true);
	kt_join();
	rcu_barrier();
	kfree(rcu_dereference_protected(shared, true));
}

static void srcu_reader(void *arg)
{
	int idx = srcu_read_lock(&srcu), inner;

	inner = srcu_read_lock(&srcu);
	srcu_read_unlock(&srcu, inner);
	WRITE_ONCE(inside, 1);
	while (!READ_ONCE(leave))
		host_sleep_ns(1000);	/* sleepable */
	CHECK(!READ_ONCE(synced));
	srcu_read_unlock(&srcu, idx);
}

static void srcu_updater(void *arg)
{
	synchronize_srcu_expedited(&srcu);
	WRITE_ONCE(synced, true);
}

void srcu_waits_for_reader(void)
{
	int idx;

	CHECK(!init_srcu_struct(&srcu));
	kt_spawn(srcu_reader, NULL);
	while (!READ_ONCE(inside))
		cpu_relax();
	kt_spawn(srcu_updater, NULL);
	host_sleep_ns(50 * NSEC_PER_MSEC);
	CHECK(!READ_ONCE(synced));
	/* A reader that comes now does not hold it up. */
	idx = srcu_read_lock(&srcu);
	WRITE_ONCE(leave, 1);
	while (!READ_ONCE(synced))
		host_sleep_ns(1000);
	srcu_read_unlock(&srcu, idx);
	kt_join();
	synchronize_srcu(&srcu);
	cleanup_srcu_struct(&srcu);
}

static void srcu_storm_reader(void *arg)
{
	while (!READ_ONCE(stop)) {
		int idx = srcu_read_lock(&srcu), i;
		struct object *o = srcu_dereference(shared, &srcu);

		for (i = kt_random() % 100; i; i--)
			CHECK(READ_ONCE(o->magic) == ALIVE);
		if (!(kt_random() % 1000))
			host_sleep_ns(10000);
		CHECK(READ_ONCE(o->magic) == ALIVE);
		srcu_read_unlock(&srcu, idx);
	}
}

void srcu_storm(void)
{
	host_ns_t end;
	int i;

	CHECK(!init_srcu_struct(&srcu));
	rcu_assign_pointer(shared, new_object());
	for (i = 0; i < READERS; i++)
		kt_spawn(srcu_storm_reader, NULL);
	end = host_clock_ns(HOST_CLOCK_MONOTONIC) + NSEC_PER_SEC;
	for (i = 0; host_clock_ns(HOST_CLOCK_MONOTONIC) < end; i++) {
		struct object *old = rcu_dereference_protected(shared, true);

		rcu_assign_pointer(shared, new_object());
		synchronize_srcu(&srcu);
		old->magic = DEAD;
		kfree(old);
	}
	CHECK(i > 10);
	WRITE_ONCE(stop, true);
	kt_join();
	kfree(rcu_dereference_protected(shared, true));
	cleanup_srcu_struct(&srcu);
}
