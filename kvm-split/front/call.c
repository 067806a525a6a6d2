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
 * Locks: chan->lock, then session->arguments_lock.
 */
#include "front.h"

/* How long a client waits for a worker that it interrupted: 2 s. */
#define SIGNAL_TICK	(HZ / 10)
#define SIGNAL_TICKS	20

/**
 * ksplit_channel_init() - Make an empty channel
 * @chan: the channel
 */
void ksplit_channel_init(struct ksplit_channel *chan)
{
	memset(chan, 0, sizeof(*chan));
	spin_lock_init(&chan->lock);
	INIT_LIST_HEAD(&chan->calls);
	INIT_LIST_HEAD(&chan->busy);
	init_waitqueue_head(&chan->wq);
}

/**
 * ksplit_call_alloc() - Make a call
 * @session: whom it is for
 * @op: enum ksplit_op
 * @size: bytes of data[]
 *
 * Return: the call with one reference, or NULL.
 */
struct ksplit_call *ksplit_call_alloc(struct ksplit_session *session, u32 op, u32 size)
{
	struct ksplit_call *call;

	call = kzalloc(struct_size(call, data, size), GFP_KERNEL_ACCOUNT);
	if (!call)
		return NULL;
	kref_init(&call->ref);
	INIT_LIST_HEAD(&call->argument);
	init_waitqueue_head(&call->wq);
	call->session = session;
	call->n.op = op;
	return call;
}

static void slot_finish(struct ksplit_call *call, bool success)
{
	if (call->slot_prepared)
		ksplit_slot_finish(call->f->vm, &call->slot, success);
	call->slot_prepared = false;
}

static void call_free(struct kref *ref)
{
	struct ksplit_call *call = container_of(ref, struct ksplit_call, ref);

	/* If nobody answered: the worker died, or never saw it. */
	slot_finish(call, false);
	if (call->new_file)
		fput(call->new_file);
	if (call->file) {
		put_task_struct(call->client);
		fput(call->file);
	}
	kfree(call);
}

/**
 * ksplit_call_put() - Drop a reference
 * @call: the call
 *
 * Context: may sleep, but for a call on a vCPU's channel.
 */
void ksplit_call_put(struct ksplit_call *call)
{
	kref_put(&call->ref, call_free);
}

/* From now on no copy begins.  Under chan->lock. */
static void argument_withdraw(struct ksplit_call *call)
{
	guard(spinlock)(&call->session->arguments_lock);
	list_del_init(&call->argument);
}

