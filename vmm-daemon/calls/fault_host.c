// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory that is not there yet: window pages come from the stub.
 *
 * Invariant: as the exception handler that calls it, it takes no lock and
 * allocates nothing.
 */
#include <errno.h>

#include "calls/window.h"
#include "host.h"
#include "ksplit_uaccess.h"
#include "personality.h"
#include "seam/ksplit_ops.h"

int ksplit_guest_fault(unsigned long addr, int write)
{
	int vm = ksplit_window_find(addr), vcpu;
	struct ksplit_fault fault = {
		.addr = addr,
		.write = write,
	};
	int r;

	if (vm < 0)
		return 0;
	/* Whoever touches guest memory is a CPU; what else faults may be none. */
	vcpu = ksplit_thread_vcpu();
	if (!ksplit_may_sleep_in_fault())
		fault.flags = KSPLIT_FAULT_NOWAIT;
	/* As the vCPU's, so that its client knows whom this thread waits for. */
	r = ksplit_ops->window_fault(vcpu < 0 ? vm : vcpu, &fault);
	if (r == -EAGAIN && !fault.flags) {
		/* Whoever has the page locked needs a moment. */
		host_sleep_ns(1000);
		return 1;
	}
	return r == 0 || r == -EINTR;
}
