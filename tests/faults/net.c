/* SPDX-License-Identifier: MIT */
/* What makes sockets, pipes and what the system tells: each of its system calls and allocations failing. */
#include <signal.h>

#include "reactor.h"
#include "table.h"

#define KINDS (INJECT_MEMORY | INJECT_KERNEL)

/* Whatever a row needs and makes; all of it is freed by close_place(). */
struct place {
	struct rdy_io *made[2], *listener, *client;
	struct rdy_addr at, peer;
	int fd; /* -1, or a descriptor of the test's own */
	pid_t child;
};

static char untouched;
#define UNTOUCHED ((void *)&untouched)

static void open_place(void *world)
{
	*(struct place *)world = (struct place){.fd = -1};
}

static void close_place(void *world)
{
	struct place *p = world;

	for (int i = 0; i < 2; i++)
		rdy_io_free(p->made[i]);
	rdy_io_free(p->listener);
	rdy_io_free(p->client);
	if (p->fd >= 0)
		shut(&p->fd);
	if (p->child > 0) {
		kill(p->child, SIGKILL);
		waitpid(p->child, NULL, 0);
	}
}

/* Outputs: untouched by a failure, ours after a success. */
static int put_out(struct place *p, int r, struct rdy_io *a, struct rdy_io *z)
{
	/* check allocates, too. */
	inject_stop();
	if (r < 0) {
		ck_assert_ptr_eq(a, UNTOUCHED);
		ck_assert_ptr_eq(z, UNTOUCHED);
		return r;
	}
	p->made[0] = a;
	p->made[1] = z == UNTOUCHED ? NULL : z;
	return r;
}

static void does_not_block(void *world)
{
	struct place *p = world;

	for (int i = 0; i < 2 && p->made[i]; i++) {
		ck_assert_int_ne(fcntl(rdy_io_fd(p->made[i]), F_GETFL) & O_NONBLOCK, 0);
		ck_assert_int_ne(fcntl(rdy_io_fd(p->made[i]), F_GETFD) & FD_CLOEXEC, 0);
	}
}

static void a_socket(void *world)
{
	struct place *p = world;

	p->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_ge(p->fd, 0);
}

/* The descriptor stays the caller's, if it fails. */
static int call_io_new(void *world)
{
	struct place *p = world;
	struct rdy_io *io = UNTOUCHED;
	int r = rdy_io_new(p->fd, &io);

	put_out(p, r, io, UNTOUCHED);
	if (r == 0)
		p->fd = -1;
	return r;
}

static bool is_still_open(void *world, int r)
{
	return fcntl(((struct place *)world)->fd, F_GETFL) >= 0;
}

static void ip_addr(void *world)
{
	ck_assert_int_eq(rdy_addr_parse("127.0.0.1:0", &((struct place *)world)->at), 0);
}

static void abstract_addr(void *world)
{
	char text[64];

	snprintf(text, sizeof(text), "unix:@readyd-test-faults-%d", (int)getpid());
	ck_assert_int_eq(rdy_addr_parse(text, &((struct place *)world)->at), 0);
}

static void path_addr(void *world)
{
	char text[64];

	snprintf(text, sizeof(text), "unix:/tmp/readyd-test-faults-%d", (int)getpid());
	ck_assert_int_eq(rdy_addr_parse(text, &((struct place *)world)->at), 0);
}

/* A path that was made is the caller's to remove; one that was not made does not stand in the way. */
static bool no_path_is_left(void *world, int r)
{
	ck_assert_int_eq(access(rdy_addr_name(&((struct place *)world)->at, NULL), F_OK), -1);
	return true;
}

static void has_made_a_path(void *world)
{
	does_not_block(world);
	ck_assert_int_eq(unlink(rdy_addr_name(&((struct place *)world)->at, NULL)), 0);
}

static void tcp_listener(void *world)
{
	struct place *p = world;

	ip_addr(p);
	ck_assert_int_eq(rdy_tcp_listen(&p->at, 0, &p->listener), 0);
	ck_assert_int_eq(rdy_socket_local_addr(p->listener, &p->at), 0);
}

static void unix_listener(void *world)
{
	struct place *p = world;

	abstract_addr(p);
	ck_assert_int_eq(rdy_unix_listen(&p->at, 0, &p->listener), 0);
}

