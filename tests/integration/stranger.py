#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A client in another language, written from readyd-protocol(7) alone: stranger.py READYD. Says TAP.
What the page promises about a session is tried on a private instance."""
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile

HELLO, REGISTER, MODIFY, REARM, DEREGISTER, PING = 1, 2, 3, 4, 5, 6
WELCOME, REGISTERED, MODIFIED, EVENTS, DEREGISTERED, PONG, ERROR = range(0x81, 0x88)
READABLE, WRITABLE, READ_CLOSED, WRITE_CLOSED = 1, 2, 0x20, 0x40
EDGE, ONESHOT = 1, 3
KEEP, START_DISARMED = 1, 2
DISARMED, ENDED = 1, 2
MAGIC = b"\x89RDY\r\n\x1a\n"
LIMIT_S = 20.0
NOBODY = 0xffffffff00000001  # the id of no registration; a small one can be the first of a reactor
SIZES = {WELCOME: 40, REGISTERED: 16, MODIFIED: 16, EVENTS: 24, DEREGISTERED: 16, PONG: 8, ERROR: 16}


def must(holds, what):
    if not holds:
        raise AssertionError(what)


class Session:
    def __init__(self, path, hello=True):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(LIMIT_S)
        self.sock.connect(path)
        self.serial, self.events = 0, []
        if hello:
            self.say_hello()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, kind, records, fds=()):
        self.serial += 1
        body = b"".join(records)
        frame = struct.pack("<IHBBII", 16 + len(body), kind, len(fds), 0, self.serial, len(records)) + body
        if fds:
            socket.send_fds(self.sock, [frame], list(fds))
        else:
            self.sock.send(frame)

    def receive(self):
        """(type, serial, [record, ...]), or None at the end."""
        try:
            data = self.sock.recv(16384)
        except ConnectionResetError:
            data = self.sock.recv(16384)
        if not data:
            return None
        length, kind, n_fds, flags, serial, count = struct.unpack_from("<IHBBII", data)
        must(length == len(data) and n_fds == 0 and flags == 0, "a header that does not fit")
        size = SIZES[kind]
        must(length == 16 + count * size and count >= 1, "a count that does not fit")
        return kind, serial, [data[16 + i * size:16 + (i + 1) * size] for i in range(count)]

    def next(self, kind):
        """The next frame but for events, which are kept. It has to be of this type and answer the last request."""
        while True:
            frame = self.receive()
            must(frame, "the session has ended")
            if frame[0] != EVENTS:
                must(frame[0] == kind and frame[1] == self.serial, f"{frame[0]:#x} instead of {kind:#x}")
                return frame[2]
            must(frame[1] == 0, "events with a serial")
            self.events += [struct.unpack("<QQBBHI", r) for r in frame[2]]

    def event(self):
        """cookie, id, flags, ready, seq of the next event"""
        while not self.events:
            frame = self.receive()
            must(frame and frame[0] == EVENTS, f"no event: {frame}")
            self.events += [struct.unpack("<QQBBHI", r) for r in frame[2]]
        cookie, reg, kind, flags, ready, seq = self.events.pop(0)
        must(kind == 1, "an event of another type")
        return cookie, reg, flags, ready, seq

    def fatal(self, error, detail=0):
        kind, _, records = self.receive() or (None, None, None)
        must(kind == ERROR, f"no ERROR but {kind}")
        must(struct.unpack("<III", records[0][:12]) == (error, detail, 1), f"another error: {records[0].hex()}")
        must(self.receive() is None, "the session goes on")

    def say_hello(self, low=1, high=1):
        self.send(HELLO, [MAGIC + struct.pack("<HHIQ32s", low, high, 0, 3, b"a stranger")])
        record = self.next(WELCOME)[0]
        version, batch, frame_max, features, _, registrations, unanswered, events, _ = struct.unpack(
            "<HHIQQIIII", record)
        must((version, batch, frame_max, unanswered, events) == (1, 250, 16384, 32, 8192), "other numbers")
        must(registrations > 0, "no registrations")
        self.features = features

    def register(self, fds, cookie=7, interest=READABLE, mode=ONESHOT, flags=0):
        """Of each: id, error, detail. Cookies count up."""
        records = [struct.pack("<QHBBI", cookie + i, interest, mode, flags, 0) for i in range(len(fds))]
        self.send(REGISTER, records, fds)
        return [struct.unpack("<QII", r) for r in self.next(REGISTERED)]

    def one(self, fd, **how):
        reg, error, _ = self.register([fd], **how)[0]
        must(error == 0 and reg, f"refused: {error}")
        return reg

    def rearm(self, reg, seq):
        self.send(REARM, [struct.pack("<QII", reg, seq, 0)])

    def deregister(self, reg):
        self.send(DEREGISTER, [struct.pack("<Q", reg)])
        answered, error, _ = struct.unpack("<QII", self.next(DEREGISTERED)[0])
        must(answered == reg, "another id")
        return error

    def ping(self):
        """All before was carried out; without events, unless some were kept."""
        self.send(PING, [struct.pack("<Q", 0x0123456789abcdef)])
        must(self.next(PONG)[0] == struct.pack("<Q", 0x0123456789abcdef), "another value")


def pipe():
    return os.pipe()


def oneshot_and_rearm(path):
    r, w = pipe()
    with Session(path) as s:
        reg = s.one(r, cookie=0x1122334455667788)
        os.write(w, b"x")
        must(s.event() == (0x1122334455667788, reg, DISARMED, READABLE, 1), "another event")
        os.write(w, b"y")
        s.ping()
        must(not s.events, "an event while disarmed")
        s.rearm(reg, 0)
        s.ping()
        must(not s.events, "an old sequence number has armed")
        s.rearm(reg, 1)
        must(s.event()[4] == 2, "no event for what is still up")
        must(s.deregister(reg) == 0, "not deregistered")
        must(s.deregister(reg) == 40, "deregistered twice")
        s.rearm(reg, 2)
        must(struct.unpack("<III", s.next(ERROR)[0][:12]) == (40, 0, 0), "no REGISTRATION_UNKNOWN")
        s.ping()
    return r, w


def edge(path):
    r, w = pipe()
    with Session(path) as s:
        if not s.features & 2:
            return r, w
        s.one(r, mode=EDGE)
        for seq in (1, 2, 3):
            os.write(w, b"x")
            must(s.event()[2:] == (0, READABLE, seq), "another event")
    return r, w


def starts_disarmed(path):
    r, w = pipe()
    os.write(w, b"x")
    with Session(path) as s:
        reg = s.one(r, flags=START_DISARMED)
        s.ping()
        must(not s.events, "an event while disarmed")
        s.rearm(reg, 0)
        must(s.event()[3:] == (READABLE, 1), "no event")
    return r, w


def hangup_ends(path):
    a, b = socket.socketpair()
    with Session(path) as s, a:
        reg = s.one(a.fileno())
        b.close()
        _, got, flags, ready, seq = s.event()
        must(got == reg and flags & ENDED and seq == 1, "not ended")
        must(ready & READ_CLOSED and ready & WRITE_CLOSED, "no hangup")
        must(s.deregister(reg) == 40, "it is still there")
        # The cookie is free again.
        must(s.one(a.fileno(), flags=KEEP) != reg, "the same id")
        _, _, flags, ready, _ = s.event()
        must(not flags & ENDED and ready & READ_CLOSED, "kept, and ended")
    return ()


def modify(path):
    a, b = socket.socketpair()
    with Session(path) as s, a, b:
        reg = s.one(a.fileno())
        s.send(MODIFY, [struct.pack("<QHBBI", reg, WRITABLE, ONESHOT, 0, 0), struct.pack("<QHBBI", NOBODY, 1, 3, 0, 0)])
        results = [struct.unpack("<QII", r) for r in s.next(MODIFIED)]
        must(results == [(reg, 0, 0), (NOBODY, 40, 0)], f"other results: {results} of {reg}")
        must(s.event()[3] == WRITABLE, "another readiness")
    return ()


def record_by_record(path):
    r, w = pipe()
    f = os.open("/", os.O_RDONLY)
    with Session(path) as s:
        results = s.register([r, f, w])
        must(results[0][1] == 0 and results[1][1:] == (45, 32) and results[1][0] == 0, "a directory was taken")
        must(results[2][1] == 0, "the one behind it was not")
        must(s.register([r])[0][1] == 41, "COOKIE_DUPLICATE")
        must(s.register([r], cookie=50, interest=0x11)[0][1:] == (42, 0x11), "INTEREST_INVALID")
        must(s.register([r], cookie=50, interest=0)[0][1:] == (42, 0), "INTEREST_INVALID")
        must(s.register([r], cookie=50, mode=2)[0][1:] == (43, 2), "MODE_INVALID")
        must(s.register([r], cookie=50, flags=4)[0][1:] == (44, 4), "FLAGS_INVALID")
        must(s.register([s.sock.fileno()], cookie=50)[0][1] == 46, "FD_OWN_SOCKET")
        must(s.register([r], cookie=50)[0][1] == 0, "the same file under another cookie")
    return r, w, f


def fatal_errors(path):
    with Session(path, hello=False) as s:
        s.sock.send(b"GET / HTTP/1.1\r\n\r\n")
        s.fatal(1)
    with Session(path, hello=False) as s:
        s.send(HELLO, [MAGIC + struct.pack("<HHIQ32s", 2, 9, 0, 3, b"")])
        s.fatal(2, 1)
    with Session(path) as s:
        s.sock.send(struct.pack("<IHBBII", 24, PING, 0, 0, 1, 1))
        s.fatal(3)
    with Session(path) as s:
        s.send(9, [bytes(8)])
        s.fatal(6, 9)
    with Session(path) as s:
        s.sock.send(struct.pack("<IHBBIIQHBBI", 32, REGISTER, 1, 0, 1, 1, 1, 1, 3, 0, 0))
        s.fatal(7, 0)
    with Session(path) as s:
        s.send(HELLO, [MAGIC + struct.pack("<HHIQ32s", 1, 1, 0, 3, b"")])
        s.fatal(10)
    return ()


def descriptor_before_welcome(path):
    with Session(path, hello=False) as s:
        try:
            s.send(HELLO, [MAGIC + struct.pack("<HHIQ32s", 1, 1, 0, 3, b"")], [s.sock.fileno()])
        except PermissionError:
            return ()
        s.fatal(9)
    return ()


def main():
    cases = [oneshot_and_rearm, edge, starts_disarmed, hangup_ends, modify, record_by_record, fatal_errors,
             descriptor_before_welcome]
    folder = tempfile.mkdtemp(prefix="readyd-stranger-")
    r, w = pipe()
    os.set_inheritable(w, True)
    selector = os.environ.get("READYD_TEST_SELECTOR", "auto")
    daemon = subprocess.Popen([sys.argv[1], "--user", "--config=none", "--runtime-dir", folder + "/run", "--ready-fd", str(w),
                               "-o", "quota.default.connects_per_s=1000", "-o", f"selector={selector}"], close_fds=False)
    failed = 0
    try:
        os.close(w)
        must(os.read(r, 1) == b"\n", "readyd did not start")
        path = folder + "/run/session.sock"
        for i, case in enumerate(cases):
            why = ""
            try:
                for fd in case(path):
                    os.close(fd)
            except (AssertionError, OSError) as e:
                why, failed = f": {e!r}", failed + 1
            print("not ok" if why else "ok", i + 1, case.__name__ + why, flush=True)
        # The end: everybody hears why.
        with Session(path) as s:
            daemon.send_signal(signal.SIGTERM)
            try:
                s.fatal(25)
                print("ok", len(cases) + 1, "shutting_down")
            except (AssertionError, OSError) as e:
                failed += 1
                print("not ok", len(cases) + 1, f"shutting_down: {e!r}")
        print(f"1..{len(cases) + 1}")
        must(daemon.wait(LIMIT_S) == 0, "readyd did not stop well")
    finally:
        if daemon.poll() is None:
            daemon.kill()
            daemon.wait()
        os.close(r)
        shutil.rmtree(folder)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
