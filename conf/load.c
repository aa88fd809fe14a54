/* SPDX-License-Identifier: MIT */
/* Which files are read, in what order, and what comes from where. Reads files and folders. */
#include "conf/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "internal.h"
#include "schema.h"

#define PATH_MAX_BYTES 512u
#define DROP_INS_MAX (CONF_FILES_MAX - 2)

const char CONF_FROM_DEFAULT[] = "default", CONF_FROM_COMMAND[] = "command line";

void conf_loaded_init(struct conf_loaded *l)
{
	*l = (struct conf_loaded){.n_files = 0};
	conf_init(&l->conf);
	for (size_t i = 0; i < CONF_KEYS_MAX; i++)
		l->origins[i].file = CONF_FROM_DEFAULT;
}

void conf_loaded_deinit(struct conf_loaded *l)
{
	while (l->n_files)
		free(l->files[--l->n_files]);
}

#define SAY(field, ...) snprintf(field, sizeof(field), __VA_ARGS__)

static int refuse(
	struct conf_error *e, const char *path, int error, const char *why, const char *fix)
{
	SAY(e->where, "%.400s", path);
	SAY(e->what, "this file cannot be read");
	SAY(e->why, "%s", why);
	SAY(e->fix, "%s", fix);
	return error;
}

static bool is_null_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* The whole file, *ret freed by the caller. Never waits: a pipe is refused, not opened for ever. */
static int slurp(const char *path, char **ret, size_t *ret_n, struct conf_error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), r = 0;
	size_t n = 0;
	ssize_t got = 1;
	struct stat st;
	char *bytes;

	if (fd < 0)
		return refuse(e, path, -errno, strerror(errno),
			errno == ENOENT ? "its path" : "it must be readable for who starts readyd");
	bytes = malloc(CONF_FILE_BYTES_MAX + 1);
	if (!bytes || fstat(fd, &st) < 0)
		r = refuse(e, path, bytes ? -errno : -ENOMEM, strerror(bytes ? errno : ENOMEM),
			"try again");
	else if (is_null_device(&st))
		got = 0;
	else if (!S_ISREG(st.st_mode))
		r = refuse(e, path, -EINVAL,
			S_ISDIR(st.st_mode) ? "it is a folder" : "it is not a regular file",
			"a file of text");
	while (r == 0 && got > 0 && n <= CONF_FILE_BYTES_MAX) {
		got = read(fd, bytes + n, CONF_FILE_BYTES_MAX + 1 - n);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got < 0)
			r = refuse(e, path, -errno, strerror(errno), "try again");
		else
			n += (size_t)got;
	}
	if (r == 0 && n > CONF_FILE_BYTES_MAX)
		r = refuse(e, path, -EINVAL, "it is longer than 1 MiB", "what readyd has keys for");
	close(fd);
	if (r < 0) {
		free(bytes);
		return r;
	}
	*ret = bytes;
	*ret_n = n;
	return 0;
}

int conf_load_file(struct conf_loaded *l, const char *path, struct conf_error *e)
{
	struct conf_lines lines;
	struct conf c = l->conf;
	char *bytes = NULL, *name;
	size_t n = 0;
	int r;

	if (l->n_files == CONF_FILES_MAX)
		return refuse(e, path, -EINVAL, "there are too many files", "fewer than 64");
	r = slurp(path, &bytes, &n, e);
	if (r < 0)
		return r;
	name = strdup(path);
	r = name ? conf_yaml(&c, path, bytes, n, &lines, e) : -ENOMEM;
	free(bytes);
	if (r == -ENOMEM)
		refuse(e, path, r, strerror(ENOMEM), "try again");
	if (r < 0) {
		free(name);
		return r;
	}
	l->files[l->n_files++] = name;
	l->conf = c;
	for (size_t i = 0; i < conf_schema_n; i++)
		if (lines.rows[i])
			l->origins[i] = (struct conf_origin){name, lines.rows[i]};
	for (size_t i = 0; i < c.users.n; i++)
		for (size_t q = 0; q < CONF_QUOTAS; q++)
			if (lines.user_quotas[i][q])
				l->user_origins[i][q] =
					(struct conf_origin){name, lines.user_quotas[i][q]};
	return 0;
}

