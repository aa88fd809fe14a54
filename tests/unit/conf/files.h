/* SPDX-License-Identifier: MIT */
/* For tests of configuration files: a folder of their own, what is taken, and what is refused with what words. */
#ifndef UNIT_CONF_FILES_H
#define UNIT_CONF_FILES_H

#include <errno.h>
#include <sys/stat.h>

#include "conf/load.h"
#include "unit.h"

static char dir[] = "/tmp/readyd-conf-XXXXXX";
static struct conf_loaded l;
static struct conf_error e;

static inline const char *path(const char *name)
{
	static char buf[4][256];
	static unsigned int next;
	char *p = buf[next++ % 4];

	snprintf(p, sizeof(buf[0]), "%s/%s", dir, name);
	return p;
}

static inline void setup(void)
{
	unit_setup();
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	conf_loaded_init(&l);
	memset(&e, 'x', sizeof(e));
}

static inline void teardown(void)
{
	char command[300];

	conf_loaded_deinit(&l);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
	unit_teardown();
}

static inline const char *write_bytes(const char *name, const char *bytes, size_t n)
{
	const char *p = path(name);
	FILE *f = fopen(p, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
	return p;
}

static inline const char *write_file(const char *name, const char *bytes)
{
	return write_bytes(name, bytes, strlen(bytes));
}

static inline void is_sentence(const char *s)
{
	size_t n = strnlen(s, CONF_ERROR_BYTES);

	ck_assert(n > 0 && n < CONF_ERROR_BYTES);
	for (size_t i = 0; i < n; i++)
		ck_assert_msg((unsigned char)s[i] >= 0x20 && s[i] != 0x7f, "not one line: %s", s);
}

/* Refused as a whole: nothing of it counts. */
static inline int refused(const char *p)
{
	struct conf before = l.conf;
	size_t n_files = l.n_files;
	int r;

	memset(&e, 'x', sizeof(e));
	r = conf_load_file(&l, p, &e);
	ck_assert_msg(r < 0, "it was taken");
	ck_assert_mem_eq(&l.conf, &before, sizeof(before));
	ck_assert_uint_eq(l.n_files, n_files);
	for (size_t i = 0; i < CONF_KEYS_MAX; i++)
		ck_assert_ptr_eq(l.origins[i].file, CONF_FROM_DEFAULT);
	is_sentence(e.where);
	is_sentence(e.what);
	is_sentence(e.why);
	is_sentence(e.fix);
	return r;
}

static inline void taken(const char *bytes)
{
	const char *p = write_file("good.yaml", bytes);

	ck_assert_msg(conf_load_file(&l, p, &e) == 0, "%s: %s: %s", e.where, e.what, e.why);
}

static inline size_t row_of(const char *key)
{
	struct conf_row row;
	size_t i = 0;

	while (conf_row(i, &row) && strcmp(row.key, key) != 0)
		i++;
	ck_assert(conf_row(i, &row));
	return i;
}

static inline void has(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part), "'%s' lacks '%s'", text, part);
}

struct mistake {
	const char *bytes, *at, *what, *why, *fix; /* parts of them */
};

static inline void mistaken(const struct mistake *m)
{
	const char *p = write_file("bad.yaml", m->bytes);

	fprintf(stderr, "# mistake %s %s\n", m->at, m->what);
	ck_assert_int_eq(refused(p), -EINVAL);
	has(e.where, path("bad.yaml:"));
	has(e.where, m->at);
	has(e.what, m->what);
	has(e.why, m->why);
	has(e.fix, m->fix);
}

#endif
