// SPDX-License-Identifier: GPL-2.0-only
/*
 * The worker's service threads: one for the session, one for each vCPU.
 *
 * A vCPU is made, run and asked by one thread only; the session's thread does
 * everything else, one call after the other.
 *
 * Invariant: every call handed out is replied to exactly once, by the thread
 * that got it (KVM_CREATE_VCPU is carried out by the new vCPU's thread while
 * the session's thread waits).
 */
#include <errno.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calls/call.h"
#include "calls/dispatch.h"
#include "calls/file.h"
#include "ksplit_log.h"
#include "seam/ksplit_ops.h"
#include "ksplit_uaccess.h"
#include "personality.h"
#include "worker/worker.h"

#define PAGE		4096
#define MAX_ABSENT	1000	/* page faults for one call */

/**
 * struct server - a thread that serves a channel
 * @fd:		session or vCPU descriptor
 * @vcpu:	whether it is a vCPU's
 * @done:	the channel's file is released, or its VM dead: no more calls
 * @next:	argument of KSPLIT_NEXT
 * @call:	the call in progress
 * @in:		its prefetched bytes
 * @out:	its bytes for the client
 */
struct server {
	int fd;
	int vcpu;
	int done;
	struct ksplit_next next;
	struct vmm_call call;
	unsigned char in[KSPLIT_PREFETCH_MAX];
	unsigned char out[KSPLIT_OUT_MAX];
};

/**
 * struct new_vcpu - from the session's thread to the new vCPU's
 * @call:	the KVM_CREATE_VCPU call
 * @fd:		the stub's vCPU
 * @vm:		handle of the VM
 * @id:		vCPU id
 * @name:	of the thread
 * @result:	KVM's result, back
 * @made:	posted once @result stands
 */
struct new_vcpu {
	struct vmm_call *call;
	int fd;
	__u64 vm;
	__u64 id;
	char name[16];
	long result;
	sem_t made;
};

static void serve(struct server *s);

/* ----------------------------------------------------- KVM_CREATE_VCPU --- */

static void vcpu_thread(void *arg)
{
	struct new_vcpu *new = arg;
	struct vmm_call *call = new->call;
	struct server *s = calloc(1, sizeof(*s));
	int fd = new->fd;
	long r = -ENOMEM;
	__u64 handle;

	if (!s)
		goto fail;
	s->fd = fd;
	s->vcpu = 1;

	ksplit_thread_bind_vcpu(fd);
	vmm_call_set(call);
	r = ksplit_file_ioctl(new->vm, call->cmd, new->id);
	vmm_call_set(NULL);
	if (r < 0)
		goto fail;

	s->next.kvm_run = ksplit_vcpu_run_pages(call->new_handle);
	if (!s->next.kvm_run) {
		/* The vCPU stays in the VM, without a file. */
		ksplit_file_close(call->new_handle);
		call->new_kind = KSPLIT_FILE_NONE;
		r = -ENOMEM;
		goto fail;
	}

	handle = call->new_handle;
	new->result = r;
	sem_post(&new->made);
	/* new and call belong to the session's thread again. */
	serve(s);
	/* Of a VM that is dead the stub tells no news. */
	if (s->call.op != KSPLIT_OP_RELEASE)
		ksplit_file_close(handle);
	ksplit_thread_bind_vcpu(-1);
	ask_vcpu_gone();
	free(s);
	return;
fail:
	ksplit_thread_bind_vcpu(-1);
	free(s);
	new->result = r;
	sem_post(&new->made);
}

/* On the session's thread. */
static long create_vcpu(struct vmm_call *call, __u64 id)
{
	int vm = ksplit_file_vm_fd(call->handle);
	struct new_vcpu new = {
		.call = call,
		.vm = call->handle,
		.id = id,
	};
	int r;

	if (vm < 0)
		return vm;
	r = ask_vcpu();
	if (r < 0)
		return r;
	/* The stub has made sure that the id has 32 bits. */
	new.fd = ksplit_ops->create_vcpu(call->id, vm, id);
	if (new.fd < 0) {
		ask_vcpu_gone();
		return new.fd;
	}
	call->back_fd = new.fd;

	sem_init(&new.made, 0, 0);
	snprintf(new.name, sizeof(new.name), "vcpu%u", (unsigned int)id);
	r = ksplit_thread_create(new.name, vcpu_thread, &new);
	if (r < 0) {
		new.result = r;
	} else {
		ksplit_idle_enter();
		while (sem_wait(&new.made) < 0)
			;
		ksplit_idle_exit();
	}
	sem_destroy(&new.made);
	if (call->new_kind != KSPLIT_FILE_VCPU) {
		ksplit_file_keep(call->handle, new.fd);
		ask_vcpu_gone();
	}
	return new.result;
}

/* ------------------------------------------------------------ a call ----- */

