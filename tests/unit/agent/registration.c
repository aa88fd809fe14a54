/* SPDX-License-Identifier: MIT */
#include "registration.h"

#include <errno.h>

#include "unit.h"

static uint32_t take(struct registrations *r, uint64_t cookie, uint32_t owner)
{
	struct registration *reg;
	uint32_t index;

	ck_assert_int_eq(registrations_take(r, &index), 0);
	reg = registrations_at(r, index);
	ck_assert_int_eq(reg->fd, -1);
	ck_assert_uint_eq(reg->pending | reg->seq | reg->flags | reg->mode, 0);
	reg->cookie = cookie;
	reg->owner = owner;
	reg->mode = 1;
	return index;
}

START_TEST(ids_die)
{
	struct registrations r = REGISTRATIONS_NULL;
	uint32_t index, found;
	uint64_t id;

	index = take(&r, 7, 3);
	id = registration_id(&r, index);
	ck_assert_uint_ne(id, 0);
	ck_assert_ptr_nonnull(registrations_find(&r, id, 3, &found));
	ck_assert_uint_eq(found, index);
	registrations_give(&r, index);
	ck_assert_ptr_null(registrations_find(&r, id, 3, &found));
	/* The slot comes back after all others, with another generation. */
	for (uint32_t i = 0; i < REGISTRATION_CHUNK - 1; i++)
		ck_assert_uint_ne(take(&r, i, 3), index);
	ck_assert_uint_eq(take(&r, 9, 3), index);
	ck_assert_uint_ne(registration_id(&r, index), id);
	ck_assert_ptr_null(registrations_find(&r, id, 3, &found));
	ck_assert_uint_eq(r.n_chunks, 1);
	take(&r, 10, 3);
	ck_assert_uint_eq(r.n_chunks, 2);
	registrations_deinit(&r);
	registrations_deinit(&r);
}
END_TEST

START_TEST(generations_wrap_over_zero)
{
	struct registrations r = REGISTRATIONS_NULL;
	uint32_t index = take(&r, 1, 0);

	registrations_at(&r, index)->generation = UINT32_MAX;
	registrations_give(&r, index);
	ck_assert_uint_eq(registrations_at(&r, index)->generation, 1);
	registrations_deinit(&r);
}
END_TEST

/* Invariant: AUTH-1 */
START_TEST(foreign_ids)
{
	struct registrations r = REGISTRATIONS_NULL;
	uint32_t index = take(&r, 7, 3), found = 99;
	uint64_t id = registration_id(&r, index);

	ck_assert_ptr_null(registrations_find(&r, id, 4, &found));
	ck_assert_ptr_null(registrations_find(&r, id + 1, 3, &found));
	ck_assert_ptr_null(registrations_find(&r, id + (UINT64_C(1) << 32), 3, &found));
	ck_assert_ptr_null(registrations_find(&r, 0, 3, &found));
	ck_assert_ptr_null(registrations_find(&r, UINT64_MAX, 3, &found));
	/* A free slot has an owner that no session is. */
	ck_assert_ptr_null(
		registrations_find(&r, UINT64_C(5) << 32 | 1, REGISTRATION_NONE, &found));
	ck_assert_uint_eq(found, 99);
	registrations_deinit(&r);
}
END_TEST

