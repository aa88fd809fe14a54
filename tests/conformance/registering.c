/* SPDX-License-Identifier: MIT */
/* mio's tests/registering.rs. */
#include "conformance.h"

START_TEST(register_deregister)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3] = {a_listener(LOOPBACK)};

		reg(&b, io[0], 0, RDY_READABLE);
		io[1] = a_client(io[0]);
		reg(&b, io[1], 1, RW);
		wait_for_each(&b, {0, RDY_READABLE}, {1, RDY_WRITABLE});
		ok(rdy_tcp_accept(io[0], NULL, &io[2]));
		rereg(io[1], 1, RDY_READABLE);
		dereg(io[1]);
		send_text(io[2], HELLO);
		data_arrived(io[1]);
		expect_none_of(&b, 1);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(reregister_different_interest_without_poll)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK), *c, *s;

		reg(&b, l, 0, RDY_READABLE);
		c = a_client(l);
		data_arrived(l);
		rereg(l, 0, RDY_WRITABLE);
		expect_none(&b);
		rereg(l, 0, RDY_READABLE);
		expect(&b, 0, RDY_READABLE);
		ok(rdy_tcp_accept(l, NULL, &s));
		rdy_io_free(s);
		rdy_io_free(c);
		rdy_io_free(l);
	}
}
END_TEST

/* Refused by another poll, and still in its first one: mio moves it first and refuses then. */
static void refused_elsewhere(struct bench *b, struct rdy_io *io, uint32_t interest)
{
	struct bench other = {.v = b->v};
	struct rdy_source *s = rdy_io_source(io);

	bench_open(&other, 0);
	reg(b, io, 3, interest);
	fails(rdy_source_register(s, rdy_poll_registry(other.poll), 4, interest, RDY_EDGE), EBUSY);
	wait_for(b, 3, interest);
	expect_none(&other);
	rereg(io, 5, interest);
	wait_for(b, 5, interest);
	dereg(io);
	/* It may move when it has left. */
	reg(&other, io, 4, interest);
	wait_for(&other, 4, interest);
	fails(rdy_source_register(s, rdy_poll_registry(b->poll), 3, interest, RDY_EDGE), EBUSY);
	dereg(io);
	bench_close(&other);
}

START_TEST(tcp_register_multiple_event_loops)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3] = {a_listener(LOOPBACK)};

		io[1] = a_client(io[0]);
		refused_elsewhere(&b, io[0], RDY_READABLE);
		io[2] = an_accepted(io[0]);
		refused_elsewhere(&b, io[1], RDY_WRITABLE);
		refused_elsewhere(&b, io[2], RDY_WRITABLE);
		free_all(io, 3);
	}
}
END_TEST

START_TEST(udp_register_multiple_event_loops)
{
	for_each_variant(b)
	{
		struct rdy_addr at = addr_of(LOOPBACK);
		struct rdy_io *io;

		ok(rdy_udp_bind(&at, &io));
		refused_elsewhere(&b, io, RDY_WRITABLE);
		rdy_io_free(io);
	}
}
END_TEST

START_TEST(registering_after_deregistering)
{
	for_each_variant(b)
	{
		struct rdy_addr at = addr_of(LOOPBACK);
		struct rdy_io *io;

		ok(rdy_udp_bind(&at, &io));
		reg(&b, io, 1, RDY_READABLE);
		dereg(io);
		reg(&b, io, 2, RDY_READABLE);
		/* Nothing of the first one comes. */
		expect_none(&b);
		dereg(io);
		reg(&b, io, 3, RDY_WRITABLE);
		expect(&b, 3, RDY_WRITABLE);
		rdy_io_free(io);
	}
}
END_TEST

UNIT_MAIN("conformance/registering", register_deregister,
	reregister_different_interest_without_poll, tcp_register_multiple_event_loops,
	udp_register_multiple_event_loops, registering_after_deregistering)
