/* SPDX-License-Identifier: MIT */
/*
 * The control protocol as a stranger may speak it: the first byte is the size of the pieces, the rest what
 * comes. What parses as a call or a reply keeps its promises, and made anew it is the same.
 */
#include <stdlib.h>
#include <string.h>

#include "control/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void look_at_call(const char *text, size_t n)
{
	struct control_call c = CONTROL_CALL_NULL, again = CONTROL_CALL_NULL;
	const char *s = NULL;
	int64_t i = -1;
	char *made;
	size_t n_made;

	if (control_call_parse(text, n, &c) < 0) {
		must(!c.root);
		return;
	}
	must(c.name && json_is_object(c.parameters) && !(c.more && c.oneway));
	must(control_get_int(c.parameters, "uid", false, 0, UINT32_MAX, &i) < 0 || i >= -1);
	must(control_get_string(c.parameters, "what", true, &s) < 0 || s);
	(void)control_call_unknown(&c);
	if (c.method < CONTROL_METHODS && control_make_call(c.method, json_incref(c.parameters),
						  c.more, &made, &n_made) == 0) {
		must(n_made <= CONTROL_MESSAGE_MAX && made[n_made - 1] == 0);
		must(control_call_parse(made, n_made - 1, &again) == 0);
		must(again.method == c.method && again.more == c.more);
		must(json_equal(again.parameters, c.parameters));
		control_call_deinit(&again);
		free(made);
	}
	control_call_deinit(&c);
	must(!c.root);
}

static void look_at_reply(const char *text, size_t n)
{
	struct control_reply r = CONTROL_REPLY_NULL;

	if (control_reply_parse(text, n, &r) < 0) {
		must(!r.root);
		return;
	}
	must((r.error == CONTROL_OK) == !r.name && json_is_object(r.parameters));
	must(!(r.name && r.continues));
	control_reply_deinit(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_inbox in = CONTROL_INBOX_NULL;
	size_t piece = size ? data[0] + 1u : 1;
	bool open = true;
	const char *text;
	size_t n;
	int r;

	for (size_t at = 1; at < size && open; at += piece) {
		if (control_inbox_put(&in, data + at, size - at < piece ? size - at : piece) < 0)
			break;
		while ((r = control_inbox_next(&in, &text, &n)) == 1) {
			must(n < CONTROL_MESSAGE_MAX && text[n] == 0 && strlen(text) == n);
			look_at_call(text, n);
			look_at_reply(text, n);
		}
		open = r == 0;
	}
	control_inbox_deinit(&in);
	return 0;
}
