/* SPDX-License-Identifier: GPL-2.0-only */
/* The entry sequence with its mitigations is in-tree KVM's, unchanged. */
#include "../../kvm/vmx/vmenter.S"
