// SPDX-License-Identifier: GPL-2.0-only
/*
 * High-resolution timers: one thread, "timer", sleeps until the earliest one
 * expires and runs the callbacks, with interrupts off, one after the other.
 *
 * Invariants: a timer is in its base's queue if and only if HRTIMER_STATE_
 * ENQUEUED is set; both change under timer_lock only.  base->running is the
 * timer whose callback runs just now; hrtimer_cancel() returns after that.  A
 * timer may be freed by its own callback, or by anyone after hrtimer_cancel().
 */
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/timerqueue.h>

#include "internal.h"

unsigned int hrtimer_resolution = 1;

static ktime_t get_monotonic(void)
{
	return host_clock_ns(HOST_CLOCK_MONOTONIC);
}

static ktime_t get_realtime(void)
{
	return host_clock_ns(HOST_CLOCK_REALTIME);
}

static ktime_t get_boottime(void)
{
	return host_clock_ns(HOST_CLOCK_BOOTTIME);
}

static ktime_t get_tai(void)
{
	return host_clock_ns(HOST_CLOCK_TAI);
}

/* The timer thread looks at least that often at a clock that can be set. */
#define SETTABLE_POLL	(100 * (host_ns_t)NSEC_PER_MSEC)

static struct hrtimer_cpu_base cpu_base = {
	.hres_active = 1,
};

/* The soft bases stay unused: their timers go to the hard ones. */
static struct hrtimer_clock_base bases[] = {
	{ .cpu_base = &cpu_base, .clockid = CLOCK_MONOTONIC, .get_time = get_monotonic },
	{ .cpu_base = &cpu_base, .clockid = CLOCK_REALTIME, .get_time = get_realtime },
	{ .cpu_base = &cpu_base, .clockid = CLOCK_BOOTTIME, .get_time = get_boottime },
	{ .cpu_base = &cpu_base, .clockid = CLOCK_TAI, .get_time = get_tai },
};

static DEFINE_RAW_SPINLOCK(timer_lock);
static u32 timer_seq;		/* futex of the timer thread */
static host_ns_t timer_wake_at;	/* when it wakes by itself; 0: it is awake */
static u32 running_seq;		/* changes after each callback; cancellers' futex */

/* Who waits for a callback's end; under timer_lock. */
struct canceller {
	struct hrtimer *timer;
	bool restarted;		/* the callback wanted to go on */
	struct canceller *next;
};

static struct canceller *cancellers;
static struct task_struct *timer_task;
static struct completion timer_started;

static struct hrtimer_clock_base *base_of(clockid_t clock)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(bases); i++)
		if (bases[i].clockid == clock)
			return &bases[i];
	return &bases[0];
}

/* --------------------------------------------------------- the thread --- */

/* In CLOCK_MONOTONIC; HOST_FOREVER if there is no timer. */
static host_ns_t earliest(void)
{
	host_ns_t mono = 0, first = HOST_FOREVER, at;
	int i;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		struct timerqueue_node *node = timerqueue_getnext(&bases[i].active);
		ktime_t remaining;

		if (!node)
			continue;
		if (bases[i].clockid == CLOCK_MONOTONIC) {
			at = max_t(ktime_t, node->expires, 1);
		} else {
			mono = get_monotonic();
			remaining = ktime_sub(node->expires, bases[i].get_time());
			at = remaining > 0 ? mono + remaining : 1;
			if (bases[i].clockid != CLOCK_BOOTTIME)
				at = min(at, mono + SETTABLE_POLL);
		}
		first = min(first, at);
	}
	return first;
}

static void dequeue(struct hrtimer *timer)
{
	timerqueue_del(&timer->base->active, &timer->node);
	WRITE_ONCE(timer->state, HRTIMER_STATE_INACTIVE);
}

static void enqueue(struct hrtimer *timer)
{
	timerqueue_add(&timer->base->active, &timer->node);
	WRITE_ONCE(timer->state, HRTIMER_STATE_ENQUEUED);
}

/*
 * A timer that is being cancelled is not queued again: the thread would run it
 * at once if it is late, and the canceller might never find it at rest.
 */
