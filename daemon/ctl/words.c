/* SPDX-License-Identifier: MIT */
/* See words.h. */
#include "words.h"

#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

void ctl_words_age(const json_t *seconds, char *buf, size_t n)
{
	double s = json_number_value(seconds);
	const char *sign = s < 0 ? "-" : "";
	unsigned long long whole;

	if (!json_is_number(seconds)) {
		snprintf(buf, n, "-");
		return;
	}
	s = fabs(s);
	whole = s < 1e15 ? (unsigned long long)s : 0;
	if (s < 10)
		snprintf(buf, n, "%s%.1fs", sign, s);
	else if (whole < 60)
		snprintf(buf, n, "%s%llus", sign, whole);
	else if (whole < 3600)
		snprintf(buf, n, "%s%llum%llus", sign, whole / 60, whole % 60);
	else if (whole < 86400)
		snprintf(buf, n, "%s%lluh%llum", sign, whole / 3600, whole % 3600 / 60);
	else
		snprintf(buf, n, "%s%llud%lluh", sign, whole / 86400, whole % 86400 / 3600);
}

void ctl_words_count(const json_t *number, char *buf, size_t n)
{
	char digits[32];
	size_t len, at = 0;

	if (!json_is_integer(number)) {
		snprintf(buf, n, "-");
		return;
	}
	snprintf(digits, sizeof(digits), "%lld", (long long)json_integer_value(number));
	len = strlen(digits);
	for (size_t i = 0; i < len && at + 2 < n; i++) {
		buf[at++] = digits[i];
		if ((len - i) % 3 == 1 && i + 1 < len && digits[i] != '-')
			buf[at++] = ',';
	}
	buf[at] = 0;
}

void ctl_words_text(const json_t *string, char *buf, size_t n)
{
	const char *s = json_string_value(string);

	snprintf(buf, n, "%s", s && *s ? s : "-");
	for (char *c = buf; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
}

void ctl_words_user(int64_t uid, char *buf, size_t n)
{
	const struct passwd *p = uid >= 0 && uid < UINT32_MAX ? getpwuid((uid_t)uid) : NULL;

	if (p)
		snprintf(buf, n, "%s", p->pw_name);
	else
		snprintf(buf, n, "%lld", (long long)uid);
}

void ctl_words_list(const json_t *array, char *buf, size_t n)
{
	size_t at = 0;

	snprintf(buf, n, "-");
	for (size_t i = 0; i < json_array_size(array) && at < n; i++) {
		const char *s = json_string_value(json_array_get(array, i));
		int m = snprintf(buf + at, n - at, "%s%s", i ? "," : "", s ? s : "?");

		at += m > 0 ? (size_t)m : 0;
	}
}
