/* SPDX-License-Identifier: MIT */
/* What lib/reactor takes for granted of the kernel. Each case names the code that relies on it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static int watch(int op, int ep, int fd, uint32_t events, uint64_t tag)
{
	struct epoll_event ev = {.events = events, .data.u64 = tag};

	return epoll_ctl(ep, op, fd, &ev) < 0 ? -errno : 0;
}

static int count(int ep)
{
	struct epoll_event ev[8];

	return epoll_wait(ep, ev, 8, 0);
}

/* lib/reactor/sys/wake_eventfd.c: the counter is never read under epoll. */
START_TEST(each_eventfd_write_is_an_edge)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	ck_assert_int_eq(watch(EPOLL_CTL_ADD, ep, fd, EPOLLIN | EPOLLET, 1), 0);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(eventfd_write(fd, 1), 0);
		ck_assert_int_eq(count(ep), 1);
		ck_assert_int_eq(count(ep), 0);
	}
	close(fd);
	close(ep);
}
END_TEST

/* lib/reactor/poll.c: a modify reports readiness that is there again, under the new tag. */
START_TEST(mod_reports_again)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event ev;

	ck_assert_int_eq(watch(EPOLL_CTL_ADD, ep, fd, EPOLLIN | EPOLLET, 1), 0);
	ck_assert_int_eq(epoll_wait(ep, &ev, 1, 0), 1);
	ck_assert_int_eq(count(ep), 0);
	ck_assert_int_eq(watch(EPOLL_CTL_MOD, ep, fd, EPOLLIN | EPOLLET, 2), 0);
	ck_assert_int_eq(epoll_wait(ep, &ev, 1, 0), 1);
	ck_assert_uint_eq(ev.data.u64, 2);
	close(fd);
	close(ep);
}
END_TEST

/* lib/reactor/poll.c, register_locked: ADD tells a closed and reused number from one that is watched. */
START_TEST(add_knows_the_file)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), fd = eventfd(0, EFD_CLOEXEC), number = fd, dup;

	ck_assert_int_eq(watch(EPOLL_CTL_ADD, ep, fd, EPOLLIN, 1), 0);
	ck_assert_int_eq(watch(EPOLL_CTL_ADD, ep, fd, EPOLLIN, 1), -EEXIST);
	close(fd);
	ck_assert_int_eq(watch(EPOLL_CTL_MOD, ep, number, EPOLLIN, 1), -EBADF);
	fd = eventfd(0, EFD_CLOEXEC);
	ck_assert_int_eq(fd, number);
	ck_assert_int_eq(watch(EPOLL_CTL_MOD, ep, fd, EPOLLIN, 1), -ENOENT);
	ck_assert_int_eq(watch(EPOLL_CTL_ADD, ep, fd, EPOLLIN, 2), 0);
	/* A duplicate keeps the watch alive under the dead number; it is back with the file. */
	dup = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	close(fd);
	eventfd_write(dup, 1);
	ck_assert_int_eq(count(ep), 1);
	ck_assert_int_eq(dup3(dup, number, O_CLOEXEC), number);
	ck_assert_int_eq(watch(EPOLL_CTL_ADD, ep, number, EPOLLIN, 3), -EEXIST);
	ck_assert_int_eq(watch(EPOLL_CTL_MOD, ep, number, EPOLLIN, 3), 0);
	close(number);
	close(dup);
	close(ep);
}
END_TEST

/* lib/reactor/sys/epoll.c: a one-shot that fired is silent, hangups included. */
START_TEST(oneshot_hides_hangups)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), sv[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	ck_assert_int_eq(watch(EPOLL_CTL_ADD, ep, sv[0], EPOLLOUT | EPOLLONESHOT, 1), 0);
	ck_assert_int_eq(count(ep), 1);
	close(sv[1]);
	ck_assert_int_eq(count(ep), 0);
	close(sv[0]);
	close(ep);
}
END_TEST

/* lib/reactor/sys/epoll.c, deinit: a child's close of the shared epoll leaves the parent's watches. */
START_TEST(a_childs_close_changes_nothing)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), fd = eventfd(1, EFD_CLOEXEC), status;
	pid_t pid;

	ck_assert_int_eq(watch(EPOLL_CTL_ADD, ep, fd, EPOLLIN, 1), 0);
	pid = fork();
	if (pid == 0) {
		close(ep);
		close(fd);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(count(ep), 1);
	close(fd);
	close(ep);
}
END_TEST

/* lib/reactor/sys/poll.c: a negative descriptor is passed over, a closed one says so. */
START_TEST(poll_passes_over_negatives)
{
	int sv[2];
	struct pollfd p;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	close(sv[1]);
	p = (struct pollfd){.fd = ~sv[0], .events = POLLIN};
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	ck_assert_int_eq(p.revents, 0);
	p.fd = sv[0];
	p.events = 0;
	ck_assert_int_eq(poll(&p, 1, 0), 1);
	ck_assert_int_eq(p.revents, POLLHUP);
	close(sv[0]);
	ck_assert_int_eq(poll(&p, 1, 0), 1);
	ck_assert_int_eq(p.revents, POLLNVAL);
}
END_TEST

/* lib/reactor/sys/poll.c, check: the type of a file without asking anybody for anything else. */
START_TEST(statx_with_an_empty_mask_tells_the_type)
{
	int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statx st;

	ck_assert_int_eq(statx(dir, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st), 0);
	ck_assert(S_ISDIR(st.stx_mode));
	close(dir);
}
END_TEST

/* lib/base/guard.c: a child finds the page wiped. */
START_TEST(wipe_on_fork)
{
	unsigned char *page =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	ck_assert_int_eq(madvise(page, 4096, MADV_WIPEONFORK), 0);
	*page = 1;
	pid = fork();
	if (pid == 0)
		_exit(*page);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(*page, 1);
	munmap(page, 4096);
}
END_TEST

UNIT_MAIN("kernel/reactor", each_eventfd_write_is_an_edge, mod_reports_again, add_knows_the_file,
	oneshot_hides_hangups, a_childs_close_changes_nothing, poll_passes_over_negatives,
	statx_with_an_empty_mask_tells_the_type, wipe_on_fork)
