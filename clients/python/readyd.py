# SPDX-License-Identifier: MIT
"""A client of readyd in Python, with nothing but the standard library (3.9 or newer).

    import readyd, sys
    with readyd.connect() as broker:
        broker.register(sys.stdin, token="in")
        for event in broker:                    # waits; event.token, event.ready, event.ended
            print(event.token, event.words())
            sys.stdin.readline()
            broker.rearm(event)                 # oneshot: say when the next one is wanted

In another loop: broker.fileno() is readable when dispatch() has something to say.

    loop.add_reader(broker.fileno(), lambda: [print(e) for e in broker.dispatch()])

Written from readyd-protocol(7) alone; the test vectors in proto/vectors hold it to that. One thread uses a broker.
A session that ends raises SessionEnded with the daemon's reason; registrations end with it, and connecting again is
the caller's."""
import os
import socket
import struct
from collections import namedtuple

READABLE, WRITABLE, PRIORITY, HANGUP_ONLY = 1, 2, 4, 8
ERROR, READ_CLOSED, WRITE_CLOSED = 0x10, 0x20, 0x40
EDGE, LEVEL, ONESHOT = 1, 2, 3
KEEP, START_DISARMED = 1, 2
FLAG_DISARMED, FLAG_ENDED, FLAG_ACK, FLAG_PAUSED = 1, 2, 4, 8
FEATURE_ONESHOT, FEATURE_EDGE, FEATURE_LEVEL, FEATURE_DEADLINES = 1, 2, 4, 8

FRAME_MAX = 16384
MAGIC = b"\x89RDY\r\n\x1a\n"
VERSION = 1
HEADER = struct.Struct("<IHBBII")

ERRORS = {
    1: "BAD_MAGIC", 2: "VERSION_UNSUPPORTED", 3: "FRAME_TRUNCATED", 4: "FRAME_OVERSIZED", 5: "FRAME_MALFORMED",
    6: "TYPE_UNKNOWN", 7: "FD_COUNT_MISMATCH", 8: "FDS_LOST", 9: "FD_BEFORE_WELCOME", 10: "HELLO_REPEATED",
    11: "HELLO_TIMEOUT", 12: "QUARANTINE_FULL", 20: "QUOTA_SESSIONS", 21: "QUOTA_CONNECTS", 22: "LIMIT_SESSIONS",
    23: "LIMIT_UIDS", 24: "UID_WEDGED", 25: "SHUTTING_DOWN", 26: "AGENT_FAILED", 27: "KICKED", 28: "UID_FROZEN",
    29: "POLICY_DENIED", 40: "REGISTRATION_UNKNOWN", 41: "COOKIE_DUPLICATE", 42: "INTEREST_INVALID",
    43: "MODE_INVALID", 44: "FLAGS_INVALID", 45: "FD_KIND_REFUSED", 46: "FD_OWN_SOCKET", 47: "FD_NOT_POLLABLE",
    48: "QUOTA_REGISTRATIONS", 49: "OUT_OF_DESCRIPTORS", 50: "OUT_OF_MEMORY", 51: "INTERNAL", 52: "DEADLINE_INVALID",
}


def error_name(error):
    return ERRORS.get(error, f"ERROR_{error}")


class ReadydError(Exception):
    """What readyd refuses: name, number and detail as in readyd-protocol(7), ERRORS."""

    def __init__(self, error, detail=0, serial=0):
        super().__init__(f"{error_name(error)} (detail {detail})")
        self.error, self.detail, self.serial, self.name = error, detail, serial, error_name(error)


class SessionEnded(ReadydError):
    """The session is over; error 0: without a word."""


class ProtocolError(ReadydError):
    """A frame that is none."""


# A message: its name, the record, its fields (None: reserved), most records, has descriptors.
Message = namedtuple("Message", "name record fields most fds")


def _message(name, record, fields, most, fds=False):
    return Message(name, struct.Struct("<" + record), fields.split(), most, fds)


