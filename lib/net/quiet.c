/* SPDX-License-Identifier: MIT */
/*
 * Writing to what is no socket, without SIGPIPE: asked of the kernel (RWF_NOSIGNAL, Linux 6.18), or else blocked in
 * this thread, taken if it came, and the mask put back: no disposition is touched, no other thread sees anything.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/uio.h>
#include <time.h>

#include "net/io.h"

/* include/uapi/linux/fs.h; not in every libc's headers. */
#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x00000100
#endif

static ptrdiff_t result(ssize_t r)
{
	return r < 0 ? -errno : r;
}

static ptrdiff_t write_again(int fd, const struct iovec *iov, size_t n)
{
	ssize_t r;

	do
		r = writev(fd, iov, (int)n);
	while (r < 0 && errno == EINTR);
	return result(r);
}

static size_t bytes_of(const struct iovec *iov, size_t n)
{
	size_t n_bytes = 0;

	for (size_t i = 0; i < n; i++)
		n_bytes += iov[i].iov_len;
	return n_bytes;
}

static ptrdiff_t write_masked(int fd, const struct iovec *iov, size_t n)
{
	const struct timespec now = {0};
	sigset_t pipe_only, before, pending;
	ptrdiff_t r;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	/* One that waits already is somebody else's and stays. */
	sigpending(&pending);
	if (sigismember(&pending, SIGPIPE))
		return write_again(fd, iov, n);
	pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
	r = write_again(fd, iov, n);
	/* A pipe that blocks and loses its reader half way says both: a part was written, and SIGPIPE. */
	if (r == -EPIPE || (r >= 0 && (size_t)r < bytes_of(iov, n)))
		while (sigtimedwait(&pipe_only, NULL, &now) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

ptrdiff_t rdy__io_write_quietly(struct rdy_io *io, const struct iovec *iov, size_t n)
{
	ssize_t r;

	while (!io->no_nosignal) {
		r = pwritev2(io->fd, iov, (int)n, -1, RWF_NOSIGNAL);
		if (r >= 0 || (errno != EINTR && errno != EOPNOTSUPP && errno != ENOSYS &&
				      errno != EINVAL && errno != EPERM))
			return result(r);
		io->no_nosignal = errno != EINTR;
	}
	return write_masked(io->fd, iov, n);
}
