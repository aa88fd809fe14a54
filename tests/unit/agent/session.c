/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <sys/eventfd.h>
#include <sys/resource.h>

#include "rig.h"

static void start(void)
{
	struct channel_config c = rig_config();

	rig_start(&c);
}

/* Every state but OPEN is passed on the way. */
START_TEST(hello_and_welcome)
{
	struct channel_config config = rig_config();
	struct wire_welcome w;
	struct answer a;
	uint8_t buf[128];
	int client;

	rig_start(&config);
	client = rig_client_pidfd(-1);
	ck_assert_int_eq(rig.agent.reactor.sessions[0]->state, SESSION_NEW);
	say(client, buf, make_hello(buf), NULL, 0);
	expect_type(client, WIRE_WELCOME, &a);
	wire_get_welcome(&a.f, &w);
	ck_assert_uint_eq(w.version, 1);
	ck_assert_uint_eq(w.batch_max, WIRE_BATCH_MAX);
	ck_assert_uint_eq(w.frame_max, WIRE_FRAME_MAX);
	ck_assert_uint_eq(w.features, WIRE_FEATURE_ONESHOT | WIRE_FEATURE_EDGE |
					      WIRE_FEATURE_LEVEL | WIRE_FEATURE_DEADLINE);
	ck_assert_uint_eq(w.session, 1);
	ck_assert_uint_eq(w.registrations, config.registrations_session);
	ck_assert_uint_eq(w.unanswered_max, WIRE_UNANSWERED_MAX);
	ck_assert_uint_eq(w.events_max_bytes, WIRE_EVENTS_MAX_BYTES);
	ck_assert_int_eq(rig.agent.reactor.sessions[0]->state, SESSION_OPEN);
	ck_assert_str_eq(rig.agent.reactor.sessions[0]->name, "a test");
	nothing_but_pong(client);
	leave(client);
	ck_assert_ptr_null(rig.agent.reactor.sessions[0]);
	rig_stop();
}
END_TEST

START_TEST(first_message_is_not_hello)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct wire_hello h = {.version_min = 7, .version_max = 9};
	uint8_t buf[128];
	int client, fd = eventfd(0, 0);

	start();
	client = rig_client_pidfd(-1);
	say(client, text, sizeof(text), NULL, 0);
	expect_fatal(client, WIRE_E_BAD_MAGIC);

	client = rig_client_pidfd(-1);
	say(client, "x", 1, NULL, 0);
	expect_fatal(client, WIRE_E_BAD_MAGIC);

	client = rig_client_pidfd(-1);
	wire_put_ping(buf, 1);
	say(client, buf, wire_put_header(buf, WIRE_PING, 1, 1), NULL, 0);
	expect_fatal(client, WIRE_E_BAD_MAGIC);

	client = rig_client_pidfd(-1);
	wire_put_hello(buf, &h);
	say(client, buf, wire_put_header(buf, WIRE_HELLO, 1, 1), NULL, 0);
	expect_fatal(client, WIRE_E_VERSION_UNSUPPORTED);

	/* Half a HELLO is still one. */
	client = rig_client_pidfd(-1);
	say(client, buf, make_hello(buf) - 8, NULL, 0);
	expect_fatal(client, WIRE_E_FRAME_TRUNCATED);

	client = rig_client_pidfd(-1);
	say(client, buf, make_hello(buf), &fd, 1);
	expect_fatal(client, WIRE_E_FD_BEFORE_WELCOME);

	client = rig_client_pidfd(-1);
	say(client, "", 0, &fd, 1);
	expect_fatal(client, WIRE_E_FD_BEFORE_WELCOME);

	client = rig_open();
	say(client, buf, make_hello(buf), NULL, 0);
	expect_fatal(client, WIRE_E_HELLO_REPEATED);
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

START_TEST(hello_has_a_deadline)
{
	struct channel_config config = rig_config();
	int slow, quick;

	config.hello_timeout_ns = 30 * RDY__NS_PER_MS;
	rig_start(&config);
	quick = rig_open();
	slow = rig_client_pidfd(-1);
	expect_fatal(slow, WIRE_E_HELLO_TIMEOUT);
	nothing_but_pong(quick);
	leave(quick);
	rig_stop();
}
END_TEST

