// SPDX-License-Identifier: GPL-2.0-only
/*
 * In a guest that migrates: fills memory, changes some of it all the time, and
 * looks whether all of it is what it should be.  "mem: N ok" each round; "mem:
 * N BAD ..." and the end otherwise.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PAGES	8192u		/* 32 MiB, or what PAGES in the environment says */
#define WORDS	(4096 / sizeof(uint64_t))
#define CHANGED	512u		/* pages a round */

static uint64_t generation[PAGES];
static uint64_t (*memory)[WORDS];
static unsigned int pages = PAGES;

static uint64_t word(unsigned int page, unsigned int i)
{
	return (page * 0x9e3779b97f4a7c15ull) ^ (generation[page] * 0xbf58476d1ce4e5b9ull) ^ i;
}

static void fill(unsigned int page)
{
	for (unsigned int i = 0; i < WORDS; i++)
		memory[page][i] = word(page, i);
}

int main(void)
{
	if (getenv("PAGES"))
		pages = strtoul(getenv("PAGES"), NULL, 0);
	if (!pages || pages > PAGES)
		return 2;
	memory = aligned_alloc(4096, pages * 4096ul);
	if (!memory)
		return 2;
	for (unsigned int p = 0; p < pages; p++)
		fill(p);
	for (unsigned int round = 1;; round++) {
		for (unsigned int p = 0; p < pages; p++) {
			for (unsigned int i = 0; i < WORDS; i += p % 64 == round % 64 ? 1 : 61) {
				if (memory[p][i] == word(p, i))
					continue;
				printf("mem: %u BAD page %u word %u\n", round, p, i);
				return 1;
			}
		}
		for (unsigned int c = 0; c < CHANGED; c++) {
			unsigned int p = (round * CHANGED + c * 17) % pages;

			generation[p]++;
			fill(p);
		}
		printf("mem: %u ok\n", round);
		fflush(stdout);
		usleep(100000);
	}
}
