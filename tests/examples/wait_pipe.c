/* SPDX-License-Identifier: MIT */
/*
 * The smallest whole program: let readyd watch a pipe, wait, read.
 *   wait_pipe [SOCKET]
 */
#include <ready/client.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The other end of the pipe belongs to somebody else: a child that writes one line. */
static void start_writer(int fds[2])
{
	static const char line[] = "hello\n";

	if (fork() != 0) {
		close(fds[1]);
		return;
	}
	_exit(write(fds[1], line, sizeof(line) - 1) == sizeof(line) - 1 ? 0 : 1);
}

static int run(struct rdy_client *client, int fd)
{
	struct rdy_client_event event;
	uint64_t handle;
	char text[64];
	ssize_t n;
	int r;

	r = rdy_client_register(client, fd, 42, RDY_READABLE, RDY_ONESHOT, 0, &handle);
	if (r < 0)
		return r;
	do {
		/* At most ten seconds. The registration is sent from here. */
		r = rdy_client_wait(client, &event, 1, INT64_C(10000000000));
		if (r <= 0)
			return r < 0 ? r : -1;
		if (event.type == RDY_CLIENT_FAILED) {
			fprintf(stderr, "refused: %s\n", rdy_client_error_text(event.error));
			return -1;
		}
	} while (event.type !=
		 RDY_CLIENT_READY); /* LOST, RESTORED: the library does what is needed */
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -1;
	text[n] = 0;
	printf("token %d is ready: %s", (int)event.token, text);
	/* Before close(): the daemon's duplicate would keep the pipe open. */
	return event.flags & RDY_CLIENT_ENDED ? 0 : rdy_client_deregister(client, handle);
}

int main(int argc, char **argv)
{
	struct rdy_client_options options = {.size = sizeof(options), .name = "wait_pipe"};
	struct rdy_client *client;
	int fds[2], r;

	if (argc > 1)
		options.path = argv[1];
	if (pipe(fds) < 0)
		return 1;
	start_writer(fds);
	r = rdy_client_new(&options, INT64_C(5000000000), NULL, &client);
	if (r < 0) {
		fprintf(stderr, "no connection to readyd: %s\n", strerror(-r));
		return 1;
	}
	r = run(client, fds[0]);
	rdy_client_free(client);
	close(fds[0]);
	while (wait(NULL) > 0)
		;
	return r == 0 ? 0 : 1;
}
