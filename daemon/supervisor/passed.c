/* SPDX-License-Identifier: MIT */
/* See passed.h; by libsystemd. */
#include "passed.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/fd.h"
#include "log.h"
#include "store.h"

static struct {
	char **names; /* of n; NULL: nobody gave any */
	int n;	      /* from SD_LISTEN_FDS_START on; -1: that one is taken, in taken */
	bool *taken;
} passed;

void passed_init(void)
{
	passed.n = sd_listen_fds_with_names(1, &passed.names);
	if (passed.n <= 0) {
		passed.n = 0;
		return;
	}
	passed.taken = calloc((size_t)passed.n, sizeof(*passed.taken));
	/* Without memory for that nothing goes on for long. */
	if (!passed.taken || !passed.names)
		passed.n = 0;
}

static int take(int i)
{
	passed.taken[i] = true;
	return SD_LISTEN_FDS_START + i;
}

int passed_take(const char *name)
{
	for (int i = 0; i < passed.n; i++)
		if (!passed.taken[i] && strcmp(passed.names[i], name) == 0)
			return take(i);
	return -1;
}

void passed_take_all(
	const char *prefix, void (*take_one)(void *arg, const char *name, int take_fd), void *arg)
{
	for (int i = 0; i < passed.n; i++)
		if (!passed.taken[i] && strncmp(passed.names[i], prefix, strlen(prefix)) == 0)
			take_one(arg, passed.names[i], take(i));
}

void passed_close(void)
{
	for (int i = 0; i < passed.n; i++) {
		if (passed.taken[i])
			continue;
		if (strcmp(passed.names[i], STORE_PROBE) != 0)
			log_line(LOG_P_WARNING,
				"passed=unknown name=%.40s effect=\"it is closed\" "
				"try=\"FileDescriptorName=session or control in the socket unit\"",
				passed.names[i]);
		rdy__fd_close(take(i));
	}
	for (int i = 0; passed.names && i < passed.n; i++)
		free(passed.names[i]);
	free(passed.names);
	free(passed.taken);
	passed.names = NULL;
	passed.taken = NULL;
	passed.n = 0;
}
