/* SPDX-License-Identifier: MIT */
/* mio's tests/close_on_drop.rs. */
#include "conformance.h"

/* A socket that was accepted and freed: its peer reads the end. */
START_TEST(close_on_drop)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK), *c, *s;
		char buf[16];

		reg(&b, l, 0, RDY_READABLE);
		c = a_client(l);
		reg(&b, c, 1, RDY_READABLE);
		wait_for(&b, 0, RDY_READABLE);
		ok(rdy_tcp_accept(l, NULL, &s));
		would_block(c);
		rdy_io_free(s);
		wait_for(&b, 1, RDY_READABLE | RDY_READ_CLOSED);
		gives(rdy_io_read(c, buf, sizeof(buf)), 0);
		rdy_io_free(c);
		rdy_io_free(l);
	}
}
END_TEST

UNIT_MAIN("conformance/close_on_drop", close_on_drop)
