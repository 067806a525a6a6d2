// SPDX-License-Identifier: GPL-2.0-only
/*
 * Wait queues, simple wait queues and completions: upstream's own files, which
 * kernel/sched/build_utility.c would otherwise compile together with the
 * scheduler's headers.
 *
 * They need schedule() and try_to_wake_up() of sched.c, and spinlocks.
 */
#include <linux/completion.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/debug.h>
#include <linux/sched/signal.h>
#include <linux/swait.h>
#include <linux/wait.h>

/* From kernel/sched/sched.h, which wants a scheduler. */
#define WF_SYNC		0x10
#define WF_CURRENT_CPU	0x40

int try_to_wake_up(struct task_struct *task, unsigned int state, int wake_flags);
void swake_up_all_locked(struct swait_queue_head *q);
void __prepare_to_swait(struct swait_queue_head *q, struct swait_queue *wait);

/* Relative to the tree's include/. */
#include "../kernel/sched/wait.c"
#include "../kernel/sched/swait.c"
#include "../kernel/sched/completion.c"
