#!/bin/sh
# SPDX-License-Identifier: MIT
# The commonest mistake of the first day: the socket is there, and who types is not in its group.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/journeys/journey.sh
. "$here/journey.sh"
[ "$(id -u)" = 0 ] || journey_skip 'other users take root'
games=$(id -g games)
begin 'sockets.session.group=games' 'sockets.session.mode=0660'

tries() { # AS WHAT
	: | as "$1" readyctl wait --timeout 20s in=0 >"$work/said" 2>&1
	[ $? = "$2" ]
}
tries "61080:$games" 0
is 'who is in the group is admitted'
tries 61080 6
is 'who is not: exit 6'
is_like 'of whom the machine knows no name' "^readyctl: cannot reach readyd at .*session.sock: permission denied\$"
is_like 'hears which group' "^  why: the socket belongs to group 'games', and you \\(uid 61080\\) are not in it\$"
is_like 'and who can help' '^  try: who administers readyd'
tries "$(id -u nobody)" 6
is_like 'who has a name hears it' "^  why: the socket belongs to group 'games', and you \\(nobody\\) are not in it, or have not"
is_like 'and what to type' '^  try: sudo adduser nobody games && newgrp games '
as "$(id -u nobody)" readyctl wait --json --timeout 0s in=0 </dev/null >"$work/said" 2>&1
is_like 'as JSON, too' '"error":"PERMISSION_DENIED".*"why":"the socket belongs.*"try":"sudo adduser'

# In a mount namespace the group has a new member, who has not logged in again.
sed "s/^games:.*/games:x:$games:nobody/" /etc/group >"$work/group"
# shellcheck disable=SC2016 # the inner shell's
if unshare -m sh -c 'mount --bind "$1" /etc/group' sh "$work/group" 2>/dev/null; then
	unshare -m sh -c 'mount --bind "$1" /etc/group && shift && exec "$@"' sh "$work/group" \
		setpriv --reuid nobody --regid nogroup --clear-groups readyctl wait in=0 </dev/null >"$work/said" 2>&1
	[ $? = 6 ]
	is 'who is a member by now: exit 6'
	is_like 'that this login is older' "^  why: you \\(nobody\\) were added to group 'games' after this login began"
	is_like 'and what to type' '^  try: newgrp games, or log in again$'
fi

chmod 700 "$work/run"
tries 61080 6
is_like 'a folder that admits nobody is another reason' '^  why: a folder on the way does not admit you$'
chmod 755 "$work/run"
chgrp root "$work/run/session.sock"
tries 61080 6
is_like 'nobody is told to join group 0' '^  why: the socket.s owner and mode do not admit you$'
tap_end
