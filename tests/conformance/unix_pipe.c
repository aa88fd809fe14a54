/* SPDX-License-Identifier: MIT */
/* mio's tests/unix_pipe.rs. */
#include "conformance.h"

#define SENDER 0
#define RECEIVER 1

static void open_pipe(struct bench *b, struct rdy_io *ret[2])
{
	ok(rdy_pipe_new(&ret[SENDER], &ret[RECEIVER]));
	if (!b)
		return;
	reg(b, ret[SENDER], SENDER, RDY_WRITABLE);
	reg(b, ret[RECEIVER], RECEIVER, RDY_READABLE);
}

START_TEST(smoke)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];

		open_pipe(&b, io);
		expect_flags(io[SENDER]);
		expect_flags(io[RECEIVER]);
		would_block(io[RECEIVER]);
		wait_for(&b, SENDER, RDY_WRITABLE);
		send_text(io[SENDER], HELLO);
		wait_for(&b, RECEIVER, RDY_READABLE);
		receive_text(io[RECEIVER], HELLO);
		would_block(io[RECEIVER]);
		free_all(io, 2);
	}
}
END_TEST

/* Exactly one event, and nothing is left of the one that was freed. */
START_TEST(event_when_sender_is_dropped)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];
		char c;

		open_pipe(NULL, io);
		reg(&b, io[RECEIVER], RECEIVER, RDY_READABLE);
		expect_none(&b);
		io[SENDER] = rdy_io_free(io[SENDER]);
		gives(take(&b, LONG_NS), 1);
		ck_assert_uint_eq(b.got[0].token, RECEIVER);
		gives(rdy_event_is_read_closed(&b.got[0]), 1);
		gives(rdy_io_read(io[RECEIVER], &c, 1), 0);
		expect_none(&b);
		rdy_io_free(io[RECEIVER]);
	}
}
END_TEST

START_TEST(event_when_receiver_is_dropped)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];

		open_pipe(NULL, io);
		reg(&b, io[SENDER], SENDER, RDY_WRITABLE);
		expect(&b, SENDER, RDY_WRITABLE);
		io[RECEIVER] = rdy_io_free(io[RECEIVER]);
		gives(take(&b, LONG_NS), 1);
		ck_assert_uint_eq(b.got[0].token, SENDER);
		gives(rdy_event_is_write_closed(&b.got[0]), 1);
		/* And no signal. */
		fails(rdy_io_write(io[SENDER], "x", 1), EPIPE);
		expect_none(&b);
		rdy_io_free(io[SENDER]);
	}
}
END_TEST

/* cat(1) with a pipe at each end; ours are taken over as they are: blocking, and inherited. */
static pid_t run_cat(struct rdy_io *ret[2])
{
	int in[2], out[2];
	pid_t pid;

	ok(pipe(in));
	ok(pipe(out));
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		for (int i = 0; i < 2; i++) {
			close(in[i]);
			close(out[i]);
		}
		execlp("cat", "cat", NULL);
		unit_exit(127);
	}
	shut(&in[0]);
	shut(&out[1]);
	ok(rdy_io_new(in[1], &ret[SENDER]));
	ok(rdy_io_new(out[0], &ret[RECEIVER]));
	return pid;
}

static void reap(pid_t pid)
{
	int status;

	gives(waitpid(pid, &status, 0), pid);
	gives(status, 0);
}

START_TEST(from_child_process_io)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];
		pid_t pid = run_cat(io);
		char c;

		expect_flags(io[SENDER]);
		expect_flags(io[RECEIVER]);
		reg(&b, io[SENDER], SENDER, RDY_WRITABLE);
		reg(&b, io[RECEIVER], RECEIVER, RDY_READABLE);
		wait_for(&b, SENDER, RDY_WRITABLE);
		send_text(io[SENDER], HELLO);
		wait_for(&b, RECEIVER, RDY_READABLE);
		receive_text(io[RECEIVER], HELLO);
		would_block(io[RECEIVER]);
		/* Its input ends, so it ends. */
		rdy_io_free(io[SENDER]);
		wait_for(&b, RECEIVER, RDY_READ_CLOSED);
		gives(rdy_io_read(io[RECEIVER], &c, 1), 0);
		rdy_io_free(io[RECEIVER]);
		reap(pid);
	}
}
END_TEST

START_TEST(nonblocking_child_process_io)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];
		pid_t pid = run_cat(io);
		int fd = rdy_io_fd(io[RECEIVER]);

		/* There and back; nothing was written, so a blocking read would not end. */
		ok(rdy_io_set_blocking(io[RECEIVER], 1));
		gives(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
		ok(rdy_io_set_blocking(io[RECEIVER], 0));
		would_block(io[RECEIVER]);
		reg(&b, io[RECEIVER], RECEIVER, RDY_READABLE);
		rdy_io_free(io[SENDER]);
		wait_for(&b, RECEIVER, RDY_READ_CLOSED);
		rdy_io_free(io[RECEIVER]);
		reap(pid);
	}
}
END_TEST

UNIT_MAIN("conformance/unix_pipe", smoke, event_when_sender_is_dropped,
	event_when_receiver_is_dropped, from_child_process_io, nonblocking_child_process_io)
