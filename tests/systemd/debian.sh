#!/bin/sh
# SPDX-License-Identifier: MIT
# A small Debian with systemd as a folder, for containers: made once, kept, never changed by a test.
#   debian.sh SUITE    prints where it is; exits 77 with the reason when there can be none
# It is in $READYD_TEST_CACHE, else $XDG_CACHE_HOME/readyd, else ~/.cache/readyd; deleting it is always right.
set -u
suite=$1
cache=${READYD_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/readyd}
root=$cache/debian-$suite-1
# What the packages depend on, for the container has no network; and what tests look at processes with.
packages=systemd,systemd-sysv,dbus,procps,python3-minimal,libjansson4,libseccomp2,libsmartcols1,libyaml-0-2

skip() {
	echo "$1"
	exit 77
}

if [ ! -d "$root" ]; then
	[ "$(id -u)" = 0 ] || skip 'a Debian of its own takes root'
	command -v debootstrap >/dev/null || skip 'debootstrap is not there'
	mkdir -p "$cache" || skip "nothing can be kept in $cache"
	# Two at once: the second one waits, and finds it.
	exec 9>"$cache/lock"
	flock 9
fi
if [ ! -d "$root" ]; then
	rm -rf "$root.part"
	# The keys of a later Debian need not be here: a test root, and apt never runs in it.
	script=/usr/share/debootstrap/scripts/$suite
	[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
	debootstrap --variant=minbase --include="$packages" "$suite" "$root.part" \
		"${READYD_TEST_MIRROR:-http://deb.debian.org/debian}" "$script" >"$cache/log" 2>&1 9>&- || {
		tail -n 3 "$cache/log" >&2
		skip "debootstrap gets no $suite: is there a network?"
	}
	rm -rf "$root.part/var/cache/apt/archives" "$root.part/var/lib/apt/lists"
	mv "$root.part" "$root"
fi
echo "$root"
