// SPDX-License-Identifier: GPL-2.0-only
/*
 * Per-CPU memory: a copy of .data..percpu and a dynamic area for every possible
 * CPU, and the masks and numbers of CPUs.  A CPU is a thread (thread.c).
 *
 * Invariant: __per_cpu_offset[cpu] is what has to be added to the link-time
 * address of a per-CPU variable to get that CPU's copy; a thread's %gs base
 * has the same value, so that "%gs:var(%rip)" is its own copy.
 *
 * Copies are made for all possible CPUs at once, because kernel code
 * initialises by for_each_possible_cpu() long before a CPU comes up.
 */
#include <linux/bitmap.h>
#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/percpu_counter.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <asm/current.h>

#include "internal.h"

/* Bounds of the linked image; the linker script keeps them page aligned. */
extern char __per_cpu_start[], __per_cpu_end[];

DEFINE_PER_CPU_ALIGNED(struct pcpu_hot, pcpu_hot);
DEFINE_PER_CPU_READ_MOSTLY(unsigned long, this_cpu_off);
DEFINE_PER_CPU(u32, ksplit_irq_word);

/* What the kernel's linker script does. */
asm(".globl const_pcpu_hot\n.set const_pcpu_hot, pcpu_hot");

unsigned long __per_cpu_offset[NR_CPUS] __read_mostly;

struct cpumask __cpu_possible_mask __read_mostly;
struct cpumask __cpu_online_mask __read_mostly;
struct cpumask __cpu_present_mask __read_mostly;
struct cpumask __cpu_active_mask __read_mostly;
struct cpumask __cpu_dying_mask __read_mostly;
struct cpumask __cpu_enabled_mask __read_mostly;
/* What num_online_cpus() says: the machine's CPUs, not our threads. */
atomic_t __num_online_cpus __read_mostly;
#if NR_CPUS > 1
unsigned int nr_cpu_ids __read_mostly = NR_CPUS;
#endif

/* cpumask_of(): see kernel/cpu.c, where this comes from. */
#define MASK_DECLARE_1(x)	[x + 1][0] = (1UL << (x))
#define MASK_DECLARE_2(x)	MASK_DECLARE_1(x), MASK_DECLARE_1(x + 1)
#define MASK_DECLARE_4(x)	MASK_DECLARE_2(x), MASK_DECLARE_2(x + 2)
#define MASK_DECLARE_8(x)	MASK_DECLARE_4(x), MASK_DECLARE_4(x + 4)

const unsigned long cpu_bit_bitmap[BITS_PER_LONG + 1][BITS_TO_LONGS(NR_CPUS)] = {
	MASK_DECLARE_8(0),	MASK_DECLARE_8(8),
	MASK_DECLARE_8(16),	MASK_DECLARE_8(24),
	MASK_DECLARE_8(32),	MASK_DECLARE_8(40),
	MASK_DECLARE_8(48),	MASK_DECLARE_8(56),
};

const DECLARE_BITMAP(cpu_all_bits, NR_CPUS) = CPU_BITS_ALL;

/* The dynamic area, in granules of 16 bytes. */
#define DYN_SIZE	(64 * 1024)
#define DYN_SHIFT	4
#define DYN_GRANULES	(DYN_SIZE >> DYN_SHIFT)

static DECLARE_BITMAP(dyn_used, DYN_GRANULES);
static u16 dyn_len[DYN_GRANULES];
static unsigned long dyn_top;		/* no granule above was ever in use */
static DEFINE_RAW_SPINLOCK(dyn_lock);

static unsigned long static_size(void)
{
	return ALIGN(__per_cpu_end - __per_cpu_start, 1UL << DYN_SHIFT);
}

/* Link-time "address" of granule n, a token like that of a static variable. */
static char *dyn_token(unsigned long n)
{
	return __per_cpu_start + static_size() + (n << DYN_SHIFT);
}

/*
 * What is not zero of the linked image, into the copies: they are fresh memory,
 * most of which nobody ever touches.
 */
static void copy_image(void)
{
	const unsigned long *image = (void *)__per_cpu_start;
	unsigned long i, nr = (__per_cpu_end - __per_cpu_start) / sizeof(*image);
	unsigned int cpu;

	for (i = 0; i < nr; i++)
		for (cpu = 0; image[i] && cpu < nr_cpu_ids; cpu++)
			*(unsigned long *)((char *)(image + i) + __per_cpu_offset[cpu]) = image[i];
}

/**
 * ksplit_percpu_init() - make per-CPU copies for max_cpus CPUs
 * @max_cpus: 1..NR_CPUS
 *
 * Runs before %gs means anything.  Returns 0 or -ENOMEM.
 */
