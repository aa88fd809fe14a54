/* SPDX-License-Identifier: MIT */
/* Calls and replies as they may come. */
#include <errno.h>
#include <string.h>

#include "control/control.h"
#include "unit.h"

static int parse_call(const char *text, struct control_call *ret)
{
	*ret = CONTROL_CALL_NULL;
	return control_call_parse(text, strlen(text), ret);
}

static void must_be_bad(const char *text)
{
	struct control_call c;
	struct control_reply r = CONTROL_REPLY_NULL;

	ck_assert_msg(parse_call(text, &c) == -EBADMSG, "%s", text);
	ck_assert_ptr_null(c.root);
	ck_assert_msg(control_reply_parse(text, strlen(text), &r) == -EBADMSG, "%s", text);
	ck_assert_ptr_null(r.root);
}

START_TEST(calls)
{
	struct control_call c;

	ck_assert_int_eq(parse_call("{\"method\":\"io.readyd.Status\"}", &c), 0);
	ck_assert_int_eq(c.method, CONTROL_STATUS);
	ck_assert(json_is_object(c.parameters) && json_object_size(c.parameters) == 0);
	ck_assert(!c.more && !c.oneway);
	control_call_deinit(&c);
	control_call_deinit(&c);
	ck_assert_int_eq(parse_call("{\"method\":\"io.readyd.ListSessions\",\"more\":true,"
				    "\"oneway\":false,\"parameters\":{\"uid\":7}}",
				 &c),
		0);
	ck_assert_int_eq(c.method, CONTROL_LIST_SESSIONS);
	ck_assert(c.more && !c.oneway);
	ck_assert_ptr_null(control_call_unknown(&c));
	control_call_deinit(&c);
	ck_assert_int_eq(
		parse_call("{\"method\":\"x.y\",\"parameters\":null,\"oneway\":true}", &c), 0);
	ck_assert_int_eq(c.method, CONTROL_METHODS);
	ck_assert_str_eq(c.name, "x.y");
	ck_assert(c.oneway);
	ck_assert_ptr_null(control_call_unknown(&c));
	control_call_deinit(&c);
}
END_TEST

START_TEST(every_method_is_found_by_its_name)
{
	struct control_call c;
	char text[128];

	for (int m = 0; m < CONTROL_METHODS; m++) {
		snprintf(text, sizeof(text), "{\"method\":\"%s\",\"parameters\":{\"nonsense\":1}}",
			control_method_name((enum control_method)m));
		ck_assert_int_eq(parse_call(text, &c), 0);
		ck_assert_int_eq(c.method, m);
		ck_assert_str_eq(control_call_unknown(&c), "nonsense");
		control_call_deinit(&c);
	}
	ck_assert_ptr_null(control_method_name(CONTROL_METHODS));
}
END_TEST

START_TEST(what_is_no_call)
{
	static const char *const bad[] = {"", " ", "{", "}", "[]", "1", "\"x\"", "null", "{}x",
		"{\"method\":1,\"error\":1}", "{\"method\":null,\"error\":[]}",
		"{\"method\":\"a\",\"parameters\":[]}", "{\"method\":\"a\",\"parameters\":\"b\"}",
		"{\"method\":\"a\",\"more\":1,\"continues\":1}",
		"{\"method\":\"a\",\"oneway\":\"yes\",\"continues\":\"yes\"}",
		"{\"method\":\"a\",\"method\":\"b\"}",
		/* no UTF-8: a byte alone, overlong, a surrogate, above U+10FFFF */
		"{\"method\":\"\xff\"}", "{\"method\":\"\xc0\xaf\"}",
		"{\"method\":\"\xed\xa0\x80\"}", "{\"method\":\"\xf5\x80\x80\x80\"}",
		"{\"method\":\"a\\u0000b\"}", "{\"method\":\"a\",\"x\":1e999}",
		"{\"method\":\"a\",\"x\":99999999999999999999}", "GET / HTTP/1.1\r\n"};
	struct control_call c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		must_be_bad(bad[i]);
	ck_assert_int_eq(parse_call("{}", &c), -EBADMSG);
	ck_assert_int_eq(
		parse_call("{\"method\":\"a\",\"more\":true,\"oneway\":true}", &c), -EBADMSG);
}
END_TEST

