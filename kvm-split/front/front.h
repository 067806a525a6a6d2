/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the front's files share: the files that clients hold, and their calls.
 *
 * A client's system call becomes a struct ksplit_call that sleeps on its
 * channel.  Two references: the client's thread's, and the channel's until the
 * call is done.  It is done once: by a worker's reply, by the death of the
 * channel, or by the client giving up before a worker took it.
 *
 * A call holds its client's file, the file the VM, vCPU and session.
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

#define KSPLIT_MAX_CALLS	1024	/* of a channel */
#define KSPLIT_MAX_FILES	4096	/* of a session */
#define KSPLIT_READ_MAX		15360	/* bytes of one read */
#define KSPLIT_RUN_PAGES	3	/* kvm_run, PIO data, coalesced ring */
/* What the stub copies of a kvm_run. */
#define KSPLIT_RUN_SIZE		offsetofend(struct kvm_run, s.regs)

struct ksplit_file {
	enum ksplit_kind kind;
	struct ksplit_session *session;
	struct ksplit_vm *vm;		/* NULL: the open of /dev/kvm */
	struct ksplit_vcpu *vcpu;	/* a vCPU's file only, as the rest */
	struct ksplit_call *farewell;	/* KSPLIT_OP_RELEASE, made beforehand */
	sigset_t sigset;		/* KVM_SET_SIGNAL_MASK */
	bool sigset_active;
	void *run;			/* KSPLIT_RUN_PAGES, mapped by it */
};

enum ksplit_call_state {
	KSPLIT_CALL_QUEUED,
	KSPLIT_CALL_TAKEN,		/* handed out to a worker */
	KSPLIT_CALL_REPLYING,		/* a worker's reply is being read */
	KSPLIT_CALL_DONE, };

struct ksplit_call {
	struct kref ref;
	struct list_head node;		/* chan->calls or chan->busy */
	struct list_head argument;	/* session->arguments */
	wait_queue_head_t wq;		/* the client's thread */
	struct ksplit_session *session;
	struct ksplit_next n;		/* id, op, ..., ready to hand out */
	enum ksplit_call_state state;	/* under chan->lock, as the next two */
	bool interrupted;		/* the client got a signal (KVM_RUN) */
	long result;
	u32 users;			/* of the argument, arguments_lock */
	bool run;			/* KVM_RUN */
	bool slot_prepared;
	struct ksplit_slot_change slot;
	u64 slot_pages;			/* of the slot whose bitmap it wants */
	struct file *file;		/* the client's, NULL: a farewell */
	struct ksplit_file *f;		/* behind it */
	struct file *new_file;		/* what the reply brought */
	struct task_struct *client;	/* whose memory and descriptors */
	u32 out_max;
	u32 out_len;
	u8 data[];			/* prefetch; at out_max: what the reply brings */
};

/* tenant.c */
int ksplit_tenant_admit(struct ksplit_tenant *t, struct ksplit_session *session);
void ksplit_tenant_leave(struct ksplit_session *session, bool last);
struct ksplit_session *ksplit_tenant_take(kuid_t uid);
long ksplit_get_info(void __user *arg);

/* session.c */
int ksplit_session_serve(struct ksplit_tenant *tenant);

/* call.c */
struct ksplit_call *ksplit_call_alloc(struct ksplit_session *session, u32 op, u32 size);
void ksplit_call_put(struct ksplit_call *call);
int ksplit_call_queue(struct ksplit_channel *chan, struct ksplit_call *call);
int ksplit_call_wait(struct ksplit_channel *chan, struct ksplit_call *call,
		     struct ksplit_vcpu *vcpu);
void ksplit_channel_close(struct ksplit_channel *chan);
struct ksplit_call *ksplit_argument_get(struct ksplit_session *session, u64 id);
void ksplit_argument_put(struct ksplit_call *call);
long ksplit_copy(struct ksplit_session *session, struct ksplit_copy __user *arg);

/* chardev.c */
int ksplit_chardev_init(void);
enum ksplit_kind ksplit_creates(u32 cmd);
struct file *ksplit_client_file(struct ksplit_call *call, const struct ksplit_next *n);

/* params.c */
void ksplit_params_init(void);

#endif /* KSPLIT_FRONT_H */
