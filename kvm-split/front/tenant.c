// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/kvm-split (control) and tenants: which worker a client gets.
 *
 * Invariants: a client gets a session of its own uid's tenant, or an error; it
 * waits killably and bounded.  Opens of users without a tenant cannot make the
 * kernel or the launcher do work without bound, nor keep others out: so many
 * users at once, fewer of them of any one user's namespaces, one request for
 * each, and a refusal stays for a second.
 *
 * One lock covers tenants and their ready sessions; nobody sleeps under it.
 */
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/user_namespace.h>

#include "front.h"

#define OPEN_TIMEOUT	(30 * HZ)
#define RESTART_TIMEOUT	(10 * HZ)	/* of the launcher */

static DEFINE_SPINLOCK(ksplit_tenant_lock);
static struct ksplit_tenant ksplit_tenants[KSPLIT_MAX_TENANTS];
static atomic_t ksplit_controls;	/* launchers */
static unsigned long ksplit_launcher_until = INITIAL_JIFFIES;	/* is missed, no longer */
static DECLARE_WAIT_QUEUE_HEAD(ksplit_control_wq);
static const struct file_operations ksplit_split_fops;

/* -------------------------------------------------------- tenants -- */

/*
 * Under the lock: a user's entry, old or new; NULL if all are in use, or too many
 * by users whom @voucher alone knows.  An entry that is not in use may still
 * hold a refusal, for as long as nobody needs it.
 */
static struct ksplit_tenant *ksplit_tenant_get(kuid_t uid, kuid_t voucher)
{
	struct ksplit_tenant *t, *unused = NULL;
	u32 vouched = 0;

	for (t = ksplit_tenants; t < ksplit_tenants + KSPLIT_MAX_TENANTS; t++) {
		bool used = t->bound || t->nr_sessions || t->waiters;

		if (t->error && time_after_eq(jiffies, t->until))
			t->error = 0;
		if ((used || t->error) && uid_eq(t->uid, uid))
			return t;
		if (!used && (!unused || time_before(t->until, unused->until)))
			unused = t;
		vouched += used && !t->bound && uid_eq(t->voucher, voucher);
	}
	if (vouched >= KSPLIT_MAX_VOUCHED && !uid_eq(voucher, GLOBAL_ROOT_UID))
		return NULL;
	if (unused) {
		unused->uid = uid;
		unused->voucher = voucher;
		unused->error = 0;
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
	guard(spinlock)(&ksplit_tenant_lock);
	if (t->nr_sessions >= t->max_vms)
		return -EMFILE;
	t->nr_sessions++;
	session->tenant = t;
	session->quota = &t->quota;
	session->uid = t->uid;
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
	struct ksplit_tenant *t = session->tenant;

	guard(spinlock)(&ksplit_tenant_lock);
	list_del_init(&session->node);
	t->nr_sessions -= last;
	t->nr_ending -= last && session->ending;
	wake_up_all(&t->wq);
}

/* Under the lock. */
static void ksplit_end(struct ksplit_session *session)
{
	session->ending = true;
	session->tenant->nr_ending++;
	list_del_init(&session->node);
	ksplit_channel_close(&session->chan);
}

/**
 * ksplit_session_end() - The client has gone: the worker is to leave
 * @session: a session that was taken
 */
void ksplit_session_end(struct ksplit_session *session)
{
	guard(spinlock)(&ksplit_tenant_lock);
	ksplit_end(session);
}

/* Running VMs go on; spare workers learn that nobody will come. */
static void ksplit_tenant_unbind(struct ksplit_tenant *t)
{
	struct ksplit_session *session, *next;

	guard(spinlock)(&ksplit_tenant_lock);
	t->bound = false;
	list_for_each_entry_safe(session, next, &t->ready, node)
		ksplit_end(session);
}

/* The launcher's answer: a supervisor for the user, or none for a second. */
static long ksplit_bind(struct ksplit_bind __user *arg)
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
	scoped_guard(spinlock, &ksplit_tenant_lock) {
		t = ksplit_tenant_get(uid, GLOBAL_ROOT_UID);
		if (!t)
			return -ENOSPC;
		if (t->bound)
			return -EEXIST;
		t->bound = !b.error;
		t->error = b.error;
		t->until = jiffies + HZ;
		t->max_vms = b.max_vms;
		WRITE_ONCE(t->quota.max_vcpus, b.max_vcpus);
		WRITE_ONCE(t->quota.max_slots, b.max_slots);
		t->reported = false;
		wake_up_all(&t->wq);
	}
	if (b.error)
		return 0;
	r = anon_inode_getfd("kvm-split-tenant", &ksplit_split_fops, t, O_RDWR | O_CLOEXEC);
	if (r < 0)
		ksplit_tenant_unbind(t);
	return r;
}