static size_t ping(uint8_t *buf)
{
	wire_put_ping(buf, 1);
	return wire_put_header(buf, WIRE_PING, 1, 1);
}

START_TEST(bad_frames)
{
	static uint8_t big[WIRE_FRAME_MAX + 100];
	const struct wire_register q = {.interest = WIRE_READABLE, .mode = WIRE_ONESHOT};
	uint8_t buf[128];
	int client, fds[2] = {eventfd(0, 0), eventfd(0, 0)};

	start();
	client = rig_open();
	say(client, buf, ping(buf) - 1, NULL, 0);
	expect_fatal(client, WIRE_E_FRAME_TRUNCATED);

	client = rig_open();
	say(client, "", 0, fds, 2);
	expect_fatal(client, WIRE_E_FRAME_TRUNCATED);

	client = rig_open();
	say(client, big, sizeof(big), fds, 1);
	expect_fatal(client, WIRE_E_FRAME_OVERSIZED);

	client = rig_open();
	ping(buf);
	buf[12] = 2; /* count */
	say(client, buf, 24, fds, 1);
	expect_fatal(client, WIRE_E_FRAME_MALFORMED);

	client = rig_open();
	ping(buf);
	buf[4] = 0x70;
	say(client, buf, 24, NULL, 0);
	expect_fatal(client, WIRE_E_TYPE_UNKNOWN);

	client = rig_open();
	say(client, buf, ping(buf), fds, 1);
	expect_fatal(client, WIRE_E_FD_COUNT_MISMATCH);

	client = rig_open();
	wire_put_register(buf, 0, &q);
	say(client, buf, wire_put_header(buf, WIRE_REGISTER, 1, 1), fds, 2);
	expect_fatal(client, WIRE_E_FD_COUNT_MISMATCH);

	client = rig_open();
	wire_put_register(buf, 0, &q);
	say(client, buf, wire_put_header(buf, WIRE_REGISTER, 1, 1), NULL, 0);
	expect_fatal(client, WIRE_E_FD_COUNT_MISMATCH);
	rig_stop();
	close_pair(fds);
}
END_TEST

/* Invariant: FD-2 */
START_TEST(lost_descriptors)
{
	struct rlimit old, low;
	int client, fds[8];

	start();
	client = rig_open();
	for (int i = 0; i < 8; i++)
		fds[i] = eventfd(0, 0);
	getrlimit(RLIMIT_NOFILE, &old);
	low = (struct rlimit){.rlim_cur = (rlim_t)fds[7] + 4, .rlim_max = old.rlim_max};
	say(client, "x", 1, fds, 8);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	rig_turn();
	rig_turn();
	setrlimit(RLIMIT_NOFILE, &old);
	expect_fatal(client, WIRE_E_FDS_LOST);
	for (int i = 0; i < 8; i++)
		rdy__fd_close(fds[i]);
	rig_stop();
}
END_TEST

/* Invariant: FD-1 */
START_TEST(every_end_closes_all)
{
	const struct wire_register q = {
		.cookie = 1, .interest = WIRE_READABLE, .mode = WIRE_ONESHOT};
	int client, p[2], fds[250];
	uint8_t buf[64];
	char c;

	ck_assert_int_eq(pipe2(p, O_NONBLOCK), 0);
	start();
	client = rig_open();
	for (int i = 0; i < 250; i++)
		fds[i] = p[1];
	/* Behind an empty message, which looks like the end, as many as there are. */
	say(client, "", 0, NULL, 0);
	for (int i = 0; i < 40; i++)
		say(client, "", 0, fds, 250);
	say(client, "", 0, NULL, 0);
	wire_put_register(buf, 0, &q);
	say(client, buf, wire_put_header(buf, WIRE_REGISTER, 1, 1), fds, 1);
	leave(client);
	rig_settle(0);
	/* Nobody holds the write end but we: no copy is left anywhere, the closer's and the kernel's included. */
	p[1] = rdy__fd_close(p[1]);
	ck_assert_int_eq(read(p[0], &c, 1), 0);
	p[0] = rdy__fd_close(p[0]);
	rig.open -= 2;
	rig_stop();
}
END_TEST

