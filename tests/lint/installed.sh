#!/bin/sh
# SPDX-License-Identifier: MIT
# What is installed serves a stranger: pkg-config's words compile and link an example, shared and static.
# installed.sh TOP BUILD
set -eu
top=$1
build=$2
if nm -D "$build/lib/libready.so" | grep -q __asan_init; then
	echo "a library with a sanitizer is not for strangers"
	exit 77
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
DESTDIR=$root meson install -C "$build" --no-rebuild --quiet
pc=$(find "$root" -name libready.pc)
[ -f "$pc" ] || {
	echo "no libready.pc is installed"
	exit 1
}
# The prefix in it is where it would be without DESTDIR.
PKG_CONFIG_PATH=$(dirname "$pc")
PKG_CONFIG_SYSROOT_DIR=$root
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
libdir=$(dirname "$(dirname "$pc")")
# shellcheck disable=SC2046 # words of options
cc -D_GNU_SOURCE "$top/examples/own-source.c" $(pkg-config --cflags --libs libready) -pthread -o "$root/shared"
LD_LIBRARY_PATH=$libdir "$root/shared" >"$root/out"
[ "$(tr '\n' ' ' <"$root/out")" = '1 4 9 16 25 ' ] || {
	echo "shared: $(cat "$root/out")"
	exit 1
}
# shellcheck disable=SC2046
cc -D_GNU_SOURCE -static "$top/examples/own-source.c" $(pkg-config --static --cflags --libs libready) -pthread -o "$root/static"
"$root/static" >"$root/out"
[ "$(tr '\n' ' ' <"$root/out")" = '1 4 9 16 25 ' ] || {
	echo "static: $(cat "$root/out")"
	exit 1
}
# Nothing but the C library.
if readelf -d "$libdir/libready.so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -v '^libc\.'; then
	echo "libready.so needs more than the C library"
	exit 1
fi
