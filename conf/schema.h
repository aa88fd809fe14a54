/* SPDX-License-Identifier: MIT */
/* The schema table's shape. Private to conf/. */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conf_type {
	CONF_COUNT,    /* a plain number */
	CONF_RATE,     /* a plain number per second: 10 or 10/s */
	CONF_DURATION, /* 5s, 250ms, 1h, 2m: always with a unit; ns inside */
	CONF_SIZE,     /* 64KiB, 1MiB, 512B: always with a unit; bytes inside */
	CONF_PERCENT,  /* 50% */
	CONF_MODE,     /* octal permission bits: 0660 */
	CONF_CHOICE,   /* one of the words, index inside */
	CONF_SET,      /* a list of the words, a bit each inside */
	CONF_NAME,     /* user or group */
	CONF_PATH,
	CONF_POLICY, /* a list of rules: policy.c */
	CONF_USERS,  /* a section of users: users.c */
	CONF_RANGES, /* a list of ranges of uids: users.c */
};

struct conf_key {
	const char *key;
	enum conf_type type;
	size_t offset; /* in struct conf */
	uint64_t min, max;
	const char *
		words; /* CHOICE, SET: "auto|epoll|poll"; COUNT, RATE, DURATION: a word for 0, or NULL */
	const char *fallback;
	const char *text;
	bool live; /* a reload changes it; else it counts from the next start */
};

extern const struct conf_key conf_schema[];
extern const size_t conf_schema_n;

struct conf_error;
enum conf_style;

/* A number as conf_parse() reads it, or -EINVAL with what, why and fix of *e filled (conf.c). */
int conf_parse_said(const struct conf_key *k, const char *value, enum conf_style style,
	uint64_t *ret, struct conf_error *e);

#endif
