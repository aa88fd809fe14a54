/* SPDX-License-Identifier: MIT */
/* An agent whose supervisor goes: what it says to the next one, whom it takes for one, and when it ends. */
#include "adopt.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "outbox.h"
#include "rig.h"
#include "roster.h"

#define EPOCH UINT64_C(0x0123456789abcdef)

static char dir[32];
static struct sockaddr_un name;

static int bound(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(dir, "/tmp/readyd-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	name.sun_family = AF_UNIX;
	snprintf(name.sun_path, sizeof(name.sun_path), "%s/s", dir);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	return fd;
}

static struct channel_config config_with(int64_t grace_ns)
{
	struct channel_config c = rig_config();

	c.grace_ns = grace_ns;
	c.program = 77;
	c.closer = 4242;
	return c;
}

static void start_with(const struct channel_config *c)
{
	int listener = bound();

	rig_start(c);
	ck_assert_int_eq(adopt_find(listener), listener);
	ck_assert_int_eq(adopt_init(&rig.agent, listener), 0);
}

static void start(int64_t grace_ns)
{
	struct channel_config c = config_with(grace_ns);

	start_with(&c);
}

/* The next supervisor. */
static int come(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_msg(
		connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0, "%s", strerror(errno));
	return fd;
}

static void remove_dir(void)
{
	unlink(name.sun_path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void stop(void)
{
	rig_stop();
	remove_dir();
}

/* kill -9. */
static void go(void)
{
	rig.channel = rdy__fd_close(rig.channel);
	for (int i = 0; i < RIG_ROUNDS && !rig.agent.adoption.orphan; i++)
		rig_turn();
	ck_assert(rig.agent.adoption.orphan);
}

static void say_adopt(uint64_t epoch)
{
	const struct channel_message m = {.type = CHANNEL_ADOPT, .u.adopt = {.epoch = epoch}};

	rig_send(&m, NULL, 0);
}

static void expect_snapshot(uint64_t epoch, const uint64_t *sessions, uint32_t n)
{
	struct channel_message m = rig_hear();

	ck_assert_uint_eq(m.type, CHANNEL_SNAPSHOT);
	ck_assert_uint_eq(m.u.snapshot.epoch, epoch);
	ck_assert_uint_eq(m.u.snapshot.uid, 1000);
	ck_assert_uint_eq(m.u.snapshot.n_sessions, n);
	ck_assert_uint_eq(m.u.snapshot.program, 77);
	for (uint32_t i = 0; i < n; i++) {
		m = rig_hear();
		ck_assert_uint_eq(m.type, CHANNEL_SNAPSHOT_SESSION);
		ck_assert_uint_eq(m.u.snapshot_session.session, sessions[i]);
		ck_assert_uint_eq(m.u.snapshot_session.uid, 1000);
		ck_assert_uint_eq(m.u.snapshot_session.gid, 1000);
		ck_assert_int_eq(m.u.snapshot_session.pid, 4711);
		ck_assert_int_gt(m.u.snapshot_session.since_ns, 0);
	}
}

/* The next one comes and is told this. */
static void adopted(uint64_t epoch, const uint64_t *sessions, uint32_t n)
{
	rig.channel = come();
	say_adopt(epoch);
	expect_snapshot(epoch, sessions, n);
}

/* Nothing comes for a while of which every turn would have brought it. */
static void expect_silence(void)
{
	uint8_t buf[CHANNEL_BYTES_MAX];

	for (int i = 0; i < 20; i++) {
		rig_turn();
		ck_assert_int_eq(recv(rig.channel, buf, sizeof(buf), MSG_DONTWAIT), -1);
		ck_assert_int_eq(errno, EAGAIN);
	}
}

static void expect_end_of(int take_fd)
{
	uint8_t buf[64];
	ssize_t n = -1;

	for (int i = 0; i < RIG_ROUNDS; i++) {
		n = recv(take_fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		rig_turn();
	}
	ck_assert(n == 0 || (n < 0 && errno == ECONNRESET));
	rdy__fd_close(take_fd);
}

/* Sessions go on while nobody is there; events are delivered, requests answered; the next one finds them. */
START_TEST(serves_on)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), a, b;
	struct wire_event e;
	struct answer reply;

	start(60 * RDY__NS_PER_S);
	a = rig_open();
	b = rig_open();
	go();
	do_register(a, fd, 5, WIRE_EDGE, 0);
	ck_assert_int_eq(eventfd_write(fd, 1), 0);
	expect_type(a, WIRE_EVENTS, &reply);
	wire_get_event(&reply.f, 0, &e);
	ck_assert_uint_eq(e.cookie, 5);
	nothing_but_pong(b);
	adopted(EPOCH, (const uint64_t[]){1, 2}, 2);
	ck_assert_int_eq(eventfd_write(fd, 1), 0);
	expect_type(a, WIRE_EVENTS, &reply);
	/* And it is served as the one before. */
	leave(a);
	leave(b);
	rdy__fd_close(rig_open());
	rig_expect(CHANNEL_SESSION_END);
	stop();
	rdy__fd_close(fd);
}
END_TEST

START_TEST(one_after_the_other)
{
	int client;

	start(60 * RDY__NS_PER_S);
	client = rig_open();
	for (uint64_t epoch = 1; epoch <= 5; epoch++) {
		go();
		adopted(epoch, (const uint64_t[]){1}, 1);
		expect_silence();
	}
	leave(client);
	stop();
}
END_TEST

/* Invariant: ADOPT-2 */
START_TEST(earlier_messages_are_void)
{
	struct channel_message m = {
		.type = CHANNEL_SESSION,
		.u.session = {.session = 1, .uid = 1000, .gid = 1000, .pid = 4711},
	};
	int sv[2], gone;

	start(60 * RDY__NS_PER_S);
	/* Taken, ended and asked for while nobody hears it. */
	gone = rig_open();
	go();
	rdy__fd_close(gone);
	for (int i = 0; i < RIG_ROUNDS && rig.agent.n_sessions; i++)
		rig_turn();
	ck_assert_uint_eq(rig.agent.n_sessions, 0);
	adopted(EPOCH, NULL, 0);
	expect_silence();

	/* A session is on its way when its supervisor dies: it is taken all the same. */
	rig_pair(sv);
	m.u.session.session = 7;
	rig_send(&m, &sv[1], 1);
	rdy__fd_close(sv[1]);
	go();
	adopted(EPOCH + 1, (const uint64_t[]){7}, 1);
	expect_silence();
	leave(sv[0]);
	stop();
}
END_TEST

/* The service manager keeps the channel: it does not end, and what was said into it before is void. */
START_TEST(over_the_same_channel)
{
	struct channel_message m;
	int a, b;

	start(0);
	a = rig_open();
	b = rig_open();
	rdy__fd_close(a);
	for (int i = 0; i < RIG_ROUNDS && rig.agent.n_sessions > 1; i++)
		rig_turn();
	say_adopt(EPOCH);
	m = rig_hear();
	ck_assert_uint_eq(m.type, CHANNEL_SESSION_END);
	expect_snapshot(EPOCH, (const uint64_t[]){2}, 1);
	expect_silence();
	leave(b);
	stop();
}
END_TEST

/* While the channel is full the snapshot waits, and comes before anything else. */
START_TEST(a_full_channel)
{
	enum { N = 600 };
	static int clients[N];
	uint64_t sessions[N];
	int small = 1;

	start(60 * RDY__NS_PER_S);
	for (int i = 0; i < N; i++) {
		clients[i] = rig_client_pidfd(-1);
		sessions[i] = (uint64_t)i + 1;
	}
	go();
	rig.channel = come();
	setsockopt(rig.channel, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	say_adopt(EPOCH);
	for (int i = 0; i < RIG_ROUNDS && !rig.agent.channel_blocked; i++)
		rig_turn();
	ck_assert(rig.agent.channel_blocked);
	/* Ends after the snapshot was made: it is in it, and its end comes after it. */
	rdy__fd_close(clients[0]);
	for (int i = 0; i < RIG_ROUNDS && rig.agent.n_sessions == N; i++)
		rig_turn();
	expect_snapshot(EPOCH, sessions, N);
	ck_assert_uint_eq(rig_hear().type, CHANNEL_SESSION_END);
	for (int i = 1; i < N; i++)
		leave(clients[i]);
	stop();
}
END_TEST

/* The one who asked goes before he has heard all: the next one hears all. */
START_TEST(gone_in_the_middle)
{
	enum { N = 600 };
	static int clients[N];
	uint64_t sessions[N];

	start(60 * RDY__NS_PER_S);
	for (int i = 0; i < N; i++) {
		clients[i] = rig_client_pidfd(-1);
		sessions[i] = (uint64_t)i + 1;
	}
	go();
	rig.channel = come();
	say_adopt(EPOCH);
	for (int i = 0; i < RIG_ROUNDS && !rig.agent.channel_blocked; i++)
		rig_turn();
	ck_assert(rig.agent.channel_blocked);
	go();
	adopted(EPOCH + 1, sessions, N);
	expect_silence();
	for (int i = 0; i < N; i++)
		leave(clients[i]);
	stop();
}
END_TEST

START_TEST(strangers)
{
	struct channel_message m = {.type = CHANNEL_END};
	uint8_t buf[CHANNEL_BYTES_MAX];
	int other, client, fd[2];

	start(60 * RDY__NS_PER_S);
	client = rig_open();
	/* While it has a supervisor. */
	expect_end_of(come());
	nothing_but_pong(client);
	go();
	/* It says something else, with a descriptor. */
	other = come();
	rig_pair(fd);
	m = (struct channel_message){
		.type = CHANNEL_SESSION, .u.session = {.session = 1, .uid = 1000, .gid = 1000}};
	ck_assert_int_eq(rdy__send_fds(other, buf, channel_encode(buf, &m), &fd[0], 1), 0);
	rdy__fd_close(fd[0]);
	expect_end_of(other);
	expect_end_of(fd[1]);
	/* END, which would end everything. */
	other = come();
	m = (struct channel_message){.type = CHANNEL_END};
	ck_assert_int_eq(rdy__send_fds(other, buf, channel_encode(buf, &m), NULL, 0), 0);
	expect_end_of(other);
	/* Not a message at all. */
	other = come();
	ck_assert_int_eq(rdy__send_fds(other, "x", 1, NULL, 0), 0);
	expect_end_of(other);
	/* It comes and goes. */
	rdy__fd_close(come());
	/* It says nothing: 2 s are its own, and nobody else is let in meanwhile. */
	other = come();
	for (int i = 0; i < RIG_ROUNDS && rig.agent.channel < 0; i++)
		rig_turn();
	expect_end_of(come());
	expect_end_of(other);
	adopted(EPOCH, (const uint64_t[]){1}, 1);
	leave(client);
	stop();
}
END_TEST

/* The lock of a dying supervisor is gone before its sockets are: both ends may be seen at once. */
START_TEST(quicker_than_the_end)
{
	struct pollfd p = {.events = 0};
	int client, old;

	start(60 * RDY__NS_PER_S);
	client = rig_open();
	p.fd = rig.agent.channel;
	old = rig.channel;
	rig.channel = come();
	say_adopt(EPOCH);
	rdy__fd_close(old);
	/* The closer was forked from this process: it has to have closed its copy. */
	ck_assert_int_eq(poll(&p, 1, -1), 1);
	ck_assert(p.revents & POLLHUP);
	expect_snapshot(EPOCH, (const uint64_t[]){1}, 1);
	leave(client);
	stop();
}
END_TEST

START_TEST(grace_is_over)
{
	struct wire_error_record e;
	struct answer a;
	int client;

	rig_mark();
	start(50 * RDY__NS_PER_MS);
	client = rig_open();
	go();
	expect_type(client, WIRE_ERROR, &a);
	wire_get_error(&a.f, &e);
	ck_assert_uint_eq(e.error, WIRE_E_SHUTTING_DOWN);
	for (int i = 0; i < RIG_ROUNDS && !atomic_load(&rig.agent.done); i++)
		rig_turn();
	ck_assert(atomic_load(&rig.agent.done));
	ck_assert_int_eq(atomic_load(&rig.agent.status), 0);
	rdy__fd_close(client);
	agent_deinit(&rig.agent);
	ck_assert_int_eq(waitpid(rig.closer, NULL, 0), rig.closer);
	rig_sweep();
	remove_dir();
}
END_TEST

/* Whoever has no socket, or was told not to wait, ends with the channel. */
START_TEST(no_grace)
{
	for (int i = 0; i < 2; i++) {
		struct channel_config c = config_with(i ? 60 * RDY__NS_PER_S : 0);

		if (i)
			rig_start(&c);
		else
			start_with(&c);
		rig.channel = rdy__fd_close(rig.channel);
		for (int k = 0; k < RIG_ROUNDS && !atomic_load(&rig.agent.done); k++)
			rig_turn();
		ck_assert(atomic_load(&rig.agent.done));
		ck_assert(!rig.agent.adoption.orphan);
		agent_deinit(&rig.agent);
		ck_assert_int_eq(waitpid(rig.closer, NULL, 0), rig.closer);
		if (!i)
			remove_dir();
	}
}
END_TEST

/* A new configuration names the new supervisor; grace may be given and taken. */
START_TEST(configuration)
{
	struct channel_message m = {.type = CHANNEL_CONFIG};

	start(60 * RDY__NS_PER_S);
	ck_assert_int_eq(atomic_load(&rig.agent.vet.supervisor), RIG_NOBODY);
	go();
	adopted(EPOCH, NULL, 0);
	m.u.config = config_with(0);
	m.u.config.supervisor = 4712;
	m.u.config.program = 78; /* what it was started from does not change */
	rig_send(&m, NULL, 0);
	for (int i = 0; i < RIG_ROUNDS && rig.agent.config.grace_ns; i++)
		rig_turn();
	ck_assert_int_eq(atomic_load(&rig.agent.vet.supervisor), 4712);
	say_adopt(EPOCH + 1);
	expect_snapshot(EPOCH + 1, NULL, 0);
	m.u.config.grace_ns = 60 * RDY__NS_PER_S;
	rig_send(&m, NULL, 0);
	for (int i = 0; i < RIG_ROUNDS && !rig.agent.config.grace_ns; i++)
		rig_turn();
	go();
	adopted(EPOCH + 2, NULL, 0);
	stop();
}
END_TEST

/* What it waits for is asked for again: a closer, and the end. */
START_TEST(wishes)
{
	struct channel_config c = config_with(60 * RDY__NS_PER_S);
	struct channel_message m;
	int link[2], status;

	c.idle_exit_ns = 20 * RDY__NS_PER_MS;
	start_with(&c);
	rig_expect(CHANNEL_IDLE);
	kill(rig.closer, SIGKILL);
	ck_assert_int_eq(waitpid(rig.closer, &status, 0), rig.closer);
	rig_expect(CHANNEL_CLOSER_GONE);
	go();
	adopted(EPOCH, NULL, 0);
	rig_expect(CHANNEL_CLOSER_GONE);
	rig_expect(CHANNEL_IDLE);
	rig_pair(link);
	rig.closer = rig_closer(link[1]);
	rdy__fd_close(link[1]);
	m = (struct channel_message){.type = CHANNEL_CLOSER};
	rig_send(&m, &link[0], 1);
	rdy__fd_close(link[0]);
	for (int i = 0; i < RIG_ROUNDS && rig.agent.closer_stuck; i++)
		rig_turn();
	go();
	adopted(EPOCH, NULL, 0);
	rig_expect(CHANNEL_IDLE);
	stop();
}
END_TEST

START_TEST(what_is_no_listener)
{
	int sv[2], fd = eventfd(0, EFD_CLOEXEC);

	ck_assert_int_eq(adopt_find(fd), -1);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	rig_pair(sv);
	ck_assert_int_eq(adopt_find(sv[0]), -1);
	rdy__fd_close(sv[1]);
	ck_assert_int_eq(adopt_find(1000), -1);
}
END_TEST

/* By its own listen() the agent is who the kernel names to the next supervisor. */
START_TEST(known_by_its_socket)
{
	struct ucred who;
	socklen_t n = sizeof(who);
	int listener, status;
	pid_t pid;

	listener = bound();
	pid = fork();
	if (pid == 0) {
		struct channel_config c = config_with(60 * RDY__NS_PER_S);

		rig_start(&c);
		ck_assert_int_eq(adopt_init(&rig.agent, listener), 0);
		/* Silent from here on. */
		kill(getpid(), SIGSTOP);
		_exit(0);
	}
	rdy__fd_close(listener);
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	listener = come();
	ck_assert_int_eq(getsockopt(listener, SOL_SOCKET, SO_PEERCRED, &who, &n), 0);
	ck_assert_int_eq(who.pid, pid);
	rdy__fd_close(listener);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	remove_dir();
}
END_TEST

START_TEST(a_roster)
{
	struct roster r = ROSTER_NULL;

	/* In any order, as a successor hears of them. */
	for (uint64_t i = 0; i < 1000; i++) {
		const struct channel_snapshot_session s = {.session = 1 + i * 7 % 1000, .pid = 1};

		ck_assert_int_eq(roster_add(&r, &s), 0);
	}
	ck_assert_uint_eq(r.n, 1000);
	for (uint32_t i = 0; i < r.n; i++)
		ck_assert_uint_eq(r.sessions[i].session, i + 1);
	ck_assert_int_eq(
		roster_add(&r, &(struct channel_snapshot_session){.session = 5, .pid = 2}), 0);
	ck_assert_uint_eq(r.n, 1000);
	ck_assert_int_eq(roster_find(&r, 5)->pid, 2);
	ck_assert_ptr_null(roster_find(&r, 1001));
	ck_assert_ptr_null(roster_find(&r, 0));
	roster_remove(&r, 5);
	roster_remove(&r, 5);
	roster_remove(&r, 2000);
	ck_assert_ptr_null(roster_find(&r, 5));
	ck_assert_uint_eq(r.n, 999);
	for (uint64_t i = 1; i <= 1000; i++)
		roster_remove(&r, i);
	ck_assert_uint_eq(r.n, 0);
	roster_deinit(&r);
	roster_deinit(&r);
}
END_TEST

UNIT_MAIN("agent/adopt", serves_on, one_after_the_other, earlier_messages_are_void,
	over_the_same_channel, a_full_channel, gone_in_the_middle, strangers, quicker_than_the_end,
	grace_is_over, no_grace, configuration, wishes, what_is_no_listener, known_by_its_socket,
	a_roster)
