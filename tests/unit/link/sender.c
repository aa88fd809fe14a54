/* SPDX-License-Identifier: MIT */
/*
 * The sending side; the test is the receiver, message by message. sendmsg(), close() and malloc() of the
 * code under test go through wrappers (linker's --wrap) that keep a protocol of calls and can fail.
 */
#include "link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>

#include "process.h"

ssize_t __real_sendmsg(int sock, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int sock, const struct msghdr *msg, int flags);
int __real_close(int fd);
int __wrap_close(int fd);
void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static struct {
	char calls[256]; /* D dispose, G go, c close; lower case d and g: failed */
	size_t n_calls;
	int fail_from, fail_count, fail_errno; /* which sendmsg() calls fail, counted from 0 */
	int n_sends;
	int poison; /* a message with this descriptor fails with ETOOMANYREFS */
	int no_memory;
} world;

static void world_reset(void)
{
	memset(&world, 0, sizeof(world));
	world.poison = -1;
}

static void record(char c)
{
	if (world.n_calls < sizeof(world.calls) - 1)
		world.calls[world.n_calls++] = c;
}

static bool carries(const struct msghdr *msg, int fd)
{
	struct msghdr *m = (struct msghdr *)msg;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++)
			if (((int *)CMSG_DATA(c))[i] == fd)
				return true;
	return false;
}

ssize_t __wrap_sendmsg(int sock, const struct msghdr *msg, int flags)
{
	uint32_t type = *(const uint32_t *)msg->msg_iov[0].iov_base;
	int n = world.n_sends++, e = 0;
	ssize_t r = -1;

	if (n >= world.fail_from && n < world.fail_from + world.fail_count)
		e = world.fail_errno;
	else if (world.poison >= 0 && carries(msg, world.poison))
		e = ETOOMANYREFS;
	if (e == 0) {
		r = __real_sendmsg(sock, msg, flags);
		e = errno;
	}
	record((char)((type == LINK_DISPOSE ? 'D' : 'G') | (r < 0 ? 0x20 : 0)));
	errno = e;
	return r;
}

int __wrap_close(int fd)
{
	record('c');
	return __real_close(fd);
}

void *__wrap_malloc(size_t n)
{
	return world.no_memory ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return world.no_memory ? NULL : __real_calloc(n, size);
}

/* The far end, played by the test. */
struct far {
	struct link_sender l;
	int sock;
	struct link_message m;
	struct rdy__received got;
	int fds[RDY__FDS_MAX];
};

