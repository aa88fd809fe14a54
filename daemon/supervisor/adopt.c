/* SPDX-License-Identifier: MIT */
/* See adopt.h. One thread, the supervisor's; nothing here waits. */
#include "adopt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agents.h"
#include "base/clock.h"
#include "base/fd.h"
#include "channel_io.h"
#include "log.h"
#include "passed.h"
#include "process.h"
#include "store.h"
#include "supervisor.h"
#include "upgrade.h"

#define DIR_NAME "agents"
#define STORE_PREFIX "agent-"
#define BACKLOG 8
#define FILES_MAX 1000u /* agents of one uid at a time, stuck ones too */
#define RETRY_NS (20 * RDY__NS_PER_MS)
#define SESSIONS_MAX 65536u /* what a uid may be allowed at most (conf) */

static int open_dir(struct supervisor *sv, bool make)
{
	const struct runtime *r = sv->runtime;
	struct stat st;
	char path[CONF_PATH_BYTES + sizeof(DIR_NAME) + 1];
	int fd;

	snprintf(path, sizeof(path), "%s/" DIR_NAME, r->dir_path);
	if (make && mkdirat(r->dir, DIR_NAME, 0700) < 0 && errno != EEXIST) {
		fd = -errno;
		log_three("cannot make the directory for agents", strerror(-fd), path);
		return fd;
	}
	fd = openat(r->dir, DIR_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && !make)
		return 0;
	if (fd < 0) {
		fd = -errno;
		log_three("cannot open the directory for agents", strerror(-fd), path);
		return fd;
	}
	/* Who can put a socket here can play an agent. */
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || st.st_mode & 077) {
		rdy__fd_close(fd);
		log_three("the directory for agents is not safe",
			"it belongs to somebody else, or others may use it", path);
		return -EPERM;
	}
	sv->adoption.dir = fd;
	return 0;
}

int adopt_init(struct supervisor *sv)
{
	struct adoption *a = &sv->adoption;

	a->dir = -1;
	if (getrandom(&a->epoch, sizeof(a->epoch), GRND_NONBLOCK) != sizeof(a->epoch))
		a->epoch =
			(uint64_t)rdy__now_ns(); /* differs from the one before, which is enough */
	a->store = store_probe();
	log_line(LOG_P_DEBUG, "store=%s", a->store ? "yes" : "no");
	/* An earlier supervisor may have had other settings: what is there is looked at in any case. */
	return open_dir(sv, sv->options->conf.grace_ns && !a->store);
}

void adopt_deinit(struct supervisor *sv)
{
	if (sv->adoption.dir >= 0)
		(void)!unlinkat(sv->runtime->dir, DIR_NAME, AT_REMOVEDIR);
	sv->adoption.dir = rdy__fd_close(sv->adoption.dir);
}

int64_t adopt_grace_ns(const struct supervisor *sv)
{
	/* With a store the end of the channel says that it was given up: a stop. */
	return sv->adoption.store || sv->adoption.dir < 0 ? 0 : (int64_t)sv->options->conf.grace_ns;
}

/* By way of our descriptor: the path may be too long for a socket's address. */
static void address(const struct supervisor *sv, const char *name, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", sv->adoption.dir,
		name);
}

int adopt_listener(struct supervisor *sv, struct agent *agent, int *ret)
{
	char name[sizeof(agent->file)];
	struct sockaddr_un a;
	int fd, r = -EADDRINUSE;

	*ret = -1;
	if (!adopt_grace_ns(sv))
		return 0;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	for (unsigned int i = 0; i < FILES_MAX && r == -EADDRINUSE; i++) {
		snprintf(name, sizeof(name), "%u-%u", (unsigned int)agent->uid, i);
		address(sv, name, &a);
		r = bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
	}
	if (r == 0) {
		strcpy(agent->file, name);
		if (listen(fd, BACKLOG) < 0)
			r = -errno;
	}
	if (r < 0) {
		rdy__fd_close(fd);
		return r;
	}
	*ret = fd;
	return 0;
}

