/* SPDX-License-Identifier: MIT */
/* Values of the control interface as people read them. Pure but for user names. */
#ifndef CTL_WORDS_H
#define CTL_WORDS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <jansson.h>

/* "3m12s", "2d4h", "0.2s", "-" for null. */
void ctl_words_age(const json_t *seconds, char *buf, size_t n);
/* 1234567 -> "1,234,567"; "-" for null. */
void ctl_words_count(const json_t *number, char *buf, size_t n);
/* A string as it is, "-" for null and for an empty one; nothing that steers a terminal. */
void ctl_words_text(const json_t *string, char *buf, size_t n);
/* The user's name, else the number. */
void ctl_words_user(int64_t uid, char *buf, size_t n);
/* ["in", "out"] -> "in,out", "-" for none. */
void ctl_words_list(const json_t *array, char *buf, size_t n);

#endif
