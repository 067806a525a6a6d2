// SPDX-License-Identifier: GPL-2.0-only
/*
 * Spinlocks, reader-writer locks, mutexes and semaphores as futex locks in the
 * kernel's own lock structures.
 *
 * A waiter spins for about as long as a short critical section takes and then
 * sleeps, since the holder may have lost its CPU.  Uncontended operations make
 * no system call.  Who waits for the writer of a rwlock_t for more than
 * BREAK_NS sets its NEED_RESCHED flag: KVM then lets go of mmu_lock at the next
 * cond_resched_rwlock_write().
 *
 * Invariant: a zeroed lock is free, so that static initialisers and memory
 * from kzalloc() hold.  Unlocking may be the last access to the lock's memory
 * but for a futex wake, which does not read it.
 */
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/sched/debug.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>

#include "internal.h"

#define SPIN_LIMIT	128
#define BREAK_NS	NSEC_PER_MSEC

/* ------------------------------------------------- one-word locks ------- */

/* Drepper's "Futexes are tricky", mutex 2. */
enum {
	FREE,
	LOCKED,
	CONTENDED,	/* locked, and somebody may sleep */
};

static __always_inline bool word_trylock(u32 *word)
{
	u32 old = FREE;

	return try_cmpxchg_acquire(word, &old, LOCKED);
}

static bool word_spin(u32 *word)
{
	int i;

	for (i = 0; i < SPIN_LIMIT; i++) {
		if (READ_ONCE(*word) == FREE && word_trylock(word))
			return true;
		cpu_relax();
	}
	return false;
}

static noinline void word_lock_slow(u32 *word)
{
	if (word_spin(word))
		return;
	while (xchg_acquire(word, CONTENDED) != FREE)
		host_futex_wait(word, CONTENDED, HOST_FOREVER);
}

static __always_inline void word_lock(u32 *word)
{
	if (unlikely(!word_trylock(word)))
		word_lock_slow(word);
}

static __always_inline void word_unlock(u32 *word)
{
	if (unlikely(xchg_release(word, FREE) == CONTENDED))
		host_futex_wake(word, 1);
}

/* ------------------------------------------------------ spinlocks ------- */

static __always_inline u32 *spin_word(raw_spinlock_t *lock)
{
	BUILD_BUG_ON(sizeof(lock->raw_lock) != sizeof(u32));
	return (u32 *)&lock->raw_lock;
}

void __lockfunc _raw_spin_lock(raw_spinlock_t *lock)
{
	word_lock(spin_word(lock));
}

void __lockfunc _raw_spin_lock_bh(raw_spinlock_t *lock)
{
	word_lock(spin_word(lock));
}

void __lockfunc _raw_spin_lock_irq(raw_spinlock_t *lock)
{
	irq_off();
	word_lock(spin_word(lock));
}

unsigned long __lockfunc _raw_spin_lock_irqsave(raw_spinlock_t *lock)
{
	unsigned long flags = irq_save();

	word_lock(spin_word(lock));
	return flags;
}

int __lockfunc _raw_spin_trylock(raw_spinlock_t *lock)
{
	return word_trylock(spin_word(lock));
}

int __lockfunc _raw_spin_trylock_bh(raw_spinlock_t *lock)
{
	return word_trylock(spin_word(lock));
}

void __lockfunc _raw_spin_unlock(raw_spinlock_t *lock)
{
	word_unlock(spin_word(lock));
}

void __lockfunc _raw_spin_unlock_bh(raw_spinlock_t *lock)
{
	word_unlock(spin_word(lock));
}

void __lockfunc _raw_spin_unlock_irq(raw_spinlock_t *lock)
{
	word_unlock(spin_word(lock));
	irq_on();
}

void __lockfunc _raw_spin_unlock_irqrestore(raw_spinlock_t *lock,
					    unsigned long flags)
{
	word_unlock(spin_word(lock));
	irq_restore(flags);
}

/* --------------------------------------- two-word reader-writer locks --- */

