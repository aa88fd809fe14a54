/* SPDX-License-Identifier: MIT */
/* Pipes: both ends, a full one, what hangups look like, running out of descriptors. */
#include "net.h"

static char page[4096];

/* Returns how much went in. */
static size_t fill(struct rdy_io *s)
{
	size_t n = 0;
	ptrdiff_t r;

	while ((r = rdy_io_write(s, page, sizeof(page))) > 0)
		n += (size_t)r;
	ck_assert_int_eq((int)r, -EAGAIN);
	return n;
}

static size_t drain(struct rdy_io *r)
{
	size_t n = 0;
	ptrdiff_t got;

	while ((got = rdy_io_read(r, page, sizeof(page))) > 0)
		n += (size_t)got;
	return n;
}

START_TEST(from_end_to_end)
{
	for_each_variant(b)
	{
		struct rdy_io *s, *r;
		char c;

		ck_assert_int_eq(rdy_pipe_new(&s, &r), 0);
		expect_flags(s);
		expect_flags(r);
		watch(&b, s, 1, RDY_WRITABLE, RDY_EDGE);
		watch(&b, r, 2, RDY_READABLE, RDY_EDGE);
		wait_for(&b, 1, RDY_WRITABLE);
		ck_assert_int_eq((int)rdy_io_write(s, "x", 1), 1);
		wait_for(&b, 2, RDY_READABLE);
		ck_assert_int_eq((int)rdy_io_read(r, &c, 1), 1);
		ck_assert_int_eq(c, 'x');
		ck_assert_int_eq((int)rdy_io_read(r, &c, 1), -EAGAIN);
		/* The ends are not each other's. */
		ck_assert_int_eq((int)rdy_io_write(r, "x", 1), -EBADF);
		ck_assert_int_eq((int)rdy_io_read(s, &c, 1), -EBADF);
		rdy_io_free(s);
		rdy_io_free(r);
	}
}
END_TEST

/* Full: no room until somebody reads, then as much as before. */
START_TEST(a_full_one)
{
	for_each_variant(b)
	{
		struct rdy_io *s, *r;
		size_t n;

		ck_assert_int_eq(rdy_pipe_new(&s, &r), 0);
		watch(&b, s, 1, RDY_WRITABLE, RDY_EDGE);
		n = fill(s);
		take(&b, 0);
		ck_assert_int_eq((int)rdy_io_write(s, page, 1), -EAGAIN);
		expect_none(&b);
		ck_assert_uint_eq(drain(r), n);
		wait_for(&b, 1, RDY_WRITABLE);
		ck_assert_uint_eq(fill(s), n);
		rdy_io_free(s);
		/* What was written is still there, then it ends. */
		ck_assert_uint_eq(drain(r), n);
		ck_assert_int_eq((int)rdy_io_read(r, page, 1), 0);
		rdy_io_free(r);
	}
}
END_TEST

START_TEST(hangups)
{
	static const uint32_t modes[] = {RDY_LEVEL, RDY_EDGE, RDY_ONESHOT};

	for_each_variant(b)
	{
		for (int m = 0; m < 3; m++) {
			struct rdy_io *s, *r;
			char c;

			ck_assert_int_eq(rdy_pipe_new(&s, &r), 0);
			watch(&b, r, 2, RDY_READABLE, modes[m]);
			ck_assert_int_eq((int)rdy_io_read(r, &c, 1), -EAGAIN);
			expect_none(&b);
			rdy_io_free(s);
			wait_for(&b, 2, RDY_READ_CLOSED);
			ck_assert_int_eq((int)rdy_io_read(r, &c, 1), 0);
			rdy_io_free(r);

			ck_assert_int_eq(rdy_pipe_new(&s, &r), 0);
			fill(s);
			watch(&b, s, 1, RDY_WRITABLE, modes[m]);
			expect_none(&b);
			rdy_io_free(r);
			wait_for(&b, 1, RDY_WRITE_CLOSED);
			ck_assert_int_eq((int)rdy_io_write(s, "x", 1), -EPIPE);
			rdy_io_free(s);
		}
	}
}
END_TEST

/* Neither with no room at all, nor with room for one. */
START_TEST(out_of_descriptors)
{
	struct rdy_io *s = NULL, *r = NULL;
	struct rlimit before;

	ck_assert_int_eq(rdy_pipe_new(NULL, &r), -EINVAL);
	ck_assert_int_eq(rdy_pipe_new(&s, NULL), -EINVAL);
	ck_assert_int_eq(rdy_pipe_new(NULL, NULL), -EINVAL);
	for (rlim_t room = 0; room < 2; room++) {
		struct rlimit few;

		before = no_more_descriptors();
		ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &few), 0);
		few.rlim_cur += room;
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
		ck_assert_int_eq(rdy_pipe_new(&s, &r), -EMFILE);
		descriptors_again(before);
		ck_assert(!s && !r);
	}
	ck_assert_int_eq(rdy_pipe_new(&s, &r), 0);
	rdy_io_free(s);
	rdy_io_free(r);
}
END_TEST

UNIT_MAIN("net/pipe", from_end_to_end, a_full_one, hangups, out_of_descriptors)
