/* SPDX-License-Identifier: MIT */
/* See handover.h. What comes is validated as if a stranger had sent it: the sender has served strangers. */
#include "handover.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "channel/channel.h"
#include "registration.h"

#define READY_BITS \
	(WIRE_READABLE | WIRE_WRITABLE | WIRE_PRIORITY | WIRE_READY_ERROR | WIRE_READ_CLOSED | \
		WIRE_WRITE_CLOSED)
#define FLAGS \
	(HANDOVER_FD | HANDOVER_KEEP | HANDOVER_ARMED | HANDOVER_READY | HANDOVER_ENDED | \
		HANDOVER_PAUSED)

/* The layout is the protocol: no padding that nobody writes. */
_Static_assert(sizeof(struct handover_begin) == 16, "begin");
_Static_assert(sizeof(struct handover_reactor) == 8, "reactor");
_Static_assert(sizeof(struct handover_session) == 112, "session");
_Static_assert(sizeof(struct handover_registration) == 56, "registration");
_Static_assert(HANDOVER_RECORDS_MAX * sizeof(struct handover_registration) <= WIRE_FRAME_MAX,
	"a batch fits");

struct head {
	uint32_t type, version, n, record_bytes;
};
_Static_assert(sizeof(struct head) == HANDOVER_HEAD_BYTES, "head");

struct rule {
	uint32_t type;
	uint32_t record_bytes;	     /* now */
	uint32_t record_bytes_first; /* in the oldest version that is accepted */
	uint32_t n_max;
};

static const struct rule rules[] = {
	{HANDOVER_BEGIN, sizeof(struct handover_begin), 16, 1},
	{HANDOVER_REACTOR, sizeof(struct handover_reactor), 8, 1},
	{HANDOVER_SESSION, sizeof(struct handover_session), 112, 1},
	{HANDOVER_REGISTRATIONS, sizeof(struct handover_registration), 56, HANDOVER_RECORDS_MAX},
	{HANDOVER_SESSION_DONE, 8, 8, 1},
	{HANDOVER_END, 8, 8, 1},
	{HANDOVER_CREDIT, 8, 8, 1},
	{HANDOVER_ACK, 8, 8, 1},
};

static const struct rule *rule_of(uint32_t type)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].type == type)
			return &rules[i];
	return NULL;
}

size_t handover_encode(uint8_t *buf, const struct handover_message *m)
{
	const struct rule *rule = rule_of(m->type);
	struct head head = {
		.type = m->type,
		.version = m->version ? m->version : HANDOVER_VERSION,
		.n = m->n,
	};

	if (m->type == HANDOVER_REPLY) {
		assert(m->n_data >= 1 && m->n_data <= WIRE_FRAME_MAX);
		head.n = 0;
		memcpy(buf, &head, sizeof(head));
		memcpy(buf + sizeof(head), m->data, m->n_data);
		return sizeof(head) + m->n_data;
	}
	assert(rule && m->n >= 1 && m->n <= rule->n_max);
	head.record_bytes = rule->record_bytes;
	memcpy(buf, &head, sizeof(head));
	memcpy(buf + sizeof(head), &m->u, m->n * (size_t)rule->record_bytes);
	return sizeof(head) + m->n * (size_t)rule->record_bytes;
}

static bool check_session(const struct handover_session *s)
{
	bool open = s->flags & HANDOVER_SESSION_OPEN;

	return s->number && s->uid != UINT32_MAX && s->gid != UINT32_MAX && s->pid >= 0 &&
	       s->reactor < CHANNEL_REACTORS_MAX && !(s->flags & ~HANDOVER_SESSION_OPEN) &&
	       s->since_ns >= 0 && s->blocked_ns >= 0 && s->n_replies <= WIRE_UNANSWERED_MAX + 1 &&
	       s->n_registrations <= REGISTRATION_INDEX_MAX &&
	       (open || (!s->n_registrations && !s->n_replies)) &&
	       s->name[WIRE_NAME_BYTES - 1] == 0;
}