/*
 * After the futex RwLock of Rust's standard library (library/std/src/sys/sync/
 * rwlock/futex.rs).  A lock is a state word, which readers sleep on, and a
 * notify word, which writers sleep on.  New readers wait while a writer waits.
 */
#define RW_READERS		0x3fffffffu	/* count of readers, or .. */
#define RW_WRITER		0x3fff0000u	/* .. a writer, and its CPU */
#define RW_READERS_WAIT		(1u << 30)
#define RW_WRITERS_WAIT		(1u << 31)

static __always_inline bool rw_readable(u32 s)
{
	return (s & RW_READERS) < RW_WRITER - 1 &&
	       !(s & (RW_READERS_WAIT | RW_WRITERS_WAIT));
}

static __always_inline bool rw_free(u32 s)
{
	return !(s & RW_READERS);
}

static bool rw_wake_writer(u32 *notify)
{
	raw_atomic_inc((atomic_t *)notify);
	return host_futex_wake(notify, 1) > 0;
}

/* The lock was just freed, with state s, and somebody waits. */
static noinline void rw_wake(u32 *state, u32 *notify, u32 s)
{
	if (s == RW_WRITERS_WAIT) {
		if (try_cmpxchg(state, &s, 0)) {
			rw_wake_writer(notify);
			return;
		}
		/* Readers have come to wait meanwhile, or the lock is taken. */
	}
	if (s == (RW_READERS_WAIT | RW_WRITERS_WAIT)) {
		if (!try_cmpxchg(state, &s, RW_READERS_WAIT))
			return;	/* taken: its unlock wakes */
		if (rw_wake_writer(notify))
			return;
		/* The writer was not asleep yet, and comes by itself. */
		s = RW_READERS_WAIT;
	}
	if (s == RW_READERS_WAIT) {
		if (try_cmpxchg(state, &s, 0))
			host_futex_wake(state, INT_MAX);
	}
}

static u32 rw_spin(u32 *state, bool write)
{
	int i;
	u32 s;

	for (i = 0; ; i++) {
		s = READ_ONCE(*state);
		if (write ? rw_free(s) || (s & RW_WRITERS_WAIT) :
			    (s & RW_READERS) < RW_WRITER ||
			    (s & (RW_READERS_WAIT | RW_WRITERS_WAIT)))
			return s;
		if (i == SPIN_LIMIT)
			return s;
		cpu_relax();
	}
}

/* What a writer puts into the state. */
static __always_inline u32 rw_me(void)
{
	BUILD_BUG_ON(NR_CPUS > 0xffff);
	return RW_WRITER + raw_smp_processor_id();
}

/* Sleep; after a while ask the writer of state s to make room. */
static void rw_wait(u32 *word, u32 val, u32 s)
{
	if ((s & RW_READERS) >= RW_WRITER) {
		host_ns_t patience = host_clock_ns(HOST_CLOCK_MONOTONIC) + BREAK_NS;

		if (host_futex_wait(word, val, patience) != -ETIMEDOUT)
			return;
		set_tsk_need_resched(&ksplit_threads[s & 0xffff]->task);
	}
	host_futex_wait(word, val, HOST_FOREVER);
}

static __always_inline bool rw_read_trylock(u32 *state)
{
	u32 s = READ_ONCE(*state);

	while (rw_readable(s))
		if (try_cmpxchg_acquire(state, &s, s + 1))
			return true;
	return false;
}

static noinline void rw_read_lock_slow(u32 *state)
{
	u32 s = rw_spin(state, false);

	for (;;) {
		if (rw_readable(s)) {
			if (try_cmpxchg_acquire(state, &s, s + 1))
				return;
			continue;
		}
		if (!(s & RW_READERS_WAIT) &&
		    !try_cmpxchg(state, &s, s | RW_READERS_WAIT))
			continue;
		s |= RW_READERS_WAIT;
		rw_wait(state, s, s);
		s = rw_spin(state, false);
	}
}

static __always_inline void rw_read_lock(u32 *state)
{
	if (unlikely(!rw_read_trylock(state)))
		rw_read_lock_slow(state);
}

