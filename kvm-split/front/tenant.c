// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/kvm-split (control) and tenants: which worker a client gets.
 *
 * Invariants: a client gets a session of its own uid's tenant, or an error; it
 * waits interruptibly and bounded.  Opens of users without a tenant cannot make
 * the kernel or the launcher do work without bound: so many users at once, one
 * request for each, and a refusal stays for a second.
 *
 * One lock covers tenants, their ready sessions and counts, and the wants;
 * nobody sleeps under it.
 */
#include <linux/cred.h>
#include <linux/jiffies.h>

#include "front.h"

#define OPEN_TIMEOUT	(5 * HZ)
#define DENY_TIME	HZ
#define MAX_WANTS	64	/* users that wait, or were refused of late */
#define SPARE_SESSIONS	8	/* of a tenant, beyond max_vms */

/* A user one of whose opens waits for a worker, or was refused of late. */
struct want {
	kuid_t uid;
	pid_t pid;
	u32 waiters;
	bool reported;			/* the launcher knows */
	int error;			/* refused until then, 0: not */
	unsigned long until;
};

static DEFINE_SPINLOCK(lock);
static DEFINE_XARRAY(tenants);		/* by kuid */
static struct want wants[MAX_WANTS];
static atomic_t nr_controls;		/* launchers */
static DECLARE_WAIT_QUEUE_HEAD(wq);	/* they and clients */
static const struct file_operations split_fops;

/* -------------------------------------------------------- tenants -- */

/* Under the lock. */
static struct ksplit_tenant *tenant_find(kuid_t uid)
{
	return xa_load(&tenants, __kuid_val(uid));
}

/**
 * ksplit_tenant_admit() - Offer a session to the tenant's clients
 * @t: the tenant
 * @session: a new session
 *
 * Return: 0, -EMFILE, -ESHUTDOWN.
 */
int ksplit_tenant_admit(struct ksplit_tenant *t, struct ksplit_session *session)
{
	scoped_guard(spinlock, &lock) {
		if (t->dead)
			return -ESHUTDOWN;
		if (t->nr_sessions >= t->max_vms + SPARE_SESSIONS)
			return -EMFILE;
		t->nr_sessions++;
		session->tenant = t;
		list_add_tail(&session->node, &t->ready);
	}
	wake_up_all(&wq);
	return 0;
}

/**
 * ksplit_tenant_leave() - No client will get this session any more
 * @session: an admitted session
 * @last: it is being freed; its tenant may be, too
 */
void ksplit_tenant_leave(struct ksplit_session *session, bool last)
{
	struct ksplit_tenant *t = session->tenant;

	guard(spinlock)(&lock);
	list_del_init(&session->node);
	t->nr_sessions -= last;
	t->nr_vms -= last && session->taken;
	wake_up_interruptible(&t->wq);
	if (t->dead && !t->nr_sessions)
		kfree(t);
}

/* Running VMs go on; spare workers learn that nobody will come. */
static void tenant_end(struct ksplit_tenant *t)
{
	struct ksplit_session *session;

	guard(spinlock)(&lock);
	t->dead = true;
	xa_erase(&tenants, __kuid_val(t->uid));
	list_for_each_entry(session, &t->ready, node)
		ksplit_channel_close(&session->chan);
	if (!t->nr_sessions)
		kfree(t);
}

static long bind(struct ksplit_bind __user *arg)
{
	struct ksplit_tenant *t;
	struct ksplit_bind b;
	kuid_t uid;
	int r;

	if (copy_from_user(&b, arg, sizeof(b)))
		return -EFAULT;
	uid = make_kuid(current_user_ns(), b.uid);
	if (!uid_valid(uid))
		return -EINVAL;
	t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	if (!t)
		return -ENOMEM;
	t->uid = uid;
	t->max_vms = b.max_vms ?: KSPLIT_DEF_VMS;
	t->max_vcpus = b.max_vcpus ?: KSPLIT_DEF_VCPUS;
	t->max_slots = b.max_slots ?: KSPLIT_MAX_SLOTS;
	INIT_LIST_HEAD(&t->ready);
	init_waitqueue_head(&t->wq);
	r = xa_insert(&tenants, __kuid_val(uid), t, GFP_KERNEL_ACCOUNT);
	if (r) {
		kfree(t);
		return r == -EBUSY ? -EEXIST : r;
	}
	r = anon_inode_getfd("kvm-split-tenant", &split_fops, t, O_RDWR | O_CLOEXEC);
	if (r < 0)
		tenant_end(t);
	return r;
}

/* ---------------------------------------------------------- wants -- */

/* Under the lock: the entry of a user, old or new; NULL if all are in use. */
static struct want *want_get(kuid_t uid)
{
	struct want *w, *unused = NULL;

	for (w = wants; w < wants + MAX_WANTS; w++) {
		if (w->error && time_after_eq(jiffies, w->until))
			w->error = 0;
		if (!w->waiters && !w->error)
			unused = w;
		else if (uid_eq(w->uid, uid))
			return w;
	}
	if (unused)
		*unused = (struct want){ .uid = uid };
	return unused;
}

