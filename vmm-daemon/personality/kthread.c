// SPDX-License-Identifier: GPL-2.0-only
/*
 * kthread workers (KVM's PIT) and vhost tasks (its recovery of NX huge pages).
 *
 * Invariant: a work is on its worker's list or not linked at all, and is
 * unlinked before its function runs; the last access of a worker's or task's
 * thread to its structure is the one that ends the wait of who destroys it.
 */
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/sched/vhost_task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "internal.h"

/* ------------------------------------------------------------ workers --- */

struct worker {
	struct kthread_worker kw;
	wait_queue_head_t work;		/* the thread waits here for work */
	wait_queue_head_t done;		/* flushers, for works' ends */
	bool stop;
	struct completion exited;
};

#define to_worker(kw_)	container_of(kw_, struct worker, kw)

static struct kthread_work *next_work(struct worker *w)
{
	struct kthread_work *work;

	raw_spin_lock_irq(&w->kw.lock);
	work = list_first_entry_or_null(&w->kw.work_list, struct kthread_work,
					node);
	if (work)
		list_del_init(&work->node);
	w->kw.current_work = work;
	raw_spin_unlock_irq(&w->kw.lock);
	return work;
}

static void worker_main(void *arg)
{
	struct worker *w = arg;
	struct kthread_work *work;

	for (;;) {
		wait_event(w->work, !list_empty_careful(&w->kw.work_list) ||
				    READ_ONCE(w->stop));
		work = next_work(w);
		if (!work) {
			if (READ_ONCE(w->stop))
				break;
			continue;
		}
		work->func(work);
		raw_spin_lock_irq(&w->kw.lock);
		w->kw.current_work = NULL;
		raw_spin_unlock_irq(&w->kw.lock);
		wake_up_all(&w->done);
	}
	complete(&w->exited);
}

struct kthread_worker *kthread_create_worker(unsigned int flags,
					     const char fmt[], ...)
{
	struct worker *w = kzalloc(sizeof(*w), GFP_KERNEL);
	va_list args;
	char name[16];
	int ret;

	if (!w)
		return ERR_PTR(-ENOMEM);
	w->kw.flags = flags;
	raw_spin_lock_init(&w->kw.lock);
	INIT_LIST_HEAD(&w->kw.work_list);
	INIT_LIST_HEAD(&w->kw.delayed_work_list);
	init_waitqueue_head(&w->work);
	init_waitqueue_head(&w->done);
	init_completion(&w->exited);

	va_start(args, fmt);
	vsnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	ret = ksplit_thread_create(name, worker_main, w);
	if (ret) {
		kfree(w);
		return ERR_PTR(ret);
	}
	return &w->kw;
}

bool kthread_queue_work(struct kthread_worker *kw, struct kthread_work *work)
{
	struct worker *w = to_worker(kw);
	unsigned long flags;
	bool queued = false;

	raw_spin_lock_irqsave(&kw->lock, flags);
	if (list_empty(&work->node) && !work->canceling) {
		work->worker = kw;
		list_add_tail(&work->node, &kw->work_list);
		queued = true;
	}
	raw_spin_unlock_irqrestore(&kw->lock, flags);
	if (queued)
		wake_up(&w->work);
	return queued;
}

static bool work_is_done(struct worker *w, struct kthread_work *work)
{
	bool done;

	raw_spin_lock_irq(&w->kw.lock);
	done = list_empty(&work->node) && w->kw.current_work != work;
	raw_spin_unlock_irq(&w->kw.lock);
	return done;
}

void kthread_flush_work(struct kthread_work *work)
{
	struct kthread_worker *kw = READ_ONCE(work->worker);

	if (kw)
		wait_event(to_worker(kw)->done, work_is_done(to_worker(kw), work));
}

bool kthread_cancel_work_sync(struct kthread_work *work)
{
	struct kthread_worker *kw = READ_ONCE(work->worker);
	bool pending;

	if (!kw)
		return false;
	raw_spin_lock_irq(&kw->lock);
	pending = !list_empty(&work->node);
	list_del_init(&work->node);
	work->canceling++;
	raw_spin_unlock_irq(&kw->lock);

	wait_event(to_worker(kw)->done, work_is_done(to_worker(kw), work));

	raw_spin_lock_irq(&kw->lock);
	work->canceling--;
	raw_spin_unlock_irq(&kw->lock);
	return pending;
}

static bool worker_is_idle(struct worker *w)
{
	bool idle;

	raw_spin_lock_irq(&w->kw.lock);
	idle = list_empty(&w->kw.work_list) && !w->kw.current_work;
	raw_spin_unlock_irq(&w->kw.lock);
	return idle;
}

void kthread_flush_worker(struct kthread_worker *kw)
{
	struct worker *w = to_worker(kw);

	wait_event(w->done, worker_is_idle(w));
}

/* Works that are still queued run first, as upstream flushes. */
void kthread_destroy_worker(struct kthread_worker *kw)
{
	struct worker *w = to_worker(kw);

	WRITE_ONCE(w->stop, true);
	wake_up(&w->work);
	wait_for_completion(&w->exited);
	kfree(w);
}

/* -------------------------------------------------------- vhost tasks --- */

struct vhost_task {
	bool (*fn)(void *data);
	void *data;
	struct task_struct *task;
	struct completion start;
	bool stop;
	struct completion exited;
};

/* kernel/vhost_task.c, but for fatal signals: those end the process. */
static void vhost_task_main(void *arg)
{
	struct vhost_task *vtsk = arg;

	wait_for_completion(&vtsk->start);
	for (;;) {
		/* Before the look at ->stop and at what @fn looks at. */
		set_current_state(TASK_INTERRUPTIBLE);
		if (READ_ONCE(vtsk->stop)) {
			__set_current_state(TASK_RUNNING);
			break;
		}
		if (!vtsk->fn(vtsk->data))
			schedule();
	}
	complete(&vtsk->exited);
}

struct vhost_task *vhost_task_create(bool (*fn)(void *),
				     void (*handle_kill)(void *), void *arg,
				     const char *name)
{
	struct vhost_task *vtsk = kzalloc(sizeof(*vtsk), GFP_KERNEL);
	struct ksplit_thread *t;
	int ret;

	if (!vtsk)
		return ERR_PTR(-ENOMEM);
	vtsk->fn = fn;
	vtsk->data = arg;
	init_completion(&vtsk->start);
	init_completion(&vtsk->exited);

	ret = -EAGAIN;
	t = ksplit_thread_alloc(name);
	if (!t)
		goto fail;
	vtsk->task = &t->task;
	t->fn = vhost_task_main;
	t->arg = vtsk;
	ret = ksplit_thread_launch(t);
	if (ret)
		goto fail;
	return vtsk;
fail:
	kfree(vtsk);
	return ERR_PTR(ret);
}

void vhost_task_start(struct vhost_task *vtsk)
{
	complete(&vtsk->start);
}

void vhost_task_wake(struct vhost_task *vtsk)
{
	wake_up_process(vtsk->task);
}

void vhost_task_stop(struct vhost_task *vtsk)
{
	WRITE_ONCE(vtsk->stop, true);
	vhost_task_wake(vtsk);
	complete(&vtsk->start);		/* if it never was started */
	wait_for_completion(&vtsk->exited);
	kfree(vtsk);
}

/* ------------------------------------------- for kernel/sched/wait.c ---- */

/* There is no kthread_stop(): no kthread of ours is waited for by that name. */
bool kthread_should_stop_or_park(void)
{
	return false;
}
