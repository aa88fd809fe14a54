/* SPDX-License-Identifier: MIT */
/* A raw varlink client of the control socket, as any user. Header only: not every test links the codec. */
#ifndef VARLINK_H
#define VARLINK_H

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/control.h"
#include "harness.h"

struct varlink {
	int sock;
	struct control_inbox in;
};

/*
 * Connect as that user, with that supplementary group ((gid_t)-1: none): identity is taken from the kernel at
 * connect, so only this call is made as somebody else. One thread.
 */
static inline void varlink_open_with(
	struct varlink *v, const struct instance *in, uid_t uid, gid_t group)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	uid_t self = geteuid();
	int r;

	need_int(snprintf(a.sun_path, sizeof(a.sun_path), "%s/control.sock", in->runtime), <,
		(int)sizeof(a.sun_path));
	*v = (struct varlink){.sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	need(v->sock >= 0, "%s", strerror(errno));
	if (self == 0)
		need(setgroups(group != (gid_t)-1, &group) == 0, "%s", strerror(errno));
	need(seteuid(uid) == 0, "%s", strerror(errno));
	r = connect(v->sock, (struct sockaddr *)&a, sizeof(a));
	r = r < 0 ? -errno : 0;
	need(seteuid(self) == 0, "%s", strerror(errno));
	need(r == 0, "connect: %s", strerror(-r));
}

static inline void varlink_open(struct varlink *v, const struct instance *in, uid_t uid)
{
	varlink_open_with(v, in, uid, (gid_t)-1);
}

static inline void varlink_close(struct varlink *v)
{
	if (v->sock >= 0)
		close(v->sock);
	v->sock = -1;
	control_inbox_deinit(&v->in);
}

/* A refusal may have come and gone before: then reading tells. */
static inline void varlink_send(struct varlink *v, const char *text)
{
	ssize_t n = send(v->sock, text, strlen(text) + 1, MSG_NOSIGNAL);

	need(n == (ssize_t)strlen(text) + 1 || (n < 0 && errno == EPIPE), "%zd: %s", n,
		strerror(errno));
}

/* The next reply: 1; 0 at the end of the connection. */
static inline int varlink_read(struct varlink *v, struct control_reply *ret)
{
	struct pollfd p = {.fd = v->sock, .events = POLLIN};
	const char *text;
	char buf[16384];
	size_t room, n;
	ssize_t k;
	int r;

	while ((r = control_inbox_next(&v->in, &text, &n)) == 0) {
		need_int(poll(&p, 1, PATIENCE_MS), ==, 1);
		room = control_inbox_room(&v->in);
		k = recv(v->sock, buf, room < sizeof(buf) ? room : sizeof(buf), MSG_DONTWAIT);
		if (k == 0 || (k < 0 && errno == ECONNRESET))
			return 0;
		need(k > 0, "%s", strerror(errno));
		need_int(control_inbox_put(&v->in, buf, (size_t)k), ==, 0);
	}
	need_int(r, ==, 1);
	need_int(control_reply_parse(text, n, ret), ==, 0);
	return 1;
}

/* The reply, which is no error; control_reply_deinit() it. */
static inline struct control_reply varlink_call(struct varlink *v, const char *text)
{
	struct control_reply reply = CONTROL_REPLY_NULL;

	varlink_send(v, text);
	need(varlink_read(v, &reply) == 1, "the connection has ended: %s", text);
	need(reply.error == CONTROL_OK, "%s: %s", text, reply.name);
	return reply;
}

static inline void varlink_do(struct varlink *v, const char *text)
{
	struct control_reply reply = varlink_call(v, text);

	control_reply_deinit(&reply);
}

/* The error that it answers, or CONTROL_OK. */
static inline enum control_error varlink_error(struct varlink *v, const char *text)
{
	struct control_reply reply = CONTROL_REPLY_NULL;
	enum control_error e;

	varlink_send(v, text);
	need(varlink_read(v, &reply) == 1, "the connection has ended: %s", text);
	e = reply.error;
	control_reply_deinit(&reply);
	return e;
}

/* All rows of a list, as one array. *ret_pages may be NULL. */
static inline json_t *varlink_list(
	struct varlink *v, const char *text, const char *name, uint32_t *ret_pages)
{
	struct control_reply reply;
	json_t *all = json_array();
	uint32_t pages = 0;
	bool more;

	varlink_send(v, text);
	do {
		need(varlink_read(v, &reply) == 1, "the connection has ended: %s", text);
		need(reply.error == CONTROL_OK, "%s: %s", text, reply.name);
		json_array_extend(all, json_object_get(reply.parameters, name));
		more = reply.continues;
		control_reply_deinit(&reply);
		pages++;
	} while (more);
	if (ret_pages)
		*ret_pages = pages;
	return all;
}

static inline long long varlink_int(const json_t *object, const char *name)
{
	need(json_is_integer(json_object_get(object, name)), "%s", name);
	return json_integer_value(json_object_get(object, name));
}

static inline const char *varlink_word(const json_t *object, const char *name)
{
	need(json_is_string(json_object_get(object, name)), "%s", name);
	return json_string_value(json_object_get(object, name));
}

#endif
