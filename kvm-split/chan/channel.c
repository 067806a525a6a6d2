// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels and calls: how a client's system call reaches a worker, and how the
 * worker's answer reaches the client.
 *
 * Invariants: a client's memory is reached only while its call is in progress:
 * no copy begins after the call is done, and the client does not return before
 * the last has ended, unless it is killed; a copy holds the address space.  A
 * kvm_run is checked before the client can see it.  What was prefetched is
 * constant once the call is queued.
 *
 * chan->lock covers a channel's calls.  What is handed out or replied moves
 * under it, at once, and only if the worker's memory is there: page faults are
 * off, and bringing it in is up to the worker.  So nobody sleeps with a call,
 * and a call is always either waiting, handed out, or done.
 */
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/sched/follow.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "ksplit.h"
#include "pure/kvm_run.h"
#include "pure/tails.h"

/**
 * ksplit_channel_init() - Make an empty channel
 * @chan: the channel, zeroed
 */
void ksplit_channel_init(struct ksplit_channel *chan)
{
	spin_lock_init(&chan->lock);
	INIT_LIST_HEAD(&chan->calls);
	INIT_LIST_HEAD(&chan->busy);
	init_waitqueue_head(&chan->wq);
	chan->follow_at = jiffies;
}

/* Under the lock.  Nobody waits for the news that a file is gone. */
static void ksplit_call_end(struct ksplit_call *call, long result)
{
	if (call->n.op == KSPLIT_OP_RELEASE) {
		list_del(&call->node);
		kfree(call);
	} else if (!call->done) {
		call->n.result = result;
		WRITE_ONCE(call->done, true);
		/* Who replies is about to sleep: let the client run here. */
		wake_up_poll_on_current_cpu(&call->wq, EPOLLIN);
	}
}

/**
 * ksplit_channel_close() - No more calls come; those that came stay
 * @chan: the channel
 */
void ksplit_channel_close(struct ksplit_channel *chan)
{
	WRITE_ONCE(chan->dead, true);
	wake_up_all(&chan->wq);
}

/**
 * ksplit_channel_kill() - Fail every call, waiting or handed out, with -EIO
 * @chan: the channel; takes no more calls
 *
 * Context: does not sleep; not in interrupts.
 */
void ksplit_channel_kill(struct ksplit_channel *chan)
{
	struct ksplit_call *call, *next;

	guard(spinlock)(&chan->lock);
	ksplit_channel_close(chan);
	list_splice_tail_init(&chan->calls, &chan->busy);
	list_for_each_entry_safe(call, next, &chan->busy, node)
		ksplit_call_end(call, -EIO);
}

/**
 * ksplit_call_find() - A call that was handed out
 * @chan: its channel
 * @id: as handed out
 * @done: whether one that was replied to counts
 *
 * Context: under chan->lock, which keeps the call and its client.
 * Return: the call or NULL.
 */
struct ksplit_call *ksplit_call_find(struct ksplit_channel *chan, u64 id, bool done)
{
	struct ksplit_call *call;

	list_for_each_entry(call, &chan->busy, node)
		if (call->n.id == id && (done || !call->done))
			return call;
	return NULL;
}

/**
 * ksplit_call_queue() - Hand a call to the workers of a channel
 * @chan: the channel
 * @call: the call; KSPLIT_OP_RELEASE: allocated, and freed once it is told
 *
 * Return: false if nobody serves any more: nothing has happened.
 */
bool ksplit_call_queue(struct ksplit_channel *chan, struct ksplit_call *call)
{
	scoped_guard(spinlock, &chan->lock) {
		if (chan->dead)
			return false;
		call->n.id = ++chan->next_id;
		list_add_tail(&call->node, &chan->calls);
	}
	ksplit_count(calls);
	/* The client is about to sleep: let the worker run here. */
	wake_up_poll_on_current_cpu(&chan->wq, EPOLLIN);
	return true;
}

/* ------------------------------------------- a call's client memory -- */

/**
 * ksplit_copy() - KSPLIT_COPY: move bytes of a call's arguments
 * @chan: where the call was handed out
 * @arg: struct ksplit_copy
 *
 * The worker's side may fault for as long as the worker likes, so it is outside
 * of what the client waits for.
 *
 * Return: 0, -ENOENT (no such call in progress), -EPERM (not a range of that
 * call's), -EINVAL (too much at once), -EFAULT, -ENOMEM.
 */
