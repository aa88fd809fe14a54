#!/bin/sh
# SPDX-License-Identifier: MIT
# Every manual page passes mandoc's lint without a warning.
set -u
cd "$1" || exit 1
set -- man/*.[1-8]
[ -e "$1" ] || {
	echo "no manual page found"
	exit 1
}
mandoc -Tlint -W warning "$@"
