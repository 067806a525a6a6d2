// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/module/kvm_intel/parameters: read-only, for tools that look there.
 *
 * Invariant: the files tell what guests get, whatever the command line said.
 */
#include <linux/moduleparam.h>

#include "front.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "kvm_intel."

static bool nested, ept, unrestricted_guest, vpid, enable_apicv;

module_param(nested, bool, 0444);
module_param(ept, bool, 0444);
module_param(unrestricted_guest, bool, 0444);
module_param(vpid, bool, 0444);
module_param(enable_apicv, bool, 0444);

/**
 * ksplit_params_init() - Set the parameters to what the stub offers
 *
 * The stub needs EPT, VPID and unrestricted guest, or it offers no /dev/kvm at
 * all; no worker is offered the APICv controls.
 */
void ksplit_params_init(void)
{
	nested = true;
	ept = true;
	unrestricted_guest = true;
	vpid = true;
	enable_apicv = false;
}
