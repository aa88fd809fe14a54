#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Python client with a private readyd: client.py TOP READYD. Says TAP."""
import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(sys.argv[1], "clients", "python"))
import readyd  # noqa: E402

LIMIT_S = 30.0
MANY = 10000


def must(holds, what):
    if not holds:
        raise AssertionError(what)


def waits_and_rearms(path):
    a, b = socket.socketpair()
    with a, b, readyd.connect(path) as broker:
        reg = broker.register(a, token="a")
        must(broker.wait(0) is None, "an event of nothing")
        b.send(b"x")
        event = broker.wait(LIMIT_S)
        must(event.token == "a" and event.words() == "in" and event.seq == 1, event.words())
        b.send(b"y")
        broker.ping()
        must(not broker.dispatch(), "an event while disarmed")
        broker.rearm(event)
        must(broker.wait(LIMIT_S).seq == 2, "no event for what is still there")
        broker.modify(reg, readyd.WRITABLE)
        must(broker.wait(LIMIT_S).words() == "out", "not writable")
        broker.deregister(reg)
        must(reg.ended, "not ended")
        try:
            broker.deregister(reg)
            must(False, "deregistered twice")
        except readyd.ReadydError as e:
            must(e.name == "REGISTRATION_UNKNOWN", e.name)


def edges_and_levels(path):
    a, b = socket.socketpair()
    with a, b, readyd.connect(path) as broker:
        broker.register(a, mode=readyd.EDGE, token=1)
        for seq in (1, 2, 3):
            b.send(b"x")
            must(broker.wait(LIMIT_S).seq == seq, "an edge is missing")
    a, b = socket.socketpair()
    with a, b, readyd.connect(path) as broker:
        broker.register(a, mode=readyd.LEVEL, token=2)
        b.send(b"x")
        for _ in range(3):
            event = broker.wait(LIMIT_S)
            must(event.words() == "in", event.words())
            broker.rearm(event)
        a.recv(1)


def hangs_up(path):
    a, b = socket.socketpair()
    with a, readyd.connect(path) as broker:
        reg = broker.register(a)
        b.close()
        event = next(broker)
        must(event.ended and reg.ended and event.words() == "in hup", event.words())
        broker.rearm(event)
        broker.ping()


def deadlines(path):
    a, b = socket.socketpair()
    with a, b, readyd.connect(path) as broker:
        reg = broker.register(a, token="late")
        broker.set_deadline(reg, at=0.01)
        event = broker.wait(LIMIT_S)
        must(event.deadline and event.words() == "at" and event.token == "late", event.words())
        broker.set_deadline(reg, idle=0.01)
        must(broker.wait(LIMIT_S).words() == "idle", "not idle")


def refusals(path):
    with readyd.connect(path) as broker, open("/etc/passwd", encoding="utf-8") as f:
        try:
            broker.register(f)
            must(False, "a file was taken")
        except readyd.ReadydError as e:
            must(e.name == "FD_KIND_REFUSED" and not isinstance(e, readyd.SessionEnded), e.name)
        a, b = socket.socketpair()
        with a, b:
            broker.register(a)
            b.send(b"x")
            must(broker.wait(LIMIT_S), "it does not go on after a refusal")
    try:
        readyd.connect(path + ".none")
        must(False, "somebody is there")
    except FileNotFoundError:
        pass


def in_another_loop(path):
    """Every event arrives, each once, and nothing wakes the loop while nothing happens."""
    counts = {"events": 0, "wakeups": 0}

    async def run():
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        a, b = socket.socketpair()
        with a, b, readyd.connect(path) as broker:
            broker.register(a, token="a")

            def woken():
                counts["wakeups"] += 1
                for event in broker.dispatch():
                    counts["events"] += 1
                    a.recv(1)
                    if counts["events"] == MANY:
                        done.set_result(None)
                        return
                    broker.rearm(event)
                    b.send(b"x")

            loop.add_reader(broker.fileno(), woken)
            b.send(b"x")
            await asyncio.wait_for(done, LIMIT_S)
            broker.ping()
            wakeups = counts["wakeups"]
            await asyncio.sleep(0.1)
            must(counts["wakeups"] == wakeups, "woken by nothing")
            loop.remove_reader(broker.fileno())

    asyncio.run(run())
    must(counts["events"] == MANY, f"{counts['events']} events")


class Readyd:
    def __init__(self, folder):
        self.path = folder + "/run/session.sock"
        r, w = os.pipe()
        os.set_inheritable(w, True)
        self.process = subprocess.Popen(
            [sys.argv[2], "--user", "--config=none", "--runtime-dir", folder + "/run", "--ready-fd", str(w),
             "-o", "quota.default.connects_per_s=1000"], close_fds=False, stderr=subprocess.DEVNULL)
        os.close(w)
        must(os.read(r, 1) == b"\n", "readyd did not start")
        os.close(r)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        must(self.process.wait(LIMIT_S) == 0, "readyd did not stop well")


def main():
    cases = [waits_and_rearms, edges_and_levels, hangs_up, deadlines, refusals, in_another_loop]
    folder = tempfile.mkdtemp(prefix="readyd-python-")
    daemon, failed = Readyd(folder), 0
    try:
        for i, case in enumerate(cases):
            why = ""
            try:
                case(daemon.path)
            except (AssertionError, OSError, readyd.ReadydError, asyncio.TimeoutError, AttributeError) as e:
                why, failed = f": {e!r}", failed + 1
            print("not ok" if why else "ok", i + 1, case.__name__ + why, flush=True)
        with readyd.connect(daemon.path) as broker:
            daemon.stop()
            try:
                broker.wait(LIMIT_S)
                said = "nothing"
            except readyd.SessionEnded as e:
                said = e.name
        failed += said != "SHUTTING_DOWN"
        print("ok" if said == "SHUTTING_DOWN" else "not ok", len(cases) + 1, f"the end: {said}")
        print(f"1..{len(cases) + 1}")
    finally:
        if daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()
        shutil.rmtree(folder)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
