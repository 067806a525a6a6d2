// SPDX-License-Identifier: GPL-2.0-only
/*
 * What kernel/entry/kvm.c is upstream: work that is pending before guest entry.
 */
#include <linux/entry-kvm.h>
#include <linux/kvm_host.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

/**
 * xfer_to_guest_mode_handle_work() - what is pending before guest entry
 * @vcpu: the vCPU
 *
 * Returns 0, or -EINTR if the client's call is interrupted.
 */
int xfer_to_guest_mode_handle_work(struct kvm_vcpu *vcpu)
{
	if (signal_pending(current)) {
		kvm_handle_signal_exit(vcpu);
		return -EINTR;
	}
	clear_thread_flag(TIF_NOTIFY_RESUME);
	cond_resched();
	return 0;
}
