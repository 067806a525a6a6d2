// SPDX-License-Identifier: GPL-2.0-only
/*
 * Timers and clocks: never early, in order, gone after cancel.
 */
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/timer.h>

#include "internal.h"
#include "../tests/unit/personality/ktest.h"

#define MS(n)	((n) * (s64)NSEC_PER_MSEC)

struct stamp {
	struct hrtimer timer;
	ktime_t at;
	u32 fired;
	raw_spinlock_t lock;	/* hrtimer_storm */
};

static u32 order;

static enum hrtimer_restart stamp_fn(struct hrtimer *timer)
{
	struct stamp *s = container_of(timer, struct stamp, timer);

	CHECK(irq_is_off());
	s->at = timer->base->get_time();
	smp_store_release(&s->fired, ++order);
	return HRTIMER_NORESTART;
}

static void stamp_init(struct stamp *s, clockid_t clock)
{
	hrtimer_init(&s->timer, clock, HRTIMER_MODE_ABS);
	s->timer.function = stamp_fn;
	s->fired = 0;
}

static void wait_fired(struct stamp *s)
{
	while (!smp_load_acquire(&s->fired))
		host_sleep_ns(100000);
}

void hrtimer_not_early(void)
{
	static const clockid_t clocks[] = {
		CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME,
	};
	struct stamp s;
	int i, rel;

	for (i = 0; i < ARRAY_SIZE(clocks); i++) {
		for (rel = 0; rel < 2; rel++) {
			ktime_t start, want;

			stamp_init(&s, clocks[i]);
			start = s.timer.base->get_time();
			want = ktime_add_ns(start, MS(20));
			if (rel)
				hrtimer_start(&s.timer, MS(20), HRTIMER_MODE_REL);
			else
				hrtimer_start(&s.timer, want, HRTIMER_MODE_ABS);
			CHECK(hrtimer_active(&s.timer));
			CHECK(hrtimer_get_remaining(&s.timer) <= MS(20));
			wait_fired(&s);
			CHECK(s.at >= want);
			CHECK(s.at < want + MS(1000));
			CHECK(hrtimer_cancel(&s.timer) == 0);
			CHECK(!hrtimer_active(&s.timer));
		}
	}

	/* In the past: at once. */
	stamp_init(&s, CLOCK_MONOTONIC);
	hrtimer_start(&s.timer, 1, HRTIMER_MODE_ABS);
	wait_fired(&s);
	hrtimer_cancel(&s.timer);
}

void hrtimer_order(void)
{
	static const int ms[] = { 30, 10, 50, 20, 40 };
	struct stamp s[ARRAY_SIZE(ms)];
	ktime_t now = ktime_get();
	int i;

	for (i = 0; i < ARRAY_SIZE(ms); i++) {
		stamp_init(&s[i], CLOCK_MONOTONIC);
		hrtimer_start(&s[i].timer, now + MS(ms[i]), HRTIMER_MODE_ABS);
	}
	for (i = 0; i < ARRAY_SIZE(ms); i++)
		wait_fired(&s[i]);
	for (i = 0; i < ARRAY_SIZE(ms); i++) {
		CHECK(s[i].fired == ms[i] / 10);
		CHECK(s[i].at >= now + MS(ms[i]));
		hrtimer_cancel(&s[i].timer);
	}
}

/* The thread sleeps for the first one; the second one is sooner. */
void hrtimer_earlier_one_wakes(void)
{
	struct stamp late, soon;
	ktime_t now = ktime_get();

	stamp_init(&late, CLOCK_MONOTONIC);
	stamp_init(&soon, CLOCK_MONOTONIC);
	hrtimer_start(&late.timer, MS(10000), HRTIMER_MODE_REL);
	host_sleep_ns(MS(20));
	hrtimer_start(&soon.timer, MS(5), HRTIMER_MODE_REL);
	wait_fired(&soon);
	CHECK(ktime_get() - now < MS(5000));
	CHECK(!late.fired);
	/* Moved forward while it is queued. */
	hrtimer_start(&late.timer, MS(5), HRTIMER_MODE_REL);
	wait_fired(&late);
	CHECK(ktime_get() - now < MS(5000));
	hrtimer_cancel(&late.timer);
	hrtimer_cancel(&soon.timer);
}

static u32 cb_entered, cb_left;

static enum hrtimer_restart slow_fn(struct hrtimer *timer)
{
	WRITE_ONCE(cb_entered, 1);
	host_sleep_ns(MS(50));
	WRITE_ONCE(cb_left, 1);
	return HRTIMER_RESTART;		/* the canceller is stronger */
}

void hrtimer_cancel_waits(void)
{
	struct stamp s;

	/* Before it fires. */
	stamp_init(&s, CLOCK_MONOTONIC);
	hrtimer_start(&s.timer, MS(20), HRTIMER_MODE_REL);
	CHECK(hrtimer_cancel(&s.timer) == 1);
	host_sleep_ns(MS(50));
	CHECK(!s.fired);

	/* While it runs. */
	s.timer.function = slow_fn;
	hrtimer_start(&s.timer, 0, HRTIMER_MODE_REL);
	while (!READ_ONCE(cb_entered))
		cpu_relax();
	CHECK(hrtimer_try_to_cancel(&s.timer) == -1);
	CHECK(hrtimer_active(&s.timer));
	hrtimer_cancel(&s.timer);
	CHECK(READ_ONCE(cb_left));
	CHECK(!hrtimer_active(&s.timer));
}

static u32 ticks;
static u64 overruns;

static enum hrtimer_restart tick_fn(struct hrtimer *timer)
{
	overruns += hrtimer_forward_now(timer, MS(2));
	WRITE_ONCE(ticks, ticks + 1);
	return HRTIMER_RESTART;
}

