/* SPDX-License-Identifier: MIT */
/*
 * What a program sees when its agent dies: LOST, RESTORED, and events as before, without doing anything.
 * Prints "watching", then waits for the loss; kill the agent meanwhile (the test does).
 *   reconnect [SOCKET]
 */
#include <fcntl.h>
#include <ready/client.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

static const char *name(uint32_t type)
{
	static const char *const names[] = {
		[RDY_CLIENT_READY] = "ready",
		[RDY_CLIENT_FAILED] = "failed",
		[RDY_CLIENT_LOST] = "lost",
		[RDY_CLIENT_RESTORED] = "restored",
		[RDY_CLIENT_REFUSED] = "refused",
	};

	return type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "?";
}

static int run(struct rdy_client *client, const int fds[2])
{
	struct rdy_client_event e;
	uint64_t handle;
	int r;

	r = rdy_client_register(client, fds[0], 1, RDY_READABLE, RDY_ONESHOT, 0, &handle);
	if (r == 0)
		r = rdy_client_sync(client, 5 * SECOND);
	if (r < 0)
		return r;
	puts("watching");
	fflush(stdout);
	while (rdy_client_wait(client, &e, 1, 20 * SECOND) == 1) {
		puts(name(e.type));
		fflush(stdout);
		switch (e.type) {
		case RDY_CLIENT_RESTORED:
			/* The registration is there again, under the same handle. */
			if (write(fds[1], "x", 1) != 1)
				return -1;
			break;
		case RDY_CLIENT_READY:
			return e.handle == handle ? 0 : -1;
		case RDY_CLIENT_FAILED:
			fprintf(stderr, "%s\n", rdy_client_error_text(e.error));
			return -1;
		}
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct rdy_client_options options = {.size = sizeof(options), .name = "reconnect"};
	struct rdy_client *client;
	int fds[2], r;

	if (argc > 1)
		options.path = argv[1];
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return 1;
	r = rdy_client_new(&options, 5 * SECOND, NULL, &client);
	if (r < 0) {
		fprintf(stderr, "no connection to readyd: %s\n", strerror(-r));
		return 1;
	}
	r = run(client, fds);
	rdy_client_free(client);
	return r == 0 ? 0 : 1;
}
