#!/bin/sh
# SPDX-License-Identifier: MIT
# Every shell script passes shellcheck.
set -u
cd "$1" || exit 1
list=$(git ls-files 2>/dev/null || find . -type f -not -path './build*')
scripts=
for f in $list; do
	[ -f "$f" ] || continue
	case $(head -n 1 "$f" 2>/dev/null | tr -d '\0') in
	'#!/bin/sh'* | '#!/bin/bash'* | '#!/usr/bin/env bash'*) scripts="$scripts $f" ;;
	esac
done
[ -n "$scripts" ] || {
	echo "no script found"
	exit 1
}
# shellcheck disable=SC2086 # a list of names without blanks
shellcheck -x $scripts