int ksplit_percpu_init(unsigned int max_cpus)
{
	unsigned long skew = (unsigned long)__per_cpu_start & ~PAGE_MASK;
	unsigned long unit = PAGE_ALIGN(skew + static_size() + DYN_SIZE);
	unsigned int cpu;
	char *area;

	area = host_map(unit * max_cpus);
	if (!area)
		return -ENOMEM;

	nr_cpu_ids = max_cpus;
	for (cpu = 0; cpu < max_cpus; cpu++) {
		/* The same offset in a page as linked: alignment holds. */
		char *copy = area + cpu * unit + skew;

		__per_cpu_offset[cpu] = copy - __per_cpu_start;
		cpumask_set_cpu(cpu, &__cpu_possible_mask);
		cpumask_set_cpu(cpu, &__cpu_present_mask);
	}
	copy_image();
	ksplit_percpu_own(0);
	return 0;
}

/**
 * ksplit_percpu_own() - tell a CPU who it is
 * @cpu: a CPU that a thread is about to become
 */
void ksplit_percpu_own(unsigned int cpu)
{
	per_cpu(this_cpu_off, cpu) = __per_cpu_offset[cpu];
	per_cpu(pcpu_hot, cpu).cpu_number = cpu;
}

/**
 * pcpu_alloc_noprof() - allocate zeroed per-CPU memory
 * @size: bytes for each CPU
 * @align: power of two, at most a page
 * @reserved: no such thing here
 * @gfp: ignored
 *
 * Returns NULL if the dynamic area is used up.
 */
void __percpu *pcpu_alloc_noprof(size_t size, size_t align, bool reserved,
				 gfp_t gfp)
{
	unsigned long nr = DIV_ROUND_UP(size, 1UL << DYN_SHIFT);
	unsigned long flags, mask, first, n, used;
	unsigned int cpu;

	if (!size || nr > DYN_GRANULES || align > PAGE_SIZE)
		return NULL;

	/* Tokens are aligned as copies are; the area need not begin aligned. */
	mask = align > (1UL << DYN_SHIFT) ? (align >> DYN_SHIFT) - 1 : 0;
	first = ((unsigned long)dyn_token(0) >> DYN_SHIFT) & mask;

	raw_spin_lock_irqsave(&dyn_lock, flags);
	n = bitmap_find_next_zero_area_off(dyn_used, DYN_GRANULES, 0, nr, mask,
					   first);
	if (n < DYN_GRANULES) {
		bitmap_set(dyn_used, n, nr);
		dyn_len[n] = nr;
	}
	used = min(dyn_top, n + nr);
	dyn_top = max(dyn_top, n + nr);
	raw_spin_unlock_irqrestore(&dyn_lock, flags);
	if (n >= DYN_GRANULES)
		return NULL;

	/* Memory that was in use, by whatever possible CPU, and was freed. */
	for (cpu = 0; used > n && cpu < nr_cpu_ids; cpu++)
		memset(dyn_token(n) + __per_cpu_offset[cpu], 0, (used - n) << DYN_SHIFT);
	return (void __percpu *)dyn_token(n);
}

void free_percpu(void __percpu *ptr)
{
	unsigned long flags, n;

	if (!ptr)
		return;
	n = ((char *)ptr - dyn_token(0)) >> DYN_SHIFT;
	if (WARN_ON(n >= DYN_GRANULES || !dyn_len[n]))
		return;

	raw_spin_lock_irqsave(&dyn_lock, flags);
	bitmap_clear(dyn_used, n, dyn_len[n]);
	dyn_len[n] = 0;
	raw_spin_unlock_irqrestore(&dyn_lock, flags);
}

/* ----------------------------------------------- percpu_counter --------- */

/*
 * One atomic number: KVM counts its MMU pages with these, far from any hot
 * path, and CPUs that come and go would leave their share behind.
 */
static atomic64_t *counter_value(struct percpu_counter *fbc)
{
	BUILD_BUG_ON(sizeof(fbc->count) != sizeof(atomic64_t));
	return (atomic64_t *)&fbc->count;
}

int __percpu_counter_init_many(struct percpu_counter *fbc, s64 amount, gfp_t gfp,
			       u32 nr_counters, struct lock_class_key *key)
{
	u32 i;

	for (i = 0; i < nr_counters; i++)
		atomic64_set(counter_value(&fbc[i]), amount);
	return 0;
}

void percpu_counter_destroy_many(struct percpu_counter *fbc, u32 nr_counters)
{
}

void percpu_counter_add_batch(struct percpu_counter *fbc, s64 amount, s32 batch)
{
	atomic64_add(amount, counter_value(fbc));
}

s64 __percpu_counter_sum(struct percpu_counter *fbc)
{
	return atomic64_read(counter_value(fbc));
}

void percpu_counter_set(struct percpu_counter *fbc, s64 amount)
{
	atomic64_set(counter_value(fbc), amount);
}

int percpu_counter_batch __read_mostly = 1;
