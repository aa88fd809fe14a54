/* SPDX-License-Identifier: MIT */
/*
 * readyd under a service manager that keeps descriptors: a small one, a thread of this test, which does what
 * sd_notify(3) says of FDSTORE=1 and passes what it has on to the next readyd as sd_listen_fds(3) says.
 */
#include "passed.h"
#include "store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "daemon.h"

#define KEPT_MAX 64

static struct {
	pthread_mutex_t lock;
	pthread_t thread;
	struct sockaddr_un address;
	int sock;
	_Atomic bool keeps; /* FileDescriptorStoreMax > 0 */
	size_t n;
	struct {
		char name[64];
		int fd;
	} kept[KEPT_MAX];
	uint32_t strange; /* messages that it does not know */
} manager;

static void forget_at(size_t i)
{
	rdy__fd_close(manager.kept[i].fd);
	manager.kept[i] = manager.kept[--manager.n];
}

static void keep(const char *name, int take_fd, bool poll_it)
{
	/* What hangs up would be dropped, were it watched. */
	if (!manager.keeps || manager.n == KEPT_MAX || poll_it) {
		rdy__fd_close(take_fd);
		return;
	}
	snprintf(manager.kept[manager.n].name, sizeof(manager.kept[0].name), "%s", name);
	manager.kept[manager.n++].fd = take_fd;
}

static void take_message(char *text, const int *take_fds, size_t n_fds)
{
	bool store = false, remove = false, poll_it = true, known = false;
	const char *name = "stored";

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		store |= strcmp(line, "FDSTORE=1") == 0;
		remove |= strcmp(line, "FDSTOREREMOVE=1") == 0;
		poll_it &= strcmp(line, "FDPOLL=0") != 0;
		known |= strcmp(line, "BARRIER=1") == 0;
		/* What every service says of itself; the first word of a message. */
		known |= strcmp(line, "READY=1") == 0 || strcmp(line, "STOPPING=1") == 0 ||
			 strncmp(line, "STATUS=Serving ", 15) == 0;
		if (strncmp(line, "FDNAME=", 7) == 0)
			name = line + 7;
	}
	pthread_mutex_lock(&manager.lock);
	manager.strange += !known && !store && !remove;
	for (size_t i = 0; i < n_fds; i++) {
		if (store)
			keep(name, take_fds[i], poll_it);
		else
			rdy__fd_close(take_fds[i]); /* which a barrier waits for */
	}
	for (size_t i = 0; remove && i < manager.n;) {
		if (strcmp(manager.kept[i].name, name) == 0)
			forget_at(i);
		else
			i++;
	}
	pthread_mutex_unlock(&manager.lock);
}

static void *manage(void *arg)
{
	for (;;) {
		char text[512];
		int fds[RDY__FDS_MAX];
		struct rdy__received got;

		if (rdy__recv_fds(
			    manager.sock, text, sizeof(text) - 1, fds, RDY__RECV_BLOCK, &got) < 0)
			continue;
		text[got.n_bytes] = 0;
		if (strcmp(text, "end") == 0)
			return arg;
		take_message(text, fds, got.n_fds);
	}
}

static void manager_start(bool keeps)
{
	socklen_t size = sizeof(sa_family_t);

	memset(&manager, 0, sizeof(manager));
	pthread_mutex_init(&manager.lock, NULL);
	manager.keeps = keeps;
	manager.sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	manager.address.sun_family = AF_UNIX;
	/* The kernel finds a name. */
	ck_assert_int_eq(bind(manager.sock, (struct sockaddr *)&manager.address, size), 0);
	size = sizeof(manager.address);
	ck_assert_int_eq(getsockname(manager.sock, (struct sockaddr *)&manager.address, &size), 0);
	ck_assert_int_eq(pthread_create(&manager.thread, NULL, manage, NULL), 0);
}

static void name_socket(void)
{
	char name[32];

	snprintf(name, sizeof(name), "@%.5s", manager.address.sun_path + 1); /* unix(7), autobind */
	setenv("NOTIFY_SOCKET", name, 1);
}

