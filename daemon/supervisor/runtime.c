/* SPDX-License-Identifier: MIT */
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "drop.h"
#include "log.h"
#include "passed.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16, include/uapi/asm-generic/socket.h */
#endif

#define BACKLOG 128

static int say(int error, const char *fix, const char *format, const char *path)
{
	char what[CONF_ERROR_BYTES];

	snprintf(what, sizeof(what), format, path); /* NOLINT: constants of this file */
	log_three(what, strerror(-error), fix);
	return error;
}

/* A directory that strangers can write to is not ours to put a socket into. */
static int open_dir(struct runtime *r, const struct options *o, uid_t owner, gid_t owner_group)
{
	struct stat st;
	bool made = mkdir(r->dir_path, 0700) == 0;

	if (!made && errno != EEXIST)
		return say(-errno, o->user ? "readyd --user --runtime-dir DIR" : "readyd --user",
			"cannot make the runtime directory %s", r->dir_path);
	r->dir = open(r->dir_path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r->dir < 0)
		return say(-errno, "readyd --runtime-dir DIR",
			"cannot open the runtime directory %s", r->dir_path);
	if (fstat(r->dir, &st) < 0)
		return -errno;
	if ((st.st_uid != geteuid() && st.st_uid != owner) || st.st_mode & 022) {
		log_three("the runtime directory is not safe",
			"it belongs to somebody else, or others may write to it", r->dir_path);
		return -EPERM;
	}
	/* Everybody may come to the socket, whatever the umask says. */
	if (made && !o->user && fchmod(r->dir, 0755) < 0)
		return -errno;
	if (geteuid() == 0 && owner != (uid_t)-1 && fchown(r->dir, owner, owner_group) < 0)
		return say(-errno, "check the file system", "cannot give %s away", r->dir_path);
	return 0;
}

/*
 * A POSIX lock: it ends with the process, however that ends, and F_GETLK names the holder.
 * Source: fcntl(2), "Advisory record locking".
 */
static int take_lock(struct runtime *r, uid_t owner, gid_t owner_group)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char text[CONF_ERROR_BYTES];

	r->lock = openat(r->dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (r->lock < 0)
		return say(-errno, "check who owns the directory", "cannot open the lock in %s",
			r->dir_path);
	if (fcntl(r->lock, F_SETLK, &l) < 0) {
		if (errno != EAGAIN && errno != EACCES)
			return -errno;
		if (fcntl(r->lock, F_GETLK, &l) < 0 || l.l_type == F_UNLCK)
			l.l_pid = 0;
		snprintf(text, sizeof(text), "process %d has the lock in %s", (int)l.l_pid,
			r->dir_path);
		log_three("another readyd is running here", text,
			"stop that one, or choose another --runtime-dir");
		return -EBUSY;
	}
	if (geteuid() == 0 && owner != (uid_t)-1)
		(void)!fchown(r->lock, owner, owner_group);
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	(void)!ftruncate(r->lock, 0);
	(void)!write(r->lock, text, strlen(text));
	return 0;
}

/* The socket's rights, before anybody can see it under its name. */
static int set_rights(const struct options *o, const char *path, bool is_control)
{
	uint64_t mode = is_control ? o->conf.control_mode : o->conf.session_mode;
	gid_t group;
	int e;

	if (o->user)
		return chmod(path, 0600) < 0 ? -errno : 0;
	if (chmod(path, (mode_t)mode) < 0)
		return -errno;
	/* What somebody may do over the control socket goes by who they are. */
	if (is_control || geteuid() != 0)
		return 0;
	e = drop_find_group(o->conf.session_group, &group);
	if (e == -ENOENT) {
		log_line(LOG_P_WARNING,
			"group=%s missing=yes effect=\"the socket stays with its owner's group\" "
			"try=\"groupadd --system %s, or -o sockets.session.group=NAME\"",
			o->conf.session_group, o->conf.session_group);
		return 0;
	}
	if (e < 0)
		return e;
	return lchown(path, (uid_t)-1, group) < 0 ? -errno : 0;
}

static int bind_renamed(int listener, const struct options *o, const char *path, bool is_control)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s.new", path), e;

	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	/* Ours by the lock: nobody else binds here, so a leftover is of one that was killed. */
	if (unlink(a.sun_path) < 0 && errno != ENOENT)
		return -errno;
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	e = set_rights(o, a.sun_path, is_control);
	if (e == 0 && listen(listener, BACKLOG) < 0)
		e = -errno;
	/* Clients see the old socket or this one, never none and never one with other rights. */
	if (e == 0 && rename(a.sun_path, path) < 0)
		e = -errno;
	if (e < 0)
		unlink(a.sun_path);
	return e;
}

