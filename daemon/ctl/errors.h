/* SPDX-License-Identifier: MIT */
/*
 * What a failure of readyctl is: an exit code, a stable name, and three sentences. Functions that can fail
 * return 0 or the exit code, with the words in a struct ctl_problem.
 */
#ifndef CTL_ERRORS_H
#define CTL_ERRORS_H

#include <stdbool.h>
#include <stdint.h>

enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_NOT_RUNNING = 3,
	CTL_SILENT = 4,
	CTL_NOT_FOUND = 5,
	CTL_REFUSED = 6,
	CTL_QUOTA = 7,
	CTL_TIMED_OUT = 124,
	CTL_CLOSED = 256, /* never leaves the program: standard output is gone, end quietly */
};

struct ctl_problem {
	int exit;	/* enum ctl_exit */
	char error[48]; /* stable, upper case: the broker's name where it is the broker's error */
	char what[400];
	char why[400];
	char hint[400]; /* printed as "try" */
};

/* Set exit, error and what; why and hint become empty. Returns exit. */
int ctl_problem_set(struct ctl_problem *p, int code, const char *error, const char *what, ...)
	__attribute__((format(printf, 4, 5)));
void ctl_problem_why(struct ctl_problem *p, const char *why, ...)
	__attribute__((format(printf, 2, 3)));
void ctl_problem_hint(struct ctl_problem *p, const char *hint, ...)
	__attribute__((format(printf, 2, 3)));

/* rdy_client_new() said r (-errno), with the broker's error, for this path. Returns the exit code. */
int ctl_problem_connect(struct ctl_problem *p, const char *path, int r, uint32_t error);
/* The socket's file does not admit us (EACCES): why, and what to do. denied.c */
void ctl_problem_denied(struct ctl_problem *p, const char *path);
/* The broker refuses to go on with us: connecting, or connecting again. */
int ctl_problem_session(struct ctl_problem *p, const char *path, uint32_t error);
/* A registration was refused, by its error's name and text. fd is looked at to say why. */
int ctl_problem_registration(
	struct ctl_problem *p, const char *name, int fd, const char *error, const char *text);
/* Any other failure of a call: "cannot WHAT: strerror". */
int ctl_problem_errno(struct ctl_problem *p, const char *what, int r);

/* On standard error: three lines, or one JSON object. */
void ctl_problem_print(const struct ctl_problem *p, bool json, bool color);
/* A note on standard error that is no failure. */
void ctl_note(bool quiet, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
