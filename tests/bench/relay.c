/* SPDX-License-Identifier: MIT */
#include "relay.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define MAX_EVENTS 256
#define MAX_BATCH 250

struct record {
	uint64_t cookie, id;
	uint32_t what, seq;
};

static pid_t child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		bench_die("fork: %s", strerror(errno));
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int watch(const int *fds, size_t n)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);

	for (size_t i = 0; i < n; i++) {
		struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.u64 = i};

		if (epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &e))
			_exit(1);
	}
	return ep;
}

static void relay_run(enum relay_way way, int out, int ep)
{
	struct epoll_event events[MAX_EVENTS];
	struct record records[MAX_EVENTS];
	uint32_t seq = 0;

	for (;;) {
		int n = epoll_wait(ep, events, MAX_EVENTS, -1);
		size_t bytes;

		if (n < 0)
			_exit(1);
		for (int i = 0; i < n; i++)
			records[i] = (struct record){.cookie = events[i].data.u64,
				.id = events[i].data.u64,
				.what = events[i].events,
				.seq = ++seq};
		bytes = (size_t)n * sizeof(records[0]);
		if (way == RELAY_SEQPACKET)
			(void)!send(out, records, bytes, MSG_NOSIGNAL);
		else
			(void)!write(out, records, bytes);
	}
}

void relay_start(struct relay *r, enum relay_way way, const int *fds, size_t n)
{
	int ends[2];

	if (way == RELAY_SEQPACKET ? socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) : pipe(ends))
		bench_die("no channel: %s", strerror(errno));
	r->pid = child();
	if (r->pid == 0) {
		close(ends[0]);
		relay_run(way, ends[1], watch(fds, n));
	}
	close(ends[1]);
	r->out = ends[0];
}

void relay_stop(struct relay *r)
{
	close(r->out);
	end(r->pid);
}

void waiter_start(struct waiter *w, const int *fds, size_t n)
{
	struct epoll_event events[MAX_EVENTS];
	uint64_t *counter =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ep;

	if (counter == MAP_FAILED)
		bench_die("mmap: %s", strerror(errno));
	w->counter = counter;
	w->pid = child();
	if (w->pid)
		return;
	ep = watch(fds, n);
	for (;;) {
		int k = epoll_wait(ep, events, MAX_EVENTS, -1);

		if (k < 0)
			_exit(1);
		__atomic_fetch_add(counter, (uint64_t)k, __ATOMIC_RELEASE);
	}
}

void waiter_stop(struct waiter *w)
{
	end(w->pid);
	munmap((void *)w->counter, 4096);
}

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(MAX_BATCH * sizeof(int))];
};

static void receiver_run(int sock)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), have[16384];
	size_t n_have = 0;
	char buf[64];

	for (;;) {
		union control control;
		struct iovec iov = {buf, sizeof(buf)};
		struct msghdr m = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control.bytes,
			.msg_controllen = sizeof(control.bytes)};
		struct cmsghdr *c;

		if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) <= 0)
			_exit(0);
		c = CMSG_FIRSTHDR(&m);
		if (c) {
			size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

			memcpy(have + n_have, CMSG_DATA(c), n * sizeof(int));
			for (size_t i = 0; i < n; i++) {
				struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET,
					.data.u64 = n_have + i};

				if (epoll_ctl(ep, EPOLL_CTL_ADD, have[n_have + i], &e))
					_exit(1);
			}
			n_have += n;
		} else {
			/* The sender has the same files: closing alone would leave them in the epoll. */
			while (n_have--) {
				epoll_ctl(ep, EPOLL_CTL_DEL, have[n_have], NULL);
				close(have[n_have]);
			}
			n_have = 0;
		}
		if (send(sock, "k", 1, MSG_NOSIGNAL) != 1)
			_exit(0);
	}
}

void receiver_start(struct receiver *r)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv))
		bench_die("socketpair: %s", strerror(errno));
	r->pid = child();
	if (r->pid == 0) {
		close(sv[0]);
		receiver_run(sv[1]);
	}
	close(sv[1]);
	r->sock = sv[0];
}

void receiver_stop(struct receiver *r)
{
	close(r->sock);
	end(r->pid);
}

static void answer(struct receiver *r)
{
	char byte;

	if (recv(r->sock, &byte, 1, 0) != 1)
		bench_die("the yardstick's receiver ended");
}

void receiver_register(struct receiver *r, const int *fds, size_t n, size_t batch)
{
	size_t owed = 0;

	for (size_t i = 0; i < n; i += batch) {
		size_t k = n - i < batch ? n - i : batch;
		union control control = {0};
		struct iovec iov = {(char[]){"r"}, 1};
		struct msghdr m = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control.bytes,
			.msg_controllen = CMSG_SPACE(k * sizeof(int))};
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(k * sizeof(int));
		memcpy(CMSG_DATA(c), fds + i, k * sizeof(int));
		if (sendmsg(r->sock, &m, MSG_NOSIGNAL) < 0)
			bench_die("sendmsg: %s", strerror(errno));
		/* As the client library: several messages under way, answers read as they come. */
		if (++owed == 16) {
			answer(r);
			owed--;
		}
	}
	while (owed--)
		answer(r);
}

void receiver_forget(struct receiver *r)
{
	if (send(r->sock, "f", 1, MSG_NOSIGNAL) != 1)
		bench_die("send: %s", strerror(errno));
	answer(r);
}
