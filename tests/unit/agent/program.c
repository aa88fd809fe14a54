/* SPDX-License-Identifier: MIT */
/*
 * The programs themselves, readyd-agent and readyd-closer as processes, sandboxed, with this test as their
 * supervisor. Counts their descriptors through /proc before and after everything a client may do.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <syslog.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "channel/channel.h"
#include "client.h"
#include "link/link.h"

static struct {
	int channel;
	pid_t agent, closer;
	int agent_fds, closer_fds;
	uint64_t last;
} prog;

/* Something happens soon, or the caller looks again. */
static void rig_turn(void)
{
	struct pollfd p = {.fd = prog.channel, .events = POLLIN};

	poll(&p, 1, 1);
}

static int fds_of(pid_t pid)
{
	char path[64];
	int n = -2; /* . and .. */
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	if (!d)
		return -1; /* not root, and it is not dumpable */
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static pid_t run(const char *program, int at3, int at4)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		/* Out of the way first: either may lie where the other has to go. */
		at3 = fcntl(at3, F_DUPFD, 10);
		at4 = at4 < 0 ? -1 : fcntl(at4, F_DUPFD, 10);
		dup2(at3, 3);
		if (at4 >= 0)
			dup2(at4, 4);
		execl(program, program, NULL);
		_exit(127);
	}
	return pid;
}

static void send_down(const struct channel_message *m, const int *fds, size_t n_fds)
{
	uint8_t buf[sizeof(*m)];

	ck_assert_int_eq(rdy__send_fds(prog.channel, buf, channel_encode(buf, m), fds, n_fds), 0);
}

static struct channel_message hear(void)
{
	uint8_t buf[CHANNEL_BYTES_MAX];
	int fds[RDY__FDS_MAX];
	struct rdy__received got;
	struct channel_message m;
	struct pollfd p = {.fd = prog.channel, .events = POLLIN};

	ck_assert_int_eq(poll(&p, 1, 20000), 1);
	ck_assert_int_eq(rdy__recv_fds(prog.channel, buf, sizeof(buf), fds, 0, &got), 0);
	ck_assert_int_eq(channel_decode(buf, got.n_bytes, got.n_fds, &m), 0);
	return m;
}

static void start(void)
{
	struct channel_message m = {
		.type = CHANNEL_CONFIG,
		.u.config = {.uid = 1000,
			.registrations = 600,
			.registrations_session = 500,
			.fd_reserve = 317,
			.send_buffer_bytes = 1,
			.closer_batch = 64,
			.hello_timeout_ns = 60 * RDY__NS_PER_S,
			.idle_exit_ns = -1,
			.reactors = 1,
			.log_level = LOG_INFO},
	};
	int channel[2], link[2];
	const int flags = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;

	ck_assert_int_eq(socketpair(AF_UNIX, flags, 0, channel), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, flags, 0, link), 0);
	prog.channel = channel[0];
	send_down(&m, NULL, 0);
	prog.closer = run(READYD_CLOSER, link[1], -1);
	prog.agent = run(READYD_AGENT, channel[1], link[0]);
	rdy__fd_close(channel[1]);
	rdy__fd_close(link[0]);
	rdy__fd_close(link[1]);
	ck_assert_uint_eq(hear().type, CHANNEL_HELLO);
}

/* A turn may be no time at all, so turns are not counted. */
static int64_t patience(void)
{
	return rdy__now_ns() + 30 * RDY__NS_PER_S;
}

static void count(void)
{
	prog.agent_fds = fds_of(prog.agent);
	/* Three and the link; it may still be starting, with whatever it got from here. */
	prog.closer_fds = prog.agent_fds < 0 ? -1 : LINK_FD_SELF + 1;
	for (int64_t end = patience();
		fds_of(prog.closer) != prog.closer_fds && rdy__now_ns() < end;)
		rig_turn();
	ck_assert_int_eq(fds_of(prog.closer), prog.closer_fds);
	if (prog.agent_fds < 0)
		fprintf(stderr, "# skipped: counting descriptors of the agent: not root\n");
}

/* Waits until both have what they had at the start: the closer answers after closing. */
static void settle(void)
{
	for (int64_t end = patience(); rdy__now_ns() < end;) {
		if (fds_of(prog.agent) == prog.agent_fds && fds_of(prog.closer) == prog.closer_fds)
			break;
		rig_turn();
	}
	ck_assert_int_eq(fds_of(prog.agent), prog.agent_fds);
	ck_assert_int_eq(fds_of(prog.closer), prog.closer_fds);
}

