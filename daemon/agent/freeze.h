/* SPDX-License-Identifier: MIT */
/*
 * CHANNEL_FROZEN: an administrator stopped the uid. Sessions are neither read nor written: readiness merges in
 * the registrations, requests stay in the sockets, replies wait. Who leaves is let go of as always, and a kick
 * or the end of the daemon is told. Nothing is answered, not even PING: a client that waits for an answer gives
 * up after 5 s, comes back and is told UID_FROZEN; one that only waits for events stays where it is.
 * The reactor's thread.
 */
#ifndef AGENT_FREEZE_H
#define AGENT_FREEZE_H

#include <stdbool.h>

struct reactor;

/* From now on. Thawing: everybody goes on where he was, and who owes HELLO has his time again. */
void freeze_set(struct reactor *r, bool frozen);

#endif
