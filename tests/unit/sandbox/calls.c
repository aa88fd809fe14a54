/* SPDX-License-Identifier: MIT */
/*
 * The sandbox: each call in a forked child that has entered a role. Where there is no filter (a sanitizer,
 * no libseccomp) the same children show that nothing else is in the way.
 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY (1024 + 3)
#endif

static int pair[2], event, null;
static bool have_filter; /* asked before, not behind the filter */

static void make_objects(void)
{
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	ck_assert_int_ge(event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), 0);
	ck_assert_int_ge(null = open("/dev/null", O_RDWR | O_CLOEXEC), 0);
}

static void close_objects(void)
{
	close(pair[0]);
	close(pair[1]);
	close(event);
	close(null);
}

/* ---- what a role may do: true = it did what it should ---- */

static bool messages(void)
{
	char c = 0;
	struct iovec iov = {&c, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct pollfd p = {.fd = pair[1], .events = POLLIN};
	struct timespec none = {0};

	return send(pair[0], "x", 1, MSG_DONTWAIT) == 1 && poll(&p, 1, -1) == 1 &&
	       ppoll(&p, 1, &none, NULL) == 1 && recvmsg(pair[1], &msg, MSG_DONTWAIT) == 1 &&
	       c == 'x' && sendmsg(pair[0], &msg, 0) == 1 && recv(pair[1], &c, 1, 0) == 1 &&
	       shutdown(pair[0], SHUT_RDWR) == 0 && close(pair[0]) == 0;
}

static bool memory(void)
{
	char *small = malloc(100), *big = malloc(4 << 20);
	bool ok = small && big;

	if (ok) {
		memset(small, 1, 100);
		memset(big, 1, 4 << 20);
		small = realloc(small, 200000);
		big = realloc(big, 16 << 20);
		ok = small && big;
	}
	free(small);
	free(big);
	return ok;
}

static bool last_words(void)
{
	struct timespec ts;
	char b[8];

	return fprintf(stderr, "%s", "") == 0 && write(null, "x", 1) == 1 &&
	       clock_gettime(CLOCK_MONOTONIC, &ts) == 0 && getpid() > 0 &&
	       syscall(SYS_gettid) > 0 && getrandom(b, sizeof(b), 0) == sizeof(b);
}

static bool epolls(void)
{
	struct epoll_event e = {.events = EPOLLIN};
	eventfd_t v;
	int ep = epoll_create1(EPOLL_CLOEXEC);
	bool ok = ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, event, &e) == 0 &&
		  eventfd_write(event, 1) == 0 && epoll_wait(ep, &e, 1, -1) == 1 &&
		  epoll_pwait(ep, &e, 1, 0, NULL) == 1 && eventfd_read(event, &v) == 0;
	struct {
		int64_t s, ns;
	} none = {0};

#ifdef SYS_epoll_pwait2
	ok = ok && (syscall(SYS_epoll_pwait2, ep, &e, 1, &none, NULL, 0) == 0 || errno == ENOSYS);
#endif
	return ok && close(ep) == 0;
}

static bool new_descriptors(void)
{
	int p[2], e = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return e >= 0 && pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0 && close(p[0]) == 0 &&
	       close(p[1]) == 0 && close(e) == 0;
}

static bool vetting(void)
{
	char path[64], buf[512];
	struct statx st;
	int v, fd;
	socklen_t len = sizeof(v);
	bool ok = getsockopt(pair[0], SOL_SOCKET, SO_DOMAIN, &v, &len) == 0 && v == AF_UNIX &&
		  fcntl(pair[0], F_GETFL) >= 0 && fcntl(pair[0], F_GETFD) == FD_CLOEXEC;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", event);
	ok = ok && readlink(path, buf, sizeof(buf)) > 0 && readlinkat(AT_FDCWD, path, buf, 8) > 0;
	ok = ok && statx(null, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st) == 0 &&
	     S_ISCHR(st.stx_mode);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", event);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ok = ok && fd >= 0 && read(fd, buf, sizeof(buf)) > 0 && lseek(fd, 0, SEEK_SET) == 0 &&
	     close(fd) == 0;
	fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return ok && fd >= 0 && close(fd) == 0;
}

static bool descriptor_flags(void)
{
	int one = 1, fd = fcntl(event, F_DUPFD_CLOEXEC, 100);

	return fd >= 100 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
	       (fcntl(fd, F_DUPFD_QUERY, event) == 1 || errno == EINVAL) && close(fd) == 0 &&
	       setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0;
}

static bool limits(void)
{
	struct rlimit l;

	return getrlimit(RLIMIT_NOFILE, &l) == 0;
}

static bool threads_lock(void)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;

	sched_yield();
	return pthread_mutex_lock(&m) == 0 && pthread_mutex_unlock(&m) == 0;
}

/* ---- what it may not do; without a filter each returns ---- */

/* Each is one system call and nothing that another rule would catch; a child goes its own way. */
static void try_fork(void)
{
	if (fork() == 0)
		_exit(0);
}