MANY = (FRAME_MAX - HEADER.size)
MESSAGES = {
    0x01: _message("HELLO", "8sHHIQ32s", "magic version_min version_max - features name", 1),
    0x02: _message("REGISTER", "QHBBI", "cookie interest mode flags -", 250, True),
    0x03: _message("MODIFY", "QHBBI", "id interest mode flags -", MANY // 16),
    0x04: _message("REARM", "QII", "id seq -", MANY // 16),
    0x05: _message("DEREGISTER", "Q", "id", 1023),
    0x06: _message("PING", "Q", "value", 1),
    0x07: _message("SET_DEADLINE", "QQQ", "id at idle", MANY // 24),
    0x81: _message("WELCOME", "HHIQQIIII", "version batch_max frame_max features session registrations unanswered_max "
                   "events_max_bytes -", 1),
    0x82: _message("REGISTERED", "QII", "id error detail", MANY // 16),
    0x83: _message("MODIFIED", "QII", "id error detail", MANY // 16),
    0x84: _message("EVENTS", "QQBBHI", "cookie id type flags ready seq", 340),
    0x85: _message("DEREGISTERED", "QII", "id error detail", MANY // 16),
    0x86: _message("PONG", "Q", "value", 1),
    0x87: _message("ERROR", "IIII", "error detail fatal -", 1),
    0x88: _message("DEADLINE_SET", "QII", "id error detail", MANY // 16),
}
TYPES = {m.name: number for number, m in MESSAGES.items()}
Frame = namedtuple("Frame", "name length n_fds serial count records")


def encode(name, serial, records):
    """A frame; records are dicts of the message's fields."""
    number = TYPES[name]
    m = MESSAGES[number]
    body = b"".join(m.record.pack(*(r.get(f, 0) if f != "-" else 0 for f in m.fields)) for r in records)
    return HEADER.pack(HEADER.size + len(body), number, len(records) if m.fds else 0, 0, serial, len(records)) + body


def _check_hello(m, data, serial):
    magic, low, high = m.record.unpack_from(data, HEADER.size)[:3]
    if magic != MAGIC:
        raise ProtocolError(1, 0, serial)
    if low > high:
        raise ProtocolError(5, 0, serial)
    if not low <= VERSION <= high:
        raise ProtocolError(2, VERSION, serial)


def _bad_name(name):
    """Not 0x20 to 0x7e, then NUL to the end."""
    text, _, rest = name.partition(b"\0")
    return len(text) == len(name) or rest.strip(b"\0") or any(not 0x20 <= c <= 0x7e for c in text)


def decode(data, n_fds=0, from_client=False):
    """The frame in data, with which so many descriptors came; ProtocolError says what is wrong with it."""
    if len(data) < HEADER.size:
        raise ProtocolError(3)
    length, number, said_fds, flags, serial, count = HEADER.unpack_from(data)
    if len(data) > FRAME_MAX or length < len(data) or length > FRAME_MAX:
        raise ProtocolError(4, 0, serial)
    if length > len(data):
        raise ProtocolError(3, 0, serial)
    m = MESSAGES.get(number)
    if not m or (number < 0x80) != from_client:
        raise ProtocolError(6, number, serial)
    if not 1 <= count <= m.most or length != HEADER.size + count * m.record.size or (from_client and flags):
        raise ProtocolError(5, 0, serial)
    if m.name == "HELLO":
        _check_hello(m, data, serial)
    rows = [dict(zip(m.fields, m.record.unpack_from(data, HEADER.size + i * m.record.size))) for i in range(count)]
    if from_client and any(r.get("-") for r in rows) or m.name == "HELLO" and _bad_name(rows[0]["name"]):
        raise ProtocolError(5, 0, serial)
    if said_fds != n_fds or n_fds != (count if m.fds else 0):
        raise ProtocolError(7, n_fds, serial)
    for r in rows:
        r.pop("-", None)
        r.pop("magic", None)
        if m.name == "HELLO":
            r["name"] = r["name"].rstrip(b"\0").decode("ascii")
        if m.name == "ERROR":
            r["fatal"] &= 1
    return Frame(m.name, length, n_fds, serial, count, rows)


class Event:
    """What happened to a registration. ready: bits; of a deadline (deadline true) 1 at, 2 idle."""

    def __init__(self, registration, record):
        self.registration, self.token = registration, registration.token
        self.ready, self.seq = record["ready"], record["seq"]
        self.deadline = record["type"] == 2
        self.ended = bool(record["flags"] & FLAG_ENDED)

    def words(self):
        """As `readyctl wait` says it: "in hup"."""
        if self.deadline:
            return "idle" if self.ready & 2 else "at"
        closed = self.ready & WRITE_CLOSED and (self.ready & READ_CLOSED or not self.ready & ERROR)
        names = [(READABLE, "in"), (WRITABLE, "out"), (PRIORITY, "pri"), (ERROR, "err")]
        said = [word for bit, word in names if self.ready & bit]
        return " ".join(said + (["hup"] if closed else ["rdhup"] if self.ready & READ_CLOSED else []))


class Registration:
    """A descriptor that is watched. ended: it is over, and has no further events."""

    def __init__(self, token, cookie, mode):
        self.token, self.cookie, self.mode, self.id, self.seq, self.ended = token, cookie, mode, 0, 0, False


def default_path(user=False):
    """Where the daemon's session socket is: $READYD_SOCKET, the user's own instance, or the system's."""
    if not user and os.environ.get("READYD_SOCKET"):
        return os.environ["READYD_SOCKET"]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if user:
        return (runtime + "/readyd" if runtime.startswith("/") else f"/tmp/readyd-{os.geteuid()}") + "/session.sock"
    return "/run/readyd/session.sock"


def connect(path=None, *, user=False, name="python", timeout=5.0):
    """A session. OSError: nobody is there. ReadydError: it is refused."""
    return Broker(path or default_path(user), name, timeout)


class Broker:
    def __init__(self, path, name, timeout):
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._serial, self._cookie, self._events, self._of = 0, 0, [], {}
        try:
            self._sock.settimeout(timeout)
            self._sock.connect(path)
            hello = {"magic": MAGIC, "version_min": 1, "version_max": VERSION, "features": 0xf,
                     "name": name.encode("ascii", "replace")[:31]}
            self.welcome = self._ask("HELLO", [hello], answer="WELCOME")[0]
        except BaseException:
            self._sock.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the session, and all its registrations."""
        self._sock.close()

    def fileno(self):
        return self._sock.fileno()

    def register(self, fd, interest=READABLE, mode=ONESHOT, *, token=None, flags=0):
        """Have fd (a number, or what has fileno()) watched. The caller may close its own copy."""
        self._cookie += 1
        reg = Registration(token, self._cookie, mode)
        number = fd if isinstance(fd, int) else fd.fileno()
        record = {"cookie": reg.cookie, "interest": interest, "mode": mode, "flags": flags}
        self._of[reg.cookie] = reg
        try:
            reg.id = self._result(self._ask("REGISTER", [record], [number], answer="REGISTERED"))
        except BaseException:
            del self._of[reg.cookie]
            raise
        return reg

    def modify(self, reg, interest, mode=None, flags=0):
        reg.mode = mode or reg.mode
        record = {"id": reg.id, "interest": interest, "mode": reg.mode, "flags": flags}
        self._result(self._ask("MODIFY", [record], answer="MODIFIED"))

    def rearm(self, what):
        """A oneshot or level registration, or the event that it was: the next one is wanted."""
        reg = what.registration if isinstance(what, Event) else what
        if not reg.ended:
            self._send("REARM", [{"id": reg.id, "seq": reg.seq}])

    def set_deadline(self, reg, at=0.0, idle=0.0):
        """Seconds; 0: none. An event says when it has passed, once."""
        record = {"id": reg.id, "at": int(at * 1e9), "idle": int(idle * 1e9)}
        self._result(self._ask("SET_DEADLINE", [record], answer="DEADLINE_SET"))

    def deregister(self, reg):
        """No event of it comes after this."""
        self._result(self._ask("DEREGISTER", [{"id": reg.id}], answer="DEREGISTERED"))
        self._end(reg)
        self._events = [e for e in self._events if e.registration is not reg]

    def ping(self):
        """All that was asked before is done when this returns."""
        self._ask("PING", [{"value": self._serial}], answer="PONG")

    def dispatch(self):
        """The events that are there, without waiting. SessionEnded when there will be none any more."""
        self._sock.settimeout(0)
        try:
            while True:
                self._take(self._receive())
        except (BlockingIOError, socket.timeout):
            pass
        except SessionEnded:
            if not self._events:
                raise
        finally:
            if self._sock.fileno() >= 0:
                self._sock.settimeout(None)
        events, self._events = self._events, []
        return events

    def wait(self, timeout=None):
        """The next event, or None when the time (seconds) is over."""
        self._sock.settimeout(timeout)
        try:
            while not self._events:
                self._take(self._receive())
        except (BlockingIOError, socket.timeout):
            return None
        finally:
            self._sock.settimeout(None)
        return self._events.pop(0)

    def __iter__(self):
        return self

    def __next__(self):
        return self.wait()

    def _end(self, reg):
        reg.ended = True
        self._of.pop(reg.cookie, None)

    def _send(self, name, records, fds=()):
        self._serial = self._serial % 0xffffffff + 1
        frame = encode(name, self._serial, records)
        try:
            if fds:
                socket.send_fds(self._sock, [frame], list(fds))
            else:
                self._sock.send(frame)
        except BrokenPipeError:
            pass  # why stands in what can still be read

    def _receive(self):
        try:
            data = self._sock.recv(FRAME_MAX)
        except ConnectionResetError:
            data = b""
        if not data:
            raise SessionEnded(0)
        frame = decode(data)
        if frame.name == "ERROR" and frame.records[0]["fatal"]:
            raise SessionEnded(frame.records[0]["error"], frame.records[0]["detail"], frame.serial)
        return frame

    def _take(self, frame):
        """Events are kept; an ERROR that answers a REARM says nothing new: the end has come as an event."""
        if frame.name != "EVENTS":
            return
        for record in frame.records:
            reg = self._of.get(record["cookie"])
            if not reg or record["type"] not in (1, 2):
                continue
            reg.seq = record["seq"]
            self._events.append(Event(reg, record))
            if record["flags"] & FLAG_ENDED:
                self._end(reg)

    def _ask(self, name, records, fds=(), *, answer):
        if name != "HELLO":
            self._sock.settimeout(None)
        self._send(name, records, fds)
        serial = self._serial
        while True:
            frame = self._receive()
            if frame.name == answer and frame.serial == serial:
                return frame.records
            self._take(frame)

    @staticmethod
    def _result(records):
        if records[0]["error"]:
            raise ReadydError(records[0]["error"], records[0]["detail"])
        return records[0]["id"]
