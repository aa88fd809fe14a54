/* SPDX-License-Identifier: MIT */
/* The tests that mio keeps beside its code, as far as they are not of another system. */
#include "conformance.h"

START_TEST(as_raw_fd)
{
	for_each_variant(b)
	{
		int fd = rdy_poll_fd(b.poll);

		if (rdy_poll_caps(b.poll) & RDY_CAP_NESTABLE) {
			ck_assert_int_gt(fd, 0);
			gives(fcntl(fd, F_GETFD) >= 0, 1);
		} else {
			fails(fd, ENOTSUP);
		}
	}
}
END_TEST

/* Whatever a poll, its wakers and a socket are made of is closed on exec. */
START_TEST(assert_close_on_exec_flag)
{
	bool before[256];

	for (int fd = 0; fd < 256; fd++)
		before[fd] = fcntl(fd, F_GETFD) >= 0;
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK);
		struct rdy_waker *w;
		int n = 0;

		ok(rdy_waker_new(b.poll, 1, &w));
		for (int fd = 0; fd < 256; fd++) {
			int flags = fcntl(fd, F_GETFD);

			if (flags < 0 || before[fd])
				continue;
			ck_assert_msg(flags & FD_CLOEXEC, "descriptor %d", fd);
			n++;
		}
		/* The socket, and an eventfd at least. */
		ck_assert_int_ge(n, 2);
		rdy_waker_free(w);
		rdy_io_free(l);
	}
}
END_TEST

START_TEST(pathname_address)
{
	static const char path[] = "/some/where/quite long";
	struct rdy_addr a, again;
	size_t n = 0, n_sa = 0;
	const struct sockaddr *sa;

	ok(rdy_addr_unix_path(path, sizeof(path) - 1, &a));
	ck_assert_uint_eq(rdy_addr_kind(&a), RDY_ADDR_UNIX_PATH);
	ck_assert_str_eq(rdy_addr_name(&a, &n), path);
	ck_assert_uint_eq(n, sizeof(path) - 1);
	/* Through what the system has it in, with and without a final 0. */
	sa = rdy_addr_sockaddr(&a, &n_sa);
	for (size_t cut = 0; cut < 2; cut++) {
		ok(rdy_addr_from_sockaddr(sa, n_sa - cut, &again));
		gives(rdy_addr_equal(&a, &again), 1);
	}
}
END_TEST

START_TEST(abstract_address)
{
	struct rdy_addr a, again;
	size_t n = 0, n_sa = 0;
	const struct sockaddr *sa;

	ok(rdy_addr_unix_abstract("name", 4, &a));
	ck_assert_uint_eq(rdy_addr_kind(&a), RDY_ADDR_UNIX_ABSTRACT);
	ck_assert_mem_eq(rdy_addr_name(&a, &n), "name", 4);
	ck_assert_uint_eq(n, 4);
	sa = rdy_addr_sockaddr(&a, &n_sa);
	ok(rdy_addr_from_sockaddr(sa, n_sa, &again));
	gives(rdy_addr_equal(&a, &again), 1);
	ok(rdy_addr_from_sockaddr(sa, n_sa - 1, &again));
	gives(rdy_addr_equal(&a, &again), 0);
}
END_TEST

UNIT_MAIN("conformance/inline", as_raw_fd, assert_close_on_exec_flag, pathname_address,
	abstract_address)
