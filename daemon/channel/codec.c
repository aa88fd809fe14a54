/* SPDX-License-Identifier: MIT */
/*
 * Codec of the supervisor-agent channel: which bytes and descriptors belong to a type, and which values
 * are possible. Threads: any. Pure: no I/O, no clock, no allocation.
 */
#include "channel/channel.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define HEAD_BYTES offsetof(struct channel_message, u)
#define BATCH_MAX 64u /* config.closer_batch */

/* The layout is the protocol: no padding that nobody writes. */
_Static_assert(HEAD_BYTES == 8, "head");
_Static_assert(sizeof(struct channel_config) == 48, "config");
_Static_assert(sizeof(struct channel_session) == 32, "session");

struct rule {
	uint32_t type;
	uint8_t body_bytes;
	uint8_t fds_min, fds_max;
};

static const struct rule rules[] = {
	{CHANNEL_CONFIG, sizeof(struct channel_config), 0, 0},
	{CHANNEL_SESSION, sizeof(struct channel_session), 1, 2}, /* the pidfd where there is one */
	{CHANNEL_REFUSE, sizeof(struct channel_session), 1, 1},
	{CHANNEL_CLOSER, 0, 1, 1},
	{CHANNEL_END, 0, 0, 0},
	{CHANNEL_HELLO, 0, 0, 0},
	{CHANNEL_TAKEN, sizeof(uint64_t), 0, 0}, /* upward only the number travels */
	{CHANNEL_SESSION_END, sizeof(uint64_t), 0, 0},
	{CHANNEL_CLOSER_STUCK, 0, 0, 0},
	{CHANNEL_CLOSER_GONE, 0, 0, 0},
	{CHANNEL_IDLE, 0, 0, 0},
};
_Static_assert(offsetof(struct channel_session, session) == 0, "TAKEN carries the first field");

static const struct rule *rule_of(uint32_t type)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].type == type)
			return &rules[i];
	return NULL;
}

size_t channel_encode(uint8_t *buf, const struct channel_message *m)
{
	const struct rule *rule = rule_of(m->type);
	uint32_t head[2] = {m->type, CHANNEL_VERSION};

	assert(rule);
	memcpy(buf, head, sizeof(head));
	memcpy(buf + HEAD_BYTES, &m->u, rule->body_bytes);
	return HEAD_BYTES + rule->body_bytes;
}

static int check_config(const struct channel_config *c)
{
	return c->uid != UINT32_MAX && c->send_buffer_bytes <= INT32_MAX &&
	       c->selector <= CHANNEL_SELECTOR_POLL && c->closer_batch >= 1 &&
	       c->closer_batch <= BATCH_MAX && c->pad0 == 0 && c->hello_timeout_ns > 0;
}

static int check_session(uint32_t type, const struct channel_session *s)
{
	if (s->session == 0)
		return 0;
	if (type == CHANNEL_TAKEN || type == CHANNEL_SESSION_END)
		return 1;
	if (s->uid == UINT32_MAX || s->gid == UINT32_MAX || s->pid < 0 || s->pad0 != 0)
		return 0;
	/* A refusal says why; nothing else carries a reason. */
	return type == CHANNEL_REFUSE ? s->error != 0 : s->error == 0 && s->detail == 0;
}

int channel_decode(const uint8_t *buf, size_t n_bytes, size_t n_fds, struct channel_message *ret)
{
	struct channel_message m = {0};
	const struct rule *rule;
	int ok = 1;

	if (n_bytes < HEAD_BYTES)
		return -EPROTO;
	memcpy(&m, buf, HEAD_BYTES);
	rule = rule_of(m.type);
	/* Version 1 is the first; its successor will also take messages of 1, which are shorter. */
	if (!rule || m.version != CHANNEL_VERSION || n_bytes != HEAD_BYTES + rule->body_bytes ||
		n_fds < rule->fds_min || n_fds > rule->fds_max)
		return -EPROTO;
	memcpy(&m.u, buf + HEAD_BYTES, rule->body_bytes);

	switch (m.type) {
	case CHANNEL_CONFIG:
		ok = check_config(&m.u.config);
		break;
	case CHANNEL_SESSION:
	case CHANNEL_REFUSE:
	case CHANNEL_TAKEN:
	case CHANNEL_SESSION_END:
		ok = check_session(m.type, &m.u.session);
		break;
	default:
		break;
	}
	if (!ok)
		return -EPROTO;
	*ret = m;
	return 0;
}
