// SPDX-License-Identifier: GPL-2.0-only
/*
 * Documented stand-ins: kernel symbols that KVM references and that have no
 * meaning in a worker. Invariant: each says why its answer is the truth here;
 * nothing that the guest or the client could observe is pretended.
 */
#include <linux/types.h>
