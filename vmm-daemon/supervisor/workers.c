// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workers: the one that starts, the spare one, those that died.
 *
 * Invariants: at most one worker is starting; each failed start counts once; no two
 * living workers of this supervisor have a user in common.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/daemon.h"
#include "supervisor/supervisor.h"

#define START_LIMIT_MS	30000	/* a worker that is not ready by then is stuck */
/* A worker that dies that soon counts as one that failed to start. */
#define SHORT_LIFE_MS	5000
#define TELL_MS		60000

static void count_failure(struct supervisor *s)
{
	long long wait = backoff_fail(&s->backoff, now_ms());

	logm(L_WARNING, "worker failed (%u in a row), next start in %lld ms",
	     s->backoff.failures, wait);
}

/* ------------------------------------------------------------- starts ---- */

/* A user that no living worker of this supervisor has, -1: there is none. */
static long long find_uid(struct supervisor *s, enum avoid most)
{
	long long n = s->uid_last - s->uid_first + 1, i;

	for (i = 0; i < n; i++) {
		long long at = (s->uid_next - s->uid_first + i) % n;

		if (s->holder[at] || s->avoid[at] > most)
			continue;
		s->uid_next = s->uid_first + (at + 1) % n;
		return s->uid_first + at;
	}
	return -1;
}

/* Those of an earlier supervisor's workers come last. */
static long long free_uid(struct supervisor *s)
{
	long long uid = find_uid(s, AVOID_NOT);

	return uid < 0 ? find_uid(s, AVOID_OLD) : uid;
}

static void note_start(struct supervisor *s, pid_t pid, long long uid, int ready)
{
	long long now = now_ms();

	if (uid >= 0) {
		s->holder[uid - s->uid_first] = pid;
		s->avoid[uid - s->uid_first] = AVOID_NOT;
	}
	s->spare_at = 0;
	s->nr_living++;
	s->starting = pid;
	s->ready = ready;
	s->deadline = now + START_LIMIT_MS;
	s->recent[s->next_recent].pid = pid;
	s->recent[s->next_recent].started = now;
	s->next_recent = (s->next_recent + 1) % NR_RECENT;
	pace_take(&s->pace, now);
	if (!pace_left(&s->pace, now) || (s->told_of_pace && now - s->told_of_pace < TELL_MS))
		return;
	s->told_of_pace = now;
	logm(L_WARNING, "workers are asked for faster than %lld a second: starts wait",
	     1000 / s->pace.cost);
}

/**
 * start_worker() - start the next worker
 * @s:		the supervisor, which starts none now
 */
void start_worker(struct supervisor *s)
{
	long long uid = s->uid_first < 0 ? -1 : free_uid(s);
	int pair[2];
	pid_t pid;

	if (s->uid_first >= 0 && uid < 0) {
		logm(L_ERR, "no user for one more worker: workers or accounts have all %lld",
		     s->uid_last - s->uid_first + 1);
		count_failure(s);
		return;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		logm(L_ERR, "socket: %s", strerror(errno));
		count_failure(s);
		return;
	}
	pid = order_worker(s, uid, pair[1]);
	close(pair[1]);
	if (pid < 0) {
		logm(L_ERR, "worker: %s", strerror(-pid));
		close(pair[0]);
		count_failure(s);
		return;
	}
	note_start(s, pid, uid, pair[0]);
}

static void end_start(struct supervisor *s)
{
	if (s->ready >= 0)
		close(s->ready);
	s->ready = -1;
	s->starting = 0;
}

/* Is it young enough to count as one that failed?  It is asked once. */
static int died_young(struct supervisor *s, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < NR_RECENT; i++) {
		if (s->recent[i].pid != pid)
			continue;
		s->recent[i].pid = 0;
		return now_ms() - s->recent[i].started < SHORT_LIFE_MS;
	}
	return 0;
}

/* Its death is about to be reaped, and then is no news. */
static void give_up_start(struct supervisor *s)
{
	kill(s->starting, SIGKILL);
	died_young(s, s->starting);
	end_start(s);
	count_failure(s);
}

/**
 * on_ready() - the starting worker's socket is readable
 * @s:		the supervisor
 *
 * A byte says that it is ready; a socket that is closed without one is no start.
 */
void on_ready(struct supervisor *s)
{
	char c;
	ssize_t n = read(s->ready, &c, 1);

	if (n < 0 && errno == EINTR)
		return;
	if (n != 1) {
		give_up_start(s);
		return;
	}
	/* Good news only if it is not one of many that come and go. */
	if (now_ms() - s->backoff.failed > SHORT_LIFE_MS + s->backoff.max)
		backoff_reset(&s->backoff);
	s->spare = s->starting;
	link_begin(s, s->starting, s->ready);
	s->ready = -1;
	end_start(s);
}

/**
 * on_stuck() - the starting worker is not ready in time
 * @s:		the supervisor
 */
void on_stuck(struct supervisor *s)
{
	logm(L_ERR, "worker %d is stuck at its start", s->starting);
	give_up_start(s);
}

/* --------------------------------------------------------------- ends ---- */

static const char *meaning(const struct supervisor *s, int status)
{
	switch (status) {
	case EXIT_USAGE:
		return "wrong command line";
	case EXIT_NO_STUB:
	case EXIT_OS:
		return s->no_overcommit ?
		       "vm.overcommit_memory is 2, and the host's commit limit may be reached" :
		       "see its own line";
	case EXIT_INTERNAL:
		return "a bug, or a system call that the sandbox does not allow";
	}
	return "see its own line";
}

static void report(const struct supervisor *s, pid_t pid, int status)
{
	if (WIFSIGNALED(status))
		logm(L_ERR, "worker %d died of signal %d", pid, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		logm(L_ERR, "worker %d exited with status %d: %s", pid,
		     WEXITSTATUS(status), meaning(s, WEXITSTATUS(status)));
}

/**
 * on_worker_end() - a worker ended
 * @s:		the supervisor
 * @pid:	the worker
 * @status:	of wait(2)
 */
void on_worker_end(struct supervisor *s, pid_t pid, int status)
{
	int young = died_young(s, pid);
	unsigned int i;

	for (i = 0; i < TENANT_UIDS; i++)
		if (s->holder[i] == pid)
			s->holder[i] = 0;
	link_end(s, pid);
	s->nr_living--;
	report(s, pid, status);
	if (pid == s->starting) {
		end_start(s);
		count_failure(s);
	} else if (status && young) {
		count_failure(s);
	}
}

/**
 * is_idle() - does no worker serve a client?
 * @s:		the supervisor
 *
 * Where the tenant may have one VM only, the kernel does not tell whether the only
 * worker has a client: it counts as a spare one.
 */
int is_idle(const struct supervisor *s)
{
	return s->nr_living - !!s->spare - !!s->starting <= 0;
}
