# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# The control socket as systemd's varlinkctl(1), 257 and later, sees it: an implementation of varlink that knows nothing
# of ours. To be sourced by service.sh, whose is() and said() it uses, while the client $client has its session.
control=/run/readyd/control.sock
varlink() { inside varlinkctl "$@" >"$work/varlink" 2>&1; }
varlink_as_games() { inside_as games varlinkctl "$@" >"$work/varlink" 2>&1; }

varlink info "$control" && said 'Product: readyd' varlink && said 'io.readyd' varlink
is 'varlinkctl info'
varlink list-methods "$control" && said '^io.readyd.Status$' varlink && said '^org.varlink.service.GetInfo$' varlink
is 'varlinkctl list-methods'
varlink introspect "$control" io.readyd && said '^interface io.readyd$' varlink && said '^method Monitor(' varlink
is 'varlinkctl introspect: the interface is what it calls one'
inside varlinkctl validate-idl <"$here/../../proto/control/io.readyd.varlink" >"$work/varlink" 2>&1
is 'varlinkctl validate-idl'
varlink introspect "$control" org.varlink.service && said '^error ExpectedMore()' varlink
is 'and that of every service'
varlink call "$control" io.readyd.Status '{}' && said '"instance": *"system"' varlink && said '"scope": *"all"' varlink
is 'a call'
varlink_as_games call "$control" io.readyd.Status '{}' && said '"scope": *"own"' varlink
is 'by another user'
! varlink call "$control" io.readyd.Nothing '{}' && said 'org.varlink.service.MethodNotFound' varlink
is 'no such method'
! varlink call "$control" io.readyd.Kick '{"session":"x"}' && said 'org.varlink.service.InvalidParameter' varlink
is 'a parameter of the wrong type'
! varlink call "$control" io.readyd.Kick '{"session":1,"other":1}' && said 'org.varlink.service.InvalidParameter' varlink
is 'a parameter that there is not'
! varlink call "$control" io.readyd.Kick '{"session":123456}' && said 'io.readyd.NotFound' varlink
is 'an error of ours, with its parameter'
! varlink_as_games call "$control" io.readyd.Reload '{}' && said 'io.readyd.PermissionDenied' varlink
is 'who may not is told so'
! varlink call "$control" io.readyd.ListSessions '{}' && said 'org.varlink.service.ExpectedMore' varlink
is 'a list wants --more'
until_is sees_client
varlink --more call "$control" io.readyd.ListSessions '{}' && said '"name": *"readyctl"' varlink
is 'and comes with it'
inside varlinkctl -j --more --timeout=infinity call "$control" io.readyd.Monitor '{}' >"$work/monitor" 2>&1 </dev/null &
monitor=$!
until_is said '"lost": *0' monitor
inside readyctl freeze uid:games >/dev/null
inside readyctl thaw uid:games >/dev/null
until_is said '"event": *"thawed"' monitor && said '"event": *"frozen"' monitor
is 'calls that go on: Monitor'
inside pkill -f 'varlinkctl.*Monitor'
wait "$monitor"
