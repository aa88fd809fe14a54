/* SPDX-License-Identifier: MIT */
/*
 * libready: a descriptor that does not block, with its registration: the sockets of ready/socket.h, pipes, the
 * ends of a child's standard streams, and anything else that is taken over with rdy_io_new().
 *
 * Reading and writing through an io keeps the promise of mode EDGE on every selector: another event after
 * -EAGAIN. Who uses the descriptor behind its back calls rdy_source_rearm(), or rdy_io_try().
 * An io never raises SIGPIPE; interrupted calls are repeated. Threads: one at a time for one io.
 */
#ifndef READY_IO_H
#define READY_IO_H

#include <ready/source.h>

#ifdef __cplusplus
extern "C" {
#endif

struct iovec;
struct rdy_io;

/*
 * Take a descriptor over: it becomes non-blocking and is closed on exec.
 * Ownership: fd is the io's from success on; *ret is freed with rdy_io_free().
 * Errors: -EINVAL ret is NULL · -EBADF · -EPERM its flags may not be changed, as fcntl(2) ·
 *   -ENOMEM. On error fd is the caller's, as it was.
 * Thread: any. Since: 0.1.
 */
RDY_API int rdy_io_new(int fd, struct rdy_io **ret);

/* Deregister, close, free. NULL is allowed. Returns NULL. Thread: the io's. Since: 0.1. */
RDY_API struct rdy_io *rdy_io_free(struct rdy_io *io);

/* Deregister and free, but give the descriptor back to the caller; it stays non-blocking.
 * Errors: -EINVAL NULL. Thread: the io's. Since: 0.1. */
RDY_API int rdy_io_release(struct rdy_io *io);

/* The descriptor, borrowed. Errors: -EINVAL NULL. Thread: any. Since: 0.1. */
RDY_API int rdy_io_fd(const struct rdy_io *io);

/* The io as a source, for rdy_source_register() and the like; borrowed. Thread: any. Since: 0.1. */
RDY_API struct rdy_source *rdy_io_source(struct rdy_io *io);

/*
 * Switch blocking on or off (1 or 0 = as a new io has it), for handing the descriptor to others.
 * Errors: -EINVAL NULL, another value · -EBADF. Thread: the io's. Since: 0.1.
 */
RDY_API int rdy_io_set_blocking(struct rdy_io *io, int blocking);

/*
 * Read and write as read(2), readv(2), write(2), writev(2), without SIGPIPE.
 * Returns bytes; 0 at the end of file. Errors: -EINVAL a NULL argument, too many vectors · -EAGAIN not now: an
 *   event will say when · -EPIPE nobody reads any more · -ENOTCONN not connected · -ECONNRESET · others as
 *   those calls. Thread: the io's. Since: 0.1.
 */
RDY_API ptrdiff_t rdy_io_read(struct rdy_io *io, void *buf, size_t n_bytes);
RDY_API ptrdiff_t rdy_io_readv(struct rdy_io *io, const struct iovec *iov, size_t n);
RDY_API ptrdiff_t rdy_io_write(struct rdy_io *io, const void *buf, size_t n_bytes);
RDY_API ptrdiff_t rdy_io_writev(struct rdy_io *io, const struct iovec *iov, size_t n);

/*
 * Do something else with the descriptor: operation returns >= 0 or -errno, and is that of the io: after
 * -EAGAIN another event comes. Returns what it returns. Errors: -EINVAL a NULL argument · the operation's.
 * Thread: the io's. Since: 0.1.
 */
RDY_API ptrdiff_t rdy_io_try(
	struct rdy_io *io, ptrdiff_t (*operation)(int fd, void *data), void *data);

#ifdef __cplusplus
}
#endif
#endif
