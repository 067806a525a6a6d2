/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Eventfds between eventfd.c (kernel-side), eventfd_host.c and file.c.  Plain C.
 */
#ifndef KSPLIT_EVENTFD_H
#define KSPLIT_EVENTFD_H

#include <linux/types.h>

struct file;

/* A file for the client's eventfd, with a reference, or NULL. */
struct file *ksplit_eventfd_file(unsigned int client_fd);
/* Whether the file is an eventfd's; then it is freed. */
int ksplit_eventfd_release(struct file *file);
/* The poller calls this for each eventfd that was signalled. */
void ksplit_eventfd_ready(__u64 key);

/* Host side. */
int ksplit_host_eventfd_take(int client_fd, __u32 *ret_hash);
/* Whether two descriptors are of one open file. */
int ksplit_host_eventfd_same(int fd, int other);
void ksplit_host_eventfd_signal(int fd);
/* Take the counter without waiting: 0 if there is nothing. */
__u64 ksplit_host_eventfd_read(int fd);
/* Have ksplit_eventfd_ready(key) called at each signal from now on. */
int ksplit_host_eventfd_watch(int fd, __u64 key);
void ksplit_host_eventfd_unwatch(int fd);
int ksplit_eventfd_init(void);

#endif /* KSPLIT_EVENTFD_H */