static int open_listener(const struct options *o, const char *path, bool is_control, int *ret)
{
	int zero = 0, e, type = is_control ? SOCK_STREAM : SOCK_SEQPACKET;

	*ret = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*ret < 0)
		return -errno;
	/*
	 * Nobody can send a descriptor before the agent allows it: one that lingers, queued between connect
	 * and accept, would block whoever closes the socket. Accepted sockets inherit it.
	 */
	if (setsockopt(*ret, SOL_SOCKET, SO_PASSRIGHTS, &zero, sizeof(zero)) < 0 &&
		errno != ENOPROTOOPT)
		return -errno;
	e = bind_renamed(*ret, o, path, is_control);
	if (e < 0)
		return say(e,
			is_control ? "choose another --runtime-dir or sockets.control.path"
				   : "choose another --runtime-dir or sockets.session.path",
			"cannot listen at %s", path);
	return 0;
}

/* Nobody can send a descriptor before the agent allows it, see open_listener(); where it listens, for the log. */
static int take_listener(int fd, int type, char *ret_path)
{
	struct sockaddr_un a = {.sun_family = AF_UNSPEC};
	socklen_t n = sizeof(a);
	int zero = 0, is_type = 0, listens = 0;
	socklen_t n_int = sizeof(int);

	if (getsockname(fd, (struct sockaddr *)&a, &n) < 0 || a.sun_family != AF_UNIX ||
		getsockopt(fd, SOL_SOCKET, SO_TYPE, &is_type, &n_int) < 0 || is_type != type ||
		getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n_int) < 0 || !listens) {
		log_three("a socket that the service manager passed cannot be used",
			type == SOCK_SEQPACKET ? "it is no listening SOCK_SEQPACKET socket"
					       : "it is no listening SOCK_STREAM socket",
			type == SOCK_SEQPACKET ? "ListenSequentialPacket= in the socket unit"
					       : "ListenStream= in the socket unit");
		return -EINVAL;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &zero, sizeof(zero)) < 0 &&
		errno != ENOPROTOOPT)
		return -errno;
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return -errno;
	snprintf(ret_path, CONF_PATH_BYTES, "%s", a.sun_path);
	log_line(LOG_P_INFO, "socket=%s from=manager effect=\"sockets.* keys do not count for it\"",
		ret_path);
	return 0;
}

/* Those of the service manager go before our own. */
static int take_passed(struct runtime *r)
{
	int e = 0;

	r->listener = passed_take("session");
	r->control = passed_take("control");
	r->passed_listener = r->listener >= 0;
	r->passed_control = r->control >= 0;
	if (r->passed_listener)
		e = take_listener(r->listener, SOCK_SEQPACKET, r->socket_path);
	if (e == 0 && r->passed_control)
		e = take_listener(r->control, SOCK_STREAM, r->control_path);
	return e;
}

/* Absolute, with room for the temporary name. */
static int make_path(const struct runtime *r, const char *path, const char *format, char *ret)
{
	int n = path[0] == '/' ? snprintf(ret, CONF_PATH_BYTES, "%s", path)
			       : snprintf(ret, CONF_PATH_BYTES, "%s/%s", r->dir_path, path);

	if (n >= 0 && (size_t)n + sizeof(".new") <= CONF_PATH_BYTES)
		return 0;
	ret[0] = 0;
	return say(-ENAMETOOLONG, "a shorter --runtime-dir or path", format, path);
}

int runtime_init(struct runtime *r, const struct options *o, uid_t owner, gid_t owner_group)
{
	char session[CONF_PATH_BYTES], control[CONF_PATH_BYTES];
	int e;

	*r = RUNTIME_NULL;
	strcpy(r->dir_path, o->runtime_dir);
	e = make_path(
		r, o->conf.session_path, "the session socket's path is too long: %s", session);
	if (e == 0)
		e = make_path(r, o->conf.control_path, "the control socket's path is too long: %s",
			control);
	if (e == 0)
		e = open_dir(r, o, owner, owner_group);
	if (e == 0)
		e = take_lock(r, owner, owner_group);
	if (e == 0)
		e = take_passed(r);
	if (e == 0 && !r->passed_listener) {
		e = open_listener(o, session, false, &r->listener);
		/* From here on it is ours to remove. */
		if (e == 0)
			strcpy(r->socket_path, session);
	}
	if (e == 0 && !r->passed_control) {
		e = open_listener(o, control, true, &r->control);
		if (e == 0)
			strcpy(r->control_path, control);
	}
	return e;
}

void runtime_deinit(struct runtime *r)
{
	if (r->socket_path[0] && !r->passed_listener)
		unlink(r->socket_path);
	if (r->control_path[0] && !r->passed_control)
		unlink(r->control_path);
	r->socket_path[0] = r->control_path[0] = 0;
	r->listener = rdy__fd_close(r->listener);
	r->control = rdy__fd_close(r->control);
	r->lock = rdy__fd_close(r->lock);
	r->dir = rdy__fd_close(r->dir);
}
