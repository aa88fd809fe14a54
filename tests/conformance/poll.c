/* SPDX-License-Identifier: MIT */
/* mio's tests/poll.rs. */
#include "conformance.h"

struct moved {
	struct bench *b;
	int fd;
	int result;
};

static void *register_it(void *p)
{
	struct moved *m = p;

	m->result = rdy_poll_register(m->b->poll, m->fd, 5, RDY_READABLE, RDY_EDGE);
	return NULL;
}

static void *wait_there(void *p)
{
	struct moved *m = p;

	m->result = take(m->b, LONG_NS);
	return NULL;
}

/* A poll and a batch made here, used there. */
START_TEST(is_send_and_sync)
{
	for_each_variant(b)
	{
		struct moved m = {&b, an_eventfd(1), -1};

		elsewhere(register_it, &m);
		gives(m.result, 0);
		elsewhere(wait_there, &m);
		gives(m.result, 1);
		ck_assert_uint_eq(b.got[0].token, 5);
		ok(rdy_poll_deregister(b.poll, m.fd));
		shut(&m.fd);
	}
}
END_TEST

START_TEST(run_once_with_nothing)
{
	for_each_variant(b)
	{
		ok(take(&b, MS));
	}
}
END_TEST

START_TEST(add_then_drop)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK);

		reg(&b, l, 1, RW);
		rdy_io_free(l);
		ok(take(&b, MS));
	}
}
END_TEST

START_TEST(zero_duration_polls_events)
{
	for_each_variant(b)
	{
		struct rdy_io *io[6];

		for (int i = 0; i < 6; i += 2) {
			ok(rdy_unix_pair(&io[i], &io[i + 1]));
			reg(&b, io[i], (uint64_t)i, RDY_READABLE);
			send_text(io[i + 1], HELLO);
		}
		gives(take(&b, 0), 3);
		free_all(io, 6);
	}
}
END_TEST

START_TEST(poll_closes_fd)
{
	for_each_variant(b)
	{
		int before = unit_count_fds();

		for (int i = 0; i < 2000; i++) {
			struct bench other = {.v = b.v};
			struct rdy_poll_options o = {
				.size = sizeof(o), .selector = b.v->selector, .flags = b.v->flags};

			ok(rdy_poll_new(&o, &other.poll));
			ok(rdy_poll_wait(other.poll, b.events, 0));
			rdy_poll_free(other.poll);
		}
		gives(unit_count_fds(), before);
	}
}
END_TEST

static void *read_to_the_end(void *p)
{
	static _Thread_local char buf[64];
	int fd = rdy_io_fd(p);
	ptrdiff_t n;

	do {
		arrived(fd, POLLIN);
		n = rdy_io_read(p, buf, sizeof(buf));
	} while (n > 0);
	ck_assert_int_eq(n, 0);
	return NULL;
}

START_TEST(drop_cancels_interest_and_shuts_down)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK), *c = a_client(l), *s = an_accepted(l);
		pthread_t t = started(read_to_the_end, s);

		reg(&b, c, 1, RW);
		wait_for(&b, 1, RDY_WRITABLE);
		send_text(c, HELLO);
		rdy_io_free(c);
		ok(pthread_join(t, NULL));
		expect_none(&b);
		rdy_io_free(s);
		rdy_io_free(l);
	}
}
END_TEST

struct sharer {
	struct rdy_registry *registry;
	struct rdy_io *io;
	uint64_t token;
	int result;
};

static void *register_shared(void *p)
{
	struct sharer *s = p;

	s->result = rdy_source_register(
		rdy_io_source(s->io), s->registry, s->token, RDY_READABLE, RDY_EDGE);
	rdy_registry_unref(s->registry);
	return NULL;
}

