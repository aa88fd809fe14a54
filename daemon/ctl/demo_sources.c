/* SPDX-License-Identifier: MIT */
/*
 * Seven kinds of descriptor and who feeds them: children and shells, each the leader of a process group
 * that dies with us. Where data can be sent, the data is the time at which it was written.
 */
#include "demo_sources.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "print.h"

struct ctl_demo_stamps {
	int64_t eventfd, pidfd;
};

static void pause_ns(int64_t ns)
{
	struct timespec ts = {.tv_sec = ns / RDY__NS_PER_S, .tv_nsec = ns % RDY__NS_PER_S};

	nanosleep(&ts, NULL);
}

/* fork() a producer with a process group (or session) of its own: returns 0 in it, its pid in us. */
static pid_t start_producer(bool session)
{
	pid_t parent = getpid(), pid = fork();
	sigset_t none;

	if (pid) {
		/* Both sides do it, so that the group exists whoever runs first. */
		if (pid > 0 && !session)
			setpgid(pid, pid);
		return pid;
	}
	if (session)
		setsid();
	else
		setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	return 0;
}

/* In a producer: become a shell with the pace as $1, the rounds as $2 and the folder as $3. */
static void become_shell(const struct ctl_demo_sources *all, const char *script)
{
	char pace[32], rounds[16];

	snprintf(pace, sizeof(pace), "%" PRId64 ".%03d", all->pace_ns / RDY__NS_PER_S,
		(int)(all->pace_ns % RDY__NS_PER_S / 1000000));
	snprintf(rounds, sizeof(rounds), "%d", all->n_rounds ? (int)all->n_rounds : -1);
	execl("/bin/sh", "sh", "-c", script, "demo", pace, rounds, all->folder, (char *)NULL);
	_exit(127);
}

/* Read until nothing is left; the first line is the time at which it was written. */
static int64_t take_stamp(int fd, char *buf, size_t buf_bytes)
{
	size_t n = 0;
	ssize_t r;
	long long stamp;
	char rest[512];

	while (n + 1 < buf_bytes && (r = read(fd, buf + n, buf_bytes - 1 - n)) > 0)
		n += (size_t)r;
	while (n + 1 == buf_bytes && read(fd, rest, sizeof(rest)) > 0)
		;
	buf[n] = '\0';
	if (n == 0)
		return 0;
	/* A shell whose date knows no nanoseconds leaves the cause unknown. */
	return sscanf(buf, "%lld", &stamp) == 1 && stamp > RDY__NS_PER_S * RDY__NS_PER_S ? stamp
											 : -1;
}

/* A TCP connection on loopback; a child process writes. */
static int start_tcp(struct ctl_demo_source *s)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r = 0;

	if (listener < 0)
		return -errno;
	if (bind(listener, (struct sockaddr *)&addr, len) || listen(listener, 1) ||
		getsockname(listener, (struct sockaddr *)&addr, &len))
		r = -errno;
	if (r == 0 && (s->producer = start_producer(false)) < 0)
		r = -errno;
	if (r == 0 && s->producer == 0) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0 || connect(fd, (struct sockaddr *)&addr, len))
			_exit(1);
		for (unsigned int i = 0; s->all->n_rounds == 0 || i < s->all->n_rounds; i++) {
			pause_ns(s->all->pace_ns);
			dprintf(fd, "%" PRId64 "\n", ctl_realtime_ns());
		}
		pause(); /* keeps the connection up until we end it */
		_exit(0);
	}
	if (r == 0) {
		struct pollfd p = {.fd = listener, .events = POLLIN};

		poll(&p, 1, 5000); /* a child that could not connect must not hold us for ever */
		s->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (!(p.revents & POLLIN) || s->fd < 0)
			r = -ETIMEDOUT;
	}
	close(listener);
	return r;
}

static int64_t take_tcp(struct ctl_demo_source *s, char *what, size_t what_bytes)
{
	char buf[512];

	snprintf(what, what_bytes, "a child wrote to the connection");
	return take_stamp(s->fd, buf, sizeof(buf));
}

/* A FIFO; a shell writes. Opened for both directions, so that it never hangs up. */
static int start_fifo(struct ctl_demo_source *s)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/fifo", s->all->folder);
	if (mkfifo(path, 0600))
		return -errno;
	s->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (s->fd < 0)
		return -errno;
	s->producer = start_producer(false);
	if (s->producer < 0)
		return -errno;
	if (s->producer == 0)
		become_shell(s->all,
			"n=0; while [ $n -ne $2 ]; do sleep $1; date +%s%N >\"$3/fifo\"; "
			"n=$((n + 1)); done");
	return 0;
}

