/* SPDX-License-Identifier: MIT */
/* Level, floods and deadlines in one agent, on every selector that has them. */
#include <poll.h>
#include <sys/eventfd.h>

#include "deadline.h"
#include "rig.h"

#define MS RDY__NS_PER_MS

static const uint32_t selectors[] = {CHANNEL_SELECTOR_EPOLL, CHANNEL_SELECTOR_POLL};
#define N_SELECTORS 2

static struct channel_config config_of(uint32_t selector)
{
	struct channel_config c = rig_config();

	c.selector = selector;
	return c;
}

static const struct registration *registration(uint64_t id)
{
	return registrations_at(&rig.agent.reactor.registrations, (uint32_t)(id >> 32));
}

static void say_deadline(int client, uint64_t id, int64_t at_ns, int64_t idle_ns)
{
	const struct wire_set_deadline d = {id, (uint64_t)at_ns, (uint64_t)idle_ns};
	uint8_t buf[64];

	wire_put_set_deadline(buf, 0, &d);
	say(client, buf, wire_put_header(buf, WIRE_SET_DEADLINE, 8, 1), NULL, 0);
}

static uint32_t set_deadline(int client, uint64_t id, int64_t at_ns, int64_t idle_ns)
{
	struct wire_result r;
	struct answer a;

	say_deadline(client, id, at_ns, idle_ns);
	expect_type(client, WIRE_DEADLINE_SET, &a);
	ck_assert_uint_eq(a.f.header.serial, 8);
	wire_get_result(&a.f, 0, &r);
	ck_assert_uint_eq(r.id, id);
	return r.error;
}

/* A TIMEOUT of these deadlines, and nothing else. */
static void expect_timeout(int client, uint64_t id, uint16_t which, uint32_t seq)
{
	struct wire_event e = expect_event(client);

	ck_assert_uint_eq(e.id, id);
	ck_assert_uint_eq(e.type, WIRE_EVENT_TIMEOUT);
	ck_assert_uint_eq(e.flags, 0);
	ck_assert_uint_eq(e.ready, which);
	ck_assert_uint_eq(e.seq, seq);
}

static void put(int fd)
{
	ck_assert_int_eq(write(fd, "x", 1), 1);
}

static void get(int fd)
{
	char c;

	ck_assert_int_eq(read(fd, &c, 1), 1);
}

START_TEST(level)
{
	for (int i = 0; i < N_SELECTORS; i++) {
		struct channel_config c = config_of(selectors[i]);
		struct wire_event e;
		int client, p[2];
		uint64_t id;

		rig_start(&c);
		client = rig_open();
		ck_assert_int_eq(pipe(p), 0);
		id = do_register(client, p[0], 7, WIRE_LEVEL, 0);
		put(p[1]);
		put(p[1]);
		e = expect_event(client);
		ck_assert_uint_eq(e.type, WIRE_EVENT_READY);
		ck_assert_uint_eq(e.flags, WIRE_EVENT_ACK);
		ck_assert_uint_eq(e.seq, 1);
		/* Not acknowledged: silence, whatever comes. */
		put(p[1]);
		nothing_but_pong(client);
		/* Acknowledged while it is up: again, as often as that. */
		for (uint32_t n = 1; n < 5; n++) {
			say_rearm(client, id, n);
			e = expect_event(client);
			ck_assert_uint_eq(e.seq, n + 1);
			ck_assert_uint_eq(e.flags, WIRE_EVENT_ACK);
		}
		/* Empty: the acknowledgement is followed by silence, and the next byte by an event. */
		for (int k = 0; k < 3; k++)
			get(p[0]);
		say_rearm(client, id, 5);
		nothing_but_pong(client);
		put(p[1]);
		ck_assert_uint_eq(expect_event(client).seq, 6);
		/* It may not begin silent, and a hangup comes though it is not acknowledged. */
		ck_assert_uint_eq(
			do_modify(client, id, WIRE_READABLE, WIRE_LEVEL, WIRE_REG_DISARMED),
			WIRE_E_FLAGS_INVALID);
		p[1] = rdy__fd_close(p[1]);
		e = expect_event(client);
		ck_assert(e.flags & WIRE_EVENT_ENDED);
		leave(client);
		p[0] = rdy__fd_close(p[0]);
		rig_stop();
	}
}
END_TEST