/* If it is there. */
static int load_main(struct conf_loaded *l, const char *folder, struct conf_error *e)
{
	char path[PATH_MAX_BYTES];
	int r;

	if (!folder)
		return 0;
	SAY(path, "%s/readyd.yaml", folder);
	if (access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	r = conf_load_file(l, path, e);
	return r == -ENOENT ? 0 : r;
}

struct drop_in {
	char *name;
	const char *folder;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct drop_in *)a)->name, ((const struct drop_in *)b)->name);
}

static bool is_drop_in(const char *name)
{
	size_t n = strlen(name);

	return name[0] != '.' && n > 5 && strcmp(name + n - 5, ".yaml") == 0;
}

/* Those of a folder whose name none of a folder before it has. */
static int collect(const char *folder, struct drop_in *found, size_t *n_found, struct conf_error *e)
{
	char path[PATH_MAX_BYTES];
	struct dirent *entry;
	int r = 0;
	DIR *dir;

	if (!folder)
		return 0;
	SAY(path, "%s/conf.d", folder);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : refuse(e, path, -errno, strerror(errno),
					 "it must be readable for who starts readyd");
	while (r == 0 && (entry = readdir(dir))) {
		size_t i = 0;

		if (!is_drop_in(entry->d_name))
			continue;
		while (i < *n_found && strcmp(found[i].name, entry->d_name) != 0)
			i++;
		if (i < *n_found)
			continue;
		if (i == DROP_INS_MAX) {
			r = refuse(e, path, -EINVAL, "there are too many files", "fewer than 62");
			break;
		}
		found[i] = (struct drop_in){strdup(entry->d_name), folder};
		if (!found[i].name)
			r = refuse(e, path, -ENOMEM, strerror(ENOMEM), "try again");
		else
			++*n_found;
	}
	closedir(dir);
	return r;
}

static int load_drop_ins(
	struct conf_loaded *l, const struct conf_folders *folders, struct conf_error *e)
{
	const char *const order[] = {folders->system, folders->runtime, folders->vendor};
	struct drop_in found[DROP_INS_MAX];
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < 3; i++)
		r = collect(order[i], found, &n, e);
	qsort(found, n, sizeof(found[0]), by_name);
	for (size_t i = 0; i < n; i++) {
		char path[PATH_MAX_BYTES];

		SAY(path, "%s/conf.d/%s", found[i].folder, found[i].name);
		if (r == 0)
			r = conf_load_file(l, path, e);
		free(found[i].name);
	}
	return r;
}

int conf_load_all(
	struct conf_loaded *l, const struct conf_folders *folders, struct conf_error *ret_error)
{
	struct conf_loaded all;
	int r;

	conf_loaded_init(&all);
	r = load_main(&all, folders->vendor, ret_error);
	if (r == 0)
		r = load_main(&all, folders->system, ret_error);
	if (r == 0)
		r = load_drop_ins(&all, folders, ret_error);
	if (r < 0) {
		conf_loaded_deinit(&all);
		return r;
	}
	conf_loaded_deinit(l);
	*l = all;
	return 0;
}

int conf_loaded_set_pair(struct conf_loaded *l, const char *pair, struct conf_error *ret_error)
{
	size_t n = strcspn(pair, "="), row = conf_find(pair, n);
	struct conf_origin *origin;
	int r = conf_set_pair(&l->conf, pair, ret_error);
	enum conf_quota q;
	size_t user;

	if (r < 0)
		return r;
	if (row != SIZE_MAX) {
		origin = &l->origins[row];
	} else {
		conf_split_user_key(&l->conf, pair, n, &user, &q);
		origin = &l->user_origins[user][q];
	}
	*origin = (struct conf_origin){CONF_FROM_COMMAND, 0};
	return 0;
}
