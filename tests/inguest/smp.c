// SPDX-License-Identifier: GPL-2.0-only
/*
 * In a guest with several CPUs: does what one CPU does reach the others?  A line
 * "smp: NAME ok ..." or "smp: NAME FAILED ..." for each; exits 1 after a failure.
 * HOTPLUG=no in the environment leaves CPU hotplug out.
 * A wake-up that is lost shows as a time-out, five guest seconds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_CPUS	8
#define PATIENCE	5	/* seconds */

static int cpus, failures;

static void result(const char *name, bool ok, const char *format, ...)
{
	char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("smp: %s %s %s\n", name, ok ? "ok" : "FAILED", text);
	fflush(stdout);
	failures += !ok;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Sleep until *WORD is no longer VALUE; false after five seconds. */
static bool wait_word(_Atomic int *word, int value)
{
	struct timespec limit = { .tv_sec = PATIENCE };

	while (atomic_load(word) == value)
		if (syscall(SYS_futex, word, FUTEX_WAIT, value, &limit, NULL, 0) && errno == ETIMEDOUT)
			return false;
	return true;
}

static void set_word(_Atomic int *word, int value)
{
	atomic_store(word, value);
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* A token goes round; each CPU sleeps until it comes: a reschedule IPI each time. */
#define ROUNDS	300

static _Atomic int token[MAX_CPUS];
static _Atomic bool lost;

static void *pass_token(void *arg)
{
	int me = (int)(intptr_t)arg, next = (me + 1) % cpus;

	pin(me);
	for (int i = 0; i < ROUNDS && !lost; i++) {
		if (!wait_word(&token[me], i))
			lost = true;
		set_word(&token[next], next ? i + 1 : i + 2);
	}
	return NULL;
}

/* A page is replaced; the others must see the new one: TLB shootdown. */
#define PAGES	100

static _Atomic int version, seen[MAX_CPUS];
static _Atomic bool stale;
static volatile int *page;

static void *look(void *arg)
{
	int me = (int)(intptr_t)arg;

	pin(me);
	for (int v = 1; v <= PAGES; v++) {
		if (!wait_word(&version, v - 1)) {
			lost = true;
			return NULL;
		}
		if (*page != v)
			stale = true;
		set_word(&seen[me], v);
	}
	return NULL;
}

static void replace_pages(void)
{
	pin(0);
	for (int v = 1; v <= PAGES && !lost; v++) {
		void *new = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		*(int *)new = v;
		mremap(new, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)page);
		set_word(&version, v);
		for (int c = 1; c < cpus; c++)
			if (!wait_word(&seen[c], v - 1))
				lost = true;
	}
}

/* Time as the CPUs see it never goes back. */
static _Atomic int64_t latest, back, reads;
static _Atomic bool stop;

static void *read_clock(void *arg)
{
	pin((int)(intptr_t)arg);
	while (!stop) {
		int64_t before = atomic_load(&latest), t;
		struct timespec ts;

		clock_gettime(CLOCK_MONOTONIC, &ts);
		t = ts.tv_sec * 1000000000ll + ts.tv_nsec;
		if (t < before && before - t > back)
			back = before - t;
		while (before < t && !atomic_compare_exchange_weak(&latest, &before, t))
			;
		reads++;
	}
	return NULL;
}

/* Short sleeps on all CPUs at once: each ends, and not before its time. */
static _Atomic int early;
static _Atomic int64_t late;

static void *nap(void *arg)
{
	pin((int)(intptr_t)arg);
	for (int i = 0; i < 50; i++) {
		double start = now();
		int64_t over;

		usleep(1000 + 137 * i % 1000);
		over = (int64_t)((now() - start) * 1e6) - (1000 + 137 * i % 1000);
		if (over < 0)
			early++;
		if (over > late)
			late = over;
	}
	return NULL;
}

static void on_all(void *(*function)(void *), int first)
{
	pthread_t thread[MAX_CPUS];

	for (int c = first; c < cpus; c++)
		pthread_create(&thread[c], NULL, function, (void *)(intptr_t)c);
	if (function == look)
		replace_pages();
	if (function == pass_token)
		set_word(&token[0], 1);
	if (function == read_clock) {
		usleep(200000);
		stop = true;
	}
	for (int c = first; c < cpus; c++)
		pthread_join(thread[c], NULL);
}

static bool set_online(int cpu, bool on)
{
	char path[80];
	bool ok;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	f = fopen(path, "w");
	if (!f)
		return false;
	fprintf(f, "%d", on);
	ok = fclose(f) == 0;
	return ok && sysconf(_SC_NPROCESSORS_ONLN) == (on ? cpus : cpus - 1);
}

int main(void)
{
	double start;
	bool ok;

	cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	if (cpus > MAX_CPUS)
		cpus = MAX_CPUS;
	result("cpus", cpus > 0, "%d", cpus);

	start = now();
	on_all(pass_token, 0);
	result("ipi", !lost, "%d wake-ups in %.0f ms", ROUNDS * cpus, (now() - start) * 1000);

	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	start = now();
	on_all(look, 1);
	result("tlb", !lost && !stale, "%d pages replaced in %.0f ms%s", PAGES, (now() - start) * 1000,
	       stale ? ", a stale one was seen" : "");

	on_all(read_clock, 0);
	result("clock", !back, "%lld reads, back by at most %lld ns", (long long)reads, (long long)back);

	on_all(nap, 0);
	result("timers", !early && late < PATIENCE * 1000000, "%d too early, at most %lld us late", early,
	       (long long)late);

	if (getenv("HOTPLUG"))		/* "no" */
		return failures != 0;
	ok = true;
	for (int i = 0; i < 2; i++)
		for (int c = 1; c < cpus; c++)
			ok = ok && set_online(c, false) && set_online(c, true);
	result("hotplug", ok, "each CPU off and on, twice");
	return failures != 0;
}
