/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ksplit_ops on the real stub.
 */
#ifndef KSPLIT_OPS_STUB_H
#define KSPLIT_OPS_STUB_H

void ksplit_ops_stub_use(int fd);

#endif /* KSPLIT_OPS_STUB_H */
