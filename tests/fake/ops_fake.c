// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fake machine: struct ksplit_ops with guests that are functions of a test.
 *
 * Invariant: it keeps the stub's contract towards libkvm as uapi/kvm_split.h
 * states it: a VMCS is copied by its dirty bits, values come back only where a
 * valid bit says so and otherwise by fill(), a kick is never lost, never skips
 * an entry, and is used up by one.
 */
#include <cpuid.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <x86intrin.h>

#include "common/array_size.h"
#include "tests/fake/ops_fake.h"
#include "personality/ksplit_log.h"

#define MAX_OBJECTS	1024

/* SDM vol. 3, appendix B and C: what this file itself uses. */
#define F_EPT_POINTER		0x201a
#define F_GUEST_PHYSICAL	0x2400
#define F_VM_EXIT_REASON	0x4402
#define F_EXIT_INTR_INFO	0x4404
#define F_IDT_VECTORING_INFO	0x4408
#define F_EXIT_INSN_LEN		0x440c
#define F_EXIT_QUALIFICATION	0x6400
#define F_ENTRY_INTR_INFO	0x4016
#define EXIT_EXTINT		1
#define EXIT_PREEMPTION_TIMER	52

enum kind { FREE, VM, VCPU };

struct vmcs {
	int loaded;
	__u64 field[KSPLIT_NR_SLOTS];
};

struct object {
	enum kind kind;
	int vm;
	__u32 id;
	struct vmcs vmcs[KSPLIT_NR_VMCS];
	fake_guest_fn guest;
	void *guest_arg;
	unsigned int entries;
	int kicked, signalled, refuse;
	__u64 pkru;
	unsigned char *fpu;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static struct object *objects[MAX_OBJECTS];
static struct fake_stats stats;
static int fault_result;
static int tsc_unstable;

/* ------------------------------------------------------- the processor -- */

/* A mid-2010s client processor, by CPUID leaf; bits as in cpufeatures.h. */
static const __u32 cpu_word[] = {
	[0] = 0xbfebfbff,	/* 1.EDX */
	[1] = 0x2c100800,	/* 0x80000001.EDX: LM, RDTSCP, 1G, NX, SYSCALL */
	[3] = 1u << 8 | 1u << 16 | 1u << 20 | 1u << 21 | 1u << 22 | 1u << 24 |
	      1u << 25,		/* constant TSC, REP, NOPL, always, topology, ... */
	[4] = 0x7ffafbbf,	/* 1.ECX: with VMX, x2APIC, XSAVE, AVX */
	[6] = 0x00000121,	/* 0x80000001.ECX */
	[7] = 1u << 16 | 1u << 17 | 1u << 25 | 1u << 26 | 1u << 27 | 1u << 31,
				/* SPEC_CTRL, SSBD, IBRS, IBPB, STIBP, FEAT_CTL */
	[8] = 1u << 0 | 1u << 2 | 1u << 3 | 1u << 17,
				/* TPR shadow, EPT, VPID, EPT A/D */
	[9] = 0x009c27ab,	/* 7.EBX: FSGSBASE .. ADX, SMEP, SMAP, CLFLUSHOPT */
	[10] = 0x00000007,	/* 0xd.1.EAX: XSAVEOPT, XSAVEC, XGETBV1 */
	[14] = 0x00000004,	/* 6.EAX: ARAT */
	[16] = 1u << 2 | 1u << 24,
				/* 7.ECX: UMIP, which CR4_FIXED1 below has not, BUS_LOCK_DETECT */
	[18] = 0xac000400,	/* 7.EDX: MD_CLEAR, SPEC_CTRL, STIBP, ARCH_CAP, SSBD */
	[23] = 0,		/* no bugs */
};

/* What docs/vmcs-policy.md leaves of such a processor's VMX. */
static const __u64 vmx_msr[KSPLIT_NR_VMX_MSRS] = {
	[0x0] = 0x00da040000000004,	/* BASIC */
	[0x1] = 0x0000007f0000003f,	/* PINBASED: interrupts, NMIs, vNMIs */
	[0x2] = 0xfdf9fffeb501ed72,	/* PROCBASED */
	[0x3] = 0x003fefff00036dff,	/* EXIT */
	[0x4] = 0x0000d3ff000011ff,	/* ENTRY */
	[0x5] = 0x0000000020040065,	/* MISC: timer rate 5, HLT state */
	[0x6] = 0x0000000080000021,	/* CR0_FIXED0 */
	[0x7] = 0x00000000ffffffff,
	[0x8] = 0x0000000000002000,	/* CR4_FIXED0 */
	[0x9] = 0x00000000003767ff,
	[0xa] = 0x000000000000002e,	/* VMCS_ENUM */
	[0xb] = 0x02113cee00000000,	/* PROCBASED2 */
	[0xc] = 0x00000f0106334141,	/* EPT_VPID_CAP */
	[0xd] = 0x0000007f00000016,	/* TRUE_* */
	[0xe] = 0xfdf9fffeb5006d72,
	[0xf] = 0x003fefff00036dfb,
	[0x10] = 0x0000d3ff000011fb,
	[0x11] = 0,			/* VMFUNC */
};

static const struct ksplit_msr msrs[] = {
	{ 0xc0000080, 0, 0xd01 },		/* EFER */
	{ 0x277, 0, 0x0007040600070406 },	/* PAT */
	{ 0x3a, 0, 0x5 },			/* FEAT_CTL */
	{ 0x10a, 0, 0x8 },			/* ARCH_CAPABILITIES */
	{ 0x8b, 0, 0xf0ull << 32 },		/* UCODE_REV */
	{ 0xce, 0, 0x80000000 },		/* PLATFORM_INFO */
};

/* Leaf 80000007H is the real CPU's, and KVM masks it with this word. */
static __u32 cpuid_power(void)
{
	unsigned int eax, ebx, ecx, edx = 0;

	__get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx);
	return edx;
}

