/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The stub's own objects and the calls between its files.
 *
 * Object tree, each holding a reference to the one above it:
 *
 *	tenant -> session -> VM -> vCPU
 *
 * The back (back/) owns VM and vCPU, the front (front/) tenant and session and
 * the files that clients hold.  Both stand on the channels (chan/); the front
 * calls the back, never the other way round.  What they compute without the kernel
 * is in pure/.  Every function but those begins with ksplit_, static or not, so that
 * a backtrace says whose it is.
 *
 * Locking, outermost first:
 *	worker mm's mmap_lock	 window mappings
 *	vm->slots_lock (mutex)	 the slot table's writers, pinned window pages;
 *				 held over no user access, no fault
 *	vm->mmu_lock (spinlock)	 roots, EPT entries, notifier counters; taken
 *				 with interrupts on, under page-table locks
 * The owner mm's mmap_lock is taken for one fault at a time with none of these
 * held, and only tried where a guest waits.
 * A vCPU is run by one thread at a time: vcpu->mutex, taken killably by every
 * vCPU ioctl but KICK, NEXT, COPY, BLOCK and DIRTY.
 */
#ifndef KSPLIT_H
#define KSPLIT_H

#include <linux/kvm_host.h>

#include <asm/vmx.h>

#include "uapi/kvm_split.h"
#include "chan/chan.h"
#include "fast/state.h"
#include "pure/msr_bitmap.h"
#include "pure/vmcs_policy.h"

#define KSPLIT_RUN_ORDER	1	/* pages of a vCPU's: kvm_run, PIO data */
/* What a client maps of a vCPU: these, and the VM's ring of coalesced writes. */
#define KSPLIT_RUN_SIZE		(3 * PAGE_SIZE)

/* Caps that no tenant can raise (invariant 9). */
#define KSPLIT_MAX_VMS		1024	/* of one session */
#define KSPLIT_MAX_VCPUS	288	/* of one VM */
#define KSPLIT_MAX_ROOTS	(2 * KSPLIT_MAX_VCPUS)	/* of one VM, least recently used goes */
#define KSPLIT_MAX_TENANTS	512	/* users with a session, a supervisor or a wish */
#define KSPLIT_MAX_VOUCHED	8	/* of them, unknown ones of one user's namespaces */
#define KSPLIT_WINDOW_PAGES	4096	/* pages pinned for windows, of one VM */

/* ------------------------------------------------------ statistics -- */

/* One counter a line of debugfs kvm_split/stats; X(name). */
#define KSPLIT_STATS(X)							\
	X(sessions) X(vms) X(vcpus) X(slots) X(roots) X(ept_pages)	\
	X(window_pages) X(calls) X(copies)				\
	X(runs) X(exits) X(exits_worker) X(exits_ring0)			\
	X(fills) X(blocks) X(kicks) X(flushes) X(fault_ins)		\
	X(window_faults) X(ept_faults) X(ept_zaps)			\
	X(vmreads) X(vmwrites) X(doorbells)

enum ksplit_stat {
#define X(name) KSPLIT_STAT_##name,
	KSPLIT_STATS(X)
#undef X
	KSPLIT_NR_STATS
};

struct ksplit_pcpu_stats {
	long n[KSPLIT_NR_STATS];
	unsigned long exits[80];	/* by basic exit reason */
	unsigned long exits_ring0[80];	/* of them consumed by the stub */
};

DECLARE_PER_CPU(struct ksplit_pcpu_stats, ksplit_stats);