START_TEST(registry_behind_arc)
{
	for_each_variant(b)
	{
		struct rdy_io *io[3] = {a_listener(LOOPBACK)};
		struct rdy_registry *r = rdy_poll_registry(b.poll);
		struct sharer s[2];
		pthread_t t[2];

		io[1] = a_client(io[0]);
		io[2] = an_accepted(io[0]);
		for (int i = 0; i < 2; i++) {
			s[i] = (struct sharer){
				rdy_registry_ref(r), io[i + 1], 10 + (uint64_t)i, -1};
			t[i] = started(register_shared, &s[i]);
		}
		/* Registered before or during this. */
		send_text(io[1], HELLO);
		send_text(io[2], HELLO);
		wait_for_each(&b, {10, RDY_READABLE}, {11, RDY_READABLE});
		for (int i = 0; i < 2; i++) {
			ok(pthread_join(t[i], NULL));
			ok(s[i].result);
		}
		free_all(io, 3);
	}
}
END_TEST

#define EACH 30

struct worker {
	struct rdy_registry *registry;
	const int *fds;
	pthread_barrier_t *go;
	int failed;
};

static void *registers(void *p)
{
	struct worker *o = p;

	pthread_barrier_wait(o->go);
	for (int i = 0; i < EACH; i++)
		o->failed |= rdy_registry_register(
			o->registry, o->fds[i], (uint64_t)i, RDY_READABLE, RDY_EDGE);
	return NULL;
}

static void *deregisters(void *p)
{
	struct worker *o = p;

	pthread_barrier_wait(o->go);
	for (int i = EACH; i < 2 * EACH; i++)
		o->failed |= rdy_registry_deregister(o->registry, o->fds[i]);
	return NULL;
}

static void *reregisters(void *p)
{
	struct worker *o = p;

	pthread_barrier_wait(o->go);
	for (int i = 2 * EACH; i < 3 * EACH; i++)
		o->failed |= rdy_registry_modify(
			o->registry, o->fds[i], (uint64_t)i, RDY_READABLE, RDY_EDGE);
	return NULL;
}

START_TEST(registry_operations_are_thread_safe)
{
	static void *(*const what[3])(void *) = {registers, deregisters, reregisters};

	for_each_variant(b)
	{
		int fds[3 * EACH];
		bool seen[3 * EACH] = {false};
		pthread_barrier_t go;
		struct worker o = {rdy_poll_registry(b.poll), fds, &go, 0}, each[3] = {o, o, o};
		pthread_t t[3];

		for (int i = 0; i < 3 * EACH; i++) {
			fds[i] = an_eventfd(1);
			if (i >= EACH)
				ok(rdy_poll_register(b.poll, fds[i], 1000, RDY_WRITABLE, RDY_EDGE));
		}
		ok(pthread_barrier_init(&go, NULL, 4));
		for (int i = 0; i < 3; i++)
			t[i] = started(what[i], &each[i]);
		pthread_barrier_wait(&go);
		/* Waits during it meet old and new ones; those that came are not told again. */
		for (int n = 0; n < 2 * EACH;) {
			gives(take(&b, LONG_NS) > 0, 1);
			for (int i = 0; i < b.n; i++) {
				uint64_t k = b.got[i].token;

				if (k == 1000)
					continue;
				ck_assert_uint_lt(k, 3 * EACH);
				ck_assert(k < EACH || k >= 2 * EACH);
				ck_assert(!seen[k]);
				ck_assert_uint_eq(b.got[i].ready, RDY_READABLE);
				seen[k] = true;
				n++;
			}
		}
		for (int i = 0; i < 3; i++) {
			ok(pthread_join(t[i], NULL));
			ok(each[i].failed);
		}
		expect_none(&b);
		pthread_barrier_destroy(&go);
		for (int i = 0; i < 3 * EACH; i++)
			shut(&fds[i]);
	}
}
END_TEST

struct waits {
	struct bench *b;
	atomic_int tid;
	int result;
};

static void *wait_for_ever(void *p)
{
	struct waits *w = p;

	say_tid(&w->tid);
	w->result = take(w->b, -1);
	return NULL;
}

START_TEST(register_during_poll)
{
	for_each_variant(b)
	{
		struct waits w = {.b = &b};
		int fd = an_eventfd(1);
		pthread_t t = started(wait_for_ever, &w);

		until_asleep(&w.tid);
		ok(rdy_poll_register(b.poll, fd, 7, RDY_READABLE, RDY_EDGE));
		ok(pthread_join(t, NULL));
		gives(w.result, 1);
		ck_assert_uint_eq(b.got[0].token, 7);
		shut(&fd);
	}
}
END_TEST

