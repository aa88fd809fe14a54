/* SPDX-License-Identifier: MIT */
/*
 * The uids that an administrator froze, and since when. Pure but for its memory; the clock is the caller's.
 * What a uid's agent does about it: CHANNEL_FROZEN in its configuration.
 */
#ifndef SUPERVISOR_FROZEN_H
#define SUPERVISOR_FROZEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FROZEN_MAX 1024u /* all of them are in one Status */

struct frozen {
	struct frozen_uid {
		uid_t uid;
		int64_t since_ns;
	} * uids;
	size_t n;
};

void frozen_deinit(struct frozen *f);

/* Returns 1, 0 (it was frozen already), -ENOMEM or -ENOSPC (FROZEN_MAX). */
int frozen_add(struct frozen *f, uid_t uid, int64_t now_ns);
/* Was it frozen? */
bool frozen_remove(struct frozen *f, uid_t uid);
bool frozen_has(const struct frozen *f, uid_t uid);
/* Since when, or 0. */
int64_t frozen_since(const struct frozen *f, uid_t uid);

#endif
