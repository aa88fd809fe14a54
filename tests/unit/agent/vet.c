/* SPDX-License-Identifier: MIT */
#include "vet.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define NOBODY 0x7ffffff0 /* no process has this pid */

static struct vet vet;

static void start(pid_t supervisor)
{
	ck_assert_int_eq(vet_init(&vet, supervisor), 0);
}

static struct vet_result look(int fd)
{
	struct vet_result v;

	vet_fd(&vet, fd, &v);
	return v;
}

/* Classify and close. */
static void expect(int take_fd, enum wire_kind kind)
{
	ck_assert_int_ge(take_fd, 0);
	ck_assert_str_eq(wire_kind_name(look(take_fd).kind), wire_kind_name(kind));
	ck_assert_int_eq(look(take_fd).kind, kind);
	rdy__fd_close(take_fd);
}

/* The same, if this kernel and these rights have it; says so if not. */
static void expect_if(int take_fd, enum wire_kind kind, const char *what)
{
	if (take_fd < 0)
		fprintf(stderr, "# skipped: %s: %s\n", what, strerror(errno));
	else
		expect(take_fd, kind);
}

START_TEST(accepted_kinds)
{
	int p[2], sv[2];

	start(NOBODY);
	expect(socket(AF_INET, SOCK_STREAM, 0), WIRE_KIND_TCP);
	expect_if(socket(AF_INET6, SOCK_STREAM, 0), WIRE_KIND_TCP, "ipv6");
	expect_if(socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP), WIRE_KIND_TCP, "mptcp");
	expect(socket(AF_INET, SOCK_DGRAM, 0), WIRE_KIND_UDP);
	expect_if(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE), WIRE_KIND_UDP, "udplite");
	expect(socket(AF_UNIX, SOCK_STREAM, 0), WIRE_KIND_UNIX);
	expect(socket(AF_UNIX, SOCK_DGRAM, 0), WIRE_KIND_UNIX);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	expect(sv[0], WIRE_KIND_UNIX);
	expect(sv[1], WIRE_KIND_UNIX);
	ck_assert_int_eq(pipe(p), 0);
	expect(p[0], WIRE_KIND_PIPE);
	expect(p[1], WIRE_KIND_PIPE);
	expect(eventfd(0, 0), WIRE_KIND_EVENTFD);
	expect(timerfd_create(CLOCK_MONOTONIC, 0), WIRE_KIND_TIMERFD);
	expect(inotify_init(), WIRE_KIND_INOTIFY);
	expect((int)syscall(SYS_pidfd_open, getpid(), 0), WIRE_KIND_PIDFD);
	vet_deinit(&vet);
}
END_TEST

START_TEST(ptys_and_fifos)
{
	char dir[] = "/tmp/readyd-vet-XXXXXX", path[64];
	int master, fifo;

	start(NOBODY);
	master = posix_openpt(O_RDWR | O_NOCTTY);
	ck_assert_int_ge(master, 0);
	ck_assert_int_eq(unlockpt(master), 0);
	/* The slave's user is a program of its own; who waits for it holds the master. */
	expect(open(ptsname(master), O_RDWR | O_NOCTTY), WIRE_KIND_PATH);
	expect(master, WIRE_KIND_PTY);

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/fifo", dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	expect(open(path, O_RDWR), WIRE_KIND_FIFO);
	fifo = open(path, O_RDWR);
	unlink(path);
	expect(fifo, WIRE_KIND_FIFO); /* deleted: the text has more to it */
	rmdir(dir);
	vet_deinit(&vet);
}
END_TEST

