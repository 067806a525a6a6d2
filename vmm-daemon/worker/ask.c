// SPDX-License-Identifier: GPL-2.0-only
/*
 * The worker's questions to its supervisor, common/ask.h.
 *
 * Invariants: the session's thread alone asks, one question at a time; a supervisor
 * that is gone permits nothing.
 */
#include <errno.h>
#include <signal.h>
#include <sys/uio.h>
#include <unistd.h>

#include "calls/dispatch.h"
#include "calls/window.h"
#include "common/ask.h"
#include "ksplit_log.h"
#include "personality.h"
#include "worker/worker.h"

static int supervisor = -1;

/* vCPUs that all VMs of this worker may have. */
static unsigned int max_vcpus = ~0u;
static _Atomic unsigned int nr_vcpus;

static int say(const void *message, size_t size)
{
	return write(supervisor, message, size) == (ssize_t)size ? 0 : -EPIPE;
}

/* The answer may take as long as a policy service thinks. */
static int hear(struct ask_answer *ret)
{
	struct iovec room = { ret, sizeof(*ret) };
	ssize_t n;

	ksplit_idle_enter();
	do
		n = preadv2(supervisor, &room, 1, -1, 0);
	while (n < 0 && errno == EINTR);
	ksplit_idle_exit();
	return n == sizeof(*ret) ? 0 : -EPIPE;
}

static int ask(enum ask_what what, __u64 bytes, struct ask_answer *ret)
{
	struct ask question = { .what = what, .bytes = bytes };
	int r = say(&question, sizeof(question));

	return r ? r : hear(ret);
}

/* Before KVM makes a VM. */
static int may_have_vm(void)
{
	struct ask_answer answer;

	if (ask(ASK_VM, 0, &answer)) {
		ksplit_logf(KSPLIT_LOG_ERR, "KVM_CREATE_VM refused: no supervisor to ask");
		return -EACCES;
	}
	if (answer.error)
		return answer.error;
	max_vcpus = answer.max_vcpus;
	if (answer.max_memory < ksplit_window_most)
		ksplit_window_most = answer.max_memory;
	return 0;
}

/* Before a slot; the supervisor logs what it refuses. */
static int may_have_memory(__u64 more)
{
	struct ask_answer answer;

	if (!ask(ASK_MEMORY, more, &answer))
		return answer.error;
	ksplit_logf(KSPLIT_LOG_ERR, "memory slot refused: no supervisor to ask");
	return -ENOMEM;
}

/* On any thread. */
static void freed_memory(__u64 less)
{
	struct ask news = { .what = ASK_FREED, .bytes = less };

	/* Nobody is left to be told, else. */
	(void)!write(supervisor, &news, sizeof(news));
}

/**
 * ask_vcpu() - may there be one more?
 *
 * Return: 0, -ENOSPC.
 */
int ask_vcpu(void)
{
	if (++nr_vcpus <= max_vcpus)
		return 0;
	nr_vcpus--;
	ksplit_logf(KSPLIT_LOG_WARNING, "limit of %u vCPUs by policy reached", max_vcpus);
	return -ENOSPC;
}

/**
 * ask_vcpu_gone() - there is one less
 */
void ask_vcpu_gone(void)
{
	nr_vcpus--;
}

/**
 * ask_use() - whom to ask
 * @fd:		socket to the supervisor, -1: nobody
 * @what:	bits 1 << ASK_VM, 1 << ASK_MEMORY: what to ask for
 *
 * Context: once, before there are threads.
 */
void ask_use(int fd, unsigned int what)
{
	supervisor = fd;
	if (fd < 0)
		return;
	/* A supervisor that is gone is an error of write(). */
	signal(SIGPIPE, SIG_IGN);
	if (what & 1 << ASK_VM)
		ksplit_ask_vm = may_have_vm;
	if (what & 1 << ASK_MEMORY) {
		ksplit_ask_memory = may_have_memory;
		ksplit_freed_memory = freed_memory;
	}
}

/**
 * ask_ready() - tell the supervisor that a client may come
 */
void ask_ready(void)
{
	if (supervisor >= 0)
		say("R", 1);
}
