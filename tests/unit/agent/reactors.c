/* SPDX-License-Identifier: MIT */
/* Several reactors in one agent: sessions spread, cross over by mailbox only, end together. */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "reactors.h"
#include "rig.h"

#define N_REACTORS 4u

static void start(uint32_t n)
{
	struct channel_config config = rig_config();

	config.reactors = n;
	config.sessions = 64;
	rig_start(&config);
}

static void fire(int fd)
{
	const uint64_t one = 1;

	ck_assert_int_eq(write(fd, &one, sizeof(one)), sizeof(one));
}

/* Sessions that a reactor has, as the main thread counts. */
static uint32_t given(uint32_t i)
{
	return reactors_at(&rig.agent, i)->n_given;
}

START_TEST(one_at_first)
{
	int a;

	start(N_REACTORS);
	ck_assert_uint_eq(rig.agent.n_reactors, 1);
	a = rig_open();
	ck_assert_uint_eq(rig.agent.n_reactors, 1);
	leave(a);
	rig_stop();
}
END_TEST

START_TEST(sessions_spread)
{
	int clients[3 * N_REACTORS];

	start(N_REACTORS);
	for (uint32_t i = 0; i < N_REACTORS; i++)
		clients[i] = rig_open();
	ck_assert_uint_eq(rig.agent.n_reactors, N_REACTORS);
	for (uint32_t i = 0; i < N_REACTORS; i++)
		ck_assert_uint_eq(given(i), 1);
	for (uint32_t i = N_REACTORS; i < 3 * N_REACTORS; i++)
		clients[i] = rig_open();
	ck_assert_uint_eq(rig.agent.n_reactors, N_REACTORS);
	for (uint32_t i = 0; i < N_REACTORS; i++)
		ck_assert_uint_eq(given(i), 3);
	/* The next one goes where one has left. */
	leave(clients[2]);
	ck_assert_uint_eq(given(2), 2);
	clients[2] = rig_open();
	ck_assert_uint_eq(given(2), 3);
	for (uint32_t i = 0; i < 3 * N_REACTORS; i++)
		leave(clients[i]);
	for (uint32_t i = 0; i < N_REACTORS; i++)
		ck_assert_uint_eq(given(i), 0);
	rig_stop();
}
END_TEST

/* What is registered in any reactor is reported, and every descriptor is closed in the end. */
START_TEST(events_of_all)
{
	int clients[N_REACTORS], fds[N_REACTORS];
	uint64_t ids[N_REACTORS];

	start(N_REACTORS);
	for (uint32_t i = 0; i < N_REACTORS; i++) {
		clients[i] = rig_open();
		fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		ids[i] = do_register(clients[i], fds[i], i, WIRE_ONESHOT, 0);
	}
	for (int round = 0; round < 20; round++) {
		for (uint32_t i = 0; i < N_REACTORS; i++)
			fire(fds[i]);
		for (uint32_t i = 0; i < N_REACTORS; i++) {
			struct wire_event e = expect_event(clients[i]);
			uint64_t n;

			ck_assert_uint_eq(e.cookie, i);
			ck_assert_uint_eq(e.id, ids[i]);
			ck_assert_int_eq(read(fds[i], &n, sizeof(n)), sizeof(n));
			say_rearm(clients[i], e.id, e.seq);
		}
	}
	ck_assert_uint_eq(atomic_load(&rig.agent.registrations.used), N_REACTORS);
	for (uint32_t i = 0; i < N_REACTORS; i += 2)
		ck_assert_uint_eq(do_deregister(clients[i], ids[i]), WIRE_OK);
	for (uint32_t i = 0; i < N_REACTORS; i++) {
		leave(clients[i]);
		rdy__fd_close(fds[i]);
	}
	rig_stop();
}
END_TEST

/* A session's own end is refused whoever hands it in: another reactor's session, too. */
START_TEST(own_sockets_of_all)
{
	int a, b;
	struct wire_result r;

	start(2);
	a = rig_open();
	b = rig_open();
	ck_assert_uint_eq(rig.agent.n_reactors, 2);
	/* The agent's end cannot be had from here; the cookie of the client's end is not it. */
	r = try_register(a, b, 1, WIRE_READABLE, WIRE_ONESHOT, 0);
	ck_assert_uint_eq(r.error, WIRE_OK);
	for (uint32_t i = 0; i < 2; i++) {
		struct session *s = reactors_at(&rig.agent, i)->sessions[0];

		r = try_register(a, s->sock, 2, WIRE_READABLE, WIRE_ONESHOT, 0);
		ck_assert_uint_eq(r.error, WIRE_E_FD_OWN_SOCKET);
	}
	leave(a);
	leave(b);
	rig_stop();
}
END_TEST

