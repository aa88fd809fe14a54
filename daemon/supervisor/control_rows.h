/* SPDX-License-Identifier: MIT */
/* Rows as agents give them, as JSON: words, numbers, seconds. Pure. What an agent says is not trusted. */
#ifndef SUPERVISOR_CONTROL_ROWS_H
#define SUPERVISOR_CONTROL_ROWS_H

#include <stdint.h>
#include <jansson.h>
#include <sys/types.h>

#include "channel/channel.h"

/* NULL without memory. now_ns: CLOCK_MONOTONIC, for ages. */
json_t *control_row_reactor(const struct channel_row_reactor *r);
json_t *control_row_session(const struct channel_row_session *s, uid_t uid, int64_t now_ns);
json_t *control_row_registration(
	const struct channel_row_registration *r, uid_t uid, int64_t now_ns);

/* The word in `state`. Static. */
const char *control_session_state(const struct channel_row_session *s);
const char *control_registration_state(const struct channel_row_registration *r);

/* Seconds between two times, with microseconds; 0 if they are the wrong way round. */
double control_seconds(int64_t from_ns, int64_t to_ns);
/* A count as JSON has it. */
json_t *control_count(uint64_t n);
/* null for a pid of 0 or less. */
json_t *control_pid(int32_t pid);
/* What the interest's bits are called, as an array; also of readiness. */
json_t *control_ready_words(uint32_t bits);

#endif
