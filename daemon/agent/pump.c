/* SPDX-License-Identifier: MIT */
/* See pump.h. May not block: every call on a socket is MSG_DONTWAIT, and its close() is the closer's. */
#include "pump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent.h"
#include "base/fd.h"
#include "closer.h"
#include "outbox.h"
#include "reactors.h"
#include "vet.h"

void pumps_init(struct pumps *ps)
{
	*ps = (struct pumps){0};
	rdy__list_init(&ps->all);
	rdy__list_init(&ps->work);
	rdy__list_init(&ps->waiting);
}

static void free_pump(struct pumps *ps, struct pump *take_p)
{
	ps->slots[take_p->index] = NULL;
	ps->generations[take_p->index]++;
	ps->n--;
	rdy__list_unlink(&take_p->link);
	rdy__list_unlink(&take_p->work);
	free(take_p->down);
	free(take_p);
}

void pumps_deinit(struct pumps *ps)
{
	while (ps->n) {
		struct pump *p = rdy__list_entry(ps->all.next, struct pump, link);

		rdy__fd_close(p->sock);
		free_pump(ps, p);
	}
	free(rdy__steal(ps->slots));
	free(rdy__steal(ps->generations));
	ps->n_slots = 0;
}

static void want_work(struct agent *a, struct pump *p)
{
	rdy__list_unlink(&p->work);
	rdy__list_append(&a->pumps.work, &p->work);
}

static void want_room(struct agent *a, struct pump *p)
{
	rdy__list_unlink(&p->work);
	rdy__list_append(&a->pumps.waiting, &p->work);
}

static uint64_t token_of(const struct agent *a, const struct pump *p)
{
	return TOKEN(TOKEN_CONTROL, p->index, a->pumps.generations[p->index]);
}

static void end(struct agent *a, struct pump *p)
{
	if (p->ending)
		return;
	p->ending = true;
	rdy_poll_deregister(a->reactor.poll, p->sock);
	/* Nothing can be queued into it any more, and what was written is still read. */
	shutdown(p->sock, SHUT_RDWR);
	p->at = p->end = p->cap = 0;
	free(rdy__steal(p->down));
	want_work(a, p);
}

/*
 * One shot per interest, so that nothing is reported again that is known: a peer that has shut its side would
 * be, in every wait.
 */
static void watch(struct agent *a, struct pump *p)
{
	uint8_t want = (uint8_t)((!p->readable && !p->eof ? RDY_READABLE : 0) |
				 (p->blocked ? RDY_WRITABLE : 0));

	if (p->ending || want == p->watched || !want)
		return;
	p->watched = want;
	if (rdy_poll_modify(a->reactor.poll, p->sock, token_of(a, p), want, RDY_ONESHOT) < 0)
		end(a, p);
}

static int take_index(struct pumps *ps, uint32_t *ret)
{
	uint32_t *generations, n = ps->n_slots ? ps->n_slots * 2 : 8;
	struct pump **slots;

	for (uint32_t i = 0; i < ps->n_slots; i++) {
		if (!ps->slots[i]) {
			*ret = i;
			return 0;
		}
	}
	slots = realloc(ps->slots, n * sizeof(struct pump *));
	if (!slots)
		return -ENOMEM;
	ps->slots = slots;
	generations = realloc(ps->generations, n * sizeof(*generations));
	if (!generations)
		return -ENOMEM;
	ps->generations = generations;
	for (uint32_t i = ps->n_slots; i < n; i++) {
		ps->slots[i] = NULL;
		ps->generations[i] = 0;
	}
	*ret = ps->n_slots;
	ps->n_slots = n;
	return 0;
}

static int new_pump(struct agent *a, uint64_t number, int sock, struct pump **ret)
{
	struct pumps *ps = &a->pumps;
	struct pump *p;
	uint32_t index;
	int e = take_index(ps, &index);

	if (e < 0)
		return e;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->number = number;
	p->index = index;
	p->sock = sock;
	p->watched = RDY_READABLE;
	e = rdy_poll_register(a->reactor.poll, sock, token_of(a, p), RDY_READABLE, RDY_ONESHOT);
	if (e < 0) {
		free(p);
		return e;
	}
	rdy__list_init(&p->link);
	rdy__list_init(&p->work);
	rdy__list_append(&ps->all, &p->link);
	ps->slots[index] = p;
	ps->n++;
	*ret = p;
	return 0;
}

void pump_take(struct agent *a, const struct channel_session *info, int take_sock, int take_pidfd)
{
	struct pump *p;

	a->idle_said = false;
	rdy_timer_clear(a->idle_timer);
	if (take_pidfd >= 0) {
		/* The kernel closes the socket of whoever dies; a connection has nothing else to clean up. */
		rdy__fd_close(take_pidfd);
		quota_release(&a->descriptors, 1);
	}
	reactors_owe(a, info->session);
	if (new_pump(a, info->session, take_sock, &p) < 0) {
		closer_take(a, take_sock, NULL, 0);
		reactors_control_end(a, info->session);
		closer_idle_check(a);
	}
}