static void try_clone(void)
{
	if (syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0) == 0)
		_exit(0);
}

static void try_clone3(void)
{
	syscall(SYS_clone3, NULL, 0); /* EINVAL where it is allowed */
}

static void try_exec(void)
{
	char *const none[] = {NULL};

	execve("/nonexistent", none, none);
}

static void try_socket(void)
{
	close(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static void try_connect(void)
{
	struct sockaddr a = {.sa_family = AF_UNSPEC};

	connect(pair[0], &a, sizeof(a));
}

static void try_bind(void)
{
	struct sockaddr a = {.sa_family = AF_UNIX};

	bind(pair[0], &a, sizeof(a.sa_family));
}

static void try_kill(void)
{
	kill(getpid(), 0);
}

static void try_tgkill(void)
{
	/* Another process. */
	syscall(SYS_tgkill, 1, 1, 0);
}

static void try_ptrace(void)
{
	ptrace(PTRACE_PEEKUSER, 1, NULL, NULL);
}

static void try_pidfd_getfd(void)
{
	syscall(SYS_pidfd_getfd, -1, 0, 0);
}

static void try_vm_read(void)
{
	char c;
	struct iovec v = {&c, 1};

	process_vm_readv(1, &v, 1, &v, 1, 0);
}

static void try_write_open(void)
{
	close(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static void try_readwrite_open(void)
{
	close(open("/dev/null", O_RDWR | O_CLOEXEC));
}

static void try_create(void)
{
	close(open("/nonexistent/file", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void try_truncate(void)
{
	close(open("/nonexistent/file", O_RDONLY | O_TRUNC | O_CLOEXEC));
}

static void try_setfl(void)
{
	fcntl(event, F_SETFL, O_NONBLOCK);
}

static void try_setown(void)
{
	fcntl(pair[0], F_SETOWN, getpid());
}

static void try_tcp_option(void)
{
	int one = 1;

	setsockopt(pair[0], 6, 1, &one, sizeof(one));
}

static void try_tcp_option_get(void)
{
	int v;
	socklen_t len = sizeof(v);

	getsockopt(pair[0], 6, 1, &v, &len);
}

static void try_getsockname(void)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	getsockname(pair[0], (struct sockaddr *)&a, &len);
}

static void try_getpeername(void)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	getpeername(pair[0], (struct sockaddr *)&a, &len);
}

static void try_setrlimit(void)
{
	const struct rlimit l = {64, 64};

	setrlimit(RLIMIT_NOFILE, &l);
}

static void try_exec_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED)
		munmap(p, 4096);
}

static void try_make_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED && mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0)
		munmap(p, 4096);
}

static void try_splice(void)
{
	splice(-1, NULL, -1, NULL, 1, 0);
}

static void try_nanosleep(void)
{
	const struct timespec none = {0};

	clock_nanosleep(CLOCK_MONOTONIC, 0, &none, NULL);
}

static void try_unlink(void)
{
	unlink("/nonexistent/file");
}

static void try_epoll(void)
{
	close(epoll_create1(EPOLL_CLOEXEC));
}

static void try_open(void)
{
	close(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static void try_read(void)
{
	char c;

	(void)!read(event, &c, 1);
}

static void try_statx(void)
{
	struct statx st;

	statx(null, "", AT_EMPTY_PATH, 0, &st);
}

static void try_sockopt(void)
{
	int v;
	socklen_t len = sizeof(v);

	getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &v, &len);
}

/* ---- the harness ---- */

/* The child's status: enters, runs, exits 0 if all is well, 3 if may() said no. */
static int in_sandbox(enum sandbox_role role, bool (*may)(void), void (*may_not)(void))
{
	int status;
	pid_t pid;

	make_objects();
	have_filter = sandbox_available();
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (sandbox_enter(role) != (have_filter ? 0 : 1))
			_exit(2);
		if (may && !may())
			_exit(3);
		if (may_not)
			may_not();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	close_objects();
	return status;
}

static void allowed(enum sandbox_role role, const char *name, bool (*may)(void))
{
	int status = in_sandbox(role, may, NULL);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s in role %d: status %#x",
		name, (int)role, (unsigned int)status);
}

static void forbidden(enum sandbox_role role, const char *name, void (*may_not)(void))
{
	int status = in_sandbox(role, NULL, may_not);
	bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;

	ck_assert_msg(killed == sandbox_available(), "%s in role %d: status %#x", name, (int)role,
		(unsigned int)status);
}

#define ALLOWED(role, f) allowed(role, #f, f)
#define FORBIDDEN(role, f) forbidden(role, #f, f)

START_TEST(every_role_may_do_its_work)
{
	for (enum sandbox_role role = SANDBOX_AGENT; role <= SANDBOX_BOUNCER; role++) {
		ALLOWED(role, messages);
		ALLOWED(role, memory);
		ALLOWED(role, last_words);
	}
	ALLOWED(SANDBOX_AGENT, epolls);
	ALLOWED(SANDBOX_AGENT, new_descriptors);
	ALLOWED(SANDBOX_AGENT, vetting);
	ALLOWED(SANDBOX_AGENT, descriptor_flags);
	ALLOWED(SANDBOX_AGENT, limits);
	ALLOWED(SANDBOX_AGENT, threads_lock);
}
END_TEST

START_TEST(no_role_may_do_more)
{
	for (enum sandbox_role role = SANDBOX_AGENT; role <= SANDBOX_BOUNCER; role++) {
		FORBIDDEN(role, try_fork);
		FORBIDDEN(role, try_clone);
		if (role != SANDBOX_AGENT)
			FORBIDDEN(role, try_clone3);
		FORBIDDEN(role, try_exec);
		FORBIDDEN(role, try_socket);
		FORBIDDEN(role, try_connect);
		FORBIDDEN(role, try_bind);
		FORBIDDEN(role, try_kill);
		FORBIDDEN(role, try_tgkill);
		FORBIDDEN(role, try_ptrace);
		FORBIDDEN(role, try_pidfd_getfd);
		FORBIDDEN(role, try_vm_read);
		FORBIDDEN(role, try_write_open);
		FORBIDDEN(role, try_readwrite_open);
		FORBIDDEN(role, try_create);
		FORBIDDEN(role, try_truncate);
		FORBIDDEN(role, try_setfl);
		FORBIDDEN(role, try_setown);
		FORBIDDEN(role, try_tcp_option);
		FORBIDDEN(role, try_tcp_option_get);
		FORBIDDEN(role, try_getsockname);
		FORBIDDEN(role, try_getpeername);
		FORBIDDEN(role, try_setrlimit);
		FORBIDDEN(role, try_exec_memory);
		FORBIDDEN(role, try_make_executable);
		FORBIDDEN(role, try_splice);
		FORBIDDEN(role, try_nanosleep);
		FORBIDDEN(role, try_unlink);
	}
	for (enum sandbox_role role = SANDBOX_CLOSER; role <= SANDBOX_BOUNCER; role++) {
		FORBIDDEN(role, try_epoll);
		FORBIDDEN(role, try_open);
		FORBIDDEN(role, try_read);
		FORBIDDEN(role, try_statx);
		FORBIDDEN(role, try_sockopt);
	}
}
END_TEST

/* fstat() and ioctl() ask the filesystem or the driver: refused, and the process lives. */
static bool refused_calls(void)
{
	struct stat st;
	int n;

	if (!have_filter)
		return true;
	return syscall(SYS_fstat, null, &st) < 0 && errno == EPERM && fstat(null, &st) < 0 &&
	       errno == EPERM && ioctl(pair[0], FIONREAD, &n) < 0 && errno == EPERM &&
	       prctl(PR_SET_NAME, "x") < 0 && errno == EPERM;
}

static void *thread(void *data)
{
	*(int *)data = 1;
	return NULL;
}

/* Reactors are threads; the C library finds no clone3() and goes on with clone(). */
static bool threads(void)
{
	pthread_t t;
	int ran = 0;

	return syscall(SYS_clone3, NULL, 0) < 0 && (errno == ENOSYS || !have_filter) &&
	       pthread_create(&t, NULL, thread, &ran) == 0 && pthread_join(t, NULL) == 0 && ran;
}

START_TEST(an_agent_may_start_threads)
{
	ALLOWED(SANDBOX_AGENT, threads);
}
END_TEST

START_TEST(some_calls_are_refused)
{
	for (enum sandbox_role role = SANDBOX_AGENT; role <= SANDBOX_BOUNCER; role++)
		ALLOWED(role, refused_calls);
}
END_TEST

static void fail_an_assertion(void)
{
	close(STDERR_FILENO);
	signal(SIGABRT, SIG_DFL);
	abort();
}

/* A bug ends in SIGABRT, not in a SIGSYS that would name the wrong culprit. */
START_TEST(abort_is_still_abort)
{
	for (enum sandbox_role role = SANDBOX_AGENT; role <= SANDBOX_BOUNCER; role++) {
		int status = in_sandbox(role, NULL, fail_an_assertion);

		ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && !WCOREDUMP(status));
	}
}
END_TEST

/* As the user that agents run as: not dumpable makes /proc/self/fdinfo root's, on older kernels. */
static void become_nobody(void)
{
	if (getuid() == 0 && (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0))
		_exit(4);
}

START_TEST(without_privileges_too)
{
	int status;
	pid_t pid;

	make_objects();
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		become_nobody();
		if (sandbox_enter(SANDBOX_AGENT) < 0)
			_exit(2);
		_exit(vetting() ? 0 : 3);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	close_objects();
}
END_TEST

UNIT_MAIN("sandbox/calls", every_role_may_do_its_work, no_role_may_do_more, some_calls_are_refused,
	an_agent_may_start_threads, abort_is_still_abort, without_privileges_too)
