// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows: where the memory slots of VMs lie in the worker.
 *
 * The client registers a slot with an address of its own.  KVM must not see
 * that number, which means something else here: the argument copy is edited so
 * that KVM sees the window's address, before KVM's ioctl handler reads it.
 *
 * Invariants: KVM never gets a userspace_addr that came from the client (of a
 * slot that is not deleted).  A window lies in one known range below
 * 1 << MAXPHYADDR and is congruent to its guest-physical address modulo 1 GiB,
 * so that every mapping level stays possible.  Lookup by address takes no lock:
 * the fault handler uses it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <linux/kvm.h>
#include <sys/mman.h>

#include "calls/call.h"
#include "ksplit_log.h"
#include "calls/window.h"
#include "personality.h"

#define PAGE		4096ULL
#define GIB		(1ULL << 30)
/* 16 TiB: more guest memory than one worker is going to serve. */
#define AREA_MAX	(1ULL << 44)
/* A guard between two windows: overruns fault instead of meeting a neighbour. */
#define GUARD		PAGE

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000
#endif

/*
 * One window.  @start and @end are what the lock-free lookup reads: @start is
 * 0 while the entry is unused or being changed.
 */
struct window {
	_Atomic __u64 start;
	_Atomic __u64 end;
	_Atomic int vm;
	__u32 slot;
	__u64 client;	/* the client's address */
};

/* What prepare() decided, kept for finish(). */
enum plan { PLAN_NONE, PLAN_CREATE, PLAN_DELETE };

__u64 ksplit_window_most = ~0ULL;
int (*ksplit_ask_memory)(__u64 more);
void (*ksplit_freed_memory)(__u64 less);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __u64 area_start, area_end;

/*
 * Entries never move, so a reader needs no more than the pointer.  Grown by
 * chunks, which are never freed.
 */
#define CHUNK		256
#define MAX_CHUNKS	256
static struct window *_Atomic chunks[MAX_CHUNKS];
static _Atomic unsigned int nr_chunks;

static __thread enum plan plan;
static __thread struct window *planned;

static struct window *next_window(unsigned int *pos)
{
	unsigned int i = (*pos)++;

	if (i / CHUNK >= atomic_load_explicit(&nr_chunks, memory_order_acquire))
		return NULL;
	return &atomic_load_explicit(&chunks[i / CHUNK],
				     memory_order_acquire)[i % CHUNK];
}

/**
 * ksplit_window_find() - which VM's window an address lies in
 * @addr:	worker address
 *
 * Context: any, signal handlers included.
 * Return: the VM's descriptor, or -ENOENT.
 */
int ksplit_window_find(__u64 addr)
{
	unsigned int pos = 0;
	struct window *w;

	if (addr < area_start || addr >= area_end)
		return -ENOENT;
	while ((w = next_window(&pos))) {
		__u64 start = atomic_load_explicit(&w->start,
						   memory_order_acquire);
		__u64 end = atomic_load_explicit(&w->end, memory_order_relaxed);
		int vm = atomic_load_explicit(&w->vm, memory_order_relaxed);

		if (!start || addr < start || addr >= end)
			continue;
		/* The entry may have changed hands between the loads. */
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&w->start, memory_order_relaxed) == start)
			return vm;
		pos = 0;
	}
	return -ENOENT;
}

static void publish(struct window *w, int vm, __u64 start, __u64 size)
{
	atomic_store_explicit(&w->end, start + size, memory_order_relaxed);
	atomic_store_explicit(&w->vm, vm, memory_order_relaxed);
	atomic_store_explicit(&w->start, start, memory_order_release);
}