/* --------------------------------------------- control and tenant -- */

/* The descriptors have their operations in common; a tenant's carries it. */
static int ksplit_control_open(struct inode *inode, struct file *file)
{
	file->private_data = NULL;
	atomic_inc(&ksplit_controls);
	return 0;
}

static int ksplit_split_release(struct inode *inode, struct file *file)
{
	if (file->private_data)
		ksplit_tenant_unbind(file->private_data);
	else if (atomic_dec_and_test(&ksplit_controls))
		WRITE_ONCE(ksplit_launcher_until, jiffies + RESTART_TIMEOUT);
	/* Who waits is the launcher's now. */
	wake_up_all(&ksplit_control_wq);
	return 0;
}

/* Under the lock: somebody waits of whom no launcher knows. */
static struct ksplit_tenant *ksplit_unreported(void)
{
	struct ksplit_tenant *t = ksplit_tenants;

	for (; t < ksplit_tenants + KSPLIT_MAX_TENANTS; t++)
		if (t->waiters && !t->bound && !t->error && !t->reported)
			return t;
	return NULL;
}

static ssize_t ksplit_split_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct ksplit_want want;
	struct ksplit_tenant *t;

	if (file->private_data || size < sizeof(want))
		return -EINVAL;
	scoped_guard(spinlock, &ksplit_tenant_lock) {
		t = ksplit_unreported();
		if (!t)
			return -EAGAIN;
		t->reported = true;
		want.uid = from_kuid_munged(current_user_ns(), t->uid);
	}
	return copy_to_user(buf, &want, sizeof(want)) ? -EFAULT : sizeof(want);
}

static __poll_t ksplit_split_poll(struct file *file, poll_table *wait)
{
	struct ksplit_tenant *t = file->private_data;

	poll_wait(file, t ? &t->wq : &ksplit_control_wq, wait);
	guard(spinlock)(&ksplit_tenant_lock);
	if (t)
		return list_empty(&t->ready) && t->nr_sessions < t->max_vms ?
		       EPOLLIN | (t->waiters ? EPOLLPRI : 0) : 0;
	return ksplit_unreported() ? EPOLLIN : 0;
}

static long ksplit_split_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ksplit_tenant *t = file->private_data;
	struct ksplit_info __user *info = (void __user *)arg;

	switch (cmd) {
	case KSPLIT_GET_INFO:
		/* The kernel measures the TSC anew a second after the boot, and watches it. */
		if (copy_to_user(info, &ksplit_info, sizeof(*info)) ||
		    put_user(tsc_khz, &info->tsc_khz) ||
		    put_user(check_tsc_unstable(), &info->tsc_unstable))
			return -EFAULT;
		return 0;
	case KSPLIT_BIND:
		return t ? -ENOTTY : ksplit_bind((void __user *)arg);
	case KSPLIT_SERVE:
		return t ? ksplit_session_serve(t) : -ENOTTY;
	}
	return -ENOTTY;
}

static const struct file_operations ksplit_split_fops = {
	.open = ksplit_control_open,		/* of /dev/kvm-split only */
	.release = ksplit_split_release,
	.read = ksplit_split_read,
	.poll = ksplit_split_poll,
	.unlocked_ioctl = ksplit_split_ioctl,
};

