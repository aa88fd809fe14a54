/* SPDX-License-Identifier: MIT */
/* mio's tests/regressions.rs. */
#include "conformance.h"

/* Connected, and nothing was sent: reading says so instead of 0 bytes. */
START_TEST(issue_776)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3] = {a_listener(LOOPBACK)};

		io[1] = a_client(io[0]);
		reg(&b, io[1], 1, RW);
		io[2] = an_accepted(io[0]);
		wait_for(&b, 1, RDY_WRITABLE);
		would_block(io[1]);
		/* Before the last word it is no end of file either. */
		send_text(io[2], HELLO);
		wait_for(&b, 1, RDY_READABLE);
		receive_text(io[1], HELLO);
		would_block(io[1]);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(issue_1205)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK), *c;
		struct rdy_waker *w;

		ok(rdy_waker_new(b.poll, 1, &w));
		reg(&b, l, 0, RDY_READABLE);
		expect_none(&b);
		c = a_client(l);
		data_arrived(l);
		dereg(l);
		ok(rdy_waker_wake(w));
		expect(&b, 1, RDY_WAKE | RDY_READABLE);
		expect_none(&b);
		rdy_waker_free(w);
		rdy_io_free(c);
		rdy_io_free(l);
	}
}
END_TEST

START_TEST(issue_1403)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];
		struct rdy_addr from = addr_of("unix:/not/this");
		char buf[32];

		ok(rdy_unix_datagram_pair(&io[0], &io[1]));
		reg(&b, io[1], 1, RDY_READABLE);
		gives(rdy_socket_send(io[0], HELLO, HELLO_BYTES), HELLO_BYTES);
		wait_for(&b, 1, RDY_READABLE);
		gives(rdy_socket_recv_from(io[1], buf, sizeof(buf), &from), HELLO_BYTES);
		ck_assert_ptr_null(rdy_addr_name(&from, NULL));
		ck_assert_uint_ne(rdy_addr_kind(&from), RDY_ADDR_UNIX_PATH);
		free_all(io, 2);
	}
}
END_TEST

UNIT_MAIN("conformance/regressions", issue_776, issue_1205, issue_1403)
