/* SPDX-License-Identifier: MIT */
/*
 * An agent in this process, a closer in a child, and clients made of raw frames. Nothing runs by itself:
 * whoever waits for a frame or a message turns the agent's loop until it comes. Checks at the end that
 * every descriptor that ever went in has gone, and that the agent's own count says the same.
 */
#ifndef RIG_H
#define RIG_H

#include <fcntl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/fd.h"
#include "session.h"
#include "unit.h"

#define RIG_ROUNDS 4000 /* of at most 5 ms: far longer than anything here takes */
#define RIG_NOBODY 0x7ffffff0

struct rig {
	struct agent agent;
	int channel; /* the supervisor's end */
	int link;    /* the closer's end, kept for a second closer */
	pid_t closer;
	uint32_t used; /* descriptors at the start, as the agent counts */
	int open;      /* and as the kernel does */
	uint64_t last;
};

static struct rig rig;

static bool rig_marked[1024];

/* What is open now stays; rig_sweep() closes the rest, as the kernel does when an agent's process ends. */
static inline void rig_mark(void)
{
	for (int fd = 0; fd < 1024; fd++)
		rig_marked[fd] = fcntl(fd, F_GETFD) >= 0;
}

/* Returns the number of descriptors closed. */
static inline uint32_t rig_sweep(void)
{
	uint32_t n = 0;

	for (int fd = 0; fd < 1024; fd++) {
		if (!rig_marked[fd] && fcntl(fd, F_GETFD) >= 0) {
			rdy__fd_close(fd);
			n++;
		}
	}
	return n;
}

/* A frame as a client reads it. */
struct answer {
	struct wire_frame f;
	uint8_t buf[WIRE_FRAME_MAX];
};

static inline pid_t rig_closer(int link)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(link, LINK_FD_SELF);
		syscall(SYS_close_range, LINK_FD_SELF + 1, ~0u, 0);
		_exit(link_receiver_run(LINK_FD_SELF) < 0);
	}
	return pid;
}

static inline struct channel_config rig_config(void)
{
	return (struct channel_config){
		.uid = 1000,
		.registrations = 1024,
		.registrations_session = 512,
		.fd_reserve = 317,
		.selector = CHANNEL_SELECTOR_AUTO,
		.closer_batch = 64,
		.hello_timeout_ns = 60 * RDY__NS_PER_S,
		.idle_exit_ns = -1,
	};
}

static inline void rig_pair(int sv[2])
{
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
}

static inline void rig_turn(void)
{
	agent_round(&rig.agent, 5 * RDY__NS_PER_MS);
}

/* The next message of the channel. */
static inline struct channel_message rig_hear(void)
{
	uint8_t buf[sizeof(struct channel_message)];
	int fds[RDY__FDS_MAX];
	struct rdy__received got;
	struct channel_message m;

	for (int i = 0; i < RIG_ROUNDS; i++) {
		int e = rdy__recv_fds(rig.channel, buf, sizeof(buf), fds, 0, &got);

		if (e == 0) {
			ck_assert_int_eq(channel_decode(buf, got.n_bytes, got.n_fds, &m), 0);
			return m;
		}
		ck_assert_int_eq(e, -EAGAIN);
		rig_turn();
	}
	ck_abort_msg("the agent says nothing");
}

static inline void rig_expect(uint32_t type)
{
	ck_assert_uint_eq(rig_hear().type, type);
}

static inline void rig_send(const struct channel_message *m, const int *fds, size_t n_fds)
{
	uint8_t buf[sizeof(struct channel_message)];

	ck_assert_int_eq(rdy__send_fds(rig.channel, buf, channel_encode(buf, m), fds, n_fds), 0);
}

static inline void rig_start(const struct channel_config *config)
{
	int channel[2], link[2];

	rig_pair(channel);
	rig_pair(link);
	rig.closer = rig_closer(link[1]);
	rdy__fd_close(link[1]);
	rig.channel = channel[0];
	ck_assert_int_eq(agent_init(&rig.agent, config, channel[1], link[0], RIG_NOBODY), 0);
	ck_assert_int_eq(agent_hello(&rig.agent), 0);
	rig_expect(CHANNEL_HELLO);
	rig.used = atomic_load(&rig.agent.descriptors.used);
	rig.open = unit_count_fds();
	ck_assert_int_eq(rig.used, rig.open);
}

