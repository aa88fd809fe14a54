#!/bin/sh
# SPDX-License-Identifier: MIT
# The library's ABI against its baseline: a program that was linked with the library as it was goes on working.
#   abi.sh TOP            compare; exit 0 same or only more, 1 something was changed or taken away, 77 cannot say
#   abi.sh TOP --update   make the baseline anew (HACKING.md says when)
# The library is compiled here, with debug information and without optimisation: that of a build need not have any.
set -eu
top=$1
name=libready.so.0
machine=$(uname -m)
baseline=$top/packaging/abi/$name.$machine.abi
skip() {
	echo "$1"
	exit 77
}
command -v abidiff >/dev/null || skip 'abidiff is missing: install abigail-tools'
if [ "${2-}" != --update ] && [ ! -f "$baseline" ]; then
	skip "no baseline for $machine: abi.sh TOP --update makes one"
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$top"
set -- "${2-}"
includes=$(find lib proto/wire -type d -name include | sed 's/^/-I/')
# shellcheck disable=SC2046,SC2086 # names without blanks
cc -std=gnu11 -g -O0 -w -fPIC -shared -fvisibility=hidden -D_GNU_SOURCE -Ilib -Ilib/client $includes \
	$(find lib proto/wire -name '*.c' | LC_ALL=C sort) -pthread -Wl,--version-script=lib/libready.sym \
	-Wl,-soname,$name -o "$tmp/$name"
describe() {
	abidw --exported-interfaces-only --no-corpus-path --no-comp-dir-path --no-show-locs --type-id-style hash \
		--headers-dir lib/ready --drop-private-types --suppressions packaging/abi/private.suppr \
		--out-file "$1" "$tmp/$name"
}
if [ "$1" = --update ]; then
	mkdir -p packaging/abi
	describe "$baseline"
	echo "$baseline is new"
	exit 0
fi
# Description against description: of a library itself abidiff leaves too much out as private.
describe "$tmp/now"
r=0
abidiff "$baseline" "$tmp/now" >"$tmp/out" 2>&1 || r=$?
# abidiff(1): bits 1 failed, 2 usage, 4 changed, 8 incompatibly. What was only added is 4, too.
if [ $r -eq 0 ]; then
	exit 0
fi
cat "$tmp/out"
if [ $((r & 3)) -eq 0 ] && abidiff --no-added-syms "$baseline" "$tmp/now" >/dev/null 2>&1; then
	echo "More than in the baseline: $0 $top --update"
	exit 0
fi
echo "Programs that were linked with $name would break. Take it back, or add instead of changing; for what was never"
echo "released: $0 $top --update"
exit 1
