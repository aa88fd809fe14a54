#!/bin/sh
# SPDX-License-Identifier: MIT
# The installed service under a real systemd: activation, readiness, restarts, reload, watchdog, stop, sandbox. TAP.
#   service.sh BUILD [SUITE]    a build with the prefix /usr; in the Debian of that name, else on this machine's /usr
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$1 suite=${2-}
# shellcheck source=tests/systemd/container.sh
. "$here/container.sh"
# shellcheck source=tests/tap.sh
. "$here/../tap.sh"

missing=$(container_missing)
[ -z "$missing" ] || container_skip "$missing"

if [ -n "$suite" ]; then
	root=$("$here/debian.sh" "$suite") || container_skip "$root"
fi

tap_note() { inside journalctl --no-pager -u readyd -n 15 2>&1 | sed 's/^/# /'; }

said() { grep -q "$1" "$work/$2"; }
property() { inside systemctl show -P "$1" "${2:-readyd}"; }
has_property() { [ "$(property "$1")" = "$2" ]; }
now_ms() { date +%s%3N; }
# Processes of it in the container, without the shell that counts.
count() { inside ps -eo args= | grep -c "^readyd-$1"; }
counts() { [ "$(count "$1")" = "$2" ]; }
# The client that stands for all: a session of games, who gets a line for each byte in its pipe.
rings() {
	lines=$(wc -l <"$work/bell")
	inside sh -c 'echo x >/run/bell'
	until_is rang
}
rang() { [ "$(wc -l <"$work/bell")" -gt "$lines" ]; }

work=$(mktemp -d /tmp/readyd-systemd-XXXXXX)
trap 'container_down; rm -rf "$work"' EXIT
DESTDIR=$work/dest meson install -C "$build" --no-rebuild --quiet >"$work/install" 2>&1 || {
	cat "$work/install"
	exit 1
}
boot() {
	if [ -z "$suite" ]; then
		container_up "t$$" "$work/dest"
		return
	fi
	container_up_root "t$$" "$root" "$work/dest" || return
	inside cp -a /mnt/usr /
	inside systemd-sysusers
	inside systemd-tmpfiles --create readyd.conf
	inside systemctl daemon-reload
}
boot >"$work/up" 2>&1 || {
	sed 's/^/# /' "$work/up"
	trap - EXIT
	rm -rf "$work"
	container_skip 'the container does not boot here'
}
echo "# systemd $(inside systemctl --version | head -n 1 | cut -d' ' -f2), booted"
sed 's/^/# /' "$work/up"

# On its first boot a preset may have started the service; here the sockets alone shall.
inside systemctl stop readyd.service readyd.socket readyd-control.socket 2>/dev/null
inside systemctl start readyd.socket readyd-control.socket
is 'the sockets are there'
has_property ActiveState inactive
is 'and nothing runs before somebody comes'

inside readyctl status --timeout 20s >"$work/status" 2>&1
is 'the first call on the control socket starts it'
has_property ActiveState active && has_property Type notify && has_property SubState running
is 'it is active'
property StatusText | grep -q '^Serving [0-9]* sessions* of [0-9]* users*; configuration 1'
is 'and says what it does'
[ "$(inside ps -o user= -p "$(property MainPID)")" = readyd ]
is 'as its own user'
inside journalctl -u readyd --no-pager -o cat | grep -q 'ready socket=/run/readyd/session.sock'
is 'its log is in the journal'

inside_as man readyctl wait --timeout 5s in=0 </dev/zero >"$work/man" 2>&1
[ $? = 6 ] && said 'permission denied' man && said '  try: ' man
is 'who is not in the group readyd is told why'
inside usermod -aG readyd games
inside mkfifo -m 666 /run/bell
inside_as games python3 -c '
import os, subprocess, sys
fd = os.open("/run/bell", os.O_RDWR)
os.set_inheritable(fd, True)
c = subprocess.Popen(["readyctl", "watch", "bell=%d" % fd], pass_fds=[fd], stdout=subprocess.PIPE, text=True)
for line in c.stdout:
    os.read(fd, 4096)
    print(line, end="", flush=True)