static bool is_cancelled(struct hrtimer *timer)
{
	struct canceller *c;
	bool found = false;

	for (c = cancellers; c; c = c->next) {
		if (c->timer == timer) {
			c->restarted = true;
			found = true;
		}
	}
	return found;
}

/* With timer_lock held, which is dropped while the callback runs. */
static void expire(struct hrtimer_clock_base *base, struct hrtimer *timer)
{
	enum hrtimer_restart (*fn)(struct hrtimer *) = timer->function;
	enum hrtimer_restart restart;

	WRITE_ONCE(base->running, timer);
	dequeue(timer);
	raw_spin_unlock(&timer_lock);

	rcu_read_lock();	/* as in an interrupt */
	restart = fn(timer);
	rcu_read_unlock();

	raw_spin_lock(&timer_lock);
	/* It may be gone if it does not want to be restarted. */
	if (restart != HRTIMER_NORESTART &&
	    !(timer->state & HRTIMER_STATE_ENQUEUED) && !is_cancelled(timer))
		enqueue(timer);
	WRITE_ONCE(base->running, NULL);
	WRITE_ONCE(running_seq, running_seq + 1);
	if (cancellers)
		host_futex_wake(&running_seq, INT_MAX);
}

static bool expire_due(void)
{
	bool any = false;
	int i;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		struct hrtimer_clock_base *base = &bases[i];
		struct timerqueue_node *node;
		ktime_t now;

		if (!timerqueue_getnext(&base->active))
			continue;
		now = base->get_time();
		while ((node = timerqueue_getnext(&base->active)) &&
		       node->expires <= now) {
			expire(base, container_of(node, struct hrtimer, node));
			any = true;
		}
	}
	return any;
}

static void timer_thread(void *arg)
{
	host_ns_t wake_at;
	u32 seq;

	timer_task = current;
	complete(&timer_started);
	raw_spin_lock_irq(&timer_lock);
	for (;;) {
		ksplit_update_jiffies();
		if (expire_due())
			continue;
		wake_at = earliest();
		timer_wake_at = wake_at;
		seq = timer_seq;
		raw_spin_unlock_irq(&timer_lock);

		ksplit_idle_enter();
		host_futex_wait(&timer_seq, seq, wake_at);
		ksplit_idle_exit();

		raw_spin_lock_irq(&timer_lock);
		timer_wake_at = 0;
	}
}

int ksplit_timers_init(void)
{
	int i, ret;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		bases[i].index = i;
		timerqueue_init_head(&bases[i].active);
	}
	init_completion(&timer_started);
	/* Threads inherit it. */
	host_wake_precisely();
	ret = ksplit_thread_create("timer", timer_thread, NULL);
	if (!ret)
		wait_for_completion(&timer_started);
	return ret;
}

/* ---------------------------------------------------------------- API --- */

void hrtimer_init(struct hrtimer *timer, clockid_t clock, enum hrtimer_mode mode)
{
	memset(timer, 0, sizeof(*timer));
	timer->base = base_of(clock);
	timerqueue_init(&timer->node);
}

bool hrtimer_active(const struct hrtimer *timer)
{
	bool active;
	unsigned long flags;

	raw_spin_lock_irqsave(&timer_lock, flags);
	active = timer->state != HRTIMER_STATE_INACTIVE ||
		 timer->base->running == timer;
	raw_spin_unlock_irqrestore(&timer_lock, flags);
	return active;
}

void hrtimer_start_range_ns(struct hrtimer *timer, ktime_t tim, u64 delta_ns,
			    const enum hrtimer_mode mode)
{
	unsigned long flags;
	bool wake = false;

	raw_spin_lock_irqsave(&timer_lock, flags);
	if (timer->state & HRTIMER_STATE_ENQUEUED)
		dequeue(timer);
	if (mode & HRTIMER_MODE_REL)
		tim = ktime_add_safe(tim, timer->base->get_time());
	hrtimer_set_expires_range_ns(timer, tim, delta_ns);
	enqueue(timer);

	/* Only a sleeper that would wake too late has to be woken. */
	if (timer_wake_at) {
		host_ns_t at = earliest();

		if (at < timer_wake_at) {
			timer_wake_at = at;
			WRITE_ONCE(timer_seq, timer_seq + 1);
			wake = true;
		}
	}
	raw_spin_unlock_irqrestore(&timer_lock, flags);
	if (wake)
		host_futex_wake(&timer_seq, 1);
}

