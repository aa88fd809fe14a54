/* SPDX-License-Identifier: MIT */
/*
 * Agents that die as soon as they start: after three in a row their uid has to wait, so that a broken agent,
 * or a client that kills each one with its first message, does not have us start processes for ever.
 * Pure but for its memory; the clock is the caller's. Bounded: the uid that failed longest ago is forgotten.
 */
#ifndef SUPERVISOR_FAILURES_H
#define SUPERVISOR_FAILURES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define FAILURES_MAX 3u	   /* in a row */
#define FAILURES_PAUSE_S 5 /* before the next start */
#define FAILURES_QUICK_NS \
	1000000000LL /* an agent that died earlier than this after its start has failed */
#define FAILURES_KEPT 64u

struct failures {
	struct failure {
		uid_t uid;
		uint32_t n; /* 0: free */
		int64_t last_ns;
	} kept[FAILURES_KEPT];
};

void failures_init(struct failures *f);

/* One more. Returns true if the uid has to wait now. */
bool failures_note(struct failures *f, uid_t uid, int64_t now_ns);

/* An agent of the uid has lived: earlier failures are history. Its HELLO alone is not enough. */
void failures_forgive(struct failures *f, uid_t uid);

/* Must the uid wait? After the pause one start is allowed; if that fails, too, the uid waits again. */
bool failures_block(const struct failures *f, uid_t uid, int64_t now_ns);

#endif
