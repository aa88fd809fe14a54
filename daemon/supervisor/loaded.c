/* SPDX-License-Identifier: MIT */
/* See loaded.h. A peek has copies of the descriptors for a moment; the queue's own ones stay, so no close is the last. */
#include "loaded.h"

#include <errno.h>
#include <sys/socket.h>

#define LOOKS_MAX 64 /* who has sent more than so many messages is not looked through */
#define LOOK_BYTES 16384

/*
 * One message from here on. Returns its bytes, 0 the end, -1 it has descriptors or nobody knows.
 * ret_more: there was a message, though it was empty.
 */
static ssize_t look(int sock, bool stream, bool *ret_more)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	char bytes[LOOK_BYTES];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		/* Room for credentials, which every message has then, and for nothing beside them. */
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	ssize_t n;

	do
		n = recvmsg(sock, &msg,
			MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC | (stream ? 0 : MSG_TRUNC));
	while (n < 0 && errno == EINTR);
	if (n < 0 || msg.msg_flags & MSG_CTRUNC)
		return -1;
	/* A stream has no empty messages, and credentials of nobody at its end. */
	*ret_more = n > 0 || (!stream && msg.msg_controllen > 0);
	return n;
}

bool loaded(int sock)
{
	int type = 0, one = 1, at = 0, error;
	socklen_t n_bytes = sizeof(type);
	bool more = true;

	if (shutdown(sock, SHUT_RD) < 0 ||
		getsockopt(sock, SOL_SOCKET, SO_TYPE, &type, &n_bytes) < 0 ||
		setsockopt(sock, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0)
		return true;
	/* What is out of band is hidden from a peek otherwise. */
	if (type == SOCK_STREAM &&
		setsockopt(sock, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one)) < 0)
		return true;
	/* That its peer is gone would be told first. */
	n_bytes = sizeof(error);
	(void)getsockopt(sock, SOL_SOCKET, SO_ERROR, &error, &n_bytes);
	for (int i = 0; i < LOOKS_MAX; i++) {
		ssize_t n;

		if (setsockopt(sock, SOL_SOCKET, SO_PEEK_OFF, &at, sizeof(at)) < 0)
			return true;
		n = look(sock, type == SOCK_STREAM, &more);
		if (n < 0)
			return true;
		if (!more)
			return false;
		at += (int)n;
	}
	return true;
}
