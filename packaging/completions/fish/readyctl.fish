# SPDX-License-Identifier: MIT
# Completion of readyctl for fish.
set -l verbs wait watch version help
complete -c readyctl -f
complete -c readyctl -n "not __fish_seen_subcommand_from $verbs" -a wait -d 'until one is ready'
complete -c readyctl -n "not __fish_seen_subcommand_from $verbs" -a watch -d 'a line for every new readiness'
complete -c readyctl -n "not __fish_seen_subcommand_from $verbs" -a version -d 'print the version'
complete -c readyctl -n "not __fish_seen_subcommand_from $verbs" -a help -d 'overview or a verb'
complete -c readyctl -n '__fish_seen_subcommand_from help' -a 'wait watch version help'
complete -c readyctl -n '__fish_seen_subcommand_from wait' -l timeout -x -a '250ms 1s 5s 1m' -d 'give up after this time'
complete -c readyctl -n '__fish_seen_subcommand_from watch' -l ack -d 'silent until re-armed by name'
complete -c readyctl -n '__fish_seen_subcommand_from watch' -l level -d 'again and again while it is ready'
complete -c readyctl -n '__fish_seen_subcommand_from watch' -l idle -x -a '250ms 1s 5s 1m' -d 'tell when it was silent for so long'
complete -c readyctl -n '__fish_seen_subcommand_from wait watch version' -l json -d 'one JSON object a line'
complete -c readyctl -n '__fish_seen_subcommand_from wait watch' -l local -d 'without readyd'
complete -c readyctl -n '__fish_seen_subcommand_from wait watch' -l socket -r -F -d 'session socket of readyd'
complete -c readyctl -n '__fish_seen_subcommand_from wait watch' -l user -d 'the private instance'
complete -c readyctl -n '__fish_seen_subcommand_from wait watch' -s q -l quiet -d 'failures only'
complete -c readyctl -s h -l help -d 'help'
complete -c readyctl -l version -d 'print the version'