int hrtimer_try_to_cancel(struct hrtimer *timer)
{
	unsigned long flags;
	int ret = 0;

	raw_spin_lock_irqsave(&timer_lock, flags);
	if (timer->base->running == timer) {
		ret = -1;
	} else if (timer->state & HRTIMER_STATE_ENQUEUED) {
		dequeue(timer);
		ret = 1;
	}
	raw_spin_unlock_irqrestore(&timer_lock, flags);
	return ret;
}

int hrtimer_cancel(struct hrtimer *timer)
{
	struct canceller self = { .timer = timer }, **p;
	unsigned long flags;
	u32 seq;
	int ret;

	ret = hrtimer_try_to_cancel(timer);
	if (ret >= 0)
		return ret;

	/* A callback that cancels its own timer waits for ever, as upstream. */
	WARN_ON_ONCE(current == timer_task);

	raw_spin_lock_irqsave(&timer_lock, flags);
	self.next = cancellers;
	cancellers = &self;
	while (timer->base->running == timer) {
		seq = running_seq;
		raw_spin_unlock_irqrestore(&timer_lock, flags);
		host_futex_wait(&running_seq, seq, HOST_FOREVER);
		raw_spin_lock_irqsave(&timer_lock, flags);
	}
	for (p = &cancellers; *p != &self; p = &(*p)->next)
		;
	*p = self.next;
	ret = self.restarted;
	if (timer->state & HRTIMER_STATE_ENQUEUED) {
		dequeue(timer);
		ret = 1;
	}
	raw_spin_unlock_irqrestore(&timer_lock, flags);
	return ret;
}

ktime_t __hrtimer_get_remaining(const struct hrtimer *timer, bool adjust)
{
	unsigned long flags;
	ktime_t rem;

	raw_spin_lock_irqsave(&timer_lock, flags);
	rem = hrtimer_expires_remaining(timer);
	raw_spin_unlock_irqrestore(&timer_lock, flags);
	return rem;
}

/* From kernel/time/hrtimer.c, which cannot be compiled apart. */
u64 hrtimer_forward(struct hrtimer *timer, ktime_t now, ktime_t interval)
{
	u64 orun = 1;
	ktime_t delta = ktime_sub(now, hrtimer_get_expires(timer));

	if (delta < 0)
		return 0;
	if (WARN_ON(timer->state & HRTIMER_STATE_ENQUEUED))
		return 0;
	if (interval < hrtimer_resolution)
		interval = hrtimer_resolution;

	if (unlikely(delta >= interval)) {
		s64 incr = ktime_to_ns(interval);

		orun = ktime_divns(delta, incr);
		hrtimer_add_expires_ns(timer, incr * orun);
		if (hrtimer_get_expires_tv64(timer) > now)
			return orun;
		/* For sub-interval remainders. */
		orun++;
	}
	hrtimer_add_expires(timer, interval);
	return orun;
}

ktime_t ktime_add_safe(const ktime_t lhs, const ktime_t rhs)
{
	ktime_t res = ktime_add_unsafe(lhs, rhs);

	/* Saturate, to KTIME_MAX, as kernel/time/hrtimer.c does. */
	if (res < 0 || res < lhs || res < rhs)
		res = ktime_set(KTIME_SEC_MAX, 0);
	return res;
}

/* -------------------------------------------- timers in jiffies --------- */

/*
 * struct timer_list has no room for an hrtimer, and few are ever pending: a
 * list sorted by expiry, driven by one hrtimer.  wheel_lock nests outside of
 * timer_lock.
 */
static HLIST_HEAD(wheel);
static DEFINE_RAW_SPINLOCK(wheel_lock);
static struct hrtimer wheel_timer;
static struct timer_list *wheel_running;
static bool wheel_ready;

