/* SPDX-License-Identifier: MIT */
/* Changes of files and folders. */
#include <limits.h>
#include <stdbool.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "os.h"

static char dir[64];

static const char *path(const char *name)
{
	static char p[2][160];
	static int i;

	i = !i;
	snprintf(p[i], sizeof(p[i]), "%s/%s", dir, name);
	return p[i];
}

static void setup(void)
{
	unit_setup();
	snprintf(dir, sizeof(dir), "/tmp/readyd-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	ck_assert_int_eq(rmdir(dir), 0);
	unit_teardown();
}

static void touch(const char *name)
{
	int fd = open(path(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	shut(&fd);
}

static void expect_change(struct rdy_io *io, int watch, uint32_t changes, const char *name)
{
	struct rdy_file_change c;

	ck_assert_int_eq(rdy_files_next(io, &c), 0);
	ck_assert_msg(c.watch == watch && c.changes == changes && strcmp(c.name, name) == 0,
		"watch %d changes %#x name '%s'", c.watch, c.changes, c.name);
}

START_TEST(in_a_folder)
{
	for_each_variant(b)
	{
		for_each_mode(mode)
		{
			struct rdy_file_change c;
			struct rdy_io *io;
			int w;

			ck_assert_int_eq(rdy_files_new(&io), 0);
			w = rdy_files_watch(io, dir, RDY_FILE_CHANGES);
			ck_assert_int_ge(w, 0);
			watch(&b, io, *mode);
			ck_assert_int_eq(rdy_files_next(io, &c), -EAGAIN);
			touch("a");
			wait_readable(&b);
			expect_change(io, w, RDY_FILE_CREATED, "a");
			expect_change(io, w, RDY_FILE_MODIFIED, "a");
			expect_change(io, w, RDY_FILE_CLOSED, "a");
			ck_assert_int_eq(rdy_files_next(io, &c), -EAGAIN);
			if (*mode == RDY_ONESHOT)
				rdy_source_rearm(rdy_io_source(io));
			ck_assert_int_eq(rename(path("a"), path("b")), 0);
			ck_assert_int_eq(unlink(path("b")), 0);
			wait_readable(&b);
			expect_change(io, w, RDY_FILE_DELETED, "a");
			expect_change(io, w, RDY_FILE_CREATED, "b");
			expect_change(io, w, RDY_FILE_DELETED, "b");
			ck_assert_int_eq(rdy_files_unwatch(io, w), 0);
			expect_change(io, w, RDY_FILE_GONE, "");
			ck_assert_int_eq(rdy_files_unwatch(io, w), -EINVAL);
			touch("c");
			ck_assert_int_eq(rdy_files_next(io, &c), -EAGAIN);
			ck_assert_int_eq(unlink(path("c")), 0);
			rdy_io_free(io);
		}
	}
}
END_TEST

START_TEST(of_a_file)
{
	struct rdy_file_change c;
	struct rdy_io *io;
	int w;

	touch("f");
	ck_assert_int_eq(rdy_files_new(&io), 0);
	w = rdy_files_watch(io, path("f"), RDY_FILE_ATTRIBUTES | RDY_FILE_MOVED | RDY_FILE_DELETED);
	ck_assert_int_ge(w, 0);
	touch("f"); /* nobody asked */
	ck_assert_int_eq(rdy_files_next(io, &c), -EAGAIN);
	ck_assert_int_eq(chmod(path("f"), 0644), 0);
	expect_change(io, w, RDY_FILE_ATTRIBUTES, "");
	ck_assert_int_eq(rename(path("f"), path("g")), 0);
	expect_change(io, w, RDY_FILE_MOVED, "");
	/* The same file again: other changes, the same watch. */
	ck_assert_int_eq(rdy_files_watch(io, path("g"), RDY_FILE_DELETED), w);
	ck_assert_int_eq(unlink(path("g")), 0);
	expect_change(io, w, RDY_FILE_DELETED, "");
	expect_change(io, w, RDY_FILE_GONE, "");
	ck_assert_int_eq(rdy_files_next(io, &c), -EAGAIN);
	rdy_io_free(io);
}
END_TEST

/* More than the kernel keeps: it says so. */
START_TEST(lost)
{
	struct rdy_file_change c = {0};
	unsigned int max = 0;
	struct rdy_io *io;
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
	int w[2];

	ck_assert(f && fscanf(f, "%u", &max) == 1 && fclose(f) == 0);
	if (max > 100000)
		unit_skip("fs.inotify.max_queued_events is %u", max);
	touch("a");
	touch("b");
	ck_assert_int_eq(rdy_files_new(&io), 0);
	w[0] = rdy_files_watch(io, path("a"), RDY_FILE_ATTRIBUTES);
	w[1] = rdy_files_watch(io, path("b"), RDY_FILE_ATTRIBUTES);
	/* In turn: two that are alike would be one. */
	for (unsigned int i = 0; i <= max; i++)
		ck_assert_int_eq(chmod(path(i % 2 ? "b" : "a"), 0600), 0);
	for (unsigned int i = 0; i < max; i++)
		expect_change(io, w[i % 2], RDY_FILE_ATTRIBUTES, "");
	ck_assert_int_eq(rdy_files_next(io, &c), 0);
	ck_assert(c.watch == -1 && c.changes == RDY_FILE_LOST);
	ck_assert_int_eq(rdy_files_next(io, &c), -EAGAIN);
	ck_assert_int_eq(unlink(path("a")) | unlink(path("b")), 0);
	rdy_io_free(io);
}
END_TEST

/* One datagram for one read, as if it came from the kernel. */
static void send_event(int to, size_t name_bytes, uint32_t mask)
{
	static char buf[sizeof(struct inotify_event) + PATH_MAX];
	struct inotify_event e = {.wd = 5, .mask = mask};
	size_t n;

	memset(buf, 0, sizeof(buf));
	/* As the kernel does: with a 0, filled up to a multiple of its own size. */
	if (name_bytes)
		e.len = (uint32_t)((name_bytes + sizeof(e)) / sizeof(e) * sizeof(e));
	memcpy(buf, &e, sizeof(e));
	memset(buf + sizeof(e), 'n', name_bytes);
	n = sizeof(e) + e.len;
	ck_assert_int_eq(send(to, buf, n, 0), (ssize_t)n);
}

/* What this machine need not have: names as FUSE allows, file systems that are unmounted. */
START_TEST(rare_events)
{
	static const size_t lengths[] = {1, 254, 255, 256, 1024, PATH_MAX - 1};
	struct rdy_file_change c;
	struct rdy_io *io;
	char name[256];
	int sv[2];

	ck_assert_int_eq(rdy_files_new(&io), 0);
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	ck_assert_int_eq(dup3(sv[0], rdy_io_fd(io), O_CLOEXEC), rdy_io_fd(io));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t n = lengths[i] < 255 ? lengths[i] : 255;

		memset(name, 'n', n);
		name[n] = 0;
		send_event(sv[1], lengths[i], IN_CREATE);
		send_event(sv[1], 0, IN_ATTRIB | IN_ISDIR);
		expect_change(io, 5, RDY_FILE_CREATED, name);
		expect_change(io, 5, RDY_FILE_ATTRIBUTES, "");
		ck_assert_int_eq(rdy_files_next(io, &c), -EAGAIN);
	}
	/* That it was unmounted is no change; that the watch is over follows. */
	send_event(sv[1], 0, IN_UNMOUNT);
	ck_assert_int_eq(rdy_files_next(io, &c), -EAGAIN);
	send_event(sv[1], 0, IN_UNMOUNT);
	send_event(sv[1], 0, IN_IGNORED);
	expect_change(io, 5, RDY_FILE_GONE, "");
	ck_assert_int_eq(rdy_files_next(io, &c), -EAGAIN);
	rdy_io_free(io);
	shut(&sv[0]);
	shut(&sv[1]);
}
END_TEST

/* No event for what is kept: in each mode, all of it is there to be taken. */
START_TEST(kept)
{
	for_each_variant(b)
	{
		for_each_mode(mode)
		{
			struct rdy_file_change c;
			struct rdy_io *io;
			int w;

			ck_assert_int_eq(rdy_files_new(&io), 0);
			w = rdy_files_watch(io, dir, RDY_FILE_CREATED | RDY_FILE_DELETED);
			ck_assert_int_ge(w, 0);
			watch(&b, io, *mode);
			touch("a");
			ck_assert_int_eq(unlink(path("a")), 0);
			wait_readable(&b);
			expect_change(io, w, RDY_FILE_CREATED, "a");
			expect_none(&b);
			expect_change(io, w, RDY_FILE_DELETED, "a");
			ck_assert_int_eq(rdy_files_next(io, &c), -EAGAIN);
			rdy_io_free(io);
		}
	}
}
END_TEST

START_TEST(wrong_arguments)
{
	struct rdy_io *io, *other = another();
	struct rdy_file_change c;
	char name[300] = "";

	ck_assert_int_eq(rdy_files_new(NULL), -EINVAL);
	ck_assert_int_eq(rdy_files_new(&io), 0);
	ck_assert_int_eq(rdy_files_watch(NULL, dir, RDY_FILE_MODIFIED), -EINVAL);
	ck_assert_int_eq(rdy_files_watch(other, dir, RDY_FILE_MODIFIED), -EINVAL);
	ck_assert_int_eq(rdy_files_watch(io, NULL, RDY_FILE_MODIFIED), -EINVAL);
	ck_assert_int_eq(rdy_files_watch(io, dir, 0), -EINVAL);
	ck_assert_int_eq(rdy_files_watch(io, dir, RDY_FILE_GONE), -EINVAL);
	ck_assert_int_eq(rdy_files_watch(io, path("none"), RDY_FILE_MODIFIED), -ENOENT);
	touch("f");
	ck_assert_int_eq(rdy_files_watch(io, path("f/g"), RDY_FILE_MODIFIED), -ENOTDIR);
	ck_assert_int_eq(unlink(path("f")), 0);
	ck_assert_int_eq(symlink("l", path("l")), 0);
	ck_assert_int_eq(rdy_files_watch(io, path("l"), RDY_FILE_MODIFIED), -ELOOP);
	ck_assert_int_eq(unlink(path("l")), 0);
	memset(name, 'n', sizeof(name) - 1);
	ck_assert_int_eq(rdy_files_watch(io, name, RDY_FILE_MODIFIED), -ENAMETOOLONG);
	ck_assert_int_eq(rdy_files_unwatch(NULL, 1), -EINVAL);
	ck_assert_int_eq(rdy_files_unwatch(other, 1), -EINVAL);
	ck_assert_int_eq(rdy_files_unwatch(io, 1), -EINVAL);
	ck_assert_int_eq(rdy_files_next(NULL, &c), -EINVAL);
	ck_assert_int_eq(rdy_files_next(other, &c), -EINVAL);
	ck_assert_int_eq(rdy_files_next(io, NULL), -EINVAL);
	rdy_io_free(io);
	rdy_io_free(other);
}
END_TEST

UNIT_MAIN_WITH("os/files", setup, teardown, in_a_folder, of_a_file, kept, lost, rare_events,
	wrong_arguments)
