/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the front's files share: tenants, and the files that clients hold.
 */
#ifndef KSPLIT_FRONT_H
#define KSPLIT_FRONT_H

#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/sched/follow.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "ksplit.h"
#include "pure/tails.h"

struct ksplit_tenant {
	kuid_t uid;
	kuid_t voucher;			/* who let the user be */
	bool bound;			/* to a supervisor */
	u32 max_vms;
	u32 nr_sessions;		/* of workers, with a client or ready for one */
	u32 nr_ending;			/* of these, whose client has gone */
	struct ksplit_quota quota;
	struct list_head ready;		/* sessions without a client */
	wait_queue_head_t wq;		/* clients and the supervisor */
	u32 waiters;			/* opens */
	bool reported;			/* the launcher knows of them */
	u32 error;			/* it refused the user, */
	unsigned long until;		/* which holds till then */
};

struct ksplit_file {
	enum ksplit_kind kind;
	u64 handle;			/* the worker's name of it */
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
struct ksplit_session *ksplit_tenant_take(const struct cred *cred);

/* session.c */
int ksplit_session_serve(struct ksplit_tenant *tenant);
void ksplit_session_end(struct ksplit_session *session);

/* call.c */
int ksplit_call_serve(struct ksplit_call *call);

#endif /* KSPLIT_FRONT_H */
