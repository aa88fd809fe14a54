# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# A real systemd as process 1 in a throw-away container (systemd-nspawn(1)): its root is in memory, /usr is this
# machine's, read-only, with an installed tree over it. Nothing on the machine changes. To be sourced; as root.
#
#   container_missing        says why there can be none, or nothing
#   container_skip WHY       ends the test: nothing of it can run. With READYD_TEST_CONTAINER=must, as on a machine that
#                            is known to have containers, that is a failure
#   container_up NAME DEST [OPTION...]
#                            boot; DEST is what DESTDIR=DEST meson install wrote
#   container_up_root NAME ROOT FOLDER
#                            boot the system in ROOT, which stays as it is, with FOLDER seen as /mnt
#   inside COMMAND...        as root in it
#   inside_as USER COMMAND...
#   container_down

container_skip() {
	if [ "${READYD_TEST_CONTAINER-}" = must ]; then
		printf '1..1\nnot ok 1 - %s\n' "$1"
		exit 1
	fi
	echo "1..0 # SKIP $1"
	exit 0
}

container_missing() {
	if [ "$(id -u)" != 0 ]; then
		echo 'a container takes root'
	elif ! command -v systemd-nspawn >/dev/null; then
		echo 'systemd-nspawn is not there (the package systemd-container)'
	elif ! unshare --mount --pid --fork true 2>/dev/null; then
		echo 'no namespaces here'
	elif [ -z "$(container_hierarchies)" ]; then
		echo 'no tree of control groups that systemd could have'
	elif [ -n "$(findmnt -no FSTYPE / | grep overlay)" ] && ! [ -d /run/systemd ]; then
		echo 'this root is an overlay itself, so /usr cannot be the lower part of another one'
	fi
}

# A hybrid machine has two trees of which systemd-nspawn needs a part each.
container_hierarchies() {
	for h in /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
		[ ! -w "$h/cgroup.procs" ] || echo "$h"
	done
	[ ! -w /sys/fs/cgroup/cgroup.procs ] || echo /sys/fs/cgroup
}

container_up() {
	container_up_name=$1 container_up_dest=$2
	shift 2
	container_boot "$container_up_name" -D / --volatile=yes --overlay="+/usr:$container_up_dest/usr::/usr" "$@"
}

container_up_root() {
	container_boot "$1" -D "$2" --volatile=overlay --bind-ro="$3:/mnt"
}

# container_boot NAME OPTION...: of systemd-nspawn
container_boot() {
	container=$1
	shift
	container_dir=$(mktemp -d /tmp/readyd-container-XXXXXX)
	for h in $(container_hierarchies); do
		mkdir -p "$h/readyd-$container"
	done
	(
		me=$(exec sh -c 'echo "$PPID"')
		for h in $(container_hierarchies); do
			echo "$me" >"$h/readyd-$container/cgroup.procs"
		done
		exec env SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn -q --register=no --keep-unit \
			--private-network --link-journal=no --uuid="$(tr -d - </proc/sys/kernel/random/uuid)" \
			--capability=CAP_BPF,CAP_NET_ADMIN --system-call-filter=bpf -M "$container" \
			"$@" --console=pipe --boot \
			systemd.mask=systemd-firstboot.service systemd.mask=systemd-networkd.service \
			systemd.mask=systemd-resolved.service systemd.mask=postgresql.service
	) </dev/null >"$container_dir/console" 2>&1 &
	container_nspawn=$!
	for _ in $(seq 300); do
		leader=$(cat "/proc/$container_nspawn/task/$container_nspawn/children" 2>/dev/null)
		leader=${leader%% *}
		[ -z "$leader" ] || [ ! -S "/proc/$leader/root/run/systemd/private" ] || break
		kill -0 "$container_nspawn" 2>/dev/null || {
			cat "$container_dir/console"
			container_remove
			return 1
		}
		sleep 0.1
	done
	inside systemctl is-system-running --wait >/dev/null || inside systemctl --failed --no-legend --plain
}

inside() {
	nsenter -t "$leader" -m -u -i -p -n -C -- \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM=dumb "$@"
}

inside_as() {
	user=$1
	shift
	inside setpriv --reuid "$user" --regid "$(inside id -g "$user")" --init-groups "$@"
}

container_remove() {
	for h in $(container_hierarchies); do
		find "$h/readyd-$container" -depth -type d -exec rmdir {} + 2>/dev/null
	done
	rm -rf "$container_dir"
}

container_down() {
	kill -s RTMIN+4 "$leader" 2>/dev/null # poweroff.target, systemd(1) "SIGNALS"
	for _ in $(seq 150); do
		kill -0 "$container_nspawn" 2>/dev/null || break
		sleep 0.1
	done
	kill -9 "$leader" "$container_nspawn" 2>/dev/null
	wait "$container_nspawn" 2>/dev/null
	container_remove
}
