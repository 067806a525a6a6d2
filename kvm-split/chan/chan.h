/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Channels: queues of clients' calls, and the worker threads that take them.
 *
 * Below back/ and front/, which both use it.  A client's system call is a struct
 * ksplit_call on its thread's stack, linked to its channel from the moment the
 * thread queues it until the thread takes it off again, answered or not.  Nobody
 * else may keep a pointer to it without the channel's lock: who comes back finds
 * it by its id, or not.
 */
#ifndef KSPLIT_CHAN_H
#define KSPLIT_CHAN_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "uapi/kvm_split.h"

struct ksplit_file;

/* One in each session, one in each vCPU. */
struct ksplit_channel {
	spinlock_t lock;
	struct list_head calls;		/* not yet handed out */
	struct list_head busy;		/* handed out, the client is still there */
	u64 next_id;			/* of a call */
	wait_queue_head_t wq;
	bool dead;
	void *kvm_run;			/* of a vCPU, for its client */
	unsigned long follow_at;	/* of a vCPU: not earlier, jiffies */
};

struct ksplit_call {
	struct list_head node;		/* chan->calls or chan->busy */
	wait_queue_head_t wq;		/* the client's thread */
	struct task_struct *client;
	struct task_struct *worker;	/* thread that it was handed out to, or NULL */
	struct ksplit_file *f;		/* what the call is on */
	struct ksplit_file *new;	/* what it is to make */
	struct ksplit_next n;		/* id, op, ..., to hand out; the reply */
	u8 *in;				/* n.prefetched bytes of the argument */
	u8 *out;			/* room for n.len bytes that a reply brings */
	u64 slot_pages;			/* of the slot whose bitmap it wants */
	u32 copies;			/* in progress: the client stays */
	bool done;
};

void ksplit_channel_init(struct ksplit_channel *chan);
void ksplit_channel_close(struct ksplit_channel *chan);
void ksplit_channel_kill(struct ksplit_channel *chan);

bool ksplit_call_queue(struct ksplit_channel *chan, struct ksplit_call *call);
struct ksplit_call *ksplit_call_find(struct ksplit_channel *chan, u64 id, bool done);

struct task_struct *ksplit_channel_client(struct ksplit_channel *chan);
void ksplit_channel_follow(struct ksplit_channel *chan);
long ksplit_channel_next(struct ksplit_channel *chan, struct ksplit_next __user *arg);
long ksplit_copy(struct ksplit_channel *chan, struct ksplit_copy __user *arg);

#endif /* KSPLIT_CHAN_H */
