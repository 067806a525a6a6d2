// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clocks: the kernel's ktime_get*() family on the host's, read through its
 * vDSO; jiffies; and delays.
 *
 * jiffies has no tick here.  Invariant: it never runs backwards, and is right
 * whenever a timer runs or is set and whenever a clock of this file was read.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/timekeeping.h>
#include <linux/timex.h>
#include <asm/msr.h>
#include <asm/tsc.h>

#include "internal.h"

u64 jiffies_64 = INITIAL_JIFFIES;
/* What the kernel's linker script does. */
asm(".globl jiffies\n.set jiffies, jiffies_64");

unsigned int __read_mostly tsc_khz;
unsigned int __read_mostly cpu_khz;

static host_ns_t boot_ns;

void ksplit_time_init(void)
{
	boot_ns = host_clock_ns(HOST_CLOCK_MONOTONIC);
}

static void set_jiffies(host_ns_t mono)
{
	u64 now = INITIAL_JIFFIES + div_u64(mono - boot_ns, TICK_NSEC);
	u64 old = READ_ONCE(jiffies_64);

	while (old < now && !try_cmpxchg(&jiffies_64, &old, now))
		;
}

void ksplit_update_jiffies(void)
{
	set_jiffies(host_clock_ns(HOST_CLOCK_MONOTONIC));
}

/* ------------------------------------------------------------- clocks --- */

ktime_t ktime_get(void)
{
	host_ns_t ns = host_clock_ns(HOST_CLOCK_MONOTONIC);

	set_jiffies(ns);
	return ns;
}

ktime_t ktime_get_raw(void)
{
	return host_clock_ns(HOST_CLOCK_RAW);
}

static int clock_of_offset(enum tk_offsets offs)
{
	switch (offs) {
	case TK_OFFS_REAL:
		return HOST_CLOCK_REALTIME;
	case TK_OFFS_BOOT:
		return HOST_CLOCK_BOOTTIME;
	case TK_OFFS_TAI:
		return HOST_CLOCK_TAI;
	default:
		return HOST_CLOCK_MONOTONIC;
	}
}

ktime_t ktime_get_with_offset(enum tk_offsets offs)
{
	return host_clock_ns(clock_of_offset(offs));
}

ktime_t ktime_get_coarse_with_offset(enum tk_offsets offs)
{
	return ktime_get_with_offset(offs);
}

ktime_t ktime_mono_to_any(ktime_t mono, enum tk_offsets offs)
{
	return mono + (host_clock_ns(clock_of_offset(offs)) -
		       host_clock_ns(HOST_CLOCK_MONOTONIC));
}

u32 ktime_get_resolution_ns(void)
{
	return 1;
}

void ktime_get_ts64(struct timespec64 *ts)
{
	*ts = ns_to_timespec64(host_clock_ns(HOST_CLOCK_MONOTONIC));
}

void ktime_get_raw_ts64(struct timespec64 *ts)
{
	*ts = ns_to_timespec64(host_clock_ns(HOST_CLOCK_RAW));
}

void ktime_get_real_ts64(struct timespec64 *ts)
{
	*ts = ns_to_timespec64(host_clock_ns(HOST_CLOCK_REALTIME));
}

void ktime_get_coarse_real_ts64(struct timespec64 *ts)
{
	ktime_get_real_ts64(ts);
}

void ktime_get_coarse_ts64(struct timespec64 *ts)
{
	ktime_get_ts64(ts);
}

time64_t ktime_get_seconds(void)
{
	return div_u64(host_clock_ns(HOST_CLOCK_MONOTONIC), NSEC_PER_SEC);
}

time64_t ktime_get_real_seconds(void)
{
	return div_u64(host_clock_ns(HOST_CLOCK_REALTIME), NSEC_PER_SEC);
}

u64 ktime_get_mono_fast_ns(void)
{
	return host_clock_ns(HOST_CLOCK_MONOTONIC);
}

