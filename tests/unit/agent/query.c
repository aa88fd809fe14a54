/* SPDX-License-Identifier: MIT */
/* Questions of the supervisor: rows of every kind, pages, and lists that change while they are read. */
#include "query.h"

#include <sys/eventfd.h>

#include "outbox.h"
#include "reactors.h"
#include "rig.h"

#define ROWS_MAX 16384u

/* What a list has said, as one array. */
static struct {
	uint32_t n, pages, empty;
	union {
		struct channel_row_reactor reactors[ROWS_MAX];
		struct channel_row_session sessions[ROWS_MAX];
		struct channel_row_registration registrations[ROWS_MAX];
	} u;
} said;

static uint32_t last_query;

static void start_with(uint32_t reactors)
{
	struct channel_config config = rig_config();

	config.reactors = reactors;
	config.sessions = 64;
	config.registrations = config.registrations_session = 4096;
	rig_start(&config);
}

static void ask(uint32_t kind, uint64_t session, uint64_t cursor, uint32_t rows_max)
{
	const struct channel_message m = {
		.type = CHANNEL_QUERY,
		.u.query = {.cursor = cursor,
			.session = session,
			.query = ++last_query,
			.kind = kind,
			.rows_max = rows_max},
	};

	rig_send(&m, NULL, 0);
}

/* One page behind what was said; returns the cursor of the next. */
static uint64_t hear_page(uint32_t kind, uint32_t rows_max)
{
	struct channel_message m = rig_hear();
	size_t n = channel_row_bytes(kind);

	ck_assert_uint_eq(m.type, CHANNEL_ROWS);
	ck_assert_uint_eq(m.u.rows.query, last_query);
	ck_assert_uint_eq(m.u.rows.kind, kind);
	ck_assert_uint_le(m.u.rows.n_rows, rows_max);
	ck_assert_uint_le(said.n + m.u.rows.n_rows, ROWS_MAX);
	if (m.n_data)
		memcpy((uint8_t *)&said.u + said.n * n, m.data, m.n_data);
	said.n += m.u.rows.n_rows;
	said.pages++;
	said.empty += m.u.rows.n_rows == 0;
	return m.u.rows.next_cursor;
}

static uint64_t page(uint32_t kind, uint64_t session, uint64_t cursor, uint32_t rows_max)
{
	ask(kind, session, cursor, rows_max);
	return hear_page(kind, rows_max);
}

/* The whole list. */
static void list(uint32_t kind, uint64_t session, uint32_t rows_max)
{
	uint64_t cursor = 0;

	memset(&said, 0, sizeof(said));
	do {
		cursor = page(kind, session, cursor, rows_max);
		ck_assert_uint_lt(said.pages, 100000);
	} while (cursor);
}

/* Registrations with the cookies from..from+n-1, all of the same descriptor. */
static void register_some(int client, int fd, uint64_t from, uint32_t n)
{
	while (n) {
		uint8_t buf[WIRE_FRAME_MAX];
		int fds[WIRE_BATCH_MAX];
		struct answer a;
		uint32_t k = n < WIRE_BATCH_MAX ? n : WIRE_BATCH_MAX;

		for (uint32_t i = 0; i < k; i++) {
			const struct wire_register q = {.cookie = from + i,
				.interest = WIRE_READABLE,
				.mode = WIRE_ONESHOT};

			wire_put_register(buf, i, &q);
			fds[i] = fd;
		}
		say(client, buf, wire_put_header(buf, WIRE_REGISTER, 2, k), fds, k);
		expect_type(client, WIRE_REGISTERED, &a);
		for (uint32_t i = 0; i < k; i++) {
			struct wire_result r;

			wire_get_result(&a.f, i, &r);
			ck_assert_uint_eq(r.error, WIRE_OK);
		}
		from += k;
		n -= k;
	}
}

