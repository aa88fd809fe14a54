/* SPDX-License-Identifier: MIT */
/* What every io has: taking over, giving back, reading and writing without SIGPIPE. */
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/uio.h>

#include "net.h"
#include "net/io.h"

START_TEST(takes_over_and_gives_back)
{
	int sv[2], file = open("/dev/null", O_RDWR);
	struct rdy_io *io = NULL;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	ck_assert_int_eq(rdy_io_new(-1, &io), -EBADF);
	ck_assert_int_eq(rdy_io_new(9999, &io), -EBADF);
	ck_assert_int_eq(rdy_io_new(sv[0], NULL), -EINVAL);
	ck_assert_ptr_null(io);
	ck_assert_int_eq(rdy_io_new(sv[0], &io), 0);
	ck_assert_int_eq(rdy_io_fd(io), sv[0]);
	expect_flags(io);
	ck_assert_int_eq(rdy_io_set_blocking(io, 1), 0);
	ck_assert_int_eq(fcntl(sv[0], F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(rdy_io_set_blocking(io, 0), 0);
	expect_flags(io);
	ck_assert_int_eq(rdy_io_set_blocking(io, 2), -EINVAL);
	ck_assert_int_eq(rdy_io_set_blocking(NULL, 0), -EINVAL);
	ck_assert_int_eq(rdy_io_release(io), sv[0]);
	ck_assert_int_eq(fcntl(sv[0], F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(rdy_io_new(file, &io), 0);
	ck_assert_ptr_null(rdy_io_free(io));
	ck_assert_int_eq(fcntl(file, F_GETFD), -1);
	ck_assert_ptr_null(rdy_io_free(NULL));
	ck_assert_int_eq(rdy_io_release(NULL), -EINVAL);
	ck_assert_int_eq(rdy_io_fd(NULL), -EINVAL);
	ck_assert_ptr_null(rdy_io_source(NULL));
	shut(&sv[0]);
	shut(&sv[1]);
}
END_TEST

/* Invariant: IO-1 */
START_TEST(freed_while_registered)
{
	for_each_variant(b)
	{
		struct rdy_io *a, *z;
		int keep;

		ck_assert_int_eq(rdy_unix_pair(&a, &z), 0);
		/* Somebody else holds the same file: closing alone would not end the registration. */
		keep = dup(rdy_io_fd(a));
		watch(&b, a, 1, RDY_READABLE, RDY_LEVEL);
		ck_assert_int_eq(rdy_io_write(z, "x", 1), 1);
		expect(&b, 1, RDY_READABLE);
		rdy_io_free(a);
		expect_none(&b);
		/* Given away: the same. */
		ck_assert_int_eq(rdy_io_new(keep, &a), 0);
		watch(&b, a, 2, RDY_READABLE, RDY_LEVEL);
		expect(&b, 2, RDY_READABLE);
		ck_assert_int_eq(rdy_io_release(a), keep);
		expect_none(&b);
		shut(&keep);
		rdy_io_free(z);
	}
}
END_TEST

START_TEST(reads_and_writes)
{
	struct rdy_io *a, *z;
	char x[3] = "", y[5] = "";
	struct iovec out[2] = {{(char[]){"ab"}, 2}, {(char[]){"cdef"}, 4}},
		     in[2] = {{x, 2}, {y, 4}};

	ck_assert_int_eq(rdy_unix_pair(&a, &z), 0);
	ck_assert_int_eq((int)rdy_io_read(a, x, 2), -EAGAIN);
	ck_assert_int_eq((int)rdy_io_writev(z, out, 2), 6);
	ck_assert_int_eq((int)rdy_io_readv(a, in, 2), 6);
	ck_assert_str_eq(x, "ab");
	ck_assert_str_eq(y, "cdef");
	ck_assert_int_eq((int)rdy_io_write(z, "q", 1), 1);
	ck_assert_int_eq((int)rdy_io_read(a, x, 2), 1);
	ck_assert_int_eq((int)rdy_io_write(z, NULL, 0), 0);
	ck_assert_int_eq((int)rdy_io_read(a, NULL, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_write(a, NULL, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_readv(a, NULL, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_writev(a, NULL, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_readv(a, in, IOV_MAX + 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_writev(a, in, IOV_MAX + 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_read(NULL, x, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_write(NULL, x, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_readv(NULL, in, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_writev(NULL, in, 1), -EINVAL);
	ck_assert_int_eq((int)rdy_io_try(NULL, NULL, NULL), -EINVAL);
	ck_assert_int_eq((int)rdy_io_try(a, NULL, NULL), -EINVAL);
	rdy_io_free(z);
	ck_assert_int_eq((int)rdy_io_read(a, x, 2), 0);
	rdy_io_free(a);
}
END_TEST

static void child_succeeds(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

/* SIGPIPE kills whoever gets it here: its disposition is the default. */
START_TEST(no_sigpipe)
{
	for (int forced = 0; forced < 3; forced++) {
		struct rdy_io *a, *z;
		sigset_t before, after, pipe_only;

		signal(SIGPIPE, SIG_DFL);
		ck_assert_int_eq(rdy_unix_pair(&a, &z), 0);
		rdy_io_free(z);
		ck_assert_int_eq((int)rdy_io_write(a, "x", 1), -EPIPE);
		ck_assert_int_eq((int)rdy_socket_send(a, "x", 1), -EPIPE);
		rdy_io_free(a);

		ck_assert_int_eq(rdy_pipe_new(&a, &z), 0);
		a->no_nosignal = forced > 0;
		sigemptyset(&pipe_only);
		sigaddset(&pipe_only, SIGPIPE);
		if (forced == 2) {
			/* One that waits already is not ours to take. */
			pthread_sigmask(SIG_BLOCK, &pipe_only, NULL);
			raise(SIGPIPE);
		}
		pthread_sigmask(SIG_SETMASK, NULL, &before);
		ck_assert_int_eq((int)rdy_io_write(a, "x", 1), 1);
		rdy_io_free(z);
		ck_assert_int_eq((int)rdy_io_write(a, "x", 1), -EPIPE);
		ck_assert_int_eq(
			(int)rdy_io_writev(a, &(struct iovec){(char[]){"x"}, 1}, 1), -EPIPE);
		pthread_sigmask(SIG_SETMASK, NULL, &after);
		ck_assert_int_eq(sigismember(&before, SIGPIPE), sigismember(&after, SIGPIPE));
		if (forced == 2) {
			const struct timespec now = {0};

			ck_assert_int_eq(sigtimedwait(&pipe_only, NULL, &now), SIGPIPE);
			pthread_sigmask(SIG_UNBLOCK, &pipe_only, NULL);
		}
		rdy_io_free(a);
	}
}
END_TEST

/* A pipe that blocks, whose reader leaves in the middle: a part was written, and no SIGPIPE comes either. */
START_TEST(no_sigpipe_half_way)
{
	static char much[1 << 20];

	for (int forced = 0; forced < 2; forced++) {
		struct rdy_io *s, *r;
		ptrdiff_t n;
		pid_t pid;

		signal(SIGPIPE, SIG_DFL);
		ck_assert_int_eq(rdy_pipe_new(&s, &r), 0);
		ck_assert_int_eq(rdy_io_set_blocking(s, 1), 0);
		ck_assert_int_eq(rdy_io_set_blocking(r, 1), 0);
		s->no_nosignal = forced;
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			char c[4096];

			rdy_io_free(s);
			unit_exit(rdy_io_read(r, c, sizeof(c)) > 0 ? 0 : 1);
		}
		rdy_io_free(r);
		n = rdy_io_write(s, much, sizeof(much));
		ck_assert_int_gt((int)n, 0);
		ck_assert_int_lt((int)n, (int)sizeof(much));
		ck_assert_int_eq((int)rdy_io_write(s, much, sizeof(much)), -EPIPE);
		rdy_io_free(s);
		child_succeeds(pid);
	}
}
END_TEST

/* A call that really sleeps, because its io was made blocking, and is interrupted where it does. */

static atomic_int released;

static void nothing(int signal)
{
}

/* Is that thread asleep, with no signal under way? Its handler may run late: a thread sanitizer puts it off. */
static bool sleeps(pid_t tid)
{
	char path[64], text[4096];
	const char *state, *pending;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)tid);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	state = strstr(text, "\nState:\t");
	pending = strstr(text, "\nSigPnd:\t");
	ck_assert(state && pending);
	return state[8] == 'S' && strtoull(pending + 9, NULL, 16) == 0;
}

struct sleeper {
	pthread_t thread;
	pid_t tid;
	void (*release)(struct rdy_io *peer);
	struct rdy_io *peer;
};

/* Signals a sleeper three times, each time when it sleeps, and ends its sleep. */
static void *interrupt(void *arg)
{
	struct sleeper *s = arg;

	for (int i = 0; i < 3; i++) {
		while (!sleeps(s->tid))
			sched_yield();
		pthread_kill(s->thread, SIGUSR1);
	}
	while (!sleeps(s->tid))
		sched_yield();
	released = 1;
	s->release(s->peer);
	return NULL;
}

static struct rdy_addr listening;
static char buf[1 << 16];

static ptrdiff_t do_read(struct rdy_io *io)
{
	return rdy_io_read(io, buf, 1);
}

static ptrdiff_t do_readv(struct rdy_io *io)
{
	return rdy_io_readv(io, &(struct iovec){buf, 1}, 1);
}

static ptrdiff_t do_write(struct rdy_io *io)
{
	return rdy_io_write(io, buf, 1);
}

static ptrdiff_t do_writev(struct rdy_io *io)
{
	return rdy_io_writev(io, &(struct iovec){buf, 1}, 1);
}

static ptrdiff_t do_recv(struct rdy_io *io)
{
	return rdy_socket_recv(io, buf, 1);
}

static ptrdiff_t do_peek_from(struct rdy_io *io)
{
	struct rdy_addr from;

	return rdy_socket_peek_from(io, buf, 1, &from);
}

static ptrdiff_t do_send(struct rdy_io *io)
{
	return rdy_socket_send(io, buf, 1);
}

static ptrdiff_t do_accept(struct rdy_io *io)
{
	struct rdy_io *got;
	int r = rdy_unix_accept(io, NULL, &got);

	if (r == 0)
		rdy_io_free(got);
	return r == 0 ? 1 : r;
}

static void a_pipe_to_read(struct rdy_io *ret[2])
{
	ck_assert_int_eq(rdy_pipe_new(&ret[1], &ret[0]), 0);
}

static void until_full(struct rdy_io *io)
{
	while (rdy_io_write(io, buf, sizeof(buf)) > 0)
		;
	/* The last bytes, too. */
	while (rdy_io_write(io, buf, 1) > 0)
		;
}

static void a_full_pipe(struct rdy_io *ret[2])
{
	ck_assert_int_eq(rdy_pipe_new(&ret[0], &ret[1]), 0);
	until_full(ret[0]);
}

/* For a kernel without RWF_NOSIGNAL. */
static void a_full_pipe_of_old(struct rdy_io *ret[2])
{
	a_full_pipe(ret);
	ret[0]->no_nosignal = true;
}

static void a_pair(struct rdy_io *ret[2])
{
	ck_assert_int_eq(rdy_unix_pair(&ret[0], &ret[1]), 0);
}

static void a_full_pair(struct rdy_io *ret[2])
{
	a_pair(ret);
	until_full(ret[0]);
}

static void a_listener(struct rdy_io *ret[2])
{
	char name[64];

	snprintf(name, sizeof(name), "unix:@readyd-test-io-%d", (int)getpid());
	listening = addr_of(name);
	ck_assert_int_eq(rdy_unix_listen(&listening, 0, &ret[0]), 0);
}

static void give(struct rdy_io *peer)
{
	ck_assert_int_eq((int)rdy_io_write(peer, "x", 1), 1);
}

static void empty(struct rdy_io *peer)
{
	static char other[1 << 16];

	while (rdy_io_read(peer, other, sizeof(other)) > 0)
		;
}

static void join(struct rdy_io *peer)
{
	struct rdy_io *client;

	ck_assert_int_eq(rdy_unix_connect(&listening, &client), 0);
	rdy_io_free(client);
}

static const struct row {
	const char *name;
	void (*make)(struct rdy_io *ret[2]);
	ptrdiff_t (*call)(struct rdy_io *io);
	void (*release)(struct rdy_io *peer);
} rows[] = {
	{"read", a_pipe_to_read, do_read, give},
	{"readv", a_pipe_to_read, do_readv, give},
	{"write to a pipe", a_full_pipe, do_write, empty},
	{"writev to a pipe", a_full_pipe, do_writev, empty},
	{"write to a pipe of old", a_full_pipe_of_old, do_write, empty},
	{"write to a socket", a_full_pair, do_write, empty},
	{"recv", a_pair, do_recv, give},
	{"peek_from", a_pair, do_peek_from, give},
	{"send", a_full_pair, do_send, empty},
	{"accept", a_listener, do_accept, join},
};

START_TEST(interrupted_calls_are_repeated)
{
	/* No SA_RESTART: the kernel says EINTR. */
	const struct sigaction sa = {.sa_handler = nothing};

	ck_assert_int_eq(sigaction(SIGUSR1, &sa, NULL), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rdy_io *io[2] = {NULL, NULL};
		struct sleeper me = {.thread = pthread_self(), .tid = gettid()};
		pthread_t other;
		bool no_nosignal;
		ptrdiff_t r;

		fprintf(stderr, "# %s\n", rows[i].name);
		released = 0;
		rows[i].make(io);
		ck_assert_int_eq(rdy_io_set_blocking(io[0], 1), 0);
		no_nosignal = io[0]->no_nosignal;
		me.release = rows[i].release;
		me.peer = io[1];
		ck_assert_int_eq(pthread_create(&other, NULL, interrupt, &me), 0);
		r = rows[i].call(io[0]);
		/* Not before it was let go. */
		ck_assert_msg(r == 1 && released, "returned %d too early", (int)r);
		ck_assert_int_eq(pthread_join(other, NULL), 0);
		/* An interruption says nothing about the kernel. */
		ck_assert_int_eq(io[0]->no_nosignal, no_nosignal);
		for (int k = 0; k < 2; k++)
			rdy_io_free(io[k]);
	}
}
END_TEST

UNIT_MAIN("net/io", takes_over_and_gives_back, freed_while_registered, reads_and_writes, no_sigpipe,
	no_sigpipe_half_way, interrupted_calls_are_repeated)
