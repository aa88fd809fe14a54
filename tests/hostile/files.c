/* SPDX-License-Identifier: MIT */
/*
 * Files: whatever has a path is refused without being touched, and goes away with the agent, as closing it
 * can take as long as its file system likes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attack.h"
#include "base/fd.h"
#include "fuse.h"
#include "unit.h"

#define QUARANTINE_MAX 16u
#define WEDGED_LOOKS 5

/* A session, or -1: the user has to wait. */
static int look_served(const struct instance *in)
{
	uint8_t hello[WIRE_HEADER_BYTES + WIRE_HELLO_BYTES];
	struct wire_error_record e = {0};
	int sock = raw_connect(in->sock), r;
	struct raw_frame frame;

	raw_send(sock, hello, raw_put_hello(hello, RAW_FEATURES), NULL, 0);
	r = raw_recv(sock, &frame, PATIENCE_MS);
	if (r == -ECONNRESET)
		r = raw_recv(sock, &frame, PATIENCE_MS);
	need_int(r, ==, 1);
	if (frame.f.header.type == WIRE_WELCOME)
		return sock;
	if (frame.f.header.type == WIRE_ERROR)
		wire_get_error(&frame.f, &e);
	need(e.error == WIRE_E_UID_WEDGED, "type %#x, %s", frame.f.header.type,
		wire_error_name(e.error));
	return rdy__fd_close(sock);
}

/*
 * A session, as soon as fewer than three of the user's agents are killed and not gone: each refused file has
 * one killed, and how soon it is gone is for the scheduler, and for the file's server, to say.
 */
static int wait_served(const struct instance *in)
{
	int64_t start = now_ns();
	int sock;

	while ((sock = look_served(in)) < 0)
		need(look_again(start), "it is not served");
	return sock;
}

/* None serves but the innocent one's. */
static bool at_rest(const struct instance *in)
{
	return instance_helpers(in, "agent", (pid_t[8]){0}, 8) == 1;
}

static void wait_rest(const struct instance *in)
{
	int64_t start = now_ns();

	while (!at_rest(in))
		need(look_again(start), "an agent is still there");
}

/* That an agent is stuck is known some time after it was told to end. From then on nobody is served. */
static void wait_wedged(const struct instance *in)
{
	int64_t start = now_ns();
	int n_refused = 0, sock;

	while (n_refused < WEDGED_LOOKS) {
		sock = look_served(in);
		n_refused = sock < 0 ? n_refused + 1 : 0;
		rdy__fd_close(sock);
		wait_rest(in);
		need(look_again(start), "it is still served");
	}
}

/* Refused; the session goes on. */
static void refused(const struct instance *in, int fd)
{
	struct wire_result result;
	int sock = wait_served(in);

	need(fd >= 0, "%s", strerror(errno));
	result = raw_register(sock, fd, 1, WIRE_READABLE, WIRE_EDGE, 0);
	need(result.error == WIRE_E_FD_KIND_REFUSED && result.detail == WIRE_KIND_PATH,
		"%s detail %u", wire_error_name(result.error), result.detail);
	raw_ping(sock);
	rdy__fd_close(sock);
}

static void paths(const struct instance *in, uint32_t n, void *arg)
{
	const char *path = arg;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	refused(in, fd);
	rdy__fd_close(fd);
}

static void refuse_path(const char *name, const char *path)
{
	attack(&(struct attack){.name = name,
		.round = paths,
		.arg = (void *)path,
		.rounds_max = 100,
		.agent_ends = true});
}

START_TEST(refused_regular_file)
{
	refuse_path("regular file", "/proc/self/exe");
}
END_TEST

START_TEST(refused_directory)
{
	refuse_path("directory", "/");
}
END_TEST

START_TEST(refused_dev_null)
{
	refuse_path("/dev/null", "/dev/null");
}
END_TEST

/* A file of /proc can be polled, and is always ready. */
START_TEST(refused_proc_file)
{
	refuse_path("file of /proc", "/proc/self/mountinfo");
}
END_TEST

