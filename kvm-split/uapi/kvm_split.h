/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The ABI of kvm-split's stub: what a launcher, a supervisor and a worker may
 * ask of /dev/kvm-split.  docs/abi.md describes the calls; this header is the
 * reference for their arguments.
 *
 * Everything here is written by untrusted processes.  The stub copies a
 * structure once, checks the copy, and uses the copy.
 *
 * Objects, each a file descriptor:
 *
 *	control	 open("/dev/kvm-split"), root only: the launcher
 *	tenant	 KSPLIT_BIND on control: one uid's supervisor
 *	session	 KSPLIT_SERVE on tenant: one worker, serves one open of /dev/kvm
 *	VM	 KSPLIT_OBJECT on session, during KVM_CREATE_VM
 *	vCPU	 KSPLIT_OBJECT on session, during KVM_CREATE_VCPU
 */
#ifndef _UAPI_KVM_SPLIT_H
#define _UAPI_KVM_SPLIT_H

#include <linux/kvm.h>
#include <linux/types.h>
#include <linux/ioctl.h>

/* Raised on every incompatible change; the changelog is in docs/abi.md. */
#define KSPLIT_ABI_VERSION	5

#define KSPLITIO		0xB5

/* ------------------------------------------------------------ control -- */

/**
 * struct ksplit_bind - KSPLIT_BIND: make a tenant, or refuse to
 * @uid:	user (in the caller's user namespace) whose opens of /dev/kvm
 *		the new tenant descriptor serves
 * @error:	positive errno, 1..133, that waiting opens return; kept for one
 *		second (negative cache).  0: make a tenant
 * @max_vms:	most sessions at once, opens of /dev/kvm and spare ones
 * @max_vcpus:	most vCPUs of all VMs together
 * @max_slots:	most memory slots of one VM, if less than the stub's limit
 *
 * Returns the tenant descriptor, 0 for a refusal; -EEXIST while a tenant exists
 * for that uid, -ENOSPC if there are too many.
 */
struct ksplit_bind {
	__u32 uid;
	__u32 error;
	__u32 max_vms;
	__u32 max_vcpus;
	__u32 max_slots;
};

/**
 * struct ksplit_want - what read() on control returns: an open that waits
 * @uid:	a user without tenant who opened /dev/kvm
 *
 * Each user is told once.  read() does not wait: -EAGAIN; poll() does.
 */
struct ksplit_want {
	__u32 uid;
};

/* Memory slots of one VM, both address spaces. */
#define KSPLIT_MAX_SLOTS	1024

#define KSPLIT_BIND		_IOW(KSPLITIO, 0x01, struct ksplit_bind)

/* ------------------------------------------------------------- tenant -- */

/*
 * poll(): POLLIN while no session is ready and the tenant may have one more (the
 * supervisor then starts a spare worker, soon), with POLLPRI if an open waits for
 * it (at once).
 */
#define KSPLIT_SERVE		_IO(KSPLITIO, 0x10)

/* ------------------------------------------------------------ session -- */

#define KSPLIT_NR_VMX_MSRS	18	/* 0x480 .. 0x491 */
#define KSPLIT_NR_CPU_WORDS	32	/* x86_capability[], bugs included */
#define KSPLIT_NR_HOST_MSRS	32

struct ksplit_msr {
	__u32 index;
	__u32 pad;
	__u64 value;
};