static bool check_registration(const struct handover_registration *r)
{
	bool ended = r->flags & HANDOVER_ENDED, ready = r->flags & HANDOVER_READY;

	if ((uint32_t)r->id == 0 || r->id >> 32 >= REGISTRATION_INDEX_MAX || r->pad0 != 0 ||
		r->flags & ~FLAGS)
		return false;
	if (r->interest == 0 || r->interest & ~WIRE_INTERESTS || r->pending & ~READY_BITS ||
		r->timeouts & ~(WIRE_TIMEOUT_AT | WIRE_TIMEOUT_IDLE))
		return false;
	if (r->mode != WIRE_EDGE && r->mode != WIRE_LEVEL && r->mode != WIRE_ONESHOT)
		return false;
	if (r->at_ns < 0 || r->idle_ns < 0 || r->idle_period_ns < 0)
		return false;
	return ended == !(r->flags & HANDOVER_FD) && (ready || !ended) &&
	       ready == (r->pending || r->timeouts);
}

/* Returns how many descriptors belong to it, or -1 if it is not possible. */
static int check(const struct handover_message *m)
{
	int n_fds = 0;

	switch (m->type) {
	case HANDOVER_BEGIN:
		return m->u.begin.uid != UINT32_MAX && m->u.begin.n_reactors >= 1 &&
				       m->u.begin.n_reactors <= CHANNEL_REACTORS_MAX
			       ? 0
			       : -1;
	case HANDOVER_REACTOR:
		return m->u.reactor.reactor < CHANNEL_REACTORS_MAX && m->u.reactor.first_generation
			       ? 0
			       : -1;
	case HANDOVER_SESSION:
		return check_session(&m->u.session) ? 1 : -1;
	case HANDOVER_REGISTRATIONS:
		for (uint32_t i = 0; i < m->n; i++) {
			if (!check_registration(&m->u.registrations[i]))
				return -1;
			n_fds += !!(m->u.registrations[i].flags & HANDOVER_FD);
		}
		return n_fds;
	case HANDOVER_CREDIT:
		return m->u.value >= 1 && m->u.value <= HANDOVER_CREDITS ? 0 : -1;
	default:
		return 0;
	}
}

static int decode_reply(
	const uint8_t *buf, size_t n_bytes, const struct head *head, struct handover_message *ret)
{
	if (head->n || head->record_bytes || n_bytes <= sizeof(*head) ||
		n_bytes > HANDOVER_BYTES_MAX)
		return -EPROTO;
	ret->data = buf + sizeof(*head);
	ret->n_data = n_bytes - sizeof(*head);
	return 0;
}

int handover_decode(const uint8_t *buf, size_t n_bytes, size_t n_fds, struct handover_message *ret)
{
	const struct rule *rule;
	struct head head;
	int need;

	if (n_bytes < sizeof(head))
		return -EPROTO;
	memcpy(&head, buf, sizeof(head));
	if (head.version < HANDOVER_VERSION_OLDEST || head.version > HANDOVER_VERSION)
		return -EPROTO;
	memset(ret, 0, sizeof(*ret));
	ret->type = head.type;
	ret->version = head.version;
	ret->n = head.n;
	if (head.type == HANDOVER_REPLY)
		return n_fds ? -EPROTO : decode_reply(buf, n_bytes, &head, ret);
	rule = rule_of(head.type);
	/* A sender of our own version has records like ours, an older one has shorter ones at most. */
	if (!rule || head.n < 1 || head.n > rule->n_max || head.record_bytes > rule->record_bytes ||
		head.record_bytes < (head.version == HANDOVER_VERSION ? rule->record_bytes
								      : rule->record_bytes_first) ||
		n_bytes != sizeof(head) + (size_t)head.n * head.record_bytes)
		return -EPROTO;
	for (uint32_t i = 0; i < head.n; i++)
		memcpy((uint8_t *)&ret->u + (size_t)i * rule->record_bytes,
			buf + sizeof(head) + (size_t)i * head.record_bytes, head.record_bytes);
	need = check(ret);
	if (need < 0)
		return -EPROTO;
	/* The pidfd is there where the kernel has it. */
	return n_fds == (size_t)need || (head.type == HANDOVER_SESSION && n_fds == 2) ? 0 : -EPROTO;
}
