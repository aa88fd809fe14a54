# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# TAP from a shell script. To be sourced.
#
#   is WHAT                   a point: of what the last command returned, which is in $status afterwards
#   until_is COMMAND...       at most 20 s
#   tap_end                   the plan; true when nothing failed
#   tap_prefix                stands in front of every WHAT
#   tap_note                  to be redefined: what else is to be known when a point fails, as comments
n=0 failed=0 tap_prefix=''

tap_note() { :; }

is() {
	status=$?
	n=$((n + 1))
	if [ "$status" = 0 ]; then
		echo "ok $n - $tap_prefix$1"
	else
		failed=$((failed + 1))
		echo "not ok $n - $tap_prefix$1"
		tap_note
	fi
}

until_is() {
	for _ in $(seq 400); do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}

tap_end() {
	echo "1..$n"
	[ "$failed" = 0 ]
}
