/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which bytes of a client a worker may touch during one of its ioctls, and which
 * eventfds it may take.
 *
 * Invariant: nothing outside [arg, arg + _IOC_SIZE(cmd)) but what the one table
 * in tails.c names; nothing at all during KVM_RUN.  Read is what KVM reads,
 * written what KVM writes.
 */
#ifndef KSPLIT_TAILS_H
#define KSPLIT_TAILS_H

#include "env.h"

#define KSPLIT_TO_WORKER	1
#define KSPLIT_TO_CLIENT	2

u8 ksplit_arg_access(u32 cmd);
u32 ksplit_arg_read(u32 cmd);
int ksplit_copy_allowed(u32 cmd, u64 arg, const u8 *prefetch, u32 prefetched,
			u64 slot_pages, u64 addr, u32 len, bool write);
bool ksplit_reply_allowed(const struct ksplit_next *call, const struct ksplit_next *reply,
			  bool makes_file);
bool ksplit_eventfd_allowed(u32 cmd, const u8 *prefetch, u32 prefetched, int fd);

#endif /* KSPLIT_TAILS_H */
