/* SPDX-License-Identifier: MIT */
/* Changes of files as readiness: inotify(7). Threads: one at a time for one io. May not block. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "net/io.h"
#include "ready/os.h"

/*
 * The longest event: FUSE allows names of PATH_MAX - 1 bytes. Into less the kernel does not read
 * it, but says EINVAL, each time.
 */
#define BUF_BYTES (sizeof(struct inotify_event) + PATH_MAX)

/* What was read and not yet taken. */
struct files {
	size_t pos, end;
	char buf[BUF_BYTES] __attribute__((aligned(__alignof__(struct inotify_event))));
};

static const struct {
	uint32_t change, mask;
} map[] = {
	{RDY_FILE_MODIFIED, IN_MODIFY},
	{RDY_FILE_ATTRIBUTES, IN_ATTRIB},
	{RDY_FILE_CREATED, IN_CREATE | IN_MOVED_TO},
	{RDY_FILE_DELETED, IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF},
	{RDY_FILE_CLOSED, IN_CLOSE_WRITE},
	{RDY_FILE_MOVED, IN_MOVE_SELF},
	/* Not to be asked for. */
	{RDY_FILE_GONE, IN_IGNORED},
	{RDY_FILE_LOST, IN_Q_OVERFLOW},
};

static uint32_t mask_of(uint32_t changes)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		mask |= changes & map[i].change & RDY_FILE_CHANGES ? map[i].mask : 0;
	return mask;
}

static uint32_t changes_of(uint32_t mask)
{
	uint32_t changes = 0;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		changes |= mask & map[i].mask ? map[i].change : 0;
	return changes;
}

static bool is_files(const struct rdy_io *io)
{
	return io && io->kind == RDY__IO_FILES;
}

int rdy_files_new(struct rdy_io **ret)
{
	int fd;

	if (!ret)
		return -EINVAL;
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	return fd < 0 ? -errno : rdy__io_take(fd, RDY__IO_FILES, sizeof(struct files), ret);
}

int rdy_files_watch(struct rdy_io *io, const char *path, uint32_t changes)
{
	int watch;

	if (!is_files(io) || !path || !changes || changes & ~RDY_FILE_CHANGES)
		return -EINVAL;
	watch = inotify_add_watch(io->fd, path, mask_of(changes));
	return watch < 0 ? -errno : watch;
}

int rdy_files_unwatch(struct rdy_io *io, int watch)
{
	if (!is_files(io))
		return -EINVAL;
	return inotify_rm_watch(io->fd, watch) < 0 ? -errno : 0;
}

/* Returns 0 with something to take, or -errno. */
static int fill(struct rdy_io *io, struct files *f)
{
	ssize_t r;

	do
		r = read(io->fd, f->buf, sizeof(f->buf));
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return (int)rdy__io_done(io, -errno);
	f->pos = 0;
	f->end = (size_t)r;
	return 0;
}

int rdy_files_next(struct rdy_io *io, struct rdy_file_change *ret)
{
	struct inotify_event e;
	struct files *f;
	size_t n;
	int r;

	if (!is_files(io) || !ret)
		return -EINVAL;
	f = io->extra;
	do {
		if (f->pos == f->end) {
			r = fill(io, f);
			if (r < 0)
				return r;
		}
		memcpy(&e, f->buf + f->pos, sizeof(e));
		/* A kind of event that is no change, such as that the file system was unmounted: IN_IGNORED follows. */
		if (!changes_of(e.mask))
			f->pos += sizeof(e) + e.len;
	} while (!changes_of(e.mask));
	n = e.len ? strnlen(f->buf + f->pos + sizeof(e), e.len) : 0;
	if (n >= sizeof(ret->name))
		n = sizeof(ret->name) - 1;
	ret->watch = e.wd;
	ret->changes = changes_of(e.mask);
	memcpy(ret->name, f->buf + f->pos + sizeof(e), n);
	ret->name[n] = 0;
	f->pos += sizeof(e) + e.len;
	return 0;
}
