/* SPDX-License-Identifier: MIT */
/* Both ends of the link with real descriptors: what blocks a close() must never block the sender. */
#include "link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/eventfd.h>

#include "process.h"

#define LINGER_S 1000 /* far longer than the test may take */

static void take(struct link_sender *l, int fd)
{
	ck_assert_int_eq(link_sender_take(l, fd, NULL, 0, false), 0);
}

static int new_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* A TCP connection with more data queued than the far window takes, and a long linger time. */
static int lingering(int *ret_far)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(a);
	struct linger linger = {.l_onoff = 1, .l_linger = LINGER_S};
	int small = 4096, listener, fd;
	static char data[65536];

	ck_assert_int_ge(listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 0);
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	ck_assert_int_ge(fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_ge(*ret_far = accept4(listener, NULL, NULL, SOCK_CLOEXEC), 0);
	rdy__fd_close(listener);
	while (send(fd, data, sizeof(data), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	return fd;
}

static void read_to_the_end(int fd)
{
	static char data[65536];

	while (ready(fd, POLLIN, PATIENCE_MS) && recv(fd, data, sizeof(data), 0) > 0)
		;
}

START_TEST(a_lingering_socket_blocks_the_receiver_only)
{
	struct receiver r = receiver_start(0);
	struct link_sender l;
	int64_t begin;
	int far;

	link_sender_init(&l, r.sock, 4);
	take(&l, lingering(&far));
	begin = rdy__now_ns();
	ck_assert_int_eq(link_sender_flush(&l, begin), 0);
	take(&l, new_eventfd());
	ck_assert_int_eq(link_sender_flush(&l, begin), 0);
	ck_assert_int_lt(rdy__now_ns() - begin, RDY__NS_PER_S);

	/* The receiver has taken it out of its table and is still in close(): no DONE. */
	ck_assert_int_eq(ready(l.sock, POLLIN, 300), 0);
	wait_for_fds(r.pid, r.n_fds);
	ck_assert_int_eq(link_sender_readable(&l), 0);
	ck_assert_uint_eq(link_sender_pending(&l), 2);

	/* What it waited for was the window. */
	read_to_the_end(far);
	rdy__fd_close(far);
	wait_for_done(&l);
	ck_assert_int_eq(link_sender_flush(&l, 0), 0);
	wait_for_done(&l);
	ck_assert_uint_eq(link_sender_pending(&l), 0);
	ck_assert_int_eq(fds_of(r.pid), r.n_fds);
	link_sender_deinit(&l, false);
	ck_assert_int_eq(receiver_wait(&r), 0);
}
END_TEST

START_TEST(a_stuck_receiver_is_killed_and_replaced)
{
	struct receiver r = receiver_start(0), fresh;
	struct link_sender l;
	int far, before = unit_count_fds() - 1; /* without the link */

	link_sender_init(&l, r.sock, 2);
	take(&l, lingering(&far));
	take(&l, new_eventfd());
	take(&l, new_eventfd());
	ck_assert_int_eq(link_sender_flush(&l, 0), 0);
	ck_assert_uint_eq(l.n_under_way, 2);
	kill(r.pid, SIGKILL);
	ck_assert_int_eq(receiver_wait(&r), -SIGKILL); /* an exiting task does not linger */
	ck_assert_int_ne(ready(l.sock, POLLIN, PATIENCE_MS), 0);
	ck_assert_int_eq(link_sender_readable(&l), -EPIPE);
	ck_assert_uint_eq(l.n_queued, 1);

	fresh = receiver_start(0);
	link_sender_replace(&l, fresh.sock);
	ck_assert_int_eq(link_sender_flush(&l, 0), 0);
	wait_for_done(&l);
	ck_assert_uint_eq(link_sender_pending(&l), 0);
	ck_assert_int_eq(fds_of(fresh.pid), fresh.n_fds);
	link_sender_deinit(&l, false);
	ck_assert_int_eq(receiver_wait(&fresh), 0);
	rdy__fd_close(far);
	ck_assert_int_eq(unit_count_fds(), before);
}
END_TEST

/* Stopped: the batch is in the socket, not yet in a table; what is killed with it is closed, too. */
START_TEST(killed_with_a_batch_in_flight)
{
	struct receiver r = receiver_start(0), fresh;
	struct link_sender l;
	int p[3][2], status;

	kill(r.pid, SIGSTOP);
	ck_assert_int_eq(waitpid(r.pid, &status, WUNTRACED), r.pid);
	link_sender_init(&l, r.sock, 2);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(pipe2(p[i], O_CLOEXEC | O_NONBLOCK), 0);
		take(&l, p[i][1]);
	}
	ck_assert_int_eq(link_sender_flush(&l, 0), 0);
	ck_assert_int_eq(ready(p[0][0], 0, 0), 0);
	kill(r.pid, SIGKILL);
	ck_assert_int_eq(receiver_wait(&r), -SIGKILL);
	wait_for_hup(p[0][0]);
	wait_for_hup(p[1][0]);
	ck_assert_int_eq(ready(p[2][0], 0, 0), 0);
	ck_assert_int_eq(link_sender_readable(&l), -EPIPE);
	fresh = receiver_start(0);
	link_sender_replace(&l, fresh.sock);
	ck_assert_int_eq(link_sender_flush(&l, 0), 0);
	wait_for_done(&l);
	wait_for_hup(p[2][0]);
	for (size_t i = 0; i < 3; i++)
		rdy__fd_close(p[i][0]);
	link_sender_deinit(&l, false);
	ck_assert_int_eq(receiver_wait(&fresh), 0);
}
END_TEST

START_TEST(a_mark_is_a_batch_of_its_own)
{
	struct receiver r = receiver_start(0);
	struct link_sender l;
	int fds[4];

	link_sender_init(&l, r.sock, LINK_BATCH_MAX);
	for (int i = 0; i < 4; i++) {
		take(&l, fds[i] = new_eventfd());
		if (i)
			link_sender_mark(&l, i == 2 ? 70002 : 70001);
	}
	ck_assert_int_eq(link_sender_flush(&l, 0), 0);
	ck_assert_uint_eq(l.mark_under_way, 0);
	ck_assert_uint_eq(l.n_under_way, 1);
	wait_for_done(&l);
	/* Out of the middle and the end, in their order; nothing is closed. */
	ck_assert_int_eq(link_sender_give_back(&l, 70001), fds[1]);
	ck_assert_int_eq(link_sender_give_back(&l, 70001), fds[3]);
	ck_assert_int_eq(link_sender_give_back(&l, 70001), -1);
	ck_assert_int_ge(fcntl(fds[1], F_GETFD), 0);
	ck_assert_int_ge(fcntl(fds[3], F_GETFD), 0);
	ck_assert_int_eq(link_sender_flush(&l, 0), 0);
	ck_assert_uint_eq(l.mark_under_way, 70002);
	wait_for_done(&l);
	ck_assert_uint_eq(link_sender_pending(&l), 0);
	ck_assert_int_eq(link_sender_give_back(&l, 70002), -1);
	rdy__fd_close(fds[1]);
	rdy__fd_close(fds[3]);
	link_sender_deinit(&l, false);
	ck_assert_int_eq(receiver_wait(&r), 0);
}
END_TEST

START_TEST(many)
{
	enum { N = 500 };
	struct receiver r = receiver_start(0);
	struct link_sender l;
	int before = unit_count_fds();

	link_sender_init(&l, r.sock, LINK_BATCH_MAX);
	for (int i = 0; i < N; i++)
		take(&l, new_eventfd());
	ck_assert_int_eq(unit_count_fds(), before + N);
	while (link_sender_pending(&l) > 0) {
		ck_assert_int_eq(link_sender_flush(&l, 0), 0);
		wait_for_done(&l);
	}
	ck_assert_int_eq(unit_count_fds(), before);
	ck_assert_int_eq(fds_of(r.pid), r.n_fds);
	link_sender_deinit(&l, false);
	ck_assert_int_eq(receiver_wait(&r), 0);
}
END_TEST

UNIT_MAIN("link/both", a_lingering_socket_blocks_the_receiver_only,
	a_stuck_receiver_is_killed_and_replaced, killed_with_a_batch_in_flight,
	a_mark_is_a_batch_of_its_own, many)