static void stop(void)
{
	int status;

	settle();
	send_down(&(struct channel_message){.type = CHANNEL_END}, NULL, 0);
	ck_assert_int_eq(waitpid(prog.agent, &status, 0), prog.agent);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(waitpid(prog.closer, &status, 0), prog.closer);
	ck_assert_int_eq(status, 0);
	rdy__fd_close(prog.channel);
}

static int connect_one(void)
{
	struct channel_message m = {
		.type = CHANNEL_SESSION,
		.u.session = {.session = ++prog.last, .uid = 1000, .gid = 1000, .pid = 1},
	};
	uint8_t buf[128];
	struct answer a;
	int sv[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	send_down(&m, &sv[1], 1);
	rdy__fd_close(sv[1]);
	m = hear();
	ck_assert_uint_eq(m.type, CHANNEL_TAKEN);
	ck_assert_uint_eq(m.u.session.session, prog.last);
	say(sv[0], buf, make_hello(buf), NULL, 0);
	expect_type(sv[0], WIRE_WELCOME, &a);
	return sv[0];
}

static void leave(int take_client)
{
	rdy__fd_close(take_client);
	ck_assert_uint_eq(hear().type, CHANNEL_SESSION_END);
}

START_TEST(a_clients_day)
{
	struct wire_event e;
	int a, b, p[2];
	uint64_t id;

	start();
	count();
	a = connect_one();
	b = connect_one();
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	id = do_register(a, p[0], 77, WIRE_ONESHOT, 0);
	ck_assert_uint_eq(try_register(a, p[0], 77, WIRE_READABLE, WIRE_ONESHOT, 0).error,
		WIRE_E_COOKIE_DUPLICATE);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	e = expect_event(a);
	ck_assert_uint_eq(e.cookie, 77);
	ck_assert_uint_eq(e.id, id);
	ck_assert_uint_eq(e.seq, 1);
	nothing_but_pong(a);
	say_rearm(a, id, 1);
	ck_assert_uint_eq(expect_event(a).seq, 2);
	/* Somebody else's id is no id. */
	ck_assert_uint_eq(do_deregister(b, id), WIRE_E_REGISTRATION_UNKNOWN);
	ck_assert_uint_eq(do_deregister(a, id), WIRE_OK);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	nothing_but_pong(a);
	/* This process made the session's socket: it is readyd's. */
	ck_assert_uint_eq(
		try_register(b, b, 1, WIRE_READABLE, WIRE_EDGE, 0).error, WIRE_E_FD_OWN_SOCKET);
	close_pair(p);
	leave(a);
	leave(b);
	stop();
}
END_TEST

/* Every accepted kind, under the sandbox; the kinds themselves are in vet.c. */
START_TEST(kinds_in_the_sandbox)
{
	char dir[] = "/tmp/readyd-agent-XXXXXX", path[64];
	int client, master, fifo, null;

	start();
	count();
	client = connect_one();
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(master, 0);
	do_register(client, master, 1, WIRE_ONESHOT, WIRE_REG_KEEP);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/fifo", dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	fifo = open(path, O_RDWR | O_CLOEXEC);
	do_register(client, fifo, 2, WIRE_ONESHOT, 0);
	null = eventfd(0, 0);
	do_register(client, null, 3, WIRE_ONESHOT, 0);
	leave(client);
	rdy__fd_close(master);
	rdy__fd_close(fifo);
	rdy__fd_close(null);
	unlink(path);
	rmdir(dir);
	stop();
}
END_TEST

START_TEST(quotas_and_unanswered)
{
	int client, fd = eventfd(0, EFD_CLOEXEC), fds[250];
	struct wire_result r;
	uint32_t sent = 0;
	struct answer a;
	uint8_t buf[WIRE_FRAME_MAX];

	start();
	count();
	client = connect_one();
	for (uint32_t i = 0; i < 250; i++)
		fds[i] = fd;
	for (uint32_t batch = 0; batch < 3; batch++) {
		for (uint32_t i = 0; i < 250; i++)
			wire_put_register(buf, i,
				&(struct wire_register){.cookie = batch * 250 + i,
					.interest = WIRE_READABLE,
					.mode = WIRE_EDGE});
		say(client, buf, wire_put_header(buf, WIRE_REGISTER, batch, 250), fds, 250);
		expect_type(client, WIRE_REGISTERED, &a);
		for (uint32_t i = 0; i < 250; i++) {
			wire_get_result(&a.f, i, &r);
			ck_assert_uint_eq(
				r.error, batch < 2 ? WIRE_OK : WIRE_E_QUOTA_REGISTRATIONS);
		}
	}
	ck_assert_uint_eq(r.detail, 500);
	/* Ask without reading until nothing goes through: the agent has stopped reading. */
	for (int full = 0; full < 50;) {
		for (uint32_t i = 0; i < 250; i++)
			wire_put_deregister(buf, i, i);
		if (rdy__send_fds(client, buf, wire_put_header(buf, WIRE_DEREGISTER, sent, 250),
			    NULL, 0) == 0) {
			sent++;
			full = 0;
		} else {
			full++;
			rig_turn();
		}
	}
	ck_assert_uint_gt(sent, WIRE_UNANSWERED_MAX);
	for (uint32_t i = 0; i < sent; i++) {
		expect_type(client, WIRE_DEREGISTERED, &a);
		ck_assert_uint_eq(a.f.header.serial, i);
	}
	leave(client);
	rdy__fd_close(fd);
	stop();
}
END_TEST

/* Real client processes, killed with frames and descriptors on the way. */
START_TEST(killed_in_the_middle)
{
	int other, status;

	start();
	count();
	other = connect_one();
	for (int round = 0; round < 5; round++) {
		int client = connect_one();
		pid_t child = fork();

		if (child == 0) {
			struct wire_register q = {.interest = WIRE_READABLE, .mode = WIRE_EDGE};
			uint8_t buf[WIRE_FRAME_MAX];
			int fds[8];
			size_t n;

			for (uint32_t i = 0; i < 8; i++) {
				fds[i] = eventfd(1, 0);
				wire_put_register(buf, i, &q);
			}
			n = wire_put_header(buf, WIRE_REGISTER, 1, 8);
			for (int i = 0; i < 20; i++) {
				if (rdy__send_fds(client, buf, n, fds, 8) < 0)
					break;
			}
			rdy__send_fds(client, buf, n - 5, fds, 8);
			raise(SIGKILL);
		}
		ck_assert_int_ge(child, 0);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		leave(client);
	}
	nothing_but_pong(other);
	leave(other);
	stop();
}
END_TEST

START_TEST(by_hand)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 2);
		dup2(null, 3);
		execl(READYD_AGENT, READYD_AGENT, NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 2);
}
END_TEST