/* No session may have more of them than so many; also those that came with a frame that is none. */
static void too_many(const struct instance *in, uint32_t n, void *arg)
{
	int fds[QUARANTINE_MAX + 1], sock = wait_served(in);
	uint8_t buf[WIRE_FRAME_MAX];
	struct raw_frame frame;
	uint32_t count = n % 2 ? QUARANTINE_MAX : QUARANTINE_MAX + 1;

	for (uint32_t i = 0; i < count; i++) {
		const struct wire_register q = {
			.cookie = i, .interest = WIRE_READABLE, .mode = WIRE_EDGE};

		fds[i] = open("/", O_RDONLY | O_CLOEXEC);
		need(fds[i] >= 0, "%s", strerror(errno));
		wire_put_register(buf, i, &q);
	}
	need_int(raw_send(sock, buf, wire_put_header(buf, WIRE_REGISTER, 1, count), fds, count), ==,
		0);
	raw_recv_type(sock, &frame, WIRE_REGISTERED);
	if (n % 2) {
		raw_ping(sock);
		need_int(raw_send(sock, buf, wire_put_header(buf, WIRE_REGISTER, 1, 2), fds, 3), ==,
			0);
		raw_expect_fatal(sock, WIRE_E_FD_COUNT_MISMATCH, 3);
	} else {
		raw_expect_fatal(sock, WIRE_E_QUARANTINE_FULL, RAW_ANY);
	}
	for (uint32_t i = 0; i < count; i++)
		rdy__fd_close(fds[i]);
	rdy__fd_close(sock);
}

START_TEST(too_many_refused_files)
{
	attack(&(struct attack){.name = "too many refused files",
		.round = too_many,
		.rounds_max = 100,
		.agent_ends = true});
}
END_TEST

/* 0, or why there is none. */
static int fuse_missing(void)
{
	struct fuse f;
	int r = fuse_start(&f);

	if (r == 0)
		fuse_end(&f);
	return -r;
}

static void start_fuse(void *arg)
{
	need_int(fuse_start(arg), ==, 0);
}

static void fuse_file(const struct instance *in, uint32_t n, void *arg)
{
	refused(in, ((struct fuse *)arg)->file);
}

START_TEST(refused_fuse_file)
{
	struct fuse f;

	if (fuse_missing())
		unit_skip("no FUSE here: %s", strerror(fuse_missing()));
	attack(&(struct attack){.name = "FUSE file",
		.round = fuse_file,
		.prepare = start_fuse,
		.arg = &f,
		.rounds_max = 100,
		.agent_ends = true});
}
END_TEST

#define WEDGED_MAX 3u
#define ROUNDS_MAX 8u
#define STUCK_LOOKS 40 /* no end that is only slow takes so long */

/* Its agent has ended, or it cannot. Returns how many cannot by now. */
static size_t wait_end(const struct instance *in, size_t stuck)
{
	int64_t start = now_ns();
	int same = 0;

	while (same < STUCK_LOOKS) {
		bool rest = at_rest(in);
		size_t n = instance_ending(in);

		same = rest && n == stuck ? same + 1 : 0;
		stuck = n;
		need(look_again(start), "%zu agents that cannot end", stuck);
	}
	return stuck;
}

/*
 * Its file system says nothing any more, and an agent that has the file cannot even end, unless it is killed
 * before it tries. Three such agents, and the user has to wait until somebody sets them free; nobody else
 * notices.
 */
