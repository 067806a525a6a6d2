// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stub's front, played: see front.h.  Follows kvm-split/front/call.c in what
 * a reply may contain; what that refuses is a failure here.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <linux/kvm.h>

#include "front.h"

/* The fake machine's objects are numbered from 1. */
#define REAL_FD		2000

struct call {
	struct call *next;
	__u64 id;
	int channel;
	__u32 op, cmd, kind, prefetched, out_max;
	__u64 handle, arg, len;
	unsigned char prefetch[KSPLIT_PREFETCH_MAX];
	struct cfile *file;
	int taken, done;
	long result;
	__u32 new_kind;		/* what it makes */
	int object;		/* that the worker took, 0: none */
	struct cfile *new;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static struct call *calls;
static __u64 ids;
static int over, refuse, lose;
static unsigned long copied;

struct ksplit_ops front_ops;

static struct call *find(__u64 id)
{
	struct call *c;

	for (c = calls; c; c = c->next)
		if (c->id == id)
			return c;
	return NULL;
}

static void unlink_call(struct call *c)
{
	struct call **p;

	for (p = &calls; *p != c; p = &(*p)->next)
		;
	*p = c->next;
}

static int reply(struct ksplit_next *n)
{
	struct call *c = find(n->reply_to);

	if (lose == 2) {
		lose = 0;
		return -ENOENT;
	}
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(c->taken, 1);
	ck_assert_int_ge(n->result, -511);
	ck_assert_uint_le(n->out_len, c->out_max);
	c->result = n->result;
	if (n->out_len)
		memcpy(c->op == KSPLIT_OP_READ ? c->prefetch : (void *)c->arg,
		       (void *)n->out, n->out_len);
	if (c->op == KSPLIT_OP_READ)
		c->result = n->result < 0 ? n->result : (long)n->out_len;
	if (c->cmd == KVM_RUN && c->op == KSPLIT_OP_IOCTL)
		memcpy(c->file->run, (void *)n->kvm_run, sizeof(c->file->run));
	if (c->new_kind != KSPLIT_FILE_NONE && n->result >= 0 && refuse) {
		refuse = 0;
		c->result = -EIO;
		c->done = 1;
		pthread_cond_broadcast(&cond);
		return -EINVAL;
	}
	if (c->new_kind != KSPLIT_FILE_NONE && n->result >= 0) {
		ck_assert_uint_ne(n->new_handle, 0);
		c->new = calloc(1, sizeof(*c->new));
		c->new->kind = c->new_kind;
		c->new->handle = n->new_handle;
		c->new->fd = SESSION_FD;
		if (c->new_kind == KSPLIT_FILE_VCPU)
			c->new->fd = c->object;
		if (c->new_kind != KSPLIT_FILE_STATS)
			ck_assert_int_gt(c->object, 0);
		c->result = 0;
	} else {
		ck_assert_uint_eq(n->new_handle, 0);
	}
	c->done = 1;
	pthread_cond_broadcast(&cond);
	if (lose && n->new_handle) {
		lose = 2;
		return -EFAULT;
	}
	return 0;
}

static int front_next(int fd, struct ksplit_next *n)
{
	struct call *c;
	int r = 0;

	pthread_mutex_lock(&lock);
	if (n->reply_to)
		r = reply(n);
	if (r)
		goto out;
	for (;;) {
		for (c = calls; c; c = c->next)
			if (c->channel == fd && !c->taken)
				break;
		if (c)
			break;
		if (over && fd == SESSION_FD) {
			r = -ESHUTDOWN;
			goto out;
		}
		pthread_cond_wait(&cond, &lock);
	}
	c->taken = 1;
	if (c->op == KSPLIT_OP_RELEASE) {
		c->done = 1;
		pthread_cond_broadcast(&cond);
	}
	n->id = c->id;
	n->handle = c->handle;
	n->op = c->op;
	n->cmd = c->cmd;
	n->kind = c->kind;
	n->prefetched = c->prefetched;
	n->arg = c->arg;
	n->len = c->len;
	memcpy((void *)n->prefetch, c->prefetch, c->prefetched);
	if (c->cmd == KVM_RUN && c->op == KSPLIT_OP_IOCTL)
		memcpy((void *)n->kvm_run, c->file->run, sizeof(c->file->run));
out:
	pthread_mutex_unlock(&lock);
	return r;
}

/* Client and worker are one process; only a call's own memory is looked at. */
static int front_copy(int fd, struct ksplit_copy *k)
{
	struct call *c;
	int r = -ENOENT;

	pthread_mutex_lock(&lock);
	c = find(k->call);
	if (c && c->channel == fd && !c->done && c->cmd != KVM_RUN) {
		if (k->write)
			memcpy((void *)k->client, (void *)k->local, k->len);
		else
			memcpy((void *)k->local, (void *)k->client, k->len);
		copied += k->len;
		r = 0;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static int front_eventfd(struct ksplit_eventfd *e)
{
	char path[64], line[128];
	unsigned int id = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", e->client_fd);
	f = fopen(path, "r");
	if (!f)
		return -EBADF;
	while (!id && fgets(line, sizeof(line), f))
		if (sscanf(line, "eventfd-id: %u", &id) == 1)
			id++;
	fclose(f);
	if (!id)
		return -EINVAL;
	/* The stub's may be the same for two files. */
	e->hash = id / 2;
	return fcntl(e->client_fd, F_DUPFD, REAL_FD);
}

static int take(__u64 id, int kind, int object)
{
	struct call *c;

	pthread_mutex_lock(&lock);
	c = find(id);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(c->new_kind, kind);
	if (object > 0)
		c->object = object;
	pthread_mutex_unlock(&lock);
	return object;
}

static int front_create_vm(__u64 call)
{
	return take(call, KSPLIT_FILE_VM, ksplit_ops_fake.create_vm(call));
}

static int front_create_vcpu(__u64 call, int vm, __u32 id)
{
	return take(call, KSPLIT_FILE_VCPU,
		    ksplit_ops_fake.create_vcpu(call, vm, id));
}

static __u32 makes(const struct cfile *f, unsigned int cmd)
{
	switch (cmd) {
	case KVM_CREATE_VM:
		return f->kind == KSPLIT_FILE_SYSTEM ? KSPLIT_FILE_VM : 0;
	case KVM_CREATE_VCPU:
		return f->kind == KSPLIT_FILE_VM ? KSPLIT_FILE_VCPU : 0;
	case KVM_GET_STATS_FD:
		return KSPLIT_FILE_STATS;
	}
	return 0;
}

static void *last_window;

static int front_map_window(int vm, __u64 addr, __u64 size, __u32 slot)
{
	last_window = (void *)addr;
	return ksplit_ops_fake.map_window(vm, addr, size, slot);
}

static void front_close(int fd)
{
	/* The fake machine's descriptors are no descriptors. */
	if (fd < REAL_FD)
		ksplit_ops_fake.close(fd);
	else
		close(fd);
}

static void wait_for(struct call *c)
{
	while (!c->done)
		pthread_cond_wait(&cond, &lock);
	unlink_call(c);
}

static struct call *post(struct cfile *f, __u32 op)
{
	struct call *c = calloc(1, sizeof(*c));

	c->id = __atomic_add_fetch(&ids, 1, __ATOMIC_RELAXED);
	c->op = op;
	c->channel = f->fd;
	c->kind = f->kind;
	c->handle = f->handle;
	c->file = f;
	return c;
}

static void queue(struct call *c)
{
	c->next = calls;
	calls = c;
	pthread_cond_broadcast(&cond);
}

long front_ioctl(struct cfile *f, unsigned int cmd, unsigned long arg,
		 struct cfile **ret_new)
{
	struct call *c = post(f, KSPLIT_OP_IOCTL);
	long r;

	c->cmd = cmd;
	c->new_kind = makes(f, cmd);
	c->arg = arg;
	c->out_max = _IOC_SIZE(cmd) < KSPLIT_PREFETCH_MAX ? _IOC_SIZE(cmd)
							  : KSPLIT_PREFETCH_MAX;
	if (c->out_max) {
		memcpy(c->prefetch, (void *)arg, c->out_max);
		c->prefetched = c->out_max;
	}
	pthread_mutex_lock(&lock);
	queue(c);
	wait_for(c);
	pthread_mutex_unlock(&lock);
	r = c->result;
	if (ret_new)
		*ret_new = c->new;
	else
		ck_assert_ptr_null(c->new);
	free(c);
	return r;
}

long front_read(struct cfile *f, void *buf, unsigned long len,
		unsigned long offset)
{
	struct call *c = post(f, KSPLIT_OP_READ);
	long r;

	c->out_max = c->len = len < KSPLIT_PREFETCH_MAX ? len : KSPLIT_PREFETCH_MAX;
	c->arg = offset;
	pthread_mutex_lock(&lock);
	queue(c);
	wait_for(c);
	pthread_mutex_unlock(&lock);
	r = c->result;
	if (r > 0)
		memcpy(buf, c->prefetch, r);
	free(c);
	return r;
}

void front_release(struct cfile *f)
{
	struct call *c = post(f, KSPLIT_OP_RELEASE);

	pthread_mutex_lock(&lock);
	queue(c);
	wait_for(c);
	pthread_mutex_unlock(&lock);
	free(c);
	free(f);
}

void front_shutdown(void)
{
	pthread_mutex_lock(&lock);
	over = 1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
}

unsigned long front_copied(void)
{
	return copied;
}

void *front_window(void)
{
	return last_window;
}

void front_refuse_file(void)
{
	refuse = 1;
}

void front_lose_reply(void)
{
	lose = 1;
}

struct cfile *front_system(void)
{
	struct cfile *f = calloc(1, sizeof(*f));

	f->kind = KSPLIT_FILE_SYSTEM;
	f->fd = SESSION_FD;
	return f;
}

void front_init(void)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	front_ops = ksplit_ops_fake;
	front_ops.next = front_next;
	front_ops.copy = front_copy;
	front_ops.eventfd = front_eventfd;
	front_ops.create_vm = front_create_vm;
	front_ops.create_vcpu = front_create_vcpu;
	front_ops.map_window = front_map_window;
	front_ops.close = front_close;
}
