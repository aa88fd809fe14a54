/* SPDX-License-Identifier: MIT */
/*
 * The selectors of this system in order of preference, and what poll(2)'s bits mean.
 * Threads: any; constants only.
 */
#include <stddef.h>

#include "reactor/selector.h"

const struct rdy__selector_ops *const rdy__selectors[] = {
	&rdy__selector_epoll,
	&rdy__selector_poll,
	NULL,
};

/*
 * Index: RDY__RAW_INDEX(): IN 1, PRI 2, OUT 4, ERR 8, HUP 16, RDHUP 32.
 *   READABLE      IN or PRI
 *   WRITE_CLOSED  HUP, or OUT with ERR (a pipe without reader), or ERR alone
 *   READ_CLOSED   HUP or RDHUP (which comes with IN where IN was asked for)
 */
#define I(i) \
	{ \
		((i)&3 ? RDY_READABLE : 0) | ((i)&2 ? RDY_PRIORITY : 0) | \
			((i)&4 ? RDY_WRITABLE : 0) | ((i)&8 ? RDY_ERROR : 0) | \
			((i)&48 ? RDY_READ_CLOSED : 0) | \
			((i)&16 || ((i)&12) == 12 || (i) == 8 ? RDY_WRITE_CLOSED : 0), \
			0 \
	}
#define I4(i) I(i), I((i) + 1), I((i) + 2), I((i) + 3)
#define I16(i) I4(i), I4((i) + 4), I4((i) + 8), I4((i) + 12)

const struct rdy__ready rdy__poll_ready_map[64] = {I16(0), I16(16), I16(32), I16(48)};