static int64_t take_fifo(struct ctl_demo_source *s, char *what, size_t what_bytes)
{
	char buf[512];

	snprintf(what, what_bytes, "a shell wrote to %s/fifo", s->all->folder);
	return take_stamp(s->fd, buf, sizeof(buf));
}

/* A pty's master; on the terminal runs a shell. */
static int start_pty(struct ctl_demo_source *s)
{
	struct termios t;
	char slave[64];

	s->fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (s->fd < 0 || grantpt(s->fd) || unlockpt(s->fd) ||
		ptsname_r(s->fd, slave, sizeof(slave)))
		return -errno;
	s->producer = start_producer(true);
	if (s->producer < 0)
		return -errno;
	if (s->producer == 0) {
		int fd;

		fd = open(slave, O_RDWR);
		if (fd < 0 || ioctl(fd, TIOCSCTTY, 0))
			_exit(1);
		tcgetattr(fd, &t);
		t.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(fd, TCSANOW, &t);
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		become_shell(s->all,
			"n=0; while [ $n -ne $2 ]; do sleep $1; date +%s%N; n=$((n + 1)); "
			"done; read -r _");
	}
	return 0;
}

static int64_t take_pty(struct ctl_demo_source *s, char *what, size_t what_bytes)
{
	char buf[512];

	snprintf(what, what_bytes, "a shell printed on its terminal");
	return take_stamp(s->fd, buf, sizeof(buf));
}

/* A timer of the kernel; its expiries are known beforehand. */
static int start_timer(struct ctl_demo_source *s)
{
	struct itimerspec t;

	s->all->timer_start_ns = ctl_realtime_ns() + s->all->pace_ns;
	s->all->timer_seen = 0;
	t.it_value = (struct timespec){
		s->all->timer_start_ns / RDY__NS_PER_S, s->all->timer_start_ns % RDY__NS_PER_S};
	t.it_interval =
		(struct timespec){s->all->pace_ns / RDY__NS_PER_S, s->all->pace_ns % RDY__NS_PER_S};
	s->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (s->fd < 0 || timerfd_settime(s->fd, TFD_TIMER_ABSTIME, &t, NULL))
		return -errno;
	return 0;
}

static int64_t take_timer(struct ctl_demo_source *s, char *what, size_t what_bytes)
{
	int64_t cause = s->all->timer_start_ns + (int64_t)s->all->timer_seen * s->all->pace_ns;
	uint64_t n;

	if (read(s->fd, &n, sizeof(n)) != sizeof(n))
		return 0;
	s->all->timer_seen += n;
	snprintf(what, what_bytes, "expiry %" PRIu64, s->all->timer_seen);
	return cause;
}

/* An inotify watch on a folder, in which a shell makes files. */
static int start_inotify(struct ctl_demo_source *s)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/watched", s->all->folder);
	if (mkdir(path, 0700))
		return -errno;
	s->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (s->fd < 0 || inotify_add_watch(s->fd, path, IN_CLOSE_WRITE) < 0)
		return -errno;
	s->producer = start_producer(false);
	if (s->producer < 0)
		return -errno;
	if (s->producer == 0)
		become_shell(s->all, "n=0; while [ $n -ne $2 ]; do sleep $1; n=$((n + 1)); "
				     "date +%s%N >\"$3/watched/file-$n\"; done");
	return 0;
}

static int64_t take_inotify(struct ctl_demo_source *s, char *what, size_t what_bytes)
{
	_Alignas(struct inotify_event) char buf[4096];
	int64_t cause = 0;
	ssize_t n;

	while ((n = read(s->fd, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (const struct inotify_event *)(buf + at);
			char path[400], text[64];
			int fd;

			at += (ssize_t)(sizeof(*e) + e->len);
			snprintf(path, sizeof(path), "%s/watched/%s", s->all->folder,
				e->len ? e->name : "");
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd >= 0 && cause == 0) {
				cause = take_stamp(fd, text, sizeof(text));
				snprintf(what, what_bytes, "a shell made %.40s", e->name);
			}
			if (fd >= 0)
				close(fd);
			unlink(path);
		}
	}
	return cause;
}