/* The other ends: a half-closed connection, a dead process whose connection somebody holds. */
START_TEST(ways_to_go)
{
	int client, pidfd, status;
	pid_t child;

	start();
	client = rig_open();
	shutdown(client, SHUT_WR);
	leave(client);

	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	ck_assert_int_ge(pidfd, 0);
	client = rig_open_pidfd(pidfd);
	rdy__fd_close(pidfd);
	nothing_but_pong(client);
	kill(child, SIGKILL);
	rig_expect(CHANNEL_SESSION_END);
	rdy__fd_close(client);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	rig_stop();
}
END_TEST

/* Mid-frame there is nothing to wait for on a packet socket: what came of it is wrong, then the end. */
START_TEST(dies_in_the_middle)
{
	const struct wire_register q = {.interest = WIRE_READABLE, .mode = WIRE_EDGE};
	int client, fds[3] = {eventfd(0, 0), eventfd(0, 0), eventfd(0, 0)};
	uint8_t buf[128];

	start();
	client = rig_open();
	for (uint32_t i = 0; i < 3; i++)
		wire_put_register(buf, i, &q);
	say(client, buf, wire_put_header(buf, WIRE_REGISTER, 1, 3) - 10, fds, 3);
	leave(client);
	rig_stop();
	for (int i = 0; i < 3; i++)
		rdy__fd_close(fds[i]);
}
END_TEST

/* What the poll watches, as the kernel says. */
static int watched(void)
{
	char path[64], line[256];
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", rdy_poll_fd(rig.agent.reactor.poll));
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		n += strncmp(line, "tfd:", 4) == 0;
	fclose(f);
	return n;
}

/* Invariant: EPOLL-1 */
START_TEST(del_before_close)
{
	int client, p[2], before;
	uint64_t id;

	start();
	client = rig_open();
	ck_assert_int_eq(pipe(p), 0);
	before = watched();
	id = do_register(client, p[0], 1, WIRE_EDGE, 0);
	ck_assert_int_eq(watched(), before + 1);
	ck_assert_uint_eq(do_deregister(client, id), WIRE_OK);
	ck_assert_int_eq(watched(), before); /* and we still hold the same description */
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	nothing_but_pong(client);
	/* The other ways out: hangup, and the end of the session. */
	id = do_register(client, p[0], 1, WIRE_EDGE, 0);
	ck_assert_uint_eq(expect_event(client).ready, WIRE_READABLE);
	p[1] = rdy__fd_close(p[1]);
	ck_assert_uint_eq(expect_event(client).flags, WIRE_EVENT_ENDED);
	ck_assert_int_eq(watched(), before);
	ck_assert_uint_eq(do_deregister(client, id), WIRE_E_REGISTRATION_UNKNOWN);
	rdy__fd_close(p[0]);
	ck_assert_int_eq(pipe(p), 0);
	do_register(client, p[0], 1, WIRE_EDGE, 0);
	leave(client);
	ck_assert_int_eq(watched(), before - 1);
	close_pair(p);
	rig_stop();
}
END_TEST