/* /dev/kvm-split */
struct miscdevice ksplit_control_dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "kvm-split",
	.mode = 0600,
	.fops = &ksplit_split_fops,
};

/* ------------------------------------------------ opens of /dev/kvm -- */

/*
 * A session, -EAGAIN: wait for one, or why there will be none: -EMFILE (the
 * tenant's limit), -ENODEV (no launcher), what the launcher said.
 */
static struct ksplit_session *ksplit_try_take(struct ksplit_tenant *t)
{
	struct ksplit_session *session;

	guard(spinlock)(&ksplit_tenant_lock);
	if (t->error)
		return ERR_PTR(-(long)t->error);
	if (!t->bound && (atomic_read(&ksplit_controls) ||
			  time_before(jiffies, READ_ONCE(ksplit_launcher_until))))
		return ERR_PTR(-EAGAIN);
	if (!t->bound)
		return ERR_PTR(-ENODEV);
	session = list_first_entry_or_null(&t->ready, struct ksplit_session, node);
	if (!session)
		return ERR_PTR(t->nr_sessions - t->nr_ending < t->max_vms ? -EAGAIN : -EMFILE);
	list_del_init(&session->node);
	kref_get(&session->ref);
	WRITE_ONCE(session->client, get_pid(task_tgid(current)));
	wake_up_all(&t->wq);
	return session;
}

/* Who answers for the users of a namespace: whoever made the outermost one. */
static kuid_t ksplit_voucher(const struct user_namespace *ns)
{
	kuid_t owner = GLOBAL_ROOT_UID;

	for (; ns->parent; ns = ns->parent)
		owner = ns->owner;
	return owner;
}

/**
 * ksplit_tenant_take() - A session for a client
 * @cred: the client's, as it opened
 *
 * Waits, if need be, for the launcher or the supervisor to bring a worker, and
 * for workers whose clients have gone.
 *
 * Return: a session with a reference; -ENODEV, as without KVM (no launcher, no
 * worker), -EMFILE, -EBUSY, -EINTR (killed), or the error that the launcher gave.
 */
struct ksplit_session *ksplit_tenant_take(const struct cred *cred)
{
	struct ksplit_session *session = ERR_PTR(-EBUSY);
	struct ksplit_tenant *t;
	long left = OPEN_TIMEOUT;
	u32 max_vms = 0;

	scoped_guard(spinlock, &ksplit_tenant_lock) {
		t = ksplit_tenant_get(cred->fsuid, ksplit_voucher(cred->user_ns));
		if (t && !t->waiters++)
			t->reported = false;
	}
	if (t) {
		wake_up_all(&ksplit_control_wq);
		wake_up_all(&t->wq);
		/* As in vfork(): does not keep its control group from being frozen. */
		cgroup_enter_frozen();
		left = ___wait_event(t->wq,
			___wait_cond_timeout((session = ksplit_try_take(t)) != ERR_PTR(-EAGAIN)),
			(TASK_KILLABLE | TASK_FREEZABLE), 0, OPEN_TIMEOUT,
			__ret = schedule_timeout(__ret));
		cgroup_leave_frozen(false);
		scoped_guard(spinlock, &ksplit_tenant_lock) {
			t->waiters--;
			if (t->bound)
				max_vms = t->max_vms;
			/* Not -EAGAIN, for which nobody will try again. */
			if (session == ERR_PTR(-EAGAIN))
				session = ERR_PTR(max_vms && t->nr_sessions >= max_vms ?
						  -EMFILE : -ENODEV);
		}
	}
	if (left < 0)
		return ERR_PTR(-EINTR);
	/* The launcher logs what it refuses. */
	if (session == ERR_PTR(-EMFILE) || session == ERR_PTR(-ENODEV))
		pr_err_ratelimited("kvm-split: uid %u pid %d: no worker for /dev/kvm: %pe, max-vms %u\n",
				   from_kuid(&init_user_ns, cred->fsuid), current->tgid, session,
				   max_vms);
	return session;
}
