/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a worker asks its supervisor, over the socket that it got from it.
 *
 * A worker's first message is one byte: it can have a client.  Each other one is a
 * struct ask; all but ASK_FREED get one struct ask_answer.  The supervisor believes
 * none of it further than that worker's own VM is concerned.
 */
#ifndef KSPLIT_ASK_H
#define KSPLIT_ASK_H

#include <stdint.h>

enum ask_what {
	ASK_VM,			/* may the client have a VM? */
	ASK_MEMORY,		/* may its guests have so many bytes more? */
	ASK_FREED		/* they have so many less */
};

/**
 * struct ask - from the worker
 * @what:	enum ask_what
 * @pad:	0
 * @bytes:	see there
 */
struct ask {
	uint32_t what;
	uint32_t pad;
	uint64_t bytes;
};

/**
 * struct ask_answer - to the worker
 * @error:	0 or what the client's call returns, a negative errno
 * @max_vcpus:	of ASK_VM: for so many vCPUs at most
 * @max_memory:	of ASK_VM: and so many bytes
 */
struct ask_answer {
	int32_t error;
	uint32_t max_vcpus;
	uint64_t max_memory;
};

#endif /* KSPLIT_ASK_H */
