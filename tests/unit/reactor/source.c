/* SPDX-License-Identifier: MIT */
/* Sources of one's own: their operations get what was asked for, in order, and know one poll at a time. */
#include "reactor.h"
#include "ready/source.h"

/* Made of two descriptors; the second may refuse. */
struct pair_source {
	struct rdy_source source;
	int fds[2];
	int refuse; /* what the next operation answers */
	char calls[16];
	uint64_t token;
	uint32_t interest, mode;
	struct rdy_registry *registry;
};

static void note_call(struct pair_source *p, char c)
{
	p->calls[strlen(p->calls)] = c;
}

static int pair_add(struct rdy_source *s, struct rdy_registry *r, uint64_t token, uint32_t interest,
	uint32_t mode)
{
	struct pair_source *p = (struct pair_source *)s;
	int e;

	note_call(p, 'a');
	p->token = token;
	p->interest = interest;
	p->mode = mode;
	p->registry = r;
	e = rdy_registry_register(r, p->fds[0], token, interest, mode);
	if (e < 0)
		return e;
	e = p->refuse ? p->refuse : rdy_registry_register(r, p->fds[1], token + 1, interest, mode);
	if (e < 0)
		rdy_registry_deregister(r, p->fds[0]);
	return e;
}

static int pair_modify(struct rdy_source *s, struct rdy_registry *r, uint64_t token,
	uint32_t interest, uint32_t mode)
{
	struct pair_source *p = (struct pair_source *)s;

	note_call(p, 'm');
	if (p->refuse)
		return p->refuse;
	rdy_registry_modify(r, p->fds[0], token, interest, mode);
	return rdy_registry_modify(r, p->fds[1], token + 1, interest, mode);
}

static int pair_rearm(struct rdy_source *s, struct rdy_registry *r)
{
	struct pair_source *p = (struct pair_source *)s;

	note_call(p, 'r');
	rdy_registry_rearm(r, p->fds[0]);
	return rdy_registry_rearm(r, p->fds[1]);
}

static int pair_remove(struct rdy_source *s, struct rdy_registry *r)
{
	struct pair_source *p = (struct pair_source *)s;
	int e;

	note_call(p, 'd');
	e = rdy_registry_deregister(r, p->fds[0]);
	return rdy_registry_deregister(r, p->fds[1]) ?: e;
}

static const struct rdy_source_ops pair_ops = {pair_add, pair_modify, pair_rearm, pair_remove};

static void open_pair(struct pair_source *p)
{
	*p = (struct pair_source){.fds = {an_eventfd(1), an_eventfd(0)}};
	rdy_source_init(&p->source, &pair_ops);
}

static void close_pair(struct pair_source *p)
{
	rdy_source_deinit(&p->source);
	shut(&p->fds[0]);
	shut(&p->fds[1]);
}

START_TEST(gets_what_was_asked_for)
{
	for_each_variant(b)
	{
		struct rdy_registry *r = rdy_poll_registry(b.poll);
		struct pair_source p;

		open_pair(&p);
		ck_assert_int_eq(rdy_source_is_registered(&p.source), 0);
		ck_assert_int_eq(
			rdy_source_register(&p.source, r, 10, RDY_READABLE, RDY_ONESHOT), 0);
		ck_assert_int_eq(rdy_source_is_registered(&p.source), 1);
		ck_assert(p.token == 10 && p.interest == RDY_READABLE && p.mode == RDY_ONESHOT &&
			  p.registry == r);
		expect(&b, 10, RDY_READABLE);
		expect_none(&b);
		ck_assert_int_eq(rdy_source_rearm(&p.source), 0);
		expect(&b, 10, RDY_READABLE);
		ck_assert_int_eq(rdy_source_modify(&p.source, 20, RDY_READABLE, RDY_LEVEL), 0);
		expect(&b, 20, RDY_READABLE);
		eventfd_write(p.fds[1], 1);
		ck_assert_int_eq(take(&b, 0), 2);
		ck_assert_int_eq(rdy_source_deregister(&p.source), 0);
		ck_assert_int_eq(rdy_source_is_registered(&p.source), 0);
		expect_none(&b);
		ck_assert_str_eq(p.calls, "armd");
		close_pair(&p);
		ck_assert_str_eq(p.calls, "armd");
	}
}
END_TEST

