#!/bin/sh
# SPDX-License-Identifier: MIT
# A wedged user: bob hands over a file of a FUSE file system that does not answer. The administrator is told where it
# hangs and what to do; ann notices nothing; the service stops at once.
#   SILENT_FILE names the program that has such a file
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/journeys/journey.sh
. "$here/journey.sh"
[ "$(id -u)" = 0 ] || journey_skip 'other users take root'
ann=61040 bob=61041
begin 'quota.default.connects_per_s=1000'

mkfifo "$work/life"
cp "$SILENT_FILE" "$work/bin/silent-file"
# shellcheck disable=SC2016 # the inner shell's
"$work/bin/silent-file" setpriv --reuid $bob --regid $bob --clear-groups \
	sh -c 'exec readyctl wait --timeout 20s "file=$SILENT_FD"' <"$work/life" >"$work/said" 2>&1 &
fuse=$!
exec 7>"$work/life"
over() { grep -q -E '  try: |no FUSE' "$work/said"; }
until_is over
if grep -q 'no FUSE' "$work/said"; then
	exec 7>&-
	journey_skip "$(cat "$work/said")"
fi
is_like 'bob cannot register such a file' 'FD_KIND_REFUSED'
is_like 'and is told why' '^  why: '

# Whoever holds it is told to end, and cannot.
stuck() {
	readyctl explain "uid:$bob" >"$work/said" 2>&1
	grep -q -i 'stuck\|does not let' "$work/said"
}
until_is stuck
is_like "explain uid:bob says that a process of his is stuck" 'stuck|does not let'
is_like 'where in the kernel it waits' '^  kernel .*(fuse|request_wait)'
is_like 'and the way out' '/sys/fs/fuse/connections/[0-9N]+/abort'
cp "$work/said" "$work/explain"
script -q -c "stty cols 80 && readyctl explain uid:$bob" "$work/typed" >"$work/screen" </dev/null
grep -q wedged "$work/screen" && ! tr -d "\r" <"$work/screen" | grep -E ".{81}"
is 'in lines that a terminal of 80 columns can show'
readyctl status >"$work/said" 2>&1
is_like 'status points there' '^  ! .*readyctl explain'
readyctl metrics >"$work/said" 2>&1
is_like 'and metrics count it' '^readyd_processes_stuck [1-9]'

as $ann sh -c 'echo x | readyctl wait --timeout 20s in=0' >"$work/said" 2>&1
is_like 'ann is served as ever' '^in in'
as $bob sh -c 'echo x | readyctl wait --timeout 20s in=0' >"$work/said" 2>&1
is_like 'and so is bob himself, by a fresh agent' '^in in'

begun=$(date +%s%3N)
end_readyd TERM
took=$(($(date +%s%3N) - begun))
[ "$took" -lt 2500 ]
is "a stop beside it takes $took ms"
exec 7>&-
wait "$fuse"
agent=$(sed -n 's/^  kernel agent \([0-9]*\) (stuck).*/\1/p' "$work/explain")
gone() { ! kill -0 "$agent" 2>/dev/null; }
until_is gone
is 'when the server is gone, so is the process'
echo '# what the administrator read:'
sed 's/^/#   /' "$work/explain"
tap_end
