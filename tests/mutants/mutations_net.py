# SPDX-License-Identifier: MIT
"""Mutations of lib/net and lib/os; as in mutations.py."""

IO = "net/io.c"
SOCKET = "net/socket.c"
TCP = "net/tcp.c"
UNIX = "net/unix.c"
QUIET = "net/quiet.c"
ADDR = "net/addr.c"
TEXT = "net/addr_text.c"
CHILD = "os/child.c"
FILES = "os/files.c"
SIGNALS = "os/signals.c"

MUTATIONS = [
    # Descriptors
    ("sockets block", "net-socket", SOCKET, ("type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)", "type | SOCK_CLOEXEC, 0)")),
    ("sockets are inherited", "net-socket", SOCKET, ("type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)", "type | SOCK_NONBLOCK, 0)")),
    ("accepted connections block", "net-tcp", SOCKET, ("&n, SOCK_NONBLOCK | SOCK_CLOEXEC)", "&n, SOCK_CLOEXEC)")),
    ("accepted connections are inherited", "net-tcp", SOCKET, ("&n, SOCK_NONBLOCK | SOCK_CLOEXEC)", "&n, SOCK_NONBLOCK)")),
    ("pipes block", "net-pipe", "net/pipe.c", ("O_NONBLOCK | O_CLOEXEC", "O_CLOEXEC")),
    ("pipes are inherited", "net-pipe", "net/pipe.c", ("O_NONBLOCK | O_CLOEXEC", "O_NONBLOCK")),
    ("pairs are inherited", "net-unix", UNIX, ("SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv", "SOCK_NONBLOCK, 0, sv")),
    ("what is taken over goes on blocking", "net-io", IO, ("-errno : set_status(fd, true)", "-errno : 0")),
    ("what is taken over is inherited", "net-io", IO, ("flags | FD_CLOEXEC) < 0", "flags) < 0")),
    ("what is not taken over is changed", "net-faults", IO, ("(void)fcntl(fd, F_SETFD, flags);", ";")),
    ("what is not taken over leaks", "net-faults", IO,
     ("(void)fcntl(fd, F_SETFD, flags);\n\t\tfree(io);", "(void)fcntl(fd, F_SETFD, flags);")),
    ("a listener that failed leaks", "net-faults", TCP,
     ("\tif (r < 0) {\n\t\trdy__fd_close(sock);", "\tif (r < 0) {")),
    ("a socket that could not be bound leaks", "net-faults", "net/udp.c",
     ("\tif (r < 0) {\n\t\trdy__fd_close(sock);", "\tif (r < 0) {")),
    ("half a pair leaks", "net-faults", UNIX, ("rdy__fd_close(sv[1]);", ";")),
    ("the other half of a pair leaks", "net-faults", UNIX, ("rdy_io_free(a);", ";")),
    ("half a pipe leaks", "net-faults", "net/pipe.c", ("rdy__fd_close(fds[1]);", ";")),
    ("a listener that failed leaves its path", "net-faults", UNIX, ("(void)unlink(rdy_addr_name(addr, NULL));", ";")),
    ("an io is freed while it is registered", "net-io", IO, ("rdy_source_deinit(&io->source);", ";")),
    ("inotify is inherited", "os-files", FILES, ("IN_NONBLOCK | IN_CLOEXEC", "IN_NONBLOCK")),
    ("inotify blocks", "os-files", FILES, ("IN_NONBLOCK | IN_CLOEXEC", "IN_CLOEXEC")),
    ("signalfd is inherited", "os-signals", SIGNALS, ("SFD_NONBLOCK | SFD_CLOEXEC", "SFD_NONBLOCK")),

    # Signals
    ("sendmsg raises SIGPIPE", "net-io", IO, ("&msg, MSG_NOSIGNAL)", "&msg, 0)")),
    ("sendto raises SIGPIPE", "net-socket", SOCKET, ("n_bytes, MSG_NOSIGNAL, sa", "n_bytes, 0, sa")),
    ("a pipe raises SIGPIPE", "net-pipe", QUIET,
     ("-1, RWF_NOSIGNAL)", "-1, 0)"),
     ("pthread_sigmask(SIG_BLOCK, &pipe_only, &before);", "pthread_sigmask(SIG_BLOCK, NULL, &before);")),
    ("the mask is not put back", "net-io", QUIET, ("pthread_sigmask(SIG_SETMASK, &before, NULL);", ";")),
    ("SIGPIPE waits for its time", "net-io", QUIET,
     ("while (sigtimedwait(&pipe_only, NULL, &now) < 0 && errno == EINTR)\n\t\t\t;", ";")),
    ("somebody else's SIGPIPE is taken", "net-io", QUIET, ("if (sigismember(&pending, SIGPIPE))", "if (0)")),
    ("read is interrupted", "net-io", IO,
     ("r = read(io->fd, buf, n_bytes);\n\twhile (r < 0 && errno == EINTR);", "r = read(io->fd, buf, n_bytes);\n\twhile (0);")),
    ("readv is interrupted", "net-io", IO,
     ("r = readv(io->fd, iov, (int)n);\n\twhile (r < 0 && errno == EINTR);", "r = readv(io->fd, iov, (int)n);\n\twhile (0);")),
    ("sendmsg is interrupted", "net-io", IO, ("errno != EINTR && errno != ENOTSOCK", "errno != ENOTSOCK")),
    ("recvfrom is interrupted", "net-io", SOCKET, ("\t} while (r < 0 && errno == EINTR);", "\t} while (0);")),
    ("sendto is interrupted", "net-io", SOCKET,
     ("(socklen_t)sa_bytes);\n\twhile (r < 0 && errno == EINTR);", "(socklen_t)sa_bytes);\n\twhile (0);")),
    ("accept is interrupted", "net-io", SOCKET, ("while (sock < 0 && errno == EINTR);", "while (0);")),

    # Readiness
    ("-EAGAIN does not arm again", "net-again", IO, ("(void)rdy_source_rearm(&io->source);", ";")),
    ("-EAGAIN does not arm again what is EXCLUSIVE", "net-again", IO,
     ("(io->source.mode & ~RDY_EXCLUSIVE) == RDY_EDGE", "io->source.mode == RDY_EDGE")),
    ("only the kernel's edges are armed again", "net-again", IO,
     ("!(rdy_registry_caps(io->source.registry) & RDY_CAP_EDGE)", "(rdy_registry_caps(io->source.registry) & RDY_CAP_EDGE)")),

    # Sockets
    ("an address cannot be had again at once", "net-tcp", TCP, ("SO_REUSEADDR, &one", "SO_KEEPALIVE, &one")),
    ("a connection under way is a failed one", "net-tcp", TCP, ("if (r < 0 && r != -EINPROGRESS) {", "if (r < 0) {")),
    ("the error is not taken", "net-socket", SOCKET, ("SOL_SOCKET, SO_ERROR, ret", "SOL_SOCKET, SO_TYPE, ret")),
    ("shut: reading and writing exchanged", "net-socket", SOCKET,
     ("[RDY_SHUT_READ] = SHUT_RD,", "[RDY_SHUT_READ] = SHUT_WR,"), ("[RDY_SHUT_WRITE] = SHUT_WR,", "[RDY_SHUT_WRITE] = SHUT_RD,")),
    ("a peek takes", "net-socket", SOCKET,
     ("return receive(io, buf, n_bytes, MSG_PEEK, NULL);", "return receive(io, buf, n_bytes, 0, NULL);")),
    ("the sender is not told", "net-udp", SOCKET, ("from ? &a.sa : NULL, from ? &n : NULL", "NULL, NULL")),
    ("the peer is this end", "net-tcp", SOCKET, ("address_of(io, ret, getpeername)", "address_of(io, ret, getsockname)")),
    ("the listener's address for the peer's", "net-tcp", SOCKET, ("*peer = from;", ";")),
    ("one time to live for both families", "net-socket", SOCKET, ("family == AF_INET ? IP_TTL : IPV6_UNICAST_HOPS", "IP_TTL")),
    ("a group is left instead of joined", "net-udp", "net/udp.c",
     ("membership_v4(io, IP_ADD_MEMBERSHIP", "membership_v4(io, IP_DROP_MEMBERSHIP")),

    # Addresses
    ("a port in the machine's order", "net-addr", ADDR, (".sin_port = htons(port)", ".sin_port = port")),
    ("a port of v6 in the machine's order", "net-addr", ADDR, (".sin6_port = htons(port)", ".sin6_port = port")),
    ("the scope is lost", "net-addr", ADDR, (".sin6_scope_id = scope", ".sin6_scope_id = 0")),
    ("an abstract name one byte too long", "net-addr", ADDR, ("if (n_bytes > PATH_ROOM - abstract)", "if (n_bytes > PATH_ROOM)")),
    ("an abstract name ends with its first 0", "net-addr", ADDR,
     ("return rdy_addr_unix_abstract(path + 1, n - 1, ret);", "return rdy_addr_unix_abstract(path + 1, strnlen(path + 1, n - 1), ret);")),
    ("half an address is taken", "net-addr", ADDR, ("if (n_bytes < sizeof(raw.v6))", "if (0)")),
    ("the flow label makes another address", "net-addr", ADDR, ("x.v6.sin6_flowinfo = y.v6.sin6_flowinfo = 0;", ";")),
    ("ports above 65535", "net-addr", TEXT, ("if (v > max)", "if (0)")),
    ("%ff is no escape", "net-addr", TEXT, ("c >= 'a' && c <= 'f' ? c - 'a' + 10", "c >= 'a' && c <= 'f' ? -1")),
    ("a path that begins with @ is read as a name", "net-addr", TEXT, ("(i == 0 && !abstract && c == '@')", "0")),
    ("text one byte longer than its room", "net-addr", TEXT, ("if (n >= buf_bytes)", "if (n > buf_bytes)")),

    # Children, files, signals
    ("a child is waited for", "os-child", CHILD, ("WEXITED | WNOHANG | __WALL", "WEXITED | __WALL")),
    ("a child without SIGCHLD is none", "os-child", CHILD, ("WNOHANG | __WALL", "WNOHANG")),
    ("who was killed has exited", "os-child", CHILD, (".exited = info.si_code == CLD_EXITED", ".exited = 1")),
    ("a thread gives another error", "os-child", CHILD, ("errno == EINVAL || errno == ENOENT ? -ESRCH : -errno", "-errno")),
    ("lost changes are not told", "os-files", FILES, ("\t{RDY_FILE_LOST, IN_Q_OVERFLOW},\n", "")),
    ("what moves in is not created", "os-files", FILES, ("IN_CREATE | IN_MOVED_TO", "IN_CREATE")),
    ("the next change begins within the last", "os-files", FILES,
     ("f->pos += sizeof(e) + e.len;\n\treturn 0;", "f->pos += sizeof(e);\n\treturn 0;")),
    ("no room for the longest name", "os-files", FILES,
     ("#define BUF_BYTES (sizeof(struct inotify_event) + PATH_MAX)", "#define BUF_BYTES 4096")),
    ("SIGKILL is asked for", "os-signals", SIGNALS,
     ("signals[i] == SIGKILL || signals[i] == SIGSTOP ||\n\t\t\tsigaddset", "sigaddset")),
    ("a signal's value is lost", "os-signals", SIGNALS, (".value = info.ssi_int", ".value = 0")),
]
