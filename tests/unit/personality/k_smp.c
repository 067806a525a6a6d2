// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads as CPUs, cross calls, hotplug states.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/smp.h>
#include <trace/events/ipi.h>
#include <trace/events/ipi.h>

#include "internal.h"
#include "../tests/unit/personality/ktest.h"

#define MS(n)	((n) * (s64)NSEC_PER_MSEC)

static DEFINE_PER_CPU(u32, mine) = 7;
static u32 seen[NR_CPUS];
static u32 arrived, leave;

static void cpu_thread(void *arg)
{
	int cpu = smp_processor_id();

	CHECK(!xchg(&seen[cpu], 1));
	CHECK(cpu_online(cpu));
	CHECK(task_cpu(current) == cpu);
	CHECK(current->mm == &init_mm);
	CHECK(!strcmp(current->comm, "test"));
	CHECK(per_cpu_ptr(&mine, cpu) == this_cpu_ptr(&mine));
	CHECK(this_cpu_read(mine) == 7);
	this_cpu_inc(mine);
	CHECK(pid_nr(task_pid(current)) == current->pid);
	raw_atomic_inc((atomic_t *)&arrived);
	while (!READ_ONCE(leave))
		host_sleep_ns(MS(1));
	CHECK(this_cpu_read(mine) == 8);
	this_cpu_dec(mine);
	seen[cpu] = 0;
}

void threads_are_cpus(void)
{
	int round, i;

	CHECK(num_online_cpus() == 3);	/* the machine's, see setup() */
	CHECK(num_possible_cpus() == 32);
	for (round = 0; round < 5; round++) {
		arrived = leave = 0;
		for (i = 0; i < 10; i++)
			kt_spawn(cpu_thread, NULL);
		while (READ_ONCE(arrived) < 10)
			host_sleep_ns(MS(1));
		WRITE_ONCE(leave, 1);
		kt_join();
	}
}

static void sleeper(void *arg)
{
	raw_atomic_inc((atomic_t *)&arrived);
	while (!READ_ONCE(leave))
		host_sleep_ns(MS(1));
}

void threads_exhausted(void)
{
	int n = 0;

	while (!ksplit_thread_create("many", sleeper, NULL))
		n++;
	/* 32, less this one, RCU's and the timers'. */
	CHECK(n == 29);
	CHECK(ksplit_thread_create("more", sleeper, NULL) == -EAGAIN);
	WRITE_ONCE(leave, 1);
}

static u32 off_section, off_done;
static int off_cpu;

static void irq_off_thread(void *arg)
{
	ksplit_thread_bind_vcpu(2);
	off_cpu = smp_processor_id();
	irq_off();
	WRITE_ONCE(off_section, 1);
	host_sleep_ns(MS(50));
	WRITE_ONCE(off_done, 1);
	irq_on();
	/* The next section begins at once: the waiter must not wait for it. */
	irq_off();
	while (!READ_ONCE(leave))
		cpu_relax();
	irq_on();
}

static void ack_kick(void *info)
{
}

void kick_waits_for_irq_off(void)
{
	struct cpumask mask = {};

	kt_spawn(irq_off_thread, NULL);
	while (!READ_ONCE(off_section))
		cpu_relax();
	cpumask_set_cpu(off_cpu, &mask);
	cpumask_set_cpu(smp_processor_id(), &mask);
	smp_call_function_many(&mask, ack_kick, NULL, true);
	CHECK(READ_ONCE(off_done));
	CHECK(kt_kicks[2] == 1);
	smp_send_reschedule(off_cpu);
	CHECK(kt_kicks[2] == 2);
	WRITE_ONCE(leave, 1);
	kt_join();
	/* Nobody is in such a section: no kick, no wait. */
	smp_call_function_many(&mask, ack_kick, NULL, true);
	CHECK(kt_kicks[2] == 2);
}

static u32 ran_on;

static void body(void *info)
{
	CHECK(irq_is_off());
	this_cpu_add(mine, 10);
	WRITE_ONCE(ran_on, smp_processor_id());
	*(u32 *)info += 1;
}

