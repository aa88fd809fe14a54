/* SPDX-License-Identifier: MIT */
/*
 * A handover between two agents in this process, and each of the two against a test that plays the other one.
 */
#include <sys/eventfd.h>

#include "handover.h"
#include "reactors.h"
#include "rig.h"

#define CLIENTS 3
#define SILENT 100u

static struct agent fresh;
static int fresh_channel;
static pid_t fresh_closer;

static void start(uint32_t n_reactors, uint32_t quota)
{
	struct channel_config config = rig_config();

	config.reactors = n_reactors;
	config.sessions = 64;
	config.registrations = quota;
	rig_start(&config);
}

/* Of a smaller configuration than its predecessor. */
static void start_fresh(void)
{
	struct channel_config config = rig_config();
	int channel[2], link[2];

	config.registrations = 3;
	rig_pair(channel);
	rig_pair(link);
	fresh_closer = rig_closer(link[1]);
	rdy__fd_close(link[1]);
	fresh_channel = channel[0];
	ck_assert_int_eq(agent_init(&fresh, &config, channel[1], link[0], RIG_NOBODY), 0);
	agent_hello(&fresh);
	rig_other = &fresh;
}

static void stop_fresh(void)
{
	int status;

	rig_other = NULL;
	agent_deinit(&fresh);
	rdy__fd_close(fresh_channel);
	ck_assert_int_eq(waitpid(fresh_closer, &status, 0), fresh_closer);
	ck_assert_int_eq(status, 0);
}

static struct channel_message hear_fresh(void)
{
	int before = rig.channel;
	struct channel_message m;

	rig.channel = fresh_channel;
	m = rig_hear();
	rig.channel = before;
	return m;
}

static void send_fresh(uint32_t type, int take_link)
{
	const struct channel_message m = {.type = type};
	int before = rig.channel;

	rig.channel = fresh_channel;
	rig_send(&m, &take_link, 1);
	rig.channel = before;
	rdy__fd_close(take_link);
}

static void send_old(uint32_t type, int take_link)
{
	const struct channel_message m = {.type = type};

	rig_send(&m, &take_link, 1);
	rdy__fd_close(take_link);
}

static void fire(int fd)
{
	const uint64_t one = 1;

	ck_assert_int_eq(write(fd, &one, sizeof(one)), sizeof(one));
}

static int event_fd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* The old one has nothing of them any more, and has closed every descriptor of theirs. */
static void forgotten(void)
{
	uint32_t more = (rig.agent.n_reactors - 1) * rig.agent.reactor_descriptors;

	for (int i = 0; i < RIG_ROUNDS && link_sender_pending(&rig.agent.link); i++)
		rig_turn();
	ck_assert_uint_eq(rig.agent.n_sessions, 0);
	ck_assert_uint_eq(rig.agent.roster.n, 0);
	ck_assert_uint_eq(atomic_load(&rig.agent.registrations.used), 0);
	ck_assert_uint_eq(atomic_load(&rig.agent.descriptors.used), rig.used + more);
}

/* ---- from agent to agent ---- */

