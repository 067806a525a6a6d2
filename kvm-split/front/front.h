/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the front's files share: the files that clients hold, and their calls.
 *
 * A client's system call is a struct ksplit_call on its thread's stack, linked
 * to its channel from the moment the thread queues it until the thread takes it
 * off again, answered or not.  Nobody else may keep a pointer to it without the
 * channel's lock: who comes back finds it by its id, or not.
 */
#ifndef KSPLIT_FRONT_H
#define KSPLIT_FRONT_H

#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/sched/follow.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "ksplit.h"
#include "pure/kvm_run.h"
#include "pure/tails.h"

struct ksplit_call {
	struct list_head node;		/* chan->calls or chan->busy */
	wait_queue_head_t wq;		/* the client's thread */
	struct task_struct *client;
	struct ksplit_file *f;		/* what the call is on */
	struct ksplit_file *new;	/* what it is to make */
	struct ksplit_next n;		/* id, op, ..., to hand out; the reply */
	u8 *data;			/* n.len bytes prefetched, n.len that a reply brings */
	u64 slot_pages;			/* of the slot whose bitmap it wants */
	u32 copies;			/* in progress: the client stays */
	bool done;
};

struct ksplit_file {
	struct ksplit_call gone;	/* the news; until then kind and handle */
	struct ksplit_session *session;
	struct ksplit_vm *vm;		/* NULL: the open of /dev/kvm */
	struct ksplit_vcpu *vcpu;	/* a vCPU's file only, as the rest */
	struct ksplit_channel *chan;	/* the session's or the vCPU's */
	sigset_t sigset;		/* KVM_SET_SIGNAL_MASK */
	bool sigset_active;
};

/* tenant.c */
extern struct miscdevice ksplit_control_dev;
int ksplit_tenant_admit(struct ksplit_tenant *t, struct ksplit_session *session);
void ksplit_tenant_leave(struct ksplit_session *session, bool last);
struct ksplit_session *ksplit_tenant_take(kuid_t uid);

/* session.c */
int ksplit_session_serve(struct ksplit_tenant *tenant);

/* call.c */
bool ksplit_call_queue(struct ksplit_channel *chan, struct ksplit_call *call);
int ksplit_call_serve(struct ksplit_call *call);
struct ksplit_call *ksplit_call_find(struct ksplit_channel *chan, u64 id, bool done);
void ksplit_channel_close(struct ksplit_channel *chan);

/* chardev.c */
bool ksplit_result_allowed(const struct ksplit_call *call, const struct ksplit_next *n);

#endif /* KSPLIT_FRONT_H */