START_TEST(end_of_the_channel)
{
	int status;

	start();
	rdy__fd_close(prog.channel);
	ck_assert_int_eq(waitpid(prog.agent, &status, 0), prog.agent);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(waitpid(prog.closer, &status, 0), prog.closer);
}
END_TEST

/* An agent that ends may leave the closer's last answer unread; that is no fault of the closer's. */
START_TEST(unread_answer)
{
	struct link_message m = {.type = LINK_DISPOSE, .n_fds = 1};
	struct pollfd p = {.events = POLLIN};
	int link[2], fd = eventfd(0, EFD_CLOEXEC), status;
	pid_t closer;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link), 0);
	closer = run(READYD_CLOSER, link[1], -1);
	rdy__fd_close(link[1]);
	ck_assert_int_eq(rdy__send_fds(link[0], &m, sizeof(m), &fd, 1), 0);
	m = (struct link_message){.type = LINK_GO};
	ck_assert_int_eq(rdy__send_fds(link[0], &m, sizeof(m), NULL, 0), 0);
	p.fd = link[0];
	ck_assert_int_eq(poll(&p, 1, 20000), 1);
	rdy__fd_close(link[0]);
	ck_assert_int_eq(waitpid(closer, &status, 0), closer);
	ck_assert_int_eq(status, 0);
	rdy__fd_close(fd);
}
END_TEST

UNIT_MAIN("agent/program", a_clients_day, kinds_in_the_sandbox, quotas_and_unanswered,
	killed_in_the_middle, by_hand, unread_answer, end_of_the_channel)
