#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The metrics of a private readyd: metrics.py READYD READYCTL MANUAL. Says TAP.
What comes is read by the rules of OpenMetrics 1.0, strictly; it says what was done; and the manual has each metric."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

LIMIT_S = 20.0
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{([^{{}}]*)\}})? (-?[0-9.e+-]+)$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"')
SUFFIXES = {"counter": ("_total", "_created"), "gauge": ("",), "info": ("_info",)}


def must(holds, what):
    if not holds:
        raise AssertionError(what)


def labels_of(text):
    labels, at = {}, 0
    while text and at < len(text):
        m = LABEL.match(text, at)
        must(m and m.group(1) not in labels, f"labels: {text}")
        labels[m.group(1)] = m.group(2)
        at = m.end()
        must(at == len(text) or text[at] == ",", f"labels: {text}")
        at += 1
    return labels


def parse(text):
    """{family: (type, {labels: value})}; AssertionError when it is not OpenMetrics."""
    must(text.endswith("# EOF\n"), "no end")
    families, current = {}, None
    for line in text[:-len("# EOF\n")].splitlines():
        must(line == line.strip() and line, f"blanks: {line!r}")
        if line.startswith("# "):
            _, word, name, rest = (line + " ").split(" ", 3)
            rest = rest.strip()
            if word == "TYPE":
                must(name not in families and rest in SUFFIXES, line)
                families[name], current = (rest, {}), name
            elif word == "UNIT":
                must(name == current and name.endswith("_" + rest) and not families[name][1], line)
            else:
                must(word == "HELP" and name == current and rest and not families[name][1], line)
            continue
        m = SAMPLE.match(line)
        must(m and current, f"no sample: {line}")
        kind, samples = families[current]
        must(any(m.group(1) == current + s for s in SUFFIXES[kind]), f"not of {current}: {line}")
        key = tuple(sorted(labels_of(m.group(2)).items()))
        must(key not in samples, f"twice: {line}")
        value = float(m.group(3))
        must(kind != "counter" or value >= 0, line)
        samples[key] = value
    return families


