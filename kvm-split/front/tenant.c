// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/kvm-split (control) and tenants: which worker a client gets.
 *
 * Invariants: a client gets a session of its own uid's tenant, or an error; it
 * waits interruptibly and bounded.  Opens of users without a tenant cannot make
 * the kernel or the launcher do work without bound: so many users at once, one
 * request for each, and a refusal stays for a second.
 *
 * One lock covers tenants and their ready sessions; nobody sleeps under it.
 */
#include <linux/cred.h>

#include "front.h"

#define OPEN_TIMEOUT	(5 * HZ)

static DEFINE_SPINLOCK(lock);
static struct ksplit_tenant tenants[KSPLIT_MAX_TENANTS];
static atomic_t nr_controls;		/* launchers */
static DECLARE_WAIT_QUEUE_HEAD(wq);
static const struct file_operations split_fops;

/* -------------------------------------------------------- tenants -- */

/* Under the lock: a user's entry, old or new; NULL if all are in use. */
static struct ksplit_tenant *tenant_get(kuid_t uid)
{
	struct ksplit_tenant *t, *unused = NULL;

	for (t = tenants; t < tenants + KSPLIT_MAX_TENANTS; t++) {
		if (t->limit.error && time_after_eq(jiffies, t->until))
			t->limit.error = 0;
		if (!t->bound && !t->nr_sessions && !t->waiters && !t->limit.error)
			unused = t;
		else if (uid_eq(t->uid, uid))
			return t;
	}
	if (unused) {
		unused->uid = uid;
		INIT_LIST_HEAD(&unused->ready);
		init_waitqueue_head(&unused->wq);
	}
	return unused;
}

/**
 * ksplit_tenant_admit() - Offer a session to the tenant's clients
 * @t: the tenant
 * @session: a new session
 *
 * Return: 0, -EMFILE.
 */
int ksplit_tenant_admit(struct ksplit_tenant *t, struct ksplit_session *session)
{
	guard(spinlock)(&lock);
	if (t->nr_sessions >= t->limit.max_vms)
		return -EMFILE;
	t->nr_sessions++;
	session->tenant = t;
	list_add_tail(&session->node, &t->ready);
	wake_up_all(&t->wq);
	return 0;
}

/**
 * ksplit_tenant_leave() - No client will get this session any more
 * @session: an admitted session
 * @last: it is being freed
 */
void ksplit_tenant_leave(struct ksplit_session *session, bool last)
{
	guard(spinlock)(&lock);
	list_del_init(&session->node);
	session->tenant->nr_sessions -= last;
	wake_up_all(&session->tenant->wq);
}

/* Running VMs go on; spare workers learn that nobody will come. */
static void tenant_unbind(struct ksplit_tenant *t)
{
	struct ksplit_session *session, *next;

	guard(spinlock)(&lock);
	t->bound = false;
	list_for_each_entry_safe(session, next, &t->ready, node) {
		list_del_init(&session->node);
		ksplit_channel_close(&session->chan);
	}
}

/* The launcher's answer: a supervisor for the user, or none for a second. */
static long bind(struct ksplit_bind __user *arg)
{
	struct ksplit_tenant *t;
	struct ksplit_bind b;
	kuid_t uid;
	int r;

	if (copy_from_user(&b, arg, sizeof(b)))
		return -EFAULT;
	uid = make_kuid(current_user_ns(), b.uid);
	if (!uid_valid(uid) || b.error > EHWPOISON)
		return -EINVAL;
	scoped_guard(spinlock, &lock) {
		t = tenant_get(uid);
		if (!t)
			return -ENOSPC;
		if (t->bound)
			return -EEXIST;
		t->bound = !b.error;
		t->limit = b;
		t->until = jiffies + HZ;
		t->reported = false;
		wake_up_all(&t->wq);
	}
	if (b.error)
		return 0;
	r = anon_inode_getfd("kvm-split-tenant", &split_fops, t, O_RDWR | O_CLOEXEC);
	if (r < 0)
		tenant_unbind(t);
	return r;
}

/* --------------------------------------------- control and tenant -- */

/* The descriptors have their operations in common; a tenant's carries it. */
static int control_open(struct inode *inode, struct file *file)
{
	file->private_data = NULL;
	atomic_inc(&nr_controls);
	return 0;
}

static int split_release(struct inode *inode, struct file *file)
{
	if (file->private_data)
		tenant_unbind(file->private_data);
	else
		atomic_dec(&nr_controls);
	/* Who waits is the launcher's now. */
	wake_up_all(&wq);
	return 0;
}