static int fake_get_info(struct ksplit_info *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->abi_version = KSPLIT_ABI_VERSION;
	ret->nr_cpus = 4;
	ret->phys_bits = 46;
	ret->virt_bits = 48;
	ret->cache_bits = 46;
	ret->x86_power = cpuid_power();
	ret->vendor = 0;	/* Intel */
	ret->family = 6;
	ret->model = 0x5e;
	ret->stepping = 3;
	ret->tsc_khz = 2500000;
	ret->tsc_unstable = tsc_unstable;
	ret->xstate_size = 832;
	ret->nr_cpu_words = 24;
	ret->nr_bug_words = 2;
	memcpy(ret->cpu_word, cpu_word, sizeof(cpu_word));
	memcpy(ret->vmx_msr, vmx_msr, sizeof(vmx_msr));
	ret->xcr0 = 7;
	ret->spec_ctrl = 7;
	ret->nr_msrs = ARRAY_SIZE(msrs);
	memcpy(ret->msr, msrs, sizeof(msrs));
	return 0;
}

/* -------------------------------------------------------------- objects -- */

static int new_object(enum kind kind, int vm, __u32 id)
{
	int fd, r = -EMFILE;

	pthread_mutex_lock(&lock);
	/* Numbers that no real descriptor of a test has. */
	for (fd = 1; fd < MAX_OBJECTS; fd++) {
		if (objects[fd])
			continue;
		objects[fd] = calloc(1, sizeof(*objects[fd]));
		if (!objects[fd]) {
			r = -ENOMEM;
			break;
		}
		objects[fd]->kind = kind;
		objects[fd]->vm = vm;
		objects[fd]->id = id;
		stats.objects++;
		r = fd;
		break;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static struct object *get(int fd, enum kind kind)
{
	if (fd <= 0 || fd >= MAX_OBJECTS || !objects[fd] ||
	    objects[fd]->kind != kind)
		return NULL;
	return objects[fd];
}

static int fake_create_vm(__u64 call)
{
	return new_object(VM, 0, 0);
}

static int fake_create_vcpu(__u64 call, int vm, __u32 id)
{
	return get(vm, VM) ? new_object(VCPU, vm, id) : -EBADF;
}

static void fake_close(int fd)
{
	pthread_mutex_lock(&lock);
	if (fd > 0 && fd < MAX_OBJECTS && objects[fd]) {
		free(objects[fd]->fpu);
		free(objects[fd]);
		objects[fd] = NULL;
		stats.objects--;
	}
	pthread_mutex_unlock(&lock);
}

/* The client is the test itself: its addresses are ours. */
static int fake_copy(int fd, struct ksplit_copy *copy)
{
	void *client = (void *)(unsigned long)copy->client;
	void *local = (void *)(unsigned long)copy->local;

	if (copy->write)
		memcpy(client, local, copy->len);
	else
		memcpy(local, client, copy->len);
	return 0;
}

static int fake_next(int fd, struct ksplit_next *next)
{
	return -ESHUTDOWN;
}

static int fake_eventfd(struct ksplit_eventfd *eventfd)
{
	return -EPERM;
}

/* --------------------------------------------------------------- memory -- */

/* The owner's memory and the window are one: zero pages. */
static int fake_map_window(int vm, __u64 addr, __u64 size, __u32 slot)
{
	void *p = mmap((void *)(unsigned long)addr, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
		       MAP_FIXED_NOREPLACE, -1, 0);

	if (!get(vm, VM))
		return -EBADF;
	return p == (void *)(unsigned long)addr ? 0 : -EEXIST;
}

static int fake_unmap_window(int vm, __u64 addr, __u64 size)
{
	munmap((void *)(unsigned long)addr, size);
	return 0;
}

static int fake_fault_in(int fd, struct ksplit_fault *fault)
{
	int r;

	pthread_mutex_lock(&lock);
	stats.faults++;
	r = fault_result;
	pthread_mutex_unlock(&lock);
	return r;
}

static int fake_flush(int vm, struct ksplit_flush *flush)
{
	int r = -EINVAL;

	pthread_mutex_lock(&lock);
	if (!get(vm, VM))
		r = -EBADF;
	else if (flush->what < FAKE_NR_FLUSH) {
		stats.flushes[flush->what]++;
		r = 0;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static int fake_hwpoison(int vcpu, __u64 addr)
{
	return 0;
}

static int fake_coalesce(int vm, struct kvm_coalesced_mmio *write)
{
	int r = -ENOSPC;

	pthread_mutex_lock(&lock);
	if (!get(vm, VM)) {
		r = -EBADF;
	} else if (stats.coalesced < FAKE_RING) {
		stats.coalesced++;
		stats.write = *write;
		r = 0;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static int fake_ioeventfd(int vm, struct kvm_ioeventfd *doorbell)
{
	pthread_mutex_lock(&lock);
	stats.doorbells += doorbell->flags & KVM_IOEVENTFD_FLAG_DEASSIGN ? -1 : 1;
	stats.doorbell = *doorbell;
	pthread_mutex_unlock(&lock);
	return 0;
}

void fake_set_fault_result(int result)
{
	pthread_mutex_lock(&lock);
	fault_result = result;
	pthread_mutex_unlock(&lock);
}

void fake_set_tsc_unstable(void)
{
	tsc_unstable = 1;
}

/* ---------------------------------------------------------------- VMCSs -- */

static unsigned int slot_of(__u32 encoding)
{
	return KSPLIT_SLOT(encoding);
}

__u64 *fake_field(struct fake_entry *e, __u32 encoding)
{
	return &e->field[slot_of(encoding)];
}

void fake_exit(struct fake_entry *e, __u32 reason, __u64 qualification,
	       __u32 instruction_len)
{
	*fake_field(e, F_VM_EXIT_REASON) = reason;
	*fake_field(e, F_EXIT_QUALIFICATION) = qualification;
	*fake_field(e, F_EXIT_INSN_LEN) = instruction_len;
	*fake_field(e, F_EXIT_INTR_INFO) = 0;
	*fake_field(e, F_IDT_VECTORING_INFO) = 0;
}

static void set_valid(struct ksplit_vmcs *v, unsigned int slot, int valid)
{
	if (valid)
		v->valid[slot / 64] |= 1ull << slot % 64;
	else
		v->valid[slot / 64] &= ~(1ull << slot % 64);
}

static void take_dirty(struct vmcs *real, struct ksplit_vmcs *v)
{
	unsigned int slot;

	for (slot = 0; slot < KSPLIT_NR_SLOTS; slot++)
		if (v->dirty[slot / 64] & 1ull << slot % 64)
			real->field[slot] = v->field[slot];
	memset(v->dirty, 0, sizeof(v->dirty));
}

/*
 * The CPU may have changed guest state and has written the exit information:
 * none of it is valid any longer, but for a few fields that most exits need.
 */
static void give_back(struct vmcs *real, struct ksplit_vmcs *v)
{
	static const __u32 stored[] = {
		F_VM_EXIT_REASON, F_EXIT_QUALIFICATION, F_EXIT_INTR_INFO,
		F_IDT_VECTORING_INFO, F_EXIT_INSN_LEN,
		0x681e /* RIP */, 0x6820 /* RFLAGS */, 0x681c /* RSP */,
	};
	unsigned int kind, slot, i;

	for (kind = 0; kind < 16; kind++) {
		/* Type 1: read-only data; type 2: guest state. */
		if ((kind & 3) != 1 && (kind & 3) != 2)
			continue;
		for (slot = KSPLIT_SLOT_BASE(kind); slot < KSPLIT_SLOT_BASE(kind + 1); slot++)
			set_valid(v, slot, 0);
	}
	/* The CPU clears the valid bit of an event that it has injected. */
	real->field[slot_of(F_ENTRY_INTR_INFO)] &= ~(1ull << 31);
	set_valid(v, slot_of(F_ENTRY_INTR_INFO), 0);

	for (i = 0; i < ARRAY_SIZE(stored); i++) {
		v->field[slot_of(stored[i])] = real->field[slot_of(stored[i])];
		set_valid(v, slot_of(stored[i]), 1);
	}
}

static int fake_fill(int fd, struct ksplit_fill *fill)
{
	struct object *o = get(fd, VCPU);
	struct ksplit_vmcs *v = (void *)(unsigned long)fill->vmcs;

	if (!o)
		return -EBADF;
	if (fill->vmcs_index >= KSPLIT_NR_VMCS || fill->slot >= KSPLIT_NR_SLOTS)
		return -EINVAL;
	pthread_mutex_lock(&lock);
	stats.fills++;
	pthread_mutex_unlock(&lock);
	v->field[fill->slot] = o->vmcs[fill->vmcs_index].field[fill->slot];
	set_valid(v, fill->slot, 1);
	return 0;
}

static int fake_vmclear(int fd, __u32 index)
{
	struct object *o = get(fd, VCPU);

	if (!o)
		return -EBADF;
	if (index >= KSPLIT_NR_VMCS)
		return -EINVAL;
	memset(&o->vmcs[index], 0, sizeof(o->vmcs[index]));
	o->vmcs[index].loaded = 1;
	return 0;
}

/* ------------------------------------------------------------------ run -- */

void fake_set_guest(int vcpu, fake_guest_fn fn, void *arg)
{
	struct object *o = get(vcpu, VCPU);

	o->guest = fn;
	o->guest_arg = arg;
}

void fake_refuse_run(int vcpu, int error)
{
	get(vcpu, VCPU)->refuse = error;
}

static struct timespec tsc_to_time(__u64 tsc)
{
	struct timespec ts;
	__u64 now = __rdtsc(), ns = 0;

	/* 2.5 GHz, as get_info() says; who waits looks at the TSC again. */
	if (tsc > now)
		ns = (tsc - now) * 2 / 5;
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += (ts.tv_nsec + ns) / 1000000000;
	ts.tv_nsec = (ts.tv_nsec + ns) % 1000000000;
	return ts;
}

void fake_spin(struct fake_entry *e)
{
	struct object *o = get(e->vcpu, VCPU);
	struct timespec until;
	int timed_out = 0;

	pthread_mutex_lock(&lock);
	while (!o->kicked && !o->signalled && !timed_out &&
	       !(e->run->flags & KSPLIT_RUN_EXIT_AT_ONCE)) {
		if (e->run->tsc_deadline == ~0ull) {
			pthread_cond_wait(&wake, &lock);
		} else {
			until = tsc_to_time(e->run->tsc_deadline);
			pthread_cond_timedwait(&wake, &lock, &until);
			timed_out = __rdtsc() >= e->run->tsc_deadline;
		}
	}
	pthread_mutex_unlock(&lock);
	fake_exit(e, timed_out ? EXIT_PREEMPTION_TIMER : EXIT_EXTINT, 0, 0);
}

static int fake_run(int fd, struct ksplit_run *run)
{
	struct ksplit_vmcs *v = (void *)(unsigned long)run->vmcs;
	struct object *o = get(fd, VCPU);
	struct fake_entry e = { .run = run, .vcpu = fd };
	struct vmcs *real;
	int at_once;

	if (!o)
		return -EBADF;
	if (o->refuse || run->vmcs_index >= KSPLIT_NR_VMCS || run->xss) {
		run->backing = ~0ull;
		return o->refuse ? o->refuse : -EINVAL;
	}
	real = &o->vmcs[run->vmcs_index];
	if (!real->loaded) {
		ksplit_log(KSPLIT_LOG_ERR, "fake: VMCS run without vmclear");
		return -EINVAL;
	}
	take_dirty(real, v);
	e.field = real->field;
	e.entry = o->entries++;

	run->exit_flags = 0;
	pthread_mutex_lock(&lock);
	stats.runs++;
	at_once = o->kicked || (run->flags & KSPLIT_RUN_EXIT_AT_ONCE);
	pthread_mutex_unlock(&lock);

	if (at_once)
		fake_exit(&e, EXIT_EXTINT, 0, 0);
	else if (o->guest)
		o->guest(&e, o->guest_arg);
	else
		fake_spin(&e);

	pthread_mutex_lock(&lock);
	if (o->kicked) {
		o->kicked = 0;
		run->exit_flags |= KSPLIT_EXIT_KICKED;
	}
	if (o->signalled) {
		o->signalled = 0;
		run->exit_flags |= KSPLIT_EXIT_SIGNAL;
	}
	pthread_mutex_unlock(&lock);
	give_back(real, v);
	return 0;
}

static int fake_kick(int fd)
{
	struct object *o;
	int r = -EBADF;

	pthread_mutex_lock(&lock);
	o = get(fd, VCPU);
	if (o) {
		stats.kicks++;
		o->kicked = 1;
		pthread_cond_broadcast(&wake);
		r = 0;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

void fake_signal(int fd)
{
	struct object *o;

	pthread_mutex_lock(&lock);
	o = get(fd, VCPU);
	if (o) {
		o->signalled = 1;
		pthread_cond_broadcast(&wake);
	}
	pthread_mutex_unlock(&lock);
}

static int fake_block(int fd, struct ksplit_block *block)
{
	struct object *o = get(fd, VCPU);
	struct timespec until;
	int r = 0;

	if (!o)
		return -EBADF;
	clock_gettime(CLOCK_REALTIME, &until);
	if (block->timeout_ns != ~0ull) {
		until.tv_sec += (until.tv_nsec + block->timeout_ns) / 1000000000;
		until.tv_nsec = (until.tv_nsec + block->timeout_ns) % 1000000000;
	}
	block->exit_flags = 0;
	pthread_mutex_lock(&lock);
	stats.blocks++;
	while (!o->kicked && !o->signalled && !r)
		r = block->timeout_ns == ~0ull ?
			pthread_cond_wait(&wake, &lock) :
			pthread_cond_timedwait(&wake, &lock, &until);
	if (o->kicked)
		block->exit_flags |= KSPLIT_EXIT_KICKED;
	if (o->signalled)
		block->exit_flags |= KSPLIT_EXIT_SIGNAL;
	o->kicked = 0;
	o->signalled = 0;
	pthread_mutex_unlock(&lock);
	return 0;
}

/* ------------------------------------------------------------------ FPU -- */

#define XSTATE_SIZE	832

static int fake_fpu_get(int fd, struct ksplit_fpu *fpu)
{
	struct object *o = get(fd, VCPU);

	if (!o)
		return -EBADF;
	memset((void *)(unsigned long)fpu->buf, 0, XSTATE_SIZE);
	if (o->fpu)
		memcpy((void *)(unsigned long)fpu->buf, o->fpu, XSTATE_SIZE);
	return 0;
}

static int fake_fpu_set(int fd, struct ksplit_fpu *fpu)
{
	struct object *o = get(fd, VCPU);

	if (!o)
		return -EBADF;
	if (!o->fpu)
		o->fpu = malloc(XSTATE_SIZE);
	if (!o->fpu)
		return -ENOMEM;
	memcpy(o->fpu, (void *)(unsigned long)fpu->buf, XSTATE_SIZE);
	return 0;
}

/* --------------------------------------------------------------- others -- */

__u64 fake_walk_ept(struct fake_entry *e, __u64 gpa, int *ret_level)
{
	__u64 table = *fake_field(e, F_EPT_POINTER) & ~0xfffull, entry;
	int level;

	for (level = 4; level > 0; level--) {
		entry = ((__u64 *)(unsigned long)table)
			[gpa >> (12 + 9 * (level - 1)) & 0x1ff];
		if (!(entry & 7))
			break;
		if (level == 1 || entry & 0x80) {
			if (ret_level)
				*ret_level = level;
			return entry;
		}
		table = entry & 0x000ffffffffff000;
	}
	if (ret_level)
		*ret_level = level;
	return 0;
}

void fake_get_stats(struct fake_stats *ret_stats)
{
	pthread_mutex_lock(&lock);
	*ret_stats = stats;
	pthread_mutex_unlock(&lock);
}

void fake_reset_stats(void)
{
	pthread_mutex_lock(&lock);
	stats = (struct fake_stats){ .objects = stats.objects };
	pthread_mutex_unlock(&lock);
}

/* The client harvests at once. */
static int fake_dirty(int vcpu, struct ksplit_dirty *dirty)
{
	return dirty->slot == KSPLIT_DIRTY_LOOK;
}

const struct ksplit_ops ksplit_ops_fake = {
	.get_info	= fake_get_info,
	.next		= fake_next,
	.copy		= fake_copy,
	.eventfd	= fake_eventfd,
	.create_vm	= fake_create_vm,
	.create_vcpu	= fake_create_vcpu,
	.map_window	= fake_map_window,
	.unmap_window	= fake_unmap_window,
	.window_fault	= fake_fault_in,
	.fault_in	= fake_fault_in,
	.flush		= fake_flush,
	.hwpoison	= fake_hwpoison,
	.coalesce	= fake_coalesce,
	.ioeventfd	= fake_ioeventfd,
	.close		= fake_close,
	.run		= fake_run,
	.fill		= fake_fill,
	.vmclear	= fake_vmclear,
	.kick		= fake_kick,
	.notify		= fake_kick,
	.block		= fake_block,
	.dirty		= fake_dirty,
	.fpu_get	= fake_fpu_get,
	.fpu_set	= fake_fpu_set,
};