/* Invariant: PEND-1 */
START_TEST(ready_once)
{
	struct registrations r = REGISTRATIONS_NULL;
	struct registration_queue q = REGISTRATION_QUEUE_NULL;
	uint32_t a = take(&r, 1, 0), b = take(&r, 2, 0), c = take(&r, 3, 0);

	registrations_ready(&r, &q, a);
	registrations_ready(&r, &q, b);
	registrations_ready(&r, &q, a);
	registrations_ready(&r, &q, c);
	registrations_ready(&r, &q, b);
	ck_assert_uint_eq(q.head, a);
	ck_assert_uint_eq(registrations_at(&r, a)->ready_next, b);
	ck_assert_uint_eq(registrations_at(&r, b)->ready_next, c);
	ck_assert_uint_eq(registrations_at(&r, c)->ready_next, REGISTRATION_NONE);
	ck_assert_uint_eq(q.tail, c);
	registrations_unready(&r, &q, b);
	registrations_unready(&r, &q, b);
	ck_assert_uint_eq(registrations_at(&r, a)->ready_next, c);
	ck_assert_uint_eq(registrations_at(&r, c)->ready_prev, a);
	registrations_unready(&r, &q, c);
	ck_assert_uint_eq(q.tail, a);
	registrations_unready(&r, &q, a);
	ck_assert_uint_eq(q.head, REGISTRATION_NONE);
	ck_assert_uint_eq(q.tail, REGISTRATION_NONE);
	registrations_deinit(&r);
}
END_TEST

START_TEST(lists)
{
	struct registrations r = REGISTRATIONS_NULL;
	struct registration_queue q = REGISTRATION_QUEUE_NULL;
	uint32_t a = take(&r, 1, 0), b = take(&r, 2, 0), c = take(&r, 3, 0);

	registrations_link(&r, &q, a);
	registrations_link(&r, &q, b);
	registrations_link(&r, &q, c);
	registrations_unlink(&r, &q, b);
	ck_assert_uint_eq(registrations_at(&r, a)->next, c);
	ck_assert_uint_eq(registrations_at(&r, c)->prev, a);
	registrations_unlink(&r, &q, a);
	ck_assert_uint_eq(q.head, c);
	registrations_unlink(&r, &q, c);
	ck_assert_uint_eq(q.head, REGISTRATION_NONE);
	ck_assert_uint_eq(q.tail, REGISTRATION_NONE);
	registrations_deinit(&r);
}
END_TEST

/* Against the obvious model: an array of what is in. */
START_TEST(cookies_as_a_set)
{
	enum { N = 700, STEPS = 40000 };
	static uint32_t in[N]; /* index + 1 */
	struct registrations r = REGISTRATIONS_NULL;
	struct cookies c = COOKIES_NULL;
	uint32_t rnd = 12345, n = 0;
	const uint64_t seed = 99;

	for (uint32_t step = 0; step < STEPS; step++) {
		uint32_t k = (rnd = rnd * 1664525 + 1013904223) >> 8;

		k %= N;
		ck_assert_int_eq(cookies_has(&c, &r, seed, k * 3), in[k] != 0);
		if (in[k]) {
			cookies_remove(&c, &r, seed, in[k] - 1);
			registrations_give(&r, in[k] - 1);
			in[k] = 0;
			n--;
		} else {
			uint32_t index;

			ck_assert_int_eq(cookies_reserve(&c, &r, seed), 0);
			index = take(&r, k * 3, 0);
			cookies_add(&c, &r, seed, index);
			in[k] = index + 1;
			n++;
		}
		ck_assert_uint_eq(c.n_used, n);
		ck_assert_uint_le(c.n_used * 4, c.n_slots * 3);
	}
	for (uint32_t k = 0; k < N; k++)
		ck_assert_int_eq(cookies_has(&c, &r, seed, k * 3), in[k] != 0);
	ck_assert_uint_le(c.n_slots, 2048);
	cookies_deinit(&c);
	cookies_deinit(&c);
	registrations_deinit(&r);
}
END_TEST

/* The promise: record, libready's slot (16 bytes) and cookie hash, at 15 000. */
START_TEST(memory_per_registration)
{
	enum { N = 15000 };
	struct registrations r = REGISTRATIONS_NULL;
	struct cookies c = COOKIES_NULL;
	size_t bytes;

	for (uint32_t i = 0; i < N; i++) {
		ck_assert_int_eq(cookies_reserve(&c, &r, 1), 0);
		cookies_add(&c, &r, 1, take(&r, i, 0));
	}
	bytes = r.n_chunks * (REGISTRATION_CHUNK * sizeof(struct registration) + sizeof(void *)) +
		c.n_slots * sizeof(uint32_t) + N * 16;
	ck_assert_uint_le(bytes, N * 96);
	cookies_deinit(&c);
	registrations_deinit(&r);
}
END_TEST

