/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that the service manager passed at the start, by name (sd_listen_fds(3)): its sockets, and what came
 * back out of its store. Each has one owner: who takes it, or this file until passed_close(). One thread.
 */
#ifndef SUPERVISOR_PASSED_H
#define SUPERVISOR_PASSED_H

/* Find them. Legal once; without a service manager there are none. */
void passed_init(void);

/* The first of that name, or -1. The caller's. */
int passed_take(const char *name);

/* All whose name begins so: take is called for each, the descriptor is its. */
void passed_take_all(
	const char *prefix, void (*take)(void *arg, const char *name, int take_fd), void *arg);

/* What nobody took: closed, and said in the log, as somebody meant something by it. */
void passed_close(void);

#endif