/* Quotas are the uid's, whichever reactor charges them. */
START_TEST(one_quota)
{
	struct channel_config config = rig_config();
	int clients[2], fd = eventfd(0, EFD_CLOEXEC);
	struct wire_result r;

	config.reactors = 2;
	config.registrations = 3;
	config.registrations_session = 3;
	rig_start(&config);
	clients[0] = rig_open();
	clients[1] = rig_open();
	do_register(clients[0], fd, 1, WIRE_ONESHOT, 0);
	do_register(clients[0], fd, 2, WIRE_ONESHOT, 0);
	do_register(clients[1], fd, 1, WIRE_ONESHOT, 0);
	r = try_register(clients[1], fd, 2, WIRE_READABLE, WIRE_ONESHOT, 0);
	ck_assert_uint_eq(r.error, WIRE_E_QUOTA_REGISTRATIONS);
	leave(clients[0]);
	/* Given back when the other reactor has ended them, which is some rounds away. */
	for (int i = 0; i < RIG_ROUNDS && atomic_load(&rig.agent.registrations.used) > 1; i++)
		rig_turn();
	do_register(clients[1], fd, 2, WIRE_ONESHOT, 0);
	leave(clients[1]);
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

/* A new configuration reaches all of them. */
START_TEST(one_configuration)
{
	struct channel_config config = rig_config();
	int clients[3], fd = eventfd(0, EFD_CLOEXEC);

	config.reactors = 3;
	rig_start(&config);
	for (int i = 0; i < 3; i++)
		clients[i] = rig_open();
	config.registrations_session = 1;
	rig_send(&(struct channel_message){.type = CHANNEL_CONFIG, .u.config = config}, NULL, 0);
	rig_turn();
	for (int i = 0; i < 3; i++) {
		struct wire_result r;

		nothing_but_pong(clients[i]);
		do_register(clients[i], fd, 1, WIRE_ONESHOT, 0);
		r = try_register(clients[i], fd, 2, WIRE_READABLE, WIRE_ONESHOT, 0);
		ck_assert_uint_eq(r.error, WIRE_E_QUOTA_REGISTRATIONS);
		ck_assert_uint_eq(r.detail, 1);
	}
	for (int i = 0; i < 3; i++)
		leave(clients[i]);
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

/* END reaches the sessions of all reactors, and the agent is done when all are. */
START_TEST(end_of_all)
{
	int clients[N_REACTORS];

	start(N_REACTORS);
	for (uint32_t i = 0; i < N_REACTORS; i++)
		clients[i] = rig_open();
	rig_send(&(struct channel_message){.type = CHANNEL_END}, NULL, 0);
	for (int i = 0; i < RIG_ROUNDS && !atomic_load(&rig.agent.done); i++)
		rig_turn();
	ck_assert(atomic_load(&rig.agent.done));
	ck_assert_int_eq(atomic_load(&rig.agent.status), 0);
	for (uint32_t i = 0; i < N_REACTORS; i++) {
		struct wire_error_record e;
		struct answer a;

		expect_type(clients[i], WIRE_ERROR, &a);
		wire_get_error(&a.f, &e);
		ck_assert_uint_eq(e.error, WIRE_E_SHUTTING_DOWN);
		ck_assert(e.fatal);
		rdy__fd_close(clients[i]);
	}
	rig_mark();
	agent_deinit(&rig.agent);
	rdy__fd_close(rig.channel);
	ck_assert_int_eq(waitpid(rig.closer, NULL, 0), rig.closer);
	/* Session sockets are left to the kernel when the process ends. */
	for (int fd = 3; fd < 1024; fd++) {
		int type;
		socklen_t n = sizeof(type);

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_SEQPACKET)
			rdy__fd_close(fd);
	}
}
END_TEST

/* One more than runs is asked for by a predecessor that had more; the kernel's table is grown before. */
START_TEST(as_many_as_needed)
{
	start(1);
	ck_assert_int_eq(reactors_need(&rig.agent, 3), 0);
	ck_assert_uint_eq(rig.agent.n_reactors, 3);
	ck_assert_int_eq(reactors_need(&rig.agent, 2), 0);
	ck_assert_uint_eq(rig.agent.n_reactors, 3);
	ck_assert_int_eq(reactors_need(&rig.agent, CHANNEL_REACTORS_MAX + 1), -EINVAL);
	rig_stop();
}
END_TEST

/* A reactor that hangs is found by the next session's TAKEN, which does not come. */
START_TEST(a_reactor_that_hangs)
{
	struct channel_message m = {
		.type = CHANNEL_SESSION,
		.u.session = {.session = 99, .uid = 1000, .gid = 1000},
	};
	struct pollfd p;
	int a, b, sv[2];

	start(2);
	a = rig_open();
	b = rig_open();
	leave(a);
	/* Its way to the main thread is shut: as good as any other place to hang in. */
	pthread_mutex_lock(&rig.agent.mailbox.lock);
	rig_pair(sv);
	rig_send(&m, &sv[1], 1);
	rdy__fd_close(sv[1]);
	for (int i = 0; i < 20; i++)
		rig_turn();
	ck_assert_uint_eq(given(0), 1); /* reactor 0 serves it already */
	p = (struct pollfd){.fd = rig.channel, .events = POLLIN};
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	pthread_mutex_unlock(&rig.agent.mailbox.lock);
	rig_expect(CHANNEL_TAKEN);
	leave(b);
	leave(sv[0]);
	rig_stop();
}
END_TEST

/* What the kernel has made room for in our table of descriptors. Source: proc(5), FDSize. */
static long table_size(void)
{
	char line[256];
	long n = -1;
	FILE *f = fopen("/proc/self/status", "re");

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "FDSize:", 7) == 0)
			n = strtol(line + 7, NULL, 10);
	fclose(f);
	return n;
}

