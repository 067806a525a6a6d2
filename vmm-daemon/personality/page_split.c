// SPDX-License-Identifier: GPL-2.0-only
/*
 * split_page(): one block becomes single pages.
 *
 * Invariant: afterwards each page is as if it had been allocated alone (mm.c
 * counts a block on its first page and keeps the order in ->index).
 */
#include <linux/mm.h>
#include <linux/page_ref.h>

void split_page(struct page *page, unsigned int order)
{
	unsigned int i;

	page->index = 0;
	for (i = 1; i < 1u << order; i++) {
		init_page_count(page + i);
		atomic_set(&page[i]._mapcount, -1);
		page[i].index = 0;
		page[i].mapping = NULL;
		set_page_private(page + i, 0);
	}
}
