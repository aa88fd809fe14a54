/* SPDX-License-Identifier: MIT */
/*
 * Every way in which rdy_client_new() can end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "peer.h"
#include "unit.h"

#define SOON_NS (20 * RDY__NS_PER_MS)

static struct peer peer;
static uint32_t broker_error;

static void setup(void)
{
	unit_setup();
	peer_start(&peer);
}

static void teardown(void)
{
	peer_stop(&peer);
	unit_teardown();
}

static int try_path(const char *path, int64_t timeout_ns)
{
	struct rdy_client_options o = {.size = sizeof(o), .path = path};
	struct rdy_client *c = (void *)&peer;
	int r;

	broker_error = 999;
	r = rdy_client_new(&o, timeout_ns, &broker_error, &c);
	if (r == 0)
		rdy_client_free(c);
	else
		ck_assert_ptr_eq(c, &peer); /* untouched */
	return r;
}

/* Accept and answer as arg says. */
static void *answer_error(void *arg)
{
	peer_accept(&peer);
	peer_error(&peer, 1, *(enum wire_error *)arg, true);
	return NULL;
}

static int try_answer(void *(*fn)(void *), void *arg)
{
	pthread_t t;
	int r;

	ck_assert_int_eq(pthread_create(&t, NULL, fn, arg), 0);
	r = try_path(peer.path, LONG_NS);
	pthread_join(t, NULL);
	peer_hang_up(&peer);
	return r;
}

START_TEST(bad_options)
{
	struct rdy_client_options o = {.size = sizeof(o), .path = peer.path};
	struct rdy_client *c = NULL;

	ck_assert_int_eq(rdy_client_new(&o, 0, NULL, NULL), -EINVAL);
	o.size--;
	ck_assert_int_eq(rdy_client_new(&o, 0, NULL, &c), -EINVAL);
	o.size++;
	o.flags = 0x80;
	ck_assert_int_eq(rdy_client_new(&o, 0, NULL, &c), -EINVAL);
	o.flags = 0;
	o.pad0 = 1;
	ck_assert_int_eq(rdy_client_new(&o, 0, NULL, &c), -EINVAL);
	o.pad0 = 0;
	o.reply_within_ns = -1;
	ck_assert_int_eq(rdy_client_new(&o, 0, NULL, &c), -EINVAL);
	o.reply_within_ns = 0;
	o.name = "a name of thirty-two characters!";
	ck_assert_int_eq(rdy_client_new(&o, 0, NULL, &c), -EINVAL);
	o.name = "tab\there";
	ck_assert_int_eq(rdy_client_new(&o, 0, NULL, &c), -EINVAL);
	o.name = "\xc3\xa9";
	ck_assert_int_eq(rdy_client_new(&o, 0, NULL, &c), -EINVAL);
	ck_assert_ptr_null(c);
	ck_assert_ptr_null(rdy_client_free(NULL));
}
END_TEST

START_TEST(paths)
{
	char path[200], file[128];
	int fd;

	snprintf(path, sizeof(path), "%s/none", peer.dir);
	ck_assert_int_eq(try_path(path, -1), -ENOENT);
	ck_assert_uint_eq(broker_error, 0);
	snprintf(path, sizeof(path), "%s/x", peer.path);
	ck_assert_int_eq(try_path(path, -1), -ENOENT);
	ck_assert_int_eq(try_path("", -1), -ENOENT);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	ck_assert_int_eq(try_path(path, -1), -ENAMETOOLONG);
	/* No socket, and a socket that nobody listens to. */
	snprintf(file, sizeof(file), "%s/file", peer.dir);
	fd = open(file, O_CREAT | O_CLOEXEC | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(try_path(file, -1), -ECONNREFUSED);
	unlink(file);
	peer.listener = rdy__fd_close(peer.listener);
	ck_assert_int_eq(try_path(peer.path, -1), -ECONNREFUSED);
}
END_TEST

START_TEST(longest_path)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = 0;
	ck_assert_int_eq(try_path(path, -1), -ENOENT);
}
END_TEST

