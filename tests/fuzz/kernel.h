/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of the kernel as chan/channel.c needs, on libc, for one thread that plays
 * all parts.  The names in ksplit.h that channel.c does not use are types only.
 *
 * What the kernel's debugging would find is asserted here: nobody sleeps, or faults a
 * page in, with a spinlock held, and nobody takes one twice.
 */
#ifndef TESTS_FUZZ_KERNEL_H
#define TESTS_FUZZ_KERNEL_H

#include "fuzz.h"
#include "user_env.h"

#define __user
#define __must_hold(x)
#define __printf(a, b)
#define WRITE_ONCE(x, v)	(*(volatile __typeof__(x) *)&(x) = (v))
#define min_t(type, a, b)	((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define container_of(p, type, m) ((type *)((char *)(p) - offsetof(type, m)))
#define DECLARE_PER_CPU(type, name)	extern type name
#define this_cpu_inc(x)		((x)++)
#define this_cpu_add(x, v)	((x) += (v))
#define pr_err_ratelimited(...)	((void)0)

/* -------------------------------------------------------------- lists -- */

struct list_head {
	struct list_head *next, *prev;
};

static inline void INIT_LIST_HEAD(struct list_head *l)
{
	l->next = l->prev = l;
}

static inline void list_add_tail(struct list_head *n, struct list_head *l)
{
	n->prev = l->prev;
	n->next = l;
	l->prev->next = n;
	l->prev = n;
}

static inline void list_del(struct list_head *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->next = n->prev = NULL;
}

static inline void list_move(struct list_head *n, struct list_head *l)
{
	list_del(n);
	list_add_tail(n, l->next);
}

static inline bool list_empty_careful(const struct list_head *l)
{
	return l->next == l;
}

static inline void list_splice_tail_init(struct list_head *from, struct list_head *to)
{
	while (!list_empty_careful(from)) {
		struct list_head *n = from->next;

		list_del(n);
		list_add_tail(n, to);
	}
}

#define list_first_entry_or_null(l, type, m) \
	(list_empty_careful(l) ? NULL : container_of((l)->next, type, m))
#define list_for_each_entry(pos, l, m)					\
	for (pos = container_of((l)->next, __typeof__(*pos), m); &pos->m != (l); \
	     pos = container_of(pos->m.next, __typeof__(*pos), m))
#define list_for_each_entry_safe(pos, n, l, m)				\
	for (pos = container_of((l)->next, __typeof__(*pos), m),	\
	     n = container_of(pos->m.next, __typeof__(*pos), m); &pos->m != (l); \
	     pos = n, n = container_of(n->m.next, __typeof__(*n), m))

/* -------------------------------------------------------------- locks -- */

typedef struct { int held; } spinlock_t;

extern int spinlocks_held;

static inline spinlock_t *take_spinlock(spinlock_t *l)
{
	HOLDS(!l->held);
	spinlocks_held++;
	l->held = 1;
	return l;
}

static inline void drop_spinlock(spinlock_t **l)
{
	HOLDS((*l)->held);
	spinlocks_held--;
	(*l)->held = 0;
}

static inline void spin_lock_init(spinlock_t *l)
{
	l->held = 0;
}

static inline void might_sleep(void)
{
	EQ(spinlocks_held, 0);
}

#define GUARD_spinlock(l) \
	spinlock_t *__guard __attribute__((cleanup(drop_spinlock), unused)) = take_spinlock(l)
#define guard(kind)	GUARD_##kind
#define scoped_guard(kind, l)						\
	for (spinlock_t *__scope __attribute__((cleanup(drop_spinlock))) = take_spinlock(l), \
	     *__once = __scope; __once; __once = NULL)

/* --------------------------------------------------- waiting, tasks -- */

typedef struct { int unused; } wait_queue_head_t;

struct mm_struct {
	int users;
};

struct task_struct {
	struct mm_struct *mm;
	int refs;
	int pid;
};

extern struct task_struct *current;
extern unsigned long jiffies;

#define HZ			1000
#define EPOLLIN			1
#define time_after_eq(a, b)	((long)((a) - (b)) >= 0)
#define init_waitqueue_head(wq)	((void)(wq))
#define wake_up(wq)		((void)(wq))
#define wake_up_all(wq)		((void)(wq))
#define wake_up_poll_on_current_cpu(wq, mask)	((void)(wq))

/* Where the kernel would wait, a signal comes. */
#define wait_event_freezable_exclusive(wq, condition)	(might_sleep(), (condition) ? 0 : -EINTR)

static inline struct task_struct *get_task_struct(struct task_struct *t)
{
	t->refs++;
	return t;
}

static inline void free_put_task(struct task_struct **t)
{
	if (*t)
		(*t)->refs--;
}

static inline int sched_follow(struct task_struct *t)
{
	might_sleep();
	return t->pid & 1;
}

static inline void mmget(struct mm_struct *mm)
{
	mm->users++;
}

static inline void mmput_async(struct mm_struct *mm)
{
	mm->users--;
}

/* ------------------------------------------------------------- memory -- */

#define GFP_KERNEL_ACCOUNT	0
#define FOLL_WRITE		1
#define __free(how)		__attribute__((cleanup(free_##how)))
#define u64_to_user_ptr(x)	((void *)(uintptr_t)(x))

static inline void *kvmalloc(size_t size, int flags)
{
	might_sleep();
	return malloc(size);
}

static inline void free_kvfree(void *p)
{
	free(*(void **)p);
}

#define kfree(p)	free(p)

/* Not copied; as the kernel's. */
unsigned long copy_from_user(void *to, const void *from, size_t size);
unsigned long copy_to_user(void *to, const void *from, size_t size);
long copy_from_user_nofault(void *to, const void *from, size_t size);
long copy_to_user_nofault(void *to, const void *from, size_t size);
int access_remote_vm(struct mm_struct *mm, unsigned long addr, void *buf, int len,
		     unsigned int flags);

/* ------------------------------------------------- types of ksplit.h -- */

typedef struct { int n; } atomic_t, refcount_t, kuid_t;
typedef struct { long long n; } atomic64_t;
struct kref { int n; };
struct mutex { int unused; };
struct xarray { int unused; };

#define DECLARE_HASHTABLE(name, bits)	void *name[1 << (bits)]
struct mmu_notifier { int unused; };
struct cpumask { int unused; };
struct fpu_guest { int unused; };
struct file;
struct page;
struct pid;
struct vm_area_struct;

static inline void kref_put(struct kref *ref, void (*release)(struct kref *ref))
{
	if (!--ref->n)
		release(ref);
}

#endif /* TESTS_FUZZ_KERNEL_H */