/**
 * struct ksplit_info - KSPLIT_GET_INFO: the processor as the stub offers it
 * @abi_version:	KSPLIT_ABI_VERSION of the kernel
 * @nr_cpus:		online host CPUs
 * @phys_bits:		MAXPHYADDR
 * @virt_bits:		linear address width
 * @cache_bits:		boot_cpu_data.x86_cache_bits
 * @x86_power:		boot_cpu_data.x86_power, CPUID 80000007H EDX
 * @vendor:		boot_cpu_data.x86_vendor
 * @family:		boot_cpu_data.x86
 * @model:		boot_cpu_data.x86_model
 * @stepping:		boot_cpu_data.x86_stepping
 * @tsc_khz:		TSC frequency in kHz, as the kernel knows it now
 * @xstate_size:	bytes of a guest's XSAVE image in uabi form
 * @cpu_word:		boot_cpu_data.x86_capability[]: features, then bugs
 * @nr_cpu_words:	how many of @cpu_word are used
 * @nr_bug_words:	how many of them, at the end, are bug words
 * @vmx_msr:		synthetic VMX capability MSRs from 0x480: what the
 *			stub's policy (docs/vmcs-policy.md) leaves of the CPU's
 * @xcr0:		XCR0 features a guest may have
 * @spec_ctrl:		bits of SPEC_CTRL that every CPU accepts
 * @nr_msrs:		how many of @msr are used
 * @tsc_unstable:	1: the kernel has found by now that the TSC drifts or jumps
 * @msr:		host MSRs that KVM reads for its own set-up
 *
 * This call works on control and tenant; its number changes with the size.
 */
struct ksplit_info {
	__u32 abi_version;
	__u32 nr_cpus;
	__u32 phys_bits;
	__u32 virt_bits;
	__u32 cache_bits;
	__u32 x86_power;
	__u32 vendor;
	__u32 family;
	__u32 model;
	__u32 stepping;
	__u32 tsc_khz;
	__u32 xstate_size;
	__u32 nr_cpu_words;
	__u32 nr_bug_words;
	__u32 nr_msrs;
	__u32 tsc_unstable;
	__u32 cpu_word[KSPLIT_NR_CPU_WORDS];
	__u64 vmx_msr[KSPLIT_NR_VMX_MSRS];
	__u64 xcr0;
	__u64 spec_ctrl;
	struct ksplit_msr msr[KSPLIT_NR_HOST_MSRS];
};

#define KSPLIT_GET_INFO		_IOR(KSPLITIO, 0x20, struct ksplit_info)

/* What a forwarded call is. */
enum ksplit_op {
	KSPLIT_OP_NONE,
	KSPLIT_OP_IOCTL,	/* cmd, arg; prefetched bytes of [arg, ..) */
	KSPLIT_OP_READ,		/* read/pread: arg = offset, len = bytes */
	KSPLIT_OP_RELEASE,	/* the client's last reference is gone; no reply */
};

/* Kinds of client files. */
enum ksplit_kind {
	KSPLIT_FILE_NONE,
	KSPLIT_FILE_SYSTEM,	/* the open of /dev/kvm itself */
	KSPLIT_FILE_VM,
	KSPLIT_FILE_VCPU,
	KSPLIT_FILE_DEVICE,	/* none in this version */
	KSPLIT_FILE_STATS,
};

#define KSPLIT_PREFETCH_MAX	4096

