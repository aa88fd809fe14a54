/* SPDX-License-Identifier: MIT */
/*
 * The calls that can be made to fail: one line each, with the ways they are known to fail in the field.
 * See inject.h.
 */
#include "inject.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEEN_MAX 512

struct seen {
	const char *name;
	const int *errors;
};

static _Thread_local struct {
	unsigned int kinds; /* 0: off */
	size_t n;	    /* calls so far */
	size_t fail_at;	    /* SIZE_MAX: none */
	int error;
	bool sticky;
	size_t n_watched;
	struct seen seen[SEEN_MAX];
} state;

static _Thread_local struct hook {
	const char *name;
	void (*fn)(void *arg);
	void *arg;
} hook_before, hook_after;

static atomic_long held;

void inject_watch(unsigned int kinds)
{
	state.n = state.n_watched = 0;
	state.fail_at = SIZE_MAX;
	state.kinds = kinds;
}

void inject_fail(unsigned int kinds, size_t n, int error, bool sticky)
{
	state.n = 0;
	state.fail_at = n;
	state.error = error;
	state.sticky = sticky;
	state.kinds = kinds;
}

size_t inject_stop(void)
{
	state.kinds = 0;
	return state.n;
}

const char *inject_name(size_t n)
{
	return n < state.n_watched ? state.seen[n].name : "?";
}

const int *inject_errors(size_t n)
{
	static const int none[] = {0};

	return n < state.n_watched ? state.seen[n].errors : none;
}

long inject_held(void)
{
	return atomic_load(&held);
}

static bool can_fail_so(const int *errors, int error)
{
	while (*errors && *errors != error)
		errors++;
	return *errors;
}

/* A call of that kind is made. Returns true, with errno set, if it is to fail. */
static bool hit(unsigned int kind, const char *name, const int *errors)
{
	size_t n;

	if (!(state.kinds & kind))
		return false;
	n = state.n++;
	if (state.fail_at == SIZE_MAX) {
		if (n == SEEN_MAX) {
			fprintf(stderr, "inject: more than %d calls\n", SEEN_MAX);
			abort();
		}
		state.seen[n] = (struct seen){name, errors};
		state.n_watched = n + 1;
		return false;
	}
	if (n < state.fail_at || (n > state.fail_at && !state.sticky) ||
		!can_fail_so(errors, state.error))
		return false;
	errno = state.error;
	return true;
}

#define ERRORS(...) \
	({ \
		static const int errors[] = {__VA_ARGS__, 0}; \
		errors; \
	})

void inject_before(const char *name, void (*fn)(void *arg), void *arg)
{
	hook_before = (struct hook){name, fn, arg};
}

void inject_after(const char *name, void (*fn)(void *arg), void *arg)
{
	hook_after = (struct hook){name, fn, arg};
}

static void run_hook(struct hook *hook, const char *name)
{
	struct hook now = *hook;

	if (!now.fn || strcmp(now.name, name) != 0)
		return;
	/* What it calls itself is not its business. */
	hook->fn = NULL;
	now.fn(now.arg);
}

/* Make a call, with what was to happen around it. */
#define CALL(name, result, call) \
	do { \
		run_hook(&hook_before, name); \
		(result) = (call); \
		run_hook(&hook_after, name); \
	} while (0)

/* The linker turns calls of NAME into __wrap_NAME, and __real_NAME into NAME. */
#define DECLARE(type, name, params) \
	type __real_##name params; \
	type __wrap_##name params;

