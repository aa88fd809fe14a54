/* SPDX-License-Identifier: MIT */
/*
 * Sessions, see session.h for the states. The reactor's thread. May not close a session's socket or what
 * came over it, and may not block: every call on the socket is MSG_DONTWAIT.
 */
#include "session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent.h"
#include "base/clock.h"
#include "base/fd.h"
#include "deliver.h"
#include "log.h"
#include "reactor.h"
#include "request.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16, asm-generic/socket.h */
#endif

/* The longest reply must fit whatever is configured; the kernel doubles what is asked for. */
#define SEND_BUFFER_MIN (int)(2 * WIRE_FRAME_MAX)

static int take_index(struct reactor *r, uint32_t *ret)
{
	struct session **sessions;
	uint32_t *generations, n = r->n_slots ? r->n_slots * 2 : 16;

	for (uint32_t i = 0; i < r->n_slots; i++) {
		if (!r->sessions[i]) {
			*ret = i;
			return 0;
		}
	}
	sessions = realloc(r->sessions, n * sizeof(struct session *));
	if (!sessions)
		return -ENOMEM;
	r->sessions = sessions;
	generations = realloc(r->generations, n * sizeof(*generations));
	if (!generations)
		return -ENOMEM;
	r->generations = generations;
	for (uint32_t i = r->n_slots; i < n; i++) {
		r->sessions[i] = NULL;
		r->generations[i] = 0;
	}
	*ret = r->n_slots;
	r->n_slots = n;
	return 0;
}

