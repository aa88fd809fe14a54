/* SPDX-License-Identifier: MIT */
/* See load.h. Strict: what the README does not allow fails. */
#include "load.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t number(const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 0);

	ck_assert_msg(end != text && !*end && v <= UINT32_MAX, "no number: '%s'", text);
	return (uint32_t)v;
}

static void copy(char *to, size_t room, const char *text)
{
	ck_assert_msg(strlen(text) < room, "too long: '%s'", text);
	strcpy(to, text);
}

static void append_bytes(struct vector *v, uint8_t byte, size_t times)
{
	v->bytes = realloc(v->bytes, v->n_bytes + times);
	ck_assert_ptr_nonnull(v->bytes);
	memset(v->bytes + v->n_bytes, byte, times);
	v->n_bytes += times;
}

static void take_bytes(struct vector *v, char *text)
{
	for (char *state, *t = strtok_r(text, " ", &state); t; t = strtok_r(NULL, " ", &state)) {
		unsigned int byte;
		int end = 0;

		ck_assert_msg(sscanf(t, "%2x%n", &byte, &end) == 1 && end == 2, "no byte: %s", t);
		ck_assert_msg(!t[2] || t[2] == '*', "no byte: '%s'", t);
		append_bytes(v, (uint8_t)byte, t[2] ? number(t + 3) : 1);
	}
}

static void take_record(struct vector *v, const char *text, uint32_t times)
{
	struct vector_record *r;

	v->records = realloc(v->records, (v->n_records + 1) * sizeof(*v->records));
	ck_assert_ptr_nonnull(v->records);
	r = &v->records[v->n_records++];
	r->text = strdup(text);
	ck_assert_ptr_nonnull(r->text);
	r->times = times;
}

static void take_header(struct vector *v, const char *text)
{
	size_t n = strlen(v->header);

	ck_assert_uint_lt(n + strlen(text) + 2, sizeof(v->header));
	sprintf(v->header + n, n ? " %s" : "%s", text);
}

static void take(struct vector *v, const char *key, char *text)
{
	bool good = strcmp(v->result, "OK") == 0;

	if (strcmp(key, "from") == 0) {
		v->from_agent = strcmp(text, "agent") == 0;
		ck_assert(v->from_agent || strcmp(text, "client") == 0);
	} else if (strcmp(key, "fds") == 0) {
		v->n_fds = number(text);
	} else if (strcmp(key, "bytes") == 0) {
		take_bytes(v, text);
	} else if (strcmp(key, "result") == 0) {
		copy(v->result, sizeof(v->result), text);
	} else if (strcmp(key, "detail") == 0 && !good) {
		v->detail = number(text);
	} else if (strcmp(key, "serial") == 0 && !good) {
		v->serial = number(text);
	} else if (good && (strcmp(key, "type") == 0 || strcmp(key, "length") == 0 ||
				   strcmp(key, "n_fds") == 0 || strcmp(key, "serial") == 0 ||
				   strcmp(key, "count") == 0)) {
		take_header(v, text);
	} else if (strcmp(key, "record") == 0) {
		take_record(v, text, 1);
	} else if (strncmp(key, "record*", 7) == 0) {
		take_record(v, text, number(key + 7));
	} else if (strcmp(key, "exact") == 0) {
		v->inexact = true;
		ck_assert_str_eq(text, "no");
	} else {
		ck_abort_msg("%s: unknown key '%s'", v->name, key);
	}
}

static struct vector *append(struct vectors *v, const char *name)
{
	struct vector *one;

	for (size_t i = 0; i < v->n; i++)
		ck_assert_str_ne(v->all[i].name, name);
	v->all = realloc(v->all, (v->n + 1) * sizeof(*v->all));
	ck_assert_ptr_nonnull(v->all);
	one = &v->all[v->n++];
	*one = (struct vector){0};
	copy(one->name, sizeof(one->name), name);
	return one;
}

static void load_file(struct vectors *v, const char *path)
{
	FILE *f = fopen(path, "re");
	struct vector *one = NULL;
	char *line = NULL;
	size_t room = 0;

	ck_assert_msg(f != NULL, "cannot open %s", path);
	for (ssize_t n; (n = getline(&line, &room, f)) > 0;) {
		char *value;

		line[n - 1] = 0;
		if (!*line)
			one = NULL;
		if (!*line || *line == '#')
			continue;
		value = strchr(line, ':');
		ck_assert_msg(value && (value[1] == ' ' || !value[1]), "%s: '%s'", path, line);
		*value++ = 0;
		value += *value == ' ';
		if (!one) {
			ck_assert_str_eq(line, "vector");
			one = append(v, value);
			continue;
		}
		take(one, line, value);
	}
	free(line);
	fclose(f);
}

void vectors_load(struct vectors *ret)
{
	DIR *d = opendir(READYD_VECTORS);

	*ret = (struct vectors){0};
	ck_assert_msg(d != NULL, "no folder " READYD_VECTORS);
	for (struct dirent *e; (e = readdir(d));) {
		size_t n = strlen(e->d_name);
		char path[4096];

		if (n < 4 || strcmp(e->d_name + n - 4, ".txt") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", READYD_VECTORS, e->d_name);
		load_file(ret, path);
	}
	closedir(d);
	/* A folder that was emptied by mistake is no success. */
	ck_assert_uint_gt(ret->n, 100);
}

void vectors_free(struct vectors *v)
{
	for (size_t i = 0; i < v->n; i++) {
		for (size_t k = 0; k < v->all[i].n_records; k++)
			free(v->all[i].records[k].text);
		free(v->all[i].records);
		free(v->all[i].bytes);
	}
	free(v->all);
	*v = (struct vectors){0};
}
