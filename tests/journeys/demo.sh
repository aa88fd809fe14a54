#!/bin/sh
# SPDX-License-Identifier: MIT
# The first thing that somebody types who has installed it, and what it says when it does not work.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/journeys/journey.sh
. "$here/journey.sh"
TMPDIR=$work/tmp
export TMPDIR
mkdir -m 1777 "$TMPDIR"
not() { ! "$@"; }
left_behind() { [ -n "$(ls "$TMPDIR")" ]; }
us=''
[ "$(id -u)" != 0 ] || us='as 61070'

readyctl demo --once >"$work/said" 2>&1
[ $? = 3 ]
is 'without readyd: exit 3'
is_like 'with a way out' '^  try: '

begin 'quota.default.connects_per_s=1000'
$us readyctl demo --once >"$work/said" 2>&1
is 'it works'
for name in tcp fifo pty timerfd inotify pidfd eventfd; do
	is_like "$name" "^$name +in +[0-9]+ [um]s  [a-z]"
done
is_like 'all of it' '^[0-9]+ events from 7 descriptors$'
! grep -q '.\{101\}' "$work/said"
is 'no line is longer than 100'
$us readyctl demo --once --json >"$work/said" 2>&1
is 'as JSON'
python3 -c 'import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
sys.exit(rows[-1]["descriptors"] != 7 or not all(row["ready"] == ["in"] and row["delay"] >= 0 for row in rows[:-1]))' \
	"$work/said"
is 'with each delay in seconds'
$us readyctl demo --once | head -1 >"$work/said"
is_like 'somebody who reads one line only' '^NAME '
until_is not left_behind
is 'nothing is left behind'

live() { grep -q 'until Ctrl-C' "$work/live"; }
install -m 666 /dev/null "$work/pid"
# shellcheck disable=SC2016 # the inner shell's
$us sh -c 'echo $$ >"$1" && exec readyctl demo' sh "$work/pid" >"$work/live" 2>&1 </dev/null &
demo=$!
kids=$demo
until_is live
is 'live: it goes on, and says what to type'
agent=$($us readyctl ls --agents --json | sed -n "s/.*\"uid\":$($us id -u),\"pid\":\([0-9]*\),.*/\1/p")
kill -9 "$agent"
restored() { grep -q 'connected again' "$work/live"; }
until_is restored
is 'through the end of its agent'
lines=$(wc -l <"$work/live")
more() { [ "$(wc -l <"$work/live")" -gt "$lines" ]; }
until_is more
is 'and events come again'
kill -INT "$(cat "$work/pid")"
wait "$demo"
is 'Ctrl-C is a good end'
cp "$work/live" "$work/said"
is_like 'with the sum' '^[0-9]+ events from [0-9]+ descriptors$'
! left_behind
is 'nothing is left behind then'

end_readyd TERM
begin 'quota.default.connects_per_s=1000' 'kinds=[tcp,unix,pipe,eventfd,timerfd,pidfd,inotify]'
$us readyctl demo --once >"$work/said" 2>&1
[ $? = 6 ]
is 'a kind that is refused: exit 6'
is_like 'by name' 'cannot register pty .*FD_KIND_REFUSED'
! left_behind
is 'and nothing is left behind'
tap_end
