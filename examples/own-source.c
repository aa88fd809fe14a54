/* SPDX-License-Identifier: MIT */
/*
 * A source of one's own: a queue between threads that can be registered with a poll like a socket. Another thread
 * puts the squares of 1 to 5 in; the poll says when there is something to take.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <ready/ready.h>

#define ROOM 16

/* The source comes first, so that a pointer to one is a pointer to the other. */
struct queue {
	struct rdy_source source;
	int fd; /* an eventfd: readable while there is something */
	pthread_mutex_t lock;
	int items[ROOM];
	size_t n;
};

static int queue_add(struct rdy_source *s, struct rdy_registry *registry, uint64_t token,
	uint32_t interest, uint32_t mode)
{
	if (interest != RDY_READABLE)
		return -EINVAL; /* the caller of rdy_source_register() gets it */
	return rdy_registry_register(registry, ((struct queue *)s)->fd, token, interest, mode);
}

static int queue_modify(struct rdy_source *s, struct rdy_registry *registry, uint64_t token,
	uint32_t interest, uint32_t mode)
{
	if (interest != RDY_READABLE)
		return -EINVAL;
	return rdy_registry_modify(registry, ((struct queue *)s)->fd, token, interest, mode);
}

static int queue_rearm(struct rdy_source *s, struct rdy_registry *registry)
{
	return rdy_registry_rearm(registry, ((struct queue *)s)->fd);
}

static int queue_remove(struct rdy_source *s, struct rdy_registry *registry)
{
	return rdy_registry_deregister(registry, ((struct queue *)s)->fd);
}

static const struct rdy_source_ops queue_ops = {queue_add, queue_modify, queue_rearm, queue_remove};

static int queue_init(struct queue *q)
{
	*q = (struct queue){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	if (q->fd < 0)
		return -errno;
	pthread_mutex_init(&q->lock, NULL);
	rdy_source_init(&q->source, &queue_ops);
	return 0;
}

static void queue_deinit(struct queue *q)
{
	rdy_source_deinit(&q->source); /* before the descriptor is closed */
	close(q->fd);
	pthread_mutex_destroy(&q->lock);
}

static void queue_put(struct queue *q, int item)
{
	pthread_mutex_lock(&q->lock);
	if (q->n < ROOM)
		q->items[q->n++] = item;
	pthread_mutex_unlock(&q->lock);
	eventfd_write(q->fd, 1);
}

/* All there is, into items. */
static size_t queue_take(struct queue *q, int items[ROOM])
{
	eventfd_t ignored;
	size_t n;

	/* First, so that what is put after it makes the queue ready again. */
	eventfd_read(q->fd, &ignored);
	pthread_mutex_lock(&q->lock);
	n = q->n;
	for (size_t i = 0; i < n; i++)
		items[i] = q->items[i];
	q->n = 0;
	pthread_mutex_unlock(&q->lock);
	return n;
}

static void *square(void *arg)
{
	for (int i = 1; i <= 5; i++)
		queue_put(arg, i * i);
	return NULL;
}

int main(void)
{
	struct rdy_events *events;
	struct rdy_poll *poll;
	struct rdy_event e;
	struct queue q;
	pthread_t thread;
	int items[ROOM], sum = 0;

	if (rdy_poll_new(NULL, &poll) < 0 || rdy_events_new(8, &events) < 0 || queue_init(&q) < 0)
		return EXIT_FAILURE;
	if (rdy_source_register(&q.source, rdy_poll_registry(poll), 1, RDY_READABLE, RDY_LEVEL) < 0)
		return EXIT_FAILURE;
	if (pthread_create(&thread, NULL, square, &q) != 0)
		return EXIT_FAILURE;
	while (sum < 1 + 4 + 9 + 16 + 25 && rdy_poll_wait(poll, events, INT64_C(5000000000)) > 0)
		while (rdy_events_next(events, &e))
			for (size_t n = queue_take(&q, items), i = 0; i < n; i++) {
				printf("%d\n", items[i]);
				sum += items[i];
			}
	pthread_join(thread, NULL);
	queue_deinit(&q);
	rdy_events_free(events);
	rdy_poll_free(poll);
	return sum == 55 ? EXIT_SUCCESS : EXIT_FAILURE;
}
