/* SPDX-License-Identifier: MIT */
/* Text to number by type. Private to conf/. Pure. */
#ifndef CONF_PARSE_H
#define CONF_PARSE_H

#include "schema.h"

/*
 * Parse text as the key's type. Returns 0, -EINVAL (form), -ERANGE (outside min..max).
 * CONF_NAME and CONF_PATH are not numbers and not parsed here.
 */
int conf_parse(const struct conf_key *k, const char *text, uint64_t *ret);

/* The right form of a type, for messages: "a duration with its unit, like 5s or 250ms". */
const char *conf_form(const struct conf_key *k);

#endif
