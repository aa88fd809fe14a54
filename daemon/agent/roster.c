/* SPDX-License-Identifier: MIT */
/* See roster.h. A sorted array: numbers grow, so a new one nearly always goes to the end. */
#include "roster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROSTER_FIRST 16u

void roster_deinit(struct roster *r)
{
	free(r->sessions);
	*r = ROSTER_NULL;
}

/* Where it is, or would be. */
static uint32_t place(const struct roster *r, uint64_t session)
{
	uint32_t low = 0, high = r->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (r->sessions[middle].session < session)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct channel_snapshot_session *roster_find(const struct roster *r, uint64_t session)
{
	uint32_t at = place(r, session);

	return at < r->n && r->sessions[at].session == session ? &r->sessions[at] : NULL;
}

int roster_add(struct roster *r, const struct channel_snapshot_session *s)
{
	uint32_t at = place(r, s->session);

	if (at < r->n && r->sessions[at].session == s->session) {
		r->sessions[at] = *s;
		return 0;
	}
	if (r->n == r->cap) {
		uint32_t cap = r->cap ? r->cap * 2 : ROSTER_FIRST;
		struct channel_snapshot_session *sessions =
			realloc(r->sessions, cap * sizeof(*sessions));

		if (!sessions)
			return -ENOMEM;
		r->sessions = sessions;
		r->cap = cap;
	}
	memmove(&r->sessions[at + 1], &r->sessions[at], (r->n - at) * sizeof(*r->sessions));
	r->sessions[at] = *s;
	r->n++;
	return 0;
}

void roster_remove(struct roster *r, uint64_t session)
{
	uint32_t at = place(r, session);

	if (at == r->n || r->sessions[at].session != session)
		return;
	r->n--;
	memmove(&r->sessions[at], &r->sessions[at + 1], (r->n - at) * sizeof(*r->sessions));
}
