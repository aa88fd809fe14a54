# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# What happens to the packages in one Debian: installed, used, upgraded under clients, removed, purged. To be sourced by
# upgrade.sh, whose is(), show() and until_is() it uses: $root is the Debian, $work/old and $work/new are the packages.

# packages ARGUMENT...: of dpkg; the shell inside completes names
packages() {
	inside sh -c "DEBIAN_FRONTEND=noninteractive dpkg $*" >"$work/dpkg" 2>&1 || {
		show dpkg
		return 1
	}
}
# Everything that somebody could leave behind, without what dpkg and systemd write of each package.
files() {
	inside find /etc /usr /lib /var /opt /srv /root /home /run -xdev \
		\( -path /var/lib/dpkg -o -path /var/log -o -path /var/cache -o -path /run/systemd \
		-o -path /run/log -o -path /run/udev -o -path /run/user \) -prune -o -print | LC_ALL=C sort
}
property() { inside systemctl show -P "$1" "${2:-readyd.service}"; }
active() { inside systemctl is-active --quiet "$@"; }
# Whoever is of readyd: the service, its agents and their helpers.
processes() { inside pgrep -c -u readyd -f readyd; }
version_is() { inside readyctl status --timeout 20s 2>/dev/null | head -n 1 | grep -q "^readyd $1,"; }
# The session of the client that stays, in the list: its number, and since when.
session() {
	inside readyctl ls --json >"$work/sessions" 2>&1
	sed -n "/\"pid\": *${watcher_pid}[,}]/s/.*\"session\": *\([0-9]*\).*/\1/p" "$work/sessions"
}
has_session() { [ -n "$(session)" ]; }
rang() { [ "$(wc -l <"$work/bell")" -gt "$lines" ]; }
rings() {
	lines=$(wc -l <"$work/bell")
	inside sh -c 'echo x >/run/bell'
	until_is rang
}
none() { [ "$(processes)" = 0 ]; }

