/* SPDX-License-Identifier: MIT */
/*
 * The end of a session (session.h): shut at once, drained and torn down in slices, so that a session with
 * thousands of registrations or descriptors on the way does not stop the others. The reactor's thread.
 */
#include "session.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "agent.h"
#include "base/fd.h"
#include "deliver.h"
#include "reactor.h"

static void unlist(struct session *s)
{
	rdy__list_unlink(&s->work);
	rdy__list_unlink(&s->output);
	s->starved = false;
	if (rdy__list_linked(&s->hello)) {
		rdy__list_unlink(&s->hello);
		reactor_set_hello_timer(s->reactor);
	}
	replies_deinit(&s->replies);
}

static void unwatch(struct session *s)
{
	struct reactor *r = s->reactor;

	rdy_poll_deregister(r->poll, s->sock);
	if (s->pidfd >= 0) {
		/* Not from the client, and nothing waits in its close(). */
		rdy_poll_deregister(r->poll, s->pidfd);
		s->pidfd = rdy__fd_close(s->pidfd);
		quota_release(&r->agent->descriptors, 1);
	}
}

void session_end(struct session *s)
{
	struct reactor *r = s->reactor;
	int one = 1;

	if (s->state >= SESSION_ENDING)
		return;
	s->state = SESSION_ENDING;
	unlist(s);
	unwatch(s);
	/*
	 * Nothing can be queued into it any more, and the client sees the end at once. Credentials come with
	 * every message that is there, which tells an empty message from the end.
	 */
	shutdown(s->sock, SHUT_RDWR);
	setsockopt(s->sock, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
	rdy__list_append(&r->ending, &s->work);
	session_check(s);
}

/* Returns false when it has to wait for room in the descriptor table. */
static bool drain(struct session *s)
{
	struct reactor *r = s->reactor;
	struct rdy__received got;

	for (uint32_t i = 0; i < REACTOR_MESSAGES && !s->drained; i++) {
		int e;

		if (!agent_room(r->agent))
			return false;
		if (graveyard_reserve(&r->graveyard, RDY__FDS_MAX) < 0) {
			agent_fail(r->agent, "out of memory");
			return false;
		}
		e = rdy__recv_fds(s->sock, r->in, WIRE_FRAME_MAX, r->fds, 0, &got);
		if (e == -ECONNRESET) /* the socket's pending error, said once */
			continue;
		if (e < 0 || (got.n_bytes == 0 && got.n_fds == 0 &&
				     !(got.flags & RDY__RECV_CREDENTIALS))) {
			s->drained = true;
			break;
		}
		quota_add(&r->agent->descriptors, (uint32_t)got.n_fds);
		dispose_unvetted(r, s, r->fds, got.n_fds);
	}
	return true;
}

/* Nothing is left of it but its memory. */
static void detach(struct session *s)
{
	struct reactor *r = s->reactor;

	/* A stranger may hold the other end: not even this socket is closed here. */
	sockets_remove(&r->agent->sockets, s->cookie);
	dispose_plain(r, rdy__steal_fd(&s->sock));
	r->sessions[s->index] = NULL;
	r->generations[s->index]++;
	r->n_sessions--;
	s->state = SESSION_DEAD;
	rdy__list_append(&r->dead, &s->work);
	session_check(s);
}

static void finish(struct session *s)
{
	struct reactor *r = s->reactor;

	detach(s);
	agent_post(r->agent,
		&(struct agent_message){
			.type = AGENT_SESSION_END, .reactor = r->index, .u.session = s->number});
}

void session_forget(struct session *s)
{
	struct reactor *r = s->reactor;

	assert(s->state < SESSION_ENDING);
	if (graveyard_reserve(&r->graveyard, s->n_registrations + 1) < 0) {
		agent_fail(r->agent, "out of memory");
		return;
	}
	s->state = SESSION_ENDING;
	s->drained = true; /* what is in its socket is the other's to read */
	unlist(s);
	while (s->all.head != REGISTRATION_NONE)
		deliver_forget(s, s->all.head);
	unwatch(s);
	detach(s);
}

bool session_end_slice(struct session *s, uint32_t *budget)
{
	struct reactor *r = s->reactor;

	if (graveyard_reserve(&r->graveyard, REACTOR_TEARDOWN + 1) < 0) {
		agent_fail(r->agent, "out of memory");
		return false;
	}
	while (s->all.head != REGISTRATION_NONE && *budget) {
		deliver_forget(s, s->all.head);
		--*budget;
	}
	if (!drain(s) && s->all.head == REGISTRATION_NONE) {
		rdy__list_append(&r->starved, &s->work);
		s->starved = true;
		return false;
	}
	if (s->all.head != REGISTRATION_NONE || !s->drained)
		return true;
	if (graveyard_reserve(&r->graveyard, 1) < 0) {
		agent_fail(r->agent, "out of memory");
		return false;
	}
	finish(s);
	return false;
}

void session_check(const struct session *s)
{
	bool live = s->state < SESSION_ENDING;

	(void)live;
	assert(s->state <= SESSION_DEAD);
	assert((s->sock >= 0) == (s->state != SESSION_DEAD));
	assert(live || s->pidfd < 0);
	assert(live || !rdy__list_linked(&s->output));
	assert(live || s->replies.n == 0);
	assert(rdy__list_linked(&s->hello) == (s->state == SESSION_NEW));
	assert(s->replies.n <= WIRE_UNANSWERED_MAX + 1); /* the last one read may have an answer */
	assert((s->all.head == REGISTRATION_NONE) == (s->n_registrations == 0));
	assert(s->state != SESSION_NEW || s->n_registrations == 0);
	assert(s->state != SESSION_DEAD || (s->drained && s->n_registrations == 0));
	assert(s->cookies.n_used == s->n_registrations);
	assert(s->state == SESSION_DEAD || s->reactor->sessions[s->index] == s);
}
