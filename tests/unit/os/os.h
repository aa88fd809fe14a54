/* SPDX-License-Identifier: MIT */
/* Common to the tests of what the system tells: registered in each mode, on each selector. */
#ifndef UNIT_OS_H
#define UNIT_OS_H

#include "reactor.h"
#include "ready/os.h"

static const uint32_t modes[] = {RDY_EDGE, RDY_LEVEL, RDY_ONESHOT};

#define for_each_mode(mode) \
	for (const uint32_t *mode = modes; mode < modes + sizeof(modes) / sizeof(modes[0]); mode++)

static inline void watch(struct bench *b, struct rdy_io *io, uint32_t mode)
{
	ck_assert_int_eq(rdy_source_register(rdy_io_source(io), rdy_poll_registry(b->poll), 7,
				 RDY_READABLE, mode),
		0);
	ck_assert_int_ne(fcntl(rdy_io_fd(io), F_GETFD) & FD_CLOEXEC, 0);
}

static inline void wait_readable(struct bench *b)
{
	ck_assert_int_eq(take(b, LONG_NS), 1);
	ck_assert_uint_eq(b->got[0].token, 7);
	ck_assert_uint_ne(b->got[0].ready & RDY_READABLE, 0);
}

/* An io of another kind. */
static inline struct rdy_io *another(void)
{
	struct rdy_io *io;

	ck_assert_int_eq(rdy_io_new(an_eventfd(0), &io), 0);
	return io;
}

#endif
