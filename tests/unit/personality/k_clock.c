// SPDX-License-Identifier: GPL-2.0-only
/*
 * The timekeeper on a simulated TSC: exact while the raw clock follows the
 * TSC, and given up when it does not.
 */
#include <linux/clocksource.h>
#include <linux/pvclock_gtod.h>
#include <linux/timekeeper_internal.h>
#include <asm/tsc.h>

#include "internal.h"
#include "../tests/unit/personality/ktest.h"

#define KHZ		2394375
#define START		0x123456789abcULL

static int notified;
static struct timekeeper seen;
static u64 sim_tsc = START;
static u32 sim_mult, sim_shift;
static s64 raw_error, real_offset = 1700000000LL * NSEC_PER_SEC;

static u64 sim_raw(u64 tsc)
{
	return 5000000000ULL + mul_u64_u32_shr(tsc - START, sim_mult, sim_shift);
}

/* In the place of time_host.c.  The monotonic clock is 40 ppm fast. */
struct host_tsc_pair host_tsc_pair(int clk)
{
	struct host_tsc_pair pair = { .error = 20 + kt_random() % 30 };
	u64 raw, mono;

	sim_tsc += 500;
	raw = sim_raw(sim_tsc);
	mono = raw + (raw - 5000000000ULL) / 25000;
	pair.tsc = sim_tsc + kt_random() % pair.error;
	switch (clk) {
	case HOST_CLOCK_RAW:
		pair.ns = raw + raw_error;
		break;
	case HOST_CLOCK_REALTIME:
		pair.ns = mono + real_offset;
		break;
	default:
		pair.ns = mono;
	}
	return pair;
}

static int notify(struct notifier_block *nb, unsigned long unused, void *priv)
{
	seen = *(struct timekeeper *)priv;
	notified++;
	return 0;
}

static struct notifier_block nb = { .notifier_call = notify };

/* KVM's vgettsc() and do_kvmclock_base(), do_realtime(). */
static u64 read_base(const struct tk_read_base *tkr, u64 tsc)
{
	return (tkr->xtime_nsec + (tsc - tkr->cycle_last) * tkr->mult) >>
	       tkr->shift;
}

static u64 distance(u64 a, u64 b)
{
	return a > b ? a - b : b - a;
}

static void pass_second(void)
{
	sim_tsc += KHZ * 1000ULL;
	ksplit_timekeeper_tick();
}

static void start(void)
{
	clocks_calc_mult_shift(&sim_mult, &sim_shift, KHZ, USEC_PER_SEC, 600000);
	tsc_khz = KHZ;
	/* What passes during the first check's sleep. */
	sim_tsc += KHZ * 5;
	CHECK(!pvclock_gtod_register_notifier(&nb));
	CHECK(notified == 1);
}

void timekeeper_follows_tsc(void)
{
	u64 first = 0, d;
	int i;

	start();
	CHECK(seen.tkr_mono.clock->vdso_clock_mode == VDSO_CLOCKMODE_TSC);
	for (i = 0; i < 10000; i++) {
		u64 tsc = sim_tsc + kt_random() % (KHZ * 1000ULL), raw, wall;

		raw = seen.tkr_raw.base + read_base(&seen.tkr_raw, tsc);
		d = distance(raw, sim_raw(tsc));
		/* The anchor's error, and always the same one: no drift. */
		CHECK(d < 50);
		if (!i)
			first = d;
		CHECK(distance(d, first) <= 1);

		wall = seen.xtime_sec * NSEC_PER_SEC + read_base(&seen.tkr_mono, tsc);
		raw = sim_raw(tsc);
		if (i > 2)	/* its rate is known from the second tick on */
			CHECK(distance(wall, real_offset + raw +
				       (raw - 5000000000ULL) / 25000) < 2000);
		pass_second();
		CHECK(seen.tkr_mono.clock->vdso_clock_mode == VDSO_CLOCKMODE_TSC);
	}

	/* The wall clock is set. */
	real_offset += 12345 * NSEC_PER_MSEC;
	pass_second();
	CHECK(distance(seen.xtime_sec * NSEC_PER_SEC +
		       read_base(&seen.tkr_mono, seen.tkr_mono.cycle_last),
		       real_offset + seen.tkr_mono.base +
		       read_base(&seen.tkr_mono, seen.tkr_mono.cycle_last)) < 2000);
	pvclock_gtod_unregister_notifier(&nb);
	i = notified;
	ksplit_timekeeper_tick();
	CHECK(notified == i);
}

/* The wall clock at a TSC value, in ns. */
static u64 real_at(u64 tsc)
{
	u64 raw = sim_raw(tsc);

	return real_offset + raw + (raw - 5000000000ULL) / 25000;
}

/* A step is seen without a second's wait; what was measured so far stays. */
void timekeeper_between_ticks(void)
{
	u64 tsc;
	int i;

	start();
	for (i = 0; i < 3; i++)
		pass_second();
	for (i = 0; i < 3; i++) {
		real_offset -= 1000LL * NSEC_PER_SEC;
		ksplit_timekeeper_tick();
		tsc = sim_tsc + KHZ * 900ULL;
		CHECK(distance(seen.xtime_sec * NSEC_PER_SEC + read_base(&seen.tkr_mono, tsc),
			       real_at(tsc)) < 2000);
	}
	pvclock_gtod_unregister_notifier(&nb);
}

void timekeeper_gives_up(void)
{
	start();
	pass_second();
	CHECK(seen.tkr_mono.clock->vdso_clock_mode == VDSO_CLOCKMODE_TSC);
	raw_error = 2000;	/* another clock source has taken over */
	pass_second();
	CHECK(seen.tkr_mono.clock->vdso_clock_mode == VDSO_CLOCKMODE_NONE);
	raw_error = 0;
	pass_second();
	CHECK(seen.tkr_mono.clock->vdso_clock_mode == VDSO_CLOCKMODE_NONE);
	pvclock_gtod_unregister_notifier(&nb);
}

/* That it looks well between two readings says nothing of other CPUs, and of later. */
void timekeeper_unstable(void)
{
	mark_tsc_unstable("on the host");
	start();
	CHECK(seen.tkr_mono.clock->vdso_clock_mode == VDSO_CLOCKMODE_NONE);
	pass_second();
	CHECK(seen.tkr_mono.clock->vdso_clock_mode == VDSO_CLOCKMODE_NONE);
	pvclock_gtod_unregister_notifier(&nb);
}

void timekeeper_found_unstable(void)
{
	start();
	pass_second();
	CHECK(seen.tkr_mono.clock->vdso_clock_mode == VDSO_CLOCKMODE_TSC);
	mark_tsc_unstable("by KVM");
	pass_second();
	CHECK(seen.tkr_mono.clock->vdso_clock_mode == VDSO_CLOCKMODE_NONE);
	pvclock_gtod_unregister_notifier(&nb);
}

void timekeeper_without_tsc(void)
{
	CHECK(!tsc_khz);
	CHECK(!pvclock_gtod_register_notifier(&nb));
	CHECK(notified == 1);
	CHECK(seen.tkr_mono.clock->vdso_clock_mode == VDSO_CLOCKMODE_NONE);
	pvclock_gtod_unregister_notifier(&nb);
}
