// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels and calls: how a client's system call reaches a worker, and how the
 * worker's answer reaches the client.
 *
 * Invariants: a client waits killable and freezable, and after a signal in
 * KVM_RUN for a bounded time.  No lock is held over a sleep or a user access.
 * A client's memory is reached only while its call is in progress: no copy
 * begins after the call is done, and the client does not return before the last
 * has ended.  A kvm_run is checked before the client can see it.  What was
 * prefetched is constant once the call is queued.
 *
 * A call on one of its channel's lists is the channel's.  Who takes it off, a
 * worker's thread or the killer of the channel, owns it, and puts it back or
 * ends it.
 *
 * Locks: chan->lock, session->arguments_lock, neither within the other.
 */
#include "front.h"

/* How long a client waits for a worker that it interrupted: 2 s. */
#define SIGNAL_TICK	(HZ / 10)
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

static void call_free(struct kref *ref)
{
	struct ksplit_call *call = container_of(ref, struct ksplit_call, ref);

	atomic_dec(&call->session->nr_calls);
	if (call->new_file)
		fput(call->new_file);
	if (call->run)
		free_pages_exact(call->run, KSPLIT_RUN_ALLOC);
	if (call->client) {
		put_task_struct(call->client);
		fput(call->file);
	}
	kfree(call);
}

/**
 * ksplit_call_put() - Drop a reference
 * @call: the call
 *
 * Context: does not sleep.
 */
void ksplit_call_put(struct ksplit_call *call)
{
	kref_put(&call->ref, call_free);
}

/**
 * ksplit_call_alloc() - Make a call
 * @session: whom it is for
 * @size: bytes of data[], which are not initialized
 *
 * Return: the call with one reference, or NULL (no memory, or the session has
 * KSPLIT_MAX_CALLS).
 */
struct ksplit_call *ksplit_call_alloc(struct ksplit_session *session, u32 size)
{
	struct ksplit_call *call = kmalloc(struct_size(call, data, size), GFP_KERNEL_ACCOUNT);

	if (!call)
		return NULL;
	memset(call, 0, sizeof(*call));
	kref_init(&call->ref);
	INIT_LIST_HEAD(&call->argument);
	init_waitqueue_head(&call->wq);
	call->session = session;
	if (atomic_inc_return(&session->nr_calls) <= KSPLIT_MAX_CALLS)
		return call;
	ksplit_call_put(call);
	return NULL;
}

/* From now on no copy begins. */
static void argument_withdraw(struct ksplit_call *call)
{
	/* Nobody copies for a file's own call. */
	if (!call->client)
		return;
	guard(spinlock)(&call->session->arguments_lock);
	list_del_init(&call->argument);
}

