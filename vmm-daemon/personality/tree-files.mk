# SPDX-License-Identifier: GPL-2.0-only
# Files of the kernel tree that the personality is built on, and what its own
# wrappers of such files need.

TREE_FILES += lib/timerqueue.c lib/rbtree.c lib/llist.c \
	lib/kfifo.c

# wait.c includes kernel/sched/{wait,swait,completion}.c.
KCFLAGS_wait.o := -I$(KSRC)
