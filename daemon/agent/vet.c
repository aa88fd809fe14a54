/* SPDX-License-Identifier: MIT */
/* See vet.h. May not read, write, stat or change a client's descriptor. */
#include "vet.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* /dev/ptmx and /dev/pts/ptmx, Documentation/admin-guide/devices.txt */
#define PTMX_MAJOR 5u
#define PTMX_MINOR 2u

/* Texts that fs/anon_inodes.c, fs/pipe.c and fs/pidfs.c give; a path always starts with '/' or "(unr". */
static const struct link_text {
	const char *text;
	enum wire_kind kind;
	bool prefix;
} link_texts[] = {
	{"pipe:[", WIRE_KIND_PIPE, true},
	{"anon_inode:[eventfd]", WIRE_KIND_EVENTFD, false},
	{"anon_inode:[timerfd]", WIRE_KIND_TIMERFD, false},
	{"anon_inode:inotify", WIRE_KIND_INOTIFY, false},
	{"anon_inode:[inotify]", WIRE_KIND_INOTIFY, false},
	{"anon_inode:[pidfd]", WIRE_KIND_PIDFD, false},
	{"pidfd:[", WIRE_KIND_PIDFD, true}, /* pidfs, 6.9 and later, by configuration */
	{"anon_inode:[eventpoll]", WIRE_KIND_EPOLL, false},
	{"anon_inode:[io_uring]", WIRE_KIND_IO_URING, false},
	{"anon_inode:[signalfd]", WIRE_KIND_SIGNALFD, false},
};

int vet_init(struct vet *v, pid_t supervisor)
{
	__attribute__((__cleanup__(rdy__fd_closep))) int mem = -1;
	struct statx st;

	*v = VET_NULL;
	vet_set_supervisor(v, supervisor);
	v->links = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (v->links < 0)
		return -errno;
	v->infos = open("/proc/self/fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (v->infos < 0) {
		int r = -errno;

		vet_deinit(v);
		return r;
	}
	/* A memfd and a file on a client's own filesystem can have the same link text, not the same device. */
	mem = memfd_create("vet", MFD_CLOEXEC);
	if (mem >= 0 && statx(mem, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st) == 0) {
		v->memfd_major = st.stx_dev_major;
		v->memfd_minor = st.stx_dev_minor;
	}
	return 0;
}

void vet_set_supervisor(struct vet *v, pid_t supervisor)
{
	atomic_store_explicit(&v->supervisor, supervisor, memory_order_relaxed);
}

void vet_deinit(struct vet *v)
{
	v->links = rdy__fd_close(v->links);
	v->infos = rdy__fd_close(v->infos);
}

static int socket_constant(int fd, int name)
{
	socklen_t size = sizeof(int);
	int value = -1;

	return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

static enum wire_kind udp_kind(int fd, int protocol)
{
	return (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE) &&
			       socket_constant(fd, SO_TYPE) == SOCK_DGRAM
		       ? WIRE_KIND_UDP
		       : WIRE_KIND_SOCKET_OTHER;
}

static void vet_unix(const struct vet *v, int fd, struct vet_result *ret)
{
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);

	ret->kind = WIRE_KIND_UNIX;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
		ret->own = peer.pid > 0 &&
			   peer.pid == atomic_load_explicit(&v->supervisor, memory_order_relaxed);
	size = sizeof(ret->cookie);
	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &ret->cookie, &size) < 0)
		ret->cookie = 0;
}

/* The line that only the master of a pty has in its fdinfo (drivers/tty/pty.c, show_fdinfo). */
static bool has_tty_index(const struct vet *v, const char *number)
{
	__attribute__((__cleanup__(rdy__fd_closep))) int info = -1;
	char text[512];
	ssize_t n;

	info = openat(v->infos, number, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return false;
	n = read(info, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = 0;
	return strstr(text, "\ntty-index:") != NULL;
}

static enum wire_kind path_kind(const struct vet *v, int fd, const char *number, const char *text)
{
	struct statx st = {0};

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st) < 0)
		return WIRE_KIND_PATH;
	if (S_ISFIFO(st.stx_mode))
		return WIRE_KIND_FIFO;
	if (S_ISCHR(st.stx_mode) && st.stx_rdev_major == PTMX_MAJOR &&
		st.stx_rdev_minor == PTMX_MINOR && has_tty_index(v, number))
		return WIRE_KIND_PTY;
	if (strncmp(text, "/memfd:", 7) == 0 && (v->memfd_major || v->memfd_minor) &&
		st.stx_dev_major == v->memfd_major && st.stx_dev_minor == v->memfd_minor)
		return WIRE_KIND_MEMFD;
	return WIRE_KIND_PATH;
}

/*
 * Invariant: FD-3: nothing is ever changed at a received descriptor, status flags least of all. Why: they lie
 * in the open file description that the client uses too. Test: tests/unit/agent/vet.c/nothing_is_changed
 */
void vet_fd(const struct vet *v, int fd, struct vet_result *ret)
{
	char number[16], text[64];
	int protocol = socket_constant(fd, SO_PROTOCOL);
	ssize_t n;

	*ret = (struct vet_result){.kind = WIRE_KIND_UNKNOWN};
	/*
	 * The commonest kind by one call: each costs a quarter of what the registration costs in the kernel.
	 * Raw sockets of TCP, NETLINK_XFRM, CAN_ISOTP and BTPROTO_HIDP share the number 6; they pass as tcp.
	 * They ask no filesystem and take no client's lock when they are polled, as no socket does.
	 */
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP) {
		ret->kind = WIRE_KIND_TCP;
		return;
	}
	switch (protocol == -1 ? -1 : socket_constant(fd, SO_DOMAIN)) {
	case -1:
		break;
	case AF_INET:
	case AF_INET6:
		ret->kind = udp_kind(fd, protocol);
		return;
	case AF_UNIX:
		vet_unix(v, fd, ret);
		return;
	default:
		ret->kind = WIRE_KIND_SOCKET_OTHER;
		return;
	}

	snprintf(number, sizeof(number), "%d", fd);
	n = readlinkat(v->links, number, text, sizeof(text) - 1);
	if (n <= 0) {
		/* What cannot be told is treated as the worst. */
		ret->kind = WIRE_KIND_PATH;
		return;
	}
	text[n] = 0;
	if (text[0] == '/' || text[0] == '(') {
		ret->kind = path_kind(v, fd, number, text);
		return;
	}
	ret->kind = WIRE_KIND_ANON_OTHER;
	for (size_t i = 0; i < RDY__ARRAY_SIZE(link_texts); i++) {
		const struct link_text *t = &link_texts[i];

		if (t->prefix ? strncmp(text, t->text, strlen(t->text)) == 0
			      : strcmp(text, t->text) == 0) {
			ret->kind = t->kind;
			return;
		}
	}
}

bool vet_kind_allowed(enum wire_kind kind)
{
	return kind >= WIRE_KIND_TCP && kind <= WIRE_KIND_PTY;
}