static void busy_thread(void *arg)
{
	off_cpu = smp_processor_id();
	WRITE_ONCE(arrived, 1);
	/* Busy, but comes by a safe point now and then. */
	while (!READ_ONCE(leave))
		cond_resched();
	CHECK(this_cpu_read(mine) == 17);
}

void call_runs_on_target(void)
{
	u32 count = 0;

	kt_spawn(busy_thread, NULL);
	while (!READ_ONCE(arrived))
		cpu_relax();
	CHECK(!smp_call_function_single(off_cpu, body, &count, 1));
	CHECK(ran_on == off_cpu);
	CHECK(count == 1);
	WRITE_ONCE(leave, 1);
	kt_join();
	CHECK(!smp_call_function_single(smp_processor_id(), body, &count, 1));
	CHECK(ran_on == smp_processor_id());
	CHECK(smp_call_function_single(31, body, &count, 1) == -ENXIO);
}

static void idle_thread(void *arg)
{
	off_cpu = smp_processor_id();
	WRITE_ONCE(arrived, 1);
	ksplit_idle_enter();
	while (!READ_ONCE(leave))
		host_sleep_ns(MS(1));
	ksplit_idle_exit();
	CHECK(smp_processor_id() == off_cpu);
	CHECK(this_cpu_read(mine) == 7 + 10 * 1000);
}

void call_on_sleeper(void)
{
	u32 count = 0;
	int i, me = smp_processor_id();

	kt_spawn(idle_thread, NULL);
	while (!READ_ONCE(arrived))
		cpu_relax();
	for (i = 0; i < 1000; i++) {
		CHECK(!smp_call_function_single(off_cpu, body, &count, 1));
		CHECK(ran_on == off_cpu);
		CHECK(smp_processor_id() == me);
	}
	CHECK(count == 1000);
	CHECK(this_cpu_read(mine) == 7);
	WRITE_ONCE(leave, 1);
	kt_join();
}

static DEFINE_PER_CPU(u32, is_up);
static atomic_t nr_up;

static int startup(unsigned int cpu)
{
	CHECK(cpu == smp_processor_id());
	CHECK(this_cpu_read(is_up) == 0);
	this_cpu_write(is_up, 1);
	atomic_inc(&nr_up);
	return 0;
}

static int teardown(unsigned int cpu)
{
	CHECK(cpu == smp_processor_id());
	CHECK(this_cpu_read(is_up) == 1);
	this_cpu_write(is_up, 0);
	atomic_dec(&nr_up);
	return 0;
}

static int refuse(unsigned int cpu)
{
	return cpu == off_cpu ? -EIO : startup(cpu);
}

static void hp_thread(void *arg)
{
	CHECK(this_cpu_read(is_up) == 1);
}

void cpuhp_covers_all(void)
{
	int online = cpumask_weight(cpu_online_mask);

	/* This one, RCU's and the timers': they may still be coming up. */
	while ((online = cpumask_weight(cpu_online_mask)) < 3)
		host_sleep_ns(MS(1));
	kt_spawn(idle_thread, NULL);
	while (!READ_ONCE(arrived))
		cpu_relax();
	online++;

	/* A failure is undone. */
	CHECK(cpuhp_setup_state(CPUHP_AP_KVM_ONLINE, "test", refuse, teardown) ==
	      -EIO);
	CHECK(atomic_read(&nr_up) == 0);

	CHECK(!cpuhp_setup_state(CPUHP_AP_KVM_ONLINE, "test", startup, teardown));
	CHECK(atomic_read(&nr_up) == online);
	/* A CPU that comes and goes. */
	kt_spawn(hp_thread, NULL);
	host_sleep_ns(MS(50));
	CHECK(atomic_read(&nr_up) == online);
	cpuhp_remove_state(CPUHP_AP_KVM_ONLINE);
	CHECK(atomic_read(&nr_up) == 0);
	this_cpu_write(mine, 7);
	per_cpu(mine, off_cpu) = 7 + 10 * 1000;
	WRITE_ONCE(leave, 1);
	kt_join();
}