START_TEST(reregister_interest_token_usage)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];

		ok(rdy_unix_pair(&io[0], &io[1]));
		reg(&b, io[0], 0, RDY_READABLE);
		rereg(io[0], 0, RDY_READABLE);
		rereg(io[0], 1, RDY_READABLE);
		rereg(io[0], 1, RDY_WRITABLE);
		expect(&b, 1, RDY_WRITABLE);
		/* Nothing of the former interest is left. */
		send_text(io[1], HELLO);
		expect_none(&b);
		rereg(io[0], 2, RDY_READABLE);
		expect(&b, 2, RDY_READABLE);
		free_all(io, 2);
	}
}
END_TEST

START_TEST(double_register_different_token)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK), *c;
		struct rdy_registry *r = rdy_poll_registry(b.poll);

		reg(&b, l, 0, RDY_READABLE);
		fails(rdy_source_register(rdy_io_source(l), r, 1, RDY_READABLE, RDY_EDGE), EEXIST);
		/* Behind the source's back, too. */
		fails(rdy_poll_register(b.poll, rdy_io_fd(l), 1, RDY_WRITABLE, RDY_EDGE), EEXIST);
		c = a_client(l);
		wait_for(&b, 0, RDY_READABLE);
		rdy_io_free(c);
		rdy_io_free(l);
	}
}
END_TEST

START_TEST(poll_ok_after_cancelling_pending_ops)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK), *c;

		reg(&b, l, 1, RW);
		/* What is pending under the first token never comes under it. */
		c = a_client(l);
		data_arrived(l);
		rereg(l, 2, RDY_READABLE);
		expect(&b, 2, RDY_READABLE);
		rdy_io_free(c);
		rdy_io_free(l);
	}
}
END_TEST

START_TEST(reregister_without_register)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK);
		int fd = rdy_io_fd(l);

		fails(rdy_source_modify(rdy_io_source(l), 1, RDY_READABLE, RDY_EDGE), ENOENT);
		fails(rdy_poll_modify(b.poll, fd, 1, RDY_READABLE, RDY_EDGE), ENOENT);
		fails(rdy_source_rearm(rdy_io_source(l)), ENOENT);
		/* It was not registered by that. */
		reg(&b, l, 1, RDY_READABLE);
		rdy_io_free(l);
	}
}
END_TEST

START_TEST(deregister_without_register)
{
	for_each_variant(b)
	{
		struct rdy_io *l = a_listener(LOOPBACK);

		fails(rdy_source_deregister(rdy_io_source(l)), ENOENT);
		fails(rdy_poll_deregister(b.poll, rdy_io_fd(l)), ENOENT);
		reg(&b, l, 1, RDY_READABLE);
		dereg(l);
		fails(rdy_source_deregister(rdy_io_source(l)), ENOENT);
		rdy_io_free(l);
	}
}
END_TEST

/* A source that only looks at what it is asked to do. */
struct onlooker {
	struct rdy_source source;
	struct rdy_registry *registry;
	uint64_t token;
	uint32_t interest, mode;
	int n_add, n_modify, n_rearm, n_remove;
	int answer;
};

static int look_add(struct rdy_source *s, struct rdy_registry *r, uint64_t token, uint32_t interest,
	uint32_t mode)
{
	struct onlooker *o = (struct onlooker *)s;

	ck_assert_ptr_eq(r, o->registry);
	o->token = token;
	o->interest = interest;
	o->mode = mode;
	o->n_add++;
	return o->answer;
}

static int look_modify(struct rdy_source *s, struct rdy_registry *r, uint64_t token,
	uint32_t interest, uint32_t mode)
{
	struct onlooker *o = (struct onlooker *)s;

	ck_assert_ptr_eq(r, o->registry);
	o->token = token;
	o->interest = interest;
	o->mode = mode;
	o->n_modify++;
	return o->answer;
}