static void unix_client(void *world)
{
	struct place *p = world;

	unix_listener(p);
	ck_assert_int_eq(rdy_unix_connect(&p->at, &p->client), 0);
}

#define ONE(name, ...) \
	static int call_##name(void *world) \
	{ \
		struct place *p = world; \
		struct rdy_io *io = UNTOUCHED; \
		int r = rdy_##name(__VA_ARGS__); \
\
		return put_out(p, r, io, UNTOUCHED); \
	}
#define TWO(name) \
	static int call_##name(void *world) \
	{ \
		struct rdy_io *a = UNTOUCHED, *z = UNTOUCHED; \
		int r = rdy_##name(&a, &z); \
\
		return put_out(world, r, a, z); \
	}

static const int wanted[] = {SIGUSR1};

ONE(tcp_listen, &p->at, 0, &io)
ONE(tcp_connect, &p->at, &io)
ONE(udp_bind, &p->at, &io)
ONE(unix_listen, &p->at, 0, &io)
ONE(unix_connect, &p->at, &io)
ONE(unix_accept, p->listener, &p->peer, &io)
ONE(unix_datagram_bind, &p->at, &io)
ONE(unix_datagram_unbound, &io)
ONE(signals_new, wanted, 1, &io)
ONE(child_new, (int)p->child, &io)
ONE(files_new, &io)
TWO(unix_pair)
TWO(unix_datagram_pair)
TWO(pipe_new)

static void a_child(void *world)
{
	struct place *p = world;

	p->child = fork();
	ck_assert_int_ge(p->child, 0);
	if (p->child == 0)
		for (;;)
			pause();
}

static void watching(void *world)
{
	ck_assert_int_eq(rdy_files_new(&((struct place *)world)->made[0]), 0);
}

static int call_files_watch(void *world)
{
	return rdy_files_watch(((struct place *)world)->made[0], "/tmp", RDY_FILE_CREATED);
}

static int call_local_addr(void *world)
{
	struct place *p = world;

	return rdy_socket_local_addr(p->listener, &p->peer);
}

static int call_set_ttl(void *world)
{
	return rdy_socket_set_ttl(((struct place *)world)->listener, 9);
}