' >"$work/bell" 2>"$work/bell.err" </dev/null &
client=$!
sees_client() { inside readyctl ls 2>/dev/null | grep -q games; }
until_is sees_client
is 'who is in it has a session'
rings
is 'and gets events'

begin=$(now_ms)
inside systemctl restart readyd
restart_ms=$(($(now_ms) - begin))
rings && until_is sees_client
is 'a restart keeps the session'
[ "$restart_ms" -lt 2000 ]
is "and takes $restart_ms ms"

inside mkdir -p /run/systemd/system/readyd.service.d /etc/readyd
inside sh -c 'printf "[Unit]\nStartLimitIntervalSec=0\n" >/run/systemd/system/readyd.service.d/often.conf'
inside sh -c 'echo "quota: {default: {connects_per_s: 100000}}" >/etc/readyd/readyd.yaml'
inside systemctl daemon-reload
inside systemctl restart readyd
# shellcheck disable=SC2016 # the inner shell's
inside sh -c 'n=0
	while [ ! -e /run/enough ]; do echo x | readyctl wait in=0 >/dev/null 2>>/run/refused; n=$((n + 1)); done
	echo "$n" >/run/tries' </dev/null >/dev/null 2>&1 &
callers=$!
for _ in 1 2 3 4 5 6 7 8; do
	inside systemctl restart readyd
done
inside touch /run/enough
wait "$callers"
! inside test -s /run/refused
is "$(inside cat /run/tries) sessions opened over 8 restarts: nobody is refused"
inside head -n 3 /run/refused | sed 's/^/# /'
rings
is 'and the session has lived through all of them'
inside rm /etc/readyd/readyd.yaml

pid=$(property MainPID)
inside kill -9 "$pid"
is_back() { has_property ActiveState active && ! has_property MainPID "$pid" && ! has_property MainPID 0; }
until_is is_back && rings
is 'so does a SIGKILL'
[ "$(property NRestarts)" -ge 1 ]
is 'and systemd started it again'

inside sh -c 'printf "[Service]\nWatchdogSec=1s\n" >/run/systemd/system/readyd.service.d/watchdog.conf'
inside systemctl daemon-reload
inside systemctl restart readyd
pid=$(property MainPID)
inside kill -STOP "$pid"
until_is is_back && rings
is 'one that stands still is killed by the watchdog, and the session lives'
inside journalctl -u readyd --no-pager | grep -q -i 'watchdog'
is 'which the journal says'
inside rm /run/systemd/system/readyd.service.d/watchdog.conf
inside systemctl daemon-reload

inside sh -c 'echo "quota: {default: {sessions: 77}}" >/etc/readyd/readyd.yaml'
inside systemctl reload readyd
is 'a reload'
inside readyctl config show | grep -q '^quota.default.sessions *77 */etc/readyd/readyd.yaml:1'
is 'has effect'
inside sh -c 'printf "\nqouta: 1\n" >>/etc/readyd/readyd.yaml'
! inside systemctl reload readyd 2>"$work/reload"
is 'a reload of a broken file fails'
inside journalctl -u readyd --no-pager -o cat | grep -q "readyd.yaml:3:1: unknown key 'qouta'"
is 'the journal has the place of the mistake'
has_property ActiveState active && property StatusText | grep -q 'the last reload was refused'
is 'it goes on, and the status says so'
inside readyctl config show | grep -q '^quota.default.sessions *77 '
is 'with what it had'
inside systemctl restart readyd 2>/dev/null
inside journalctl -u readyd --no-pager -o cat | grep -q 'status=78/CONFIG'
is 'a start with it fails, as a configuration that is bad'
inside rm /etc/readyd/readyd.yaml
inside systemctl reset-failed readyd readyd.socket readyd-control.socket 2>/dev/null
inside systemctl start readyd.socket readyd-control.socket readyd
until_is rings
is 'it starts again, and the client has come back by itself'

