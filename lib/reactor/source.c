/* SPDX-License-Identifier: MIT */
/*
 * Sources: where each is registered, and that its operations are called in order. What they do is theirs.
 * Threads: one at a time for one source.
 */
#include "ready/source.h"

#include <errno.h>

#include "reactor/core.h"

void rdy_source_init(struct rdy_source *source, const struct rdy_source_ops *ops)
{
	*source = (struct rdy_source){.ops = ops};
}

static void left(struct rdy_source *source)
{
	source->registry = rdy_registry_unref(source->registry);
	source->mode = 0;
}

void rdy_source_deinit(struct rdy_source *source)
{
	if (source->registry)
		(void)rdy_source_deregister(source);
}

int rdy_source_register(struct rdy_source *source, struct rdy_registry *registry, uint64_t token,
	uint32_t interest, uint32_t mode)
{
	int r;

	if (!source || !source->ops || !registry || !rdy__valid(interest, mode))
		return -EINVAL;
	/*
	 * Invariant: SOURCE-1: a refused register or move leaves the source where it was. Why: who is refused
	 * still has to deregister it there. Test: tests/unit/reactor/source.c/a_refused_move_changes_nothing
	 */
	if (source->registry)
		return source->registry == registry ? -EEXIST : -EBUSY;
	r = source->ops->add(source, registry, token, interest, mode);
	if (r < 0)
		return r;
	source->registry = rdy_registry_ref(registry);
	source->mode = mode;
	return 0;
}

int rdy_source_modify(struct rdy_source *source, uint64_t token, uint32_t interest, uint32_t mode)
{
	int r;

	if (!source || !rdy__valid(interest, mode))
		return -EINVAL;
	if (!source->registry)
		return -ENOENT;
	r = source->ops->modify(source, source->registry, token, interest, mode);
	if (r == 0)
		source->mode = mode;
	return r;
}

int rdy_source_rearm(struct rdy_source *source)
{
	if (!source)
		return -EINVAL;
	if (!source->registry)
		return -ENOENT;
	return source->ops->rearm(source, source->registry);
}

int rdy_source_deregister(struct rdy_source *source)
{
	int r;

	if (!source)
		return -EINVAL;
	if (!source->registry)
		return -ENOENT;
	r = source->ops->remove(source, source->registry);
	left(source);
	return r;
}

int rdy_source_is_registered(const struct rdy_source *source)
{
	return source && source->registry;
}
