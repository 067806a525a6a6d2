// SPDX-License-Identifier: GPL-2.0-only
/*
 * eventfd contexts for ioeventfd, irqfd and resampling.
 *
 * A context stands for one eventfd of the client, whatever descriptor it was
 * named by: KVM, which compares context pointers on deassign, gets the same
 * context for the same open file.
 *
 * Invariant: KVM's wake function runs with the context's wait-queue lock held
 * and interrupts off, as in the kernel; so it never runs once
 * eventfd_ctx_remove_wait_queue() has returned.
 *
 * Unlike in the kernel a context holds the eventfd open.  When the client
 * closes its last descriptor without a deassign there is no EPOLLHUP: the irqfd
 * stays, unreachable, until its VM ends.
 */
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "calls/call.h"
#include "calls/eventfd.h"

/**
 * struct eventfd_ctx - one eventfd of the client
 * @refs:	references; the tables hold none
 * @wqh:	waiters: irqfds
 * @by_file:	on that table
 * @by_key:	on that table
 * @fd:		the worker's descriptor
 * @hash:	the stub's, of the open file
 * @watched:	the poller looks at @fd; protected by @wqh's lock
 * @key:	the poller's name of the context, never used again
 */
struct eventfd_ctx {
	refcount_t refs;
	wait_queue_head_t wqh;
	struct hlist_node by_file;
	struct hlist_node by_key;
	int fd;
	u32 hash;
	bool watched;
	u64 key;
};

static DEFINE_SPINLOCK(lock);
static DEFINE_HASHTABLE(by_file, 9);	/* by @hash; different files may share one */
static DEFINE_HASHTABLE(by_key, 9);
static u64 next_key = 1;

/*
 * The context of an open file, with a reference; under the lock.  One whose last
 * reference just went is as good as gone.
 */
static struct eventfd_ctx *get_of_file(int fd, u32 hash)
{
	struct eventfd_ctx *ctx;

	hash_for_each_possible(by_file, ctx, by_file, hash)
		if (ctx->hash == hash && ksplit_host_eventfd_same(ctx->fd, fd) &&
		    refcount_inc_not_zero(&ctx->refs))
			return ctx;
	return NULL;
}

static struct eventfd_ctx *get_of_key(u64 key)
{
	struct eventfd_ctx *ctx, *found = NULL;
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	hash_for_each_possible(by_key, ctx, by_key, key)
		if (ctx->key == key && refcount_inc_not_zero(&ctx->refs))
			found = ctx;
	spin_unlock_irqrestore(&lock, flags);
	return found;
}

/* The context of a descriptor in the current call's argument. */
static struct eventfd_ctx *ctx_take(int client_fd)
{
	struct eventfd_ctx *ctx, *old;
	unsigned long flags;
	u32 hash;
	int fd;

	fd = ksplit_host_eventfd_take(client_fd, &hash);
	if (fd < 0)
		return ERR_PTR(fd);

	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);
	if (!ctx) {
		ksplit_ops->close(fd);
		return ERR_PTR(-ENOMEM);
	}
	refcount_set(&ctx->refs, 1);
	init_waitqueue_head(&ctx->wqh);
	ctx->fd = fd;
	ctx->hash = hash;

	spin_lock_irqsave(&lock, flags);
	old = get_of_file(fd, hash);
	if (!old) {
		ctx->key = next_key++;
		hash_add(by_file, &ctx->by_file, hash);
		hash_add(by_key, &ctx->by_key, ctx->key);
	}
	spin_unlock_irqrestore(&lock, flags);
	if (!old)
		return ctx;
	ksplit_ops->close(fd);
	kfree(ctx);
	return old;
}

void eventfd_ctx_put(struct eventfd_ctx *ctx)
{
	unsigned long flags;

	if (!refcount_dec_and_test(&ctx->refs))
		return;
	spin_lock_irqsave(&lock, flags);
	hash_del(&ctx->by_file);
	hash_del(&ctx->by_key);
	spin_unlock_irqrestore(&lock, flags);
	if (ctx->watched)
		ksplit_host_eventfd_unwatch(ctx->fd);
	ksplit_ops->close(ctx->fd);
	kfree(ctx);
}

