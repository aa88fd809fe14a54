/* SPDX-License-Identifier: MIT */
/*
 * readyd: options, limits, the runtime directory, giving root up; then the supervisor's loop.
 * Exit status: 0 stopped, 1 failed, 2 usage, 78 bad configuration.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "drop.h"
#include "nofile.h"
#include "journal.h"
#include "log.h"
#include "options.h"
#include "passed.h"
#include "reload.h"
#include "runtime.h"
#include "supervisor.h"

/* Does what the process may open carry the configuration? Returns -1 to go on, or the exit status. */
static int check_limits(const struct conf *c)
{
	struct conf_error e;

	nofile_raise();
	if (nofile_check(c, &e) == 0)
		return -1;
	log_three(e.what, e.why, e.fix);
	return EXIT_CONFIG;
}

/* As root: whom we become. Returns -1 to go on, or the exit status. */
static int choose_user(const struct options *o, struct drop_user *ret)
{
	char what[128], fix[160];
	int e;

	*ret = (struct drop_user){(uid_t)-1, (gid_t)-1};
	if (o->user)
		return -1;
	e = drop_find_user(o->conf.user, ret);
	/* A service manager starts us as that user: there is nothing to give up. */
	if (e == 0 && ret->uid == geteuid()) {
		*ret = (struct drop_user){(uid_t)-1, (gid_t)-1};
		return -1;
	}
	if (geteuid() != 0) {
		log_three("the system instance has to be started as root, or as its user",
			"it listens in /run/readyd and serves every user", "readyd --user");
		return EXIT_FAILURE;
	}
	if (e == 0)
		return -1;
	snprintf(what, sizeof(what), "cannot become the user '%s'", o->conf.user);
	snprintf(fix, sizeof(fix), "systemd-sysusers, or useradd --system %s, or -o user=NAME",
		o->conf.user);
	log_three(what,
		e == -ENOENT  ? "there is no such user"
		: e == -EPERM ? "it is root, whose in-flight descriptors have no bound"
			      : strerror(-e),
		fix);
	return e == -EPERM ? EXIT_CONFIG : EXIT_FAILURE;
}

/* Returns -1 to go on, or the exit status. */
static int choose_log(const struct conf *c)
{
	char why[128];
	int r = 0;

	log_set_level(reload_log_level(c));
	log_set_rate((uint32_t)c->log_rate);
	if (c->log_target == CONF_TARGET_JOURNAL ||
		(c->log_target == CONF_TARGET_AUTO && journal_has_stderr()))
		r = log_to_journal(NULL);
	if (r == 0 || c->log_target == CONF_TARGET_AUTO)
		return -1;
	snprintf(why, sizeof(why), JOURNAL_SOCKET ": %s", strerror(-r));
	log_three(
		"log.target is 'journal', and no journal can be reached", why, "log.target: auto");
	return EXIT_FAILURE;
}

static void say_ready(struct options *o, const struct runtime *r)
{
	log_line(LOG_P_NOTICE, "ready socket=%s uid=%u", r->socket_path, (unsigned int)geteuid());
	if (o->ready_fd < 0)
		return;
	(void)!write(o->ready_fd, "\n", 1);
	o->ready_fd = rdy__fd_close(o->ready_fd);
}

static int fail(const char *doing, int error)
{
	log_line(LOG_P_ERROR, "failed=\"%s\" error=\"%s\"", doing, strerror(-error));
	return EXIT_FAILURE;
}

static int serve(struct options *o, struct runtime *runtime, const struct drop_user *user)
{
	static struct supervisor sv = {.signals = -1, .kept = {.fd = -1}, .bouncer.link.sock = -1};
	int r = children_init(&sv.children), status = EXIT_FAILURE;

	if (r == 0)
		r = runtime_init(runtime, o, user->uid, user->gid);
	if (r < 0) /* it has said why */
		goto out;
	if (user->uid != (uid_t)-1 && (r = drop_become(user)) < 0) {
		fail("becoming the configured user", r);
		goto out;
	}
	/* Agents and closers of ours can look into nobody, and nobody but root into us. */
	prctl(PR_SET_DUMPABLE, 0);
	r = supervisor_init(&sv, o, runtime);
	if (r < 0) {
		fail("starting", r);
		goto out;
	}
	if (!o->conf.sandbox)
		log_line(LOG_P_WARNING, "sandbox=off");
	else if (!READYD_FILTER)
		log_line(LOG_P_WARNING,
			"sandbox=on filter=no why=\"this build has no system call filter\"");
	passed_close();
	say_ready(o, runtime);
	notify_ready(&sv);
	r = supervisor_run(&sv);
	status = r < 0 ? fail("waiting for events", r) : EXIT_SUCCESS;
out:
	supervisor_deinit(&sv);
	return status;
}

static int say_good(const struct conf_loaded *l)
{
	puts("the configuration is good");
	for (size_t i = 0; i < l->n_files; i++)
		printf("  %s\n", l->files[i]);
	if (!l->n_files)
		puts("  no file was read: what the command line does not set has its default");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct options o;
	struct runtime runtime = RUNTIME_NULL;
	struct drop_user user;
	int status = options_parse(&o, argc, argv);

	if (status < 0)
		status = check_limits(&o.conf);
	if (status < 0 && o.check_config)
		status = say_good(&o.loaded);
	if (status < 0)
		status = choose_user(&o, &user);
	if (status < 0)
		status = choose_log(&o.conf);
	if (status >= 0)
		goto out;
	if (o.loaded.n_files)
		log_line(LOG_P_INFO, "config=loaded files=%zu", o.loaded.n_files);
	umask(077);
	passed_init();
	status = serve(&o, &runtime, &user);
	runtime_deinit(&runtime);
out:
	options_deinit(&o);
	return status;
}
