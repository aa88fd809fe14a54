/* SPDX-License-Identifier: MIT */
/* The vectors of proto/vectors (its README.md has the format), read from the files at run time. */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vector_record {
	char *text; /* "cookie=0x1 interest=0x1 mode=3 flags=0x0" */
	uint32_t times;
};

struct vector {
	char name[64];
	bool from_agent;
	size_t n_fds;
	uint8_t *bytes; /* of exactly n_bytes, for a sanitizer to watch */
	size_t n_bytes;
	char result[32];
	/* a failure's */
	uint32_t detail;
	uint32_t serial;
	/* OK: the header as text, "type length n_fds serial count" */
	char header[96];
	struct vector_record *records;
	size_t n_records;
	bool inexact;
};

struct vectors {
	struct vector *all;
	size_t n;
};

/* Every vector of every file; a file that is not as the README says fails the running case. */
void vectors_load(struct vectors *ret);
void vectors_free(struct vectors *v);

#endif