/* How often each cookie below n was listed. */
static void count_cookies(uint8_t *ret_counts, size_t n)
{
	memset(ret_counts, 0, n);
	for (uint32_t i = 0; i < said.n; i++) {
		ck_assert_uint_lt(said.u.registrations[i].cookie, n);
		ret_counts[said.u.registrations[i].cookie]++;
	}
}

START_TEST(nothing)
{
	start_with(1);
	list(CHANNEL_ROWS_SESSIONS, 0, 1);
	ck_assert_uint_eq(said.n, 0);
	list(CHANNEL_ROWS_REGISTRATIONS, 0, 256);
	ck_assert_uint_eq(said.n, 0);
	list(CHANNEL_ROWS_REGISTRATIONS, 4711, 256);
	ck_assert_uint_eq(said.n, 0);
	list(CHANNEL_ROWS_REACTORS, 0, 64);
	ck_assert_uint_eq(said.n, 1);
	ck_assert_uint_eq(said.pages, 1);
	ck_assert_uint_eq(said.u.reactors[0].n_descriptors, rig.used);
	rig_stop();
}
END_TEST

START_TEST(reactors)
{
	int clients[6], fd = eventfd(0, 0);

	start_with(3);
	for (int i = 0; i < 6; i++)
		clients[i] = rig_open();
	register_some(clients[1], fd, 0, 5);
	list(CHANNEL_ROWS_REACTORS, 0, 64);
	ck_assert_uint_eq(said.pages, 1);
	ck_assert_uint_eq(said.n, 3);
	for (uint32_t i = 0; i < 3; i++) {
		const struct channel_row_reactor *r = &said.u.reactors[i];

		ck_assert_uint_eq(r->reactor, i);
		ck_assert_uint_eq(r->n_sessions, 2);
		ck_assert_uint_eq(r->n_registrations, i == 1 ? 5 : 0);
		ck_assert_uint_eq(r->requests, i == 1 ? 3 : 2);
		ck_assert_uint_gt(r->wakeups, 0);
		ck_assert_uint_eq(r->events, 0);
		ck_assert_uint_eq(r->surprises, 0);
		ck_assert_uint_eq(r->n_descriptors, atomic_load(&rig.agent.descriptors.used));
	}
	/* In pages of one, too. */
	list(CHANNEL_ROWS_REACTORS, 0, 1);
	ck_assert_uint_eq(said.n, 3);
	ck_assert_uint_eq(said.pages, 3);
	for (int i = 0; i < 6; i++)
		leave(clients[i]);
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

static const struct channel_row_session *row_of(uint64_t session)
{
	for (uint32_t i = 0; i < said.n; i++)
		if (said.u.sessions[i].session == session)
			return &said.u.sessions[i];
	ck_abort_msg("no such session");
}

/* Until a session's socket is full. */
static void clog_up(uint64_t session, int client)
{
	uint8_t buf[64];

	for (int i = 0; i < 10000; i++) {
		wire_put_ping(buf, 7);
		if (rdy__send_fds(client, buf, wire_put_header(buf, WIRE_PING, 6, 1), NULL, 0) < 0)
			rig_turn();
		if (i % 16)
			continue;
		list(CHANNEL_ROWS_SESSIONS, session, 256);
		ck_assert_uint_eq(said.n, 1);
		if (said.u.sessions[0].flags & CHANNEL_SESSION_PAUSED)
			return;
	}
	ck_abort_msg("never full");
}

/* Has it had so many events? */
static bool said_events(uint64_t session, uint64_t n)
{
	list(CHANNEL_ROWS_SESSIONS, session, 256);
	return said.n == 1 && said.u.sessions[0].events == n;
}

START_TEST(sessions)
{
	struct channel_config config = rig_config();
	int fd = eventfd(0, 0), quiet, busy, clogged, ready;
	const struct channel_row_session *s;
	int64_t before = rdy__now_ns();
	const uint64_t one = 1;

	config.send_buffer_bytes = 1;
	rig_start(&config);
	quiet = rig_client_pidfd(-1); /* no HELLO */
	busy = rig_open();
	clogged = rig_open();
	register_some(busy, fd, 100, 3);
	do_register(clogged, fd, 1, WIRE_EDGE, 0);
	clog_up(3, clogged);
	ready = eventfd(0, 0);
	do_register(busy, ready, 5, WIRE_EDGE, 0);
	ck_assert_int_eq(write(ready, &one, sizeof(one)), sizeof(one));
	expect_event(busy);
	ck_assert_int_eq(write(fd, &one, sizeof(one)), sizeof(one));
	for (int i = 0; i < RIG_ROUNDS && !said_events(2, 4); i++)
		rig_turn();
	list(CHANNEL_ROWS_SESSIONS, 0, 256);
	ck_assert_uint_eq(said.n, 3);
	s = row_of(1);
	ck_assert_uint_eq(s->flags, CHANNEL_SESSION_NEW);
	ck_assert_int_eq(s->pid, 4711);
	ck_assert_str_eq(s->name, "");
	ck_assert_uint_eq(s->requests, 0);
	ck_assert_int_ge(s->since_ns, before);
	ck_assert_int_le(s->since_ns, rdy__now_ns());
	s = row_of(2);
	ck_assert_uint_eq(s->flags, 0);
	ck_assert_str_eq(s->name, "a test");
	ck_assert_uint_eq(s->n_registrations, 4);
	ck_assert_uint_eq(s->requests, 3); /* HELLO, two REGISTER */
	ck_assert_uint_eq(s->events, 4);
	ck_assert_uint_eq(s->n_ready, 0);
	ck_assert_int_eq(s->blocked_ns, 0);
	s = row_of(3);
	ck_assert_uint_eq(s->flags, CHANNEL_SESSION_BLOCKED | CHANNEL_SESSION_PAUSED);
	ck_assert_uint_ge(s->n_unanswered, WIRE_UNANSWERED_MAX);
	ck_assert_uint_eq(s->n_ready, 1);
	ck_assert_int_gt(s->blocked_ns, s->since_ns);
	ck_assert_int_le(s->blocked_ns, rdy__now_ns());
	/* One of them. */
	list(CHANNEL_ROWS_SESSIONS, 2, 256);
	ck_assert_uint_eq(said.n, 1);
	ck_assert_uint_eq(said.u.sessions[0].session, 2);
	list(CHANNEL_ROWS_SESSIONS, 17, 256);
	ck_assert_uint_eq(said.n, 0);
	leave(quiet);
	leave(busy);
	leave(clogged);
	rdy__fd_close(ready);
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

START_TEST(registrations)
{
	int client, events = eventfd(0, 0), pipes[2];
	const struct channel_row_registration *r = said.u.registrations;
	const uint64_t one = 1;
	uint64_t ids[2];

	start_with(1);
	client = rig_open();
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
	ids[0] = do_register(client, events, 11, WIRE_ONESHOT, 0);
	ids[1] = do_register(client, pipes[0], 12, WIRE_EDGE, WIRE_REG_KEEP);
	ck_assert_int_eq(write(events, &one, sizeof(one)), sizeof(one));
	expect_event(client);
	list(CHANNEL_ROWS_REGISTRATIONS, 0, 256);
	ck_assert_uint_eq(said.n, 2);
	for (uint32_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(r[i].session, rig.last);
		ck_assert_uint_eq(r[i].id, ids[i]);
		ck_assert_uint_eq(r[i].cookie, 11 + i);
		ck_assert_int_ge(r[i].fd, 0);
		ck_assert_uint_eq(r[i].seq, i == 0);
		ck_assert_uint_eq(r[i].interest, WIRE_READABLE);
		ck_assert_uint_eq(r[i].pending, 0);
		ck_assert_uint_eq(r[i].mode, i == 0 ? WIRE_ONESHOT : WIRE_EDGE);
		ck_assert_uint_eq(r[i].kind, i == 0 ? WIRE_KIND_EVENTFD : WIRE_KIND_PIPE);
		ck_assert_uint_eq(r[i].flags, i == 0 ? 0 : CHANNEL_REGISTRATION_KEEP);
		ck_assert_int_eq(r[i].at_ns, 0);
		ck_assert_int_eq(r[i].idle_ns, 0);
	}
	say_rearm(client, ids[0], 1);
	expect_event(client);
	ck_assert_int_eq(read(events, &ids[0], sizeof(ids[0])), sizeof(ids[0]));
	say_rearm(client, r[0].id, 2);
	nothing_but_pong(client);
	list(CHANNEL_ROWS_REGISTRATIONS, rig.last, 256);
	ck_assert_uint_eq(said.n, 2);
	ck_assert_uint_eq(r[0].flags, CHANNEL_REGISTRATION_ARMED);
	leave(client);
	close_pair(pipes);
	rig_stop();
	rdy__fd_close(events);
}
END_TEST

/* Whatever the size of a page, and wherever the rows are: each exactly once. */
START_TEST(pages)
{
	static const uint32_t sizes[] = {1, 7, 255, 256};
	enum { N = 4, EACH = 300 };
	int clients[N], fd = eventfd(0, 0);
	uint8_t counts[N * EACH];

	start_with(3);
	for (int i = 0; i < N; i++) {
		clients[i] = rig_open();
		register_some(clients[i], fd, (uint64_t)i * EACH, EACH);
	}
	for (size_t k = 0; k < 4; k++) {
		list(CHANNEL_ROWS_REGISTRATIONS, 0, sizes[k]);
		ck_assert_uint_eq(said.n, N * EACH);
		ck_assert_uint_le(said.pages, N * EACH / sizes[k] + 1);
		count_cookies(counts, sizeof(counts));
		for (int i = 0; i < N * EACH; i++)
			ck_assert_uint_eq(counts[i], 1);
		list(CHANNEL_ROWS_SESSIONS, 0, sizes[k]);
		ck_assert_uint_eq(said.n, N);
		/* One session's, of a reactor that has others, too (the fourth is in the first's). */
		list(CHANNEL_ROWS_REGISTRATIONS, 4, sizes[k]);
		ck_assert_uint_eq(said.n, EACH);
		for (uint32_t i = 0; i < EACH; i++)
			ck_assert_uint_eq(said.u.registrations[i].session, 4);
	}
	for (int i = 0; i < N; i++)
		leave(clients[i]);
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

/*
 * Invariant: QUERY-1
 * Between two pages registrations and sessions come and go, which gives slots to others: what was there all the
 * time is listed once, and the list ends.
 */
START_TEST(changes_between_pages)
{
	enum { N = 600 };
	int stays, goes, comes = -1, fd = eventfd(0, 0);
	uint8_t counts[4 * N];
	uint64_t cursor = 0;
	uint32_t next = N;

	start_with(2);
	goes = rig_open();
	stays = rig_open();
	register_some(goes, fd, 3 * N, N);
	register_some(stays, fd, 0, N);
	memset(&said, 0, sizeof(said));
	do {
		cursor = page(CHANNEL_ROWS_REGISTRATIONS, 0, cursor, 50);
		/* One in ten that was listed goes, another one comes. */
		for (uint32_t i = said.n >= 50 ? said.n - 50 : 0; i < said.n; i += 10) {
			if (said.u.registrations[i].cookie >= N ||
				said.u.registrations[i].cookie % 10)
				continue;
			ck_assert_uint_eq(
				do_deregister(stays, said.u.registrations[i].id), WIRE_OK);
			register_some(stays, fd, next++, 1);
		}
		if (said.pages == 3) {
			leave(goes);
			comes = rig_open();
			register_some(comes, fd, 2 * N, N / 2);
		}
		ck_assert_uint_lt(said.pages, 200);
	} while (cursor);
	count_cookies(counts, sizeof(counts));
	for (uint32_t i = 0; i < N; i++)
		if (i % 10)
			ck_assert_uint_eq(counts[i], 1);
	for (uint32_t i = 0; i < 4 * N; i++)
		ck_assert_uint_le(counts[i], 1);
	leave(stays);
	leave(comes);
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

/* An almost empty table is gone through in pages without rows. */
START_TEST(an_empty_table)
{
	enum { N = 9000 };
	struct channel_config config = rig_config();
	int client, fd = eventfd(0, 0);
	struct wire_result r;
	struct answer a;
	uint8_t buf[64];

	config.registrations = config.registrations_session = N;
	rig_start(&config);
	client = rig_open();
	register_some(client, fd, 0, N);
	/* All but the last one go. */
	list(CHANNEL_ROWS_REGISTRATIONS, 0, 256);
	for (uint32_t i = 0; i + 1 < said.n; i++) {
		wire_put_deregister(buf, 0, said.u.registrations[i].id);
		say(client, buf, wire_put_header(buf, WIRE_DEREGISTER, 4, 1), NULL, 0);
		expect_type(client, WIRE_DEREGISTERED, &a);
		wire_get_result(&a.f, 0, &r);
		ck_assert_uint_eq(r.error, WIRE_OK);
	}
	list(CHANNEL_ROWS_REGISTRATIONS, 0, 256);
	ck_assert_uint_eq(said.n, 1);
	ck_assert_uint_eq(said.u.registrations[0].cookie, N - 1);
	ck_assert_uint_eq(said.pages, N / QUERY_SLOTS_MAX + 1);
	leave(client);
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

/* Whatever stands in a cursor: an answer comes, and a list from there ends. */
START_TEST(any_cursor)
{
	static const uint64_t cursors[] = {1, 2, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX,
		UINT64_C(1) << 63, (UINT64_C(1) << 63) - 1, (UINT64_C(1) << 63) + 5,
		(UINT64_C(1) << 63) | UINT32_MAX, (UINT64_C(1) << 63) | UINT64_C(2) << 32,
		(UINT64_C(1) << 63) | UINT64_C(1) << 32 | UINT32_MAX};
	uint64_t random = 88172645463325252u;
	int clients[2], fd = eventfd(0, 0);

	start_with(2);
	for (int i = 0; i < 2; i++) {
		clients[i] = rig_open();
		register_some(clients[i], fd, (uint64_t)i * 10, 10);
	}
	for (uint32_t i = 0; i < 300; i++) {
		uint64_t cursor = random;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		if (i < sizeof(cursors) / sizeof(cursors[0]))
			cursor = cursors[i];
		memset(&said, 0, sizeof(said));
		for (int k = 0; k < 100 && (cursor || !said.pages); k++)
			cursor = page(CHANNEL_ROWS_REACTORS + i % 3, i % 2, cursor, 1 + i % 5);
		ck_assert_uint_eq(cursor, 0);
		ck_assert_uint_le(said.n, 20);
	}
	leave(clients[0]);
	leave(clients[1]);
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

/* Whoever asks and does not read gets no page, and who asks without end is not our supervisor. */
START_TEST(nobody_reads)
{
	uint32_t before = last_query;
	int client, fd = eventfd(0, 0), status;

	rig_mark();
	start_with(1);
	client = rig_open();
	register_some(client, fd, 0, 1000);
	memset(&said, 0, sizeof(said));
	for (int i = 0; i < 200 && outbox_is_free(&rig.agent); i++) {
		ask(CHANNEL_ROWS_REGISTRATIONS, 0, 0, 256);
		rig_turn();
	}
	ck_assert_uint_eq(rig.agent.outbox.n, 1);
	/* A page waits: the next ones are not even made. */
	for (uint32_t i = 0; i < QUERIES_MAX; i++)
		ask(CHANNEL_ROWS_REGISTRATIONS, 0, 0, 256);
	for (int i = 0; i < 5; i++)
		rig_turn();
	ck_assert_uint_eq(rig.agent.outbox.n, 1);
	ck_assert_uint_eq(rig.agent.queries.n, QUERIES_MAX);
	/* Reading helps: every answer comes, in order. */
	for (uint32_t i = before; i < last_query; i++) {
		struct channel_message m = rig_hear();

		ck_assert_uint_eq(m.type, CHANNEL_ROWS);
		ck_assert_uint_eq(m.u.rows.query, i + 1);
		ck_assert_uint_eq(m.u.rows.n_rows, 256);
	}
	ck_assert_uint_eq(rig.agent.queries.n, 0);
	for (int i = 0; i < 200 && outbox_is_free(&rig.agent); i++) {
		ask(CHANNEL_ROWS_REGISTRATIONS, 0, 0, 256);
		rig_turn();
	}
	for (uint32_t i = 0; i <= QUERIES_MAX; i++)
		ask(CHANNEL_ROWS_REGISTRATIONS, 0, 0, 256);
	for (int i = 0; i < RIG_ROUNDS && !atomic_load(&rig.agent.done); i++)
		rig_turn();
	ck_assert_int_eq(atomic_load(&rig.agent.status), EXIT_FAILURE);
	agent_deinit(&rig.agent);
	rdy__fd_close(rig.channel);
	ck_assert_int_eq(waitpid(rig.closer, &status, 0), rig.closer);
	rdy__fd_close(client);
	rdy__fd_close(fd);
	rig_sweep();
}
END_TEST

/* What was asked by a supervisor that is not there any more. */
START_TEST(another_supervisor)
{
	const struct channel_message adopt = {.type = CHANNEL_ADOPT, .u.adopt = {.epoch = 5}};
	int clients[2];

	start_with(2);
	for (int i = 0; i < 2; i++)
		clients[i] = rig_open();
	for (int i = 0; i < 8; i++)
		ask(CHANNEL_ROWS_SESSIONS, 0, 0, 256);
	rig_send(&adopt, NULL, 0);
	for (struct channel_message m = rig_hear(); m.type != CHANNEL_SNAPSHOT; m = rig_hear())
		ck_assert_uint_eq(m.type, CHANNEL_ROWS);
	for (int i = 0; i < 2; i++)
		rig_expect(CHANNEL_SNAPSHOT_SESSION);
	/* The next answer is that of the next question. */
	list(CHANNEL_ROWS_SESSIONS, 0, 256);
	ck_assert_uint_eq(said.n, 2);
	for (int i = 0; i < RIG_ROUNDS && rig.agent.queries.n; i++)
		rig_turn();
	ck_assert_uint_eq(rig.agent.queries.n, 0);
	leave(clients[0]);
	leave(clients[1]);
	rig_stop();
}
END_TEST

/* While reactors are parked the main thread answers for them; while they are on their way there it waits. */
START_TEST(parked)
{
	int clients[4], fd = eventfd(0, 0);

	start_with(4);
	for (int i = 0; i < 4; i++) {
		clients[i] = rig_open();
		register_some(clients[i], fd, (uint64_t)i * 100, 100);
	}
	park_ask(&rig.agent);
	list(CHANNEL_ROWS_REGISTRATIONS, 0, 256);
	ck_assert(park_is_full(&rig.agent));
	ck_assert_uint_eq(said.n, 400);
	list(CHANNEL_ROWS_REACTORS, 0, 64);
	ck_assert_uint_eq(said.n, 4);
	park_open(&rig.agent);
	list(CHANNEL_ROWS_SESSIONS, 0, 256);
	ck_assert_uint_eq(said.n, 4);
	for (int i = 0; i < 4; i++)
		leave(clients[i]);
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

UNIT_MAIN("agent/query", nothing, reactors, sessions, registrations, pages, changes_between_pages,
	an_empty_table, any_cursor, nobody_reads, another_supervisor, parked)
