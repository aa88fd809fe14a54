#!/bin/sh
# SPDX-License-Identifier: MIT
# The packages in a Debian of their own, with a real systemd: install, use, upgrade under clients, remove, install
# again, purge. TAP. As root; what cannot be done here is skipped, with the reason.
#   upgrade.sh SUITE... --build BUILD    out of a build with the prefix /usr, and of the same as the next version
#   upgrade.sh SUITE...                  builds the packages as for a release, twice; takes minutes
#   upgrade.sh SUITE... --debs DEBS      takes the packages from DEBS/old and DEBS/new
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=tests/systemd/container.sh
. "$top/tests/systemd/container.sh"
# shellcheck source=tests/tap.sh
. "$top/tests/tap.sh"
# shellcheck source=tests/packages/life.sh
. "$here/life.sh"

suites='' build='' debs=''
while [ $# -gt 0 ]; do
	case $1 in
	--build) build=$(cd "$2" && pwd) && shift ;;
	--debs) debs=$2 && shift ;;
	*) suites="$suites $1" ;;
	esac
	shift
done
[ -n "$build$debs${READYD_TEST_LONG-}" ] || container_skip 'takes minutes: READYD_TEST_LONG=yes, as ./check --long'
missing=$(container_missing)
[ -z "$missing" ] || container_skip "$missing"
command -v dpkg-buildpackage >/dev/null || container_skip 'dpkg-buildpackage is not there'

work=$(mktemp -d /tmp/readyd-packages-XXXXXX)
booted=''
cleanup() {
	[ -z "$booted" ] || container_down
	rm -rf "$work" ${build:+"$build-$$"}
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# show FILE: as comments
show() { tail -n 20 "$work/$1" | sed "s,^,# ,"; }

# The same build as the next version: what does not say so is not compiled again. Beside it, for its paths are relative.
next_build() {
	rm -rf "$build-$$"
	cp -a "$build" "$build-$$" &&
		meson setup --reconfigure "$build-$$" "$top" -Dversion=99.1 &&
		ninja -C "$build-$$" daemon/supervisor/readyd daemon/ctl/readyctl
}

if [ -n "$debs" ]; then
	cp -R "$debs/old" "$debs/new" "$work"
elif [ -n "$build" ]; then
	"$top/packaging/deb" --from "$build" --out "$work/old" >"$work/build" 2>&1
	is 'packages are made of the build'
	show build
	next_build >"$work/build" 2>&1 &&
		"$top/packaging/deb" --from "$build-$$" --out "$work/new" --version 99.1 >"$work/build" 2>&1
	is 'and of the next version'
	show build
	rm -rf "$build-$$"
else
	"$top/packaging/deb" --check --lint --out "$work/old" >"$work/build" 2>&1
	is 'packages are built, the same twice, and lintian has nothing to say'
	show build
	"$top/packaging/deb" --out "$work/new" --version 99.1 >"$work/build" 2>&1
	is 'and the next version'
	show build
fi
[ "$failed" = 0 ] || {
	tap_end
	exit
}
old=$(basename "$work"/old/readyd_*.deb | cut -d_ -f2)

for suite in $suites; do
	root=$("$top/tests/systemd/debian.sh" "$suite" 2>"$work/debian") || {
		n=$((n + 1))
		echo "ok $n - $suite # SKIP $root"
		show debian
		continue
	}
	tap_prefix="$suite: "
	life
done
tap_end