struct eventfd_ctx *eventfd_ctx_fdget(int fd)
{
	return ctx_take(fd);
}

/* ------------------------------------------------- files of eventfds ----- */

static __poll_t eventfd_poll(struct file *file, poll_table *pt)
{
	struct eventfd_ctx *ctx = file->private_data;
	unsigned long flags;
	bool active, again;

	poll_wait(file, &ctx->wqh, pt);

	spin_lock_irqsave(&ctx->wqh.lock, flags);
	active = waitqueue_active(&ctx->wqh);
	again = ctx->watched;
	ctx->watched |= active;
	spin_unlock_irqrestore(&ctx->wqh.lock, flags);

	if (!active)
		return 0;
	/* A counter that is not 0 now is the first event of a new watch. */
	if (again)
		ksplit_host_eventfd_unwatch(ctx->fd);
	return ksplit_host_eventfd_watch(ctx->fd, ctx->key) ? EPOLLERR : 0;
}

static const struct file_operations eventfd_fops = {
	.poll = eventfd_poll,
};

struct file *ksplit_eventfd_file(unsigned int client_fd)
{
	struct eventfd_ctx *ctx = ctx_take(client_fd);
	struct file *file;

	if (IS_ERR(ctx))
		return NULL;
	file = kzalloc(sizeof(*file), GFP_KERNEL);
	if (!file) {
		eventfd_ctx_put(ctx);
		return NULL;
	}
	atomic_long_set(&file->f_count, 1);
	file->f_op = &eventfd_fops;
	file->private_data = ctx;
	return file;
}

int ksplit_eventfd_release(struct file *file)
{
	if (file->f_op != &eventfd_fops)
		return 0;
	eventfd_ctx_put(file->private_data);
	kfree(file);
	return 1;
}

struct eventfd_ctx *eventfd_ctx_fileget(struct file *file)
{
	struct eventfd_ctx *ctx = file->private_data;

	if (file->f_op != &eventfd_fops)
		return ERR_PTR(-EINVAL);
	refcount_inc(&ctx->refs);
	return ctx;
}

/* ------------------------------------------------------------ events ----- */

void eventfd_signal_mask(struct eventfd_ctx *ctx, __poll_t mask)
{
	ksplit_host_eventfd_signal(ctx->fd);
}

/* Called with the wait queue's lock held. */
void eventfd_ctx_do_read(struct eventfd_ctx *ctx, __u64 *cnt)
{
	*cnt = ksplit_host_eventfd_read(ctx->fd);
}

int eventfd_ctx_remove_wait_queue(struct eventfd_ctx *ctx,
				  wait_queue_entry_t *wait, __u64 *cnt)
{
	unsigned long flags;

	spin_lock_irqsave(&ctx->wqh.lock, flags);
	eventfd_ctx_do_read(ctx, cnt);
	__remove_wait_queue(&ctx->wqh, wait);
	if (ctx->watched && !waitqueue_active(&ctx->wqh)) {
		ctx->watched = false;
		ksplit_host_eventfd_unwatch(ctx->fd);
	}
	spin_unlock_irqrestore(&ctx->wqh.lock, flags);
	return *cnt ? 0 : -EAGAIN;
}

/**
 * ksplit_eventfd_ready() - an eventfd was signalled: call its waiters
 * @key:	the context's key; one that is gone is ignored
 *
 * Context: the poller's thread, which is a CPU.
 */
void ksplit_eventfd_ready(u64 key)
{
	struct eventfd_ctx *ctx = get_of_key(key);
	wait_queue_entry_t *wait, *next;
	unsigned long flags;

	if (!ctx)
		return;
	spin_lock_irqsave(&ctx->wqh.lock, flags);
	list_for_each_entry_safe(wait, next, &ctx->wqh.head, entry)
		wait->func(wait, TASK_NORMAL, 0, poll_to_key(EPOLLIN));
	spin_unlock_irqrestore(&ctx->wqh.lock, flags);
	eventfd_ctx_put(ctx);
}
