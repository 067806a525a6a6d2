// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workqueues: one thread for each; those of the system start with their first work.
 *
 * Invariants: a work is on its queue's list exactly while its PENDING bit is
 * set and no delayed_work timer or canceller holds the bit; the bit is clear
 * before the function runs, so that the function may queue the work again; a
 * work never runs twice at a time, since it always goes to the queue whose
 * thread runs it.  work->data keeps the queue it was last on, for flush_work().
 *
 * Upstream runs works of one queue at the same time on different CPUs.  None
 * of KVM's works waits for another one of the same queue.
 */
#include <linux/completion.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#include "internal.h"
#include "ksplit_log.h"

/* The low bits of work->data are flags: upstream's alignment will do. */
struct workqueue_struct {
	raw_spinlock_t lock;
	struct list_head works;
	struct work_struct *running;
	u32 seq;		/* counts queued works; the thread's futex */
	u32 asleep;
	u32 done_seq;		/* counts finished works; the waiters' futex */
	u32 waiters;
	bool started;
	bool dying;
	bool dead;
	char name[16];
} __aligned(1 << WORK_STRUCT_PWQ_SHIFT);

#define SYSTEM_WQ(var, text)						\
	static struct workqueue_struct var##_struct = {			\
		.lock	= __RAW_SPIN_LOCK_UNLOCKED(var##_struct.lock),	\
		.works	= LIST_HEAD_INIT(var##_struct.works),		\
		.name	= text,						\
	};								\
	struct workqueue_struct *var __read_mostly = &var##_struct

SYSTEM_WQ(system_wq, "events");
SYSTEM_WQ(system_percpu_wq, "events_percpu");
SYSTEM_WQ(system_highpri_wq, "events_highpri");
SYSTEM_WQ(system_long_wq, "events_long");
SYSTEM_WQ(system_unbound_wq, "events_unbound");
SYSTEM_WQ(system_dfl_wq, "events_dfl");

static struct workqueue_struct *work_wq(struct work_struct *work)
{
	unsigned long data = atomic_long_read(&work->data);

	/* Off-queue data of WORK_DATA_INIT() has no PWQ flag. */
	if (!(data & WORK_STRUCT_PWQ))
		return NULL;
	return (void *)(data & WORK_STRUCT_PWQ_MASK);
}

static void set_work_wq(struct work_struct *work, struct workqueue_struct *wq,
			unsigned long flags)
{
	atomic_long_set(&work->data, (unsigned long)wq | WORK_STRUCT_PWQ | flags);
}

/* --------------------------------------------------------- the thread --- */

static void wake_waiters(struct workqueue_struct *wq)
{
	WRITE_ONCE(wq->done_seq, wq->done_seq + 1);
	if (wq->waiters)
		host_futex_wake(&wq->done_seq, INT_MAX);
}

static void worker(void *arg)
{
	struct workqueue_struct *wq = arg;
	struct work_struct *work;
	u32 seq;

	raw_spin_lock_irq(&wq->lock);
	for (;;) {
		work = list_first_entry_or_null(&wq->works, struct work_struct,
						entry);
		if (work) {
			work_func_t fn = work->func;

			list_del_init(&work->entry);
			wq->running = work;
			set_work_wq(work, wq, 0);	/* no longer pending */
			raw_spin_unlock_irq(&wq->lock);

			fn(work);	/* may free the work */

			raw_spin_lock_irq(&wq->lock);
			wq->running = NULL;
			wake_waiters(wq);
			continue;
		}
		if (wq->dying)
			break;

		seq = wq->seq;
		wq->asleep = 1;
		raw_spin_unlock_irq(&wq->lock);
		ksplit_idle_enter();
		host_futex_wait(&wq->seq, seq, HOST_FOREVER);
		ksplit_idle_exit();
		raw_spin_lock_irq(&wq->lock);
		wq->asleep = 0;
	}
	wq->dead = true;
	wake_waiters(wq);
	raw_spin_unlock_irq(&wq->lock);
}

/* The caller owns the work's PENDING bit. */
static void insert_work(struct workqueue_struct *wq, struct work_struct *work)
{
	bool start = false, wake = false;
	unsigned long flags;

	raw_spin_lock_irqsave(&wq->lock, flags);
	set_work_wq(work, wq, WORK_STRUCT_PENDING);
	list_add_tail(&work->entry, &wq->works);
	wq->seq++;
	if (!wq->started)
		start = wq->started = true;
	else
		wake = wq->asleep;
	raw_spin_unlock_irqrestore(&wq->lock, flags);

	if (start && ksplit_thread_create(wq->name, worker, wq))
		ksplit_abort("no thread for a workqueue");
	if (wake)
		host_futex_wake(&wq->seq, 1);
}

bool queue_work_on(int cpu, struct workqueue_struct *wq, struct work_struct *work)
{
	if (test_and_set_bit(WORK_STRUCT_PENDING_BIT, work_data_bits(work)))
		return false;
	insert_work(wq, work);
	return true;
}

/* ------------------------------------------------------ delayed works --- */

void delayed_work_timer_fn(struct timer_list *t)
{
	struct delayed_work *dwork = from_timer(dwork, t, timer);

	insert_work(dwork->wq, &dwork->work);
}

bool queue_delayed_work_on(int cpu, struct workqueue_struct *wq,
			   struct delayed_work *dwork, unsigned long delay)
{
	struct work_struct *work = &dwork->work;

	if (test_and_set_bit(WORK_STRUCT_PENDING_BIT, work_data_bits(work)))
		return false;
	if (!delay) {
		insert_work(wq, work);
		return true;
	}
	dwork->wq = wq;
	dwork->cpu = cpu;
	ksplit_update_jiffies();
	mod_timer(&dwork->timer, jiffies + delay);
	return true;
}

/* --------------------------------------------------- flush and cancel --- */

/* With wq->lock held, which is dropped for the time of the wait. */
static void wait_done(struct workqueue_struct *wq)
{
	u32 seq = wq->done_seq;

	wq->waiters++;
	raw_spin_unlock_irq(&wq->lock);
	ksplit_idle_enter();
	host_futex_wait(&wq->done_seq, seq, HOST_FOREVER);
	ksplit_idle_exit();
	raw_spin_lock_irq(&wq->lock);
	wq->waiters--;
}

static bool work_on_list(struct workqueue_struct *wq, struct work_struct *work)
{
	struct work_struct *w;

	list_for_each_entry(w, &wq->works, entry)
		if (w == work)
			return true;
	return false;
}

/* The queue on which the work is or was last, locked; NULL: none. */
static struct workqueue_struct *lock_work_wq(struct work_struct *work)
{
	struct workqueue_struct *wq;

	while ((wq = work_wq(work))) {
		raw_spin_lock_irq(&wq->lock);
		if (work_wq(work) == wq)
			return wq;
		raw_spin_unlock_irq(&wq->lock);
	}
	return NULL;
}

/*
 * Wait for the last queueing of the work to have run.  If the work queues
 * itself again this waits for that, too; upstream waits for the earlier one.
 */
bool flush_work(struct work_struct *work)
{
	struct workqueue_struct *wq = lock_work_wq(work);
	bool waited = false;

	if (!wq)
		return false;
	while (wq->running == work || work_on_list(wq, work)) {
		waited = true;
		wait_done(wq);
	}
	raw_spin_unlock_irq(&wq->lock);
	return waited;
}

bool flush_delayed_work(struct delayed_work *dwork)
{
	if (timer_delete_sync(&dwork->timer))
		insert_work(dwork->wq, &dwork->work);
	return flush_work(&dwork->work);
}

/*
 * Take the PENDING bit for the canceller: off the list, from the timer, or
 * because nobody had it.  While it is held the work cannot be queued.  Returns
 * whether the work was pending.
 */
static bool grab_pending(struct work_struct *work, struct delayed_work *dwork)
{
	struct workqueue_struct *wq;
	bool taken;

	for (;;) {
		if (dwork && timer_delete_sync(&dwork->timer))
			return true;
		if (!test_and_set_bit(WORK_STRUCT_PENDING_BIT,
				      work_data_bits(work)))
			return false;
		wq = lock_work_wq(work);
		if (wq) {
			taken = work_on_list(wq, work);
			if (taken)
				list_del_init(&work->entry);
			raw_spin_unlock_irq(&wq->lock);
			if (taken)
				return true;
		}
		/* In between: being queued, or another canceller has it. */
		host_sleep_ns(1000);
	}
}

static bool cancel_sync(struct work_struct *work, struct delayed_work *dwork)
{
	struct workqueue_struct *wq;
	bool pending;

	pending = grab_pending(work, dwork);
	wq = lock_work_wq(work);
	if (wq) {
		while (wq->running == work)
			wait_done(wq);
		raw_spin_unlock_irq(&wq->lock);
	}
	clear_bit_unlock(WORK_STRUCT_PENDING_BIT, work_data_bits(work));
	return pending;
}

bool cancel_work_sync(struct work_struct *work)
{
	return cancel_sync(work, NULL);
}

bool cancel_delayed_work_sync(struct delayed_work *dwork)
{
	return cancel_sync(&dwork->work, dwork);
}

bool cancel_work(struct work_struct *work)
{
	bool pending = grab_pending(work, NULL);

	clear_bit_unlock(WORK_STRUCT_PENDING_BIT, work_data_bits(work));
	return pending;
}

bool cancel_delayed_work(struct delayed_work *dwork)
{
	bool pending = grab_pending(&dwork->work, dwork);

	clear_bit_unlock(WORK_STRUCT_PENDING_BIT, work_data_bits(&dwork->work));
	return pending;
}

bool mod_delayed_work_on(int cpu, struct workqueue_struct *wq,
			 struct delayed_work *dwork, unsigned long delay)
{
	bool pending = grab_pending(&dwork->work, dwork);

	clear_bit_unlock(WORK_STRUCT_PENDING_BIT, work_data_bits(&dwork->work));
	queue_delayed_work_on(cpu, wq, dwork, delay);
	return pending;
}

struct flush_work_item {
	struct work_struct work;
	struct completion done;
};

static void flush_item_fn(struct work_struct *work)
{
	complete(&container_of(work, struct flush_work_item, work)->done);
}

/* Everything queued before; the list is in order. */
void __flush_workqueue(struct workqueue_struct *wq)
{
	struct flush_work_item item;

	INIT_WORK_ONSTACK(&item.work, flush_item_fn);
	init_completion(&item.done);
	queue_work_on(WORK_CPU_UNBOUND, wq, &item.work);
	wait_for_completion(&item.done);
	/* The worker is done with the item once it no longer runs it. */
	flush_work(&item.work);
}

void drain_workqueue(struct workqueue_struct *wq)
{
	raw_spin_lock_irq(&wq->lock);
	while (wq->running || !list_empty(&wq->works))
		wait_done(wq);
	raw_spin_unlock_irq(&wq->lock);
}

/* --------------------------------------------------------- life cycle --- */

struct workqueue_struct *alloc_workqueue(const char *fmt, unsigned int flags,
					 int max_active, ...)
{
	struct workqueue_struct *wq;
	va_list args;

	wq = host_alloc(sizeof(*wq), __alignof__(*wq), 1);
	if (!wq)
		return NULL;
	raw_spin_lock_init(&wq->lock);
	INIT_LIST_HEAD(&wq->works);
	va_start(args, max_active);
	vsnprintf(wq->name, sizeof(wq->name), fmt, args);
	va_end(args);
	/*
	 * At once, while a thread can still be of any kind: KVM's own queue is
	 * that of irqfds that go, which takes what only the poller may do else.
	 */
	wq->started = true;
	if (ksplit_thread_create(wq->name, worker, wq)) {
		host_free(wq);
		return NULL;
	}
	return wq;
}

void destroy_workqueue(struct workqueue_struct *wq)
{
	drain_workqueue(wq);
	raw_spin_lock_irq(&wq->lock);
	wq->dying = true;
	wq->seq++;
	if (wq->started) {
		host_futex_wake(&wq->seq, 1);
		while (!wq->dead)
			wait_done(wq);
	}
	raw_spin_unlock_irq(&wq->lock);
	host_free(wq);
}
