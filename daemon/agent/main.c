/* SPDX-License-Identifier: MIT */
/*
 * readyd-agent: serves exactly one uid. Started by readyd with the channel as descriptor 3, the disposal
 * link as descriptor 4 and perhaps a socket for the next supervisor as descriptor 5; of no use otherwise.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent.h"
#include "base/fd.h"
#include "log.h"
#include "sandbox/sandbox.h"

static struct agent agent;

static int die(const char *doing, int error)
{
	log_line(LOG_ERR, "start=failed doing=\"%s\" error=\"%s\"", doing, strerror(-error));
	return EXIT_FAILURE;
}

/* The first message, which must be CONFIG; the supervisor sends it before it starts us. */
static int receive_config(struct channel_config *ret)
{
	uint8_t buf[CHANNEL_BYTES_MAX];
	int fds[RDY__FDS_MAX];
	struct rdy__received got;
	struct channel_message m;
	int e = rdy__recv_fds(CHANNEL_FD_SUPERVISOR, buf, sizeof(buf), fds, RDY__RECV_BLOCK, &got);

	if (e < 0)
		return e;
	if (channel_decode(buf, got.n_bytes, got.n_fds, &m) < 0 || m.type != CHANNEL_CONFIG)
		return -EPROTO;
	*ret = m.u.config;
	return 0;
}

static int wait_for_config(struct channel_config *ret)
{
	int e = receive_config(ret);

	while (e == -EAGAIN) {
		struct pollfd p = {.fd = CHANNEL_FD_SUPERVISOR, .events = POLLIN};

		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return -errno;
		e = receive_config(ret);
	}
	return e;
}

int main(int argc, char **argv)
{
	int sandbox = sandbox_start(argc, argv, "readyd-agent");
	pid_t supervisor = getppid();
	struct channel_config config;
	int e, type, listener;
	socklen_t size = sizeof(type);

	if (sandbox < 0 ||
		getsockopt(CHANNEL_FD_SUPERVISOR, SOL_SOCKET, SO_TYPE, &type, &size) < 0) {
		fputs("readyd-agent: it is started by readyd and does nothing by itself\n"
		      "  see: readyd(8)\n",
			stderr);
		return 2;
	}
	log_init(0);
	listener = adopt_find(CHANNEL_FD_ADOPT);
	e = sandbox_close_from(CHANNEL_FD_ADOPT + 1);
	if (e == 0)
		e = sandbox_reset();
	if (e < 0)
		return die("tidying up", e);
	/* A log that nobody reads any more is no reason to die. */
	signal(SIGPIPE, SIG_IGN);
	e = wait_for_config(&config);
	if (e < 0)
		return die("waiting for the configuration", e);
	log_init(config.uid);
	log_set_level((int)config.log_level);
	e = agent_init(&agent, &config, CHANNEL_FD_SUPERVISOR, CHANNEL_FD_CLOSER, supervisor);
	if (e == 0)
		e = adopt_init(&agent, listener);
	if (e < 0)
		return die("setting up", e);
	e = sandbox ? sandbox_enter(SANDBOX_AGENT) : 0;
	if (e < 0)
		return die("entering the sandbox", e);
	agent_hello(&agent);
	while (!atomic_load_explicit(&agent.done, memory_order_relaxed))
		agent_round(&agent, -1);
	/* Other threads may be anywhere: nothing is tidied up under them. */
	if (atomic_load(&agent.status))
		_exit(atomic_load(&agent.status));
	/*
	 * What is in quarantine goes away in the exit itself, and that may never return: nothing else happens
	 * before it, not even a sanitizer's look for leaks, whose second process would share the descriptors.
	 */
	if (agent.n_quarantined)
		_exit(EXIT_SUCCESS);
	agent_deinit(&agent);
	return EXIT_SUCCESS;
}
