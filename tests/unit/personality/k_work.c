// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workqueues, kthread workers and vhost tasks.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/sched/vhost_task.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "internal.h"
#include "../tests/unit/personality/ktest.h"

#define MS(n)	((n) * (s64)NSEC_PER_MSEC)

struct job {
	struct work_struct work;
	struct delayed_work dwork;
	struct kthread_work kwork;
	u32 runs;
	u32 running;
	u32 again;
};

static struct workqueue_struct *wq;

static void slow_job(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);

	CHECK(!xchg(&job->running, 1));
	host_sleep_ns(MS(20));
	WRITE_ONCE(job->runs, job->runs + 1);
	CHECK(xchg(&job->running, 0));
}

void work_queued_once(void)
{
	struct job job = {};

	INIT_WORK(&job.work, slow_job);
	CHECK(!flush_work(&job.work));
	CHECK(schedule_work(&job.work));
	/* Once it runs it may be queued again, and then no second time. */
	while (!READ_ONCE(job.running))
		cpu_relax();
	CHECK(schedule_work(&job.work));
	CHECK(!schedule_work(&job.work));
	CHECK(work_pending(&job.work));
	CHECK(flush_work(&job.work));
	CHECK(job.runs == 2);
	CHECK(!work_pending(&job.work));
	CHECK(!flush_work(&job.work));
}

static void again_job(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);

	WRITE_ONCE(job->runs, job->runs + 1);
	if (job->runs < 10)
		CHECK(queue_work(wq, work));
}

void work_requeues_itself(void)
{
	struct job job = {};

	wq = alloc_workqueue("test-%d", 0, 0, 1);
	CHECK(wq);
	INIT_WORK(&job.work, again_job);
	queue_work(wq, &job.work);
	flush_work(&job.work);
	CHECK(job.runs == 10);
	destroy_workqueue(wq);
}

void work_cancel(void)
{
	struct job first = {}, second = {};

	INIT_WORK(&first.work, slow_job);
	INIT_WORK(&second.work, slow_job);
	CHECK(!cancel_work_sync(&first.work));
	schedule_work(&first.work);
	schedule_work(&second.work);
	while (!READ_ONCE(first.running))
		cpu_relax();
	CHECK(cancel_work_sync(&second.work));
	/* It runs: waits, but it is not pending. */
	CHECK(!cancel_work_sync(&first.work));
	CHECK(first.runs == 1 && !first.running);
	CHECK(second.runs == 0);
	/* Usable again. */
	CHECK(schedule_work(&second.work));
	flush_work(&second.work);
	CHECK(second.runs == 1);
}

static host_ns_t ran_at;

static void delayed_job(struct work_struct *work)
{
	struct job *job = container_of(to_delayed_work(work), struct job, dwork);

	ran_at = host_clock_ns(HOST_CLOCK_MONOTONIC);
	WRITE_ONCE(job->runs, job->runs + 1);
}

void work_delayed(void)
{
	struct job job = {};
	host_ns_t start;

	INIT_DELAYED_WORK(&job.dwork, delayed_job);
	start = host_clock_ns(HOST_CLOCK_MONOTONIC);
	CHECK(schedule_delayed_work(&job.dwork, msecs_to_jiffies(40)));
	CHECK(!schedule_delayed_work(&job.dwork, 0));
	CHECK(delayed_work_pending(&job.dwork));
	while (!READ_ONCE(job.runs))
		host_sleep_ns(MS(1));
	/* jiffies may be at the end of one. */
	CHECK(ran_at - start >= MS(40) - TICK_NSEC);

	CHECK(schedule_delayed_work(&job.dwork, msecs_to_jiffies(20)));
	CHECK(cancel_delayed_work_sync(&job.dwork));
	host_sleep_ns(MS(60));
	CHECK(job.runs == 1);

	CHECK(schedule_delayed_work(&job.dwork, 100 * HZ));
	CHECK(mod_delayed_work(system_wq, &job.dwork, 0));
	flush_work(&job.dwork.work);
	CHECK(job.runs == 2);
	CHECK(!cancel_delayed_work_sync(&job.dwork));
}