class Readyd:
    def __init__(self, folder):
        self.folder = folder
        self.runtime = folder + "/run"
        self.config = folder + "/c.yaml"
        self.begin()

    def begin(self):
        r, w = os.pipe()
        os.set_inheritable(w, True)
        with open(self.config, "w", encoding="utf-8"):
            pass
        self.process = subprocess.Popen(
            [sys.argv[1], "--user", "--config", self.config, "--runtime-dir", self.runtime, "--ready-fd", str(w),
             "-o", "quota.default.connects_per_s=1000", "-o", "quota.default.sessions=2"],
            close_fds=False, stderr=subprocess.DEVNULL)
        os.close(w)
        must(os.read(r, 1) == b"\n", "readyd did not start")
        os.close(r)

    def ctl(self, *args):
        return subprocess.run([sys.argv[2], *args, "--socket", self.folder + "/run/control.sock"], capture_output=True,
                              text=True, timeout=LIMIT_S, check=False)

    def metrics(self):
        p = self.ctl("metrics")
        must(p.returncode == 0 and not p.stderr, p.stderr)
        return parse(p.stdout)

    def until(self, holds):
        end = time.monotonic() + LIMIT_S
        while not holds(self.metrics()):
            must(time.monotonic() < end, "it does not get so")
            time.sleep(0.01)

    def client(self):
        """A session with one descriptor, by readyctl; and the other end."""
        a, b = socket.socketpair()
        os.set_inheritable(a.fileno(), True)
        p = subprocess.Popen([sys.argv[2], "watch", f"a={a.fileno()}", "--socket", self.folder + "/run/session.sock"],
                             close_fds=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        a.close()
        return p, b


def value(families, name, **labels):
    return families[name][1].get(tuple(sorted(labels.items())))


def what_it_says(readyd):
    uid = str(os.geteuid())
    first = readyd.metrics()
    must(value(first, "readyd_config_generation") == 1, "the generation")
    must(value(first, "readyd_sessions_opened") == 0, "sessions before there is one")
    p, end = readyd.client()
    readyd.until(lambda m: value(m, "readyd_registrations", uid=uid) == 1)
    end.send(b"x")
    must(p.stdout.readline() == b"a in\n", "the client hears nothing")
    readyd.until(lambda m: value(m, "readyd_events", uid=uid) == 1)
    m = readyd.metrics()
    must(value(m, "readyd_sessions_opened") == 1 and value(m, "readyd_sessions", uid=uid) == 1, "the session")
    # A refusal, a reload, and one that is refused.
    others = [readyd.client() for _ in range(3)]
    readyd.until(lambda m: value(m, "readyd_sessions_refused", error="QUOTA_SESSIONS"))
    for q, other in others:
        q.kill()
        q.wait()
        q.stdout.close()
        other.close()
    must(readyd.ctl("reload").returncode == 0, "the reload")
    with open(readyd.config, "w", encoding="utf-8") as f:
        f.write("nonsense: 1\n")
    must(readyd.ctl("reload").returncode == 1, "the reload of nonsense")
    m = readyd.metrics()
    must(value(m, "readyd_reloads") == 1 and value(m, "readyd_reloads_refused") == 1, "reloads")
    must(value(m, "readyd_config_refused") == 1 and value(m, "readyd_config_generation") == 2, "the generation")
    must(value(m, "readyd_build", version=readyd.ctl("version", "--json") and m["readyd_build"][1] and
               list(m["readyd_build"][1])[0][0][1]) == 1, "the build")
    # Counters do not go back.
    for name, (kind, samples) in first.items():
        for key, before in samples.items() if kind == "counter" else ():
            must(m[name][1][key] >= before, name)
    p.kill()
    p.wait()
    p.stdout.close()
    end.close()


def a_restart_goes_on(readyd):
    """Killed and started again, twice: no counter of the daemon goes back. A stop begins anew."""
    for _ in range(2):
        before = readyd.metrics()
        must(value(before, "readyd_sessions_opened") >= 1 and value(before, "readyd_reloads_refused") == 1, "nothing counted")
        readyd.process.kill()
        readyd.process.wait()
        readyd.begin()
        after = readyd.metrics()
        for name in ("readyd_sessions_opened", "readyd_control_opened", "readyd_agents_started", "readyd_reloads_refused"):
            must(value(after, name) >= value(before, name), f"{name} went back")
    readyd.process.send_signal(signal.SIGTERM)
    must(readyd.process.wait(LIMIT_S) == 0, "readyd did not stop well")
    must(os.listdir(readyd.runtime) == ["lock"], f"left behind: {os.listdir(readyd.runtime)}")
    readyd.begin()
    must(value(readyd.metrics(), "readyd_reloads_refused") == 0, "a stop kept the counters")


def for_prometheus(readyd):
    """The older format: as strict a reader as promtool's, where that is not installed."""
    import shutil as tools
    text = readyd.ctl("metrics", "--format", "prometheus").stdout
    types, helps = {}, set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line[7:].split()
            must(kind in ("counter", "gauge") and name not in types, line)
            must((kind == "counter") == name.endswith("_total"), line)
            types[name] = kind
        elif line.startswith("# HELP "):
            must(line.split()[2] in types, line)
            helps.add(line.split()[2])
        else:
            m = re.fullmatch(r'(\w+)(\{\w+="[^"]*"\})? -?[0-9.]+', line)
            must(m and m.group(1) in types, line)
    must(set(types) == helps and len(types) > 20, "a metric without help")
    # The same metrics as in the other one.
    must({n.removesuffix("_total").removesuffix("_info") for n in types} == {n.removesuffix("_info") for n in readyd.metrics()},
         "not the same metrics")
    if tools.which("promtool"):
        must(subprocess.run(["promtool", "check", "metrics"], input=text, text=True).returncode == 0, "promtool")
    must(readyd.ctl("metrics", "--format", "yaml").returncode == 2, "a format that is none")


def the_manual_has_each(readyd):
    with open(sys.argv[3], encoding="utf-8") as f:
        page = f.read()
    said = re.findall(r"^\.It Li (readyd_\w+)$", page, re.M)
    is_there = sorted(readyd.metrics())
    must(sorted(said) == is_there, f"in the manual or in the metrics alone: {sorted(set(said) ^ set(is_there))}")


def main():
    folder = tempfile.mkdtemp(prefix="readyd-metrics-")
    readyd, failed = Readyd(folder), 0
    cases = [what_it_says, for_prometheus, the_manual_has_each, a_restart_goes_on]
    try:
        for i, case in enumerate(cases):
            why = ""
            try:
                case(readyd)
            except (AssertionError, OSError, KeyError, subprocess.SubprocessError) as e:
                why, failed = f": {e!r}", failed + 1
            print("not ok" if why else "ok", i + 1, case.__name__ + why, flush=True)
        print(f"1..{len(cases)}")
        readyd.process.send_signal(signal.SIGTERM)
        must(readyd.process.wait(LIMIT_S) == 0, "readyd did not stop well")
    finally:
        if readyd.process.poll() is None:
            readyd.process.kill()
            readyd.process.wait()
        shutil.rmtree(folder)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