/**
 * struct ksplit_next - KSPLIT_NEXT: reply to a call and wait for the next one
 * @reply_to:	in: id of the call replied to, 0: none
 * @result:	in: what the client's system call returns (> -512).  If
 *		KVM_CREATE_VM, KVM_CREATE_VCPU or KVM_GET_STATS_FD succeed, the
 *		client gets a file, and this value is ignored
 * @new_handle:	in: the worker's name for that file, carried by its calls
 * @out:	in: address of bytes for the client at its arg, 0: none; only where KVM
 *		writes there
 * @out_len:	in: how many, at most @len
 * @pad:	0
 * @prefetch:	in: address of KSPLIT_PREFETCH_MAX bytes for prefetched data
 * @kvm_run:	in: vCPU channels: address of the worker's two kvm_run pages.
 *		The stub copies the client's there before it hands out KVM_RUN,
 *		and back, checked, with the reply
 * @op:		out: enum ksplit_op
 * @id:		out: this call's id
 * @handle:	out: the worker's name of the file, 0: the open of /dev/kvm
 * @cmd:	out: ioctl number
 * @kind:	out: enum ksplit_kind of the file
 * @arg:	out: ioctl argument as the client gave it, or file offset.  KVM_RUN
 *		has none: nanoseconds that the client's thread waited for a CPU, ever
 * @len:	out: most bytes that a reply may bring: what a read wants, or
 *		_IOC_SIZE(cmd), both up to KSPLIT_PREFETCH_MAX
 * @prefetched:	out: bytes at @prefetch, 0 where KVM does not read the argument
 *
 * On a session descriptor: calls on system, VM and stats files.  On a
 * vCPU descriptor: calls on that vCPU's file.  Several threads may wait on a
 * session.
 *
 * Returns 0, or -EINTR (call again without a reply: if there was one, it was
 * given), -ESHUTDOWN (session: the client has closed everything, the worker should
 * exit; vCPU: its VM is dead), -ENOENT (no such call is in progress), -EINVAL for
 * a pad that is not 0 (nothing has happened), or for a reply that was not
 * accepted (the call then failed with -EIO for the client; a vCPU's takes its VM
 * with it), -EFAULT for memory that is not there at this moment (nothing has
 * happened; a worker brings it in and calls again).
 */
struct ksplit_next {
	__u64 reply_to;
	__s64 result;
	__u64 new_handle;
	__u64 out;
	__u32 out_len;
	__u32 pad;
	__u64 prefetch;
	__u64 kvm_run;

	__u64 id;
	__u64 handle;
	__u32 op;
	__u32 cmd;
	__u32 kind;
	__u32 prefetched;
	__u64 arg;
	__u64 len;
};

#define KSPLIT_NEXT		_IOWR(KSPLITIO, 0x21, struct ksplit_next)

#define KSPLIT_COPY_MAX		65536

/**
 * struct ksplit_copy - KSPLIT_COPY: move bytes of a call's arguments
 * @call:	id of a call in progress
 * @client:	address in the client
 * @local:	address in the worker
 * @len:	bytes, at most KSPLIT_COPY_MAX
 * @write:	0: client to worker, 1: worker to client
 *
 * On the descriptor, of a session or vCPU, where the call was handed out.
 * Allowed are [arg, arg + _IOC_SIZE(cmd)) and the tails that the stub's table
 * names for @cmd, to be read where KVM looks at them and written where KVM writes;
 * none at all for KVM_RUN.  Returns 0, -EPERM outside the allowed ranges, -EFAULT,
 * -ENOENT for an unknown call, -EINVAL (more than KSPLIT_COPY_MAX), -ENOMEM.
 */
struct ksplit_copy {
	__u64 call;
	__u64 client;
	__u64 local;
	__u32 len;
	__u32 write;
};

#define KSPLIT_COPY		_IOW(KSPLITIO, 0x22, struct ksplit_copy)

/**
 * struct ksplit_eventfd - KSPLIT_EVENTFD: take an eventfd of the client's
 * @call:	id of a call in progress (KVM_IRQFD, KVM_IOEVENTFD,
 *		KVM_HYPERV_EVENTFD)
 * @client_fd:	descriptor number in the client; must stand in the call's
 *		argument
 * @hash:	out: the same for the same open file, perhaps for others, too
 *
 * Returns a descriptor of the eventfd in the worker, O_CLOEXEC; -ENOENT for an
 * unknown call, -EBADF (its argument does not name it, or the client has none
 * there), -EINVAL (not an eventfd), -EFAULT, -EMFILE.
 */
struct ksplit_eventfd {
	__u64 call;
	__s32 client_fd;
	__u32 hash;
};

#define KSPLIT_EVENTFD		_IOWR(KSPLITIO, 0x23, struct ksplit_eventfd)

