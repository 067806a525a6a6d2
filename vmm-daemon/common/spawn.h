/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the launcher and the supervisor have in common: a process that starts
 * their children, the signals they wait for, the program beside their own.
 */
#ifndef KSPLIT_SPAWN_H
#define KSPLIT_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

/**
 * typedef spawn_t - start a child of the process whose starter this is
 * @order:	what was ordered
 * @fd:		descriptor that came with it, -1: none; the starter closes it
 *
 * Called in the starter, which has no other thread.
 *
 * Return: the child's process id, or a negative errno.
 */
typedef pid_t (*spawn_t)(const void *order, int fd);

/**
 * struct starter - the process that starts children
 * @pid:	its process id
 * @orders:	socket to it
 * @size:	bytes of an order
 */
struct starter {
	pid_t pid;
	int orders;
	size_t size;
};

#define SPAWN_MAX_ORDER	2048	/* bytes */

void starter_start(struct starter *s, const char *name, size_t size, spawn_t spawn);
pid_t starter_order(const struct starter *s, const void *order, int fd);

void program_beside(const char *name, char *ret, size_t size);
int watch_signals(const int *more);
void unblock_signals(void);

#endif /* KSPLIT_SPAWN_H */
