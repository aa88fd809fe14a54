/* SPDX-License-Identifier: MIT */
/*
 * The SO_COOKIEs of all session sockets of the agent, so that none of them is registered in another session:
 * an event would make itself. Any thread; one lock, off the event path (a unix socket is registered).
 */
#ifndef AGENT_SOCKETS_H
#define AGENT_SOCKETS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockets {
	pthread_mutex_t lock;
	uint64_t *cookies;
	size_t n, cap;
};

int sockets_init(struct sockets *s);
void sockets_deinit(struct sockets *s);

/* 0 (unknown) is ignored. Returns 0 or -ENOMEM. */
int sockets_add(struct sockets *s, uint64_t cookie);
void sockets_remove(struct sockets *s, uint64_t cookie);
bool sockets_have(struct sockets *s, uint64_t cookie);

#endif
