/* SPDX-License-Identifier: MIT */
/* See fuse.h. The protocol is that of <linux/fuse.h>, fuse(4). */
#include "fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/mount.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "harness.h"

#define FILE_NODE 2
#define REQUEST_MAX (FUSE_MIN_READ_BUFFER + 4096)

enum order { ORDER_SILENCE = 's', ORDER_END = 'e' };

static void answer(int dev, uint64_t unique, int error, const void *body, size_t n_bytes)
{
	struct fuse_out_header h = {.len = (uint32_t)(sizeof(h) + (error ? 0 : n_bytes)),
		.error = error,
		.unique = unique};
	const struct iovec iov[2] = {{&h, sizeof(h)}, {(void *)body, n_bytes}};

	/* ENOENT: it was interrupted meanwhile. */
	(void)!writev(dev, iov, error || !n_bytes ? 1 : 2);
}

static struct fuse_attr attr_of(uint64_t node)
{
	return (struct fuse_attr){.ino = node,
		.mode = node == FILE_NODE ? S_IFREG | 0666 : S_IFDIR | 0755,
		.nlink = 1,
		.blksize = 4096};
}

static void serve(int dev, const uint8_t *request)
{
	struct fuse_in_header in;
	const void *body = request + sizeof(in);

	memcpy(&in, request, sizeof(in));
	switch (in.opcode) {
	case FUSE_INIT: {
		struct fuse_init_in init;
		struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION,
			.max_background = 8,
			.congestion_threshold = 6,
			.max_write = 4096,
			.time_gran = 1};

		memcpy(&init, body, sizeof(uint32_t) * 4);
		out.minor = init.minor < FUSE_KERNEL_MINOR_VERSION ? init.minor
								   : FUSE_KERNEL_MINOR_VERSION;
		answer(dev, in.unique, 0, &out, sizeof(out));
		break;
	}
	case FUSE_LOOKUP: {
		const struct fuse_entry_out out = {
			.nodeid = FILE_NODE, .generation = 1, .attr = attr_of(FILE_NODE)};

		answer(dev, in.unique, 0, &out, sizeof(out));
		break;
	}
	case FUSE_GETATTR: {
		const struct fuse_attr_out out = {.attr = attr_of(in.nodeid)};

		answer(dev, in.unique, 0, &out, sizeof(out));
		break;
	}
	case FUSE_OPEN: {
		const struct fuse_open_out out = {.fh = 1};

		answer(dev, in.unique, 0, &out, sizeof(out));
		break;
	}
	case FUSE_POLL: {
		const struct fuse_poll_out out = {.revents = POLLIN};

		answer(dev, in.unique, 0, &out, sizeof(out));
		break;
	}
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_DESTROY:
		answer(dev, in.unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break; /* have no answer */
	default:
		answer(dev, in.unique, -ENOSYS, NULL, 0);
		break;
	}
}

/* Until it is told to end, or there is nobody any more who could tell. */
static void run(int dev, int control)
{
	static uint8_t request[REQUEST_MAX];
	bool silent = false;

	for (;;) {
		struct pollfd p[2] = {
			{.fd = control, .events = POLLIN}, {.fd = dev, .events = POLLIN}};
		char order;

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents) {
			if (read(control, &order, 1) != 1 || order == ORDER_END)
				return;
			silent = true;
			(void)!write(control, &order, 1);
		}
		if (!silent && p[1].revents &&
			read(dev, request, sizeof(request)) >=
				(ssize_t)sizeof(struct fuse_in_header))
			serve(dev, request);
	}
}

static int make_mount(int dev)
{
	int fs = (int)syscall(SYS_fsopen, "fuse", FSOPEN_CLOEXEC), mount, r = 0;
	char number[16];
	const struct {
		const char *key, *value;
	} set[] = {{"source", "readyd-test"}, {"fd", number}, {"rootmode", "40000"},
		{"user_id", "0"}, {"group_id", "0"}};

	if (fs < 0)
		return -errno;
	snprintf(number, sizeof(number), "%d", dev);
	for (size_t i = 0; i < sizeof(set) / sizeof(set[0]) && r == 0; i++)
		r = (int)syscall(
			SYS_fsconfig, fs, FSCONFIG_SET_STRING, set[i].key, set[i].value, 0);
	/* Others may use it: what they do with the file reaches us. */
	if (r == 0)
		r = (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "allow_other", NULL, 0);
	if (r == 0)
		r = (int)syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	mount = r == 0 ? (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0) : -1;
	r = mount < 0 ? -errno : mount;
	rdy__fd_close(fs);
	return r;
}

/* Opening needs an answer, so it is another process that opens. Says 0 and the file, or an errno. */
static void open_file(int mount, int control)
{
	int file = openat(mount, "file", O_RDWR | O_CLOEXEC), e = file < 0 ? errno : 0;

	rdy__send_fds(control, &e, sizeof(e), &file, file >= 0);
}

static void be_server(int control)
{
	int dev = open("/dev/fuse", O_RDWR | O_CLOEXEC), mount, e;
	pid_t opener;

	mount = dev < 0 ? -errno : make_mount(dev);
	if (mount < 0) {
		e = -mount;
		rdy__send_fds(control, &e, sizeof(e), NULL, 0);
		return;
	}
	opener = fork();
	if (opener == 0) {
		rdy__fd_close(dev);
		open_file(mount, control);
		_exit(0);
	}
	run(dev, control);
	/* The end of these two is the end of the mount, and of all waiting for it. */
	rdy__fd_close(mount);
	rdy__fd_close(dev);
}

int fuse_start(struct fuse *f)
{
	int fds[RDY__FDS_MAX], sv[2], e = 0;
	struct rdy__received got;

	need(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == 0, "%s", strerror(errno));
	f->pid = fork();
	need(f->pid >= 0, "%s", strerror(errno));
	if (f->pid == 0) {
		rdy__fd_close(sv[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		be_server(sv[1]);
		_exit(0);
	}
	rdy__fd_close(sv[1]);
	f->control = sv[0];
	f->file = -1;
	e = rdy__recv_fds(f->control, &e, sizeof(e), fds, RDY__RECV_BLOCK, &got) < 0 ? EIO : e;
	if (e == 0 && got.n_fds == 1) {
		f->file = fds[0];
		need_int(f->control, <, f->file);
		return 0;
	}
	rdy__fd_close(f->control);
	waitpid(f->pid, NULL, 0);
	return -e;
}

void fuse_silence(struct fuse *f)
{
	char order = ORDER_SILENCE;

	need(write(f->control, &order, 1) == 1 && read(f->control, &order, 1) == 1, "%s",
		strerror(errno));
}

void fuse_end(struct fuse *f)
{
	char order = ORDER_END;

	(void)!write(f->control, &order, 1);
	need_int(waitpid(f->pid, NULL, 0), ==, f->pid);
	f->control = rdy__fd_close(f->control);
	f->file = rdy__fd_close(f->file);
}
