/* SPDX-License-Identifier: MIT */
/*
 * The reactor alone, without a daemon: a TCP echo server on loopback. Oneshot, so that it is right on every
 * selector. A child sends some lines and compares what comes back; the server ends with it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ready/poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_LINES 200

static int listen_somewhere(struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*addr = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || bind(fd, (struct sockaddr *)addr, sizeof(*addr)) < 0 || listen(fd, 8) < 0 ||
		getsockname(fd, (struct sockaddr *)addr, &len) < 0)
		return -1;
	return fd;
}

static int talk(const struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
		return 1;
	for (int i = 0; i < N_LINES; i++) {
		char out[32], in[32];
		int n = snprintf(out, sizeof(out), "line %d\n", i);

		if (write(fd, out, (size_t)n) != n || recv(fd, in, (size_t)n, MSG_WAITALL) != n ||
			memcmp(in, out, (size_t)n) != 0)
			return 1;
	}
	return 0;
}

static int accept_one(struct rdy_poll *poll, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return errno == EAGAIN ? 0 : -errno;
	return rdy_poll_register(poll, fd, (uint64_t)fd, RDY_READABLE, RDY_ONESHOT);
}

/* Returns 1 at the end of the connection. */
static int echo(struct rdy_poll *poll, int fd)
{
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	/* An event is a hint. */
	if (n < 0 && errno == EAGAIN)
		return rdy_poll_rearm(poll, fd);
	if (n <= 0) {
		/* In this order: a registration must not outlive its descriptor. */
		rdy_poll_deregister(poll, fd);
		close(fd);
		return 1;
	}
	/* A real server would keep what does not fit and wait for RDY_WRITABLE. */
	return write(fd, buf, (size_t)n) == n ? rdy_poll_rearm(poll, fd) : -EIO;
}

static int serve(struct rdy_poll *poll, struct rdy_events *events, int listener)
{
	struct rdy_event e;
	int r = rdy_poll_register(poll, listener, (uint64_t)listener, RDY_READABLE, RDY_ONESHOT);

	while (r == 0) {
		r = rdy_poll_wait(poll, events, INT64_C(20000000000));
		if (r <= 0)
			return r < 0 ? r : -ETIMEDOUT;
		r = 0;
		while (r == 0 && rdy_events_next(events, &e)) {
			int fd = (int)e.token;

			if (fd != listener)
				r = echo(poll, fd);
			else if ((r = accept_one(poll, fd)) == 0)
				r = rdy_poll_rearm(poll, fd);
		}
	}
	return r;
}

int main(void)
{
	struct sockaddr_in addr;
	struct rdy_poll *poll = NULL;
	struct rdy_events *events = NULL;
	int listener = listen_somewhere(&addr), status, r;
	pid_t child;

	if (listener < 0)
		return 1;
	child = fork();
	if (child == 0)
		_exit(talk(&addr));
	r = rdy_poll_new(NULL, &poll);
	if (r == 0)
		r = rdy_events_new(16, &events);
	if (r == 0)
		r = serve(poll, events, listener);
	rdy_events_free(events);
	rdy_poll_free(poll);
	close(listener);
	if (r < 0)
		fprintf(stderr, "echo: %s\n", strerror(-r));
	if (waitpid(child, &status, 0) != child || status != 0 || r < 0)
		return 1;
	printf("%d lines came back\n", N_LINES);
	return 0;
}