/*
 * KSPLIT_OBJECT: argument is the id of a KVM_CREATE_VM or KVM_CREATE_VCPU call
 * in progress, for which the stub has made a VM, owned by the address space of
 * the client's process, or a vCPU.  Returns its descriptor.
 */
#define KSPLIT_OBJECT		_IO(KSPLITIO, 0x24)

/* ----------------------------------------------------------------- VM -- */

/*
 * Windows.  When a client registers a memory slot with
 * KVM_SET_USER_MEMORY_REGION(2), the stub enters the slot in the VM's table
 * before it hands the call out, and drops it again if the call fails or when
 * it deletes the slot.  The worker maps a slot's window with
 *
 *	mmap(addr, slot bytes, PROT_READ | PROT_WRITE, MAP_SHARED |
 *	     MAP_FIXED_NOREPLACE, vm_fd, KSPLIT_WINDOW_OFFSET(slot))
 *
 * where slot is the client's slot word (id | address space << 16).  The whole
 * slot in one mapping, once.  A touch of an absent page raises SIGSEGV
 * (SEGV_MAPERR or SEGV_ACCERR); KSPLIT_WINDOW_FAULT brings it in.
 */
#define KSPLIT_WINDOW_OFFSET(slot)	((__u64)(slot) << 44)

/**
 * struct ksplit_fault - KSPLIT_WINDOW_FAULT and KSPLIT_FAULT_IN
 * @addr:	window address
 * @write:	1: for writing
 * @flags:	KSPLIT_FAULT_*
 *
 * KSPLIT_FAULT_IN makes the owner's page present (sleeps for swap, file and
 * userfaultfd); the next run can then fill the EPT.  It is a vCPU's call, and a
 * signal for its client ends it.  KSPLIT_WINDOW_FAULT, on a VM or a vCPU, does that
 * and maps the page into the window.  While a vCPU's call waits for the owner, a
 * client that was interrupted waits with it, however long.
 *
 * Returns 0, -EFAULT, -EHWPOISON, -EINTR, -EAGAIN (with KSPLIT_FAULT_NOWAIT),
 * -ENOENT (not a window address), -EINVAL (flags), -ENOMEM, -ESHUTDOWN (the owner is
 * gone).
 */
struct ksplit_fault {
	__u64 addr;
	__u32 write;
	__u32 flags;
};

#define KSPLIT_FAULT_NOWAIT	(1u << 0)

/**
 * struct ksplit_flush - KSPLIT_FLUSH: the worker's EPT tables lost rights
 * @what:	enum ksplit_flush_what
 * @pad:	0
 * @start:	KSPLIT_FLUSH_BACKING: first window address; KSPLIT_FLUSH_ROOT:
 *		address of the root table
 * @end:	KSPLIT_FLUSH_BACKING: end of the range, exclusive
 *
 * When it returns no CPU can use a translation that the stub derived from the
 * tables as they were before the call.
 */
struct ksplit_flush {
	__u32 what;
	__u32 pad;
	__u64 start;
	__u64 end;
};

enum ksplit_flush_what {
	KSPLIT_FLUSH_ALL,	/* every root of the VM */
	KSPLIT_FLUSH_BACKING,	/* leaves that map window range [start, end) */
	KSPLIT_FLUSH_ROOT,	/* one root; also when its page is freed */
	KSPLIT_FLUSH_SHADOW,	/* roots that ran with KSPLIT_RUN_SHADOW_ROOT */
};

#define KSPLIT_WINDOW_FAULT	_IOW(KSPLITIO, 0x31, struct ksplit_fault)
#define KSPLIT_FAULT_IN		_IOW(KSPLITIO, 0x32, struct ksplit_fault)
#define KSPLIT_FLUSH		_IOW(KSPLITIO, 0x33, struct ksplit_flush)
/*
 * SIGBUS BUS_MCEERR_AR for the owner's page to the client's thread whose call the
 * vCPU serves; arg: window address.  -ENOENT (none), -ESRCH (no call in progress).
 */
