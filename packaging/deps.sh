# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Reading packaging/dependencies: which packages are missing, and getting them. Sourced by run and check,
# which set $top. Installs only as root, only by apt-get, and says what.

# debian fedora arch alpine opensuse, or unknown
deps_distro() {
	deps_ids=$(sed -n 's/^ID=//p; s/^ID_LIKE=//p' /etc/os-release 2>/dev/null | tr -d "\"'" | tr '\n' ' ')
	for deps_id in $deps_ids; do
		case $deps_id in
		debian | ubuntu) echo debian && return ;;
		fedora | rhel | centos) echo fedora && return ;;
		arch) echo arch && return ;;
		alpine) echo alpine && return ;;
		opensuse* | suse | sles) echo opensuse && return ;;
		esac
	done
	echo unknown
}

# deps_rows DISTRO PURPOSE...: lines "seen-by package"
deps_rows() {
	: "${top:?}"
	deps_column=$1
	shift
	awk -v distro="$deps_column" -v purposes=" $* " '
		BEGIN { n["debian"] = 3; n["fedora"] = 4; n["arch"] = 5; n["alpine"] = 6; n["opensuse"] = 7 }
		/^#/ || NF == 0 { next }
		index(purposes, " " $1 " ") {
			packages = distro in n ? $(n[distro]) : "-"
			count = split(packages, list, ",")
			for (i = 1; i <= count; i++)
				print $2, list[i]
		}' "$top/packaging/dependencies"
}

# deps_seen HOW: is it there, as far as can be seen without a package database?
deps_seen() {
	case $1 in
	cmd:*) command -v "${1#cmd:}" >/dev/null 2>&1 ;;
	pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
	hdr:*) echo "#include <${1#hdr:}>" | cc -E - >/dev/null 2>&1 ;;
	*) true ;;
	esac
}

# deps_missing DISTRO PURPOSE...: packages that are not installed (Debian), or needs not seen (elsewhere)
deps_missing() {
	deps_rows "$@" | while read -r deps_how deps_package; do
		if [ "$1" = debian ]; then
			[ "$deps_package" = - ] && continue
			deps_state=$(dpkg-query -W -f '${db:Status-Status}' "$deps_package" 2>/dev/null) || deps_state=
			[ "$deps_state" = installed ] || echo "$deps_package"
		elif ! deps_seen "$deps_how"; then
			if [ "$deps_package" = - ]; then echo "${deps_how#*:}"; else echo "$deps_package"; fi
		fi
	done | sort -u | tr '\n' ' ' | sed 's/ $//'
}

# deps_require NAME PURPOSE...: have what the purposes need, or say what is missing and exit 1.
deps_require() {
	deps_name=$1
	shift
	deps_on=$(deps_distro)
	deps_lacking=$(deps_missing "$deps_on" "$@")
	[ -n "$deps_lacking" ] || return 0
	if [ "$deps_on" != debian ]; then
		echo "$deps_name: not found here ($deps_on): $deps_lacking" >&2
		echo "  why: packages are installed automatically on Debian only" >&2
		echo "  try: your package manager, then $deps_name again; names: packaging/dependencies" >&2
		exit 1
	fi
	if [ "$(id -u)" != 0 ]; then
		echo "$deps_name: missing packages: $deps_lacking" >&2
		echo "  why: readyd is built from source, and installing packages needs root" >&2
		echo "  try: sudo apt-get install -y --no-install-recommends $deps_lacking" >&2
		exit 1
	fi
	echo "$deps_name: installing: $deps_lacking" >&2
	deps_log=$(mktemp)
	# Lists may be absent or stale (a fresh container): fetch them and try once more.
	# shellcheck disable=SC2086 # a list of names without blanks
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $deps_lacking \
		>"$deps_log" 2>&1 </dev/null || {
		apt-get update >"$deps_log" 2>&1 </dev/null &&
			DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
				$deps_lacking >>"$deps_log" 2>&1 </dev/null
	} || {
		tail -n 20 "$deps_log" >&2
		rm -f "$deps_log"
		echo "$deps_name: apt-get could not install: $deps_lacking" >&2
		echo "  why: see its words above; network and /etc/apt/sources.list are the usual causes" >&2
		echo "  try: apt-get update && apt-get install -y --no-install-recommends $deps_lacking" >&2
		exit 1
	}
	rm -f "$deps_log"
}