static size_t count_all(void)
{
	size_t n;

	pthread_mutex_lock(&manager.lock);
	n = manager.n;
	pthread_mutex_unlock(&manager.lock);
	return n;
}

/* Without the probe of a start, which it asks to be removed and does not wait for. */
static size_t count_kept(void)
{
	size_t n = 0;

	pthread_mutex_lock(&manager.lock);
	for (size_t i = 0; i < manager.n; i++)
		n += strcmp(manager.kept[i].name, STORE_PROBE) != 0;
	pthread_mutex_unlock(&manager.lock);
	return n;
}

static void manager_drop(void)
{
	pthread_mutex_lock(&manager.lock);
	while (manager.n)
		forget_at(0);
	pthread_mutex_unlock(&manager.lock);
}

static void manager_stop(void)
{
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(sendto(sock, "end", 3, 0, (struct sockaddr *)&manager.address,
				 sizeof(sa_family_t) + 6),
		3);
	rdy__fd_close(sock);
	pthread_join(manager.thread, NULL);
	manager_drop();
	rdy__fd_close(manager.sock);
	ck_assert_uint_eq(manager.strange, 0);
}

static bool is_named(const char *prefix)
{
	bool found = false;

	pthread_mutex_lock(&manager.lock);
	for (size_t i = 0; i < manager.n; i++)
		found |= strncmp(manager.kept[i].name, prefix, strlen(prefix)) == 0;
	pthread_mutex_unlock(&manager.lock);
	return found;
}

/* In the child, before the exec: what a service is started with. */
static void pass_on(void)
{
	char text[KEPT_MAX * 64] = "", number[16];

	name_socket();
	if (!manager.n)
		return;
	/* Out of the way of the numbers that they get. */
	for (size_t i = 0; i < manager.n; i++)
		manager.kept[i].fd = fcntl(manager.kept[i].fd, F_DUPFD, 3 + KEPT_MAX);
	for (size_t i = 0; i < manager.n; i++) {
		dup2(manager.kept[i].fd, 3 + (int)i);
		close(manager.kept[i].fd);
		strcat(text, i ? ":" : "");
		strcat(text, manager.kept[i].name);
	}
	snprintf(number, sizeof(number), "%zu", manager.n);
	setenv("LISTEN_FDS", number, 1);
	setenv("LISTEN_FDNAMES", text, 1);
	snprintf(number, sizeof(number), "%d", (int)getpid());
	setenv("LISTEN_PID", number, 1);
}

static struct daemon d;

static void start(void)
{
	static const char *const options[] = {"--user", "adoption.grace=60s", "log.level=debug",
		"quota.default.connects_per_s=1000", NULL};

	daemon_start_with(&d, options, pass_on);
}

