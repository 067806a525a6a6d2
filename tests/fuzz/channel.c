// SPDX-License-Identifier: GPL-2.0-only
/*
 * chan/channel.c, with pure/tails.c and pure/kvm_run.c below it: a worker's KSPLIT_NEXT
 * and KSPLIT_COPY, in any order, while clients queue calls, are answered and go.  The
 * worker changes what the stub has read at once, so that nothing may be read twice.
 *
 * Properties: a call is waiting, handed out or done, is answered once, by the worker
 * that has it, and changes in nothing but its answer; an error means that nothing has
 * happened, but -EINVAL, after which the call has failed; the client's memory changes
 * by a COPY to it alone, in the range that was asked for, and while that call is in
 * progress; the client's kvm_run is one that QEMU can use unchecked, once a KVM_RUN was
 * answered, and what the client writes there stays; references are given back.
 */
#include "client.h"
#include "ksplit.h"
#include "pure/tails.h"

#define WORKER		0x100000ull
#define CLIENT		0x700000ull
#define ROOM		0x4000
#define MOST_CALLS	6

int spinlocks_held;
unsigned long jiffies;
struct ksplit_pcpu_stats ksplit_stats;

static u8 worker_memory[ROOM], client_memory[ROOM];
static struct mm_struct worker_mm, client_mm;
static struct task_struct worker = { .mm = &worker_mm }, client = { .mm = &client_mm };
struct task_struct *current = &worker;

static struct input *in;
static struct ksplit_channel chan;
static u8 *run;			/* the client's kvm_run: two pages */
static bool is_vcpu, run_good;

/* What the harness knows of a call that a client waits for. */
static struct known {
	struct ksplit_call *call;
	struct ksplit_next asked;
	bool handed, done;
} calls[MOST_CALLS];
static u64 last_id;		/* that was handed out */

/* ------------------------------------------------------------- memory -- */

static u8 *in_worker(const void *addr, size_t size)
{
	u64 at = (u64)addr - WORKER;

	return at <= ROOM && size <= ROOM - at ? worker_memory + at : NULL;
}

unsigned long copy_from_user(void *to, const void *from, size_t size)
{
	might_sleep();
	return copy_from_user_nofault(to, from, size) ? size : 0;
}

unsigned long copy_to_user(void *to, const void *from, size_t size)
{
	might_sleep();
	return copy_to_user_nofault(to, from, size) ? size : 0;
}

long copy_from_user_nofault(void *to, const void *from, size_t size)
{
	u8 *p = in_worker(from, size), other;

	if (!p)
		return -EFAULT;
	memcpy(to, p, size);
	/* Another of its threads. */
	other = take_number(in, 1);
	for (size_t i = 0; other && i < size; i++)
		p[i] ^= other;
	return 0;
}

long copy_to_user_nofault(void *to, const void *from, size_t size)
{
	u8 *p = in_worker(to, size);

	if (!p)
		return -EFAULT;
	if (size)
		memcpy(p, from, size);
	return 0;
}

int access_remote_vm(struct mm_struct *mm, unsigned long addr, void *buf, int len,
		     unsigned int flags)
{
	u64 at = addr - CLIENT;

	might_sleep();
	EQ(mm, &client_mm);
	HOLDS(mm->users > 0 && len >= 0);
	if (at >= ROOM)
		return 0;
	if ((u64)len > ROOM - at)
		len = ROOM - at;
	if (flags & FOLL_WRITE)
		memcpy(client_memory + at, buf, len);
	else
		memcpy(buf, client_memory + at, len);
	return len;
}

/* -------------------------------------------------------------- calls -- */

static struct known *find(u64 id)
{
	for (int i = 0; i < MOST_CALLS; i++)
		if (calls[i].call && calls[i].call->n.id == id)
			return &calls[i];
	return NULL;
}

/* As the front's ksplit_forward() does it. */
static void queue_call(void)
{
	static const u32 cmds[] = {
		KVM_RUN, KVM_SET_MSRS, KVM_GET_MSRS, KVM_GET_REGS, KVM_SET_REGS, KVM_CREATE_VM,
		KVM_CHECK_EXTENSION, KVM_GET_SUPPORTED_CPUID, KVM_IRQ_LINE_STATUS, KVM_NMI,
		KVM_SET_GSI_ROUTING, KVM_GET_DIRTY_LOG,
	};
	u8 which = take_number(in, 1);
	u32 cmd = cmds[which % ARRAY_SIZE(cmds)];
	u64 arg = CLIENT + take_number(in, 2) % ROOM;
	struct ksplit_call *call;
	struct known *k = NULL;

	for (int i = 0; i < MOST_CALLS; i++)
		k = calls[i].call ? k : &calls[i];
	if (!k)
		return;
	call = calloc(1, sizeof(*call));
	HOLDS(call);
	call->client = &client;
	call->n.op = which & 0x80 ? KSPLIT_OP_READ : KSPLIT_OP_IOCTL;
	call->n.cmd = which & 0x80 ? 0 : cmd;
	call->n.arg = cmd == KVM_CHECK_EXTENSION ? take_number(in, 1) : arg;
	call->n.len = which & 0x80 ? take_number(in, 1) : _IOC_SIZE(cmd);
	call->slot_pages = take_number(in, 2);
	call->new = cmd == KVM_CREATE_VM ? (void *)1 : NULL;
	call->in = malloc(call->n.len);
	call->out = malloc(call->n.len);
	if (call->n.op == KSPLIT_OP_IOCTL && ksplit_arg_access(cmd) & KSPLIT_TO_WORKER &&
	    arg - CLIENT + call->n.len <= ROOM) {
		memcpy(call->in, client_memory + (arg - CLIENT), call->n.len);
		call->n.prefetched = call->n.len;
	}
	if (!ksplit_call_queue(&chan, call)) {
		HOLDS(chan.dead);
		free(call->in);
		free(call->out);
		free(call);
		return;
	}
	*k = (struct known){ .call = call, .asked = call->n };
}

