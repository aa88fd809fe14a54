#!/bin/sh
# SPDX-License-Identifier: MIT
# The integration suite against the installed readyd in the sandbox of the unit as it is shipped: is the sandbox too
# tight? Each readyd of a test is a service of its own, with all that the unit says of who it is, what it sees and which
# calls it may make; only what a test has to steer itself (sockets, restarts, watchdog, store) is taken out. TAP.
#   suite.sh BUILD [NAME...]    a build with the prefix /usr; tests/integration/NAME
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
shift
# shellcheck source=tests/systemd/container.sh
. "$here/container.sh"

[ $# -gt 0 ] || set -- restart upgrade adopt kills promises upgrade_state level modes control \
	hangups kinds monitor policy processes quotas reload session users

missing=$(container_missing)
[ -z "$missing" ] || container_skip "$missing"
work=$(mktemp -d /tmp/readyd-suite-XXXXXX)
trap 'container_down; rm -rf "$work"' EXIT
DESTDIR=$work/dest meson install -C "$build" --no-rebuild --quiet >"$work/install" 2>&1 || {
	cat "$work/install"
	exit 1
}
container_up "s$$" "$work/dest" --bind-ro="$build" >"$work/up" 2>&1 || {
	sed 's/^/# /' "$work/up"
	trap - EXIT
	rm -rf "$work"
	container_skip 'the container does not boot here'
}
inside systemctl stop readyd.service readyd.socket readyd-control.socket 2>/dev/null
inside mkdir -m 755 -p /run/suite
inside sh -c 'sed -E \
	-e "/^(Requires|After|ExecReload|WatchdogSec|FileDescriptorStoreMax|Restart|RestartSec)=/d" \
	-e "s,^Type=.*,Type=exec\nNotifyAccess=none\nSlice=system.slice," \
	-e "s,^ExecStart=.*,ExecStart=/bin/sh /run/suite/%i.sh," \
	-e "s,^ReadWritePaths=.*,& /run/suite," \
	/usr/lib/systemd/system/readyd.service >/run/systemd/system/readyd-suite@.service'
inside systemctl daemon-reload

# The template has the sandbox: what it starts is filtered, gains nothing, and writes nowhere but there.
inside sh -c 'cat >/run/suite/probe.sh' <<-'END'
	grep -q '^Seccomp:.2' /proc/self/status && grep -q '^CapBnd:.0*$' /proc/self/status || exit 1
	! mkdir /var/probe && ! chown root /run/suite/probe && mkdir /run/readyd/probe && rmdir /run/readyd/probe
END
inside touch /run/suite/probe
inside chown readyd /run/suite/probe
inside systemctl start readyd-suite@probe
for _ in $(seq 100); do
	[ "$(inside systemctl show -P SubState readyd-suite@probe)" = running ] || break
	sleep 0.1
done
n=0 failed=0
if [ "$(inside systemctl show -P Result -P ExecMainStatus readyd-suite@probe | sort -u | paste -sd,)" = '0,success' ]; then
	n=1
	echo 'ok 1 - the sandbox is that of the unit'
else
	n=1 failed=1
	echo 'not ok 1 - the sandbox is that of the unit'
	inside systemctl status --no-pager -n 5 readyd-suite@probe 2>&1 | sed 's/^/# /'
fi

# one NAME: what it says, in $work/NAME
one() {
	inside env TMPDIR=/run/suite READYD_TEST_UNIT=readyd-suite READYD_TEST_PROGRAM=/usr/sbin/readyd \
		CK_VERBOSITY=silent CK_TAP_LOG_FILE_NAME=- CK_DEFAULT_TIMEOUT=120 \
		"$build/tests/integration/test-integration-$1" >"$work/$1" 2>&1 </dev/null
	echo $? >"$work/$1.status"
}

# Two at once: they wait most of the time.
for name; do
	echo "$name"
done >"$work/names"
halves=''
for first in 1 2; do
	while read -r name; do
		[ -z "$name" ] || one "$name"
	done <<-END &
		$(awk -v first="$first" 'NR % 2 == first % 2' "$work/names")
	END
	halves="$halves $!"
done
# shellcheck disable=SC2086 # a list; the container is a child, too
wait $halves

for name; do
	# As one stream: points get other numbers and the name of their program.
	sed -n -E "s/^(not ok|ok) [0-9]+ - ([^ :]*:integration.[^:]*:)?(.*)/\1 \3/p; /^#/p" "$work/$name" >"$work/points"
	while read -r line; do
		case $line in
		'#'*)
			echo "$line"
			continue
			;;
		'not ok'*) failed=$((failed + 1)) ;;
		esac
		n=$((n + 1))
		echo "${line%%ok*}ok $n - $name: ${line#*ok }"
	done <"$work/points"
	if ! grep -q '^1\.\.[1-9]' "$work/$name" || [ "$(cat "$work/$name.status")" != 0 ]; then
		n=$((n + 1)) failed=$((failed + 1))
		echo "not ok $n - $name ends well"
		tail -n 5 "$work/$name" | sed 's/^/# /'
	fi
done
echo "1..$n"
[ "$failed" = 0 ]