/* Before the second thread starts, and not before that. */
START_TEST(the_table_is_grown)
{
	struct channel_config config = rig_config();
	const struct rlimit l = {4096, 4096};
	int a, b;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &l), 0);
	config.reactors = 2;
	config.registrations = 2000;
	config.sessions = 100;
	rig_start(&config);
	a = rig_open();
	ck_assert_int_lt(table_size(), 2000);
	b = rig_open();
	ck_assert_int_ge(table_size(), 2000 + 2 * 100 + 317);
	leave(a);
	leave(b);
	rig_stop();
}
END_TEST

/* Where a session began it stays, however empty the others get. */
START_TEST(a_session_stays)
{
	int clients[4], fd;

	start(2);
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (int i = 0; i < 4; i++)
		clients[i] = rig_open();
	do_register(clients[1], fd, 1, WIRE_EDGE, 0);
	leave(clients[0]);
	leave(clients[2]);
	ck_assert_uint_eq(given(0), 0);
	ck_assert_uint_eq(given(1), 2);
	fire(fd);
	ck_assert_uint_eq(expect_event(clients[1]).cookie, 1);
	ck_assert_uint_eq(given(1), 2);
	leave(clients[1]);
	leave(clients[3]);
	rdy__fd_close(fd);
	rig_stop();
}
END_TEST

/* Sessions come and go in all reactors at once, with registrations that end with them. */
START_TEST(coming_and_going)
{
	enum { CLIENTS = 12, ROUNDS = 30 };
	int clients[CLIENTS], fd;

	start(N_REACTORS);
	fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < CLIENTS; i++) {
			clients[i] = rig_open();
			for (uint64_t c = 0; c < 5; c++) {
				do_register(clients[i], fd, c, WIRE_ONESHOT, WIRE_REG_DISARMED);
			}
		}
		for (int i = 0; i < CLIENTS; i++)
			leave(clients[i]);
	}
	rdy__fd_close(fd);
	rig_stop();
}
END_TEST

UNIT_MAIN("agent/reactors", one_at_first, sessions_spread, events_of_all, own_sockets_of_all,
	one_quota, one_configuration, end_of_all, as_many_as_needed, a_reactor_that_hangs,
	the_table_is_grown, a_session_stays, coming_and_going)