static void between(uint32_t n_reactors)
{
	int clients[CLIENTS], greeting, fds[CLIENTS], link[2];
	uint64_t ids[CLIENTS], dead;
	uint8_t buf[128];
	struct answer a;

	start(n_reactors, 1024);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		clients[i] = rig_open();
		fds[i] = event_fd();
		dead = do_register(clients[i], fds[i], 1, WIRE_ONESHOT, 0);
		ck_assert_uint_eq(do_deregister(clients[i], dead), WIRE_OK);
		ids[i] = do_register(clients[i], fds[i], 1, WIRE_ONESHOT, 0);
	}
	/* One that has not said anything. */
	greeting = rig_client_pidfd(-1);
	start_fresh();
	ck_assert_uint_eq(hear_fresh().type, CHANNEL_HELLO);
	rig_pair(link);
	send_fresh(CHANNEL_TAKE_OVER, link[1]);
	send_old(CHANNEL_HAND_OVER, link[0]);
	ck_assert_uint_eq(rig_hear().u.count, CLIENTS + 1);
	ck_assert_uint_eq(hear_fresh().u.count, CLIENTS + 1);
	ck_assert(rig.agent.handed_over);
	ck_assert_uint_eq(fresh.n_reactors, rig.agent.n_reactors);
	ck_assert_uint_eq(fresh.n_sessions, CLIENTS + 1);
	/* What is over its quota stays; it only takes no more. */
	ck_assert_uint_eq(atomic_load(&fresh.registrations.used), CLIENTS);
	forgotten();
	for (uint32_t i = 0; i < CLIENTS; i++) {
		struct wire_event e;

		nothing_but_pong(clients[i]);
		fire(fds[i]);
		e = expect_event(clients[i]);
		ck_assert_uint_eq(e.id, ids[i]);
		ck_assert_uint_eq(e.seq, 1);
		ck_assert_uint_eq(
			do_modify(clients[i], ids[i], WIRE_READABLE, WIRE_EDGE, 0), WIRE_OK);
		ck_assert_uint_eq(expect_event(clients[i]).seq, 2);
		ck_assert_uint_eq(
			try_register(clients[i], fds[i], 2, WIRE_READABLE, WIRE_EDGE, 0).error,
			WIRE_E_QUOTA_REGISTRATIONS);
	}
	for (uint32_t i = 0; i < CLIENTS; i++)
		ck_assert_uint_eq(do_deregister(clients[i], ids[i]), WIRE_OK);
	say(greeting, buf, make_hello(buf), NULL, 0);
	expect_type(greeting, WIRE_WELCOME, &a);
	rdy__fd_close(greeting);
	ck_assert_uint_eq(hear_fresh().type, CHANNEL_SESSION_END);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		rdy__fd_close(clients[i]);
		rdy__fd_close(fds[i]);
		ck_assert_uint_eq(hear_fresh().type, CHANNEL_SESSION_END);
	}
	for (int i = 0; i < RIG_ROUNDS && link_sender_pending(&fresh.link); i++)
		rig_turn();
	ck_assert_uint_eq(atomic_load(&fresh.registrations.used), 0);
	stop_fresh();
	rig_stop();
}

START_TEST(between_agents_of_one_reactor)
{
	between(1);
}
END_TEST

START_TEST(between_agents_of_three_reactors)
{
	between(CLIENTS);
}
END_TEST

/* ---- the test is the successor ---- */

static struct handover_message got;
static int got_fds[RDY__FDS_MAX];
static size_t n_got_fds;

static bool try_read(int link)
{
	static uint8_t buf[HANDOVER_BYTES_MAX];
	struct rdy__received r;
	int e = rdy__recv_fds(link, buf, sizeof(buf), got_fds, 0, &r);

	if (e == -EAGAIN)
		return false;
	ck_assert_int_eq(e, 0);
	ck_assert_int_eq(handover_decode(buf, r.n_bytes, r.n_fds, &got), 0);
	n_got_fds = r.n_fds;
	for (size_t i = 0; i < r.n_fds; i++)
		rdy__fd_close(got_fds[i]);
	return true;
}

static void read_link(int link, uint32_t type)
{
	for (int i = 0; i < RIG_ROUNDS; i++) {
		if (try_read(link)) {
			ck_assert_uint_eq(got.type, type);
			return;
		}
		rig_turn();
	}
	ck_abort_msg("the predecessor says nothing");
}

static void answer_link(int link, uint32_t type, uint64_t value)
{
	const struct handover_message m = {.type = type, .n = 1, .u.value = value};
	uint8_t buf[HANDOVER_HEAD_BYTES + 8];

	ck_assert_int_eq(rdy__send_fds(link, buf, handover_encode(buf, &m), NULL, 0), 0);
}

static int begin_with(uint32_t n_reactors, int clients[], uint32_t n, int fds[], uint64_t ids[])
{
	int link[2];

	start(n_reactors, 1024);
	for (uint32_t i = 0; i < n; i++) {
		clients[i] = rig_open();
		fds[i] = event_fd();
		ids[i] = do_register(clients[i], fds[i], 1, WIRE_EDGE, 0);
	}
	rig_pair(link);
	send_old(CHANNEL_HAND_OVER, link[0]);
	read_link(link[1], HANDOVER_BEGIN);
	ck_assert_uint_eq(got.u.begin.n_sessions, n);
	ck_assert_uint_eq(got.u.begin.n_registrations, n);
	return link[1];
}