void adopt_started(struct supervisor *sv, struct agent *agent)
{
	int r;

	if (!sv->adoption.store)
		return;
	/* The number makes the name this agent's alone; an adopted one is known by it even if it is silent. */
	snprintf(agent->stored, sizeof(agent->stored), STORE_PREFIX "%u-%d",
		(unsigned int)agent->uid, (int)agent->process->pid);
	r = store_put(agent->stored, agent->channel);
	if (r < 0)
		log_line(LOG_P_ERROR,
			"store=failed uid=%u error=\"%s\" effect=\"a restart ends its sessions\"",
			(unsigned int)agent->uid, strerror(-r));
}

void adopt_forget(struct supervisor *sv, struct agent *agent)
{
	if (agent->file[0] && sv->adoption.dir >= 0)
		(void)!unlinkat(sv->adoption.dir, agent->file, 0);
	agent->file[0] = 0;
	if (agent->stored[0])
		store_remove(agent->stored);
	agent->stored[0] = 0;
}

static void set_credentials(const struct agent *agent, int on)
{
	/* Without them nothing is believed (take_snapshot()). */
	(void)setsockopt(agent->channel, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
}

static struct child *known(const struct supervisor *sv, pid_t pid)
{
	rdy__list_for_each (l, &sv->children.all)
		if (rdy__list_entry(l, struct child, link)->pid == pid)
			return rdy__list_entry(l, struct child, link);
	return NULL;
}

/* Its process, from a number. Not known yet is not wrong. */
static int take_process(struct supervisor *sv, struct agent *agent, pid_t pid, bool kernel_says)
{
	int pidfd = process_open(pid, "readyd-agent", kernel_says), r;

	if (pidfd < 0)
		return pidfd;
	if (known(sv, pid)) {
		rdy__fd_close(pidfd);
		return -EEXIST;
	}
	r = child_adopt(sv, CHILD_AGENT, agent->uid, pid, pidfd, &agent->process);
	if (r < 0)
		rdy__fd_close(pidfd);
	else
		agent->process->agent = agent;
	return r;
}

static int ask(struct supervisor *sv, struct agent *agent)
{
	int r = rdy_poll_register(sv->poll, agent->channel,
		TOKEN(TOKEN_CHANNEL, agent->index, sv->agents.generations[agent->index]),
		RDY_READABLE, RDY_LEVEL);

	if (r < 0)
		return r;
	set_credentials(agent, 1);
	r = channel_io_adopt(sv, agent);
	if (r < 0)
		rdy_poll_deregister(sv->poll, agent->channel);
	return r;
}

/*
 * Whoever has called listen() last is the peer: an agent does so when it starts. Returns -EEXIST if its channel
 * came out of the store: the file is that one's.
 */
static int identify(struct supervisor *sv, struct agent *agent)
{
	struct child *child;
	struct ucred peer;
	socklen_t n = sizeof(peer);

	if (agent->process || getsockopt(agent->channel, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 ||
		take_process(sv, agent, peer.pid, false) != -EEXIST)
		return 0;
	child = known(sv, peer.pid);
	if (child->kind == CHILD_AGENT && child->agent && !child->agent->file[0]) {
		strcpy(child->agent->file, agent->file);
		agent->file[0] = 0;
	}
	return -EEXIST;
}

/* Returns 0, -EAGAIN to try again, or -errno: nobody is there. */
static int connect_to(struct supervisor *sv, struct agent *agent)
{
	struct sockaddr_un a;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return -errno;
	address(sv, agent->file, &a);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		r = -errno;
		rdy__fd_close(fd);
		return r;
	}
	agent->channel = fd;
	r = identify(sv, agent);
	if (r == 0)
		r = ask(sv, agent);
	if (r < 0)
		agent->channel = rdy__fd_close(agent->channel);
	return r;
}

void adopt_retry(struct supervisor *sv, struct agent *agent)
{
	int r = connect_to(sv, agent);

	if (r == 0)
		return;
	if (r == -EAGAIN || r == -EINTR || r == -EPIPE || r == -ECONNRESET) {
		adopt_channel_ended(sv, agent);
		return;
	}
	if (r != -ECONNREFUSED && r != -ENOENT && r != -ENOTSOCK && r != -EPROTOTYPE &&
		r != -EEXIST)
		log_line(LOG_P_ERROR, "adopt=failed uid=%u error=\"%s\"", (unsigned int)agent->uid,
			strerror(-r));
	agents_lose(sv, agent);
}

void adopt_channel_ended(struct supervisor *sv, struct agent *agent)
{
	if (!agent->file[0] || agent->snapshot) {
		log_line(LOG_P_WARNING, "adopt=died uid=%u", (unsigned int)agent->uid);
		agents_lose(sv, agent);
		return;
	}
	/*
	 * It refuses us while it still believes in the supervisor before us, whose lock is gone a little
	 * earlier than its sockets. Dead ones refuse the connection.
	 */
	if (agent->channel >= 0)
		rdy_poll_deregister(sv->poll, agent->channel);
	agent->channel = rdy__fd_close(agent->channel);
	agent->retry_at_ns = rdy__deadline_ns(rdy__now_ns(), RETRY_NS);
}

static struct agent *expect(struct supervisor *sv, uid_t uid)
{
	struct agent *agent = NULL;
	int r = agents_new(sv, uid, &agent);

	if (r < 0) {
		log_line(LOG_P_ERROR, "adopt=failed uid=%u error=\"%s\"", (unsigned int)uid,
			strerror(-r));
		return NULL;
	}
	agent->state = AGENT_ADOPTING;
	return agent;
}

/* "UID-N": both parts, or false. */
static bool parse(const char *name, unsigned long *ret_uid, unsigned long *ret_n)
{
	char *end;

	if (*name < '0' || *name > '9')
		return false;
	*ret_uid = strtoul(name, &end, 10);
	if (*end != '-' || end[1] < '0' || end[1] > '9' || *ret_uid >= (uid_t)-1)
		return false;
	*ret_n = strtoul(end + 1, &end, 10);
	return *end == 0;
}

static void find_files(struct supervisor *sv)
{
	int fd = openat(sv->adoption.dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	unsigned long uid, n;

	if (!d) {
		rdy__fd_close(fd);
		return;
	}
	for (struct dirent *e; (e = readdir(d));) {
		struct agent *agent;

		if (e->d_name[0] == '.')
			continue;
		if (strlen(e->d_name) >= sizeof(agent->file) || !parse(e->d_name, &uid, &n)) {
			(void)!unlinkat(sv->adoption.dir, e->d_name, 0);
			continue;
		}
		agent = expect(sv, (uid_t)uid);
		if (!agent)
			continue;
		strcpy(agent->file, e->d_name);
		adopt_retry(sv, agent);
	}
	closedir(d);
}

static void take_stored(void *arg, const char *name, int take_fd)
{
	struct supervisor *sv = arg;
	unsigned long uid, pid = 0;
	struct agent *agent = NULL;
	int type = 0;
	socklen_t size = sizeof(type);

	if (strlen(name) < sizeof(agent->stored) &&
		parse(name + strlen(STORE_PREFIX), &uid, &pid) &&
		getsockopt(take_fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
		type == SOCK_SEQPACKET)
		agent = expect(sv, (uid_t)uid);
	if (!agent) {
		log_line(LOG_P_WARNING, "store=strange name=%s", name);
		rdy__fd_close(take_fd);
		store_remove(name);
		return;
	}
	strcpy(agent->stored, name);
	agent->channel = take_fd;
	(void)take_process(sv, agent, (pid_t)pid, false);
	if (ask(sv, agent) < 0)
		adopt_channel_ended(sv, agent);
}

void adopt_start(struct supervisor *sv)
{
	passed_take_all(STORE_PREFIX, take_stored, sv);
	if (sv->adoption.dir >= 0)
		find_files(sv);
}

bool adopt_pending(const struct supervisor *sv)
{
	rdy__list_for_each (l, &sv->agents.all)
		if (rdy__list_entry(l, struct agent, link)->state == AGENT_ADOPTING)
			return true;
	return false;
}

static void take_closer(struct supervisor *sv, struct agent *agent, pid_t pid)
{
	int pidfd = process_open(pid, "readyd-closer", false);

	if (pidfd < 0)
		return; /* it ends with its agent, or the agent asks for another one */
	if (known(sv, pid) ||
		child_adopt(sv, CHILD_CLOSER, agent->uid, pid, pidfd, &agent->closer) < 0)
		rdy__fd_close(pidfd);
	else
		agent->closer->agent = agent;
}

static bool lie(const struct agent *agent, const char *what)
{
	log_line(LOG_P_ERROR, "adopt=lie uid=%u what=\"%s\"", (unsigned int)agent->uid, what);
	return false;
}

/*
 * Invariant: ADOPT-1: which process an agent is, the kernel says (the sender of the SNAPSHOT), never the agent.
 * Why: it is killed by that number, and a compromised one would have us kill another uid's.
 * Test: tests/unit/supervisor/adopt_lies.c/lies
 */
static bool take_snapshot(struct supervisor *sv, struct agent *agent,
	const struct channel_message *m, const struct rdy__received *got)
{
	const struct channel_snapshot *s = &m->u.snapshot;

	if (!(got->flags & RDY__RECV_CREDENTIALS) || got->uid != geteuid())
		return lie(agent, "sender");
	if (agent->process ? agent->process->pid != got->pid
			   : take_process(sv, agent, got->pid, true) < 0)
		return lie(agent, "process");
	if (s->uid != agent->uid)
		return lie(agent, "uid");
	if (s->n_sessions > SESSIONS_MAX)
		return lie(agent, "sessions");
	take_closer(sv, agent, s->closer);
	agent->snapshot = true;
	agent->snapshot_left = s->n_sessions;
	agent->program = s->program;
	agent->version = m->version;
	agent->frozen = s->flags & CHANNEL_FROZEN;
	/* What an administrator said outlives us as agents do; without memory it is thawed. */
	if (agent->frozen)
		agent->frozen = frozen_add(&sv->frozen, agent->uid, rdy__now_ns()) >= 0;
	return true;
}

static bool take_session(
	struct supervisor *sv, struct agent *agent, const struct channel_snapshot_session *s)
{
	struct session *session;

	if (s->uid != agent->uid)
		return lie(agent, "uid of a session");
	if (s->session <= agent->snapshot_last)
		return lie(agent, "order of sessions");
	session = calloc(1, sizeof(*session));
	if (!session)
		return lie(agent, "out of memory");
	agent->snapshot_last = s->session;
	agent->snapshot_left--;
	agents_keep_session(sv, agent, session, s);
	return true;
}

static void done(struct supervisor *sv, struct agent *agent)
{
	set_credentials(agent, 0);
	agent->state = AGENT_SERVING;
	/* It has lived; that it dies early now would be no failed start. */
	agent->started_at_ns -= FAILURES_QUICK_NS;
	log_line(LOG_P_INFO, "agent=adopted uid=%u pid=%d sessions=%u", (unsigned int)agent->uid,
		(int)agent->process->pid, agent->n_sessions);
	agent->config_owed = true;
	if (!agent->stored[0])
		adopt_started(sv, agent);
	channel_io_flush(sv, agent);
	if (sv->stopping && !sv->leaving)
		channel_io_end(sv, agent);
	upgrade_consider(sv, agent);
}

bool adopt_message(struct supervisor *sv, struct agent *agent, const struct channel_message *m,
	const struct rdy__received *got)
{
	bool good = true;

	if (agent->snapshot)
		good = m->type == CHANNEL_SNAPSHOT_SESSION
			       ? take_session(sv, agent, &m->u.snapshot_session)
			       : lie(agent, "fewer sessions than said");
	else if (m->type == CHANNEL_SNAPSHOT && m->u.snapshot.epoch == sv->adoption.epoch)
		good = take_snapshot(sv, agent, m, got);
	if (good && agent->snapshot && agent->snapshot_left == 0)
		done(sv, agent);
	return good;
}
