/* SPDX-License-Identifier: MIT */
/*
 * The inside of an io: a descriptor of ours that does not block, its registration, and what its kind keeps.
 * Shared by lib/net and lib/os only.
 */
#ifndef NET_IO_H
#define NET_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ready/io.h"

/* What an io was made as; only the calls of that kind take it. */
enum rdy__io_kind {
	RDY__IO_ANY, /* sockets, pipes, whatever was taken over: the system tells them apart */
	RDY__IO_SIGNALS,
	RDY__IO_CHILD,
	RDY__IO_FILES,
};

struct rdy_io {
	struct rdy_source source;
	int fd;
	enum rdy__io_kind kind;
	bool no_socket;	  /* learnt when it was written to */
	bool no_nosignal; /* the kernel has no RWF_NOSIGNAL for this file */
	void *extra;	  /* of the kind, in the same allocation; NULL = none */
};

/* An io without a descriptor yet (-1), or NULL; freed with free() as long as it has none. */
struct rdy_io *rdy__io_alloc(enum rdy__io_kind kind, size_t extra_bytes);

/*
 * Make an io of a descriptor that has O_NONBLOCK and FD_CLOEXEC already; extra_bytes zeroed bytes at extra.
 * Errors: -ENOMEM: the descriptor is closed.
 */
int rdy__io_take(int take_fd, enum rdy__io_kind kind, size_t extra_bytes, struct rdy_io **ret);

/*
 * Every result of an operation on the descriptor passes through here: after -EAGAIN it is armed again where edges
 * are emulated. Returns r.
 */
ptrdiff_t rdy__io_done(struct rdy_io *io, ptrdiff_t r);

/* Write without SIGPIPE where the file is no socket. n vectors, at most IOV_MAX. Returns bytes or -errno. */
struct iovec;
ptrdiff_t rdy__io_write_quietly(struct rdy_io *io, const struct iovec *iov, size_t n);

#endif