static void dispose(struct agent *a, const int *take_fds, size_t n)
{
	struct vet_result v;

	for (size_t i = 0; i < n; i++) {
		vet_fd(&a->vet, take_fds[i], &v);
		if (v.kind == WIRE_KIND_PATH)
			agent_post(a, &(struct agent_message){.type = AGENT_QUARANTINED});
		else
			closer_take(a, take_fds[i], NULL, 0);
	}
}

static void say_up(
	struct agent *a, const struct pump *p, const void *data, size_t n, uint32_t flags)
{
	const struct channel_message m = {
		.type = CHANNEL_CONTROL_DATA,
		.u.control = {.session = p->number, .flags = flags},
		.data = n ? data : NULL,
		.n_data = n,
	};

	outbox_send(a, &m);
}

/* One piece. Returns false when there is none now, or no more at all. */
static bool read_piece(struct agent *a, struct pump *p)
{
	uint32_t room = CHANNEL_CONTROL_WINDOW - p->n_up;
	uint8_t buf[PUMP_READ_BYTES];
	struct rdy__received got;
	int fds[RDY__FDS_MAX];
	int e = rdy__recv_fds(p->sock, buf, room < sizeof(buf) ? room : sizeof(buf), fds, 0, &got);

	if (e == -EINTR)
		return true;
	if (e == -EAGAIN) {
		p->readable = false;
		return false;
	}
	if (e < 0) {
		end(a, p);
		return false;
	}
	quota_add(&a->descriptors, (uint32_t)got.n_fds);
	if (got.n_fds || got.flags & RDY__RECV_FDS_LOST) {
		/* None belongs here. Kernels before 6.16 cannot be told so. */
		dispose(a, fds, got.n_fds);
		end(a, p);
		return false;
	}
	if (got.n_bytes == 0) {
		p->eof = true;
		return false;
	}
	p->n_up += (uint32_t)got.n_bytes;
	say_up(a, p, buf, got.n_bytes, 0);
	return true;
}

/*
 * Invariant: PUMP-1: a connection is read only while nothing waits for the channel and within its window. Why: a
 * supervisor that is busy, or a client that sends without end, must not cost memory here.
 * Test: tests/unit/agent/pump.c/a_full_channel
 */
static void read_up(struct agent *a, struct pump *p)
{
	for (uint32_t i = 0; !p->ending && p->readable && !p->eof; i++) {
		if (p->n_up == CHANNEL_CONTROL_WINDOW)
			return; /* pump_credit() comes back to it */
		if (!outbox_is_free(a) || !agent_room(a)) {
			want_room(a, p);
			return;
		}
		if (i == PUMP_READS) {
			want_work(a, p);
			return;
		}
		if (!read_piece(a, p))
			break;
	}
	if (p->ending || !p->eof || p->said)
		return;
	if (!outbox_is_free(a)) {
		want_room(a, p);
		return;
	}
	p->said = true;
	say_up(a, p, NULL, 0, CHANNEL_CONTROL_LAST);
}

static void write_down(struct agent *a, struct pump *p)
{
	while (p->at < p->end && !p->blocked) {
		ssize_t n =
			send(p->sock, p->down + p->at, p->end - p->at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			p->blocked = true;
			return;
		}
		if (n < 0) {
			/* Nobody hears the answer: whatever makes it may stop at once. */
			end(a, p);
			return;
		}
		p->at += (uint32_t)n;
		p->n_owed += (uint32_t)n;
	}
	if (p->at == p->end) {
		p->at = p->end = p->cap = 0;
		free(rdy__steal(p->down));
	}
}

static void give_back(struct agent *a, struct pump *p)
{
	const struct channel_message m = {
		.type = CHANNEL_CONTROL_CREDIT,
		.u.control = {.session = p->number, .n_bytes = p->n_owed},
	};

	if (p->ending || !p->n_owed)
		return;
	if (!outbox_is_free(a)) {
		want_room(a, p);
		return;
	}
	p->n_down -= p->n_owed;
	p->n_owed = 0;
	outbox_send(a, &m);
}

static void finish(struct agent *a, struct pump *take_p)
{
	uint64_t number = take_p->number;
	bool silent = take_p->silent;

	/* A stranger may hold the other end: not even this socket is closed here. */
	closer_take(a, take_p->sock, NULL, 0);
	free_pump(&a->pumps, take_p);
	if (!silent)
		reactors_control_end(a, number);
	closer_idle_check(a);
}