/* By the call's owner. */
static void call_end(struct ksplit_call *call, long result)
{
	argument_withdraw(call);
	if (call->slot_prepared)
		ksplit_slot_finish(call->f->vm, &call->slot, !result);
	call->result = result;
	ksplit_argument_put(call);
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
 * What a thread of the worker owns at this moment, it ends itself: a session's
 * channel is killed when there is none, a vCPU's with its VM.
 *
 * Context: not in interrupts.  A session's channel: may sleep; a vCPU's: does
 * not.
 */
void ksplit_channel_kill(struct ksplit_channel *chan)
{
	struct ksplit_call *call, *next;
	LIST_HEAD(calls);

	ksplit_channel_close(chan);
	scoped_guard(spinlock, &chan->lock) {
		list_splice_init(&chan->busy, &calls);
		list_splice_init(&chan->calls, &calls);
	}
	list_for_each_entry_safe(call, next, &calls, node)
		call_end(call, -EIO);
}

/* --------------------------------------------------- client side -- */

/**
 * ksplit_call_queue() - Hand a call to the workers of a channel
 * @chan: the channel; if it is dead the call ends at once, with -EIO
 * @call: the call; the channel takes a reference of its own
 */
void ksplit_call_queue(struct ksplit_channel *chan, struct ksplit_call *call)
{
	struct ksplit_session *session = call->session;
	bool dead;

	kref_get(&call->ref);
	atomic_set(&call->pending, 1);
	call->n.id = atomic64_inc_return(&session->next_id);
	if (call->client) {
		guard(spinlock)(&session->arguments_lock);
		list_add(&call->argument, &session->arguments);
	}
	scoped_guard(spinlock, &chan->lock) {
		dead = chan->dead;
		if (!dead)
			list_add_tail(&call->node, &chan->calls);
	}
	if (dead)
		return call_end(call, -EIO);
	ksplit_count(calls);
	/* The client is about to sleep: let the worker run here. */
	wake_up_poll_on_current_cpu(&chan->wq, EPOLLIN);
}

static bool call_over(struct ksplit_call *call)
{
	/* Pairs with ksplit_argument_put(). */
	return !atomic_read_acquire(&call->pending);
}

/**
 * ksplit_call_serve() - Hand a call to the workers of a channel, wait for its end
 * @chan: the channel
 * @call: the call
 * @vcpu: whose it is, or NULL
 *
 * A signal during KVM_RUN interrupts the worker, who answers with what kvm_run
 * has to say: to return without it would leave kvm_run and an instruction half
 * done.  The other calls notice only signals that kill, as upstream's ioctls:
 * they end in their own time, which for some (a large slot's dirty log) is long
 * and no reason to end a VM.
 *
 * A vCPU whose call was not answered is of no use any more, nor is its VM.
 *
 * Return: 0; -EINTR (killed); -EIO (an interrupted KVM_RUN was not answered in
 * time).
 */
int ksplit_call_serve(struct ksplit_channel *chan, struct ksplit_call *call,
		      struct ksplit_vcpu *vcpu)
{
	unsigned int state = call->run ? TASK_INTERRUPTIBLE : TASK_KILLABLE;
	long left;

	ksplit_call_queue(chan, call);
	left = wait_event_state(call->wq, call_over(call), (state | TASK_FREEZABLE));
	if (!left)
		return 0;
	if (call->run) {
		ksplit_vcpu_interrupt(vcpu);
		left = 0;
		/* Many short sleeps: time spent in the freezer counts as one. */
		for (int i = 0; !left && i < SIGNAL_TICKS; i++)
			left = ___wait_event(call->wq, ___wait_cond_timeout(call_over(call)),
					     (TASK_KILLABLE | TASK_FREEZABLE), 0,
					     SIGNAL_TICK, __ret = schedule_timeout(__ret));
		ksplit_vcpu_call_done(vcpu);
		if (left > 0)
			return 0;
	}
	argument_withdraw(call);
	if (!left)
		ksplit_vm_err(vcpu->vm, "vCPU %u: the worker did not answer a signal", vcpu->id);
	if (vcpu)
		ksplit_vm_kill(vcpu->vm);
	return left ? -EINTR : -EIO;
}

/* ------------------------------------------- a call's client memory -- */

/**
 * ksplit_argument_get() - The call in progress of that id
 * @session: the session
 * @id: as handed out
 *
 * Return: the call, whose client does not return before ksplit_argument_put();
 * or NULL.  Never a KVM_RUN.
 */
struct ksplit_call *ksplit_argument_get(struct ksplit_session *session, u64 id)
{
	struct ksplit_call *call;

	guard(spinlock)(&session->arguments_lock);
	list_for_each_entry(call, &session->arguments, argument) {
		if (call->n.id == id) {
			kref_get(&call->ref);
			atomic_inc(&call->pending);
			return call;
		}
	}
	return NULL;
}

/**
 * ksplit_argument_put() - Let the client of a call return
 * @call: from ksplit_argument_get()
 */
void ksplit_argument_put(struct ksplit_call *call)
{
	/* Pairs with call_over().  Who replies is about to sleep. */
	if (atomic_dec_and_test(&call->pending))
		wake_up_poll_on_current_cpu(&call->wq, EPOLLIN);
	ksplit_call_put(call);
}

/**
 * ksplit_copy() - KSPLIT_COPY: move bytes of a call's arguments
 * @session: the worker's
 * @arg: struct ksplit_copy
 *
 * The worker's side may fault for as long as the worker likes, so it is outside
 * of what the client waits for.
 *
 * Return: 0, -ENOENT (no such call in progress), -EPERM (not a range of that
 * call's), -EINVAL (too much at once), -EFAULT, -ENOMEM.
 */
long ksplit_copy(struct ksplit_session *session, struct ksplit_copy __user *arg)
{
	void *buf __free(kvfree) = NULL;
	struct ksplit_call *call;
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
	call = ksplit_argument_get(session, c.call);
	if (!call)
		return -ENOENT;
	r = ksplit_copy_allowed(call->n.cmd, call->n.arg, call->data, call->n.prefetched,
				call->slot_pages, c.client, c.len, c.write);
	if (!r && access_process_vm(call->client, c.client, buf, c.len,
				    c.write ? FOLL_WRITE : 0) != c.len)
		r = -EFAULT;
	ksplit_argument_put(call);
	if (!r && !c.write && copy_to_user(u64_to_user_ptr(c.local), buf, c.len))
		r = -EFAULT;
	return r;
}

/* ------------------------------------------------------- kvm_run -- */

/* Bytes of the PIO page that an exit is about. */
static u32 pio_bytes(const struct kvm_run *run, u8 direction)
{
	if (run->exit_reason != KVM_EXIT_IO || run->io.direction != direction)
		return 0;
	return min_t(u32, run->io.size * run->io.count, PAGE_SIZE);
}

/* What is moved of a kvm_run: registers only if the client asks for them. */
static size_t run_size(const struct kvm_run *run)
{
	if (READ_ONCE(run->kvm_valid_regs) | READ_ONCE(run->kvm_dirty_regs))
		return offsetofend(struct kvm_run, s.regs);
	return offsetof(struct kvm_run, s);
}

/* The client's kvm_run goes to the worker, who distrusts it as upstream does. */
static int run_to_worker(const void *run, u8 __user *dst)
{
	if (copy_to_user(dst, run, run_size(run)) ||
	    copy_to_user(dst + PAGE_SIZE, run + PAGE_SIZE, pio_bytes(run, KVM_EXIT_IO_IN)))
		return -EFAULT;
	return 0;
}

/*
 * The worker's kvm_run goes to the client through @new, where it is checked.
 * What the client writes stays as it is: it may be writing immediate_exit now.
 */
static int run_to_client(struct ksplit_vcpu *vcpu, void *run, const u8 __user *src)
{
	const size_t out = offsetof(struct kvm_run, exit_reason);
	const size_t in = offsetof(struct kvm_run, kvm_valid_regs);
	const size_t regs = offsetof(struct kvm_run, kvm_dirty_regs);
	struct kvm_run *new = run + KSPLIT_RUN_PAGES * PAGE_SIZE;
	size_t size = run_size(run);

	if (copy_from_user((void *)new + out, src + out, size - out))
		return -EFAULT;
	if (ksplit_check_kvm_run(new)) {
		ksplit_vm_err(vcpu->vm, "vCPU %u: kvm_run refused, exit reason %u",
			      vcpu->id, new->exit_reason);
		ksplit_vm_kill(vcpu->vm);
		return -EINVAL;
	}
	if (copy_from_user(run + PAGE_SIZE, src + PAGE_SIZE, pio_bytes(new, KVM_EXIT_IO_OUT)))
		return -EFAULT;
	memcpy(run + out, (void *)new + out, in - out);
	memcpy(run + regs, (void *)new + regs, size - regs);
	return 0;
}

/* --------------------------------------------------- worker side -- */

/* Reads what a reply brings. */
static int reply_read(struct ksplit_call *call, struct ksplit_vcpu *vcpu,
		      const struct ksplit_next *n)
{
	struct file *file;

	if (n->out_len > call->out_max)
		return -EINVAL;
	if (copy_from_user(call->data + call->out_max, u64_to_user_ptr(n->out), n->out_len))
		return -EFAULT;
	file = ksplit_client_file(call, n);
	if (IS_ERR(file))
		return PTR_ERR(file);
	call->new_file = file;
	call->out_len = n->out_len;
	if (call->run)
		return run_to_client(vcpu, call->run, u64_to_user_ptr(n->kvm_run));
	return 0;
}

/* Takes the call of that id off a list, or the first, id 0; the caller owns it. */
static struct ksplit_call *call_take(struct ksplit_channel *chan, struct list_head *list, u64 id)
{
	struct ksplit_call *call;

	guard(spinlock)(&chan->lock);
	list_for_each_entry(call, list, node) {
		if (!id || call->n.id == id) {
			list_del(&call->node);
			return call;
		}
	}
	return NULL;
}

/* Ends a call with the worker's reply, or -EIO if that is not acceptable. */
static int reply(struct ksplit_channel *chan, struct ksplit_vcpu *vcpu,
		 const struct ksplit_next *n)
{
	struct ksplit_call *call = call_take(chan, &chan->busy, n->reply_to);
	int r = 0;

	if (!call)
		return -ENOENT;
	if (call->n.op != KSPLIT_OP_RELEASE)
		r = reply_read(call, vcpu, n);
	call_end(call, r ? -EIO : n->result);
	return r;
}

/* Gives a call to the worker, into what it passed to KSPLIT_NEXT. */
static int hand_out(struct ksplit_call *call, const struct ksplit_next *n,
		    struct ksplit_next __user *arg)
{
	const size_t out = offsetof(struct ksplit_next, id);

	if (copy_to_user(u64_to_user_ptr(n->prefetch), call->data, call->n.prefetched) ||
	    copy_to_user((void __user *)arg + out, (void *)&call->n + out, sizeof(call->n) - out))
		return -EFAULT;
	if (!call->run || call->n.op == KSPLIT_OP_RELEASE)
		return 0;
	ksplit_count(calls_run);
	return run_to_worker(call->run, u64_to_user_ptr(n->kvm_run));
}

/**
 * ksplit_channel_next() - KSPLIT_NEXT: reply to a call, wait for the next one
 * @chan: the session's channel, or a vCPU's
 * @vcpu: the vCPU, or NULL
 * @arg: struct ksplit_next
 *
 * Return: see struct ksplit_next.
 */
long ksplit_channel_next(struct ksplit_channel *chan, struct ksplit_vcpu *vcpu,
			 struct ksplit_next __user *arg)
{
	struct ksplit_call *call;
	struct ksplit_next n;
	int r = 0;

	if (copy_from_user(&n, arg, offsetof(struct ksplit_next, id)))
		return -EFAULT;
	if (n.reply_to)
		r = reply(chan, vcpu, &n);
	if (r || n.flags & KSPLIT_NEXT_REPLY_ONLY)
		return r;

	while (!(call = call_take(chan, &chan->calls, 0))) {
		if (READ_ONCE(chan->dead))
			return -ESHUTDOWN;
		/* Not -ERESTARTSYS: the reply must not be given twice. */
		if (wait_event_freezable_exclusive(chan->wq, !list_empty_careful(&chan->calls) ||
				READ_ONCE(chan->dead)))
			return -EINTR;
	}
	r = hand_out(call, &n, arg);
	scoped_guard(spinlock, &chan->lock) {
		/* Its channel was killed meanwhile, and is not again. */
		if (vcpu && READ_ONCE(vcpu->vm->dead))
			r = -ESHUTDOWN;
		if (!r)
			list_add(&call->node, &chan->busy);
	}
	if (r)
		call_end(call, -EIO);
	return r;
}