void hrtimer_periodic(void)
{
	ktime_t start = ktime_get(), end;
	struct stamp s;

	stamp_init(&s, CLOCK_MONOTONIC);
	s.timer.function = tick_fn;
	hrtimer_start(&s.timer, MS(2), HRTIMER_MODE_REL);
	while (READ_ONCE(ticks) < 20)
		host_sleep_ns(MS(1));
	hrtimer_cancel(&s.timer);
	end = ktime_get();
	CHECK(end - start >= MS(40));
	/* Ticks plus overruns make up the time; none is lost or made up. */
	CHECK(overruns <= (end - start) / MS(2));
	CHECK(overruns >= 20);
}

static u32 freed;

static enum hrtimer_restart free_fn(struct hrtimer *timer)
{
	kfree(container_of(timer, struct stamp, timer));
	smp_store_release(&freed, freed + 1);
	return HRTIMER_NORESTART;
}

void hrtimer_freed_by_callback(void)
{
	int i;

	for (i = 0; i < 100; i++) {
		struct stamp *s = kmalloc(sizeof(*s), GFP_KERNEL);

		stamp_init(s, CLOCK_MONOTONIC);
		s->timer.function = free_fn;
		hrtimer_start(&s->timer, i * 10000, HRTIMER_MODE_REL);
	}
	while (smp_load_acquire(&freed) < 100)
		host_sleep_ns(MS(1));
}

static enum hrtimer_restart storm_fn(struct hrtimer *timer)
{
	struct stamp *s = container_of(timer, struct stamp, timer);

	CHECK(s->fired != ~0u);
	s->fired++;
	/* Who started it anew meanwhile has set its time. */
	guard(raw_spinlock)(&s->lock);
	if (hrtimer_is_queued(timer) || kt_random() % 2)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, 20000);
	return HRTIMER_RESTART;
}

static void storm_thread(void *arg)
{
	int i, j;

	for (i = 0; i < 2000; i++) {
		struct stamp *s = kmalloc(sizeof(*s), GFP_KERNEL);

		stamp_init(s, CLOCK_MONOTONIC);
		raw_spin_lock_init(&s->lock);
		s->timer.function = storm_fn;
		for (j = kt_random() % 4; j >= 0; j--) {
			scoped_guard(raw_spinlock, &s->lock)
				hrtimer_start(&s->timer, kt_random() % 50000, HRTIMER_MODE_REL);
			if (kt_random() % 4 == 0)
				host_sleep_ns(kt_random() % 60000);
		}
		hrtimer_cancel(&s->timer);
		CHECK(!hrtimer_active(&s->timer));
		s->fired = ~0u;
		kfree(s);
	}
}

void hrtimer_storm(void)
{
	int i;

	for (i = 0; i < 4; i++)
		kt_spawn(storm_thread, NULL);
	kt_join();
}

struct tl {
	struct timer_list timer;
	unsigned long at;
	u32 fired;
};

static void tl_fn(struct timer_list *timer)
{
	struct tl *tl = from_timer(tl, timer, timer);

	tl->at = jiffies;
	smp_store_release(&tl->fired, ++order);
}

void timer_list_order(void)
{
	struct tl a, b, c;
	unsigned long now;

	timer_setup(&a.timer, tl_fn, 0);
	timer_setup(&b.timer, tl_fn, 0);
	timer_setup(&c.timer, tl_fn, 0);
	a.fired = b.fired = c.fired = 0;
	CHECK(!timer_pending(&a.timer));

	ktime_get();	/* jiffies is of now */
	now = jiffies;
	CHECK(mod_timer(&a.timer, now + 12) == 0);
	CHECK(mod_timer(&b.timer, now + 4) == 0);
	CHECK(mod_timer(&c.timer, now + 8) == 0);
	CHECK(timer_pending(&b.timer));
	CHECK(mod_timer(&a.timer, now + 6) == 1);
	CHECK(del_timer_sync(&c.timer) == 1);
	CHECK(del_timer_sync(&c.timer) == 0);
	while (!smp_load_acquire(&a.fired) || !smp_load_acquire(&b.fired))
		host_sleep_ns(MS(1));
	CHECK(b.fired == 1 && a.fired == 2);
	CHECK(time_after_eq(b.at, now + 4));
	CHECK(time_after_eq(a.at, now + 6));
	host_sleep_ns(MS(50));
	CHECK(!c.fired);
	del_timer_sync(&a.timer);
	del_timer_sync(&b.timer);
}

void clocks_agree(void)
{
	unsigned long j0;
	ktime_t t0, t1;
	struct timespec64 ts;

	t0 = ktime_get();
	j0 = jiffies;
	host_sleep_ns(MS(100));
	t1 = ktime_get();
	CHECK(t1 - t0 >= MS(100));
	CHECK(jiffies - j0 >= msecs_to_jiffies(100) - 1);
	CHECK(jiffies - j0 <= nsecs_to_jiffies(t1 - t0) + 1);
	CHECK(ktime_get_boottime() >= t1);
	ktime_get_real_ts64(&ts);
	CHECK(ts.tv_nsec >= 0 && ts.tv_nsec < NSEC_PER_SEC);
	CHECK(abs(ts.tv_sec - ktime_get_real_seconds()) <= 1);
	ts = ns_to_timespec64(-1);
	CHECK(ts.tv_sec == -1 && ts.tv_nsec == NSEC_PER_SEC - 1);
	CHECK(ktime_add_safe(KTIME_MAX, 1) == ktime_set(KTIME_SEC_MAX, 0));
}
