/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The stub's front, played inside the process: a client's files and calls on
 * one side, ops->next() for the worker's service threads on the other.
 */
#ifndef FRONT_H
#define FRONT_H

#include "seam/ksplit_ops.h"

#define SESSION_FD	5000

/* A client's file. */
struct cfile {
	__u32 kind;
	__u64 handle;
	int fd;			/* the channel that serves it */
	unsigned char run[2][4096];	/* a vCPU's */
};

/* ksplit_ops_fake with the session part replaced. */
extern struct ksplit_ops front_ops;

void front_init(void);
struct cfile *front_system(void);
/* The client's ioctl; a new file is *ret_new, and the result then 0. */
long front_ioctl(struct cfile *f, unsigned int cmd, unsigned long arg,
		 struct cfile **ret_new);
long front_read(struct cfile *f, void *buf, unsigned long len,
		unsigned long offset);
void front_release(struct cfile *f);
/* Nothing more will come: -ESHUTDOWN for the session. */
void front_shutdown(void);
/* Bytes moved by KSPLIT_COPY so far. */
unsigned long front_copied(void);
/* Where the last slot's window was mapped: the guest's memory. */
void *front_window(void);
/* Let the next reply that brings a file fail, as if the client had no room. */
void front_refuse_file(void);
/* The next file is given to the client, but the worker is told to ask again. */
void front_lose_reply(void);

#endif /* FRONT_H */
