#!/bin/sh
# SPDX-License-Identifier: MIT
# Run an example against a private readyd:  with-readyd.sh READYD EXAMPLE [kill-agent]
# kill-agent: kill the agent when the example says "watching"; it has to say how it comes through that.
set -u
readyd=$1 example=$2 how=${3-}
dir=$(mktemp -d "${TMPDIR:-/tmp}/readyd-example.XXXXXX") || exit 1
daemon=''
# shellcheck disable=SC2317 # called by the trap
finish() {
	status=$?
	trap - EXIT
	[ -z "$daemon" ] || kill "$daemon"
	wait
	[ "$status" -eq 0 ] || cat "$dir/log" >&2
	rm -rf "$dir"
	exit "$status"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

mkfifo "$dir/up" || exit 1
"$readyd" --user --config=none --runtime-dir "$dir/run" --ready-fd 9 9>"$dir/up" 2>"$dir/log" &
daemon=$!
# One newline when it can serve; end of file without it means that it has died.
read -r _ <"$dir/up" || exit 1

if [ "$how" != kill-agent ]; then
	"$example" "$dir/run/session.sock"
	exit
fi

# The agent by its parent, not by name alone: other instances may run here.
agent_of() {
	for stat in /proc/[0-9]*/stat; do
		# pid (name) state ppid
		line=$(cat "$stat" 2>/dev/null) || continue
		case $line in
		*'(readyd-agent) '?" $1 "*) echo "${line%% *}" ;;
		esac
	done
}

mkfifo "$dir/out" || exit 1
"$example" "$dir/run/session.sock" >"$dir/out" &
child=$!
said=''
while read -r line; do
	echo "$line"
	said="$said $line"
	[ "$line" != watching ] || kill -9 "$(agent_of "$daemon")" || exit 1
done <"$dir/out"
wait "$child" || exit 1
[ "$said" = ' watching lost restored ready' ]
