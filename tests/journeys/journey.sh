# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# For journeys: what a user or an administrator types, beside a readyd of their own, as TAP. To be sourced with READYD,
# READYCTL and $here set; $work is a folder of theirs, and everything started here ends with the script.
#
#   is, until_is, tap_end     of tests/tap.sh
#   is_like WHAT PATTERN      the same of $work/said, which is shown when it does not match (grep -E)
#   begin [NAME=VALUE...]     start readyd with these keys: as root the system instance, of the user daemon, for everybody
#   end_readyd SIGNAL         and wait
#   as UID COMMAND...         as a user without groups; UID:GROUP: with that one
set -u
: "${READYD:?}" "${READYCTL:?}"
# shellcheck source=tests/tap.sh
. "$here/../tap.sh"
readyd='' kids=''
work=$(mktemp -d "${TMPDIR:-/tmp}/readyd-journey-XXXXXX")
chmod 755 "$work"
# A build in somebody's home is nothing that another user may look into.
mkdir "$work/bin"
cp "$READYCTL" "$work/bin/readyctl"
chmod 755 "$work/bin" "$work/bin/readyctl"
PATH=$work/bin:$PATH
READYD_SOCKET=$work/run/session.sock
LANG=C.UTF-8
export PATH READYD_SOCKET LANG

# shellcheck disable=SC2317 # called by the trap
journey_clean() {
	for kid in $kids; do
		kill -9 "$kid" 2>/dev/null
	done
	[ -z "$readyd" ] || kill "$readyd" 2>/dev/null
	wait
	rm -rf "$work"
}
trap journey_clean EXIT
trap 'exit 1' INT TERM

journey_skip() {
	echo "1..0 # SKIP $1"
	exit 0
}

is_like() {
	grep -q -E -e "$2" "$work/said"
	is "$1"
	[ "$status" = 0 ] || sed 's/^/# /' "$work/said"
}

begin() {
	options=''
	for option; do
		options="$options -o $option"
	done
	if [ "$(id -u)" = 0 ]; then
		options="-o user=daemon -o sockets.session.group=daemon -o sockets.session.mode=0666 $options"
	else
		options="--user $options"
	fi
	[ -p "$work/up" ] || mkfifo "$work/up"
	# shellcheck disable=SC2086 # a list of words without blanks
	"$READYD" --config "${journey_config:-none}" --runtime-dir "$work/run" --ready-fd 9 $options 9>"$work/up" 2>>"$work/log" &
	readyd=$!
	read -r _ <"$work/up"
}

end_readyd() {
	kill -s "$1" "$readyd"
	wait "$readyd" 2>/dev/null
	readyd=''
}

as() {
	who=$1
	shift
	case $who in
	*:*) setpriv --reuid "${who%%:*}" --regid "${who%%:*}" --groups "${who#*:}" "$@" ;;
	*) setpriv --reuid "$who" --regid "$who" --clear-groups "$@" ;;
	esac
}

