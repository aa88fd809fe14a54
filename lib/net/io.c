/* SPDX-License-Identifier: MIT */
/*
 * An io: owns its descriptor, knows its registration. Threads: one at a time for one io.
 * May not block; a descriptor that came from elsewhere is made non-blocking first.
 */
#include "net/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"

static struct rdy_io *io_of(struct rdy_source *source)
{
	return (struct rdy_io *)((char *)source - offsetof(struct rdy_io, source));
}

static int io_add(struct rdy_source *source, struct rdy_registry *registry, uint64_t token,
	uint32_t interest, uint32_t mode)
{
	return rdy_registry_register(registry, io_of(source)->fd, token, interest, mode);
}

static int io_modify(struct rdy_source *source, struct rdy_registry *registry, uint64_t token,
	uint32_t interest, uint32_t mode)
{
	return rdy_registry_modify(registry, io_of(source)->fd, token, interest, mode);
}

static int io_rearm(struct rdy_source *source, struct rdy_registry *registry)
{
	return rdy_registry_rearm(registry, io_of(source)->fd);
}

static int io_remove(struct rdy_source *source, struct rdy_registry *registry)
{
	return rdy_registry_deregister(registry, io_of(source)->fd);
}

static const struct rdy_source_ops io_ops = {
	.add = io_add,
	.modify = io_modify,
	.rearm = io_rearm,
	.remove = io_remove,
};

struct rdy_io *rdy__io_alloc(enum rdy__io_kind kind, size_t extra_bytes)
{
	struct rdy_io *io = calloc(1, sizeof(*io) + extra_bytes);

	if (!io)
		return NULL;
	rdy_source_init(&io->source, &io_ops);
	io->fd = -1;
	io->kind = kind;
	io->extra = extra_bytes ? io + 1 : NULL;
	return io;
}

int rdy__io_take(int take_fd, enum rdy__io_kind kind, size_t extra_bytes, struct rdy_io **ret)
{
	struct rdy_io *io = rdy__io_alloc(kind, extra_bytes);

	if (!io) {
		rdy__fd_close(take_fd);
		return -ENOMEM;
	}
	io->fd = take_fd;
	*ret = io;
	return 0;
}

static int set_status(int fd, bool nonblocking)
{
	int flags = fcntl(fd, F_GETFL), wanted;

	if (flags < 0)
		return -errno;
	wanted = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return wanted == flags || fcntl(fd, F_SETFL, wanted) == 0 ? 0 : -errno;
}

int rdy_io_new(int fd, struct rdy_io **ret)
{
	struct rdy_io *io;
	int flags, r;

	if (!ret)
		return -EINVAL;
	flags = fcntl(fd, F_GETFD);
	if (flags < 0)
		return -errno;
	io = rdy__io_alloc(RDY__IO_ANY, 0);
	if (!io)
		return -ENOMEM;
	r = fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0 ? -errno : set_status(fd, true);
	if (r < 0) {
		/* As it was. */
		(void)fcntl(fd, F_SETFD, flags);
		free(io);
		return r;
	}
	io->fd = fd;
	*ret = io;
	return 0;
}

struct rdy_io *rdy_io_free(struct rdy_io *io)
{
	if (io)
		rdy__fd_close(rdy_io_release(io));
	return NULL;
}

int rdy_io_release(struct rdy_io *io)
{
	int fd;

	if (!io)
		return -EINVAL;
	/*
	 * Invariant: IO-1: the poll has let go of a descriptor before it is closed or given away. Why: a duplicate
	 * elsewhere would keep it registered, under a number that is another file's by then.
	 * Test: tests/unit/net/io.c/freed_while_registered
	 */
	rdy_source_deinit(&io->source);
	fd = io->fd;
	free(io);
	return fd;
}

int rdy_io_fd(const struct rdy_io *io)
{
	return io ? io->fd : -EINVAL;
}

struct rdy_source *rdy_io_source(struct rdy_io *io)
{
	return io ? &io->source : NULL;
}

int rdy_io_set_blocking(struct rdy_io *io, int blocking)
{
	if (!io || (blocking != 0 && blocking != 1))
		return -EINVAL;
	return set_status(io->fd, !blocking);
}

ptrdiff_t rdy__io_done(struct rdy_io *io, ptrdiff_t r)
{
	/*
	 * Invariant: IO-2: whatever ends in -EAGAIN arms the registration again. Why: it is what mode EDGE promises
	 * where edges are emulated; the kernel's own need nothing. Test: tests/unit/net/again.c/every_call_arms_again
	 */
	if (r == -EAGAIN && (io->source.mode & ~RDY_EXCLUSIVE) == RDY_EDGE &&
		!(rdy_registry_caps(io->source.registry) & RDY_CAP_EDGE))
		(void)rdy_source_rearm(&io->source);
	return r;
}

static ptrdiff_t done(struct rdy_io *io, ssize_t r)
{
	return rdy__io_done(io, r < 0 ? -errno : r);
}

ptrdiff_t rdy_io_readv(struct rdy_io *io, const struct iovec *iov, size_t n)
{
	ssize_t r;

	if (!io || !iov || n > IOV_MAX)
		return -EINVAL;
	do
		r = readv(io->fd, iov, (int)n);
	while (r < 0 && errno == EINTR);
	return done(io, r);
}

ptrdiff_t rdy_io_read(struct rdy_io *io, void *buf, size_t n_bytes)
{
	ssize_t r;

	if (!io || (!buf && n_bytes))
		return -EINVAL;
	do
		r = read(io->fd, buf, n_bytes);
	while (r < 0 && errno == EINTR);
	return done(io, r);
}

ptrdiff_t rdy_io_writev(struct rdy_io *io, const struct iovec *iov, size_t n)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n};
	ssize_t r;

	if (!io || !iov || n > IOV_MAX)
		return -EINVAL;
	while (!io->no_socket) {
		r = sendmsg(io->fd, &msg, MSG_NOSIGNAL);
		if (r >= 0 || (errno != EINTR && errno != ENOTSOCK))
			return done(io, r);
		io->no_socket = errno == ENOTSOCK;
	}
	return rdy__io_done(io, rdy__io_write_quietly(io, iov, n));
}

ptrdiff_t rdy_io_write(struct rdy_io *io, const void *buf, size_t n_bytes)
{
	const struct iovec iov = {(void *)buf, n_bytes};

	if (!io || (!buf && n_bytes))
		return -EINVAL;
	return rdy_io_writev(io, &iov, 1);
}

ptrdiff_t rdy_io_try(struct rdy_io *io, ptrdiff_t (*operation)(int fd, void *data), void *data)
{
	if (!io || !operation)
		return -EINVAL;
	return rdy__io_done(io, operation(io->fd, data));
}