static __always_inline void rw_read_unlock(u32 *state, u32 *notify)
{
	u32 s = raw_atomic_dec_return((atomic_t *)state);

	/* Readers alone never wait for readers. */
	if (unlikely(rw_free(s) && (s & RW_WRITERS_WAIT)))
		rw_wake(state, notify, s);
}

static __always_inline bool rw_write_trylock(u32 *state)
{
	u32 s = READ_ONCE(*state);

	while (rw_free(s))
		if (try_cmpxchg_acquire(state, &s, s | rw_me()))
			return true;
	return false;
}

static noinline void rw_write_lock_slow(u32 *state, u32 *notify)
{
	u32 s = rw_spin(state, true), others = 0, seq;

	for (;;) {
		if (rw_free(s)) {
			if (try_cmpxchg_acquire(state, &s, s | rw_me() | others))
				return;
			continue;
		}
		if (!(s & RW_WRITERS_WAIT) &&
		    !try_cmpxchg(state, &s, s | RW_WRITERS_WAIT))
			continue;
		/* Once asleep we cannot know whether others sleep too. */
		others = RW_WRITERS_WAIT;
		/* Before the look at the state: whoever frees it notifies later. */
		seq = smp_load_acquire(notify);
		s = READ_ONCE(*state);
		if (rw_free(s) || !(s & RW_WRITERS_WAIT))
			continue;
		rw_wait(notify, seq, s);
		s = rw_spin(state, true);
	}
}

static __always_inline void rw_write_lock(u32 *state, u32 *notify)
{
	u32 s = 0;

	if (unlikely(!try_cmpxchg_acquire(state, &s, rw_me())))
		rw_write_lock_slow(state, notify);
}

static __always_inline void rw_write_unlock(u32 *state, u32 *notify)
{
	u32 writer = READ_ONCE(*state) & RW_READERS;
	u32 s = raw_atomic_sub_return(writer, (atomic_t *)state);

	if (unlikely(s))
		rw_wake(state, notify, s);
}

/* --------------------------------------------------------- rwlock_t ----- */

static __always_inline u32 *rw_state(rwlock_t *lock)
{
	BUILD_BUG_ON(sizeof(lock->raw_lock) != 2 * sizeof(u32));
	return (u32 *)&lock->raw_lock;
}

static __always_inline u32 *rw_notify(rwlock_t *lock)
{
	return (u32 *)&lock->raw_lock + 1;
}

#define DEFINE_RWLOCK_OPS(op, lock_fn, try_fn, unlock_fn)		\
void __lockfunc _raw_##op##_lock(rwlock_t *lock)			\
{									\
	lock_fn;							\
}									\
void __lockfunc _raw_##op##_lock_bh(rwlock_t *lock)			\
{									\
	lock_fn;							\
}									\
void __lockfunc _raw_##op##_lock_irq(rwlock_t *lock)			\
{									\
	irq_off();							\
	lock_fn;							\
}									\
unsigned long __lockfunc _raw_##op##_lock_irqsave(rwlock_t *lock)	\
{									\
	unsigned long flags = irq_save();				\
									\
	lock_fn;							\
	return flags;							\
}									\
int __lockfunc _raw_##op##_trylock(rwlock_t *lock)			\
{									\
	return try_fn;							\
}									\
void __lockfunc _raw_##op##_unlock(rwlock_t *lock)			\
{									\
	unlock_fn;							\
}									\
void __lockfunc _raw_##op##_unlock_bh(rwlock_t *lock)			\
{									\
	unlock_fn;							\
}									\
void __lockfunc _raw_##op##_unlock_irq(rwlock_t *lock)			\
{									\
	unlock_fn;							\
	irq_on();							\
}									\
void __lockfunc _raw_##op##_unlock_irqrestore(rwlock_t *lock,		\
					      unsigned long flags)	\
{									\
	unlock_fn;							\
	irq_restore(flags);						\
}

DEFINE_RWLOCK_OPS(read, rw_read_lock(rw_state(lock)),
		  rw_read_trylock(rw_state(lock)),
		  rw_read_unlock(rw_state(lock), rw_notify(lock)))
