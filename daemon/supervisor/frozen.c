/* SPDX-License-Identifier: MIT */
#include "frozen.h"

#include <errno.h>
#include <stdlib.h>

void frozen_deinit(struct frozen *f)
{
	free(f->uids);
	*f = (struct frozen){0};
}

static struct frozen_uid *find(const struct frozen *f, uid_t uid)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->uids[i].uid == uid)
			return &f->uids[i];
	return NULL;
}

int frozen_add(struct frozen *f, uid_t uid, int64_t now_ns)
{
	struct frozen_uid *uids;

	if (find(f, uid))
		return 0;
	if (f->n >= FROZEN_MAX)
		return -ENOSPC;
	/* A person types these: one at a time is enough. */
	uids = realloc(f->uids, (f->n + 1) * sizeof(*uids));
	if (!uids)
		return -ENOMEM;
	f->uids = uids;
	uids[f->n++] = (struct frozen_uid){uid, now_ns};
	return 1;
}

bool frozen_remove(struct frozen *f, uid_t uid)
{
	struct frozen_uid *at = find(f, uid);

	if (!at)
		return false;
	*at = f->uids[--f->n];
	return true;
}

bool frozen_has(const struct frozen *f, uid_t uid)
{
	return find(f, uid) != NULL;
}

int64_t frozen_since(const struct frozen *f, uid_t uid)
{
	const struct frozen_uid *at = find(f, uid);

	return at ? at->since_ns : 0;
}
