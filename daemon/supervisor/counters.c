/* SPDX-License-Identifier: MIT */
/* See counters.h. Reads and writes one small file of ours on a file system in memory. */
#include "counters.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "log.h"

#define NAME "counters"

/* Another layout is another magic: what an older or newer readyd has written is no mistake, and not read. */
struct image {
	char magic[8];
	struct counters counters;
};

static const char magic[8] = "rdycnt1";

/* Ours alone: what somebody else could have written would be shown as the truth. */
static int open_file(int dir, int flags)
{
	int fd = openat(dir, NAME, flags | O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600), r;
	struct stat st;

	if (fd < 0)
		return -errno;
	r = fstat(fd, &st) < 0 ? -errno : 0;
	if (r == 0 && (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 022))
		r = -EPERM;
	if (r == 0)
		return fd;
	rdy__fd_close(fd);
	return r;
}

void counters_load(struct counters_kept *k, int dir, struct counters *ret)
{
	struct image image;
	int fd = open_file(dir, O_CREAT);

	*k = COUNTERS_KEPT_NULL;
	*ret = (struct counters){0};
	k->fd = fd;
	if (fd < 0)
		return;
	if (pread(fd, &image, sizeof(image), 0) == sizeof(image) &&
		memcmp(image.magic, magic, sizeof(magic)) == 0)
		*ret = image.counters;
	k->saved = *ret;
}

void counters_save(struct counters_kept *k, const struct counters *c)
{
	struct image image;

	if (k->failed || memcmp(&k->saved, c, sizeof(*c)) == 0)
		return;
	memcpy(image.magic, magic, sizeof(magic));
	image.counters = k->saved = *c;
	if (k->fd >= 0 && pwrite(k->fd, &image, sizeof(image), 0) == sizeof(image))
		return;
	log_line(LOG_P_WARNING, "counters=lost error=\"%s\" effect=\"a restart begins with 0\"",
		strerror(k->fd < 0 ? -k->fd : errno));
	k->failed = true;
}

void counters_close(struct counters_kept *k, int dir, bool keep)
{
	if (k->fd >= 0 && !keep)
		unlinkat(dir, NAME, 0);
	if (k->fd >= 0)
		rdy__fd_close(k->fd);
	k->fd = -1;
}