static void drain(struct agent *a, struct pump *p)
{
	uint8_t buf[PUMP_READ_BYTES];
	struct rdy__received got;
	int fds[RDY__FDS_MAX];

	for (uint32_t i = 0; i < PUMP_DRAINS; i++) {
		int e;

		if (!agent_room(a)) {
			want_room(a, p);
			return;
		}
		e = rdy__recv_fds(p->sock, buf, sizeof(buf), fds, 0, &got);
		if (e == -ECONNRESET || e == -EINTR) /* the first: its pending error, said once */
			continue;
		if (e < 0 || (got.n_bytes == 0 && got.n_fds == 0)) {
			finish(a, p);
			return;
		}
		quota_add(&a->descriptors, (uint32_t)got.n_fds);
		dispose(a, fds, got.n_fds);
	}
	want_work(a, p);
}

/* Whatever can be done now. May free it. */
static void step(struct agent *a, struct pump *p)
{
	if (!p->ending) {
		write_down(a, p);
		give_back(a, p);
	}
	if (!p->ending)
		read_up(a, p);
	if (!p->ending && p->down_last && p->at == p->end)
		end(a, p);
	if (p->ending)
		drain(a, p);
	else
		watch(a, p);
}

void pump_event(struct agent *a, uint64_t token, uint32_t ready)
{
	const struct pumps *ps = &a->pumps;
	uint32_t index = (uint32_t)(token >> 32) & (REGISTRATION_INDEX_MAX - 1);
	struct pump *p;

	if (index >= ps->n_slots || ps->generations[index] != (uint32_t)token)
		return;
	p = ps->slots[index];
	if (p->ending)
		return;
	p->watched = 0;
	if (ready & (RDY_READABLE | RDY_READ_CLOSED | RDY_ERROR))
		p->readable = true;
	if (ready & (RDY_WRITABLE | RDY_WRITE_CLOSED | RDY_ERROR))
		p->blocked = false;
	want_work(a, p);
}

void pump_work(struct agent *a)
{
	struct pumps *ps = &a->pumps;
	struct rdy__list now, *node;

	rdy__list_init(&now);
	while ((node = rdy__list_pop(&ps->work)) || (node = rdy__list_pop(&ps->waiting)))
		rdy__list_append(&now, node);
	while ((node = rdy__list_pop(&now)))
		step(a, rdy__list_entry(node, struct pump, work));
	ps->starving = !rdy__list_empty(&ps->waiting) && !agent_room(a);
}

bool pump_has_work(const struct agent *a)
{
	return !rdy__list_empty(&a->pumps.work);
}

static struct pump *find(const struct agent *a, uint64_t number)
{
	rdy__list_for_each (l, &a->pumps.all) {
		struct pump *p = rdy__list_entry(l, struct pump, link);

		if (p->number == number)
			return p->ending ? NULL : p;
	}
	return NULL;
}

/* Room for n more behind what waits, which is moved to the front. */
static int reserve(struct pump *p, size_t n)
{
	uint32_t used = p->end - p->at;
	uint8_t *down;

	if (p->at)
		memmove(p->down, p->down + p->at, used);
	p->at = 0;
	p->end = used;
	if (used + n <= p->cap)
		return 0;
	down = realloc(p->down, used + n);
	if (!down)
		return -ENOMEM;
	p->down = down;
	p->cap = (uint32_t)(used + n);
	return 0;
}

void pump_data(struct agent *a, const struct channel_message *m)
{
	struct pump *p = find(a, m->u.control.session);

	if (!p)
		return;
	if (p->down_last || m->n_data > CHANNEL_CONTROL_WINDOW - p->n_down) {
		agent_fail(a, "the channel breaks a window");
		return;
	}
	if (m->n_data) {
		if (reserve(p, m->n_data) < 0) {
			agent_fail(a, "out of memory");
			return;
		}
		memcpy(p->down + p->end, m->data, m->n_data);
		p->end += (uint32_t)m->n_data;
		p->n_down += (uint32_t)m->n_data;
	}
	p->down_last = m->u.control.flags & CHANNEL_CONTROL_LAST;
	want_work(a, p);
}

void pump_credit(struct agent *a, const struct channel_control *c)
{
	struct pump *p = find(a, c->session);

	if (!p)
		return;
	if (c->n_bytes > p->n_up) {
		agent_fail(a, "the channel breaks a window");
		return;
	}
	p->n_up -= c->n_bytes;
	want_work(a, p);
}

bool pump_kick(struct agent *a, uint64_t number)
{
	struct pump *p = find(a, number);

	if (p)
		end(a, p);
	return p;
}

void pump_void(struct agent *a)
{
	rdy__list_for_each (l, &a->pumps.all) {
		struct pump *p = rdy__list_entry(l, struct pump, link);

		p->silent = true;
		end(a, p);
	}
}
