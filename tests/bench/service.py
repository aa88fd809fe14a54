#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What an administrator waits for: service.py READYD READYCTL. JSON: milliseconds, medians, of status, a reload, and a
start up to --ready-fd, each with the start of its process; the yardstick is the start of /bin/true, in turn with them.
And the p99 of a session's events while the control socket gets about 1000 calls a second."""
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 60
readyd, readyctl = (os.path.abspath(a) for a in sys.argv[1:3])
folder = tempfile.mkdtemp(prefix="readyd-bench-")


def ms(function):
    begin = time.perf_counter()
    function()
    return (time.perf_counter() - begin) * 1e3


def start(name):
    r, w = os.pipe()
    os.set_inheritable(w, True)
    p = subprocess.Popen([readyd, "--user", "--config=none", "--runtime-dir", f"{folder}/{name}", "--ready-fd", str(w),
                          "-o", "quota.default.connects_per_s=100000"], close_fds=False, stderr=subprocess.DEVNULL)
    os.close(w)
    if os.read(r, 1) != b"\n":
        sys.exit("readyd did not start")
    os.close(r)
    return p


def stop(p):
    p.terminate()
    p.wait()


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def start_once(i):
    p = None

    def go():
        nonlocal p
        p = start(f"start{i}")
    took = ms(go)
    stop(p)
    return took


def calls_beside_events():
    """p99 of events in us, quiet and beside calls of Status one after the other; and how many calls a second."""
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../clients/python"))
    import readyd as client  # pylint: disable=import-outside-toplevel
    a, b = socket.socketpair()
    caller = f"""
import socket, time
s = socket.socket(socket.AF_UNIX); s.connect({folder + "/run/control.sock"!r})
n, end = 0, time.monotonic() + 2
while time.monotonic() < end:
    s.send(b'{{"method":"io.readyd.Status"}}\\0')
    while not s.recv(65536).endswith(b"\\0"):
        pass
    n += 1
    time.sleep(0.0008)
print(n / 2)
"""

    def p99(broker, reg, seconds, process=None):
        took, end = [], time.monotonic() + seconds
        while (process.poll() is None) if process else time.monotonic() < end:
            begin = time.perf_counter()
            b.send(b"x")
            event = broker.wait(5)
            took.append((time.perf_counter() - begin) * 1e6)
            a.recv(1)
            broker.rearm(event)
            time.sleep(0.0005)
        return statistics.quantiles(took, n=100)[98]
    with client.connect(folder + "/run/session.sock") as broker, a, b:
        reg = broker.register(a)
        quiet = p99(broker, reg, 2)
        process = subprocess.Popen([sys.executable, "-c", caller], stdout=subprocess.PIPE, text=True)
        beside = p99(broker, reg, 0, process)
        return quiet, beside, float(process.communicate()[0])


def main():
    daemon = start("run")
    control = ["--socket", folder + "/run/control.sock"]
    took = {"process": [], "status": [], "reload": [], "start": []}
    for i in range(ROUNDS):
        took["process"].append(ms(lambda: run("/bin/true")))
        took["status"].append(ms(lambda: run(readyctl, "status", *control)))
        took["reload"].append(ms(lambda: run(readyctl, "reload", "-q", *control)))
        took["start"].append(start_once(i))
    quiet, beside, rate = calls_beside_events()
    stop(daemon)
    shutil.rmtree(folder)
    result = {name + "_ms": round(statistics.median(values), 2) for name, values in took.items()}
    result.update(event_p99_quiet_us=round(quiet, 1), event_p99_beside_calls_us=round(beside, 1), calls_per_s=round(rate))
    print(json.dumps(result))


main()