/* A client that did not ask for them hears so. */
START_TEST(not_negotiated)
{
	struct channel_config c = rig_config();
	struct wire_result r;
	struct answer a;
	uint8_t buf[128];
	const struct wire_hello h = {
		.version_min = 1, .version_max = 1, .features = WIRE_FEATURE_ONESHOT};
	int client, fd = eventfd(0, EFD_CLOEXEC);
	uint64_t id;

	rig_start(&c);
	client = rig_client_pidfd(-1);
	wire_put_hello(buf, &h);
	say(client, buf, wire_put_header(buf, WIRE_HELLO, 1, 1), NULL, 0);
	expect_type(client, WIRE_WELCOME, &a);
	r = try_register(client, fd, 1, WIRE_READABLE, WIRE_LEVEL, 0);
	ck_assert_uint_eq(r.error, WIRE_E_MODE_INVALID);
	ck_assert_uint_eq(r.detail, WIRE_LEVEL);
	id = do_register(client, fd, 1, WIRE_ONESHOT, 0);
	ck_assert_uint_eq(set_deadline(client, id, MS, 0), WIRE_E_DEADLINE_INVALID);
	ck_assert_uint_eq(registration(id)->deadline, 0);
	leave(client);
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

/* ---- floods ---- */

static void start_flooded(uint32_t rate, uint32_t burst)
{
	struct channel_config c = config_of(CHANNEL_SELECTOR_EPOLL);

	c.flood_rate = rate;
	c.flood_burst = burst;
	rig_start(&c);
}

/* Fires until an event says PAUSED; returns how many came before. */
static uint32_t flood(int client, int fd, uint32_t most)
{
	for (uint32_t n = 0; n < most; n++) {
		struct wire_event e;

		eventfd_write(fd, 1);
		e = expect_event(client);
		if (e.flags & WIRE_EVENT_PAUSED)
			return n;
		ck_assert_uint_eq(e.flags, 0);
	}
	ck_abort_msg("never paused");
}

START_TEST(a_flood_pauses)
{
	int client, fd, other;
	struct wire_event e;
	uint64_t id, calm;

	start_flooded(10, 5);
	client = rig_open();
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	other = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	id = do_register(client, fd, 1, WIRE_EDGE, 0);
	calm = do_register(client, other, 2, WIRE_EDGE, 0);
	ck_assert_uint_ge(flood(client, fd, 100), 5);
	ck_assert(registration(id)->flags & REGISTRATION_PAUSED);
	ck_assert_uint_eq(rig.agent.reactor.counters.paused, 1);
	/* Silent, and not even a wakeup; another one is not disturbed. */
	eventfd_write(fd, 1);
	nothing_but_pong(client);
	eventfd_write(other, 1);
	e = expect_event(client);
	ck_assert_uint_eq(e.id, calm);
	ck_assert_uint_eq(e.flags, 0);
	/* Nothing is lost: what was written meanwhile is reported when the bucket has room. */
	e = expect_event(client);
	ck_assert_uint_eq(e.id, id);
	ck_assert(e.ready & WIRE_READABLE);
	leave(client);
	rdy__fd_close(fd);
	rdy__fd_close(other);
	rig_stop();
}
END_TEST

/* While it is paused: MODIFY does not wake it, DEREGISTER ends it, its session may end; the timer is not left. */
START_TEST(paused_and_changed)
{
	int client, fd;
	uint64_t id;

	start_flooded(1, 2);
	client = rig_open();
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	id = do_register(client, fd, 1, WIRE_EDGE, 0);
	flood(client, fd, 100);
	ck_assert_uint_eq(do_modify(client, id, WIRE_READABLE, WIRE_EDGE, 0), WIRE_OK);
	ck_assert(registration(id)->flags & REGISTRATION_PAUSED);
	nothing_but_pong(client);
	ck_assert_uint_eq(do_deregister(client, id), WIRE_OK);
	ck_assert_uint_eq(rig.agent.reactor.flood.n_paused, 0);
	id = do_register(client, fd, 1, WIRE_EDGE, 0);
	ck_assert_uint_eq(expect_event(client).id, id); /* the level */
	flood(client, fd, 100);
	ck_assert_uint_eq(rig.agent.reactor.flood.n_paused, 1);
	leave(client);
	ck_assert_uint_eq(rig.agent.reactor.flood.n_paused, 0);
	rdy__fd_close(fd);
	rig_stop();
}
END_TEST

/* A hangup is told at once, paused or not. */
START_TEST(paused_and_hung_up)
{
	int client, sv[2];
	struct wire_event e;

	start_flooded(1, 2);
	client = rig_open();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	do_register(client, sv[0], 1, WIRE_EDGE, 0);
	do {
		put(sv[1]);
		e = expect_event(client);
	} while (!(e.flags & WIRE_EVENT_PAUSED));
	put(sv[1]);
	nothing_but_pong(client);
	sv[1] = rdy__fd_close(sv[1]);
	e = expect_event(client);
	ck_assert(e.flags & WIRE_EVENT_ENDED);
	ck_assert_uint_eq(rig.agent.reactor.flood.n_paused, 0);
	leave(client);
	sv[0] = rdy__fd_close(sv[0]);
	rig_stop();
}
END_TEST

START_TEST(no_bound)
{
	int client, fd;

	start_flooded(0, 1);
	client = rig_open();
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	do_register(client, fd, 1, WIRE_EDGE, 0);
	for (uint32_t i = 1; i <= 3000; i++) {
		struct wire_event e;

		eventfd_write(fd, 1);
		e = expect_event(client);
		ck_assert_uint_eq(e.flags, 0);
		ck_assert_uint_eq(e.seq, i);
	}
	leave(client);
	rdy__fd_close(fd);
	rig_stop();
}
END_TEST

/* ---- deadlines ---- */

START_TEST(at)
{
	for (int i = 0; i < N_SELECTORS; i++) {
		struct channel_config c = config_of(selectors[i]);
		int client, fd;
		uint64_t id;

		rig_start(&c);
		client = rig_open();
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		id = do_register(client, fd, 1, WIRE_ONESHOT, 0);
		ck_assert_uint_eq(set_deadline(client, id, 5 * MS, 0), WIRE_OK);
		expect_timeout(client, id, WIRE_TIMEOUT_AT, 0);
		/* Once; it is still armed. */
		nothing_but_pong(client);
		eventfd_write(fd, 1);
		ck_assert_uint_eq(expect_event(client).seq, 1);
		/* While it is disarmed, too; and a REARM that crosses it is not stale. */
		ck_assert_uint_eq(set_deadline(client, id, 1, 0), WIRE_OK);
		expect_timeout(client, id, WIRE_TIMEOUT_AT, 1);
		say_rearm(client, id, 1);
		ck_assert_uint_eq(expect_event(client).seq, 2);
		/* Taken back. */
		ck_assert_uint_eq(set_deadline(client, id, 3600 * RDY__NS_PER_S, 0), WIRE_OK);
		ck_assert_uint_ne(registration(id)->deadline, 0);
		ck_assert_uint_eq(set_deadline(client, id, 0, 0), WIRE_OK);
		ck_assert_uint_eq(registration(id)->deadline, 0);
		leave(client);
		rdy__fd_close(fd);
		rig_stop();
	}
}
END_TEST

START_TEST(idle)
{
	struct channel_config c = rig_config();
	int64_t began_ns;
	int client, fd;
	uint64_t id;

	rig_start(&c);
	client = rig_open();
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	id = do_register(client, fd, 1, WIRE_EDGE, 0);
	began_ns = rdy__now_ns();
	ck_assert_uint_eq(set_deadline(client, id, 0, 40 * MS), WIRE_OK);
	expect_timeout(client, id, WIRE_TIMEOUT_IDLE, 0);
	ck_assert_int_ge(rdy__now_ns() - began_ns, 40 * MS);
	/* Once for each silence. */
	nothing_but_pong(client);
	ck_assert_int_eq(deadline_idle_at_ns(deadline_of(&rig.agent.reactor, registration(id))), 0);
	/* Readiness starts it again and moves it away. */
	eventfd_write(fd, 1);
	ck_assert_uint_eq(expect_event(client).type, WIRE_EVENT_READY);
	began_ns = rdy__now_ns();
	eventfd_write(fd, 1);
	ck_assert_uint_eq(expect_event(client).type, WIRE_EVENT_READY);
	expect_timeout(client, id, WIRE_TIMEOUT_IDLE, 2);
	ck_assert_int_ge(rdy__now_ns() - began_ns, 40 * MS);
	leave(client);
	rdy__fd_close(fd);
	rig_stop();
}
END_TEST

/* Both at once are one event, beside the readiness that waits, and there is one place in the queue for all. */
START_TEST(merged)
{
	struct channel_config c = rig_config();
	struct session *s;
	struct wire_event e;
	struct answer a;
	int client, fd;
	uint64_t id;

	rig_start(&c);
	client = rig_open();
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	id = do_register(client, fd, 1, WIRE_EDGE, 0);
	s = rig.agent.reactor.sessions[0];
	s->blocked = true; /* as if the client did not read */
	ck_assert_int_eq(deadline_set(&rig.agent.reactor, (uint32_t)(id >> 32), rdy__now_ns() + 1,
				 1, rdy__now_ns()),
		0);
	eventfd_write(fd, 1);
	for (int i = 0; i < RIG_ROUNDS && registration(id)->timeouts != 3; i++)
		rig_turn();
	ck_assert_uint_eq(registration(id)->timeouts, WIRE_TIMEOUT_AT | WIRE_TIMEOUT_IDLE);
	ck_assert_uint_eq(registration(id)->pending, WIRE_READABLE);
	s->blocked = false;
	session_want_output(s);
	expect_type(client, WIRE_EVENTS, &a);
	ck_assert_uint_eq(a.f.header.count, 2);
	wire_get_event(&a.f, 0, &e);
	ck_assert_uint_eq(e.type, WIRE_EVENT_TIMEOUT);
	ck_assert_uint_eq(e.ready, WIRE_TIMEOUT_AT | WIRE_TIMEOUT_IDLE);
	ck_assert_uint_eq(e.seq, 0);
	wire_get_event(&a.f, 1, &e);
	ck_assert_uint_eq(e.type, WIRE_EVENT_READY);
	ck_assert_uint_eq(e.seq, 1);
	leave(client);
	rdy__fd_close(fd);
	rig_stop();
}
END_TEST

/* Invariant: DEADLINE-2 */
START_TEST(replaced)
{
	struct channel_config c = rig_config();
	struct wire_event e;
	struct session *s;
	struct answer a;
	int client, fd;
	uint64_t id;

	rig_start(&c);
	client = rig_open();
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	id = do_register(client, fd, 1, WIRE_EDGE, 0);
	s = rig.agent.reactor.sessions[0];
	/* With readiness in the queue beside it, and alone. */
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(set_deadline(client, id, 1, 1), WIRE_OK);
		s->blocked = true; /* as if the client did not read */
		for (int k = 0; k < RIG_ROUNDS && registration(id)->timeouts != 3; k++)
			rig_turn();
		ck_assert_uint_eq(registration(id)->timeouts, 3);
		if (i == 0) {
			eventfd_write(fd, 1);
			for (int k = 0; k < RIG_ROUNDS && !registration(id)->pending; k++)
				rig_turn();
		}
		say_deadline(client, id, 3600 * RDY__NS_PER_S, 0);
		for (int k = 0; k < RIG_ROUNDS && registration(id)->timeouts; k++)
			rig_turn();
		s->blocked = false;
		session_want_output(s);
		expect_type(client, WIRE_DEADLINE_SET, &a);
		if (i == 0) {
			e = expect_event(client);
			ck_assert_uint_eq(e.type, WIRE_EVENT_READY);
			ck_assert_uint_eq(e.seq, 1);
		}
		ck_assert_uint_eq(s->ready.n, 0);
		nothing_but_pong(client);
	}
	leave(client);
	rdy__fd_close(fd);
	rig_stop();
}
END_TEST