static void queue_release(void)
{
	struct ksplit_call *news = calloc(1, sizeof(*news));

	HOLDS(news);
	news->n.op = KSPLIT_OP_RELEASE;
	if (!ksplit_call_queue(&chan, news))
		free(news);
}

/* The client's thread returns: its call is done, or it is killed. */
static void leave(struct known *k)
{
	if (!k->call)
		return;
	list_del(&k->call->node);
	if (k->call->worker)
		k->call->worker->refs--;
	free(k->call->in);
	free(k->call->out);
	free(k->call);
	k->call = NULL;
}

/* A call is in the list where it belongs, and is what was asked. */
static void check_calls(void)
{
	for (int i = 0; i < MOST_CALLS; i++) {
		struct ksplit_call *c = calls[i].call;

		if (!c)
			continue;
		EQ(memcmp(&c->n.id, &calls[i].asked.id,
			  sizeof(c->n) - offsetof(struct ksplit_next, id)), 0);
		EQ(c->done, calls[i].done);
		EQ(!!c->worker, calls[i].handed);
		EQ(c->copies, 0);
		HOLDS(c->n.out_len <= c->n.len);
	}
	EQ(spinlocks_held, 0);
	EQ(client_mm.users, 0);
}

/* ------------------------------------------------------------- worker -- */

static u64 take_worker_address(void)
{
	u8 where = take_number(in, 1);

	return where & 0x80 ? take_number(in, 8) : WORKER + (where & 0x7f) * 0x80;
}

static u64 take_id(void)
{
	u8 which = take_number(in, 1);

	return which & 0x80 ? last_id : which & 0x40 ? take_number(in, 8) : which;
}

/* What a reply that was accepted did to its call. */
static void check_answer(struct known *k, const struct ksplit_next *n)
{
	const struct ksplit_call *c = k->call;

	HOLDS(k->handed && !k->done);
	k->done = true;
	HOLDS(n->result > -512 && n->out_len <= c->n.len);
	EQ(c->n.result, n->result);
	EQ(c->n.out_len, n->out_len);
	if (n->out_len)
		HOLDS(c->n.op == KSPLIT_OP_READ || ksplit_arg_access(c->n.cmd) & KSPLIT_TO_CLIENT);
	if (is_vcpu && c->n.cmd == KVM_RUN)
		run_good = true;
}

/* What came with the last NEXT; a call that was not waiting was not handed out. */
static void check_handed(u64 id)
{
	struct known *k = find(id);

	if (!k)
		return;		/* news, freed by now */
	HOLDS(!k->handed && !k->done);
	k->handed = true;
	last_id = id;
}

static u64 next_waiting(void)
{
	struct ksplit_call *c = list_first_entry_or_null(&chan.calls, struct ksplit_call, node);

	return c ? c->n.id : 0;
}

static void worker_next(void)
{
	struct ksplit_next n = { .reply_to = take_id() };
	u8 at = take_number(in, 1);
	struct ksplit_next *arg = (void *)(WORKER + (at & 0x7f) * 0x80 + (at & 0x80 ? 1 : 0));
	struct known *k = find(n.reply_to);
	u64 waits = next_waiting();
	bool failed;
	long r;

	n.result = (s64)(int16_t)take_number(in, 2);
	n.out = take_worker_address();
	n.out_len = take_number(in, 1);
	n.prefetch = take_worker_address();
	n.kvm_run = take_worker_address();
	n.pad = take_number(in, 1) == 0xff;
	if (!in_worker(arg, sizeof(n)))
		return;
	memcpy(in_worker(arg, sizeof(n)), &n, sizeof(n));
	r = ksplit_channel_next(&chan, arg);
	failed = r == -EINVAL && !n.pad && k && k->call->done && !k->done;
	if (n.pad)
		EQ(r, -EINVAL);
	if (failed) {
		EQ(k->call->n.result, -EIO);
		k->done = true;
	} else if (k && k->call->done && !k->done) {
		HOLDS(r == 0 || r == -EINTR || r == -ESHUTDOWN);
		check_answer(k, &n);
	}
	if (!r)
		check_handed(waits);
	else
		EQ(waits, next_waiting());
}

