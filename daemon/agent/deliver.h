/* SPDX-License-Identifier: MIT */
/*
 * Delivery: readiness from the poll becomes pending bits of a registration, pending bits become EVENTS
 * frames. Nothing is allocated and nothing is dropped. The reactor's thread.
 */
#ifndef AGENT_DELIVER_H
#define AGENT_DELIVER_H

#include <stdint.h>

#include "registration.h"
#include "session.h"

/* The poll's event for a live registration. */
void deliver_event(struct session *s, uint32_t index, uint32_t ready);

/* A deadline of a live registration has passed: WIRE_TIMEOUT_* bits. */
void deliver_timeout(struct session *s, uint32_t index, uint8_t over);

/* Send what is queued, replies first, then events, until the socket is full. May end the session. */
void deliver_flush(struct session *s);

/* Watch a registration in the poll with what its state asks for now; readiness is reported again. */
int deliver_watch(struct session *s, uint32_t index);

/* The first time: fd is in the registration's poll from here on, or -errno and nothing has changed. */
int deliver_first_watch(struct session *s, uint32_t index, int fd);

/* End a registration wholly: poll, descriptor, cookie, quota, slot. Graveyard room for one is reserved. */
void deliver_forget(struct session *s, uint32_t index);

/*
 * Take the descriptor out of the poll and give it up; the record stays. No-op when it is gone already.
 */
void deliver_unwatch(struct session *s, uint32_t index);

#endif
