/* SPDX-License-Identifier: MIT */
#include "regs.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "deadline.h"

#define MIN_BY_FD 64u

void rdy__regs_init(struct rdy__regs *regs)
{
	*regs = (struct rdy__regs){0};
	rdy__list_init(&regs->free);
}

void rdy__regs_deinit(struct rdy__regs *regs)
{
	for (uint32_t i = 0; i < regs->n_slots; i++)
		free(rdy__regs_at(regs, i)->deadline);
	for (uint32_t i = 0; i < regs->n_slots; i += RDY__REG_CHUNK)
		free(regs->chunks[i / RDY__REG_CHUNK]);
	free(regs->chunks);
	free(regs->by_fd);
	rdy__regs_init(regs);
}

static int grow_by_fd(struct rdy__regs *regs, size_t fd)
{
	size_t n = regs->n_by_fd ? regs->n_by_fd : MIN_BY_FD;
	uint32_t *map;

	if (fd < regs->n_by_fd)
		return 0;
	while (n <= fd)
		n *= 2;
	map = reallocarray(regs->by_fd, n, sizeof(*map));
	if (!map)
		return -ENOMEM;
	memset(map + regs->n_by_fd, 0, (n - regs->n_by_fd) * sizeof(*map));
	regs->by_fd = map;
	regs->n_by_fd = n;
	return 0;
}

static int grow_slots(struct rdy__regs *regs)
{
	uint32_t n_chunks = regs->n_slots / RDY__REG_CHUNK;
	struct rdy__reg **chunks, *chunk;

	if (n_chunks == UINT32_MAX / RDY__REG_CHUNK)
		return -ENOMEM;
	chunks = reallocarray(regs->chunks, n_chunks + 1, sizeof(struct rdy__reg *));
	if (!chunks)
		return -ENOMEM;
	regs->chunks = chunks;
	chunk = calloc(RDY__REG_CHUNK, sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	chunks[n_chunks] = chunk;
	for (uint32_t i = 0; i < RDY__REG_CHUNK; i++) {
		chunk[i].index = regs->n_slots + i;
		chunk[i].generation = 1;
		rdy__list_init(&chunk[i].ready);
		rdy__list_append(&regs->free, &chunk[i].out);
	}
	regs->n_slots += RDY__REG_CHUNK;
	return 0;
}

int rdy__regs_add(struct rdy__regs *regs, int fd, struct rdy__reg **ret)
{
	struct rdy__reg *reg;
	int r;

	assert(fd >= 0 && !rdy__regs_by_fd(regs, fd));
	r = grow_by_fd(regs, (size_t)fd);
	if (r < 0)
		return r;
	if (rdy__list_empty(&regs->free)) {
		r = grow_slots(regs);
		if (r < 0)
			return r;
	}
	reg = rdy__list_entry(rdy__list_pop(&regs->free), struct rdy__reg, out);
	*reg = (struct rdy__reg){
		.index = reg->index,
		.generation = reg->generation,
		.fd = fd,
		.want = RDY__WANT_NOTHING,
	};
	rdy__list_init(&reg->ready);
	rdy__list_init(&reg->out);
	regs->by_fd[fd] = reg->index + 1;
	*ret = reg;
	return 0;
}

void rdy__regs_forget_fd(struct rdy__regs *regs, struct rdy__reg *reg)
{
	if (reg->fd >= 0)
		regs->by_fd[reg->fd] = 0;
	reg->fd = -1;
}

void rdy__regs_release(struct rdy__regs *regs, struct rdy__reg *reg)
{
	assert(!rdy__list_linked(&reg->ready) && !rdy__list_linked(&reg->out));
	assert(!reg->deadline || !rdy__list_linked(&reg->deadline->due));
	rdy__regs_forget_fd(regs, reg);
	free(reg->deadline);
	reg->deadline = NULL;
	reg->state = RDY__REG_FREE;
	/* 0 is never a generation, so no handle is 0. */
	if (++reg->generation == 0)
		reg->generation = 1;
	rdy__list_append(&regs->free, &reg->out);
}

struct rdy__reg *rdy__regs_by_fd(const struct rdy__regs *regs, int fd)
{
	if ((size_t)fd >= regs->n_by_fd || !regs->by_fd[fd])
		return NULL;
	return rdy__regs_at(regs, regs->by_fd[fd] - 1);
}
