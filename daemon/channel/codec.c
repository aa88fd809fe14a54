/* SPDX-License-Identifier: MIT */
/*
 * Codec of the supervisor-agent channel: which bytes and descriptors belong to a type, and which values
 * are possible. Threads: any. Pure: no I/O, no clock, no allocation.
 */
#include "channel/channel.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <syslog.h>

#define HEAD_BYTES offsetof(struct channel_message, u)
#define BATCH_MAX 64u /* config.closer_batch */

/* The layout is the protocol: no padding that nobody writes. */
_Static_assert(HEAD_BYTES == 8, "head");
_Static_assert(sizeof(struct channel_config) == 96, "config");
_Static_assert(sizeof(struct channel_session) == 32, "session");
_Static_assert(sizeof(struct channel_control) == 16, "control");
_Static_assert(sizeof(struct channel_snapshot) == 32, "snapshot");
_Static_assert(sizeof(struct channel_snapshot_session) == 32, "snapshot session");
_Static_assert(sizeof(struct channel_query) == 32, "query");
_Static_assert(sizeof(struct channel_rows) == 24, "rows");
_Static_assert(sizeof(struct channel_row_reactor) == 64, "row");
_Static_assert(sizeof(struct channel_row_session) == 104, "row");
_Static_assert(sizeof(struct channel_row_registration) == 56, "row");
_Static_assert(
	CHANNEL_ROWS_MAX * sizeof(struct channel_row_session) <= CHANNEL_DATA_MAX, "a page fits");

#define CONFIG_BYTES_1 offsetof(struct channel_config, reactors)
#define CONFIG_BYTES_2 sizeof(struct channel_config)

struct rule {
	uint32_t type;
	uint32_t since; /* version */
	uint8_t body_bytes;
	uint8_t fds_min, fds_max;
	bool data;
};

static const struct rule rules[] = {
	{CHANNEL_CONFIG, 1, CONFIG_BYTES_2, 0, 0, false},
	{CHANNEL_SESSION, 1, sizeof(struct channel_session), 1, 2,
		false}, /* pidfd where there is one */
	{CHANNEL_REFUSE, 1, sizeof(struct channel_session), 1, 1, false},
	{CHANNEL_CLOSER, 1, 0, 1, 1, false},
	{CHANNEL_END, 1, 0, 0, 0, false},
	{CHANNEL_ADOPT, CHANNEL_ADOPT_SINCE, sizeof(struct channel_adopt), 0, 0, false},
	{CHANNEL_QUERY, 2, sizeof(struct channel_query), 0, 0, false},
	{CHANNEL_KICK, 2, sizeof(uint64_t), 0, 0, false},
	{CHANNEL_CONTROL, 2, sizeof(struct channel_session), 1, 2, false},
	{CHANNEL_CONTROL_DATA, 2, sizeof(struct channel_control), 0, 0, true},
	{CHANNEL_CONTROL_CREDIT, 2, sizeof(struct channel_control), 0, 0, false},
	{CHANNEL_TAKE_OVER, CHANNEL_HAND_OVER_SINCE, 0, 1, 1, false},
	{CHANNEL_HAND_OVER, CHANNEL_HAND_OVER_SINCE, 0, 1, 1, false},
	{CHANNEL_HELLO, 1, 0, 0, 0, false},
	{CHANNEL_TAKEN, 1, sizeof(uint64_t), 0, 0, false}, /* only the number travels */
	{CHANNEL_SESSION_END, 1, sizeof(uint64_t), 0, 0, false},
	{CHANNEL_CLOSER_STUCK, 1, 0, 0, 0, false},
	{CHANNEL_CLOSER_GONE, 1, 0, 0, 0, false},
	{CHANNEL_IDLE, 1, 0, 0, 0, false},
	{CHANNEL_SNAPSHOT, 2, sizeof(struct channel_snapshot), 0, 0, false},
	{CHANNEL_SNAPSHOT_SESSION, 2, sizeof(struct channel_snapshot_session), 0, 0, false},
	{CHANNEL_ROWS, 2, sizeof(struct channel_rows), 0, 0, true},
	{CHANNEL_TAKEN_OVER, 2, sizeof(uint64_t), 0, 0, false},
	{CHANNEL_HANDED_OVER, 2, sizeof(uint64_t), 0, 0, false},
	{CHANNEL_HANDOVER_FAILED, 2, 0, 0, 0, false},
};
_Static_assert(offsetof(struct channel_session, session) == 0, "TAKEN carries the first field");

static const struct rule *rule_of(uint32_t type, uint32_t version)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].type == type && rules[i].since <= version)
			return &rules[i];
	return NULL;
}

static size_t body_bytes(const struct rule *rule, uint32_t version)
{
	return rule->type == CHANNEL_CONFIG && version < 2 ? CONFIG_BYTES_1 : rule->body_bytes;
}

size_t channel_row_bytes(uint32_t kind)
{
	switch (kind) {
	case CHANNEL_ROWS_REACTORS:
		return sizeof(struct channel_row_reactor);
	case CHANNEL_ROWS_SESSIONS:
		return sizeof(struct channel_row_session);
	case CHANNEL_ROWS_REGISTRATIONS:
		return sizeof(struct channel_row_registration);
	default:
		return 0;
	}
}