long ksplit_copy(struct ksplit_channel *chan, struct ksplit_copy __user *arg)
{
	void *buf __free(kvfree) = NULL;
	struct ksplit_call *call;
	struct mm_struct *mm;
	struct ksplit_copy c;
	int r;

	if (copy_from_user(&c, arg, sizeof(c)))
		return -EFAULT;
	if (c.len > KSPLIT_COPY_MAX)
		return -EINVAL;
	buf = kvmalloc(c.len, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	if (c.write && copy_from_user(buf, u64_to_user_ptr(c.local), c.len))
		return -EFAULT;
	ksplit_count(copies);
	scoped_guard(spinlock, &chan->lock) {
		call = ksplit_call_find(chan, c.call, false);
		if (!call)
			return -ENOENT;
		r = ksplit_copy_allowed(call->n.cmd, call->n.arg, call->in, call->n.prefetched,
					call->slot_pages, c.client, c.len, c.write);
		if (r)
			return r;
		call->copies++;
		mm = call->client->mm;
		mmget(mm);
	}
	if (access_remote_vm(mm, c.client, buf, c.len, c.write ? FOLL_WRITE : 0) != c.len)
		r = -EFAULT;
	scoped_guard(spinlock, &chan->lock) {
		call = ksplit_call_find(chan, c.call, true);
		if (call) {
			WRITE_ONCE(call->copies, call->copies - 1);
			wake_up(&call->wq);
		}
	}
	/* The last user's end may wait for what the client began: not here. */
	mmput_async(mm);
	if (!r && !c.write && copy_to_user(u64_to_user_ptr(c.local), buf, c.len))
		r = -EFAULT;
	return r;
}

/* ------------------------------------------------------- kvm_run -- */

/* Bytes of the PIO page that an exit is about.  The client may be writing. */
static u32 ksplit_pio_bytes(const struct kvm_run *run)
{
	if (READ_ONCE(run->exit_reason) != KVM_EXIT_IO)
		return 0;
	return min_t(u32, READ_ONCE(run->io.size) * READ_ONCE(run->io.count), PAGE_SIZE);
}

/* Registers are moved only if the client asks for them. */
static u32 ksplit_regs_bytes(const struct kvm_run *run)
{
	if (READ_ONCE(run->kvm_valid_regs) | READ_ONCE(run->kvm_dirty_regs))
		return sizeof(run->s.regs);
	return 0;
}

/* The client's kvm_run goes to the worker, who distrusts it as upstream does. */
static int ksplit_run_to_worker(const struct kvm_run *run, u8 __user *dst)
{
	if (copy_to_user_nofault(dst, run, offsetof(struct kvm_run, s) + ksplit_regs_bytes(run)) ||
	    copy_to_user_nofault(dst + PAGE_SIZE, (void *)run + PAGE_SIZE, ksplit_pio_bytes(run)))
		return -EFAULT;
	return 0;
}

/*
 * The worker's kvm_run goes to the client through a copy that was checked.
 * What the client writes stays as it is: it may be writing immediate_exit now.
 */
static int ksplit_run_to_client(struct kvm_run *run, const u8 __user *src)
{
	const size_t out = offsetof(struct kvm_run, exit_reason);
	const size_t in = offsetof(struct kvm_run, kvm_valid_regs);
	u64 head[offsetof(struct kvm_run, s) / sizeof(u64)];
	struct kvm_run *new = (void *)head;

	if (copy_from_user_nofault(new, src, sizeof(head)))
		return -EFAULT;
	if (!ksplit_kvm_run_valid(new))
		return -EINVAL;
	if (copy_from_user_nofault((void *)run + PAGE_SIZE, src + PAGE_SIZE, ksplit_pio_bytes(new)) ||
	    copy_from_user_nofault(&run->s.regs, src + sizeof(head), ksplit_regs_bytes(run)))
		return -EFAULT;
	memcpy((void *)run + out, (void *)new + out, in - out);
	run->kvm_dirty_regs = new->kvm_dirty_regs;
	return 0;
}

/* --------------------------------------------------- worker side -- */

/*
 * Ends a call with the worker's reply, or with -EIO if that is not acceptable;
 * -EFAULT: nothing has happened.
 */
static int ksplit_reply(struct ksplit_channel *chan, const struct ksplit_next *n)
{
	struct ksplit_call *call;
	int r = 0;

	guard(spinlock)(&chan->lock);
	call = ksplit_call_find(chan, n->reply_to, false);
	if (!call)
		return chan->dead ? -ESHUTDOWN : -ENOENT;
	if (!ksplit_reply_allowed(&call->n, n, call->new))
		r = -EINVAL;
	else if (n->out_len &&
		 copy_from_user_nofault(call->out, u64_to_user_ptr(n->out), n->out_len))
		r = -EFAULT;
	else if (chan->kvm_run && call->n.cmd == KVM_RUN)
		r = ksplit_run_to_client(chan->kvm_run, u64_to_user_ptr(n->kvm_run));
	if (r == -EFAULT)
		return r;
	if (!r)
		memcpy(&call->n, n, offsetof(struct ksplit_next, id));
	ksplit_call_end(call, r ? -EIO : n->result);
	return r;
}

/* Gives the first call that waits to the worker; -EFAULT: it waits on. */
static int ksplit_hand_out(struct ksplit_channel *chan, const struct ksplit_next *n,
		    struct ksplit_next __user *arg)
{
	struct ksplit_call *call;

	guard(spinlock)(&chan->lock);
	call = list_first_entry_or_null(&chan->calls, struct ksplit_call, node);
	if (!call)
		return chan->dead ? -ESHUTDOWN : -EAGAIN;
	if (copy_to_user_nofault(u64_to_user_ptr(n->prefetch), call->in, call->n.prefetched) ||
	    copy_to_user_nofault(&arg->id, &call->n.id,
				 sizeof(call->n) - offsetof(struct ksplit_next, id)) ||
	    (chan->kvm_run && call->n.cmd == KVM_RUN &&
	     ksplit_run_to_worker(chan->kvm_run, u64_to_user_ptr(n->kvm_run))))
		return -EFAULT;
	if (call->n.op == KSPLIT_OP_RELEASE) {
		ksplit_call_end(call, 0);
		return 0;
	}
	list_move(&call->node, &chan->busy);
	WRITE_ONCE(call->worker, get_task_struct(current));
	return 0;
}

/**
 * ksplit_channel_client() - The client's thread whose call is in progress
 * @chan: a vCPU's channel
 *
 * Return: it, referenced, or NULL.
 */
struct task_struct *ksplit_channel_client(struct ksplit_channel *chan)
{
	struct ksplit_call *call;

	guard(spinlock)(&chan->lock);
	call = list_first_entry_or_null(&chan->busy, struct ksplit_call, node);
	return call ? get_task_struct(call->client) : NULL;
}

/**
 * ksplit_channel_follow() - The vCPU's thread runs where and as the client's does
 * @chan: the vCPU's channel; its call in progress names the client
 *
 * Not again for a second after it could not: a try makes forks wait.
 *
 * Context: the vCPU's thread in the worker; sleeps.
 */
void ksplit_channel_follow(struct ksplit_channel *chan)
{
	struct task_struct *client __free(put_task) = ksplit_channel_client(chan);

	if (client && time_after_eq(jiffies, chan->follow_at) && sched_follow(client)) {
		chan->follow_at = jiffies + HZ;
		pr_err_ratelimited("kvm-split: %d cannot follow %d\n", current->pid, client->pid);
	}
}

/**
 * ksplit_channel_next() - KSPLIT_NEXT: reply to a call, wait for the next one
 * @chan: the session's channel, or a vCPU's
 * @arg: struct ksplit_next
 *
 * Return: see struct ksplit_next.
 */
long ksplit_channel_next(struct ksplit_channel *chan, struct ksplit_next __user *arg)
{
	struct ksplit_next n;
	int r;

	if (copy_from_user(&n, arg, offsetof(struct ksplit_next, id)))
		return -EFAULT;
	if (n.pad)
		return -EINVAL;
	r = n.reply_to ? ksplit_reply(chan, &n) : 0;
	if (r)
		return r;
	while ((r = ksplit_hand_out(chan, &n, arg)) == -EAGAIN)
		/* Not -ERESTARTSYS: the reply must not be given twice. */
		if (wait_event_freezable_exclusive(chan->wq, READ_ONCE(chan->dead) ||
						   !list_empty_careful(&chan->calls)))
			return -EINTR;
	/* A reply that was given must not be given again. */
	if (r == -EFAULT && n.reply_to)
		return -EINTR;
	if (!r && chan->kvm_run)
		ksplit_channel_follow(chan);
	return r;
}