/* A pidfd: readable when its process ends. Each process is a new descriptor. */
static int start_pidfd(struct ctl_demo_source *s)
{
	s->producer = start_producer(false);
	if (s->producer == 0) {
		pause_ns(s->all->pace_ns);
		s->all->stamps->pidfd = ctl_realtime_ns();
		_exit(0);
	}
	s->fd = s->producer < 0 ? -1 : (int)syscall(SYS_pidfd_open, s->producer, 0);
	return s->fd < 0 ? -errno : 0;
}

static int64_t take_pidfd(struct ctl_demo_source *s, char *what, size_t what_bytes)
{
	int status;

	if (waitpid(s->producer, &status, WNOHANG) != s->producer)
		return 0;
	snprintf(what, what_bytes, "process %d ended", (int)s->producer);
	s->producer = 0;
	return s->all->stamps->pidfd;
}

/* An eventfd; a child counts it up. */
static int start_eventfd(struct ctl_demo_source *s)
{
	s->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->fd < 0)
		return -errno;
	s->producer = start_producer(false);
	if (s->producer < 0)
		return -errno;
	if (s->producer == 0) {
		for (unsigned int i = 0; s->all->n_rounds == 0 || i < s->all->n_rounds; i++) {
			pause_ns(s->all->pace_ns);
			s->all->stamps->eventfd = ctl_realtime_ns();
			eventfd_write(s->fd, 1);
		}
		_exit(0);
	}
	return 0;
}

static int64_t take_eventfd(struct ctl_demo_source *s, char *what, size_t what_bytes)
{
	eventfd_t n;

	if (eventfd_read(s->fd, &n))
		return 0;
	snprintf(what, what_bytes, "a child added %llu", (unsigned long long)n);
	return s->all->stamps->eventfd;
}

int ctl_demo_sources_init(struct ctl_demo_sources *all, bool live, const char *tmp)
{
	static const struct ctl_demo_source table[CTL_DEMO_SOURCES] = {
		{.name = "tcp", .take = take_tcp, .start = start_tcp},
		{.name = "fifo", .take = take_fifo, .start = start_fifo},
		{.name = "pty", .take = take_pty, .start = start_pty},
		{.name = "timerfd", .take = take_timer, .start = start_timer},
		{.name = "inotify", .take = take_inotify, .start = start_inotify},
		{.name = "pidfd", .once = true, .take = take_pidfd, .start = start_pidfd},
		{.name = "eventfd", .take = take_eventfd, .start = start_eventfd},
	};
	void *shared = mmap(NULL, sizeof(*all->stamps), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*all = (struct ctl_demo_sources){
		.pace_ns = live ? 2 * RDY__NS_PER_S : RDY__NS_PER_S / 5,
		.n_rounds = live ? 0 : 3,
	};
	memcpy(all->list, table, sizeof(table));
	for (size_t i = 0; i < CTL_DEMO_SOURCES; i++) {
		all->list[i].all = all;
		all->list[i].fd = -1;
		/* Two writes that came together are one event. */
		all->list[i].wanted = all->list[i].once ? 1 : 2;
	}
	if (shared == MAP_FAILED)
		return -errno;
	all->stamps = shared;
	if (!tmp || strlen(tmp) > sizeof(all->folder) - sizeof("/readyd-demo.XXXXXX"))
		tmp = "/tmp";
	snprintf(all->folder, sizeof(all->folder), "%s/readyd-demo.XXXXXX", tmp);
	if (!mkdtemp(all->folder)) {
		all->folder[0] = '\0';
		return -errno;
	}
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

void ctl_demo_sources_deinit(struct ctl_demo_sources *all)
{
	for (size_t i = 0; i < CTL_DEMO_SOURCES; i++) {
		struct ctl_demo_source *s = &all->list[i];

		if (s->producer > 0) {
			kill(-s->producer, SIGKILL);
			kill(s->producer, SIGKILL);
			waitpid(s->producer, NULL, 0);
			s->producer = 0;
		}
		if (s->all)
			rdy__fd_close(s->fd);
		s->fd = -1;
	}
	if (all->stamps)
		munmap(all->stamps, sizeof(*all->stamps));
	all->stamps = NULL;
	if (all->folder[0])
		nftw(all->folder, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
	all->folder[0] = '\0';
}
