/* SPDX-License-Identifier: MIT */
#include "agent.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "rig.h"

static void start(void)
{
	struct channel_config c = rig_config();

	rig_start(&c);
}

/* Both limits: the agent raises the soft one to the hard one. Each case has a process of its own. */
static void start_with_limit(rlim_t limit)
{
	struct rlimit l = {.rlim_cur = limit, .rlim_max = limit};

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &l), 0);
	start();
}

START_TEST(refusal)
{
	struct channel_message m = {
		.type = CHANNEL_REFUSE,
		.u.session = {.session = 9,
			.uid = 1000,
			.gid = 1000,
			.error = WIRE_E_QUOTA_SESSIONS,
			.detail = 32},
	};
	struct wire_error_record e;
	struct answer a;
	struct channel_config config = rig_config();
	int sv[2];

	config.idle_exit_ns = 20 * RDY__NS_PER_MS;
	rig_start(&config);
	rig_expect(CHANNEL_IDLE);
	rig_pair(sv);
	rig_send(&m, &sv[1], 1);
	rdy__fd_close(sv[1]);
	m = rig_hear();
	ck_assert_uint_eq(m.type, CHANNEL_TAKEN);
	ck_assert_uint_eq(m.u.session.session, 9);
	expect_type(sv[0], WIRE_ERROR, &a);
	wire_get_error(&a.f, &e);
	ck_assert_uint_eq(e.error, WIRE_E_QUOTA_SESSIONS);
	ck_assert_uint_eq(e.detail, 32);
	ck_assert(e.fatal);
	rdy__fd_close(sv[0]);
	rig_expect(CHANNEL_IDLE);
	rig_stop();
}
END_TEST

START_TEST(idle)
{
	struct channel_config config = rig_config();
	int client;

	config.idle_exit_ns = 20 * RDY__NS_PER_MS;
	rig_start(&config);
	rig_expect(CHANNEL_IDLE);
	client = rig_open();
	nothing_but_pong(client);
	leave(client);
	rig_expect(CHANNEL_IDLE);
	rig_stop();
}
END_TEST

START_TEST(end)
{
	struct wire_error_record e;
	struct answer a;
	int clients[2], status;

	rig_mark();
	start();
	clients[0] = rig_open();
	clients[1] = rig_client_pidfd(-1);
	rig_send(&(struct channel_message){.type = CHANNEL_END}, NULL, 0);
	while (!rig.agent.done)
		rig_turn();
	ck_assert_int_eq(rig.agent.status, 0);
	for (int i = 0; i < 2; i++) {
		expect_type(clients[i], WIRE_ERROR, &a);
		wire_get_error(&a.f, &e);
		ck_assert_uint_eq(e.error, WIRE_E_SHUTTING_DOWN);
		ck_assert_int_eq(recv(clients[i], a.buf, sizeof(a.buf), MSG_DONTWAIT), 0);
		rdy__fd_close(clients[i]);
	}
	agent_deinit(&rig.agent);
	rdy__fd_close(rig.channel);
	ck_assert_uint_le(rig_sweep(), 2); /* their sockets */
	ck_assert_int_eq(waitpid(rig.closer, &status, 0), rig.closer);
}
END_TEST

START_TEST(supervisor_gone)
{
	int status;

	start();
	rdy__fd_close(rig.channel);
	while (!rig.agent.done)
		rig_turn();
	agent_deinit(&rig.agent);
	agent_deinit(&rig.agent);
	ck_assert_int_eq(waitpid(rig.closer, &status, 0), rig.closer);
}
END_TEST

START_TEST(nonsense_on_the_channel)
{
	int status;

	start();
	ck_assert_int_eq(rdy__send_fds(rig.channel, "nonsense", 8, NULL, 0), 0);
	while (!rig.agent.done)
		rig_turn();
	ck_assert_int_eq(rig.agent.status, EXIT_FAILURE);
	agent_deinit(&rig.agent);
	rdy__fd_close(rig.channel);
	ck_assert_int_eq(waitpid(rig.closer, &status, 0), rig.closer);
}
END_TEST

static void fresh_closer(void)
{
	int link[2];

	rig_pair(link);
	rig.closer = rig_closer(link[1]);
	rig_send(&(struct channel_message){.type = CHANNEL_CLOSER}, &link[0], 1);
	rdy__fd_close(link[0]);
	rdy__fd_close(link[1]);
}

