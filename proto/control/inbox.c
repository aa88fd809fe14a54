/* SPDX-License-Identifier: MIT */
/* Framing: bytes in, whole messages out; see control.h. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"

#define ROOM_FIRST 1024u

void control_inbox_deinit(struct control_inbox *in)
{
	free(in->bytes);
	*in = CONTROL_INBOX_NULL;
}

size_t control_inbox_room(const struct control_inbox *in)
{
	return CONTROL_MESSAGE_MAX - (in->n_bytes - in->n_given);
}

static void forget_given(struct control_inbox *in)
{
	if (in->n_given == 0)
		return;
	in->n_bytes -= in->n_given;
	memmove(in->bytes, in->bytes + in->n_given, in->n_bytes);
	in->n_given = 0;
	if (in->n_bytes > 0)
		return;
	/* Most connections say one thing and then nothing for long. */
	control_inbox_deinit(in);
}

int control_inbox_put(struct control_inbox *in, const void *bytes, size_t n_bytes)
{
	size_t room;
	char *p;

	if (n_bytes > control_inbox_room(in))
		return -EMSGSIZE;
	if (n_bytes == 0)
		return 0;
	forget_given(in);
	if (in->room_bytes - in->n_bytes < n_bytes) {
		room = in->room_bytes ? in->room_bytes : ROOM_FIRST;
		while (room - in->n_bytes < n_bytes)
			room *= 2;
		assert(room <= CONTROL_MESSAGE_MAX);
		p = realloc(in->bytes, room);
		if (!p)
			return -ENOMEM;
		in->bytes = p;
		in->room_bytes = room;
	}
	memcpy(in->bytes + in->n_bytes, bytes, n_bytes);
	in->n_bytes += n_bytes;
	return 0;
}

int control_inbox_next(struct control_inbox *in, const char **ret, size_t *ret_n_bytes)
{
	const char *end;

	forget_given(in);
	if (in->n_bytes == 0)
		return 0;
	/* Each byte is looked at once, however small the pieces are that they come in. */
	end = memchr(in->bytes + in->n_scanned, 0, in->n_bytes - in->n_scanned);
	if (!end) {
		in->n_scanned = in->n_bytes;
		return in->n_bytes == CONTROL_MESSAGE_MAX ? -EMSGSIZE : 0;
	}
	in->n_scanned = 0;
	in->n_given = (size_t)(end - in->bytes) + 1;
	*ret = in->bytes;
	*ret_n_bytes = in->n_given - 1;
	return 1;
}
