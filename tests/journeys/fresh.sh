#!/bin/sh
# SPDX-License-Identifier: MIT
# A fresh tree, no root: what is missing is said in one line to copy; ./run builds, starts a private instance, shows it and
# says what to type next; the second time it is there at once. TAP.
#   fresh.sh TOP
set -u
top=$(cd "$1" && pwd)
anna=61060
# shellcheck source=tests/tap.sh
. "$top/tests/tap.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/readyd-fresh-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

tap_note() { sed 's/^/# /' "$work/said" | tail -n 20; }
# As somebody who may do nothing, if we can be him.
anna() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid $anna --regid $anna --clear-groups env -i HOME="$work" PATH="$path" LANG=C.UTF-8 "$@"
	else
		env -i HOME="$work" PATH="$path" LANG=C.UTF-8 "$@"
	fi
}

mkdir "$work/readyd"
(cd "$top" && { git ls-files -z --cached --others --exclude-standard 2>/dev/null || find . -path ./build -prune -o -type f -print0; } |
	tar --null -T - -cf -) | tar -C "$work/readyd" -xf - || exit 1
[ "$(id -u)" != 0 ] || chown -R $anna:$anna "$work"
path=$PATH
cd "$work/readyd" || exit 1

# A package database in which one is missing, and one in which two are.
if command -v dpkg-query >/dev/null; then
	mkdir "$work/bin"
	cat >"$work/bin/dpkg-query" <<-'END'
		#!/bin/sh
		case "$*" in *libyaml-dev | *libjansson-dev) exit 1 ;; esac
		echo installed
	END
	chmod -R 755 "$work/bin"
	path=$work/bin:$PATH
	if [ "$(id -u)" = 0 ]; then
		anna ./run --once >"$work/said" 2>&1
		[ $? = 1 ]
		is 'something is missing: exit 1'
		[ "$(grep -c 'apt-get install\|apt install' "$work/said")" = 1 ] &&
			grep -q 'apt.* install .*libjansson-dev libyaml-dev' "$work/said"
		is 'one line to copy, with all that is'
		! [ -e build ]
		is 'and nothing was done'
	else
		echo '# missing packages: as root, who can become somebody else'
	fi
	path=$PATH
fi

anna ./run --once >"$work/said" 2>&1
is 'it builds, and shows its main job'
tail -n 1 "$work/said" | grep -q -E '^[0-9]+ events from [0-9]+ descriptors'
is 'of which the last line is the sum'
[ "$(find . -path ./build -prune -o -newer "$top/run" -user root -print 2>/dev/null | wc -l)" = 0 ] || [ "$(id -u)" != 0 ]
is 'nothing is written but build/'

# And live: what to type next, and how soon.
begun=$(date +%s%3N)
# shellcheck disable=SC2016 # the inner shell's
anna sh -c 'exec ./run' >"$work/said" 2>&1 </dev/null &
run=$!
up() { grep -q '^readyd is up' "$work/said"; }
told() { grep -q 'build/env' "$work/said"; }
for _ in $(seq 600); do
	! up || break
	sleep 0.02
done
up
is "the second time it is up after $(($(date +%s%3N) - begun)) ms"
for _ in $(seq 600); do
	! told || break
	sleep 0.05
done
grep -q -E 'readyctl (status|ls)' "$work/said" && grep -q 'man ' "$work/said" && told
is 'and says what to type next'
anna sh -c '. build/env && readyctl status' >"$work/status" 2>&1
is 'which works'
cp "$work/status" "$work/said"
grep -q 'user instance' "$work/said"
is 'with the instance of its own'
anna sh -c '. build/env && man -w readyctl readyd.yaml' >"$work/said" 2>&1 || ! command -v man >/dev/null
is 'and the manual'
# What is in the background does not hear of Ctrl-C.
[ "$(id -u)" = 0 ] || anna=$(id -u)
pkill -TERM -f "^/bin/sh ./run$" -u "$anna"
wait "$run"
! pgrep -f "$work/readyd/build" >/dev/null && ! [ -e build/env ]
is 'a signal ends all of it'
tap_end