/* Until the agent is as it was at the start, but for n descriptors in quarantine. */
static inline void rig_settle(uint32_t n_quarantined)
{
	for (int i = 0; i < RIG_ROUNDS; i++) {
		if (rig.agent.reactor.n_sessions == 0 && rig.agent.outbox.n == 0 &&
			link_sender_pending(&rig.agent.link) == 0)
			break;
		rig_turn();
	}
	ck_assert_uint_eq(rig.agent.n_sessions, 0);
	ck_assert_uint_eq(rig.agent.reactor.registrations.n_used, 0);
	ck_assert_uint_eq(atomic_load(&rig.agent.registrations.used), 0);
	ck_assert_uint_eq(rig.agent.n_quarantined, n_quarantined);
	ck_assert_uint_eq(atomic_load(&rig.agent.descriptors.used), rig.used + n_quarantined);
	ck_assert_int_eq(unit_count_fds(), rig.open + (int)n_quarantined);
}

static inline void rig_stop(void)
{
	int status;

	rig_settle(0);
	ck_assert_uint_eq(rig.agent.reactor.counters.surprises, 0);
	agent_deinit(&rig.agent);
	rdy__fd_close(rig.channel);
	ck_assert_int_eq(waitpid(rig.closer, &status, 0), rig.closer);
	ck_assert_int_eq(status, 0);
}

/* A new session; returns the client's end. */
static inline int rig_client_pidfd(int pidfd)
{
	struct channel_message m = {
		.type = CHANNEL_SESSION,
		.u.session = {.session = ++rig.last, .uid = 1000, .gid = 1000, .pid = 4711},
	};
	int sv[2], fds[2];

	rig_pair(sv);
	fds[0] = sv[1];
	fds[1] = pidfd;
	rig_send(&m, fds, pidfd >= 0 ? 2 : 1);
	rdy__fd_close(sv[1]);
	m = rig_hear();
	ck_assert_uint_eq(m.type, CHANNEL_TAKEN);
	ck_assert_uint_eq(m.u.session.session, rig.last);
	return sv[0];
}

static inline void say(int client, const void *buf, size_t n, const int *fds, size_t n_fds)
{
	ck_assert_int_eq(rdy__send_fds(client, buf, n, fds, n_fds), 0);
}

static inline void read_frame(int client, struct answer *ret)
{
	uint32_t detail;

	for (int i = 0; i < RIG_ROUNDS; i++) {
		ssize_t n = recv(client, ret->buf, sizeof(ret->buf), MSG_DONTWAIT);

		if (n > 0) {
			ck_assert_int_eq(
				wire_decode_reply(ret->buf, (size_t)n, 0, &ret->f, &detail),
				WIRE_OK);
			return;
		}
		ck_assert_msg(n < 0 && errno == EAGAIN, "the session has ended");
		rig_turn();
	}
	ck_abort_msg("the agent does not answer");
}

static inline void expect_type(int client, enum wire_type type, struct answer *ret)
{
	read_frame(client, ret);
	ck_assert_uint_eq(ret->f.header.type, type);
}

/* The session says this error, then ends; the channel hears of it. */
static inline void expect_fatal(int take_client, enum wire_error error)
{
	struct wire_error_record e;
	struct answer a;
	int end = 0;

	expect_type(take_client, WIRE_ERROR, &a);
	wire_get_error(&a.f, &e);
	ck_assert_str_eq(wire_error_name(e.error), wire_error_name(error));
	ck_assert(e.fatal);
	for (int i = 0; i < RIG_ROUNDS && !end; i++) {
		ssize_t n = recv(take_client, a.buf, sizeof(a.buf), MSG_DONTWAIT);

		ck_assert_int_le(n, 0);
		end = n == 0 || errno == ECONNRESET;
		rig_turn();
	}
	ck_assert(end);
	rig_expect(CHANNEL_SESSION_END);
	rdy__fd_close(take_client);
}

/* The client closes; the agent notices. */
static inline void leave(int take_client)
{
	rdy__fd_close(take_client);
	rig_expect(CHANNEL_SESSION_END);
}

