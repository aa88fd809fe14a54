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

enum kind { PIPE, SOCKET, EVENTFD, N_KINDS };

static enum kind kind_of(uint32_t i)
{
	return i % N_KINDS;
}

static uint32_t mode_of(uint32_t i)
{
	static const uint32_t modes[] = {RDY_ONESHOT, RDY_EDGE, RDY_LEVEL};

	return modes[i / N_KINDS % 3];
}

static void open_channel(int *ends, enum kind kind)
{
	int r = 0;

	if (kind == PIPE)
		r = pipe2(ends, O_CLOEXEC | O_NONBLOCK);
	else if (kind == SOCKET)
		r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
	else
		ends[0] = ends[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	need(r == 0 && ends[0] >= 0, "%s", strerror(errno));
}

static void write_number(struct load *l, uint32_t i, uint32_t number)
{
	if (kind_of(i) == EVENTFD)
		need_int(eventfd_write(l->ends[i][1], 1), ==, 0); /* it counts by itself */
	else
		need_int(write(l->ends[i][1], &number, sizeof(number)), ==, sizeof(number));
}

/* The next number, if there is one. */
static bool read_number(const struct load *l, uint32_t i, uint32_t *ret)
{
	eventfd_t count;
	ssize_t n;

	if (kind_of(i) == EVENTFD) {
		n = eventfd_read(l->ends[i][0], &count);
		if (n == 0)
			*ret = l->read[i] + (uint32_t)count;
		need(n == 0 || errno == EAGAIN, "%s", strerror(errno));
		return n == 0;
	}
	n = read(l->ends[i][0], ret, sizeof(*ret));
	need(n == sizeof(*ret) || (n < 0 && errno == EAGAIN), "%zd %s", n, strerror(errno));
	return n > 0;
}

static void write_numbers(struct proc *self, void *arg)
{
	struct load *l = arg;
	unsigned int seed = 1;

	while (!l->stop) {
		uint32_t n = 0;

		l->paused = l->pause;
		if (l->paused) {
			poll(NULL, 0, 1);
			continue;
		}
		for (uint32_t i = 0; i < LOAD_CHANNELS; i++) {
			uint32_t next = l->written[i] + 1;

			if (l->read[i] != l->written[i] || rand_r(&seed) % 4 == 0)
				continue;
			l->written[i] = next;
			write_number(l, i, next);
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

	while (read_number(l, i, &number)) {
		need_int(number, ==, l->read[i] + 1);
		l->read[i] = number;
		l->total++;
	}
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
	struct rdy_client *c = client_open_patiently(l->in);
	int64_t progress_ns = now_ns(), gap_ns;

	for (uint32_t i = 0; i < LOAD_CHANNELS; i++) {
		uint64_t handle;

		need_int(rdy_client_register(
				 c, l->ends[i][0], i, RDY_READABLE, mode_of(i), 0, &handle),
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
	l->uid = uid;
	for (uint32_t i = 0; i < LOAD_CHANNELS; i++)
		open_channel(l->ends[i], kind_of(i));
	/* Not in the shared memory: a fork has it, too. */
	proc_start(&p, uid, read_numbers, l);
	proc_hear(&p, NULL, 0);
	l->reader = p;
	proc_start(&p, uid, write_numbers, l);
	l->writer = p;
	return l;
}

/* What the dead one had read and not yet noted. */
static void note_read(struct load *l)
{
	for (uint32_t i = 0; i < LOAD_CHANNELS; i++) {
		struct pollfd p = {.fd = l->ends[i][0], .events = POLLIN};

		if (l->read[i] == l->written[i] || poll(&p, 1, 0) == 1)
			continue;
		need_int(l->read[i] + 1, ==, l->written[i]);
		l->read[i] = l->written[i];
		l->total++;
	}
}

void load_replace_reader(struct load *l)
{
	struct proc p = l->reader;
	int64_t start = now_ns();

	proc_check(&p);
	proc_kill(&p);
	l->pause = true;
	while (!l->paused)
		need(look_again(start), "the writer does not pause");
	note_read(l);
	l->pause = false;
	while (l->paused) /* or the next one took this pause for its own */
		need(look_again(start), "the writer does not go on");
	proc_start(&p, l->uid, read_numbers, l);
	l->reader = p;
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
		if (kind_of(i) != EVENTFD)
			rdy__fd_close(l->ends[i][1]);
	}
	munmap(l, sizeof(*l));
}
