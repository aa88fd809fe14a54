/* SPDX-License-Identifier: MIT */
/* See reply.h. Allocates only while a client does not read. */
#include "reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void replies_deinit(struct replies *q)
{
	while (q->head)
		replies_drop(q);
}

int replies_append(struct replies *q, const uint8_t *frame, size_t n_bytes)
{
	struct reply *r = malloc(sizeof(*r) + n_bytes);

	if (!r)
		return -ENOMEM;
	r->next = NULL;
	r->n_bytes = n_bytes;
	memcpy(r->bytes, frame, n_bytes);
	if (q->tail)
		q->tail->next = r;
	else
		q->head = r;
	q->tail = r;
	q->n++;
	return 0;
}

void replies_drop(struct replies *q)
{
	struct reply *r = q->head;

	q->head = r->next;
	if (!q->head)
		q->tail = NULL;
	q->n--;
	free(r);
}