/* In a pause nobody looks: that is no silence of the descriptor's. */
START_TEST(paused_is_not_idle)
{
	int client, fd;
	uint64_t id;

	start_flooded(1, 2);
	client = rig_open();
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	id = do_register(client, fd, 1, WIRE_EDGE, 0);
	flood(client, fd, 100);
	ck_assert_uint_eq(set_deadline(client, id, 0, 10 * MS), WIRE_OK);
	for (int64_t end_ns = rdy__now_ns() + 60 * MS; rdy__now_ns() < end_ns;)
		rig_turn();
	ck_assert(registration(id)->flags & REGISTRATION_PAUSED);
	nothing_but_pong(client);
	/* It goes on; what was written before is reported, and then there is silence. */
	ck_assert_uint_eq(expect_event(client).type, WIRE_EVENT_READY);
	ck_assert_uint_eq(expect_event(client).type, WIRE_EVENT_TIMEOUT);
	leave(client);
	rdy__fd_close(fd);
	rig_stop();
}
END_TEST

START_TEST(deadlines_refused)
{
	struct channel_config c = rig_config();
	int client, other, fd;
	uint64_t id;

	rig_start(&c);
	client = rig_open();
	other = rig_open();
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	id = do_register(client, fd, 1, WIRE_EDGE, 0);
	ck_assert_uint_eq(set_deadline(client, id, (int64_t)WIRE_DEADLINE_MAX_NS + 1, 0),
		WIRE_E_DEADLINE_INVALID);
	ck_assert_uint_eq(set_deadline(client, id, 0, -1), WIRE_E_DEADLINE_INVALID);
	ck_assert_uint_eq(set_deadline(client, id, (int64_t)WIRE_DEADLINE_MAX_NS, 0), WIRE_OK);
	/* Another session's is as unknown as one that never was. */
	ck_assert_uint_eq(set_deadline(other, id, MS, 0), WIRE_E_REGISTRATION_UNKNOWN);
	ck_assert_uint_eq(set_deadline(client, id + 1, MS, 0), WIRE_E_REGISTRATION_UNKNOWN);
	ck_assert_uint_eq(do_deregister(client, id), WIRE_OK);
	ck_assert_uint_eq(set_deadline(client, id, MS, 0), WIRE_E_REGISTRATION_UNKNOWN);
	leave(client);
	leave(other);
	rdy__fd_close(fd);
	rig_stop();
}
END_TEST

