// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a client waits for its call.
 *
 * Invariants: SIGKILL ends every wait, and none keeps the client's control group
 * from being frozen.  After a signal in KVM_RUN a worker has a bounded time for
 * its answer, of which only that counts in which it could run: what stops it
 * (cgroup.freeze, SIGSTOP, a CPU quota, memory.high, swap) mostly stops its
 * client, too, and is no fault of its own.
 */
#include <linux/cgroup.h>

#include "front.h"

/* How long a worker may take for an interrupted KVM_RUN. */
#define ANSWER_NS	(5ull * NSEC_PER_SEC)
#define TICK		(HZ / 10)
#define TICK_NS		(NSEC_PER_SEC / 10)

/* An answered call, >0; 0: not within @timeout; -ERESTARTSYS: killed. */
static long ksplit_call_sleep(struct ksplit_call *call, long timeout)
{
	return ___wait_event(call->wq,
			     ___wait_cond_timeout(READ_ONCE(call->done) && !READ_ONCE(call->copies)),
			     (TASK_KILLABLE | TASK_FREEZABLE), 0, timeout,
			     __ret = schedule_timeout(__ret));
}

/* How much of the last tick the worker used, or slept by its own will; @ran: its CPU time. */
static u64 ksplit_chance(struct ksplit_call *call, u64 *ran)
{
	struct task_struct *worker = READ_ONCE(call->worker) ?: call->f->session->worker;
	struct ksplit_vcpu *vcpu = call->f->vcpu;
	u64 before = *ran;

	/* It waits for a page of the client's. */
	if (vcpu && READ_ONCE(vcpu->sleeper) && READ_ONCE(vcpu->faults))
		return 0;
	*ran = READ_ONCE(worker->se.sum_exec_runtime);
	if (READ_ONCE(worker->__state) & TASK_INTERRUPTIBLE && !worker->frozen)
		return TICK_NS;
	return before ? *ran - before : 0;
}

/*
 * 0 (answered), -EINTR (killed), -EIO (the worker had its time, of at most @budget ns).
 *
 * Counts as frozen from the second tick on, as a parent in vfork() does: the
 * worker is in the same control group, which else would not freeze.
 */
static int ksplit_call_wait(struct ksplit_call *call, u64 budget)
{
	long left = ksplit_call_sleep(call, TICK);
	u64 ran = 0, spent = 0;

	if (!left) {
		cgroup_enter_frozen();
		while (!left && spent < budget) {
			left = ksplit_call_sleep(call, TICK);
			spent += ksplit_chance(call, &ran);
		}
		cgroup_leave_frozen(false);
	}
	if (left < 0)
		return -EINTR;
	return left ? 0 : -EIO;
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
	int r;

	call->client = current;
	init_waitqueue_head(&call->wq);
	if (!ksplit_call_queue(chan, call))
		return -EIO;
	if (vcpu && call->n.cmd == KVM_RUN) {
		r = wait_event_state(call->wq, READ_ONCE(call->done),
				     (TASK_INTERRUPTIBLE | TASK_FREEZABLE));
		if (r) {
			WRITE_ONCE(vcpu->interrupted, true);
			ksplit_vcpu_interrupt(vcpu);
			r = ksplit_call_wait(call, ANSWER_NS);
			WRITE_ONCE(vcpu->interrupted, false);
		}
	} else {
		r = ksplit_call_wait(call, U64_MAX);
	}
	scoped_guard(spinlock, &chan->lock)
		list_del(&call->node);
	if (call->worker)
		put_task_struct(call->worker);
	if (vcpu && (r || call->n.result == -EIO)) {
		/* Threads that are killed together find each other's VM dead. */
		if (!fatal_signal_pending(current))
			ksplit_vm_err(vcpu->vm, "vCPU %u: no good answer to ioctl %#x",
				      vcpu->id, call->n.cmd);
		ksplit_vm_kill(vcpu->vm);
	}
	return r;
}
