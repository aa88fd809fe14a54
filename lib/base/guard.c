/* SPDX-License-Identifier: MIT */
/*
 * The fork guard on Linux: a private page that the kernel hands to children wiped (MADV_WIPEONFORK, 4.14).
 * Threads: init and deinit by the owner of the guard.
 */
#include "base/guard.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

/* The smallest page; mmap and madvise round up to the system's own. */
#define PAGE_BYTES 4096u

int rdy__guard_init(struct rdy__guard *g)
{
	unsigned char *page;

	*g = (struct rdy__guard){NULL, getpid()};
#ifdef MADV_WIPEONFORK
	page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return 0;
	if (madvise(page, PAGE_BYTES, MADV_WIPEONFORK) < 0) {
		munmap(page, PAGE_BYTES);
		return 0;
	}
	*page = 1;
	g->mark = page;
#endif
	return 0;
}

void rdy__guard_deinit(struct rdy__guard *g)
{
	if (g->mark)
		munmap((void *)(uintptr_t)g->mark, PAGE_BYTES);
	g->mark = NULL;
}