#define KSPLIT_HWPOISON		_IO(KSPLITIO, 0x34)
/*
 * A write of the guest's to a zone of coalesced MMIO or PIO, into the client's
 * ring: 0, -EINVAL, -ENOSPC (it is full: KVM_EXIT_MMIO as ever), -EFAULT.
 */
#define KSPLIT_COALESCE		_IOW(KSPLITIO, 0x35, struct kvm_coalesced_mmio)
/*
 * A doorbell that the stub answers when it can, fd being the worker's, or with
 * KVM_IOEVENTFD_FLAG_DEASSIGN the end of one; the worker has it as well.  -EINVAL (in
 * memory, and not of length 0; or the host is a guest), -ENOENT, -ENOSPC, -ENOTTY (no
 * fast paths), -EBADF.
 */
#define KSPLIT_IOEVENTFD	_IOW(KSPLITIO, 0x36, struct kvm_ioeventfd)

/* --------------------------------------------------------------- vCPU -- */

/*
 * A VMCS is an array of fields.  A field's slot follows from its encoding (SDM
 * vol. 3, appendix B: width = bits 14:13, type = bits 11:10, index = bits 9:1).
 */
#define KSPLIT_NR_SLOTS		256
#define KSPLIT_SLOT_WORDS	(KSPLIT_NR_SLOTS / 64)

/* First slot of a kind, width << 2 | type, and the end. */
#define KSPLIT_SLOT_BASE(kind)						\
	((kind) == 0 ? 0 : (kind) == 1 ? 8 : (kind) == 2 ? 8 :		\
	 (kind) == 3 ? 24 : (kind) == 4 ? 32 : (kind) == 5 ? 72 :	\
	 (kind) == 6 ? 73 : (kind) == 7 ? 89 : (kind) == 8 ? 96 :	\
	 (kind) == 9 ? 120 : (kind) == 10 ? 128 : (kind) == 11 ? 152 :	\
	 (kind) == 12 ? 160 : (kind) == 13 ? 168 : (kind) == 14 ? 176 :	\
	 (kind) == 15 ? 208 : KSPLIT_NR_SLOTS)

#define KSPLIT_FIELD_KIND(field)	((((field) >> 11) & 0xc) | \
					 (((field) >> 10) & 0x3))
#define KSPLIT_FIELD_INDEX(field)	(((field) >> 1) & 0x1ff)
#define KSPLIT_SLOT(field)						\
	(KSPLIT_SLOT_BASE(KSPLIT_FIELD_KIND(field)) + KSPLIT_FIELD_INDEX(field))

/**
 * struct ksplit_vmcs - the worker's VMCS
 * @revision:	as in a VMCS region; the stub ignores it
 * @abort:	likewise
 * @dirty:	slots that the worker wrote since the last run of this VMCS; the
 *		stub clears them once it has taken the values
 * @valid:	slots whose @field is what VMREAD would give; the stub clears
 *		those that the CPU may have changed, and sets those it stored
 * @field:	values
 */
struct ksplit_vmcs {
	__u32 revision;
	__u32 abort;
	__u64 dirty[KSPLIT_SLOT_WORDS];
	__u64 valid[KSPLIT_SLOT_WORDS];
	__u64 field[KSPLIT_NR_SLOTS];
};

#define KSPLIT_NR_VMCS		2	/* vmcs01, vmcs02 */

/*
 * VMCS shadowing.  While a VMCS's secondary controls have it on, the guest reads
 * and writes the fields of KVM's vmcs_shadow_fields.h without exits in a real
 * shadow VMCS, whose values come, as far as they are dirty, from the struct
 * ksplit_vmcs at VMCS_LINK_POINTER.  What the guest wrote KSPLIT_FILL fetches.
 */

