/* SPDX-License-Identifier: MIT */
/* mio's tests/waker.rs. */
#include "conformance.h"

#define WAKE (RDY_WAKE | RDY_READABLE)

static struct rdy_waker *a_waker(struct bench *b, uint64_t token)
{
	struct rdy_waker *w = NULL;

	ok(rdy_waker_new(b->poll, token, &w));
	return w;
}

static void *wake_it(void *p)
{
	ok(rdy_waker_wake(p));
	return NULL;
}

static void *free_it(void *p)
{
	rdy_waker_free(p);
	return NULL;
}

/* Made here, woken there, freed in a third. */
START_TEST(is_send_and_sync)
{
	for_each_variant(b)
	{
		struct rdy_waker *w = a_waker(&b, 10);

		elsewhere(wake_it, w);
		expect(&b, 10, WAKE);
		elsewhere(free_it, w);
		expect_none(&b);
	}
}
END_TEST

START_TEST(waker)
{
	for_each_variant(b)
	{
		struct rdy_waker *w = a_waker(&b, 10);

		ok(rdy_waker_wake(w));
		gives(take(&b, LONG_NS), 1);
		ck_assert_uint_eq(b.got[0].token, 10);
		gives(rdy_event_is_readable(&b.got[0]), 1);
		gives(rdy_event_is_wake(&b.got[0]), 1);
		rdy_waker_free(w);
	}
}
END_TEST

START_TEST(waker_multiple_wakeups_same_thread)
{
	for_each_variant(b)
	{
		struct rdy_waker *w = a_waker(&b, 10);

		for (int i = 0; i < 3; i++)
			ok(rdy_waker_wake(w));
		expect(&b, 10, WAKE);
		expect_none(&b);
		rdy_waker_free(w);
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

START_TEST(waker_wakeup_different_thread)
{
	for_each_variant(b)
	{
		struct rdy_waker *w = a_waker(&b, 10);
		struct waits s = {.b = &b};
		pthread_t t = started(wait_for_ever, &s);

		until_asleep(&s.tid);
		ok(rdy_waker_wake(w));
		ok(pthread_join(t, NULL));
		gives(s.result, 1);
		ck_assert_uint_eq(b.got[0].token, 10);
		ck_assert_uint_eq(b.got[0].ready, WAKE);
		expect_none(&b);
		rdy_waker_free(w);
	}
}
END_TEST

struct two {
	struct rdy_waker *w;
	pthread_barrier_t go;
};

static void *wake_now(void *p)
{
	struct two *two = p;

	ok(rdy_waker_wake(two->w));
	return NULL;
}

static void *wake_then(void *p)
{
	struct two *two = p;

	pthread_barrier_wait(&two->go);
	ok(rdy_waker_wake(two->w));
	return NULL;
}

START_TEST(waker_multiple_wakeups_different_thread)
{
	for_each_variant(b)
	{
		struct two two = {.w = a_waker(&b, 10)};
		pthread_t first, second;

		ok(pthread_barrier_init(&two.go, NULL, 2));
		first = started(wake_now, &two);
		second = started(wake_then, &two);
		gives(take(&b, LONG_NS), 1);
		ck_assert_uint_eq(b.got[0].token, 10);
		ok(pthread_join(first, NULL));
		/* The first has been taken: the second is an event of its own. */
		pthread_barrier_wait(&two.go);
		gives(take(&b, LONG_NS), 1);
		ck_assert_uint_eq(b.got[0].token, 10);
		ok(pthread_join(second, NULL));
		expect_none(&b);
		pthread_barrier_destroy(&two.go);
		rdy_waker_free(two.w);
	}
}
END_TEST

/* mio has one waker per poll, and panics; here each has its token, and none takes another's wakes. */
START_TEST(using_multiple_wakers)
{
	for_each_variant(b)
	{
		struct rdy_waker *w[2] = {a_waker(&b, 10), a_waker(&b, 11)};

		ok(rdy_waker_wake(w[1]));
		expect(&b, 11, WAKE);
		ok(rdy_waker_wake(w[0]));
		ok(rdy_waker_wake(w[1]));
		wait_for_each(&b, {10, WAKE}, {11, WAKE});
		rdy_waker_free(w[0]);
		ok(rdy_waker_wake(w[1]));
		expect(&b, 11, WAKE);
		/* And a new one after the last is gone: mio's flag is never reset. */
		rdy_waker_free(w[1]);
		w[0] = a_waker(&b, 12);
		ok(rdy_waker_wake(w[0]));
		expect(&b, 12, WAKE);
		rdy_waker_free(w[0]);
	}
}
END_TEST

static void *another_waker(void *p)
{
	struct bench *b = p;
	struct rdy_waker *w = a_waker(b, 11);

	ok(rdy_waker_wake(w));
	return w;
}

/* A waker is made of the poll, whoever holds its registry: by another thread, with a second owner of it alive. */
START_TEST(using_multiple_wakers_different_cloned_registries)
{
	for_each_variant(b)
	{
		struct rdy_registry *r = rdy_registry_ref(rdy_poll_registry(b.poll));
		struct rdy_waker *w = a_waker(&b, 10);
		void *second;

		ok(pthread_join(started(another_waker, &b), &second));
		ok(rdy_waker_wake(w));
		wait_for_each(&b, {10, WAKE}, {11, WAKE});
		rdy_waker_free(second);
		rdy_waker_free(w);
		rdy_registry_unref(r);
	}
}
END_TEST

UNIT_MAIN("conformance/waker", is_send_and_sync, waker, waker_multiple_wakeups_same_thread,
	waker_wakeup_different_thread, waker_multiple_wakeups_different_thread,
	using_multiple_wakers, using_multiple_wakers_different_cloned_registries)
