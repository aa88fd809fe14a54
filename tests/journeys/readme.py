#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the README shows is what happens: readme.py READYD READYCTL README [--update]. Says TAP.

A block of the README behind a line `<!-- journey: NAME -->` is typed into a shell, line by line behind "$ ", beside a
private readyd; what comes has to be what stands there, but for numbers, times and where in the kernel somebody waits.
--update writes what came into the README."""
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

LIMIT_S = 30.0
BLOCK = re.compile(r"(<!-- journey: (\w+) -->\n\n?```\n)(.*?)(```)", re.S)
NAME = "anna"  # of who types, in the README
MASKS = [
    (re.compile(r"^( *kernel .*?)(?:, in [\w.]+)?$", re.M), r"\1"),
    (re.compile(rf"\b(?:{NAME}|{getpass.getuser()})\b"), "USER"),
    (re.compile(r"\b[RSD] \([a-z ]+\)"), "STATE"),
    (re.compile(r"/\S*/(\w+\.yaml)"), r"\1"),
    (re.compile(r"\b[0-9][0-9,.]*(?:(?:ns|us|ms|s|m|h|d)(?:[0-9]+(?:s|m|h))*)?\b"), "N"),
    (re.compile(r"[ \t]+"), " "),
    (re.compile(r" $", re.M), ""),
]


def must(holds, what):
    if not holds:
        raise AssertionError(what)


def masked(text):
    for pattern, by in MASKS:
        text = pattern.sub(by, text)
    return text.strip()


class Shell:
    """A user's: commands one after the other, with what each has said."""

    def __init__(self, env, folder):
        self.process = subprocess.Popen(["bash", "--norc", "--noprofile"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, env=env, cwd=folder)

    def type(self, command):
        # The next one sees the status of this one.
        self.process.stdin.write(f"{command}\nq=$?; echo; echo __END__; (exit $q)\n")
        self.process.stdin.flush()
        said = ""
        while True:
            line = self.process.stdout.readline()
            must(line, "the shell has ended")
            if line == "__END__\n":
                return said[:-1] if said.endswith("\n") else said
            said += line

    def close(self):
        self.process.stdin.close()
        must(self.process.wait(LIMIT_S) is not None, "the shell goes on")
        self.process.stdout.close()


class Readyd:
    def __init__(self, readyd, readyctl, folder):
        self.folder, self.clients = folder, []
        self.runtime = folder + "/run"
        self.config = folder + "/readyd.yaml"
        self.write_config("quota:\n  default: {sessions: 64}\n")
        r, w = os.pipe()
        os.set_inheritable(w, True)
        self.process = subprocess.Popen(
            [readyd, "--user", "--config", self.config, "--runtime-dir", self.runtime, "--ready-fd", str(w),
             "-o", "quota.default.connects_per_s=1000"], close_fds=False, stderr=subprocess.DEVNULL)
        os.close(w)
        must(os.read(r, 1) == b"\n", "readyd did not start")
        os.close(r)
        self.env = {"PATH": os.path.dirname(readyctl) + ":" + os.environ["PATH"], "LANG": "C.UTF-8",
                    "READYD_SOCKET": self.runtime + "/session.sock", "HOME": folder}

    def write_config(self, text):
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(text)

    def client(self, n_events):
        """A session with one descriptor, which has had so many events."""
        a, b = socket.socketpair()
        os.set_inheritable(a.fileno(), True)
        p = subprocess.Popen(["readyctl", "watch", f"a={a.fileno()}"], close_fds=False, env=self.env,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        end = time.monotonic() + LIMIT_S
        for _ in range(n_events):
            b.send(b"x")
            must(p.stdout.readline() == b"a in\n", "the client hears nothing")
        self.clients.append((p, a, b))
        must(time.monotonic() < end, "the client is slow")

    def stop(self):
        for p, a, b in self.clients:
            p.kill()
            p.wait()
            p.stdout.close()
            a.close()
            b.close()
        self.process.send_signal(signal.SIGTERM)
        must(self.process.wait(LIMIT_S) == 0, "readyd did not stop well")


def nothing(_):
    pass


def two_clients(readyd):
    readyd.client(3)
    readyd.client(1)


def a_change(readyd):
    readyd.write_config("quota:\n  default: {sessions: 128}\nreactors: 4\n")


def a_mistake(readyd):
    readyd.write_config("quota:\n  default: {sessions: 128}\nqouta: 1\n")


BEFORE = {"wait": nothing, "look": two_clients, "change": a_change, "mistake": a_mistake}


def run(block, name, readyd, readyctl):
    """What the block would be now."""
    folder = tempfile.mkdtemp(prefix="readyd-journey-")
    daemon, came = Readyd(readyd, readyctl, folder), []
    try:
        BEFORE[name](daemon)
        shell = Shell(daemon.env, folder)
        for line in block.splitlines():
            if line.startswith("$ "):
                came.append(line + "\n" + shell.type(line[2:]))
        shell.close()
        daemon.stop()
    finally:
        if daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()
        shutil.rmtree(folder)
    said = "".join(came).replace(folder, "/etc/readyd")
    # Where the name is as long as that one, columns stay columns.
    return re.sub(rf"\b{getpass.getuser()}\b", NAME, said) if len(getpass.getuser()) == len(NAME) else said


def main():
    readyd, readyctl, readme = (os.path.abspath(a) for a in sys.argv[1:4])
    with open(readme, encoding="utf-8") as f:
        text = f.read()
    failed, n = 0, 0
    for head, name, block, tail in BLOCK.findall(text):
        n += 1
        try:
            came, why = run(block, name, readyd, readyctl), ""
            if masked(came) != masked(block):
                why = ": it is not what stands in the README; --update?"
        except (AssertionError, OSError, subprocess.SubprocessError) as e:
            came, why = block, f": {e!r}"
        if "--update" in sys.argv:
            text = text.replace(head + block + tail, head + came + tail)
        elif why:
            failed += 1
            print("\n".join("# " + line for line in came.splitlines()))
        print("not ok" if why and "--update" not in sys.argv else "ok", n, name + why, flush=True)
        for line in came.splitlines():
            if len(line) > 80 and not line.startswith("$ "):
                print(f"# over 80 columns: {line}")
    print(f"1..{n}")
    if "--update" in sys.argv:
        with open(readme, "w", encoding="utf-8") as f:
            f.write(text)
    return bool(failed or not n)


if __name__ == "__main__":
    sys.exit(main())