static void retract(struct window *w)
{
	atomic_store_explicit(&w->start, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

static struct window *find_slot(int vm, __u32 slot)
{
	unsigned int pos = 0;
	struct window *w;

	while ((w = next_window(&pos)))
		if (atomic_load(&w->start) && atomic_load(&w->vm) == vm &&
		    w->slot == slot)
			return w;
	return NULL;
}

static struct window *find_unused(void)
{
	unsigned int pos = 0, n;
	struct window *w;

	while ((w = next_window(&pos)))
		if (!atomic_load(&w->start))
			return w;
	n = atomic_load(&nr_chunks);
	if (n == MAX_CHUNKS)
		return NULL;
	w = calloc(CHUNK, sizeof(*w));
	if (!w)
		return NULL;
	atomic_store(&chunks[n], w);
	atomic_store(&nr_chunks, n + 1);
	return w;
}

/*
 * Whether so much more is within the limit.  The second address space, SMM's, shows
 * memory of the first: it counts on its own.
 */
static int within_limit(__u32 slot, __u64 more)
{
	unsigned int pos = 0;
	__u64 sum = more;
	struct window *w;

	while ((w = next_window(&pos)))
		if (atomic_load(&w->start) && w->slot >> 16 == slot >> 16)
			sum += atomic_load(&w->end) - atomic_load(&w->start);
	/* No sum overflows: windows lie side by side. */
	if (more <= ksplit_window_most && sum <= ksplit_window_most)
		return 1;
	ksplit_logf(KSPLIT_LOG_WARNING, "max-memory of %llu MiB reached: %llu MiB asked for",
		    (unsigned long long)ksplit_window_most >> 20, (unsigned long long)sum >> 20);
	return 0;
}

/* The limits of this worker and, in the first address space, of the whole tenant. */
static int take_memory(__u32 slot, __u64 more)
{
	if (!within_limit(slot, more))
		return -ENOMEM;
	return ksplit_ask_memory && !(slot >> 16) ? ksplit_ask_memory(more) : 0;
}

static void give_back(__u32 slot, __u64 less)
{
	if (ksplit_freed_memory && !(slot >> 16))
		ksplit_freed_memory(less);
}

/* The window and what it counts for. */
static void drop(int vm, struct window *w)
{
	__u64 start = atomic_load(&w->start);
	__u64 size = atomic_load(&w->end) - start;

	ksplit_ops->unmap_window(vm, start, size);
	retract(w);
	give_back(w->slot, size);
}

/* The lowest free place congruent to gpa modulo 1 GiB, 0 if there is none. */
static __u64 find_place(__u64 gpa, __u64 size)
{
	__u64 at = area_start + ((gpa - area_start) & (GIB - 1));
	struct window *w;
	unsigned int pos;

again:
	if (at >= area_end || size > area_end - at)
		return 0;
	pos = 0;
	while ((w = next_window(&pos))) {
		__u64 start = atomic_load(&w->start);
		__u64 end = atomic_load(&w->end);

		if (!start || at >= end + GUARD || at + size + GUARD <= start)
			continue;
		/* Behind it, at the next congruent address. */
		at += (end + GUARD - at + GIB - 1) & ~(GIB - 1);
		goto again;
	}
	return at;
}

/* A slot's window, published; NULL with a negative errno in *ret. */
static struct window *make_window(int vm, const struct kvm_userspace_memory_region *m, int *ret)
{
	struct window *w = find_unused();
	__u64 place = find_place(m->guest_phys_addr, m->memory_size);

	*ret = w && place ? ksplit_ops->map_window(vm, place, m->memory_size, m->slot) : -ENOMEM;
	if (*ret < 0)
		return NULL;
	w->slot = m->slot;
	w->client = m->userspace_addr;
	publish(w, vm, place, m->memory_size);
	return w;
}

/**
 * ksplit_window_init() - choose the range that windows lie in
 * @limit:	first address that is none: 1 << min(46, MAXPHYADDR)
 *
 * The range is free now, and stays so: mappings without an address are made
 * from the top of the address space, and a window is mapped with
 * MAP_FIXED_NOREPLACE.
 *
 * Context: once, after ksplit_personality_init().
 * Return: 0 or a negative errno.
 */
int ksplit_window_init(__u64 limit)
{
	__u64 start = (ksplit_arena_end() + GIB - 1) & ~(GIB - 1);
	__u64 size = limit > start ? limit - start : 0;
	void *p;

	if (size > AREA_MAX)
		size = AREA_MAX;
	/* Something else in the range: keep what lies below it. */
	for (; size >= GIB; size = (size / 2) & ~(GIB - 1)) {
		p = mmap((void *)start, size, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			 MAP_FIXED_NOREPLACE, -1, 0);
		if (p == MAP_FAILED)
			continue;
		munmap(p, size);
		if (p == (void *)start) {
			area_start = start;
			area_end = start + size;
			return 0;
		}
	}
	return -ENOMEM;
}

/**
 * ksplit_window_prepare() - make a slot's window before KVM sees the slot
 * @vm:		the VM's descriptor
 * @call:	a KVM_SET_USER_MEMORY_REGION or _REGION2 call; its argument copy
 *		is edited
 *
 * Context: the call's thread; ksplit_window_finish() is to follow on it.
 * Return: 0: let KVM handle the call; a negative errno: that is the result.
 */
int ksplit_window_prepare(int vm, struct vmm_call *call)
{
	struct kvm_userspace_memory_region m;
	__u64 window;
	struct window *w;
	int r = 0;

	plan = PLAN_NONE;
	planned = NULL;
	/* Bytes that were not prefetched cannot be edited. */
	if (call->prefetched < call->size || call->size < sizeof(m))
		return -EFAULT;
	memcpy(&m, call->in, sizeof(m));

	pthread_mutex_lock(&lock);
	w = find_slot(vm, m.slot);
	if (!m.memory_size) {
		if (w) {
			plan = PLAN_DELETE;
			planned = w;
		}
		goto out;
	}

	if (w) {
		/*
		 * Same client address: same window.  Another one: KVM refuses
		 * that, so show it a change.
		 */
		window = atomic_load(&w->start);
		if (w->client != m.userspace_addr)
			window += PAGE;
		m.userspace_addr = window | (m.userspace_addr & (PAGE - 1));
		memcpy(call->in, &m, sizeof(m));
		goto out;
	}

	/* What KVM would refuse in any case, and what no window can be. */
	r = -EINVAL;
	if ((m.memory_size | m.guest_phys_addr | m.userspace_addr) & (PAGE - 1) ||
	    m.guest_phys_addr + m.memory_size < m.guest_phys_addr)
		goto out;

	r = take_memory(m.slot, m.memory_size);
	if (r < 0)
		goto out;
	w = make_window(vm, &m, &r);
	if (!w) {
		give_back(m.slot, m.memory_size);
		goto out;
	}
	plan = PLAN_CREATE;
	planned = w;
	m.userspace_addr = atomic_load(&w->start);
	memcpy(call->in, &m, sizeof(m));
	r = 0;
out:
	pthread_mutex_unlock(&lock);
	return r;
}

/**
 * ksplit_window_finish() - keep or drop windows as the call came out
 * @vm:		the VM's descriptor
 * @call:	the call that was prepared
 * @result:	KVM's result
 *
 * Context: before the reply, since the stub drops its slot with it.
 */
void ksplit_window_finish(int vm, struct vmm_call *call, long result)
{
	struct window *w = planned;

	(void)call;
	if (!w || plan == PLAN_NONE)
		return;
	if ((plan == PLAN_CREATE && result < 0) ||
	    (plan == PLAN_DELETE && result >= 0)) {
		pthread_mutex_lock(&lock);
		drop(vm, w);
		pthread_mutex_unlock(&lock);
	}
	plan = PLAN_NONE;
	planned = NULL;
}

/**
 * ksplit_window_drop_vm() - a VM is gone: unmap what is left of its windows
 * @vm:		its descriptor
 */
void ksplit_window_drop_vm(int vm)
{
	unsigned int pos = 0;
	struct window *w;

	pthread_mutex_lock(&lock);
	while ((w = next_window(&pos)))
		if (atomic_load(&w->start) && atomic_load(&w->vm) == vm)
			drop(vm, w);
	pthread_mutex_unlock(&lock);
}
