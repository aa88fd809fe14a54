#!/bin/sh
# SPDX-License-Identifier: MIT
# Every public header compiles alone, as C and as C++, without a warning; C++ programs link. headers.sh TOP LIBRARY
set -eu
top=$1
lib=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0
for h in "$top"/lib/ready/*.h; do
	echo "#include <ready/$(basename "$h")>" >"$tmp/one.c"
	cp "$tmp/one.c" "$tmp/one.cc"
	cc -std=c11 -Wall -Wextra -Wpedantic -Werror -Wstrict-prototypes -fsyntax-only -I"$top/lib" "$tmp/one.c" || bad=1
	c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -Wold-style-cast -fsyntax-only -I"$top/lib" "$tmp/one.cc" || bad=1
done
cat >"$tmp/main.cc" <<'END'
#include <ready/ready.h>

int main()
{
	rdy_poll *poll = nullptr;
	rdy_events *events = nullptr;
	rdy_io *sender = nullptr, *receiver = nullptr;
	rdy_event e;

	if (rdy_poll_new(nullptr, &poll) < 0 || rdy_events_new(1, &events) < 0 || rdy_pipe_new(&sender, &receiver) < 0)
		return 1;
	if (rdy_source_register(rdy_io_source(sender), rdy_poll_registry(poll), 7, RDY_WRITABLE, RDY_LEVEL) < 0)
		return 2;
	if (rdy_poll_wait(poll, events, -1) != 1 || !rdy_events_next(events, &e) || e.token != 7 || !rdy_event_is_writable(&e))
		return 3;
	rdy_io_free(sender);
	rdy_io_free(receiver);
	rdy_events_free(events);
	rdy_poll_free(poll);
	return 0;
}
END
if nm -D "$lib" | grep -q __asan_init; then
	echo "headers: no C++ program against a library with a sanitizer"
elif ! c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -I"$top/lib" "$tmp/main.cc" "$lib" -o "$tmp/main" ||
	! LD_LIBRARY_PATH=$(dirname "$lib") "$tmp/main"; then
	echo "the C++ program fails"
	bad=1
fi
exit $bad