#define WRAP(kind, type, failed, name, params, args, ...) \
	DECLARE(type, name, params) \
	type __wrap_##name params \
	{ \
		type r; \
\
		if (hit(kind, #name, ERRORS(__VA_ARGS__))) \
			return failed; \
		CALL(#name, r, __real_##name args); \
		return r; \
	}

#define KERNEL(name, params, args, ...) \
	WRAP(INJECT_KERNEL, int, -1, name, params, args, __VA_ARGS__)
#define IO(name, params, args) \
	WRAP(INJECT_IO, ssize_t, -1, name, params, args, EINTR, EAGAIN, ENOMEM)

/* Descriptors */
#define NO_FD EMFILE, ENFILE, ENOMEM
KERNEL(epoll_create1, (int flags), (flags), NO_FD, EPERM, ENOSYS)
KERNEL(eventfd, (unsigned int n, int flags), (n, flags), NO_FD, EPERM)
KERNEL(pipe2, (int *fds, int flags), (fds, flags), NO_FD)
KERNEL(dup3, (int a, int b, int flags), (a, b, flags), EMFILE)
KERNEL(inotify_init1, (int flags), (flags), NO_FD)
KERNEL(inotify_add_watch, (int fd, const char *path, uint32_t mask), (fd, path, mask), ENOSPC,
	ENOMEM, ENOENT, EACCES)
KERNEL(signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags), NO_FD)
KERNEL(waitid, (idtype_t type, id_t id, siginfo_t *info, int options), (type, id, info, options),
	ECHILD, EINTR)
KERNEL(statx, (int fd, const char *path, int flags, unsigned int mask, struct statx *st),
	(fd, path, flags, mask, st), EBADF, ENOSYS, EPERM, EACCES, ENOMEM)

/* Sockets */
#define NO_SOCKET NO_FD, ENOBUFS
#define addr_in const struct sockaddr *
KERNEL(socket, (int domain, int type, int protocol), (domain, type, protocol), NO_SOCKET,
	EAFNOSUPPORT)
KERNEL(socketpair, (int domain, int type, int protocol, int *sv), (domain, type, protocol, sv),
	NO_SOCKET)
KERNEL(bind, (int fd, addr_in a, socklen_t n), (fd, a, n), EADDRINUSE, EADDRNOTAVAIL, EACCES)
KERNEL(listen, (int fd, int backlog), (fd, backlog), EADDRINUSE)
KERNEL(accept4, (int fd, struct sockaddr *a, socklen_t *n, int flags), (fd, a, n, flags), NO_SOCKET,
	EINTR, EAGAIN, ECONNABORTED)
KERNEL(connect, (int fd, addr_in a, socklen_t n), (fd, a, n), ECONNREFUSED, ENETUNREACH,
	EADDRNOTAVAIL, EAGAIN, EACCES)
KERNEL(setsockopt, (int fd, int level, int name, const void *value, socklen_t n),
	(fd, level, name, value, n), ENOBUFS, ENOPROTOOPT)
KERNEL(getsockopt, (int fd, int level, int name, void *value, socklen_t *n),
	(fd, level, name, value, n), ENOBUFS, ENOPROTOOPT)
KERNEL(getsockname, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n), ENOBUFS)
KERNEL(getpeername, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n), ENOBUFS, ENOTCONN)
KERNEL(shutdown, (int fd, int how), (fd, how), ENOTCONN)

/* Waiting. What a change of a watch says beside, means that it is not there. */
KERNEL(epoll_wait, (int fd, struct epoll_event *events, int n, int ms), (fd, events, n, ms), EINTR)
KERNEL(poll, (struct pollfd * fds, nfds_t n, int ms), (fds, n, ms), EINTR, ENOMEM)
KERNEL(ppoll, (struct pollfd * fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask),
	(fds, n, timeout, mask), EINTR, ENOMEM, ENOSYS, EPERM)

/* What a change of a watch is called, and how it can fail. */
static const struct change {
	const char *name;
	const int *errors;
} changes[] = {
	[EPOLL_CTL_ADD] = {"epoll_ctl(ADD)", (const int[]){ENOMEM, ENOSPC, EPERM, EBADF, ELOOP, 0}},
	[EPOLL_CTL_MOD] = {"epoll_ctl(MOD)", (const int[]){ENOMEM, ENOENT, EBADF, EPERM, 0}},
	[EPOLL_CTL_DEL] = {"epoll_ctl(DEL)", (const int[]){ENOENT, EBADF, EPERM, 0}},
};

DECLARE(int, epoll_ctl, (int epfd, int op, int fd, struct epoll_event *event))
int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	const struct change *c = &changes[op];
	int r;

	if (hit(INJECT_KERNEL, c->name, c->errors))
		return -1;
	CALL(c->name, r, __real_epoll_ctl(epfd, op, fd, event));
	return r;
}

DECLARE(long, syscall, (long nr, ...))
long __wrap_syscall(long nr, ...)
{
	const char *name = "syscall";
	long a[6], r;
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
#ifdef SYS_epoll_pwait2
	if (nr == SYS_epoll_pwait2) {
		name = "epoll_pwait2";
		if (hit(INJECT_KERNEL, name, ERRORS(EINTR, ENOSYS, EPERM)))
			return -1;
	}
#endif
#ifdef SYS_pidfd_open
	if (nr == SYS_pidfd_open) {
		name = "pidfd_open";
		if (hit(INJECT_KERNEL, name, ERRORS(NO_FD, ENOSYS, ESRCH)))
			return -1;
	}
#endif
	CALL(name, r, __real_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]));
	return r;
}

