/* SPDX-License-Identifier: MIT */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agents.h"
#include "base/clock.h"
#include "base/fd.h"
#include "bouncer.h"
#include "holders.h"
#include "log.h"
#include "supervisor.h"

#define FD_FIRST 3  /* what a helper finds; CHANNEL_FD_SUPERVISOR, LINK_FD_SELF */
#define FD_ABOVE 16 /* our copies are moved above what a helper finds */
#define FDS_MAX 3
#define STUCK_NS (2 * RDY__NS_PER_S) /* killed and still there */

static const char *const names[CHILD_KINDS] = {"agent", "closer", "bouncer"};

/* In the build tree a helper lies in a folder beside ours; installed, in libexec. */
static int open_program(const char *self_dir, const char *name)
{
	char path[PATH_MAX];
	int fd, n;

	n = snprintf(path, sizeof(path), "%s/../%s/readyd-%s", self_dir, name, name);
	if (n > 0 && (size_t)n < sizeof(path)) {
		fd = open(path, O_PATH | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	snprintf(path, sizeof(path), READYD_LIBEXECDIR "/readyd-%s", name);
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/*
 * What tells one program from another after an upgrade. The file stays the same one under us: it is open.
 */
static uint64_t id_of(int fd)
{
	uint64_t id = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
	struct stat st;

	if (fstat(fd, &st) < 0)
		return 0;
	const uint64_t parts[] = {st.st_dev, st.st_ino, (uint64_t)st.st_size,
		(uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec};

	for (size_t i = 0; i < sizeof(parts); i++)
		id = (id ^ ((const uint8_t *)parts)[i]) * UINT64_C(0x100000001b3);
	return id;
}

int children_init(struct children *c)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	*c = (struct children){.programs = {-1, -1, -1}};
	rdy__list_init(&c->all);
	if (n < 0) {
		log_three("cannot find my own program", "/proc is not mounted",
			"mount -t proc proc /proc");
		return -errno;
	}
	self[n] = 0;
	slash = strrchr(self, '/');
	if (slash)
		*slash = 0;
	for (int i = 0; i < CHILD_KINDS; i++) {
		int fd = open_program(self, names[i]);

		if (fd < 0) {
			char what[64];

			snprintf(what, sizeof(what), "cannot find the program readyd-%s", names[i]);
			log_three(what, "it is not in " READYD_LIBEXECDIR, "install readyd again");
			return fd;
		}
		/* Not one of the numbers that a helper finds: those are overwritten before the exec. */
		c->programs[i] = fcntl(fd, F_DUPFD_CLOEXEC, FD_ABOVE);
		rdy__fd_close(fd);
		if (c->programs[i] < 0)
			return -EMFILE;
		c->ids[i] = id_of(c->programs[i]);
	}
	return 0;
}

void children_deinit(struct children *c)
{
	struct rdy__list *l;

	if (!c->all.next)
		return;
	while ((l = rdy__list_pop(&c->all))) {
		struct child *child = rdy__list_entry(l, struct child, link);

		rdy__fd_close(child->pidfd);
		free(child);
	}
	free(c->slots);
	free(c->generations);
	c->slots = NULL;
	c->generations = NULL;
	c->n_slots = 0;
	for (int i = 0; i < CHILD_KINDS; i++)
		c->programs[i] = rdy__fd_close(c->programs[i]);
}

static int take_slot(struct children *c, uint32_t *ret)
{
	uint32_t n = c->n_slots ? c->n_slots * 2 : 16;
	uint32_t *generations;
	struct child **slots;

	for (uint32_t i = 0; i < c->n_slots; i++) {
		if (!c->slots[i]) {
			*ret = i;
			return 0;
		}
	}
	slots = realloc(c->slots, n * sizeof(struct child *));
	if (!slots)
		return -ENOMEM;
	c->slots = slots;
	generations = realloc(c->generations, n * sizeof(*generations));
	if (!generations)
		return -ENOMEM;
	c->generations = generations;
	memset(slots + c->n_slots, 0, (n - c->n_slots) * sizeof(struct child *));
	memset(generations + c->n_slots, 0, (n - c->n_slots) * sizeof(*generations));
	*ret = c->n_slots;
	c->n_slots = n;
	return 0;
}

static int spawn(
	struct supervisor *sv, enum child_kind kind, const int *fds, size_t n_fds, pid_t *ret)
{
	char program[32], name[32];
	char *const argv[] = {
		name, sv->options->conf.sandbox ? NULL : (char *)"--no-sandbox", NULL};
	char *const envp[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t set;
	int r;

	snprintf(name, sizeof(name), "readyd-%s", names[kind]);
	snprintf(program, sizeof(program), "/proc/self/fd/%d", sv->children.programs[kind]);
	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (r) {
		posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	for (size_t i = 0; i < n_fds && r == 0; i++)
		r = posix_spawn_file_actions_adddup2(&actions, fds[i], FD_FIRST + (int)i);
	sigemptyset(&set);
	if (r == 0)
		r = posix_spawnattr_setsigmask(&attr, &set);
	sigfillset(&set);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(&attr, &set);
	/* A group of its own: what a terminal sends to ours does not reach it. */
	if (r == 0)
		r = posix_spawnattr_setpgroup(&attr, 0);
	if (r == 0)
		r = posix_spawnattr_setflags(&attr,
			POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (r == 0)
		r = posix_spawn(ret, program, &actions, &attr, argv, envp);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* Above what a helper finds, or one dup2() would overwrite what the next one wants. */
static int move_up(const int *fds, size_t n_fds, int *ret)
{
	for (size_t i = 0; i < n_fds; i++) {
		ret[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FD_ABOVE);
		if (ret[i] < 0) {
			int e = -errno;

			while (i--)
				rdy__fd_close(ret[i]);
			return e;
		}
	}
	return 0;
}

static int watch(struct supervisor *sv, struct child *child)
{
	return rdy_poll_register(sv->poll, child->pidfd,
		TOKEN(TOKEN_CHILD, child->index, sv->children.generations[child->index]),
		RDY_READABLE, RDY_LEVEL);
}

static int start(struct supervisor *sv, struct child *child, const int *fds, size_t n_fds)
{
	int up[FDS_MAX] = {-1, -1}, r;

	r = take_slot(&sv->children, &child->index);
	if (r == 0)
		r = move_up(fds, n_fds, up);
	if (r < 0)
		return r;
	r = spawn(sv, child->kind, up, n_fds, &child->pid);
	for (size_t i = 0; i < n_fds; i++)
		rdy__fd_close(up[i]);
	if (r < 0)
		return r;
	child->pidfd = pidfd_open(child->pid, 0); /* close-on-exec by itself */
	if (child->pidfd < 0)
		r = -errno;
	else
		r = watch(sv, child);
	if (r < 0) {
		/* It has not done anything yet, so this wait is short. */
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
		rdy__fd_close(child->pidfd);
	}
	return r;
}

static struct child *new_child(enum child_kind kind, uid_t uid)
{
	struct child *child = calloc(1, sizeof(*child));

	if (!child)
		return NULL;
	child->kind = kind;
	child->uid = uid;
	child->pidfd = -1;
	return child;
}

static int keep(struct supervisor *sv, struct child *child, struct child **ret)
{
	sv->children.slots[child->index] = child;
	rdy__list_append(&sv->children.all, &child->link);
	*ret = child;
	return 0;
}

int child_start(struct supervisor *sv, enum child_kind kind, uid_t uid, const int *fds,
	size_t n_fds, struct child **ret)
{
	struct child *child = new_child(kind, uid);
	int r = child ? start(sv, child, fds, n_fds) : -ENOMEM;

	if (r == 0)
		return keep(sv, child, ret);
	free(child);
	return r;
}

int child_adopt(struct supervisor *sv, enum child_kind kind, uid_t uid, pid_t pid, int take_pidfd,
	struct child **ret)
{
	struct child *child = new_child(kind, uid);
	int r = child ? take_slot(&sv->children, &child->index) : -ENOMEM;

	if (r == 0) {
		child->adopted = true;
		child->pid = pid;
		child->pidfd = take_pidfd;
		r = watch(sv, child);
	}
	if (r == 0)
		return keep(sv, child, ret);
	free(child);
	return r;
}

void child_kill(struct supervisor *sv, struct child *child)
{
	if (!child)
		return;
	pidfd_send_signal(child->pidfd, SIGKILL, NULL, 0);
	child->agent = NULL;
	if (!child->killed)
		child->killed_at_ns = rdy__now_ns();
	child->killed = true;
}

static void forget(struct supervisor *sv, struct child *child)
{
	rdy_poll_deregister(sv->poll, child->pidfd);
	rdy__fd_close(child->pidfd);
	rdy__list_unlink(&child->link);
	sv->children.slots[child->index] = NULL;
	sv->children.generations[child->index]++;
	free(child);
}

/* One that was told to end, or whose end is not seen by itself: an agent that misses its closer asks for another. */
static bool may_end(const struct child *child, const siginfo_t *info)
{
	if (!child->adopted)
		return info->si_code == CLD_EXITED && info->si_status == 0;
	return child->kind == CHILD_CLOSER || (child->agent && child->agent->state == AGENT_ENDING);
}

static void log_end(const struct child *child, const siginfo_t *info)
{
	const char *how = child->adopted		? "unknown"
			  : info->si_code == CLD_EXITED ? "exit"
							: "signal";

	log_line(may_end(child, info) ? LOG_P_DEBUG : LOG_P_WARNING,
		"child=%s uid=%u pid=%d ended=%s status=%d", names[child->kind],
		(unsigned int)child->uid, (int)child->pid, how, info->si_status);
}

void child_event(struct supervisor *sv, uint32_t index, uint32_t generation)
{
	struct children *c = &sv->children;
	struct child *child;
	siginfo_t info = {0};

	if (index >= c->n_slots || c->generations[index] != generation || !c->slots[index])
		return;
	child = c->slots[index];
	if (child->adopted) {
		/* Its pidfd is readable when it has ended; how, only its parent hears. */
	} else if (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG) < 0) {
		/* ECHILD: somebody else has reaped it. It is gone all the same, and its pidfd stays readable. */
		if (errno != ECHILD)
			return;
		info = (siginfo_t){0};
	} else if (info.si_pid == 0) {
		return;
	}
	if (!child->killed && !sv->stopping)
		log_end(child, &info);
	if (child->said_stuck)
		log_line(LOG_P_NOTICE, "child=%s uid=%u pid=%d stuck=no", names[child->kind],
			(unsigned int)child->uid, (int)child->pid);
	if (child->agent)
		agents_child_died(sv, child);
	else if (child->kind == CHILD_BOUNCER && !child->killed)
		bouncer_died(sv);
	else if (child->kind == CHILD_CLOSER && !child->killed)
		holders_child_died(sv, child);
	forget(sv, child);
}

/* SIGKILL does not reach one that waits in the kernel for a client's object. */
static int64_t stuck_at(const struct child *child)
{
	return child->killed && !child->said_stuck ? rdy__deadline_ns(child->killed_at_ns, STUCK_NS)
						   : RDY__NEVER;
}

int64_t children_deadline(const struct children *c)
{
	int64_t d = RDY__NEVER;

	rdy__list_for_each (l, &c->all) {
		int64_t own = stuck_at(rdy__list_entry(l, struct child, link));

		if (own < d)
			d = own;
	}
	return d;
}

void children_tick(struct children *c, int64_t now_ns)
{
	rdy__list_for_each (l, &c->all) {
		struct child *child = rdy__list_entry(l, struct child, link);

		if (now_ns < stuck_at(child))
			continue;
		child->said_stuck = true;
		log_line(LOG_P_NOTICE,
			"child=%s uid=%u pid=%d stuck=yes why=\"it waits in the kernel\" "
			"see=/proc/%d/stack",
			names[child->kind], (unsigned int)child->uid, (int)child->pid,
			(int)child->pid);
	}
}

size_t children_stuck(const struct children *c, enum child_kind kind, uid_t uid)
{
	size_t n = 0;

	rdy__list_for_each (l, &c->all) {
		const struct child *child = rdy__list_entry(l, struct child, link);

		n += child->killed && child->kind == kind &&
		     (uid == (uid_t)-1 || child->uid == uid);
	}
	return n;
}
