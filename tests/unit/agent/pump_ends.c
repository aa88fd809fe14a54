/* SPDX-License-Identifier: MIT */
/* Control connections: what does not belong there, and ends that come from elsewhere. */
#include <sys/eventfd.h>

#include "pump_rig.h"

static void expect_failure(void)
{
	int status;

	for (int i = 0; i < RIG_ROUNDS && !atomic_load(&rig.agent.done); i++)
		rig_turn();
	ck_assert_int_eq(atomic_load(&rig.agent.status), EXIT_FAILURE);
	agent_deinit(&rig.agent);
	rdy__fd_close(rig.channel);
	ck_assert_int_eq(waitpid(rig.closer, &status, 0), rig.closer);
}

START_TEST(more_than_the_window)
{
	uint8_t bytes[CHANNEL_DATA_MAX] = {0};
	int client;

	rig_mark();
	start();
	client = connect_with(4096);
	/* At once, so that nothing can be given back in between. */
	down(rig.last, bytes, sizeof(bytes), 0);
	down(rig.last, bytes, sizeof(bytes), 0);
	down(rig.last, bytes, 1, 0);
	expect_failure();
	rdy__fd_close(client);
	rig_sweep();
}
END_TEST

START_TEST(a_credit_for_nothing)
{
	int client;

	rig_mark();
	start();
	client = connect_with(0);
	say_bytes(client, "four", 4);
	expect_data(rig.last, "four", 4);
	credit(rig.last, 5);
	expect_failure();
	rdy__fd_close(client);
	rig_sweep();
}
END_TEST

START_TEST(after_the_last_word)
{
	uint8_t bytes[CHANNEL_DATA_MAX] = {0};
	int client;

	rig_mark();
	start();
	client = connect_with(4096);
	down(rig.last, bytes, sizeof(bytes), CHANNEL_CONTROL_LAST);
	down(rig.last, bytes, 1, 0);
	expect_failure();
	rdy__fd_close(client);
	rig_sweep();
}
END_TEST

/* Words that cross the end of a connection. */
START_TEST(unknown_numbers)
{
	int client;

	start();
	client = connect_with(0);
	down(rig.last + 100, "x", 1, 0);
	credit(rig.last + 100, 17);
	down(rig.last + 100, NULL, 0, CHANNEL_CONTROL_LAST);
	rig_send(&(struct channel_message){.type = CHANNEL_KICK, .u.session = {.session = 4711}},
		NULL, 0);
	expect_silence();
	end_from_above(client, rig.last);
	down(rig.last, "x", 1, 0);
	credit(rig.last, 17);
	expect_silence();
	rig_stop();
}
END_TEST

static void send_with(int client, const int *fds, size_t n)
{
	ck_assert_int_eq(rdy__send_fds(client, "{", 1, fds, n), 0);
}

/* Where the kernel lets descriptors through, they end the connection, and each of them is closed. */
START_TEST(descriptors)
{
	int client, fds[RDY__FDS_MAX], pipes[2], null;

	start();
	rig_mark();
	client = connect_with(0);
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	for (size_t i = 0; i < RDY__FDS_MAX; i++)
		fds[i] = pipes[i % 2];
	/* Before the first one nothing is wrong; behind it there are more. */
	say_bytes(client, "ok", 2);
	expect_data(rig.last, "ok", 2);
	for (int i = 0; i < 20; i++)
		send_with(client, fds, RDY__FDS_MAX);
	expect_session_end(rig.last);
	expect_eof(client);
	rdy__fd_close(client);
	close_pair(pipes);
	rig_settle(0);
	/* What has a path may block whoever closes it. */
	client = connect_with(0);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	send_with(client, &null, 1);
	expect_session_end(rig.last);
	rdy__fd_close(null);
	rdy__fd_close(client);
	/* It goes away with the process: the agent asks for that. */
	rig_expect(CHANNEL_IDLE);
	rig_settle(1);
	ck_assert_uint_eq(rig_sweep(), 1);
	quota_release(&rig.agent.descriptors, 1);
	rig.agent.n_quarantined = 0;
	rig_stop();
}
END_TEST