/* Hundreds of them, ended in every way; the next user of a slot has none, and no timer is left. */
START_TEST(many_deadlines)
{
	enum { N = 300 };
	struct channel_config c = rig_config();
	uint64_t ids[N];
	int client, fd;

	rig_start(&c);
	client = rig_open();
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (int i = 0; i < N; i++) {
		ids[i] = do_register(client, fd, (uint64_t)i, WIRE_EDGE, 0);
		ck_assert_uint_eq(
			set_deadline(client, ids[i], 3600 * RDY__NS_PER_S, MS * 3600), WIRE_OK);
	}
	for (int i = 0; i < N; i += 2)
		ck_assert_uint_eq(do_deregister(client, ids[i]), WIRE_OK);
	for (int i = 0; i < N; i += 2) {
		ids[i] = do_register(client, fd, (uint64_t)i, WIRE_EDGE, 0);
		ck_assert_uint_eq(registration(ids[i])->deadline, 0);
	}
	leave(client);
	for (uint32_t i = 0; i < rig.agent.reactor.deadlines.n; i++)
		ck_assert_ptr_null(rig.agent.reactor.deadlines.rows[i].timer);
	rdy__fd_close(fd);
	rig_stop();
}
END_TEST

UNIT_MAIN("agent/modes", level, not_negotiated, a_flood_pauses, paused_and_changed,
	paused_and_hung_up, no_bound, at, idle, merged, replaced, paused_is_not_idle,
	deadlines_refused, many_deadlines)