static void set_up_socket(struct session *s, uint32_t send_buffer_bytes)
{
	int size = (int)send_buffer_bytes;
	socklen_t n = sizeof(s->cookie);

	if (size && size < SEND_BUFFER_MIN)
		size = SEND_BUFFER_MIN;
	/* Either failure leaves something usable: the kernel's default, a cookie that matches nothing. */
	if (size && setsockopt(s->sock, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
		s->reactor->counters.surprises++;
	if (getsockopt(s->sock, SOL_SOCKET, SO_COOKIE, &s->cookie, &n) < 0)
		s->cookie = 0;
}

/* By deadline; nearly always the last, as all have the same timeout. */
static void owe_hello(struct session *s)
{
	struct rdy__list *after = s->reactor->hello.prev;

	while (after != &s->reactor->hello &&
		rdy__list_entry(after, struct session, hello)->hello_deadline_ns >
			s->hello_deadline_ns)
		after = after->prev;
	rdy__list_append(after->next, &s->hello);
	reactor_set_hello_timer(s->reactor);
}

int session_new(struct reactor *r, const struct channel_session *info, int take_sock,
	int take_pidfd, struct session **ret)
{
	uint32_t index;
	struct session *s;
	int e = take_index(r, &index);

	if (e < 0)
		return e;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	rdy__list_init(&s->work);
	rdy__list_init(&s->output);
	rdy__list_init(&s->hello);
	s->reactor = r;
	s->number = info->session;
	s->pid = info->pid;
	s->index = index;
	s->all = s->ready = REGISTRATION_QUEUE_NULL;
	s->sock = take_sock;
	s->pidfd = take_pidfd;
	s->state = SESSION_NEW;
	s->watched = RDY_READABLE;

	e = rdy_poll_register(r->poll, take_sock,
		TOKEN(TOKEN_SESSION, index, r->generations[index]), RDY_READABLE, RDY_EDGE);
	if (e < 0)
		goto no_socket;
	if (take_pidfd >= 0) {
		e = rdy_poll_register(r->poll, take_pidfd,
			TOKEN(TOKEN_PIDFD, index, r->generations[index]), RDY_READABLE, RDY_EDGE);
		if (e < 0)
			goto no_pidfd;
	}
	set_up_socket(s, r->config.send_buffer_bytes);
	e = sockets_add(&r->agent->sockets, s->cookie);
	if (e < 0)
		goto no_cookie;
	r->sessions[index] = s;
	r->n_sessions++;
	s->since_ns = rdy__now_ns();
	s->hello_deadline_ns = rdy__deadline_ns(s->since_ns, r->config.hello_timeout_ns);
	owe_hello(s);
	session_check(s);
	*ret = s;
	return 0;

no_cookie:
	if (take_pidfd >= 0)
		rdy_poll_deregister(r->poll, take_pidfd);
no_pidfd:
	rdy_poll_deregister(r->poll, take_sock);
no_socket:
	free(s);
	return e;
}

struct session *session_free(struct session *s)
{
	if (!s)
		return NULL;
	replies_deinit(&s->replies);
	cookies_deinit(&s->cookies);
	free(s);
	return NULL;
}

/*
 * Tell the poll what the session waits for. Native edges: READABLE always, WRITABLE while the socket is full.
 * Emulated ones go silent after each event, so what is known already (readable, but paused) is left out,
 * or it would drown the rest.
 */
static void session_watch(struct session *s)
{
	struct reactor *r = s->reactor;
	uint32_t want = s->blocked ? RDY_WRITABLE : 0;

	if (r->native_edge || !s->readable)
		want |= RDY_READABLE;
	if (!want)
		want = RDY_HANGUP_ONLY;
	if (want == s->watched && !s->silent)
		return;
	if (rdy_poll_modify(r->poll, s->sock,
		    TOKEN(TOKEN_SESSION, s->index, r->generations[s->index]), want, RDY_EDGE) < 0) {
		/* Without memory for it the session would hang for ever; its client comes back. */
		r->counters.surprises++;
		session_end(s);
		return;
	}
	s->watched = (uint8_t)want;
	s->silent = false;
}

void session_watch_again(struct session *s)
{
	struct reactor *r = s->reactor;

	if (s->state >= SESSION_ENDING)
		return;
	s->silent = true;
	session_watch(s);
	if (s->state < SESSION_ENDING && s->pidfd >= 0 &&
		rdy_poll_modify(r->poll, s->pidfd,
			TOKEN(TOKEN_PIDFD, s->index, r->generations[s->index]), RDY_READABLE,
			RDY_EDGE) < 0)
		session_end(s);
}

void session_restore(struct session *s, bool open, uint64_t features, const char *name)
{
	if (!open)
		return;
	s->features = features;
	memcpy(s->name, name, sizeof(s->name));
	s->state = SESSION_OPEN;
	rdy__list_unlink(&s->hello);
	reactor_set_hello_timer(s->reactor);
}

void session_want_output(struct session *s)
{
	if (s->state < SESSION_ENDING && !s->blocked && !rdy__list_linked(&s->output))
		rdy__list_append(&s->reactor->output, &s->output);
}

void session_want_input(struct session *s)
{
	if (s->state < SESSION_ENDING && s->readable && s->replies.n < WIRE_UNANSWERED_MAX &&
		!rdy__list_linked(&s->work))
		rdy__list_append(&s->reactor->input, &s->work);
}

void session_event(struct session *s, uint32_t ready)
{
	if (s->state >= SESSION_ENDING)
		return;
	s->silent = !s->reactor->native_edge;
	/* What it had sent before is not applied any more: nobody is there to be told. */
	if (ready & RDY_ERROR || (ready & (RDY_READ_CLOSED | RDY_WRITE_CLOSED)) ==
					 (RDY_READ_CLOSED | RDY_WRITE_CLOSED)) {
		session_end(s);
		return;
	}
	if (ready & (RDY_READABLE | RDY_READ_CLOSED)) {
		s->readable = true;
		session_want_input(s);
	}
	if (ready & RDY_WRITABLE && s->blocked) {
		s->blocked = false;
		session_want_output(s);
	}
	session_watch(s);
}

/* What can be wrong with a message before it is looked into. */
static enum wire_error judge(struct session *s, const struct rdy__received *got,
	struct wire_frame *ret_frame, uint32_t *ret_detail)
{
	const uint8_t *in = s->reactor->in;
	enum wire_error e;

	/*
	 * Invariant: FD-2: truncated control data ends the session, all descriptors that arrived disposed of.
	 * Why: the kernel has closed the others for good, nobody can tell which records they belonged to.
	 * Test: tests/unit/agent/session.c/lost_descriptors
	 */
	if (got->flags & RDY__RECV_FDS_LOST)
		return WIRE_E_FDS_LOST;
	if (s->state == SESSION_NEW && got->n_fds)
		return WIRE_E_FD_BEFORE_WELCOME;
	if (got->flags & RDY__RECV_CUT)
		e = WIRE_E_FRAME_OVERSIZED;
	else
		e = wire_decode_request(in, got->n_bytes, got->n_fds, ret_frame, ret_detail);
	/* Whoever speaks something else hears that, and not which byte of it was wrong. */
	if (s->state == SESSION_NEW && e != WIRE_E_VERSION_UNSUPPORTED &&
		(got->n_bytes < WIRE_HEADER_BYTES + WIRE_MAGIC_BYTES ||
			memcmp(in + WIRE_HEADER_BYTES, WIRE_MAGIC, WIRE_MAGIC_BYTES) != 0))
		return WIRE_E_BAD_MAGIC;
	return e;
}

static void take_message(struct session *s, const struct rdy__received *got)
{
	struct reactor *r = s->reactor;
	struct wire_frame f = {0};
	struct wire_hello hello;
	uint32_t detail = 0;
	enum wire_error e = judge(s, got, &f, &detail);

	r->counters.requests++;
	s->n_requests++;
	if (e != WIRE_OK) {
		dispose_unvetted(r, s, r->fds, got->n_fds);
		session_fatal(s, f.header.serial, e, detail);
		return;
	}
	if (s->state == SESSION_OPEN) {
		request_apply(s, &f, r->fds);
		return;
	}
	if (f.header.type != WIRE_HELLO) {
		session_fatal(s, f.header.serial, WIRE_E_BAD_MAGIC, 0);
		return;
	}
	wire_get_hello(&f, &hello);
	if (hello.version_min > WIRE_VERSION_MAX || hello.version_max < WIRE_VERSION_MIN) {
		session_fatal(s, f.header.serial, WIRE_E_VERSION_UNSUPPORTED, WIRE_VERSION_MAX);
		return;
	}
	session_welcome(s, &hello, f.header.serial);
}

void session_read(struct session *s)
{
	struct reactor *r = s->reactor;
	struct rdy__received got;

	for (uint32_t i = 0; i < REACTOR_MESSAGES; i++) {
		int e;

		if (s->state >= SESSION_ENDING || s->replies.n >= WIRE_UNANSWERED_MAX)
			return;
		if (!agent_room(r->agent)) {
			rdy__list_append(&r->starved, &s->work);
			s->starved = true;
			return;
		}
		if (graveyard_reserve(&r->graveyard, RDY__FDS_MAX) < 0) {
			agent_fail(r->agent, "out of memory");
			return;
		}
		e = rdy__recv_fds(s->sock, r->in, WIRE_FRAME_MAX, r->fds, 0, &got);
		if (e == -EAGAIN) {
			s->readable = false;
			session_watch(s);
			return;
		}
		/*
		 * Invariant: FD-1: from here each descriptor in r->fds is counted and has one owner: a
		 * registration, the graveyard or the quarantine. Why: what nobody owns is never closed, and
		 * clients can make us receive thousands. Test: tests/unit/agent/session.c/every_end_closes_all
		 */
		if (e == 0)
			quota_add(&r->agent->descriptors, (uint32_t)got.n_fds);
		/* An empty message without descriptors counts as end of file. */
		if (e < 0 || (got.n_bytes == 0 && got.n_fds == 0)) {
			session_end(s);
			return;
		}
		take_message(s, &got);
	}
	session_want_input(s);
}

void session_welcome(struct session *s, const struct wire_hello *hello, uint32_t serial)
{
	struct reactor *r = s->reactor;
	uint64_t ours = WIRE_FEATURE_ONESHOT | WIRE_FEATURE_LEVEL | WIRE_FEATURE_DEADLINE |
			(r->native_edge ? WIRE_FEATURE_EDGE : 0);
	const struct wire_welcome w = {
		.version = hello->version_max < WIRE_VERSION_MAX ? hello->version_max
								 : (uint16_t)WIRE_VERSION_MAX,
		.batch_max = WIRE_BATCH_MAX,
		.frame_max = WIRE_FRAME_MAX,
		.features = hello->features & ours,
		.session = s->number,
		.registrations = r->config.registrations_session,
		.unanswered_max = WIRE_UNANSWERED_MAX,
		.events_max_bytes = WIRE_EVENTS_MAX_BYTES,
	};
	int one = 1;

	s->features = w.features;
	memcpy(s->name, hello->name, sizeof(s->name));
	s->name[sizeof(s->name) - 1] = 0;
	s->state = SESSION_OPEN;
	rdy__list_unlink(&s->hello);
	reactor_set_hello_timer(r);
	/* Off in the listener, from which the socket has it. Older kernels allow it always. */
	if (setsockopt(s->sock, SOL_SOCKET, SO_PASSRIGHTS, &one, sizeof(one)) < 0 &&
		errno != ENOPROTOOPT)
		r->counters.surprises++;
	wire_put_welcome(r->out, &w);
	session_reply(s, WIRE_WELCOME, serial, 1);
	session_check(s);
}

int session_send(struct session *s, const uint8_t *frame, size_t n_bytes)
{
	int e;

	do
		e = rdy__send_fds(s->sock, frame, n_bytes, NULL, 0);
	while (e == -EINTR);
	if (e == 0)
		return 1;
	if (e == -EAGAIN) {
		if (!s->blocked)
			s->blocked_ns = rdy__now_ns();
		s->blocked = true;
		session_watch(s);
	} else {
		session_end(s);
	}
	return 0;
}

void session_reply(struct session *s, enum wire_type type, uint32_t serial, uint32_t count)
{
	struct reactor *r = s->reactor;
	size_t n_bytes = wire_put_header(r->out, type, serial, count);

	if (s->state >= SESSION_ENDING)
		return;
	if (!s->blocked && !s->replies.n && session_send(s, r->out, n_bytes))
		return;
	if (s->state < SESSION_ENDING && replies_append(&s->replies, r->out, n_bytes) < 0)
		session_end(s);
}

void session_fatal(struct session *s, uint32_t serial, enum wire_error error, uint32_t detail)
{
	uint8_t frame[WIRE_HEADER_BYTES + WIRE_ERROR_BYTES];
	char name[4 * WIRE_NAME_BYTES];
	size_t n;

	if (s->state >= SESSION_ENDING)
		return;
	log_line(LOG_INFO, "session=%llu pid=%d name=%s error=%s detail=%u",
		(unsigned long long)s->number, s->pid, log_escape(name, sizeof(name), s->name),
		wire_error_name(error), detail);
	/* Everything is in one order; a client that does not read gets the end without the reason. */
	deliver_flush(s);
	if (s->state < SESSION_ENDING && !s->blocked) {
		n = wire_make_error(frame, serial, error, detail, true);
		session_send(s, frame, n);
	}
	session_end(s);
}
