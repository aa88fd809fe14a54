/* SPDX-License-Identifier: MIT */
/*
 * Two reactors against one, on all CPUs: events per second of two client processes of one uid, each with a
 * session of its own and bursts of 64 of 256 eventfds. Two daemons, rounds alternate.
 */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <ready/client.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

#define CLIENTS 2
#define FDS 256
#define BURST 64
#define BURSTS 400
#define ROUNDS 15

struct worker {
	pid_t pid;
	int sock;
};

static void burst(struct rdy_client *c, const int *fds, size_t first)
{
	struct rdy_client_event e[BURST];
	uint64_t one = 1;
	int left = BURST;

	for (size_t i = 0; i < BURST; i++)
		if (write(fds[(first + i) % FDS], &one, sizeof(one)) != sizeof(one))
			_exit(1);
	while (left > 0) {
		int n = rdy_client_wait(c, e, BURST, -1);

		if (n <= 0)
			_exit(1);
		left -= n;
	}
}

/* A burst set for each byte that comes, then the byte back. */
static void work(const char *socket, int sock)
{
	int fds[FDS];
	struct rdy_client *c = probe_crowd(socket, fds, FDS);
	char byte;

	while (write(sock, "", 1) == 1 && read(sock, &byte, 1) == 1)
		for (size_t i = 0; i < BURSTS; i++)
			burst(c, fds, i * BURST);
	_exit(0);
}

static void start(struct worker *w, const char *socket)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		bench_die("reactors: socketpair: %s", strerror(errno));
	w->pid = fork();
	if (w->pid < 0)
		bench_die("reactors: fork: %s", strerror(errno));
	if (w->pid == 0) {
		close(sv[0]);
		work(socket, sv[1]);
	}
	close(sv[1]);
	w->sock = sv[0];
}

static void hear(struct worker *w)
{
	char byte;

	if (read(w->sock, &byte, 1) != 1)
		bench_die("reactors: a client is gone");
}

/* Events per second of all clients together. */
static double round_of(struct worker *w)
{
	int64_t from = bench_now_ns();

	for (int i = 0; i < CLIENTS; i++)
		if (write(w[i].sock, "", 1) != 1)
			bench_die("reactors: a client is gone");
	for (int i = 0; i < CLIENTS; i++)
		hear(&w[i]);
	return CLIENTS * BURSTS * BURST * 1e9 / (double)(bench_now_ns() - from);
}

void bench_reactors(void)
{
	static const char *const options[2][3] = {{"reactors=2", "delivery.flood_rate=off"},
		{"reactors=1", "delivery.flood_rate=off"}};
	double rate[2][ROUNDS], ratio[ROUNDS];
	struct worker w[2][CLIENTS];
	struct bench_daemon d[2];

	for (int i = 0; i < 2; i++) {
		bench_daemon_start(&d[i], options[i]);
		for (int k = 0; k < CLIENTS; k++) {
			start(&w[i][k], d[i].socket);
			hear(&w[i][k]);
		}
	}
	for (int round = -1; round < ROUNDS; round++) {
		for (int i = 0; i < 2; i++) {
			double r = round_of(w[i]);

			if (round >= 0)
				rate[i][round] = r;
		}
		if (round >= 0)
			ratio[round] = rate[1][round] / rate[0][round];
	}
	bench_print(&(struct bench_figure){"reactors", "events, two reactors, all CPUs", "1/s",
		"one reactor", bench_median(rate[0], ROUNDS), bench_median(rate[1], ROUNDS),
		bench_median(ratio, ROUNDS), NAN});
	/* All before the first wait: a client has the ends of those that were started before it. */
	for (int i = 0; i < 2; i++)
		for (int k = 0; k < CLIENTS; k++)
			close(w[i][k].sock);
	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < CLIENTS; k++)
			waitpid(w[i][k].pid, NULL, 0);
		bench_daemon_stop(&d[i]);
	}
}