#define ksplit_count(name)	this_cpu_inc(ksplit_stats.n[KSPLIT_STAT_##name])
#define ksplit_count_add(name, v) \
	this_cpu_add(ksplit_stats.n[KSPLIT_STAT_##name], (v))

/* --------------------------------------------------------- objects -- */

/* What the VMs of a tenant may have together; the tenant outlives them. */
struct ksplit_quota {
	u32 max_vcpus;
	u32 max_slots;			/* of one VM */
	atomic_t nr_vcpus;
};

struct ksplit_session {			/* front/session.c */
	struct kref ref;
	void (*release)(struct kref *ref);
	struct ksplit_tenant *tenant;	/* the front's alone */
	struct ksplit_quota *quota;
	kuid_t uid;			/* the tenant's, for the log */
	struct list_head node;		/* tenant->ready */
	struct mm_struct *worker_mm;	/* mmgrab()ed; whose calls are honoured */
	struct task_struct *worker;	/* its first thread */
	struct ksplit_channel chan;
	struct mutex lock;		/* vms */
	struct list_head vms;
	atomic_t nr_vms;
	atomic_t files;			/* client files open */
	bool ending;			/* no client any more, and none will come */
	struct pid *client;		/* its process, NULL: none yet */
};

static inline void ksplit_session_put(struct ksplit_session *session)
{
	kref_put(&session->ref, session->release);
}

/* One registered memory slot.  back/mem.c. */
struct ksplit_slot {
	struct list_head node;
	refcount_t users;		/* the table, each VMA, calls in progress */
	bool dead;			/* out of the table; under slots_lock */
	u32 key;			/* id | address space << 16 */
	u64 gpa;
	u64 size;
	u64 hva;			/* in the owner */
	u64 window;			/* in the worker, 0: not mapped */
	bool readonly;
	struct vm_area_struct *vma;	/* the window's, under slots_lock */
	struct xarray pages;		/* pinned window pages by index */
	unsigned long hand;		/* where eviction looks next */
};

/* One EPT, the image of one table tree of the worker's.  back/ept.c. */
struct ksplit_root {
	struct list_head node;		/* vm->roots, most recent first */
	u64 key;			/* address of the worker's root table */
	u64 *table;			/* top level of the real EPT */
	u64 *grave;			/* its entries, once the root is dead */
	u64 eptp;
	bool linear;			/* every leaf maps gpa as its slot does */
	bool shadow;			/* the worker says that it is a nested guest's */
	bool dead;			/* detached, freed after all CPUs left */
	refcount_t users;		/* vCPUs that have it loaded, + the list */
};

struct ksplit_vm {
	struct kref ref;
	struct ksplit_session *session;
	struct list_head node;		/* session->vms */
	struct mm_struct *owner;	/* mmgrab()ed */
	bool dead;			/* READ_ONCE/WRITE_ONCE */
	u32 id;				/* for the log */
	struct ksplit_fast_vm fast;

	struct kvm_irq_level low_line;	/* what the session's call low_id lowered */
	struct kvm_irq_level low_answer;
	u64 low_id;
	struct kvm_coalesced_mmio_ring *ring;	/* the client's; under chan.lock of the session */
	struct xarray vcpus;		/* by number, RCU readers */

	struct mutex slots_lock;
	struct list_head slots;		/* written under both locks, read under either */
	u32 nr_slots;
	u32 window_pages;		/* pinned, <= KSPLIT_WINDOW_PAGES */
	u64 windows_marked;		/* how often a page became stale; under mmu_lock */
	u64 windows_synced;		/* of these, how many are zapped; under slots_lock */

	spinlock_t mmu_lock;
	struct mmu_notifier notifier;
	u64 invalidate_seq;		/* what was looked up before it rose is out of date */
	u32 invalidate_count;		/* notifier ranges in progress, */
	u64 invalidate_start;		/* and what holds them all */
	u64 invalidate_end;
	struct list_head roots;
	struct list_head dead_roots;
	u32 nr_roots;
	u32 ept_pages;			/* <= ept_pages_max */
	u64 ept_pages_max;

	/*
	 * Raised under mmu_lock by whoever takes a right away from an EPT;
	 * a CPU whose vCPU's tlb_gen is behind executes INVEPT before entry.
	 */
	atomic64_t tlb_gen;
	struct cpumask kick_mask;	/* of ksplit_vm_kick_sync(), under mmu_lock */
};

#define KSPLIT_PERF_MSRS	8	/* as many as KVM has room for */

/* One real VMCS. */
struct ksplit_hw_vmcs {
	struct ksplit_vcpu *vcpu;
	struct vmcs_region *region;
	struct list_head loaded;	/* per-CPU list of VMCSs on that CPU */
	int cpu;			/* where it is active, -1: nowhere */
	bool launched;
	bool prepared;			/* the stub's own fields are written */
	bool flush_vpid;
	u16 vpid;
	struct ksplit_vmcs_state state;
	u64 *msr_bitmap;
	u64 msr_words[KSPLIT_NR_MSR_WORDS];	/* it was made from */
	struct vmcs_region *shadow;	/* the shadow VMCS, active where this one is */
	struct ksplit_fast_vmcs fast;
	struct {			/* as last written; of which CPU */
		int cpu;
		unsigned long rsp, cr3, cr4, fs_base, eptp, link, perf;
	} host;
	struct vmx_msr_entry perf_guest[KSPLIT_PERF_MSRS];	/* VM entry and exit load them */
	struct vmx_msr_entry perf_host[KSPLIT_PERF_MSRS];
};

struct ksplit_vcpu {
	struct kref ref;
	struct ksplit_vm *vm;
	u32 id;				/* KVM's vCPU id, for the log */
	u32 nr;				/* index in vm->vcpus */
	struct mutex mutex;
	struct ksplit_channel chan;

	/* vmenter.S: */
	unsigned long regs[17];
	u64 spec_ctrl;
	struct ksplit_hw_vmcs *current_vmcs;	/* loaded last */

	struct ksplit_hw_vmcs vmcs[KSPLIT_NR_VMCS];
	struct ksplit_run run;		/* the copy that was checked */
	struct kvm_dirty_gfn *ring;	/* the client's dirty ring, made when first used */
	struct ksplit_exit *exit;	/* back/vmx.h */
	struct fpu_guest fpu;
	u32 last_index;			/* vmcs_index of the last run */
	bool ibpb;			/* a prediction barrier is due before the next entry */

	struct ksplit_root *root;	/* referenced while loaded */
	u64 tlb_gen;
	/* A kick needs an IPI, with 2 a posted interrupt one; interrupts off until exit. */
	u8 in_guest;
	int cpu;			/* where it is in_guest, or last was */
	bool kicked;
	bool interrupted;		/* the client's call is: a kick goes with it */
	unsigned long followed;		/* the client's scheduling, jiffies */
	wait_queue_head_t wq;		/* KSPLIT_BLOCK */
	struct task_struct *sleeper;	/* in a call that ksplit_vcpu_interrupt() ends */
	bool faults;			/* that is for the owner's page: the client waits, too */
	u64 exits;
};

/* ------------------------------------------------------ back/main.c -- */

extern struct ksplit_hw ksplit_hw;	/* __ro_after_init */
extern struct ksplit_info ksplit_info;	/* __ro_after_init */

/* VMXON on every CPU while at least one VM exists. */
int ksplit_hw_get(void);
void ksplit_hw_put(void);

extern bool kvm_rebooting;

/* A VM that ends because VMX is off for a reboot is no news. */
#define ksplit_vm_err(vm, fmt, ...)					\
do {									\
	if (!kvm_rebooting)						\
		pr_err_ratelimited("kvm-split: uid %u worker %d VM %u: " fmt "\n", \
				   from_kuid(&init_user_ns, (vm)->session->uid), \
				   task_pid_nr((vm)->session->worker),	\
				   (vm)->id, ##__VA_ARGS__);		\
} while (0)

/* -------------------------------------------------------- back/vm.c -- */

/* In the client's context; the VM takes its own reference to owner. */
struct ksplit_vm *ksplit_vm_create(struct ksplit_session *session, struct mm_struct *owner);
struct ksplit_vcpu *ksplit_vcpu_create(struct ksplit_vm *vm, unsigned long id);
/*
 * The worker's descriptor; takes over the reference to the vCPU, if any, or to
 * the VM.
 */
int ksplit_vm_fd(struct ksplit_vm *vm, struct ksplit_vcpu *vcpu);
/*
 * Every later run, block and call fails; kicks all vCPUs.  Any context that
 * may not sleep included.
 */
void ksplit_vm_kill(struct ksplit_vm *vm);
void ksplit_vm_put(struct ksplit_vm *vm);
void ksplit_vcpu_put(struct ksplit_vcpu *vcpu);

/* ------------------------------------------------------ back/vcpu.c -- */

int ksplit_vcpu_init_hw(struct ksplit_vcpu *vcpu);
void ksplit_vcpu_free_hw(struct ksplit_vcpu *vcpu);
long ksplit_vcpu_run(struct ksplit_vcpu *vcpu, struct ksplit_run __user *arg);
long ksplit_vcpu_fill(struct ksplit_vcpu *vcpu, struct ksplit_fill __user *arg);
long ksplit_vcpu_vmclear(struct ksplit_vcpu *vcpu, unsigned long index);
long ksplit_vcpu_block(struct ksplit_vcpu *vcpu, struct ksplit_block __user *arg);
long ksplit_vcpu_fpu(struct ksplit_vcpu *vcpu, struct ksplit_fpu __user *arg, bool set);
/* Sticky: the next entry leaves at once, a sleep ends.  Any context. */
void ksplit_vcpu_kick(struct ksplit_vcpu *vcpu);
/* Also ends a call in which the vCPU's thread waits for the owner or the client. */
void ksplit_vcpu_interrupt(struct ksplit_vcpu *vcpu);
/*
 * Forces every vCPU of the VM out of guest mode and waits until it has left.
 * With vm->tlb_gen raised before, no CPU uses an older translation when this
 * returns.  Under mmu_lock, interrupts on.
 */
void ksplit_vm_kick_sync(struct ksplit_vm *vm);

/* ------------------------------------------------------- back/mem.c -- */

int ksplit_mem_init(struct ksplit_vm *vm);	/* registers the notifier */
/* All vCPUs are gone.  Unregisters, unpins, frees everything. */
void ksplit_mem_destroy(struct ksplit_vm *vm);

/*
 * The front parsed a client's KVM_SET_USER_MEMORY_REGION(2) from its own copy
 * of the bytes.  prepare runs before the worker sees the call and enters a new
 * slot (or checks a change); finish after the reply: drops the slot if the
 * call failed and prepare made it, or if the call deleted it.
 */
struct ksplit_slot_change {
	struct kvm_userspace_memory_region mem;
	bool created;			/* false before prepare, which sets it */
};
int ksplit_slot_prepare(struct ksplit_vm *vm, struct ksplit_slot_change *c);
void ksplit_slot_finish(struct ksplit_vm *vm, struct ksplit_slot_change *c, bool success);

int ksplit_vm_mmap(struct file *file, struct vm_area_struct *vma);
struct page *ksplit_vcpu_ring_page(struct ksplit_vcpu *vcpu, unsigned long index);
long ksplit_vcpu_dirty(struct ksplit_vcpu *vcpu, struct ksplit_dirty __user *arg);
long ksplit_window_fault(struct ksplit_vm *vm, struct ksplit_fault __user *arg, bool map);
long ksplit_hwpoison(struct ksplit_vcpu *vcpu, u64 addr);
/* Zaps and unpins window pages that the notifier marked; worker context. */
void ksplit_windows_sync(struct ksplit_vm *vm);
u64 ksplit_slot_pages(struct ksplit_vm *vm, u64 key);	/* 4 KiB pages; 0: no such slot */
/* The slot whose window holds addr, or NULL.  Under mmu_lock or slots_lock. */
struct ksplit_slot *ksplit_slot_by_window(struct ksplit_vm *vm, u64 addr);
/*
 * Under mmu_lock: whether what was looked up in the owner's [start, end) since
 * invalidate_seq was @seq may be out of date.
 */
bool ksplit_mem_retry(struct ksplit_vm *vm, u64 seq, u64 start, u64 end);

/* ------------------------------------------------------- back/ept.c -- */

/*
 * Finds or makes the root for the worker's table at @key and stores a
 * reference to it in vcpu->root (dropping the one before).  May sleep.
 */
int ksplit_root_load(struct ksplit_vcpu *vcpu, u64 key, bool shadow);
void ksplit_root_unload(struct ksplit_vcpu *vcpu);
/*
 * Handles a violation on vcpu->root.  Sleeps; current is the worker.  Returns 1
 * (consumed), 0 (the worker's), -EFAULT or -ENOMEM.
 */
int ksplit_ept_fault(struct ksplit_vcpu *vcpu, struct ksplit_exit *e, u64 gpa);
long ksplit_flush(struct ksplit_vm *vm, struct ksplit_flush __user *arg);
/*
 * Under mmu_lock: takes the range [start, end) of the owner's or, if @window, of
 * the worker's addresses out of every root and every CPU.
 */
void ksplit_ept_zap(struct ksplit_vm *vm, bool window, u64 start, u64 end);
/* Under mmu_lock: accessed bits of the range; clears them if @clear. */
bool ksplit_ept_young(struct ksplit_vm *vm, u64 start, u64 end, bool clear);
/*
 * Under mmu_lock: detaches every root, those that are not linear (BACKING) or the
 * shadow roots, and flushes the CPUs.  Returns whether there was one.
 */
bool ksplit_ept_drop_roots(struct ksplit_vm *vm, enum ksplit_flush_what what);
/* Frees detached roots that no CPU uses any more.  Sleeps. */
void ksplit_ept_reap(struct ksplit_vm *vm);

#endif /* KSPLIT_H */
