/* SPDX-License-Identifier: MIT */
/* The supervisor's side of an agent's channel: what is sent, within credits, and what comes back. */
#ifndef SUPERVISOR_CHANNEL_IO_H
#define SUPERVISOR_CHANNEL_IO_H

#include <stdint.h>

struct agent;
struct channel_message;
struct session;
struct supervisor;

/* The first message: what the agent needs to know. Returns 0 or -errno. */
int channel_io_config(struct supervisor *sv, struct agent *agent);

/*
 * Send a message without descriptors. Returns 0, or -errno: the agent cannot be told now, channel_io_flush()
 * comes back to it when it can.
 */
int channel_io_send(struct supervisor *sv, struct agent *agent, const struct channel_message *m);

/* Ask an agent of an earlier supervisor who it is. Returns 0 or -errno. */
int channel_io_adopt(struct supervisor *sv, struct agent *agent);

/* Send a link to the other agent of an upgrade (borrowed). Returns 0, or -errno: it is tried again. */
int channel_io_link(struct supervisor *sv, struct agent *agent, uint32_t type, int link);

/* Send END: it ends its sessions and exits; it is nobody's agent from here on. */
void channel_io_end(struct supervisor *sv, struct agent *agent);

/* Hand over what waits, as far as credits and the channel allow. */
void channel_io_flush(struct supervisor *sv, struct agent *agent);

/* Frees a session that is in no list; a socket that it still has is the caller's mistake (asserted). */
void session_free(struct supervisor *sv, struct session *s);

#endif
