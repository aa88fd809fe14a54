/* SPDX-License-Identifier: MIT */
/* What the code under test says on standard error or standard output. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit.h"

struct capture {
	int target, pipe[2], saved;
	char text[65536];
};

static inline void capture_start(struct capture *c, int target)
{
	fflush(NULL);
	c->target = target;
	ck_assert_int_eq(pipe2(c->pipe, O_CLOEXEC), 0);
	ck_assert_int_eq(fcntl(c->pipe[0], F_SETFL, O_NONBLOCK), 0);
	c->saved = fcntl(target, F_DUPFD_CLOEXEC, 10);
	ck_assert_int_ge(c->saved, 0);
	ck_assert_int_ge(dup2(c->pipe[1], target), 0);
}

/* The end, and what was said. */
static inline const char *capture_end(struct capture *c)
{
	ssize_t n;

	fflush(NULL);
	dup2(c->saved, c->target);
	rdy__fd_close(c->saved);
	rdy__fd_close(c->pipe[1]);
	n = read(c->pipe[0], c->text, sizeof(c->text) - 1);
	c->text[n > 0 ? n : 0] = 0;
	rdy__fd_close(c->pipe[0]);
	return c->text;
}

#endif
