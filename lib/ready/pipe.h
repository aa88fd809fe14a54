/* SPDX-License-Identifier: MIT */
/* libready: pipes. Each end is an io (ready/io.h); so is an end of a child's standard streams: rdy_io_new(). */
#ifndef READY_PIPE_H
#define READY_PIPE_H

#include <ready/io.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A pipe: what is written to the sender is read from the receiver.
 * Ownership: both are freed with rdy_io_free().
 * Errors: -EINVAL NULL · -EMFILE, -ENFILE, -ENOMEM. Thread: any. Since: 0.1.
 */
RDY_API int rdy_pipe_new(struct rdy_io **ret_sender, struct rdy_io **ret_receiver);

#ifdef __cplusplus
}
#endif
#endif
