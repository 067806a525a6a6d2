// SPDX-License-Identifier: GPL-2.0-only
/*
 * pure/kvm_run.c, ksplit_ring_put(): writes to coalesced MMIO that a worker hands
 * over, into a page that the client writes, too.
 *
 * Properties: no byte outside of the page is written, whatever the client makes of
 * the indices; an entry is one that QEMU can take unchecked; a client that plays by
 * the rules gets each accepted write once, in order; a refused one leaves no trace.
 */
#include "fuzz.h"
#include "kvm_run.h"

#define PAGE	4096
#define MOST	((PAGE - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio))

static struct kvm_coalesced_mmio_ring *ring;
/* What an honest client has yet to see. */
static struct kvm_coalesced_mmio queue[MOST];
static unsigned int queued;
static bool honest;

static void put(struct input *in)
{
	struct kvm_coalesced_mmio write = { .phys_addr = take_number(in, 8) };
	static u8 before[PAGE];
	int r;

	write.len = take_number(in, take_number(in, 1) & 1 ? 4 : 1);
	write.pio = take_number(in, 1);
	take(in, write.data, sizeof(write.data));
	memcpy(before, ring, PAGE);
	r = ksplit_ring_put(ring, &write);
	if (r) {
		HOLDS(r == -EINVAL || r == -ENOSPC);
		EQ(memcmp(before, ring, PAGE), 0);
		/* No room: all but one are in use. */
		HOLDS(r == -EINVAL || !honest || queued == MOST - 1);
		return;
	}
	HOLDS(write.len <= 8 && write.pio <= 1);
	HOLDS(ring->last < MOST);
	if (!honest)
		return;
	HOLDS(queued < MOST - 1);
	queue[queued++] = write;
}

/* kvm_flush_coalesced_mmio_buffer() */
static void drain(unsigned int most)
{
	unsigned int n;

	for (n = 0; honest && n < most && ring->first != ring->last; n++) {
		HOLDS(n < queued);
		EQ(memcmp(&ring->coalesced_mmio[ring->first], &queue[n], sizeof(*queue)), 0);
		ring->first = (ring->first + 1) % MOST;
	}
	if (!honest)
		return;
	HOLDS(n == most || n == queued);
	queued -= n;
	memmove(queue, queue + n, queued * sizeof(*queue));
}

static void break_indices(struct input *in)
{
	honest = false;
	ring->first = take_number(in, 4);
	ring->last = take_number(in, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	u8 what;

	if (!ring)
		ring = malloc(PAGE);
	HOLDS(ring);
	memset(ring, 0, PAGE);
	queued = 0;
	honest = true;
	/* Somewhere on the ring's way. */
	ring->first = ring->last = take_number(&in, 1) % MOST;
	while (in.left) {
		what = take_number(&in, 1);
		if (what < 0x80)
			for (unsigned int i = 0; i <= what && in.left; i++)
				put(&in);
		else if (what < 0xf0)
			drain(what - 0x80);
		else
			break_indices(&in);
	}
	drain(MOST);
	return 0;
}
