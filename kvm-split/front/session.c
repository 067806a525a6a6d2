// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: one worker that serves one open of /dev/kvm.
 *
 * Invariants: only the address space that made the session is served.  When
 * the worker's descriptor goes, every call fails and every VM is dead.  A
 * worker gets of a client's descriptors only eventfds that the argument of a
 * call in progress names.
 */
#include <linux/ctype.h>
#include <linux/eventfd.h>
#include <linux/once.h>
#include <linux/random.h>
#include <linux/siphash.h>

#include "front.h"

#define MAX_SESSION_VMS	16	/* for one open of /dev/kvm */
#define LOG_BURST	10	/* lines in 5 s */

static void session_free(struct kref *ref)
{
	struct ksplit_session *session;

	session = container_of(ref, struct ksplit_session, ref);
	ksplit_tenant_put(session->tenant);
	mmdrop(session->worker_mm);
	ksplit_count_add(sessions, -1);
	kfree(session);
}

/**
 * ksplit_session_put() - Drop a reference
 * @session: the session
 */
void ksplit_session_put(struct ksplit_session *session)
{
	kref_put(&session->ref, session_free);
}

/* The worker is gone. */
static void session_end(struct ksplit_session *session)
{
	struct ksplit_vm *vm;

	ksplit_tenant_leave(session);
	ksplit_channel_kill(&session->chan);
	scoped_guard(mutex, &session->lock)
		list_for_each_entry(vm, &session->vms, node)
			ksplit_vm_kill(vm);
	ksplit_session_put(session);
}

static int session_release(struct inode *inode, struct file *file)
{
	session_end(file->private_data);
	return 0;
}

static long create_vm(struct ksplit_session *session, u64 id)
{
	struct ksplit_call *call = ksplit_argument_get(session, id);
	struct mm_struct *owner = NULL;
	long r = -EINVAL;

	if (!call)
		return -ENOENT;
	if (call->n.cmd == KVM_CREATE_VM && call->n.kind == KSPLIT_FILE_SYSTEM)
		owner = get_task_mm(call->client);
	ksplit_argument_put(call);
	if (!owner)
		return -EINVAL;
	scoped_guard(mutex, &session->lock)
		r = list_count_nodes(&session->vms) < MAX_SESSION_VMS ? 0 : -EMFILE;
	if (!r)
		r = ksplit_vm_create(session, owner);
	mmput(owner);
	return r;
}

/*
 * The same for every descriptor of an eventfd that somebody holds, and says
 * nothing of where in memory it is.
 */
static u64 eventfd_identity(const struct eventfd_ctx *ctx)
{
	static siphash_key_t key __read_mostly;

	get_random_once(&key, sizeof(key));
	return siphash_1u64((unsigned long)ctx, &key);
}

/* The client's file of that number, if its argument names it. */
static struct file *client_eventfd(struct ksplit_session *session, u64 id, int fd)
{
	struct ksplit_call *call = ksplit_argument_get(session, id);
	struct file *file = ERR_PTR(-EPERM);

	if (!call)
		return ERR_PTR(-ENOENT);
	if (ksplit_eventfd_allowed(call->n.cmd, call->data, call->n.prefetched,
				   fd))
		file = fget_task(call->client, fd) ?: ERR_PTR(-EBADF);
	ksplit_argument_put(call);
	return file;
}

static long take_eventfd(struct ksplit_session *session,
			 struct ksplit_eventfd __user *arg)
{
	struct eventfd_ctx *ctx;
	struct ksplit_eventfd e;
	struct file *file;
	long r;

	if (copy_from_user(&e, arg, sizeof(e)))
		return -EFAULT;
	file = client_eventfd(session, e.call, e.client_fd);
	if (IS_ERR(file))
		return PTR_ERR(file);
	ctx = eventfd_ctx_fileget(file);
	r = PTR_ERR_OR_ZERO(ctx);
	if (!r) {
		r = put_user(eventfd_identity(ctx), &arg->identity);
		eventfd_ctx_put(ctx);
	}
	if (!r)
		r = receive_fd(file, NULL, O_CLOEXEC);
	fput(file);
	return r;
}

static long session_log(struct ksplit_session *session, void __user *arg)
{
	struct ksplit_log log;

	if (copy_from_user(&log, arg, sizeof(log)))
		return -EFAULT;
	log.text[sizeof(log.text) - 1] = '\0';
	for (char *c = log.text; *c; c++)
		if (!isascii(*c) || !isprint(*c))
			*c = '?';
	if (__ratelimit(&session->log))
		pr_info("kvm-split: uid %u worker %d says: %s\n",
			from_kuid(&init_user_ns, session->tenant->uid),
			session->worker, log.text);
	return 0;
}

static long session_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ksplit_session *session = file->private_data;
	void __user *argp = (void __user *)arg;

	if (current->mm != session->worker_mm)
		return -EIO;
	ksplit_count(sysc_worker);
	switch (cmd) {
	case KSPLIT_GET_INFO:
		return ksplit_get_info(argp);
	case KSPLIT_NEXT:
		return ksplit_channel_next(session, &session->chan, NULL, argp);
	case KSPLIT_COPY:
		return ksplit_copy(session, argp);
	case KSPLIT_EVENTFD:
		return take_eventfd(session, argp);
	case KSPLIT_CREATE_VM:
		return create_vm(session, arg);
	case KSPLIT_LOG:
		return session_log(session, argp);
	}
	return -ENOTTY;
}

static const struct file_operations session_fops = {
	.release = session_release,
	.unlocked_ioctl = session_ioctl,
};

/**
 * ksplit_session_serve() - KSPLIT_SERVE: the calling process offers to serve
 * @tenant: whose client it will get
 *
 * Return: a session descriptor; -EMFILE (the tenant has enough), -ESHUTDOWN
 * (the tenant is dead), -ENOMEM.
 */
int ksplit_session_serve(struct ksplit_tenant *tenant)
{
	struct ksplit_session *session;
	int r;

	session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	if (!session)
		return -ENOMEM;
	kref_init(&session->ref);
	ksplit_channel_init(&session->chan);
	mutex_init(&session->lock);
	INIT_LIST_HEAD(&session->vms);
	spin_lock_init(&session->arguments_lock);
	INIT_LIST_HEAD(&session->arguments);
	ratelimit_state_init(&session->log, 5 * HZ, LOG_BURST);
	session->worker = task_tgid_nr(current);
	session->worker_mm = current->mm;
	r = ksplit_tenant_admit(tenant, session);
	if (r) {
		kfree(session);
		return r;
	}
	mmgrab(session->worker_mm);
	ksplit_count(sessions);
	r = anon_inode_getfd("kvm-split-session", &session_fops, session,
			     O_RDWR | O_CLOEXEC);
	if (r < 0)
		session_end(session);
	return r;
}