static bool hit_fcntl(int cmd)
{
	switch (cmd) {
	case F_GETFD:
	case F_GETFL:
		return hit(INJECT_KERNEL, "fcntl(F_GET)", ERRORS(EBADF));
	case F_SETFD:
	case F_SETFL:
		return hit(INJECT_KERNEL, "fcntl(F_SET)", ERRORS(EBADF, EPERM));
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return hit(INJECT_KERNEL, "fcntl(F_DUPFD)", ERRORS(EMFILE));
	default:
		return false;
	}
}

/* With 64-bit file offsets glibc has other names for two of them. */
#define FCNTL(name) \
	DECLARE(int, name, (int fd, int cmd, ...)) \
	int __wrap_##name(int fd, int cmd, ...) \
	{ \
		va_list ap; \
		long arg; \
\
		va_start(ap, cmd); \
		arg = va_arg(ap, long); \
		va_end(ap); \
		if (hit_fcntl(cmd)) \
			return -1; \
		CALL("fcntl", cmd, __real_##name(fd, cmd, arg)); \
		return cmd; \
	}
FCNTL(fcntl)

#define MMAP(name) \
	DECLARE(void *, name, (void *at, size_t n, int prot, int flags, int fd, off_t offset)) \
	void *__wrap_##name(void *at, size_t n, int prot, int flags, int fd, off_t offset) \
	{ \
		void *p; \
\
		if (hit(INJECT_KERNEL, "mmap", ERRORS(ENOMEM, EPERM))) \
			return MAP_FAILED; \
		p = __real_##name(at, n, prot, flags, fd, offset); \
		atomic_fetch_add(&held, p != MAP_FAILED); \
		return p; \
	}
MMAP(mmap)
#ifdef __GLIBC__
FCNTL(fcntl64)
MMAP(mmap64)
#endif

KERNEL(madvise, (void *at, size_t n, int advice), (at, n, advice), EINVAL, ENOMEM, EPERM)

DECLARE(int, munmap, (void *at, size_t n))
int __wrap_munmap(void *at, size_t n)
{
	atomic_fetch_sub(&held, 1);
	return __real_munmap(at, n);
}

/* What comes and goes through descriptors */
IO(read, (int fd, void *buf, size_t n), (fd, buf, n))
IO(write, (int fd, const void *buf, size_t n), (fd, buf, n))
IO(readv, (int fd, const struct iovec *iov, int n), (fd, iov, n))
IO(writev, (int fd, const struct iovec *iov, int n), (fd, iov, n))
IO(recv, (int fd, void *buf, size_t n, int flags), (fd, buf, n, flags))
IO(send, (int fd, const void *buf, size_t n, int flags), (fd, buf, n, flags))
IO(recvfrom, (int fd, void *buf, size_t n, int flags, struct sockaddr *a, socklen_t *a_bytes),
	(fd, buf, n, flags, a, a_bytes))
IO(sendto, (int fd, const void *buf, size_t n, int flags, addr_in a, socklen_t a_bytes),
	(fd, buf, n, flags, a, a_bytes))
IO(recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags))
IO(sendmsg, (int fd, const struct msghdr *msg, int flags), (fd, msg, flags))

/* Memory */
#define MEMORY(name, params, args, is_new) \
	DECLARE(void *, name, params) \
	void *__wrap_##name params \
	{ \
		bool counts = is_new; \
		void *made; \
\
		if (hit(INJECT_MEMORY, #name, ERRORS(ENOMEM))) \
			return NULL; \
		made = __real_##name args; \
		atomic_fetch_add(&held, made &&counts); \
		return made; \
	}
MEMORY(malloc, (size_t n), (n), true)
MEMORY(calloc, (size_t n, size_t size), (n, size), true)
MEMORY(realloc, (void *p, size_t n), (p, n), !p)
MEMORY(reallocarray, (void *p, size_t n, size_t size), (p, n, size), !p)
MEMORY(aligned_alloc, (size_t align, size_t n), (align, n), true)

DECLARE(char *, strdup, (const char *s))
char *__wrap_strdup(const char *s)
{
	char *made = hit(INJECT_MEMORY, "strdup", ERRORS(ENOMEM)) ? NULL : __real_strdup(s);

	atomic_fetch_add(&held, made != NULL);
	return made;
}

DECLARE(void, free, (void *p))
void __wrap_free(void *p)
{
	atomic_fetch_sub(&held, p != NULL);
	__real_free(p);
}