static void end_with(int clients[], uint32_t n, int fds[])
{
	for (uint32_t i = 0; i < n; i++) {
		leave(clients[i]);
		rdy__fd_close(fds[i]);
	}
	rig_stop();
}

/*
 * Invariant: HANDOVER-1
 * Invariant: PARK-1
 * With several reactors, while a successor takes its time: what clients say and what happens to their
 * descriptors waits, and is dealt with when the successor goes away.
 */
static void waits(uint32_t n_reactors)
{
	int clients[CLIENTS], fds[CLIENTS], link;
	uint64_t ids[CLIENTS];
	uint8_t buf[64];
	struct answer a;

	link = begin_with(n_reactors, clients, CLIENTS, fds, ids);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		wire_put_ping(buf, i);
		say(clients[i], buf, wire_put_header(buf, WIRE_PING, 6, 1), NULL, 0);
		fire(fds[i]);
	}
	for (int i = 0; i < 20; i++)
		rig_turn();
	for (uint32_t i = 0; i < CLIENTS; i++)
		ck_assert_int_lt(recv(clients[i], buf, sizeof(buf), MSG_DONTWAIT), 0);
	rdy__fd_close(link);
	rig_expect(CHANNEL_HANDOVER_FAILED);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		bool event = false, pong = false;

		/* In either order: nothing is lost. */
		while (!event || !pong) {
			read_frame(clients[i], &a);
			event |= a.f.header.type == WIRE_EVENTS;
			pong |= a.f.header.type == WIRE_PONG;
		}
		nothing_but_pong(clients[i]);
	}
	ck_assert(!rig.agent.handed_over);
	end_with(clients, CLIENTS, fds);
}

START_TEST(nobody_reads_meanwhile)
{
	waits(1);
}
END_TEST

START_TEST(parked)
{
	waits(CLIENTS);
}
END_TEST

/* Without credits no more than so many descriptors are on the way. */
START_TEST(credits)
{
	int client, fds[SILENT], link[2];
	uint32_t n_fds = 0, n_records = 0;

	start(1, 1024);
	client = rig_open();
	for (uint32_t i = 0; i < SILENT; i++) {
		fds[i] = event_fd();
		do_register(client, fds[i], i, WIRE_EDGE, 0);
	}
	rig_pair(link);
	send_old(CHANNEL_HAND_OVER, link[0]);
	read_link(link[1], HANDOVER_BEGIN);
	for (int i = 0; i < 20; i++) {
		while (try_read(link[1]))
			n_fds += (uint32_t)n_got_fds;
		rig_turn();
	}
	ck_assert_uint_gt(n_fds, 1);
	ck_assert_uint_le(n_fds, HANDOVER_CREDITS);
	n_records = n_fds - 1;
	answer_link(link[1], HANDOVER_CREDIT, n_fds);
	while (n_records < SILENT) {
		read_link(link[1], HANDOVER_REGISTRATIONS);
		n_records += got.n;
		answer_link(link[1], HANDOVER_CREDIT, n_got_fds);
	}
	ck_assert_uint_eq(n_records, SILENT);
	read_link(link[1], HANDOVER_SESSION_DONE);
	read_link(link[1], HANDOVER_END);
	ck_assert_uint_eq(got.u.value, 1);
	/* Too many credits are nonsense. */
	answer_link(link[1], HANDOVER_CREDIT, 1);
	rig_expect(CHANNEL_HANDOVER_FAILED);
	rdy__fd_close(link[1]);
	nothing_but_pong(client);
	leave(client);
	for (uint32_t i = 0; i < SILENT; i++)
		rdy__fd_close(fds[i]);
	rig_stop();
}
END_TEST