u64 ktime_get_raw_fast_ns(void)
{
	return host_clock_ns(HOST_CLOCK_RAW);
}

u64 ktime_get_boot_fast_ns(void)
{
	return host_clock_ns(HOST_CLOCK_BOOTTIME);
}

u64 ktime_get_real_fast_ns(void)
{
	return host_clock_ns(HOST_CLOCK_REALTIME);
}

void getboottime64(struct timespec64 *ts)
{
	*ts = ns_to_timespec64(host_clock_ns(HOST_CLOCK_REALTIME) -
			       host_clock_ns(HOST_CLOCK_BOOTTIME));
}

u64 notrace sched_clock(void)
{
	return host_clock_ns(HOST_CLOCK_MONOTONIC);
}

u64 local_clock(void)
{
	return sched_clock();
}

u64 sched_clock_cpu(int cpu)
{
	return sched_clock();
}

/* ------------------------------------------------------------ the TSC --- */

static bool tsc_unstable;

/* What the host found before this worker started, or KVM since. */
int check_tsc_unstable(void)
{
	return tsc_unstable;
}

void mark_tsc_unstable(char *reason)
{
	tsc_unstable = true;
}

/* ------------------------------------------------------------- delays --- */

void __delay(unsigned long loops)
{
	u64 end = rdtsc() + loops;

	while ((s64)(end - rdtsc()) > 0)
		cpu_relax();
}

void __ndelay(unsigned long ns)
{
	host_ns_t end = host_clock_ns(HOST_CLOCK_MONOTONIC) + ns;

	while (host_clock_ns(HOST_CLOCK_MONOTONIC) < end)
		cpu_relax();
}

void __udelay(unsigned long usecs)
{
	__ndelay(usecs * NSEC_PER_USEC);
}

/* The inline forms pass usecs * 2**32 / 10**6, and ns * 2**32 / 10**9. */
void __const_udelay(unsigned long xloops)
{
	__ndelay(((u128)xloops * NSEC_PER_SEC) >> 32);
}

/* -------------------------------------------------------- conversions --- */

unsigned long __msecs_to_jiffies(const unsigned int m)
{
	if ((int)m < 0)
		return MAX_JIFFY_OFFSET;
	return _msecs_to_jiffies(m);
}

unsigned long __usecs_to_jiffies(const unsigned int u)
{
	if (u > jiffies_to_usecs(MAX_JIFFY_OFFSET))
		return MAX_JIFFY_OFFSET;
	return _usecs_to_jiffies(u);
}

unsigned int jiffies_to_msecs(const unsigned long j)
{
	BUILD_BUG_ON(HZ > MSEC_PER_SEC || MSEC_PER_SEC % HZ);
	return (MSEC_PER_SEC / HZ) * j;
}

unsigned int jiffies_to_usecs(const unsigned long j)
{
	return (USEC_PER_SEC / HZ) * j;
}

u64 jiffies64_to_nsecs(u64 j)
{
	return (NSEC_PER_SEC / HZ) * j;
}

unsigned long nsecs_to_jiffies(u64 n)
{
	return div_u64(n, NSEC_PER_SEC / HZ);
}

struct timespec64 ns_to_timespec64(s64 nsec)
{
	struct timespec64 ts;
	s32 rem;

	ts.tv_sec = div_s64_rem(nsec, NSEC_PER_SEC, &rem);
	if (rem < 0) {
		ts.tv_sec--;
		rem += NSEC_PER_SEC;
	}
	ts.tv_nsec = rem;
	return ts;
}

void set_normalized_timespec64(struct timespec64 *ts, time64_t sec, s64 nsec)
{
	while (nsec >= NSEC_PER_SEC) {
		nsec -= NSEC_PER_SEC;
		sec++;
	}
	while (nsec < 0) {
		nsec += NSEC_PER_SEC;
		sec--;
	}
	ts->tv_sec = sec;
	ts->tv_nsec = nsec;
}