/* A predecessor's ids live on in a fresh slab, in any order and beside new ones. */
START_TEST(ids_of_a_predecessor)
{
	static const uint32_t indexes[] = {700, 3, 0, REGISTRATION_CHUNK - 1, 4, 1, 699};
	struct registrations r = REGISTRATIONS_NULL;
	uint32_t index;

	for (uint32_t i = 0; i < 7; i++) {
		uint64_t id = (uint64_t)indexes[i] << 32 | (i + 5);

		ck_assert_int_eq(registrations_take_at(&r, indexes[i], i + 5), 0);
		ck_assert_uint_eq(registration_id(&r, indexes[i]), id);
		ck_assert_int_eq(registrations_at(&r, indexes[i])->fd, -1);
		registrations_at(&r, indexes[i])->mode = 1;
		registrations_at(&r, indexes[i])->owner = 2;
		ck_assert_ptr_nonnull(registrations_find(&r, id, 2, &index));
		ck_assert_int_eq(registrations_take_at(&r, indexes[i], i + 5), -EEXIST);
	}
	ck_assert_uint_eq(r.n_chunks, 3);
	ck_assert_uint_eq(r.n_used, 7);
	ck_assert_int_eq(registrations_take_at(&r, REGISTRATION_INDEX_MAX, 1), -EINVAL);
	ck_assert_int_eq(registrations_take_at(&r, 5, 0), -EINVAL);
	/* Every other slot is still there, once. */
	for (uint32_t i = 7; i < 3 * REGISTRATION_CHUNK; i++)
		for (uint32_t k = take(&r, i, 2), j = 0; j < 7; j++)
			ck_assert_uint_ne(k, indexes[j]);
	ck_assert_uint_eq(r.free_head, REGISTRATION_NONE);
	ck_assert_uint_eq(r.free_tail, REGISTRATION_NONE);
	ck_assert_uint_eq(r.n_chunks, 3);
	/* The last free one, too, and then it grows again. */
	registrations_give(&r, 3);
	ck_assert_int_eq(registrations_take_at(&r, 3, 9), 0);
	registrations_at(&r, 3)->mode = 1;
	take(&r, 1, 2);
	ck_assert_uint_eq(r.n_chunks, 4);
	registrations_deinit(&r);
}
END_TEST

/* An id that has died at the predecessor is nobody's at the successor either. */
START_TEST(generations_of_a_predecessor)
{
	struct registrations old = REGISTRATIONS_NULL, r = REGISTRATIONS_NULL;
	uint32_t index = take(&old, 1, 0), found;
	uint64_t dead = registration_id(&old, index);

	registrations_give(&old, index);
	ck_assert_uint_eq(registrations_next_generation(&old), 3);
	r.first_generation = registrations_next_generation(&old);
	for (uint32_t i = 0; i < REGISTRATION_CHUNK; i++) {
		uint32_t k = take(&r, i, 0);

		ck_assert_uint_eq(registrations_at(&r, k)->generation, 3);
	}
	ck_assert_ptr_null(registrations_find(&r, dead, 0, &found));
	ck_assert_uint_eq(registrations_next_generation(&r), 4);
	registrations_at(&r, 5)->generation = UINT32_MAX;
	ck_assert_uint_eq(registrations_next_generation(&r), 1);
	registrations_deinit(&old);
	registrations_deinit(&r);
}
END_TEST

UNIT_MAIN("agent/registration", ids_die, generations_wrap_over_zero, foreign_ids, ready_once, lists,
	cookies_as_a_set, memory_per_registration, ids_of_a_predecessor,
	generations_of_a_predecessor)