static void setup(void)
{
	unit_setup();
	/* An agent that is left ends as this process's child, and not as a zombie of process 1. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	daemon_dir(&d);
	manager_start(true);
}

/* SIGTERM or worse; what it leaves is its agents' affair. */
static void end(int signal, int status)
{
	kill(d.pid, signal);
	ck_assert_int_eq(daemon_wait(&d), status);
}

static bool ended(pid_t pid)
{
	waitpid(pid, NULL, WNOHANG);
	return is_gone(pid);
}

static void reap_all(void)
{
	/* Bouncers, closers: all of them end by themselves, and so does this. */
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void teardown(void)
{
	char path[80];

	if (d.pid > 0)
		end(SIGINT, 0);
	reap_all();
	snprintf(path, sizeof(path), "%s/agents", d.dir);
	rmdir(path);
	/* It cannot know that no other one comes. */
	snprintf(path, sizeof(path), "%s/counters", d.dir);
	unlink(path);
	daemon_dir_removed(&d);
	manager_stop();
	unit_teardown();
}

static void restart_by(int signal, int status)
{
	pid_t agent;
	int client, other;

	start();
	client = client_open(&d);
	agent = helper(&d, "readyd-agent");
	WAIT_FOR(count_kept() == 1);
	ck_assert(is_named("agent-"));
	for (int i = 0; i < 3; i++) {
		end(signal, status);
		/* Nobody supervises: it is served. */
		client_ping(client);
		ck_assert_uint_eq(count_kept(), 1);
		start();
		ck_assert_ptr_nonnull(strstr(daemon_said(&d), "agent=adopted"));
		client_ping(client);
		other = client_open(&d);
		client_ping(other);
		rdy__fd_close(other);
		ck_assert_uint_eq(helpers(&d, "readyd-agent", &agent, 0), 0);
		ck_assert(!ended(agent));
	}
	end(SIGINT, 0);
	client_sees_the_end(client);
	WAIT_FOR(ended(agent));
	WAIT_FOR(count_kept() == 0);
	rdy__fd_close(client);
}

/* systemctl restart */
START_TEST(restarted)
{
	restart_by(SIGTERM, 0);
}
END_TEST

START_TEST(killed)
{
	restart_by(SIGKILL, 1000 + SIGKILL);
}
END_TEST

/* systemctl stop: the manager lets go of what it has, and the agents end. */
START_TEST(stopped)
{
	struct wire_error_record e = {0};
	pid_t agent;
	int client;

	start();
	client = client_open(&d);
	agent = helper(&d, "readyd-agent");
	WAIT_FOR(count_kept() == 1);
	end(SIGTERM, 0);
	client_ping(client);
	manager_drop();
	ck_assert_uint_eq(client_read(client, &e), WIRE_ERROR);
	ck_assert_uint_eq(e.error, WIRE_E_SHUTTING_DOWN);
	client_sees_the_end(client);
	WAIT_FOR(ended(agent));
	rdy__fd_close(client);
}
END_TEST

/* What is kept is a channel each, no more; one that ends is given back. */
START_TEST(what_is_kept)
{
	static const char *const options[] = {
		"--user", "agent.idle_exit=50ms", "log.level=debug", NULL};
	int clients[3], type;
	socklen_t n = sizeof(type);
	char path[80];

	daemon_start_with(&d, options, pass_on);
	/* With a store there is no need for sockets to come back to. */
	snprintf(path, sizeof(path), "%s/agents", d.dir);
	ck_assert_int_lt(access(path, F_OK), 0);
	for (int i = 0; i < 3; i++)
		clients[i] = client_open(&d);
	WAIT_FOR(count_kept() == 1);
	pthread_mutex_lock(&manager.lock);
	ck_assert_int_eq(getsockopt(manager.kept[0].fd, SOL_SOCKET, SO_TYPE, &type, &n), 0);
	ck_assert_int_eq(type, SOCK_SEQPACKET);
	pthread_mutex_unlock(&manager.lock);
	for (int i = 0; i < 3; i++)
		rdy__fd_close(clients[i]);
	WAIT_FOR(count_kept() == 0);
	WAIT_FOR(helpers(&d, "readyd-agent", NULL, 0) == 0);
}
END_TEST

/* An agent that hangs when the next one starts is killed by the number that its name has. */
START_TEST(silent)
{
	pid_t agent;
	int client;

	start();
	client = client_open(&d);
	agent = helper(&d, "readyd-agent");
	WAIT_FOR(count_kept() == 1);
	end(SIGTERM, 0);
	kill(agent, SIGSTOP);
	start();
	ck_assert_ptr_nonnull(strstr(daemon_said(&d), "agent=wedged"));
	client_sees_the_end(client);
	WAIT_FOR(ended(agent));
	WAIT_FOR(count_kept() == 0);
	rdy__fd_close(client);
	client = client_open(&d);
	client_ping(client);
	rdy__fd_close(client);
}
END_TEST

/* A dead one's channel is there still, and is cleaned up. */
START_TEST(dead)
{
	pid_t agent;
	int client;

	start();
	client = client_open(&d);
	agent = helper(&d, "readyd-agent");
	WAIT_FOR(count_kept() == 1);
	end(SIGTERM, 0);
	kill(agent, SIGKILL);
	client_sees_the_end(client);
	rdy__fd_close(client);
	WAIT_FOR(ended(agent));
	ck_assert_uint_eq(count_kept(), 1);
	start();
	WAIT_FOR(count_kept() == 0);
}
END_TEST

/* A manager that takes messages and keeps nothing: the agents wait in the runtime directory. */
START_TEST(keeps_nothing)
{
	struct wire_error_record e = {0};
	char path[80];
	pid_t agent;
	int client;

	manager.keeps = false;
	start();
	ck_assert_ptr_nonnull(strstr(daemon_said(&d), "store=no"));
	client = client_open(&d);
	agent = helper(&d, "readyd-agent");
	snprintf(path, sizeof(path), "%s/agents", d.dir);
	ck_assert_int_eq(access(path, F_OK), 0);
	end(SIGKILL, 1000 + SIGKILL);
	start();
	client_ping(client);
	ck_assert(!ended(agent));
	end(SIGTERM, 0);
	ck_assert_uint_eq(client_read(client, &e), WIRE_ERROR);
	ck_assert_uint_eq(e.error, WIRE_E_SHUTTING_DOWN);
	rdy__fd_close(client);
	WAIT_FOR(ended(agent));
	ck_assert_int_lt(access(path, F_OK), 0);
	ck_assert_uint_eq(count_kept(), 0);
}
END_TEST

/* From a manager with a store to one without, and back: agents are found either way. */
START_TEST(now_and_then)
{
	pid_t agent;
	int client;

	manager.keeps = false;
	start();
	client = client_open(&d);
	agent = helper(&d, "readyd-agent");
	end(SIGKILL, 1000 + SIGKILL);
	manager.keeps = true;
	start();
	client_ping(client);
	/* Found by its socket, and kept from now on. */
	WAIT_FOR(count_kept() == 1);
	end(SIGKILL, 1000 + SIGKILL);
	client_ping(client);
	start();
	client_ping(client);
	ck_assert(!ended(agent));
	rdy__fd_close(client);
	end(SIGINT, 0);
	WAIT_FOR(ended(agent));
}
END_TEST

/* Names that nobody of us gave: a listening socket is left alone, what pretends to be an agent is not. */
START_TEST(strange_names)
{
	const char *const names[] = {"session.socket", "agent-", "agent-1000", "agent-x-1",
		"agent-1000-1", "probe", "agent-0-0"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = i == 4 ? eventfd(0, EFD_CLOEXEC)
				: socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

		pthread_mutex_lock(&manager.lock);
		keep(names[i], fd, false);
		pthread_mutex_unlock(&manager.lock);
	}
	start();
	WAIT_FOR(count_kept() == 1);
	ck_assert(is_named("session.socket"));
	rdy__fd_close(client_open(&d));
	end(SIGINT, 0);
	ck_assert(is_named("session.socket"));
}
END_TEST

/* The functions themselves, without a readyd. */
static void never(void *arg, const char *name, int take_fd)
{
	(void)arg;
	ck_abort_msg("%s %d", name, take_fd);
}

START_TEST(by_hand)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	unsetenv("NOTIFY_SOCKET");
	ck_assert(!store_probe());
	ck_assert_int_lt(store_put("x", fd), 0);
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	ck_assert(!store_probe());
	ck_assert_int_lt(store_put("x", fd), 0);
	name_socket();
	ck_assert(store_probe());
	WAIT_FOR(count_all() == 0);
	ck_assert_int_eq(store_put("x", fd), 0);
	WAIT_FOR(count_all() == 1 && is_named("x"));
	store_remove("x");
	WAIT_FOR(count_all() == 0);
	manager.keeps = false;
	ck_assert(!store_probe());
	passed_init();
	passed_take_all("", never, NULL);
	passed_close();
	rdy__fd_close(fd);
	unsetenv("NOTIFY_SOCKET");
}
END_TEST

UNIT_MAIN_WITH("supervisor/store", setup, teardown, restarted, killed, stopped, what_is_kept,
	silent, dead, keeps_nothing, now_and_then, strange_names, by_hand)
