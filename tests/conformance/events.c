/* SPDX-License-Identifier: MIT */
/* mio's tests/events.rs. */
#include "conformance.h"

/* A source that hands everything to another one, as Box<dyn Source> does. */
struct boxed {
	struct rdy_source source;
	struct rdy_source *inner;
};

static int box_add(struct rdy_source *s, struct rdy_registry *r, uint64_t token, uint32_t interest,
	uint32_t mode)
{
	return rdy_source_register(((struct boxed *)s)->inner, r, token, interest, mode);
}

static int box_modify(struct rdy_source *s, struct rdy_registry *r, uint64_t token,
	uint32_t interest, uint32_t mode)
{
	return rdy_source_modify(((struct boxed *)s)->inner, token, interest, mode);
}

static int box_rearm(struct rdy_source *s, struct rdy_registry *r)
{
	return rdy_source_rearm(((struct boxed *)s)->inner);
}

static int box_remove(struct rdy_source *s, struct rdy_registry *r)
{
	return rdy_source_deregister(((struct boxed *)s)->inner);
}

static const struct rdy_source_ops box_ops = {box_add, box_modify, box_rearm, box_remove};

START_TEST(assert_event_source_implemented_for)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];
		struct boxed box = {.inner = NULL};

		ok(rdy_unix_pair(&io[0], &io[1]));
		rdy_source_init(&box.source, &box_ops);
		box.inner = rdy_io_source(io[0]);
		ok(rdy_source_register(
			&box.source, rdy_poll_registry(b.poll), 1, RDY_WRITABLE, RDY_EDGE));
		expect(&b, 1, RDY_WRITABLE);
		ok(rdy_source_modify(&box.source, 2, RDY_READABLE, RDY_EDGE));
		send_text(io[1], HELLO);
		expect(&b, 2, RDY_READABLE);
		ok(rdy_source_deregister(&box.source));
		gives(rdy_source_is_registered(box.inner), 0);
		send_text(io[1], HELLO);
		expect_none(&b);
		free_all(io, 2);
	}
}
END_TEST

START_TEST(events_all)
{
	for_each_variant(b)
	{
		struct rdy_events *events;
		struct rdy_event e = {.token = 9};
		struct rdy_io *io[2];

		ok(rdy_events_new(16, &events));
		gives(rdy_events_capacity(events), 16);
		gives(rdy_events_next(events, &e), 0);
		ck_assert_uint_eq(e.token, 9);
		ok(rdy_unix_pair(&io[0], &io[1]));
		reg(&b, io[0], 0, RDY_WRITABLE);
		/* Any token is one. */
		reg(&b, io[1], UINT64_MAX, RDY_WRITABLE);
		gives(rdy_poll_wait(b.poll, events, 0), 2);
		gives(rdy_events_next(events, &e), 1);
		ck_assert_uint_eq(e.token, 0);
		gives(rdy_event_is_writable(&e), 1);
		gives(rdy_event_is_readable(&e), 0);
		gives(rdy_events_next(events, &e), 1);
		ck_assert_uint_eq(e.token, UINT64_MAX);
		gives(rdy_events_next(events, &e), 0);
		/* Forgotten before they were taken. */
		rereg(io[0], 0, RDY_WRITABLE);
		gives(rdy_poll_wait(b.poll, events, 0), 1);
		rdy_events_clear(events);
		gives(rdy_events_next(events, &e), 0);
		gives(rdy_events_capacity(events), 16);
		rdy_events_free(events);
		free_all(io, 2);
	}
}
END_TEST

struct carried {
	struct rdy_events *events;
	struct rdy_event event;
	int taken;
};

static void *take_there(void *p)
{
	struct carried *c = p;

	c->taken = rdy_events_next(c->events, &c->event);
	return NULL;
}

/* A batch filled here is taken there; an event is plain data. */
START_TEST(is_event_send_sync)
{
	for_each_variant(b)
	{
		struct carried c = {.events = b.events};
		struct rdy_event copy;
		int fd = an_eventfd(1);

		ok(rdy_poll_register(b.poll, fd, 4, RDY_READABLE, RDY_EDGE));
		gives(rdy_poll_wait(b.poll, b.events, 0), 1);
		elsewhere(take_there, &c);
		gives(c.taken, 1);
		copy = c.event;
		ck_assert_uint_eq(copy.token, 4);
		gives(rdy_event_is_readable(&copy), 1);
		shut(&fd);
	}
}
END_TEST

UNIT_MAIN("conformance/events", assert_event_source_implemented_for, events_all, is_event_send_sync)