START_TEST(another_type_of_socket)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/stream", peer.dir);
	ck_assert_int_eq(bind(sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(listen(sock, 1), 0);
	ck_assert_int_eq(try_path(addr.sun_path, -1), -EPROTO);
	unlink(addr.sun_path);
	close(sock);
}
END_TEST

START_TEST(no_permission)
{
	int *answer;
	pid_t child;

	if (geteuid() != 0)
		return; /* only root can become somebody else */
	answer = mmap(
		NULL, sizeof(*answer), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(answer, MAP_FAILED);
	ck_assert_int_eq(chmod(peer.dir, 0711), 0);
	ck_assert_int_eq(chmod(peer.path, 0600), 0);
	child = fork();
	if (child == 0) {
		struct rdy_client_options o = {.size = sizeof(o), .path = peer.path};
		struct rdy_client *c;

		*answer =
			setresuid(65534, 65534, 65534) == 0 ? rdy_client_new(&o, -1, NULL, &c) : 1;
		unit_exit(0);
	}
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	ck_assert_int_eq(*answer, -EACCES);
	munmap(answer, sizeof(*answer));
}
END_TEST

/* Every error that a daemon can refuse with, and what the caller makes of it. */
START_TEST(refusals)
{
	static const struct {
		enum wire_error error;
		int r;
	} cases[] = {
		{WIRE_E_QUOTA_SESSIONS, -EDQUOT},
		{WIRE_E_QUOTA_CONNECTS, -EDQUOT},
		{WIRE_E_LIMIT_SESSIONS, -EDQUOT},
		{WIRE_E_LIMIT_UIDS, -EDQUOT},
		{WIRE_E_UID_WEDGED, -EPERM},
		{WIRE_E_SHUTTING_DOWN, -EPERM},
		{WIRE_E_AGENT_FAILED, -EPERM},
		{WIRE_E_HELLO_TIMEOUT, -EPERM},
		{(enum wire_error)4000, -EPERM}, /* a newer daemon's */
		{WIRE_E_VERSION_UNSUPPORTED, -EPROTO},
		{WIRE_E_BAD_MAGIC, -EPROTO},
		{WIRE_E_FRAME_MALFORMED, -EPROTO},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum wire_error error = cases[i].error;

		ck_assert_int_eq(try_answer(answer_error, &error), cases[i].r);
		ck_assert_uint_eq(broker_error, cases[i].r == -EPROTO ? 0 : error);
	}
}
END_TEST

/* The bouncer neither waits for HELLO nor reads it: its word stands before the end, which the kernel
 * announces with a reset. */
START_TEST(refused_without_a_look)
{
	struct rdy_client_options o = {.size = sizeof(o), .path = peer.path};
	struct rdy_client *c;
	pid_t child = fork();
	int status;

	if (child == 0) {
		int r = rdy_client_new(&o, LONG_NS, &broker_error, &c);

		unit_exit(r == -EDQUOT && broker_error == WIRE_E_LIMIT_UIDS ? 0 : 1);
	}
	peer.conn = accept4(peer.listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(peer.conn, 0);
	peer_error(&peer, 0, WIRE_E_LIMIT_UIDS, true);
	peer_hang_up(&peer);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

static void *hang_up(void *arg)
{
	peer_accept(&peer);
	peer_hang_up(&peer);
	return NULL;
}

static void *garbage(void *arg)
{
	peer_accept(&peer);
	peer_send(&peer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
	return NULL;
}

static void *long_message(void *arg)
{
	static uint8_t b[2 * WIRE_FRAME_MAX];

	peer_accept(&peer);
	wire_put_welcome(b, &peer.welcome);
	wire_put_header(b, WIRE_WELCOME, 1, 1);
	peer_send(&peer, b, sizeof(b));
	return NULL;
}

static void *other_frame(void *arg)
{
	peer_accept(&peer);
	peer_event(&peer, 1, 1, RDY_READABLE, 0, 1);
	return NULL;
}

static void *welcome(void *arg)
{
	peer_accept(&peer);
	peer_welcome(&peer);
	return NULL;
}

START_TEST(peers_that_are_none)
{
	ck_assert_int_eq(try_answer(hang_up, NULL), -ECONNRESET);
	ck_assert_uint_eq(broker_error, 0);
	ck_assert_int_eq(try_answer(garbage, NULL), -EPROTO);
	ck_assert_int_eq(try_answer(long_message, NULL), -EPROTO);
	ck_assert_int_eq(try_answer(other_frame, NULL), -EPROTO);
	peer.welcome.version = WIRE_VERSION_MAX + 1;
	ck_assert_int_eq(try_answer(welcome, NULL), -EPROTO);
	peer.welcome.version = WIRE_VERSION_MAX;
	peer.welcome.batch_max = 0;
	ck_assert_int_eq(try_answer(welcome, NULL), -EPROTO);
	peer.welcome.batch_max = 1;
	peer.welcome.frame_max = 31;
	ck_assert_int_eq(try_answer(welcome, NULL), -EPROTO);
	peer.welcome.frame_max = 32;
	peer.welcome.unanswered_max = 0;
	ck_assert_int_eq(try_answer(welcome, NULL), -EPROTO);
	peer.welcome.unanswered_max = 1;
	ck_assert_int_eq(try_answer(welcome, NULL), 0);
	ck_assert_uint_eq(broker_error, 0);
}
END_TEST

/* Accepted by nobody, and by a listener whose backlog is full. */
START_TEST(no_answer)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int64_t before = rdy__now_ns();
	int filler[2];

	ck_assert_int_eq(try_path(peer.path, SOON_NS), -ETIMEDOUT);
	ck_assert_int_ge(rdy__now_ns() - before, SOON_NS);
	ck_assert_int_eq(try_path(peer.path, 0), -ETIMEDOUT);
	ck_assert_int_eq(listen(peer.listener, 0), 0);
	strcpy(addr.sun_path, peer.path);
	for (int i = 0; i < 2; i++) {
		filler[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(filler[i], (struct sockaddr *)&addr, sizeof(addr));
	}
	before = rdy__now_ns();
	ck_assert_int_eq(try_path(peer.path, SOON_NS), -ETIMEDOUT);
	ck_assert_int_ge(rdy__now_ns() - before, SOON_NS);
	close(filler[0]);
	close(filler[1]);
}
END_TEST

static void *make_room(void *arg)
{
	int fd = accept4(peer.listener, NULL, NULL, SOCK_CLOEXEC);

	/* What filled the backlog; the client behind it gets its turn. */
	close(fd);
	return welcome(arg);
}

START_TEST(backlog_gets_free)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int filler = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(listen(peer.listener, 0), 0);
	strcpy(addr.sun_path, peer.path);
	ck_assert_int_eq(connect(filler, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(try_answer(make_room, NULL), 0);
	close(filler);
}
END_TEST

START_TEST(out_of_descriptors)
{
	struct rlimit old, low;
	int next = dup(0);

	ck_assert_int_ge(next, 0);
	close(next);
	getrlimit(RLIMIT_NOFILE, &old);
	low = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = old.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	ck_assert_int_eq(try_path(peer.path, -1), -EMFILE);
	setrlimit(RLIMIT_NOFILE, &old);
}
END_TEST

/* The client's descriptor needs three; when they are not there, none is left behind. */
START_TEST(no_room_for_the_descriptor)
{
	struct rdy_client *c = peer_client(&peer, NULL);
	int n = unit_count_fds();
	struct rlimit old, low;

	getrlimit(RLIMIT_NOFILE, &old);
	for (int room = 0; room < 3; room++) {
		int next = dup(0);

		close(next);
		low = (struct rlimit){.rlim_cur = (rlim_t)(next + room), .rlim_max = old.rlim_max};
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
		ck_assert_int_eq(rdy_client_fd(c), -EMFILE);
		setrlimit(RLIMIT_NOFILE, &old);
		ck_assert_int_eq(unit_count_fds(), n);
	}
	ck_assert_int_ge(rdy_client_fd(c), 0);
	ck_assert_int_eq(rdy_client_fd(c), rdy_client_fd(c));
	ck_assert_int_eq(unit_count_fds(), n + 3);
	rdy_client_free(c);
}
END_TEST

UNIT_MAIN_WITH("client/connect", setup, teardown, bad_options, paths, longest_path,
	another_type_of_socket, no_permission, refusals, refused_without_a_look,
	peers_that_are_none, no_answer, backlog_gets_free, out_of_descriptors,
	no_room_for_the_descriptor)
