/* SPDX-License-Identifier: MIT */
/* How many reactors an agent may have, and what it keeps free for them. */
#include <sched.h>

#include "supervisor.h"
#include "unit.h"

/* This process may use the first n of its CPUs. Returns how many it has then. */
static uint32_t use_cpus(uint32_t n)
{
	cpu_set_t all, some;
	uint32_t taken = 0;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&some);
	for (int i = 0; i < CPU_SETSIZE && taken < n; i++) {
		if (CPU_ISSET(i, &all)) {
			CPU_SET(i, &some);
			taken++;
		}
	}
	ck_assert_int_eq(sched_setaffinity(0, sizeof(some), &some), 0);
	return taken;
}

START_TEST(automatic)
{
	struct conf c;
	uint32_t n;

	conf_init(&c);
	n = use_cpus(CPU_SETSIZE);
	ck_assert_uint_eq(supervisor_reactors(&c), n < 8 ? n : 8);
	for (n = use_cpus(2); n; n--) {
		ck_assert_uint_eq(use_cpus(n), n);
		ck_assert_uint_eq(supervisor_reactors(&c), n);
		ck_assert_uint_eq(supervisor_fd_reserve(&c), n * 253 + 64);
	}
}
END_TEST

START_TEST(as_configured)
{
	struct conf c;

	conf_init(&c);
	c.reactors = 64;
	ck_assert_uint_eq(supervisor_reactors(&c), 64);
	c.fd_reserve = 500;
	ck_assert_uint_eq(supervisor_fd_reserve(&c), 500);
}
END_TEST

UNIT_MAIN("supervisor/reactors", automatic, as_configured)