/* Index into ksplit_run.msr[]: MSRs that have no VMCS field. */
enum ksplit_run_msr {
	KSPLIT_MSR_KERNEL_GS_BASE,
	KSPLIT_MSR_STAR,
	KSPLIT_MSR_LSTAR,
	KSPLIT_MSR_CSTAR,
	KSPLIT_MSR_SYSCALL_MASK,
	KSPLIT_MSR_TSC_AUX,
	KSPLIT_MSR_SPEC_CTRL,
	KSPLIT_NR_RUN_MSRS
};

/**
 * struct ksplit_run - the argument of KSPLIT_RUN
 * @vmcs:	in: address of the struct ksplit_vmcs to run
 * @vmcs_index:	in: which of the vCPU's real VMCSs, < KSPLIT_NR_VMCS
 * @flags:	in: KSPLIT_RUN_*
 * @regs:	in/out: RAX RCX RDX RBX (RSP ignored) RBP RSI RDI R8 .. R15, the
 *		order of enum kvm_reg
 * @cr2:	in/out
 * @dr:		in/out: DR0-DR3, loaded if KSPLIT_RUN_DEBUGREGS
 * @dr6:	in/out: likewise
 * @xcr0:	in
 * @xss:	in: must be 0 in this version
 * @pkru:	in/out
 * @msr_mask:	in: which of @msr to load (bit per enum ksplit_run_msr); the
 *		others are 0 in the guest, but for KERNEL_GS_BASE, which is
 *		always loaded.  It and SPEC_CTRL are read back
 * @msr:	in/out
 * @tsc_deadline: in: absolute host TSC at which to leave the guest with
 *		EXIT_REASON_PREEMPTION_TIMER, ~0: none
 * @exit_flags:	out: KSPLIT_EXIT_*
 * @instruction_error: out: VM-instruction error if KSPLIT_EXIT_VMFAIL
 * @backing:	out: window address if KSPLIT_EXIT_BACKING
 * @backing_write: out: 1: for writing
 * @pad:	0
 * @run_delay:	out: nanoseconds this thread waited for a CPU, ever
 * @exits:	out: VM exits of this vCPU, ever, those that the stub consumed
 *		included
 *
 * The exit reason is in the VMCS, slot of VM_EXIT_REASON.  A kick that arrived
 * enters the guest and leaves at once; it shows as EXTERNAL_INTERRUPT.
 *
 * Returns 0, also if the CPU refuses the entry; -EINTR if nothing was done (call
 * again); -EINVAL for a value that the policy refuses and no guest can cause
 * (@backing then holds the field's encoding, or ~0);
 * -EFAULT; -ESHUTDOWN (the VM is dead).
 */
struct ksplit_run {
	__u64 vmcs;
	__u32 vmcs_index;
	__u32 flags;
	__u64 regs[16];
	__u64 cr2;
	__u64 dr[4];
	__u64 dr6;
	__u64 xcr0;
	__u64 xss;
	__u32 pkru;
	__u32 msr_mask;
	__u64 msr[KSPLIT_NR_RUN_MSRS];
	__u64 tsc_deadline;

	__u32 exit_flags;
	__u32 instruction_error;
	__u64 backing;
	__u32 backing_write;
	__u32 pad;
	__u64 run_delay;
	__u64 exits;
};

#define KSPLIT_RUN_FLUSH_VPID	(1u << 0)	/* INVVPID this VMCS before entry */
#define KSPLIT_RUN_EXIT_AT_ONCE	(1u << 1)	/* enter, then leave */
#define KSPLIT_RUN_DEBUGREGS	(1u << 2)	/* load and read back DR0-3, DR6 */
#define KSPLIT_RUN_SHADOW_ROOT	(1u << 3)	/* the EPT maps a nested guest's memory */
#define KSPLIT_RUN_IBPB		(1u << 4)	/* a prediction barrier before entry */

