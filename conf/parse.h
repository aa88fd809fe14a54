/* SPDX-License-Identifier: MIT */
/* Text to number by type. Private to conf/. Pure. */
#ifndef CONF_PARSE_H
#define CONF_PARSE_H

#include <stdbool.h>

#include "schema.h"

/* The words of `kinds`, the one key of CONF_SET, as a person reads them. */
#define CONF_KIND_FORM "tcp, udp, unix, pipe, eventfd, timerfd, pidfd, inotify, pty"

/*
 * Parse text as the key's type. Returns 0, -EINVAL (form), -ERANGE (outside min..max).
 * CONF_NAME and CONF_PATH are not numbers and not parsed here.
 */
int conf_parse(const struct conf_key *k, const char *text, uint64_t *ret);

/*
 * A value as conf_parse() would read it, with the largest unit that divides it: "60s" is "1m". NUL-terminated,
 * cut to n bytes.
 */
void conf_format(const struct conf_key *k, uint64_t value, char *buf, size_t n);

/*
 * The text with the unit that was most probably meant, if the type wants one and the text is a bare number
 * (5 -> 5s); false, with buf untouched, otherwise.
 */
bool conf_with_unit(const struct conf_key *k, const char *text, char *buf, size_t n);

/* The right form of a type, for messages: "a duration with its unit, like 5s or 250ms". */
const char *conf_form(const struct conf_key *k);

#endif
