/* SPDX-License-Identifier: MIT */
/* Framing: pieces of any size, bounds, memory that goes again. */
#include <errno.h>
#include <string.h>

#include "control/control.h"
#include "unit.h"

static void must_be_next(struct control_inbox *in, const char *text)
{
	const char *p = NULL;
	size_t n = 0;

	ck_assert_int_eq(control_inbox_next(in, &p, &n), 1);
	ck_assert_uint_eq(n, strlen(text));
	ck_assert_str_eq(p, text);
}

static void must_be_none(struct control_inbox *in)
{
	const char *p = NULL;
	size_t n = 7;

	ck_assert_int_eq(control_inbox_next(in, &p, &n), 0);
	ck_assert_ptr_null(p);
	ck_assert_uint_eq(n, 7);
}

START_TEST(messages_in_one_piece)
{
	struct control_inbox in = CONTROL_INBOX_NULL;

	must_be_none(&in);
	ck_assert_int_eq(control_inbox_put(&in, "a\0bc\0d", 6), 0);
	must_be_next(&in, "a");
	must_be_next(&in, "bc");
	must_be_none(&in);
	ck_assert_int_eq(control_inbox_put(&in, "\0\0", 2), 0);
	must_be_next(&in, "d");
	must_be_next(&in, "");
	must_be_none(&in);
	/* Nothing is in it: it has no memory. */
	ck_assert_ptr_null(in.bytes);
	control_inbox_deinit(&in);
	control_inbox_deinit(&in);
}
END_TEST

START_TEST(byte_by_byte)
{
	static const char text[] = "{\"method\":\"x\"}\0{}";
	struct control_inbox in = CONTROL_INBOX_NULL;

	for (size_t i = 0; i < sizeof(text); i++) {
		ck_assert_int_eq(control_inbox_put(&in, text + i, 1), 0);
		if (text[i])
			must_be_none(&in);
		else
			must_be_next(&in, i < 16 ? "{\"method\":\"x\"}" : "{}");
	}
	must_be_none(&in);
	control_inbox_deinit(&in);
}
END_TEST

START_TEST(put_forgets_what_was_given)
{
	struct control_inbox in = CONTROL_INBOX_NULL;

	ck_assert_int_eq(control_inbox_put(&in, "one\0two", 8), 0);
	must_be_next(&in, "one");
	ck_assert_uint_eq(control_inbox_room(&in), CONTROL_MESSAGE_MAX - 4);
	ck_assert_int_eq(control_inbox_put(&in, "three", 6), 0);
	must_be_next(&in, "two");
	must_be_next(&in, "three");
	must_be_none(&in);
	ck_assert_uint_eq(control_inbox_room(&in), CONTROL_MESSAGE_MAX);
	control_inbox_deinit(&in);
}
END_TEST

START_TEST(bounds)
{
	static char big[CONTROL_MESSAGE_MAX + 1];
	struct control_inbox in = CONTROL_INBOX_NULL;
	const char *p;
	size_t n = 0;

	memset(big, 'x', sizeof(big));
	ck_assert_int_eq(control_inbox_put(&in, big, sizeof(big)), -EMSGSIZE);
	ck_assert_int_eq(control_inbox_put(&in, big, CONTROL_MESSAGE_MAX - 1), 0);
	must_be_none(&in);
	ck_assert_uint_eq(control_inbox_room(&in), 1);
	ck_assert_int_eq(control_inbox_put(&in, big, 2), -EMSGSIZE);
	/* The longest there is. */
	ck_assert_int_eq(control_inbox_put(&in, "", 1), 0);
	ck_assert_int_eq(control_inbox_put(&in, "", 1), -EMSGSIZE);
	ck_assert_int_eq(control_inbox_next(&in, &p, &n), 1);
	ck_assert_uint_eq(n, CONTROL_MESSAGE_MAX - 1);
	/* And what has no end. */
	ck_assert_int_eq(control_inbox_put(&in, big, CONTROL_MESSAGE_MAX), 0);
	ck_assert_int_eq(control_inbox_next(&in, &p, &n), -EMSGSIZE);
	ck_assert_int_eq(control_inbox_next(&in, &p, &n), -EMSGSIZE);
	control_inbox_deinit(&in);
}
END_TEST

UNIT_MAIN("control/inbox", messages_in_one_piece, byte_by_byte, put_forgets_what_was_given, bounds)
