/* SPDX-License-Identifier: MIT */
/*
 * Vetting: what kind of descriptor did a client hand in? Threads: any once initialised.
 *
 * It may not use a call that asks a filesystem or takes a lock that a client can hold: fstat, fstatfs and
 * getpeername of an internet socket can block for ever. What is left: getsockopt of constants of a socket,
 * the text of the link in /proc/self/fd, statx with an empty mask and DONT_SYNC, and the fdinfo of a
 * character device. The link is read under the descriptor's own number: moving the descriptor to a fixed
 * one (where the kernel's path cache is warm; 2 against 5 us) would take a close(), which a FUSE file can
 * block for ever.
 */
#ifndef AGENT_VET_H
#define AGENT_VET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/wire.h"

struct vet {
	int links;		  /* /proc/self/fd */
	int infos;		  /* /proc/self/fdinfo */
	_Atomic pid_t supervisor; /* who listens on readyd's sockets; changes with the supervisor */
	uint32_t memfd_major;	  /* device of the kernel's own memory files; 0:0 = unknown */
	uint32_t memfd_minor;
};

#define VET_NULL \
	(struct vet) \
	{ \
		.links = -1, .infos = -1 \
	}

struct vet_result {
	enum wire_kind kind;
	bool own; /* the peer is a socket on which readyd listens */
	uint64_t
		cookie; /* SO_COOKIE of a unix socket, else 0: the caller compares it with its own */
};

/* Before the sandbox. Returns 0 or -errno; deinit is idempotent and legal after a failed init. */
int vet_init(struct vet *v, pid_t supervisor);
void vet_deinit(struct vet *v);

/* Another process listens now. Connections that were made to the one before are not `own` any more (limit below). */
void vet_set_supervisor(struct vet *v, pid_t supervisor);

/*
 * Classify fd (borrowed). Never blocks, never changes anything at fd. WIRE_KIND_PATH is the answer whenever
 * the file behind fd could block in close(): such a descriptor must never be closed by a reactor.
 *
 * Limit of `own`: SO_PEERCRED of a client's end names the process that called listen(). readyd calls it
 * itself, also on a socket it inherits; where another process did, a client that hands in its own session
 * socket gets a feedback loop that only its own uid's agent and quota pay for. So does one that hands in a session
 * socket of before its agent was adopted; the ends that agents hold are known by their cookies in any case.
 */
void vet_fd(const struct vet *v, int fd, struct vet_result *ret);

/* Is the kind one that a client may register? */
bool vet_kind_allowed(enum wire_kind kind);

#endif
