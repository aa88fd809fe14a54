/* SPDX-License-Identifier: MIT */
/*
 * Every order of what can be done to two descriptors whose numbers and slots are used again, up to a length, on
 * every selector: no event of an ended registration comes out, not from a batch that was fetched before, not
 * after the number has another file while a duplicate keeps the old one ready; and at the end of each order
 * what is registered is still reported.
 */
#include <stdbool.h>

#include "reactor.h"

#define LENGTH 4      /* 21 000 orders a mode and selector */
#define LENGTH_LONG 5 /* with READYD_TEST_LONG set: 250 000, half a minute */
#define NUMBERS 2

/* What can be done to one number. */
enum move { REGISTER, MODIFY, DEREGISTER, FIRE, REPLACE, MOVES };
/* And to all: wait without waiting; take one event of the batch. */
#define FETCH (MOVES * NUMBERS)
#define TAKE (FETCH + 1)
#define CHOICES (TAKE + 1)

static struct number {
	int fd;
	int old;	/* duplicate of the file before, which stays ready */
	uint64_t token; /* of the live registration, 0 = none */
} numbers[NUMBERS];

static uint64_t last_token;
static uint32_t mode;
static int length;

static void register_it(struct bench *b, struct number *n)
{
	int r = rdy_poll_register(b->poll, n->fd, last_token + 1, RDY_READABLE, mode);

	ck_assert_int_eq(r, n->token ? -EEXIST : 0);
	if (r == 0)
		n->token = ++last_token;
}

static void modify_it(struct bench *b, struct number *n)
{
	int r = rdy_poll_modify(b->poll, n->fd, last_token + 1, RDY_READABLE, mode);

	ck_assert_int_eq(r, n->token ? 0 : -ENOENT);
	if (r == 0)
		n->token = ++last_token;
}

static void deregister_it(struct bench *b, struct number *n)
{
	ck_assert_int_eq(rdy_poll_deregister(b->poll, n->fd), n->token ? 0 : -ENOENT);
	n->token = 0;
}

static void replace_it(struct bench *b, struct number *n)
{
	int fd = an_eventfd(0);

	if (n->token)
		deregister_it(b, n);
	if (n->old >= 0)
		shut(&n->old);
	n->old = fcntl(n->fd, F_DUPFD_CLOEXEC, 0);
	ck_assert_int_ge(n->old, 0);
	eventfd_write(n->old, 1);
	ck_assert_int_eq(dup3(fd, n->fd, O_CLOEXEC), n->fd);
	shut(&fd);
}

static bool is_live(uint64_t token)
{
	for (int i = 0; i < NUMBERS; i++)
		if (numbers[i].token && numbers[i].token == token)
			return true;
	return false;
}

static void take_one(struct bench *b)
{
	struct rdy_event e;

	/* Invariant: TOKEN-1 */
	if (rdy_events_next(b->events, &e))
		ck_assert_msg(is_live(e.token), "an event of token %llu, which has ended",
			(unsigned long long)e.token);
}

static void do_move(struct bench *b, int choice)
{
	struct number *n = &numbers[choice / MOVES % NUMBERS];

	if (choice == FETCH) {
		ck_assert_int_ge(rdy_poll_wait(b->poll, b->events, 0), 0);
		return;
	}
	if (choice == TAKE) {
		take_one(b);
		return;
	}
	switch ((enum move)(choice % MOVES)) {
	case REGISTER:
		register_it(b, n);
		break;
	case MODIFY:
		modify_it(b, n);
		break;
	case DEREGISTER:
		deregister_it(b, n);
		break;
	case FIRE:
		eventfd_write(n->fd, 1);
		break;
	default:
		replace_it(b, n);
		break;
	}
}

/* What is registered is reported, once it is armed and fired again; nothing else is. */
static void check_end(struct bench *b)
{
	unsigned int seen = 0, want = 0;

	for (unsigned int i = 0; i < NUMBERS; i++) {
		if (!numbers[i].token)
			continue;
		want |= 1u << i;
		ck_assert_int_eq(rdy_poll_rearm(b->poll, numbers[i].fd), 0);
		eventfd_write(numbers[i].fd, 1);
	}
	take(b, 0);
	for (int k = 0; k < b->n; k++) {
		ck_assert(is_live(b->got[k].token));
		for (unsigned int i = 0; i < NUMBERS; i++)
			seen |= (unsigned int)(numbers[i].token == b->got[k].token) << i;
	}
	ck_assert_uint_eq(seen, want);
}

static void run_order(struct bench *b, unsigned int order)
{
	for (int i = 0; i < NUMBERS; i++)
		numbers[i] = (struct number){.fd = an_eventfd(0), .old = -1};
	/* Not from the order before. */
	take(b, 0);
	for (int i = 0; i < length; i++, order /= CHOICES)
		do_move(b, (int)(order % CHOICES));
	check_end(b);
	for (int i = 0; i < NUMBERS; i++) {
		if (numbers[i].token)
			ck_assert_int_eq(rdy_poll_deregister(b->poll, numbers[i].fd), 0);
		shut(&numbers[i].fd);
		if (numbers[i].old >= 0)
			shut(&numbers[i].old);
	}
}

static void all_orders(uint32_t which)
{
	unsigned int n = 1;

	mode = which;
	length = getenv("READYD_TEST_LONG") ? LENGTH_LONG : LENGTH;
	for (int i = 0; i < length; i++)
		n *= CHOICES;
	for_each_variant(b)
	{
		/* The selectors differ here; threads and wakers have no part in it. */
		if (b.v->flags != RDY_POLL_SINGLE_THREAD)
			continue;
		for (unsigned int i = 0; i < n; i++)
			run_order(&b, i);
		fprintf(stderr, "# %u orders\n", n);
	}
}

START_TEST(edge)
{
	all_orders(RDY_EDGE);
}
END_TEST

START_TEST(level)
{
	all_orders(RDY_LEVEL);
}
END_TEST

START_TEST(oneshot)
{
	all_orders(RDY_ONESHOT);
}
END_TEST

UNIT_MAIN("reactor/sequences", edge, level, oneshot)