static void begin(struct server *s)
{
	struct ksplit_next *n = &s->next;
	struct vmm_call *c = &s->call;

	c->fd = s->fd;
	c->id = n->id;
	c->handle = n->handle;
	c->op = n->op;
	c->cmd = n->cmd;
	c->kind = n->kind;
	c->in = s->in;
	c->out = s->out;
	c->prefetched = n->prefetched <= sizeof(s->in) ? n->prefetched : 0;
	c->no_copy = 0;
	c->back_fd = -1;
	c->out_len = 0;
	c->new_kind = KSPLIT_FILE_NONE;
	c->new_handle = 0;
	if (n->op == KSPLIT_OP_READ) {
		c->base = KSPLIT_READ_BASE;
		c->size = n->len;
	} else {
		c->base = n->arg;
		c->size = _IOC_SIZE(n->cmd);
	}
	if (c->size > KSPLIT_OUT_MAX)
		c->size = KSPLIT_OUT_MAX;
	ksplit_thread_signal(0);
	vmm_call_set(c);
}

/* Turn what the call left into the arguments of the next KSPLIT_NEXT. */
static void end(struct server *s, long result)
{
	struct ksplit_next *n = &s->next;
	struct vmm_call *c = &s->call;

	vmm_call_set(NULL);
	/* Nothing of this call's interruption may reach the next one. */
	ksplit_thread_signal(0);

	/* Of a file that is gone nobody waits to hear. */
	n->reply_to = c->op == KSPLIT_OP_RELEASE ? 0 : c->id;
	n->result = ksplit_result(result);
	n->out = c->out_len ? (uintptr_t)c->out : 0;
	n->out_len = c->out_len;
	if (result >= 0 && c->new_kind != KSPLIT_FILE_NONE)
		n->new_handle = c->new_handle;
}

static void serve_call(struct server *s)
{
	struct vmm_call *c = &s->call;
	long result = 0;

	begin(s);
	switch (c->op) {
	case KSPLIT_OP_IOCTL:
		result = vmm_call_ioctl(c, s->next.arg);
		break;
	case KSPLIT_OP_READ:
		result = ksplit_file_read(c->handle, s->next.arg, c->size);
		break;
	case KSPLIT_OP_RELEASE:
		ksplit_file_close(c->handle);
		s->done = s->vcpu && c->kind == KSPLIT_FILE_VCPU;
		break;
	default:
		result = -ENOSYS;
	}
	end(s, result);
}

/* ----------------------------------------------------------- threads ----- */

/* Bring in what the stub looks at with page faults off. */
static void touch(struct server *s)
{
	volatile unsigned char *run = (unsigned char *)(uintptr_t)s->next.kvm_run;
	volatile unsigned char *p = (unsigned char *)s;
	size_t i;

	for (i = 0; i < sizeof(*s); i += PAGE)
		p[i] = p[i];
	p[sizeof(*s) - 1] = p[sizeof(*s) - 1];
	for (i = 0; run && i < 2 * PAGE; i += PAGE)
		run[i] = run[i];
}

/*
 * Reply to the last call, if there is one, and wait for another.
 */
static void next_call(struct server *s)
{
	struct ksplit_next *n = &s->next;
	unsigned int absent = 0;
	int r;

	n->prefetch = (uintptr_t)s->in;
	for (;;) {
		ksplit_idle_enter();
		r = ksplit_ops->next(s->fd, n);
		ksplit_idle_exit();

		if (r == -EFAULT) {
			if (++absent > MAX_ABSENT)
				ksplit_abort("the stub does not reach this memory");
			touch(s);
			continue;
		}
		if (r == -ESHUTDOWN && s->vcpu) {
			/* This VM is dead; the client may have others. */
			s->done = 1;
			return;
		}
		if (r == -ESHUTDOWN)
			/* The client has closed everything: leave quickly. */
			_exit(0);
		if (r < 0 && r != -EINTR) {
			if (!n->reply_to)
				ksplit_abort("no call to be had from the stub");
			/*
			 * The client got an error instead of the file.  Not so
			 * if the call is gone at a second attempt: then the
			 * first one counted.
			 */
			if (n->new_handle && !(r == -ENOENT && absent))
				ksplit_file_close(n->new_handle);
			ksplit_logf(KSPLIT_LOG_WARNING,
				    "reply to call %llu (ioctl 0x%x) refused: %d",
				    (unsigned long long)n->reply_to, s->call.cmd, r);
		}
		/* The reply is given, or will never be accepted. */
		n->reply_to = 0;
		n->new_handle = 0;
		n->out = 0;
		n->out_len = 0;
		if (!r)
			return;
	}
}

static void serve(struct server *s)
{
	for (;;) {
		next_call(s);
		if (s->done)
			return;
		serve_call(s);
		if (s->done)
			return;
	}
}

/**
 * serve_session() - serve the client's calls until it has closed everything
 * @session:	session descriptor
 */
void serve_session(int session)
{
	static struct server s;

	ksplit_create_vcpu = create_vcpu;
	s.fd = session;
	serve(&s);
	_exit(0);
}