static inline size_t make_hello(uint8_t *buf)
{
	const struct wire_hello h = {.version_min = 1,
		.version_max = 1,
		.features = WIRE_FEATURE_ONESHOT | WIRE_FEATURE_EDGE,
		.name = "a test"};

	wire_put_hello(buf, &h);
	return wire_put_header(buf, WIRE_HELLO, 1, 1);
}

static inline int rig_open_pidfd(int pidfd)
{
	int client = rig_client_pidfd(pidfd);
	uint8_t buf[128];
	struct answer a;

	say(client, buf, make_hello(buf), NULL, 0);
	expect_type(client, WIRE_WELCOME, &a);
	return client;
}

static inline int rig_open(void)
{
	return rig_open_pidfd(-1);
}

/* REGISTER one; returns its result. */
static inline struct wire_result try_register(
	int client, int fd, uint64_t cookie, uint16_t interest, uint8_t mode, uint8_t flags)
{
	const struct wire_register q = {
		.cookie = cookie, .interest = interest, .mode = mode, .flags = flags};
	struct wire_result r;
	struct answer a;
	uint8_t buf[64];

	wire_put_register(buf, 0, &q);
	say(client, buf, wire_put_header(buf, WIRE_REGISTER, 2, 1), &fd, 1);
	expect_type(client, WIRE_REGISTERED, &a);
	ck_assert_uint_eq(a.f.header.serial, 2);
	wire_get_result(&a.f, 0, &r);
	return r;
}

static inline uint64_t do_register(int client, int fd, uint64_t cookie, uint8_t mode, uint8_t flags)
{
	struct wire_result r = try_register(client, fd, cookie, WIRE_READABLE, mode, flags);

	ck_assert_str_eq(wire_error_name(r.error), wire_error_name(WIRE_OK));
	ck_assert_uint_ne(r.id, 0);
	return r.id;
}

static inline void say_rearm(int client, uint64_t id, uint32_t seq)
{
	const struct wire_rearm q = {.id = id, .seq = seq};
	uint8_t buf[64];

	wire_put_rearm(buf, 0, &q);
	say(client, buf, wire_put_header(buf, WIRE_REARM, 3, 1), NULL, 0);
}

static inline uint32_t do_deregister(int client, uint64_t id)
{
	struct wire_result r;
	struct answer a;
	uint8_t buf[64];

	wire_put_deregister(buf, 0, id);
	say(client, buf, wire_put_header(buf, WIRE_DEREGISTER, 4, 1), NULL, 0);
	expect_type(client, WIRE_DEREGISTERED, &a);
	wire_get_result(&a.f, 0, &r);
	ck_assert_uint_eq(r.id, id);
	return r.error;
}

static inline uint32_t do_modify(
	int client, uint64_t id, uint16_t interest, uint8_t mode, uint8_t flags)
{
	const struct wire_modify q = {.id = id, .interest = interest, .mode = mode, .flags = flags};
	struct wire_result r;
	struct answer a;
	uint8_t buf[64];

	wire_put_modify(buf, 0, &q);
	say(client, buf, wire_put_header(buf, WIRE_MODIFY, 5, 1), NULL, 0);
	expect_type(client, WIRE_MODIFIED, &a);
	wire_get_result(&a.f, 0, &r);
	return r.error;
}

/* PING and its answer: everything said before has been dealt with, and nothing else was answered. */
static inline void nothing_but_pong(int client)
{
	struct answer a;
	uint8_t buf[64];

	rig_turn();
	rig_turn();
	wire_put_ping(buf, 77);
	say(client, buf, wire_put_header(buf, WIRE_PING, 6, 1), NULL, 0);
	expect_type(client, WIRE_PONG, &a);
	ck_assert_uint_eq(wire_get_ping(&a.f), 77);
}

static inline struct wire_event expect_event(int client)
{
	struct wire_event e;
	struct answer a;

	expect_type(client, WIRE_EVENTS, &a);
	ck_assert_uint_eq(a.f.header.count, 1);
	wire_get_event(&a.f, 0, &e);
	return e;
}

static inline void close_pair(int p[2])
{
	p[0] = rdy__fd_close(p[0]);
	p[1] = rdy__fd_close(p[1]);
}

#endif
