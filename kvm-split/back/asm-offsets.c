// SPDX-License-Identifier: GPL-2.0-only
/* The one offset that vmenter.S asks for. */
#define COMPILE_OFFSETS

#include <linux/kbuild.h>

#include "ksplit.h"

static void __used common(void)
{
	OFFSET(VMX_spec_ctrl, ksplit_vcpu, spec_ctrl);
}
