// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels and calls: how a client's system call reaches a worker, and how the
 * worker's answer reaches the client.
 *
 * Invariants: a client waits killable and freezable, and after a signal in
 * KVM_RUN for a bounded time.  A client's memory is reached only while its call
 * is in progress: no copy begins after the call is done, and the client does not
 * return before the last has ended, unless it is killed; a copy holds the
 * address space.  A kvm_run is checked before the client can see it.  What was
 * prefetched is constant once the call is queued.
 *
 * chan->lock covers a channel's calls.  What is handed out or replied moves
 * under it, at once, and only if the worker's memory is there: page faults are
 * off, and bringing it in is up to the worker.  So nobody sleeps with a call,
 * and a call is always either waiting, handed out, or done.
 */
#include "front.h"

/* How long a client waits for a worker that it interrupted, in tenths of a second. */
#define SIGNAL_TICKS	20

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
}

/* Under the lock.  Nobody waits for the news that a file is gone. */
static void call_end(struct ksplit_call *call, long result)
{
	if (call->n.op == KSPLIT_OP_RELEASE) {
		list_del(&call->node);
		kfree(container_of(call, struct ksplit_file, gone));
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
		call_end(call, -EIO);
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

/* --------------------------------------------------- client side -- */

/**
 * ksplit_call_queue() - Hand a call to the workers of a channel
 * @chan: the channel
 * @call: the call; KSPLIT_OP_RELEASE: in a file that is freed once it is told
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

#define call_over(call)	(READ_ONCE((call)->done) && !READ_ONCE((call)->copies))

/* A signal came in KVM_RUN: 0 (answered), -EINTR (killed), -EIO. */
static int call_interrupted(struct ksplit_call *call, struct ksplit_vcpu *vcpu)
{
	long left = 0;

	WRITE_ONCE(vcpu->interrupted, true);
	ksplit_vcpu_interrupt(vcpu);
	/*
	 * Many short sleeps: time spent in the freezer counts as one.  What the
	 * worker waits for a page of the client's does not count.
	 */
	for (int i = 0; !left && i < SIGNAL_TICKS;
	     i += !READ_ONCE(vcpu->sleeper) || !READ_ONCE(vcpu->faults))
		left = ___wait_event(call->wq, ___wait_cond_timeout(call_over(call)),
				     (TASK_KILLABLE | TASK_FREEZABLE), 0,
				     HZ / 10, __ret = schedule_timeout(__ret));
	WRITE_ONCE(vcpu->interrupted, false);
	return left > 0 ? 0 : left ? -EINTR : -EIO;
}

/**
 * ksplit_call_serve() - Hand a call to the workers of a channel, wait for its end
 * @call: the call; its file names the channel
 *
 * A signal during KVM_RUN interrupts the worker, who answers with what kvm_run
 * has to say: to return without it would leave kvm_run and an instruction half
 * done.  The other calls notice only signals that kill, as upstream's ioctls:
 * they end in their own time, which for some (a large slot's dirty log) is long
 * and no reason to end a VM.
 *
 * A vCPU whose call was not answered is of no use any more, nor is its VM.
 *
 * Return: 0: call->n.result stands; -EINTR (killed); -EIO (nobody serves, or an
 * interrupted KVM_RUN was not answered in time).
 */
int ksplit_call_serve(struct ksplit_call *call)
{
	struct ksplit_vcpu *vcpu = call->f->vcpu;
	struct ksplit_channel *chan = call->f->chan;
	bool run = vcpu && call->n.cmd == KVM_RUN;
	int r;

	call->client = current;
	init_waitqueue_head(&call->wq);
	if (!ksplit_call_queue(chan, call))
		return -EIO;
	r = wait_event_state(call->wq, call_over(call),
			     ((run ? TASK_INTERRUPTIBLE : TASK_KILLABLE) | TASK_FREEZABLE));
	if (r)
		r = run ? call_interrupted(call, vcpu) : -EINTR;
	scoped_guard(spinlock, &chan->lock)
		list_del(&call->node);
	if (vcpu && (r || call->n.result == -EIO)) {
		if (r != -EINTR)
			ksplit_vm_err(vcpu->vm, "vCPU %u: no good answer to ioctl %#x",
				      vcpu->id, call->n.cmd);
		ksplit_vm_kill(vcpu->vm);
	}
	return r;
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
		r = ksplit_copy_allowed(call->n.cmd, call->n.arg, call->data, call->n.prefetched,
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
	mmput(mm);
	if (!r && !c.write && copy_to_user(u64_to_user_ptr(c.local), buf, c.len))
		r = -EFAULT;
	return r;
}

/* ------------------------------------------------------- kvm_run -- */

/* Bytes of the PIO page that an exit is about. */
static u32 pio_bytes(const struct kvm_run *run)
{
	return run->exit_reason == KVM_EXIT_IO ?
	       min_t(u32, run->io.size * run->io.count, PAGE_SIZE) : 0;
}

/* Registers are moved only if the client asks for them. */
#define regs_bytes(run) ((run)->kvm_valid_regs | (run)->kvm_dirty_regs ? sizeof((run)->s.regs) : 0)

/* The client's kvm_run goes to the worker, who distrusts it as upstream does. */
static int run_to_worker(const struct kvm_run *run, u8 __user *dst)
{
	if (copy_to_user_nofault(dst, run, offsetof(struct kvm_run, s) + regs_bytes(run)) ||
	    copy_to_user_nofault(dst + PAGE_SIZE, (void *)run + PAGE_SIZE, pio_bytes(run)))
		return -EFAULT;
	return 0;
}

/*
 * The worker's kvm_run goes to the client through a copy that was checked.
 * What the client writes stays as it is: it may be writing immediate_exit now.
 */
static int run_to_client(struct kvm_run *run, const u8 __user *src)
{
	const size_t out = offsetof(struct kvm_run, exit_reason);
	const size_t in = offsetof(struct kvm_run, kvm_valid_regs);
	u64 head[offsetof(struct kvm_run, s) / sizeof(u64)];
	struct kvm_run *new = (void *)head;

	if (copy_from_user_nofault(new, src, sizeof(head)))
		return -EFAULT;
	if (!ksplit_kvm_run_valid(new))
		return -EINVAL;
	if (copy_from_user_nofault((void *)run + PAGE_SIZE, src + PAGE_SIZE, pio_bytes(new)) ||
	    copy_from_user_nofault(&run->s.regs, src + sizeof(head), regs_bytes(run)))
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
static int reply(struct ksplit_channel *chan, const struct ksplit_next *n)
{
	struct ksplit_call *call;
	int r = 0;

	guard(spinlock)(&chan->lock);
	call = ksplit_call_find(chan, n->reply_to, false);
	if (!call)
		return -ENOENT;
	if (n->out_len > call->n.len || !ksplit_result_allowed(call, n) ||
	    (n->out_len && call->n.op == KSPLIT_OP_IOCTL &&
	     !(ksplit_arg_access(call->n.cmd) & KSPLIT_TO_CLIENT)))
		r = -EINVAL;
	else if (n->out_len && copy_from_user_nofault(call->data + call->n.len,
						      u64_to_user_ptr(n->out), n->out_len))
		r = -EFAULT;
	else if (chan->kvm_run && call->n.cmd == KVM_RUN)
		r = run_to_client(chan->kvm_run, u64_to_user_ptr(n->kvm_run));
	if (r == -EFAULT)
		return r;
	if (!r)
		memcpy(&call->n, n, offsetof(struct ksplit_next, id));
	call_end(call, r ? -EIO : n->result);
	return r;
}

/* Gives the first call that waits to the worker; -EFAULT: it waits on. */
static int hand_out(struct ksplit_channel *chan, const struct ksplit_next *n,
		    struct ksplit_next __user *arg)
{
	struct ksplit_call *call;

	guard(spinlock)(&chan->lock);
	call = list_first_entry_or_null(&chan->calls, struct ksplit_call, node);
	if (!call)
		return chan->dead ? -ESHUTDOWN : -EAGAIN;
	if (copy_to_user_nofault(u64_to_user_ptr(n->prefetch), call->data, call->n.prefetched) ||
	    copy_to_user_nofault(&arg->id, &call->n.id,
				 sizeof(call->n) - offsetof(struct ksplit_next, id)) ||
	    (chan->kvm_run && call->n.cmd == KVM_RUN &&
	     run_to_worker(chan->kvm_run, u64_to_user_ptr(n->kvm_run))))
		return -EFAULT;
	if (call->n.op == KSPLIT_OP_RELEASE)
		call_end(call, 0);
	else
		list_move(&call->node, &chan->busy);
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
 * Context: the vCPU's thread in the worker; sleeps.
 */
void ksplit_channel_follow(struct ksplit_channel *chan)
{
	struct task_struct *client __free(put_task) = ksplit_channel_client(chan);

	if (client && sched_follow(client))
		pr_err_ratelimited("kvm-split: %d cannot follow %d\n", current->pid, client->pid);
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
	r = n.reply_to ? reply(chan, &n) : 0;
	if (r)
		return r;
	while ((r = hand_out(chan, &n, arg)) == -EAGAIN)
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