static long deny(struct ksplit_deny __user *arg)
{
	struct ksplit_deny d;
	struct want *w;
	kuid_t uid;

	if (copy_from_user(&d, arg, sizeof(d)))
		return -EFAULT;
	uid = make_kuid(current_user_ns(), d.uid);
	if (!uid_valid(uid) || !d.error || d.error > EHWPOISON)
		return -EINVAL;
	scoped_guard(spinlock, &lock) {
		w = want_get(uid);
		if (!w)
			return -ENOSPC;
		w->error = d.error;
		w->until = jiffies + DENY_TIME;
	}
	wake_up_all(&wq);
	return 0;
}

/* Whether somebody waits of whom no launcher knows; @take: now one does. */
static bool want_next(struct ksplit_want *ret, bool take)
{
	struct want *w;

	guard(spinlock)(&lock);
	for (w = wants; w < wants + MAX_WANTS; w++) {
		if (!w->waiters || w->reported || tenant_find(w->uid))
			continue;
		ret->uid = from_kuid_munged(current_user_ns(), w->uid);
		ret->pid = w->pid;
		w->reported = take;
		return true;
	}
	return false;
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
		tenant_end(file->private_data);
	else
		atomic_dec(&nr_controls);
	/* Who waits is the launcher's now, or nobody's. */
	wake_up_all(&wq);
	return 0;
}

static ssize_t split_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct ksplit_want want;

	if (file->private_data || size < sizeof(want))
		return -EINVAL;
	if (!want_next(&want, true)) {
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_freezable(wq, want_next(&want, true)))
			return -ERESTARTSYS;
	}
	return copy_to_user(buf, &want, sizeof(want)) ? -EFAULT : sizeof(want);
}

static __poll_t split_poll(struct file *file, poll_table *wait)
{
	struct ksplit_tenant *t = file->private_data;
	struct ksplit_want want;

	poll_wait(file, t ? &t->wq : &wq, wait);
	if (!t)
		return want_next(&want, false) ? EPOLLIN : 0;
	guard(spinlock)(&lock);
	return list_empty(&t->ready) && t->nr_vms < t->max_vms ? EPOLLIN : 0;
}

static long split_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ksplit_tenant *t = file->private_data;
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case KSPLIT_GET_VERSION:
		return KSPLIT_ABI_VERSION;
	case KSPLIT_GET_INFO:
		return copy_to_user(argp, &ksplit_info, sizeof(ksplit_info)) ? -EFAULT : 0;
	case KSPLIT_BIND:
		return t ? -ENOTTY : bind(argp);
	case KSPLIT_DENY:
		return t ? -ENOTTY : deny(argp);
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

static struct miscdevice control_dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kvm-split",
	.mode = 0600,
	.fops = &split_fops,
};

/* ------------------------------------------------ opens of /dev/kvm -- */

/*
 * A session for @uid, -EAGAIN: wait for one, or why there will be none: -EMFILE
 * (the tenant's limit), -ENODEV (no launcher), what the launcher said.
 */
static struct ksplit_session *try_take(kuid_t uid, const struct want *w)
{
	struct ksplit_session *session;
	struct ksplit_tenant *t;

	guard(spinlock)(&lock);
	t = tenant_find(uid);
	if (!t && w && w->error)
		return ERR_PTR(-w->error);
	if (!t)
		return ERR_PTR(atomic_read(&nr_controls) ? -EAGAIN : -ENODEV);
	if (t->nr_vms >= t->max_vms) {
		pr_err_ratelimited("kvm-split: uid %u has %u VMs, max_vms is %u\n",
				   from_kuid(&init_user_ns, uid), t->nr_vms, t->max_vms);
		return ERR_PTR(-EMFILE);
	}
	session = list_first_entry_or_null(&t->ready, struct ksplit_session, node);
	if (!session)
		return ERR_PTR(-EAGAIN);
	list_del_init(&session->node);
	kref_get(&session->ref);
	session->taken = true;
	session->client = task_tgid_nr(current);
	t->nr_vms++;
	wake_up_interruptible(&t->wq);
	return session;
}

static struct ksplit_session *wait_take(kuid_t uid)
{
	struct ksplit_session *session;
	struct want *w;
	long left;

	scoped_guard(spinlock, &lock) {
		w = want_get(uid);
		if (!w)
			return ERR_PTR(-EBUSY);
		if (!w->waiters++) {
			w->pid = task_tgid_nr(current);
			w->reported = false;
		}
	}
	wake_up_all(&wq);
	left = wait_event_freezable_timeout(wq,
			(session = try_take(uid, w)) != ERR_PTR(-EAGAIN), OPEN_TIMEOUT);
	scoped_guard(spinlock, &lock)
		w->waiters--;
	/* Not -EAGAIN, for which nobody will try again. */
	return left < 0 ? ERR_PTR(left) : left ? session : ERR_PTR(-ENODEV);
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
	struct ksplit_session *session = try_take(uid, NULL);

	if (session == ERR_PTR(-EAGAIN))
		session = wait_take(uid);
	if (IS_ERR(session) && session != ERR_PTR(-ERESTARTSYS))
		pr_err_ratelimited("kvm-split: uid %u pid %d: no worker for /dev/kvm: %pe\n",
				   from_kuid(&init_user_ns, uid), task_tgid_nr(current), session);
	return session;
}

/**
 * ksplit_front_init() - Make /dev/kvm-split and /dev/kvm
 *
 * Called once the back is ready to run guests.
 *
 * Return: 0 or -errno.
 */
int __init ksplit_front_init(void)
{
	return misc_register(&control_dev) ?: ksplit_chardev_init();
}
