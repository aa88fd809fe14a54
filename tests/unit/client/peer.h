/* SPDX-License-Identifier: MIT */
/*
 * A fake agent: a real listener in a private folder, driven by the test step by step, so that every order
 * of replies can be made. Its functions fail the test when something is not as it should be.
 */
#ifndef CLIENT_TEST_PEER_H
#define CLIENT_TEST_PEER_H

#include <pthread.h>
#include <ready/client.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fd.h"
#include "wire/wire.h"

/* Far beyond what anything here takes: a wait that ends like this has failed. */
#define LONG_NS INT64_C(20000000000)

struct peer {
	char dir[64], path[96];
	int listener, conn; /* conn: the client's session, -1 = none */
	struct wire_hello hello;
	struct wire_welcome welcome; /* what is answered; a test may change it before */
	pthread_t thread;
};

/* A request as it came. */
struct got {
	struct wire_frame frame; /* its records are in buf */
	int fds[RDY__FDS_MAX];
	size_t n_fds;
	uint8_t buf[WIRE_FRAME_MAX];
};

void peer_start(struct peer *p);
/* Idempotent. */
void peer_stop(struct peer *p);

/* Accept, and read HELLO; waits for both. */
void peer_accept(struct peer *p);
void peer_welcome(struct peer *p);
/* A client that is connected to p. o: NULL or with everything but the path. */
struct rdy_client *peer_client(struct peer *p, const struct rdy_client_options *o);
void peer_hang_up(struct peer *p);
/* Dispatch until the client, which has noticed the end, has connected anew; its HELLO was read. */
void peer_accept_again(struct peer *p, struct rdy_client *c);

/* The next request; waits for it. Its descriptors are closed at once; which they were stays in fds. */
void peer_recv(struct peer *p, struct got *ret, enum wire_type type, uint32_t count);
/* No request has come. */
void peer_expect_silence(struct peer *p);

void peer_send(struct peer *p, const void *bytes, size_t n_bytes);
/* REGISTERED with ids first_id, first_id + 1 ...; MODIFIED, DEREGISTERED: all well. */
void peer_answer(struct peer *p, const struct got *request, uint64_t first_id);
/* The one record of the request has failed. */
void peer_refuse(struct peer *p, const struct got *request, enum wire_error error);
void peer_event(
	struct peer *p, uint64_t cookie, uint64_t id, uint16_t ready, uint8_t flags, uint32_t seq);
void peer_timeout(struct peer *p, uint64_t cookie, uint64_t id, uint16_t which, uint32_t seq);
void peer_error(struct peer *p, uint32_t serial, enum wire_error error, bool fatal);

/* register(), flush, answer: a live registration. */
uint64_t live(
	struct peer *p, struct rdy_client *c, int fd, uint64_t token, uint32_t mode, uint64_t id);

/* poll() says that the client's descriptor is readable. */
bool readable(struct rdy_client *c);
/* Wait until dispatch() has at least n events, LONG_NS at most. */
void dispatch_until(struct rdy_client *c, int n);
/* Take the one event there is. */
struct rdy_client_event take_one(struct rdy_client *c);
/* Wait for one event and take it. */
struct rdy_client_event wait_one(struct rdy_client *c);

/* A pipe; both ends are the caller's. */
void make_pipe(int fds[2]);

#endif
