// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: one worker that serves one open of /dev/kvm.
 *
 * Invariants: only the address space that made the session is served.  When
 * the worker's descriptor goes, every call fails and every VM is dead.  A
 * worker gets of a client's descriptors only eventfds that the argument of a
 * call in progress names.
 */
#include <linux/eventfd.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>

#include "front.h"

static void ksplit_session_free(struct kref *ref)
{
	struct ksplit_session *session = container_of(ref, struct ksplit_session, ref);

	ksplit_tenant_leave(session, true);
	mmdrop(session->worker_mm);
	put_task_struct(session->worker);
	put_pid(session->client);
	ksplit_count_add(sessions, -1);
	kfree(session);
}

/* The worker is gone. */
static int ksplit_session_release(struct inode *inode, struct file *file)
{
	struct ksplit_session *session = file->private_data;
	struct ksplit_vm *vm;

	ksplit_tenant_leave(session, false);
	ksplit_channel_kill(&session->chan);
	scoped_guard(mutex, &session->lock)
		list_for_each_entry(vm, &session->vms, node)
			ksplit_vm_kill(vm);
	ksplit_session_put(session);
	return 0;
}

/* The worker's descriptor for what a call is to make. */
static long ksplit_give_object(struct ksplit_session *session, u64 id)
{
	struct ksplit_vcpu *vcpu;
	struct ksplit_call *call;
	struct ksplit_vm *vm;

	scoped_guard(spinlock, &session->chan.lock) {
		call = ksplit_call_find(&session->chan, id, false);
		if (!call || !call->new)
			return -ENOENT;
		vm = call->new->vm;
		vcpu = call->new->vcpu;
		kref_get(vcpu ? &vcpu->ref : &vm->ref);
	}
	return ksplit_vm_fd(vm, vcpu);
}

static long ksplit_take_eventfd(struct ksplit_session *session, struct ksplit_eventfd __user *arg)
{
	struct file *file __free(fput) = NULL;
	struct eventfd_ctx *ctx;
	struct ksplit_call *call;
	struct ksplit_eventfd e;
	unsigned long hash = 0;

	if (copy_from_user(&e, arg, sizeof(e)))
		return -EFAULT;
	scoped_guard(spinlock, &session->chan.lock) {
		call = ksplit_call_find(&session->chan, e.call, false);
		if (!call)
			return -ENOENT;
		if (ksplit_eventfd_allowed(call->n.cmd, call->in, call->n.prefetched,
					   e.client_fd))
			file = fget_task(call->client, e.client_fd);
	}
	if (!file)
		return -EBADF;
	ctx = eventfd_ctx_fileget(file);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	eventfd_ctx_put(ctx);
	/* As printk's %p: tells files apart, and no address. */
	ptr_to_hashval(file, &hash);
	return put_user(hash, &arg->hash) ?: receive_fd(file, NULL, O_CLOEXEC);
}

static long ksplit_session_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ksplit_session *session = file->private_data;
	void __user *argp = (void __user *)arg;

	if (current->mm != session->worker_mm)
		return -EIO;
	switch (cmd) {
	case KSPLIT_NEXT:
		return ksplit_channel_next(&session->chan, argp);
	case KSPLIT_COPY:
		return ksplit_copy(&session->chan, argp);
	case KSPLIT_EVENTFD:
		return ksplit_take_eventfd(session, argp);
	case KSPLIT_OBJECT:
		return ksplit_give_object(session, arg);
	}
	return -ENOTTY;
}

/* For whom the worker works, in the words of whoever asks. */
static void ksplit_session_fdinfo(struct seq_file *m, struct file *file)
{
	struct ksplit_session *session = file->private_data;
	struct pid *client = READ_ONCE(session->client);
	pid_t nr = 0;

	if (client && pid_has_task(client, PIDTYPE_TGID))
		nr = pid_nr_ns(client, proc_pid_ns(file_inode(m->file)->i_sb));
	seq_printf(m, "tenant:\t%u\nclient:\t%d\n",
		   from_kuid_munged(seq_user_ns(m), session->uid), nr);
}

static const struct file_operations ksplit_session_fops = {
	.show_fdinfo = ksplit_session_fdinfo,
	.release = ksplit_session_release,
	.unlocked_ioctl = ksplit_session_ioctl,
};

/**
 * ksplit_session_serve() - KSPLIT_SERVE: the calling process offers to serve
 * @tenant: whose client it will get
 *
 * Return: a session descriptor; -EMFILE (the tenant has enough), -ENOMEM.
 */
int ksplit_session_serve(struct ksplit_tenant *tenant)
{
	struct ksplit_session *session;
	int r;

	session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	if (!session)
		return -ENOMEM;
	kref_init(&session->ref);
	session->release = ksplit_session_free;
	ksplit_channel_init(&session->chan);
	mutex_init(&session->lock);
	INIT_LIST_HEAD(&session->vms);
	session->worker = current->group_leader;
	session->worker_mm = current->mm;
	r = ksplit_tenant_admit(tenant, session);
	if (r) {
		kfree(session);
		return r;
	}
	mmgrab(session->worker_mm);
	get_task_struct(session->worker);
	ksplit_count(sessions);
	r = anon_inode_getfd("kvm-split-session", &ksplit_session_fops, session, O_RDWR | O_CLOEXEC);
	if (r < 0) {
		/* It may have a client already, whose VMs end with their calls. */
		ksplit_tenant_leave(session, false);
		ksplit_channel_kill(&session->chan);
		ksplit_session_put(session);
	}
	return r;
}
