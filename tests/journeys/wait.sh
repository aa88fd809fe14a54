#!/bin/sh
# SPDX-License-Identifier: MIT
# Wait in a shell: the loop that we teach loses nothing and cannot spin; coprocesses; what goes wrong is said.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/journeys/journey.sh
. "$here/journey.sh"
begin 'quota.default.connects_per_s=1000'
cd "$work" || exit 1

# The first thing that anybody types.
cat >first <<'END'
mkfifo a b; exec 3<>a 4<>b; (sleep 0.2; echo hi >b) &
readyctl wait --timeout 20s door=3 bell=4 && read -r x <&4; echo "$x"
readyctl wait --timeout 100ms door=3 bell=4; echo "exit $?"
END
bash first >said 2>&1
[ "$(cat said)" = "$(printf 'bell in\nhi\nexit 124')" ]
is 'two pipes, and a bell that rings'

# Whoever reads a line and not all of it finds the rest by the next wait: nothing is lost.
# shellcheck disable=SC2016 # the inner shell's
cat >loop <<'END'
mkfifo lines; exec 3<>lines
(for i in $(seq 300); do echo "$i" >&3; [ $((i % 50)) != 0 ] || sleep 0.05; done) &
while readyctl wait --timeout 20s in=3 >/dev/null; do
	read -r line <&3 && echo "$line"
	n=$((n + 1))
	[ "$line" != 300 ] || break
done
echo "waits $n" >&2
END
bash loop >lines.read 2>said
seq 300 | cmp -s - lines.read
is 'a loop of wait and read has every line, in order'
is_like 'with one wait for each, no more' '^waits 300$'

# A stream of edges with acknowledgements, as a coprocess.
cat >coproc <<'END'
mkfifo c; exec 4<>c
coproc readyctl watch --ack bell=4 2>/dev/null
for i in 1 2 3; do
	echo "$i" >&4
	read -r name words <&"${COPROC[0]}" && read -r x <&4 && echo "$name $words $x"
	echo bell >&"${COPROC[1]}"
done
kill "$COPROC_PID"
END
timeout 60 bash coproc >said 2>&1
[ "$(cat said)" = "$(printf 'bell in 1\nbell in 2\nbell in 3')" ]
is 'a coprocess that is told when it may go on'

echo x | readyctl wait --json in=0 >said
is_like 'an object a line for programs' '^\{"name":"in","fd":0,"ready":\["in"'
end_readyd TERM
echo x | readyctl wait --local in=0 >said
is_like 'without a daemon' '^in in'

# Three lines, whatever goes wrong, and a status that a script can tell.
# shellcheck disable=SC2016 # the inner shell's
wrong() {
	what=$1 status=$2 pattern=$3
	shift 3
	"$@" >said 2>&1 </dev/null
	[ $? = "$status" ] && [ "$(wc -l <said)" = 3 ] && [ "$(sed -n 's/^  \(why\|try\): .*/\1/p' said | paste -sd,)" = why,try ] &&
		grep -q -E -e "$pattern" said
	is "$what: exit $status"
	[ "$status" = 0 ] || [ "$failed" = 0 ] || sed 's/^/# /' said
}
wrong 'nobody is there' 3 'is not running' readyctl wait in=0
wrong 'a descriptor that is not open' 2 'fd 9 is not open' readyctl wait --local door=9
wrong 'a word that is none' 2 'reads' readyctl wait --local in=0:reads
wrong 'a verb that is none' 2 "did you mean 'wait'" readyctl wiat in=0
wrong 'an option that is none' 2 "did you mean '--timeout'" readyctl wait --timout 5s in=0
wrong 'a time without its unit' 2 '5s' readyctl wait --timeout 5 in=0
tap_end