inside pkill -STOP -f '^readyd-agent'
begin=$(now_ms)
inside systemctl restart readyd
restart_ms=$(($(now_ms) - begin))
[ "$restart_ms" -lt 5000 ]
is "a restart beside an agent that stands still takes $restart_ms ms"
until_is rings
is 'which is replaced, and the client comes back'
inside pkill -STOP -f '^readyd-agent'
begin=$(now_ms)
inside systemctl stop readyd
stop_ms=$(($(now_ms) - begin))
[ "$stop_ms" -lt 2000 ]
is "a stop beside one takes $stop_ms ms"
inside pkill -CONT -f '^readyd-agent'
inside systemctl start readyd
until_is rings
is 'it starts again'

# Metrics as a file for node_exporter.
prom=/var/lib/prometheus/node-exporter
inside systemctl start readyd-metrics.service
! inside test -e "$prom"
is 'without a node_exporter nothing is written'
inside mkdir -p "$prom"
inside systemctl start readyd-metrics.service && inside cat "$prom/readyd.prom" >"$work/prom" &&
	said '^# TYPE readyd_events_total counter$' prom && said '^readyd_sessions{uid="5"} 1$' prom && ! said 'EOF' prom
is 'and with one the metrics of all users'
inside systemctl start readyd-metrics.timer
is 'the timer starts'
inside systemctl stop readyd-metrics.timer

# What the journal has, and explains.
inside journalctl --update-catalog
field() { inside journalctl -u readyd --no-pager -o json --output-fields="$2" "READYD_EVENT=$1" | tail -n 1; }
field reload_refused READYD_ERROR | grep -q "readyd.yaml:3:1: unknown key 'qouta'"
is 'an entry says in a field why a reload was refused'
inside pkill -KILL -f '^readyd-agent'
until_is rings
# Not -u: the unit that an entry is of is looked up a moment later.
lost() { inside journalctl --no-pager -o json READYD_EVENT=agent_lost READYD_UID=5 | grep -q '"READYD_SESSIONS"'; }
until_is lost
is 'an agent that was killed is found by its event and its user'
inside journalctl --no-pager -n 1 --catalog READYD_EVENT=agent_lost READYD_UID=5 >"$work/catalog"
said 'Subject: The agent of user 5 has died' catalog && said 'man:readyd(8)' catalog
is 'and explained'
inside journalctl --list-catalog --no-pager 2>/dev/null | grep -c ' readyd: ' >"$work/catalog"
[ "$(cat "$work/catalog")" = "$(grep -c '^-- ' "$here/../../packaging/systemd/readyd.catalog")" ]
is 'as all events are that have an id'

if inside sh -c 'command -v varlinkctl' >/dev/null; then
	# shellcheck source=tests/systemd/varlinkctl.sh
	. "$here/varlinkctl.sh"
else
	echo '# no varlinkctl: it came with systemd 255'
fi

kill "$client" 2>/dev/null
inside pkill -f 'readyctl watch'
begin=$(now_ms)
inside systemctl stop readyd.socket readyd-control.socket readyd 2>/dev/null
stop_ms=$(($(now_ms) - begin))
until_is counts '' 0
is 'a stop leaves no process'
[ "$stop_ms" -lt 2000 ]
is "and takes $stop_ms ms"

for unit in readyd.service readyd.socket readyd-control.socket readyd-metrics.service readyd-metrics.timer; do
	inside systemd-analyze verify --man=no "/usr/lib/systemd/system/$unit" >"$work/verify" 2>&1 &&
		! grep -q . "$work/verify"
	is "systemd-analyze verify $unit"
	sed 's/^/# /' "$work/verify"
done
inside systemd-analyze security --offline=yes --threshold=10 --no-pager /usr/lib/systemd/system/readyd.service \
	>"$work/security" 2>&1
is "$(grep -o 'Overall exposure.*: [0-9.]*' "$work/security" || echo 'no score')"
tap_end
