/* SPDX-License-Identifier: MIT */
#include "runtime.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "capture.h"

static char base[] = "/tmp/readyd-test-XXXXXX", dir[64], path[160];
static struct options o;
static struct runtime r;
static struct capture cap;

static void setup(void)
{
	strcpy(base + sizeof(base) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/rt", base);
	memset(&o, 0, sizeof(o));
	conf_init(&o.conf);
	o.user = true;
	strcpy(o.runtime_dir, dir);
	r = RUNTIME_NULL;
	unit_setup();
}

static const char *in_dir(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void teardown(void)
{
	unlink(in_dir("lock"));
	unlink(in_dir("session.sock"));
	rmdir(in_dir("session.sock"));
	unlink(dir);
	rmdir(dir);
	ck_assert_msg(rmdir(base) == 0, "something was left in %s", base);
	unit_teardown();
}

static int init(void)
{
	return runtime_init(&r, &o, (uid_t)-1, (gid_t)-1);
}

static mode_t mode_of(const char *p)
{
	struct stat st;

	ck_assert_msg(stat(p, &st) == 0, "%s: %s", p, strerror(errno));
	return st.st_mode & 07777;
}

/* A client, or -errno. */
static int connect_to(const char *p)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, p);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	rdy__fd_close(fd);
	return -errno;
}

/* It fails, and says what, why and what to do. */
static void fails(int error, const char *what)
{
	int e;
	const char *said;

	capture_start(&cap, STDERR_FILENO);
	e = init();
	said = capture_end(&cap);
	ck_assert_msg(e == error, "%s instead of %s", strerror(-e), strerror(-error));
	ck_assert_msg(strstr(said, what) && strstr(said, "\n  why: ") && strstr(said, "\n  try: "),
		"it says: %s", said);
	runtime_deinit(&r);
}

