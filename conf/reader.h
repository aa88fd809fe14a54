/* SPDX-License-Identifier: MIT */
/* What the files that read YAML share. Private to conf/. */
#ifndef CONF_READER_H
#define CONF_READER_H

#include <stdio.h>
#include <yaml.h>

#include "internal.h"

#define PATH_BYTES 96u /* more than any key has */
#define SECTIONS_MAX CONF_KEYS_MAX

struct section {
	size_t n; /* bytes of its name at the start of key */
	const char *key;
	uint32_t line;
};

struct reader {
	yaml_parser_t parser;
	yaml_event_t event;
	struct conf *conf;
	const char *path, *bytes;
	size_t n_bytes;
	struct conf_error *e;
	struct conf_lines *lines;
	struct section sections[SECTIONS_MAX]; /* that were begun */
	size_t n_sections;
	char key[PATH_BYTES]; /* where we are, "quota.default" */
	size_t n_key;
};

#define SAY(field, ...) snprintf(field, sizeof(field), __VA_ARGS__)

/* The next event. Returns 0, -EINVAL with *r->e filled, or -ENOMEM. */
int reader_next(struct reader *r);

/* Something is wrong where the event begins: fills why and where; what and fix are the caller's. Returns -EINVAL. */
int reader_mistake(struct reader *r, const char *why_format, ...)
	__attribute__((format(printf, 2, 3)));

/* Something is wrong where the event begins, and all is said but where. Returns -EINVAL. */
int reader_place(struct reader *r);

/* Nothing, as in "limits:" with nothing behind it. */
bool reader_is_nothing(const struct reader *r);

/* Text of a scalar, when it is one without a NUL in it; else NULL. */
const char *reader_word(const struct reader *r);

/* yaml_policy.c: the list that began, to its end, into *ret. As reader_next(). */
int reader_policy(struct reader *r, struct conf_policy *ret);

/* yaml_quota.c: the section of users, the list of ranges that began, to its end. As reader_next(). */
int reader_users(struct reader *r);
int reader_ranges(struct reader *r, struct conf_ranges *ret);

#endif
