// SPDX-License-Identifier: GPL-2.0-only
/*
 * The timekeeper that KVM reads for kvmclock's master clock.
 *
 * The host kernel computes CLOCK_MONOTONIC_RAW from the TSC as
 *
 *	ns = ns0 + ((tsc - tsc0) * mult >> shift)
 *
 * with a mult and a shift that follow from tsc_khz alone.  So one reading of
 * both (the anchor) gives the whole raw clock, and KVM's master clock then never
 * drifts from ktime_get_raw().  That holds only while the host's clock source
 * is the TSC.  Once a second the prediction is compared with the clock; if it
 * fails, or host or KVM have found that the TSC is unstable, the vDSO mode becomes
 * NONE, as upstream's does, and KVM serves kvmclock without a master clock for good.
 *
 * CLOCK_MONOTONIC is steered by NTP; its mult is measured from tick to tick.  With
 * it goes the wall clock, which may be set: then there is a tick at once.
 *
 * Invariants: the raw clock's values are always computed from the anchor, never
 * added up; offs_boot changes only when it really did (suspend), because it goes
 * into every guest's clock.
 */
#include <linux/clocksource.h>
#include <linux/hrtimer.h>
#include <linux/math64.h>
#include <linux/pvclock_gtod.h>
#include <linux/notifier.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/timekeeper_internal.h>
#include <asm/tsc.h>

#include "internal.h"

#define TICK		NSEC_PER_SEC
/* Prediction and clock may differ by the readings' errors and that much. */
#define SLACK_NS	200
/* And by 0.1 ppm of the time since the anchor. */
#define SLACK_SHARE	10000000
/* Differences of two clocks' readings are kept unless they change by more. */
#define OFFSET_NS	1000
#define OFFS_BOOT_NS	(10 * NSEC_PER_MSEC)
/* The anchor is checked for the first time after at least that long. */
#define FIRST_CHECK_NS	(5 * NSEC_PER_MSEC)

static struct clocksource clock = {
	.name		 = "host",
	.mask		 = CLOCKSOURCE_MASK(64),
	.vdso_clock_mode = VDSO_CLOCKMODE_NONE,
};

static struct timekeeper timekeeper;
static struct notifier_block *notifier;	/* KVM's */
static struct hrtimer tick_timer;

static struct host_tsc_pair anchor;	/* of CLOCK_MONOTONIC_RAW */
static struct host_tsc_pair last_mono;	/* where mono_mult was measured last */
static u32 mono_mult;
static s64 real_minus_mono;
static s64 slept_so_far;

/* A tick, a step of the clock and a client that asks may come together. */
static DEFINE_RAW_SPINLOCK(tick_lock);

/* From kernel/time/clocksource.c: what the host did to its clock source. */
void clocks_calc_mult_shift(u32 *mult, u32 *shift, u32 from, u32 to, u32 maxsec)
{
	u64 tmp = ((u64)maxsec * from) >> 32;
	u32 sft, sftacc = 32;

	while (tmp) {
		tmp >>= 1;
		sftacc--;
	}
	for (sft = 32; sft > 0; sft--) {
		tmp = (u64)to << sft;
		tmp += from / 2;
		do_div(tmp, from);
		if ((tmp >> sftacc) == 0)
			break;
	}
	*mult = tmp;
	*shift = sft;
}

/* As __clocksource_update_freq_scale() for a 64-bit source of khz. */
static void clock_set_freq(u32 khz)
{
	u32 maxadj;

	clocks_calc_mult_shift(&clock.mult, &clock.shift, khz, USEC_PER_SEC,
			       600 * 1000);
	for (;;) {
		maxadj = div_u64((u64)clock.mult * 11, 100);
		if (clock.mult + maxadj >= clock.mult &&
		    clock.mult - maxadj <= clock.mult)
			break;
		clock.mult >>= 1;
		clock.shift--;
	}
}

static u64 cycles_to_ns(u64 cycles)
{
	return mul_u64_u32_shr(cycles, clock.mult, clock.shift);
}

static bool raw_is_tsc(const struct host_tsc_pair *now)
{
	u64 elapsed = cycles_to_ns(now->tsc - anchor.tsc);
	u64 predicted = anchor.ns + elapsed;
	u64 slack = cycles_to_ns(anchor.error + now->error) + SLACK_NS +
		    div_u64(elapsed, SLACK_SHARE);

	return !check_tsc_unstable() && abs_diff(predicted, now->ns) <= slack;
}