START_TEST(made_and_removed)
{
	char text[32] = "";
	int fd;

	ck_assert_int_eq(init(), 0);
	ck_assert_int_eq(mode_of(dir), 0700);
	ck_assert_str_eq(r.socket_path, in_dir("session.sock"));
	ck_assert_int_eq(mode_of(r.socket_path), 0600);
	ck_assert_int_eq(fcntl(r.listener, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	ck_assert_int_eq(fcntl(r.listener, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(access(in_dir("session.sock.new"), F_OK), -1);
	fd = open(in_dir("lock"), O_RDONLY | O_CLOEXEC);
	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
	ck_assert_int_eq(atoi(text), getpid());
	rdy__fd_close(fd);
	fd = connect_to(r.socket_path);
	ck_assert_int_ge(fd, 0);
	rdy__fd_close(fd);
	runtime_deinit(&r);
	ck_assert_int_eq(access(in_dir("session.sock"), F_OK), -1);
	runtime_deinit(&r);
	/* Again, in the directory that is there now. */
	ck_assert_int_eq(init(), 0);
	runtime_deinit(&r);
}
END_TEST

START_TEST(for_everybody)
{
	struct conf_error e;
	mode_t before = umask(077);

	o.user = false;
	ck_assert_int_eq(conf_set(&o.conf, "sockets.session.mode", "0666", &e), 0);
	ck_assert_int_eq(conf_set(&o.conf, "sockets.session.group", "no-such-group-here", &e), 0);
	capture_start(&cap, STDERR_FILENO);
	ck_assert_int_eq(init(), 0);
	capture_end(&cap);
	/* Giving it to a group is root's. */
	ck_assert(geteuid() || strstr(cap.text, "group=no-such-group-here missing=yes"));
	ck_assert_int_eq(mode_of(dir), 0755);
	ck_assert_int_eq(mode_of(r.socket_path), 0666);
	runtime_deinit(&r);
	umask(before);
}
END_TEST

START_TEST(given_away)
{
	struct conf_error e;
	struct stat st;

	if (geteuid()) {
		printf("# skipped: giving a directory away takes root\n");
		return;
	}
	o.user = false;
	ck_assert_int_eq(conf_set(&o.conf, "sockets.session.group", "daemon", &e), 0);
	ck_assert_int_eq(runtime_init(&r, &o, 2, 2), 0);
	ck_assert_int_eq(stat(dir, &st), 0);
	ck_assert_uint_eq(st.st_uid, 2);
	ck_assert_int_eq(stat(in_dir("lock"), &st), 0);
	ck_assert_uint_eq(st.st_uid, 2);
	ck_assert_int_eq(stat(r.socket_path, &st), 0);
	ck_assert_uint_eq(st.st_gid, 1);
	ck_assert_int_eq(mode_of(r.socket_path), 0660);
	runtime_deinit(&r);
	/* The next one finds the user's directory; root's own is as good; somebody else's is not. */
	ck_assert_int_eq(runtime_init(&r, &o, 2, 2), 0);
	runtime_deinit(&r);
	ck_assert_int_eq(chown(dir, 3, 3), 0);
	fails(-EPERM, "the runtime directory is not safe");
}
END_TEST

START_TEST(unsafe_directories)
{
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(chmod(dir, 0720), 0);
	fails(-EPERM, "the runtime directory is not safe");
	ck_assert_int_eq(chmod(dir, 01777), 0);
	fails(-EPERM, "the runtime directory is not safe");
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_int_eq(symlink(base, dir), 0);
	fails(-ENOTDIR, "cannot open the runtime directory");
	ck_assert_int_eq(unlink(dir), 0);
	strcpy(o.runtime_dir, "/proc/self/nowhere");
	fails(-ENOENT, "cannot make the runtime directory /proc/self/nowhere");
}
END_TEST

/* Starts one in a process of its own; returns when it listens. */
static pid_t start_other(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (init() == 0)
			(void)!write(ready[1], "x", 1);
		pause();
		_exit(1);
	}
	rdy__fd_close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	rdy__fd_close(ready[0]);
	return pid;
}

START_TEST(two_at_once)
{
	char holder[64];
	pid_t pid = start_other();
	int fd;

	snprintf(holder, sizeof(holder), "process %d has the lock", (int)pid);
	fails(-EBUSY, holder);
	ck_assert_ptr_nonnull(strstr(cap.text, "another readyd is running here"));
	/* The first one's socket is untouched by that. */
	fd = connect_to(in_dir("session.sock"));
	ck_assert_int_ge(fd, 0);
	rdy__fd_close(fd);
	/* What a killed one leaves behind is in nobody's way. */
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(access(in_dir("session.sock"), F_OK), 0);
	ck_assert_int_eq(connect_to(in_dir("session.sock")), -ECONNREFUSED);
	ck_assert_int_eq(init(), 0);
	fd = connect_to(in_dir("session.sock"));
	ck_assert_int_ge(fd, 0);
	rdy__fd_close(fd);
	runtime_deinit(&r);
}
END_TEST

START_TEST(paths)
{
	struct conf_error e;
	char other[80], name[CONF_PATH_BYTES];

	snprintf(other, sizeof(other), "%s/other.sock", base);
	ck_assert_int_eq(conf_set(&o.conf, "sockets.session.path", other, &e), 0);
	ck_assert_int_eq(init(), 0);
	ck_assert_str_eq(r.socket_path, other);
	ck_assert_int_eq(mode_of(other), 0600);
	runtime_deinit(&r);
	/* The temporary name has to fit, too. */
	memset(name, 'a', sizeof(name));
	name[CONF_PATH_BYTES - strlen(dir) - strlen("/.new") - 1] = 0;
	ck_assert_int_eq(conf_set(&o.conf, "sockets.session.path", name, &e), 0);
	ck_assert_int_eq(init(), 0);
	ck_assert_uint_eq(strlen(r.socket_path), CONF_PATH_BYTES - 5);
	runtime_deinit(&r);
	strcat(name, "a");
	ck_assert_int_eq(conf_set(&o.conf, "sockets.session.path", name, &e), 0);
	fails(-ENAMETOOLONG, "the session socket's path is too long");
	ck_assert_int_eq(conf_set(&o.conf, "sockets.session.path", "no/such", &e), 0);
	fails(-ENOENT, "cannot listen at");
	/* A directory stands where the socket should be: nothing is left under the temporary name. */
	ck_assert_int_eq(conf_set(&o.conf, "sockets.session.path", "session.sock", &e), 0);
	ck_assert_int_eq(mkdir(in_dir("session.sock"), 0700), 0);
	fails(-EISDIR, "cannot listen at");
	ck_assert_int_eq(access(in_dir("session.sock.new"), F_OK), -1);
	ck_assert_int_eq(access(in_dir("session.sock"), F_OK), 0);
}
END_TEST

/* Between connect() and accept(), and after it. */
START_TEST(no_descriptors_for_strangers)
{
	int client, zero = 0, sock;

	ck_assert_int_eq(init(), 0);
	if (setsockopt(r.listener, SOL_SOCKET, 83 /* SO_PASSRIGHTS */, &zero, sizeof(zero)) < 0) {
		printf("# skipped: no SO_PASSRIGHTS in this kernel\n");
		runtime_deinit(&r);
		return;
	}
	client = connect_to(r.socket_path);
	ck_assert_int_ge(client, 0);
	ck_assert_int_eq(rdy__send_fds(client, "x", 1, &client, 1), -EPERM);
	sock = accept4(r.listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(sock, 0);
	ck_assert_int_eq(rdy__send_fds(client, "x", 1, &client, 1), -EPERM);
	ck_assert_int_eq(rdy__send_fds(client, "x", 1, NULL, 0), 0);
	rdy__fd_close(sock);
	rdy__fd_close(client);
	runtime_deinit(&r);
}
END_TEST

UNIT_MAIN_WITH("supervisor/runtime", setup, teardown, made_and_removed, for_everybody, given_away,
	unsafe_directories, two_at_once, paths, no_descriptors_for_strangers)