/* Invariant: QUOTA-1 */
START_TEST(quotas)
{
	struct channel_config config = rig_config();
	struct wire_result r;
	int a, b, fd = eventfd(0, 0);
	uint64_t ids[5];

	config.registrations = 5;
	config.registrations_session = 3;
	rig_start(&config);
	a = rig_open();
	b = rig_open();
	for (uint64_t i = 0; i < 3; i++)
		ids[i] = do_register(a, fd, i, WIRE_ONESHOT, 0);
	r = try_register(a, fd, 9, WIRE_READABLE, WIRE_ONESHOT, 0);
	ck_assert_uint_eq(r.error, WIRE_E_QUOTA_REGISTRATIONS);
	ck_assert_uint_eq(r.detail, 3);
	ck_assert_uint_eq(r.id, 0);
	do_register(b, fd, 0, WIRE_ONESHOT, 0);
	do_register(b, fd, 1, WIRE_ONESHOT, 0);
	r = try_register(b, fd, 2, WIRE_READABLE, WIRE_ONESHOT, 0);
	ck_assert_uint_eq(r.error, WIRE_E_QUOTA_REGISTRATIONS);
	ck_assert_uint_eq(r.detail, 5);
	/* A failure charges nothing, releasing gives back, an end gives back everything. */
	r = try_register(b, fd, 0, WIRE_READABLE, WIRE_ONESHOT, 0);
	ck_assert_uint_eq(r.error, WIRE_E_COOKIE_DUPLICATE);
	ck_assert_uint_eq(do_deregister(a, ids[1]), WIRE_OK);
	do_register(b, fd, 2, WIRE_ONESHOT, 0);
	ck_assert_uint_eq(atomic_load(&rig.agent.registrations.used), 5);
	leave(b);
	ck_assert_uint_eq(atomic_load(&rig.agent.registrations.used), 2);
	/* Lowering evicts nobody. */
	config.registrations = 1;
	rig_send(&(struct channel_message){.type = CHANNEL_CONFIG, .u.config = config}, NULL, 0);
	nothing_but_pong(a);
	r = try_register(a, fd, 9, WIRE_READABLE, WIRE_ONESHOT, 0);
	ck_assert_uint_eq(r.error, WIRE_E_QUOTA_REGISTRATIONS);
	ck_assert_uint_eq(do_deregister(a, ids[0]), WIRE_OK);
	leave(a);
	rig_stop();
	rdy__fd_close(fd);
}
END_TEST

/* Invariant: TOKEN-1 */
START_TEST(tokens)
{
	int client, p[2];
	uint64_t id, next;

	start();
	client = rig_open();
	ck_assert_int_eq(pipe(p), 0);
	id = do_register(client, p[0], 1, WIRE_ONESHOT, 0);
	for (int i = 0; i < (int)REGISTRATION_CHUNK - 1; i++)
		ck_assert_uint_eq(
			do_deregister(client, do_register(client, p[0], 2, WIRE_ONESHOT, 0)), 0);
	ck_assert_uint_eq(do_deregister(client, id), WIRE_OK);
	for (int i = 0; i < (int)REGISTRATION_CHUNK - 1; i++)
		ck_assert_uint_eq(
			do_deregister(client, do_register(client, p[0], 2, WIRE_ONESHOT, 0)), 0);
	next = do_register(client, p[0], 1, WIRE_ONESHOT, WIRE_REG_DISARMED);
	ck_assert_uint_eq(next >> 32, id >> 32);
	ck_assert_uint_ne(next, id);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	say_rearm(client, id, 0); /* the old one's name does nothing to the new one */
	expect_rearm_refused(client);
	ck_assert_uint_eq(do_deregister(client, id), WIRE_E_REGISTRATION_UNKNOWN);
	say_rearm(client, next, 0);
	ck_assert_uint_eq(expect_event(client).id, next);
	leave(client);
	/* The next session has the index of the last one, and none of its events. */
	client = rig_open();
	nothing_but_pong(client);
	leave(client);
	close_pair(p);
	rig_stop();
}
END_TEST

/* Invariant: BATCH-1 */
START_TEST(ended_within_a_batch)
{
	int client, other, fds[64];

	start();
	client = rig_open();
	other = rig_open();
	for (int i = 0; i < 64; i++) {
		fds[i] = eventfd(0, 0);
		do_register(client, fds[i], (uint64_t)i, WIRE_EDGE, 0);
	}
	/* One wait fetches the hangup of the session and the events of all it had. */
	rdy__fd_close(client);
	for (int i = 0; i < 64; i++)
		ck_assert_int_eq(eventfd_write(fds[i], 1), 0);
	rig_expect(CHANNEL_SESSION_END);
	nothing_but_pong(other);
	leave(other);
	for (int i = 0; i < 64; i++)
		rdy__fd_close(fds[i]);
	rig_stop();
}
END_TEST

UNIT_MAIN("agent/session", hello_and_welcome, first_message_is_not_hello, hello_has_a_deadline,
	bad_frames, lost_descriptors, every_end_closes_all, ways_to_go, dies_in_the_middle,
	del_before_close, quotas, tokens, ended_within_a_batch)
