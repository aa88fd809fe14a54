#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sum the subtests of one lane of ./check from meson's testlog.json.

tally.py LANE TESTLOG: prints what failed and what was skipped (with its reason), then one line
"LANE: N passed, N failed, N skipped" (subtests: a TAP test counts its points, any other test counts as one).
Exit 1 when something failed or nothing ran at all."""
import json
import re
import sys

POINT = re.compile(r"^(not )?ok\b[ \t]*\d*[ \t]*-?[ \t]*(.*)$")
SKIP = re.compile(r"#[ \t]*skip\S*[ \t]*(.*)$", re.I)
PLAN_SKIP = re.compile(r"^1\.\.0\b.*?#[ \t]*skip\S*[ \t]*(.*)$", re.I | re.M)
GOOD = ("OK", "SKIP", "EXPECTEDFAIL")
SHOWN_LINES = 40


def points(stdout):
    """(passed, failed names, skipped (name, reason)) of a TAP stream; None when it is not one."""
    plan = PLAN_SKIP.search(stdout)
    if plan:
        return 0, [], [("all of it", plan.group(1))]
    if not re.search(r"^1\.\.\d+", stdout, re.M):
        return None
    passed, failed, skipped = 0, [], []
    for line in stdout.splitlines():
        m = POINT.match(line)
        if not m:
            continue
        skip = SKIP.search(m.group(2))
        if m.group(1):
            failed.append(m.group(2))
        elif skip:
            skipped.append((m.group(2)[:skip.start()].strip() or "a point", skip.group(1)))
        else:
            passed += 1
    return passed, failed, skipped


def show_output(test):
    text = (test.get("stdout", "") + test.get("stderr", "")).strip().splitlines()
    for line in text[-SHOWN_LINES:]:
        print(f"    | {line}")


def main():
    lane, log = sys.argv[1], sys.argv[2]
    passed = failed = skipped = 0
    try:
        lines = open(log, encoding="utf-8", errors="replace").read().splitlines()
    except OSError as e:
        print(f"  FAIL {lane}: no test log: {e.strerror}")
        lines = []
        failed += 1
    for line in lines:
        test = json.loads(line)
        name, result = test["name"], test["result"]
        tap = points(test.get("stdout", ""))
        p, f, s = tap or (0, [], [])
        if result not in GOOD and not f:
            f = [f"{result.lower()}, exit {test.get('returncode')}"]  # died outside of a point
        elif result == "SKIP" and not s:
            said = (test.get("stdout", "") + test.get("stderr", "")).strip().splitlines()
            s = [("all of it", said[-1] if said else "no reason printed")]
        elif result in GOOD and tap is None:
            p = 1
        for what in f:
            print(f"  FAIL {name}: {what}")
        if f:
            show_output(test)
        for what, why in s:
            print(f"  skip {name}: {what}: {why}")
        passed, failed, skipped = passed + p, failed + len(f), skipped + len(s)
    if passed + failed + skipped == 0:
        print(f"  FAIL {lane}: no test ran")
        failed = 1
    print(f"{lane}: {passed} passed, {failed} failed, {skipped} skipped")
    return failed > 0


sys.exit(main())