static void far_open(struct far *f, uint32_t batch_max)
{
	int sv[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	f->sock = sv[1];
	link_sender_init(&f->l, sv[0], batch_max);
	world_reset();
}

static void far_close(struct far *f)
{
	link_sender_deinit(&f->l, false);
	rdy__fd_close(f->sock);
}

static void far_read(struct far *f, uint32_t type, size_t n_fds)
{
	ck_assert_int_eq(rdy__recv_fds(f->sock, &f->m, sizeof(f->m), f->fds, 0, &f->got), 0);
	ck_assert_uint_eq(f->got.n_bytes, sizeof(f->m));
	ck_assert_uint_eq(f->m.type, type);
	ck_assert_uint_eq(f->m.n_fds, n_fds);
	ck_assert_uint_eq(f->got.n_fds, n_fds);
}

static void far_empty(struct far *f)
{
	ck_assert_int_eq(rdy__recv_fds(f->sock, &f->m, sizeof(f->m), f->fds, 0, &f->got), -EAGAIN);
}

static void far_dispose(struct far *f)
{
	for (size_t i = 0; i < f->got.n_fds; i++)
		__real_close(f->fds[i]);
}

static void far_done(struct far *f, uint32_t n_fds)
{
	struct link_message m = {.type = LINK_DONE, .n_fds = n_fds};

	ck_assert_int_eq(send(f->sock, &m, sizeof(m), 0), sizeof(m));
	ck_assert_int_eq(link_sender_readable(&f->l), 1);
}

/* DISPOSE of n, GO, DONE, as a good receiver does it. */
static void far_batch(struct far *f, size_t n)
{
	far_read(f, LINK_DISPOSE, n);
	far_dispose(f);
	far_read(f, LINK_GO, 0);
	far_done(f, (uint32_t)n);
}

/* An eventfd that says which one it is. */
static int numbered(unsigned int i)
{
	int fd = eventfd(i + 1, EFD_CLOEXEC | EFD_NONBLOCK);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void expect_number(int fd, unsigned int i)
{
	eventfd_t v;

	ck_assert_int_eq(eventfd_read(fd, &v), 0);
	ck_assert_uint_eq(v, i + 1);
}

static void take(struct far *f, int fd)
{
	ck_assert_int_eq(link_sender_take(&f->l, fd, NULL, 0, false), 0);
}

static void flush(struct far *f)
{
	ck_assert_int_eq(link_sender_flush(&f->l, 7), 0);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Invariant: LINK-1 */
START_TEST(copies_are_closed_before_go)
{
	struct far f;

	far_open(&f, 3);
	for (unsigned int i = 0; i < 3; i++)
		take(&f, numbered(i));
	ck_assert_str_eq(world.calls, "");
	flush(&f);
	ck_assert_str_eq(world.calls, "DcccG");
	ck_assert_int_eq(f.l.sent_at_ns, 7);
	far_batch(&f, 3);
	far_close(&f);
}
END_TEST

START_TEST(one_batch_at_a_time)
{
	struct far f;

	far_open(&f, 2);
	for (unsigned int i = 0; i < 5; i++)
		take(&f, numbered(i));
	for (int i = 0; i < 3; i++)
		flush(&f);
	ck_assert_uint_eq(link_sender_pending(&f.l), 5);
	ck_assert(!link_sender_stalled(&f.l));
	far_batch(&f, 2);
	far_empty(&f);
	ck_assert_uint_eq(link_sender_pending(&f.l), 3);
	flush(&f);
	far_batch(&f, 2);
	flush(&f);
	far_batch(&f, 1);
	flush(&f);
	far_empty(&f);
	ck_assert_uint_eq(link_sender_pending(&f.l), 0);
	far_close(&f);
}
END_TEST

START_TEST(a_batch_is_a_run_of_equal_items)
{
	const struct {
		const char *answer;
		bool shut;
		size_t batch; /* a batch begins here, so long */
	} items[] = {
		{"a", false, 2},
		{"a", false, 0},
		{"b", false, 1},
		{"b", true, 1},
		{NULL, true, 2},
		{"", true, 0},
		{NULL, false, 1},
		{"aa", false, 1},
	};
	const size_t n = sizeof(items) / sizeof(items[0]);
	struct far f;

	far_open(&f, LINK_BATCH_MAX);
	for (unsigned int i = 0; i < n; i++) {
		const char *a = items[i].answer;

		ck_assert_int_eq(
			link_sender_take(&f.l, numbered(i), a, a ? strlen(a) : 0, items[i].shut),
			0);
	}
	for (unsigned int i = 0; i < n; i++) {
		size_t len = items[i].answer ? strlen(items[i].answer) : 0;

		if (!items[i].batch)
			continue;
		flush(&f);
		far_read(&f, LINK_DISPOSE, items[i].batch);
		ck_assert_uint_eq(f.m.answer_bytes, len);
		ck_assert_mem_eq(f.m.answer, items[i].answer ? items[i].answer : "", len);
		ck_assert_uint_eq(f.m.shutdown != 0, items[i].shut);
		for (unsigned int k = 0; k < items[i].batch; k++)
			expect_number(f.fds[k], i + k);
		far_dispose(&f);
		far_read(&f, LINK_GO, 0);
		far_done(&f, (uint32_t)items[i].batch);
	}
	far_close(&f);
}
END_TEST

/* More than the ring's first size, wrapping, in order; the memory of a burst goes back. */
START_TEST(a_burst)
{
	enum { N = 300 };
	unsigned int in = 0, out = 0;
	struct far f;

	far_open(&f, 7);
	while (out < N) {
		for (int i = 0; i < 11 && in < N; i++)
			take(&f, numbered(in++));
		flush(&f);
		far_read(&f, LINK_DISPOSE, N - out < 7 ? N - out : 7);
		for (size_t i = 0; i < f.got.n_fds; i++)
			expect_number(f.fds[i], out++);
		far_dispose(&f);
		far_read(&f, LINK_GO, 0);
		far_done(&f, f.l.n_under_way);
	}
	ck_assert_uint_eq(link_sender_pending(&f.l), 0);
	ck_assert_uint_eq(f.l.cap, 0);
	far_close(&f);
}
END_TEST

START_TEST(a_kernel_that_will_not_take_it)
{
	const int errors[] = {EAGAIN, ENOBUFS, ETOOMANYREFS, ENOMEM};
	struct far f;

	far_open(&f, 4);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		int fds[4];

		world_reset();
		world.fail_count = 1;
		world.fail_errno = errors[i];
		for (unsigned int k = 0; k < 4; k++)
			take(&f, fds[k] = numbered(k));
		flush(&f);
		ck_assert_str_eq(world.calls, "d");
		ck_assert(link_sender_stalled(&f.l));
		for (unsigned int k = 0; k < 4; k++)
			ck_assert(is_open(fds[k]));
		/* Less at once, then all of it again. */
		flush(&f);
		ck_assert(!link_sender_stalled(&f.l));
		far_batch(&f, 2);
		flush(&f);
		far_batch(&f, 2);
	}
	far_close(&f);
}
END_TEST

START_TEST(a_go_that_is_owed)
{
	struct far f;
	struct link_message done = {.type = LINK_DONE, .n_fds = 1};

	far_open(&f, 1);
	take(&f, numbered(0));
	take(&f, numbered(1));
	world.fail_from = 1;
	world.fail_count = 2;
	world.fail_errno = EAGAIN;
	flush(&f);
	ck_assert(link_sender_stalled(&f.l));
	flush(&f);
	ck_assert(link_sender_stalled(&f.l));
	ck_assert_str_eq(world.calls, "Dcgg");
	/* Nobody can be done before GO. */
	ck_assert_int_eq(send(f.sock, &done, sizeof(done), 0), sizeof(done));
	ck_assert_int_eq(link_sender_readable(&f.l), -EPROTO);
	flush(&f);
	ck_assert(!link_sender_stalled(&f.l));
	ck_assert_str_eq(world.calls, "DcggG");
	far_batch(&f, 1);
	flush(&f);
	far_batch(&f, 1);
	far_close(&f);
}
END_TEST

/* A socket that is really full. */
START_TEST(a_full_socket)
{
	struct far f;
	char byte = 0;
	int n = 0;

	far_open(&f, 1);
	while (send(f.l.sock, &byte, 1, MSG_DONTWAIT) == 1)
		n++;
	take(&f, numbered(0));
	flush(&f);
	ck_assert(link_sender_stalled(&f.l));
	while (n-- > 0)
		ck_assert_int_eq(recv(f.sock, &byte, 1, 0), 1);
	flush(&f);
	far_batch(&f, 1);
	far_close(&f);
}
END_TEST

/* Old kernels refuse a socket that lies too deep in sockets, for ever: the others must pass. */
START_TEST(what_cannot_travel_does_not_hold_up_the_rest)
{
	enum { N = 9 };
	size_t passed = 0;
	struct far f;

	far_open(&f, 4);
	for (unsigned int i = 0; i < N; i++) {
		int fd = numbered(i);

		if (i == 2)
			world.poison = fd;
		take(&f, fd);
	}
	for (int i = 0; i < 100 && passed < N - 1; i++) {
		flush(&f);
		if (link_sender_stalled(&f.l))
			continue;
		passed += f.l.n_under_way;
		far_batch(&f, f.l.n_under_way);
	}
	ck_assert_uint_eq(passed, N - 1);
	ck_assert_uint_eq(link_sender_pending(&f.l), 1);
	ck_assert(is_open(world.poison));
	world.poison = -1;
	flush(&f);
	far_read(&f, LINK_DISPOSE, 1);
	expect_number(f.fds[0], 2);
	far_dispose(&f);
	far_read(&f, LINK_GO, 0);
	far_done(&f, 1);
	far_close(&f);
}
END_TEST

static void far_replace(struct far *f)
{
	int sv[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	f->sock = sv[1];
	link_sender_replace(&f->l, sv[0]);
}

START_TEST(a_dead_receiver_is_replaced)
{
	int kept;
	struct far f;

	far_open(&f, 2);
	take(&f, numbered(0));
	take(&f, numbered(1));
	take(&f, kept = numbered(2));
	flush(&f);
	rdy__fd_close(f.sock);
	ck_assert_int_eq(link_sender_readable(&f.l), -EPIPE);
	ck_assert_uint_eq(link_sender_pending(&f.l), 3);
	far_replace(&f);
	ck_assert_uint_eq(link_sender_pending(&f.l), 1);
	/* Dead before it was sent anything. */
	rdy__fd_close(f.sock);
	ck_assert_int_eq(link_sender_flush(&f.l, 0), -EPIPE);
	ck_assert_int_eq(link_sender_flush(&f.l, 0), -EPIPE);
	ck_assert(is_open(kept));
	far_replace(&f);
	flush(&f);
	far_batch(&f, 1);
	/* Dead between DISPOSE and GO. */
	take(&f, numbered(3));
	world_reset();
	world.fail_from = 1;
	world.fail_count = 1;
	world.fail_errno = EPIPE;
	ck_assert_int_eq(link_sender_flush(&f.l, 0), -EPIPE);
	rdy__fd_close(f.sock);
	far_replace(&f);
	ck_assert(!link_sender_stalled(&f.l));
	ck_assert_uint_eq(link_sender_pending(&f.l), 0);
	far_close(&f);
}
END_TEST

START_TEST(without_a_receiver_everything_waits)
{
	struct far f = {.l = LINK_SENDER_NULL};

	world_reset();
	link_sender_init(&f.l, -1, 1);
	take(&f, numbered(0));
	flush(&f);
	ck_assert(!link_sender_stalled(&f.l));
	ck_assert_int_eq(link_sender_readable(&f.l), 0);
	ck_assert_uint_eq(link_sender_pending(&f.l), 1);
	far_replace(&f);
	flush(&f);
	far_batch(&f, 1);
	far_close(&f);
}
END_TEST

START_TEST(odd_answers)
{
	const struct {
		struct link_message m;
		size_t n_bytes;
	} odd[] = {
		{{.type = LINK_DONE, .n_fds = 1}, sizeof(struct link_message) - 1},
		{{.type = LINK_DONE, .n_fds = 2}, sizeof(struct link_message)},
		{{.type = LINK_GO, .n_fds = 0}, sizeof(struct link_message)},
		{{.type = 0, .n_fds = 0}, sizeof(struct link_message)},
	};
	struct link_message done = {.type = LINK_DONE, .n_fds = 1};
	int e = eventfd(0, EFD_CLOEXEC), before;
	struct far f;

	far_open(&f, 1);
	ck_assert_int_eq(link_sender_readable(&f.l), 0);
	ck_assert_int_eq(send(f.sock, &done, sizeof(done), 0), sizeof(done));
	ck_assert_int_eq(link_sender_readable(&f.l), -EPROTO); /* nothing is under way */
	take(&f, numbered(0));
	flush(&f);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		ck_assert_int_eq(
			send(f.sock, &odd[i].m, odd[i].n_bytes, 0), (ssize_t)odd[i].n_bytes);
		ck_assert_int_eq(link_sender_readable(&f.l), -EPROTO);
		ck_assert_uint_eq(link_sender_pending(&f.l), 1);
	}
	/* A descriptor cannot get into our table by that way. */
	before = unit_count_fds();
	ck_assert_int_eq(rdy__send_fds(f.sock, &done, sizeof(done), &e, 1), 0);
	ck_assert_int_eq(link_sender_readable(&f.l), 1);
	ck_assert_int_eq(unit_count_fds(), before);
	far_read(&f, LINK_DISPOSE, 1);
	far_dispose(&f);
	rdy__fd_close(e);
	far_close(&f);
}
END_TEST

START_TEST(no_memory)
{
	struct far f;
	int fd = numbered(0), r;

	far_open(&f, 1);
	world.no_memory = 1;
	r = link_sender_take(&f.l, fd, NULL, 0, false);
	world.no_memory = 0;
	ck_assert_int_eq(r, -ENOMEM);
	ck_assert(is_open(fd));
	ck_assert_uint_eq(link_sender_pending(&f.l), 0);
	take(&f, fd);
	fd = numbered(1);
	world.no_memory = 1;
	r = link_sender_take(&f.l, fd, "no", 2, false);
	world.no_memory = 0;
	ck_assert_int_eq(r, -ENOMEM);
	ck_assert(is_open(fd));
	ck_assert_uint_eq(link_sender_pending(&f.l), 1);
	rdy__fd_close(fd);
	flush(&f);
	far_batch(&f, 1);
	far_close(&f);
}
END_TEST

START_TEST(the_end)
{
	struct link_sender none = LINK_SENDER_NULL;
	struct far f;
	int fd = numbered(0), status;
	pid_t pid;

	link_sender_deinit(&none, false);
	far_open(&f, 1);
	ck_assert_int_eq(link_sender_take(&f.l, fd, "no", 2, false), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		__real_close(STDERR_FILENO); /* assert() need not be seen */
		signal(SIGABRT, SIG_DFL);
		link_sender_deinit(&f.l, false);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
#ifdef NDEBUG
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0); /* no assertion */
#else
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
#endif

	link_sender_deinit(&f.l, true);
	ck_assert(is_open(fd)); /* left to the kernel */
	ck_assert_int_eq(f.l.sock, -1);
	link_sender_deinit(&f.l, false);
	rdy__fd_close(fd);
	rdy__fd_close(f.sock);
}
END_TEST

UNIT_MAIN("link/sender", copies_are_closed_before_go, one_batch_at_a_time,
	a_batch_is_a_run_of_equal_items, a_burst, a_kernel_that_will_not_take_it, a_go_that_is_owed,
	a_full_socket, what_cannot_travel_does_not_hold_up_the_rest, a_dead_receiver_is_replaced,
	without_a_receiver_everything_waits, odd_answers, no_memory, the_end)