/* Under chan->lock, by one who has a reference besides the channel's. */
static void call_end(struct ksplit_channel *chan, struct ksplit_call *call, long result)
{
	list_del(&call->node);
	chan->nr--;
	argument_withdraw(call);
	call->result = result;
	/* Pairs with call_over(). */
	smp_store_release(&call->state, KSPLIT_CALL_DONE);
	/* The worker that replies is about to sleep. */
	wake_up_poll_on_current_cpu(&call->wq, EPOLLIN);
	ksplit_call_put(call);
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
 * Context: not in interrupts.  A session's channel: may sleep; a vCPU's: does
 * not.
 */
void ksplit_channel_kill(struct ksplit_channel *chan)
{
	struct ksplit_call *call;

	ksplit_channel_close(chan);
	do {
		scoped_guard(spinlock, &chan->lock) {
			list_splice_init(&chan->calls, &chan->busy);
			call = list_first_entry_or_null(&chan->busy, struct ksplit_call, node);
			if (!call)
				return;
			kref_get(&call->ref);
			call_end(chan, call, -EIO);
		}
		ksplit_call_put(call);
	} while (true);
}

/* --------------------------------------------------- client side -- */

/**
 * ksplit_call_queue() - Hand a call to the workers of a channel
 * @chan: the channel
 * @call: the call; the channel takes a reference of its own
 *
 * Return: 0; -EIO (the channel is dead), -ENOMEM (it has KSPLIT_MAX_CALLS).
 */
int ksplit_call_queue(struct ksplit_channel *chan, struct ksplit_call *call)
{
	scoped_guard(spinlock, &chan->lock) {
		if (chan->dead)
			return -EIO;
		if (chan->nr >= KSPLIT_MAX_CALLS && call->file)
			return -ENOMEM;
		call->n.id = atomic64_inc_return(&call->session->next_id);
		kref_get(&call->ref);
		list_add_tail(&call->node, &chan->calls);
		chan->nr++;
	}
	ksplit_count(calls);
	/* A client is about to sleep: let the worker run here. */
	if (call->file)
		wake_up_poll_on_current_cpu(&chan->wq, EPOLLIN);
	else
		wake_up(&chan->wq);
	return 0;
}

static bool call_over(struct ksplit_call *call)
{
	/* Pairs with call_end(); the other with ksplit_argument_put(). */
	return smp_load_acquire(&call->state) == KSPLIT_CALL_DONE && !smp_load_acquire(&call->users);
}

/* The client gives up.  False: the call has just ended, take what it brought. */
static bool call_cancel(struct ksplit_channel *chan, struct ksplit_call *call)
{
	guard(spinlock)(&chan->lock);
	if (call->state == KSPLIT_CALL_DONE)
		return false;
	if (call->state == KSPLIT_CALL_QUEUED)
		call_end(chan, call, -EINTR);
	else
		argument_withdraw(call);
	return true;
}

/*
 * A signal came during KVM_RUN.  The worker answers with what kvm_run has to
 * say: to return without it would leave kvm_run and an instruction half done.
 * Under the lock, so that the interruption meets this call or none.
 */
static void call_interrupt(struct ksplit_channel *chan, struct ksplit_call *call,
			   struct ksplit_vcpu *vcpu)
{
	guard(spinlock)(&chan->lock);
	call->interrupted = true;
	if (call->state == KSPLIT_CALL_TAKEN)
		ksplit_vcpu_interrupt(vcpu);
}

/**
 * ksplit_call_wait() - Wait for the end of a queued call
 * @chan: the channel
 * @call: the call
 * @vcpu: of KVM_RUN
 *
 * Only KVM_RUN notices signals that do not kill, as upstream's ioctls: the
 * others end in their own time, which for some (a large slot's dirty log) is
 * long and no reason to end a VM.
 *
 * Return: 0; -EINTR (killed); -EIO (an interrupted KVM_RUN was not answered in
 * time, its VM is dead now).
 */
int ksplit_call_wait(struct ksplit_channel *chan, struct ksplit_call *call,
		     struct ksplit_vcpu *vcpu)
{
	unsigned int state = call->run ? TASK_INTERRUPTIBLE : TASK_KILLABLE;
	int ticks = 0;
	long left;

	if (!wait_event_state(call->wq, call_over(call), (state | TASK_FREEZABLE)))
		return 0;
	if (call->run)
		call_interrupt(chan, call, vcpu);
	/* Many short sleeps: time spent in the freezer counts as one. */
	while (call->run && ticks < SIGNAL_TICKS) {
		left = ___wait_event(call->wq, ___wait_cond_timeout(call_over(call)),
				     (TASK_KILLABLE | TASK_FREEZABLE), 0,
				     SIGNAL_TICK, __ret = schedule_timeout(__ret));
		if (left > 0)
			return 0;
		if (left < 0)
			break;
		/* Not the worker's fault: another call of the client's is first. */
		if (READ_ONCE(call->state) == KSPLIT_CALL_QUEUED && !list_empty(&chan->busy))
			continue;
		ticks++;
	}
	if (!call_cancel(chan, call))
		return 0;
	if (ticks < SIGNAL_TICKS)
		return -EINTR;
	ksplit_vm_err(vcpu->vm, "vCPU %u: the worker did not answer a signal", vcpu->id);
	ksplit_vm_kill(vcpu->vm);
	return -EIO;
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
			call->users++;
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
	scoped_guard(spinlock, &call->session->arguments_lock)
		/* Pairs with call_over(). */
		smp_store_release(&call->users, call->users - 1);
	wake_up(&call->wq);
	ksplit_call_put(call);
}

/* Between the client and @buf. */
static int copy_client(struct ksplit_session *session,
		       const struct ksplit_copy *c, u64 addr, void *buf, u32 len)
{
	struct ksplit_call *call = ksplit_argument_get(session, c->call);
	int r;

	if (!call)
		return -ENOENT;
	r = ksplit_copy_allowed(call->n.cmd, call->n.arg, call->data,
				call->n.prefetched, call->slot_pages, addr, len, c->write);
	if (!r && access_process_vm(call->client, addr, buf, len,
				    c->write ? FOLL_WRITE : 0) != len)
		r = -EFAULT;
	ksplit_argument_put(call);
	return r;
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
 * call's), -EFAULT, -ENOMEM.
 */
long ksplit_copy(struct ksplit_session *session, struct ksplit_copy __user *arg)
{
	void *buf __free(kfree) = kmalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);
	struct ksplit_copy c;
	u8 __user *local;
	u32 done, len;
	int r;

	if (!buf)
		return -ENOMEM;
	if (copy_from_user(&c, arg, sizeof(c)))
		return -EFAULT;
	ksplit_count(copies);
	local = u64_to_user_ptr(c.local);
	for (done = 0; done < c.len; done += len) {
		len = min_t(u32, c.len - done, PAGE_SIZE);
		if (c.write && copy_from_user(buf, local + done, len))
			return -EFAULT;
		r = copy_client(session, &c, c.client + done, buf, len);
		if (r)
			return r;
		if (!c.write && copy_to_user(local + done, buf, len))
			return -EFAULT;
		cond_resched();
	}
	return 0;
}

/* ------------------------------------------------------- kvm_run -- */

/* Bytes of the PIO page that an exit is about. */
static u32 pio_bytes(const struct kvm_run *run, u8 direction)
{
	if (run->exit_reason != KVM_EXIT_IO || run->io.direction != direction)
		return 0;
	return min_t(u32, run->io.size * run->io.count, PAGE_SIZE);
}

/* The client's kvm_run goes to the worker, who distrusts it as upstream does. */
static int run_to_worker(struct ksplit_file *f, u8 __user *dst)
{
	u32 pio = pio_bytes(f->run, KVM_EXIT_IO_IN);

	if (copy_to_user(dst, f->run, KSPLIT_RUN_SIZE) ||
	    copy_to_user(dst + PAGE_SIZE, f->run + PAGE_SIZE, pio))
		return -EFAULT;
	return 0;
}

/*
 * The worker's kvm_run goes to the client through @new, where it is checked.
 * What the client writes stays as it is: it may be writing immediate_exit now.
 */
static int run_to_client(struct ksplit_file *f, const u8 __user *src, struct kvm_run *new)
{
	const size_t out = offsetof(struct kvm_run, exit_reason);
	const size_t in = offsetof(struct kvm_run, kvm_valid_regs);
	const size_t regs = offsetof(struct kvm_run, kvm_dirty_regs);
	void *run = f->run;

	if (copy_from_user(new, src, KSPLIT_RUN_SIZE))
		return -EFAULT;
	if (ksplit_check_kvm_run(new)) {
		ksplit_vm_err(f->vm, "vCPU %u: kvm_run refused, exit reason %u",
			      f->vcpu->id, new->exit_reason);
		ksplit_vm_kill(f->vm);
		return -EINVAL;
	}
	if (copy_from_user(run + PAGE_SIZE, src + PAGE_SIZE, pio_bytes(new, KVM_EXIT_IO_OUT)))
		return -EFAULT;
	memcpy(run + out, (void *)new + out, in - out);
	memcpy(run + regs, (void *)new + regs, KSPLIT_RUN_SIZE - regs);
	return 0;
}

/* --------------------------------------------------- worker side -- */

/*
 * A result that a client would use as a descriptor comes with a file; one that
 * it would use as an offset into a mapping is the stub's.
 */
static bool result_allowed(struct ksplit_call *call, const struct ksplit_next *n)
{
	const struct kvm_create_device *cd = (void *)call->data;
	u32 cmd = call->n.cmd;

	/* -512 and beyond are the kernel's own (ERESTARTSYS). */
	if (n->result < 0 || n->new_kind != KSPLIT_FILE_NONE)
		return n->result > -512;
	if (call->n.op == KSPLIT_OP_READ)
		return n->result <= n->out_len;
	if (cmd == KVM_CHECK_EXTENSION && call->n.arg == KVM_CAP_COALESCED_MMIO)
		return !n->result || n->result == KVM_COALESCED_MMIO_PAGE_OFFSET;
	if (cmd == KVM_CREATE_DEVICE && cd->flags & KVM_CREATE_DEVICE_TEST)
		return true;
	return ksplit_creates(cmd) == KSPLIT_FILE_NONE && cmd != KVM_CREATE_GUEST_MEMFD;
}

/* Reads what a reply brings. */
static int reply_read(struct ksplit_call *call, const struct ksplit_next *n,
		      struct file **ret_file)
{
	struct file *file;

	if (!result_allowed(call, n) || n->out_len > call->out_max)
		return -EINVAL;
	if (call->run)
		return run_to_client(call->f, u64_to_user_ptr(n->kvm_run),
				     (struct kvm_run *)call->data);
	if (copy_from_user(call->data + call->out_max, u64_to_user_ptr(n->out), n->out_len))
		return -EFAULT;
	if (n->new_kind == KSPLIT_FILE_NONE)
		return 0;
	file = ksplit_client_file(call, n);
	if (IS_ERR(file))
		return PTR_ERR(file);
	*ret_file = file;
	return 0;
}

/* The call that a reply is to; no second reply finds it. */
static struct ksplit_call *reply_find(struct ksplit_channel *chan, u64 id)
{
	struct ksplit_call *call;

	guard(spinlock)(&chan->lock);
	list_for_each_entry(call, &chan->busy, node) {
		if (call->n.id == id && call->state == KSPLIT_CALL_TAKEN) {
			call->state = KSPLIT_CALL_REPLYING;
			argument_withdraw(call);
			kref_get(&call->ref);
			return call;
		}
	}
	return NULL;
}

/* Ends a call with the worker's reply, or -EIO if that is not acceptable. */
static int reply(struct ksplit_channel *chan, struct ksplit_vcpu *vcpu,
		 const struct ksplit_next *n)
{
	struct ksplit_call *call = reply_find(chan, n->reply_to);
	struct file *file = NULL;
	int r = 0;

	if (!call)
		return -ENOENT;
	if (call->file)
		r = reply_read(call, n, &file);
	slot_finish(call, !r && !n->result);

	scoped_guard(spinlock, &chan->lock) {
		/* The channel may have died meanwhile. */
		if (call->state == KSPLIT_CALL_DONE)
			break;
		if (call->run)
			ksplit_vcpu_call_done(vcpu);
		call->out_len = r ? 0 : n->out_len;
		swap(call->new_file, file);
		call_end(chan, call, r ? -EIO : n->result);
	}
	if (file)
		fput(file);
	ksplit_call_put(call);
	return r;
}

/*
 * The next call, now handed out, NULL if there is none.  A vCPU's calls go out
 * one at a time, as upstream serves them under vcpu->mutex: two replies to
 * KVM_RUN must not meet in one kvm_run.
 */
static struct ksplit_call *call_take(struct ksplit_channel *chan, struct ksplit_vcpu *vcpu)
{
	struct ksplit_call *call;

	guard(spinlock)(&chan->lock);
	call = list_first_entry_or_null(&chan->calls, struct ksplit_call, node);
	if (!call)
		return NULL;
	if (vcpu && !list_empty(&chan->busy))
		return ERR_PTR(-EBUSY);
	kref_get(&call->ref);
	list_move_tail(&call->node, &chan->busy);
	call->state = KSPLIT_CALL_TAKEN;
	if (call->interrupted)
		ksplit_vcpu_interrupt(vcpu);
	if (call->n.op == KSPLIT_OP_IOCTL && !call->run) {
		guard(spinlock)(&call->session->arguments_lock);
		list_add(&call->argument, &call->session->arguments);
	}
	return call;
}

/* Gives a call to the worker, into what it passed to KSPLIT_NEXT. */
static int hand_out(struct ksplit_call *call, const struct ksplit_next *n,
		    struct ksplit_next __user *arg)
{
	const size_t out = offsetof(struct ksplit_next, id);

	if (copy_to_user(u64_to_user_ptr(n->prefetch), call->data, call->n.prefetched) ||
	    copy_to_user((void __user *)arg + out, (void *)&call->n + out, sizeof(call->n) - out))
		return -EFAULT;
	if (!call->run)
		return 0;
	ksplit_count(calls_run);
	return run_to_worker(call->f, u64_to_user_ptr(n->kvm_run));
}

/**
 * ksplit_channel_next() - KSPLIT_NEXT: reply to a call, wait for the next one
 * @session: the worker's
 * @chan: the session's channel, or a vCPU's
 * @vcpu: the vCPU, or NULL
 * @arg: struct ksplit_next
 *
 * Return: see struct ksplit_next; -EBUSY on a vCPU's channel while a call of it
 * has not been replied to.
 */
long ksplit_channel_next(struct ksplit_session *session,
			 struct ksplit_channel *chan, struct ksplit_vcpu *vcpu,
			 struct ksplit_next __user *arg)
{
	struct ksplit_next n, failed = { .result = -EIO };
	struct ksplit_call *call;
	int r = 0;

	if (current->mm != session->worker_mm)
		return -EIO;
	if (copy_from_user(&n, arg, sizeof(n)))
		return -EFAULT;
	if (n.reply_to)
		r = reply(chan, vcpu, &n);
	if (r || n.flags & KSPLIT_NEXT_REPLY_ONLY)
		return r;

	while (!(call = call_take(chan, vcpu))) {
		if (READ_ONCE(chan->dead))
			return -ESHUTDOWN;
		if (n.flags & KSPLIT_NEXT_NOWAIT)
			return -EAGAIN;
		/* Not -ERESTARTSYS: the reply must not be given twice. */
		if (wait_event_freezable_exclusive(chan->wq, !list_empty_careful(&chan->calls) ||
				READ_ONCE(chan->dead)))
			return -EINTR;
	}
	if (IS_ERR(call))
		return PTR_ERR(call);
	r = hand_out(call, &n, arg);
	if (r) {
		failed.reply_to = call->n.id;
		reply(chan, vcpu, &failed);
	}
	ksplit_call_put(call);
	return r;
}
