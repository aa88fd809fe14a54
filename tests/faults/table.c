/* SPDX-License-Identifier: MIT */
/* One row of faults. See table.h. */
#include "table.h"

#include <errno.h>
#include <stdio.h>

#include "unit.h"

struct held {
	int fds;
	long memory;
};

static struct held held_now(void)
{
	return (struct held){unit_count_fds(), inject_held()};
}

static void all_given_back(struct held before)
{
	struct held now = held_now();

	ck_assert_msg(now.fds == before.fds && now.memory == before.memory,
		"%d descriptors and %ld allocations are left over", now.fds - before.fds,
		now.memory - before.memory);
}

static bool is_in(const int *errors, int error)
{
	for (; errors && *errors; errors++)
		if (*errors == error)
			return true;
	return false;
}

static void prepare(const struct fault_row *row, const struct fault_place *place)
{
	place->open(place->world);
	if (row->prepare)
		row->prepare(place->world);
}

/* A failure that the caller sees. Returns whether the call is made again. */
static bool failed(const struct fault_row *row, void *world, struct held before, int r)
{
	struct held now = held_now();

	ck_assert_msg(is_in(row->errors, -r), "%s: error %d is not documented", row->name, -r);
	ck_assert_int_eq(now.fds, before.fds);
	if (row->may_keep)
		ck_assert_int_ge(now.memory, before.memory);
	else
		ck_assert_int_eq(now.memory, before.memory);
	return !row->unharmed || row->unharmed(world, r);
}

static void one(const struct fault_row *row, const struct fault_place *place, size_t n, int error,
	bool sticky)
{
	struct held outside = held_now(), before;
	int r;

	/* The last line before a failure says where. */
	fprintf(stderr, "# %s: call %zu, %s, fails with %s%s\n", row->name, n, inject_name(n),
		strerror(error), sticky ? " from there on" : "");
	prepare(row, place);
	before = held_now();
	inject_fail(row->kinds, n, error, sticky);
	r = row->call(place->world);
	inject_stop();
	if (r >= 0) {
		row->works(place->world);
	} else if (failed(row, place->world, before, r)) {
		ck_assert_int_ge(row->call(place->world), 0);
		row->works(place->world);
	}
	place->close(place->world);
	all_given_back(outside);
}

/* What goes away by itself may be repeated for ever; what does not, may come again and again. */
static bool can_stay(int error)
{
	return error != EINTR && error != EAGAIN && error != ECONNABORTED;
}

static bool is_absurd(const struct fault_row *row, size_t n, int error)
{
	/* A kernel that had the call a moment ago has not lost it. */
	for (size_t i = 0; error == ENOSYS && i < n; i++)
		if (strcmp(inject_name(i), inject_name(n)) == 0)
			return true;
	return is_in(row->absurd, error);
}

size_t fault_run(const struct fault_row *row, const struct fault_place *place)
{
	struct held outside = held_now();
	size_t n, tried = 0;
	int r;

	prepare(row, place);
	inject_watch(row->kinds);
	r = row->call(place->world);
	n = inject_stop();
	ck_assert_int_ge(r, 0);
	row->works(place->world);
	place->close(place->world);
	all_given_back(outside);
	for (size_t i = 0; i < n; i++) {
		for (const int *e = inject_errors(i); *e; e++) {
			if (is_absurd(row, i, *e))
				continue;
			one(row, place, i, *e, false);
			tried++;
			if (!can_stay(*e))
				continue;
			one(row, place, i, *e, true);
			tried++;
		}
	}
	return tried;
}
