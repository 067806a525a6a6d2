/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the front's files share: the files that clients hold, and their calls.
 *
 * A client's system call becomes a struct ksplit_call that its thread queues
 * and sleeps on.  Two references: the client's thread's, and the channel's or
 * the owner's until the call is over.  It is over once: by a worker's reply or
 * by the death of the channel.  Such a call holds its client's file, the file
 * the VM, vCPU and session.
 *
 * Each file has a call of its own, too, with a reference of the file's: the
 * KVM_RUN of a vCPU, and the message that the file is gone.
 */
#ifndef KSPLIT_FRONT_H
#define KSPLIT_FRONT_H

#include <linux/anon_inodes.h>
#include <linux/cleanup.h>
#include <linux/file.h>
#include <linux/freezer.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ksplit.h"
#include "pure/tails.h"

#define KSPLIT_MAX_CALLS	4096	/* of a session, one for each file included */
#define KSPLIT_READ_MAX		15360	/* bytes of one read */
#define KSPLIT_RUN_PAGES	3	/* kvm_run, PIO data, coalesced ring */
#define KSPLIT_RUN_SIZE		(KSPLIT_RUN_PAGES * PAGE_SIZE)
/* And one to check a worker's kvm_run in. */
#define KSPLIT_RUN_ALLOC	(KSPLIT_RUN_SIZE + PAGE_SIZE)

struct ksplit_file {
	struct ksplit_session *session;
	struct ksplit_vm *vm;		/* NULL: the open of /dev/kvm */
	struct ksplit_vcpu *vcpu;	/* a vCPU's file only, as the rest */
	struct ksplit_channel *chan;	/* the session's or the vCPU's */
	struct ksplit_call *call;	/* the file's own */
	unsigned long busy;		/* bit 0: a call of a vCPU's is made */
	sigset_t sigset;		/* KVM_SET_SIGNAL_MASK */
	bool sigset_active;
};

struct ksplit_call {
	struct kref ref;
	atomic_t pending;		/* until it is over, and copies: the client stays */
	struct list_head node;		/* chan->calls or chan->busy */
	struct list_head argument;	/* session->arguments */
	wait_queue_head_t wq;		/* the client's thread */
	struct ksplit_session *session;
	struct ksplit_next n;		/* id, op, ..., ready to hand out */
	long result;
	struct file *new_file;		/* what the reply brought */
	void *run;			/* of a vCPU's own: KSPLIT_RUN_ALLOC bytes */
	/* The rest is not of a file's own call. */
	struct task_struct *client;	/* whose memory and descriptors */
	struct file *file;		/* the client's */
	struct ksplit_file *f;		/* behind it */
	bool slot_prepared;
	struct ksplit_slot_change slot;
	u64 slot_pages;			/* of the slot whose bitmap it wants */
	u32 out_max;
	u32 out_len;
	u8 data[];			/* prefetch; at out_max: what the reply brings */
};

/* tenant.c */
int ksplit_tenant_admit(struct ksplit_tenant *t, struct ksplit_session *session);
void ksplit_tenant_leave(struct ksplit_session *session, bool last);
struct ksplit_session *ksplit_tenant_take(kuid_t uid);

/* session.c */
int ksplit_session_serve(struct ksplit_tenant *tenant);

/* call.c */
struct ksplit_call *ksplit_call_alloc(struct ksplit_session *session, u32 size);
void ksplit_call_put(struct ksplit_call *call);
void ksplit_call_queue(struct ksplit_channel *chan, struct ksplit_call *call);
int ksplit_call_serve(struct ksplit_channel *chan, struct ksplit_call *call,
		      struct ksplit_vcpu *vcpu);
void ksplit_channel_close(struct ksplit_channel *chan);
struct ksplit_call *ksplit_argument_get(struct ksplit_session *session, u64 id);
void ksplit_argument_put(struct ksplit_call *call);
long ksplit_copy(struct ksplit_session *session, struct ksplit_copy __user *arg);

/* chardev.c */
int ksplit_chardev_init(void);
struct file *ksplit_client_file(struct ksplit_call *call, const struct ksplit_next *n);

#endif /* KSPLIT_FRONT_H */
