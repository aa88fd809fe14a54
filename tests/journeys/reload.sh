#!/bin/sh
# SPDX-License-Identifier: MIT
# Reload with a mistake: the reason at the prompt and in the log, what was in force stays; then the cure.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/journeys/journey.sh
. "$here/journey.sh"
journey_config=$work/readyd.yaml
echo 'quota: {default: {sessions: 64, connects_per_s: 1000}}' >"$journey_config"
begin
mkfifo -m 666 "$work/bell"
: >"$work/heard" # which is counted before the client below has begun
readyctl watch bell=3 3<>"$work/bell" >"$work/heard" 2>&1 </dev/null &
kids=$!
rings() {
	before=$(wc -l <"$work/heard")
	echo x >"$work/bell"
	until_is heard_more
}
heard_more() { [ "$(wc -l <"$work/heard")" -gt "$before" ]; }
rings
is 'a client hears its bell'

printf 'quota: {default: {sessions: 65, connects_per_s: 1000}}\nqouta: 1\n' >"$journey_config"
readyctl config check >"$work/said" 2>&1
[ $? = 1 ]
is 'the check finds the mistake before it does harm'
readyctl reload >"$work/said" 2>&1
[ $? = 1 ]
is 'a reload of it fails'
is_like 'with file, line and column, and what is wrong' "readyd.yaml:2:1: unknown key 'qouta'\$"
is_like 'why' '^  why: .*nothing has changed: still generation 1'
is_like 'and what to do' "^  try: did you mean 'quota'\?"
readyctl reload --json >"$work/said" 2>&1
is_like 'as JSON it has a name, too' '"BAD_CONFIGURATION"|BadConfiguration'
cp "$work/log" "$work/said"
is_like 'the log says the same' "reload=refused generation=1 error=\".*readyd.yaml:2:1: unknown key 'qouta'\""
readyctl status >"$work/said"
is_like 'status reminds of it' '^  ! a reload was refused .* ago: readyctl config check'
readyctl config show >"$work/said"
is_like 'what was in force is' '^quota.default.sessions +64 '
kill -HUP "$readyd"
twice() { [ "$(grep -c 'reload=refused' "$work/log")" -ge 3 ]; }
until_is twice
is 'SIGHUP reads it, too, and says so in the log'
rings
is 'the client has noticed nothing'

echo 'quota: {default: {sessions: 65, connects_per_s: 1000}}' >"$journey_config"
readyctl config diff >"$work/said"
is_like 'mended: what would change' 'quota.default.sessions: 65, was 64'
readyctl reload >"$work/said" 2>&1
is_like 'does' '^reloaded, generation 2: 1 file, 1 key changed'
readyctl status >"$work/said"
! grep -q '^  !' "$work/said"
is 'and nothing needs a look any more'
rings
is 'the client goes on'
tap_end
