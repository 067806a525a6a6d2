// SPDX-License-Identifier: GPL-2.0-only
/*
 * Poisoned guest memory: the signal is the client's.
 *
 * Invariant: as upstream, SIGBUS with BUS_MCEERR_AR goes to the thread that
 * runs the vCPU, which is the client's whose call this thread serves; the stub
 * sends it, and translates the window address.
 */
#include <linux/errno.h>
#include <linux/sched/signal.h>

#include "personality/personality.h"
#include "seam/ksplit_ops.h"

int send_sig_mceerr(int code, void __user *addr, short lsb, struct task_struct *t)
{
	return ksplit_ops->hwpoison(ksplit_thread_vcpu(), (unsigned long)addr);
}
