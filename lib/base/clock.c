/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <limits.h>
#include <time.h>

int64_t rdy__now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * RDY__NS_PER_S + ts.tv_nsec;
}

int64_t rdy__deadline_ns(int64_t now_ns, int64_t timeout_ns)
{
	if (timeout_ns < 0 || timeout_ns > RDY__NEVER - now_ns)
		return RDY__NEVER;
	return now_ns + timeout_ns;
}

int64_t rdy__left_ns(int64_t now_ns, int64_t deadline_ns)
{
	if (deadline_ns == RDY__NEVER)
		return -1;
	return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}

int rdy__ns_to_poll_ms(int64_t timeout_ns)
{
	int64_t ms;

	if (timeout_ns < 0)
		return -1;
	ms = timeout_ns / RDY__NS_PER_MS + (timeout_ns % RDY__NS_PER_MS != 0);
	return ms > INT_MAX ? INT_MAX : (int)ms;
}