static int look_rearm(struct rdy_source *s, struct rdy_registry *r)
{
	struct onlooker *o = (struct onlooker *)s;

	ck_assert_ptr_eq(r, o->registry);
	o->n_rearm++;
	return o->answer;
}

static int look_remove(struct rdy_source *s, struct rdy_registry *r)
{
	struct onlooker *o = (struct onlooker *)s;

	ck_assert_ptr_eq(r, o->registry);
	o->n_remove++;
	return o->answer;
}

static const struct rdy_source_ops look_ops = {look_add, look_modify, look_rearm, look_remove};

START_TEST(poll_registration)
{
	for_each_variant(b)
	{
		struct rdy_registry *r = rdy_poll_registry(b.poll);
		struct onlooker o = {.registry = r};

		rdy_source_init(&o.source, &look_ops);
		ok(rdy_source_register(&o.source, r, 0, RDY_READABLE, RDY_EDGE));
		ck_assert(o.token == 0 && o.interest == RDY_READABLE && o.mode == RDY_EDGE);
		ck_assert(o.n_add == 1 && !o.n_modify && !o.n_rearm && !o.n_remove);
		ok(rdy_source_modify(&o.source, 1, RDY_WRITABLE, RDY_ONESHOT));
		ck_assert(o.token == 1 && o.interest == RDY_WRITABLE && o.mode == RDY_ONESHOT);
		ck_assert(o.n_add == 1 && o.n_modify == 1 && !o.n_rearm && !o.n_remove);
		ok(rdy_source_rearm(&o.source));
		ck_assert(o.n_add == 1 && o.n_modify == 1 && o.n_rearm == 1 && !o.n_remove);
		ok(rdy_source_deregister(&o.source));
		rdy_source_deinit(&o.source);
		ck_assert(o.n_add == 1 && o.n_modify == 1 && o.n_rearm == 1 && o.n_remove == 1);
	}
}
END_TEST

START_TEST(poll_erroneous_registration)
{
	for_each_variant(b)
	{
		struct rdy_registry *r = rdy_poll_registry(b.poll);
		struct onlooker o = {.registry = r, .answer = -EIO};

		rdy_source_init(&o.source, &look_ops);
		fails(rdy_source_register(&o.source, r, 0, RDY_READABLE, RDY_EDGE), EIO);
		gives(rdy_source_is_registered(&o.source), 0);
		o.answer = 0;
		ok(rdy_source_register(&o.source, r, 0, RDY_READABLE, RDY_EDGE));
		o.answer = -ENOSPC;
		fails(rdy_source_modify(&o.source, 1, RDY_WRITABLE, RDY_LEVEL), ENOSPC);
		gives(rdy_source_is_registered(&o.source), 1);
		fails(rdy_source_rearm(&o.source), ENOSPC);
		fails(rdy_source_deregister(&o.source), ENOSPC);
		gives(rdy_source_is_registered(&o.source), 0);
	}
}
END_TEST

START_TEST(readiness_is_reregistered_after_would_block)
{
	for_each_variant(b)
	{
		struct rdy_io *io[2];

		ok(rdy_unix_pair(&io[0], &io[1]));
		reg(&b, io[0], 3, RDY_READABLE);
		for (int i = 0; i < 3; i++) {
			send_text(io[1], HELLO);
			expect(&b, 3, RDY_READABLE);
			receive_text(io[0], HELLO);
			would_block(io[0]);
			expect_none(&b);
		}
		free_all(io, 2);
	}
}
END_TEST

UNIT_MAIN("conformance/poll", is_send_and_sync, run_once_with_nothing, add_then_drop,
	zero_duration_polls_events, poll_closes_fd, drop_cancels_interest_and_shuts_down,
	registry_behind_arc, registry_operations_are_thread_safe, register_during_poll,
	reregister_interest_token_usage, double_register_different_token,
	poll_ok_after_cancelling_pending_ops, reregister_without_register,
	deregister_without_register, poll_registration, poll_erroneous_registration,
	readiness_is_reregistered_after_would_block)