static void count_job(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);

	WRITE_ONCE(job->runs, job->runs + 1);
}

void work_destroy(void)
{
	struct job *jobs = kcalloc(100, sizeof(*jobs), GFP_KERNEL);
	int i, round;

	for (round = 0; round < 20; round++) {
		wq = alloc_workqueue("test", 0, 0);
		for (i = 0; i < 100; i++) {
			INIT_WORK(&jobs[i].work, count_job);
			queue_work(wq, &jobs[i].work);
		}
		if (round % 2)
			flush_workqueue(wq);
		destroy_workqueue(wq);
		for (i = 0; i < 100; i++)
			CHECK(jobs[i].runs == round + 1);
	}
	kfree(jobs);
	/* Never used: no thread, nothing to wait for. */
	destroy_workqueue(alloc_workqueue("unused", 0, 0));
}

static struct job storm_jobs[4];

static void storm_job(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);

	CHECK(!xchg(&job->running, 1));
	job->runs++;
	CHECK(xchg(&job->running, 0));
}

static void storm_thread(void *arg)
{
	int i;

	for (i = 0; i < 20000; i++) {
		struct work_struct *work = &storm_jobs[kt_random() % 4].work;

		switch (kt_random() % 4) {
		case 0:
			flush_work(work);
			break;
		case 1:
			cancel_work_sync(work);
			break;
		default:
			queue_work(wq, work);
		}
	}
}

void work_storm(void)
{
	int i;

	wq = alloc_workqueue("storm", 0, 0);
	for (i = 0; i < 4; i++)
		INIT_WORK(&storm_jobs[i].work, storm_job);
	for (i = 0; i < 4; i++)
		kt_spawn(storm_thread, NULL);
	kt_join();
	destroy_workqueue(wq);
	for (i = 0; i < 4; i++)
		CHECK(storm_jobs[i].runs && !work_pending(&storm_jobs[i].work));
}

static void kjob(struct kthread_work *work)
{
	struct job *job = container_of(work, struct job, kwork);

	host_sleep_ns(MS(5));
	WRITE_ONCE(job->runs, job->runs + 1);
}

void kthread_worker_flush(void)
{
	struct kthread_worker *worker = kthread_create_worker(0, "kvm-pit/%d", 17);
	struct job job = {};
	int i;

	CHECK(!IS_ERR(worker));
	kthread_init_work(&job.kwork, kjob);
	kthread_flush_work(&job.kwork);
	for (i = 1; i <= 10; i++) {
		CHECK(kthread_queue_work(worker, &job.kwork));
		kthread_flush_work(&job.kwork);
		CHECK(job.runs == i);
	}
	kthread_queue_work(worker, &job.kwork);
	kthread_destroy_worker(worker);
	CHECK(job.runs == 11);
}

static u32 vhost_rounds, vhost_work;

static bool vhost_fn(void *data)
{
	CHECK(data == &vhost_work);
	WRITE_ONCE(vhost_rounds, vhost_rounds + 1);
	return xchg(&vhost_work, 0);
}

void vhost_task_life(void)
{
	struct vhost_task *vtsk;
	u32 rounds;

	vtsk = vhost_task_create(vhost_fn, NULL, &vhost_work, "test");
	CHECK(!IS_ERR(vtsk));
	host_sleep_ns(MS(20));
	CHECK(!READ_ONCE(vhost_rounds));
	vhost_task_start(vtsk);
	while (!READ_ONCE(vhost_rounds))
		host_sleep_ns(MS(1));
	host_sleep_ns(MS(20));
	rounds = READ_ONCE(vhost_rounds);
	host_sleep_ns(MS(20));
	CHECK(READ_ONCE(vhost_rounds) == rounds);
	WRITE_ONCE(vhost_work, 1);
	vhost_task_wake(vtsk);
	while (READ_ONCE(vhost_rounds) < rounds + 2)
		host_sleep_ns(MS(1));
	vhost_task_stop(vtsk);

	vtsk = vhost_task_create(vhost_fn, NULL, &vhost_work, "never started");
	CHECK(!IS_ERR(vtsk));
	vhost_task_stop(vtsk);
}
