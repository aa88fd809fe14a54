# SPDX-License-Identifier: MIT
# Completion of readyd for fish. The keys of -o are asked of the program itself.
complete -c readyd -f
complete -c readyd -l user -d 'a private instance'
complete -c readyd -l runtime-dir -x -a '(__fish_complete_directories)' -d 'sockets and lock'
complete -c readyd -l config -r -F -d 'read this file, or none'
complete -c readyd -s o -l option -x -d 'set a configuration key' \
	-a "(readyd --help-config 2>/dev/null | string match -rg '^([a-z][a-z_.]*) = ' | string replace -r '\$' '=')"
complete -c readyd -l help-config -d 'list the keys with their defaults'
complete -c readyd -l default-config -d 'print a file of all keys'
complete -c readyd -l check-config -d 'is the configuration good?'
complete -c readyd -l ready-fd -x -d 'write a newline there when clients can connect'
complete -c readyd -l version -d 'print the version'
complete -c readyd -s h -l help -d 'help'
