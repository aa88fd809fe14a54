/* SPDX-License-Identifier: MIT */
/*
 * Pipes whose lock a client holds in splice(2), from either side (threats: l). The last one to close such a
 * pipe waits, and so does whoever has it when he ends; he cannot be killed. Closers of its user do so, one after
 * the other, then closing waits, for this user only; and an agent that has to end with one in its table cannot.
 */
#include <errno.h>
#include <unistd.h>

#include "attack.h"
#include "base/fd.h"
#include "objects.h"
#include "unit.h"

#define OPTIONS \
	{ \
		"agent.idle_exit=300ms", "closer.batch=1" \
	}
#define EXPECTS \
	{ \
		"closer=stuck", "closer=none", "closer=gone", "agent=wedged", "agent=stuck" \
	}

/* Registered, our copy closed, deregistered: the closer's copy is the last. */
static void give(int sock, struct held_pipe *h, int fd, uint16_t interest)
{
	uint64_t id = raw_register_ok(sock, fd, 1, interest, WIRE_EDGE, 0);

	held_pipe_forget(h);
	if (fd != h->fd)
		rdy__fd_close(fd);
	need_int(raw_deregister(sock, id), ==, WIRE_OK);
}

static void wait_for_none(const struct instance *in)
{
	int64_t start = now_ns();

	while (!instance_said(in, "closer=none"))
		need(look_again(start), "closers are not stuck: %s", instance_log(in));
}

static void held_pipes(const struct instance *in, enum pipe_end end, bool in_queue)
{
	struct held_pipe held[2];
	int sock = raw_open(in->sock);

	for (int i = 0; i < 2; i++) {
		int fd, other = -1;

		held_pipe_make(&held[i], end);
		fd = in_queue ? object_in_queue(held[i].fd, &other) : held[i].fd;
		give(sock, &held[i], fd,
			end == PIPE_WRITE_END && !in_queue ? WIRE_WRITABLE : WIRE_READABLE);
		rdy__fd_close(other);
		/* The session itself goes on. */
		raw_ping(sock);
	}
	wait_for_none(in);
	raw_ping(sock);
	for (int i = 0; i < 2; i++)
		held_pipe_free(&held[i]);
	raw_ping(sock);
	rdy__fd_close(sock);
}

static void held_from_behind(const struct instance *in, uint32_t n, void *arg)
{
	held_pipes(in, PIPE_READ_END, false);
}

static void held_in_front(const struct instance *in, uint32_t n, void *arg)
{
	held_pipes(in, PIPE_WRITE_END, false);
}

static void held_in_a_queue(const struct instance *in, uint32_t n, void *arg)
{
	held_pipes(in, PIPE_READ_END, true);
}

static void attack_once(const char *name,
	void (*round)(const struct instance *in, uint32_t n, void *arg), uint32_t nofile)
{
	attack(&(struct attack){.name = name,
		.round = round,
		.rounds = 1,
		.rounds_max = 1,
		.nofile = nofile,
		.agent_ends = true,
		.options = OPTIONS,
		.expects = EXPECTS});
}

START_TEST(read_ends_whose_lock_is_held)
{
	attack_once("read ends whose lock is held", held_from_behind, 0);
}
END_TEST

START_TEST(write_ends_whose_lock_is_held)
{
	attack_once("write ends whose lock is held", held_in_front, 0);
}
END_TEST

START_TEST(held_pipes_in_a_queue)
{
	attack_once("held pipes in a socket's queue", held_in_a_queue, 0);
}
END_TEST

#define MANY 100
#define OTHERS 20
#define PINGS 300 /* more than fits unread into the way back, and may be unanswered */

/*
 * A message from which the kernel drops what does not fit into the agent's table, and what it drops is a pipe
 * that nobody can close: the agent's recvmsg() never returns. It is killed, cannot end, and its user has
 * another one; the third time he has to wait.
 */
static void never_received(const struct instance *in, uint32_t n, void *arg)
{
	struct limiter *limiter = arg;
	uint8_t buf[WIRE_HEADER_BYTES + MANY * WIRE_REGISTER_BYTES];
	uint8_t ping[WIRE_HEADER_BYTES + WIRE_PING_BYTES];
	int sock = raw_open(in->sock), fds[MANY], others[OTHERS], n_others = 0, r;
	struct held_pipe held;
	struct raw_frame frame;
	int64_t start = now_ns();

	limiter_lower(limiter, instance_wait_agent(in, UID_ATTACKER), 40);
	held_pipe_make(&held, PIPE_READ_END);
	for (uint32_t i = 0; i < MANY; i++) {
		const struct wire_register q = {
			.cookie = i, .interest = WIRE_READABLE, .mode = WIRE_EDGE};

		fds[i] = i < MANY - 1 ? sock : held.fd;
		wire_put_register(buf, i, &q);
	}
	/* Not read before our own copy is closed, which could be the last one otherwise. */
	for (uint32_t i = 0; i < PINGS; i++) {
		wire_put_ping(ping, i);
		raw_send(sock, ping, wire_put_header(ping, WIRE_PING, i, 1), NULL, 0);
	}
	need_int(raw_send(sock, buf, wire_put_header(buf, WIRE_REGISTER, 1, MANY), fds, MANY), ==,
		0);
	held_pipe_forget(&held);
	/* It owes an answer as soon as there are sessions to be taken, by each of its reactors. */
	for (uint32_t i = 0; !instance_said(in, "agent=wedged"); i++) {
		need(look_again(start), "the agent is not found out: %s", instance_log(in));
		if (raw_recv(sock, &frame, 1) != 1 && i % 20 == 0 && n_others < OTHERS)
			others[n_others++] = raw_connect(in->sock);
	}
	/* It sees the end, after what was said before. */
	do
		r = raw_recv(sock, &frame, PATIENCE_MS);
	while (r == 1 && frame.f.header.type == WIRE_PONG);
	need(r == 0 || r == -ECONNRESET || r == -EPIPE, "an answer from one that cannot speak");
	rdy__fd_close(sock);
	while (n_others)
		rdy__fd_close(others[--n_others]);
	sock = raw_open(in->sock);
	raw_ping(sock);
	rdy__fd_close(sock);
	held_pipe_free(&held);
}

static void start_limiter(void *arg)
{
	limiter_start(arg);
}

START_TEST(a_message_that_is_never_received)
{
	struct limiter limiter;

	attack(&(struct attack){.name = "a message that is never received",
		.round = never_received,
		.rounds = 1,
		.rounds_max = 1,
		.prepare = start_limiter,
		.arg = &limiter,
		.agent_ends = true,
		.options = OPTIONS,
		.expects = EXPECTS});
}
END_TEST

UNIT_MAIN("hostile/pipes", read_ends_whose_lock_is_held, write_ends_whose_lock_is_held,
	held_pipes_in_a_queue, a_message_that_is_never_received)
