/* SPDX-License-Identifier: MIT */
/*
 * Applying requests: frames that were decoded wholly before (DECODE-1). The reactor's thread.
 */
#ifndef AGENT_REQUEST_H
#define AGENT_REQUEST_H

#include "session.h"
#include "wire/wire.h"

/*
 * Apply one frame of an OPEN session and answer it. take_fds: header.n_fds descriptors, consumed.
 * The reactor's graveyard has room for them and one more. May end the session.
 */
void request_apply(struct session *s, const struct wire_frame *f, const int *take_fds);

#endif
