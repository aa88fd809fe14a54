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
#include <syslog.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/fd.h"
#include "client.h"
#include "session.h"
#include "unit.h"

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
		.reactors = 1,
		.log_level = LOG_INFO,
	};
}

static inline void rig_pair(int sv[2])
{
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
}

/* Another agent in this process, turned too; NULL = none. */
static struct agent *rig_other;

static void rig_turn(void)
{
	agent_round(&rig.agent, rig_other ? RDY__NS_PER_MS : 5 * RDY__NS_PER_MS);
	if (rig_other)
		agent_round(rig_other, RDY__NS_PER_MS);
}

/* The next message of the channel; its data is good until the one after it. */
static inline struct channel_message rig_hear(void)
{
	static uint8_t buf[CHANNEL_BYTES_MAX];
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
	static uint8_t buf[CHANNEL_BYTES_MAX];

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
	agent_hello(&rig.agent);
	rig_expect(CHANNEL_HELLO);
	rig.used = atomic_load(&rig.agent.descriptors.used);
	rig.open = unit_count_fds();
	ck_assert_int_eq(rig.used, rig.open);
}

/* Until the agent is as it was at the start, but for n descriptors in quarantine and for more reactors. */
static inline void rig_settle(uint32_t n_quarantined)
{
	uint32_t more = (rig.agent.n_reactors - 1) * rig.agent.reactor_descriptors + n_quarantined;

	for (int i = 0; i < RIG_ROUNDS; i++) {
		if (rig.agent.n_sessions == 0 && rig.agent.pumps.n == 0 &&
			rig.agent.outbox.n == 0 && link_sender_pending(&rig.agent.link) == 0 &&
			atomic_load(&rig.agent.descriptors.used) == rig.used + more)
			break;
		rig_turn();
	}
	ck_assert_uint_eq(rig.agent.n_sessions, 0);
	ck_assert_uint_eq(rig.agent.pumps.n, 0);
	ck_assert_uint_eq(rig.agent.reactor.registrations.n_used, 0);
	ck_assert_uint_eq(atomic_load(&rig.agent.registrations.used), 0);
	ck_assert_uint_eq(rig.agent.n_quarantined, n_quarantined);
	ck_assert_uint_eq(atomic_load(&rig.agent.descriptors.used), rig.used + more);
	ck_assert_int_eq(unit_count_fds(), rig.open + (int)more);
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

#endif
