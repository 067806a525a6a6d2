# SPDX-License-Identifier: GPL-2.0-only
# Files of the kernel tree that the personality is built on. wait.c includes
# kernel/sched/{wait,swait,completion}.c besides.

TREE_FILES += lib/bitmap.c lib/find_bit.c lib/hweight.c lib/kfifo.c lib/llist.c \
	lib/rbtree.c lib/refcount.c lib/timerqueue.c
