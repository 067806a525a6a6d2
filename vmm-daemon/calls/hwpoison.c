// SPDX-License-Identifier: GPL-2.0-only
/*
 * Poisoned guest memory: the signal is the client's.
 *
 * Invariant: as upstream, SIGBUS with BUS_MCEERR_AR goes to the thread that
 * runs the vCPU, which is the client's; the stub sends it, and translates the
 * window address.
 */
#include <linux/errno.h>
#include <linux/sched/signal.h>

#include "seam/ksplit_ops.h"
#include "calls/window.h"

int send_sig_mceerr(int code, void __user *addr, short lsb, struct task_struct *t)
{
	int vm = ksplit_window_find((unsigned long)addr);

	if (vm < 0)
		return vm;
	return ksplit_ops->hwpoison(vm, (unsigned long)addr);
}
