#!/bin/sh
# SPDX-License-Identifier: MIT
# See everything: each view as text and as JSON, of oneself for everybody, of all for administrators.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/journeys/journey.sh
. "$here/journey.sh"
[ "$(id -u)" = 0 ] || journey_skip 'other users take root'
ann=61050 bob=61051 ops=61052
games=$(id -g games)
begin 'quota.default.connects_per_s=1000' 'admin.group=games'

# A client each for ann and bob, who hear their bell ring.
for who in $ann $bob; do
	mkfifo -m 666 "$work/bell.$who"
	as "$who" sh -c "exec readyctl watch bell=3 3<>'$work/bell.$who'" >"$work/heard.$who" 2>&1 </dev/null &
	kids="$kids $!"
done
both() { [ "$(readyctl ls --json | grep -c '"state":"serving"')" = 2 ]; }
until_is both
is 'two users have a session each'
for who in $ann $bob; do
	echo x >"$work/bell.$who"
	until_is test -s "$work/heard.$who"
done
readyctl ls --json >"$work/all"
# The session of a user, of a row a line.
session_of() { sed -n "s/.*\"session\":\([0-9]*\),\"uid\":$1,.*/\1/p" "$work/all"; }
hers=$(session_of $ann) his=$(session_of $bob)
[ -n "$hers" ] && [ -n "$his" ]
is 'whose numbers are in the list'
readyctl ls --no-header -o user,session >"$work/said"
is_like 'as columns for a script' "^ *$ann +$hers\$"
[ "$(wc -l <"$work/said")" = 2 ]
is 'without titles'

# views WHO: each view of the one who looks, as text of 80 columns and as JSON that a parser takes
json() { python3 -c 'import json, sys
lines = sys.stdin.read().splitlines()
sys.exit(not lines or not all(isinstance(json.loads(line), dict) for line in lines))'; }
views() {
	who=$1
	shift
	for view in status ls 'ls --sessions' 'ls --registrations' 'ls --agents' 'top --once' "explain session:$hers" whoami; do
		# shellcheck disable=SC2086 # words
		"$@" readyctl $view >"$work/said" 2>&1 && [ -s "$work/said" ] && ! grep -q '.\{101\}' "$work/said"
		is "$who: $view"
		# shellcheck disable=SC2086 # words
		"$@" readyctl $view --json=short 2>&1 | json
		is "$who: $view --json=short"
	done
}
views ann as $ann
views 'an administrator' as $ops:"$games"

as $ann readyctl ls --json >"$work/said"
is_like 'ann sees her own' "\"uid\":$ann,"
! grep -q "\"uid\":$bob," "$work/said"
is 'and nobody else'
as $ops:"$games" readyctl ls --json >"$work/said"
grep -q "\"uid\":$ann," "$work/said" && grep -q "\"uid\":$bob," "$work/said"
is 'an administrator sees all'
as $ann readyctl explain "session:$his" >"$work/said" 2>&1
[ $? = 5 ]
is "for ann bob's session is not there"
as $ann readyctl kick "session:$his" >"$work/said" 2>&1
[ $? = 5 ] && [ "$(wc -l <"$work/said")" = 3 ]
is 'nor can she end it'
as $ann readyctl metrics >"$work/said"
! grep -q "uid=\"$bob\"" "$work/said" && grep -q "uid=\"$ann\"" "$work/said"
is 'her metrics are of herself'
as $ops:"$games" readyctl metrics >"$work/said"
is_like "those of an administrator have the daemon's" '^readyd_sessions_limit 1024$'
as $ann readyctl reload >"$work/said" 2>&1
[ $? = 6 ]
is 'what changes something for all is refused, with a status of its own'
tap_end