#define KSPLIT_EXIT_KICKED	(1u << 0)	/* a kick was consumed */
#define KSPLIT_EXIT_SIGNAL	(1u << 1)	/* the client's call is interrupted */
#define KSPLIT_EXIT_BACKING	(1u << 2)	/* owner's page: KSPLIT_FAULT_IN */
#define KSPLIT_EXIT_VMFAIL	(1u << 3)	/* VMLAUNCH/VMRESUME failed early */

/**
 * struct ksplit_fill - KSPLIT_FILL: fetch fields that an exit did not store
 * @vmcs:	address of the struct ksplit_vmcs
 * @vmcs_index:	which real VMCS; KSPLIT_NR_VMCS more: its shadow VMCS, all that
 *		a guest may have written
 * @slot:	the wanted slot; the stub stores it and those of its group
 */
struct ksplit_fill {
	__u64 vmcs;
	__u32 vmcs_index;
	__u32 slot;
};

/**
 * struct ksplit_block - KSPLIT_BLOCK: sleep until kicked
 * @timeout_ns:	at most that long, ~0: for ever
 * @exit_flags:	out: KSPLIT_EXIT_KICKED, KSPLIT_EXIT_SIGNAL
 * @pad:	0
 *
 * Returns 0 (kicked, interrupted or timed out), -EINTR (a signal of the worker's
 * own), -ESHUTDOWN (the VM is dead), -EINVAL (@pad).
 */
struct ksplit_block {
	__u64 timeout_ns;
	__u32 exit_flags;
	__u32 pad;
};

/**
 * struct ksplit_fpu - KSPLIT_FPU_GET and KSPLIT_FPU_SET: the guest's xstate
 * @buf:	address of an XSAVE image in uabi (non-compacted) form, of
 *		ksplit_info.xstate_size bytes
 * @pkru:	in: PKRU to store in the image (get); out: PKRU of the image
 *		(set)
 * @pad:	0
 */
struct ksplit_fpu {
	__u64 buf;
	__u32 pkru;
	__u32 pad;
};

/**
 * struct ksplit_dirty - KSPLIT_DIRTY: an entry of the client's dirty ring
 * @index:	which
 * @slot:	the client's slot word, or KSPLIT_DIRTY_LOOK
 * @offset:	page of that slot
 *
 * The entry becomes dirty, which the client finds at KVM_DIRTY_LOG_PAGE_OFFSET of
 * its vCPU's file; KSPLIT_DIRTY_LOOK: if the client wants it reset, it is free.
 * The first call makes the ring.
 *
 * Returns 0, 1 (looked: it was to be reset), -EINVAL (no such entry, slot or page).
 */
struct ksplit_dirty {
	__u32 index;
	__u32 slot;
	__u64 offset;
};

#define KSPLIT_DIRTY_LOOK	(~(__u32)0)
#define KSPLIT_RING_ENTRIES	65536

#define KSPLIT_RUN		_IOWR(KSPLITIO, 0x40, struct ksplit_run)
#define KSPLIT_FILL		_IOW(KSPLITIO, 0x41, struct ksplit_fill)
#define KSPLIT_VMCLEAR		_IO(KSPLITIO, 0x42)	/* arg: VMCS index */
/*
 * arg: 0; 1: of interrupts in the vCPU's posted-interrupt descriptor.  The latter does
 * not end a run whose VMCS processes them.
 */
#define KSPLIT_KICK		_IO(KSPLITIO, 0x43)
#define KSPLIT_BLOCK		_IOWR(KSPLITIO, 0x44, struct ksplit_block)
#define KSPLIT_FPU_GET		_IOW(KSPLITIO, 0x45, struct ksplit_fpu)
#define KSPLIT_FPU_SET		_IOWR(KSPLITIO, 0x46, struct ksplit_fpu)
#define KSPLIT_DIRTY		_IOW(KSPLITIO, 0x47, struct ksplit_dirty)

#endif /* _UAPI_KVM_SPLIT_H */