/* What the successor has said before the link is cut stands, whatever the supervisor wants then. */
START_TEST(acknowledged_at_the_last_moment)
{
	const struct channel_message end = {.type = CHANNEL_END};
	int clients[1], fds[1], link;
	uint64_t ids[1];
	int status;

	rig_mark();
	link = begin_with(1, clients, 1, fds, ids);
	do
		read_link(link,
			0 + (got.type == HANDOVER_BEGIN			 ? HANDOVER_REACTOR
				    : got.type == HANDOVER_REACTOR	 ? HANDOVER_SESSION
				    : got.type == HANDOVER_SESSION	 ? HANDOVER_REGISTRATIONS
				    : got.type == HANDOVER_REGISTRATIONS ? HANDOVER_SESSION_DONE
									 : HANDOVER_END));
	while (got.type != HANDOVER_END);
	/* Both are there when it looks. */
	rig_send(&end, NULL, 0);
	answer_link(link, HANDOVER_ACK, 1);
	rig_expect(CHANNEL_HANDED_OVER);
	for (int i = 0; i < RIG_ROUNDS && !atomic_load(&rig.agent.done); i++)
		rig_turn();
	ck_assert(atomic_load(&rig.agent.done));
	/* The session lives: its other end was nobody's but ours. */
	ck_assert_uint_eq(rig.agent.n_sessions, 0);
	rdy__fd_close(link);
	rdy__fd_close(clients[0]);
	rdy__fd_close(fds[0]);
	agent_deinit(&rig.agent);
	rdy__fd_close(rig.channel);
	/* The kernel closes what its closer has not got any more: our copies, not the last ones. */
	ck_assert_uint_le(rig_sweep(), 2);
	ck_assert_int_eq(waitpid(rig.closer, &status, 0), rig.closer);
}
END_TEST

/* ---- the test is the predecessor ---- */

static int link_up;

static void tell(const struct handover_message *m, const int *fds, size_t n_fds)
{
	static uint8_t buf[HANDOVER_BYTES_MAX];

	ck_assert_int_eq(rdy__send_fds(link_up, buf, handover_encode(buf, m), fds, n_fds), 0);
}

static void tell_begin(uint32_t uid)
{
	struct handover_message m = {.type = HANDOVER_BEGIN, .n = 1};

	m.u.begin = (struct handover_begin){
		.uid = uid, .n_reactors = 2, .n_sessions = 1, .n_registrations = 1};
	tell(&m, NULL, 0);
	for (uint32_t i = 0; i < 2; i++) {
		m = (struct handover_message){.type = HANDOVER_REACTOR, .n = 1};
		m.u.reactor = (struct handover_reactor){.reactor = i, .first_generation = 9};
		tell(&m, NULL, 0);
	}
}

static void tell_session(int sock)
{
	struct handover_message m = {.type = HANDOVER_SESSION, .n = 1};

	m.u.session = (struct handover_session){
		.number = 5,
		.features = WIRE_FEATURE_ONESHOT | WIRE_FEATURE_EDGE,
		.uid = 1000,
		.gid = 1000,
		.reactor = 1,
		.flags = HANDOVER_SESSION_OPEN,
		.n_registrations = 1,
	};
	tell(&m, &sock, 1);
}

static struct handover_registration record(uint64_t id)
{
	return (struct handover_registration){
		.id = id,
		.cookie = 7,
		.interest = WIRE_READABLE,
		.mode = WIRE_EDGE,
		.kind = WIRE_KIND_EVENTFD,
		.flags = HANDOVER_FD,
	};
}

static void tell_registration(uint64_t id, int fd)
{
	struct handover_message m = {.type = HANDOVER_REGISTRATIONS, .n = 1};

	m.u.registrations[0] = record(id);
	tell(&m, &fd, 1);
}

static void tell_value(uint32_t type, uint64_t value)
{
	const struct handover_message m = {.type = type, .n = 1, .u.value = value};

	tell(&m, NULL, 0);
}

static void take_from_test(void)
{
	int link[2];

	start(1, 1024);
	rig_pair(link);
	link_up = link[0];
	send_old(CHANNEL_TAKE_OVER, link[1]);
}

/* It has let go of everything and leaves; nothing was shut, for somebody else may go on with it. */
static void gave_up(int pair[2], int fd)
{
	/* By the clock: a link that is cut makes rounds short, and other threads have to come to their park. */
	int64_t until_ns = rdy__deadline_ns(rdy__now_ns(), 20 * RDY__NS_PER_S);

	while (!atomic_load(&rig.agent.done) && rdy__now_ns() < until_ns)
		rig_turn();
	ck_assert(atomic_load(&rig.agent.done));
	ck_assert(!atomic_load(&rig.agent.status));
	ck_assert_uint_eq(rig.agent.n_sessions, 0);
	ck_assert_uint_eq(atomic_load(&rig.agent.registrations.used), 0);
	ck_assert_int_eq(send(pair[0], "x", 1, MSG_NOSIGNAL), 1);
	rdy__fd_close(link_up);
	close_pair(pair);
	rdy__fd_close(fd);
	rig_stop();
}

