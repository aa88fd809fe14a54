/* SPDX-License-Identifier: MIT */
/*
 * Not an agent, but the beginnings of one: it takes over a predecessor's sessions up to POINT and fails there.
 * For the tests of upgrades, in the place of readyd-agent.
 */
#include <poll.h>
#include <unistd.h>

#include "base/fd.h"
#include "channel/channel.h"
#include "handover.h"

enum point {
	BEFORE_HELLO,
	AFTER_HELLO,
	AFTER_BEGIN,
	IN_A_SESSION,
	BEFORE_ACK,
	AFTER_ACK,
	NONSENSE,
	HANGS_BEFORE_ACK,
	POINTS
};

static uint8_t buf[CHANNEL_BYTES_MAX > HANDOVER_BYTES_MAX ? CHANNEL_BYTES_MAX : HANDOVER_BYTES_MAX];
static int fds[RDY__FDS_MAX];
static struct rdy__received got;

static void receive(int sock)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};

	while (rdy__recv_fds(sock, buf, sizeof(buf), fds, 0, &got) < 0)
		if (poll(&p, 1, -1) < 0)
			_exit(1);
	if (got.n_bytes == 0)
		_exit(0);
}

static void say(uint32_t type)
{
	const struct channel_message m = {.type = type};
	static uint8_t out[CHANNEL_BYTES_MAX];

	(void)rdy__send_fds(CHANNEL_FD_SUPERVISOR, out, channel_encode(out, &m), NULL, 0);
}

static void answer(int link, uint32_t type, uint64_t value)
{
	const struct handover_message m = {.type = type, .n = 1, .u.value = value};
	uint8_t out[HANDOVER_HEAD_BYTES + 8];

	(void)rdy__send_fds(link, out, handover_encode(out, &m), NULL, 0);
}

/* Until killed, or the supervisor ends. */
_Noreturn static void hang(int link)
{
	(void)link;
	for (;;)
		receive(CHANNEL_FD_SUPERVISOR);
}

static void take(int link, const struct handover_message *m)
{
	if (got.n_fds)
		answer(link, HANDOVER_CREDIT, got.n_fds);
	if (POINT == AFTER_BEGIN && m->type == HANDOVER_BEGIN)
		_exit(1);
	if (POINT == IN_A_SESSION && m->type == HANDOVER_REGISTRATIONS)
		_exit(1);
	if (POINT == NONSENSE && m->type == HANDOVER_REGISTRATIONS)
		answer(link, HANDOVER_ACK, 77);
	if (m->type != HANDOVER_END)
		return;
	if (POINT == HANGS_BEFORE_ACK)
		hang(link);
	if (POINT == AFTER_ACK)
		answer(link, HANDOVER_ACK, m->u.value);
	_exit(1);
}

int main(void)
{
	static struct handover_message m;
	struct channel_message c = {0};
	int link;

	if (POINT == BEFORE_HELLO)
		_exit(1);
	receive(CHANNEL_FD_SUPERVISOR);
	say(CHANNEL_HELLO);
	if (POINT == AFTER_HELLO)
		_exit(1);
	while (c.type != CHANNEL_TAKE_OVER) {
		receive(CHANNEL_FD_SUPERVISOR);
		if (channel_decode(buf, got.n_bytes, got.n_fds, &c) < 0)
			_exit(1);
	}
	link = fds[0];
	for (;;) {
		receive(link);
		if (handover_decode(buf, got.n_bytes, got.n_fds, &m) < 0)
			_exit(1);
		take(link, &m);
	}
}