/* A closer that does not answer holds up nobody; a fresh one takes over. */
START_TEST(closer_is_stuck)
{
	int client, fd, status;

	fd = eventfd(0, 0);
	start();
	client = rig_open();
	ck_assert_int_eq(kill(rig.closer, SIGSTOP), 0);
	for (uint64_t i = 0; i < 100; i++)
		ck_assert_uint_eq(
			do_deregister(client, do_register(client, fd, i, WIRE_EDGE, 0)), 0);
	nothing_but_pong(client);
	ck_assert_uint_gt(link_sender_pending(&rig.agent.link), 0);
	rig_expect(CHANNEL_CLOSER_STUCK);
	nothing_but_pong(client);
	ck_assert_int_eq(kill(rig.closer, SIGKILL), 0);
	ck_assert_int_eq(waitpid(rig.closer, &status, 0), rig.closer);
	fresh_closer();
	leave(client);
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

START_TEST(closer_is_gone)
{
	int client, fd, status;

	fd = eventfd(0, 0);
	start();
	client = rig_open();
	ck_assert_int_eq(kill(rig.closer, SIGKILL), 0);
	ck_assert_int_eq(waitpid(rig.closer, &status, 0), rig.closer);
	ck_assert_uint_eq(do_deregister(client, do_register(client, fd, 1, WIRE_EDGE, 0)), 0);
	rig_expect(CHANNEL_CLOSER_GONE);
	nothing_but_pong(client);
	fresh_closer();
	leave(client);
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

/* Near the end of the table registrations are refused, and releasing still works. */
START_TEST(reserve)
{
	uint64_t ids[512] = {0};
	int client, fd = eventfd(0, 0);
	uint32_t n = 0;

	start_with_limit(400);
	client = rig_open();
	for (;;) {
		struct wire_result r = try_register(client, fd, n, WIRE_READABLE, WIRE_EDGE, 0);

		if (r.error == WIRE_E_OUT_OF_DESCRIPTORS)
			break;
		ck_assert_uint_eq(r.error, WIRE_OK);
		ids[n++] = r.id;
		ck_assert_uint_lt(n, 400 - 317);
	}
	ck_assert_uint_gt(n, 20);
	ck_assert_uint_eq(do_deregister(client, ids[0]), WIRE_OK);
	nothing_but_pong(client);
	do_register(client, fd, 9999, WIRE_EDGE, 0);
	/* With nobody to close, the session is not read until somebody does: nothing is lost. */
	ck_assert_int_eq(kill(rig.closer, SIGSTOP), 0);
	for (uint32_t i = 0; i < 60 && rdy__list_empty(&rig.agent.reactor.starved); i++) {
		struct wire_register q[8];
		uint8_t buf[256];
		int fds[8];

		for (uint32_t k = 0; k < 8; k++) {
			q[k] = (struct wire_register){
				.cookie = 1, .interest = WIRE_READABLE, .mode = WIRE_EDGE};
			wire_put_register(buf, k, &q[k]);
			fds[k] = fd;
		}
		say(client, buf, wire_put_header(buf, WIRE_REGISTER, i, 8), fds, 8);
		agent_round(&rig.agent, 0);
		agent_round(&rig.agent, 0);
	}
	ck_assert(!rdy__list_empty(&rig.agent.reactor.starved));
	ck_assert(!rig.agent.done);
	ck_assert_int_eq(kill(rig.closer, SIGCONT), 0);
	for (int i = 0; i < RIG_ROUNDS && !rdy__list_empty(&rig.agent.reactor.starved); i++)
		rig_turn();
	ck_assert(rdy__list_empty(&rig.agent.reactor.starved));
	leave(client);
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

/* A table full of what may never be closed: the agent ends and the uid gets a fresh one. */
START_TEST(hopeless)
{
	struct wire_register q = {.cookie = 1, .interest = WIRE_READABLE, .mode = WIRE_EDGE};
	uint8_t buf[WIRE_FRAME_MAX];
	int null, fds[100], sv[8], n = 0, status;

	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (uint32_t i = 0; i < 100; i++) {
		fds[i] = null;
		wire_put_register(buf, i, &q);
	}
	rig_mark();
	start_with_limit(400);
	for (; n < 8 && !rig.agent.done; n++) {
		sv[n] = rig_open();
		say(sv[n], buf, wire_put_header(buf, WIRE_REGISTER, 1, 100), fds, 100);
		say(sv[n], buf, wire_put_header(buf, WIRE_REGISTER, 2, 100), fds, 100);
		for (int i = 0; i < 50 && !rig.agent.done; i++)
			agent_round(&rig.agent, RDY__NS_PER_MS);
	}
	ck_assert(rig.agent.done);
	ck_assert_int_eq(rig.agent.status, EXIT_FAILURE);
	/* The rest is the kernel's. */
	agent_deinit(&rig.agent);
	rdy__fd_close(rig.channel);
	ck_assert_int_eq(waitpid(rig.closer, &status, 0), rig.closer);
	ck_assert_uint_ge(rig_sweep(), 100);
	rdy__fd_close(null);
}
END_TEST

UNIT_MAIN("agent/agent", refusal, idle, end, supervisor_gone, nonsense_on_the_channel,
	closer_is_stuck, closer_is_gone, reserve, hopeless)