#define ID(index, generation) ((uint64_t)(index) << 32 | (generation))

START_TEST(all_is_well)
{
	struct channel_message m;
	struct wire_event e;
	int pair[2], fd;

	take_from_test();
	fd = event_fd();
	rig_pair(pair);
	tell_begin(1000);
	tell_session(pair[1]);
	tell_registration(ID(300, 4), fd);
	tell_value(HANDOVER_SESSION_DONE, 5);
	tell_value(HANDOVER_END, 1);
	m = rig_hear();
	ck_assert_uint_eq(m.type, CHANNEL_TAKEN_OVER);
	ck_assert_uint_eq(m.u.count, 1);
	ck_assert_uint_eq(rig.agent.n_reactors, 2);
	rdy__fd_close(link_up);
	rdy__fd_close(pair[1]);
	fire(fd);
	e = expect_event(pair[0]);
	ck_assert_uint_eq(e.id, ID(300, 4));
	/* Its own ids begin where the predecessor's have ended. */
	ck_assert_uint_eq((uint32_t)do_register(pair[0], fd, 8, WIRE_EDGE, 0), 9);
	(void)expect_event(pair[0]);
	leave(pair[0]);
	rdy__fd_close(fd);
	for (int i = 0; i < RIG_ROUNDS && link_sender_pending(&rig.agent.link); i++)
		rig_turn();
	rig_stop();
}
END_TEST

#define GIVES_UP(name, ...) \
	START_TEST(name) \
	{ \
		int pair[2], fd; \
\
		take_from_test(); \
		fd = event_fd(); \
		rig_pair(pair); \
		__VA_ARGS__; \
		gave_up(pair, fd); \
	} \
	END_TEST

static void cut(void)
{
	shutdown(link_up, SHUT_RDWR);
}

GIVES_UP(cut_at_once, cut())
GIVES_UP(cut_after_begin, tell_begin(1000); cut())
GIVES_UP(cut_in_a_session, tell_begin(1000); tell_session(pair[1]); tell_registration(ID(1, 1), fd);
	 cut())
GIVES_UP(cut_before_the_end, tell_begin(1000); tell_session(pair[1]);
	 tell_registration(ID(1, 1), fd); tell_value(HANDOVER_SESSION_DONE, 5); cut())
GIVES_UP(of_somebody_else, tell_begin(1001))
GIVES_UP(without_beginning, tell_session(pair[1]))
GIVES_UP(twice_the_same_session, tell_begin(1000); tell_session(pair[1]);
	 tell_registration(ID(1, 1), fd); tell_value(HANDOVER_SESSION_DONE, 5);
	 tell_session(pair[1]))
GIVES_UP(too_many_registrations, tell_begin(1000); tell_session(pair[1]);
	 tell_registration(ID(1, 1), fd); tell_registration(ID(2, 1), fd))
GIVES_UP(too_few_registrations, tell_begin(1000); tell_session(pair[1]);
	 tell_value(HANDOVER_SESSION_DONE, 5))
GIVES_UP(registration_of_nobody, tell_begin(1000); tell_registration(ID(1, 1), fd))
GIVES_UP(end_before_the_sessions, tell_begin(1000); tell_value(HANDOVER_END, 0))
GIVES_UP(what_only_a_successor_says, tell_begin(1000); tell_value(HANDOVER_ACK, 0))

UNIT_MAIN("agent/take_over", between_agents_of_one_reactor, between_agents_of_three_reactors,
	nobody_reads_meanwhile, parked, credits, acknowledged_at_the_last_moment, all_is_well,
	cut_at_once, cut_after_begin, cut_in_a_session, cut_before_the_end, of_somebody_else,
	without_beginning, twice_the_same_session, too_many_registrations, too_few_registrations,
	registration_of_nobody, end_before_the_sessions, what_only_a_successor_says)
