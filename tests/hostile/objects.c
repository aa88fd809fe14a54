/* SPDX-License-Identifier: MIT */
/* See objects.h. */
#include "objects.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "harness.h"

int object_lingering(int linger_s, int *ret_end)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	const struct linger linger = {.l_onoff = 1, .l_linger = linger_s};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), end, small = 4096;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t size = sizeof(a);
	static char data[65536];

	need(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) == 0 &&
			bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0 &&
			listen(listener, 1) == 0 &&
			getsockname(listener, (struct sockaddr *)&a, &size) == 0,
		"%s", strerror(errno));
	need(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EINPROGRESS, "%s",
		strerror(errno));
	end = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	need(end >= 0, "%s", strerror(errno));
	while (write(fd, data, sizeof(data)) > 0)
		;
	need(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0, "%s",
		strerror(errno));
	rdy__fd_close(listener);
	*ret_end = end;
	return fd;
}

/* From a socket in which nothing comes, or to one that is full: either waits with the pipe's lock in its hand. */
static void hold(int pipe_fd, enum pipe_end end, const int *sv)
{
	static char data[65536];

	if (end == PIPE_READ_END) {
		splice(sv[0], NULL, pipe_fd, NULL, 1, 0);
		return;
	}
	while (send(sv[0], data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	splice(pipe_fd, NULL, sv[0], NULL, 1, 0);
}

void held_pipe_make(struct held_pipe *h, enum pipe_end end)
{
	char path[64], text[128] = "";
	int64_t start = now_ns();
	int sv[2], p[2], fd;

	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0, "%s", strerror(errno));
	need(pipe2(p, O_CLOEXEC) == 0, "%s", strerror(errno));
	need(end == PIPE_READ_END || write(p[1], "x", 1) == 1, "%s", strerror(errno));
	h->holder = fork();
	need(h->holder >= 0, "%s", strerror(errno));
	if (h->holder == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_DUMPABLE, 1);
		rdy__fd_close(p[end]);
		hold(p[!end], end, sv);
		_exit(0);
	}
	/* Both ends of the socket stay open there. */
	rdy__fd_close(sv[0]);
	rdy__fd_close(sv[1]);
	rdy__fd_close(p[!end]);
	h->fd = p[end];
	/* A number stands there only while it sleeps in the call. */
	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)h->holder);
	while (atoi(text) != SYS_splice) {
		need(look_again(start), "it does not get there: %s", text);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
			text[0] = 0;
		rdy__fd_close(fd);
	}
}

void held_pipe_forget(struct held_pipe *h)
{
	h->fd = rdy__fd_close(h->fd);
}

void held_pipe_free(struct held_pipe *h)
{
	kill(h->holder, SIGKILL);
	need_int(waitpid(h->holder, NULL, 0), ==, h->holder);
	held_pipe_forget(h);
}

int object_in_queue(int fd, int *ret_end)
{
	int sv[2];

	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == 0, "%s", strerror(errno));
	need_int(rdy__send_fds(sv[0], "x", 1, &fd, 1), ==, 0);
	*ret_end = sv[0];
	return sv[1];
}

pid_t object_send(int sock, const void *buf, size_t n_bytes, int take_fd)
{
	pid_t pid;
	int go[2];
	char c;

	need(pipe2(go, O_CLOEXEC) == 0, "%s", strerror(errno));
	pid = fork();
	need(pid >= 0, "%s", strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		rdy__fd_close(go[1]);
		if (read(go[0], &c, 1) != 0)
			_exit(1);
		_exit(rdy__send_fds(sock, buf, n_bytes, &take_fd, 1) != 0);
	}
	rdy__fd_close(take_fd);
	rdy__fd_close(go[0]);
	rdy__fd_close(go[1]);
	return pid;
}

void object_sent(pid_t pid)
{
	int status;

	need_int(waitpid(pid, &status, 0), ==, pid);
	need(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", (unsigned int)status);
}
