/* SPDX-License-Identifier: MIT */
/* See sockets.h. A uid has tens of sessions: a scan is quicker than what would avoid it. */
#include "sockets.h"

#include <errno.h>
#include <stdlib.h>

#define SOCKETS_FIRST 16u

int sockets_init(struct sockets *s)
{
	*s = (struct sockets){0};
	return -pthread_mutex_init(&s->lock, NULL);
}

void sockets_deinit(struct sockets *s)
{
	free(s->cookies);
	s->cookies = NULL;
	s->n = s->cap = 0;
	pthread_mutex_destroy(&s->lock);
}

static int add(struct sockets *s, uint64_t cookie)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : SOCKETS_FIRST;
		uint64_t *cookies = realloc(s->cookies, cap * sizeof(*cookies));

		if (!cookies)
			return -ENOMEM;
		s->cookies = cookies;
		s->cap = cap;
	}
	s->cookies[s->n++] = cookie;
	return 0;
}

int sockets_add(struct sockets *s, uint64_t cookie)
{
	int e;

	if (!cookie)
		return 0;
	pthread_mutex_lock(&s->lock);
	e = add(s, cookie);
	pthread_mutex_unlock(&s->lock);
	return e;
}

void sockets_remove(struct sockets *s, uint64_t cookie)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n; i++) {
		if (s->cookies[i] == cookie) {
			s->cookies[i] = s->cookies[--s->n];
			break;
		}
	}
	pthread_mutex_unlock(&s->lock);
}

bool sockets_have(struct sockets *s, uint64_t cookie)
{
	bool have = false;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n && !have; i++)
		have = s->cookies[i] == cookie;
	pthread_mutex_unlock(&s->lock);
	return have;
}