life() {
	# As in the making of an image: nothing runs in there.
	SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn -q --register=no --keep-unit --private-network --link-journal=no \
		-M "i$$" -D "$root" --volatile=overlay --bind-ro="$work:/mnt" --console=pipe sh -e -c '
			dpkg -i /mnt/old/readyd_*.deb
			systemctl is-enabled readyd.service readyd.socket readyd-control.socket
			getent passwd readyd
			dpkg -P readyd
			! test -e /etc/readyd' >"$work/image" 2>&1 </dev/null
	status=$?
	[ "$status" = 0 ]
	is 'where nothing runs it is installed and enabled, and purged'
	[ "$status" = 0 ] || show image
	container_up_root "p$$" "$root" "$work" >"$work/up" 2>&1 || {
		show up
		n=$((n + 1))
		echo "ok $n - $suite # SKIP the container does not boot here"
		return
	}
	booted=yes
	show up

	files >"$work/before"

	packages -i '/mnt/old/readyd_*.deb'
	status=$?
	[ "$status" = 0 ]
	is 'readyd is installed'
	show dpkg
	[ "$status" = 0 ] || {
		container_down
		booted=''
		return
	}
	active readyd.service readyd.socket readyd-control.socket
	is 'its service and its sockets are active'
	inside systemctl is-enabled --quiet readyd.service readyd.socket readyd-control.socket
	is 'and will be after the next start of the machine'
	inside readyctl status >"$work/status" 2>&1
	is 'readyctl status'
	[ "$(property NRestarts)" = 0 ] && [ "$(inside ps -o user= -p "$(property MainPID)")" = readyd ]
	is 'it runs as its own user'
	inside readyd --check-config >"$work/config" 2>&1
	is 'the configuration that came with it is good'
	show config
	inside readyd --check-config /usr/share/doc/readyd/examples/readyd.yaml >"$work/config" 2>&1
	is 'and so is the example'
	show config

	# A client that stays, and clients that come and go. An administrator who allows many of them.
	inside sh -c 'echo "quota: {default: {connects_per_s: 100000}}" >/etc/readyd/conf.d/50-many.yaml'
	inside systemctl reload readyd
	is 'a drop-in, and a reload'
	inside usermod -aG readyd games
	inside mkfifo -m 666 /run/bell
	inside_as games sh -c 'exec readyctl watch bell=3 3<>/run/bell' >"$work/bell" 2>"$work/bell.err" &
	until_is inside pgrep -f 'readyctl watch' >/dev/null
	watcher_pid=$(inside pgrep -f 'readyctl watch')
	until_is has_session && rings
	is 'a client has a session, and gets events'
	show bell.err
	session=$(session)
	# shellcheck disable=SC2016 # the inner shell's
	loop='n=0
		while [ ! -e /run/enough ]; do
			echo x | readyctl wait --timeout 20s in=0 >/dev/null && readyctl status --timeout 20s >/dev/null && n=$((n + 1))
		done
		echo "$n"'
	inside_as games sh -c "$loop" >"$work/tries.1" 2>"$work/refused.1" &
	loop_1=$!
	inside_as games sh -c "$loop" >"$work/tries.2" 2>"$work/refused.2" &
	loop_2=$!

	pid=$(property MainPID)
	sockets=$(property InvocationID readyd.socket)$(property InvocationID readyd-control.socket)
	packages -i '/mnt/new/readyd_*.deb'
	is 'the upgrade, with clients in a loop'
	until_is version_is 99.1
	is 'the new version serves'
	[ "$(property MainPID)" != "$pid" ] &&
		[ "$(property InvocationID readyd.socket)$(property InvocationID readyd-control.socket)" = "$sockets" ]
	is 'the service is another one, the sockets are the same'
	[ "$(session)" = "$session" ] && rings
	is 'the client has its session and gets events'
	show sessions
	packages --force-downgrade -i '/mnt/old/readyd_*.deb' && until_is version_is "$old"
	is 'back to the old version'
	[ "$(session)" = "$session" ] && rings
	is 'the client has its session still'
	show sessions
	inside touch /run/enough
	wait "$loop_1" "$loop_2"
	cat "$work/refused.1" "$work/refused.2" >"$work/refused"
	! [ -s "$work/refused" ]
	refused=$?
	[ "$refused" = 0 ] && [ "$(head -n 1 "$work/tries.1")" -gt 20 ] && [ "$(head -n 1 "$work/tries.2")" -gt 20 ]
	is "$(cat "$work/tries.1" "$work/tries.2" | paste -sd+ | tr + ' ') rounds of a session and a call: nobody was refused"
	show refused

	inside pkill -f 'readyctl watch'
	packages -r readyd
	is 'it is removed'
	until_is none
	is 'no process is left'
	inside pgrep -a -u readyd
	! active readyd.service && ! active readyd.socket && ! active readyd-control.socket
	is 'no unit is active'
	! inside test -e /run/readyd
	is 'and no socket is left'
	inside test -e /etc/readyd/conf.d/50-many.yaml
	is 'what the administrator wrote is there'
	packages -i '/mnt/new/readyd_*.deb' && until_is version_is 99.1
	is 'it is installed again'
	active readyd.service readyd.socket readyd-control.socket
	is 'and active'

	packages -P readyd
	is 'it is purged'
	until_is none
	is 'no process is left'
	inside rm -f /run/bell /run/enough
	files >"$work/after"
	# Users stay, as Debian does it; tools that make users keep a copy of what was.
	diff "$work/before" "$work/after" | grep '^[<>]' | grep -v -E '^> /etc/(passwd|group|shadow|gshadow|subuid|subgid)-$' >"$work/left"
	! [ -s "$work/left" ]
	is 'no file is left'
	show left
	inside systemctl --failed --no-legend --plain >"$work/units" && ! grep -q readyd "$work/units"
	is 'systemd knows nothing of it'

	packages -i '/mnt/new/libready0_*.deb /mnt/new/libready-dev_*.deb'
	is 'library and development files are installed'
	packages -P libready0 libready-dev
	is 'and purged'
	files >"$work/after"
	diff "$work/before" "$work/after" | grep '^[<>]' | grep -v -E '^> /etc/(passwd|group|shadow|gshadow|subuid|subgid)-$' >"$work/left"
	! [ -s "$work/left" ]
	is 'without a trace'
	show left
	container_down
	booted=''
}
