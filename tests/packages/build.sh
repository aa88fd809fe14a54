#!/bin/sh
# SPDX-License-Identifier: MIT
# The tarball and the packages of a build that is there: both can be made, and hold what they should. TAP.
#   build.sh BUILD    with the prefix /usr
# What takes longer (the same bytes again, install, upgrade, purge) is upgrade.sh's, and packaging/deb --check.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
for program in dpkg-buildpackage dh lintian git xz; do
	command -v "$program" >/dev/null || {
		echo "1..0 # SKIP $program is not there (packaging/dependencies, package)"
		exit 0
	}
done
# shellcheck source=tests/tap.sh
. "$top/tests/tap.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# $work/log says more.
tap_note() { tail -n 60 "$work/log" | sed 's/^/# /'; }

dist=''
if git -C "$top" rev-parse --verify --quiet HEAD >/dev/null 2>&1; then
	"$top/packaging/dist" --out "$work/dist" >"$work/dist.log" 2>&1 &
	dist=$!
fi
"$top/packaging/deb" --from "$build" --lint --out "$work/deb" >"$work/log" 2>&1
is 'packages are made, and lintian has nothing to say'
made=''
[ "$status" = 0 ] && made=yes

if [ -n "$dist" ]; then
	wait "$dist"
	status=$?
	mv "$work/dist.log" "$work/log"
	[ "$status" = 0 ]
	is 'a tarball is made, the same twice, and configures'
	(cd "$work/dist" && sha256sum --check --quiet -- *.sha256sum) >"$work/log" 2>&1
	is 'its checksum is right'
	tar -tJf "$work"/dist/*.tar.xz | sed -n 's,^[^/]*/\(.*[^/]\)$,\1,p' | LC_ALL=C sort >"$work/packed"
	git -C "$top" ls-tree -r --name-only HEAD | LC_ALL=C sort | diff - "$work/packed" >"$work/log"
	is 'it has every file of the commit, and no other'
	tar --numeric-owner --full-time -tvJf "$work"/dist/*.tar.xz | awk '{ print $2, $4, $5 }' | sort -u >"$work/log"
	[ "$(wc -l <"$work/log")" = 1 ] && grep -q '^0/0 ' "$work/log"
	is 'all of nobody, at one time'
else
	echo '# no tarball: this tree has no git'
fi
# The rest would only say of each package that it is not there.
[ -n "$made" ] || {
	tap_end
	exit
}

: >"$work/log"
for package in readyd libready0 libready-dev; do
	dpkg-deb --fsys-tarfile "$work/deb/$package"_*.deb | tar -tf - | sed -n 's,^\.\(.*[^/]\)$,\1,p' >"$work/$package"
done
# What "meson install" installs, without what Debian has elsewhere or compressed.
DESTDIR=$work/dest meson install -C "$build" --no-rebuild --quiet >"$work/log" 2>&1
cat "$work/readyd" "$work/libready0" "$work/libready-dev" | sed 's,^/lib/,/usr/lib/,; s,\.gz$,,' | LC_ALL=C sort >"$work/all"
(cd "$work/dest" && find . ! -type d -printf '/%P\n') | sed 's,\.gz$,,' | LC_ALL=C sort | comm -23 - "$work/all" >"$work/log"
! [ -s "$work/log" ]
is 'whatever is installed is in one of them'
uniq -d "$work/all" >"$work/log"
! [ -s "$work/log" ]
is 'and in no other'
! grep -q -E '/(readyd|readyctl)|\.h$|\.a$|\.so$' "$work/libready0" &&
	[ "$(grep -c '/libready\.so\.0' "$work/libready0")" = 2 ]
is 'libready0 has the library and nothing more'
grep -q '^/usr/include/ready/ready\.h$' "$work/libready-dev" && grep -q '/libready\.pc$' "$work/libready-dev"
is 'libready-dev has headers and the words for pkg-config'
dpkg-deb --field "$work"/deb/readyd_*.deb Depends >"$work/log"
! grep -q libready0 "$work/log" && grep -q 'systemd-sysusers' "$work/log"
is 'readyd needs no libready0, and somebody who makes its user'
dpkg-deb --ctrl-tarfile "$work"/deb/readyd_*.deb | tar -xf - -C "$work" ./postinst ./prerm
grep deb-systemd-invoke "$work/postinst" "$work/prerm" >"$work/log"
! grep -E 'restart.*socket' "$work/log" && grep -q "_dh_action 'readyd.service'" "$work/log"
is 'no socket is restarted by an upgrade'

# The list of symbols has teeth: one that is not in it, one that is gone.
mkdir -p "$work/tree/debian/libready0/DEBIAN" "$work/tree/debian/libready0/usr/lib"
cp "$work"/dest/usr/lib/*/libready.so.0 "$work/tree/debian/libready0/usr/lib"
cp "$top/packaging/debian/control" "$top/packaging/debian/changelog" "$work/tree/debian"
symbols() {
	(cd "$work/tree" && dpkg-gensymbols -c4 -plibready0 -Pdebian/libready0 -Isymbols -O/dev/null) >"$work/log" 2>&1
}
cp "$top/packaging/debian/libready0.symbols" "$work/tree/symbols"
symbols
is 'the list of symbols is that of the library'
grep -v ' rdy_poll_wait@' "$top/packaging/debian/libready0.symbols" >"$work/tree/symbols"
! symbols && grep -q '^+ rdy_poll_wait@' "$work/log"
is 'a function that nobody listed is found'
sed -e '/ rdy_poll_wait@/{p;s/wait/gone/;s/0\.1\.0$/0.0.9/}' "$top/packaging/debian/libready0.symbols" >"$work/tree/symbols"
! symbols && grep -q '^- rdy_poll_gone@' "$work/log"
is 'and one that is gone'
tap_end
