// SPDX-License-Identifier: GPL-2.0-only
/*
 * sample PERIOD FILE COMMAND...: run COMMAND, and write down every PERIOD
 * nanoseconds where each CPU is.  scripts/profile reads the file.
 *
 * The emulated machine has no performance counters and no NMI, so this is the
 * kernel's cpu-clock event: what runs with interrupts off shows where they are
 * turned on again.  The file: the perf records as the kernel gives them
 * (perf_event_open(2)), of all CPUs one after the other.
 */
#define _GNU_SOURCE
#include <err.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CPUS	8
#define RING_PAGES	256u

struct ring {
	int fd;
	struct perf_event_mmap_page *page;
	uint8_t *data;
};

static void drain(struct ring *r, FILE *out)
{
	const uint64_t size = RING_PAGES * 4096ull;
	uint64_t head = __atomic_load_n(&r->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = r->page->data_tail;

	while (tail < head) {
		uint64_t at = tail % size;
		uint64_t n = head - tail < size - at ? head - tail : size - at;

		if (fwrite(r->data + at, 1, n, out) != n)
			err(2, "write");
		tail += n;
	}
	__atomic_store_n(&r->page->data_tail, tail, __ATOMIC_RELEASE);
}

int main(int argc, char **argv)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID,
		.disabled = 1, .mmap = 1, .comm = 1, .comm_exec = 1,
	};
	struct pollfd polls[MAX_CPUS];
	struct ring rings[MAX_CPUS];
	int status = 0, go[2];
	unsigned int i, n;
	bool ended = false;
	FILE *out;
	pid_t pid;

	if (argc < 4)
		errx(2, "usage: sample PERIOD FILE COMMAND...");
	attr.sample_period = strtoull(argv[1], NULL, 0);
	out = fopen(argv[2], "w");
	if (!out)
		err(2, "%s", argv[2]);
	n = sysconf(_SC_NPROCESSORS_ONLN);
	if (n > MAX_CPUS)
		errx(2, "too many CPUs");
	for (i = 0; i < n; i++) {
		rings[i].fd = syscall(SYS_perf_event_open, &attr, -1, i, -1, PERF_FLAG_FD_CLOEXEC);
		if (rings[i].fd < 0)
			err(2, "perf_event_open");
		rings[i].page = mmap(NULL, (RING_PAGES + 1) * 4096, PROT_READ | PROT_WRITE,
				     MAP_SHARED, rings[i].fd, 0);
		if (rings[i].page == MAP_FAILED)
			err(2, "mmap");
		rings[i].data = (uint8_t *)rings[i].page + 4096;
		polls[i] = (struct pollfd){ .fd = rings[i].fd, .events = POLLIN };
	}
	if (pipe(go))
		err(2, "pipe");
	pid = fork();
	if (pid < 0)
		err(2, "fork");
	if (!pid) {
		char c;

		close(go[1]);
		if (read(go[0], &c, 1) < 0)
			err(2, "read");
		execvp(argv[3], argv + 3);
		err(127, "%s", argv[3]);
	}
	close(go[0]);
	for (i = 0; i < n; i++)
		ioctl(rings[i].fd, PERF_EVENT_IOC_ENABLE, 0);
	close(go[1]);
	while (!ended) {
		poll(polls, n, 200);
		ended = waitpid(pid, &status, WNOHANG) == pid;
		for (i = 0; i < n; i++)
			drain(&rings[i], out);
	}
	if (fclose(out))
		err(2, "%s", argv[2]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
