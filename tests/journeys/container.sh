#!/bin/sh
# SPDX-License-Identifier: MIT
# In a container: a user namespace with its own mounts and processes, into which the folder of the sockets is mounted. A
# client there is seen with the uid that the host maps his to, and uses the quota of whom the range of uids is charged to.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/journeys/journey.sh
. "$here/journey.sh"
[ "$(id -u)" = 0 ] || journey_skip 'other users take root'
setpriv --reuid 100000 --regid 100000 --clear-groups unshare --user --map-root-user --mount --pid --fork true 2>/dev/null ||
	journey_skip 'no user namespaces here'

# Who pays for the range is somebody that every Debian has.
cat >"$work/readyd.yaml" <<'END'
quota:
  default: {connects_per_s: 1000}
  users: {games: {sessions: 2, registrations: 77}}
  uid_ranges:
    - {from: 100000, count: 65536, charge_to: games}
END
journey_config=$work/readyd.yaml
begin

# contained UID COMMAND: as root of a container whose root is UID of the host; the sockets are in /mnt/readyd
cat >"$work/enter" <<'END'
mount -t tmpfs tmpfs /mnt && mkdir /mnt/readyd && touch /mnt/one.sock &&
	mount --bind "$1/run" /mnt/readyd && mount --bind "$1/run/session.sock" /mnt/one.sock || exit 99
READYD_SOCKET=/mnt/readyd/session.sock
export READYD_SOCKET
eval "$2"
END
contained() {
	as "$1" unshare --user --map-root-user --mount --pid --fork --kill-child --mount-proc sh "$work/enter" "$work" "$2"
}

contained 100000 'id -u; readyctl whoami' >"$work/said" 2>&1
is_like 'who is root in there' '^0$'
is_like 'is for readyd the uid that the host maps it to' '^readyd sees uid 100000, pid [0-9]+, in the system instance'
is_like 'and is told that he is somewhere else' '^  here   uid 0: this is another user namespace$'
is_like 'his quota is that of whom the range is charged to' '^  quota  sessions 0/2  registrations 0/77  control 1/8  connects 1,000/s$'
is_like 'who is named' "^  charged to uid $(id -u games), together"
contained 100000 'readyctl whoami --json' >"$work/said" 2>&1
is_like 'the same as JSON' "\"uid\":100000,.*\"charged_to\":$(id -u games),"

contained 100000 'echo x | readyctl wait --timeout 20s in=0' >"$work/said" 2>&1
is_like 'a descriptor is watched' '^in in'

# Two containers, of two uids, one quota.
mkfifo -m 666 "$work/stay"
exec 8<>"$work/stay"
# watcher UID: until the other end hangs up, of which no copy may stay in a shell
watcher() {
	exec 8>&-
	contained "$1" "readyctl watch bell=3 3<'$work/stay'" >"$work/stays.$1" 2>&1 </dev/null
}
watcher 100001 &
first=$!
watcher 100002 &
second=$!
both() { [ "$(readyctl ls --json | grep -c '"state":"serving"')" = 2 ]; }
until_is both
is 'two containers have a session each'
contained 100000 'readyctl whoami' >"$work/said" 2>&1
is_like 'which count together' '^  quota  sessions 2/2 '
contained 100000 'echo x | readyctl wait --timeout 20s in=0; echo "exit $?"' >"$work/said" 2>&1
is_like 'so a third one is refused' '^exit 7$'
is_like 'with the reason' 'QUOTA|quota'

# A restart makes another socket. Who has the folder finds it; who has mounted the file has the old one for ever.
cat >"$work/twice" <<'END'
echo x | readyctl wait --timeout 20s in=0
touch "$1/first"
while [ ! -e "$1/again" ]; do sleep 0.05; done
echo x | readyctl wait --timeout 20s in=0 && readyctl whoami
echo "folder: $?"
echo x | readyctl wait --socket /mnt/one.sock --timeout 20s in=0
echo "file: $?"
END
exec 8>&- # the other end has hung up
wait "$first" && wait "$second"
is 'both end by themselves'
mkdir -m 777 "$work/signs"
contained 100000 "sh '$work/twice' '$work/signs'" >"$work/said" 2>&1 &
inner=$!
until_is test -e "$work/signs/first"
end_readyd TERM
begin
touch "$work/signs/again"
wait "$inner"
is_like 'after a restart the folder has the new socket' '^folder: 0$'
is_like 'where a mounted file is of no use any more' '^file: 3$'
tap_end
