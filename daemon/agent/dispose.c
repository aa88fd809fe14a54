/* SPDX-License-Identifier: MIT */
/* See dispose.h. */
#include "dispose.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "agent.h"
#include "reactor.h"
#include "session.h"
#include "vet.h"

#define GRAVEYARD_FIRST 64u

void graveyard_deinit(struct graveyard *g)
{
	free(g->fds);
	*g = GRAVEYARD_NULL;
}

int graveyard_reserve(struct graveyard *g, size_t n)
{
	size_t cap = g->cap ? g->cap : GRAVEYARD_FIRST;
	int *fds;

	while (cap < g->n + n)
		cap *= 2;
	if (cap == g->cap)
		return 0;
	fds = realloc(g->fds, cap * sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	g->fds = fds;
	g->cap = cap;
	return 0;
}

void dispose_plain(struct reactor *r, int take_fd)
{
	assert(r->graveyard.n < r->graveyard.cap); /* reserved before */
	r->graveyard.fds[r->graveyard.n++] = take_fd;
}

void dispose_quarantine(struct reactor *r, struct session *s, int take_fd)
{
	(void)take_fd; /* stays open under its number; nobody needs the number any more */
	s->n_quarantined++;
	agent_post(
		r->agent, &(struct agent_message){.type = AGENT_QUARANTINED, .reactor = r->index});
}

void dispose_unvetted(struct reactor *r, struct session *s, const int *take_fds, size_t n)
{
	struct vet_result v;

	for (size_t i = 0; i < n; i++) {
		vet_fd(&r->agent->vet, take_fds[i], &v);
		if (v.kind == WIRE_KIND_PATH)
			dispose_quarantine(r, s, take_fds[i]);
		else
			dispose_plain(r, take_fds[i]);
	}
}