/* Invariant: CONTROL-1 */
START_TEST(nesting_is_bounded)
{
	static char text[CONTROL_MESSAGE_MAX];
	static const char in_string[] = "{\"method\":\"a\",\"x\":\"[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[["
					"[[[[[[[[[[[[[[[[[[[[[\"}";
	struct control_call c;
	int n;

	for (int depth = 1; depth <= 40; depth++) {
		n = snprintf(text, sizeof(text), "{\"method\":\"a\",\"x\":%.*s%.*s}", depth - 1,
			"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", depth - 1,
			"]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
		if (depth == 1) /* no value at all */
			n = snprintf(text, sizeof(text), "{\"method\":\"a\"}");
		c = CONTROL_CALL_NULL;
		ck_assert_int_eq(control_call_parse(text, (size_t)n, &c),
			depth <= (int)CONTROL_DEPTH_MAX ? 0 : -EBADMSG);
		control_call_deinit(&c);
	}
	memset(text, '[', sizeof(text));
	ck_assert_int_eq(control_call_parse(text, sizeof(text) - 1, &c), -EBADMSG);
	memset(text, '{', sizeof(text));
	ck_assert_int_eq(control_call_parse(text, sizeof(text) - 1, &c), -EBADMSG);
	/* Closing first gives no credit. */
	memset(text, ']', sizeof(text) / 2);
	ck_assert_int_eq(control_call_parse(text, sizeof(text) - 1, &c), -EBADMSG);
	ck_assert_int_eq(parse_call(in_string, &c), 0);
	control_call_deinit(&c);
}
END_TEST

START_TEST(replies)
{
	static const char page[] = "{\"continues\":true,\"parameters\":{\"sessions\":[]}}";
	static const char error[] =
		"{\"error\":\"io.readyd.NotFound\",\"parameters\":{\"what\":\"session:1\"}}";
	static const char other[] = "{\"error\":\"org.example.New\"}";
	struct control_reply r = CONTROL_REPLY_NULL;

	ck_assert_int_eq(control_reply_parse(page, strlen(page), &r), 0);
	ck_assert(r.error == CONTROL_OK && r.continues && !r.name);
	ck_assert(json_is_array(json_object_get(r.parameters, "sessions")));
	control_reply_deinit(&r);
	ck_assert_int_eq(control_reply_parse(error, strlen(error), &r), 0);
	ck_assert(r.error == CONTROL_E_NOT_FOUND && !r.continues);
	control_reply_deinit(&r);
	ck_assert_int_eq(control_reply_parse(other, strlen(other), &r), 0);
	ck_assert_int_eq(r.error, CONTROL_E_OTHER);
	ck_assert_str_eq(r.name, "org.example.New");
	control_reply_deinit(&r);
	ck_assert_int_eq(control_reply_parse("{}", 2, &r), 0);
	ck_assert_int_eq(r.error, CONTROL_OK);
	control_reply_deinit(&r);
}
END_TEST

START_TEST(parameters)
{
	struct control_call c;
	const char *s = NULL;
	int64_t i = 42;

	ck_assert_int_eq(parse_call("{\"method\":\"a\",\"parameters\":{\"i\":5,\"n\":null,"
				    "\"s\":\"x\",\"f\":5.0,\"m\":-1}}",
				 &c),
		0);
	ck_assert_int_eq(control_get_int(c.parameters, "i", true, 0, 5, &i), 0);
	ck_assert_int_eq(i, 5);
	i = 42;
	ck_assert_int_eq(control_get_int(c.parameters, "i", true, 0, 4, &i), -EINVAL);
	ck_assert_int_eq(control_get_int(c.parameters, "m", true, 0, 4, &i), -EINVAL);
	ck_assert_int_eq(control_get_int(c.parameters, "f", false, 0, 9, &i), -EINVAL);
	ck_assert_int_eq(control_get_int(c.parameters, "s", false, 0, 9, &i), -EINVAL);
	ck_assert_int_eq(control_get_int(c.parameters, "n", true, 0, 9, &i), -EINVAL);
	ck_assert_int_eq(control_get_int(c.parameters, "absent", true, 0, 9, &i), -EINVAL);
	ck_assert_int_eq(control_get_int(c.parameters, "n", false, 0, 9, &i), 0);
	ck_assert_int_eq(control_get_int(c.parameters, "absent", false, 0, 9, &i), 0);
	ck_assert_int_eq(i, 42);
	ck_assert_int_eq(control_get_string(c.parameters, "i", false, &s), -EINVAL);
	ck_assert_int_eq(control_get_string(c.parameters, "n", true, &s), -EINVAL);
	ck_assert_int_eq(control_get_string(c.parameters, "n", false, &s), 0);
	ck_assert_ptr_null(s);
	ck_assert_int_eq(control_get_string(c.parameters, "s", true, &s), 0);
	ck_assert_str_eq(s, "x");
	control_call_deinit(&c);
}
END_TEST

UNIT_MAIN("control/parse", calls, every_method_is_found_by_its_name, what_is_no_call,
	nesting_is_bounded, replies, parameters)