DEFINE_RWLOCK_OPS(write, rw_write_lock(rw_state(lock), rw_notify(lock)),
		  rw_write_trylock(rw_state(lock)),
		  rw_write_unlock(rw_state(lock), rw_notify(lock)))

/* ------------------------------------------------------------ mutex ----- */

static __always_inline u32 *mutex_word(struct mutex *lock)
{
	return (u32 *)&lock->owner;
}

void __mutex_init(struct mutex *lock, const char *name,
		  struct lock_class_key *key)
{
	memset(lock, 0, sizeof(*lock));
}

bool mutex_is_locked(struct mutex *lock)
{
	return READ_ONCE(*mutex_word(lock)) != FREE;
}

/* A thread that sleeps for a mutex lends its CPU to cross calls. */
static noinline void mutex_lock_slow(struct mutex *lock)
{
	u32 *word = mutex_word(lock);

	if (word_spin(word))
		return;
	ksplit_idle_enter();
	while (xchg_acquire(word, CONTENDED) != FREE)
		host_futex_wait(word, CONTENDED, HOST_FOREVER);
	ksplit_idle_exit();
}

void __sched mutex_lock(struct mutex *lock)
{
	if (unlikely(!word_trylock(mutex_word(lock))))
		mutex_lock_slow(lock);
}

int __sched mutex_trylock(struct mutex *lock)
{
	return word_trylock(mutex_word(lock));
}

/* No fatal signal reaches a thread alone: the process dies. */
int __sched mutex_lock_killable(struct mutex *lock)
{
	mutex_lock(lock);
	return 0;
}

/*
 * A signal that arrives during the wait is seen after it; the holder is a
 * thread of ours, which gets on without the client.
 */
int __sched mutex_lock_interruptible(struct mutex *lock)
{
	if (mutex_trylock(lock))
		return 0;
	if (signal_pending(current))
		return -EINTR;
	mutex_lock(lock);
	return 0;
}

void __sched mutex_unlock(struct mutex *lock)
{
	word_unlock(mutex_word(lock));
}

int atomic_dec_and_mutex_lock(atomic_t *cnt, struct mutex *lock)
{
	if (atomic_add_unless(cnt, -1, 1))
		return 0;
	mutex_lock(lock);
	if (!atomic_dec_and_test(cnt)) {
		mutex_unlock(lock);
		return 0;
	}
	return 1;
}

/* ------------------------------------------------------------ rwsem ----- */

static __always_inline u32 *sem_state(struct rw_semaphore *sem)
{
	return (u32 *)&sem->count;
}

static __always_inline u32 *sem_notify(struct rw_semaphore *sem)
{
	return (u32 *)&sem->owner;
}

void __init_rwsem(struct rw_semaphore *sem, const char *name,
		  struct lock_class_key *key)
{
	memset(sem, 0, sizeof(*sem));
}

void __sched down_read(struct rw_semaphore *sem)
{
	if (likely(rw_read_trylock(sem_state(sem))))
		return;
	ksplit_idle_enter();
	rw_read_lock_slow(sem_state(sem));
	ksplit_idle_exit();
}

int __sched down_read_killable(struct rw_semaphore *sem)
{
	down_read(sem);
	return 0;
}

int down_read_trylock(struct rw_semaphore *sem)
{
	return rw_read_trylock(sem_state(sem));
}

void up_read(struct rw_semaphore *sem)
{
	rw_read_unlock(sem_state(sem), sem_notify(sem));
}

void __sched down_write(struct rw_semaphore *sem)
{
	if (likely(rw_write_trylock(sem_state(sem))))
		return;
	ksplit_idle_enter();
	rw_write_lock_slow(sem_state(sem), sem_notify(sem));
	ksplit_idle_exit();
}

int __sched down_write_killable(struct rw_semaphore *sem)
{
	down_write(sem);
	return 0;
}

int down_write_trylock(struct rw_semaphore *sem)
{
	return rw_write_trylock(sem_state(sem));
}

void up_write(struct rw_semaphore *sem)
{
	rw_write_unlock(sem_state(sem), sem_notify(sem));
}
