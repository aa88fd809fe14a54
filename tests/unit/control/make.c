/* SPDX-License-Identifier: MIT */
/* What is made can be parsed, and the interface file says the same as the table. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"
#include "unit.h"

START_TEST(calls)
{
	struct control_call c;
	char *text;
	size_t n;

	for (int m = 0; m < CONTROL_METHODS; m++) {
		ck_assert_int_eq(control_make_call((enum control_method)m,
					 json_pack("{s:i}", "uid", 3), m & 1, &text, &n),
			0);
		ck_assert_uint_eq(strlen(text) + 1, n);
		ck_assert_int_eq(control_call_parse(text, n - 1, &c), 0);
		ck_assert_int_eq(c.method, m);
		ck_assert_int_eq(c.more, m & 1);
		ck_assert_int_eq(json_integer_value(json_object_get(c.parameters, "uid")), 3);
		control_call_deinit(&c);
		free(text);
	}
	ck_assert_int_eq(control_make_call(CONTROL_STATUS, NULL, false, &text, &n), -ENOMEM);
}
END_TEST

START_TEST(replies)
{
	struct control_reply r;
	char *text;
	size_t n;

	ck_assert_int_eq(control_make_reply(json_pack("{s:f}", "age", 0.25), true, &text, &n), 0);
	ck_assert_str_eq(text, "{\"parameters\":{\"age\":0.25},\"continues\":true}");
	ck_assert_uint_eq(strlen(text) + 1, n);
	ck_assert_int_eq(control_reply_parse(text, n - 1, &r), 0);
	ck_assert(r.continues && r.error == CONTROL_OK);
	control_reply_deinit(&r);
	free(text);
	ck_assert_int_eq(control_make_reply(NULL, true, &text, &n), -ENOMEM);
	for (int e = CONTROL_OK + 1; e < CONTROL_E_OTHER; e++) {
		ck_assert_int_eq(
			control_make_error((enum control_error)e, json_object(), &text, &n), 0);
		ck_assert_int_eq(control_reply_parse(text, n - 1, &r), 0);
		ck_assert_int_eq(r.error, e);
		control_reply_deinit(&r);
		free(text);
	}
	ck_assert_ptr_null(control_error_name(CONTROL_OK));
	ck_assert_ptr_null(control_error_name(CONTROL_E_OTHER));
	ck_assert_ptr_null(control_error_name(CONTROL_ERRORS));
}
END_TEST

START_TEST(longer_than_a_message)
{
	static char big[CONTROL_MESSAGE_MAX];
	/* {"parameters":{"x":"..."}} and its NUL */
	const size_t longest = CONTROL_MESSAGE_MAX - strlen("{\"parameters\":{\"x\":\"\"}}") - 1;
	char *text = NULL;
	size_t n = 0;

	memset(big, 'x', sizeof(big));
	ck_assert_int_eq(
		control_make_reply(json_pack("{s:s%}", "x", big, longest + 1), false, &text, &n),
		-EMSGSIZE);
	ck_assert_ptr_null(text);
	ck_assert_int_eq(
		control_make_reply(json_pack("{s:s%}", "x", big, longest), false, &text, &n), 0);
	ck_assert_uint_eq(n, CONTROL_MESSAGE_MAX);
	free(text);
}
END_TEST

/* Every "KEYWORD Name" line of the text has to be one of names, and the other way round. */
static void must_agree(
	const char *interface, const char *keyword, const char *(*name)(int), int n_names)
{
	const char *text = control_interface_text(interface);
	int n_found = 0, n_expected = 0;
	char line[256];

	for (int i = 0; i < n_names; i++) {
		const char *full = name(i);
		size_t n = strlen(interface);

		if (!full || strncmp(full, interface, n) != 0 || full[n] != '.')
			continue;
		n_expected++;
		snprintf(line, sizeof(line), "\n%s %s(", keyword, full + n + 1);
		if (strstr(text, line)) {
			n_found++;
			continue;
		}
		snprintf(line, sizeof(line), "\n%s %s (", keyword, full + n + 1);
		ck_assert_msg(strstr(text, line) != NULL, "%s is not in the file", full);
		n_found++;
	}
	ck_assert_int_gt(n_expected, 0);
	if (strcmp(interface, CONTROL_INTERFACE) != 0)
		return; /* varlink's own has some that we have no use for */
	snprintf(line, sizeof(line), "\n%s ", keyword);
	for (const char *p = text; (p = strstr(p, line)); p++)
		n_found--;
	ck_assert_int_eq(n_found, 0);
}

static const char *method_at(int i)
{
	return control_method_name((enum control_method)i);
}

static const char *error_at(int i)
{
	return control_error_name((enum control_error)i);
}

START_TEST(the_interface_file_and_the_table)
{
	must_agree("io.readyd", "method", method_at, CONTROL_METHODS);
	must_agree("io.readyd", "error", error_at, CONTROL_ERRORS);
	must_agree("org.varlink.service", "method", method_at, CONTROL_METHODS);
	must_agree("org.varlink.service", "error", error_at, CONTROL_ERRORS);
	ck_assert_ptr_null(control_interface_text("org.example"));
	ck_assert_ptr_null(control_interface_text(""));
}
END_TEST

static const char *read_file(const char *path)
{
	static char file[32768];
	FILE *f = fopen(path, "re");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(file, 1, sizeof(file) - 1, f);
	fclose(f);
	ck_assert_uint_lt(n, sizeof(file) - 1);
	file[n] = 0;
	return file;
}

START_TEST(the_text_is_the_installed_file)
{
	const char *text = control_interface_text(CONTROL_INTERFACE);

	ck_assert_str_eq(text, read_file(INTERFACE));
	/* As one reply. */
	ck_assert_uint_lt(strlen(text), CONTROL_MESSAGE_MAX / 2);
}
END_TEST

START_TEST(the_manual_has_every_call_and_error)
{
	const char *page = read_file(MAN);
	char line[128];

	for (int m = 0; m < CONTROL_METHODS; m++) {
		snprintf(line, sizeof(line), "\n.It Li %s(",
			strrchr(control_method_name((enum control_method)m), '.') + 1);
		ck_assert_msg(strstr(page, line) != NULL, "%s", line);
	}
	for (int e = CONTROL_OK + 1; e < CONTROL_E_OTHER; e++) {
		snprintf(line, sizeof(line), "\n.It Li %s(",
			control_error_name((enum control_error)e));
		ck_assert_msg(strstr(page, line) != NULL, "%s", line);
	}
}
END_TEST

UNIT_MAIN("control/make", calls, replies, longer_than_a_message, the_interface_file_and_the_table,
	the_text_is_the_installed_file, the_manual_has_every_call_and_error)
