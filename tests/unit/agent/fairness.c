/* SPDX-License-Identifier: MIT */
/* Sessions take turns: what one of them sends in a burst does not keep another one waiting. */
#include "reactors.h"
#include "rig.h"

#define BURST 40

static void ping(int client, uint64_t value)
{
	uint8_t buf[64];

	wire_put_ping(buf, value);
	say(client, buf, wire_put_header(buf, WIRE_PING, 6, 1), NULL, 0);
}

/* Frames that wait for a client now. */
static uint32_t waiting(int client)
{
	uint8_t buf[WIRE_FRAME_MAX];
	uint32_t n = 0;

	while (recv(client, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		n++;
	return n;
}

START_TEST(in_turn)
{
	struct channel_config config = rig_config();
	uint32_t answered = 0;
	int loud, quiet;

	rig_start(&config);
	loud = rig_open();
	quiet = rig_open();
	for (uint64_t i = 0; i < BURST; i++)
		ping(loud, i);
	ping(quiet, 1);
	agent_round(&rig.agent, 0);
	/* One round: no more than its share for one, and the other is not behind it. */
	answered = waiting(loud);
	ck_assert_uint_eq(answered, REACTOR_MESSAGES);
	ck_assert_uint_eq(waiting(quiet), 1);
	agent_round(&rig.agent, 0);
	answered += waiting(loud);
	ck_assert_uint_eq(answered, 2 * REACTOR_MESSAGES);
	agent_round(&rig.agent, 0);
	answered += waiting(loud);
	ck_assert_uint_eq(answered, BURST);
	leave(loud);
	leave(quiet);
	rig_stop();
}
END_TEST

UNIT_MAIN("agent/fairness", in_turn)