size_t channel_encode(uint8_t *buf, const struct channel_message *m)
{
	uint32_t version = m->version ? m->version : CHANNEL_VERSION;
	const struct rule *rule = rule_of(m->type, version);
	uint32_t head[2] = {m->type, version};
	size_t n;

	assert(rule);
	assert(m->n_data <= (rule->data ? CHANNEL_DATA_MAX : 0));
	n = body_bytes(rule, version);
	memcpy(buf, head, sizeof(head));
	memcpy(buf + HEAD_BYTES, &m->u, n);
	if (m->n_data)
		memcpy(buf + HEAD_BYTES + n, m->data, m->n_data);
	return HEAD_BYTES + n + m->n_data;
}

static bool check_config(const struct channel_config *c, uint32_t version)
{
	if (c->uid == UINT32_MAX || c->send_buffer_bytes > INT32_MAX ||
		c->selector > CHANNEL_SELECTOR_POLL || c->closer_batch < 1 ||
		c->closer_batch > BATCH_MAX || c->hello_timeout_ns <= 0)
		return false;
	if (version < 2)
		return c->flags == 0;
	return !(c->flags & ~CHANNEL_FLAGS) && c->reactors >= 1 &&
	       c->reactors <= CHANNEL_REACTORS_MAX && c->log_level <= LOG_DEBUG &&
	       c->supervisor >= 0 && c->closer >= 0 && !(c->kinds_refused & ~CHANNEL_KINDS);
}

/* What a supervisor of version 1 did not say. */
static void complete_config(struct channel_config *c)
{
	c->reactors = 1;
	c->log_level = LOG_INFO;
}

static bool check_session(uint32_t type, const struct channel_session *s)
{
	if (s->session == 0)
		return false;
	if (type == CHANNEL_TAKEN || type == CHANNEL_SESSION_END || type == CHANNEL_KICK)
		return true;
	if (s->uid == UINT32_MAX || s->gid == UINT32_MAX || s->pid < 0 || s->pad0 != 0)
		return false;
	/* A refusal says why; nothing else carries a reason. */
	return type == CHANNEL_REFUSE ? s->error != 0 : s->error == 0 && s->detail == 0;
}

static bool check_control(const struct channel_message *m)
{
	const struct channel_control *c = &m->u.control;

	if (c->session == 0)
		return false;
	if (m->type == CHANNEL_CONTROL_CREDIT)
		return c->flags == 0 && c->n_bytes >= 1 && c->n_bytes <= CHANNEL_CONTROL_WINDOW;
	return !(c->flags & ~CHANNEL_CONTROL_LAST) && c->n_bytes == 0 && (m->n_data || c->flags);
}

static bool check_rows(const struct channel_message *m)
{
	const struct channel_rows *r = &m->u.rows;
	size_t row = channel_row_bytes(r->kind);

	return row && r->n_rows <= CHANNEL_ROWS_MAX && r->pad0 == 0 && m->n_data == r->n_rows * row;
}

static bool check_query(const struct channel_query *q)
{
	return channel_row_bytes(q->kind) && q->rows_max >= 1 && q->rows_max <= CHANNEL_ROWS_MAX &&
	       q->pad0 == 0;
}

static bool check_snapshot(const struct channel_snapshot *s)
{
	return s->uid != UINT32_MAX && s->closer >= 0 && !(s->flags & ~CHANNEL_FLAGS);
}

static bool check_snapshot_session(const struct channel_snapshot_session *s)
{
	return s->session != 0 && s->uid != UINT32_MAX && s->gid != UINT32_MAX && s->pid >= 0 &&
	       s->pad0 == 0;
}

static bool check(const struct channel_message *m)
{
	switch (m->type) {
	case CHANNEL_CONFIG:
		return check_config(&m->u.config, m->version);
	case CHANNEL_SESSION:
	case CHANNEL_REFUSE:
	case CHANNEL_CONTROL:
	case CHANNEL_KICK:
	case CHANNEL_TAKEN:
	case CHANNEL_SESSION_END:
		return check_session(m->type, &m->u.session);
	case CHANNEL_CONTROL_DATA:
	case CHANNEL_CONTROL_CREDIT:
		return check_control(m);
	case CHANNEL_QUERY:
		return check_query(&m->u.query);
	case CHANNEL_ROWS:
		return check_rows(m);
	case CHANNEL_SNAPSHOT:
		return check_snapshot(&m->u.snapshot);
	case CHANNEL_SNAPSHOT_SESSION:
		return check_snapshot_session(&m->u.snapshot_session);
	default:
		return true;
	}
}

int channel_decode(const uint8_t *buf, size_t n_bytes, size_t n_fds, struct channel_message *ret)
{
	struct channel_message m = {0};
	const struct rule *rule;
	size_t n;

	if (n_bytes < HEAD_BYTES)
		return -EPROTO;
	memcpy(&m, buf, HEAD_BYTES);
	if (m.version < CHANNEL_VERSION_OLDEST || m.version > CHANNEL_VERSION)
		return -EPROTO;
	rule = rule_of(m.type, m.version);
	if (!rule || n_fds < rule->fds_min || n_fds > rule->fds_max)
		return -EPROTO;
	n = body_bytes(rule, m.version);
	if (n_bytes < HEAD_BYTES + n ||
		n_bytes > HEAD_BYTES + n + (rule->data ? CHANNEL_DATA_MAX : 0))
		return -EPROTO;
	memcpy(&m.u, buf + HEAD_BYTES, n);
	m.n_data = n_bytes - HEAD_BYTES - n;
	m.data = m.n_data ? buf + HEAD_BYTES + n : NULL;
	if (!check(&m))
		return -EPROTO;
	if (m.type == CHANNEL_CONFIG && m.version < 2)
		complete_config(&m.u.config);
	*ret = m;
	return 0;
}