#define NONE ENOMEM, ENOBUFS, EMFILE, ENFILE
static const struct fault_row rows[] = {
	{"io_new", KINDS, FAULT_ERRORS(ENOMEM, EBADF, EPERM), .prepare = a_socket,
		.call = call_io_new, .unharmed = is_still_open, .works = does_not_block},
	{"pipe_new", KINDS, FAULT_ERRORS(NONE), .call = call_pipe_new, .works = does_not_block},
	{"tcp_listen", KINDS, FAULT_ERRORS(NONE, EADDRINUSE, EADDRNOTAVAIL, EACCES, EAFNOSUPPORT),
		.absurd = FAULT_ERRORS(ENOPROTOOPT), .prepare = ip_addr, .call = call_tcp_listen,
		.works = does_not_block},
	{"tcp_connect", KINDS,
		FAULT_ERRORS(NONE, EADDRNOTAVAIL, ECONNREFUSED, ENETUNREACH, EACCES, EPERM,
			EAFNOSUPPORT, EAGAIN, ETIMEDOUT),
		.prepare = tcp_listener, .call = call_tcp_connect, .works = does_not_block},
	{"udp_bind", KINDS, FAULT_ERRORS(NONE, EADDRINUSE, EADDRNOTAVAIL, EACCES, EAFNOSUPPORT),
		.prepare = ip_addr, .call = call_udp_bind, .works = does_not_block},
	{"unix_listen", KINDS, FAULT_ERRORS(NONE, EADDRINUSE, EADDRNOTAVAIL, EACCES, EAFNOSUPPORT),
		.prepare = abstract_addr, .call = call_unix_listen, .works = does_not_block},
	{"unix_listen at a path", KINDS,
		FAULT_ERRORS(NONE, EADDRINUSE, EADDRNOTAVAIL, EACCES, EAFNOSUPPORT),
		.prepare = path_addr, .call = call_unix_listen, .unharmed = no_path_is_left,
		.works = has_made_a_path},
	{"unix_datagram_bind at a path", KINDS,
		FAULT_ERRORS(NONE, EADDRINUSE, EADDRNOTAVAIL, EACCES, EAFNOSUPPORT),
		.prepare = path_addr, .call = call_unix_datagram_bind, .unharmed = no_path_is_left,
		.works = has_made_a_path},
	{"unix_connect", KINDS,
		FAULT_ERRORS(NONE, EAGAIN, ECONNREFUSED, EACCES, EAFNOSUPPORT, ENETUNREACH,
			EADDRNOTAVAIL, EPERM, ETIMEDOUT),
		.prepare = unix_listener, .call = call_unix_connect, .works = does_not_block},
	{"unix_accept", KINDS, FAULT_ERRORS(NONE, EAGAIN, ECONNABORTED, EPERM, EPROTO),
		.prepare = unix_client, .call = call_unix_accept, .works = does_not_block},
	{"unix_datagram_bind", KINDS,
		FAULT_ERRORS(NONE, EADDRINUSE, EADDRNOTAVAIL, EACCES, EAFNOSUPPORT),
		.prepare = abstract_addr, .call = call_unix_datagram_bind, .works = does_not_block},
	{"unix_datagram_unbound", KINDS, FAULT_ERRORS(NONE, EACCES, EAFNOSUPPORT),
		.call = call_unix_datagram_unbound, .works = does_not_block},
	{"unix_pair", KINDS, FAULT_ERRORS(NONE, EAFNOSUPPORT, EACCES), .call = call_unix_pair,
		.works = does_not_block},
	{"unix_datagram_pair", KINDS, FAULT_ERRORS(NONE, EAFNOSUPPORT, EACCES),
		.call = call_unix_datagram_pair, .works = does_not_block},
	{"signals_new", KINDS, FAULT_ERRORS(NONE), .call = call_signals_new,
		.works = does_not_block},
	{"files_new", KINDS, FAULT_ERRORS(NONE), .call = call_files_new, .works = does_not_block},
	{"files_watch", KINDS, FAULT_ERRORS(ENOSPC, ENOMEM, EACCES, ENOENT), .prepare = watching,
		.call = call_files_watch, .works = does_not_block},
	{"local_addr", KINDS, FAULT_ERRORS(ENOBUFS), .prepare = tcp_listener,
		.call = call_local_addr, .works = does_not_block},
	{"set_ttl", KINDS, FAULT_ERRORS(ENOMEM, ENOPROTOOPT, ENOBUFS), .prepare = tcp_listener,
		.call = call_set_ttl, .works = does_not_block},
};

START_TEST(all)
{
	static struct place world;
	const struct fault_place place = {open_place, close_place, &world};
	size_t tried = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = fault_run(&rows[i], &place);

		ck_assert_msg(n > 0, "%s makes no call", rows[i].name);
		tried += n;
	}
	fprintf(stderr, "# %zu faults\n", tried);
}
END_TEST

/* Not by the table: what it needs is a process, which is none of inject's business. */
/* Whatever fails, what is not taken over is as it was. */
START_TEST(refused_and_unchanged)
{
	static struct place world;
	size_t n_calls;

	open_place(&world);
	a_socket(&world);
	inject_watch(KINDS);
	ck_assert_int_eq(call_io_new(&world), 0);
	n_calls = inject_stop();
	/* Two questions, two changes, and memory. */
	ck_assert_uint_ge(n_calls, 5);
	close_place(&world);
	for (size_t n = 0; n < n_calls; n++) {
		for (const int *error = inject_errors(n); *error; error++) {
			int flags, status;

			open_place(&world);
			a_socket(&world);
			flags = fcntl(world.fd, F_GETFD);
			status = fcntl(world.fd, F_GETFL);
			inject_fail(KINDS, n, *error, false);
			ck_assert_int_lt(call_io_new(&world), 0);
			inject_stop();
			ck_assert_int_eq(fcntl(world.fd, F_GETFD), flags);
			ck_assert_int_eq(fcntl(world.fd, F_GETFL), status);
			close_place(&world);
		}
	}
}
END_TEST

START_TEST(children)
{
	static struct place world;

	open_place(&world);
	a_child(&world);
	for (int error = 0; error < 2; error++) {
		inject_fail(KINDS, (size_t)error, error ? ENOMEM : EMFILE, false);
		ck_assert_int_eq(call_child_new(&world), error ? -ENOMEM : -EMFILE);
	}
	ck_assert_int_eq(call_child_new(&world), 0);
	close_place(&world);
}
END_TEST

UNIT_MAIN("faults/net", all, refused_and_unchanged, children)