START_TEST(misuse)
{
	struct rdy_source zeroed = {0};
	struct pair_source p;
	struct bench b = {.v = variants};
	struct rdy_registry *r;

	bench_open(&b, 0);
	r = rdy_poll_registry(b.poll);
	open_pair(&p);
	ck_assert_int_eq(rdy_source_register(NULL, r, 1, RDY_READABLE, RDY_EDGE), -EINVAL);
	ck_assert_int_eq(rdy_source_register(&zeroed, r, 1, RDY_READABLE, RDY_EDGE), -EINVAL);
	ck_assert_int_eq(rdy_source_register(&p.source, NULL, 1, RDY_READABLE, RDY_EDGE), -EINVAL);
	ck_assert_int_eq(rdy_source_register(&p.source, r, 1, 0, RDY_EDGE), -EINVAL);
	ck_assert_int_eq(rdy_source_register(&p.source, r, 1, RDY_READABLE, 0), -EINVAL);
	ck_assert_int_eq(rdy_source_modify(NULL, 1, RDY_READABLE, RDY_EDGE), -EINVAL);
	ck_assert_int_eq(rdy_source_modify(&p.source, 1, RDY_READABLE, RDY_EDGE), -ENOENT);
	ck_assert_int_eq(rdy_source_modify(&p.source, 1, RDY_READABLE, 9), -EINVAL);
	ck_assert_int_eq(rdy_source_rearm(NULL), -EINVAL);
	ck_assert_int_eq(rdy_source_rearm(&p.source), -ENOENT);
	ck_assert_int_eq(rdy_source_deregister(NULL), -EINVAL);
	ck_assert_int_eq(rdy_source_deregister(&p.source), -ENOENT);
	ck_assert_int_eq(rdy_source_is_registered(NULL), 0);
	ck_assert_str_eq(p.calls, "");
	rdy_source_deinit(&zeroed);
	close_pair(&p);
	bench_close(&b);
}
END_TEST

/* Invariant: SOURCE-1 */
START_TEST(a_refused_move_changes_nothing)
{
	for_each_variant(b)
	{
		struct bench other = {.v = b.v};
		struct pair_source p;

		bench_open(&other, 0);
		open_pair(&p);
		/* Refused by its own operation: not registered, and may be tried again. */
		p.refuse = -ENOSPC;
		ck_assert_int_eq(rdy_source_register(&p.source, rdy_poll_registry(b.poll), 1,
					 RDY_READABLE, RDY_LEVEL),
			-ENOSPC);
		ck_assert_int_eq(rdy_source_is_registered(&p.source), 0);
		expect_none(&b);
		p.refuse = 0;
		ck_assert_int_eq(rdy_source_register(&p.source, rdy_poll_registry(b.poll), 1,
					 RDY_READABLE, RDY_LEVEL),
			0);
		/* Twice, and elsewhere. */
		ck_assert_int_eq(rdy_source_register(&p.source, rdy_poll_registry(b.poll), 7,
					 RDY_READABLE, RDY_LEVEL),
			-EEXIST);
		ck_assert_int_eq(rdy_source_register(&p.source, rdy_poll_registry(other.poll), 7,
					 RDY_READABLE, RDY_LEVEL),
			-EBUSY);
		expect(&b, 1, RDY_READABLE);
		expect_none(&other);
		p.refuse = -ENOSPC;
		ck_assert_int_eq(
			rdy_source_modify(&p.source, 8, RDY_WRITABLE, RDY_ONESHOT), -ENOSPC);
		ck_assert_uint_eq(p.source.mode, RDY_LEVEL);
		expect(&b, 1, RDY_READABLE);
		/* It may move when it has left. */
		p.refuse = 0;
		ck_assert_int_eq(rdy_source_deregister(&p.source), 0);
		ck_assert_int_eq(rdy_source_register(&p.source, rdy_poll_registry(other.poll), 7,
					 RDY_READABLE, RDY_LEVEL),
			0);
		expect(&other, 7, RDY_READABLE);
		expect_none(&b);
		close_pair(&p);
		bench_close(&other);
	}
}
END_TEST

START_TEST(outlives_its_poll)
{
	for_each_variant(b)
	{
		struct bench other = {.v = b.v};
		struct pair_source p;

		bench_open(&other, 0);
		open_pair(&p);
		ck_assert_int_eq(rdy_source_register(&p.source, rdy_poll_registry(b.poll), 1,
					 RDY_READABLE, RDY_LEVEL),
			0);
		b.poll = rdy_poll_free(b.poll);
		ck_assert_int_eq(rdy_source_is_registered(&p.source), 1);
		ck_assert_int_eq(rdy_source_rearm(&p.source), -EPIPE);
		ck_assert_int_eq(rdy_source_modify(&p.source, 1, RDY_READABLE, RDY_LEVEL), -EPIPE);
		ck_assert_int_eq(rdy_source_deregister(&p.source), -EPIPE);
		ck_assert_int_eq(rdy_source_is_registered(&p.source), 0);
		ck_assert_int_eq(rdy_source_register(&p.source, rdy_poll_registry(other.poll), 7,
					 RDY_READABLE, RDY_LEVEL),
			0);
		close_pair(&p);
		bench_close(&other);
	}
}
END_TEST

UNIT_MAIN("reactor/source", gets_what_was_asked_for, misuse, a_refused_move_changes_nothing,
	outlives_its_poll)
