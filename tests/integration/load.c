/* SPDX-License-Identifier: MIT */
/* See load.h. */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

/* Even: pipes; odd: sockets. */
static void open_channels(struct load *l)
{
	for (uint32_t i = 0; i < LOAD_CHANNELS; i++) {
		int r = i % 2 ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
					l->ends[i])
			      : pipe2(l->ends[i], O_CLOEXEC | O_NONBLOCK);

		need(r == 0, "%s", strerror(errno));
	}
}

static void write_numbers(struct proc *self, void *arg)
{
	struct load *l = arg;
	unsigned int seed = 1;

	while (!l->stop) {
		uint32_t n = 0;

		for (uint32_t i = 0; i < LOAD_CHANNELS; i++) {
			uint32_t next = l->written[i] + 1;

			if (l->read[i] != l->written[i] || rand_r(&seed) % 4 == 0)
				continue;
			l->written[i] = next;
			need_int(write(l->ends[i][1], &next, sizeof(next)), ==, sizeof(next));
			n++;
		}
		if (n == 0)
			poll(NULL, 0, 1); /* until something was read, or the dice fall otherwise */
	}
	l->stopped = true;
}

static void read_channel(struct load *l, uint32_t i)
{
	uint32_t number;
	ssize_t n;

	while ((n = read(l->ends[i][0], &number, sizeof(number))) > 0) {
		need_int(n, ==, sizeof(number));
		need_int(number, ==, l->read[i] + 1);
		l->read[i] = number;
		l->total++;
	}
	need(n < 0 && errno == EAGAIN, "%zd %s", n, strerror(errno));
}

static bool all_read(struct load *l)
{
	if (!l->stopped)
		return false;
	for (uint32_t i = 0; i < LOAD_CHANNELS; i++)
		if (l->read[i] != l->written[i])
			return false;
	return true;
}

static void take_event(struct load *l, struct rdy_client *c, const struct rdy_client_event *e)
{
	switch (e->type) {
	case RDY_CLIENT_LOST:
		l->losses++;
		break;
	case RDY_CLIENT_RESTORED:
		l->restorations++;
		break;
	case RDY_CLIENT_REFUSED:
		break;
	case RDY_CLIENT_READY:
		need_int(e->token, <, LOAD_CHANNELS);
		read_channel(l, (uint32_t)e->token);
		if (e->flags & RDY_CLIENT_DISARMED)
			need_int(rdy_client_rearm(c, e->handle), ==, 0);
		break;
	default:
		need(false, "type %u error %s", e->type, rdy_client_error_name(e->error));
	}
}

static void read_numbers(struct proc *self, void *arg)
{
	struct load *l = arg;
	struct rdy_client *c = client_open(l->in);
	int64_t progress_ns = now_ns(), gap_ns;

	for (uint32_t i = 0; i < LOAD_CHANNELS; i++) {
		uint64_t handle;

		need_int(rdy_client_register(c, l->ends[i][0], i, RDY_READABLE,
				 i / 2 % 2 ? RDY_EDGE : RDY_ONESHOT, 0, &handle),
			==, 0);
	}
	client_sync(c);
	proc_say(self, NULL, 0);
	while (!all_read(l)) {
		struct rdy_client_event e[16];
		int n = rdy_client_wait(c, e, 16, RDY__NS_PER_S / 5);

		need_int(n, >=, 0);
		for (int i = 0; i < n; i++)
			take_event(l, c, &e[i]);
		gap_ns = now_ns() - progress_ns;
		if (n > 0) {
			progress_ns += gap_ns;
			if (gap_ns > l->gap_ns)
				l->gap_ns = gap_ns;
		}
		for (uint32_t i = 0; gap_ns > PATIENCE_NS && i < LOAD_CHANNELS; i++)
			need(l->read[i] == l->written[i],
				"channel %u waits for ever: %u of %u, %u losses, %u restorations",
				i, l->read[i], l->written[i], l->losses, l->restorations);
	}
	rdy_client_free(c);
}

void load_progress(struct load *l, uint32_t n, int64_t until_ns)
{
	uint32_t from = l->total;
	int64_t start = now_ns();

	while (l->total - from < n || now_ns() < until_ns)
		need(look_again(start), "%u of %u numbers: %u losses, %u restorations",
			l->total - from, n, l->losses, l->restorations);
}

struct load *load_start(const struct instance *in, uid_t uid)
{
	struct load *l =
		mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct proc p;

	need(l != MAP_FAILED, "%s", strerror(errno));
	l->in = in;
	open_channels(l);
	/* Not in the shared memory: a fork has it, too. */
	proc_start(&p, uid, read_numbers, l);
	proc_hear(&p, NULL, 0);
	l->reader = p;
	proc_start(&p, uid, write_numbers, l);
	l->writer = p;
	return l;
}

void load_end(struct load *l)
{
	l->stop = true;
	proc_end(&l->writer);
	proc_end(&l->reader);
}

void load_free(struct load *l)
{
	for (uint32_t i = 0; i < LOAD_CHANNELS; i++) {
		rdy__fd_close(l->ends[i][0]);
		rdy__fd_close(l->ends[i][1]);
	}
	munmap(l, sizeof(*l));
}