static void silent_file(const struct instance *in, uint32_t n, void *arg)
{
	uint8_t buf[WIRE_HEADER_BYTES + WIRE_PING_BYTES];
	struct fuse *f = arg;
	size_t stuck;
	int other, sock;

	fuse_silence(f);
	/* With a frame that does not take it: not closed either, or another session would notice. */
	other = raw_open(in->sock);
	wire_put_ping(buf, 1);
	attack_expect(in, buf, wire_put_header(buf, WIRE_PING, 1, 1), &f->file, 1,
		WIRE_E_FD_COUNT_MISMATCH, 1);
	raw_ping(other);
	rdy__fd_close(other);
	stuck = wait_end(in, 0);
	for (uint32_t i = 0; i < ROUNDS_MAX && stuck < WEDGED_MAX; i++) {
		refused(in, f->file);
		stuck = wait_end(in, stuck);
	}
	note("%zu agents cannot end", stuck);
	if (stuck == WEDGED_MAX)
		wait_wedged(in);
	fuse_end(f);
	sock = wait_served(in);
	raw_ping(sock);
	rdy__fd_close(sock);
}

START_TEST(silent_fuse_file)
{
	struct fuse f;

	if (fuse_missing())
		unit_skip("no FUSE here: %s", strerror(fuse_missing()));
	attack(&(struct attack){.name = "FUSE file without an answer",
		.round = silent_file,
		.prepare = start_fuse,
		.arg = &f,
		.rounds = 1,
		.rounds_max = 1,
		.agent_ends = true,
		.options = {"agent.idle_exit=100ms"},
		.expects = {"agent=wedged", "agent=stuck"}});
}
END_TEST

#define LEAVING_MAX 8u
#define HASTE_MAX 40u

/* Faster than anybody can tell that one is stuck: the number of such agents has an end all the same. */
static void silent_file_in_haste(const struct instance *in, uint32_t n, void *arg)
{
	struct fuse *f = arg;
	uint32_t i;
	size_t stuck;
	int sock;

	fuse_silence(f);
	for (i = 0; i < HASTE_MAX && (sock = look_served(in)) >= 0; i++) {
		raw_register(sock, f->file, 1, WIRE_READABLE, WIRE_EDGE, 0);
		rdy__fd_close(sock);
		wait_rest(in);
	}
	stuck = wait_end(in, 0);
	note("%zu agents cannot end, after %u sessions", stuck, i);
	need_int(i, <, HASTE_MAX);
	need_int(stuck, <=, LEAVING_MAX);
	fuse_end(f);
	sock = wait_served(in);
	raw_ping(sock);
	rdy__fd_close(sock);
}

START_TEST(silent_fuse_files_in_haste)
{
	struct fuse f;

	if (fuse_missing())
		unit_skip("no FUSE here: %s", strerror(fuse_missing()));
	attack(&(struct attack){.name = "FUSE files without an answer, in haste",
		.round = silent_file_in_haste,
		.prepare = start_fuse,
		.arg = &f,
		.rounds = 1,
		.rounds_max = 1,
		.agent_ends = true,
		.options = {"agent.idle_exit=100ms"},
		.expects = {"agent=wedged", "agent=stuck"}});
}
END_TEST

/* SIGTERM while an agent cannot end: the daemon does not wait for it for ever. */
START_TEST(silent_fuse_file_at_the_end)
{
	struct instance in;
	int64_t start;
	struct fuse f;
	int sock;

	if (fuse_missing())
		unit_skip("no FUSE here: %s", strerror(fuse_missing()));
	instance_start(&in, NULL);
	instance_expect(&in, "stuck=");
	instance_expect(&in, "agent=wedged");
	instance_expect(&in, "agent=stuck");
	start_fuse(&f);
	fuse_silence(&f);
	sock = raw_open(in.sock);
	raw_register(sock, f.file, 1, WIRE_READABLE, WIRE_EDGE, 0);
	start = now_ns();
	instance_terminate(&in);
	note("stopped in %.1f s beside an agent that cannot end", (double)(now_ns() - start) / 1e9);
	fuse_end(&f);
	instance_gone(&in);
	rdy__fd_close(sock);
}
END_TEST

UNIT_MAIN("hostile/files", refused_regular_file, refused_directory, refused_dev_null,
	refused_proc_file, too_many_refused_files, refused_fuse_file, silent_fuse_file,
	silent_fuse_files_in_haste, silent_fuse_file_at_the_end)
