#!/bin/sh
# SPDX-License-Identifier: MIT
# Common misspellings in code and text.
set -u
cd "$1" || exit 1
list=$(git ls-files 2>/dev/null || find . -type f -not -path './build*')
# shellcheck disable=SC2046,SC2086 # a list of names without blanks
codespell --quiet-level=3 --ignore-words=tests/lint/spelling.words \
	$(for f in $list; do case $f in */seeds/* | */vectors/*.txt | tests/lint/spelling.words) ;; *) [ -f "$f" ] && echo "$f" ;; esac done)
