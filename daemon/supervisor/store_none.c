/* SPDX-License-Identifier: MIT */
/* See store.h; without libsystemd. */
#include "store.h"

#include <errno.h>

bool store_probe(void)
{
	return false;
}

int store_put(const char *name, int fd)
{
	(void)name;
	(void)fd;
	return -ENOSYS;
}

void store_remove(const char *name)
{
	(void)name;
}

void store_take(
	const char *prefix, void (*take)(void *arg, const char *name, int take_fd), void *arg)
{
	(void)prefix;
	(void)take;
	(void)arg;
}