START_TEST(a_pidfd)
{
	int sv[2], pidfd;

	start();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	pidfd = eventfd(0, EFD_CLOEXEC);
	hand_over(sv[1], pidfd);
	rdy__fd_close(sv[1]);
	rdy__fd_close(pidfd);
	expect_taken();
	say_bytes(sv[0], "x", 1);
	expect_data(rig.last, "x", 1);
	end_from_above(sv[0], rig.last);
	rig_stop();
}
END_TEST

START_TEST(kicked)
{
	int client;

	start();
	client = connect_with(0);
	rig_send(
		&(struct channel_message){.type = CHANNEL_KICK, .u.session = {.session = rig.last}},
		NULL, 0);
	expect_session_end(rig.last);
	expect_eof(client);
	rdy__fd_close(client);
	rig_stop();
}
END_TEST

/* An agent with a control connection is not idle. */
START_TEST(not_idle)
{
	struct channel_config config = rig_config();
	int client;

	config.idle_exit_ns = 0;
	rig_start(&config);
	rig_expect(CHANNEL_IDLE);
	client = connect_with(0);
	expect_silence();
	down(rig.last, NULL, 0, CHANNEL_CONTROL_LAST);
	expect_session_end(rig.last);
	rig_expect(CHANNEL_IDLE);
	rdy__fd_close(client);
	rig_stop();
}
END_TEST

/* A new supervisor on the same channel knows nothing of them: they end, and it hears nothing of that. */
START_TEST(another_supervisor)
{
	const struct channel_message adopt = {.type = CHANNEL_ADOPT, .u.adopt = {.epoch = 5}};
	uint64_t session;
	int clients[3];

	start();
	for (int i = 0; i < 3; i++)
		clients[i] = connect_with(i == 2 ? 4096 : 0);
	session = rig.last;
	say_bytes(clients[0], "half a call", 11);
	rig_send(&adopt, NULL, 0);
	for (struct channel_message m = rig_hear(); m.type != CHANNEL_SNAPSHOT; m = rig_hear())
		ck_assert_uint_eq(m.type, CHANNEL_CONTROL_DATA);
	for (int i = 0; i < 3; i++) {
		expect_eof(clients[i]);
		rdy__fd_close(clients[i]);
	}
	down(session, "x", 1, 0); /* nobody's any more */
	expect_silence();
	rig_settle(0);
	/* The number may come again. */
	rig.last = 0;
	clients[0] = connect_with(0);
	end_from_above(clients[0], rig.last);
	rig_stop();
}
END_TEST

/* END, and a process that ends with connections open. */
START_TEST(the_end)
{
	int client, status;

	start();
	client = connect_with(0);
	rig_send(&(struct channel_message){.type = CHANNEL_END}, NULL, 0);
	while (!atomic_load(&rig.agent.done))
		rig_turn();
	ck_assert_int_eq(atomic_load(&rig.agent.status), 0);
	agent_deinit(&rig.agent);
	expect_eof(client);
	rdy__fd_close(client);
	rdy__fd_close(rig.channel);
	ck_assert_int_eq(waitpid(rig.closer, &status, 0), rig.closer);
}
END_TEST

/* Slots are used again, and an event of who had one before is nobody's. */
START_TEST(slots)
{
	int clients[20];
	uint64_t first;

	start();
	for (int round = 0; round < 3; round++) {
		first = rig.last + 1;
		for (int i = 0; i < 20; i++)
			clients[i] = connect_with(0);
		for (int i = 0; i < 20; i++)
			say_bytes(clients[i], "x", 1);
		for (int i = 0; i < 20; i++) {
			struct channel_message m = rig_hear();

			ck_assert_uint_eq(m.type, CHANNEL_CONTROL_DATA);
		}
		for (int i = 0; i < 20; i++)
			end_from_above(clients[i], first + (uint64_t)i);
		ck_assert_uint_le(rig.agent.pumps.n_slots, 32);
	}
	pump_event(&rig.agent, TOKEN(TOKEN_CONTROL, 0, 0), RDY_READABLE);
	pump_event(&rig.agent, TOKEN(TOKEN_CONTROL, 4711, 0), RDY_READABLE);
	rig_stop();
}
END_TEST

UNIT_MAIN("agent/pump_ends", more_than_the_window, a_credit_for_nothing, after_the_last_word,
	unknown_numbers, descriptors, a_pidfd, kicked, not_idle, another_supervisor, the_end, slots)