/* Which bytes changed lie in what was asked for. */
static UNCOUNTED void check_client_memory(const u8 *before, u64 addr, u64 len)
{
	for (u64 i = 0; i < ROOM; i++)
		if (before[i] != client_memory[i])
			HOLDS(CLIENT + i >= addr && CLIENT + i - addr < len);
}

static void worker_copy(void)
{
	struct ksplit_copy c = { .call = take_id(), .len = take_number(in, 2) };
	struct ksplit_copy *arg = (void *)take_worker_address();
	struct known *k = find(c.call);
	static u8 before[ROOM];
	u8 how = take_number(in, 1);
	long r;

	c.write = how & 1;
	c.client = (how & 2 && k ? k->asked.arg : CLIENT) + take_number(in, 1);
	if (how & 4)
		c.len |= 1 << 16;
	c.local = take_worker_address();
	if (!in_worker(arg, sizeof(c)))
		return;
	memcpy(in_worker(arg, sizeof(c)), &c, sizeof(c));
	memcpy(before, client_memory, ROOM);
	r = ksplit_copy(&chan, arg);
	if (r) {
		HOLDS(r == -EFAULT || r == -EINVAL || r == -ENOENT || r == -EPERM || r == -ENOMEM);
	} else {
		HOLDS(c.len <= KSPLIT_COPY_MAX);
		HOLDS(k && k->handed && !k->done);
		HOLDS(k->asked.cmd != KVM_RUN && k->asked.op == KSPLIT_OP_IOCTL);
	}
	if (c.write && k && k->handed && !k->done)
		check_client_memory(before, c.client, c.len);
	else
		EQ(memcmp(before, client_memory, ROOM), 0);
}

/* ------------------------------------------------------------ kvm_run -- */

#define HEAD	offsetof(struct kvm_run, exit_reason)
#define OWN	offsetof(struct kvm_run, kvm_valid_regs)
#define REGS	offsetof(struct kvm_run, s)

static void client_writes_run(void)
{
	u8 what = take_number(in, 1);

	if (what & 1)
		take(in, run, HEAD);
	if (what & 2)
		((struct kvm_run *)run)->kvm_valid_regs = take_number(in, 1);
	if (what & 4)
		take(in, run + REGS, 8);
	/* It may break what the stub gave it. */
	if (what & 8) {
		take(in, run + HEAD, 48);
		run_good = false;
	}
}

static void check_run(const u8 *before)
{
	const struct kvm_run *r = (void *)run;

	EQ(memcmp(before, run, HEAD), 0);
	EQ(r->kvm_valid_regs, ((const struct kvm_run *)before)->kvm_valid_regs);
	if (!(r->kvm_valid_regs | ((const struct kvm_run *)before)->kvm_dirty_regs))
		EQ(memcmp(before + REGS, run + REGS, 4096 - REGS), 0);
	/* As the client maps it: the third page is the ring. */
	if (run_good)
		client_uses(r);
}

/* ------------------------------------------------------------------------ */

static void worker_acts(u8 what)
{
	static u8 before[2 * 4096];

	memcpy(before, run, sizeof(before));
	if (what & 1)
		worker_next();
	else
		worker_copy();
	check_run(before);
	check_calls();
}

static void act(void)
{
	u8 what = take_number(in, 1);

	switch (what >> 4) {
	case 0 ... 5:
		worker_acts(what);
		break;
	case 6 ... 8:
		queue_call();
		break;
	case 9:
		queue_release();
		break;
	case 10 ... 11:
		leave(&calls[what % MOST_CALLS]);
		break;
	case 12:
		client_writes_run();
		break;
	case 13 ... 14:
		take(in, worker_memory + (what & 0xf) * 0x80, 64);
		break;
	default:
		if (what != 0xff)
			break;
		ksplit_channel_kill(&chan);
		for (int i = 0; i < MOST_CALLS; i++)
			calls[i].done = true;
	}
}

static void reset(void)
{
	memset(&chan, 0, sizeof(chan));
	ksplit_channel_init(&chan);
	memset(calls, 0, sizeof(calls));
	memset(worker_memory, 0, ROOM);
	memset(client_memory, 0x5a, ROOM);
	if (!run)
		run = malloc(3 * 4096);
	HOLDS(run);
	memset(run, 0, 3 * 4096);
	run_good = true;
	last_id = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input all = { data, size };

	in = &all;
	reset();
	is_vcpu = take_number(in, 1) & 1;
	chan.kvm_run = is_vcpu ? run : NULL;
	while (in->left)
		act();
	ksplit_channel_kill(&chan);
	for (int i = 0; i < MOST_CALLS; i++)
		leave(&calls[i]);
	HOLDS(list_empty_careful(&chan.calls) && list_empty_careful(&chan.busy));
	EQ(worker.refs, 0);
	EQ(client.refs, 0);
	return 0;
}