static void wheel_arm(void)
{
	struct timer_list *first;
	host_ns_t at;
	long delta;

	if (hlist_empty(&wheel))
		return;
	first = hlist_entry(wheel.first, struct timer_list, entry);
	delta = first->expires - jiffies;
	at = host_clock_ns(HOST_CLOCK_MONOTONIC);
	/* The end of that jiffy, so that jiffies has reached ->expires. */
	if (delta > 0)
		at += jiffies_to_nsecs(delta);
	hrtimer_start(&wheel_timer, at, HRTIMER_MODE_ABS);
}

static enum hrtimer_restart wheel_fn(struct hrtimer *hrtimer)
{
	struct timer_list *timer;
	void (*fn)(struct timer_list *);

	ksplit_update_jiffies();
	raw_spin_lock(&wheel_lock);
	while (!hlist_empty(&wheel)) {
		timer = hlist_entry(wheel.first, struct timer_list, entry);
		if (time_after(timer->expires, jiffies))
			break;
		hlist_del_init(&timer->entry);
		fn = timer->function;
		WRITE_ONCE(wheel_running, timer);
		raw_spin_unlock(&wheel_lock);
		if (fn)
			fn(timer);
		raw_spin_lock(&wheel_lock);
		WRITE_ONCE(wheel_running, NULL);
	}
	wheel_arm();
	raw_spin_unlock(&wheel_lock);
	return HRTIMER_NORESTART;
}

static bool wheel_remove(struct timer_list *timer)
{
	if (!timer_pending(timer))
		return false;
	hlist_del_init(&timer->entry);
	return true;
}

static void wheel_insert(struct timer_list *timer)
{
	struct hlist_node *prev = NULL;
	struct timer_list *t;

	hlist_for_each_entry(t, &wheel, entry) {
		if (time_after(t->expires, timer->expires))
			break;
		prev = &t->entry;
	}
	if (prev)
		hlist_add_behind(&timer->entry, prev);
	else
		hlist_add_head(&timer->entry, &wheel);
}

void init_timer_key(struct timer_list *timer, void (*func)(struct timer_list *),
		    unsigned int flags, const char *name,
		    struct lock_class_key *key)
{
	timer->entry.pprev = NULL;
	timer->function = func;
	timer->flags = flags;
}

static int set_timer(struct timer_list *timer, unsigned long expires)
{
	unsigned long flags;
	int ret;

	ksplit_update_jiffies();
	raw_spin_lock_irqsave(&wheel_lock, flags);
	if (!wheel_ready) {
		hrtimer_init(&wheel_timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
		wheel_timer.function = wheel_fn;
		wheel_ready = true;
	}
	ret = wheel_remove(timer);
	timer->expires = expires;
	wheel_insert(timer);
	if (wheel.first == &timer->entry)
		wheel_arm();
	raw_spin_unlock_irqrestore(&wheel_lock, flags);
	return ret;
}

int mod_timer(struct timer_list *timer, unsigned long expires)
{
	return set_timer(timer, expires);
}

void add_timer(struct timer_list *timer)
{
	set_timer(timer, timer->expires);
}

void add_timer_on(struct timer_list *timer, int cpu)
{
	set_timer(timer, timer->expires);
}

int timer_delete(struct timer_list *timer)
{
	unsigned long flags;
	int ret;

	raw_spin_lock_irqsave(&wheel_lock, flags);
	ret = wheel_remove(timer);
	raw_spin_unlock_irqrestore(&wheel_lock, flags);
	return ret;
}

int timer_delete_sync(struct timer_list *timer)
{
	unsigned long flags;
	host_ns_t delay = 1000;
	bool running;
	int ret;

	for (;;) {
		raw_spin_lock_irqsave(&wheel_lock, flags);
		ret = wheel_remove(timer);
		running = wheel_running == timer;
		raw_spin_unlock_irqrestore(&wheel_lock, flags);
		if (!running)
			return ret;
		host_sleep_ns(delay);
		delay = min_t(host_ns_t, 2 * delay, NSEC_PER_MSEC);
	}
}
