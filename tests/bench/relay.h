/* SPDX-License-Identifier: MIT */
/*
 * The yardsticks that need a process of their own: what somebody would write by hand, with nothing of
 * readyd in it.
 */
#ifndef BENCH_RELAY_H
#define BENCH_RELAY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum relay_way { RELAY_SEQPACKET, RELAY_PIPE };

struct relay {
	pid_t pid;
	int out; /* where its records can be read, blocking */
};

/* A child: epoll (edge) over the descriptors, a record of 24 bytes per event to `out`. */
void relay_start(struct relay *r, enum relay_way way, const int *fds, size_t n);
void relay_stop(struct relay *r);

/* A child that does nothing but epoll_wait; *counter (shared) is the number of events it has seen. */
struct waiter {
	pid_t pid;
	volatile uint64_t *counter;
};
void waiter_start(struct waiter *w, const int *fds, size_t n);
void waiter_stop(struct waiter *w);

/*
 * A child that receives descriptors by SCM_RIGHTS, adds each to an epoll, and answers one byte a message;
 * an empty-handed message makes it close all and answer.
 */
struct receiver {
	pid_t pid;
	int sock;
};
void receiver_start(struct receiver *r);
void receiver_stop(struct receiver *r);
void receiver_register(struct receiver *r, const int *fds, size_t n, size_t batch);
void receiver_forget(struct receiver *r);

#endif