START_TEST(refused_kinds)
{
	char dir[] = "/tmp/readyd-vet-XXXXXX", path[64];
	unsigned char params[256] = {0};
	sigset_t none;

	start(NOBODY);
	sigemptyset(&none);
	expect(open("/dev/null", O_RDWR), WIRE_KIND_PATH);
	expect(open("/", O_RDONLY | O_DIRECTORY), WIRE_KIND_PATH);
	expect(open("/proc/self/status", O_RDONLY), WIRE_KIND_PATH);
	expect(open("/proc/self/exe", O_RDONLY), WIRE_KIND_PATH);
	expect(open("/", O_PATH), WIRE_KIND_PATH);
	expect(epoll_create1(0), WIRE_KIND_EPOLL);
	expect(signalfd(-1, &none, 0), WIRE_KIND_SIGNALFD);
	expect(memfd_create("anything", 0), WIRE_KIND_MEMFD);
	expect_if((int)syscall(SYS_io_uring_setup, 4, params), WIRE_KIND_IO_URING, "io_uring");
	expect_if((int)syscall(SYS_userfaultfd, 0), WIRE_KIND_ANON_OTHER, "userfaultfd");
	expect(socket(AF_NETLINK, SOCK_RAW, 0), WIRE_KIND_SOCKET_OTHER);
	expect_if(socket(AF_PACKET, SOCK_RAW, 0), WIRE_KIND_SOCKET_OTHER, "packet");
	expect_if(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), WIRE_KIND_SOCKET_OTHER, "raw");
	expect_if(socket(AF_ALG, SOCK_SEQPACKET, 0), WIRE_KIND_SOCKET_OTHER, "alg");
	expect_if(open("/proc/self/ns/net", O_RDONLY), WIRE_KIND_ANON_OTHER, "namespace");

	/* A file with the link text of something harmless: the name is the client's to choose. */
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/memfd:x", dir);
	expect(open(path, O_RDWR | O_CREAT | O_EXCL, 0600), WIRE_KIND_PATH);
	unlink(path);
	rmdir(dir);
	/* In the root folder even the whole text is the same; root only. */
	expect_if(open("/memfd:readyd-test", O_RDWR | O_CREAT | O_EXCL, 0600), WIRE_KIND_PATH,
		"a file in /");
	unlink("/memfd:readyd-test");
	vet_deinit(&vet);
}
END_TEST

/* What the peer of a connected socket is: whoever called listen(). */
START_TEST(own_sockets)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t n = sizeof(a);
	int listener, client, accepted, sv[2], status;
	pid_t child;

	start(getpid());
	listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&a, sizeof(a.sun_family)), 0);
	ck_assert_int_eq(listen(listener, 4), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&a, &n), 0);
	client = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	ck_assert_int_eq(connect(client, (struct sockaddr *)&a, n), 0);
	accepted = accept(listener, NULL, NULL);
	ck_assert_int_ge(accepted, 0);
	ck_assert(look(client).own);
	ck_assert_int_eq(look(client).kind, WIRE_KIND_UNIX);
	/* Our end of it is known by its cookie. */
	ck_assert_uint_ne(look(accepted).cookie, 0);
	ck_assert_uint_ne(look(accepted).cookie, look(client).cookie);

	/* A pair that somebody else made is his own affair; an unconnected socket has no peer. */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	ck_assert(look(sv[0]).own); /* made by us, who are the supervisor here */
	child = fork();
	if (child == 0) {
		vet.supervisor = getppid();
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
		_exit(look(sv[0]).own ? 1 : 0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	rdy__fd_close(sv[0]);
	rdy__fd_close(sv[1]);
	sv[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert(!look(sv[0]).own);
	rdy__fd_close(sv[0]);
	rdy__fd_close(client);
	rdy__fd_close(accepted);
	rdy__fd_close(listener);
	vet_deinit(&vet);
}
END_TEST

/* Invariant: FD-3 */
START_TEST(nothing_is_changed)
{
	int p[2], flags;

	start(NOBODY);
	ck_assert_int_eq(pipe(p), 0);
	flags = fcntl(p[0], F_GETFL);
	ck_assert_int_eq(look(p[0]).kind, WIRE_KIND_PIPE);
	ck_assert_int_eq(fcntl(p[0], F_GETFL), flags);
	ck_assert_int_eq(flags & O_NONBLOCK, 0);
	rdy__fd_close(p[0]);
	rdy__fd_close(p[1]);
	vet_deinit(&vet);
	vet_deinit(&vet);
}
END_TEST

START_TEST(allowlist)
{
	for (unsigned int k = 0; k < 64; k++)
		ck_assert_int_eq(vet_kind_allowed((enum wire_kind)k),
			k >= WIRE_KIND_TCP && k <= WIRE_KIND_PTY);
}
END_TEST

UNIT_MAIN("agent/vet", accepted_kinds, ptys_and_fifos, refused_kinds, own_sockets,
	nothing_is_changed, allowlist)
