// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sleeping and waking: none is lost, none is too early, and a vCPU's thread
 * sleeps in the stub.
 */
#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/rcuwait.h>
#include <linux/sched/signal.h>
#include <linux/swait.h>
#include <linux/wait.h>

#include "seam/ksplit_ops.h"
#include "internal.h"
#include "../tests/unit/personality/ktest.h"

#define ROUNDS	20000

static DECLARE_WAIT_QUEUE_HEAD(queue);
static u32 turn;

static void pong(void *arg)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		wait_event(queue, READ_ONCE(turn) == 1);
		WRITE_ONCE(turn, 0);
		wake_up(&queue);
	}
}

void wait_ping_pong(void)
{
	int i;

	kt_spawn(pong, NULL);
	for (i = 0; i < ROUNDS; i++) {
		WRITE_ONCE(turn, 1);
		wake_up(&queue);
		wait_event(queue, READ_ONCE(turn) == 0);
	}
	kt_join();
}

void wait_timeout(void)
{
	host_ns_t start = host_clock_ns(HOST_CLOCK_MONOTONIC), took;
	long left;

	left = wait_event_timeout(queue, READ_ONCE(turn), msecs_to_jiffies(50));
	took = host_clock_ns(HOST_CLOCK_MONOTONIC) - start;
	CHECK(left == 0);
	CHECK(took >= 50 * NSEC_PER_MSEC);
	CHECK(took < 2ULL * NSEC_PER_SEC);

	turn = 1;
	left = wait_event_timeout(queue, READ_ONCE(turn), HZ);
	CHECK(left > 0);

	/* Nobody wakes us: the state alone must not let it return early. */
	start = host_clock_ns(HOST_CLOCK_MONOTONIC);
	CHECK(schedule_timeout_uninterruptible(msecs_to_jiffies(20)) == 0);
	CHECK(host_clock_ns(HOST_CLOCK_MONOTONIC) - start >= 20 * NSEC_PER_MSEC);
}

void wait_signal(void)
{
	ksplit_thread_signal(1);
	CHECK(signal_pending(current));
	CHECK(!fatal_signal_pending(current));
	CHECK(wait_event_interruptible(queue, READ_ONCE(turn)) == -ERESTARTSYS);
	CHECK(schedule_timeout_interruptible(HZ) > 0);
	/* An uninterruptible sleep does not care. */
	CHECK(schedule_timeout_uninterruptible(1) == 0);
	ksplit_thread_signal(0);
	CHECK(!signal_pending(current));
	CHECK(current->__state == TASK_RUNNING);
}

static struct completion done;
static atomic_t passed;

static void complete_waiter(void *arg)
{
	wait_for_completion(&done);
	atomic_inc(&passed);
}

void completion_many(void)
{
	int i;

	init_completion(&done);
	for (i = 0; i < 8; i++)
		kt_spawn(complete_waiter, NULL);
	host_sleep_ns(10 * NSEC_PER_MSEC);
	CHECK(atomic_read(&passed) == 0);
	complete(&done);
	complete(&done);
	host_sleep_ns(50 * NSEC_PER_MSEC);
	CHECK(atomic_read(&passed) == 2);
	complete_all(&done);
	kt_join();
	CHECK(atomic_read(&passed) == 8);
	CHECK(wait_for_completion_timeout(&done, HZ));
}

static struct rcuwait rcuwait;
static bool ready, go, signalled;

/* As kvm_vcpu_block(). */
static void vcpu_block(void)
{
	prepare_to_rcuwait(&rcuwait);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (READ_ONCE(go))
			break;
		if (signal_pending(current)) {
			signalled = true;
			break;
		}
		schedule();
	}
	finish_rcuwait(&rcuwait);
}

static void vcpu_thread(void *arg)
{
	ksplit_thread_bind_vcpu(3);
	CHECK(ksplit_thread_vcpu() == 3);
	WRITE_ONCE(ready, true);
	vcpu_block();
	CHECK(current->__state == TASK_RUNNING);
	WRITE_ONCE(ready, false);
}

void rcuwait_vcpu(void)
{
	rcuwait_init(&rcuwait);
	kt_spawn(vcpu_thread, NULL);
	while (!READ_ONCE(ready))
		cpu_relax();
	host_sleep_ns(20 * NSEC_PER_MSEC);
	CHECK(kt_kicks[3] == 0);

	/* A kick that is no wake-up: it sleeps on. */
	ksplit_ops->kick(3);
	host_sleep_ns(20 * NSEC_PER_MSEC);
	CHECK(READ_ONCE(ready));

	WRITE_ONCE(go, true);
	CHECK(rcuwait_wake_up(&rcuwait) == 1);
	kt_join();
	CHECK(kt_kicks[3] == 2);
	CHECK(!signalled);
	/* Nobody there: no kick. */
	CHECK(rcuwait_wake_up(&rcuwait) == 0);
	CHECK(kt_kicks[3] == 2);
}

void rcuwait_vcpu_signal(void)
{
	rcuwait_init(&rcuwait);
	kt_spawn(vcpu_thread, NULL);
	while (!READ_ONCE(ready))
		cpu_relax();
	host_sleep_ns(10 * NSEC_PER_MSEC);
	WRITE_ONCE(kt_signal[3], 1);
	ksplit_ops->kick(3);
	kt_join();
	CHECK(signalled);
}

static u32 posted, taken;

static void storm_vcpu(void *arg)
{
	ksplit_thread_bind_vcpu(1);
	while (taken < ROUNDS) {
		prepare_to_rcuwait(&rcuwait);
		for (;;) {
			set_current_state(TASK_INTERRUPTIBLE);
			if (READ_ONCE(posted) != taken)
				break;
			schedule();
		}
		finish_rcuwait(&rcuwait);
		WRITE_ONCE(taken, READ_ONCE(posted));
	}
}

void rcuwait_storm(void)
{
	int i, spin;

	rcuwait_init(&rcuwait);
	kt_spawn(storm_vcpu, NULL);
	for (i = 0; i < ROUNDS; i++) {
		WRITE_ONCE(posted, i + 1);
		rcuwait_wake_up(&rcuwait);
		/* A lost wake-up would leave it asleep for ever. */
		while (READ_ONCE(taken) != i + 1)
			cpu_relax();
		for (spin = kt_random() % 64; spin; spin--)
			cpu_relax();
	}
	kt_join();
}