/* Under the lock: somebody waits of whom no launcher knows. */
static struct ksplit_tenant *wanted(void)
{
	for (struct ksplit_tenant *t = tenants; t < tenants + KSPLIT_MAX_TENANTS; t++)
		if (t->waiters && !t->bound && !t->limit.error && !t->reported)
			return t;
	return NULL;
}

static ssize_t split_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct ksplit_want want;
	struct ksplit_tenant *t;

	if (file->private_data || size < sizeof(want))
		return -EINVAL;
	scoped_guard(spinlock, &lock) {
		t = wanted();
		if (!t)
			return -EAGAIN;
		t->reported = true;
		want.uid = from_kuid_munged(current_user_ns(), t->uid);
	}
	return copy_to_user(buf, &want, sizeof(want)) ? -EFAULT : sizeof(want);
}

static __poll_t split_poll(struct file *file, poll_table *wait)
{
	struct ksplit_tenant *t = file->private_data;

	poll_wait(file, t ? &t->wq : &wq, wait);
	guard(spinlock)(&lock);
	if (t)
		return list_empty(&t->ready) && t->nr_sessions < t->limit.max_vms ?
		       EPOLLIN | (t->waiters ? EPOLLPRI : 0) : 0;
	return wanted() ? EPOLLIN : 0;
}

static long split_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ksplit_tenant *t = file->private_data;
	void __user *argp = (void __user *)arg;
	struct ksplit_info __user *info = argp;

	switch (cmd) {
	case KSPLIT_GET_INFO:
		/* The kernel measures the TSC anew a second after the boot, and watches it. */
		return copy_to_user(info, &ksplit_info, sizeof(ksplit_info)) ||
		       put_user(tsc_khz, &info->tsc_khz) ||
		       put_user(check_tsc_unstable(), &info->tsc_unstable) ? -EFAULT : 0;
	case KSPLIT_BIND:
		return t ? -ENOTTY : bind(argp);
	case KSPLIT_SERVE:
		return t ? ksplit_session_serve(t) : -ENOTTY;
	}
	return -ENOTTY;
}

static const struct file_operations split_fops = {
	.open = control_open,		/* of /dev/kvm-split only */
	.release = split_release,
	.read = split_read,
	.poll = split_poll,
	.unlocked_ioctl = split_ioctl,
};

/* /dev/kvm-split */
struct miscdevice ksplit_control_dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kvm-split",
	.mode = 0600,
	.fops = &split_fops,
};

/* ------------------------------------------------ opens of /dev/kvm -- */

/*
 * A session, -EAGAIN: wait for one, or why there will be none: -EMFILE (the
 * tenant's limit), -ENODEV (no launcher), what the launcher said.
 */
static struct ksplit_session *try_take(struct ksplit_tenant *t)
{
	struct ksplit_session *session;

	guard(spinlock)(&lock);
	if (t->limit.error)
		return ERR_PTR(-(long)t->limit.error);
	if (!t->bound)
		return ERR_PTR(atomic_read(&nr_controls) ? -EAGAIN : -ENODEV);
	session = list_first_entry_or_null(&t->ready, struct ksplit_session, node);
	if (!session)
		return ERR_PTR(t->nr_sessions < t->limit.max_vms ? -EAGAIN : -EMFILE);
	list_del_init(&session->node);
	kref_get(&session->ref);
	wake_up_all(&t->wq);
	return session;
}

/**
 * ksplit_tenant_take() - A session for a client
 * @uid: the client's user
 *
 * Waits, if need be, for the launcher or the supervisor to bring a worker.
 *
 * Return: a session with a reference; -ENODEV, as without KVM (no launcher, no
 * worker), -EMFILE, -EBUSY, -ERESTARTSYS, or the error that the launcher gave.
 */
struct ksplit_session *ksplit_tenant_take(kuid_t uid)
{
	struct ksplit_session *session = ERR_PTR(-EBUSY);
	struct ksplit_tenant *t;
	long left = OPEN_TIMEOUT;

	scoped_guard(spinlock, &lock) {
		t = tenant_get(uid);
		if (t && !t->waiters++)
			t->reported = false;
	}
	if (t) {
		wake_up_all(&wq);
		wake_up_all(&t->wq);
		left = wait_event_freezable_timeout(t->wq,
				(session = try_take(t)) != ERR_PTR(-EAGAIN), OPEN_TIMEOUT);
		scoped_guard(spinlock, &lock)
			t->waiters--;
	}
	/* Not -EAGAIN, for which nobody will try again. */
	if (left <= 0)
		session = ERR_PTR(left ?: -ENODEV);
	if (IS_ERR(session) && left >= 0)
		pr_err_ratelimited("kvm-split: uid %u pid %d: no worker for /dev/kvm: %pe, max-vms %u\n",
				__kuid_val(uid), current->tgid, session, t ? t->limit.max_vms : 0);
	return session;
}