static void update_raw(struct tk_read_base *tkr, u64 tsc)
{
	/* In units of 1 / 2**shift ns, which takes more than 64 bits. */
	u128 total = (u128)anchor.ns << clock.shift;
	u64 sec;

	total += (u128)(tsc - anchor.tsc) * clock.mult;
	sec = div_u64(total >> clock.shift, NSEC_PER_SEC);
	tkr->clock = &clock;
	tkr->mask = clock.mask;
	tkr->cycle_last = tsc;
	tkr->mult = clock.mult;
	tkr->shift = clock.shift;
	tkr->base = sec * NSEC_PER_SEC;
	tkr->xtime_nsec = total - ((u128)(sec * NSEC_PER_SEC) << clock.shift);
}

static void update_mono(struct timekeeper *tk)
{
	struct host_tsc_pair mono = host_tsc_pair(HOST_CLOCK_MONOTONIC);
	struct host_tsc_pair real = host_tsc_pair(HOST_CLOCK_REALTIME);
	struct tk_read_base *tkr = &tk->tkr_mono;
	u64 cycles = mono.tsc - last_mono.tsc, wall, frac;
	s64 offset;

	if (!last_mono.tsc) {
		mono_mult = clock.mult;
		last_mono = mono;
	} else if (cycles_to_ns(cycles) > TICK / 2) {
		mono_mult = mul_u64_u64_div_u64(mono.ns - last_mono.ns,
						1ULL << clock.shift, cycles);
		last_mono = mono;
	}

	offset = real.ns - cycles_to_ns(real.tsc - mono.tsc) - mono.ns;
	if (abs(offset - real_minus_mono) > OFFSET_NS)
		real_minus_mono = offset;
	wall = mono.ns + real_minus_mono;
	tk->xtime_sec = div64_u64_rem(wall, NSEC_PER_SEC, &frac);

	tkr->clock = &clock;
	tkr->mask = clock.mask;
	tkr->cycle_last = mono.tsc;
	tkr->mult = mono_mult;
	tkr->shift = clock.shift;
	/* One fraction of a second serves the wall clock and this one. */
	tkr->base = mono.ns - frac;
	tkr->xtime_nsec = frac << clock.shift;
}

static s64 boot_minus_mono(void)
{
	return host_clock_ns(HOST_CLOCK_BOOTTIME) - host_clock_ns(HOST_CLOCK_MONOTONIC);
}

static void update_offs_boot(struct timekeeper *tk)
{
	s64 offs = boot_minus_mono();

	if (abs(offs - tk->offs_boot) > OFFS_BOOT_NS)
		tk->offs_boot = offs;
}

void ksplit_timekeeper_tick(void)
{
	struct host_tsc_pair raw;
	unsigned long flags;

	raw_spin_lock_irqsave(&tick_lock, flags);
	raw = host_tsc_pair(HOST_CLOCK_RAW);
	if (clock.vdso_clock_mode == VDSO_CLOCKMODE_TSC && !raw_is_tsc(&raw))
		clock.vdso_clock_mode = VDSO_CLOCKMODE_NONE;
	if (clock.mult) {
		update_raw(&timekeeper.tkr_raw, raw.tsc);
		update_mono(&timekeeper);
	}
	update_offs_boot(&timekeeper);
	if (notifier)
		notifier->notifier_call(notifier, 0, &timekeeper);
	raw_spin_unlock_irqrestore(&tick_lock, flags);
}

/* Called by one thread only. */
void ksplit_clock_was_set(void)
{
	s64 offs = boot_minus_mono();
	bool slept = offs - slept_so_far > OFFS_BOOT_NS;

	slept_so_far = offs;
	ksplit_timekeeper_tick();
	if (slept)
		ksplit_host_slept();
}

static enum hrtimer_restart tick_fn(struct hrtimer *timer)
{
	ksplit_timekeeper_tick();
	hrtimer_forward_now(timer, TICK);
	return HRTIMER_RESTART;
}

int pvclock_gtod_register_notifier(struct notifier_block *nb)
{
	struct host_tsc_pair raw;

	timekeeper.tkr_mono.clock = &clock;
	timekeeper.tkr_raw.clock = &clock;
	if (tsc_khz) {
		clock_set_freq(tsc_khz);
		/* Only an instant of a guest's start, once per worker. */
		anchor = host_tsc_pair(HOST_CLOCK_RAW);
		host_sleep_ns(FIRST_CHECK_NS);
		raw = host_tsc_pair(HOST_CLOCK_RAW);
		if (raw_is_tsc(&raw))
			clock.vdso_clock_mode = VDSO_CLOCKMODE_TSC;
	}

	slept_so_far = boot_minus_mono();
	notifier = nb;
	ksplit_timekeeper_tick();
	hrtimer_init(&tick_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	tick_timer.function = tick_fn;
	hrtimer_start(&tick_timer, TICK, HRTIMER_MODE_REL);
	return 0;
}

int pvclock_gtod_unregister_notifier(struct notifier_block *nb)
{
	hrtimer_cancel(&tick_timer);
	notifier = NULL;
	return 0;
}
